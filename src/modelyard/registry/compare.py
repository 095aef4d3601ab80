"""Diff of two versions, of the same model or not: files, tensors, parameters, metrics."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal

from modelyard.catalog.queries import versions
from modelyard.core.diff import Diff, TensorChange, ValueChange, summarize
from modelyard.core.merge import change_tree
from modelyard.core.names import ModelRevision
from modelyard.core.version import Progress, TensorEntry
from modelyard.registry.card import CARD_PATH
from modelyard.registry.files import contents
from modelyard.registry.publish import manifest_of
from modelyard.registry.tensor_pairs import change_of, match, surely_equal, tensors_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from modelyard.core.manifest import Manifest
    from modelyard.registry.files import Contents
    from modelyard.registry.house import House
    from modelyard.registry.tensor_pairs import StoredTensor

__all__ = ["Compared", "Line", "compared", "diff"]

_MOST_LINES = 2000
_FEW_LINES = 200
"""To look for lines that are alike takes the square of their number, or more."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a text that changed."""

    change: Literal["added", "removed", "same", "gap"]
    """`gap` stands for lines that are left out, because they are the same."""
    text: str


@dataclass(frozen=True, slots=True)
class Compared:
    """A diff with what did not change beside it."""

    commits: tuple[str, str]
    """Of the old and the new version."""
    diff: Diff
    tensors: tuple[TensorEntry, ...]
    """Those of the new version that are as they were, in the order of its files."""
    card: tuple[Line, ...]
    """Of README.md: lines that changed, and some around them."""


def diff(
    house: House, a: str, b: str, limit: int | None, report: Callable[[Progress], None]
) -> Diff:
    """From `a` to `b`; tensors with the same chunks are not read."""
    return compared(house, a, b, limit, report).diff


def compared(
    house: House, a: str, b: str, limit: int | None, report: Callable[[Progress], None]
) -> Compared:
    """From `a` to `b`, with all tensors and with the lines of the card."""
    old, new = (_side(house, text) for text in (a, b))
    old_tensors, new_tensors = tensors_of(house, old), tensors_of(house, new)
    pairs, removed, added = match(old_tensors, new_tensors)
    changed, same = _compare(house, pairs, report)
    tensors = [
        *(_whole(t, "removed") for t in removed),
        *(_whole(t, "added") for t in added),
        *sorted(changed, key=lambda c: -(c.relative_change or 0.0)),
    ]
    files = change_tree(old.tree, new.tree)
    before, after = manifest_of(old.all_files), manifest_of(new.all_files)
    params = _values(before.params, after.params)
    metrics = _values(*_metrics(house, (old, before), (new, after)))
    card_changed = old.tree.get(CARD_PATH) != new.tree.get(CARD_PATH)
    found = Diff(
        a=old.title,
        b=new.title,
        files=files,
        tensors=tuple(tensors[:limit]),
        tensors_total=len(new_tensors),
        tensors_changed=len(tensors),
        params=params,
        metrics=metrics,
        card_changed=card_changed,
        text=summarize(files, tensors, len(new_tensors), params, metrics),
        structure=_structure(before.saved or {}, after.saved or {}),
    )
    return Compared(
        commits=(old.version.commit_id.hex(), new.version.commit_id.hex()),
        diff=found,
        tensors=tuple(TensorEntry.of(t.file, t.info) for t in same[:limit]),
        card=_lines(_card(old), _card(new)) if card_changed else (),
    )


def _metrics(
    house: House, old: tuple[Contents, Manifest], new: tuple[Contents, Manifest]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Of two versions: what was committed, and what evaluations found where that says of both."""
    keys = [contents.version.id for contents, _ in (old, new)]
    with house.catalog.read() as connection:
        known = versions.metrics_of(connection, keys)
    measured = [known.get(key, {}) for key in keys]
    committed = {*old[1].metrics, *new[1].metrics}
    told = committed | (measured[0].keys() & measured[1].keys())
    before, after = (
        {name: value for name, value in {**manifest.metrics, **found}.items() if name in told}
        for (_, manifest), found in zip((old, new), measured, strict=True)
    )
    return before, after


def _structure(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[str, ...]:
    """Steps or layers that are not in both, in their order."""
    before, after = (saved.get("structure", [])[:_MOST_LINES] for saved in (old, new))
    if max(len(before), len(after)) <= _FEW_LINES:  # lines that are alike beside each other
        lines = difflib.ndiff(before, after)
        return tuple(line.rstrip() for line in lines if line.startswith(("- ", "+ ")))
    lines = islice(difflib.unified_diff(before, after, n=0, lineterm=""), 2, None)
    return tuple(f"{line[0]} {line[1:]}".rstrip() for line in lines if line[0] in "-+")


def _card(found: Contents) -> list[str]:
    entry = found.tree.get(CARD_PATH)
    if entry is None or entry.inline is None:
        return []
    return entry.inline.decode("utf-8", "replace").splitlines()


def _lines(old: Sequence[str], new: Sequence[str]) -> tuple[Line, ...]:
    """As `diff -u` has it, without its numbers."""
    kinds: Mapping[str, Literal["added", "removed", "same"]] = {
        "+": "added", "-": "removed", " ": "same",
    }  # fmt: skip
    lines: list[Line] = []
    for text in difflib.unified_diff(old[:_MOST_LINES], new[:_MOST_LINES], n=2, lineterm=""):
        if text.startswith(("--- ", "+++ ")) and not lines:
            continue
        if text.startswith("@@"):
            lines.append(Line("gap", ""))
        else:
            lines.append(Line(kinds[text[:1]], text[1:]))
    return tuple(lines[1:] if lines and lines[0].change == "gap" else lines)


def _side(house: House, text: str) -> Contents:
    parsed = ModelRevision.parse(text)
    revision = None if parsed.revision is None else str(parsed.revision)
    return contents(house, parsed.model.text, revision)


def _compare(
    house: House,
    pairs: Sequence[tuple[StoredTensor, StoredTensor]],
    report: Callable[[Progress], None],
) -> tuple[list[TensorChange], list[StoredTensor]]:
    """What changed, and the tensors that did not."""
    suspects = [pair for pair in pairs if not surely_equal(*pair)]
    total = sum(new.info.nbytes or 0 for _, new in suspects)
    changes, done = [], 0
    moved: set[int] = set()
    results = house.pool.map(lambda pair: change_of(*pair), suspects)
    for (_, new), change in zip(suspects, results, strict=True):
        done += new.info.nbytes or 0
        report(Progress("compare", done, total))
        if change is not None:
            changes.append(change)
            moved.add(id(new))
    return changes, [new for _, new in pairs if id(new) not in moved]


def _whole(tensor: StoredTensor, change: Literal["added", "removed"]) -> TensorChange:
    return TensorChange(
        tensor.file,
        tensor.info.name,
        change,
        tensor.info.dtype,
        tensor.info.shape,
    )


def _values(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[ValueChange, ...]:
    return tuple(
        ValueChange(name, old.get(name), new.get(name))
        for name in sorted({*old, *new})
        if old.get(name) != new.get(name)
    )
