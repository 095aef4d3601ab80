"""Signing in through OpenID Connect: a real provider, and one that lies in every way it can."""

from __future__ import annotations

import json
import re
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from tests.server.running import running

from modelyard.errors import Denied, InvalidInput, ModelyardError
from modelyard.registry import open_yard
from modelyard.registry.access.desk import Desk
from modelyard.server.oidc import Provider
from modelyard.server.oidc_settings import OidcSettings, read_oidc

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.server.running import Running

pytestmark = pytest.mark.filterwarnings("ignore")


# -- a real provider -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    import oidc_provider_mock

    with oidc_provider_mock.run_server_in_thread() as provider:
        yield f"http://localhost:{provider.server_port}"


@pytest.fixture(scope="module")
def server(issuer: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    environment = {
        "YARD_OIDC_ISSUER": issuer, "YARD_OIDC_CLIENT_ID": "yard", "YARD_OIDC_SECRET": "s3cret",
        "YARD_OIDC_DOMAINS": "example.org", "YARD_OIDC_TITLE": "Example & Co",
        "YARD_OIDC_ROLES": "ml=writer:vision/* chiefs=admin:*",
    }  # fmt: skip
    with running(tmp_path_factory.mktemp("oidc") / "yard", env=environment) as one:
        yield one


def begin(browser: httpx2.Client, go_to: str = "/") -> str:
    answer = browser.get("/login/oidc", params={"next": go_to})
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


def authorize(issuer: str, place: str, sub: str, **claims: object) -> str:
    """Sign in at the provider; gives where it sends the browser back."""
    httpx2.put(f"{issuer}/users/{sub}", json=claims).raise_for_status()
    answer = httpx2.post(place, data={"sub": sub})
    assert answer.status_code == 302, answer.text
    return str(answer.headers["location"])


def sign_in(server: Running, issuer: str, sub: str, **claims: object) -> tuple[int, Any]:
    with httpx2.Client(base_url=server.url) as browser:
        answer = browser.get(authorize(issuer, begin(browser), sub, **claims))
        if answer.status_code != 200:
            return answer.status_code, answer.text
        return 200, browser.get("/api/v1/whoami").json()


def test_the_first_sign_in_makes_an_account_of_an_allowed_domain(
    server: Running, issuer: str
) -> None:
    told = {"email": "Ann.Lee@example.org", "email_verified": True, "name": "Ann Lee"}
    status, me = sign_in(server, issuer, "sub-1", **told)
    assert (status, me["account"], me["author"]) == (
        200, "ann.lee", "Ann Lee <Ann.Lee@example.org>",
    )  # fmt: skip
    status, me = sign_in(server, issuer, "sub-1", email="other@elsewhere.org", name="X")
    assert (status, me["account"]) == (200, "ann.lee")  # by its subject
    status, me = sign_in(server, issuer, "sub-2", **told)
    assert me["account"] == "ann.lee-2"  # another one, who is called alike


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"email": "eve@example.org"},
        {"email": "eve@example.org", "email_verified": "true"},
        {"email": "eve@example.org.evil.com", "email_verified": True},
        {"email": "eve@evil.com", "email_verified": True},
        {"email": "bob@example.net", "email_verified": False},
    ],
)
def test_others_are_not_let_in(server: Running, issuer: str, claims: dict[str, object]) -> None:
    status, page = sign_in(server, issuer, "eve", **claims)
    assert status == 403
    assert "no account here" in page


def test_an_account_that_was_made_for_an_address_is_taken_over_once(
    server: Running, issuer: str
) -> None:
    with open_yard(server.folder) as yard:
        Desk(yard.house).add_account("bob", title="Bob <bob@example.net>")
        told = {"email": "bob@example.net", "email_verified": True}
        assert sign_in(server, issuer, "bob-1", **told)[1]["account"] == "bob"
        assert sign_in(server, issuer, "bob-2", **told)[0] == 403
        assert sign_in(server, issuer, "bob-1")[1]["account"] == "bob"
        Desk(yard.house).disable_account("bob")
    assert sign_in(server, issuer, "bob-1")[0] == 403


def test_roles_follow_groups(server: Running, issuer: str) -> None:
    told: dict[str, Any] = {"email": "gus@example.org", "email_verified": True}
    _, me = sign_in(server, issuer, "gus", **told, groups=["ml", "other"])
    assert me["roles"] == [["vision/*", "writer"]]
    _, me = sign_in(server, issuer, "gus", **told, groups=["chiefs"])
    assert me["roles"] == [["*", "admin"]]
    _, me = sign_in(server, issuer, "gus", **told, groups="ml")
    assert me["roles"] == []


def test_the_page_offers_it_and_leads_on(server: Running, issuer: str) -> None:
    with httpx2.Client(base_url=server.url) as browser:
        assert "Example &amp; Co" in browser.get("/login").text
        told = {"email": "pat@example.org", "email_verified": True}
        place = authorize(issuer, begin(browser, "/openapi.json"), "pat", **told)
        answer = browser.get(place)
        assert re.search(r'http-equiv="refresh" content="0; url=/openapi.json"', answer.text)
        cookie = answer.headers.get_list("set-cookie")[0].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        place = authorize(issuer, begin(browser, "//evil.com"), "pat", **told)
        assert "evil" not in browser.get(place).text


def test_an_answer_counts_once_and_in_the_same_browser(server: Running, issuer: str) -> None:
    told = {"email": "ray@example.org", "email_verified": True}
    with httpx2.Client(base_url=server.url) as one, httpx2.Client(base_url=server.url) as other:
        back = authorize(issuer, begin(one), "ray", **told)
        assert other.get(back).status_code == 403
        begin(other)
        assert other.get(back).status_code == 403  # the state is of another sign-in
        kept = dict(one.cookies)
        assert one.get(back).status_code == 200
        again = httpx2.get(back, cookies=kept)
        assert again.status_code == 403
        assert "yard_session" not in again.headers.get("set-cookie", "")
        back = authorize(issuer, begin(one), "ray", **told)
        assert one.get(back + "&iss=http://evil.com").status_code == 403
        assert one.get("/login/oidc/callback?error=access_denied").status_code == 403
    assert "s3cret" not in server.log_text()


# -- one that lies -------------------------------------------------------------------------------


class Liar:
    """A provider whose identity tokens are what a test wants."""

    def __init__(self) -> None:
        self.key = RSAKey.generate_key(2048, {"kid": "k1"}, private=True)
        self.make: Callable[[dict[str, Any]], str] = self.signed
        self.document: dict[str, Any] = {}
        self.verifier = ""
        self.url = ""

    def signed(self, claims: dict[str, Any]) -> str:
        return jwt.encode({"alg": "RS256", "kid": "k1"}, claims, self.key)


@contextmanager
def _served(liar: Liar) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.endswith("openid-configuration"):
                told = {
                    "issuer": liar.url, "authorization_endpoint": f"{liar.url}/a",
                    "token_endpoint": f"{liar.url}/t", "jwks_uri": f"{liar.url}/k",
                }  # fmt: skip
                self._say({**told, **liar.document})
            else:
                self._say({"keys": [liar.key.as_dict(private=False)]})

        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
            liar.verifier = form["code_verifier"][0]
            self._say({"id_token": form["code"][0]})

        def _say(self, value: object) -> None:
            body = json.dumps(value).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()


@pytest.fixture(scope="module")
def liar() -> Iterator[Liar]:
    one = Liar()
    with _served(one) as url:
        one.url = url
        yield one


def end(liar: Liar, change: Callable[[dict[str, Any]], object], make: Any = None) -> Any:
    """Sign in with claims that were changed; the token rides in the code."""
    provider = Provider(OidcSettings(issuer=liar.url, client_id="yard", secret="s3cret"))
    place, kept = provider.begin("http://yard/back", "/go")
    asked = {name: values[0] for name, values in parse_qs(urlsplit(place).query).items()}
    now = int(time.time())
    claims: dict[str, Any] = {
        "iss": liar.url, "aud": "yard", "sub": "ann", "exp": now + 60, "iat": now,
        "nonce": asked["nonce"], "email": "ann@x.org", "email_verified": True,
    }  # fmt: skip
    change(claims)
    token = (make or liar.signed)(claims)
    return provider.end(
        kept=kept, code=token, state=asked["state"], iss="", back="http://yard/back"
    )


def nothing(claims: dict[str, Any]) -> None:
    """As it should be."""


def test_what_is_right_is_believed(liar: Liar) -> None:
    given = end(liar, nothing)
    assert (given.who.subject, given.who.email, given.go_to) == ("ann", "ann@x.org", "/go")
    assert len(liar.verifier) >= 43
    assert end(liar, lambda c: c.update(aud=["yard", "x"], azp="yard")).who.subject == "ann"


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c.update(iss="http://evil.com"), lambda c: c.pop("iss"),
        lambda c: c.update(aud="other"), lambda c: c.pop("aud"), lambda c: c.update(aud=[]),
        lambda c: c.update(aud=["yard", "other"], azp="other"),
        lambda c: c.update(exp=int(time.time()) - 600), lambda c: c.pop("exp"),
        lambda c: c.update(exp="never"), lambda c: c.pop("iat"),
        lambda c: c.update(nbf=int(time.time()) + 600),
        lambda c: c.update(nonce="other"), lambda c: c.pop("nonce"),
        lambda c: c.pop("sub"), lambda c: c.update(sub=""), lambda c: c.update(sub=7),
        lambda c: c.update(sub="a\nb"),
    ],
    ids=[
        "iss", "no iss", "aud", "no aud", "empty aud", "azp", "old", "no exp", "odd exp",
        "no iat", "nbf", "nonce", "no nonce", "no sub", "empty sub", "odd sub", "two lines",
    ],
)  # fmt: skip
def test_what_is_said_to_others_or_at_another_time_is_not(
    liar: Liar, change: Callable[[dict[str, Any]], object]
) -> None:
    with pytest.raises(Denied) as error:
        end(liar, change)
    assert error.value.kind == "login-refused"


def _unsigned(claims: dict[str, Any]) -> str:
    import base64

    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    return f"{part({'alg': 'none'})}.{part(claims)}."


def _with_secret(claims: dict[str, Any]) -> str:
    key = OctKey.import_key("s3cret-that-is-long-enough-for-this-0000")
    return jwt.encode({"alg": "HS256"}, claims, key)


def _no_token(_: dict[str, Any]) -> str:
    return "x.y.z"


def _with_other_key(claims: dict[str, Any]) -> str:
    key = RSAKey.generate_key(2048, {"kid": "k1"}, private=True)
    return jwt.encode({"alg": "RS256", "kid": "k1"}, claims, key)


@pytest.mark.parametrize("make", [_unsigned, _with_secret, _with_other_key, _no_token])
def test_what_is_not_signed_by_the_provider_is_not_believed(liar: Liar, make: Any) -> None:
    with pytest.raises(Denied) as error:
        end(liar, nothing, make)
    assert error.value.kind == "login-refused"


def test_new_keys_are_fetched_when_they_are_needed(liar: Liar) -> None:
    assert end(liar, nothing).who.subject == "ann"
    liar.key = RSAKey.generate_key(2048, {"kid": "k1"}, private=True)
    assert end(liar, nothing).who.subject == "ann"


def test_a_document_of_another_issuer_is_refused(liar: Liar) -> None:
    liar.document = {"issuer": "http://evil.com"}
    try:
        with pytest.raises(ModelyardError) as error:
            end(liar, nothing)
    finally:
        liar.document = {}
    assert error.value.kind == "no-provider"


def test_settings_come_from_the_environment() -> None:
    assert read_oidc({}) is None
    good = {
        "YARD_OIDC_ISSUER": "https://id.example.org", "YARD_OIDC_CLIENT_ID": "a",
        "YARD_OIDC_SECRET": "hidden-one", "YARD_OIDC_ROLES": "x=writer:a/*",
    }  # fmt: skip
    settings = read_oidc(good)
    assert settings is not None
    assert settings.groups[0].pattern == "a/*"
    assert "hidden-one" not in repr(settings)
    for bad in (
        {"YARD_OIDC_ISSUER": "http://id.example.org"}, {"YARD_OIDC_SECRET": ""},
        {"YARD_OIDC_ROLES": "x"}, {"YARD_OIDC_ROLES": "x=boss:a"},
    ):  # fmt: skip
        with pytest.raises(InvalidInput):
            read_oidc({**good, **bad})
