"""Views of what travelled: copies, backups, exports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelyard.cli.text import Block, Column, Span, Table
from modelyard.cli.views import words
from modelyard.core.version import human_size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelyard.core.transfer import BackedUp, Copied, CopiedModel, Exported

__all__ = ["BackupView", "CopiedView", "ExportedView"]

_SHOWN = 20


@dataclass(frozen=True, slots=True)
class CopiedView:
    """What came into another yard, and what was left as it is there."""

    done: Copied

    def json(self) -> object:
        return self.done

    def lines(self) -> Iterator[Block]:
        done = self.done
        changed = [model for model in done.models if model.is_changed]
        for model in changed[:_SHOWN]:
            yield from _model(model)
        if len(changed) > _SHOWN:
            yield f"... and {words.count(len(changed) - _SHOWN, 'more model')}"
        came = words.count(done.versions, "version")
        sent = f"{human_size(done.bytes)} in {words.count(done.chunks, 'chunk')}"
        if done.dry_run:
            yield f"{came} would come: {sent}"
        elif not changed:
            yield "nothing to copy"
        else:
            yield f"{came} came: {sent}, {words.duration(done.seconds)}"
        conflicts = [(model.model, found) for model in done.models for found in model.conflicts]
        if conflicts:
            yield Span(f"{words.count(len(conflicts), 'thing')} left as there", "warn")
            columns = [Column(title) for title in ("what", "name", "there", "here")]
            yield Table(
                columns, [[c.what, f"{name}@{c.name}", c.there, c.here] for name, c in conflicts]
            )

    def ids(self) -> Iterator[str]:
        for model in self.done.models:
            for number in model.versions:
                yield f"{model.model}@{number}"


def _model(model: CopiedModel) -> Iterator[Block]:
    parts = []
    if model.renamed_from:
        parts.append(f"renamed from {model.renamed_from}")
    if model.versions:
        parts.append(words.count(len(model.versions), "version"))
    if model.refs:
        parts.append(", ".join(model.refs))
    if model.labels:
        parts.append(words.count(model.labels, "label"))
    if model.reports:
        parts.append(words.count(model.reports, "report"))
    yield [Span(model.model, "bold"), ": " + "; ".join(parts) if parts else ""]
    if model.renumbered:
        shown = [f"{old} -> {new}" for old, new in list(model.renumbered.items())[:_SHOWN]]
        more = ", ..." if len(model.renumbered) > _SHOWN else ""
        yield f"  numbers that were taken there: {', '.join(shown)}{more}"


@dataclass(frozen=True, slots=True)
class BackupView:
    """A backup that was written or read."""

    done: BackedUp
    verb: str

    def json(self) -> object:
        return self.done

    def lines(self) -> Iterator[Block]:
        done = self.done
        yield [f"{self.verb} {words.count(done.versions, 'version')}: ", Span(done.file, "bold")]
        packs = f" in {words.count(done.packs, 'pack')}" if done.packs else ""
        sealed = ", encrypted" if done.sealed else ""
        yield f"{human_size(done.bytes)}{packs}{sealed}, {words.duration(done.seconds)}"

    def ids(self) -> Iterator[str]:
        yield self.done.file


@dataclass(frozen=True, slots=True)
class ExportedView:
    """A version in a file."""

    done: Exported

    def json(self) -> object:
        return self.done

    def lines(self) -> Iterator[Block]:
        done = self.done
        title = Span(f"{done.model}@{done.number}", "bold")
        yield [title, f" {done.commit[:7]} in {done.file}"]
        yield f"{words.count(done.files, 'file')}, {human_size(done.bytes)}"

    def ids(self) -> Iterator[str]:
        yield self.done.file
