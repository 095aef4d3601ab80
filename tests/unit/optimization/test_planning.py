"""What is likely to pay is told from files, traffic and what was tried before."""

from __future__ import annotations

import pickle
import shlex
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from modelyard.core.optimization import Candidate, Verdict
from modelyard.optimization.ladders import auto_steps
from modelyard.optimization.planning import Traffic, suggest
from modelyard.optimization.recipes import known_recipe
from modelyard.optimization.state import Subject
from modelyard.registry import create

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytest.importorskip("sklearn")

from sklearn import datasets, ensemble, linear_model


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Any]:
    data, target = datasets.load_iris(return_X_y=True)
    forest = ensemble.RandomForestClassifier(10, random_state=0).fit(data, target)
    line = linear_model.LogisticRegression(max_iter=500).fit(data, target)
    with create(tmp_path / "yard") as made:
        made.commit("a/forest", forest, example=data[:5])
        made.commit("a/line", line, example=data[:5])
        yield made


def recipes(found: tuple[Any, ...]) -> dict[str, Any]:
    return {each.recipe: each for each in found}


def test_a_forest_had_best_become_a_graph(yard: Any) -> None:
    found = suggest(yard, "a/forest")
    assert found[0].recipe == "onnx"
    assert found[0].command == "yard optimize a/forest@1 --recipe onnx"
    assert "faster" in found[0].expected["latency_p50"]
    assert {"trees", "tune", "choose", "data"} <= set(recipes(found))
    assert "trees" not in recipes(suggest(yard, "a/line"))
    assert [each.score for each in found] == sorted((each.score for each in found), reverse=True)


def test_what_a_pass_would_refuse_is_not_suggested(yard: Any) -> None:
    data, target = datasets.load_iris(return_X_y=True)
    yard.commit("a/plain", linear_model.LinearRegression().fit(data, target), example=data[:5])
    odd = ensemble.IsolationForest(n_estimators=5, random_state=0).fit(data)
    yard.commit("a/odd", odd, example=data[:5])
    assert "tune" not in recipes(suggest(yard, "a/plain"))
    assert "tune" in recipes(suggest(yard, "a/line"))
    assert "trees" not in recipes(suggest(yard, "a/odd"))


def test_what_learns_needs_right_answers(yard: Any) -> None:
    (needs,) = recipes(suggest(yard, "a/forest"))["tune"].needs
    assert needs == "data with the right answers"


def test_commands_can_be_pasted_whatever_data_and_target_are_called(
    yard: Any, tmp_path: Path
) -> None:
    data, target = datasets.load_iris(return_X_y=True)
    path = tmp_path / "rows.csv"
    lines = [",".join(map(str, [*row, label])) for row, label in zip(data, target, strict=True)]
    path.write_text("\n".join(["a,b,c,d,kind; touch pwned #", *lines]))
    yard.commit("data/iris", path, kind="dataset")
    odd = "kind; touch pwned #"
    for name in (None, "data/iris@1 (holdout)"):
        yard.evaluate("a/line", 1, data="data/iris@1", target=odd, name=name)
        command = recipes(suggest(yard, "a/line"))["tune"].command
        words = ["yard", "optimize", "a/line@1", "--recipe", "tune", "--data", "data/iris@1"]
        assert shlex.split(command) == [*words, "--target", odd]


def test_speed_pays_where_people_wait_for_the_model(yard: Any) -> None:
    def onnx(share: float) -> Any:
        traffic = Traffic(requests=5, latency_p50=0.02, model_share=share)
        return recipes(suggest(yard, "a/line", traffic=traffic))["onnx"]

    much, little = onnx(0.8), onnx(0.05)
    assert much.score > little.score
    assert any("takes 80% of their time (16 of 20 ms)" in why for why in much.why)
    assert any("would hardly be noticed" in why for why in little.why)
    idle = suggest(yard, "a/line", traffic=Traffic(requests=0))
    assert "nobody has asked it lately" in recipes(idle)["onnx"].why


def test_what_was_tried_before_counts(yard: Any) -> None:
    before = recipes(suggest(yard, "a/forest"))["trees"].score
    begun = yard.optimizations.begin("a/forest", 1, known_recipe("trees"))
    yard.optimizations.keep(replace(begun, state="done", sentence="nothing better found"))
    after = recipes(suggest(yard, "a/forest")).get("trees")
    assert after is None or after.score < before / 2

    begun = yard.optimizations.begin("a/forest", 1, known_recipe("onnx"))
    size = Verdict(about="size min", holds=True, before=1000.0, after=250.0)
    found = Candidate(trial=0, version=7, chosen=True, verdicts=(size,))
    yard.optimizations.keep(replace(begun, state="done", candidates=(found,)))
    onnx = recipes(suggest(yard, "a/forest"))["onnx"]
    assert onnx.expected["size"] == "4.0x smaller"
    assert any("made version 7 of version 1" in why for why in onnx.why)


def tuned(yard: Any, number: int, made: int, *, gain: float = 0.341) -> None:
    """An optimization with `tune` that made a version of another."""
    begun = yard.optimizations.begin("a/line", number, known_recipe("tune"))
    better = Verdict(about="accuracy max", holds=True, before=0.6, after=0.6 + gain)
    found = Candidate(trial=0, version=made, chosen=True, verdicts=(better,))
    yard.optimizations.keep(replace(begun, state="done", candidates=(found,)))


def commit_line(yard: Any, strength: float) -> int:
    data, target = datasets.load_iris(return_X_y=True)
    line = linear_model.LogisticRegression(C=strength, max_iter=500).fit(data, target)
    return int(yard.commit("a/line", line, example=data[:5]).number)


def test_what_was_gained_is_not_expected_again_of_what_came_of_it(yard: Any) -> None:
    commit_line(yard, 0.5)
    tuned(yard, 1, 2)
    assert recipes(suggest(yard, "a/line", 1))["tune"].expected["accuracy"] == "+0.341"
    commit_line(yard, 0.25)
    for number in (2, 3):
        found = recipes(suggest(yard, "a/line", number))["tune"]
        assert "accuracy" not in found.expected
        assert found.score < 0.25
        assert "this version came of that, so it is not to be gained again" in found.why[-1]


def test_the_newest_gain_of_others_does_not_hide_where_a_version_came_of(yard: Any) -> None:
    commit_line(yard, 0.5)
    tuned(yard, 1, 2)
    yard.branch("a/line", "other", 1)
    tuned(yard, 1, 9)
    assert "accuracy" not in recipes(suggest(yard, "a/line", 2))["tune"].expected


def test_of_a_loose_object_only_what_can_run_is_suggested(yard: Any, tmp_path: Path) -> None:
    data, target = datasets.load_iris(return_X_y=True)
    line = linear_model.LogisticRegression(max_iter=500).fit(data, target)
    (tmp_path / "line.pkl").write_bytes(pickle.dumps(line))
    yard.commit("a/loose", tmp_path / "line.pkl")
    found = recipes(suggest(yard, "a/loose"))
    assert set(found) == {"onnx", "choose", "data"}
    assert found["onnx"].command == "yard optimize a/loose@1 --recipe onnx --data FILE"
    assert "rows such as it takes: its files do not tell" in found["onnx"].needs
    assert all(any("trust" in need for need in each.needs) for each in found.values())


def test_no_reason_has_an_article_before_the_name_of_a_class(yard: Any) -> None:
    reasons = [why for model in ("a/forest", "a/line") for each in suggest(yard, model)
               for why in each.why]  # fmt: skip
    assert any(why.startswith("RandomForestClassifier walks its trees") for why in reasons)
    assert any("what LogisticRegression costs at one row" in why for why in reasons)


def test_a_graph_of_few_bits_needs_no_fewer(yard: Any, network: Any, tmp_path: Path) -> None:
    from modelyard.optimization.passes.onnx.lowbit import packed

    proto, _ = network
    yard.commit("a/graph", proto)
    yard.commit("a/packed", packed(proto)[0])
    assert recipes(suggest(yard, "a/graph"))["int8"].score > 0.3
    assert suggest(yard, "a/packed") == ()


@pytest.fixture
def network() -> tuple[Any, None]:
    onnx = pytest.importorskip("onnx")
    weight = np.random.default_rng(0).normal(size=(64, 32)).astype(np.float32)
    node = onnx.helper.make_node("MatMul", ["x", "weight"], ["y"], name="only")
    graph = onnx.helper.make_graph(
        [node], "net", [onnx.helper.make_tensor_value_info("x", 1, ["batch", 64])],
        [onnx.helper.make_tensor_value_info("y", 1, ["batch", 32])],
        [onnx.numpy_helper.from_array(weight, "weight")],
    )  # fmt: skip
    opsets = [onnx.helper.make_opsetid("", 18)]
    return onnx.helper.make_model(graph, opset_imports=opsets, ir_version=9), None


def subject(framework: str, name: str, **more: Any) -> Subject:
    return Subject(framework=framework, serializer=more.pop("serializer", framework),
                   class_name=name, size=1000, **more)  # fmt: skip


@pytest.mark.parametrize(
    ("found", "names"),
    [
        (subject("torch", "torch.nn.modules.container.Sequential", rows=100, has_target=True,
                 serializer="safetensors", task="classification"),
         ["prune", "to-onnx", "quantize", "graph"]),
        (subject("torch", "torch.nn.modules.container.Sequential", serializer="safetensors"),
         ["to-onnx", "quantize", "graph"]),
        (subject("onnx", "onnx.ModelProto", operators={"Conv": 3}), ["quantize", "graph"]),
        (subject("sklearn", "sklearn.ensemble._forest.RandomForestClassifier", rows=9,
                 has_target=True, serializer="skops", task="classification"),
         ["trim", "to-onnx"]),
        (subject("sklearn", "sklearn.linear_model._logistic.LogisticRegression"), ["to-onnx"]),
    ],
    ids=["torch with truth", "torch", "graph", "forest", "linear"],
)  # fmt: skip
def test_every_kind_of_model_has_its_ladder(found: Subject, names: list[str]) -> None:
    assert [step.name for step in auto_steps(found)] == names
