"""What the drivers of SQL databases raise, as errors of ours: no driver's class gets out."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from modelyard.errors import Corrupt, Denied, InvalidInput, ModelyardError, NotFound, Unavailable

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
        case "option":
            return InvalidInput("bad-store-url", f"{place}: {text}")
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
# Where a connection can't be made there is no code, or only this one: then the words decide.
_NO_CONNECTION = 2003  # MySQL's
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
    "full": _Said(
        ("53100", 1021, 1114, "SQLITE_FULL"),
        ("no space left on device", "got error 28", "errcode: 28"),
    ),
    "damaged": _Said(("XX001", "XX002", 1034, 1194, "SQLITE_CORRUPT", "SQLITE_NOTADB")),
    "option": _Said((), ("invalid connection option", "unexpected keyword argument")),
    "unreachable": _Said(
        (), ("could not translate host name", "failed to resolve host", "not known", "no address",
             "name resolution"),
    ),
    "passing": _Said(
        ("40001", "40P01", "40003", "55P03", "53300", "57P01", "57P02", "57P03", "57P05",
         1020, 1040, 1047, 1053, 1077, 1152, 1158, 1159, 1160, 1161, 1180, 1184, 1203, 1205, 1213,
         1317, 1927, 2002, 2006, 2013, 2055, 3101, 4031, 0, "SQLITE_BUSY", "SQLITE_LOCKED"),
        ("connection refused", "connection reset", "connection failed", "server closed", "timeout",
         "timed out", "starting up", "shutting down", "connection is closed", "connection is lost",
         "the connection is", "broken pipe", "ssl syscall", "connection to server",
         "can't connect"),
    ),
}
# fmt: on


def _class_of(error: BaseException) -> str:
    cause = getattr(error, "orig", None) or error
    code, text = _code(cause), _text(error).lower()
    if code == _NO_CONNECTION or code is None:
        found = _by_words(text, _KNOWN)
    elif isinstance(code, str) and code.startswith("08"):
        found = "passing"
    else:
        found = next((name for name, said in _KNOWN.items() if code in said.codes), None)
    return found or _by_words(text, ("full",)) or "unknown"


def _by_words(text: str, names: Iterable[str]) -> str | None:
    return next((name for name in names if any(word in text for word in _KNOWN[name].words)), None)


def _code(cause: BaseException) -> object:
    first = cause.args[0] if cause.args else None
    if isinstance(first, int) and not isinstance(cause, OSError):
        return first  # PyMySQL has an SQLSTATE too, which says less
    name = getattr(cause, "sqlite_errorname", None)
    if name is not None:
        return "_".join(name.split("_")[:2])  # SQLITE_READONLY_DIRECTORY is an SQLITE_READONLY
    return getattr(cause, "sqlstate", None)


def _text(error: BaseException) -> str:
    """What the driver says, in one line. Never SQLAlchemy's own text, which holds parameters."""
    cause = getattr(error, "orig", None) or error
    said = cause.args[1] if len(cause.args) > 1 and isinstance(cause.args[1], str) else str(cause)
    return " ".join(said.split())[:300]
