"""Some versions side by side, as the catalog knows them: parameters, metrics, measurements."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from modelyard.catalog.queries import reports, versions
from modelyard.catalog.queries.search import search as search_versions
from modelyard.catalog.schema import model as model_table
from modelyard.core.names import ModelRevision
from modelyard.core.query import parse_query
from modelyard.errors import Corrupt
from modelyard.registry.lookup import find_model, find_version, version_infos
from modelyard.registry.reports import evaluation_of, report_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from modelyard.catalog.queries.versions import VersionRow
    from modelyard.core.evaluation import Evaluation, Measure
    from modelyard.core.version import VersionInfo
    from modelyard.registry.house import House

__all__ = ["MOST", "Beside", "chosen_versions", "found_versions"]

MOST = 200
"""Versions that are put side by side at most."""


@dataclass(frozen=True, slots=True)
class Beside:
    """One of the versions."""

    version: VersionInfo
    params: Mapping[str, Any]
    """As far as the catalog has them: a long value is cut, and then text."""
    latency: float | None
    """Milliseconds for a single row, half of the time; of its newest evaluation."""
    measures: Mapping[str, Measure]
    """Of its newest evaluation."""


def chosen_versions(house: House, titles: Sequence[str]) -> tuple[Beside, ...]:
    """Versions that were named, each `MODEL@REV`, in their order."""
    with house.catalog.read() as connection:
        rows = []
        for title in titles[:MOST]:
            parsed = ModelRevision.parse(title)
            revision = None if parsed.revision is None else str(parsed.revision)
            row = find_model(connection, parsed.model.text, house.caller)
            rows.append(find_version(connection, row, revision))
        return _beside(connection, list({row.id: row for row in rows}.values()))


def found_versions(
    house: House, model: str, query: str, limit: int
) -> tuple[tuple[Beside, ...], bool]:
    """Versions of a model that a query finds, the newest first unless it sorts; whether there are
    more. InvalidInput: `bad-query`."""
    parsed = parse_query(query)
    with house.catalog.read() as connection:
        row = find_model(connection, model, house.caller)
        now = house.catalog.now(connection)
        ids, following = search_versions(
            connection, parsed, limit=min(limit, MOST), after=None, now=now,
            only=sa.and_(model_table.c.id == row.id),
        )  # fmt: skip
        by_id = versions.by_ids(connection, ids)
        found = _beside(connection, [by_id[key] for key in ids if key in by_id])
    return found, following is not None


def _beside(connection: sa.Connection, rows: Sequence[VersionRow]) -> tuple[Beside, ...]:
    keys = [row.id for row in rows]
    params = versions.params_of(connection, keys)
    infos = version_infos(connection, rows)
    newest: dict[int, Evaluation] = {}
    for report in reports.newest_of(connection, keys, "evaluation"):
        with suppress(Corrupt):
            newest.setdefault(report.version_id, evaluation_of(report_of("", report)))
    found = []
    for row, info in zip(rows, infos, strict=True):
        measured = newest.get(row.id)
        latency = measured.latency.p50 if measured and measured.latency else None
        measures = {m.name: m for m in measured.measures} if measured else {}
        told = {name: _value(*value) for name, value in params.get(row.id, {}).items()}
        found.append(Beside(info, told, latency, measures))
    return tuple(found)


def _value(text: str, number: float | None) -> Any:
    if number is not None:
        return number
    try:
        value = json.loads(text)
    except ValueError:  # cut short
        return text
    return value if isinstance(value, str | bool) or value is None else text
