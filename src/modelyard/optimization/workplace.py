"""Where an optimization works on this machine: its source, its data, and what trials made.

It outlives the process, so that another one can go on, and is gone when the optimization ends.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from modelyard.core.decoding import decode_json
from modelyard.core.folders import cache_home
from modelyard.errors import InvalidInput, Unavailable
from modelyard.optimization.engines.interface import Result
from modelyard.optimization.state import Model
from modelyard.registry.data import find_data
from modelyard.registry.files import checkout, digest_of
from modelyard.registry.saving import is_card, stored
from modelyard.store.interface import NO_ROOM

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from modelyard.core.optimization import Optimization
    from modelyard.core.trust import Trust
    from modelyard.registry.desk import Desk

__all__ = ["Workplace", "passing_workplace", "room_for", "workplace_of"]

_SOURCE, _MADE, _TRIALS, _DATA, _MARK = "source", "made", "trials", "data", "mark"
_MUCH: Final = 2 << 30
"""Bytes that trials may leave, however small the model is."""
_COPIES: Final = 12
"""Or so many times the model."""
_OLD: Final = 30 * 86_400
"""Seconds after which nobody goes on with what an optimization has left."""
_PASSING, _PASSED = "once-", 86_400
"""Of folders of which nothing is kept; after so many seconds whoever made one has crashed."""


@dataclass(frozen=True, slots=True)
class Workplace:
    """A folder of one optimization."""

    folder: Path

    @property
    def made(self) -> Path:
        """Shared by its trials."""
        return self.folder / _MADE

    def trial(self, number: int) -> Path:
        """A new folder for a trial; what an interrupted one has left there is gone."""
        place = self.folder / _TRIALS / str(number)
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        return place

    def keep(self, result: Result) -> None:
        """Note what became of a trial, for who goes on after this process."""
        import msgspec

        path = self.folder / _TRIALS / f"{result.trial}.json"
        path.parent.mkdir(exist_ok=True)
        rough = path.with_suffix(".tmp")
        rough.write_bytes(msgspec.json.encode(result))
        rough.rename(path)

    def tidy(self, result: Result) -> None:
        """Remove what a trial has written, but for the model that came of it."""
        home = self.folder / _TRIALS / str(result.trial)
        model = None if result.place is None else Path(result.place.folder)
        for path in home.glob("*"):
            if model is None or (path != model and path not in model.parents):
                shutil.rmtree(path, ignore_errors=True)

    def is_full(self, size: int) -> bool:
        """Whether more was made than is to lie around, of a model of so many bytes."""
        files = (path for home in (_MADE, _TRIALS) for path in (self.folder / home).rglob("*"))
        found = [path.lstat() for path in files]
        made = {each.st_ino: each.st_size for each in found}  # links are counted once
        return sum(made.values()) > max(_MUCH, _COPIES * size)

    def make_room(self, kept: Iterable[Path]) -> None:
        """Remove what trials have made, but for these models, while no trial runs."""
        needed = {place for path in kept for place in (path, *path.parents)}
        for home in (self.folder / _MADE, self.folder / _TRIALS):
            for folder in home.iterdir():
                if folder.is_dir() and folder not in needed:
                    old = folder.rename(folder.with_name(f".old-{folder.name}"))
                    shutil.rmtree(old, ignore_errors=True)  # none is there in part after a kill

    def known(self, number: int) -> Result | None:
        """What became of a trial, if its files are still here."""
        path = self.folder / _TRIALS / f"{number}.json"
        try:
            found = decode_json(path.read_bytes(), Result)
        except (OSError, ValueError):
            return None
        return found if found.place is None or Path(found.place.folder).is_dir() else None

    def source(self, desk: Desk, optimization: Optimization, trust: Trust) -> Model:
        """The version that is improved, without its words."""
        with stored(desk, optimization.model, optimization.number) as version:
            folder = self.folder / _SOURCE
            if not folder.is_dir():
                rough = Path(tempfile.mkdtemp(prefix=".new-", dir=self.folder))
                checkout(desk, version.contents, rough, (), lambda _: None)
                for path in (*rough.rglob("*.md"), rough / ".gitattributes", rough / "recipe.yaml"):
                    if is_card(path.name) or path.parent == rough:
                        path.unlink(missing_ok=True)
                rough.rename(folder)
            manifest = version.manifest
            return Model(
                folder=folder, saved=version.saved, signature=manifest.signature,
                example=manifest.example, trust=trust,
            )  # fmt: skip

    def data(self, desk: Desk, name: str, digest: str) -> tuple[Path, str]:
        """The file of rows, and its digest.

        Args:
            digest: What it must be, as it was when the optimization began; empty: not known yet.

        Raises:
            InvalidInput: `other-data`: it has changed since.
        """
        kept = sorted((self.folder / _DATA).glob("*")) if digest else []
        if kept and digest_of(kept[0]).hex == digest:
            return kept[0], digest
        with find_data(desk, name) as found:
            if digest and found.digest != digest:
                raise InvalidInput(
                    "other-data", f"{name} is not what it was when this began",
                    hint="begin a new optimization",
                )  # fmt: skip
            home = self.folder / _DATA
            shutil.rmtree(home, ignore_errors=True)
            home.mkdir()
            shutil.copyfile(found.path, home / found.path.name)
            return home / found.path.name, found.digest

    def clear(self) -> None:
        """The optimization is over."""
        shutil.rmtree(self.folder, ignore_errors=True)


def workplace_of(url: str, found: Optimization) -> Workplace:
    """In `$XDG_CACHE_HOME/modelyard/optimizations`, by the yard and the optimization.

    What another yard has left there, that once had the same place and the same numbers, is gone.

    Unavailable: `no-scratch`.
    """
    folder = _folder_of(url, found)
    told = f"{found.title} {found.created.isoformat()}"
    try:
        _sweep(folder.parent)
        if folder.is_dir() and _mark_of(folder) != told:
            shutil.rmtree(folder)
        _made(folder)
        (folder / _MARK).write_text(told, "utf-8")
    except OSError as error:
        raise _no_scratch(folder, error) from None
    return Workplace(folder)


@contextmanager
def passing_workplace(url: str, found: Optimization) -> Iterator[Workplace]:
    """One that nobody else has, gone at the end: nobody goes on with what was made in it.

    Unavailable: `no-scratch`.
    """
    beside = _folder_of(url, found)
    folder = beside.with_name(f"{_PASSING}{beside.name}-{secrets.token_hex(8)}")
    try:
        _sweep(folder.parent)
        _made(folder)
    except OSError as error:
        raise _no_scratch(folder, error) from None
    place = Workplace(folder)
    try:
        yield place
    finally:
        place.clear()


@contextmanager
def room_for(url: str, found: Optimization) -> Iterator[None]:
    """Unavailable `disk-full` where there is no room for its files: it can be gone on with."""
    hint = f"make room, then yard optimize --resume {found.id}"
    try:
        yield
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        folder = _folder_of(url, found)
        raise Unavailable(
            "disk-full", f"the disk that holds {folder} is full", hint=hint
        ) from error
    except Unavailable as error:
        if error.kind != "disk-full":
            raise
        raise Unavailable(error.kind, error.message, hint=hint) from error


def _folder_of(url: str, found: Optimization) -> Path:
    try:
        home = cache_home(os.environ)
    except RuntimeError:  # a user without a home
        home = Path(tempfile.gettempdir())
    key = hashlib.sha256(url.encode()).hexdigest()[:16]
    return home / "modelyard" / "optimizations" / f"{key}-{found.id}"


def _made(folder: Path) -> None:
    for part in (folder, folder / _MADE, folder / _TRIALS):
        part.mkdir(parents=True, exist_ok=True, mode=0o700)


def _no_scratch(folder: Path, error: OSError) -> Exception:
    if error.errno in NO_ROOM:
        return error
    return Unavailable(
        "no-scratch", f"{folder}: {error.strerror}", hint="set XDG_CACHE_HOME to a folder"
    )


def _mark_of(folder: Path) -> str:
    try:
        return (folder / _MARK).read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _sweep(home: Path) -> None:
    """Remove what nobody went on with."""
    for folder in home.glob("*-*"):
        old = _PASSED if folder.name.startswith(_PASSING) else _OLD
        with suppress(OSError):
            if time.time() - folder.stat().st_mtime > old:
                shutil.rmtree(folder, ignore_errors=True)
