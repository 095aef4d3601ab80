"""`yard import dvc`: commits that change what DVC tracks become versions with those files."""

from __future__ import annotations

import hashlib
import re
import tempfile
import time
from configparser import ConfigParser
from configparser import Error as ConfigError
from pathlib import Path
from typing import TYPE_CHECKING

from modelyard.core.imports import Imported
from modelyard.core.names import ModelName
from modelyard.errors import NotFound
from modelyard.history.importing.dvc import DvcSource
from modelyard.history.importing.gitmirror import clone
from modelyard.registry.histories.bringing import bring
from modelyard.registry.histories.names import fit_model

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from modelyard.core.version import Progress
    from modelyard.registry.house import House
    from modelyard.store.interface import Backend

__all__ = ["import_dvc"]

_PIECE = 8 << 20
_REMOTE = re.compile(r"""['"]?remote "(.+)"['"]?\Z""")


def import_dvc(
    house: House,
    source: str,
    model: str | None = None,
    *,
    path: str = "",
    only: Sequence[str] = (),
    cache: str = "",
    report: Callable[[Progress], None] = lambda _progress: None,
) -> Imported:
    """Bring every commit that changes an output; what came before is not brought again.

    Args:
        source: A folder, or the URL of a git repository.
        path: Only this folder of the repository.
        only: Outputs like these: `*.pkl`, `models/*`.
        cache: A folder, or the URL of a store, that holds DVC's bytes; else the repository's own
            cache and its remotes that are folders are looked into.

    Raises:
        NotFound: `no-repository`.
        InvalidInput: `bad-source`, `empty-repository`, `nothing-to-import`.
    """
    started = time.monotonic()
    name = ModelName.parse(model or fit_model(Path(source).expanduser().resolve().name))
    with tempfile.TemporaryDirectory(prefix="yard-dvc-") as room:
        mirror = clone(source, Path(room))
        found = _Cache(mirror.local, cache)
        opened = DvcSource(mirror, found, Path(room), path=path, only=only)
        try:
            done = bring(house, opened, name, origin=mirror.shown, report=report)
        finally:
            opened.close()
            found.close()
    return Imported(
        source=mirror.shown, system="dvc", models=(done,),
        seconds=round(time.monotonic() - started, 3),
    )  # fmt: skip


class _Cache:
    """DVC's bytes in folders and stores, checked by MD5."""

    def __init__(self, repository: Path | None, named: str) -> None:
        self._folders: list[Path] = []
        self._store: Backend | None = None
        if "://" in named and not named.startswith("file://"):
            from modelyard.store.opening import open_backend

            self._store = open_backend(named, folder=Path())
        elif named:
            folder = Path(named.removeprefix("file://")).expanduser().resolve()
            if not folder.is_dir():
                raise NotFound("no-repository", f"there is no folder {folder}")
            self._folders.append(folder)
        if repository is not None:
            self._folders += _folders_of(repository)

    def close(self) -> None:
        if self._store is not None:
            self._store.close()

    def get(self, md5: str, room: Path) -> Path | None:
        """The file itself where it lies, or a copy in `room`."""
        keys = [f"files/md5/{md5[:2]}/{md5[2:]}", f"{md5[:2]}/{md5[2:]}"]
        for folder in self._folders:
            for key in keys:
                place = folder / key
                if place.is_file() and not place.is_symlink() and _is(place, md5):
                    return place
        for key in keys:
            found = self._fetched(key, room / f"dvc-{md5}")
            if found is not None and _is(found, md5):
                return found
        return None

    def _fetched(self, key: str, place: Path) -> Path | None:
        if self._store is None:
            return None
        try:
            stat = self._store.stat(key)
            if stat is None:
                return None
            with place.open("wb") as file:
                for start in range(0, stat.size, _PIECE):
                    file.write(self._store.get(key, start, min(start + _PIECE, stat.size)))
        except NotFound:
            return None
        return place


def _folders_of(repository: Path) -> list[Path]:
    """The cache of a repository, and its remotes that are folders."""
    found = [repository / ".dvc" / "cache"]
    for file in (repository / ".dvc" / "config", repository / ".dvc" / "config.local"):
        settings = ConfigParser(interpolation=None, strict=False)
        try:
            settings.read(file, "utf-8")
        except (ConfigError, UnicodeDecodeError):
            continue
        places = [settings[s].get("url", "") for s in settings.sections() if _REMOTE.match(s)]
        if settings.has_section("cache"):
            places.append(settings["cache"].get("dir", ""))
        found += [(repository / ".dvc" / place) for place in places if place and "://" not in place]
    return [folder.resolve() for folder in found if folder.is_dir()]


def _is(place: Path, md5: str) -> bool:
    """Whether a file has these bytes. DVC 2 counted CRLF of texts as LF: that is no match here."""
    with place.open("rb") as file:
        made = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False))
    return made.hexdigest() == md5.removesuffix(".dir")
