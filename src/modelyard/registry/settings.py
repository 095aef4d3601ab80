"""`yard.toml`: what makes a folder a yard, and where its bytes and its rows are kept."""

from __future__ import annotations

import json
import os
import tomllib
from contextlib import suppress
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Self

from modelyard.errors import InvalidInput, Unsupported

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["CATALOG", "CONFIG", "PLACES", "STORE", "Settings", "sync_folder"]

CONFIG = "yard.toml"
STORE = "store"
"""Where packs are unless somebody says otherwise: a folder in the yard's."""
CATALOG = "sqlite:///catalog.db"
"""Where rows are unless somebody says otherwise: a file in the yard's folder."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What `yard.toml` may say. Passwords and keys are not in it, only where they are."""

    store: str = STORE
    """URL of the store, or a folder, relative to the yard's."""
    catalog: str = CATALOG
    """URL of the catalog; the path of `sqlite:///PATH` is relative to the yard's folder."""
    key: str | None = None
    """Where the master key is: `env:NAME` or a file. Without one nothing is encrypted."""
    old_keys: tuple[str, ...] = ()
    """Keys that packs may still be wrapped by, until `yard rekey` has run."""
    backup_hours: float = 24.0
    """How often the catalog is written into the store; 0 for never."""
    keep_deleted_days: float = 30.0
    grace_minutes: float = 60.0

    @classmethod
    def read(cls, path: Path) -> Self:
        """InvalidInput: `bad-config`. Unsupported: `yard-newer`."""
        try:
            content = tomllib.loads(path.read_text("utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InvalidInput("bad-config", f"{path} can't be read: {error}") from None
        version = content.pop("version", 1)
        if isinstance(version, int) and version > 1:
            raise Unsupported(
                "yard-newer", f"{path} is of a newer modelyard", hint="upgrade modelyard"
            )
        if version != 1:
            raise _bad(path, "version")
        found: dict[str, Any] = {}
        for section, values in content.items():
            if not isinstance(values, dict):
                raise _bad(path, section)
            for name, value in values.items():
                place = f"{section}.{name}"
                if place not in PLACES:
                    raise _bad(path, place)
                field, convert = PLACES[place]
                try:
                    found[field] = convert(value)
                except ValueError:
                    raise _bad(path, place) from None
        return cls(**found)

    def write(self, root: Path) -> None:
        """Put a yard.toml into a folder, whole or not at all."""
        part = root / f"{CONFIG}.part"
        with part.open("w", encoding="utf-8") as file:
            file.write(self.text())
            file.flush()
            os.fsync(file.fileno())
        part.rename(root / CONFIG)
        for folder in (root, *root.parents):  # some of them may be as new as the yard
            with suppress(OSError):
                sync_folder(folder)

    def text(self) -> str:
        """The file that says this; what is as it is by default stands in comments."""
        lines = ["# A modelyard yard. Everything below has a default.", "version = 1"]
        default, section = Settings(), ""
        for place, (field, _) in PLACES.items():
            before, (section, name) = section, place.split(".")
            if section != before:
                lines += ["", f"[{section}]"]
            value, usual = getattr(self, field), getattr(default, field)
            shown = _toml(value if value != usual else _EXAMPLES.get(place, usual))
            said = f"{name} = {shown}"
            lines.append(said if value != usual else f"# {said:<28} {_COMMENTS[place]}")
        return "\n".join(lines) + "\n"


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e9:
        raise ValueError
    return float(value)


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError
    return value


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ValueError
    return tuple(_text(item) for item in value)


PLACES: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "store.url": ("store", _text),
    "catalog.url": ("catalog", _text),
    "encryption.key": ("key", _text),
    "encryption.old_keys": ("old_keys", _texts),
    "backup.every_hours": ("backup_hours", _number),
    "gc.keep_deleted_days": ("keep_deleted_days", _number),
    "gc.grace_minutes": ("grace_minutes", _number),
}
"""Where in the file each setting stands, and what makes a value of it."""

_EXAMPLES = {"encryption.key": "env:YARD_KEY"}
_COMMENTS = {
    "store.url": "where the bytes are: a folder, or s3://, postgresql://, ...",
    "catalog.url": "where the rows are: SQLite, PostgreSQL or MySQL",
    "encryption.key": "env:NAME or a file; yard init --key makes one",
    "encryption.old_keys": "keys from before, until yard rekey has run",
    "backup.every_hours": "how often the rows are written into the store",
    "gc.keep_deleted_days": "how long a deleted version can be restored",
    "gc.grace_minutes": "how long freed bytes stay for readers that are under way",
}
assert {field for field, _ in PLACES.values()} == {field.name for field in fields(Settings)}


def _toml(value: object) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, float):
        return f"{value:g}"
    return json.dumps(value, ensure_ascii=False)


def _bad(path: Path, name: str) -> InvalidInput:
    return InvalidInput(
        "bad-config", f"{path}: {name} can't be used",
        hint=f"version = 1, and {', '.join(PLACES)}; times are numbers, not less than 0",
    )  # fmt: skip


def sync_folder(folder: Path) -> None:
    """Make new names durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
