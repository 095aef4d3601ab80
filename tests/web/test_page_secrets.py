"""Caches, secrets, cookies and the policy of pages, whoever wrote them."""

from __future__ import annotations

import re
from typing import Any

import httpx2
import pytest
from tests.server.running import running
from tests.web.walking import (
    FORM,
    PAGES,
    Scene,
    fields,
    filled,
    scene,
)

pytestmark = pytest.mark.slow

__all__ = ["scene"]


@pytest.mark.parametrize("path", PAGES)
def test_no_page_is_kept_by_proxies(scene: Scene, path: str) -> None:
    answer = scene.root.get(filled(path))
    kept = answer.headers["cache-control"]
    assert "no-store" in kept or "private" in kept, kept
    assert "public" not in kept
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", [path for path in PAGES if not path.endswith(".json")])
def test_a_page_has_no_script_and_no_style_in_it(scene: Scene, path: str) -> None:
    answer = scene.root.get(filled(path))
    if "text/html" not in answer.headers.get("content-type", ""):
        return
    assert not re.search(r"<[a-z][^>]*\s(style|on[a-z]+|hx-on[^=\s]*)=", answer.text)
    assert not re.search(r"<script(?![^>]*\ssrc=)", answer.text)
    assert "javascript:" not in answer.text
    assert "<style" not in answer.text


@pytest.mark.parametrize(
    ("act", "looks"),
    [("tokens/make", "yard_[0-9]+_[A-Za-z0-9_-]{49}"), ("hooks/add", "whsec_[A-Za-z0-9+/=]{44}")],
)
def test_a_secret_is_shown_once_and_kept_nowhere(scene: Scene, act: str, looks: str) -> None:
    headers = {**FORM, "accept-encoding": "gzip", "idempotency-key": f"one {act}"}
    body = fields(name="shown-once", account="", role="reader", pattern="*", models="")
    made = scene.root.post(f"/do/{act}", content=body, headers=headers)
    assert made.status_code == 200
    secrets = re.findall(looks, made.text)
    assert len(secrets) == 1
    assert "content-encoding" not in made.headers, "what a stranger adds must not show its length"
    assert made.headers["cache-control"] == "no-store"
    assert "set-cookie" not in made.headers
    again = scene.root.post(f"/do/{act}", content=body, headers=headers)
    assert again.status_code == 409
    for text in (again.text, scene.root.get("/api/v1/audit").text, scene.server.log_text()):
        assert secrets[0] not in text
    for path in PAGES:
        assert secrets[0] not in scene.root.get(filled(path)).text, path


def test_cookies_are_for_nobody_else(tmp_path: Any) -> None:
    with running(tmp_path / "yard", prefix="/yard", trust_proxy="127.0.0.1") as server:
        base = server.url.removesuffix("/yard") + "/yard"
        https = {"sec-fetch-site": "same-origin", "x-forwarded-proto": "https"}
        told = {"name": "admin", "password": server.token or ""}
        answers = [httpx2.post(f"{base}/login", data=told, headers=https)]
        shown = {**https, "cookie": f"yard_session={answers[0].cookies['yard_session']}"}
        for act, fields in (
            ("language", {"choice": "zh"}), ("theme", {"choice": "dark"}),
            ("guards/add", {"pattern": "*", "ref": "champion"}),
            ("profile/password", {"password": "some words nobody says",
                                  "repeated": "some words nobody says"}),
        ):  # fmt: skip
            answers.append(httpx2.post(f"{base}/do/{act}", data=fields, headers=shown))
        names = set()
        for answer in answers:
            assert answer.status_code == 303, answer.text
            assert answer.headers["location"].startswith("/yard/")
            for cookie in answer.headers.get_list("set-cookie"):
                names.add(cookie.partition("=")[0])
                flags = {part.strip().lower() for part in cookie.split(";")[1:]}
                assert {"httponly", "secure", "path=/yard"} <= flags, cookie
                assert {"samesite=strict", "samesite=lax"} & flags, cookie
        assert names == {"yard_session", "yard_language", "yard_theme", "yard_said"}
