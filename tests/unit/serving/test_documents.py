"""OpenAPI documents and the page to try a deployment."""

from __future__ import annotations

import base64
import hashlib
import json
import re

import jsonschema
import numpy as np
import pytest
from openapi_spec_validator import validate
from tests.unit.serving.asking import ask
from tests.unit.serving.numbers import Doubling, plane_of, served, slot
from tests.unit.serving.shapes import Kinds, kinds, line

from modelyard.serving.app import PlaneApp
from modelyard.serving.bodies import JSON, read_body, write_body
from modelyard.serving.openapi import document, sample_of
from modelyard.serving.overview import overview
from modelyard.serving.tryit import page, page_of_all

WAYS = ["matrix", "table", "several", "whole", "texts"]


@pytest.fixture(scope="module")
def models() -> Kinds:
    return kinds()


@pytest.mark.parametrize("way", WAYS)
def test_a_document_is_valid_and_its_examples_are_what_the_model_takes(
    models: Kinds, way: str
) -> None:
    one = getattr(models, way)
    told = document(line("m", one), one, "https://yard.example")
    validate(told)
    for kind, path in (("predict", "/predict/m"), ("invocations", "/predict/m/invocations")):
        content = told["paths"][path]["post"]["requestBody"]["content"][JSON]
        example = content["examples"]["example"]["value"]
        jsonschema.validate(example, content["schema"])
        read_body(kind, JSON, json.dumps(example).encode(), one)
    infer = told["paths"]["/v2/models/m/infer"]["post"]["requestBody"]["content"][JSON]
    jsonschema.validate(infer["examples"]["example"]["value"], infer["schema"])


def test_an_answer_is_as_the_document_says(models: Kinds) -> None:
    one = models.table
    told = document(line("m", one), one, "")
    outputs = {"label": np.array(["a"], object), "probability": np.ones((1, 2), "f4")}
    body, _ = write_body("predict", None, one, outputs, 1)
    schema = told["paths"]["/predict/m"]["post"]["responses"]["200"]["content"][JSON]["schema"]
    jsonschema.validate(json.loads(body), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"model": "m", "version": 1, "predictions": [{"label": 3}]}, schema)


def test_the_stored_example_is_the_example(models: Kinds) -> None:
    models.table.example = {
        "age": np.array([0.1, 2], "f4"),
        "city": np.array(["a", "b"], object),
        "n": np.array([7, 8]),
    }
    try:
        assert sample_of(models.table) == {"records": [{"age": 0.1, "city": "a", "n": 7}]}
        page_text = page(line("m", models.table), models.table)[0].decode()
        assert 'data-name="city" data-kind="text" value="a"' in page_text
    finally:
        models.table.example = None


def test_a_document_of_all_is_valid(models: Kinds) -> None:
    told = overview([line("b", models.matrix), line("a", models.table)], "")
    validate(told)
    assert "Served now: a, b." in told["info"]["description"]
    validate(overview([], ""))


@pytest.mark.parametrize("way", WAYS)
def test_the_page_runs_only_what_its_policy_names(models: Kinds, way: str) -> None:
    content, headers = page(line("m", getattr(models, way)), getattr(models, way), "/yard")
    text, policy = content.decode(), dict(headers)[b"content-security-policy"].decode()
    for tag in ("style", "script"):
        (inside,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(
        r"\s(on\w+|style)=|https?://|src=", text.partition("<body>")[2].partition("<script>")[0]
    )
    assert 'data-url="/yard/predict/m"' in text


def test_names_from_a_model_can_not_leave_their_place_in_a_page() -> None:
    from tests.unit.serving.shapes import made

    from modelyard.runtimes.tensors import TensorSpec as Spec

    evil = '"><script>alert(1)</script>'
    one = made([Spec(evil, "string", (-1,))], [Spec(evil, "float32", (-1,))], columns=True)
    one.model = evil
    one.example = {evil: np.array([f"'{evil}"], object)}
    for content, _ in (page(line("m", one), one), page_of_all([line("m", one)])):
        text = content.decode()
        assert text.count("<script>") == 1
        assert "alert(1)</script>" not in text


async def test_documents_and_pages_are_served() -> None:
    app = PlaneApp(plane_of(slot(served(Doubling()))))
    for path in ("/predict/double/docs", "/v2/models/double/docs", "/v2/docs",
                 "/v2/models/double/versions/1/docs"):  # fmt: skip
        reply = await ask(app, "GET", path)
        assert reply.status == 200
        assert reply.headers["content-type"] == "text/html; charset=utf-8"
        assert "sha256-" in reply.headers["content-security-policy"]
    for path in ("/predict/double/openapi.json", "/v2/models/double/docs/dataplane.json",
                 "/v2/docs/dataplane.json"):  # fmt: skip
        reply = await ask(app, "GET", path)
        assert reply.headers["content-type"] == JSON
        validate(reply.json)
    assert (await ask(app, "GET", "/v2/models/none/docs")).status == 404


async def test_rows_are_predicted_by_path() -> None:
    app = PlaneApp(plane_of(slot(served(Doubling()))))
    reply = await ask(app, "POST", "/predict/double", {"rows": [[1, 2]]})
    assert reply.json["predictions"] == [{"y": [2, 4]}]
    reply = await ask(app, "POST", "/predict/double", b"1,2\n3,4\n", content_type="text/csv")
    assert reply.body == b"y_0,y_1\n2.0,4.0\n6.0,8.0\n"
    reply = await ask(app, "POST", "/invocations", {"inputs": [[1, 2]]})
    assert reply.json == {"predictions": [[2, 4]]}
    reply = await ask(app, "POST", "/predict/double", {"rows": [[1]]})
    assert (reply.status, reply.json["kind"]) == (400, "bad-inputs")
    reply = await ask(app, "POST", "/predict/double", b"x", content_type="image/png")
    assert reply.status == 415
