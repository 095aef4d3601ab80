"""The gate: what is better is let through, what is worse is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

from modelyard.core.optimization import Candidate, Verdict
from modelyard.core.table import Table
from modelyard.frameworks import Saved
from modelyard.optimization.engines.interface import Place, Task
from modelyard.optimization.judging import corrected, passes_gate
from modelyard.optimization.making import model_of_object
from modelyard.optimization.state import Model
from modelyard.optimization.tasks import run_task

if TYPE_CHECKING:
    from pathlib import Path

_LIKE = Saved(framework="sklearn", serializer="skops", class_name="x")


def _model(obj: object, folder: Path, inputs: Table) -> Model:
    folder.mkdir(parents=True)
    like = Model(folder=folder, saved=_LIKE)
    return model_of_object(obj, folder, like=like, example=inputs)


@pytest.fixture
def made(tmp_path: Path) -> tuple[Path, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    x = rng.standard_normal((1500, 4))
    y = (x[:, 0] + 0.5 * x[:, 1] + 0.3 * rng.standard_normal(1500) > 0).astype(int)
    path = tmp_path / "rows.npz"
    np.savez(path, a=x[:, 0], b=x[:, 1], c=x[:, 2], d=x[:, 3], y=y)
    return path, x, y


def _proved(
    tmp_path: Path, data: Path, source: Model, others: list[Model], goals: list[str],
    constraints: tuple[str, ...] = (), task: str = "classification",
) -> tuple[Candidate, ...]:  # fmt: skip
    for name in ("out", "made"):
        (tmp_path / name).mkdir(exist_ok=True)
    result = run_task(
        Task(
            kind="proof", trial=9, source=Place.of(source), out=str(tmp_path / "out"),
            made=str(tmp_path / "made"), data=str(data), target="y", task=task,
            candidates=tuple((i, Place.of(m)) for i, m in enumerate(others)), goals=tuple(goals),
            constraints=constraints, timed=False,
        ),
        lambda _what, _score: None,
    )  # fmt: skip
    assert result.state == "done", result.reason
    return result.candidates


def _fitted(x: np.ndarray, y: np.ndarray, columns: list[int], **how: float) -> LogisticRegression:
    zeroed = np.zeros_like(x)
    zeroed[:, columns] = x[:, columns]
    return LogisticRegression(**how).fit(zeroed, y)


def test_a_model_that_sees_more_passes_and_one_that_sees_less_does_not(
    tmp_path: Path, made: tuple[Path, np.ndarray, np.ndarray]
) -> None:
    path, x, y = made
    table = Table({n: x[:, i] for i, n in enumerate("abcd")})
    poor = _model(_fitted(x, y, [1]), tmp_path / "poor", table)
    good = _model(_fitted(x, y, [0, 1]), tmp_path / "good", table)
    [better] = _proved(tmp_path, path, poor, [good], ["accuracy max"])
    assert passes_gate(better) == (True, "")
    [worse] = _proved(tmp_path, path, good, [poor], ["accuracy max"])
    fit, why = passes_gate(worse)
    assert not fit
    assert "worse" in why


def test_the_same_model_again_is_no_better(
    tmp_path: Path, made: tuple[Path, np.ndarray, np.ndarray]
) -> None:
    path, x, y = made
    table = Table({n: x[:, i] for i, n in enumerate("abcd")})
    one = _model(_fitted(x, y, [0, 1]), tmp_path / "one", table)
    [same] = _proved(tmp_path, path, one, [one], ["accuracy max", "size min"])
    fit, why = passes_gate(same)
    assert not fit
    assert "stays at" in why


def test_what_is_smaller_but_worse_needs_a_constraint_that_allows_it(
    tmp_path: Path, made: tuple[Path, np.ndarray, np.ndarray]
) -> None:
    path, x, y = made
    table = Table({n: x[:, i] for i, n in enumerate("abcd")})
    good = _model(_fitted(x, y, [0, 1]), tmp_path / "good", table)
    poor = _model(_fitted(x, y, [1]), tmp_path / "poor", table)
    (poor.folder / "model.skops").exists()
    goals = ["accuracy max", "stored min"]
    [candidate] = _proved(tmp_path, path, good, [poor], goals, ("accuracy_drop<=0.01",))
    fit, why = passes_gate(candidate)
    assert not fit
    assert "accuracy_drop<=0.01 does not hold" in why


def test_numbers_are_proved_too(tmp_path: Path, made: tuple[Path, np.ndarray, np.ndarray]) -> None:
    _, x, _ = made
    truth = 3 * x[:, 0] - x[:, 1] + 0.1 * np.random.default_rng(1).standard_normal(len(x))
    path = tmp_path / "numbers.npz"
    np.savez(path, a=x[:, 0], b=x[:, 1], c=x[:, 2], d=x[:, 3], y=truth)
    table = Table({n: x[:, i] for i, n in enumerate("abcd")})
    poor = _model(Ridge(alpha=5000).fit(x, truth), tmp_path / "poor", table)
    good = _model(Ridge().fit(x, truth), tmp_path / "good", table)
    [better] = _proved(tmp_path, path, poor, [good], ["rmse min"], (), "regression")
    assert passes_gate(better)[0]
    verdict = better.verdicts[0]
    assert verdict.difference is not None
    assert verdict.difference < 0
    assert verdict.low is not None
    assert verdict.high is not None
    assert verdict.low <= verdict.difference <= verdict.high < 0


def test_copies_of_a_row_prove_nothing_anew(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    x, y = rng.standard_normal((120, 4)), rng.integers(0, 2, 120)  # nothing can be learned of it
    once, often = tmp_path / "once.npz", tmp_path / "often.npz"
    for path, copies in ((once, 1), (often, 15)):
        many = np.repeat(x, copies, axis=0)
        columns = {n: many[:, i] for i, n in enumerate("abcd")}
        np.savez(path, y=np.repeat(y, copies), **columns)  # type: ignore[arg-type]
    table = Table({n: x[:, i] for i, n in enumerate("abcd")})
    one, other = (
        _model(LogisticRegression().fit(x, rng.integers(0, 2, 120)), tmp_path / name, table)
        for name in ("one", "other")
    )
    for path in (once, often):
        [candidate] = _proved(tmp_path, path, one, [other], ["accuracy max"])
        verdict = candidate.verdicts[0]
        assert verdict.p is not None
        assert verdict.p > 0.05
        assert not verdict.holds
        assert not verdict.worse


def test_a_candidate_that_gives_no_answers_is_no_hindrance_to_others(
    tmp_path: Path, made: tuple[Path, np.ndarray, np.ndarray]
) -> None:
    from sklearn.ensemble import HistGradientBoostingClassifier

    _, x, y = made
    gap = x.copy()
    gap[::50, 2] = np.nan
    path = tmp_path / "gap.npz"
    np.savez(path, **{n: gap[:, i] for i, n in enumerate("abcd")}, y=y)
    table = Table({n: x[:, i] for i, n in enumerate("abcd")})
    poor = HistGradientBoostingClassifier(max_iter=1, random_state=0).fit(x * [0, 1, 0, 0], y)
    good = HistGradientBoostingClassifier(max_iter=40, random_state=0).fit(x, y)
    models = [
        _model(each, tmp_path / name, table)
        for name, each in (("poor", poor), ("good", good), ("none", _fitted(x, y, [0, 1])))
    ]
    found = _proved(tmp_path, path, models[0], models[1:], ["accuracy max"])
    assert passes_gate(found[0]) == (True, "")
    fit, why = passes_gate(found[1])
    assert not fit
    assert "NaN" in why
    assert found[1].after == ()


def test_what_could_not_be_tested_spares_no_other_its_correction() -> None:
    tested = [Verdict(about="log_loss min", holds=p < 0.05, p=p) for p in (0.04, 0.3, 0.5)]
    untested = Verdict(about="log_loss min", holds=False)
    verdicts = enumerate([*tested, untested])
    found = corrected([Candidate(trial=i, verdicts=(verdict,)) for i, verdict in verdicts])
    assert not found[0].verdicts[0].holds
    assert found[0].verdicts[0].p == pytest.approx(0.16)
    assert found[3].verdicts[0] == untested


def test_a_chance_among_many_is_not_taken_for_a_gain() -> None:
    lucky = Verdict(about="accuracy max", holds=True, p=0.03, sentence="accuracy is better")
    others = Verdict(about="accuracy max", holds=False, p=0.6, sentence="may be chance")
    found = corrected([Candidate(trial=i, verdicts=(lucky if i == 0 else others,))
                        for i in range(4)])  # fmt: skip
    assert not found[0].verdicts[0].holds
    assert found[0].verdicts[0].p == pytest.approx(0.12)
