"""Search against a plain Python filter over small random catalogs, and case by case."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelyard.catalog import schema
from modelyard.catalog.queries.search import (
    index_model,
    search,
    unindex_model,
    unindex_version,
)
from modelyard.core.query import (
    Condition,
    FileGlob,
    HasText,
    HasWord,
    Not,
    Query,
    parse_query,
)
from modelyard.errors import InvalidInput

if TYPE_CHECKING:
    from modelyard.core.conditions import TextField

from tests.unit.catalog.shelf import (
    NOW,
    Model,
    Shelf,
    Version,
    some_models,
    some_queries,
    some_versions,
)

_eight = st.lists(some_queries, min_size=8, max_size=8)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    some_models, some_versions, st.lists(some_queries, min_size=8, max_size=8), st.integers(1, 5)
)
def test_search_finds_what_a_plain_filter_finds(
    models: list[Model], versions: list[Version], queries: list[Query], limit: int
) -> None:
    shelf = Shelf(models, versions)
    for query in queries:
        assert shelf.find(query, limit) == shelf.expected(query), str(query)


@pytest.mark.parametrize(
    "name", ["_FEW_DOCUMENTS", "_FEW_IDS", "_FEW_TO_SORT", "_WINDOW", "_LARGEST_BATCH", "_PEEK"]
)
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(
    some_models, some_versions, st.lists(some_queries, min_size=8, max_size=8), st.integers(1, 5)
)
def test_every_way_of_searching_finds_the_same(
    name: str, models: list[Model], versions: list[Version], queries: list[Query], limit: int
) -> None:
    """Limits that a small catalog never meets, made small."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(f"modelyard.catalog.queries.search.{name}", 1)
        patch.setattr("modelyard.catalog.queries.search_clauses._MODELS_LISTED", 1)
        shelf = Shelf(models, versions)
        for query in queries:
            assert shelf.find(query, limit) == shelf.expected(query), str(query)


_FIELDS: list[TextField] = ["message", "author", "description"]
_GLOBS = ["*.h5", "M.h5", "w/*", "a?b*", "a b.*", "*情*", "n?.txt", "*", "??", "n*", "*/n*", "né*"]
_SINGLE_PATHS = [
    "m.h5", "w/M.H5", "a b.bin", "a  b.bin", "net/情感.onnx", "né.txt", "nn", "w/nn/x", "ｎ", "a_b",
    "a%b", "a*b", "w/",
]  # fmt: skip
_SINGLE_TEXTS = [
    "", "resnet", "res net", "res\nnet", "res  net", "RESNET", "ＲＥＳnet", "net", "né", "ne\u0301",
    "x_y", "xay", "50%", "50 %", "情感分析", "感", "a情感", "模型v2", "v2", "nn", "cnn",
]  # fmt: skip


def test_each_glob_finds_each_path_as_it_should() -> None:
    shelf = Shelf([Model("m")], [Version(paths=(path,)) for path in _SINGLE_PATHS])
    for glob in _GLOBS:
        for condition in (FileGlob(glob), Not(FileGlob(glob))):
            query = Query((condition,))
            assert shelf.find(query) == shelf.expected(query), str(query)


@pytest.mark.parametrize("place", ["message", "author", "description", "label", "path"])
def test_each_word_finds_each_text_as_it_should(place: str) -> None:
    texts = _SINGLE_TEXTS
    models = [Model(f"m{at}") for at in range(len(texts))]
    versions = [Version(at, author="", paths=()) for at in range(len(texts))]
    for model, version, text in zip(models, versions, texts, strict=True):
        match place:
            case "message":
                version.message = text
            case "author":
                version.author = text
            case "description":
                model.description = text
            case "label":
                version.labels = {"k": text}
            case "path":
                version.paths = (text,) if text else ()
    shelf = Shelf(models, versions)
    for word in filter(str.strip, [*texts, "e", "s n", "5", "感 ", "=r", "_", "%"]):
        conditions: list[Condition] = [HasWord(word)]
        conditions += [HasText(name, word) for name in _FIELDS]
        for condition in conditions:
            for query in (Query((condition,)), Query((Not(condition),))):
                assert shelf.find(query) == shelf.expected(query), (place, str(query))


# -- case by case ----------------------------------------------------------------------------------


@pytest.fixture
def shelf() -> Shelf:
    models = [
        Model("vision/resnet", "分类图像 classifier", labels={"domain": "vision"}),
        Model("text/bert", refs={"champion": ("alias", 1)}),
        Model("gone", deleted=True),
    ]
    versions = [
        Version(0, "first baseline"),
        Version(1, "中文情感分析", labels={"domain": "nlp"}, metrics={"acc": 0.9}),
        Version(0, "lr=0.1 第二", paths=("weights/model.h5",), metrics={"acc": 0.5}),
        Version(2, "first baseline"),
        Version(0, "first baseline", deleted=True),
    ]
    return Shelf(models, versions)


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("", [3, 2, 1]),
        ("情感", [2]),
        ("感", [2]),
        ("图像", [3, 1]),
        ("lr", [3]),
        ("first", [1]),
        ('"first baseline"', [1]),
        ('"baseline first"', []),
        ("h5", [3]),
        ("domain=nlp", [2]),
        ("label:domain", [3, 2, 1]),
        ("label:domain=vision", [3, 1]),
        ("resnet -first", [3]),
        ("alias:champion", [2]),
        ("file:*.H5", [3]),
        ("file:model.h5", [3]),
        ("sort:metric.acc-asc", [3, 2, 1]),
        ("sort:metric.acc-desc", [2, 3, 1]),
    ],
)
def test_a_query_finds(shelf: Shelf, query: str, ids: list[int]) -> None:
    assert shelf.find(query) == ids


def test_a_page_stays_where_it_was_when_versions_arrive() -> None:
    versions = [Version(message=f"run {number}") for number in range(6)]
    shelf = Shelf([Model("m")], versions)
    query = parse_query("run")
    with shelf.catalog.read() as connection:
        first, after = search(connection, query, limit=3, after=None, now=NOW)
    shelf.catalog.write(
        lambda connection: shelf._insert(connection, 7, 7, Version(message="run 7"))
    )
    with shelf.catalog.read() as connection:
        second, end = search(connection, query, limit=3, after=after, now=NOW)
    assert (first, second, end) == ([6, 5, 4], [3, 2, 1], None)


@pytest.mark.parametrize("token", ["", "x", "é", "A" * 5000, "bnVsbA", "W10", "[[[["])
def test_a_foreign_page_token_is_refused(shelf: Shelf, token: str) -> None:
    with shelf.catalog.read() as connection, pytest.raises(InvalidInput) as caught:
        search(connection, Query(), limit=1, after=token, now=NOW)
    assert caught.value.kind == "bad-page-token"


def test_a_page_token_of_another_query_is_refused(shelf: Shelf) -> None:
    with shelf.catalog.read() as connection:
        _, after = search(connection, Query(), limit=1, after=None, now=NOW)
        with pytest.raises(InvalidInput) as caught:
            search(connection, parse_query("first"), limit=1, after=after, now=NOW)
    assert caught.value.kind == "bad-page-token"


def test_a_label_taken_away_is_not_found(shelf: Shelf) -> None:
    shelf.catalog.write(lambda connection: connection.execute(sa.delete(schema.label)))
    assert shelf.find("label:domain=nlp") == []
    assert shelf.find("nlp") == []


def test_a_renamed_model_is_found_by_its_new_name_only(shelf: Shelf) -> None:
    def rename(connection: sa.Connection) -> None:
        connection.execute(
            sa.update(schema.model).where(schema.model.c.id == 1).values(name="vision/vgg")
        )
        index_model(connection, 1, "vision/vgg", "")

    shelf.catalog.write(rename)
    assert shelf.find("resnet") == []
    assert shelf.find("vgg") == [3, 1]


def test_what_is_unindexed_leaves_the_index(shelf: Shelf) -> None:
    def forget(connection: sa.Connection) -> None:
        for id in range(1, 6):
            unindex_version(connection, id)
        for id in range(1, 4):
            unindex_model(connection, id)

    shelf.catalog.write(forget)
    with shelf.catalog.read() as connection:
        for documents in ("search_version", "search_model"):
            left = connection.exec_driver_sql(
                f"SELECT count(*) FROM {documents} WHERE {documents} MATCH 'q*'"
            ).scalar_one()
            assert left == 0, documents


def test_any_valid_query_can_be_searched(shelf: Shelf) -> None:
    for text in (
        '"\'"',
        '"*"',
        '"^"',
        '"NEAR(a b)"',
        "a" * 4000,
        "%",
        "_",
        "\\",
        "a*",
        "AND",
        "- x",
    ):
        try:
            query = parse_query(text)
        except InvalidInput:
            continue
        assert shelf.find(query) == shelf.expected(query)
    many = parse_query(" ".join(f"word{number}" for number in range(64)))
    assert shelf.find(many) == []
