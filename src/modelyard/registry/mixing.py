"""Mix: the weights of several versions become those of a new one, which has them as parents."""

from __future__ import annotations

import time
from dataclasses import fields, replace
from typing import TYPE_CHECKING

import numpy as np

from modelyard.core.digest import Digest
from modelyard.core.lineage import LineageEdge
from modelyard.core.merge import Entry
from modelyard.core.names import ModelName, RefName
from modelyard.core.version import Committed, Mixed, Progress
from modelyard.errors import Conflict, InvalidInput, Unavailable
from modelyard.formats import Inspection
from modelyard.history.trees import is_inline
from modelyard.registry.blobs import Made, NewBlob, ParentFiles, open_blob, store_made
from modelyard.registry.branching import branch_of
from modelyard.registry.commit import manifest_entry
from modelyard.registry.files import contents_of
from modelyard.registry.lookup import find_model, find_version
from modelyard.registry.mixing_plan import conflict, plan
from modelyard.registry.mixing_sources import base_of, check_different
from modelyard.registry.mixing_stream import MixedFile, Mixer
from modelyard.registry.mixing_texts import Known, renamed_index
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
    from collections.abc import Callable, Sequence

    from modelyard.catalog.queries.blobs import BlobRow
    from modelyard.core.manifest import Manifest
    from modelyard.core.mixing import Mix
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
        row = find_model(connection, model, house.caller)
        found = [find_version(connection, row, source) for source in sources]
        check_different(found)
        below = base_of(connection, row, found, base) if wish.needs_base else None
        branch = branch_of(connection, row, found[0], into, option="--into")
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
        mixer = Mixer(self._house, self._mix, planned)
        session = self._house.session()
        try:
            ingest = Ingest(session, self._house.reader, self._house.pool, self._count)
            tree = self._kept(planned)
            self._rename_in_indexes(tree, planned, ingest)
            with self._house.reader.side_by_side():
                for target in planned.targets:
                    tree[target.path] = self._entry(ingest, MixedFile(mixer, target), target.mode)
            if mixer.differing:
                raise conflict([f"{name}: whole numbers that differ" for name in mixer.differing])
            done = publish(self._house, ingest, self._draft(tree, planned))
        finally:
            session.close()
        known = {field.name: getattr(done, field.name) for field in fields(Committed)}
        warnings = tuple(_warnings(planned))
        return Mixed(
            **known | {"warnings": warnings}, tensors=planned.tensors, read_bytes=mixer.read
        )

    def _count(self, size: int) -> None:
        self._stored += size
        self._report(Progress("mix", min(self._stored, self._total), self._total))

    # -- files -----------------------------------------------------------------------------------

    def _kept(self, planned: Plan) -> dict[str, Entry]:
        """What the new version has from the first as it is."""
        gone = {*planned.renamed, *(target.path for target in planned.targets)}
        kept = {path: entry for path, entry in self._first.tree.items() if path not in gone}
        for entry in kept.values():
            if entry.inline is None:
                self._blobs[entry.digest] = self._first.blob(entry)
        return kept

    def _rename_in_indexes(self, tree: dict[str, Entry], planned: Plan, ingest: Ingest) -> None:
        """Indexes of shards say the new names, and are named as those of safetensors are."""
        indexes = [path for path in tree if planned.renamed and path.endswith(".index.json")]
        for path in indexes:
            content = renamed_index(self._read(tree[path]), path, planned.renamed)
            if content is None:
                continue
            new = path.replace("pytorch_model.bin.index", "model.safetensors.index")
            tree[new] = self._entry(
                ingest,
                Known(new, np.frombuffer(content, np.uint8), Inspection("text")),
                tree.pop(path).mode,
            )

    def _read(self, entry: Entry) -> bytes:
        if entry.inline is not None:
            return entry.inline
        blob = open_blob(self._house, self._first.blob(entry))
        return blob.read(0, blob.size).tobytes() if blob.size <= _LARGEST_INDEX else b""

    def _entry(self, ingest: Ingest, made: Made, mode: int) -> Entry:
        if made.size < _INLINE:
            content = np.empty(made.size, np.uint8)
            made.fill(0, content)
            if is_inline(made.path, content.tobytes()):
                return Entry(mode, Digest.of(content.data), made.size, content.tobytes())
            made = Known(made.path, content, made.inspection)
        rows = {
            path: self._first.blob(entry)
            for path, entry in self._first.tree.items()
            if entry.inline is None
        }
        stored = store_made(ingest, made, ParentFiles(self._house, rows))
        self._blobs[stored.sha256] = stored
        return Entry(mode, stored.sha256, stored.size, None)

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


def _warnings(planned: Plan) -> list[str]:
    told = [
        f"{old} became {new}: tensors alone, whatever else the file held"
        for old, new in planned.renamed.items()
    ]
    return told + [f"{path} is that of the first version, not mixed" for path in planned.training]
