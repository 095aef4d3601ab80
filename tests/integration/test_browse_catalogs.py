"""Lists and overviews for pages tell the same from every database that a catalog may be in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from modelyard.core.query import parse_query
from modelyard.registry import create
from modelyard.registry.browse import browse
from modelyard.registry.overview import overview

if TYPE_CHECKING:
    from pathlib import Path

    from modelyard.core.yard import Yard

ASKED = (
    "", "sort:name-asc", "sort:size-desc", "sort:size-asc", "sort:created", "sort:number", "first",
    "中文", "label:task=classify", "metric.accuracy>0.6", "sort:metric.accuracy-desc", "name:a/",
    "-first",
)  # fmt: skip


def _fill(yard: Yard, source: Path) -> None:
    source.mkdir(exist_ok=True)
    for number, model in enumerate(["a/one", "b/two", "a/one", "A/One", "a/three", "a/one"]):
        (source / "w.txt").write_text("x" * (1 + number * 100))
        yard.commit(
            model, source, message="first 中文" if number < 2 else f"run {number}",
            metrics={"accuracy": 0.5 + number / 10, f"own{number % 2}": 1.0},
        )  # fmt: skip
    yard.commit("a/none", source)  # a model without a size
    yard.delete_version("a/none", 1)
    yard.label("a/one", add={"task": "classify"})
    yard.label("b/two", 1, add={"task": "classify", "领域": "文本"})
    for number in (1, 2):
        yard.alias("a/one", f"alias-{number}", number)


def _told(yard: Yard) -> list[Any]:
    house = yard.house  # type: ignore[attr-defined]
    told: list[Any] = []
    for text in ASKED:
        after = None
        while True:
            page = browse(house, parse_query(text), limit=2, after=after)
            told.append((text, page.count, page.is_more, page.metrics))
            told += [
                (i.name, i.labels, [r.name for r in i.aliases], i.version and i.version.number,
                 i.metric, i.recent)
                for i in page.items
            ]  # fmt: skip
            told += [(f.name, [(c.value, c.count, c.query) for c in f.choices])
                     for f in page.facets]  # fmt: skip
            after = page.next
            if after is None:
                break
    for model in ("a/one", "b/two", "A/One"):
        seen = overview(house, model)
        told.append((seen.name, seen.versions, seen.stored > 0, seen.labels, seen.metrics,
                     seen.chart, [(r.name, r.number) for r in seen.refs]))  # fmt: skip
    return told


@pytest.mark.slow
@pytest.mark.parametrize("database", ["postgres_url", "mariadb_url"])
def test_every_database_tells_what_sqlite_tells(
    database: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    with create(tmp_path / "here", author="ann") as yard:
        _fill(yard, tmp_path / "m")
        expected = _told(yard)
    url = request.getfixturevalue(database)
    with create(tmp_path / "there", author="ann", catalog=url) as yard:
        _fill(yard, tmp_path / "m")
        assert _told(yard) == expected
