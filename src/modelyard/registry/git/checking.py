"""Whether what a push brings may become versions, and what each version will be.

A pushed commit keeps its name, so nothing in it can be put right here: what does not fit is refused
with words that say what to do. What may be in a tree is told by docs/spec/tree-1.md.
"""

from __future__ import annotations

import io
import math
import re
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelyard.catalog.queries import arrivals
from modelyard.core.manifest import MANIFEST_PATH
from modelyard.core.merge import ATTRIBUTES, SYMLINK, is_hidden
from modelyard.errors import Corrupt, InvalidInput, NotFound
from modelyard.formats import inspect
from modelyard.history.commits import read_commit
from modelyard.history.gitobject import COMMIT, TAG, GitObject
from modelyard.history.paths import check_tree
from modelyard.history.trees import INLINE_LIMIT, is_inline, read_tree
from modelyard.registry.blobs import dangers_of, open_blob
from modelyard.registry.inspections import inspection_of
from modelyard.registry.objects import ModelObjects
from modelyard.registry.publish import card_of, manifest_of
from modelyard.registry.transfer.objects import names_in
from modelyard.store.extract import BlobFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from modelyard.catalog.queries.blobs import BlobRow
    from modelyard.core.digest import ChunkId
    from modelyard.core.merge import Tree
    from modelyard.history.commits import CommitFields
    from modelyard.registry.card import Card
    from modelyard.registry.git.refs import Known
    from modelyard.registry.house import House

__all__ = ["Arrived", "Checked", "Checking"]

_MOST_COMMITS = 5_000
_LARGEST_COMMIT = 32 << 20
"""Bytes of text that one commit may add."""
_MOST_FILES = 5_000_000
"""In all commits of one push together: trees that name each other could stand for far more."""
_TREES = 32
_DEEPEST_TAG = 5
_HEAD = re.compile(
    rb"tree [0-9a-f]{40}\n(?:parent [0-9a-f]{40}\n)*"
    rb"author [^\n\0<>]*<[^\n\0<>]*> [0-9]{1,18} [+-][0-9]{4}\n"
    rb"committer [^\n\0<>]*<[^\n\0<>]*> [0-9]{1,18} [+-][0-9]{4}\n"
)
_QUIET = ("text", "unknown")


class Arrived:
    """The objects of a push, over those that the model has."""

    def __init__(self, house: House, known: Known) -> None:
        self.found: dict[bytes, GitObject] = {}
        self._there = None if known.model_id is None else ModelObjects(house, known.model_id)

    def get(self, sha: bytes) -> tuple[int, bytes]:
        item = self.found.get(sha)
        if item is not None:
            return item.kind, item.body
        if self._there is None:
            raise NotFound("git-object-missing", f"no git object {sha.hex()}")
        return self._there.get(sha)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A commit that may become a version."""

    commit: GitObject
    parents: tuple[bytes, ...]
    author: str
    objects: Sequence[GitObject]
    """What came with it."""
    blobs: Mapping[bytes, BlobRow]
    """Its large files, by SHA-256."""
    formats: tuple[str, ...]
    framework: str
    card: Card | None
    arrived: int
    """Bytes that its new files took in the store."""


class Checking:
    """One push."""

    def __init__(self, house: House, known: Known, objects: Arrived) -> None:
        self._house = house
        self._known = known
        self._objects = objects
        self._trees: OrderedDict[bytes, Tree] = OrderedDict()
        self._rows: dict[bytes, BlobRow] = {}
        self._taken: set[bytes] = set()
        self._counted: set[bytes] = set()
        self._files = 0
        self._looks: dict[tuple[str, bytes], tuple[str, str | None]] = {}
        self.words: dict[str, None] = {}
        """What the one who pushes should know."""

    def commit_of(self, sha: bytes, *, peel: bool) -> bytes:
        """The commit that a pushed ref means; of an annotated tag (`peel`), what it is put on."""
        for _ in range(_DEEPEST_TAG):
            kind, body = self._object(sha)
            if kind == COMMIT:
                return sha
            match = re.match(rb"object ([0-9a-f]{40})\n", body)
            if kind != TAG or not peel or match is None:
                break
            sha = bytes.fromhex(match[1].decode())
        raise InvalidInput("not-a-commit", "a ref can only point at a commit")

    def fresh(self, tips: Iterable[bytes]) -> list[bytes]:
        """The commits that are new with these, parents first. InvalidInput: `too-many-commits`."""
        done: list[bytes] = []
        seen: set[bytes] = set()
        stack = [(tip, False) for tip in tips]
        while stack:
            commit, is_left = stack.pop()
            if is_left:
                done.append(commit)
                continue
            if commit in seen or commit in self._known.versions:
                continue
            seen.add(commit)
            if len(seen) > _MOST_COMMITS:
                raise InvalidInput(
                    "too-many-commits", f"a push may bring {_MOST_COMMITS:,} commits",
                    hint="yard import git brings whole histories in",
                )  # fmt: skip
            stack.append((commit, True))
            stack += [(parent, False) for parent in reversed(self.fields(commit).parents)]
        return done

    def fields(self, commit: bytes) -> CommitFields:
        """What a new commit says. InvalidInput: `bad-commit`, `incomplete-push`."""
        kind, body = self._object(commit)
        head = body.partition(b"\n\n")[0] + b"\n"
        if kind != COMMIT or _HEAD.match(head) is None or b"\0" in body:
            raise InvalidInput(
                "bad-commit", f"commit {commit.hex()[:10]} is not as git writes them"
            )
        try:
            return read_commit(body)
        except Corrupt as error:
            raise InvalidInput("bad-commit", error.message) from None

    def descends(self, new: bytes, old: bytes) -> bool:
        """Whether `old` is among what `new` was made from."""
        seen, stack = {new}, [new]
        while stack:
            commit = stack.pop()
            if commit == old:
                return True
            known = commit in self._known.versions
            parents = self._known.parents(commit) if known else self.fields(commit).parents
            stack += [parent for parent in parents if parent not in seen]
            seen.update(parents)
        return False

    def check(self, commit: bytes) -> Checked:
        """One new commit, whose parents were checked before."""
        fields = self.fields(commit)
        tree = self._tree(fields.tree, commit)
        before = self._before(fields)
        changed = {
            path: entry
            for path, entry in tree.items()
            if (old := before.get(path)) is None
            or (old.digest, old.mode) != (entry.digest, entry.mode)
        }
        self._check_hidden(tree, changed)
        rows = self._large(tree, commit)
        formats, frameworks = self._looked(tree, changed, rows)
        manifest = manifest_of(tree)
        if MANIFEST_PATH in tree and MANIFEST_PATH not in changed and changed and manifest.metrics:
            self.words[
                f"{commit.hex()[:10]}: {MANIFEST_PATH} is that of the version before, metrics too;"
                " change or delete it if they are not true of this one"
            ] = None
        item = self._objects.found[commit]
        return Checked(
            commit=item, parents=fields.parents, author=fields.author,
            objects=self._new_objects(fields.tree), blobs=rows, formats=tuple(sorted(formats)),
            framework=manifest.framework or min(frameworks, default=""), card=card_of(tree),
            arrived=self._arrived_bytes(changed, before),
        )  # fmt: skip

    # -- trees -----------------------------------------------------------------------------------

    def _object(self, sha: bytes) -> tuple[int, bytes]:
        try:
            return self._objects.get(sha)
        except NotFound:
            raise InvalidInput(
                "incomplete-push", f"object {sha.hex()} is neither in the push nor in the model",
                hint="a shallow clone may lack it: git fetch --unshallow",
            ) from None  # fmt: skip

    def _tree(self, root: bytes, commit: bytes) -> Tree:
        found = self._trees.get(root)
        if found is None:
            try:
                found = read_tree(root, self._objects)
            except Corrupt as error:
                raise InvalidInput("broken-tree", f"{commit.hex()[:10]}: {error.message}") from None
            except NotFound:
                raise InvalidInput(
                    "incomplete-push", f"files of commit {commit.hex()[:10]} did not come with it",
                    hint="a partial or shallow clone may lack them",
                ) from None  # fmt: skip
            self._files += len(found)
            if self._files > _MOST_FILES:
                raise InvalidInput(
                    "push-too-large", f"the commits hold more than {_MOST_FILES:,} files together",
                    hint="push fewer commits at once",
                )  # fmt: skip
            check_tree(found)
            self._trees[root] = found
            if len(self._trees) > _TREES:
                self._trees.popitem(last=False)
        return found

    def _before(self, fields: CommitFields) -> Tree:
        if not fields.parents:
            return {}
        first = fields.parents[0]
        row = self._known.versions.get(first)
        return self._tree(row.tree_id if row else self.fields(first).tree, first)

    def _check_hidden(self, tree: Tree, changed: Tree) -> None:
        for path, entry in changed.items():
            if path == MANIFEST_PATH:
                _check_manifest(tree)
            elif is_hidden(path):
                raise InvalidInput(
                    "reserved-path",
                    f"{path}: .modelyard/ holds manifest.json alone",
                )
            if entry.inline is None or entry.mode == SYMLINK:
                continue
            if not is_inline(path, entry.inline):
                raise _needs_lfs(path, entry.inline)

    def _new_objects(self, root: bytes) -> list[GitObject]:
        """What came with the push of a tree, files before folders."""
        found: dict[bytes, GitObject] = {}
        stack = [root]
        size = 0
        while stack:
            item = self._objects.found.get(stack.pop())
            if item is None or item.sha in found or item.sha in self._taken:
                continue
            found[item.sha] = item
            self._taken.add(item.sha)
            size += len(item.body)
            if size > _LARGEST_COMMIT:
                raise InvalidInput(
                    "commit-too-large", f"one commit adds more than {_LARGEST_COMMIT >> 20} MiB",
                    hint="large files go by git lfs",
                )  # fmt: skip
            stack += names_in(item.kind, item.body)
        return list(found.values())[::-1]

    # -- files -----------------------------------------------------------------------------------

    def _large(self, tree: Tree, commit: bytes) -> dict[bytes, BlobRow]:
        """The stored files that pointers name: those of this model, or that came for this push."""
        wanted = {e.digest.raw: (path, e.size) for path, e in tree.items() if e.inline is None}
        missing = set(wanted) - set(self._rows)
        if missing:
            known, caller = self._known, self._house.caller
            with self._house.catalog.fresh() as connection:
                rows = arrivals.of_caller(connection, known.name, caller.id, missing)
                if known.model_id is not None:
                    rows |= arrivals.of_model(connection, known.model_id, missing - set(rows))
            self._rows |= rows
        for raw, (path, size) in wanted.items():
            row = self._rows.get(raw)
            if row is None or row.size != size:
                raise InvalidInput(
                    "lfs-object-missing",
                    f"{path} ({raw.hex()[:10]}) of commit {commit.hex()[:10]} did not come by lfs",
                    hint="git lfs install && git lfs push --all REMOTE, then push again",
                )
        return {raw: self._rows[raw] for raw in wanted}

    def _arrived_bytes(self, changed: Tree, before: Tree) -> int:
        """What the chunks take that new files have and the version before has not."""
        fresh = {e.digest.raw for e in changed.values() if e.inline is None} - self._counted
        if not fresh:
            return 0
        self._counted |= fresh
        house, known = self._house, self._known
        old = {e.digest.raw for e in before.values() if e.inline is None}
        rows = {raw: self._rows[raw] for raw in old if raw in self._rows}
        if known.model_id is not None:
            with house.catalog.fresh() as connection:
                rows |= arrivals.of_model(connection, known.model_id, old - set(rows))
        names = self._chunks([self._rows[raw] for raw in fresh]) - self._chunks(rows.values())
        return sum(row.length for row in house.index.find(names).values())

    def _chunks(self, rows: Iterable[BlobRow]) -> set[ChunkId]:
        return {name for row in rows for name, _ in open_blob(self._house, row).chunks}

    def _looked(
        self, tree: Tree, changed: Tree, rows: Mapping[bytes, BlobRow]
    ) -> tuple[set[str], set[str]]:
        """Formats and frameworks; a file that is malformed is refused as by `yard commit`."""
        formats, frameworks = {row.format for row in rows.values()}, set[str]()
        for path, entry in tree.items():
            key = (path, entry.digest.raw)
            if is_hidden(path) or entry.mode == SYMLINK or (path not in changed and entry.inline):
                continue
            if key not in self._looks:
                row = rows.get(entry.digest.raw) if entry.inline is None else None
                self._looks[key] = self._look(path, entry.inline, row, is_new=path in changed)
            found, framework = self._looks[key]
            formats.add(found)
            if framework:
                frameworks.add(framework)
        return formats.difference(_QUIET), frameworks

    def _look(
        self, path: str, inline: bytes | None, row: BlobRow | None, *, is_new: bool
    ) -> tuple[str, str | None]:
        if row is not None and (not is_new or row.format not in _QUIET):
            found = inspection_of(self._house, row)
        elif row is not None:  # when it came, nobody knew its name
            with io.BufferedReader(BlobFile(open_blob(self._house, row))) as file:
                found = inspect(file, path)
        else:
            found = inspect(io.BytesIO(inline or b""), path)
        if is_new:
            self.words |= dict.fromkeys(f"{path}: {danger}" for danger in dangers_of(found))
        return found.format, found.framework


def _check_manifest(tree: Tree) -> None:
    manifest = manifest_of(tree)
    for name, value in manifest.metrics.items():
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not math.isfinite(value) or not 0 < len(name) <= 200:
            raise InvalidInput(
                "bad-manifest", f"{MANIFEST_PATH}: metric {name[:40]!r} is no number"
            )
    if any(not 0 < len(name) <= 200 for name in manifest.params):
        raise InvalidInput("bad-manifest", f"{MANIFEST_PATH}: a name is too long")


def _needs_lfs(path: str, content: bytes) -> InvalidInput:
    size, name = len(content), path.rpartition("/")[2]
    if name == ATTRIBUTES:
        return InvalidInput("bad-attributes", f"{path} is too large for git to read")
    why = f"it has {size:,} bytes" if size >= INLINE_LIMIT else "it is no text"
    glob = f"*.{name.rpartition('.')[2]}" if "." in name.strip(".") else path
    return InvalidInput(
        "needs-lfs", f"{path} has to go by git lfs: {why}",
        hint=f'git lfs migrate import --include="{glob}" puts it there in all commits'
        f' (and git lfs track "{glob}" from now on), then push again',
    )  # fmt: skip
