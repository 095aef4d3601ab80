"""The parts of a yard on this machine, joined: catalog, store, threads."""

from __future__ import annotations

import copy
import fcntl
import os
import re
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn

import sqlalchemy as sa

from modelyard.catalog.engine import Catalog
from modelyard.catalog.index import CatalogIndex
from modelyard.catalog.migrate import is_new, migrate
from modelyard.catalog.presence import Presence
from modelyard.catalog.queries import facts
from modelyard.catalog.urls import parse_url, sqlite_url
from modelyard.core.access import NOBODY, Caller
from modelyard.errors import Conflict, Corrupt, Denied, NotFound, Unavailable
from modelyard.registry.objects import ObjectCache
from modelyard.registry.sealed import SEALED, check_all_sealed, check_key
from modelyard.registry.settings import CATALOG, CONFIG, STORE, Settings
from modelyard.store.local import LocalBackend
from modelyard.store.reader import Reader
from modelyard.store.writer import Session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from modelyard.store.interface import Backend
    from modelyard.store.sealing import Vault

__all__ = ["UNFINISHED", "House", "create_house", "open_house"]

UNFINISHED = "restore.part"
"""A file in a folder that a restore is filling: what else is there may be thrown away."""
_LOCK = "yard.lock"
_PAIR = "yard"
"""The fact in the catalog, and the prefix in the store, that tell that they belong together."""
_CHECKED_SECONDS = 60.0
"""How long a process believes that the store is still its own."""


@dataclass(slots=True)
class _Seen:
    """What a process saw, and when: the same for all on whose behalf a house works."""

    dump: float = float("-inf")
    checked: float = float("-inf")
    is_sealed: bool = False
    checking: threading.Lock = field(default_factory=threading.Lock)


class House:
    """What every use case of a local yard works with."""

    def __init__(
        self,
        root: Path,
        catalog: Catalog,
        backend: Backend,
        settings: Settings,
        author: str,
        vault: Vault | None = None,
    ) -> None:
        self.root = root
        self.told_as = str(root)
        """What a copy from here says of where it came from."""
        self.catalog = catalog
        self.backend = backend
        self.settings = settings
        self.author = author
        self.caller: Caller = NOBODY
        """For whom a server works, told in the audit log."""
        self.deployed: list[Callable[[str], None]] = []
        """Called with the name of each deployment that was changed here, once that took effect."""
        self.vault = vault
        """Opens and seals packs, if the yard is encrypted."""
        self.index = CatalogIndex(catalog)
        self.reader = Reader(backend, self.index, vault)
        self.objects = ObjectCache()
        self.pool = ThreadPoolExecutor(min(os.cpu_count() or 1, 8), "yard")
        self._seen = _Seen()
        self.presence = Presence(catalog.engine)
        self._lock = _lock(root)

    def on_behalf_of(self, caller: Caller) -> House:
        """The same yard, working for somebody else; it is closed by whoever opened it first."""
        if caller is NOBODY:
            raise AssertionError("nobody is whoever has the folder, and no caller of a server")
        other = copy.copy(self)
        other.caller, other.author = caller, caller.author
        return other

    @property
    def dump_looked(self) -> float:
        """When this process looked last whether the catalog is to be dumped (monotonic)."""
        return self._seen.dump

    @dump_looked.setter
    def dump_looked(self, when: float) -> None:
        self._seen.dump = when

    def use_catalog(self, catalog: Catalog) -> None:
        """Take another catalog, made from the same store."""
        self.catalog = catalog
        self.index = CatalogIndex(catalog)
        self.reader = Reader(self.backend, self.index, self.vault)
        self.objects.clear()

    def use_vault(self, vault: Vault) -> None:
        """Open and seal with other master keys."""
        self.vault = vault
        self.reader = Reader(self.backend, self.index, vault)

    @property
    def catalog_path(self) -> Path | None:
        """The file of a SQLite catalog; None if it is a server's."""
        return sqlite_file(self.root, self.settings.catalog)

    def check_pair(self) -> None:
        """Catalog and store belong to the same yard: asked before anything is written or deleted.

        A yard that has never been paired is paired now. Conflict: `other-store`.
        """
        if self._is_own_folder:
            return
        with self.catalog.fresh() as connection:
            known = facts.get(connection, _PAIR)
        if known is None or self.backend.stat(f"{_PAIR}/{known}") is None:
            self._pair(known or self.catalog.write_alone(_take_name))

    def _pair(self, known: str) -> None:
        """Take a store that nobody has. Of two catalogs that try at once, none may get it."""
        mine = f"{_PAIR}/{known}"
        if self._other_pairs(mine) or (_has_packs(self.backend) and not self.backend.stat(mine)):
            raise self._other_store()
        self.backend.put(mine, b"")
        if self._other_pairs(mine):
            self.backend.delete(mine)
            raise self._other_store()

    def take_over(self, connection: sa.Connection) -> None:
        """Pair the store with a catalog that was rebuilt, at the end of what fills it.

        From now on any other catalog is refused, also the one before if this one is not finished.
        """
        if self._is_own_folder:
            return
        mine = f"{_PAIR}/{uuid.uuid4().hex}"
        self.backend.put(mine, b"")
        facts.put(connection, _PAIR, mine.removeprefix(f"{_PAIR}/"))
        for key in self._other_pairs(mine):
            self.backend.delete(key)

    def _other_pairs(self, mine: str) -> list[str]:
        return [key for key in self.backend.keys(f"{_PAIR}/") if key != mine]

    def check_key(self) -> None:
        """This machine seals as the yard is sealed, which a rekey elsewhere may have changed.

        Denied: `no-master-key`, `wrong-key`. Conflict: `not-sealed`, the key came after the packs.
        """
        with self.catalog.fresh() as connection:
            check_key(connection, self.vault)
            if self.vault is not None and not self._seen.is_sealed:
                check_all_sealed(connection)
                self._seen.is_sealed = True

    @property
    def _is_own_folder(self) -> bool:
        return self.settings.store == STORE and self.settings.catalog == CATALOG

    def _other_store(self) -> Conflict:
        return Conflict(
            "other-store", "the store holds another yard's packs than the catalog knows",
            hint="look at [store] and [catalog] in yard.toml; if they are right, the catalog was"
            " lost: yard verify --rebuild makes it again",
        )  # fmt: skip

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
        """To write with. Conflict: `other-store`; and what `check_key` raises."""
        self.check_key()
        self._check_in()
        return Session(self.backend, self.index, self.vault)

    def _check_in(self) -> None:
        """Now and then: this is still the catalog of the store, and nobody is alone with it."""
        now = time.monotonic()
        with self._seen.checking:
            if now - self._seen.checked > _CHECKED_SECONDS:
                self.presence.renew()
                self.check_pair()
                self._seen.checked = now

    def close(self) -> None:
        self.pool.shutdown()
        self.presence.close()
        self.catalog.close()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1
        self.backend.close()


def create_house(
    root: Path, author: str, settings: Settings | None = None, *, finished: bool = True
) -> House:
    """Make a yard in a folder that is empty or not there, or join one by its URLs.

    Unless it is `finished`, the caller fills it and writes its yard.toml, which makes it a yard.
    """
    wanted = settings or Settings()
    check_urls(wanted)
    was_there = root.exists()
    try:
        root.mkdir(parents=True, exist_ok=True)
        if (root / CONFIG).exists():
            raise Conflict("yard-exists", f"{root} is a yard already", hint="just use it")
        if not is_empty(root):
            raise Conflict("folder-not-empty", f"{root} is not empty", hint="name a new folder")
        if wanted.store == STORE:
            (root / STORE).mkdir(exist_ok=True)
        made = None
        if wanted.key is not None:
            from modelyard.store.sealing import make_key

            made = make_key(root, wanted.key)
        try:
            if wanted.store != STORE or wanted.catalog != CATALOG:
                _try_out(root, wanted, author)
            if finished:
                wanted.write(root)
        except BaseException:
            if made is not None:
                made.unlink(missing_ok=True)
            _leave_nothing(root, with_root=not was_there)
            raise
    except PermissionError:
        raise Denied("no-permission", f"{root} can't be written") from None
    except OSError as error:
        raise Unavailable("folder-io", f"{root}: {error.strerror}") from error
    return open_house(root, author) if finished else _house(root, wanted, author)


def _leave_nothing(root: Path, *, with_root: bool) -> None:
    """Of a yard that did not come to be; whatever another process put there stays."""
    if (root / CONFIG).exists():
        return
    for name in (f"{CONFIG}.part", _LOCK):
        (root / name).unlink(missing_ok=True)
    for folder in (root / STORE, root)[: 2 if with_root else 1]:
        with suppress(OSError):  # it is not empty, or was never made
            folder.rmdir()


def _try_out(root: Path, settings: Settings, author: str) -> None:
    """Open catalog and store, and pair them, before a yard.toml says that they are a yard."""
    house = _house(root, settings, author)
    try:
        if isinstance(house.catalog, LostCatalog):
            return  # the store of a yard that is to be rebuilt
        house.check_pair()
        house.check_key()
        if house.vault is not None:
            house.catalog.write(lambda connection: facts.put(connection, SEALED, "yes"))
    finally:
        house.close()


def is_empty(root: Path) -> bool:
    """Whether a folder can become a yard: nothing is in it but what a killed creation left."""
    names = {entry.name for entry in root.iterdir()}
    left = {STORE, f"{CONFIG}.part", _LOCK, UNFINISHED}
    return names <= left and not (STORE in names and any((root / STORE).iterdir()))


def open_house(root: Path, author: str) -> House:
    """Open a yard's folder."""
    config = root / CONFIG
    if not config.is_file():
        server = re.fullmatch(r"[\w.-]+:\d{2,5}", root.name)
        way = (
            f"a server's URL begins with http://: http://{root.name}"
            if server
            else (f"yard init {root} makes one")
        )
        raise NotFound("no-yard", f"{root} is no yard", hint=way)
    settings = Settings.read(config)
    check_urls(settings)
    return _house(root, settings, author)


def check_urls(settings: Settings) -> None:
    """InvalidInput: `secret-in-url`, and `bad-store-url` or `bad-catalog-url`."""
    if settings.store != STORE:
        from modelyard.store.opening import check_url

        check_url(settings.store)
    parse_url(settings.catalog)


def _lock(root: Path) -> int:
    """Note that somebody uses this yard's folder."""
    try:
        descriptor = os.open(root / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except PermissionError:
        raise Denied("no-permission", f"{root} can't be written") from None
    except OSError as error:
        raise Unavailable("folder-io", f"{root}: {error.strerror}") from error
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    return descriptor


def _house(root: Path, settings: Settings, author: str) -> House:
    vault = None
    if settings.key is not None:
        from modelyard.store.sealing import Vault, load_key

        keys = [load_key(where, root, os.environ) for where in (settings.key, *settings.old_keys)]
        vault = Vault(keys[0], keys[1:])
    if settings.store == STORE:
        backend: Backend = LocalBackend(root / STORE)
    else:
        from modelyard.store.opening import open_backend

        backend = open_backend(settings.store, folder=root)
    try:
        catalog = _open_catalog(root, settings.catalog, backend)
    except BaseException:
        backend.close()
        raise
    try:
        return House(root, catalog, backend, settings, author, vault)
    except BaseException:
        catalog.close()
        backend.close()
        raise


def _open_catalog(root: Path, url: str, backend: Backend) -> Catalog:
    """Open it; if it is gone or damaged while packs are there, a stand-in that says what to do."""
    file = sqlite_file(root, url)
    place = url if file is None else str(file)
    if file is not None and not file.exists() and _has_packs(backend):
        return LostCatalog(place, "the catalog is gone")
    catalog = Catalog.open(url if file is None else sqlite_url(file))
    try:
        if is_new(catalog) and _has_packs(backend):  # a file that was cut to nothing is new too
            catalog.close()
            return LostCatalog(place, "the catalog is empty, and the store is not")
        migrate(catalog)
    except Corrupt:
        catalog.close()
        return LostCatalog(place, "the catalog's file is damaged")
    except BaseException:
        catalog.close()
        raise
    return catalog


def sqlite_file(root: Path, url: str) -> Path | None:
    """The file of a SQLite catalog, whose path is relative to the yard's folder."""
    parsed = parse_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        return None
    return root / parsed.database


def _take_name(connection: sa.Connection) -> str:
    """The name of the pair; a new one if there is none."""
    known = facts.get(connection, _PAIR)
    if known is None:
        known = uuid.uuid4().hex
        facts.put(connection, _PAIR, known)
    return known


def _has_packs(backend: Backend) -> bool:
    return any(True for _ in backend.keys("packs/"))


class LostCatalog(Catalog):
    """Refuses everything but to be rebuilt."""

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(sa.create_engine("sqlite://"))
        self._error = f"{reason}: {place}"

    def read(self) -> NoReturn:
        raise Corrupt(
            "catalog-lost", self._error,
            hint="yard verify --rebuild makes it again from the store",
        )  # fmt: skip

    def fresh(self) -> NoReturn:
        self.read()

    def write(self, work: object) -> NoReturn:
        self.read()

    def write_alone(self, work: object) -> NoReturn:
        self.read()
