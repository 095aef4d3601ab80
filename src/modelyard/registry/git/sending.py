"""Which git objects a fetch needs, and the pack that brings them.

Ancestry comes from the rows of versions, so no commit is read to find out what is new. Trees are
read in the order of the versions: what a version added lies in one record, and the records of many
versions are fetched together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.catalog.queries import blobs
from modelyard.errors import InvalidInput
from modelyard.history.bundles import decode_bundle
from modelyard.history.gitobject import TREE
from modelyard.history.packs import write_pack
from modelyard.registry.objects import ModelObjects, split_bundle

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from modelyard.registry.git.refs import Known
    from modelyard.registry.house import House

__all__ = ["Sending", "ancestors", "deepened"]

_AHEAD = 256
"""Versions whose records are fetched together."""
_KEPT = 96 << 20
"""Bytes of objects that are kept between counting and sending; the rest is read twice."""

_FOLDER = b"40000"


def ancestors(known: Known, tips: Iterable[bytes], stop: Iterable[bytes] = ()) -> set[bytes]:
    """These commits and all that they were made from.

    Args:
        stop: Commits whose parents do not count, as at the end of a shallow clone.
    """
    ends, found, waiting = set(stop), set[bytes](), list(tips)
    while waiting:
        commit = waiting.pop()
        if commit in found:
            continue
        found.add(commit)
        if commit not in ends:
            waiting += known.parents(commit)
    return found


def deepened(known: Known, tips: Iterable[bytes], depth: int) -> tuple[set[bytes], set[bytes]]:
    """The commits at most `depth` steps from the tips, and those among them that lack parents."""
    found: set[bytes] = set()
    front = set(tips)
    for _ in range(depth):
        found |= front
        front = {parent for commit in front for parent in known.parents(commit)} - found
        if not front:
            break
    ends = {c for c in found if any(parent not in found for parent in known.parents(c))}
    return found, ends


class Sending:
    """What goes to one client.

    Args:
        wanted: Commits that go.
        there: Commits that the client has already, with all that belongs to them.
    """

    def __init__(
        self, house: House, known: Known, wanted: Iterable[bytes], there: set[bytes]
    ) -> None:
        if known.model_id is None:
            raise InvalidInput("nothing-to-fetch", "the model has no versions yet")
        self._house = house
        self._model_id = known.model_id
        self._known = known
        self._objects = ModelObjects(house, known.model_id)
        order = {commit: row.number for commit, row in known.versions.items()}
        self._commits = sorted(set(wanted) - there, key=lambda commit: order[commit])
        self._there = there
        self._kept: dict[bytes, tuple[int, bytes]] = {}
        self._room = _KEPT
        self._near: Mapping[bytes, tuple[int, bytes]] = {}

    def names(self) -> list[bytes]:
        """Every object that goes, in the order in which it does."""
        seen = self._seen()
        found: list[bytes] = []
        for at in range(0, len(self._commits), _AHEAD):
            some = self._commits[at : at + _AHEAD]
            self._near = self._records(some)
            for commit in some:
                found += self._of(commit, seen)
        self._near = {}
        return found

    def pack(self, names: Sequence[bytes]) -> Iterator[bytes]:
        """The pack, in pieces."""
        return write_pack(len(names), map(self._body, names))

    def _seen(self) -> set[bytes]:
        """What the client has of the trees that the new ones were made from."""
        borders = {
            parent
            for commit in self._commits
            for parent in self._known.parents(commit)
            if parent in self._there
        }
        seen: set[bytes] = set()
        for commit in borders:
            self._walk(self._known.versions[commit].tree_id, seen)
        return seen

    def _of(self, commit: bytes, seen: set[bytes]) -> list[bytes]:
        """A commit and what of its tree was not seen before."""
        seen.add(commit)
        self._keep(commit, self._get(commit))
        return [commit, *self._walk(self._known.versions[commit].tree_id, seen)]

    def _walk(self, root: bytes, seen: set[bytes]) -> list[bytes]:
        found: list[bytes] = []
        waiting = [] if root in seen else [root]
        while waiting:
            sha = waiting.pop()
            if sha in seen:
                continue
            seen.add(sha)
            found.append(sha)
            kind, body = self._get(sha)
            self._keep(sha, (kind, body))
            if kind != TREE:
                continue
            for mode, child in _children(body):
                if child in seen:
                    continue
                if mode == _FOLDER:
                    waiting.append(child)
                else:
                    seen.add(child)
                    found.append(child)
                    if child in self._near:
                        self._keep(child, self._near[child])
        return found

    def _get(self, sha: bytes) -> tuple[int, bytes]:
        return self._kept.get(sha) or self._near.get(sha) or self._objects.get(sha)

    def _body(self, sha: bytes) -> tuple[int, bytes]:
        return self._kept.pop(sha, None) or self._objects.get(sha)

    def _keep(self, sha: bytes, item: tuple[int, bytes]) -> None:
        if sha not in self._kept and len(item[1]) < self._room:
            self._kept[sha] = item
            self._room -= len(item[1]) + 200

    def _records(self, commits: Sequence[bytes]) -> Mapping[bytes, tuple[int, bytes]]:
        """Everything that lies in the records of some commits."""
        house = self._house
        with house.catalog.read() as connection:
            keys = set(blobs.bundles(connection, self._model_id, commits).values())
        rows = list(house.index.rows(keys).values())
        bases = house.reader.bases(rows)
        found: dict[bytes, tuple[int, bytes]] = {}
        with house.reader.ahead(rows, bases) as ahead:
            for row in rows:
                _, content = split_bundle(house.reader.record(row, ahead))
                found.update((item.sha, (item.kind, item.body)) for item in decode_bundle(content))
        return found


def _children(body: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(mode, name of the object) of a tree's entries."""
    at = 0
    while at < len(body):
        space = body.index(b" ", at)
        end = body.index(b"\0", space)
        yield body[at:space], body[end + 1 : end + 21]
        at = end + 21
