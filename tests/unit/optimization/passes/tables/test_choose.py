"""Another algorithm, or several together."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from modelyard.core.table import Table
from modelyard.errors import InvalidInput, Unsupported
from modelyard.optimization.measuring import predictions, quality
from modelyard.optimization.passes import pass_named
from modelyard.optimization.passes.tables import combine
from modelyard.optimization.passes.tables.combine import greedy_weights
from modelyard.optimization.passes.tables.portfolio import compared
from modelyard.optimization.state import Rows
from modelyard.optimization.stepping import run_pass
from modelyard.optimization.subjects import subject_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelyard.optimization.state import Model, Work

    Bench = Callable[..., tuple[Model, Work]]

pytest.importorskip("sklearn")


@pytest.fixture
def mixed() -> Rows:
    """Numbers with gaps, kinds, texts and times; names of classes."""
    rng = np.random.default_rng(0)
    number = rng.normal(size=240)
    number[::7] = np.nan
    kind = np.array(["red", "green", "blue", None], object)[rng.integers(0, 4, 240)]
    words = np.array(["alpha", "beta", "gamma", "delta"])
    text = np.array([" ".join(rng.choice(words, 6)) for _ in range(240)], object)
    text[:] = [f"{each} {at}" for at, each in enumerate(text)]
    target = np.where((kind == "red") | (np.nan_to_num(number) > 1), "yes", "no").astype(object)
    when = np.arange(240).astype("M8[D]")
    return Rows(Table({"number": number, "kind": kind, "text": text, "when": when}), target)


def dummy(rows: Rows) -> Any:
    from sklearn.dummy import DummyClassifier

    return DummyClassifier().fit(np.zeros((len(rows), 1)), rows.target)


def names(model: Model, work: Work) -> tuple[str, ...]:
    found = pass_named("choose").options(subject_of(model, work.train, work.task))
    return tuple(map(str, found["algorithm"].values))  # type: ignore[union-attr]


def test_every_algorithm_learns_and_loads_again_without_trust(bench: Bench, wine: Rows) -> None:
    model, work = bench(dummy(wine), wine)

    for name in names(model, work):
        (work.scratch / name).mkdir()
        mine = replace(work, scratch=work.scratch / name)
        made, done, _ = run_pass("choose", model, {"algorithm": name}, mine)

        assert done.kept, name
        assert quality(made, work.valid, task="classification") > 0.85, name  # type: ignore[arg-type]
        assert list(predictions(made, wine.inputs.take(slice(0, 3)))) == ["label", "probability"]


def test_texts_kinds_and_gaps_become_part_of_the_model(bench: Bench, mixed: Rows) -> None:
    model, work = bench(dummy(mixed), mixed)

    for name in ("linear", "boosting", "xgboost"):
        (work.scratch / name).mkdir()
        mine = replace(work, scratch=work.scratch / name)
        made, done, _ = run_pass("choose", model, {"algorithm": name}, mine)

        if name == "xgboost":
            assert not done.kept
            assert done.why == "xgboost can't take these columns, or this target"
        else:
            assert quality(made, work.valid, task="classification") > 0.8  # type: ignore[arg-type]
            assert done.notes == ("when: not learned from; the pass encode makes use of it",)


def test_the_best_is_found_by_comparing_all(bench: Bench, diabetes: Rows) -> None:
    from sklearn.dummy import DummyRegressor

    obj = DummyRegressor().fit(np.zeros((len(diabetes), 1)), diabetes.target)
    few = diabetes.take(slice(0, 120))
    model, work = bench(obj, few, "regression")

    (work.scratch / "again").mkdir()
    again = replace(work, scratch=work.scratch / "again")

    made, done, _ = run_pass("choose", model, {"algorithm": "best"}, work)
    replayed, _, _ = run_pass("choose", model, done.params, again)

    assert done.params["algorithm"] in names(model, work)
    assert made.digest == replayed.digest
    assert quality(made, work.valid, task="regression") > -70  # type: ignore[arg-type]


def test_each_algorithm_has_its_own_options(bench: Bench, wine: Rows) -> None:
    model, work = bench(dummy(wine), wine)

    made, _, _ = run_pass("choose", model, {"algorithm": "tree", "tree.max_depth": 2}, work)

    assert made.load().max_depth == 2


def test_options_and_algorithms_that_are_not_there_are_refused(bench: Bench, wine: Rows) -> None:
    model, work = bench(dummy(wine), wine)
    choose = pass_named("choose")

    for params in ({"algorithm": "magic"}, {"algorithm": "tree", "tree.wings": 2}):
        with pytest.raises(InvalidInput) as caught:
            choose.run(model, params, work)
        assert caught.value.kind == "bad-pass-option"


def test_pictures_are_left_to_networks(bench: Bench, wine: Rows) -> None:
    model, work = bench(dummy(wine), wine)
    pictures = Rows(Table({"data": np.zeros((40, 8, 8))}), np.arange(40) % 2)

    with pytest.raises(Unsupported) as caught:
        pass_named("choose").run(model, {"algorithm": "tree"}, work.with_rows(pictures))

    assert caught.value.kind == "not-improvable"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["greedy", "vote", "stack"])
def test_several_algorithms_together_are_one_model(bench: Bench, wine: Rows, kind: str) -> None:
    from sklearn.tree import DecisionTreeClassifier

    tree = DecisionTreeClassifier(random_state=0).fit(wine.inputs.frame(), wine.target)
    model, work = bench(tree, wine)
    (work.scratch / "again").mkdir()

    made, done, _ = run_pass("combine", model, {"kind": kind, "members": 3}, work)
    replayed, _, _ = run_pass(
        "combine", model, done.params, replace(work, scratch=work.scratch / "again")
    )

    assert quality(made, work.valid, task="classification") > 0.9  # type: ignore[arg-type]
    assert 2 <= len(done.params["algorithms"]) <= 3
    assert made.digest == replayed.digest


def test_who_is_right_counts_and_who_adds_nothing_does_not() -> None:
    truth = np.array([0, 1, 0, 1])
    right = np.array([[0.9, 0.1], [0.1, 0.9], [0.9, 0.1], [0.1, 0.9]])
    wrong = right[:, ::-1]

    assert greedy_weights([wrong, right], truth, "classification") == [0.0, 1.0]


def test_errors_that_cancel_out_make_a_mean_better_than_either() -> None:
    truth = np.array([1.0, 2.0, 3.0])
    high, low = (truth + 1)[:, None], (truth - 1)[:, None]

    assert greedy_weights([high, low], truth, "regression") == [0.5, 0.5]


def made_of_others(seed: int = 0) -> Rows:
    """Of 60 rows of noise nothing can be learned, but nine near copies of each are known."""
    rng = np.random.default_rng(seed)
    own = np.tile(np.arange(60), 10)
    values = rng.normal(size=(60, 3))[own]
    values[60:] += rng.normal(size=(540, 3)) * 1e-6
    inputs = Table({f"c{at}": column for at, column in enumerate(values.T)})
    origins = np.concatenate([np.arange(60), -1 - own[60:]])
    return Rows(inputs, rng.integers(0, 2, 60)[own], origins=origins)


def test_nothing_is_compared_by_rows_that_were_made_of_others(bench: Bench) -> None:
    from sklearn.tree import DecisionTreeClassifier

    rows = made_of_others()
    _, work = bench(dummy(rows), rows)

    ((_, score),) = compared({"tree": DecisionTreeClassifier()}, rows, work, count=3)

    assert score < 0.75


def test_of_rows_that_were_made_of_others_no_member_knows_the_answer(bench: Bench) -> None:
    from sklearn.tree import DecisionTreeClassifier

    rows = made_of_others()
    _, work = bench(dummy(rows), rows)

    (member,) = combine._members({"tree": DecisionTreeClassifier()}, work.with_rows(rows))

    assert len(member.said) == 60
    right = member.said.argmax(axis=1) == np.asarray(rows.target)[:60]
    assert right.mean() < 0.75


def test_members_that_nobody_knows_are_refused(bench: Bench) -> None:
    rows = made_of_others()
    model, work = bench(dummy(rows), rows)
    params = {"algorithms": ["linear", "nosuch"]}
    with pytest.raises(InvalidInput, match="no algorithm 'nosuch'") as caught:
        run_pass("combine", model, params, work.with_rows(rows))
    assert caught.value.kind == "bad-pass-option"


def test_a_stack_is_learned_by_folds_that_keep_made_rows_together(bench: Bench) -> None:
    from sklearn.model_selection import StratifiedKFold
    from sklearn.tree import DecisionTreeClassifier

    rows = made_of_others()
    tree = DecisionTreeClassifier(random_state=0).fit(rows.inputs.frame(), rows.target)
    model, work = bench(tree, rows)
    params = {"kind": "stack", "members": 2, "algorithms": ["source", "linear"]}

    made, done, _ = run_pass("combine", model, params, work.with_rows(rows))

    stack = made.load()
    assert done.kept
    assert np.abs(stack.final_estimator_.coef_).max() < 2  # whom it would trust if they leaked: > 3
    assert isinstance(stack.cv, StratifiedKFold)
