"""Where pages and acts send a browser, and what they tell it there."""

from __future__ import annotations

import base64
import json
import re
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx2
import pytest
from tests.web.walking import (
    ACTS,
    FORM,
    OURS,
    PAGES,
    Scene,
    fields,
    filled,
    scene,
)

pytestmark = pytest.mark.slow

__all__ = ["scene"]

ELSEWHERE = (
    "//evil.example", "https://evil.example/x", "/\\evil.example", "\\\\evil.example",
    "/\t/evil.example", "/%5c/../..//evil.example", "javascript:alert(1)",
    "/\r\nset-cookie: a=b", "http:evil.example", "/@evil.example", ".evil.example",
    "///evil.example",
)  # fmt: skip
_SAYS_WHERE = ("back", "next", "go_to", "to", "return")
_KEPT = ("members", "password", "delete", "rename", "/do/tokens", "/do/hooks")
"""They would change what the other tests look at."""


@pytest.mark.parametrize("path", [path for path in PAGES if not path.endswith(".json")])
def test_no_page_sends_to_another_site(scene: Scene, path: str) -> None:
    for to in ELSEWHERE[:4]:
        answer = scene.root.get(filled(path), params=dict.fromkeys(_SAYS_WHERE, to))
        _check_here(answer, scene.server.url, path)


@pytest.mark.parametrize("to", ELSEWHERE)
def test_no_act_sends_to_another_site(scene: Scene, to: str) -> None:
    root, base, said = scene.root, scene.server.url, dict.fromkeys(_SAYS_WHERE, to)
    for path, choice in (("/do/language", "en"), ("/do/theme", "light")):
        answer = root.post(path, data={**said, "choice": choice}, headers=FORM)
        assert answer.status_code == 303
        _check_here(answer, base, path)
    for path in ACTS:
        if any(word in path for word in _KEPT):
            continue
        body = fields(**said, pattern="no/*")
        _check_here(root.post(filled(path), content=body, headers=FORM), base, path)
    root.cookies.clear()


@pytest.mark.parametrize("to", ELSEWHERE)
def test_nobody_is_sent_elsewhere_from_signing_in(scene: Scene, to: str) -> None:
    base = scene.server.url
    page = httpx2.get(f"{base}/login", params={"next": to}).text
    (kept,) = re.findall(r'name="next" value="([^"]*)"', page)
    told = {"name": "admin", "password": scene.server.token or "", "next": to}
    answer = httpx2.post(f"{base}/login", data=told, headers=OURS)
    assert answer.status_code == 303
    _check_here(answer, base, "/login")
    assert kept.startswith("/")
    assert not kept.startswith(("//", "/\\"))


def _check_here(answer: httpx2.Response, base: str, path: str) -> None:
    assert answer.status_code < 500, path
    assert "a=b" not in answer.headers.get("set-cookie", "")
    if (location := answer.headers.get("location")) is None:
        return
    for read in (location, location.replace("\\", "/")):
        read = re.sub(r"[\t\r\n]", "", read)  # as browsers do
        assert urlsplit(urljoin(f"{base}{path}", read)).netloc == urlsplit(base).netloc, location


EVIL = '"><script>alert(1)</script><img src=x onerror=alert(2)>'


def test_hostile_names_in_what_is_told_are_shown_as_text(scene: Scene) -> None:
    root = scene.root
    made = root.post("/do/tokens/make", data={"name": EVIL}, headers=OURS)
    assert made.status_code == 200
    assert "<script>alert" not in made.text
    key = re.findall(r"yard_([0-9]+)_", made.text)[0]
    done = root.post("/do/tokens/revoke", data={"token": key}, headers=OURS)
    assert done.status_code == 303
    text = root.get(done.headers["location"]).text
    root.cookies.clear()
    assert "&lt;script&gt;alert(1)" in text
    assert "<script>alert" not in text
    assert "<img src=x" not in text


def test_a_cookie_that_somebody_planted_shows_text_and_sends_nowhere_else(scene: Scene) -> None:
    def shown(said: object) -> str:
        cookie = base64.urlsafe_b64encode(json.dumps(said).encode()).decode()
        return scene.root.get("/settings", headers={"cookie": f"yard_said={cookie}"}).text

    fields = {EVIL: EVIL}
    text = shown({"text": EVIL, "undo": {"act": "/do/roles/take", "fields": fields}})
    assert "&lt;script&gt;alert(1)" in text
    assert "<script>alert" not in text
    assert "<img src=x" not in text
    for act in ("//evil.example/do/x", "/logout", "https://evil.example", EVIL):
        text = shown({"text": "Press Undo", "undo": {"act": act, "fields": {}}})
        assert "Press Undo" not in text
    strange: Any
    for strange in ("x", [], {"text": 3}, {"text": "t", "undo": "x"}, None):
        assert "<h1" in shown(strange)
