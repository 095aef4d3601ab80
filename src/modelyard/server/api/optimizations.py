"""Optimizations: what was run, how far it is, what came of it; for engines elsewhere, keeping."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Annotated, Any, Literal

import msgspec
from fastapi import Body as InBody
from fastapi import Path, Query
from pydantic import Field
from starlette.responses import Response

from modelyard.core.decoding import decode_json
from modelyard.core.optimization import Optimization, Recipe, Suggestion, Trial
from modelyard.core.wire import problem_of
from modelyard.errors import Denied, InvalidInput, ModelyardError
from modelyard.registry.access import known_name
from modelyard.registry.optimizations.hiding import hidden_data
from modelyard.server.api.inputs import Body, ModelName, Name, Segment, revision_in
from modelyard.server.auth import again
from modelyard.server.optimizing import Wish, begin_optimizing, check_elsewhere, check_engine
from modelyard.server.routing import SIGNED_IN, Routes, on_model, on_yard
from modelyard.server.shared import Slot
from modelyard.server.sse import Event, event_stream
from modelyard.server.state import Ask

__all__ = ["Id", "routes"]

routes = Routes("optimizations")

_LARGEST = (1 << 53) - 1
_LARGEST_KEPT = 128 << 20
"""Bytes of what is kept at once: trials tell what they changed, layer by layer."""

Id = Annotated[int, Path(ge=1, le=_LARGEST, description="Id of the optimization.")]

_BEGINNING: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["recipe"],
                    "additionalProperties": False,
                    "properties": {
                        "recipe": {
                            "type": "object", "required": ["name", "steps", "goals"],
                            "description": "As an optimization has it.",
                        },
                        "revision": {"type": ["string", "integer", "null"]},
                        "engine": {"enum": ["local", "ray"]},
                        "alias": {"type": ["string", "null"], "maxLength": 200},
                    },
                },
                "example": {
                    "revision": 1,
                    "recipe": {
                        "name": "small", "steps": [{"name": "quantize"}],
                        "goals": [{"metric": "size", "direction": "min"}],
                    },
                },
            }
        },
    }
}  # fmt: skip
_KEEPING: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["optimization"],
                    "additionalProperties": False,
                    "properties": {
                        "optimization": {"type": "object"},
                        "trials": {"type": "array", "items": {"type": "object"}},
                    },
                },
            }
        },
    }
}


_STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "`trial` with each Trial that is new or has changed, `optimization` with the"
        " Optimization when it has; it ends with the optimization. `failed` with a Problem.",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}
_EVERY = 1.0
"""Seconds between two looks for a stream."""

Text = Annotated[str, Field(min_length=1, max_length=400)]


class Starting(Body):
    """What the server is to run by itself."""

    recipe: Annotated[str, Field(min_length=1, max_length=100_000)] = Field(
        "auto", description="Name of a recipe that is built in, or one as YAML.", examples=["small"]
    )
    data: Text | None = Field(
        None, description="`MODEL@REV` of a dataset; else the recipe's.", examples=["data/loans@3"]
    )
    target: Text | None = Field(None, description="The column to be predicted.")
    budget: Annotated[float, Field(gt=0, le=30 * 86_400)] | None = Field(
        None, description="Seconds at most."
    )
    trials: Annotated[int, Field(ge=1, le=10_000)] | None = None
    seed: Annotated[int, Field(ge=0, le=2**32 - 1)] | None = None
    alias: Name | None = Field(None, description="To point at the version that is chosen.")
    engine: Literal["local", "ray"] = "local"
    trusted: list[Text] = Field(
        default_factory=list, max_length=1000,
        description="Names that loading may import; `*` is everything.",
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class RecipeInfo:
    """A recipe that is built in."""

    name: str
    description: str
    yaml: str
    """Its text."""


class Beginning(msgspec.Struct, forbid_unknown_fields=True):
    """What somebody else begins to do."""

    recipe: Recipe
    revision: str | int | None = None
    engine: Literal["local", "ray"] = "local"
    alias: Annotated[str, msgspec.Meta(max_length=200)] | None = None


class Keeping(msgspec.Struct, forbid_unknown_fields=True):
    """How far somebody else is."""

    optimization: Optimization
    trials: tuple[Trial, ...] = ()


@routes.get("/optimizations", needs=on_yard("none"), answers=list[Optimization])
def list_optimizations(
    ask: Ask,
    *,
    model: Annotated[
        str | None, Query(max_length=200, description="Of this model.", examples=["own/net"])
    ] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    before: Annotated[
        int, Query(ge=0, le=_LARGEST, description="Only ids below this one.")
    ] = _LARGEST,
) -> list[Optimization]:
    """Recipes that were run on models that the caller may read, newest first."""
    if model is not None:
        model = known_name(ask.house, ask.caller, model, "reader")
    found = islice(ask.yard.optimizations.list(model, before=before), limit)
    return [hidden_data(ask.house, one) for one in found]


@routes.get("/optimizations/{optimization}", needs=on_yard("none"), answers=Optimization)
def show_optimization(ask: Ask, optimization: Id) -> Optimization:
    """How far it is, and what came of it. `recipe.data` is null for whom that dataset is hidden."""
    return hidden_data(ask.house, ask.yard.optimizations.get(optimization))


@routes.get("/optimizations/{optimization}/trials", needs=on_yard("none"), answers=list[Trial])
def list_trials(
    ask: Ask,
    optimization: Id,
    *,
    after: Annotated[
        int, Query(ge=-1, le=_LARGEST, description="Only numbers above this one.")
    ] = -1,
) -> list[Trial]:
    """Its trials, with what each pass did."""
    return list(ask.yard.optimizations.trials(optimization, after=after))


@routes.post(
    "/models/{model}/optimizations", needs=on_model("writer"), answers=Optimization, status=201,
    extra=_BEGINNING,
)  # fmt: skip
def begin_optimization(ask: Ask, model: ModelName) -> Optimization:
    """Note that the caller begins one, and runs it elsewhere: `yard optimize` with a server."""
    given = _read(ask, Beginning)
    _check(given.recipe)
    return ask.yard.optimizations.begin(
        model, given.revision, given.recipe, engine=given.engine, alias=given.alias
    )


@routes.post(
    "/optimizations/{optimization}/claim", needs=SIGNED_IN, answers=Optimization
)  # fmt: skip
def claim_optimization(ask: Ask, optimization: Id) -> Optimization:
    """Take one up that has stopped, to run it elsewhere. It takes the role writer.

    One that the server runs it takes up by itself (`optimization-served`). One of data that is
    hidden from the caller is not theirs to go on with.
    """
    found = ask.yard.optimizations.get(optimization)
    if hidden_data(ask.house, found).recipe.data != found.recipe.data:
        raise Denied(
            "not-allowed", f"the data of optimization {optimization} is hidden from you",
            hint="begin one with data of yours; an admin of the data gives roles: yard role give",
        )  # fmt: skip
    check_elsewhere(ask, optimization)
    return ask.yard.optimizations.claim(optimization)


@routes.put(
    "/optimizations/{optimization}", needs=SIGNED_IN, answers=bool, extra=_KEEPING,
    largest_body=_LARGEST_KEPT,
)  # fmt: skip
def keep_optimization(ask: Ask, optimization: Id) -> bool:
    """Keep how far it is, and trials that are new or have changed: a sign of life too.

    `false`, and nothing is kept, once it has ended or somebody else has taken it up. Who began it
    and when, on which version, with which data and target, engine and alias is not changed by this.
    """
    given = _read(ask, Keeping)
    kept, now = ask.yard.optimizations, given.optimization
    known = kept.get(optimization)
    check_elsewhere(ask, optimization)
    _check(now.recipe)
    return kept.keep(replace(now, id=known.id), given.trials)


@routes.post(
    "/optimizations/{optimization}/cancel", needs=SIGNED_IN, answers=Optimization
)  # fmt: skip
def cancel_optimization(ask: Ask, optimization: Id) -> Optimization:
    """Stop it as soon as can be; what was published stays. It takes the role writer."""
    return hidden_data(ask.house, ask.yard.optimizations.cancel(optimization))


@routes.get(
    "/optimizations/{optimization}/stream", needs=on_yard("none"), responses=_STREAM,
    seconds=math.inf,
)  # fmt: skip
def stream_optimization(ask: Ask, optimization: Id) -> Response:
    """How far it is, now and whenever that changes, as server-sent events, until it ends.

    An account may have 20 streams at once (`too-many-streams`).
    """
    ask.yard.optimizations.get(optimization)  # NotFound as an answer, before the stream begins
    slot = ask.server.shared.slot(ask.caller)
    return event_stream(ask.server, _changes(ask, optimization, slot))


# -- run by the server -----------------------------------------------------------------------------


@routes.post(
    "/models/{model}/versions/{revision}/optimize", needs=on_model("writer"),
    answers=Optimization, status=201,
)  # fmt: skip
def start_optimization(
    ask: Ask, model: ModelName, revision: Segment, body: Annotated[Starting, InBody()]
) -> Optimization:
    """Improve a version on the server, in the caller's name; the answer comes when it has begun.

    One at a time runs, others wait for their turn. It goes on after a restart of the server.
    """
    recipe = _recipe(body)
    check_engine(ask, body.engine)
    return begin_optimizing(ask, Wish(
        model=model, revision=ask.yard.resolve(model, revision_in(revision)).number,
        recipe=recipe, engine=body.engine, alias=body.alias, trusted=tuple(body.trusted),
    ))  # fmt: skip


@routes.get(
    "/models/{model}/versions/{revision}/suggestions", needs=on_model("reader"),
    answers=list[Suggestion],
)  # fmt: skip
def suggest_recipes(ask: Ask, model: ModelName, revision: Segment) -> list[Suggestion]:
    """Which recipes are likely to pay for a version, and why; the most likely first."""
    from modelyard.automation.suggesting import suggest

    return list(suggest(ask.yard, model, revision_in(revision)))


@routes.get("/recipes", needs=on_yard("none"), answers=list[RecipeInfo])
def list_recipes(ask: Ask) -> list[RecipeInfo]:
    """The recipes that are built in."""
    from modelyard.optimization.recipes.known import KNOWN, known_recipe
    from modelyard.optimization.recipes.reading import written

    found = [known_recipe(name) for name in KNOWN]
    return [RecipeInfo(each.name, each.description, written(each)) for each in found]


# -- how -------------------------------------------------------------------------------------------


def _check(recipe: Recipe) -> None:
    """Whether pages can show it, and commands write it. InvalidInput: `wrong-recipe`."""
    from modelyard.optimization.recipes.reading import check_recipe

    check_recipe(recipe)


def _recipe(body: Starting) -> Recipe:
    """What is asked for; a name is never one of a file here."""
    from modelyard.optimization.recipes.known import known_recipe
    from modelyard.optimization.recipes.reading import read_recipe

    text = body.recipe
    recipe = read_recipe(text) if "\n" in text else known_recipe(text)
    told: dict[str, Any] = {
        "data": body.data, "target": body.target, "seconds": body.budget, "trials": body.trials,
        "seed": body.seed,
    }  # fmt: skip
    return replace(recipe, **{key: value for key, value in told.items() if value is not None})


def _changes(ask: Ask, key: int, _slot: Slot) -> Iterator[list[Event]]:
    """What is new since the last look; the caller may lose the right to it."""
    known: dict[int, Trial] = {}
    before: Optimization | None = None
    due = 0.0
    while True:
        if time.monotonic() < due:
            yield []
            continue
        due = time.monotonic() + _EVERY
        try:
            asked = again(ask)
            kept = asked.yard.optimizations
            found = hidden_data(asked.house, kept.get(key))
            fresh: list[Trial] = []
            if found != before:
                fresh = [each for each in kept.trials(key) if known.get(each.number) != each]
        except ModelyardError as error:
            yield [Event("failed", problem_of(error))]
            return
        known.update({each.number: each for each in fresh})
        events = [Event("trial", each) for each in fresh]
        yield [*events, Event("optimization", found)] if found != before else events
        before = found
        if found.state in ("done", "failed", "cancelled"):
            return


def _read(ask: Ask, cls: Any) -> Any:
    """The body. InvalidInput: `bad-optimization`."""
    kind = ask.request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise InvalidInput("wrong-media-type", "the body is to be JSON")
    try:
        return decode_json(b"".join(ask.body()), cls)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise InvalidInput("bad-optimization", f"the body can't be read: {error}") from None
