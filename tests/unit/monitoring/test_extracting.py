"""Requests, as a data plane has them, become rows in the order of a schema."""

from __future__ import annotations

import numpy as np

from modelyard.core.monitoring import Column, Schema
from modelyard.monitoring.extracting import One, reader_of


def schema(*columns: tuple[str, str], **more) -> Schema:
    made = tuple(
        Column(name=name, kind=kind, size=4 if kind == "vector" else 1) for name, kind in columns
    )
    return Schema(columns=made, **more)


def one(feeds, outputs=None, *, rows=1, request="r", client="ann"):
    return One(feeds, outputs or {"y": np.zeros(rows)}, rows, request, client)


def read(wanted, *requests):
    return reader_of(wanted, requests[0].feeds)(requests)


def test_a_single_matrix_has_the_schemas_columns_in_their_order():
    rows = read(
        schema(("age", "number"), ("income", "number")),
        one({"input": np.array([[1, 2]], np.float32)}, request="a"),
        one({"input": np.array([[3, 4], [5, 6]], np.float32)}, rows=2, request="b", client="bob"),
    )
    assert rows.numbers.tolist() == [[1, 2], [3, 4], [5, 6]]
    assert list(rows.requests) == ["a", "b", "b"]
    assert rows.places.tolist() == [0, 0, 1]
    assert list(rows.clients) == ["ann", "bob", "bob"]


def test_columns_are_found_by_name_wherever_they_are():
    rows = read(
        schema(("income", "number"), ("city", "category"), ("gone", "number"), ("sex", "category")),
        one({"city": np.array(["Ulm"], object), "income": np.array([[7.5]]),
             "more": np.array([1]), "sex": np.array([1])}),
        one({"city": np.array([b"K\xc3\xb6ln"], object), "income": np.array([[8.5]]),
             "more": np.array([1]), "sex": np.array([0])}),
    )  # fmt: skip
    assert rows.numbers[:, 0].tolist() == [7.5, 8.5]
    assert np.isnan(rows.numbers[:, 1]).all()
    assert [list(texts) for texts in rows.categories] == [["Ulm", "Köln"], ["1", "0"]]


def test_an_element_of_a_matrix_is_named_by_its_place():
    rows = read(
        schema(("input[2]", "number"), ("input[0]", "category")),
        one({"input": np.array([[1.0, 2.0, 3.0]])}),
    )
    assert rows.numbers.tolist() == [[3.0]]
    assert list(rows.categories[0]) == ["1"]


def test_a_vector_is_the_whole_tensor_of_a_row():
    rows = read(
        schema(("picture", "vector")), one({"picture": np.arange(8.0).reshape(2, 2, 2)}, rows=2)
    )
    assert rows.vectors[0].shape == (2, 4)
    assert rows.vectors[0].dtype == np.float32


def test_what_is_no_number_and_what_is_missing_has_no_value():
    rows = read(
        schema(("age", "number"), ("city", "category")),
        one({"age": np.array(["12"], object), "city": np.array([None], object)}),
        one({"age": np.array(["?"], object), "city": np.array(["Ulm"], object)}),
    )
    assert rows.numbers[0, 0] == 12
    assert np.isnan(rows.numbers[1, 0])
    assert list(rows.categories[0]) == [None, "Ulm"]


def test_answers_are_read_as_labels_and_scores():
    rows = read(
        schema(("x", "number"), task="classification", classes=("bad", "good")),
        one({"x": np.array([[1.0]])},
            {"label": np.array(["good"], object), "probability": np.array([[0.2, 0.8]])}),
    )  # fmt: skip
    assert rows.labels.tolist() == [1]
    assert rows.scores.tolist() == [[0.2, 0.8]]


def test_rows_of_a_thinned_request_know_their_places():
    few = One({"x": np.zeros((3, 1))}, {"y": np.zeros(3)}, 3, "large", "ann", step=4)
    rows = read(schema(("x", "number")), few, one({"x": np.zeros((1, 1))}, request="small"))
    assert rows.places.tolist() == [0, 4, 8, 0]
    assert list(rows.requests) == ["large"] * 3 + ["small"]


def numbers(count: int, **more) -> Schema:
    columns = tuple(Column(name=f"f{i}", kind="number") for i in range(count))
    return Schema(columns=columns, **more)


def test_a_wide_table_that_is_served_as_a_matrix_has_its_first_columns():
    matrix = np.arange(1_200.0).reshape(2, 600)
    rows = read(numbers(512), one({"input": matrix}, rows=2))
    assert rows.numbers.tolist() == matrix[:, :512].tolist()
    groups = ("sex", "town")
    both = tuple(Column(name=name, kind="category") for name in groups)
    # with groups from beyond, columns are as many as there is room for: nobody knows which
    wanted = Schema(columns=(*numbers(510).columns, *both), groups=groups)
    rows = read(wanted, one({"input": matrix}, rows=2))
    assert np.isnan(rows.numbers).all()
    wanted = Schema(columns=(*numbers(508).columns, *both), groups=groups)
    rows = read(wanted, one({"input": matrix}, rows=2))
    assert rows.numbers.tolist() == matrix[:, :508].tolist()
    assert rows.categories[1] == ["509", "1109"]


def test_a_number_that_is_not_there_has_no_value():
    rows = read(
        schema(("age", "number"), ("income", "number")), one({"age": np.array([7.0])}),
    )  # fmt: skip
    assert rows.numbers[0, 0] == 7
    assert np.isnan(rows.numbers[0, 1])
    rows = read(schema(("a[0]", "number"), ("b[0]", "number")), one({"a": np.full((1, 3), 7.0)}))
    assert rows.numbers[0, 0] == 7
    assert np.isnan(rows.numbers[0, 1])
    rows = read(numbers(3), one({"input": np.array([[1.0, 2.0, 3.0, 4.0]])}))
    assert np.isnan(rows.numbers).all()


def test_a_vector_may_be_called_anything_if_it_has_its_size():
    wanted = schema(("picture", "vector"), ("other", "number"))
    rows = read(wanted, one({"image": np.arange(4.0).reshape(1, 2, 2)}))
    assert rows.vectors[0].tolist() == [[0, 1, 2, 3]]
    assert np.isnan(rows.numbers).all()
    rows = read(wanted, one({"image": np.arange(6.0).reshape(1, 6)}))
    assert np.isnan(rows.vectors[0]).all()


def test_the_only_text_may_be_called_anything():
    rows = read(schema(("text", "category")), one({"input": np.array([["Ulm"]], object)}))
    assert list(rows.categories[0]) == ["Ulm"]
