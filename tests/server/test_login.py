"""Signing in with a browser: by a one-time link, a token, a password; and guessing."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from tests.server.running import Running, running

if TYPE_CHECKING:
    from collections.abc import Iterator

BY_HAND = {"sec-fetch-site": "none", "sec-fetch-user": "?1", "sec-fetch-mode": "navigate"}


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """What `yard up` starts."""
    with running(tmp_path_factory.mktemp("up") / "yard", command="up") as one:
        yield one


def _code(link: str | None) -> str:
    assert link is not None
    return parse_qs(urlsplit(link).query)["code"][0]


def _enter(one: Running, **fields: str) -> httpx2.Response:
    headers = {"sec-fetch-site": "same-origin"}
    return httpx2.post(f"{one.url}/login", data=fields, headers=headers)


def test_the_first_link_signs_a_browser_in_once(up: Running) -> None:
    looked = httpx2.get(f"{up.url}/login", params={"code": _code(up.link)})
    assert looked.status_code == 200
    assert "set-cookie" not in looked.headers, "whatever looks at links uses none up"
    with httpx2.Client(base_url=up.url) as browser:
        answer = browser.get("/login", params={"code": _code(up.link)}, headers=BY_HAND)
        assert answer.status_code == 303
        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert "yard_session" in browser.cookies
        assert '<span class="name">admin</span>' in browser.get("/").text
        assert browser.get("/api/v1/models").status_code == 200
    again = httpx2.get(f"{up.url}/login", params={"code": _code(up.link)}, headers=BY_HAND)
    assert again.status_code == 403
    assert "set-cookie" not in again.headers


def test_a_token_signs_a_browser_in_and_it_can_sign_out(up: Running) -> None:
    assert up.token is not None
    with httpx2.Client(base_url=up.url, headers={"sec-fetch-site": "same-origin"}) as browser:
        answer = browser.post("/login", data={"name": "admin", "password": up.token, "next": "/x"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/x")
        stolen = browser.cookies["yard_session"]
        assert browser.get("/").status_code == 200
        assert browser.post("/logout").status_code == 303
    late = httpx2.get(f"{up.url}/api/v1/models", headers={"cookie": f"yard_session={stolen}"})
    assert late.status_code == 401


def test_a_page_sends_a_stranger_to_sign_in_and_the_api_does_not(up: Running) -> None:
    answer = httpx2.get(f"{up.url}/")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=%2F")
    assert httpx2.get(f"{up.url}/api/v1/models").status_code == 401


@pytest.mark.parametrize(
    "path", ["//evil.org", "https://evil.org", "/\\evil.org", "\\\\evil.org", "/a\r\nb", "x"]
)
def test_nobody_is_sent_elsewhere_after_signing_in(up: Running, path: str) -> None:
    answer = _enter(up, name="admin", password=up.token or "", next=path)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/"


def test_what_is_typed_is_shown_as_text(up: Running) -> None:
    text = httpx2.get(f"{up.url}/login", params={"next": '/"><script>alert(1)</script>'}).text
    assert "<script" not in text
    text = httpx2.get(f"{up.url}/login", params={"code": '"><script>alert(1)</script>'}).text
    assert "<script" not in text


def test_the_page_speaks_chinese_and_runs_no_script(up: Running) -> None:
    page = httpx2.get(f"{up.url}/login", headers={"accept-language": "zh-CN,zh;q=0.9"})
    assert '<html lang="zh"' in page.text
    assert "密码或令牌" in page.text
    assert "script-src" not in page.headers["content-security-policy"]
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert "content-encoding" not in page.headers, "what a stranger sent is not packed with it"


def test_the_theme_can_be_chosen_before_one_is_signed_in(up: Running) -> None:
    with httpx2.Client(base_url=up.url, headers={"sec-fetch-site": "same-origin"}) as browser:
        told = {"choice": "dark", "back": "/login?next=/x"}
        answer = browser.post("/do/theme", data=told)
        assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=/x")
        page = browser.get("/login", params={"next": "/x"}).text
    assert 'data-theme="dark"' in page
    assert '<input type="hidden" name="next" value="/x">' in page


def test_a_wrong_password_is_answered_as_an_unknown_name(up: Running) -> None:
    known, unknown = (_enter(up, name=name, password="guess") for name in ("admin", "nobody"))
    assert known.status_code == unknown.status_code == 401
    assert known.text == unknown.text


def test_only_so_many_passwords_are_guessed_but_a_token_always_lets_in(up: Running) -> None:
    answers = [_enter(up, name="ann", password=f"guess {n}").status_code for n in range(14)]
    assert answers[0] == 401
    assert answers[-1] == 429
    answer = httpx2.get(f"{up.url}/api/v1/models", auth=("ann", "guess"))
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0
    with up.client() as client:
        assert client.get("/api/v1/models").status_code == 200
    git = httpx2.get(f"{up.url}/api/v1/models", auth=("ann", up.token or ""))
    assert git.status_code == 200, "a token in the place of a password, as git sends it"
