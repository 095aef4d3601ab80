"""Rare classes count as much as frequent ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from modelyard.core.table import Table
from modelyard.optimization.passes.data.balance import PASS, over_sampled, smote, under_sampled
from modelyard.optimization.passes.data.learning import rightness
from modelyard.optimization.passes.data.outcome import _weighed
from modelyard.optimization.passes.data.rows import groups_of, is_made
from modelyard.optimization.state import Rows

if TYPE_CHECKING:
    from collections.abc import Callable


def _rare() -> tuple[Table, Any]:
    """Real tumours, of which one in twenty is malign, with five noisy measurements."""
    bunch = load_breast_cancer()
    chance = np.random.default_rng(0)
    malign = np.flatnonzero(bunch.target == 0)[:19]
    rows = np.sort(np.concatenate([np.flatnonzero(bunch.target == 1), malign]))
    data = bunch.data[rows][:, [4, 8, 9, 11, 14]]
    data = data + chance.normal(size=data.shape) * data.std(axis=0) * 0.5
    return Table({f"x{i}": data[:, i] for i in range(5)}), bunch.target[rows]


@pytest.mark.parametrize(
    ("make", "asked"), [(over_sampled, [30] * 3), (smote, [30] * 3), (under_sampled, [5] * 3)]
)
def test_all_classes_are_as_frequent_then(make: Any, asked: list[int]) -> None:
    bunch = load_iris()
    rows = np.concatenate([np.arange(30), np.arange(50, 60), np.arange(100, 105)])
    given = Rows(Table({f"x{i}": bunch.data[rows, i] for i in range(4)}), bunch.target[rows])
    found = make(given, 0)
    assert np.bincount(found.target).tolist() == asked
    assert len(found.inputs) == len(found.target)


def test_rows_that_were_made_are_never_measured_and_stay_with_their_origin() -> None:
    chance = np.random.default_rng(0)
    table = Table({"a": chance.normal(size=30), "b": np.arange(30) // 2 % 7 * 1.0})
    twice = over_sampled(smote(Rows(table, np.repeat([0, 1], [25, 5])), 0), 1)
    some = twice.take(slice(2, None))
    assert is_made(twice).tolist() == [False] * 30 + [True] * 20
    assert twice.origins is not None
    assert some.origins is not None
    assert len(some.origins) == len(some)
    groups = groups_of(twice)
    owners = np.where(twice.origins < 0, -1 - twice.origins, twice.origins)
    for owner in range(30):
        assert len(set(groups[owners == owner])) == 1


def test_made_rows_lie_between_rows_of_their_class() -> None:
    chance = np.random.default_rng(0)
    numbers = np.concatenate([chance.normal(0, 1, 50), chance.normal(100, 1, 5)])
    table = Table({"a": numbers, "b": numbers.astype(np.int64), "c": np.array(["x"] * 55, object)})
    found = smote(Rows(table, np.repeat([0, 1], [50, 5])), 0)
    made = found.inputs.take(slice(55, None))
    assert len(made) == 45
    assert made.columns["a"].min() >= numbers[50:].min()
    assert made.columns["a"].max() <= numbers[50:].max()
    assert len(np.unique(made.columns["a"])) > 30
    assert made.columns["b"].dtype == np.int64


def test_weights_find_more_of_the_rare_class(bench: Callable[..., Any]) -> None:
    inputs, target = _rare()
    obj = make_pipeline(StandardScaler(), LogisticRegression()).fit(inputs.frame(), target)
    model, work = bench(obj, inputs, target)
    made: Any = PASS.run(model, {"method": "weights"}, work)
    assert made.model is not None
    assert np.mean(made.scores[1]) > np.mean(made.scores[0])
    assert made.model.load()[-1].class_weight == "balanced"
    assert made.rows is None


def test_what_takes_no_weights_sees_rows_again(bench: Callable[..., Any]) -> None:
    inputs, target = _rare()
    obj = make_pipeline(StandardScaler(), KNeighborsClassifier()).fit(inputs.frame(), target)
    model, work = bench(obj, inputs, target)
    from dataclasses import replace

    from modelyard.core.trust import Trust

    model = replace(model, trust=Trust(everything=True))
    made: Any = PASS.run(model, {"method": "weights"}, work)
    assert made.rows is not None
    assert len(made.rows) > len(work.train)
    assert any("no weights" in note for note in made.notes)


def test_even_classes_are_left_alone(bench: Callable[..., Any]) -> None:
    bunch = load_iris()
    inputs = Table({f"x{i}": bunch.data[:, i] for i in range(4)})
    obj = LogisticRegression(max_iter=500).fit(inputs.frame(), bunch.target)
    made: Any = PASS.run(*_with(bench(obj, inputs, bunch.target)))
    assert made.model is None


def _with(given: tuple[Any, Any]) -> tuple[Any, dict[str, str], Any]:
    return given[0], {"method": "weights"}, given[1]


def test_made_whole_numbers_fit_their_type() -> None:
    big = np.full(60, 2**63 - 1) - np.arange(60) * 3
    with np.errstate(all="raise"):
        found = smote(Rows(Table({"big": big}), np.repeat([0, 1], [50, 10])), 0)
    made = found.inputs.columns["big"][60:]
    assert made.min() >= big[50:].min()
    assert made.max() <= big[50:].max()


@pytest.mark.parametrize(("metric", "best"), [("balanced_accuracy", 1), ("accuracy", 0)])
def test_networks_are_judged_by_the_metric_that_is_asked(metric: str, best: int) -> None:
    target = np.array([0] * 9 + [1])
    rows = Rows(Table({"a": np.zeros(10)}), target)
    right = [np.array([1.0] * 9 + [0.0]), np.array([1.0] * 6 + [0.0] * 3 + [1.0])]
    scores = [float(np.mean(_weighed(each, rows, metric))) for each in right]
    assert scores == pytest.approx([rightness(each, target, metric) for each in right])
    assert int(np.argmax(scores)) == best


@pytest.mark.heavy
def test_a_network_that_finds_more_of_the_rare_class_is_kept(bench: Callable[..., Any]) -> None:
    torch = pytest.importorskip("torch")
    from modelyard.frameworks import framework_of
    from modelyard.optimization.stepping import run_pass

    chance = np.random.default_rng(1)
    values = chance.normal(size=(600, 4)).astype(np.float32)
    target = (values[:, 0] + 0.7 * chance.normal(size=600) > 1.9).astype(int)
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
    framework: Any = framework_of(net)
    net = framework.set_optimizer(net, {"name": "adam", "lr": 0.01})
    table = Table({"data": values})
    model, work = bench(framework.fit(net, table, target, epochs=10, seed=0), table, target)
    _, done, _ = run_pass("balance", model, {"method": "over"}, work)
    assert done.kept
    assert done.after["score"] > done.before["score"] + 0.1
