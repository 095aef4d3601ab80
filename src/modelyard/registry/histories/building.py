"""One step of a history becomes the content, the tree and the commit of a version."""

from __future__ import annotations

import io
import os
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from modelyard.catalog.queries import blobs
from modelyard.core.digest import Digest
from modelyard.core.manifest import MANIFEST_PATH, Manifest
from modelyard.core.merge import EXECUTABLE, REGULAR, SYMLINK, Entry, Places, is_hidden
from modelyard.core.version import Finding
from modelyard.errors import InvalidInput, ModelyardError
from modelyard.formats import Inspection, external_tensors, inspect
from modelyard.history.commits import read_commit, write_commit
from modelyard.history.gitobject import COMMIT, TREE, GitObject
from modelyard.history.paths import check_path, check_symlink
from modelyard.history.trees import INLINE_LIMIT, is_inline, read_tree, write_tree
from modelyard.registry.blobs import NewBlob, ParentFiles, dangers_of, new_blob, store_file
from modelyard.registry.card import CARD_PATH, read_card
from modelyard.registry.collect import LocalFile
from modelyard.registry.inspections import inspection_of
from modelyard.registry.transfer.objects import names_in
from modelyard.store.chunking import cut
from modelyard.store.ingest import StoredBlob

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from modelyard.catalog.queries.blobs import BlobRow
    from modelyard.core.tensor import TensorInfo
    from modelyard.history.importing.steps import Source, SourceFile, Step
    from modelyard.registry.house import House
    from modelyard.store.ingest import Ingest

__all__ = ["Builder", "Prepared"]

_QUIET = ("text", "unknown")
_KEPT = 4_000
"""Small files that are kept in memory."""


@dataclass
class Prepared:
    """A step whose small files are read; the large ones lie in a folder."""

    step: Step
    tree: dict[str, Entry] = field(default_factory=dict)
    large: dict[str, tuple[SourceFile, Path]] = field(default_factory=dict)
    """Files whose content is not known yet."""
    is_changed: bool = False
    """Whether something was left out."""


class Builder:
    """Makes versions of steps; what it has stored it does not read again."""

    def __init__(self, house: House, source: Source, room: Path) -> None:
        self._house = house
        self._source = source
        self._objects = _Objects(source)
        self._room = room
        self._small: OrderedDict[str, bytes] = OrderedDict()
        self._large: dict[str, tuple[Digest, int]] = {}
        self._rows: dict[bytes, BlobRow] = {}
        self._looks: dict[tuple[str, Digest], tuple[str, str | None]] = {}
        self.dangers: dict[str, None] = {}

    # -- reading ---------------------------------------------------------------------------------

    def prepare(self, step: Step) -> Prepared:
        """Read what a step holds, and leave out what no tree can hold."""
        done = Prepared(step)
        places = Places()
        for path, file in sorted(self._source.files(step).items()):
            reason = self._take(done, path, file, places)
            if reason is not None:
                done.is_changed = True
                if reason:
                    self._source.omissions.add(path, reason, step.origin)
        return done

    def _take(self, done: Prepared, path: str, file: SourceFile, places: Places) -> str | None:
        """Why it is left out; an empty text if the source has said so itself."""
        try:
            check_path(path)
        except InvalidInput as error:
            return error.message
        if file.mode not in (REGULAR, EXECUTABLE, SYMLINK):
            return f"its mode is {file.mode:o}"
        known = self._large.get(file.key)
        content: bytes | Path | None = None
        if known is None:
            content = self._content(file)
            if content is None:
                return ""
        if file.mode == SYMLINK:
            try:
                target = content if isinstance(content, bytes) else b""
                check_symlink(path, target)
            except InvalidInput as error:
                return error.message
        clash = places.take(path)
        if clash is not None:
            return f"it and {clash.other} can't lie in one folder on every computer"
        if known is not None:
            done.tree[path] = Entry(file.mode, *known, None)
        elif isinstance(content, bytes) and self._is_inline(path, file, content):
            done.tree[path] = Entry(file.mode, Digest.of(content), len(content), content)
        else:
            assert content is not None
            place = self._written(file, content) if isinstance(content, bytes) else content
            done.large[path] = (file, place)
        return None

    def _is_inline(self, path: str, file: SourceFile, content: bytes) -> bool:
        if file.is_pointer and content:
            return False
        return file.mode == SYMLINK or is_inline(path, content)

    def _content(self, file: SourceFile) -> bytes | Path | None:
        if file.key in self._small:
            self._small.move_to_end(file.key)
            return self._small[file.key]
        content = self._source.content(file, self._room)
        if content is None:
            return None
        if not isinstance(content, bytes) and content.stat().st_size < INLINE_LIMIT:
            content = content.read_bytes()
        if isinstance(content, bytes):
            self._small[file.key] = content
            if len(self._small) > _KEPT:
                self._small.popitem(last=False)
        return content

    def _written(self, file: SourceFile, content: bytes) -> Path:
        place = self._room / f"file-{Digest.of(file.key.encode()).hex}"
        place.write_bytes(content)
        return place

    # -- storing ---------------------------------------------------------------------------------

    def build(
        self, done: Prepared, ingest: Ingest, parents: Sequence[bytes], before: Mapping[str, Digest]
    ) -> tuple[GitObject, Sequence[GitObject], dict[Digest, BlobRow | NewBlob]]:
        """Store what is large, and make the git objects."""
        found: dict[Digest, BlobRow | NewBlob] = {}
        rows = self._known(entry.digest for entry in done.tree.values() if entry.inline is None)
        found.update(rows)
        self._store(done, ingest, before, found)
        keeps = self._keeps_ids(done, parents)
        tree = done.tree | _manifest_entry(done.step.manifest)
        tree = dict(sorted(tree.items()))
        if keeps:
            assert done.step.commit is not None
            commit = GitObject.of(COMMIT, done.step.commit)
            root = read_commit(commit.body).tree
            return commit, self._objects_below(root), found
        root, objects = write_tree(tree)
        commit = _commit(done.step, root, parents)
        return commit, objects, found

    def _store(
        self,
        done: Prepared,
        ingest: Ingest,
        before: Mapping[str, Digest],
        found: dict[Digest, BlobRow | NewBlob],
    ) -> None:
        """ONNX files first: they tell where tensors lie in the files beside them."""
        rows = self._known(before.values())
        parent = ParentFiles(
            self._house, {path: rows[digest] for path, digest in before.items() if digest in rows}
        )
        external: dict[str, Sequence[TensorInfo]] = {}
        for path in sorted(done.large, key=lambda path: (not path.endswith(".onnx"), path)):
            file, place = done.large[path]
            status = os.stat(place)
            local = LocalFile(path, str(place), file.mode, status)
            try:
                stored = store_file(
                    self._house, ingest, local, parent, external=external.get(path, ()), scan=True
                )
            except InvalidInput as error:  # it is history: a broken file is kept as it is
                stored = self._store_unread(ingest, local, error)
            digest = stored.sha256 if isinstance(stored, NewBlob) else Digest(stored.sha256)
            found[digest] = stored
            done.tree[path] = Entry(file.mode, digest, stored.size, None)
            if isinstance(stored, NewBlob):
                self.dangers.update(dict.fromkeys(stored.dangers))
                told = stored.external
                self._looks[path, digest] = (stored.format, stored.framework)
            else:
                told = external_tensors(inspection_of(self._house, stored)) if (
                    stored.format == "onnx") else {}  # fmt: skip
            folder = path.rpartition("/")[0]
            for other, infos in told.items():
                external[f"{folder}/{other}" if folder else other] = infos

    def _store_unread(
        self, ingest: Ingest, file: LocalFile, error: InvalidInput
    ) -> BlobRow | NewBlob:
        """A file that no format can make sense of, as plain bytes."""
        with open(file.place, "rb") as opened:
            number = opened.fileno()
            size = os.fstat(number).st_size
            segments = cut([], size, lambda start, end: os.pread(number, end - start, start))
            stored = ingest.file(
                number, size, segments, known=lambda digest: bool(self._known([digest])),
                recipe_base=None,
            )  # fmt: skip
        if not isinstance(stored, StoredBlob):
            return self._known([stored])[stored]
        finding = Finding("damaged", "danger", error.message, file.path)
        return new_blob(ingest, stored, Inspection("unknown", findings=(finding,)), None)

    def _known(self, digests: Iterable[Digest]) -> dict[Digest, BlobRow]:
        wanted = set(digests)
        missing = [d.raw for d in wanted if d.raw not in self._rows]
        if missing:
            with self._house.catalog.read() as connection:
                self._rows.update(blobs.by_digest(connection, missing))
        return {d: self._rows[d.raw] for d in wanted if d.raw in self._rows}

    def landed(self, done: Prepared) -> None:
        """Remember what was stored, and let go of the files."""
        for path, (file, place) in done.large.items():
            entry = done.tree[path]
            self._large[file.key] = (entry.digest, entry.size)
            self._small.pop(file.key, None)
            if place.is_relative_to(self._room):
                place.unlink(missing_ok=True)

    def forget_rows(self) -> None:
        """gc was here: rows that were seen before may be gone."""
        self._rows.clear()

    # -- what a version is -----------------------------------------------------------------------

    def looks(
        self, done: Prepared, found: Mapping[Digest, BlobRow | NewBlob]
    ) -> tuple[tuple[str, ...], str]:
        """Formats and framework, as a commit would find them."""
        formats: set[str] = set()
        frameworks: set[str] = set()
        for path, entry in done.tree.items():
            if is_hidden(path) or entry.mode == SYMLINK:
                continue
            key = (path, entry.digest)
            if key not in self._looks:
                self._looks[key] = self._look(path, entry, found.get(entry.digest))
            kind, framework = self._looks[key]
            formats.add(kind)
            if framework:
                frameworks.add(framework)
        framework = done.step.manifest.framework or min(frameworks, default="")
        return tuple(sorted(formats.difference(_QUIET))), framework

    def _look(
        self, path: str, entry: Entry, blob: BlobRow | NewBlob | None
    ) -> tuple[str, str | None]:
        if entry.inline is not None:
            try:
                seen = inspect(io.BytesIO(entry.inline), path, scan=True)
            except InvalidInput as error:
                self.dangers[error.message] = None
                return "unknown", None
            self.dangers.update(dict.fromkeys(dangers_of(seen)))
            return seen.format, seen.framework
        if isinstance(blob, NewBlob):
            return blob.format, blob.framework
        if blob is None:
            return "unknown", None
        return blob.format, inspection_of(self._house, blob).framework

    def _keeps_ids(self, done: Prepared, parents: Sequence[bytes]) -> bool:
        """Whether git's own commit says exactly what is here."""
        step = done.step
        if step.commit is None or not step.keeps_id or done.is_changed:
            return False
        if step.manifest != Manifest():
            return False
        said = read_commit(step.commit)
        if said.parents != tuple(parents):
            return False
        files = self._source.files(step)
        if any(e.inline is None and not files[path].is_pointer for path, e in done.tree.items()):
            return False
        try:
            return read_tree(said.tree, self._objects).keys() <= done.tree.keys()
        except ModelyardError:
            return False  # git reads trees that we would not

    def _objects_below(self, root: bytes) -> list[GitObject]:
        found: dict[bytes, GitObject] = {}
        stack = [root]
        while stack:
            sha = stack.pop()
            if sha in found:
                continue
            kind, body = self._source.git_object(sha)
            found[sha] = GitObject(sha, kind, body)
            if kind == TREE:
                stack += names_in(kind, body)
        return list(found.values())[::-1]


class _Objects:
    """Git objects of the source."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def get(self, sha: bytes) -> tuple[int, bytes]:
        return self._source.git_object(sha)


def description_of(done: Prepared) -> str | None:
    """What the model card says, if there is one."""
    entry = done.tree.get(CARD_PATH)
    if entry is None or entry.inline is None:
        return None
    return read_card(entry.inline.decode("utf-8", "replace")).description


def card_labels(done: Prepared) -> dict[str, str]:
    """Labels that the model card gives."""
    entry = done.tree.get(CARD_PATH)
    if entry is None or entry.inline is None:
        return {}
    return dict(read_card(entry.inline.decode("utf-8", "replace")).labels)


def _manifest_entry(manifest: Manifest) -> dict[str, Entry]:
    if manifest == Manifest():
        return {}
    content = manifest.encode()
    return {MANIFEST_PATH: Entry(REGULAR, Digest.of(content), len(content), content)}


def _commit(step: Step, root: bytes, parents: Sequence[bytes]) -> GitObject:
    """A commit of our own; of a git commit that had to change, all but its signature stays."""
    if step.commit is None:
        return write_commit(
            tree=root, parents=parents, author=step.author, time=step.time, message=step.message
        )
    head, _, message = step.commit.partition(b"\n\n")
    lines = [b"tree " + root.hex().encode()]
    lines += [b"parent " + parent.hex().encode() for parent in parents]
    lines += [
        line
        for line in head.split(b"\n")
        if line.startswith((b"author ", b"committer ", b"encoding "))
    ]
    return GitObject.of(COMMIT, b"\n".join(lines) + b"\n\n" + message)
