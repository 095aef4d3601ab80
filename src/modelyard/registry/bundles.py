"""A model on its way to another yard: as a yard of its own, in one file (docs/spec/backup-1.md)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from modelyard.catalog.queries import models
from modelyard.catalog.queries.readable import sees_all
from modelyard.core.transfer import Copied
from modelyard.errors import Corrupt, InvalidInput, ModelyardError, NotFound
from modelyard.registry.house import create_house, open_house
from modelyard.registry.settings import Settings
from modelyard.registry.transfer.backup import backup
from modelyard.registry.transfer.copying import copy
from modelyard.registry.transfer.restoring import restore_backup

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from modelyard.core.version import Progress
    from modelyard.registry.house import House

__all__ = ["bundle", "read_bundle"]


def bundle(house: House, model: str, revision: str | int | None, room: Path) -> Path:
    """Write a model into a file in an empty folder, whose other content can be thrown away."""
    other = create_house(room / "yard", house.author)
    try:
        copy(house, other, model, revision, whole=revision is None, dry_run=False, report=_silent)
        file = room / "bundle"
        backup(other, file, _silent)
        return file
    finally:
        other.close()


def read_bundle(
    house: House,
    file: Path,
    model: str | None,
    *,
    dry_run: bool,
    check: Callable[[str], object],
) -> Copied:
    """Copy what a file holds into this yard.

    Args:
        model: Only this one.
        check: Called with each name before anything is copied; raises if it may not be written.

    Raises:
        InvalidInput: `bad-bundle`: nothing was copied.
        NotFound: `no-model` if it is not in the file.
    """
    started = time.monotonic()
    root = file.with_name("restored")
    try:
        restore_backup(file, root, Settings(), house.author, _silent)
        source = open_house(root, house.author)
        source.told_as = "a bundle"
    except ModelyardError as error:
        if isinstance(error, Corrupt) or error.kind in ("no-key", "not-sealed"):
            raise _no_bundle(error) from None
        raise
    try:
        with source.catalog.read() as connection:
            names = [row.name for row in models.listed(connection, deleted=False)]
        if model is not None:
            names = [name for name in names if name == model]
        if not names:
            raise NotFound("no-model", "the bundle holds no such model")
        for name in names:
            check(name)
        done = [
            copy(
                source, house, name, None,
                whole=True, dry_run=dry_run, report=_silent, is_strange=True,
            )
            for name in names
        ]  # fmt: skip
        chunks, size = sum(d.chunks for d in done), sum(d.bytes for d in done)
        if not sees_all(house.caller):  # what others have here already is not told
            chunks, size = _all_of(source)
    except Corrupt as error:
        raise _no_bundle(error) from None
    finally:
        source.close()
    return Copied(
        source="bundle", target=str(house.root),
        models=tuple(model for each in done for model in each.models),
        versions=sum(d.versions for d in done), chunks=chunks, bytes=size,
        seconds=round(time.monotonic() - started, 3), dry_run=dry_run,
    )  # fmt: skip


def _no_bundle(error: ModelyardError) -> InvalidInput:
    return InvalidInput("no-bundle", f"this is no bundle: {error.message}")


def _all_of(source: House) -> tuple[int, int]:
    from modelyard.registry.stats import stats

    found = stats(source)
    return found.chunks, found.stored


def _silent(_progress: Progress) -> None:
    pass
