"""Mix: the weights of several versions become those of a new one, which has them as parents."""

from __future__ import annotations

import io
import json
import tempfile
import time
from dataclasses import fields, replace
from typing import TYPE_CHECKING, BinaryIO, cast

from modelyard.catalog.queries import refs, versions
from modelyard.core.digest import Digest
from modelyard.core.lineage import LineageEdge, ancestors
from modelyard.core.merge import Entry
from modelyard.core.mixing import Mix
from modelyard.core.names import MAIN, ModelName, RefName
from modelyard.core.version import Committed, Mixed, Progress
from modelyard.errors import Conflict, InvalidInput, Unavailable
from modelyard.history.trees import is_inline
from modelyard.registry.blobs import NewBlob, ParentFiles, open_blob, store_opened
from modelyard.registry.commit import manifest_entry
from modelyard.registry.files import contents_of
from modelyard.registry.lookup import find_model, find_version
from modelyard.registry.mixing_plan import plan
from modelyard.registry.mixing_stream import Stream
from modelyard.registry.publish import (
    BranchMoved,
    ContentGone,
    Draft,
    card_of,
    manifest_of,
    publish,
)
from modelyard.store.ingest import Ingest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import sqlalchemy as sa

    from modelyard.catalog.queries.blobs import BlobRow
    from modelyard.catalog.queries.models import ModelRow
    from modelyard.catalog.queries.versions import VersionRow
    from modelyard.core.manifest import Manifest
    from modelyard.core.merge import Tree
    from modelyard.registry.files import Contents
    from modelyard.registry.house import House
    from modelyard.registry.mixing_plan import Plan

__all__ = ["mix"]

_INLINE = 100_000
_LARGEST_INDEX = 64 << 20
_TRIES = 3

Rev = str | int | None


def mix(
    house: House,
    model: str,
    sources: Sequence[Rev],
    wish: Mix,
    *,
    base: Rev,
    into: str | None,
    message: str,
    report: Callable[[Progress], None],
) -> Mixed:
    """Mix, store, publish. Until the last step nothing that was done can be seen."""
    started = time.monotonic()
    with house.catalog.read() as connection:
        row = find_model(connection, model)
        found = [find_version(connection, row, source) for source in sources]
        _check_different(found)
        below = _base(connection, row, found, base) if wish.needs_base else None
        branch = _branch(connection, row, found[0], into)
    if base is not None and not wish.needs_base:
        raise InvalidInput("bad-mix", f"{wish.method} has no base", hint="leave out --base")
    contents = [contents_of(house, row, version) for version in found]
    under = None if below is None else contents_of(house, row, below)
    for _ in range(_TRIES):
        work = _Mixture(house, wish, contents, under, branch, message, report)
        try:
            done = work.run()
        except ContentGone:
            continue
        except BranchMoved:
            raise Conflict(
                "branch-moved", f"{branch} of {row.name} moved meanwhile", hint="try again"
            ) from None
        return replace(done, seconds=round(time.monotonic() - started, 3))
    raise Unavailable("busy-store", "gc takes chunks faster than they are sent", hint="try again")


def _check_different(found: Sequence[VersionRow]) -> None:
    numbers = [version.number for version in found]
    twice = next((number for number in numbers if numbers.count(number) > 1), None)
    if twice is not None:
        raise InvalidInput(
            "bad-mix", f"version {twice} is named twice", hint="give it a larger weight instead"
        )


def _base(
    connection: sa.Connection, model: ModelRow, found: Sequence[VersionRow], named: Rev
) -> VersionRow:
    """The version that was named, or else the newest that all came from."""
    if named is not None:
        return find_version(connection, model, named)
    hint = "--base REV names the version that all were tuned from"
    if len(found) == 1:
        raise InvalidInput("no-base", "one version alone has no base in common", hint=hint)
    rows = versions.all_of(connection, model.id)
    parents = {version.number: version.parent_numbers for version in rows}
    lines = [set(ancestors(version.number, parents.__getitem__)) for version in found]
    common = set.intersection(*lines)
    if not common:
        shown = " and ".join(str(version.number) for version in found)
        raise InvalidInput(
            "no-base", f"versions {shown} of {model.name} have no ancestor in common", hint=hint
        )
    return find_version(connection, model, max(common))  # descendants have higher numbers


def _branch(
    connection: sa.Connection, model: ModelRow, first: VersionRow, into: str | None
) -> RefName:
    """The branch that gets the new version: the first version's, or a new one that begins there."""
    hint = "--into NEW begins a new branch there"
    if into is None:
        tips = [
            ref.name
            for ref in refs.of_models(connection, [model.id])
            if ref.kind == "branch" and ref.number == first.number
        ]
        if not tips:
            raise InvalidInput(
                "not-a-tip", f"version {first.number} is the tip of no branch", hint=hint
            )
        return RefName.parse(MAIN if MAIN in tips else min(tips))
    name = RefName.parse(into)
    ref = refs.get(connection, model.id, name.text)
    if ref is not None and ref.kind != "branch":
        raise Conflict(
            "not-a-branch", f"{name} is a {ref.kind} of {model.name}",
            hint="give a branch; yard log shows them",
        )  # fmt: skip
    if ref is not None and ref.number != first.number:
        raise InvalidInput(
            "not-a-tip",
            f"{name} is at version {ref.number}, the first version named is {first.number}",
            hint=f"name {name} first, or a new branch with --into",
        )
    return name


class _Mixture:
    """One attempt."""

    def __init__(
        self,
        house: House,
        wish: Mix,
        contents: Sequence[Contents],
        base: Contents | None,
        branch: RefName,
        message: str,
        report: Callable[[Progress], None],
    ) -> None:
        self._house = house
        self._mix = wish
        self._contents = contents
        self._first = contents[0]
        self._base = base
        self._branch = branch
        self._message = message
        self._report = report
        self._blobs: dict[Digest, BlobRow | NewBlob] = {}
        self._stored = 0
        self._total = 0

    def run(self) -> Mixed:
        planned = plan(self._house, self._contents, self._base)
        self._total = sum(target.size for target in planned.targets)
        stream = Stream(self._house, self._mix, planned, self._report)
        session = self._house.session()
        try:
            ingest = Ingest(session, self._house.reader, self._house.pool, self._count)
            tree = self._kept(planned)
            self._rename_in_indexes(tree, planned, ingest)
            for target in planned.targets:
                with self._file() as file:
                    stream.write(target, file.fileno())
                    old = next((o for o, n in planned.renamed.items() if n == target.path), None)
                    mode = self._first.tree[old or target.path].mode
                    tree[target.path] = self._entry(ingest, file, target.path, mode)
            done = publish(self._house, ingest, self._draft(tree, planned))
        finally:
            session.close()
        known = {field.name: getattr(done, field.name) for field in fields(Committed)}
        warnings = tuple(_warnings(planned))
        return Mixed(
            **known | {"warnings": warnings}, tensors=planned.tensors, read_bytes=stream.read
        )

    def _count(self, size: int) -> None:
        self._stored += size
        self._report(Progress("store", min(self._stored, self._total), self._total))

    # -- files -----------------------------------------------------------------------------------

    def _kept(self, planned: Plan) -> dict[str, Entry]:
        """What the new version has from the first as it is."""
        gone = {*planned.left_out, *planned.renamed, *(target.path for target in planned.targets)}
        kept = {path: entry for path, entry in self._first.tree.items() if path not in gone}
        for entry in kept.values():
            if entry.inline is None:
                self._blobs[entry.digest] = self._first.blob(entry)
        return kept

    def _rename_in_indexes(self, tree: dict[str, Entry], planned: Plan, ingest: Ingest) -> None:
        """Indexes of shards say the new names, and are named as those of safetensors are."""
        indexes = [path for path in tree if planned.renamed and path.endswith(".index.json")]
        for path in indexes:
            content = _renamed_index(self._read(tree[path]), path, planned.renamed)
            if content is None:
                continue
            new = path.replace("pytorch_model.bin.index", "model.safetensors.index")
            with self._file() as file:
                file.write(content)
                file.flush()
                tree[new] = self._entry(ingest, file, new, tree.pop(path).mode)

    def _read(self, entry: Entry) -> bytes:
        if entry.inline is not None:
            return entry.inline
        blob = open_blob(self._house, self._first.blob(entry))
        return blob.read(0, blob.size).tobytes() if blob.size <= _LARGEST_INDEX else b""

    def _file(self) -> BinaryIO:
        """A file without a name in the yard's folder: whatever happens, nothing of it stays."""
        try:
            return cast("BinaryIO", tempfile.TemporaryFile(dir=self._house.root))
        except OSError as error:
            raise Unavailable("folder-io", f"{self._house.root}: {error.strerror}") from error

    def _entry(self, ingest: Ingest, file: BinaryIO, path: str, mode: int) -> Entry:
        file.seek(0, io.SEEK_END)
        if file.tell() < _INLINE:
            file.seek(0)
            content = file.read()
            if is_inline(path, content):
                return Entry(mode, Digest.of(content), len(content), content)
        rows = {
            other: self._first.blob(entry)
            for other, entry in self._first.tree.items()
            if entry.inline is None
        }
        stored = store_opened(self._house, ingest, file, path, ParentFiles(self._house, rows))
        digest = stored.sha256 if isinstance(stored, NewBlob) else Digest(stored.sha256)
        self._blobs[digest] = stored
        return Entry(mode, digest, stored.size, None)

    # -- the version -----------------------------------------------------------------------------

    def _draft(self, tree: dict[str, Entry], planned: Plan) -> Draft:
        first = self._first.version
        manifest = self._manifest(planned)
        card = card_of(tree)
        wanted = {e.digest for e in tree.values() if e.inline is None}
        formats = {blob.format for blob in self._blobs.values()} & {"safetensors", "torch"}
        formats |= {*first.formats.split()} - ({"torch"} if planned.renamed else set())
        return Draft(
            model=ModelName(self._first.model.name), branch=self._branch,
            tree=tree | manifest_entry(manifest), manifest=manifest,
            message=self._message or self._said(), author=self._house.author,
            base=first.number, start=first.number, fixed=True,
            merged=tuple(other.version.number for other in self._contents[1:]),
            blobs={digest: blob for digest, blob in self._blobs.items() if digest in wanted},
            card=card, labels=card.labels if card else {}, formats=tuple(sorted(formats)),
            framework=first.framework,
        )  # fmt: skip

    def _manifest(self, planned: Plan) -> Manifest:
        """How the object loads stays; how it was trained and what was measured does not."""
        old = manifest_of(self._first.all_files)
        params = self._mix.params()
        if self._base is not None:
            params["merge.base"] = self._base.version.number
        edges = [LineageEdge("merged-from", found.title) for found in self._contents]
        return replace(
            old, params=params, metrics={}, code=None, data=None,
            saved=None if planned.renamed else old.saved,
            lineage=tuple(edge.encode() for edge in edges),
        )  # fmt: skip

    def _said(self) -> str:
        numbers = [str(found.version.number) for found in self._contents]
        *others, last = numbers
        shown = f"{', '.join(others)} and {last}" if others else last
        return f"Merge {shown} by {self._mix}"


def _renamed_index(content: bytes, path: str, renamed: Mapping[str, str]) -> bytes | None:
    """An index with new names of files; None if it names none that changed."""
    folder = path.rpartition("/")[0]
    names = {
        old.rpartition("/")[2]: new.rpartition("/")[2]
        for old, new in renamed.items()
        if old.rpartition("/")[0] == folder
    }
    try:
        index = json.loads(content)
        files = index["weight_map"]
        if not any(name in names for name in files.values()):
            return None
        index["weight_map"] = {key: names.get(name, name) for key, name in files.items()}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return (json.dumps(index, indent=2, ensure_ascii=False) + "\n").encode()


def _warnings(planned: Plan) -> list[str]:
    told = [
        f"{old} became {new}: tensors alone, whatever else the file held"
        for old, new in planned.renamed.items()
    ]
    return told + [f"{path} was left out: it fits other weights" for path in planned.left_out]
