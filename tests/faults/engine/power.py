"""A disk that loses power: what was not made durable may be gone, in part or in any order.

The system may have written more than it was told to, but never owes it. Kept is what a finished
`fsync` covers: bytes by that of their file, names by that of their folder. Of the rest, a cut
leaves nothing, or a torn beginning, or any part of it, or names without bytes.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from tests.faults.engine.recording import Event

__all__ = ["CUTS", "Disk"]

CUTS = ("nothing", "torn", "scattered", "names only", "zeros", "everything")
"""What is left of changes that were not durable."""
_SECTOR = 512


@dataclass
class Node:
    """A file or a folder: what is durable, and what happened since."""

    is_folder: bool
    data: bytearray = field(default_factory=bytearray)
    names: dict[str, Node] = field(default_factory=dict)
    live: dict[str, Node] = field(default_factory=dict)
    pending: list[tuple] = field(default_factory=list)


class Disk:
    """Follows events; `cut` writes what a power cut would leave."""

    def __init__(self, root: Path) -> None:
        """Begin with what lies in a folder, all of it durable."""
        self._root = str(root)
        self._top = _load(root)
        self._syncs: dict[int, tuple[Node, int]] = {}

    def follow(self, event: Event) -> None:
        if event.what == "tell":
            return
        if event.what == "sync-begin":
            node = self._find(event.path)
            if node is not None:
                self._syncs[event.at] = (node, len(node.pending))
        elif event.what == "sync-end":
            if event.at in self._syncs:
                self._make_durable(event.at)
        elif event.what in ("create", "mkdir"):
            self._add(event.path, is_folder=event.what == "mkdir")
        elif event.what == "unlink":
            self._remove(event.path)
        elif event.what == "rename":
            self._rename(event.path, event.to)
        else:
            node = self._find(event.path)
            if node is not None:
                node.pending.append((event.what, event.at, event.data))

    def cut(self, dest: Path, how: str, rng: random.Random) -> None:
        """Write the folder as the disk has it after the power is back."""
        _write(self._top, dest, how, rng)

    def _make_durable(self, number: int) -> None:
        node, count = self._syncs.pop(number)
        # another sync of the same file may have ended meanwhile
        done, node.pending = node.pending[:count], node.pending[count:]
        for other, (there, pending) in self._syncs.items():
            if there is node:
                self._syncs[other] = (node, max(pending - len(done), 0))
        if node.is_folder:
            for change in done:
                _apply_name(node.names, change)
        else:
            for change in done:
                _apply_data(node.data, change)

    def _find(self, path: str) -> Node | None:
        node = self._top
        for name in self._parts(path):
            found = node.live.get(name)
            if found is None:
                return None
            node = found
        return node

    def _parts(self, path: str) -> Sequence[str]:
        return Path(path).relative_to(self._root).parts

    def _parent(self, path: str) -> tuple[Node, str]:
        node = self._find(str(Path(path).parent))
        assert node is not None, path
        return node, Path(path).name

    def _add(self, path: str, *, is_folder: bool) -> None:
        if path == self._root:
            return
        parent, name = self._parent(path)
        if name not in parent.live:
            parent.live[name] = Node(is_folder)
            parent.pending.append(("add", name, parent.live[name]))

    def _remove(self, path: str) -> None:
        parent, name = self._parent(path)
        if parent.live.pop(name, None) is not None:
            parent.pending.append(("remove", name, None))

    def _rename(self, old: str, new: str) -> None:
        (source, before), (target, after) = self._parent(old), self._parent(new)
        node = source.live.pop(before)
        target.live[after] = node
        if source is target:
            source.pending.append(("move", before, after, node))
        else:
            target.pending.append(("add", after, node))
            source.pending.append(("remove", before, None))


def _load(place: Path) -> Node:
    node = Node(place.is_dir())
    if node.is_folder:
        for entry in place.iterdir():
            if not entry.name.endswith("-shm"):
                node.names[entry.name] = node.live[entry.name] = _load(entry)
    else:
        node.data = bytearray(place.read_bytes())
    return node


def _apply_name(names: dict[str, Node], change: tuple) -> None:
    if change[0] == "add":
        names[change[1]] = change[2]
    elif change[0] == "remove":
        names.pop(change[1], None)
    else:
        names.pop(change[1], None)
        names[change[2]] = change[3]


def _apply_data(data: bytearray, change: tuple) -> None:
    what, at, content = change
    if what == "size":
        del data[at:]
        data.extend(bytes(at - len(data)))
        return
    if len(data) < at:
        data.extend(bytes(at - len(data)))
    data[at : at + len(content)] = content


def _write(node: Node, place: Path, how: str, rng: random.Random) -> None:
    if not node.is_folder:
        place.write_bytes(_data_after(node, how, rng))
        return
    place.mkdir()
    names = dict(node.names)
    for change in node.pending[: _kept_names(len(node.pending), how, rng)]:
        _apply_name(names, change)
    for name, child in names.items():
        _write(child, place / name, how, rng)


def _kept_names(count: int, how: str, rng: random.Random) -> int:
    """Names change in order, as every journal of a file system keeps them."""
    if how == "nothing":
        return 0
    return count if how in ("names only", "zeros", "everything") else rng.randint(0, count)


def _data_after(node: Node, how: str, rng: random.Random) -> bytearray:
    data = bytearray(node.data)
    changes = node.pending
    if how in ("nothing", "names only"):
        return data
    if how == "torn":
        kept = rng.randint(0, len(changes))
        torn = changes[kept : kept + 1]
        changes = changes[:kept] + [_torn(change, rng) for change in torn]
    elif how == "scattered":
        changes = [part for c in changes for part in _sectors(c) if rng.random() < 0.5]
    elif how == "zeros":
        changes = [_zeroed(change, len(data)) for change in changes]
    for change in changes:
        _apply_data(data, change)
    return data


def _torn(change: tuple, rng: random.Random) -> tuple:
    if change[0] == "size":
        return change
    return (*change[:2], change[2][: rng.randint(0, len(change[2]))])


def _sectors(change: tuple) -> list[tuple]:
    if change[0] == "size":
        return [change]
    _, at, content = change
    cuts = [0, *range(_SECTOR - at % _SECTOR, len(content), _SECTOR), len(content)]
    return [("write", at + a, content[a:b]) for a, b in itertools.pairwise(cuts)]


def _zeroed(change: tuple, durable: int) -> tuple:
    """The file has its new length, and the blocks behind the old end were never written."""
    if change[0] == "size":
        return change
    _, at, content = change
    kept = min(max(durable - at, 0), len(content))
    return ("write", at, content[:kept] + bytes(len(content) - kept))
