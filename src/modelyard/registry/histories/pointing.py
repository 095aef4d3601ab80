"""Refs of a history that came: made, moved forward, or left where they are."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from modelyard.catalog.queries import refs, versions
from modelyard.registry.histories.names import fit_ref
from modelyard.registry.journal import Journal, in_journal
from modelyard.registry.refs import move_ref

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from modelyard.core.version import RefKind
    from modelyard.history.importing.steps import SourceRef
    from modelyard.registry.house import House

__all__ = ["Pointed", "point"]


@dataclass
class Pointed:
    """What became of the refs."""

    moved: list[str] = field(default_factory=list)
    renamed: dict[str, str] = field(default_factory=dict)
    conflicts: list[str] = field(default_factory=list)


def point(
    house: House, model: str, wanted: Sequence[SourceRef], numbers: Mapping[str, int]
) -> Pointed:
    """Make and move refs, in one transaction if there is anything to do.

    Branches go before tags and aliases when names clash; a tag that is there never moves, and a
    branch only forward.

    Args:
        numbers: Versions by the origins that refs point at.
    """
    done = Pointed()
    names = _names(wanted, done.renamed)

    def work(journal: Journal) -> None:
        row = journal.model(model)
        done.moved.clear()
        done.conflicts.clear()
        there = {ref.name: ref for ref in refs.of_models(journal.connection, [row.id])}
        parents = {v.number: v.parent_numbers for v in versions.all_of(journal.connection, row.id)}
        for ref, name in names:
            new = numbers[ref.origin]
            old = there.get(name)
            if old is not None and (old.kind, old.number) == (ref.kind, new):
                continue
            if old is not None and old.kind == ref.kind == "branch":
                if _is_below(new, old.number, parents):
                    continue  # it went on from here in this yard
                can_move = _is_below(old.number, new, parents)
            else:
                can_move = old is None or old.kind == ref.kind == "alias"
            if not can_move:
                assert old is not None
                done.conflicts.append(
                    f"{old.kind} {name} is at {old.number} here, and at {new} in the source"
                )
                continue
            before = None if old is None else old.number
            move_ref(house, journal, row, name, _kind(ref), before, new, "import")
            done.moved.append(name)

    in_journal(house, work)
    return done


def _names(wanted: Sequence[SourceRef], renamed: dict[str, str]) -> list[tuple[SourceRef, str]]:
    """The name of each in the yard; branches choose first, and good names before mended ones."""
    order = {"branch": 0, "tag": 1, "alias": 2}
    taken: set[str] = set()
    found = []
    fits = {ref: fit_ref(ref.name, ref.kind, ()) == ref.name for ref in wanted}
    for ref in sorted(wanted, key=lambda r: (not fits[r], order[r.kind], r.name)):
        name = fit_ref(ref.name, ref.kind, taken)
        taken.add(name)
        if name != ref.name:
            renamed[f"{ref.kind} {ref.name}"] = name
        found.append((ref, name))
    return found


def _is_below(low: int, high: int, parents: Mapping[int, Sequence[int]]) -> bool:
    """Whether one version is an ancestor of another, or it."""
    ahead, seen = [high], set()
    while ahead:
        at = ahead.pop()
        if at == low:
            return True
        if at not in seen:
            seen.add(at)
            ahead += parents.get(at, ())
    return False


def _kind(ref: SourceRef) -> RefKind:
    return ref.kind
