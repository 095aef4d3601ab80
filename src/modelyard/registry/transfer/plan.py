"""What a model has in one yard and lacks in another, as far as the two catalogs tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelyard.catalog.queries import labels, models, refs, transfer, versions
from modelyard.core.access import NOBODY
from modelyard.registry.lookup import find_model, find_version

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import sqlalchemy as sa

    from modelyard.catalog.queries.models import ModelRow
    from modelyard.catalog.queries.refs import RefRow
    from modelyard.catalog.queries.transfer import ReportKey
    from modelyard.catalog.queries.versions import VersionRow
    from modelyard.registry.house import House

__all__ = ["Plan", "Rename", "find_plan", "groups", "numbers_for", "renames"]

_MOST_VERSIONS = 64
_MOST_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class Plan:
    """One model of the source, as of one moment."""

    model: ModelRow
    versions: Sequence[VersionRow]
    """Those that were asked for, with their ancestors; parents first."""
    refs: Mapping[str, tuple[str, int]]
    """Kind and number of branches, tags and aliases that come along."""
    labels: Mapping[int, Mapping[str, str]]
    """By number; 0 is the model."""
    reports: Mapping[int, ReportKey]
    """By the source's row."""
    old_names: Sequence[str]

    @property
    def is_whole(self) -> bool:
        """Whether every version of the model was asked for."""
        return len(self.versions) == 0 or self._newest == self.model.next_number - 1

    @property
    def _newest(self) -> int:
        return max(version.number for version in self.versions)


def find_plan(house: House, model: str, revision: str | int | None, *, whole: bool) -> Plan:
    """Look a model up: all of it, or one version and its ancestors."""
    with house.catalog.read() as connection:
        row = find_model(connection, model, house.caller)
        rows = {version.number: version for version in versions.all_of(connection, row.id)}
        tip = None if whole else find_version(connection, row, revision)
        wanted = set(rows) if tip is None else _ancestors(rows, tip.number)
        marks = {number: found for (_, number), found in labels.of_models(
            connection, [row.id]).items() if number in wanted or number == 0}  # fmt: skip
        found = transfer.report_keys(connection, row.id)
        return Plan(
            row, [rows[number] for number in sorted(wanted)],
            _refs(refs.of_models(connection, [row.id]), wanted, tip), marks,
            {key: report for key, report in found.items() if report.number in wanted},
            [
                name
                for name in transfer.old_names(connection, row.id)
                if house.caller is NOBODY or house.caller.may(name, "reader")
            ],
        )  # fmt: skip


def _ancestors(rows: Mapping[int, VersionRow], number: int) -> set[int]:
    seen: set[int] = set()
    ahead = [number]
    while ahead:
        at = ahead.pop()
        if at not in seen and at in rows:
            seen.add(at)
            ahead += rows[at].parent_numbers
    return seen


def _refs(
    rows: Sequence[RefRow], wanted: set[int], tip: VersionRow | None
) -> dict[str, tuple[str, int]]:
    """Refs to what was asked for; a branch that is ahead of it comes as far as that."""
    found = {row.name: (str(row.kind), row.number) for row in rows if row.number in wanted}
    if tip is not None and not any(kind == "branch" and n == tip.number
                                   for kind, n in found.values()):  # fmt: skip
        others = {row.name for row in rows if row.kind != "branch"}
        if tip.branch not in others:
            found.setdefault(tip.branch, ("branch", tip.number))
    return found


def groups(rows: Sequence[VersionRow]) -> Iterator[list[VersionRow]]:
    """Versions that come in one transaction: many small ones, few large ones."""
    group: list[VersionRow] = []
    size = 0
    for row in rows:
        if group and (len(group) == _MOST_VERSIONS or size + row.new_bytes > _MOST_BYTES):
            yield group
            group, size = [], 0
        group.append(row)
        size += row.new_bytes
    if group:
        yield group


def numbers_for(
    rows: Sequence[VersionRow], taken: set[int], known: Mapping[int, int], ahead: int
) -> dict[int, int]:
    """A number in the target for each new version, larger than those of its parents.

    Args:
        rows: New versions, parents first.
        taken: Numbers that the target has given.
        known: The target's numbers of versions that are there, by the source's.
        ahead: The number that the target gives next.
    """
    found: dict[int, int] = {}
    for row in rows:
        lowest = max(
            (found.get(p) or known.get(p, 0) for p in row.parent_numbers), default=0
        )  # fmt: skip
        number = row.number
        if number in taken or number <= lowest:
            number = max(ahead, *taken, lowest + 1) if taken else max(ahead, lowest + 1)
            while number in taken:
                number += 1
        found[row.number] = number
        taken.add(number)
        ahead = max(ahead, number + 1)
    return found


@dataclass(frozen=True, slots=True)
class Rename:
    """A model of the target that has another name in the source by now."""

    old: str
    new: str


def renames(source: House, target: House) -> list[Rename]:
    """Models of the target that are to be renamed before anything comes."""
    with source.catalog.read() as ours, target.catalog.read() as theirs:
        names = {row.name: row.id for row in models.listed(ours, deleted=False)}
        there = {row.id: row.name for row in models.listed(theirs, deleted=False)}
        new = {name: key for name, key in names.items() if name not in there.values()}
        first = transfer.first_commits(ours, new.values())
        homes = transfer.models_with(theirs, first.values())
        found = []
        for name, key in new.items():
            for home in sorted(homes.get(first.get(key, b""), ())):
                old = there.get(home)
                if old is not None and not _is_still(ours, theirs, names.get(old), home):
                    found.append(Rename(old, name))
                    del there[home]
                    break
    return found


def _is_still(ours: sa.Connection, theirs: sa.Connection, key: int | None, home: int) -> bool:
    """Whether the target's model belongs to the source's model of the same name."""
    if key is None:
        return False
    return bool(transfer.commits_of(ours, key).keys() & transfer.commits_of(theirs, home).keys())
