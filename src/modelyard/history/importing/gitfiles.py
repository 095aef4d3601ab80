"""Objects of a bare git repository, read by `git cat-file`; a large one never is in memory."""

from __future__ import annotations

import subprocess
from typing import IO, TYPE_CHECKING

from modelyard.errors import Corrupt
from modelyard.history.gitobject import BLOB, COMMIT, TAG, TREE
from modelyard.history.importing.tools import clean_environment, git_command

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["GitFiles", "Row"]

_KINDS = {b"commit": COMMIT, b"tree": TREE, b"blob": BLOB, b"tag": TAG}
_PIECE = 1 << 20
Row = tuple[str, int, bytes]
"""Name, mode, sha."""


class GitFiles:
    """Two children that answer questions about objects, until `close`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._sizes = self._start("--batch-check")
        self._bodies = self._start("--batch")

    def close(self) -> None:
        for child in (self._sizes, self._bodies):
            for pipe in (child.stdin, child.stdout):
                if pipe is not None:
                    pipe.close()
            child.wait()

    def size(self, sha: bytes) -> tuple[int, int]:
        """Kind and size."""
        return self._ask(self._sizes, sha)

    def get(self, sha: bytes) -> tuple[int, bytes]:
        """Kind and body."""
        kind, size = self._ask(self._bodies, sha)
        body = self._out.read(size)
        self._end(size, len(body), sha)
        return kind, body

    def write(self, sha: bytes, place: Path) -> None:
        """Write a blob into a file."""
        _, size = self._ask(self._bodies, sha)
        left = size
        with place.open("wb") as file:
            while left:
                piece = self._out.read(min(left, _PIECE))
                if not piece:
                    break
                file.write(piece)
                left -= len(piece)
        self._end(size, size - left, sha)

    def rows(self, tree: bytes) -> list[Row]:
        """The entries of a folder, as they stand in it; names that are not UTF-8 are escaped."""
        kind, body = self.get(tree)
        if kind != TREE:
            raise Corrupt("git-object-kind", f"git object {tree.hex()} is no tree")
        found: list[Row] = []
        position = 0
        while position < len(body):
            space = body.find(b" ", position, position + 8)
            end = body.find(b"\0", space + 1)
            if space < 0 or end < 0 or end + 21 > len(body):
                raise Corrupt("bad-tree", f"the git tree {tree.hex()} is cut or broken")
            name = body[space + 1 : end].decode("utf-8", "surrogateescape")
            found.append((name, int(body[position:space], 8), body[end + 1 : end + 21]))
            position = end + 21
        return found

    @property
    def _out(self) -> IO[bytes]:
        assert self._bodies.stdout is not None
        return self._bodies.stdout

    def _start(self, what: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            git_command(self._folder, ["cat-file", what]), env=clean_environment(),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def _ask(self, child: subprocess.Popen[bytes], sha: bytes) -> tuple[int, int]:
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            child.stdin.write(sha.hex().encode() + b"\n")
            child.stdin.flush()
            words = child.stdout.readline().split()
        except BrokenPipeError:
            words = []
        if len(words) != 3 or words[1] not in _KINDS:
            raise _missing(sha)
        return _KINDS[words[1]], int(words[2])

    def _end(self, size: int, got: int, sha: bytes) -> None:
        if got != size or self._out.read(1) != b"\n":
            raise _missing(sha)


def _missing(sha: bytes) -> Corrupt:
    return Corrupt(
        "source-damaged", f"git object {sha.hex()} is missing or damaged in the source",
        hint="git fsck tells the extent",
    )  # fmt: skip
