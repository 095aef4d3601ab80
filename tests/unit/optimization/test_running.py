"""`optimize` from the first trial to the version: what is better, what is not, and again."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

import modelyard
from modelyard.errors import Conflict, InvalidInput, NotFound, Unsupported
from modelyard.optimization import workplace
from modelyard.optimization.replaying import replay
from modelyard.optimization.running import optimize

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from modelyard.core.optimization import Optimization
    from modelyard.registry.local import LocalYard

pytestmark = pytest.mark.slow

_SHRINK = """
name: leaner
objective: [size min]
constraints: [quality_drop<=0.02]
budget: {trials: 2}
passes: [{to-onnx: {}}]
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    found = load_breast_cancer(as_frame=True)
    path = tmp_path / "cells.csv"
    found.frame.to_csv(path, index=False)
    return path


@pytest.fixture
def yard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalYard]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with modelyard.create(tmp_path / "yard", author="ann") as made:
        yield made  # type: ignore[misc]


def _commit_forest(
    yard: LocalYard, trees: int = 15, *, model: str = "cells", **about: object
) -> None:
    found = load_breast_cancer(as_frame=True)
    forest = RandomForestClassifier(trees, random_state=0).fit(found.data[:300], found.target[:300])
    yard.commit(model, forest, example=found.data[:3], **about)  # type: ignore[arg-type]


def test_what_is_smaller_at_the_same_quality_becomes_a_version_with_its_proof(
    yard: LocalYard, data: Path
) -> None:
    _commit_forest(yard)
    said: list[int] = []
    found = optimize(
        yard, "cells", recipe=_SHRINK, data=data, target="target", alias="candidate",
        progress=lambda now, _: said.append(now.done),
    )  # fmt: skip
    assert found.state == "done"
    assert found.published == (2,)
    assert said[0] == 0
    assert said[-1] >= 1
    new = yard.show("cells", 2)
    assert yard.resolve("cells", 2).size < yard.resolve("cells", 1).size
    assert [str(edge) for edge in new.lineage] == ["updated-from cells@1"]
    assert yard.resolve("cells", 2).metrics["accuracy"] == pytest.approx(
        next(m.value for m in found.candidates[0].after if m.name == "accuracy")
    )
    assert yard.resolve("cells", "candidate").number == 2
    assert yard.resolve("cells", "main").number == 1
    assert yard.open("cells", 2, "recipe.yaml").read().startswith(b"name: leaner")
    [report] = yard.reports("cells", 2, "optimization")
    assert report.content["from"] == "cells@1"
    compared = yard.compare("cells", [1, 2])
    assert compared.data.endswith("(holdout)")
    assert compared.evaluations[0].rows == compared.evaluations[1].rows == 171


def test_a_replay_makes_the_same_bytes(yard: LocalYard, data: Path) -> None:
    _commit_forest(yard)
    found = optimize(yard, "cells", recipe=_SHRINK, data=data, target="target")
    again = replay(yard, found.id)
    assert again.same
    assert again.before == again.after != ""
    assert again.version == 2


def test_a_recipe_in_a_version_makes_the_same_files_again(yard: LocalYard, data: Path) -> None:
    _commit_forest(yard)
    optimize(yard, "cells", recipe=_SHRINK, data=data, target="target")
    text = yard.open("cells", 2, "recipe.yaml").read().decode()
    assert "\ndata: cells.csv\n" in text
    [report] = yard.reports("cells", 2, "optimization")
    assert "cells.csv" not in str(report.content)
    again = optimize(yard, "cells", 1, recipe=text, data=data)
    assert again.published
    digests = [
        {file.path: file.sha256 for file in yard.show("cells", number).files}
        for number in (2, again.published[0])
    ]
    assert digests[0] == digests[1]


def test_a_run_that_cannot_help_says_so_and_publishes_nothing(yard: LocalYard, data: Path) -> None:
    found = load_breast_cancer(as_frame=True)
    tree = DecisionTreeClassifier(max_depth=2, random_state=0).fit(found.data, found.target)
    yard.commit("cells", tree, example=found.data[:3])
    recipe = "objective: [quality max]\nbudget: {trials: 2}\npasses: [to-onnx]"
    ended = optimize(yard, "cells", recipe=recipe, data=data, target="target", alias="candidate")
    assert ended.state == "done"
    assert ended.sentence == "nothing better found for cells@1"
    assert ended.reasons
    assert ended.published == ()
    assert [version.number for version in yard.log("cells")] == [1]
    with pytest.raises(NotFound):
        yard.resolve("cells", "candidate")


def test_a_recipe_whose_passes_do_not_fit_says_why(yard: LocalYard, data: Path) -> None:
    _commit_forest(yard)
    recipe = "objective: [quality max]\npasses: [prune, keras-quantize]"
    ended = optimize(yard, "cells", recipe=recipe, data=data, target="target")
    assert ended.sentence == "nothing better found for cells@1"
    assert {reason.split(":")[0] for reason in ended.reasons} >= {"prune", "keras-quantize"}


def test_a_version_that_knows_the_rows_is_compared_with_itself_learned_again(
    yard: LocalYard, data: Path
) -> None:
    found = load_breast_cancer(as_frame=True)
    stump = DecisionTreeClassifier(max_depth=1, random_state=0).fit(found.data, found.target)
    yard.commit("cells", stump, example=found.data[:3], data=data)
    recipe = """
objective: [quality max]
budget: {trials: 3}
passes: [{tune: {max_depth: [4, 6]}}]
"""
    ended = optimize(yard, "cells", recipe=recipe, data=data, target="target")
    assert any("learned again" in reason for reason in ended.reasons)
    if ended.published:  # then it has learned from all rows, and can be made again
        assert replay(yard, ended.id).same


def test_a_pipeline_that_was_tuned_is_tuned_again_on_the_same_rows(
    yard: LocalYard, data: Path
) -> None:
    recipe = """
objective: [quality max]
budget: {trials: 3}
passes: [{tune: {svc__C: [1.0, 10.0, 100.0]}}]
"""
    cells = load_breast_cancer(as_frame=True)
    machine = make_pipeline(StandardScaler(), SVC(C=0.01)).fit(cells.data, cells.target)
    yard.commit("cells", machine, example=cells.data[:3], data=data)
    ended = optimize(yard, "cells", recipe=recipe, data=data, target="target")
    steps = [step for trial in yard.optimizations.trials(ended.id) for step in trial.steps]
    assert [step.kept for step in steps] == [True] * 3, [step.why for step in steps]
    assert ended.published


def test_models_without_a_truth_are_compared_with_themselves(
    yard: LocalYard, tmp_path: Path
) -> None:
    _commit_forest(yard)
    found = load_breast_cancer(as_frame=True)
    rows = tmp_path / "rows.csv"
    found.data.to_csv(rows, index=False)
    ended = optimize(yard, "cells", recipe=_SHRINK, data=rows)
    assert ended.published == (2,)
    assert next(m.value for m in ended.candidates[0].after if m.name == "cosine") > 0.9999


@pytest.mark.parametrize(
    ("how", "kind"),
    [
        ({"budget": -1}, "bad-budget"),
        ({"trials": 0}, "bad-budget"),
        ({"seed": -1}, "bad-seed"),
        ({"engine": "cluster"}, "no-engine"),
        ({"target": "nothing"}, "no-column"),
        ({"recipe": "objective: [beauty max]\npasses: [to-onnx]"}, "bad-goal"),
        ({"recipe": "objective: [cosine max]\npasses: [to-onnx]"}, "bad-goal"),
    ],
)
def test_what_cannot_be_is_refused_and_noted(
    yard: LocalYard, data: Path, how: dict[str, object], kind: str
) -> None:
    _commit_forest(yard, trees=2)
    given = {"recipe": _SHRINK, "data": data, "target": "target"} | how
    with pytest.raises((InvalidInput, Unsupported)) as caught:
        optimize(yard, "cells", **given)  # type: ignore[arg-type]
    assert caught.value.kind == kind
    assert all(each.state == "failed" for each in yard.optimizations.list())
    assert [version.number for version in yard.log("cells")] == [1]


def test_each_candidate_that_is_not_published_says_why(yard: LocalYard, data: Path) -> None:
    recipe = """
objective: [size min, quality max]
constraints: [quality_drop<=0.05]
budget: {trials: 4}
publish: 1
passes: [{trim: {tolerance: [0.0, 0.02, 0.05], optional: true}}, to-onnx]
"""
    _commit_forest(yard, 30)
    ended = optimize(yard, "cells", recipe=recipe, data=data, target="target")
    assert len(ended.candidates) > 1
    assert len(ended.published) == 1
    for each in ended.candidates:
        assert each.version is not None or each.sentence.startswith("not published: "), each


def test_what_no_trial_can_do_is_told_after_a_few(
    yard: LocalYard, data: Path, tmp_path: Path
) -> None:
    """Not after forty: the model was not made for these columns."""
    recipe = """
objective: [quality max]
budget: {trials: 40}
passes: [{tune: {class_weight: [null, balanced], max_depth: {low: 2, high: 20}}}]
"""
    _commit_forest(yard)
    lines = data.read_text().splitlines()
    lines[5] = "17 mm" + lines[5][lines[5].index(",") :]
    (tmp_path / "broken.csv").write_text("\n".join(lines) + "\n")
    with pytest.raises(InvalidInput) as caught:
        optimize(yard, "cells", recipe=recipe, data=tmp_path / "broken.csv", target="target")
    [found] = yard.optimizations.list("cells")
    assert found.state == "failed"
    assert caught.value.kind != "trials-failed" or found.done <= 6


def test_many_whole_numbers_are_classes_to_a_pipeline_that_says_so(
    yard: LocalYard, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    rows, letters = rng.normal(size=(260, 3)), np.arange(260) % 26
    near = make_pipeline(StandardScaler(), KNeighborsClassifier(algorithm="brute")).fit(
        rows, letters
    )
    yard.commit("cells", near)
    lines = [",".join(map(str, [*row, kind])) for row, kind in zip(rows, letters, strict=True)]
    (tmp_path / "letters.csv").write_text("\n".join(["x0,x1,x2,letter", *lines]) + "\n")
    ended = optimize(
        yard, "cells", recipe="objective: [size min]\npasses: [to-onnx]",
        data=tmp_path / "letters.csv", target="letter", trials=1,
    )  # fmt: skip
    assert "accuracy" in ended.before


def test_one_class_is_nothing_to_learn(yard: LocalYard, data: Path, tmp_path: Path) -> None:
    _commit_forest(yard)
    lines = data.read_text().splitlines()
    ones = [lines[0], *(line for line in lines[1:] if line.endswith(",1"))]
    (tmp_path / "ones.csv").write_text("\n".join(ones) + "\n")
    with pytest.raises(InvalidInput, match="of one class") as caught:
        optimize(yard, "cells", recipe="choose", data=tmp_path / "ones.csv", target="target")
    assert caught.value.kind == "one-class"


def test_few_rows_are_refused(yard: LocalYard, tmp_path: Path) -> None:
    _commit_forest(yard, trees=2)
    path = tmp_path / "few.npz"
    np.savez(path, a=np.arange(5.0), y=np.arange(5))
    with pytest.raises(InvalidInput) as caught:
        optimize(yard, "cells", recipe=_SHRINK, data=path, target="y")
    assert caught.value.kind == "no-rows"


def test_what_is_over_cannot_be_resumed(yard: LocalYard, data: Path) -> None:
    _commit_forest(yard, trees=2)
    ended = optimize(yard, "cells", recipe=_SHRINK, data=data, target="target")
    with pytest.raises(Conflict) as caught:
        optimize(yard, "cells", resume=ended.id)
    assert caught.value.kind == "optimization-ended"


def test_an_interrupted_one_goes_on_and_ends_as_if_nothing_had_been(
    yard: LocalYard, data: Path
) -> None:
    recipe = """
objective: [size min]
constraints: [quality_drop<=0.05]
budget: {trials: 3}
passes: [{trim: {tolerance: [0.0, 0.01, 0.05]}}, to-onnx]
"""
    _commit_forest(yard)

    def interrupt(now: object, _: object) -> None:
        if getattr(now, "done", 0) >= 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        optimize(yard, "cells", recipe=recipe, data=data, target="target", progress=interrupt)
    [stopped] = yard.optimizations.list("cells")
    assert stopped.state == "stopped"
    resumed = optimize(yard, "cells", resume=stopped.id)
    _commit_forest(yard, model="others")  # of which no earlier search tells where to begin
    whole = optimize(yard, "others", recipe=recipe, data=data, target="target")
    assert resumed.state == whole.state == "done"
    assert [c.digest for c in resumed.candidates] == [c.digest for c in whole.candidates]
    told = yard.optimizations.trials(resumed.id)
    assert [t.params for t in told] == [t.params for t in yard.optimizations.trials(whole.id)]


def test_an_interrupted_one_gives_up_the_same_trials(yard: LocalYard, tmp_path: Path) -> None:
    """Each trial is judged by the scores of those before it, whichever process heard them."""
    torch = pytest.importorskip("torch")
    cells = load_breast_cancer(as_frame=True).frame
    cells.iloc[:, :-1] = (cells.iloc[:, :-1] - cells.mean().iloc[:-1]) / cells.std().iloc[:-1]
    cells.to_csv(tmp_path / "scaled.csv", index=False)
    recipe = """
objective: [quality max]
budget: {trials: 12}
passes: [{tune: {epochs: 6, learning_rate: {low: 0.00001, high: 0.03, log: true}}}]
"""

    def interrupt(now: object, _: object) -> None:
        if getattr(now, "done", 0) == 7:  # one of the two that were asked for after the first six
            raise KeyboardInterrupt

    told = {}
    for model in ("killed", "whole"):
        torch.manual_seed(0)
        network = torch.nn.Sequential(
            torch.nn.Linear(30, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2)
        )
        example = cells.iloc[:3, :-1].to_numpy("float32")
        yard.commit(model, network, example=example)
        given = {"recipe": recipe, "data": tmp_path / "scaled.csv", "target": "target"}
        if model == "killed":
            with pytest.raises(KeyboardInterrupt):
                optimize(yard, model, **given, progress=interrupt)
            [stopped] = yard.optimizations.list(model)
            ended = optimize(yard, model, resume=stopped.id)
        else:
            ended = optimize(yard, model, **given)
        told[model] = [
            (t.params, t.state, t.scores, t.reason) for t in yard.optimizations.trials(ended.id)
        ]
    assert "pruned" in [state for _, state, _, _ in told["whole"]]
    assert told["killed"] == told["whole"]


def test_what_is_not_needed_does_not_lie_around_and_is_not_missed(
    yard: LocalYard, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = """
objective: [size min]
constraints: [quality_drop<=0.05]
budget: {trials: 10}
passes: [{trim: {tolerance: [0.0, 0.005, 0.01, 0.02, 0.05]}}, {to-onnx: {optional: true}}]
"""
    most = dict.fromkeys(("roomy", "narrow"), 0)

    def look(now: Optimization, _: object) -> None:
        made = tmp_path.glob(f"cache/modelyard/optimizations/*-{now.id}/made/*/model")
        if now.done >= 8:
            most[now.model] = max(most[now.model], len(list(made)))

    ended = []
    for model in most:
        if model == "narrow":
            monkeypatch.setattr(workplace, "_MUCH", 0)
            monkeypatch.setattr(workplace, "_COPIES", 0)
        _commit_forest(yard, model=model)
        given = {"data": data, "target": "target", "progress": look}
        ended.append(optimize(yard, model, recipe=recipe, **given))  # type: ignore[arg-type]
    roomy, narrow = ended
    assert most["narrow"] < most["roomy"]
    assert [c.digest for c in narrow.candidates] == [c.digest for c in roomy.candidates]
    assert narrow.published


def test_another_yard_in_the_same_place_gets_nothing_of_the_one_before(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    found = load_breast_cancer(as_frame=True)
    sizes = []
    for trees in (15, 3):
        with modelyard.create(tmp_path / "yard", author="ann") as yard:
            forest = RandomForestClassifier(trees, random_state=0)
            forest.fit(found.data[:300], found.target[:300])
            yard.commit("cells", forest, example=found.data[:3])

            def interrupt(now: object, _: object) -> None:
                if getattr(now, "done", 0) >= 1:
                    raise KeyboardInterrupt

            stop = interrupt if trees == 15 else None
            try:
                ended = optimize(
                    yard, "cells", recipe=_SHRINK, data=data, target="target", progress=stop
                )
                sizes.append(ended.before["size"])
                assert ended.before["size"] == pytest.approx(yard.resolve("cells", 1).size, rel=0.2)
            except KeyboardInterrupt:
                pass
        shutil.rmtree(tmp_path / "yard")
    assert len(sizes) == 1


def test_an_alias_that_may_not_move_is_told_and_what_was_published_stands(
    yard: LocalYard, data: Path
) -> None:
    _commit_forest(yard)

    def take(now: Optimization, _: object) -> None:
        """Somebody else takes the name while trials run."""
        if now.done == 1 and not any(ref.name == "fast" for ref in yard.refs("cells")):
            yard.tag("cells", "fast", 1)

    ended = optimize(
        yard, "cells", recipe=_SHRINK, data=data, target="target", alias="fast", progress=take
    )
    assert ended.state == "done"
    assert ended.published == (2,)
    assert any("fast was not pointed at version 2" in reason for reason in ended.reasons)


def test_what_was_published_before_a_crash_is_found_again(yard: LocalYard, data: Path) -> None:
    _commit_forest(yard)

    def crash(now: object, _: object) -> None:
        if getattr(now, "published", ()):
            raise RuntimeError("the power went")

    with pytest.raises(RuntimeError):
        optimize(yard, "cells", recipe=_SHRINK, data=data, target="target", progress=crash)
    [stopped] = yard.optimizations.list("cells")
    assert yard.resolve("cells", "latest").number == 2
    again = optimize(yard, "cells", resume=stopped.id)
    assert again.published == (2,)
    assert [version.number for version in yard.log("cells")] == [2, 1]


def test_nothing_is_published_once_it_is_cancelled(yard: LocalYard, data: Path) -> None:
    _commit_forest(yard)

    def cancel(now: object, _: object) -> None:
        if getattr(now, "candidates", ()) and now.state == "running":  # type: ignore[attr-defined]
            yard.optimizations.cancel(now.id)  # type: ignore[attr-defined]

    optimize(
        yard, "cells", recipe=_SHRINK, data=data, target="target", alias="quick", progress=cancel
    )
    [found] = yard.optimizations.list("cells")
    assert found.state == "cancelled"
    assert [version.number for version in yard.log("cells")] == [1]
    with pytest.raises(NotFound):
        yard.resolve("cells", "quick")


def test_a_version_that_knows_the_rows_by_heart_gets_no_metrics_of_them(
    yard: LocalYard, tmp_path: Path
) -> None:
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    path = tmp_path / "rows.npz"
    x = rng.standard_normal((200, 4)).astype("float32")
    np.savez(path, x=x, y=(x[:, 0] > 0).astype("int64"))
    net = torch.nn.Sequential(torch.nn.Linear(4, 64), torch.nn.ReLU(), torch.nn.Linear(64, 2))
    yard.commit("cells", net.eval(), example=x[:2], data=path)
    recipe = "objective: [size min]\nconstraints: [quality_drop<=0.3]\npasses: [{quantize: {}}]"
    ended = optimize(
        yard, "cells", recipe=recipe.replace("[{quantize", "[to-onnx, {quantize"), data=path,
        target="y",
    )  # fmt: skip
    assert any("can't forget" in reason for reason in ended.reasons)
    for number in ended.published:
        assert not yard.resolve("cells", number).metrics
        assert not list(yard.evaluations("cells", number))


def test_what_learns_from_all_rows_has_the_parameters_that_were_proved(
    yard: LocalYard, data: Path
) -> None:
    found = load_breast_cancer(as_frame=True)
    weak = HistGradientBoostingClassifier(max_iter=2, learning_rate=0.01, random_state=0)
    yard.commit("cells", weak.fit(found.data, found.target), example=found.data[:3], data=data)
    recipe = """
objective: [quality max]
budget: {trials: 2}
passes: [{tune: {learning_rate: 0.1}}]
"""
    ended = optimize(yard, "cells", recipe=recipe, data=data, target="target")
    assert ended.published, ended.reasons
    chosen = next(each for each in ended.candidates if each.chosen)
    trial = next(t for t in yard.optimizations.trials(ended.id) if t.number == chosen.trial)
    said = yard.show("cells", ended.published[0]).params
    proved = trial.steps[0].params["max_iter"]
    assert said["max_iter"] == proved
    assert replay(yard, ended.id).same
