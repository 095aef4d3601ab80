"""What the drivers of SQL databases raise, as errors of ours: no driver's class gets out."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from modelyard.errors import Corrupt, Denied, ModelyardError, NotFound, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["is_passing", "translated"]


def is_passing(error: BaseException) -> bool:
    """Whether the same call may work in a moment: lost connections, deadlocks, restarts."""
    return _class_of(error) == "passing"


def translated(error: BaseException, place: str, secrets: Iterable[str] = ()) -> ModelyardError:
    """The error of ours that says what `error` means at `place` (a URL without a password)."""
    text = _text(error)
    for secret in secrets:
        text = text.replace(secret, "***")
    match _class_of(error):
        case "credentials":
            return Denied(
                "store-credentials", f"{place} does not accept the credentials: {text}",
                hint="give the user in the URL and the password in YARD_STORE_PASSWORD",
            )  # fmt: skip
        case "rights":
            return Denied(
                "store-permission", f"{place}: {text}",
                hint="the database's user must be allowed to create, read and write tables",
            )  # fmt: skip
        case "read-only":
            return Denied(
                "store-permission", f"{place} can only be read: {text}",
                hint="name the server that takes writes, or give the file's folder to your user",
            )  # fmt: skip
        case "no-database":
            return NotFound(
                "no-database", f"{place}: {text}",
                hint="create the database first, or correct its name in the URL",
            )  # fmt: skip
        case "full":
            return Unavailable(
                "disk-full", f"{place} is full: {text}",
                hint="free some space, then run the command again",
            )  # fmt: skip
        case "damaged":
            return Corrupt(
                "store-damaged", f"{place} is damaged: {text}",
                hint="mend the database by its own means, then run yard verify",
            )  # fmt: skip
        case "passing" | "unreachable":
            return Unavailable(
                "store-unavailable", f"{place} does not answer: {text}",
                hint="is the server running, and are host and port right?",
            )  # fmt: skip
        case _:
            return Unavailable("store-io", f"{place}: {text}")


class _Said(NamedTuple):
    """What a kind of error is known by."""

    codes: tuple[object, ...]
    words: tuple[str, ...] = ()


# PostgreSQL's SQLSTATE, MySQL's numbers and SQLite's names never meet, so one table holds them all.
# PostgreSQL gives no SQLSTATE when a connection can't be made: there the words decide.
# fmt: off
_KNOWN: dict[str, _Said] = {
    "credentials": _Said(
        ("28P01", "28000", 1045, 1698, 1251, 1862, 3118),
        ("password authentication failed", "no password supplied", "no pg_hba.conf entry",
         "authentication failed", "role \"", "certificate authentication failed"),
    ),
    "rights": _Said(
        ("42501", 1044, 1142, 1143, 1227, 1370, "SQLITE_PERM", "SQLITE_AUTH"),
        ("permission denied for database",),
    ),
    "no-database": _Said(("3D000", "57P04", 1049, 1046, "SQLITE_CANTOPEN"), ("database \"",)),
    "read-only": _Said(("25006", 1290, 1792, 1836, "SQLITE_READONLY")),
    "full": _Said(("53100", 1021, 1114, "SQLITE_FULL"), ("no space left on device",)),
    "damaged": _Said(("XX001", "XX002", 1034, 1194, "SQLITE_CORRUPT", "SQLITE_NOTADB")),
    "unreachable": _Said(
        (), ("could not translate host name", "failed to resolve host", "not known", "no address",
             "name resolution"),
    ),
    "passing": _Said(
        ("40001", "40P01", "40003", "55P03", "53300", "57P01", "57P02", "57P03", "57P05",
         1020, 1040, 1053, 1077, 1152, 1158, 1159, 1160, 1161, 1180, 1184, 1203, 1205, 1213, 1317,
         1927, 2002, 2003, 2006, 2013, 2055, 4031, 0, "SQLITE_BUSY", "SQLITE_LOCKED"),
        ("connection refused", "connection reset", "connection failed", "server closed", "timeout",
         "timed out", "starting up", "shutting down", "connection is closed", "connection is lost",
         "the connection is", "broken pipe", "ssl syscall", "connection to server"),
    ),
}
# fmt: on


def _class_of(error: BaseException) -> str:
    cause = getattr(error, "orig", None) or error
    code = _code(cause)
    if code is not None:
        for name, said in _KNOWN.items():
            if code in said.codes and not _is_better_said(name, cause):
                return name
        if isinstance(code, str) and code.startswith("08"):
            return "passing"
    text = _text(error).lower()
    for name, said in _KNOWN.items():
        if any(word in text for word in said.words):
            return name
    return "unknown"


def _is_better_said(name: str, cause: BaseException) -> bool:
    """MySQL's "can't connect" has one number, and the reason in words."""
    return name == "passing" and any(
        word in str(cause).lower() for word in _KNOWN["unreachable"].words
    )


def _code(cause: BaseException) -> object:
    state = getattr(cause, "sqlstate", None)
    if state is not None:
        return state
    name = getattr(cause, "sqlite_errorname", None)
    if name is not None:
        return "_".join(name.split("_")[:2])  # SQLITE_READONLY_DIRECTORY is an SQLITE_READONLY
    first = cause.args[0] if cause.args else None
    return first if isinstance(first, int) and not isinstance(cause, OSError) else None


def _text(error: BaseException) -> str:
    """What the driver says, in one line. Never SQLAlchemy's own text, which holds parameters."""
    cause = getattr(error, "orig", None) or error
    said = cause.args[1] if len(cause.args) > 1 and isinstance(cause.args[1], str) else str(cause)
    return " ".join(said.split())[:300]
