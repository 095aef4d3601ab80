"""What imports say of themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelyard.cli.text import Span
from modelyard.cli.views import words
from modelyard.core.version import human_size

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from modelyard.cli.text import Block
    from modelyard.core.imports import Imported, ImportedModel, LeftOut

__all__ = ["ImportedView"]

_SHOWN = 10


@dataclass(frozen=True, slots=True)
class ImportedView:
    """Models with a history from elsewhere."""

    done: Imported

    def json(self) -> object:
        return self.done

    def lines(self) -> Iterator[Block]:
        done = self.done
        count = sum(len(model.versions) for model in done.models)
        new = sum(model.new_bytes for model in done.models)
        yield [
            f"{words.count(count, 'version')} of {done.source}: {human_size(new)} new, ",
            words.duration(done.seconds),
        ]
        for model in done.models:
            yield from _model(model, done.system)

    def ids(self) -> Iterator[str]:
        for model in self.done.models:
            yield from (f"{model.model}@{number}" for number in model.versions)


def _model(model: ImportedModel, system: str) -> Iterator[Block]:
    parts = [words.count(len(model.versions), "version")]
    if model.known:
        parts.append(f"{model.known} there before")
    if model.refs:
        parts.append(", ".join(_some(model.refs)))
    yield [Span(model.model, "bold"), ": " + "; ".join(parts)]
    changed = len(model.versions) - model.kept_ids
    if system == "git" and model.versions:
        why = f", {changed} another (docs/guides/import.md says why)" if changed else ""
        yield f"  {model.kept_ids} have the commit id that they had in git{why}"
    for old, new in list(model.renamed.items())[:_SHOWN]:
        yield f"  {old} is called {new} here" if new else f"  {old} could not be kept"
    for conflict in model.conflicts:
        yield [Span("  left as it is: ", "warn"), conflict]
    yield from _left_out(model.left_out)
    for warning in _some(model.warnings):
        yield [Span("  ! ", "warn"), warning]


def _left_out(found: Sequence[LeftOut]) -> Iterator[Block]:
    for one in found[:_SHOWN]:
        times = f" ({one.times} times)" if one.times > 1 else ""
        yield f"  left out: {one.name}: {one.reason}{times}"
    if len(found) > _SHOWN:
        yield f"  left out: {len(found) - _SHOWN} more; --json lists them"


def _some(names: Sequence[str]) -> list[str]:
    return [*names[:_SHOWN], *(["..."] if len(names) > _SHOWN else [])]
