"""predict, as it is typed: of a version here, of a server, and of files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.server.running import running
from tests.serving.batch.models import fill, people

import modelyard
from modelyard.registry import open_yard

pytestmark = pytest.mark.slow

ANN = {"age": 30.5, "city": "Rom", "visits": 3}


@pytest.fixture
def shop(yard):
    with open_yard(yard.home / "yard") as opened:
        fill(opened, yard.home / "models")
    return yard


def test_a_few_rows_are_asked_about_in_any_form(shop):
    answer = shop.json("predict", "shop/churn@1", "--data", json.dumps(ANN))
    assert (answer["model"], answer["version"], answer["classes"]) == (
        "shop/churn", 1, ["goes", "stays"],
    )  # fmt: skip
    label = answer["predictions"][0]["label"]
    shown = shop.out("predict", "shop/churn", "--data", json.dumps([ANN, ANN]))
    assert shown.splitlines()[0] == "shop/churn@1"
    assert shown.count(label) == 4  # twice as the label, twice beside its probability
    assert shop.out("predict", "shop/churn", "--data", json.dumps([ANN, ANN]), "-q") == (
        f"{label}\n{label}\n"
    )
    people(3).to_csv("rows.csv", index=False)
    assert len(shop.json("predict", "shop/churn", "--data", "rows.csv")["predictions"]) == 3
    text = Path("rows.csv").read_bytes()
    piped = shop.run("predict", "shop/churn", "--data", "-", "-q", stdin=text)
    assert len(piped.stdout.split()) == 3
    piped = shop.run("predict", "linear", "--data", "-", "--json", stdin=b" [[1,2,3]]")
    assert json.loads(piped.stdout)["predictions"] == [{"score": [-6.5, 2.5, 5.0]}]
    whole = shop.out("predict", "whole", "--data", '{"x": [[1, 2, 3], [0, 0, 0]]}')
    assert "score: [[-6.5, 2.5, 5], [0, 0, 0]]" in whole


def test_a_file_is_predicted_into_a_file(shop):
    people(500).to_parquet("people.parquet")
    args = ("predict", "shop/churn", "--in", "people.parquet", "--out", "said.csv", "--keep", "id")
    shown = shop.out(*args, "--batch", "100", "--workers", "1")
    assert "500 rows by shop/churn@1: said.csv" in shown
    assert "1 worker, 100 at once" in shown
    assert Path("said.csv").read_text().splitlines()[0] == (
        '"id","label","probability_goes","probability_stays"'
    )
    assert shop.error(*args)["kind"] == "output-exists"
    Path("said.csv").unlink()
    done = shop.json(*args, "--resume")
    assert (done["rows"], done["resumed"], done["target"]) == (500, 0, "said.csv")


@pytest.mark.parametrize("args", [
    (), ("--data", "[]", "--in", "x.csv", "--out", "y.csv"), ("--in", "x.csv"),
    ("--in", "x.csv", "--out", "y.csv", "--url", "http://localhost"), ("--data", "none.json"),
    ("--data", "here.xlsx"),
])  # fmt: skip
def test_what_makes_no_sense_is_a_usage_error(yard, args):
    Path("here.xlsx").write_bytes(b"")
    assert "error: " in yard.err("predict", "m", *args, code=2)


def test_errors_are_told_with_what_to_send(shop):
    error = shop.error("predict", "shop/churn", "--data", '{"age": 1}')
    assert (error["kind"], error["hint"]) == ("no-column", "the model takes age, city, visits")
    assert shop.error("predict", "linear", "--data", "[[1]]")["kind"] == "bad-inputs"
    assert shop.error("predict", "nobody", "--data", "[[1]]")["kind"] == "no-model"
    assert shop.error("predict", "Nobody", "--data", "[[1]]")["kind"] == "no-model"
    unreachable = shop.error("predict", "m", "--url", "http://127.0.0.1:9", "--data", "[]")
    assert unreachable["kind"] == "unreachable"


def test_a_deployment_is_asked_on_its_server(shop, monkeypatch):
    with running(shop.home / "yard") as server:
        monkeypatch.setenv("YARD_TOKEN", server.token)
        monkeypatch.setenv("YARD", server.url)
        shop.run("deploy", "churn", "shop/churn@1", "--wait")
        answer = shop.json("predict", "churn", "--data", json.dumps(ANN))
        assert answer["predictions"][0]["label"] in ("goes", "stays")
        assert (
            shop.json("predict", "churn", "--url", server.url, "--data", json.dumps(ANN)) == answer
        )
        here = shop.json("predict", "shop/churn@1", "--data", json.dumps(ANN))
        assert here["predictions"] == answer["predictions"]
        assert shop.error("predict", "churn", "--data", '{"age": 1}')["kind"] == "no-column"
        with modelyard.open(server.url, token=server.token) as yard:
            found = modelyard.predict(yard, "churn", people(4).drop(columns="id"))
            assert found["label"].shape == (4,)
            assert found["probability"].shape == (4, 2)
            people(100).to_csv("people.csv", index=False)
            done = modelyard.predict_file(yard, "churn", "people.csv", "said.jsonl")
            assert (done.title, done.rows) == ("shop/churn@1", 100)
        monkeypatch.setenv("YARD_TOKEN", "yard_1_wrong")
        asked = ("predict", "churn", "--url", server.url, "--data", json.dumps(ANN))
        error = shop.error(*asked, code=4)
        assert error["kind"] == "not-signed-in"
        with modelyard.open(server.url, token=server.token) as yard:  # goes before the variable
            assert len(modelyard.predict(yard, "churn", people(4))["label"]) == 4
