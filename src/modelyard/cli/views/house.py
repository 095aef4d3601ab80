"""Views of the house itself: a new yard, gc, verify, stats."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modelyard.cli.text import Block, Column, Span, Table
from modelyard.cli.views import words
from modelyard.core.version import human_size
from modelyard.core.wire import builtins

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelyard.core.stats import GcReport, VerifyReport, YardStats

__all__ = ["GcView", "MadeView", "RekeyedView", "StatsView", "VerifyView"]


@dataclass(frozen=True, slots=True)
class MadeView:
    """A yard that was just made, or joined."""

    url: str
    models: int

    def json(self) -> object:
        return {"yard": self.url, "models": self.models}

    def lines(self) -> Iterator[Block]:
        yield ["made a yard in ", Span(self.url, "bold")]
        if self.models:
            yield f"it shares a store and a catalog that have {words.count(self.models, 'model')}"

    def ids(self) -> Iterator[str]:
        yield self.url


@dataclass(frozen=True, slots=True)
class RekeyedView:
    """A new master key is in use."""

    key: str
    packs: int

    def json(self) -> object:
        return {"key": self.key, "packs": self.packs}

    def lines(self) -> Iterator[Block]:
        yield f"the keys of {words.count(self.packs, 'pack')} are wrapped by {self.key} now"

    def ids(self) -> Iterator[str]:
        yield self.key


@dataclass(frozen=True, slots=True)
class GcView:
    """What gc gave back."""

    report: GcReport

    def json(self) -> object:
        return self.report

    def lines(self) -> Iterator[Block]:
        done = self.report
        verb = "would free" if done.dry_run else "freed"
        yield f"{words.count(done.chunks, 'chunk')} that nothing needs"
        yield f"{verb} {human_size(done.freed)} now"
        if done.waiting:
            packs = words.count(done.packs_waiting, "pack")
            yield f"{human_size(done.waiting)} in {packs} more when the grace time is over"
        packs = words.count(done.packs_deleted, "pack")
        moved = f", {human_size(done.moved)} moved" if done.moved else ""
        yield f"{packs} deleted, {done.packs_rewritten:,} rewritten{moved}"
        if done.versions_purged:
            yield f"{words.count(done.versions_purged, 'version')} purged"

    def ids(self) -> Iterator[str]:
        yield str(self.report.freed)


@dataclass(frozen=True, slots=True)
class VerifyView:
    """What reading everything found."""

    report: VerifyReport

    def json(self) -> object:
        fields: Any = builtins(self.report)
        return fields | {"ok": self.report.ok}

    def lines(self) -> Iterator[Block]:
        done = self.report
        if done.rebuilt:
            yield "the catalog was made again from the store"
        counts = ((done.versions, "version"), (done.blobs, "blob"), (done.chunks, "chunk"))
        if done.repaired:
            yield f"{words.count(len(done.repaired), 'chunk')} repaired from the other yard"
        read = ", ".join(words.count(number, noun) for number, noun in counts)
        yield f"read {read}: {human_size(done.bytes)}"
        if done.ok:
            yield Span("all is well", "good")
            return
        yield Span(words.count(len(done.damage), "damaged thing"), "bad")
        titles = ("what", "name", "versions", "reason")
        columns = [Column(title, flexible=title == "versions") for title in titles]
        yield Table(
            columns, [[d.what, d.name, ", ".join(d.versions), d.reason] for d in done.damage]
        )

    def ids(self) -> Iterator[str]:
        return (damage.name for damage in self.report.damage)


@dataclass(frozen=True, slots=True)
class StatsView:
    """Bytes of a yard."""

    stats: YardStats

    def json(self) -> object:
        fields: Any = builtins(self.stats)
        return fields | {"ratio": self.stats.ratio}

    def lines(self) -> Iterator[Block]:
        stats = self.stats
        yield words.fact("models", f"{stats.models:,}")
        yield words.fact("versions", f"{stats.versions:,}")
        yield words.fact("as copies", human_size(stats.logical))
        if stats.catalog:  # a server tells of its own bytes only who may read everything
            yield words.fact("distinct", human_size(stats.unique))
            yield words.fact(
                "stored", f"{human_size(stats.stored)} in {words.count(stats.packs, 'pack')}"
            )
            yield words.fact("catalog", human_size(stats.catalog))
        if stats.logical and stats.catalog:
            saved = 1 - stats.ratio
            share = f"{saved * 100:.1f} % of what plain copies would take"
            yield words.fact(
                "saved", share if saved > 0 else "nothing yet: the catalog alone is larger"
            )
        if stats.per_model:
            yield ""
            yield Table(
                [
                    Column("model"),
                    *(Column(t, right=True) for t in ("versions", "as copies", "new")),
                ],
                [
                    [
                        Span(m.name, "bold"),
                        f"{m.versions:,}",
                        human_size(m.logical),
                        human_size(m.new_bytes),
                    ]
                    for m in stats.per_model
                ],
            )

    def ids(self) -> Iterator[str]:
        return (model.name for model in self.stats.per_model)
