"""An optimization that is gone on with: what may not be lost, whatever goes wrong."""

from __future__ import annotations

import errno
import operator
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import modelyard
from modelyard.core.optimization import Candidate, Trial
from modelyard.errors import Denied, InvalidInput, Unavailable, Unsupported
from modelyard.optimization import workplace
from modelyard.optimization.engines.interface import Result
from modelyard.optimization.recipes import read_recipe
from modelyard.optimization.replaying import replay
from modelyard.optimization.running import optimize
from modelyard.optimization.trying import BEGINNING
from modelyard.optimization.warming import _BEST
from modelyard.optimization.workplace import Workplace, passing_workplace, workplace_of
from modelyard.registry.optimizations import local

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from modelyard.core.optimization import Optimization
    from modelyard.optimization.engines.interface import Task
    from modelyard.registry.local import LocalYard

_TUNE = """
name: tuned
objective: [accuracy max]
budget: {trials: 10}
passes: [{tune: {C: {low: 0.001, high: 100.0, log: true}}}]
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "cells.csv"
    load_breast_cancer(as_frame=True).frame.to_csv(path, index=False)
    return path


@pytest.fixture
def yard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalYard]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with modelyard.create(tmp_path / "yard", author="ann") as made:
        yield made  # type: ignore[misc]


class Quick:
    """Runs nothing: trials are as good as their numbers."""

    name, at_once = "local", 1

    def __init__(self, before: Callable[[Task], None] = lambda _task: None) -> None:
        self._before = before

    def run(self, tasks: Sequence[Task], *_: object) -> Iterator[Result]:
        for task in tasks:
            self._before(task)
            values = {"accuracy": 0.5 + task.trial / 1e3}
            if task.kind == "proof":
                yield Result(trial=task.trial, state="failed", reason="nothing is proved here")
            else:
                before = {"accuracy": 0.5}
                yield Result(trial=task.trial, state="done", values=values, before=before)

    def cancel(self) -> None: ...

    def close(self) -> None: ...


def _commit(yard: LocalYard, model: str = "cells", first: object = None) -> None:
    found = load_breast_cancer(as_frame=True)
    machine: Any = LogisticRegression(C=1e-5, solver="liblinear")
    if first is not None:
        machine = make_pipeline(first, machine)
    yard.commit(model, machine.fit(found.data, found.target), example=found.data[:3])


def _interrupted(yard: LocalYard, data: Path, model: str = "cells", **how: object) -> Optimization:
    """One that has stopped after its first trial."""

    def interrupt(now: Optimization, _: object) -> None:
        if now.done >= 1:
            raise KeyboardInterrupt

    given: dict[str, Any] = {"recipe": _TUNE, "engine": Quick(), "progress": interrupt} | how
    with pytest.raises(KeyboardInterrupt):
        optimize(yard, model, data=data, target="target", **given)
    stopped = next(iter(yard.optimizations.list(model)))
    assert stopped.state == "stopped"
    return stopped


def _kept(yard: LocalYard, found: Optimization) -> int:
    """How many trials this machine remembers."""
    return len(list((workplace_of(yard.url, found).folder / "trials").glob("*.json")))


# -- trust -----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_whoever_goes_on_without_the_trust_it_began_with_loses_nothing(
    yard: LocalYard, data: Path
) -> None:
    _commit(yard, first=FunctionTransformer(operator.pos))
    recipe = _TUNE.replace("C:", "logisticregression__C:").replace("10}", "3}")
    names = ["_operator.pos"]
    stopped = _interrupted(yard, data, recipe=recipe, engine="local", trusted=names)
    with pytest.raises(Denied, match=r"_operator\.pos") as caught:
        optimize(yard, "cells", resume=stopped.id)
    assert caught.value.kind == "untrusted"
    assert caught.value.hint is not None
    assert "trusted=[" in caught.value.hint
    left = yard.optimizations.get(stopped.id)
    assert (left.state, left.done) == ("stopped", stopped.done)
    assert "failed" not in {trial.state for trial in yard.optimizations.trials(stopped.id)}
    assert _kept(yard, left) == stopped.done
    ended = optimize(yard, "cells", resume=stopped.id, trusted=names)
    assert ended.state == "done"
    assert {trial.state for trial in yard.optimizations.trials(ended.id)} == {"done"}


@pytest.mark.slow
def test_a_model_that_nobody_trusts_is_refused_and_not_tried_again_and_again(
    yard: LocalYard, data: Path
) -> None:
    _commit(yard, first=FunctionTransformer(operator.pos))
    recipe = _TUNE.replace("C:", "logisticregression__C:")
    with pytest.raises(Denied) as caught:
        optimize(yard, "cells", recipe=recipe, data=data, target="target")
    assert caught.value.kind == "untrusted"
    [refused] = yard.optimizations.list("cells")
    assert (refused.state, refused.done) == ("failed", 0)


# -- what is refused before its first trial --------------------------------------------------------


def test_with_an_engine_that_is_not_there_nothing_is_taken_up(yard: LocalYard, data: Path) -> None:
    _commit(yard)
    stopped = _interrupted(yard, data)
    with pytest.raises(Unsupported) as caught:
        optimize(yard, "cells", resume=stopped.id, engine="lokal")
    assert caught.value.kind == "no-engine"
    left = yard.optimizations.get(stopped.id)
    assert (left.state, left.claims) == ("stopped", stopped.claims)
    assert _kept(yard, left) == stopped.done == 1


def test_where_its_data_has_changed_its_trials_are_kept(yard: LocalYard, data: Path) -> None:
    _commit(yard)
    stopped = _interrupted(yard, data)
    text = data.read_text()
    data.write_text(text.rpartition("\n")[0].rpartition("\n")[0] + "\n")
    [copy] = (workplace_of(yard.url, stopped).folder / "data").iterdir()
    copy.unlink()  # as on another machine
    with pytest.raises(InvalidInput, match="is not what it was"):
        optimize(yard, "cells", resume=stopped.id)
    left = yard.optimizations.get(stopped.id)
    assert left.state == "stopped"
    assert "is not what it was" in left.reasons[0]
    assert _kept(yard, left) == 1
    data.write_text(text)
    ended = optimize(yard, "cells", resume=stopped.id, engine=Quick())
    assert (ended.state, ended.done) == ("done", 10)


# -- who has lost it to another one ----------------------------------------------------------------


@pytest.mark.parametrize("error", [InvalidInput("bad-data", "its folder is gone"), None])
def test_who_has_lost_it_to_another_worker_removes_nothing(
    yard: LocalYard, data: Path, error: InvalidInput | None
) -> None:
    _commit(yard)

    def taken_up(_: Task) -> None:
        [mine] = yard.optimizations.list("cells")
        if not mine.claims:
            yard.optimizations.keep(replace(mine, state="stopped"))
            place = workplace_of(yard.url, yard.optimizations.claim(mine.id))
            (place.folder / "trials" / "theirs").mkdir()
            if error is not None:
                raise error

    def run() -> Optimization:
        return optimize(
            yard, "cells", recipe=_TUNE, data=data, target="target",
            engine=Quick(taken_up),
        )  # fmt: skip

    if error is None:
        assert run().state == "cancelled"
    else:
        with pytest.raises(InvalidInput, match="its folder is gone"):
            run()
    [found] = yard.optimizations.list("cells")
    assert (found.state, found.claims) == ("running", 1)
    assert (workplace_of(yard.url, found).folder / "trials" / "theirs").is_dir()


def test_what_has_failed_leaves_nothing(yard: LocalYard, data: Path) -> None:
    _commit(yard)

    def fail(_: Task) -> None:
        raise InvalidInput("bad-data", "what a pity")

    with pytest.raises(InvalidInput, match="what a pity"):
        optimize(
            yard, "cells", recipe=_TUNE, data=data, target="target",
            engine=Quick(fail),
        )  # fmt: skip
    [found] = yard.optimizations.list("cells")
    assert found.state == "failed"
    assert not list(Path(os.environ["XDG_CACHE_HOME"]).glob("modelyard/optimizations/*"))


# -- replays ---------------------------------------------------------------------------------------


def test_two_replays_at_once_do_not_disturb_each_other(yard: LocalYard, data: Path) -> None:
    _commit(yard)
    kept = yard.optimizations
    recipe = replace(read_recipe(_TUNE), data=str(data), target="target")
    begun = kept.begin("cells", 1, recipe)
    chosen = Candidate(trial=0, version=2, chosen=True)
    kept.keep(replace(begun, state="done", candidates=(chosen,)), [Trial(number=0, state="done")])
    seen: list[str] = []

    def look(task: Task) -> None:
        seen.append(task.out)
        if len(seen) == 1:
            replay(yard, begun.id, engine=Quick(look))
        assert Path(task.out).is_dir()
        assert Path(task.source.folder).is_dir()

    replay(yard, begun.id, engine=Quick(look))
    assert len({*seen}) == 2
    assert not list(Path(os.environ["XDG_CACHE_HOME"]).glob("modelyard/optimizations/*"))


def test_what_a_killed_replay_has_left_is_removed_by_a_later_one(
    yard: LocalYard, data: Path
) -> None:
    _commit(yard)
    found = yard.optimizations.begin("cells", 1, read_recipe(_TUNE))
    mine = workplace_of(yard.url, found).folder
    with passing_workplace(yard.url, found) as place:
        left = place.folder.with_name(f"{place.folder.name}0")
        left.mkdir()
        for folder in (left, mine):
            os.utime(folder, (1.0, folder.stat().st_mtime - workplace._PASSED - 60))
        workplace_of(yard.url, found)
        assert place.folder.is_dir()
    assert not left.exists()
    assert not place.folder.exists()
    assert mine.is_dir()


# -- where it begins -------------------------------------------------------------------------------


def _tried(yard: LocalYard, found: Optimization) -> list[Mapping[str, object]]:
    return [trial.params for trial in yard.optimizations.trials(found.id)]


def test_it_goes_on_with_the_earlier_trials_that_it_began_with(
    yard: LocalYard, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever becomes of the others meanwhile."""
    told = {}
    for model in ("killed", "whole"):
        _commit(yard, model)
        kept = yard.optimizations
        for c in (3.0, 17.0):
            begun = replace(kept.begin(model, 1, read_recipe(_TUNE)), before={"accuracy": 0.5})
            good = Trial(number=0, state="done", params={"0.tune.C": c}, values={"accuracy": 0.9})
            kept.keep(replace(begun, state="stopped" if c == 3.0 else "running"), [good])
        if model == "whole":
            ended = optimize(
                yard, model, recipe=_TUNE, data=data, target="target",
                engine=Quick(),
            )  # fmt: skip
        else:
            stopped = _interrupted(yard, data, model)
            kept.cancel(min(each.id for each in kept.list(model)))
            with monkeypatch.context() as patched:
                patched.setattr(local, "PATIENCE", -1)  # the one that runs is taken for dead
                ended = optimize(
                    yard, model, resume=stopped.id, engine=Quick(),
                )  # fmt: skip
        told[model] = (ended.warm, _tried(yard, ended))
    assert told["killed"] == told["whole"]
    warm, tried = told["whole"]
    assert warm == 1
    assert 3.0 in [params["0.tune.C"] for params in tried[:BEGINNING]]
    assert 17.0 not in [params["0.tune.C"] for params in tried]


def test_all_that_it_begins_with_is_in_the_first_batch() -> None:
    """So that who goes on finds it among the trials."""
    assert BEGINNING >= 2 + _BEST


# -- no room ---------------------------------------------------------------------------------------


def test_where_the_disk_is_full_it_can_be_gone_on_with(
    yard: LocalYard, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _commit(yard)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Workplace, "keep", full)
        with pytest.raises(Unavailable, match="is full") as caught:
            optimize(
                yard, "cells", recipe=_TUNE, data=data, target="target",
                engine=Quick(),
            )  # fmt: skip
    [stopped] = yard.optimizations.list("cells")
    assert caught.value.kind == "disk-full"
    assert caught.value.hint == f"make room, then yard optimize --resume {stopped.id}"
    assert stopped.state == "stopped"
    ended = optimize(yard, "cells", resume=stopped.id, engine=Quick())
    assert ended.state == "done"
