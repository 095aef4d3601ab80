"""Commit: files of this machine become the next version of a model."""

from __future__ import annotations

import io
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from modelyard.catalog.queries import blobs
from modelyard.catalog.queries.readable import sees_all
from modelyard.core.digest import Digest
from modelyard.core.globs import matches
from modelyard.core.manifest import MANIFEST_PATH, Manifest
from modelyard.core.merge import REGULAR, SYMLINK, Entry, is_hidden
from modelyard.core.names import MAIN, ModelName, RefName, parse_label
from modelyard.core.version import Committed, Progress
from modelyard.errors import Conflict, InvalidInput, Unavailable
from modelyard.formats import external_tensors, inspect
from modelyard.formats.folder import SHARDS, between, shards_of
from modelyard.history.trees import is_inline
from modelyard.registry.base import Base, find_base
from modelyard.registry.blobs import NewBlob, ParentFiles, dangers_of
from modelyard.registry.collect import collect
from modelyard.registry.given import OnDisk
from modelyard.registry.inspections import inspection_of
from modelyard.registry.new_text import new_text
from modelyard.registry.publish import (
    BranchMoved,
    ContentGone,
    Draft,
    card_of,
    manifest_of,
    publish,
    still_holds,
)
from modelyard.store.ingest import Ingest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from modelyard.catalog.queries.blobs import BlobRow, PlaceRow
    from modelyard.catalog.queries.versions import VersionRow
    from modelyard.core.merge import Tree
    from modelyard.core.tensor import TensorInfo
    from modelyard.registry.collect import LocalFile
    from modelyard.registry.given import Given
    from modelyard.registry.house import House
    from modelyard.store.writer import Session

__all__ = ["Request", "commit", "commit_files", "wanted_files"]

_INLINE = 100_000
_LARGE = 4 << 20
_TRIES = 6
_QUIET = ("text", "unknown")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What somebody wants to commit."""

    model: ModelName
    source: Path | None
    """A file or a folder of this machine; None if the files come from elsewhere."""
    message: str = ""
    branch: str | None = None
    parent: str | int | None = None
    only: Sequence[str] = ()
    manifest: Manifest = field(default_factory=Manifest)
    labels: Mapping[str, str] = field(default_factory=dict)
    author: str
    kind: str = "model"
    scan: bool = True
    keep: Callable[[str], bool] | None = None
    """Which files of the parent stay beside those of `source`; none of them if not given."""


def commit(house: House, request: Request, report: Callable[[Progress], None]) -> Committed:
    """Store what is new, then publish; again if the branch moved or gc was faster."""
    files = [OnDisk(file) for file in wanted_files(request)]
    return commit_files(house, request, files, report)


def wanted_files(request: Request) -> list[LocalFile]:
    """What a commit takes from the disk. InvalidInput: `nothing-to-commit`."""
    if request.source is None:
        raise AssertionError("there is nothing to collect from")
    files = collect(request.source)
    if request.only:
        files = [file for file in files if matches(file.path, request.only)]
        if not files:
            raise InvalidInput(
                "nothing-to-commit",
                "no file fits --only",
                hint="globs match paths or names: '*.onnx'",
            )
    return files


def commit_files(
    house: House,
    request: Request,
    files: Sequence[Given],
    report: Callable[[Progress], None],
    ingest_for: Callable[[Session], Ingest] | None = None,
) -> Committed:
    """The next version out of these files.

    Args:
        ingest_for: What stores them, for each attempt; it may know of less than the store holds.
    """
    started = time.monotonic()
    for _ in range(_TRIES):
        session = house.session()
        try:
            ingest = ingest_for(session) if ingest_for else _ingest(house, session)
            work = _Commit(house, request, files, ingest, report)
            done = _published(house, work, blind=ingest_for is None and not sees_all(house.caller))
            return replace(done, seconds=round(time.monotonic() - started, 3))
        except BranchMoved:
            if request.parent is not None:
                raise _stale(request) from None
        except ContentGone:
            continue
        finally:
            session.close()
    raise Unavailable("busy-branch", "others commit to this branch all the time", hint="try again")


def _ingest(house: House, session: Session) -> Ingest:
    return Ingest(session, house.reader, house.pool)


def _published(house: House, work: _Commit, *, blind: bool) -> Committed:
    """Prepare and publish.

    Args:
        blind: Whether nothing may be told of what other models have in the store.
    """
    if work.is_large:
        draft = work.prepare()
    else:
        with house.catalog.read():  # one view for all the small questions
            draft = work.prepare()
    if isinstance(draft, Committed):
        return draft
    if blind:
        work.ingest.session.new_bytes = work.not_of_base
    work.ingest.session.new_bytes += work.new_text
    return replace(publish(house, work.ingest, draft), warnings=tuple(work.dangers))


def manifest_entry(manifest: Manifest) -> dict[str, Entry]:
    """The manifest as a file of the tree; none if it says nothing."""
    if manifest == Manifest():
        return {}
    content = manifest.encode()
    return {MANIFEST_PATH: Entry(REGULAR, Digest.of(content), len(content), content)}


def _stale(request: Request) -> Conflict:
    return Conflict(
        "branch-moved", f"{request.branch or MAIN} of {request.model} moved while you worked",
        hint="yard pull, or commit to another branch with --branch",
    )  # fmt: skip


class _Commit:
    """One attempt."""

    def __init__(
        self,
        house: House,
        request: Request,
        files: Sequence[Given],
        ingest: Ingest,
        report: Callable[[Progress], None],
    ) -> None:
        self.house = house
        self.request = request
        self.files = files
        self.ingest = ingest
        self.blobs: dict[Digest, BlobRow | NewBlob] = {}
        self.places: list[tuple[PlaceRow, Digest]] = []
        self.external: dict[str, Sequence[TensorInfo]] = {}
        self.formats: set[str] = set()
        self.frameworks: set[str] = set()
        self.dangers: list[str] = []
        self.named: dict[str, Sequence[str]] = {}
        """Other files that are named in files of ours."""
        self.not_of_base = 0
        """Bytes of large files that the version below does not have."""
        self.new_text = 0
        """About how many bytes the files take that git holds itself: they come with the commit."""
        self._report = report
        self._done = 0
        self._total = sum(file.size for file in files)
        ingest.report = self._count

    @property
    def is_large(self) -> bool:
        return self._total > _LARGE

    def prepare(self) -> Draft | Committed:
        """Store the content; the finished answer if there is nothing new."""
        request = self.request
        branch = RefName.parse(MAIN if request.branch is None else request.branch)
        base = find_base(self.house, request.model, branch, request.parent)
        tree = self._kept(base) | self._entries(base)
        self._look_around(tree)
        if base.version is not None and base.branch_exists and self._unchanged(base, tree):
            self._remember_places()
            return _nothing_new(request, branch, base.version)
        manifest = self._manifest(base, tree)
        kept = {e.digest: row for p, row in base.blobs.items() if (e := tree.get(p)) is not None
                and e.inline is None and e.digest.raw == row.sha256}  # fmt: skip
        self._note_formats(kept.values())
        known = {row.sha256 for row in base.blobs.values()}
        self.not_of_base = sum(
            e.size for e in tree.values() if e.inline is None and e.digest.raw not in known
        )
        self.new_text = new_text(base.tree, tree)
        card = card_of(tree)
        labels = {**(card.labels if card else {}), **request.labels}
        return Draft(
            model=request.model,
            branch=branch,
            tree=tree | manifest_entry(manifest),
            manifest=manifest,
            message=request.message,
            author=request.author,
            kind=request.kind,
            base=base.version.number if base.version else None,
            fixed=bool(request.only) or request.parent is not None or bool(self._kept(base)),
            blobs=kept | self.blobs,
            places=self.places,
            labels=labels,
            card=card,
            formats=tuple(sorted(self.formats.difference(_QUIET))),
            framework=manifest.framework or self._framework_of(base, tree),
        )

    def _kept(self, base: Base) -> dict[str, Entry]:
        """What the version has from its parent."""
        keep = self.request.keep
        if not self.request.only and keep is None:
            return {}
        return {
            path: entry
            for path, entry in base.tree.items()
            if not is_hidden(path) and (keep is None or keep(path))
        }

    def _look_around(self, tree: Tree) -> None:
        """Dangers across files, such as shards that lie behind a link; `describe` tells all."""
        if not self.request.scan or not self.named:
            return
        links = [path for path, entry in tree.items() if entry.mode == SYMLINK]
        for found in between(tree, links, self.named):
            told = f"{found.where}: {found.message}"
            if found.severity == "danger" and told not in self.dangers:
                self.dangers.append(told)

    def _entries(self, base: Base) -> dict[str, Entry]:
        parent = ParentFiles(self.house, base.blobs)
        entries = {}
        # ONNX files first: they tell where tensors lie in the files beside them
        for file in sorted(self.files, key=lambda file: not file.path.endswith(".onnx")):
            entries[file.path] = self._entry(file, parent)
        return entries

    def _entry(self, file: Given, parent: ParentFiles) -> Entry:
        if file.mode == SYMLINK:
            target = file.content() or b""
            return Entry(SYMLINK, Digest.of(target), len(target), target)
        if file.size < _INLINE:
            content = file.content()
            if content is not None and is_inline(file.path, content):
                self._look_into(file.path, content)
                self._count(len(content))
                return Entry(file.mode, Digest.of(content), len(content), content)
        stored = self._stored(file, parent)
        digest = _digest(stored)
        self.blobs[digest] = stored
        self._note(file, stored)
        return Entry(file.mode, digest, stored.size, None)

    def _look_into(self, path: str, content: bytes) -> None:
        """A small text may be a model too, or pretend to be one."""
        found = inspect(io.BytesIO(content), path, scan=self.request.scan)
        self.formats.add(found.format)
        self.dangers += dangers_of(found)
        if path.endswith(SHARDS):
            self.named[path] = shards_of(io.BytesIO(content))
        if found.framework:
            self.frameworks.add(found.framework)

    def _stored(self, file: Given, parent: ParentFiles) -> BlobRow | NewBlob:
        seen = file.place
        if seen is not None:
            with self.house.catalog.read() as connection:
                row = blobs.find_place(connection, seen)
            if row is not None:
                self._count(row.size)
                return row
        is_settled = file.is_settled
        stored = file.store(
            self.house, self.ingest, parent,
            external=self.external.get(file.path, ()), scan=self.request.scan,
        )  # fmt: skip
        if seen is not None and is_settled:
            self.places.append((seen, _digest(stored)))
        return stored

    def _remember_places(self) -> None:
        """Files that were read for nothing need not be read again."""
        known = {d: row.id for d, row in self.blobs.items() if not isinstance(row, NewBlob)}
        seen = [(place, known[digest]) for place, digest in self.places if digest in known]
        if seen:
            self.house.catalog.write(lambda c: blobs.remember_places(c, seen))

    def _note(self, file: Given, stored: BlobRow | NewBlob) -> None:
        self.formats.add(stored.format)
        if isinstance(stored, NewBlob):
            self.dangers += stored.dangers
            if stored.framework:
                self.frameworks.add(stored.framework)
            tensors = stored.external
        elif stored.format == "onnx":
            found = inspection_of(self.house, stored)
            if found.framework:
                self.frameworks.add(found.framework)
            tensors = external_tensors(found)
        else:
            return
        if stored.format == "onnx" and tensors:
            self.named[file.path] = list(tensors)
        folder = file.path.rpartition("/")[0]
        for path, infos in tensors.items():
            self.external[f"{folder}/{path}" if folder else path] = infos

    def _framework_of(self, base: Base, tree: Tree) -> str | None:
        """Of its files, or that of the version below if a model of that one is in it still."""
        if self.frameworks or base.version is None:
            return min(self.frameworks, default=None)
        there = {entry.digest.raw for entry in tree.values() if entry.inline is None}
        models = [row for row in base.blobs.values() if row.format not in _QUIET]
        is_there = any(row.sha256 in there for row in models)
        return (base.version.framework or None) if is_there else None

    def _note_formats(self, rows: Any) -> None:
        self.formats.update(row.format for row in rows)

    def _unchanged(self, base: Base, tree: Tree) -> bool:
        before = {path: entry for path, entry in base.tree.items() if not is_hidden(path)}
        if before.keys() != tree.keys():
            return False
        same = all(
            (e.mode, e.digest) == (tree[path].mode, tree[path].digest) for path, e in before.items()
        )
        if not same:
            return False
        old = base.tree.get(MANIFEST_PATH)
        if self.request.manifest == Manifest():
            return True
        given = manifest_entry(self._manifest(base, tree)).get(MANIFEST_PATH)
        return given is not None and old is not None and old.digest == given.digest

    def _manifest(self, base: Base, tree: Tree) -> Manifest:
        """What was given, and what the parent says of what did not change.

        An object that is still there stays described. Metrics still hold if only Markdown changed.
        """
        given, old = self.request.manifest, manifest_of(base.tree)
        if given.saved is None and still_holds(old, base.tree, tree):
            return _joined(old, given)
        if given != Manifest() or _but_words(tree) != _but_words(base.tree):
            return given
        return old

    def _count(self, size: int) -> None:
        self._done += size
        self._report(Progress("store", self._done, self._total))


def _joined(old: Manifest, given: Manifest) -> Manifest:
    """What an object's manifest says, with what was given now."""
    return replace(
        old,
        params={**old.params, **given.params},
        metrics={**old.metrics, **given.metrics},
        data={**(old.data or {}), **(given.data or {})} or None,
        lineage=(*old.lineage, *(edge for edge in given.lineage if edge not in old.lineage)),
    )


def _digest(stored: BlobRow | NewBlob) -> Digest:
    return stored.sha256 if isinstance(stored, NewBlob) else Digest(stored.sha256)


def _but_words(tree: Tree) -> dict[str, Digest]:
    """The files that make the model what it is: all but Markdown."""
    return {
        path: entry.digest
        for path, entry in tree.items()
        if not path.endswith(".md") and not is_hidden(path)
    }


def _nothing_new(request: Request, branch: RefName, row: VersionRow) -> Committed:
    return Committed(
        model=request.model.text, number=row.number, commit=row.commit_id.hex(),
        branch=branch.text, size=row.size, new_bytes=0, files=row.files, seconds=0.0,
        created=False,
    )  # fmt: skip


def checked_labels(labels: Mapping[str, str] | None) -> dict[str, str]:
    """Labels by the grammar of names."""
    return dict(parse_label(f"{k}={v}" if v else k) for k, v in (labels or {}).items())
