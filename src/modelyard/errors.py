"""What can go wrong, grouped by what the catcher does about it.

Seven classes. Each instance carries a stable `kind` (a word to program against), a sentence for
people, and often a hint: the next thing to try. The sentence may change, the kind never does.
"""

from __future__ import annotations

__all__ = [
    "Conflict",
    "Corrupt",
    "Denied",
    "InvalidInput",
    "ModelyardError",
    "NotFound",
    "Unavailable",
    "Unsupported",
]


class ModelyardError(Exception):
    """Base of every error that modelyard raises on purpose."""

    def __init__(self, kind: str, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.kind, self.message, self.hint))


def _rebuild(
    cls: type[ModelyardError], kind: str, message: str, hint: str | None
) -> ModelyardError:
    return cls(kind, message, hint=hint)


class InvalidInput(ModelyardError, ValueError):
    """What was given can't be used as it is: mend the input and call again."""


class NotFound(ModelyardError, LookupError):
    """What was named does not exist, or not for this caller."""


class Conflict(ModelyardError):
    """Somebody else was first, or two changes exclude each other: look, then decide."""


class Denied(ModelyardError):
    """The caller may not do this, or did not say that it trusts what would be run."""


class Unavailable(ModelyardError):
    """A service, a disk or a lock does not answer now: the same call may work later."""


class Corrupt(ModelyardError):
    """Stored bytes are not what was stored: `yard verify` tells the extent."""


class Unsupported(ModelyardError):
    """Not possible with this build, extra, format or backend."""
