"""Views of versions: what a commit or checkout did, the log, one version, search results."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelyard.cli.text import Block, Column, Span, Spans, Table
from modelyard.cli.views import words
from modelyard.cli.views.graph import draw
from modelyard.core.version import human_size

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from modelyard.core.version import (
        CheckedOut,
        Committed,
        Page,
        RefMove,
        VersionInfo,
    )

__all__ = ["CheckedOutView", "CommittedView", "LogView", "MovesView", "PageView"]


@dataclass(frozen=True, slots=True)
class CommittedView:
    """What a commit, revert or merge made."""

    made: Committed

    def json(self) -> object:
        return self.made

    def lines(self) -> Iterator[Block]:
        made = self.made
        title = Span(f"{made.model}@{made.number}", "bold")
        if not made.created:
            yield ["nothing changed: ", title, f" on {made.branch} has this content already"]
            return
        yield [title, f" {made.commit[:7]} on {made.branch}"]
        yield words.sizes(made.size, made.new_bytes, made.seconds)
        yield from made.notes

    def ids(self) -> Iterator[str]:
        yield f"{self.made.model}@{self.made.number}"


@dataclass(frozen=True, slots=True)
class CheckedOutView:
    """What a checkout or pull wrote."""

    done: CheckedOut

    def json(self) -> object:
        return self.done

    def lines(self) -> Iterator[Block]:
        done = self.done
        title = Span(f"{done.model}@{done.number}", "bold")
        branch = f" (branch {done.branch})" if done.branch else ""
        yield [title, f"{branch} in {done.dest}"]
        files = words.count(done.files, "file")
        yield f"{files}, {human_size(done.size)}, {words.duration(done.seconds)}"

    def ids(self) -> Iterator[str]:
        yield f"{self.done.model}@{self.done.number}"


LOG_KEYS = (
    "number", "commit", "parents", "branch", "author", "time", "message", "refs", "size",
    "new_bytes", "metrics",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class LogView:
    """Versions, children first, with the graph beside them. Read once, as it is written."""

    versions: Iterator[VersionInfo]

    def json(self) -> object:
        return [{key: getattr(v, key) for key in LOG_KEYS} for v in self.versions]

    def lines(self) -> Iterator[Block]:
        first = next(self.versions, None)
        if first is None:
            yield "no versions"
            return
        drawn_from, shown = itertools.tee(itertools.chain([first], self.versions))
        drawings = draw((version.number, version.parents) for version in drawn_from)
        for version, drawing in zip(shown, drawings, strict=True):
            yield [Span(drawing.node, "name"), " ", *_log_head(version)]
            yield [Span(drawing.below, "name"), " ", Span(_log_facts(version), "dim")]

    def ids(self) -> Iterator[str]:
        return (version.title for version in self.versions)


def _log_head(version: VersionInfo) -> Spans:
    refs: Spans = []
    if version.refs:
        refs = ["(", Span(", ".join(version.refs), "good"), ") "]
    gone = [Span("deleted ", "bad")] if version.deleted else []
    number = Span(str(version.number), "bold")
    return [number, f" {version.commit[:7]} ", *refs, *gone, words.first_line(version.message)]


def _log_facts(version: VersionInfo) -> str:
    facts = [
        version.author.partition(" <")[0],
        words.minute(version.time),
        words.sizes(version.size, version.new_bytes),
        words.pairs(version.metrics),
    ]
    return ", ".join(fact for fact in facts if fact)


@dataclass(frozen=True, slots=True)
class MovesView:
    """Every move of one ref, or of all, newest first."""

    moves: Sequence[RefMove]

    def json(self) -> object:
        return list(self.moves)

    def lines(self) -> Iterator[Block]:
        titles = ("time", "ref", "from", "to", "by", "why")
        columns = [Column(title, flexible=title == "why") for title in titles]
        yield Table(columns, [_move(move) for move in self.moves])

    def ids(self) -> Iterator[str]:
        return (move.ref for move in self.moves)


def _move(move: RefMove) -> Spans:
    old, new = ("-" if number is None else str(number) for number in (move.old, move.new))
    who = move.who.partition(" <")[0]
    return [words.minute(move.time), Span(move.ref, "good"), old, new, who, move.reason]


@dataclass(frozen=True, slots=True)
class PageView:
    """One page of search results."""

    page: Page

    def json(self) -> object:
        return self.page

    def lines(self) -> Iterator[Block]:
        if not self.page.items:
            yield "nothing found"
            return
        titles = ("version", "time", "size", "refs", "metrics", "message")
        columns = [
            Column(title, right=title == "size", flexible=title in ("refs", "metrics", "message"))
            for title in titles
        ]
        yield Table(columns, [_found(version) for version in self.page.items])

    def ids(self) -> Iterator[str]:
        return (version.title for version in self.page.items)


def _found(version: VersionInfo) -> Spans:
    return [
        Span(version.title, "bold"),
        words.minute(version.time),
        human_size(version.size),
        Span(", ".join(version.refs), "good"),
        words.pairs(version.metrics),
        words.first_line(version.message),
    ]
