"""Reports: what was found out about a version, kept with it and in the journal."""

from __future__ import annotations

import math
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, get_args

import msgspec
import zstandard

from modelyard.catalog.queries import reports, versions
from modelyard.core.decoding import converted, decode_json
from modelyard.core.evaluation import Evaluation, Measure, Report, ReportKind
from modelyard.core.explanation import Explanation
from modelyard.core.zstd import decompressed
from modelyard.errors import Corrupt, InvalidInput, NotFound
from modelyard.registry.data import DataName, find_data
from modelyard.registry.journal import Journal, in_journal
from modelyard.registry.lookup import find_model, find_version, moment
from modelyard.registry.outcomes import encode_outcomes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    import numpy as np
    import sqlalchemy as sa

    from modelyard.catalog.queries.reports import ReportRow
    from modelyard.registry.desk import Desk
    from modelyard.registry.house import House

__all__ = [
    "check_content",
    "evaluation_of",
    "evaluations",
    "keep_evaluation",
    "keep_report",
    "outcomes_of",
    "put_report",
    "readable_reports",
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
            or an explanation that could not be read as one.
    """
    if kind not in get_args(ReportKind):
        raise InvalidInput("bad-report", f"{kind!r} is no kind of report",
                           hint=f"one of {', '.join(get_args(ReportKind))}")  # fmt: skip
    packed = _packed(content)
    _refuse_unreadable(kind, _unpacked(packed))
    named = _named(house, data)
    rows = None if outcomes is None else encode_outcomes(outcomes)

    def work(journal: Journal) -> Report:
        connection = journal.connection
        row = journal.model(model)
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
    # one that came from another yard was made there, at another time
    row = reports.ReportRow(
        key, version_id, detail["number"], detail["kind"], detail["data"], detail["digest"],
        detail["suite"], detail.get("created", time), detail.get("by", who), detail["content"],
    )  # fmt: skip
    reports.add(connection, row, detail["outcomes"])
    if row.kind == "evaluation":
        versions.put_metrics(connection, version_id, metrics_in(row.content))
    return row


def keep_evaluation(
    desk: Desk, evaluation: Evaluation, outcomes: Mapping[str, np.ndarray] | None
) -> Evaluation:
    """Keep an evaluation; gives it with the number and time that it has from now on."""
    content = msgspec.to_builtins(evaluation)
    for name in _IDENTITY:
        del content[name]
    report = desk.keep_report(
        evaluation.model, evaluation.number, "evaluation", content,
        data=DataName(evaluation.data, evaluation.data_digest), suite=evaluation.suite,
        outcomes=outcomes,
    )  # fmt: skip
    return evaluation_of(report)


def reports_of(
    house: House, model: str, revision: str | int | None, kind: str | None
) -> Iterator[Report]:
    """Reports of a version, or of all that live, newest first."""
    with house.catalog.read() as connection:
        row = find_model(connection, model, house.caller)
        if revision is None:
            rows = reports.of_model(connection, row.id, kind)
        else:
            version = find_version(connection, row, revision)
            rows = reports.of_version(connection, version.id, kind)
    return readable_reports(row.name, rows)


def readable_reports(model: str, rows: Iterable[ReportRow]) -> Iterator[Report]:
    """One bad row must not hide the others."""
    for row in rows:
        with suppress(Corrupt):
            yield report_of(model, row)


def evaluations(
    house: House, model: str, revision: str | int | None = None
) -> Iterator[Evaluation]:
    """Evaluations of a version, or of all that live, newest first; bad rows are skipped."""
    for report in reports_of(house, model, revision, "evaluation"):
        with suppress(Corrupt):
            yield evaluation_of(report)


def outcomes_of(house: House, model: str, number: int) -> bytes:
    """The rows behind a report, as `encode_outcomes` packs them. NotFound: `no-outcomes`."""
    with house.catalog.read() as connection:
        row = find_model(connection, model, house.caller)
        found: dict[int, bytes] = {}
        if reports.has(connection, row.id, number):
            found = reports.outcomes_of(connection, [number])
    if number not in found:
        raise NotFound("no-outcomes", f"{row.name} has no report {number} with outcomes")
    return found[number]


def report_of(model: str, row: ReportRow) -> Report:
    return Report(
        id=row.id, model=model, number=row.number, kind=row.kind,  # type: ignore[arg-type]
        data=row.data, data_digest=row.digest, suite=row.suite, created=moment(row.created),
        who=row.who, content=_unpacked(row.content),
    )  # fmt: skip


def evaluation_of(report: Report) -> Evaluation:
    """The value that an evaluation's report holds. Corrupt: `bad-report-row`."""
    identity = {name: getattr(report, name) for name in _IDENTITY}
    try:
        found = _evaluation(dict(report.content) | identity)
    except msgspec.ValidationError as error:
        raise Corrupt("bad-report-row", f"evaluation {report.id} can't be read: {error}") from None
    if not found.measures:
        raise Corrupt("bad-report-row", f"evaluation {report.id} has no measures")
    return found


def _evaluation(fields: Mapping[str, Any]) -> Evaluation:
    known = {"target": "", "rows": 0, "seed": 0} | dict(fields)
    found = converted(known, Evaluation, builtin_types=(datetime,))
    if (wrong := _miscounted(found)) is not None:
        raise msgspec.ValidationError(wrong)
    return found


def _miscounted(found: Evaluation) -> str | None:
    """Why nobody can have counted so."""
    if found.confusion is not None:
        rows, size = found.confusion.matrix, len(found.confusion.labels)
        if len(rows) != size or any(len(row) != size for row in rows):
            return "a confusion has a row and a column for each of its labels"
        if any(count < 0 for row in rows for count in row):
            return "a confusion counts rows"
    if any(part.rows < 0 for part in found.calibration):
        return "a calibration counts rows"
    return None


def _refuse_unreadable(kind: str, content: Mapping[str, Any]) -> None:
    """What is kept must be what readers will find. InvalidInput: `bad-report`."""
    try:
        if kind == "evaluation":
            if not _evaluation({**content, **_EMPTY}).measures:
                raise InvalidInput("bad-report", "an evaluation has measures", hint=_EXAMPLE)
        elif kind == "explanation":
            Explanation.decode(content)
    except msgspec.ValidationError as error:
        raise InvalidInput(
            "bad-report", f"this is no evaluation: {error}", hint=_EXAMPLE
        ) from None  # fmt: skip
    except Corrupt as error:
        raise InvalidInput("bad-report", error.message, hint="yard explain makes one") from None


def metrics_in(packed: bytes) -> dict[str, float]:
    """The measures of an evaluation's content, as far as they can be read."""
    found: dict[str, float] = {}
    measures = _unpacked(packed).get("measures")
    for measure in measures if isinstance(measures, list) else []:
        with suppress(msgspec.ValidationError):
            each = converted(measure, Measure)
            if math.isfinite(each.value):
                found[each.name[:200]] = each.value
    return found


_EXAMPLE = '{"measures": [{"name": "accuracy", "value": 0.9}]}'
_EMPTY: dict[str, Any] = {
    "id": 0, "model": "", "number": 0, "suite": "", "data": "", "data_digest": "", "who": "",
    "created": datetime.fromtimestamp(0, UTC),
}  # fmt: skip


def check_content(content: Mapping[str, Any]) -> None:
    """InvalidInput `bad-report` if JSON can't hold it, or it is too large."""
    _packed(content)


def _packed(content: Mapping[str, Any]) -> bytes:
    try:
        _refuse_infinite(content)
        plain = msgspec.json.encode(dict(content))
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise InvalidInput("bad-report", f"a report holds what JSON can hold: {error}") from None
    if len(plain) > _LARGEST:
        raise InvalidInput("bad-report", f"a report of {len(plain):,} bytes is too large",
                           hint="commit large results as a version")  # fmt: skip
    return zstandard.ZstdCompressor(level=3).compress(plain)


def _refuse_infinite(value: object) -> None:
    """JSON has no NaN: one would be kept as null, and not be read as a number again."""
    if isinstance(value, float) and not math.isfinite(value):
        raise InvalidInput("bad-report", f"a report holds finite numbers, not {value}",
                           hint="leave out what has no value")  # fmt: skip
    if isinstance(value, dict):
        for part in value.values():
            _refuse_infinite(part)
    elif isinstance(value, list | tuple):
        for part in value:
            _refuse_infinite(part)


def _unpacked(packed: bytes) -> dict[str, Any]:
    try:
        plain = decompressed(packed, _LARGEST)
        return decode_json(plain, dict[str, Any])
    except (zstandard.ZstdError, msgspec.MsgspecError) as error:
        raise Corrupt("bad-report-row", f"a report can't be read: {error}") from None


def _named(house: House, data: DataName | str | Path | None) -> DataName:
    if data is None:
        return DataName("", "")
    if isinstance(data, DataName):
        return data
    from modelyard.registry.local_desk import LocalDesk

    with find_data(LocalDesk(house), data) as found:
        return DataName(found.name, found.digest)
