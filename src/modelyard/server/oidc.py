"""Signing in through an OpenID Connect provider: authorization code with PKCE, state and nonce.

What must survive the way there and back is in a signed cookie of this browser, for ten minutes. The
provider's answer is believed only if issuer, audience, algorithm, signature, times and nonce are
right; its algorithms are those of public keys, whatever its documents say.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import httpx2
import msgspec
from itsdangerous import BadSignature, URLSafeTimedSerializer
from starlette.responses import RedirectResponse, Response

from modelyard.core.decoding import decode_json
from modelyard.errors import Denied, ModelyardError, Unavailable, Unsupported
from modelyard.registry.access.external import GroupRole, Outsider, sign_in_outsider
from modelyard.server.login import open_session, own_path
from modelyard.server.oidc_settings import OidcSettings
from modelyard.server.pages import login_page, onward_page
from modelyard.server.routing import PUBLIC, Routes
from modelyard.server.state import Ask

__all__ = ["Provider", "routes"]

routes = Routes("login", prefix="")

COOKIE = "yard_oidc"
_SECONDS = 600
_ALGORITHMS = [
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
]  # fmt: skip
_LEEWAY = 60
_LARGEST = 1 << 20
_FRESH_SECONDS = 3600.0
_BETWEEN_SECONDS = 30.0


@routes.get("/login/oidc", needs=PUBLIC, hidden=True)
def begin_oidc(ask: Ask, *, next: str = "/") -> Response:
    """Send a browser to the provider."""
    provider = _provider(ask)
    try:
        url, kept = provider.begin(_back(ask), own_path(next))
    except ModelyardError as error:
        return _failed(ask, error)
    answer = RedirectResponse(url, 303, {"cache-control": "no-store"})
    answer.set_cookie(
        COOKIE, kept, max_age=_SECONDS, path=_path(ask), httponly=True, samesite="lax",
        secure=ask.request.scope["scheme"] == "https",
    )  # fmt: skip
    return answer


@routes.get("/login/oidc/callback", needs=PUBLIC, hidden=True)
def end_oidc(
    ask: Ask, *, code: str = "", state: str = "", iss: str = "", error: str = ""
) -> Response:
    """The way back: sign the browser in, if the provider's answer is right."""
    provider, address = _provider(ask), ask.caller.address
    settings = provider.settings
    try:
        ask.server.rates.check_guesses("", address)
        if error:
            raise Denied("login-refused", f"{settings.title} refused: {error[:100]}")
        given = provider.end(
            kept=ask.request.cookies.get(COOKIE, ""), code=code, state=state, iss=iss,
            back=_back(ask),
        )  # fmt: skip
        account = sign_in_outsider(
            ask.house, given.who, domains=settings.domains,
            groups=[GroupRole(g.group, g.role, g.pattern) for g in settings.groups],
        )  # fmt: skip
    except Denied as denied:
        from modelyard.registry.access import note

        note(ask.house, "sign-in-failed", {"by": "oidc", "kind": denied.kind})
        try:
            ask.server.rates.guessed("", address)
        except ModelyardError as too_many:
            return _failed(ask, too_many)
        return _failed(ask, denied)
    except ModelyardError as unavailable:
        return _failed(ask, unavailable)
    signed_in = open_session(ask, account)
    answer = onward_page(ask, given.go_to)  # by a redirect the strict cookie would not be sent
    answer.raw_headers += [pair for pair in signed_in.raw_headers if pair[0] == b"set-cookie"]
    answer.delete_cookie(COOKIE, path=_path(ask), httponly=True, samesite="lax")
    return answer


@dataclass(frozen=True, slots=True)
class Given:
    """What came back."""

    who: Outsider
    go_to: str


class Provider:
    """One OpenID Connect provider: its documents, and what passes between it and us."""

    def __init__(self, settings: OidcSettings) -> None:
        self.settings = settings
        key = hashlib.sha256(b"yard oidc cookie\0" + settings.secret.encode()).digest()
        self._signer = URLSafeTimedSerializer(key, salt=settings.client_id)
        self._client = httpx2.Client(timeout=10.0, follow_redirects=False)
        self._lock = threading.Lock()
        self._told: dict[str, Any] = {}
        self._keys: Any = None
        self._read = self._keys_read = float("-inf")

    def begin(self, back: str, go_to: str) -> tuple[str, str]:
        """Where the browser is to go, and what its cookie holds. Unavailable: `no-provider`."""
        from authlib.oauth2.rfc7636 import (
            create_s256_code_challenge,
        )

        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        asked = {
            "response_type": "code", "client_id": self.settings.client_id, "redirect_uri": back,
            "scope": "openid profile email", "state": state, "nonce": nonce,
            "code_challenge": create_s256_code_challenge(verifier),
            "code_challenge_method": "S256",
        }  # fmt: skip
        endpoint = self._endpoint("authorization_endpoint")
        joiner = "&" if "?" in endpoint else "?"
        kept = self._signer.dumps({"s": state, "n": nonce, "v": verifier, "g": go_to})
        return f"{endpoint}{joiner}{urlencode(asked)}", str(kept)

    def end(self, *, kept: str, code: str, state: str, iss: str, back: str) -> Given:
        """Who signed in there. Denied: `login-refused`."""
        try:
            ours: dict[str, str] = self._signer.loads(kept, max_age=_SECONDS)
        except BadSignature:
            raise _refused("it took too long, or was begun in another browser") from None
        if not code or not hmac.compare_digest(ours["s"].encode(), state.encode()):
            raise _refused("the answer is not to this sign-in")
        if iss and iss != self.settings.issuer:
            raise _refused("another provider answered")
        token = self._exchange(code, ours["v"], back)
        claims = self._claims(token, ours["n"])
        return Given(self._outsider(claims), ours["g"])

    def _exchange(self, code: str, verifier: str, back: str) -> str:
        form = {
            "grant_type": "authorization_code", "code": code, "redirect_uri": back,
            "code_verifier": verifier,
        }  # fmt: skip
        user, password = (
            quote(text, safe="") for text in (self.settings.client_id, self.settings.secret)
        )
        told = self._json(
            "POST", self._endpoint("token_endpoint"), data=form, auth=(user, password)
        )
        token = told.get("id_token")
        if not isinstance(token, str):
            raise _refused("the provider gave no identity")
        return token

    def _claims(self, token: str, nonce: str) -> dict[str, Any]:
        """What the provider says, if it is said to us, now, and in answer to what we asked."""
        from authlib.oidc.core import CodeIDToken
        from joserfc import errors, jwt

        try:
            try:
                decoded = jwt.decode(token, self._key_set(), algorithms=_ALGORITHMS)
            except (errors.InvalidKeyIdError, errors.BadSignatureError):  # it has new keys
                decoded = jwt.decode(token, self._key_set(again=True), algorithms=_ALGORITHMS)
            options = {
                "iss": {"essential": True, "value": self.settings.issuer},
                "aud": {"essential": True, "value": self.settings.client_id},
                "nonce": {"essential": True, "value": nonce},
            }
            claims = CodeIDToken(
                decoded.claims, decoded.header, options,
                {"client_id": self.settings.client_id, "nonce": nonce},
            )  # fmt: skip
            claims.validate(leeway=_LEEWAY)
        except (errors.JoseError, ValueError, KeyError, TypeError) as error:
            raise _refused(f"its identity is not valid ({type(error).__name__})") from None
        return dict(decoded.claims)

    def _outsider(self, claims: dict[str, Any]) -> Outsider:
        subject, email = claims.get("sub"), claims.get("email")
        if not isinstance(subject, str) or not subject or not subject.isprintable():
            raise _refused("the identity has no subject")
        verified = claims.get("email_verified") is True and isinstance(email, str)
        handle = claims.get("preferred_username") or email or subject
        groups = claims.get(self.settings.groups_claim)
        return Outsider(
            issuer=self.settings.issuer, subject=subject, email=email if verified else None,
            name=str(claims.get("name") or handle)[:100], handle=str(handle)[:100],
            groups=frozenset(g for g in groups if isinstance(g, str))
            if isinstance(groups, list) else frozenset(),
        )  # fmt: skip

    # -- its documents ---------------------------------------------------------------------------

    def _endpoint(self, name: str) -> str:
        with self._lock:
            if time.monotonic() - self._read > _FRESH_SECONDS:
                place = f"{self.settings.issuer.rstrip('/')}/.well-known/openid-configuration"
                told = self._json("GET", place)
                if told.get("issuer") != self.settings.issuer:
                    raise Unavailable(
                        "no-provider", f"{place} is of another issuer",
                        hint="YARD_OIDC_ISSUER must be exactly as the provider writes it",
                    )  # fmt: skip
                self._told, self._read = told, time.monotonic()
            url = self._told.get(name)
        if not isinstance(url, str) or not self._is_safe(url):
            raise Unavailable("no-provider", f"the provider names no {name} that can be used")
        return url

    def _is_safe(self, url: str) -> bool:
        """Secrets go over TLS, but to a provider on this machine."""
        return urlsplit(url).scheme == "https" or self.settings.issuer.startswith("http://")

    def _key_set(self, *, again: bool = False) -> Any:
        from joserfc.jwk import KeySet

        place = self._endpoint("jwks_uri")
        with self._lock:
            age = time.monotonic() - self._keys_read
            if self._keys is None or age > _FRESH_SECONDS or (again and age > _BETWEEN_SECONDS):
                keys: Any = self._json("GET", place)
                self._keys = KeySet.import_key_set(keys)
                self._keys_read = time.monotonic()
            return self._keys

    def _json(self, method: str, url: str, **sent: Any) -> dict[str, Any]:
        try:
            with self._client.stream(method, url, **sent) as answer:
                body = b""
                for piece in answer.iter_bytes():
                    body += piece
                    if len(body) > _LARGEST:
                        raise _no_provider(url)
                if answer.status_code in (400, 401, 403) and method == "POST":
                    raise _refused("the provider does not take the code")
                if answer.status_code != 200:
                    raise _no_provider(url)
            return decode_json(body, dict[str, Any])
        except (httpx2.HTTPError, msgspec.MsgspecError):
            raise _no_provider(url) from None


def _provider(ask: Ask) -> Provider:
    provider = ask.server.parts["oidc"]
    assert isinstance(provider, OidcPart)
    return provider.provider


class OidcPart:
    """What a server has of it; nothing runs."""

    def __init__(self, settings: OidcSettings) -> None:
        try:
            import authlib.oidc.core  # noqa: F401
        except ImportError as error:
            raise Unsupported(
                "no-extra", "OpenID Connect is not installed", hint="pip install 'modelyard[oidc]'"
            ) from error
        self.provider = Provider(settings)

    def start(self) -> None:
        """Nothing yet: the provider is asked when the first one signs in."""

    def stop(self) -> None:
        self.provider._client.close()


def _failed(ask: Ask, error: ModelyardError) -> Response:
    answer = login_page(ask, go_to="/", problem=error)
    answer.delete_cookie(COOKIE, path=_path(ask), httponly=True, samesite="lax")
    return answer


def _back(ask: Ask) -> str:
    return f"{ask.base}/login/oidc/callback"


def _path(ask: Ask) -> str:
    return f"{ask.server.settings.prefix}/login/oidc"


def _refused(reason: str) -> Denied:
    return Denied("login-refused", f"you are not signed in: {reason}", hint="try again")


def _no_provider(url: str) -> Unavailable:
    return Unavailable(
        "no-provider", f"{urlsplit(url).hostname} does not answer as it should",
        hint="try again, or sign in with a password",
    )  # fmt: skip
