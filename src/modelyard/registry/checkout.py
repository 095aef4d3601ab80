"""A checkout remembers where it came from: status, commit and pull in a folder, over any yard."""

from __future__ import annotations

import glob
import os
import shutil
import stat
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from modelyard.core.decoding import decode_json
from modelyard.core.globs import matches
from modelyard.core.listing import listed
from modelyard.core.names import MAIN
from modelyard.core.version import CheckedOut, Committed
from modelyard.errors import Conflict, Denied, InvalidInput, NotFound, Unavailable
from modelyard.registry.collect import collect
from modelyard.registry.files import checked_out_branch, digest_of
from modelyard.registry.files import checkout as write_files

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from modelyard.core.version import Progress
    from modelyard.core.yard import Yard
    from modelyard.registry.desk import Desk

__all__ = [
    "Checkout",
    "LocalChange",
    "commit",
    "open_checkout",
    "pull",
    "remember",
    "status",
    "write_out",
]

_FOLDER = ".yard"
_MARKER = "checkout.json"


class _Seen(msgspec.Struct, array_like=True):
    """A file as it was written: unchanged if it still looks like this."""

    sha256: str
    size: int
    mtime_ns: int
    executable: bool


class _Marker(msgspec.Struct):
    yard: str
    model: str
    number: int
    branch: str | None
    whole: bool
    files: dict[str, _Seen]


@dataclass(frozen=True, slots=True)
class Checkout:
    """A folder that holds a version, perhaps changed since."""

    root: Path
    yard_url: str
    model: str
    number: int
    branch: str | None
    """Where commits go; None if it was checked out by number or tag."""
    whole: bool
    """Whether all files were written, not only some."""
    files: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class LocalChange:
    """A file that is not as it was checked out."""

    path: str
    change: Literal["added", "changed", "removed"]


def write_out(
    desk: Desk,
    yard_url: str,
    model: str,
    revision: str | int | None,
    dest: Path,
    globs: Sequence[str],
    report: Callable[[Progress], None],
) -> CheckedOut:
    """Write a version into a folder, and note there where it came from."""
    found = desk.contents(model, revision)
    done = write_files(desk, found, dest, globs, report)
    done = replace(done, branch=checked_out_branch(desk.branches_at(found), revision))
    digests = {p: e.digest.hex for p, e in found.tree.items() if not globs or matches(p, globs)}
    remember(dest, yard_url, done, digests, whole=not globs)
    return done


def remember(
    dest: Path, yard_url: str, done: CheckedOut, digests: Mapping[str, str], *, whole: bool
) -> None:
    """Note in a folder what was checked out into it."""
    files = {}
    for path, sha256 in digests.items():
        status_of = os.lstat(dest / path)
        files[path] = _seen(status_of, sha256)
    marker = _Marker(yard_url, done.model, done.number, done.branch, whole, files)
    _write(dest, marker)


def open_checkout(folder: Path) -> Checkout:
    """The checkout that a folder is in. NotFound: `no-checkout`."""
    folder = folder.absolute()
    for root in (folder, *folder.parents):
        place = root / _FOLDER / _MARKER
        if place.is_file():
            try:
                marker = decode_json(place.read_bytes(), _Marker)
            except (msgspec.MsgspecError, OSError) as error:
                raise InvalidInput(
                    "bad-checkout", f"{place} can't be read: {error}", hint="check out again"
                ) from None
            return Checkout(
                root, marker.yard, marker.model, marker.number, marker.branch, marker.whole,
                marker.files,
            )  # fmt: skip
    raise NotFound(
        "no-checkout", f"{folder} is in no checkout", hint="yard checkout MODEL DEST makes one"
    )


def status(checkout: Checkout) -> tuple[LocalChange, ...]:
    """What changed in the folder since; files that look untouched are not read."""
    there = {file.path: file for file in _collect(checkout.root)}
    changes = []
    for path, seen in checkout.files.items():
        file = there.pop(path, None)
        if file is None:
            changes.append(LocalChange(path, "removed"))
        elif not _untouched(checkout.root / path, file.status, seen):
            changes.append(LocalChange(path, "changed"))
    changes += [LocalChange(path, "added") for path in there]
    return tuple(sorted(changes, key=lambda change: change.path))


def commit(
    yard: Yard,
    checkout: Checkout,
    message: str,
    *,
    branch: str | None = None,
    progress: Callable[[Progress], None] | None = None,
    **options: Any,
) -> Committed:
    """Commit the folder to its branch, or to a new one."""
    target = branch or checkout.branch
    if target is None:
        raise Conflict(
            "detached", f"{checkout.model}@{checkout.number} was not checked out from a branch",
            hint="name one with --branch",
        )  # fmt: skip
    changes = status(checkout)
    if not checkout.whole:
        wanted = [glob.escape(c.path) for c in changes if c.change != "removed"]
        if not wanted:
            raise InvalidInput("nothing-to-commit", "no file was changed or added")
        options["only"] = wanted
    done = yard.commit(
        checkout.model, checkout.root,
        message=message, branch=target, parent=checkout.number, progress=progress, **options,
    )  # fmt: skip
    files = {file.path: file for file in _collect(checkout.root)}
    digests = {f.path: f.sha256 for f in yard.show(done.model, done.number).files}
    marker = _Marker(
        checkout.yard_url, done.model, done.number, target, checkout.whole,
        {p: _seen(files[p].status, sha) for p, sha in digests.items() if p in files},
    )  # fmt: skip
    _write(checkout.root, marker)
    return done


def pull(
    yard: Yard,
    checkout: Checkout,
    revision: str | int | None = None,
    *,
    progress: Callable[[Progress], None] | None = None,
) -> CheckedOut:
    """Bring the folder to another version; local changes stay, or all is refused."""
    if revision is None:
        revision = checkout.branch
    info = yard.resolve(checkout.model, revision)
    target = {f.path: f.sha256 for f in yard.show(checkout.model, info.number).files}
    before = {path: seen.sha256 for path, seen in checkout.files.items()}
    if not checkout.whole:
        target = {path: sha for path, sha in target.items() if path in before}
    incoming = {p: sha for p, sha in target.items() if before.get(p) != sha}
    leaving = [path for path in before if path not in target]
    touched = {change.path for change in status(checkout)}
    conflicts = [
        path
        for path in (*incoming, *leaving)
        if path in touched and not _is(checkout.root / path, target.get(path))
    ]
    if conflicts:
        shown = listed(conflicts, 10)
        raise Conflict(
            "local-changes", f"changed here and in {checkout.model}@{info.number}: {shown}",
            hint="commit to another branch with --branch, or put the files aside",
        )  # fmt: skip
    done = _apply(yard, checkout, info.number, incoming, leaving, progress)
    done = replace(done, branch=_branch(yard, checkout, revision, info.number))
    kept = {p: s for p, s in checkout.files.items() if p in target and p not in incoming}
    fresh = {p: _seen(os.lstat(checkout.root / p), sha) for p, sha in incoming.items()}
    marker = _Marker(
        checkout.yard_url, done.model, done.number, done.branch, checkout.whole, kept | fresh
    )
    _write(checkout.root, marker)
    return done


def _apply(
    yard: Yard,
    checkout: Checkout,
    number: int,
    incoming: Mapping[str, str],
    leaving: list[str],
    progress: Callable[[Progress], None] | None,
) -> CheckedOut:
    root = checkout.root
    room = root / _FOLDER / "incoming"
    shutil.rmtree(room, ignore_errors=True)
    try:
        globs = [glob.escape(path) for path in incoming] or ["\0"]
        done = None
        if incoming:
            done = yard.checkout(checkout.model, number, room, files=globs, progress=progress)
        for path in incoming:
            place = root / path
            place.parent.mkdir(parents=True, exist_ok=True)
            os.replace(room / path, place)
        for path in leaving:
            (root / path).unlink(missing_ok=True)
            _remove_empty(root, (root / path).parent)
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise Conflict("local-changes", f"{error.filename} is in the way") from None
    except OSError as error:
        raise Unavailable("dest-io", f"{error.filename}: {error.strerror}") from error
    finally:
        shutil.rmtree(room, ignore_errors=True)
    info = yard.resolve(checkout.model, number)
    return CheckedOut(
        model=info.model, number=number, commit=info.commit, branch=None, dest=str(root),
        files=len(incoming), size=done.size if done else 0, seconds=done.seconds if done else 0.0,
    )  # fmt: skip


def _branch(yard: Yard, checkout: Checkout, revision: str | int | None, number: int) -> str | None:
    branches = {r.name: r.number for r in yard.refs(checkout.model) if r.kind == "branch"}
    if revision is None:
        return MAIN if branches.get(MAIN) == number else None
    return str(revision) if str(revision) in branches else None


def _collect(root: Path) -> list[Any]:
    try:
        return collect(root)
    except InvalidInput as error:
        if error.kind == "nothing-to-commit":
            return []
        raise


def _seen(status_of: os.stat_result, sha256: str) -> _Seen:
    executable = bool(status_of.st_mode & stat.S_IXUSR) and not stat.S_ISLNK(status_of.st_mode)
    return _Seen(sha256, status_of.st_size, status_of.st_mtime_ns, executable)


def _untouched(place: Path, status_of: os.stat_result, seen: _Seen) -> bool:
    now = _seen(status_of, seen.sha256)
    if now == seen:
        return True
    if (now.size, now.executable) != (seen.size, seen.executable):
        return False
    return _is(place, seen.sha256)


def _is(place: Path, sha256: str | None) -> bool:
    """Whether a path holds this content; None stands for nothing at all."""
    if sha256 is None or not os.path.lexists(place):
        return sha256 is None and not os.path.lexists(place)
    if place.is_symlink():
        from modelyard.core.digest import Digest

        return Digest.of(os.fsencode(os.readlink(place))).hex == sha256
    return place.is_file() and digest_of(place).hex == sha256


def _write(root: Path, marker: _Marker) -> None:
    folder = root / _FOLDER
    part = folder / f"{_MARKER}.part"
    try:
        folder.mkdir(exist_ok=True)
        part.write_bytes(msgspec.json.encode(marker))
        part.rename(folder / _MARKER)
    except PermissionError:
        raise Denied("no-permission", f"{folder} can't be written") from None
    except OSError as error:
        raise Unavailable("dest-io", f"{folder}: {error.strerror}") from error


def _remove_empty(root: Path, folder: Path) -> None:
    while folder != root and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent
