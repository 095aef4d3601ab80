"""Explanations of real models: right by construction, kept, and refused before anything is kept."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner

from modelyard.cli.root import root
from modelyard.core.table import Table
from modelyard.errors import InvalidInput
from modelyard.optimization.explain.explaining import explain, explanations
from modelyard.optimization.explain.shapley import _Codes
from modelyard.registry import create
from modelyard.testing.yard import refused

pytestmark = pytest.mark.slow


def write_csv(path, **columns):
    lines = [",".join(columns)]
    lines += [",".join(map(str, row)) for row in zip(*columns.values(), strict=True)]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("explaining")


@pytest.fixture(scope="module")
def yard(place):
    import pandas as pd
    from sklearn.linear_model import LinearRegression, LogisticRegression

    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=300), "b": rng.normal(size=300),
                          "c": rng.random(300) > 0.5})  # fmt: skip
    score = 2 * frame["a"] + frame["c"]
    held = create(place / "yard", author="Ann")
    held.model("line").commit(LinearRegression().fit(frame, score), message="line")
    held.model("truth").commit(LogisticRegression().fit(frame, score > 0.5), message="classes")
    columns = {name: frame[name].tolist() for name in frame}
    write_csv(place / "line.csv", **columns, y=score.round(6).tolist())
    write_csv(place / "words.csv", **columns, y=["high" if s > 0 else "low" for s in score])
    write_csv(place / "gaps.csv", **columns, y=["", *score.round(6).tolist()[1:]])
    write_csv(place / "yes.csv", **columns, y=["yes" if s > 0.5 else "no" for s in score])
    yield held
    held.close()


def test_truth_values_have_two_points_and_inputs_their_order(yard, place):
    found = explain(yard, "line", data=place / "line.csv", target="y")
    assert [each.feature for each in found.importances] == ["a", "c", "b"]
    assert (found.score, found.baseline) == ("r2", pytest.approx(1.0))
    values = {each.feature: each.values for each in found.dependences}
    assert values["c"] == (False, True)
    assert next(explanations(yard, "line")) == found
    (report,) = yard.reports("line", kind="explanation")
    assert (report.data, report.data_digest) == ("line.csv", found.digest)


def test_classes_are_compared_by_their_meaning(yard, place):
    found = explain(yard, "truth", data=place / "yes.csv", target="y", top=0)
    assert found.score == "accuracy"
    assert found.baseline > 0.9


def test_the_highest_of_several_scores_is_the_class_that_is_meant(yard, place):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(1)
    x = rng.normal(size=(300, 3)).astype(np.float32)
    net = torch.nn.Sequential(torch.nn.Linear(3, 3))
    with torch.no_grad():
        net[0].weight.copy_(torch.eye(3))
        net[0].bias.zero_()
    yard.model("net").commit(net, message="scores", example=x[:5])
    columns = {f"x{i}": x[:, i].tolist() for i in range(3)}
    for name, y in (("places", x.argmax(1)), ("names", np.array(["k", "l", "m"])[x.argmax(1)])):
        data = write_csv(place / f"{name}.csv", **columns, y=y.tolist())
        found = explain(yard, "net", data=data, target="y")
        assert (found.score, found.baseline) == ("accuracy", 1.0)
        assert min(each.mean for each in found.importances) > 0.2


def test_texts_that_are_missing_stay_missing_for_shap():
    texts = np.array(["b", None, "a", "None"], object)
    days = np.array(["2026-01-02", "2026-01-01", "2026-01-01", "2026-01-02"], "M8[D]")
    table = Table({"text": texts, "number": np.arange(4), "day": days})
    codes = _Codes(table)
    back = codes.decode(codes.encode(table))
    for name, column in table.columns.items():
        assert back.columns[name].tolist() == column.tolist()
        assert back.columns[name].dtype == column.dtype


@pytest.mark.parametrize(
    ("model", "file", "options", "kind"),
    [
        ("line", "gaps.csv", {}, "missing-target"),
        ("line", "words.csv", {}, "not-numeric"),
        ("truth", "words.csv", {}, "labels-differ"),
        ("line", "line.csv", {"seed": -1}, "bad-seed"),
        ("line", "line.csv", {"target": "z"}, "no-column"),
    ],
)
def test_what_can_not_be_explained_keeps_nothing(yard, place, model, file, options, kind):
    before = len(list(yard.reports(model)))
    with refused(InvalidInput, kind):
        explain(yard, model, data=place / file, **{"target": "y", **options})
    assert len(list(yard.reports(model))) == before


def test_a_row_that_can_not_be_read_hides_no_other(yard, place):
    import sqlalchemy as sa

    from modelyard.catalog.schema import report

    kept = explain(yard, "truth", data=place / "yes.csv", top=0)
    yard.evaluate("truth", data=place / "yes.csv", target="y")
    for kind in ("explanation", "evaluation"):
        yard.keep_report("truth", None, "profile", {"measures": kind})
        (newest, *_) = yard.reports("truth", kind="profile")
        changed = sa.update(report).where(report.c.id == newest.id).values(kind=kind)
        yard.house.catalog.write(lambda connection, changed=changed: connection.execute(changed))
    (last, *_) = yard.reports("truth", kind="explanation")
    assert last.content == {"measures": "explanation"}
    assert next(explanations(yard, "truth")) == kept
    assert len(list(yard.evaluations("truth"))) == 1
    assert yard.best("truth", metric="accuracy").leader == 1
    shown = CliRunner().invoke(root, ["--yard", str(place / "yard"), "show", "truth", "--json"])
    assert shown.exit_code == 0, shown.output
    assert json.loads(shown.stdout)["explanation"]["digest"] == kept.digest
