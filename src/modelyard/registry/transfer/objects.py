"""Git objects of a source: the bundles of many versions are read together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.catalog.queries import blobs
from modelyard.errors import Corrupt
from modelyard.history.bundles import decode_bundle
from modelyard.history.gitobject import COMMIT, TREE, GitObject
from modelyard.registry.objects import split_bundle
from modelyard.registry.transfer.reading import decoded

if TYPE_CHECKING:
    from collections.abc import Iterable

    from modelyard.registry.house import House

__all__ = ["SourceObjects", "names_in"]


class SourceObjects:
    """What one model's commits and trees are made of, kept while its versions travel."""

    def __init__(self, house: House, model: int) -> None:
        self._house = house
        self._model = model
        self._found: dict[bytes, tuple[int, bytes]] = {}

    def get(self, sha: bytes) -> tuple[int, bytes]:
        """Kind and body of one object; whatever lies beside it is remembered."""
        if sha not in self._found:
            self.load([sha])
        return self._found[sha]

    def load(self, shas: Iterable[bytes]) -> None:
        """Read the records that hold these objects, all at once."""
        wanted = [sha for sha in shas if sha not in self._found]
        if not wanted:
            return
        with self._house.catalog.read() as connection:
            where = blobs.bundles(connection, self._model, wanted)
        rows = self._house.index.rows(set(where.values()))
        for content in decoded(self._house, rows.values()).values():
            for item in decode_bundle(split_bundle(content)[1]):
                self._found[item.sha] = (item.kind, item.body)
        missing = [sha for sha in wanted if sha not in self._found]
        if missing:
            raise Corrupt("bad-bundle", f"git object {missing[0].hex()} is not where it should be")

    def below(self, commits: Iterable[bytes]) -> None:
        """Load everything that these commits hold, folder by folder."""
        wave = set(commits)
        seen: set[bytes] = set()
        while wave:
            self.load(wave)
            seen |= wave
            wave = {name for sha in wave for name in self._inside(sha)} - seen

    def fresh(self, commit: bytes, known: set[bytes]) -> list[GitObject]:
        """The objects of a commit that are not known, which become known; itself last."""
        found: list[GitObject] = []
        stack = [commit]
        while stack:
            sha = stack.pop()
            if sha in known:
                continue
            known.add(sha)
            kind, body = self.get(sha)
            found.append(GitObject(sha, kind, body))
            stack += self._inside(sha)
        return found[::-1]

    def every(self, commits: Iterable[bytes]) -> set[bytes]:
        """Names of everything that these commits hold."""
        seen: set[bytes] = set()
        stack = list(commits)
        while stack:
            sha = stack.pop()
            if sha not in seen:
                seen.add(sha)
                stack += self._inside(sha)
        return seen

    def _inside(self, sha: bytes) -> list[bytes]:
        kind, body = self.get(sha)
        return names_in(kind, body)


def names_in(kind: int, body: bytes) -> list[bytes]:
    """What a git object is made of: a commit of its tree, a tree of its rows."""
    if kind == COMMIT:
        return [bytes.fromhex(body[5:45].decode())]
    if kind != TREE:
        return []
    names, position = [], 0
    while position < len(body):
        end = body.index(b"\0", position)
        names.append(body[end + 1 : end + 21])
        position = end + 21
    return names
