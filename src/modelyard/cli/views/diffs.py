"""Views of differences: between two versions, and between a checkout and its version."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modelyard.cli.text import Block, Column, Span, Spans, Table, bar
from modelyard.cli.views import words
from modelyard.core.version import human_size
from modelyard.core.wire import builtins

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from modelyard.core.diff import Diff, FileChange, TensorChange, ValueChange
    from modelyard.registry.checkout import Checkout, LocalChange

__all__ = ["DiffView", "StatusView"]

FIRST_ROWS = 30


@dataclass(frozen=True, slots=True)
class DiffView:
    """What differs from one version to another."""

    diff: Diff
    limit: int | None = None
    """How many tensors were asked for; without, people see the first rows."""

    def json(self) -> object:
        fields: Any = builtins(self.diff)
        fields["summary"] = fields.pop("text")
        return fields

    def lines(self) -> Iterator[Block]:
        diff = self.diff
        yield [Span(diff.a, "bold"), " -> ", Span(diff.b, "bold")]
        yield diff.summary()
        if diff.files:
            yield ""
            yield Table(
                [Column(), Column("files", flexible=True), Column("size", right=True)],
                [_file(file) for file in diff.files],
            )
        if diff.structure:
            yield ""
            yield Span("structure", "dim")
            yield from (_line(text) for text in diff.structure)
        yield from self._tensors()
        for title, changes in (("params", diff.params), ("metrics", diff.metrics)):
            if changes:
                yield ""
                yield _values(title, changes)
        if diff.card_changed:
            yield ""
            yield "the model card changed"

    def ids(self) -> Iterator[str]:
        yield from (file.path for file in self.diff.files)

    def _tensors(self) -> Iterator[Block]:
        tensors = self.diff.tensors
        shown = tensors if self.limit is not None else tensors[:FIRST_ROWS]
        if not shown:
            return
        several = len({tensor.file for tensor in tensors}) > 1
        largest = max((t.relative_change or 0.0 for t in tensors), default=0.0)
        yield ""
        yield Table(
            [
                Column(),
                Column("tensors", flexible=True),
                Column("dtype"),
                Column("shape"),
                Column("change", right=True),
                Column(),
                Column("cosine", right=True),
                Column("max abs", right=True),
            ],
            [_tensor(tensor, largest, several=several) for tensor in shown],
        )
        if (left := self.diff.tensors_changed - len(shown)) > 0:
            yield Span(f"... and {left:,} more: --limit {self.diff.tensors_changed}", "dim")


def _line(text: str) -> Spans:
    kind = "added" if text.startswith("+") else "removed"
    return [words.SIGNS[kind], text[1:]]


def _file(file: FileChange) -> Spans:
    path = f"{file.old_path} -> {file.path}" if file.old_path else file.path
    known = [human_size(size) for size in (file.old_size, file.new_size) if size is not None]
    sizes = known[:1] if file.old_size == file.new_size else known
    return [words.SIGNS[file.change], path, " -> ".join(sizes)]


def _tensor(tensor: TensorChange, largest: float, *, several: bool) -> Spans:
    dtypes = [tensor.old_dtype, tensor.dtype] if tensor.old_dtype else [tensor.dtype]
    shapes = [words.shape(tensor.shape)]
    if tensor.old_shape is not None:
        shapes.insert(0, words.shape(tensor.old_shape))
    change = tensor.relative_change
    return [
        words.SIGNS[tensor.change],
        f"{tensor.file}: {tensor.name}" if several else tensor.name,
        " -> ".join(dtypes),
        " -> ".join(shapes),
        tensor.change if change is None else words.percent(change),
        Span("" if not change else bar(change / largest), "warn"),
        "" if tensor.cosine is None else f"{tensor.cosine:.4f}",
        "" if tensor.max_abs is None else words.amount(tensor.max_abs),
    ]


def _values(title: str, changes: Sequence[ValueChange]) -> Table:
    columns = [Column(), Column(title), Column("from", flexible=True), Column("to", flexible=True)]
    return Table([*columns, Column(right=True)], [_value(change) for change in changes])


def _value(change: ValueChange) -> Spans:
    kind = "added" if change.old is None else "removed" if change.new is None else "changed"
    old, new = ("" if v is None else words.value(v) for v in (change.old, change.new))
    return [words.SIGNS[kind], change.name, old, new, _step(change.old, change.new)]


def _step(old: object, new: object) -> str:
    numbers = (int, float)
    if isinstance(old, bool) or isinstance(new, bool):
        return ""
    if isinstance(old, int) and isinstance(new, int):
        return f"{new - old:+,}"
    if isinstance(old, numbers) and isinstance(new, numbers):
        return words.signed(float(new - old))
    return ""


@dataclass(frozen=True, slots=True)
class StatusView:
    """What was changed in a checkout."""

    checkout: Checkout
    changes: Sequence[LocalChange]

    def json(self) -> object:
        here = self.checkout
        return {
            "model": here.model,
            "branch": here.branch,
            "number": here.number,
            "changes": [{"path": c.path, "change": c.change} for c in self.changes],
        }

    def lines(self) -> Iterator[Block]:
        here = self.checkout
        branch = f"on {here.branch}" if here.branch else "on no branch"
        yield [Span(f"{here.model}@{here.number}", "bold"), f" {branch}"]
        if not self.changes:
            yield "no local changes"
        for change in self.changes:
            yield ["  ", words.SIGNS[change.change], f" {change.path}"]

    def ids(self) -> Iterator[str]:
        return (change.path for change in self.changes)
