"""What a look at data means: sentences, the worst first, and which passes may help."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from modelyard.core.listing import listed
from modelyard.optimization.data_facts import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelyard.optimization.data_facts import ColumnFacts, DataFacts

__all__ = ["findings_of"]

_SURE = 0.98
_UNEVEN = 0.2
"""The rarest class by the most frequent one, below which they are called uneven."""
_FEW = 200
_BLURRED = 0.1
"""Share of doubted labels above which the classes may just not be told apart by the inputs."""
_OR_BLURRED = ": or the inputs do not tell the classes apart"
_SHOWN = 6
_ORDER = {"bad": 0, "warn": 1, "note": 2}


def findings_of(facts: DataFacts) -> DataFacts:
    """The same with its findings."""
    found = sorted(_findings(facts), key=lambda each: _ORDER[each.weight])
    return replace(facts, findings=tuple(found))


def _findings(facts: DataFacts) -> Iterator[Finding]:
    for leak in facts.leaks:
        yield Finding(
            about="leak", weight="bad" if leak.skill >= _SURE else "warn", columns=(leak.column,),
            sentence=f"{leak.column} tells the target by itself ({leak.skill:.0%} of it): is it "
            "known before the answer is?",
        )  # fmt: skip
    yield from _overlap(facts)
    if facts.without_target:
        yield Finding(
            about="target", weight="warn",
            sentence=f"{facts.without_target:,} more rows have no target, and are left out here",
        )  # fmt: skip
    if facts.conflicts:
        yield Finding(
            about="conflicts", weight="warn", passes=("clean",),
            sentence=f"{facts.conflicts:,} rows have equals with another target",
        )  # fmt: skip
    if facts.copies:
        yield Finding(
            about="copies", weight="warn" if facts.copies > 0.01 * facts.rows else "note",
            passes=("clean",), sentence=f"{_rows(facts.copies)} there again",
        )  # fmt: skip
    if facts.doubts and facts.doubted is not None:
        sampled = f" of {facts.judged:,} looked at" if facts.judged < facts.rows else ""
        blurred = facts.doubted > _BLURRED
        yield Finding(
            about="labels", weight="warn" if facts.doubted > 0.01 else "note", passes=("relabel",),
            sentence=f"{len(facts.doubts):,} labels{sampled} are likely to be wrong, about "
            f"{facts.doubted:.1%} of all{_OR_BLURRED if blurred else ''}",
        )  # fmt: skip
    yield from _target(facts)
    yield from _columns(facts)
    if facts.rows < _FEW:
        yield Finding(
            about="few-rows", weight="note",
            sentence=f"{facts.rows:,} rows are few: differences have to be large to be seen",
        )  # fmt: skip


def _overlap(facts: DataFacts) -> Iterator[Finding]:
    both = facts.overlap
    if both is None:
        return
    if both.differing:
        shown = listed(both.differing, _SHOWN)
        yield Finding(
            about="differing", weight="warn", columns=both.differing,
            sentence=f"{shown}: other kinds of values in the rows to measure with than in those to "
            "learn from",
        )  # fmt: skip
    if both.exact:
        yield Finding(
            about="overlap", weight="bad",
            sentence=f"{both.exact:,} of {both.rows:,} rows to measure with are among those to "
            "learn from",
        )  # fmt: skip
    if both.near:
        yield Finding(
            about="overlap", weight="warn",
            sentence=f"{both.near:,} of {both.rows:,} rows to measure with are almost equal to one "
            "to learn from",
        )  # fmt: skip


def _target(facts: DataFacts) -> Iterator[Finding]:
    classes = () if facts.target is None else facts.target.classes
    if len(classes) < 2:
        return
    rarest, count = classes[-1]
    if count < _UNEVEN * classes[0][1]:
        yield Finding(
            about="balance", weight="note", passes=("balance",),
            sentence=f"class {rarest} has {count:,} rows, class {classes[0][0]} {classes[0][1]:,}: "
            "accuracy is mostly that of frequent classes",
        )  # fmt: skip


def _columns(facts: DataFacts) -> Iterator[Finding]:
    def those(about: str, chosen: list[ColumnFacts], sentence: str, *passes: str) -> Finding:
        names = tuple(each.name for each in chosen)
        shown = listed(names, _SHOWN)
        text = sentence.format(shown, is_="is" if len(names) == 1 else "are",
                               has="has" if len(names) == 1 else "have",
                               number="number" if len(names) == 1 else "numbers")  # fmt: skip
        return Finding(about=about, weight="note", sentence=text, passes=passes, columns=names)

    columns = facts.columns
    if found := [each for each in columns if each.missing > 0]:
        most = max(each.missing for each in found)
        yield those("missing", found, f"values are missing in {{}}: up to {most:.1%}", "clean")
    if found := [each for each in columns if each.far_out]:
        yield those("far-out", found, "{} {has} numbers very far from the others", "clean")
    if found := [each for each in columns if each.kind == "constant"]:
        yield those("constant", found, "{} {is_} the same in every row", "select")
    if found := [each for each in columns if each.is_identifier]:
        yield those("identifier", found, "{} {is_} different in every row, and names it", "select")
    if found := [each for each in columns if each.kind in ("category", "text", "time")]:
        yield those(
            "text", [each for each in found if not each.is_identifier] or found,
            "{} {is_} no {number}: a model needs that encoded", "encode",
        )  # fmt: skip


def _rows(count: int) -> str:
    return "1 row is" if count == 1 else f"{count:,} rows are"
