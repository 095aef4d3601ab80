"""Sending a notice to a channel, once. What leads outside is given by the server or the command."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from email.message import EmailMessage

    from modelyard.core.channels import Reach, Relay
    from modelyard.core.hooks import Tried
    from modelyard.monitoring.alerts.notices import Notice

__all__ = ["Answered", "Letter", "Outside", "send"]


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of a request, and the beginning of what was answered."""

    tried: Tried
    body: bytes = b""


class Outside(Protocol):
    """The world beyond this machine, behind its rules about where one may go."""

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answered:
        """Send a request; never raises for what the other side or the network do."""

    def mail(self, relay: Relay, password: str | None, message: EmailMessage) -> Tried:
        """Hand an e-mail to a relay; never raises for what the other side or the network do.
        The status of what went well is 250."""


class Letter(NamedTuple):
    """A request that is to be sent."""

    url: str
    body: bytes
    headers: Mapping[str, str]


_MODULES: Final = {
    "webhook": "webhook", "slack": "slack", "dingtalk": "dingtalk", "feishu": "feishu",
    "wecom": "wecom",
}  # fmt: skip


def send(reach: Reach, notice: Notice, outside: Outside, now: float | None = None) -> Tried:
    """Tell a channel.

    Args:
        now: Seconds since 1970, for signatures.
    """
    moment = time.time() if now is None else now
    if reach.kind == "email":
        from modelyard.core.channels import read_relay
        from modelyard.monitoring.alerts.channels.email import message_of

        relay = read_relay(reach.relay or "")
        return outside.mail(relay, reach.secret, message_of(reach, notice, moment))
    module = import_module(f"modelyard.monitoring.alerts.channels.{_MODULES[reach.kind]}")
    letter: Letter = module.letter_of(reach, notice, moment)
    answered = outside.post(letter.url, letter.body, letter.headers)
    refusal: Callable[[bytes], str] | None = getattr(module, "refusal", None)
    if answered.tried.is_good and refusal is not None:
        words = refusal(answered.body)
        if words:  # these services say 200 whatever became of it
            return replace(answered.tried, error=words)
    return answered.tried
