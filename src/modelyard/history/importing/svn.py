"""A Subversion repository as a history: each revision that changes a line is one of its steps."""

from __future__ import annotations

import shutil
from bisect import bisect_right
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from modelyard.core.merge import EXECUTABLE, REGULAR, SYMLINK
from modelyard.errors import InvalidInput
from modelyard.history.importing.steps import Omissions, SourceFile, SourceRef, Step
from modelyard.history.importing.svnlayout import Layout, Line, find_layout
from modelyard.history.importing.svntree import Folder, Node, SvnFile, Trees, files_in, get, put

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from modelyard.history.importing.svnclient import SvnClient
    from modelyard.history.importing.svnlog import Change, Revision

__all__ = ["SvnSource", "read_authors"]

_MANY = 8
"""From so many files on, one export of the folder is tried instead of one call a file."""
_IN_MEMORY = 1 << 20
_LINK = b"link "
_KNOWN = ("svn:executable", "svn:special")


@dataclass
class _State:
    """One line while the log is read."""

    line: Line
    origin: str | None = None
    past: list[tuple[int, str | None]] = field(default_factory=list)
    """From which revision on it was where."""
    deleted: int = 0

    def at(self, revision: int) -> str | None:
        found = bisect_right(self.past, revision, key=lambda item: item[0])
        return self.past[found - 1][1] if found else None

    def move(self, revision: int, origin: str | None) -> None:
        self.origin = origin
        self.past.append((revision, origin))


class SvnSource:
    """Reads a repository by its log; files are fetched when a step that is new asks for them.

    Args:
        authors: `Name <mail>` by Subversion's names.
    """

    def __init__(
        self,
        client: SvnClient,
        *,
        trunk: str | None = None,
        branches: Sequence[str] = (),
        tags: Sequence[str] = (),
        authors: Mapping[str, str] | None = None,
    ) -> None:
        self.client = client
        self.omissions = Omissions()
        self._authors = authors or {}
        self._log = client.log()
        self.layout: Layout = find_layout(
            client.prefix, self._log, trunk=trunk, branches=branches, tags=tags
        )
        self._trees = Trees()
        self._lines: dict[str, _State] = {}
        self._files: dict[str, dict[str, SourceFile]] = {}
        self._fetched: dict[str, Path] = {}
        self._seen: set[str] = set()
        self._step: tuple[Step, Line, int] | None = None
        if not self._log:
            raise InvalidInput("empty-repository", f"{client.shown} has no revisions")

    # -- what is asked of a source ---------------------------------------------------------------

    def steps(self) -> Iterator[Step]:
        for revision in self._log:
            before = self._trees.newest
            tree = self._apply(revision, before)
            self._trees.add(revision.number, tree)
            for line in self._touched(revision, before, tree):
                step = self._advance(revision, line, get(before, line.root), get(tree, line.root))
                if step is not None:
                    self._step = (step, line, revision.number)
                    yield step

    def files(self, step: Step) -> Mapping[str, SourceFile]:
        return self._files[step.origin]

    def content(self, file: SourceFile, room: Path) -> bytes | Path | None:
        if file.key not in self._fetched:
            self._fetch(file, room)
        place = self._fetched.pop(file.key)
        if file.mode != SYMLINK and place.stat().st_size >= _IN_MEMORY:
            return place
        content = place.read_bytes()
        place.unlink()
        return content.removeprefix(_LINK) if file.mode == SYMLINK else content

    def git_object(self, sha: bytes) -> tuple[int, bytes]:
        raise KeyError(sha)

    def refs(self) -> list[SourceRef]:
        found = []
        for state in self._lines.values():
            line = state.line
            title = f"{line.kind} {line.name}"
            if state.deleted:
                self.omissions.add(
                    title, f"it was deleted in r{state.deleted}; its versions are here"
                )
            elif state.origin is None:
                self.omissions.add(title, "it holds no files")
            else:
                kind = "tag" if line.kind == "tag" else "branch"
                found.append(SourceRef(line.name, kind, state.origin))  # type: ignore[arg-type]
        return found

    # -- lines -----------------------------------------------------------------------------------

    def _touched(self, revision: Revision, before: Folder, tree: Folder) -> list[Line]:
        """Lines that a revision may have changed: those of its paths, and those below them."""
        found: dict[str, Line] = {}
        for change in revision.changes:
            line = self.layout.line(change.path)
            if line is not None:
                found.setdefault(line.root, line)
            for folder in (*self.layout.branches, *self.layout.tags):
                if folder == change.path or folder.startswith(f"{change.path}/"):
                    for names in (get(before, folder), get(tree, folder)):
                        for path in files_in(names):
                            below = self.layout.line(f"{folder}/{path}")
                            if below is not None:
                                found.setdefault(below.root, below)
        order = {"branch": 0, "tag": 1}
        return sorted(found.values(), key=lambda line: (order[line.kind], line.root))

    def _advance(
        self, revision: Revision, line: Line, old: Node | None, new: Node | None
    ) -> Step | None:
        """The step that a revision is for a line, if it changed any file."""
        state = self._lines.setdefault(line.root, _State(line))
        if not isinstance(new, dict):
            if old is not None:
                state.move(revision.number, None)
                state.deleted = revision.number
            return None
        state.deleted = 0
        parent, base = state.origin, files_in(old)
        begun = self._begun(revision, line)
        if begun is not None:
            parent, base = begun
        files = files_in(new)
        if files == base or (parent is None and not files):
            if parent != state.origin:
                state.move(revision.number, parent)
            return None
        origin = f"svn:{self.client.uuid}/{line.root}@{revision.number}"
        if len(origin) > 250:
            origin = f"svn:{self.client.uuid}/...{line.root[-150:]}@{revision.number}"
        state.move(revision.number, origin)
        self._files = {origin: {p: SourceFile(_key(f), f.mode) for p, f in files.items()}}
        author = revision.author or "unknown"
        return Step(
            origin=origin, parents=(parent,) if parent else (), branch=line.branch,
            author=self._authors.get(author, author), time=revision.time,
            message=revision.message,
        )  # fmt: skip

    def _begun(
        self, revision: Revision, line: Line
    ) -> tuple[str | None, dict[str, SvnFile]] | None:
        """Where a line that begins with this revision comes from; None if it goes on."""
        around = [
            change
            for change in revision.changes
            if change.action in "AR"
            and (change.path == line.root or line.root.startswith(f"{change.path}/"))
        ]
        if not around:
            return None
        change = max(around, key=lambda change: len(change.path))
        if change.copied is None:
            return (None, {}) if change.path == line.root else None
        path = change.copied[0] + line.root[len(change.path) :]
        source = self.layout.line(path)
        if source is None or source.root not in self._lines:
            return None, {}
        parent = self._lines[source.root].at(change.copied[1])
        tree = get(self._trees.at(change.copied[1]), source.root)
        return parent, files_in(tree)

    # -- trees -----------------------------------------------------------------------------------

    def _apply(self, revision: Revision, tree: Folder) -> Folder:
        """The tree after a revision."""
        modes = self._modes(revision)
        for change in revision.changes:
            if not _is_near(change.path, self.client.prefix):
                continue
            if change.action == "D":
                tree = put(tree, change.path, None)
                continue
            node = self._changed(revision, change, get(tree, change.path), modes)
            if node is not None:
                tree = put(tree, change.path, node)
        return tree

    def _changed(
        self,
        revision: Revision,
        change: Change,
        old: Node | None,
        modes: Mapping[str, int],
    ) -> Node | None:
        """What is at a changed path now; None if it is as it was."""
        base = self._copied(change) if change.copied else (old if change.action == "M" else None)
        kind = change.kind or self._kind(revision, change, base)
        if kind == "dir":
            return None if change.action == "M" else (base if isinstance(base, dict) else {})
        mode = base.mode if isinstance(base, SvnFile) else REGULAR
        mode = modes.get(change.path, mode)
        if isinstance(base, SvnFile) and not change.has_text:
            return base if base.mode == mode else replace(base, mode=mode)
        return SvnFile(change.path, revision.number, mode)

    def _kind(self, revision: Revision, change: Change, base: Node | None) -> str:
        if base is not None:
            return "dir" if isinstance(base, dict) else "file"
        return self.client.kind(change.path, revision.number)

    def _copied(self, change: Change) -> Node | None:
        assert change.copied is not None
        path, number = change.copied
        found = get(self._trees.at(number), path)
        if found is not None or _is_near(path, self.client.prefix):
            return found
        if self.client.kind(path, number) != "dir":
            return SvnFile(path, number, REGULAR)
        tree: Folder = {}
        for name in self.client.files_below(path, number):
            tree = put(tree, name, SvnFile(f"{path}/{name}", number, REGULAR))
        return tree

    def _modes(self, revision: Revision) -> dict[str, int]:
        """Modes of files whose properties a revision set; other properties are told of."""
        asked = [
            c.path for c in revision.changes
            if c.has_properties and c.action != "D" and _is_near(c.path, self.client.prefix)
        ]  # fmt: skip
        found: dict[str, int] = {}
        said = self.client.properties(asked, revision.number) if asked else {}
        for path in asked:
            names = said.get(path, {})
            for name in names:
                if name not in _KNOWN:
                    self.omissions.add(f"property {name}", "properties are not kept", path)
            mode = EXECUTABLE if "svn:executable" in names else REGULAR
            found[path] = SYMLINK if "svn:special" in names else mode
        return found

    # -- bytes -----------------------------------------------------------------------------------

    def _fetch(self, file: SourceFile, room: Path) -> None:
        """Get a file, and what else the step has not seen: nearly always it is asked for next."""
        assert self._step is not None
        step, line, number = self._step
        every = self._files.get(step.origin, {})
        new = {p: f for p, f in every.items() if f.key not in self._seen or f.key == file.key}
        folder = room / "svn"
        if file.key in self._seen or len(new) < _MANY or len(new) * 2 < len(every):
            shutil.rmtree(folder / "cat", ignore_errors=True)
            (folder / "cat").mkdir(parents=True)
            keys = [f.key for f in new.values() if f.key not in self._fetched]
            places = {folder / "cat" / str(n): _place(k) for n, k in enumerate(dict.fromkeys(keys))}
            self.client.cat(places)
            found = {_name(*where): place for place, where in places.items()}
        else:
            shutil.rmtree(folder / "export", ignore_errors=True)
            folder.mkdir(exist_ok=True)
            self.client.export(line.root, number, folder / "export")
            found = {f.key: folder / "export" / path for path, f in new.items()}
        self._fetched = found
        self._seen.update(found)


def read_authors(text: str) -> dict[str, str]:
    """Lines `name = Full Name <mail>`. InvalidInput: `bad-authors`."""
    found = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, sign, full = line.partition("=")
        if not sign or not name.strip() or not full.strip():
            raise InvalidInput(
                "bad-authors", f"line {number} of the authors says no name",
                hint="each line is: name = Full Name <mail>",
            )  # fmt: skip
        found[name.strip()] = full.strip()
    return found


def _key(file: SvnFile) -> str:
    return _name(file.path, file.revision)


def _name(path: str, revision: int) -> str:
    return f"svn:{revision}/{path}"


def _place(key: str) -> tuple[str, int]:
    number, _, path = key.removeprefix("svn:").partition("/")
    return path, int(number)


def _is_near(path: str, prefix: str) -> bool:
    """Whether the log tells of a path: it is in what is imported, or above it."""
    if not prefix or path == prefix:
        return True
    return path.startswith(f"{prefix}/") or prefix.startswith(f"{path}/")
