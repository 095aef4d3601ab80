"""OpenDAL's errors in our words; its own texts hold request addresses and are not passed on.

The Python binding has no attribute for status or for "temporary": both are read from the text.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from modelyard.errors import (
    Denied,
    InvalidInput,
    ModelyardError,
    NotFound,
    Unavailable,
    Unsupported,
)
from modelyard.store.credentials import no_credentials

if TYPE_CHECKING:
    from modelyard.store.opening import Place

__all__ = ["Again", "is_long", "is_missing", "is_passing", "is_short", "no_bucket", "translated"]

_STATUS = re.compile(r"\bstatus: (\d{3})\b")
_CODE = re.compile(r'\bcode: "([A-Za-z]{2,60})"|"?reason"?: "([A-Za-z]{2,60})"')
_NO_BUCKET = re.compile(
    r"NoSuchBucket|ContainerNotFound|ContainerBeingDeleted|specified bucket does not exist", re.I
)
_REASONS = (
    ("Connection refused", "the connection is refused"),
    ("dns error", "its name is not known"),
    ("invalid dns name", "its name is not known"),
    ("InvalidContentType", "it does not speak TLS"),
    ("certificate", "its certificate is not trusted"),
    ("timeout reached", "no answer in time"),
    ("timed out", "no answer in time"),
    ("before message", "the connection broke"),
    ("Connection reset", "the connection broke"),
    ("unreachable", "there is no way to it"),
)
_BUSY = ("408", "423", "425", "429")
_FULL = re.compile(r"status: 507|QuotaExceeded|InsufficientStorage|StorageFull")
_OTHER_REGION = re.compile(r"PermanentRedirect|TemporaryRedirect|AuthorizationHeaderMalformed")
_BAD_CREDENTIALS = re.compile(
    r"InvalidAccessKeyId|SignatureDoesNotMatch|Authenticat|AuthorizationFailure|InvalidToken"
    r"|ExpiredToken|InvalidSecurityToken|SecurityTokenExpired|TokenRefreshRequired"
)


class Again(Exception):
    """The service sent or kept less than it should: try once more."""


def is_passing(error: BaseException) -> bool:
    """Whether the same request may work in a moment."""
    if isinstance(error, Again):
        return True
    name = type(error).__name__
    text = str(error)[:2000]
    status = _STATUS.search(text)
    if status is not None and (status[1] in _BUSY or status[1].startswith("5")):
        return status[1] not in ("501", "505", "507")
    if "OperationAborted" in text or "ConditionalRequestConflict" in text:
        return True
    return name == "RateLimited" or (_is_ours(error) and "(temporary)" in text.partition("\n")[0])


def is_missing(error: BaseException) -> bool:
    """The object is not there: as opposed to the bucket. `NotFound` may be ours or OpenDAL's."""
    name = type(error).__name__
    return name in ("NotFound", "IsADirectory", "NotADirectory") and not _NO_BUCKET.search(
        str(error)
    )


def is_short(error: BaseException) -> bool:
    """The object ends, or the answer does, before the range that was asked for."""
    name, text = type(error).__name__, str(error)
    return name == "RangeNotSatisfied" or (
        name == "Unexpected"
        and any(sign in text for sign in ("too little data", "content range is", "status: 416"))
    )


def is_long(error: BaseException) -> bool:
    """The answer goes on beyond the range that was asked for."""
    return type(error).__name__ == "Unexpected" and "too much data" in str(error)


def translated(error: BaseException, place: Place, key: str) -> BaseException:
    """One of our errors; what is no error of OpenDAL's is given back as it is."""
    if isinstance(error, Again):
        return Unavailable("store-unavailable", f"{place.url} fails with {key}: {error}")
    if not _is_ours(error):
        return error
    name, text = type(error).__name__, str(error)
    told = _told(text)
    if _NO_BUCKET.search(text):
        return no_bucket(place)
    if is_missing(error):
        return NotFound("no-object", f"the store has no object {key}")
    if "signing credential" in text or "account_key" in text:
        return no_credentials(place)
    if _OTHER_REGION.search(told):
        return InvalidInput("bad-store-url", f"{place.url} lies in another region: {told}",
                            hint="say which: ?region=eu-central-1")  # fmt: skip
    if _FULL.search(text):
        return Unavailable("disk-full", f"{place.url} has no room for {key}: {told}")
    if name == "PermissionDenied" or "status 401" in told or "status 403" in told:
        return _denied(place, told)
    return _other(place, name, text, told)


def no_bucket(place: Place) -> NotFound:
    """What must be there before the first use is not."""
    word = place.scheme.bucket or "folder"
    making = place.scheme.making.format(bucket=place.host)
    return NotFound("no-bucket", f"there is no {word} {place.host}", hint=f"make it: {making}")


def _told(text: str) -> str:
    """The service's own code and status: words that hold no address."""
    code, status = _CODE.search(text), _STATUS.search(text)
    words = [code[1] or code[2]] if code else []
    return " ".join(words + ([f"(status {status[1]})"] if status else []))


def _other(place: Place, name: str, text: str, told: str) -> ModelyardError:
    if name == "ConfigInvalid":
        return InvalidInput("bad-store-url", f"{place.url} can't be used: {told or 'see the hint'}",
                            hint=f"it is written as {place.scheme.form}")  # fmt: skip
    if name == "Unsupported":
        return Unsupported("store-unsupported", f"{place.url} can't do this {told}".rstrip())
    reason = next((words for sign, words in _REASONS if sign in text), told)
    address = place.options.get("endpoint") or (place.host if not place.scheme.bucket else "")
    verb = "refuses this" if "status 4" in told else "does not answer"
    return Unavailable(
        "store-unavailable", f"{place.url} {verb}: {reason or 'no more is known'}",
        hint=f"is {address} right, and does it run?" if address else "try again later",
    )  # fmt: skip


def _denied(place: Place, told: str) -> Denied:
    if _BAD_CREDENTIALS.search(told) or "401" in told:
        return Denied(
            "store-credentials", f"{place.url} does not accept the credentials: {told}",
            hint=f"they come from {place.scheme.credentials}",
        )  # fmt: skip
    hint = f"who may read, write, list and delete there is told by {place.scheme.credentials}"
    if "Skew" in told:
        hint = "this machine's clock is wrong"
    return Denied("store-permission", f"{place.url} does not allow this: {told}", hint=hint)


def _is_ours(error: BaseException) -> bool:
    return type(error).__module__.startswith("opendal")
