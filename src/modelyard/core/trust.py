"""What a caller allows a file to run: nothing, names of globals, or everything."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Final, Self

from modelyard.errors import Denied, InvalidInput

__all__ = ["TRUST_ALL", "Trust", "TrustAll"]

_SHOWN = 60


class TrustAll(Enum):
    """The type of `TRUST_ALL`, so that it can't be mistaken for a name."""

    TRUST_ALL = "everything in this file"

    def __repr__(self) -> str:
        return "modelyard.TRUST_ALL"


TRUST_ALL: Final = TrustAll.TRUST_ALL
"""Let a file run whatever it wants. For files that you made yourself."""


@dataclass(frozen=True, slots=True)
class Trust:
    """What may be imported and called while a file is loaded."""

    names: frozenset[str] = frozenset()
    everything: bool = False

    @classmethod
    def of(cls, trusted: Iterable[str] | TrustAll | None) -> Self:
        """Read what a caller said. InvalidInput: `bad-trust`."""
        if trusted is None:
            return cls()
        if isinstance(trusted, TrustAll):
            return cls(everything=True)
        listed = isinstance(trusted, Iterable) and not isinstance(trusted, str | bytes)
        names = frozenset(trusted) if listed else frozenset()
        if not listed or any(not isinstance(name, str) for name in names):
            raise InvalidInput(
                "bad-trust", f"trusted={trusted!r} is no list of names",
                hint="trusted=['module.Class', ...], or trusted=modelyard.TRUST_ALL",
            )  # fmt: skip
        return cls(names)

    def allows(self, name: str) -> bool:
        """Whether `module.qualname` may be used."""
        return self.everything or name in self.names

    def require(self, what: str, names: Iterable[str], *, why: str = "would import") -> None:
        """Denied `untrusted`, naming every one of `names` that is not allowed.

        Args:
            what: The file, as the version spells it.
            names: Globals as `module.qualname`, or features such as `keras.layers.Lambda`.
            why: What the file would do with them, for the sentence.
        """
        missing = sorted({name for name in names if not self.allows(name)})
        if not missing:
            return
        shown = ", ".join(missing[:_SHOWN])
        more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
        raise Denied(
            "untrusted", f"{what} {why} {shown}{more}",
            hint="if you trust them: trusted=[those names], or trusted=modelyard.TRUST_ALL",
        )  # fmt: skip

    def require_all(self, what: str, reason: str) -> None:
        """Denied `untrusted` unless everything is allowed: for what no name can describe."""
        if not self.everything:
            raise Denied(
                "untrusted", f"{what} {reason}",
                hint="if you made this file yourself: trusted=modelyard.TRUST_ALL",
            )  # fmt: skip
