"""Branches, tags and aliases: where they point, and every move they made."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Body as InBody
from fastapi import Header, Query
from pydantic import Field

from modelyard.core.listed import Listed
from modelyard.core.version import RefInfo, RefMove
from modelyard.errors import Conflict, InvalidInput, NotFound
from modelyard.registry import refs
from modelyard.registry.pages import read_token, token
from modelyard.registry.refs import ANYWHERE, SOMEWHERE, Expected
from modelyard.server.api.inputs import After, Body, Limit, MaybeRevision, ModelName, RefSegment
from modelyard.server.routing import Answer, Routes, on_model
from modelyard.server.state import Ask

__all__ = ["routes"]

routes = Routes("refs")

IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match", max_length=100, examples=['"12"'],
        description="Go on only if the ref is where its ETag says, or (`*`) is there at all.",
    ),
]  # fmt: skip
IfNoneMatch = Annotated[
    str | None,
    Header(
        alias="If-None-Match", max_length=100, examples=["*"],
        description="`*`: go on only if there is no such ref.",
    ),
]  # fmt: skip


class Pointing(Body):
    """What a ref is, and where it is to point."""

    kind: Literal["branch", "tag", "alias"] = Field("alias", examples=["alias"])
    revision: MaybeRevision = None


class RollingBack(Body):
    """Where to go back to."""

    to: MaybeRevision = None


@routes.get("/models/{model}/refs", needs=on_model("reader"), answers=Listed[RefInfo])
def list_refs(ask: Ask, model: ModelName) -> Listed[RefInfo]:
    """All branches, tags and aliases of a model, by name."""
    return Listed(ask.yard.refs(model))


@routes.get("/models/{model}/refs/{ref}", needs=on_model("reader"), answers=RefInfo)
def show_ref(ask: Ask, model: ModelName, ref: RefSegment) -> Answer:
    """Where a ref points; its ETag can be given as `If-Match` to move it."""
    return _answer(refs.one(ask.house, model, ref))


@routes.put(
    "/models/{model}/refs/{ref}", needs=on_model("writer"), answers=RefInfo,
    responses={201: {"model": RefInfo, "description": "It is new."}},
)  # fmt: skip
def put_ref(
    ask: Ask,
    model: ModelName,
    ref: RefSegment,
    body: Annotated[Pointing, InBody()],
    *,
    if_match: IfMatch = None,
    if_none_match: IfNoneMatch = None,
) -> Answer:
    """Point an alias at a version, or make a branch or a tag.

    An alias that is there moves; a branch or a tag that is there is a conflict, as branches move by
    commits and tags never do.
    """
    expected = _expected(if_match, if_none_match)
    before = _there(ask, model, ref)
    if body.kind == "alias":
        info = refs.move_alias(ask.house, model, ref, body.revision, expected=expected)
    else:
        _check_new(before, ref, expected)
        info = refs.create(ask.house, model, ref, body.kind, body.revision)
    return _answer(info, 200 if before else 201)


@routes.delete("/models/{model}/refs/{ref}", needs=on_model("writer"), answers=RefInfo)
def delete_ref(ask: Ask, model: ModelName, ref: RefSegment, *, if_match: IfMatch = None) -> RefInfo:
    """Delete a branch, tag or alias; versions stay."""
    return refs.delete(ask.house, model, ref, expected=_expected(if_match, None))


@routes.post("/models/{model}/refs/{ref}/rollback", needs=on_model("writer"), answers=RefInfo)
def roll_back(
    ask: Ask,
    model: ModelName,
    ref: RefSegment,
    body: Annotated[RollingBack, InBody()],
    *,
    if_match: IfMatch = None,
) -> Answer:
    """Point an alias back to where it pointed before, or to `to`."""
    expected = _expected(if_match, None)
    return _answer(refs.rollback(ask.house, model, ref, body.to, expected=expected))


@routes.get("/models/{model}/reflog", needs=on_model("reader"), answers=Listed[RefMove])
def list_moves(
    ask: Ask,
    model: ModelName,
    *,
    ref: Annotated[str | None, Query(min_length=1, max_length=200, examples=["main"])] = None,
    limit: Limit = 100,
    after: After = None,
) -> Listed[RefMove]:
    """Every move of one ref, or of all, newest first."""
    before = None if after is None else read_token(after, int)
    moves, following = refs.reflog_page(ask.house, model, ref, before=before, limit=limit)
    return Listed(tuple(moves), None if following is None else token(following))


def _answer(info: RefInfo, status: int = 200) -> Answer:
    return Answer(info, status, {"etag": f'"{info.number}"'})


def _there(ask: Ask, model: str, ref: str) -> RefInfo | None:
    try:
        return refs.one(ask.house, model, ref)
    except NotFound as error:
        if error.kind != "no-ref":
            raise
        return None


def _check_new(before: RefInfo | None, ref: str, expected: Expected) -> None:
    """A branch or a tag is made, never moved: what was expected of it is seen before."""
    number = None if before is None else before.number
    if expected is ANYWHERE or expected == number or (expected is SOMEWHERE and before):
        return
    raise Conflict("stale", f"{ref} is not where it was expected", hint="look, then try again")


def _expected(if_match: str | None, if_none_match: str | None) -> Expected:
    """InvalidInput: `bad-etag`."""
    if if_none_match is not None:
        if if_none_match.strip() != "*" or if_match is not None:
            raise InvalidInput("bad-etag", "If-None-Match is '*' here, and without If-Match")
        return None
    if if_match is None:
        return ANYWHERE
    text = if_match.strip()
    if text == "*":
        return SOMEWHERE
    number = text.removeprefix('"').removesuffix('"')
    if not (text == f'"{number}"' and number.isascii() and number.isdigit() and len(number) < 16):
        raise InvalidInput("bad-etag", f"{text[:40]!r} is no ETag of a ref", hint='"12", or *')
    return int(number)
