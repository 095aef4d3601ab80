"""Trials in short: all that lists show, and nothing layer by layer."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING

import msgspec
from tests.web.shown_optimizations import trials

from modelyard.core.optimization import Goal, PassDone, Recipe, Step, Trial
from modelyard.registry import create
from modelyard.registry.optimizations.outlines import outline

if TYPE_CHECKING:
    from pathlib import Path


def _short(trial: Trial) -> Trial:
    return replace(trial, steps=tuple(replace(step, changed=()) for step in trial.steps))


def test_an_outline_is_a_trial_without_what_passes_changed() -> None:
    for trial in trials(24):
        assert outline(msgspec.json.encode(trial).decode()) == _short(trial)


def test_no_field_of_a_trial_is_forgotten() -> None:
    every = {"str": "x", "float": 1.5, "bool": False, "int": 7, "tuple[str, ...]": ("n",)}
    step = PassDone(**{
        one.name: every.get(str(one.type), {"a": 1.5})
        for one in fields(PassDone) if one.name != "changed"
    })  # fmt: skip
    told = {
        one.name: every.get(str(one.type), {"a": 1.5})
        for one in fields(Trial) if one.name not in ("steps", "state", "on_front")
    }  # fmt: skip
    trial = Trial(**told, steps=(step,), state="pruned", on_front=True)
    assert outline(msgspec.json.encode(trial).decode()) == trial


def test_a_yard_gives_outlines_and_single_trials(tmp_path: Path) -> None:
    (tmp_path / "w.txt").write_text("x")
    with create(tmp_path / "yard") as yard:
        yard.commit("m", tmp_path / "w.txt", message="first")
        recipe = Recipe(name="r", steps=(Step("tune"),), goals=(Goal("size", "min"),))
        made = yard.optimizations.begin("m", 1, recipe)
        every = trials(5)
        yard.optimizations.keep(made, every)
        assert yard.optimizations.outlines(made.id) == tuple(map(_short, every))
        assert yard.optimizations.trial(made.id, 3) == every[3]
        assert yard.optimizations.trial(made.id, 99) is None
