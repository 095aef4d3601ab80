"""Tokens of servers, in a file that only its owner can read."""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from modelyard.core.decoding import decode_json
from modelyard.core.folders import config_home
from modelyard.errors import Denied, InvalidInput, Unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from modelyard.client.addresses import Address

__all__ = ["Credentials", "check_token", "token_for"]

_LONGEST = 4096


class _Entry(msgspec.Struct, omit_defaults=True):
    token: str
    account: str = ""


@dataclass(frozen=True, slots=True)
class Credentials:
    """The file; each origin has one token."""

    path: Path

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Credentials:
        """`$XDG_CONFIG_HOME/modelyard/credentials.json`."""
        return cls(config_home(environment) / "modelyard" / "credentials.json")

    def token(self, address: Address) -> str | None:
        """The token that `yard login` kept for a server."""
        entry = self._read().get(address.origin)
        return None if entry is None else entry.token

    def account(self, address: Address) -> str | None:
        """Whose token that is, as the server said then."""
        entry = self._read().get(address.origin)
        return entry.account or None if entry is not None else None

    def keep(self, address: Address, token: str, account: str) -> None:
        self._write({**self._read(), address.origin: _Entry(check_token(token), account)})

    def forget(self, address: Address) -> bool:
        """Whether there was something to forget."""
        entries = self._read()
        if entries.pop(address.origin, None) is None:
            return False
        self._write(entries)
        return True

    def _read(self) -> dict[str, _Entry]:
        try:
            with self.path.open("rb") as file:
                if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                    raise Denied(
                        "open-credentials", f"others can read {self.path}",
                        hint=f"chmod 600 {self.path}, and make new tokens if others could read it",
                    )  # fmt: skip
                content = file.read(1 << 20)
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise Denied("no-permission", f"{self.path}: {error.strerror}") from None
        try:
            return decode_json(content, dict[str, _Entry])
        except msgspec.MsgspecError:
            raise InvalidInput(
                "bad-credentials", f"{self.path} can't be read", hint="delete it, then yard login"
            ) from None  # the reason would show what is in it

    def _write(self, entries: Mapping[str, _Entry]) -> None:
        part = self.path.with_name(f".{self.path.name}.{secrets.token_hex(6)}")
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                os.write(descriptor, msgspec.json.format(msgspec.json.encode(entries)))
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            os.replace(part, self.path)
        except OSError as error:
            with suppress(OSError):
                part.unlink()
            raise Unavailable("config-io", f"{self.path}: {error.strerror}") from None


def token_for(address: Address, environment: Mapping[str, str]) -> str | None:
    """`$YARD_TOKEN`, or what `yard login` kept."""
    if given := environment.get("YARD_TOKEN"):
        return check_token(given)
    return Credentials.of(environment).token(address)


def check_token(token: str) -> str:
    """A token as it can go into a header. InvalidInput: `bad-token-text`."""
    text = token.strip()
    if not text or len(text) > _LONGEST or not text.isascii() or not text.isprintable():
        raise InvalidInput("bad-token-text", "this is no token", hint="one line, as it was shown")
    if any(each.isspace() for each in text):
        raise InvalidInput("bad-token-text", "a token has no spaces", hint="as it was shown")
    return text
