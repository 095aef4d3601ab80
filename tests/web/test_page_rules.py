"""Who may see which page and send which act, whoever wrote it: all that are registered."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import httpx2
import pytest
from tests.web.walking import (
    ACTS,
    FORM,
    HIDDEN,
    OPEN,
    PAGES,
    Scene,
    cookie_of,
    fields,
    filled,
    routes,
    scene,
    sent,
)

pytestmark = pytest.mark.slow

__all__ = ["scene"]

PUBLIC_ACTS = {"/do/language", "/do/theme"}
"""The whole list. An act that is to be on it needs a good reason."""
THEIR_OWN = PUBLIC_ACTS | {"/do/tokens/make", "/do/profile/password"}
"""What everybody signed in may do to themselves."""
READING = {"/do/try/{name}"}
"""What changes nothing, for who may read."""


def test_there_are_pages_and_acts_to_look_at() -> None:
    assert len(PAGES) > 30
    assert len(ACTS) > 15


def test_only_these_acts_are_public() -> None:
    public = {r.path for r in routes("POST") if r.endpoint.needs.what == "public"}
    assert public == PUBLIC_ACTS


def test_no_page_is_public_but_what_browsers_keep() -> None:
    public = {r.path for r in routes("GET") if r.endpoint.needs.what == "public"}
    assert public <= {"/static/{digest}/{name:path}"}


def test_what_names_a_model_in_its_path_asks_for_a_role() -> None:
    for route in routes("GET") + routes("POST"):
        if "{model" not in route.path:
            continue
        needs = route.endpoint.needs
        assert needs.what == "model", route.path
        assert needs.role != "none", route.path
        if "POST" in route.methods:
            assert needs.role in ("writer", "maintainer", "admin"), route.path


@pytest.mark.parametrize("path", ACTS)
def test_no_other_site_can_send_an_act(scene: Scene, path: str) -> None:
    cookie = cookie_of(scene)
    for headers in (
        {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.example"}, {"origin": "null"}, {},
    ):  # fmt: skip
        told = {**FORM, **headers, "cookie": f"yard_session={cookie}"}
        answer = httpx2.post(f"{scene.server.url}{filled(path)}", headers=told, content=fields())
        assert answer.status_code == 403, (path, headers)
        assert answer.json()["kind"] == "cross-site"
        assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("path", PAGES)
def test_who_is_not_signed_in_sees_no_page(scene: Scene, path: str) -> None:
    answer = scene.stranger.get(filled(path))
    if path.endswith(".json"):
        assert answer.status_code == 401
    else:
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/login?next=")


def test_acts_change_nothing_for_who_may_not(scene: Scene) -> None:
    """With all fields that any act knows, about the open model, the hidden one and the yard."""
    before = _state(scene)
    for client in (scene.reader, scene.roleless, scene.stranger):
        for path in ACTS:
            if path in THEIR_OWN or (client is scene.reader and path in READING):
                continue
            for model in (OPEN, HIDDEN):
                answer = client.post(filled(path, model=model), content=fields(model), headers=FORM)
                assert answer.status_code >= 400, f"{path}: {answer.status_code}"
                assert answer.status_code < 500, f"{path}: {answer.status_code}"
                if client is scene.stranger:
                    assert answer.status_code in (401, 404), path
                elif model == HIDDEN and "{model" in path:
                    assert answer.status_code == 404, path
    assert _state(scene) == before


def test_a_reader_is_refused_by_403_and_who_may_not_read_by_404(scene: Scene) -> None:
    for path in ACTS:
        if "{model" not in path:
            continue
        body = fields()
        reader = scene.reader.post(filled(path), content=body, headers=FORM)
        roleless = scene.roleless.post(filled(path), content=body, headers=FORM)
        assert (reader.status_code, roleless.status_code) == (403, 404), path


def test_what_can_not_be_asked_so_is_told_on_a_page(scene: Scene) -> None:
    browser = {"accept": "text/html,*/*"}
    for path, status in (("/settings/hooks/x", 422), ("/do/tokens/make", 405), ("/no/page", 404)):
        answer = scene.root.get(path, headers=browser)
        assert answer.status_code == status
        assert "<h1" in answer.text
        assert scene.root.get(path).headers["content-type"] == "application/problem+json"


def _state(scene: Scene) -> dict[str, Any]:
    """Everything that an act could change."""
    looked: dict[str, Any] = {}
    for path in ("accounts", "roles", "guards", "proposals", "hooks", "tokens", "models"):
        looked[path] = sent(scene.root.get(f"/api/v1/{path}")).json()
    for model in (OPEN, HIDDEN):
        base = f"/api/v1/models/{quote(model, '')}"
        for part in ("refs", "versions", "labels"):
            looked[f"{model} {part}"] = sent(scene.root.get(f"{base}/{part}")).json()
    looked["deployments"] = [
        (one["spec"], one["generation"])
        for one in sent(scene.root.get("/api/v1/deployments")).json()
    ]
    for key in ("used",):
        for token in looked["tokens"]:
            token.pop(key, None)
    return looked
