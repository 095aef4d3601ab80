"""What is known of a model's versions, by how it was measured: only like is compared with like."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from modelyard.catalog.queries import reports
from modelyard.core.access import NOBODY
from modelyard.errors import Corrupt, NotFound
from modelyard.registry.data import may_read_dataset, name_data, name_dataset
from modelyard.registry.reports import evaluation_of, report_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import sqlalchemy as sa

    from modelyard.core.evaluation import Evaluation
    from modelyard.registry.house import House

__all__ = ["Known", "WantedData", "Yardstick", "known_evaluations"]

_DIGEST = re.compile(r"[0-9a-f]{64}")


class Yardstick(NamedTuple):
    """What two evaluations must share to be compared."""

    digest: str
    """SHA-256 of the data."""
    target: str
    suite: str
    group: str | None

    @classmethod
    def of(cls, evaluation: Evaluation) -> Yardstick:
        return cls(evaluation.data_digest, evaluation.target, evaluation.suite, evaluation.group)

    def __str__(self) -> str:
        grouped = f" by {self.group}" if self.group else ""
        return f"{self.suite or 'no suite'} of {self.target or 'no target'}{grouped}"


Known = dict[Yardstick, dict[int, "Evaluation"]]
"""The latest evaluation by yardstick and version."""


def known_evaluations(connection: sa.Connection, name: str, model_id: int) -> Known:
    """Of all versions that live; what was used last comes first. Rows that can't be read are no
    evaluations."""
    found: Known = {}
    for row in reports.of_model(connection, model_id, "evaluation"):
        try:
            evaluation = evaluation_of(report_of(name, row))
        except Corrupt:
            continue
        by_number = found.setdefault(Yardstick.of(evaluation), {})
        newer = by_number.get(row.number)
        by_number[row.number] = evaluation if newer is None else _with_latency(newer, evaluation)
    return found


def _with_latency(newer: Evaluation, older: Evaluation) -> Evaluation:
    """Not every proof asks how long it takes: an earlier one of the same machine tells as well."""
    if newer.latency is not None or newer.environment != older.environment:
        return newer
    return replace(newer, latency=older.latency)


@dataclass(frozen=True, slots=True)
class WantedData:
    """The data that a caller asked for."""

    name: str
    digest: str | None
    """None if there is no such data any more: then evaluations are found by its name."""

    @classmethod
    def of(cls, house: House, data: str | Path) -> WantedData:
        """A path, a dataset with or without revision, or a digest; of a server's caller no path."""
        from modelyard.registry.local_desk import LocalDesk

        text = str(data)
        if _DIGEST.fullmatch(text):
            return cls(text, text)
        try:
            if house.caller is NOBODY:
                (named,) = name_data(LocalDesk(house), data).values()
            elif may_read_dataset(house.caller, text):
                named = name_dataset(LocalDesk(house), text)
            else:
                return cls(text, None)
        except (NotFound, OSError):
            return cls(text, None)
        return cls(text, str(named).rpartition("sha256:")[2])

    def among(self, known: Mapping[Yardstick, dict[int, Evaluation]]) -> Known:
        """The evaluations on this data."""
        return {key: found for key, found in known.items() if self._is(key, found)}

    def _is(self, key: Yardstick, found: Mapping[int, Evaluation]) -> bool:
        if self.digest is not None:
            return key.digest == self.digest
        return any(evaluation.data == self.name for evaluation in found.values())
