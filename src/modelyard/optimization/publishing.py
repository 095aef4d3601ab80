"""Candidates that were proved become versions, with their lineage, recipe and evaluations."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from modelyard.core.evaluation import HOLDOUT
from modelyard.core.lineage import LineageEdge
from modelyard.core.manifest import Manifest
from modelyard.core.names import ModelName
from modelyard.core.optimization import Goal, Recipe, Step
from modelyard.errors import NotFound
from modelyard.optimization.evaluating import keep_written
from modelyard.optimization.goals import gain, is_cost
from modelyard.optimization.passes import pass_named
from modelyard.optimization.recipes import written
from modelyard.registry.commit import Request
from modelyard.registry.data import DataName
from modelyard.registry.files import digest_of
from modelyard.registry.saving import is_card

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from modelyard.core.optimization import Candidate, Optimization, Trial
    from modelyard.optimization.engines.interface import Place
    from modelyard.registry.desk import Desk

__all__ = ["RECIPE", "Finished", "fixed_recipe", "keep_findings", "publish", "worth"]

RECIPE = "recipe.yaml"
"""What a version was made by, in its files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A candidate with what publishing it needs."""

    candidate: Candidate
    """With `digest` of what is published, which may have learned from more rows than its trial."""
    trial: Trial
    place: Place
    described: Mapping[str, Any]
    proof: Path
    """The folder in which its worker wrote evaluations."""


class Published(NamedTuple):
    """A version that was published."""

    number: int
    size: int
    """Bytes of its files."""


def worth(goals: Sequence[Goal], candidate: Candidate) -> float:
    """How much better it was proved to be, all goals added up: see `goals.gain`.

    What may be chance counts less, the more it may be.
    """
    total = 0.0
    for goal, verdict in zip(goals, candidate.verdicts, strict=False):
        if verdict.before is None or verdict.after is None:
            continue
        if is_cost(goal.metric) and verdict.difference:
            total += gain(goal, verdict.difference, 1.0)
        else:
            total += gain(goal, verdict.after, verdict.before) * (1 - (verdict.p or 0.0))
    return total


def publish(
    desk: Desk,
    optimization: Optimization,
    finished: Finished,
    data: DataName | None,
    *,
    proved: bool,
) -> Published:
    """Commit a candidate as a child of the version that was improved, on a branch of its own.

    Args:
        proved: Whether these very files were proved: then what was measured becomes metrics of the
            version, and its evaluation. Else only the report tells of it.
    """
    trial, place = finished.trial, finished.place
    folder = finished.proof / f"version-{trial.number}"
    shutil.copytree(place.folder, folder, dirs_exist_ok=True)
    title = optimization.title
    data = _without_folders(data)
    # files go where the version goes: who reads it may not know of a dataset
    told = None if data is None or data.is_committed else data.name
    recipe = replace(fixed_recipe(optimization, trial), data=told)
    (folder / RECIPE).write_text(written(recipe), "utf-8")
    kept = [step for step in trial.steps if step.kept]
    kinds = dict.fromkeys(pass_named(step.name).LINEAGE for step in kept)
    edges = [LineageEdge(kind, title).encode() for kind in kinds]
    learned = any(pass_named(step.name).LINEAGE != "quantized-from" for step in kept)
    if data is not None and data.is_committed and learned:
        edges.append(LineageEdge("trained-on", data.name).encode())
    said = finished.described
    manifest = Manifest(
        params=said.get("params", {}), metrics=_metrics(finished.candidate) if proved else {},
        signature=place.signature, framework=str(place.saved["framework"]),
        saved={**place.saved, **({"structure": said["structure"]} if "structure" in said else {}),
               "files": _files(folder)},
        example=place.example, environment=said.get("environment"),
        data={"train": str(data)} if data is not None and learned else None,
        lineage=tuple(edges),
    )  # fmt: skip
    branch = f"optimize-{optimization.id}-{trial.number}"
    there = _published_before(desk, optimization.model, branch, folder)
    if there is not None:
        return there
    request = Request(
        model=ModelName.parse(optimization.model), source=folder, manifest=manifest,
        author=desk.author, message=_message(optimization, kept), parent=optimization.number,
        branch=branch, keep=is_card,
    )  # fmt: skip
    done = desk.commit(request, lambda _: None)
    return Published(done.number, done.size)


def _published_before(desk: Desk, model: str, branch: str, folder: Path) -> Published | None:
    """The version that a process before this one has made of the same files, and could not note."""
    try:
        found = desk.contents(model, branch)
    except NotFound:
        return None
    for name in _files(folder):
        entry = found.tree.get(name)
        if entry is None or entry.digest.hex != digest_of(folder / name).hex:
            return None
    return Published(found.version.number, found.version.size)


def fixed_recipe(optimization: Optimization, trial: Trial) -> Recipe:
    """The recipe of one trial alone: nothing is left open, so it makes the same again."""
    recipe = optimization.recipe
    steps = [
        # a list is what trials choose from, so one that is a value stands in a list of its own
        Step(
            each.name, {k: [v] if isinstance(v, list | dict) else v for k, v in each.params.items()}
        )
        for each in trial.steps
    ]
    return replace(recipe, steps=tuple(steps), trials=1, seconds=None, nested=0, publish=1)


def _metrics(candidate: Candidate) -> dict[str, float]:
    """What was proved and is the same each time: no latency."""
    return {m.name: m.value for m in candidate.after if not is_cost(m.name)}


def _files(folder: Path) -> list[str]:
    found = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(name for name in found if name != RECIPE)


def _without_folders(data: DataName | None) -> DataName | None:
    """Folders of a machine are nobody's business."""
    if data is None or data.is_committed:
        return data
    return replace(data, name=Path(data.name).name)


def _message(optimization: Optimization, kept: Sequence[Any]) -> str:
    names = ", ".join(dict.fromkeys(step.name for step in kept))
    return f"{optimization.recipe.name}: {names}"[:200]


def keep_findings(
    desk: Desk,
    optimization: Optimization,
    finished: Finished,
    done: Published,
    data: DataName | None,
    *,
    proved: bool,
) -> None:
    """Keep with a version how it was made, and with `proved` its evaluation."""
    model, data = optimization.model, _without_folders(data)
    name = data.name if data is not None else "made-up rows"
    if proved:
        keep_written(
            desk, finished.proof / f"trial-{finished.trial.number}", model=model,
            number=done.number, size=done.size, data=f"{name}{HOLDOUT}",
        )  # fmt: skip
    content = {
        "optimization": optimization.id, "from": optimization.title,
        # the data is named beside it, by its digest: who reads a version may not know of its data
        "recipe": written(replace(fixed_recipe(optimization, finished.trial), data=None)),
        "candidate": msgspec.to_builtins(replace(finished.candidate, version=done.number)),
        "steps": msgspec.to_builtins(finished.trial.steps),
        "environment": dict(optimization.environment),
        "importance": finished.described.get("importance"),
    }  # fmt: skip
    desk.keep_report(
        model, done.number, "optimization", content,
        data=data or DataName("", ""),
    )  # fmt: skip
