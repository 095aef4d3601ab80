"""Webhooks: whom to tell of events, and what became of it. Pure: also the words and signatures."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime  # noqa: TC003
from typing import Literal

from modelyard.core.events import Event  # noqa: TC001
from modelyard.core.wire import encode

__all__ = [
    "CONTENT_TYPE", "Delivery", "DeliveryState", "Hook", "HookChange", "MadeHook", "NewHook",
    "Tried", "new_secret", "payload", "signed_headers",
]  # fmt: skip

CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"
_PREFIX = "whsec_"

DeliveryState = Literal["waiting", "sending", "done", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """A URL that is told of events."""

    id: int
    url: str
    events: tuple[str, ...]
    """Kinds; none: all."""
    pattern: str
    """Of models: `*`, `vision/*` or a name."""
    active: bool
    """Whether it is told of anything; one that failed for days is not."""
    owner: str | None
    """Account that made it: what that one may not read, the hook is not told."""
    created: datetime


@dataclass(frozen=True, slots=True)
class MadeHook:
    """A new webhook, with its secret, which is shown only now."""

    hook: Hook
    secret: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewHook:
    """What a webhook is made of."""

    url: str
    events: tuple[str, ...] = ()
    pattern: str = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class HookChange:
    """What is to be different; None: as it is."""

    active: bool | None = None
    url: str | None = None
    events: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One event on its way to one hook."""

    id: int
    event: int
    state: DeliveryState
    attempts: int
    due: datetime
    """When it is tried next; of one that is done, when it was."""
    status: int | None
    """Of the last answer."""
    error: str
    """Why it did not arrive; empty if it did, or was not tried yet."""
    created: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What came of sending something."""

    status: int | None
    error: str = ""
    seconds: float = 0.0

    @property
    def is_good(self) -> bool:
        return not self.error and self.status is not None and 200 <= self.status < 300


def payload(event: Event, source: str) -> bytes:
    """An event as CloudEvents 1.0 in structured JSON."""
    told = {
        "specversion": "1.0",
        "id": str(event.id),
        "source": source,
        "type": f"modelyard.{event.kind}",
        "time": event.time,
        "datacontenttype": "application/json",
        "data": event,
    }
    if event.model:
        told["subject"] = event.subject
    return encode(told)


def new_secret() -> str:
    """A key of 256 bits, as Standard Webhooks write it."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def signed_headers(secret: str, message: str, time: int, body: bytes) -> dict[str, str]:
    """Ours, and those of Standard Webhooks.

    Args:
        message: Stays the same when the same event is sent again.
        time: Seconds since 1970; a receiver refuses what is minutes old.
    """
    ours = hmac.new(secret.encode(), f"{time}.".encode() + body, hashlib.sha256).hexdigest()
    key = base64.b64decode(secret.removeprefix(_PREFIX))
    told = f"{message}.{time}.".encode() + body
    standard = base64.b64encode(hmac.new(key, told, hashlib.sha256).digest()).decode()
    return {
        "x-yard-signature": f"t={time},v1={ours}",
        "webhook-id": message,
        "webhook-timestamp": str(time),
        "webhook-signature": f"v1,{standard}",
    }
