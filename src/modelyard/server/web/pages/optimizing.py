"""The form that improves a version: by which recipe, on which data, for how long."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final

from fastapi import Query
from starlette.responses import Response

from modelyard.core.evaluation import HOLDOUT
from modelyard.core.names import ModelRevision, RefName
from modelyard.core.optimization import Goal, Recipe, Suggestion
from modelyard.core.version import VersionDetail, VersionInfo
from modelyard.errors import InvalidInput, ModelyardError, NotFound, Unsupported
from modelyard.optimization.recipes.known import KNOWN, known_recipe
from modelyard.optimization.recipes.reading import read_recipe
from modelyard.registry.access import known_name
from modelyard.server.datasets import check_dataset
from modelyard.server.optimizing import Wish, begin_optimizing, check_engine
from modelyard.server.routing import SIGNED_IN, on_model
from modelyard.server.state import Ask
from modelyard.server.web.acts import Acts, Done, Form
from modelyard.server.web.here import language_of
from modelyard.server.web.places import page_at
from modelyard.server.web.rendering import html
from modelyard.server.web.twins import Pages
from modelyard.server.web.wishes import number, seconds, words_of

__all__ = ["acts", "pages"]

pages = Pages("optimizing")
acts = Acts("optimizing")

_DATASETS, _SUGGESTED = 50, 3
_MOST_SECONDS: Final = 30 * 86_400
_MOST_TRIALS: Final = 10_000

Text = Annotated[str, Query(max_length=400)]


@dataclass(frozen=True, slots=True)
class RecipeLine:
    """A recipe that can be chosen by its name."""

    name: str
    description: str
    goals: tuple[Goal, ...]


@dataclass(frozen=True, slots=True)
class Wished:
    """What the form is filled with."""

    recipe: str = "auto"
    """Name of one that is built in."""
    text: str = ""
    """One as YAML, which is taken in its place."""
    data: str = ""
    target: str = ""
    budget: str = "10m"
    trials: str = ""
    seed: str = ""
    alias: str = "candidate"
    engine: str = "local"
    trusted: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimizePage:
    """The form for one version."""

    version: VersionInfo
    wished: Wished
    recipes: tuple[RecipeLine, ...]
    suggestions: tuple[Suggestion, ...]
    """What is likely to pay, the most likely first."""
    datasets: tuple[str, ...]
    """Committed ones, `MODEL@NUMBER`: the newest first."""
    has_ray: bool
    """Whether this server has a Ray cluster."""
    problem: str
    """Why it could not begin; empty if nothing was tried."""


@pages.page("/optimize", "optimize.html", needs=SIGNED_IN)
def show_optimize(
    ask: Ask, *, version: Text, recipe: Text = "", data: Text = "", target: Text = ""
) -> OptimizePage:
    """The form, filled with what is known of the version."""
    named = ModelRevision.parse(version)
    model = known_name(ask.house, ask.caller, named.model.text, "writer")
    detail = ask.yard.show(model, str(named.revision) if named.revision else None)
    known_data, known_target = _data_of(ask, detail)
    wished = Wished(
        recipe=recipe if recipe in KNOWN else "auto", data=data or known_data,
        target=target or known_target,
    )  # fmt: skip
    return _page(ask, detail.version, wished, "")


@acts.act("/optimize/{model:path}", needs=on_model("writer"))
def optimize(ask: Ask, form: Form, model: str) -> Done | Response:
    """Begin it on the server; what is wrong with the form is told beside it."""
    version = ask.yard.resolve(model, form.one("revision") or None)
    wished = Wished(**{name: form.text(name).strip() for name in Wished.__dataclass_fields__})
    try:
        begun = begin_optimizing(ask, _wish(ask, version, wished))
    except (InvalidInput, NotFound, Unsupported) as error:
        hint = f" ({error.hint})" if error.hint else ""
        page = _page(ask, version, wished, f"{error}{hint}")
        at = page_at(f"/versions/{version.model}@{version.number}")
        return html(ask, "optimize.html", page, status=422, at=at)
    text = language_of(ask.request).say(
        "The optimization of %(name)s has begun. It goes on when you leave this page.",
        name=begun.title,
    )
    return Done(f"/optimizations/{begun.id}", text)


def _wish(ask: Ask, version: VersionInfo, wished: Wished) -> Wish:
    """InvalidInput, NotFound: a field that can't be taken."""
    if not wished.text and not wished.recipe:
        raise InvalidInput("bad-choice", "say which recipe", hint=", ".join(KNOWN))
    recipe = read_recipe(wished.text) if wished.text else known_recipe(wished.recipe)
    told: dict[str, Any] = {"data": wished.data or None, "target": wished.target or None}
    if wished.budget:
        told["seconds"] = _between(seconds(wished.budget), 1, _MOST_SECONDS)
    if wished.trials:
        told["trials"] = int(_between(number(wished.trials), 1, _MOST_TRIALS))
    if wished.seed:
        told["seed"] = int(_between(number(wished.seed), 0, 2**32 - 1))
    recipe = replace(recipe, **{key: value for key, value in told.items() if value is not None})
    if recipe.data is not None:
        check_dataset(ask, recipe.data)
    engine = wished.engine or "local"
    if engine not in ("local", "ray"):
        raise InvalidInput("bad-choice", "there is local, ray to choose from")
    check_engine(ask, engine)
    return Wish(
        model=version.model, revision=version.number, recipe=recipe, engine=engine,
        alias=RefName.parse(wished.alias).text if wished.alias else None,
        trusted=words_of(wished.trusted),
    )  # fmt: skip


def _between(value: float, least: float, most: float) -> float:
    if not least <= value <= most:
        raise InvalidInput("bad-number", f"{value:g} is not from {least:g} to {most:g}")
    return value


def _page(ask: Ask, version: VersionInfo, wished: Wished, problem: str) -> OptimizePage:
    datasets = ask.yard.search("kind:dataset", limit=_DATASETS)
    return OptimizePage(
        version=version, wished=wished, recipes=tuple(map(_line, KNOWN)),
        suggestions=_suggested(ask, version), datasets=tuple(v.title for v in datasets.items),
        has_ray=ask.server.settings.has_cluster, problem=problem,
    )  # fmt: skip


def _suggested(ask: Ask, version: VersionInfo) -> tuple[Suggestion, ...]:
    """A form without suggestions is better than none."""
    from modelyard.automation.suggesting import suggest

    try:
        found = suggest(ask.yard, version.model, version.number)
    except ModelyardError:
        return ()
    return tuple(found)[:_SUGGESTED]


def _line(name: str) -> RecipeLine:
    recipe: Recipe = known_recipe(name)
    return RecipeLine(name, recipe.description, recipe.goals)


def _data_of(ask: Ask, detail: VersionDetail) -> tuple[str, str]:
    """A dataset that it was measured or trained on, and the column that was its target."""
    for one in ask.yard.evaluations(detail.version.model, detail.version.number):
        name = (one.data or "").removesuffix(HOLDOUT)
        if name and _is_dataset(ask, name):
            return name, one.target or ""
    for role in ("test", "train"):
        name = detail.data.get(role, "").partition(" sha256:")[0]
        if name and _is_dataset(ask, name):
            return name, ""
    return "", ""


def _is_dataset(ask: Ask, name: str) -> bool:
    if not re.fullmatch(r"[^\s@]+@\d+", name):
        return False
    try:
        check_dataset(ask, name)
    except ModelyardError:
        return False
    return True
