"""Long lists, a page at a time: models by name, versions from the newest on, or by ancestry."""

from __future__ import annotations

import base64
import binascii
import heapq
from typing import TYPE_CHECKING, TypeVar

import msgspec

from modelyard.catalog.queries import models, reports, versions
from modelyard.catalog.queries.readable import readable
from modelyard.core.decoding import decode_json
from modelyard.core.listed import Listed
from modelyard.errors import Corrupt, InvalidInput
from modelyard.registry.lookup import find_model, find_version, version_infos
from modelyard.registry.reports import readable_reports
from modelyard.registry.views import model_infos

if TYPE_CHECKING:
    import sqlalchemy as sa

    from modelyard.catalog.queries.models import ModelRow
    from modelyard.catalog.queries.versions import VersionRow
    from modelyard.core.evaluation import Report
    from modelyard.core.version import ModelInfo, VersionInfo
    from modelyard.registry.house import House

__all__ = ["LARGEST", "ancestors_page", "models_page", "reports_page", "versions_page"]

T = TypeVar("T")

LARGEST = 1000
_WINDOW = 256
_FRONTIER = 1000


def models_page(
    house: House, *, deleted: bool = False, limit: int = 100, after: str | None = None
) -> Listed[ModelInfo]:
    """Models that whoever asks may read, by name."""
    _check(limit)
    start = None if after is None else read_token(after, tuple[str, int])
    with house.catalog.read() as connection:
        rows = list(
            models.listed(
                connection, deleted=deleted, where=readable(house.caller), after=start,
                limit=limit + 1,
            )
        )  # fmt: skip
        infos = model_infos(connection, rows[:limit])
    more = len(rows) > limit
    last = rows[limit - 1] if more else None
    return Listed(tuple(infos), token((last.name, last.deleted)) if last else None)


def versions_page(
    house: House, model: str, *, limit: int = 100, after: str | None = None
) -> Listed[VersionInfo]:
    """All versions of a model that live, newest first."""
    _check(limit)
    most = None if after is None else read_token(after, int)
    with house.catalog.read() as connection:
        row = find_model(connection, model, house.caller)
        rows = versions.page_of(connection, row.id, most=most, limit=limit + 1)
        infos = version_infos(connection, rows[:limit])
    following = token(rows[limit].number) if len(rows) > limit else None
    return Listed(tuple(infos), following)


def ancestors_page(
    house: House,
    model: str,
    revision: str | int | None,
    *,
    limit: int = 100,
    after: str | None = None,
) -> Listed[VersionInfo]:
    """A version and all it came from, children before their parents."""
    _check(limit)
    with house.catalog.read() as connection:
        row = find_model(connection, model, house.caller)
        if after is None:
            begin = [find_version(connection, row, revision).number]
        else:
            begin = read_token(after, list[int])
        found, rest = _walk(connection, row, begin, limit)
        infos = version_infos(connection, found)
    return Listed(tuple(infos), token(rest) if rest else None)


def reports_page(
    house: House,
    model: str,
    revision: str | int | None,
    kind: str | None,
    *,
    limit: int = 100,
    after: str | None = None,
) -> Listed[Report]:
    """Reports of a version, or of all that live, newest first; those that can be read."""
    _check(limit)
    before = None if after is None else read_token(after, int)
    with house.catalog.read() as connection:
        row = find_model(connection, model, house.caller)
        if revision is None:
            found = reports.of_model(connection, row.id, kind, before=before, limit=limit + 1)
        else:
            version = find_version(connection, row, revision)
            found = reports.of_version(connection, version.id, kind, before=before, limit=limit + 1)
    following = token(found[limit - 1].id) if len(found) > limit else None
    return Listed(tuple(readable_reports(row.name, found[:limit])), following)


def _walk(
    connection: sa.Connection, model: ModelRow, begin: list[int], limit: int
) -> tuple[list[VersionRow], list[int]]:
    """Down from some versions, as far as a page takes; and where the next one begins."""
    waiting, known = [-number for number in begin], set(begin)
    heapq.heapify(waiting)
    window: dict[int, VersionRow] = {}
    found: list[VersionRow] = []
    while waiting and len(found) < limit:
        number = -heapq.heappop(waiting)
        if number not in window:
            rows = versions.page_of(
                connection, model.id, most=number, limit=_WINDOW, with_deleted=True
            )
            window = {row.number: row for row in rows}
        row = window.get(number)
        if row is None:
            raise _bad_token()
        if not row.deleted:
            found.append(row)
        for parent in row.parent_numbers:
            if parent >= number:
                raise Corrupt(
                    "version-order", f"version {number} has version {parent} as its parent"
                )
            if parent not in known:
                known.add(parent)
                heapq.heappush(waiting, -parent)
    return found, sorted(-number for number in waiting)


# -- tokens ------------------------------------------------------------------------------------


def token(value: object) -> str:
    """Where a list goes on, as text that nobody needs to understand."""
    return base64.urlsafe_b64encode(msgspec.json.encode(value)).decode().rstrip("=")


def read_token(text: str, cls: type[T]) -> T:
    """What `token` made. InvalidInput: `bad-page-token`."""
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        value = decode_json(base64.b64decode(padded, altchars=b"-_", validate=True), cls)
    except (ValueError, RecursionError, binascii.Error):
        raise _bad_token() from None
    numbers = value if isinstance(value, list | tuple) else [value]
    fits = all(0 <= each < 1 << 63 for each in numbers if isinstance(each, int))
    if not fits or len(numbers) > _FRONTIER:
        raise _bad_token()
    return value


def _check(limit: int) -> None:
    if not 0 < limit <= LARGEST:
        raise InvalidInput("bad-limit", f"a page has 1 to {LARGEST} items, not {limit}")


def _bad_token() -> InvalidInput:
    return InvalidInput(
        "bad-page-token", "this page token was not given for this list",
        hint="begin with the first page",
    )  # fmt: skip
