"""Search and labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.catalog.queries import labels, versions
from modelyard.catalog.queries.readable import readable
from modelyard.catalog.queries.search import search as search_versions
from modelyard.catalog.queries.search_documents import index_labels
from modelyard.core.query import parse_query
from modelyard.core.version import Page
from modelyard.errors import InvalidInput
from modelyard.registry.journal import Journal, in_journal
from modelyard.registry.lookup import find_model, find_version, version_infos

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from modelyard.registry.house import House

__all__ = ["label", "search"]

_LARGEST_PAGE = 1000


def search(house: House, query: str, limit: int, after: str | None) -> Page:
    """Versions that fit a query, newest first unless it sorts; of models that one may read."""
    if not 0 < limit <= _LARGEST_PAGE:
        raise InvalidInput("bad-limit", f"a page has 1 to {_LARGEST_PAGE} items, not {limit}")
    parsed = parse_query(query)
    with house.catalog.read() as connection:
        now = house.catalog.now(connection)
        ids, following = search_versions(
            connection, parsed, limit=limit, after=after, now=now, only=readable(house.caller)
        )
        rows = versions.by_ids(connection, ids)
        infos = version_infos(connection, [rows[key] for key in ids if key in rows])
    return Page(tuple(infos), following)


def label(
    house: House,
    model: str,
    revision: str | int | None,
    add: Mapping[str, str],
    remove: Sequence[str],
) -> Mapping[str, str]:
    """Set and remove labels of a version, or of the model; gives all of them."""
    if not add and not remove:
        return _labels(house, model, revision)

    def work(journal: Journal) -> Mapping[str, str]:
        connection = journal.connection
        row = journal.model(model)
        number = 0 if revision is None else find_version(connection, row, revision).number
        labels.remove(connection, row.id, number, remove)
        labels.put(connection, row.id, number, add)
        index_labels(connection, row.id, number, add)
        journal.write(
            "label", who=house.author, model=row.id, name=row.name,
            detail={"number": number, "add": dict(add), "remove": list(remove)},
        )  # fmt: skip
        return labels.of_model(connection, row.id, number)

    found: Mapping[str, str] = in_journal(house, work)
    return found


def _labels(house: House, model: str, revision: str | int | None) -> Mapping[str, str]:
    with house.catalog.read() as connection:
        row = find_model(connection, model, house.caller)
        number = 0 if revision is None else find_version(connection, row, revision).number
        return labels.of_model(connection, row.id, number)
