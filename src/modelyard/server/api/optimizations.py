"""Optimizations: what was run, how far it is, what came of it; for engines elsewhere, keeping."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import Annotated, Any

import msgspec
from fastapi import Path, Query

from modelyard.core.decoding import decode_json
from modelyard.core.optimization import Optimization, Recipe, Trial
from modelyard.errors import InvalidInput
from modelyard.registry.access import known_name
from modelyard.server.api.inputs import ModelName
from modelyard.server.routing import SIGNED_IN, Routes, on_model, on_yard
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
                        "engine": {"type": "string", "maxLength": 40},
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


class Beginning(msgspec.Struct, forbid_unknown_fields=True):
    """What somebody else begins to do."""

    recipe: Recipe
    revision: str | int | None = None
    engine: Annotated[str, msgspec.Meta(max_length=40)] = "local"
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
    return list(islice(ask.yard.optimizations.list(model, before=before), limit))


@routes.get("/optimizations/{optimization}", needs=on_yard("none"), answers=Optimization)
def show_optimization(ask: Ask, optimization: Id) -> Optimization:
    """How far it is, and what came of it."""
    return ask.yard.optimizations.get(optimization)


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
    return ask.yard.optimizations.begin(
        model, given.revision, given.recipe, engine=given.engine, alias=given.alias
    )


@routes.post(
    "/optimizations/{optimization}/claim", needs=SIGNED_IN, answers=Optimization
)  # fmt: skip
def claim_optimization(ask: Ask, optimization: Id) -> Optimization:
    """Take one up that has stopped, to run it elsewhere. It takes the role writer."""
    return ask.yard.optimizations.claim(optimization)


@routes.put(
    "/optimizations/{optimization}", needs=SIGNED_IN, answers=bool, extra=_KEEPING,
    largest_body=_LARGEST_KEPT,
)  # fmt: skip
def keep_optimization(ask: Ask, optimization: Id) -> bool:
    """Keep how far it is, and trials that are new or have changed: a sign of life too.

    `false` once somebody has cancelled it: then only the trials are kept. Who began it, when, and
    with which recipe on which version is not changed by this.
    """
    given = _read(ask, Keeping)
    kept, now = ask.yard.optimizations, given.optimization
    known = kept.get(optimization)
    told = replace(
        now, id=known.id, model=known.model, number=known.number, who=known.who,
        created=known.created,
    )  # fmt: skip
    return kept.keep(told, given.trials)


@routes.post(
    "/optimizations/{optimization}/cancel", needs=SIGNED_IN, answers=Optimization
)  # fmt: skip
def cancel_optimization(ask: Ask, optimization: Id) -> Optimization:
    """Stop it as soon as can be; what was published stays. It takes the role writer."""
    return ask.yard.optimizations.cancel(optimization)


def _read(ask: Ask, cls: Any) -> Any:
    """The body. InvalidInput: `bad-optimization`."""
    kind = ask.request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise InvalidInput("wrong-media-type", "the body is to be JSON")
    try:
        return decode_json(b"".join(ask.body()), cls)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise InvalidInput("bad-optimization", f"the body can't be read: {error}") from None
