"""A yard made from a backup, or from the newest dump in a store."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from modelyard.catalog.schema import model, pack
from modelyard.core.transfer import BackedUp
from modelyard.core.version import Progress
from modelyard.errors import Conflict, Denied, NotFound, Unavailable
from modelyard.registry.house import UNFINISHED, create_house
from modelyard.registry.settings import CATALOG, CONFIG, STORE, Settings
from modelyard.registry.transfer.dump import load_dump, read_dump
from modelyard.registry.transfer.schedule import newest_dump
from modelyard.registry.transfer.sources import FilePacks, Packs, StorePacks, check_digest

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelyard.registry.house import House
    from modelyard.store.interface import Backend

__all__ = ["restore", "restore_backup", "restore_dump"]


def restore(
    source: Path | str,
    path: Path | str,
    *,
    author: str,
    store: str | None,
    catalog: str | None,
    key: str | None,
    report: Callable[[Progress], None] | None,
) -> BackedUp:
    """A yard of a backup's file, or of the newest dump in a store: a folder, or a URL."""
    if key is not None and not key.startswith("env:"):
        key = str(Path(key).expanduser().absolute())
    settings = Settings(store=store or STORE, catalog=catalog or CATALOG, key=key)
    root, told = Path(path).expanduser().absolute(), report or (lambda _progress: None)
    place = Path(source).expanduser().absolute()
    if "://" not in str(source) and not place.is_dir():
        return restore_backup(place, root, settings, author, told)
    from modelyard.store.opening import open_backend

    backend = open_backend(str(source) if "://" in str(source) else str(place), folder=root)
    try:
        return restore_dump(backend, root, settings, author, told)
    finally:
        backend.close()


def restore_backup(
    file: Path, root: Path, settings: Settings, author: str, report: Callable[[Progress], None]
) -> BackedUp:
    """Make a yard in an empty folder. Corrupt: `bad-backup`, and then nothing was made."""
    started = time.monotonic()
    try:
        with file.open("rb") as opened:
            size = check_digest(opened, file, report)
            source = FilePacks(opened, file, size)
            versions = _restore(source, root, settings, author, report)
    except FileNotFoundError:
        raise NotFound("no-file", f"there is no file {file}") from None
    except PermissionError:
        raise Denied("no-permission", f"{file} can't be read") from None
    except OSError as error:
        raise Unavailable("source-io", f"{file}: {error.strerror}") from error
    return BackedUp(
        file=str(file), packs=len(source.sizes), versions=versions, bytes=size,
        sealed=source.sealed, seconds=round(time.monotonic() - started, 3),
    )  # fmt: skip


def restore_dump(
    backend: Backend,
    root: Path,
    settings: Settings,
    author: str,
    report: Callable[[Progress], None],
) -> BackedUp:
    """Make a yard of a store as of its newest dump; the store itself is only read."""
    started = time.monotonic()
    key = newest_dump(backend)
    if key is None:
        raise NotFound("no-dump", "the store holds no dump of a catalog",
                       hint="yard verify --rebuild needs none")  # fmt: skip
    source = StorePacks(backend, key)
    versions = _restore(source, root, settings, author, report)
    return BackedUp(
        file=key, packs=source.count, versions=versions, bytes=source.total, sealed=source.sealed,
        seconds=round(time.monotonic() - started, 3),
    )  # fmt: skip


def _restore(
    source: Packs,
    root: Path,
    settings: Settings,
    author: str,
    report: Callable[[Progress], None],
) -> int:
    was_there = root.exists()
    _begin(root)
    try:
        house = create_house(root, author, settings, finished=False)
    except BaseException:  # as when the disk is full, or the folder is somebody's
        (root / UNFINISHED).unlink(missing_ok=True)
        if not was_there:
            _take_back(root, was_there=False)
        raise
    try:
        dump = _opened(house, source)
        source_head, tables = read_dump(dump)
        for _ in tables:
            pass  # all of it can be read
        source.need(source_head.packs)
        _refuse_filled(house)
        done = 0
        for key, content in source.packs():
            house.backend.put(key, content)
            done += len(content)
            report(Progress("restore", done, source.total))

        def load(connection: sa.Connection) -> None:
            load_dump(connection, dump)
            house.take_over(connection)

        house.catalog.write(load)
        settings.write(root)
    except BaseException:
        house.close()
        _take_back(root, was_there=was_there)
        raise
    house.close()
    (root / UNFINISHED).unlink(missing_ok=True)
    return source_head.versions


def _begin(root: Path) -> None:
    """Say that the folder is being filled; what a restore that died has left goes."""
    try:
        if (root / UNFINISHED).exists() and not (root / CONFIG).exists():
            _take_back(root, was_there=True)
        root.mkdir(parents=True, exist_ok=True)
        (root / UNFINISHED).touch()
    except PermissionError:
        raise Denied("no-permission", f"{root} can't be written") from None
    except OSError as error:
        raise Unavailable("folder-io", f"{root}: {error.strerror}") from error


def _opened(house: House, source: Packs) -> bytes:
    dump = source.dump()
    if not source.sealed:
        if house.vault is not None:
            raise Conflict(
                "not-sealed", "the backup is not encrypted, the yard would be",
                hint="restore it without a key, then mirror it into an encrypted yard",
            )  # fmt: skip
        return dump
    if house.vault is None:
        raise Denied("no-key", "the backup is encrypted", hint="give its key: --key FILE")
    return house.vault.open_object(source.dump_name, dump)


def _refuse_filled(house: House) -> None:
    with house.catalog.read() as connection:
        counts = [
            connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
            for table in (model, pack)
        ]
    if any(counts) or any(True for _ in house.backend.keys("packs/")):
        raise Conflict("yard-not-empty", "the store or the catalog holds a yard already",
                       hint="name another place")  # fmt: skip


def _take_back(root: Path, *, was_there: bool) -> None:
    """Nothing is left of a yard that did not come to be."""
    for entry in list(root.iterdir()) if root.is_dir() else []:
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)
    if not was_there:
        shutil.rmtree(root, ignore_errors=True)
