"""Channels: where people are told of alerts, and how. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime  # noqa: TC003
from fnmatch import fnmatchcase
from typing import Final, Literal, get_args
from urllib.parse import unquote, urlsplit

from modelyard.core.monitoring import Severity  # noqa: TC001
from modelyard.errors import InvalidInput

__all__ = [
    "KINDS", "SEVERITIES", "Channel", "ChannelKind", "MadeChannel", "NewChannel", "Reach", "Relay",
    "check_channel", "read_relay", "shown",
]  # fmt: skip

ChannelKind = Literal["webhook", "email", "slack", "dingtalk", "feishu", "wecom"]
KINDS: Final[tuple[ChannelKind, ...]] = get_args(ChannelKind)
SEVERITIES: Final[tuple[Severity, ...]] = ("info", "warning", "critical")
"""Each is worse than those before it."""

_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,58}[a-z0-9])?", re.ASCII)
_PATTERN: Final = re.compile(r"[a-z0-9._*-]{1,63}", re.ASCII)
_MAIL: Final = re.compile(r"[^\s@,;<>\"]{1,64}@[A-Za-z0-9.-]{1,190}", re.ASCII)
_PORTS: Final = {"smtp": 587, "smtps": 465, "smtp+plain": 25}
_MOST: Final = 20
"""Addresses of one channel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """Where alerts are told, without what is secret about it."""

    name: str
    kind: ChannelKind
    address: str
    """Addresses of e-mail, or the beginning of a URL: its rest is a secret."""
    pattern: str = "*"
    """Of deployments: `*`, `fraud-*` or a name."""
    severity: Severity = "warning"
    """The least that is told."""
    created: datetime
    who: str


@dataclass(frozen=True, slots=True)
class MadeChannel:
    """A new channel, and the secret that signs what is sent there, which is shown only now."""

    channel: Channel
    secret: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewChannel:
    """What a channel is made of."""

    name: str
    kind: ChannelKind
    address: str
    """A URL; of `email`, addresses with commas between them."""
    pattern: str = "*"
    severity: Severity = "warning"
    secret: str | None = None
    """Of `dingtalk` and `feishu`, what signs; of `email`, the password at the relay."""
    relay: str | None = None
    """Of `email`: `smtp://USER@HOST:587` (STARTTLS), `smtps://...` or `smtp+plain://...`."""
    sender: str | None = None
    """Of `email`: the address that it comes from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What sending to a channel takes, secrets and all. Never shown, never logged."""

    name: str
    kind: ChannelKind
    address: str
    pattern: str
    severity: Severity
    secret: str | None = None
    relay: str | None = None
    sender: str | None = None

    def takes(self, deployment: str, severity: Severity) -> bool:
        """Whether an alert is told here."""
        if SEVERITIES.index(severity) < SEVERITIES.index(self.severity):
            return False
        return fnmatchcase(deployment, self.pattern)

    def __repr__(self) -> str:
        return f"Reach({self.name!r}, {self.kind!r})"


@dataclass(frozen=True, slots=True)
class Relay:
    """A mail server that takes our e-mail."""

    host: str
    port: int
    security: Literal["starttls", "tls", "none"]
    user: str | None = None


def check_channel(new: NewChannel) -> None:
    """InvalidInput: `bad-channel`. Where it leads is looked at whenever something is sent."""
    if not _NAME.fullmatch(new.name):
        raise _bad(f"{new.name[:60]!r} can't name a channel", "small letters, digits and '-'")
    if new.kind not in KINDS:
        raise _bad(f"there is no channel of kind {str(new.kind)[:40]!r}", ", ".join(KINDS))
    if not _PATTERN.fullmatch(new.pattern):
        raise _bad(f"{new.pattern[:60]!r} fits no deployment", "such as fraud-* or *")
    if new.severity not in SEVERITIES:
        raise _bad(f"there is no severity {str(new.severity)[:40]!r}", ", ".join(SEVERITIES))
    if new.secret is not None and not 0 < len(new.secret) <= 500:
        raise _bad("a secret has 1 to 500 characters")
    if new.kind == "email":
        _check_mail(new)
        return
    if new.relay is not None or new.sender is not None:
        raise _bad("only e-mail has a relay and a sender")
    if new.kind in ("slack", "wecom", "webhook") and new.secret is not None:
        raise _bad(f"channels of kind {new.kind} take no secret of yours")
    _check_url(new)


def read_relay(text: str) -> Relay:
    """InvalidInput: `bad-channel`."""
    try:
        parts = urlsplit(text)
        port = parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError:
        raise _bad("the relay is no URL") from None
    if parts.scheme not in _PORTS or not parts.hostname or not port or len(text) > 300:
        raise _bad("the relay begins with smtp://, smtps:// or smtp+plain://", _RELAY)
    if parts.password is not None:
        raise _bad("the password does not belong into the URL of the relay", "give it as secret")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise _bad("the relay is a host and a port", _RELAY)
    user = unquote(parts.username) if parts.username else None
    if parts.scheme == "smtp+plain" and user:
        raise _bad("nobody signs in without TLS: anybody could read the password", _RELAY)
    kinds: dict[str, Literal["starttls", "tls", "none"]] = {
        "smtp": "starttls", "smtps": "tls", "smtp+plain": "none",
    }  # fmt: skip
    return Relay(parts.hostname, port, kinds[parts.scheme], user)


def shown(kind: ChannelKind, address: str) -> str:
    """An address without what is secret: who knows the URL of a chat may write there."""
    if kind == "email":
        return address
    parts = urlsplit(address)
    if kind == "webhook":
        return f"{parts.scheme}://{parts.netloc}{parts.path}"
    return f"{parts.scheme}://{parts.netloc}/..."


_RELAY: Final = "such as smtp://yard@mail.example.org:587"


def _check_mail(new: NewChannel) -> None:
    found = [part.strip() for part in new.address.split(",")]
    if len(found) > _MOST or not all(_MAIL.fullmatch(each) for each in found):
        raise _bad("this are no e-mail addresses", "such as ops@example.org,ann@example.org")
    if new.relay is None or new.sender is None:
        raise _bad("e-mail takes a relay and a sender", f"--relay {_RELAY[8:]} --from yard@...")
    if not _MAIL.fullmatch(new.sender):
        raise _bad("the sender is no e-mail address", "such as yard@example.org")
    relay = read_relay(new.relay)
    if (relay.user is None) != (new.secret is None):
        raise _bad("a user at the relay and a secret belong together")


def _check_url(new: NewChannel) -> None:
    try:
        parts = urlsplit(new.address)
        port = parts.port
    except ValueError:
        raise _bad("this is no URL") from None
    address = new.address
    if len(address) > 2000 or not address.isascii() or not address.isprintable() or " " in address:
        raise _bad("the URL is too long, or has characters that none may have")
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise _bad("the URL begins with https://HOST or http://HOST")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise _bad("the URL has no user, password or #part")


def _bad(words: str, hint: str | None = None) -> InvalidInput:
    return InvalidInput("bad-channel", words, hint=hint or "yard channel --help")
