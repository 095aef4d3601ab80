"""The tree of a Subversion repository at every revision: folders that did not change are shared."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Folder", "Node", "SvnFile", "Trees", "files_in"]


@dataclass(frozen=True, slots=True)
class SvnFile:
    """A file as some revision left it."""

    path: str
    """Where it was then."""
    revision: int
    mode: int


Folder = dict[str, "SvnFile | Folder"]
"""Never altered once it is part of a tree."""
Node = SvnFile | Folder


class Trees:
    """All trees, by revision."""

    def __init__(self) -> None:
        self._numbers: list[int] = [0]
        self._trees: list[Folder] = [{}]

    @property
    def newest(self) -> Folder:
        return self._trees[-1]

    def add(self, revision: int, tree: Folder) -> None:
        self._numbers.append(revision)
        self._trees.append(tree)

    def at(self, revision: int) -> Folder:
        return self._trees[bisect_right(self._numbers, revision) - 1]


def get(tree: Folder, path: str) -> Node | None:
    node: Node = tree
    for part in path.split("/") if path else ():
        if isinstance(node, SvnFile) or part not in node:
            return None
        node = node[part]
    return node


def put(tree: Folder, path: str, node: Node | None) -> Folder:
    """The tree with something else at a path; None takes away what is there."""
    part, _, rest = path.partition("/")
    if not part:
        return node if isinstance(node, dict) else {}
    made = dict(tree)
    if not rest:
        made.pop(part, None)
        if node is not None:
            made[part] = node
        return made
    inside = tree.get(part)
    below = inside if isinstance(inside, dict) else {}
    if node is None and not isinstance(inside, dict):
        return tree
    made[part] = put(below, rest, node)
    return made


def files_in(node: Node | None) -> dict[str, SvnFile]:
    """Files below a folder, by their paths in it."""
    return dict(_below(node, "")) if isinstance(node, dict) else {}


def _below(folder: Mapping[str, Node], prefix: str) -> Iterator[tuple[str, SvnFile]]:
    stack: list[tuple[str, Mapping[str, Node]]] = [(prefix, folder)]
    while stack:
        before, inside = stack.pop()
        for name, node in inside.items():
            if isinstance(node, SvnFile):
                yield before + name, node
            else:
                stack.append((before + name + "/", node))
