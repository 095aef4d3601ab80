"""Views of predictions: a few as a table, and what became of a file of many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import msgspec

from modelyard.cli.text import Block, Column, Span, Table
from modelyard.cli.views import words

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from modelyard.serving.batch import Predicted

__all__ = ["AnswerView", "PredictedView"]

_ROWS = 50
_VALUES = 8


@dataclass(frozen=True, slots=True)
class AnswerView:
    """The answer of a server."""

    answer: Mapping[str, Any]

    @classmethod
    def of(cls, body: bytes) -> Self:
        return cls(msgspec.json.decode(body))

    def json(self) -> object:
        return self.answer

    def lines(self) -> Iterator[Block]:
        answer = self.answer
        yield Span(f"{answer['model']}@{answer['version']}", "name")
        if "outputs" in answer:
            for name, values in answer["outputs"].items():
                yield f"{name}: {_shown(values)}"
            return
        rows: Sequence[Mapping[str, Any]] = answer["predictions"]
        classes = answer.get("classes")
        columns = [Column("row", right=True), *(Column(name, flexible=True) for name in rows[0])]
        yield Table(columns, [
            [str(at), *(_shown(value, classes if name.endswith("probability") else None)
                        for name, value in row.items())]
            for at, row in enumerate(rows[:_ROWS])
        ])  # fmt: skip
        if len(rows) > _ROWS:
            yield Span(f"... and {len(rows) - _ROWS:,} more; --json shows all", "dim")

    def ids(self) -> Iterator[str]:
        """The first output, a line for each row."""
        if "outputs" in self.answer:
            yield from (msgspec.json.encode(v).decode() for v in self.answer["outputs"].values())
            return
        for row in self.answer["predictions"]:
            value = next(iter(row.values()))
            yield value if isinstance(value, str) else msgspec.json.encode(value).decode()


@dataclass(frozen=True, slots=True)
class PredictedView:
    """A file that was predicted."""

    done: Predicted

    def json(self) -> object:
        return self.done

    def lines(self) -> Iterator[Block]:
        done = self.done
        yield f"{words.count(done.rows, 'row')} by {done.title}: {done.target}"
        if done.resumed:
            yield Span(f"{done.resumed:,} of them were there before", "dim")
        fresh = done.rows - done.resumed
        speed = f"{fresh / max(done.seconds, 1e-9):,.0f} rows/s"
        by = words.count(done.workers, "worker")
        yield Span(f"{words.duration(done.seconds)}, {speed}, {by}, {done.batch:,} at once", "dim")

    def ids(self) -> Iterator[str]:
        yield self.done.target


def _shown(value: Any, classes: Sequence[Any] | None = None) -> str:
    """A value of an output; of many, the first."""
    if isinstance(value, float):
        return words.amount(value)
    if not isinstance(value, list):
        return "" if value is None else str(value)
    parts = [_shown(part) for part in value[:_VALUES]]
    if classes is not None and len(classes) == len(value):
        parts = [f"{label} {part}" for label, part in zip(classes, parts, strict=False)]
    more = f", ... {len(value):,}" if len(value) > _VALUES else ""
    joined = ", ".join(parts) + more
    return joined if classes is not None else f"[{joined}]"
