"""Search gives the same answers, page by page, on every database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.catalog.shelf import Model, Shelf, Version, some_models, some_queries, some_versions

from modelyard.catalog.engine import Catalog
from modelyard.catalog.migrate import migrate
from modelyard.catalog.schema import fact, metadata
from modelyard.core.query import HasText, HasWord, Not, Query, Sort

if TYPE_CHECKING:
    from collections.abc import Iterator
pytestmark = pytest.mark.slow


def _opened(url: str) -> Iterator[Catalog]:
    catalog = Catalog.open(url)
    migrate(catalog)
    yield catalog
    catalog.close()


@pytest.fixture
def postgres(postgres_url: str) -> Iterator[Catalog]:
    yield from _opened(postgres_url)


@pytest.fixture
def mariadb(mariadb_url: str) -> Iterator[Catalog]:
    yield from _opened(mariadb_url)


def _emptied(catalog: Catalog) -> Catalog:
    def work(connection: sa.Connection) -> None:
        for table in metadata.sorted_tables:
            if table is not fact:
                connection.execute(sa.delete(table))
        for name in ("search_version", "search_model"):
            connection.exec_driver_sql(f"DELETE FROM {name}")

    catalog.write(work)
    return catalog


@settings(max_examples=60)
@given(
    models=some_models, versions=some_versions,
    queries=st.lists(some_queries, min_size=10, max_size=10), limit=st.integers(1, 5),
)  # fmt: skip
def test_postgresql_and_mariadb_answer_as_sqlite_does(
    postgres: Catalog,
    mariadb: Catalog,
    models: list[Model],
    versions: list[Version],
    queries: list[Query],
    limit: int,
) -> None:
    here = Shelf(models, versions)
    others = [Shelf(models, versions, _emptied(catalog)) for catalog in (postgres, mariadb)]
    for query in queries:
        pages = list(here.pages(query, limit))
        for other in others:
            assert list(other.pages(query, limit)) == pages, (str(query), other.catalog.engine.name)
    here.catalog.close()


_ODD = [
    "", " ", "a", "a ", "A", "ä", "ß", "ss", "İ", "ı", "i", "I", "\u212a", "k", "模型", "模 型",
    "é", "e\u0301", "😀",
    "x_y", "x%y", "x\\y", "'", '"', ":", "&", "|", "!", "*", "<->", "the", "qall",
    "\u00a0", "Z", "_", "~", "中文abc", "Ａ", "\ufffd", "\x7f",
]  # fmt: skip


_texts = st.lists(st.sampled_from(_ODD), max_size=4).map("".join)


@settings(max_examples=40)
@given(
    texts=st.lists(_texts, min_size=3, max_size=8),
    words=st.lists(st.sampled_from(_ODD).filter(str.strip), min_size=8, max_size=8),
    field=st.sampled_from(["message", "author", "description", "name"]),
)  # fmt: skip
def test_odd_letters_are_found_alike_everywhere(
    postgres: Catalog, mariadb: Catalog, texts: list[str], words: list[str], field: str
) -> None:
    names = ["a", "Z", "b/c"]
    models = [Model(name=name, description=text) for name, text in zip(names, texts, strict=False)]
    versions = [
        Version(model=at % 3, message=text, author=text[::-1] or "-", paths=(f"{at}{text}.bin",))
        for at, text in enumerate(texts)
    ]
    here = Shelf(models, versions)
    others = [Shelf(models, versions, _emptied(catalog)) for catalog in (postgres, mariadb)]
    for word in words:
        for condition in (HasWord(word), HasText(field, word), Not(HasText(field, word))):
            query = Query((condition,), Sort("name", False))
            found = here.find(query, 2)
            for other in others:
                assert other.find(query, 2) == found, (str(query), other.catalog.engine.name)
    here.catalog.close()
