"""One token for all who ask: for a container that serves some versions and knows no accounts."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from modelyard.errors import Denied, InvalidInput
from modelyard.serving.interface import Client

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from modelyard.core.access import Role
    from modelyard.serving.interface import Line

__all__ = ["TokenGate", "read_token"]

_SHORTEST = 16


class TokenGate:
    """Lets in who shows the token, as `Authorization: Bearer TOKEN`; nobody may load or unload."""

    _client = Client("token", "token")

    def __init__(self, token: str) -> None:
        self._shown = f"bearer {token}".encode()

    def known(
        self, headers: Mapping[bytes, bytes], address: str | None, line: Line | None
    ) -> Client | None:
        scheme, _, token = headers.get(b"authorization", b"").partition(b" ")
        shown = scheme.lower() + b" " + token.strip()
        return self._client if hmac.compare_digest(shown, self._shown) else None

    async def look(
        self, headers: Mapping[bytes, bytes], address: str | None, line: Line | None
    ) -> Client:
        if b"authorization" not in headers:
            raise Denied("not-signed-in", "this takes a token", hint="Authorization: Bearer TOKEN")
        if (client := self.known(headers, address, line)) is None:
            raise Denied("bad-token", "this token is not the one that is asked for")
        return client

    def reads(self, headers: Mapping[bytes, bytes], address: str | None, line: Line) -> bool:
        return self.known(headers, address, line) is not None

    async def may(
        self, headers: Mapping[bytes, bytes], address: str | None, line: Line, role: Role
    ) -> None:
        raise Denied("not-allowed", "what is served here was said when it was started")


def read_token(file: Path) -> str:
    """The token that a file holds. InvalidInput: `bad-token-file`."""
    try:
        token = file.read_text(encoding="ascii").strip()
    except (OSError, ValueError) as error:
        raise InvalidInput(
            "bad-token-file", f"no token can be read from {file}: {type(error).__name__}"
        ) from None
    if len(token) < _SHORTEST or not token.isprintable() or " " in token:
        raise InvalidInput(
            "bad-token-file", f"what {file} holds is no token",
            hint=f"at least {_SHORTEST} letters and digits: openssl rand -hex 24",
        )  # fmt: skip
    return token
