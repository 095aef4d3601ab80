"""What can go wrong between here and a server, in sentences. No token ever gets into one."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx2
import msgspec

from modelyard.core.decoding import decode_json
from modelyard.core.wire import Problem, error_of
from modelyard.errors import Denied, ModelyardError, Unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelyard.client.addresses import Address

__all__ = ["Answer", "failed_to_reach", "refusal", "strange", "unsigned"]


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that says no."""

    status: int
    error: ModelyardError
    is_problem: bool
    """Whether it is a yard that says so, and nothing on the way."""


def refusal(status: int, headers: Mapping[str, str], content: bytes) -> Answer:
    """What an answer with a status of 300 or more says."""
    if 300 <= status < 400:
        place = headers.get("location", "")[:200]
        where = f" to {place}" if place.isprintable() and "@" not in place else ""
        error: ModelyardError = Unavailable(
            "strange-answer", f"the server sends us elsewhere{where}, and we do not follow",
            hint="give the URL where the yard really is",
        )  # fmt: skip
        return Answer(status, error, is_problem=False)
    try:
        decode_json(content, Problem)
    except msgspec.MsgspecError:
        return Answer(status, error_of(content, status), is_problem=False)
    return Answer(status, error_of(content, status), is_problem=True)


def unsigned(address: Address, answer: Answer, *, shown: bool) -> ModelyardError:
    """A 401: nobody is signed in, or the token is wrong or has run out."""
    if not answer.is_problem:
        return answer.error
    if answer.error.kind == "not-signed-in":
        return Denied(
            "not-signed-in", f"{address} wants to know who you are", hint=f"yard login {address}"
        )
    if shown:
        return Denied(
            "not-signed-in", f"{address} does not take this token: {answer.error.message}",
            hint=f"yard login {address} keeps another one; $YARD_TOKEN wins over it",
        )  # fmt: skip
    return answer.error


def strange(address: Address, what: str) -> Unavailable:
    """Something that no server of ours would say."""
    return Unavailable(
        "strange-answer", f"{address}: {what}",
        hint="is it a modelyard server? look at its URL, and at proxies on the way",
    )  # fmt: skip


def failed_to_reach(address: Address, error: Exception, *, reached: bool) -> Unavailable:
    """No answer, or only the beginning of one."""
    text = f"{error} {error.__cause__ or ''}".lower()
    if isinstance(error, ssl.SSLError) or "certificate" in text or "ssl" in text:
        if "wrong_version" in text or "record layer" in text:
            return Unavailable(
                "unreachable", f"{address} does not speak https there",
                hint=f"is it http://{address.url.removeprefix('https://')}?",
            )  # fmt: skip
        return Unavailable(
            "unreachable", f"{address}: a safe connection can't be made: {_plain(error)}",
            hint="for a certificate of your own, SSL_CERT_FILE names the file of whom to believe",
        )  # fmt: skip
    if isinstance(error, httpx2.TimeoutException):
        words = "no answer in time"
    elif isinstance(error, httpx2.ConnectError):
        words = _plain(error)
    else:
        words = "the connection broke" if reached else _plain(error)
    if isinstance(error, httpx2.ReadError | httpx2.RemoteProtocolError | httpx2.WriteError):
        words = "the connection broke"
    return Unavailable(
        "unreachable", f"{address} can't be reached: {words}",
        hint="run it again: what was sent is kept" if reached else
        "is the server running (yard up), and the URL right?",
    )  # fmt: skip


def _plain(error: Exception) -> str:
    """In words, without the number that the system has for it."""
    words = re.sub(r"^\[Errno -?\d+\] ", "", str(error)[:200])
    return words[:1].lower() + words[1:] if words else type(error).__name__
