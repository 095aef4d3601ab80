"""Between a remote yard and others, and into files: copy, mirror, backup, export, import."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from modelyard.client.addresses import is_address
from modelyard.client.desk import revision_in_path
from modelyard.client.failures import strange
from modelyard.client.jobs import run_job
from modelyard.core.names import ModelName
from modelyard.core.transfer import BackedUp, Copied, Exported
from modelyard.core.version import Committed, Progress
from modelyard.errors import Conflict, Denied, Unavailable
from modelyard.registry.local import joined
from modelyard.store.interface import NO_ROOM

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from modelyard.client.desk import RemoteDesk
    from modelyard.core.yard import Yard

__all__ = ["Moving"]

T = TypeVar("T")
Rev = str | int | None
_TAR = "application/x-tar"
_BYTES = "application/octet-stream"


class Moving:
    """The methods of `Yard` that move whole files between a server and this machine."""

    def __init__(self, desk: RemoteDesk) -> None:
        self.desk = desk

    def copy_to(
        self,
        target: Yard | Path | str,
        model: str,
        revision: Rev = None,
        *,
        dry_run: bool = False,
        progress: Callable[[Progress], None] | None = None,
    ) -> Copied:
        """Copy a model into another yard; it comes as a bundle."""
        report = progress or _silent
        with tempfile.TemporaryDirectory(prefix="yard-bundle-") as place:
            bundle = Path(place) / "bundle.tar"
            path = ("models", ModelName.parse(model).text, "bundle")
            query = {"revision": None if revision is None else revision_in_path(revision)}
            self._download(path, bundle, query, report)
            with _opened(self.desk, target) as other:
                done = _take(other, bundle, dry_run=dry_run)
                there = str(getattr(other, "url", done.target))
        return replace(done, source=self.desk.connection.address.url, target=there)

    def take_bundle(self, bundle: Path, *, dry_run: bool = False) -> Copied:
        """Let the server copy what a bundle holds."""
        query = {"dry_run": True if dry_run else None}
        done = self._upload(("bundles",), bundle, query, Copied, _BYTES)
        return replace(done, target=self.desk.connection.address.url)

    def mirror_to(
        self,
        target: Yard | Path | str,
        *,
        dry_run: bool = False,
        progress: Callable[[Progress], None] | None = None,
    ) -> Copied:
        """Copy all models, one after the other."""
        yard: Any = self
        with _opened(self.desk, target) as other:
            names = [info.name for info in yard.models()]
            done = [self.copy_to(other, name, dry_run=dry_run, progress=progress) for name in names]
            where = str(getattr(other, "url", ""))
        return joined(done, self.desk.connection.address.url, where, dry_run=dry_run)

    def backup(
        self, file: Path | str | None, *, progress: Callable[[Progress], None] | None = None
    ) -> BackedUp:
        connection = self.desk.connection
        if file is None:
            return run_job(connection, "POST", ("house", "dump"), BackedUp, progress=progress)
        place = _new(file)
        done = run_job(
            connection, "POST", ("house", "backups"), BackedUp, body={}, progress=progress
        )
        name = Path(done.file).name
        self._download(("house", "backups", name), place, {}, progress or _silent)
        return replace(done, file=str(place))

    def export(self, model: str, revision: Rev, file: Path | str) -> Exported:
        place = _new(file)
        name = ModelName.parse(model).text
        yard: Any = self
        info = yard.resolve(name, revision)
        path = ("models", info.model, "versions", str(info.number), "export")
        size = self._download(path, place, {}, _silent)
        return Exported(
            model=info.model, number=info.number, commit=info.commit, file=str(place),
            files=info.files, bytes=size,
        )  # fmt: skip

    def import_version(self, file: Path | str, *, model: str | None = None) -> Committed:
        query = {"model": None if model is None else ModelName.parse(model).text}
        return self._upload(("imports",), Path(file).expanduser(), query, Committed, _TAR)

    def _upload(
        self, path: Sequence[str], file: Path, query: Mapping[str, Any], cls: type[T], kind: str
    ) -> T:
        try:
            content = _Again(file)
            reply = self.desk.connection.request(
                "POST", path, query=query, content=content,
                headers={"content-type": kind, "content-length": str(content.size)},
            )  # fmt: skip
        except OSError as error:
            raise _io(file, error) from None
        return reply.as_(cls)

    def _download(
        self,
        path: Sequence[str],
        place: Path,
        query: Mapping[str, Any],
        report: Callable[[Progress], None],
    ) -> int:
        """Into a new file, whole or not at all; how many bytes."""
        connection = self.desk.connection
        part = place.with_name(f".{place.name}.part")
        try:
            with connection.stream(path, query=query) as response, part.open("wb") as out:
                said = response.headers.get("content-length", "")
                total = int(said) if said.isdigit() and len(said) < 18 else None
                size = 0
                for piece in connection.pieces(response):
                    out.write(piece)
                    size += len(piece)
                    report(Progress("read", size, total))
                if total is not None and size != total:
                    raise strange(connection.address, "a file ended too early")
                out.flush()
                os.fsync(out.fileno())
            os.link(part, place)
        except FileExistsError:
            raise _exists(place) from None
        except OSError as error:
            raise _io(place, error) from None
        finally:
            with suppress(OSError):
                part.unlink()
        return size


class _Again:
    """A file's bytes, from the beginning each time that they are asked for."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.size = file.stat().st_size

    def __iter__(self) -> Iterator[bytes]:
        with self._file.open("rb") as opened:
            while piece := opened.read(1 << 20):
                yield piece


def _take(target: Any, bundle: Path, *, dry_run: bool) -> Copied:
    """Copy what a bundle holds into a yard, here or on a server."""
    if isinstance(target, Moving):
        return target.take_bundle(bundle, dry_run=dry_run)
    from modelyard.registry.bundles import read_bundle

    return read_bundle(target.house, bundle, None, dry_run=dry_run, check=lambda _: None)


@contextmanager
def _opened(desk: RemoteDesk, target: Yard | Path | str) -> Iterator[Any]:
    """A yard, opened if only its folder or URL was given."""
    from modelyard.registry.local import LocalYard

    if not isinstance(target, str | Path):
        yield target
        return
    if is_address(str(target)):
        raise Denied(
            "not-signed-in", f"{target} is another server, with another token",
            hint="open it with modelyard.open(URL, token=...), and give that",
        )  # fmt: skip
    with LocalYard.at(target, author=desk.author or "unknown") as yard:
        yield yard


def _new(file: Path | str) -> Path:
    place = Path(file).expanduser().absolute()
    if place.exists():
        raise _exists(place)
    return place


def _exists(place: Path) -> Conflict:
    return Conflict("file-exists", f"{place} is there already", hint="name a new file")


def _io(place: Path, error: OSError) -> Unavailable:
    kind = "disk-full" if error.errno in NO_ROOM else "file-io"
    return Unavailable(kind, f"{place}: {error.strerror}")


def _silent(_progress: Progress) -> None:
    pass
