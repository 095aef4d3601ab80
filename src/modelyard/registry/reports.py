"""Reports: what was found out about a version, kept with it and in the journal."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, get_args

import msgspec
import zstandard

from modelyard.catalog.queries import reports, versions
from modelyard.core.evaluation import Evaluation, Report, ReportKind
from modelyard.errors import Corrupt, InvalidInput
from modelyard.registry.data import DataName, find_data
from modelyard.registry.journal import Journal, in_journal
from modelyard.registry.lookup import find_model, find_version, moment
from modelyard.registry.outcomes import encode_outcomes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import numpy as np
    import sqlalchemy as sa

    from modelyard.catalog.queries.reports import ReportRow
    from modelyard.registry.house import House

__all__ = [
    "evaluation_of",
    "evaluations",
    "keep_evaluation",
    "keep_report",
    "put_report",
    "report_of",
    "reports_of",
]

_LARGEST = 16 << 20
_IDENTITY = ("id", "model", "number", "data", "data_digest", "suite", "created", "who")
"""What the row tells of an evaluation; the rest is its content."""


def keep_report(
    house: House,
    model: str,
    revision: str | int | None,
    kind: str,
    content: Mapping[str, Any],
    *,
    data: DataName | str | Path | None = None,
    suite: str = "",
    outcomes: Mapping[str, np.ndarray] | None = None,
) -> Report:
    """Keep what was found out about a version.

    Raises:
        InvalidInput: `bad-report`: no such kind, or content that JSON can't hold, or an evaluation
            without measures.
    """
    if kind not in get_args(ReportKind):
        raise InvalidInput("bad-report", f"{kind!r} is no kind of report",
                           hint=f"one of {', '.join(get_args(ReportKind))}")  # fmt: skip
    packed = _packed(content)
    if kind == "evaluation":
        metrics_in(packed)
    named = _named(house, data)
    rows = None if outcomes is None else encode_outcomes(outcomes)

    def work(journal: Journal) -> Report:
        connection = journal.connection
        row = find_model(connection, model)
        version = find_version(connection, row, revision)
        detail = {
            "number": version.number, "kind": kind, "data": named.name[:400],
            "digest": named.digest, "suite": suite, "content": packed, "outcomes": rows,
        }  # fmt: skip
        journal.write("report", who=house.author, model=row.id, name=row.name, detail=detail)
        kept = put_report(
            connection, journal.seq, version.id, journal.now, house.author, detail
        )  # fmt: skip
        return report_of(row.name, kept)

    report: Report = in_journal(house, work)
    return report


def put_report(
    connection: sa.Connection,
    key: int,
    version_id: int,
    time: int,
    who: str,
    detail: Mapping[str, Any],
) -> ReportRow:
    """Write the rows of a journal's entry: the report, and an evaluation's metrics."""
    row = reports.ReportRow(
        key, version_id, detail["number"], detail["kind"], detail["data"], detail["digest"],
        detail["suite"], time, who, detail["content"],
    )  # fmt: skip
    reports.add(connection, row, detail["outcomes"])
    if row.kind == "evaluation":
        versions.put_metrics(connection, version_id, metrics_in(row.content))
    return row


def keep_evaluation(
    house: House, evaluation: Evaluation, outcomes: Mapping[str, np.ndarray] | None
) -> Evaluation:
    """Keep an evaluation; gives it with the number and time that it has from now on."""
    content = msgspec.to_builtins(evaluation)
    for name in _IDENTITY:
        del content[name]
    report = keep_report(
        house, evaluation.model, evaluation.number, "evaluation", content,
        data=DataName(evaluation.data, evaluation.data_digest), suite=evaluation.suite,
        outcomes=outcomes,
    )  # fmt: skip
    return evaluation_of(report)


def reports_of(
    house: House, model: str, revision: str | int | None, kind: str | None
) -> Iterator[Report]:
    """Reports of a version, or of all that live, newest first."""
    with house.catalog.read() as connection:
        row = find_model(connection, model)
        if revision is None:
            rows = reports.of_model(connection, row.id, kind)
        else:
            version = find_version(connection, row, revision)
            rows = reports.of_version(connection, version.id, kind)
    return (report_of(row.name, found) for found in rows)


def evaluations(
    house: House, model: str, revision: str | int | None = None
) -> Iterator[Evaluation]:
    """Evaluations of a version, or of all that live, newest first."""
    return map(evaluation_of, reports_of(house, model, revision, "evaluation"))


def report_of(model: str, row: ReportRow) -> Report:
    return Report(
        id=row.id, model=model, number=row.number, kind=row.kind,  # type: ignore[arg-type]
        data=row.data, data_digest=row.digest, suite=row.suite, created=moment(row.created),
        who=row.who, content=_unpacked(row.content),
    )  # fmt: skip


def evaluation_of(report: Report) -> Evaluation:
    """The value that an evaluation's report holds. Corrupt: `bad-report-row`."""
    identity = {name: getattr(report, name) for name in _IDENTITY}
    known = {"target": "", "rows": 0, "seed": 0} | dict(report.content) | identity
    try:
        return msgspec.convert(known, Evaluation, builtin_types=(type(report.created),))
    except msgspec.ValidationError as error:
        raise Corrupt("bad-report-row", f"evaluation {report.id} can't be read: {error}") from None


def metrics_in(packed: bytes) -> dict[str, float]:
    """The measures of an evaluation's content. InvalidInput: `bad-report`."""
    content = _unpacked(packed)
    try:
        found = {str(m["name"]): float(m["value"]) for m in content.get("measures", ())}
        named = msgspec.convert({**_EMPTY, **content}, Evaluation, strict=False)
    except (TypeError, KeyError, ValueError, msgspec.ValidationError) as error:
        raise InvalidInput("bad-report", f"this is no evaluation: {error}") from None
    if not named.measures:
        raise InvalidInput("bad-report", "an evaluation has measures",
                           hint='{"measures": [{"name": "accuracy", "value": 0.9}]}')  # fmt: skip
    return {name[:200]: value for name, value in found.items() if math.isfinite(value)}


_EMPTY: dict[str, Any] = {
    "id": 0, "model": "", "number": 0, "suite": "", "data": "", "data_digest": "", "target": "",
    "rows": 0, "seed": 0, "created": "1970-01-01T00:00:00Z", "who": "",
}  # fmt: skip


def _packed(content: Mapping[str, Any]) -> bytes:
    try:
        plain = msgspec.json.encode(dict(content))
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise InvalidInput("bad-report", f"a report holds what JSON can hold: {error}") from None
    if len(plain) > _LARGEST:
        raise InvalidInput("bad-report", f"a report of {len(plain):,} bytes is too large",
                           hint="commit large results as a version")  # fmt: skip
    return zstandard.ZstdCompressor(level=3).compress(plain)


def _unpacked(packed: bytes) -> dict[str, Any]:
    try:
        plain = zstandard.ZstdDecompressor().decompress(packed, max_output_size=_LARGEST)
        return msgspec.json.decode(plain, type=dict[str, Any])
    except (zstandard.ZstdError, msgspec.MsgspecError) as error:
        raise Corrupt("bad-report-row", f"a report can't be read: {error}") from None


def _named(house: House, data: DataName | str | Path | None) -> DataName:
    if data is None:
        return DataName("", "")
    if isinstance(data, DataName):
        return data
    with find_data(house, data) as found:
        return DataName(found.name, found.digest)
