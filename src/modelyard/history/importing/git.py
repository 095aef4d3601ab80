"""A git repository as a history: its commits, or those that touch one folder."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from modelyard.core.merge import EXECUTABLE, REGULAR, SYMLINK
from modelyard.core.names import MAIN
from modelyard.errors import InvalidInput
from modelyard.history.commits import read_commit
from modelyard.history.gitobject import BLOB, COMMIT, TAG
from modelyard.history.importing.gitfiles import GitFiles
from modelyard.history.importing.steps import Omissions, SourceFile, SourceRef, Step
from modelyard.history.importing.tools import git
from modelyard.history.pointers import parse_pointer

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping
    from pathlib import Path

    from modelyard.core.digest import Digest
    from modelyard.history.importing.gitmirror import Mirror

__all__ = ["Found", "GitSource"]

_FOLDER, _SUBMODULE = 0o040000, 0o160000
_LINK = 0o120000
_POINTER_LIMIT = 300
"""Bytes that a pointer never exceeds."""
_IN_MEMORY = 1 << 20
_FORMAT = "%(refname)%00%(objectname)%00%(objecttype)"


@dataclass(frozen=True, slots=True)
class Found:
    """A commit and its parents."""

    sha: bytes
    parents: tuple[bytes, ...]


class GitSource:
    """Commits of a mirror. Close it when it has been read.

    Args:
        path: A folder of the repository, if the model is only a part of it: commits that change
            nothing in it are passed over.
    """

    def __init__(self, mirror: Mirror, *, path: str = "") -> None:
        self.mirror = mirror
        self.omissions = Omissions()
        self._path = path.strip("/")
        self._objects = GitFiles(mirror.folder)
        self._rows = lru_cache(4096)(self._objects.rows)
        self._pointers: dict[bytes, str | None] = {}
        self._files: tuple[str, Mapping[str, SourceFile]] = ("", {})
        self._commits = self._listed()
        self._heads, self._tags = self._pointed()
        self._default = self._default_branch()
        self._branches = self._attributed()
        self._origins: dict[bytes, str | None] = {}
        if not self._commits:
            self.close()
            raise InvalidInput("empty-repository", f"{mirror.shown} has no commits")

    def close(self) -> None:
        self._objects.close()

    # -- what is asked of a source ---------------------------------------------------------------

    def steps(self) -> Iterator[Step]:
        marks: dict[str, Hashable] = {}
        for commit in self._commits:
            parents = dict.fromkeys(
                found for sha in commit.parents if (found := self._origins.get(sha)) is not None
            )
            mark = self._mark(commit.sha)
            if self._is_whole or self._is_new(mark, [marks[origin] for origin in parents]):
                origin = f"git:{commit.sha.hex()}"
                self._origins[commit.sha] = origin
                marks[origin] = mark
                yield self._step(commit, origin, tuple(parents))
            else:
                self._origins[commit.sha] = next(iter(parents), None)

    def files(self, step: Step) -> Mapping[str, SourceFile]:
        if self._files[0] != step.origin:
            sha = bytes.fromhex(step.origin.removeprefix("git:"))
            self._files = (step.origin, self._files_of(sha, step.origin))
        return self._files[1]

    def content(self, file: SourceFile, room: Path) -> bytes | Path | None:
        system, _, name = file.key.partition(":")
        if system == "lfs":
            found = self.mirror.lfs_object(name)
            if found is None:
                self.omissions.add(f"LFS object {name}", "git-lfs can't get it from the source")
            return found
        sha = bytes.fromhex(name)
        if self._objects.size(sha)[1] < _IN_MEMORY:
            return self._objects.get(sha)[1]
        place = room / f"git-{name}"
        self._objects.write(sha, place)
        return place

    def git_object(self, sha: bytes) -> tuple[int, bytes]:
        return self._objects.get(sha)

    def refs(self) -> list[SourceRef]:
        """Branches and tags, by the steps that hold what they point at."""
        found = []
        heads = dict(self._heads)
        if MAIN not in heads and self._default in heads and not self._is_tag(MAIN):
            heads[MAIN] = heads[self._default]
        for name, sha in heads.items():
            origin = self._origins.get(sha)
            if origin is not None:
                found.append(SourceRef(name, "branch", origin))
            else:
                self.omissions.add(f"branch {name}", "it has nothing of this model")
        for name, sha in self._tags.items():
            origin = self._origins.get(sha)
            if origin is not None:
                found.append(SourceRef(name, "tag", origin))
            else:
                self.omissions.add(f"tag {name}", "it marks nothing of this model")
        return found

    # -- what DVC does otherwise -----------------------------------------------------------------

    @property
    def _is_whole(self) -> bool:
        """Whether every commit is a version."""
        return not self._path

    def _mark(self, commit: bytes) -> Hashable:
        """What the version of a commit is made of: equal marks are equal files."""
        return b"" if self._is_whole else self._root(commit)

    def _files_of(self, commit: bytes, origin: str) -> Mapping[str, SourceFile]:
        root = self._root(commit)
        return {} if root is None else dict(self._below(root, "", origin))

    def _step(self, commit: Found, origin: str, parents: tuple[str, ...]) -> Step:
        body = self._objects.get(commit.sha)[1]
        said = read_commit(body)
        return Step(
            origin=origin, parents=parents, branch=self._branches.get(commit.sha, self._default),
            author=said.author, time=_microseconds(_committed(body, said.time)),
            message=said.message, commit=body, keeps_id=self._is_whole,
        )  # fmt: skip

    # -- trees -----------------------------------------------------------------------------------

    def _is_new(self, mark: Hashable, before: list[Hashable]) -> bool:
        if mark is None:
            return False
        return not (before and all(other == mark for other in before))

    def _root(self, commit: bytes) -> bytes | None:
        """The tree of the folder that is imported."""
        sha = read_commit(self._objects.get(commit)[1]).tree
        for part in self._path.split("/") if self._path else ():
            inside = {name: (mode, child) for name, mode, child in self._rows(sha)}
            if inside.get(part, (0, b""))[0] != _FOLDER:
                return None
            sha = inside[part][1]
        return sha

    def _below(self, tree: bytes, prefix: str, origin: str) -> Iterator[tuple[str, SourceFile]]:
        stack = [(tree, prefix)]
        while stack:
            sha, before = stack.pop()
            for name, mode, child in self._rows(sha):
                path = before + name
                if not path.isprintable() and not _is_utf8(path):
                    shown = path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
                    self.omissions.add(shown, "its name is not UTF-8", origin)
                elif mode == _FOLDER:
                    if name in (".", "..", ""):
                        self.omissions.add(path, "no folder can have this name", origin)
                    else:
                        stack.append((child, path + "/"))
                elif mode == _SUBMODULE:
                    self.omissions.add(path, "it is a submodule", origin)
                else:
                    yield path, self._file(mode, child)

    def _file(self, mode: int, sha: bytes) -> SourceFile:
        if mode == _LINK:
            return SourceFile(f"git:{sha.hex()}", SYMLINK)
        kept = EXECUTABLE if mode & 0o100 else REGULAR
        oid = self._pointer(sha)
        if oid is not None:
            return SourceFile(f"lfs:{oid}", kept, is_pointer=True)
        return SourceFile(f"git:{sha.hex()}", kept)

    def _pointer(self, sha: bytes) -> str | None:
        if sha not in self._pointers:
            kind, size = self._objects.size(sha)
            known: tuple[Digest, int] | None = None
            if kind == BLOB and size < _POINTER_LIMIT:
                known = parse_pointer(self._objects.get(sha)[1])
            self._pointers[sha] = known[0].hex if known else None
        return self._pointers[sha]

    # -- commits and refs ------------------------------------------------------------------------

    def _git(self, *arguments: str) -> str:
        out = git(self.mirror.folder, *arguments, source=self.mirror.source)
        return out.decode("utf-8", "surrogateescape")

    def _listed(self) -> list[Found]:
        text = self._git(
            "rev-list", "--date-order", "--reverse", "--parents", "--branches", "--tags"
        )
        lines = (line.split() for line in text.splitlines())
        return [
            Found(bytes.fromhex(sha), tuple(map(bytes.fromhex, parents))) for sha, *parents in lines
        ]

    def _pointed(self) -> tuple[dict[str, bytes], dict[str, bytes]]:
        heads: dict[str, bytes] = {}
        tags: dict[str, bytes] = {}
        text = self._git("for-each-ref", f"--format={_FORMAT}", "refs/heads", "refs/tags")
        for line in text.splitlines():
            ref, sha, _ = line.split("\0")
            if not _is_utf8(ref):
                self.omissions.add(ascii(ref), "its name is not UTF-8")
                continue
            target = self._peeled(bytes.fromhex(sha))
            if target is None:
                self.omissions.add(ref, "it points at no commit")
            elif ref.startswith("refs/heads/"):
                heads[ref.removeprefix("refs/heads/")] = target
            else:
                tags[ref.removeprefix("refs/tags/")] = target
        return heads, tags

    def _peeled(self, sha: bytes) -> bytes | None:
        """The commit that a tag stands for, also through other tags."""
        for _ in range(20):
            kind, body = self._objects.get(sha)
            if kind == COMMIT:
                return sha
            if kind != TAG or not body.startswith(b"object "):
                return None
            sha = bytes.fromhex(body[7:47].decode())
        return None

    def _is_tag(self, name: str) -> bool:
        return name in self._tags

    def _default_branch(self) -> str:
        head = (self.mirror.folder / "HEAD").read_text().strip()
        name = head.removeprefix("ref: refs/heads/")
        if name in self._heads:
            return name
        return next(
            (n for n in (MAIN, "master") if n in self._heads), min(self._heads, default=MAIN)
        )

    def _attributed(self) -> dict[bytes, str]:
        """The branch of each commit: along first parents first, the default branch before all."""
        parents = {commit.sha: commit.parents for commit in self._commits}
        order = sorted(self._heads, key=lambda name: (name != self._default, name))
        found: dict[bytes, str] = {}
        for name in order:
            at: bytes | None = self._heads[name]
            while at is not None and at not in found:
                found[at] = name
                at = next(iter(parents.get(at, ())), None)
        for name in order:
            stack, seen = [self._heads[name]], set()
            while stack:
                sha = stack.pop()
                if sha in seen:
                    continue
                seen.add(sha)
                found.setdefault(sha, name)
                stack += parents.get(sha, ())
        return found


def _committed(body: bytes, default: datetime) -> datetime:
    """When it was committed, which for a rebased commit is later than it was written."""
    for line in body.split(b"\n\n", 1)[0].split(b"\n"):
        if line.startswith(b"committer "):
            words = line.rsplit(b" ", 2)
            seconds = int(words[1]) if words[1].isdigit() else 0
            return datetime.fromtimestamp(min(seconds, 253402300799), default.tzinfo)
    return default


def _microseconds(time: datetime) -> int:
    return int(time.timestamp()) * 1_000_000


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
