"""What follows versions into another yard: refs, labels, reports. What differs there stays."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from modelyard.catalog.queries import labels, refs, transfer, versions
from modelyard.catalog.queries.search_documents import index_labels
from modelyard.core.transfer import CopyConflict
from modelyard.registry.access.guards import check_in
from modelyard.registry.refs import move_ref
from modelyard.registry.reports import put_report

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import sqlalchemy as sa

    from modelyard.catalog.queries.models import ModelRow
    from modelyard.catalog.queries.transfer import ReportKey
    from modelyard.core.version import RefKind
    from modelyard.registry.house import House
    from modelyard.registry.journal import Journal
    from modelyard.registry.transfer.plan import Plan

__all__ = ["Following", "Wishes", "find_wishes"]


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is to be done for what follows, found in one view of the target."""

    moves: tuple[tuple[str, RefKind, int | None, int], ...]
    """Name, kind, where it is, where it is to go: in the target's numbers."""
    labels: Mapping[int, Mapping[str, str]]
    """Missing ones, by the target's number."""
    reports: tuple[int, ...]
    """Rows of the source."""
    conflicts: tuple[CopyConflict, ...]

    @property
    def is_empty(self) -> bool:
        return not (self.moves or self.labels or self.reports)


def find_wishes(
    connection: sa.Connection,
    key: int | None,
    plan: Plan,
    numbers: Mapping[int, int],
    arrived: frozenset[int] = frozenset(),
) -> Wishes:
    """Compare refs, labels and reports of a model.

    Args:
        key: The target's row of the model; None if it is new.
        numbers: The target's numbers by the source's.
        arrived: The source's numbers of versions that come just now, with their labels.
    """
    finding = _Finding(connection, key, plan, numbers, arrived)
    finding.refs()
    finding.labels()
    return Wishes(
        tuple(finding.moves), finding.missing, tuple(finding.reports()), tuple(finding.conflicts)
    )


@dataclass
class _Finding:
    connection: sa.Connection
    key: int | None
    plan: Plan
    numbers: Mapping[int, int]
    arrived: frozenset[int]
    moves: list[tuple[str, RefKind, int | None, int]] = field(default_factory=list)
    missing: dict[int, dict[str, str]] = field(default_factory=dict)
    conflicts: list[CopyConflict] = field(default_factory=list)

    def refs(self) -> None:
        there = {}
        if self.key is not None:
            there = {row.name: row for row in refs.of_models(self.connection, [self.key])}
        gone = set()
        if self.key is not None:
            gone = {n for n, deleted in transfer.commits_of(
                self.connection, self.key).values() if deleted}  # fmt: skip
        for name, (kind, number) in sorted(self.plan.refs.items()):
            new = self.numbers[number]
            if new in gone:
                continue  # it was deleted there: no ref leads to it
            old = there.get(name)
            if old is None:
                self.moves.append((name, kind, None, new))  # type: ignore[arg-type]
            elif old.number == new and old.kind == kind:
                continue
            elif old.kind == kind == "branch" and self._is_ancestor(old.number, number):
                self.moves.append((name, "branch", old.number, new))
            elif old.kind == kind == "branch" and self._is_behind(old.number, new):
                continue  # the target went on from what the source has
            else:
                self.conflicts.append(
                    CopyConflict(what=old.kind, name=name, there=str(old.number), here=str(new))
                )

    def _is_ancestor(self, there: int, here: int) -> bool:
        """Whether the target's version is below the source's, by the source's history."""
        rows = {row.number: row for row in self.plan.versions}
        ahead, seen = [here], set()
        while ahead:
            at = ahead.pop()
            if at in seen or at not in rows:
                continue
            seen.add(at)
            if self.numbers.get(at) == there:
                return True
            ahead += rows[at].parent_numbers
        return False

    def _is_behind(self, there: int, here: int) -> bool:
        """Whether the target's version is above the source's, by the target's history."""
        assert self.key is not None
        ahead, seen = [there], set()
        while ahead:
            at = ahead.pop()
            if at == here:
                return True
            row = versions.by_number(self.connection, self.key, at) if at not in seen else None
            seen.add(at)
            ahead += row.parent_numbers if row else ()
        return False

    def labels(self) -> None:
        there: dict[tuple[int, int], dict[str, str]] = {}
        if self.key is not None:
            there = labels.of_models(self.connection, [self.key])
        for number, found in self.plan.labels.items():
            new = self.numbers.get(number, 0)
            if number in self.arrived or (number and not new):
                continue
            have = there.get((self.key or 0, new), {})
            for name, value in found.items():
                if name not in have:
                    self.missing.setdefault(new, {})[name] = value
                elif have[name] != value:
                    title = f"{new}:{name}" if new else name
                    self.conflicts.append(
                        CopyConflict(what="label", name=title, there=have[name], here=value)
                    )

    def reports(self) -> list[int]:
        there: set[ReportKey] = set()
        if self.key is not None:
            there = set(transfer.report_keys(self.connection, self.key).values())
        return [
            key
            for key, report in self.plan.reports.items()
            if report.number in self.numbers
            and report._replace(number=self.numbers[report.number]) not in there
        ]


@dataclass
class Following:
    """Writes wishes within a transaction; rows that need the versions' rows come last."""

    source: House
    target: House
    journal: Journal
    model: ModelRow
    plan: Plan
    numbers: Mapping[int, int]
    later: list[Callable[[], object]] = field(default_factory=list)

    def write(self, wishes: Wishes) -> None:
        """Journal everything; `finish` when the versions are there."""
        for number, found in wishes.labels.items():
            self.journal.write(
                "label", who=self.target.author, model=self.model.id, name=self.model.name,
                detail={"number": number, "add": dict(found), "remove": []},
            )  # fmt: skip
            self.later.append(partial(self._label, number, found))
        for key in wishes.reports:
            self._report(key)
        for name, kind, old, new in wishes.moves:
            check_in(self.journal.connection, self.target.caller, self.model.name, name, new)
            move_ref(self.target, self.journal, self.model, name, kind, old, new, "copy")

    def finish(self) -> None:
        for step in self.later:
            step()

    def _label(self, number: int, found: Mapping[str, str]) -> None:
        labels.put(self.journal.connection, self.model.id, number, found)
        index_labels(self.journal.connection, self.model.id, number, found)

    def _report(self, key: int) -> None:
        """One report under a number of its own, as of the time it was made."""
        told = self.plan.reports[key]
        with self.source.catalog.fresh() as connection:
            data, content, outcomes = transfer.row_of_report(connection, key)
        number = self.numbers[told.number]
        detail = {
            "number": number, "kind": told.kind, "data": data, "digest": told.digest,
            "suite": told.suite, "content": content, "outcomes": outcomes,
            "created": told.created, "by": told.who,
        }  # fmt: skip
        journal = self.journal
        journal.write(
            "report", who=self.target.author, model=self.model.id, name=self.model.name,
            detail=detail,
        )  # fmt: skip
        seq = journal.seq

        def put() -> None:
            row = versions.by_number(journal.connection, self.model.id, number)
            if row is not None:
                put_report(journal.connection, seq, row.id, journal.now, self.target.author, detail)

        self.later.append(put)
