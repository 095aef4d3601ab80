"""Where a Subversion repository keeps its trunk, branches and tags."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from modelyard.core.names import MAIN

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from modelyard.history.importing.svnlog import Revision

__all__ = ["Layout", "Line", "find_layout"]


@dataclass(frozen=True, slots=True)
class Line:
    """A folder whose changes are one line of versions."""

    root: str
    """From the top of the repository; empty for all of it."""
    name: str
    kind: str
    """`branch` or `tag`."""

    @property
    def branch(self) -> str:
        """What its versions say as their branch."""
        return self.name if self.kind == "branch" else f"tags/{self.name}"


@dataclass
class Layout:
    """Tells the line of a path."""

    trunk: str
    branches: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    roots: set[str] = field(default_factory=set)
    """Roots of branches and tags that lie deeper than one folder."""

    def line(self, path: str) -> Line | None:
        """The line that a path belongs to; None for what is beside all of them."""
        for kind, folders in (("branch", self.branches), ("tag", self.tags)):
            for folder in folders:
                if path == folder or path.startswith(f"{folder}/"):
                    return self._below(path, folder, kind)
        if _is_in(path, self.trunk):
            return Line(self.trunk, MAIN, "branch")
        return None

    def _below(self, path: str, folder: str, kind: str) -> Line | None:
        parts = path[len(folder) :].strip("/").split("/")
        if parts == [""]:
            return None
        for depth in range(1, len(parts) + 1):
            root = f"{folder}/{'/'.join(parts[:depth])}"
            inside = any(other.startswith(f"{root}/") for other in self.roots)
            if root in self.roots or not inside:
                return Line(root, "/".join(parts[:depth]), kind)
        return None


def find_layout(
    prefix: str,
    log: Sequence[Revision],
    *,
    trunk: str | None,
    branches: Iterable[str],
    tags: Iterable[str],
) -> Layout:
    """The layout that was named, else trunk/branches/tags if there ever was one of them, else all.

    Args:
        prefix: What is imported, from the top of the repository.
    """
    paths = {change.path for revision in log for change in revision.changes}
    usual = any(_is_in(path, _join(prefix, "trunk")) for path in paths)
    named = trunk is not None or bool(list(branches)) or bool(list(tags))
    if named:
        layout = Layout(
            _join(prefix, trunk or ""), tuple(_join(prefix, b) for b in branches),
            tuple(_join(prefix, t) for t in tags),
        )  # fmt: skip
    elif usual:
        layout = Layout(
            _join(prefix, "trunk"), (_join(prefix, "branches"),), (_join(prefix, "tags"),)
        )
    else:
        layout = Layout(prefix)
    _find_deep(layout, log)
    return layout


def _find_deep(layout: Layout, log: Sequence[Revision]) -> None:
    """Branches such as branches/ann/faster: copies of the top of a line, below a plain folder."""
    for revision in log:
        for change in revision.changes:
            if change.copied is None:
                continue
            container = any(_is_in(change.path, f) for f in (*layout.branches, *layout.tags))
            if container and _is_top(layout, change.copied[0]):
                around = {change.path.rsplit("/", n)[0] for n in range(1, change.path.count("/"))}
                if not around & layout.roots:
                    layout.roots.add(change.path)


def _is_top(layout: Layout, path: str) -> bool:
    if path == layout.trunk or path in layout.roots:
        return True
    return any(path.rpartition("/")[0] == folder for folder in (*layout.branches, *layout.tags))


def _join(prefix: str, path: str) -> str:
    return "/".join(part for part in (prefix, path.strip("/")) if part not in ("", "."))


def _is_in(path: str, folder: str) -> bool:
    return not folder or path == folder or path.startswith(f"{folder}/")
