"""The parts of a yard on this machine, joined: catalog, store, threads."""

from __future__ import annotations

import fcntl
import os
import tomllib
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn, Self

import sqlalchemy as sa

from modelyard.catalog.engine import Catalog
from modelyard.catalog.index import CatalogIndex
from modelyard.catalog.migrate import migrate
from modelyard.errors import (
    Conflict,
    Corrupt,
    Denied,
    InvalidInput,
    NotFound,
    Unavailable,
    Unsupported,
)
from modelyard.registry.objects import ObjectCache
from modelyard.store.local import LocalBackend
from modelyard.store.reader import Reader
from modelyard.store.writer import Session

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from modelyard.store.interface import Backend

__all__ = ["House", "Settings", "create_house", "open_house"]

CONFIG = "yard.toml"
_LOCK = "yard.lock"
_FIRST_CONFIG = """\
# A modelyard yard. Everything below has a default.
version = 1

[gc]
# keep_deleted_days = 30    how long a deleted version can be restored
# grace_minutes = 60        how long freed bytes stay for readers that are under way
"""


@dataclass(frozen=True, slots=True)
class Settings:
    """What `yard.toml` may say."""

    keep_deleted_days: float = 30.0
    grace_minutes: float = 60.0

    @classmethod
    def read(cls, path: Path) -> Self:
        try:
            content = tomllib.loads(path.read_text("utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InvalidInput("bad-config", f"{path} can't be read: {error}") from None
        version = content.pop("version", 1)
        if isinstance(version, int) and version > 1:
            raise Unsupported(
                "yard-newer", f"{path} is of a newer modelyard", hint="upgrade modelyard"
            )
        section = content.pop("gc", {})
        if version != 1 or content or not isinstance(section, dict):
            raise _bad_config(path, next(iter(content), "version or gc"))
        for name, value in section.items():
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if name not in ("keep_deleted_days", "grace_minutes") or not number or value < 0:
                raise _bad_config(path, f"gc.{name}")
        return cls(**{name: float(value) for name, value in section.items()})


def _bad_config(path: Path, name: str) -> InvalidInput:
    return InvalidInput(
        "bad-config", f"{path}: {name} can't be used",
        hint="version = 1, and in [gc] the numbers keep_deleted_days and grace_minutes",
    )  # fmt: skip


class House:
    """What every use case of a local yard works with."""

    def __init__(
        self, root: Path, catalog: Catalog, backend: Backend, settings: Settings, author: str
    ) -> None:
        self.root = root
        self.catalog = catalog
        self.backend = backend
        self.settings = settings
        self.author = author
        self.index = CatalogIndex(catalog)
        self.reader = Reader(backend, self.index)
        self.objects = ObjectCache()
        self.pool = ThreadPoolExecutor(min(os.cpu_count() or 1, 8), "yard")
        self._lock = os.open(root / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        fcntl.flock(self._lock, fcntl.LOCK_SH)

    def use_catalog(self, catalog: Catalog) -> None:
        """Take another catalog, made from the same store."""
        self.catalog = catalog
        self.index = CatalogIndex(catalog)
        self.reader = Reader(self.backend, self.index)
        self.objects.clear()

    @property
    def catalog_path(self) -> Path:
        return self.root / "catalog.db"

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody else has this yard open. Conflict: `yard-in-use`."""
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict(
                "yard-in-use", f"others use {self.root}", hint="end them, then try again"
            ) from None
        try:
            yield
        finally:
            fcntl.flock(self._lock, fcntl.LOCK_SH)

    def session(self) -> Session:
        return Session(self.backend, self.index)

    def close(self) -> None:
        self.pool.shutdown()
        self.catalog.close()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1
        if isinstance(self.backend, LocalBackend):
            self.backend.close()


def create_house(root: Path, author: str) -> House:
    """Make a yard in a folder that is empty or not there."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        if (root / CONFIG).exists():
            raise Conflict("yard-exists", f"{root} is a yard already", hint="just use it")
        if not is_empty(root):
            raise Conflict("folder-not-empty", f"{root} is not empty", hint="name a new folder")
        (root / "store").mkdir(exist_ok=True)
        part = root / f"{CONFIG}.part"
        part.write_text(_FIRST_CONFIG, "utf-8")
        part.rename(root / CONFIG)
    except PermissionError:
        raise Denied("no-permission", f"{root} can't be written") from None
    except OSError as error:
        raise Unavailable("folder-io", f"{root}: {error.strerror}") from error
    return open_house(root, author)


def is_empty(root: Path) -> bool:
    """Whether a folder can become a yard: nothing is in it but what a killed creation left."""
    names = {entry.name for entry in root.iterdir()}
    return names <= {"store", f"{CONFIG}.part"} and not (
        "store" in names and any((root / "store").iterdir())
    )


def open_house(root: Path, author: str) -> House:
    """Open a yard's folder."""
    config = root / CONFIG
    if not config.is_file():
        raise NotFound("no-yard", f"{root} is no yard", hint=f"yard init {root} makes one")
    settings = Settings.read(config)
    backend = LocalBackend(root / "store")
    return House(root, _open_catalog(root / "catalog.db", backend), backend, settings, author)


def _open_catalog(path: Path, backend: Backend) -> Catalog:
    """Open it; if it is gone or damaged while packs are there, a stand-in that says what to do."""
    if not path.exists() and any(True for _ in backend.keys("packs/")):
        return LostCatalog(path, "the catalog is gone")
    catalog = Catalog.open(f"sqlite:///{path}")
    try:
        migrate(catalog)
    except Corrupt:
        catalog.close()
        return LostCatalog(path, "the catalog's file is damaged")
    return catalog


class LostCatalog(Catalog):
    """Refuses everything but to be rebuilt."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(sa.create_engine("sqlite://"))
        self._error = f"{reason}: {path}"

    def read(self) -> NoReturn:
        raise Corrupt(
            "catalog-lost", self._error,
            hint="yard verify --rebuild makes it again from the store",
        )  # fmt: skip

    def write(self, work: object) -> NoReturn:
        self.read()
