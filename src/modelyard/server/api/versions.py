"""Versions: histories, details, and new ones made of old ones or of a form."""

from __future__ import annotations

import math
from typing import Annotated, Any

from fastapi import Body as InBody
from fastapi import Query
from pydantic import Field

from modelyard.core.diff import Diff
from modelyard.core.listed import Listed
from modelyard.core.names import ModelRevision
from modelyard.core.version import Committed, Mixed, VersionDetail, VersionInfo
from modelyard.registry.access import known_name
from modelyard.registry.pages import ancestors_page, versions_page
from modelyard.server.api.bodies import LARGEST
from modelyard.server.api.inputs import (
    After,
    Body,
    Limit,
    MaybeRevision,
    ModelName,
    Name,
    Rev,
    RevisionQuery,
    Segment,
    revision_in,
)
from modelyard.server.api.uploads import FORM, uploaded
from modelyard.server.jobs import Job
from modelyard.server.routing import Answer, Routes, on_model, on_yard
from modelyard.server.state import Ask

__all__ = ["LATER", "routes"]

routes = Routes("versions")

LATER: dict[int | str, dict[str, Any]] = {
    202: {"model": Job, "description": "It takes longer than `Prefer: wait=` says: a job."}
}
Text = Annotated[str, Field(max_length=100_000)]
Side = Annotated[str, Query(min_length=1, max_length=400, examples=["vision/resnet@3"])]


class Reverting(Body):
    """What is to be as it was."""

    revision: Rev
    branch: Name | None = None


class Merging(Body):
    """Which version comes into which branch."""

    source: Rev
    into: Name = Field(examples=["main"])
    message: Text = ""


class Mixing(Body):
    """Versions whose weights are mixed, and how."""

    sources: list[Rev] = Field(min_length=1, max_length=100, examples=[[3, 4]])
    method: Name = Field(examples=["average"])
    base: MaybeRevision = None
    weights: list[float] | None = Field(None, max_length=100)
    density: float | None = None
    scale: float | None = None
    seed: int | None = None
    into: Name | None = None
    message: Text = ""


@routes.get("/models/{model}/versions", needs=on_model("reader"), answers=Listed[VersionInfo])
def list_versions(
    ask: Ask,
    model: ModelName,
    *,
    revision: RevisionQuery = None,
    limit: Limit = 100,
    after: After = None,
) -> Listed[VersionInfo]:
    """All versions of a model, newest first; of a revision, itself and all it came from."""
    if revision is None:
        return versions_page(ask.house, model, limit=limit, after=after)
    return ancestors_page(ask.house, model, revision, limit=limit, after=after)


@routes.post(
    "/models/{model}/versions", needs=on_model("writer"), answers=Committed, status=201,
    largest_body=LARGEST, seconds=600, extra=FORM,
)  # fmt: skip
def upload_version(ask: Ask, model: ModelName) -> Committed:
    """Commit the files of a form as the next version.

    `curl -F files=@model.onnx -F message=first -F 'metrics={"accuracy": 0.9}' URL`. What the client
    sends travels whole; `yard commit` sends only what is new.
    """
    with uploaded(ask) as form:
        return ask.yard.commit(
            model, form.folder, message=form.message, branch=form.branch, parent=form.parent,
            kind=form.kind, metrics=form.metrics, params=form.params, labels=form.labels,
        )  # fmt: skip


@routes.get(
    "/models/{model}/versions/{revision}", needs=on_model("reader"), answers=VersionInfo
)  # fmt: skip
def resolve_version(ask: Ask, model: ModelName, revision: Segment) -> VersionInfo:
    """The version that a revision means; `-` is the tip of `main`, or else the latest."""
    return ask.yard.resolve(model, revision_in(revision))


@routes.get(
    "/models/{model}/versions/{revision}/detail", needs=on_model("reader"), answers=VersionDetail
)
def show_detail(ask: Ask, model: ModelName, revision: Segment) -> VersionDetail:
    """Everything about one version: files, tensors, parameters, card, findings, lineage."""
    return ask.yard.show(model, revision_in(revision))


@routes.delete(
    "/models/{model}/versions/{revision}", needs=on_model("maintainer"), answers=VersionInfo
)
def delete_version(
    ask: Ask, model: ModelName, revision: Segment, *, purge: bool = False
) -> VersionInfo:
    """Delete a version; its number stays taken. With `purge` it can't be restored."""
    return ask.yard.delete_version(model, revision_in(revision), purge=purge)


@routes.post("/models/{model}/revert", needs=on_model("writer"), answers=Committed, status=201)
def revert(ask: Ask, model: ModelName, body: Annotated[Reverting, InBody()]) -> Committed:
    """Make a new version on the branch with the content of an old one."""
    return ask.yard.revert(model, body.revision, branch=body.branch)


@routes.post("/models/{model}/merge", needs=on_model("writer"), answers=Committed, status=201)
def merge(ask: Ask, model: ModelName, body: Annotated[Merging, InBody()]) -> Committed:
    """Merge the files of a version into a branch; what both sides changed is a conflict."""
    return ask.yard.merge(model, body.source, into=body.into, message=body.message)


@routes.post(
    "/models/{model}/mix", needs=on_model("writer"), answers=Mixed, status=201, responses=LATER
)
def mix(ask: Ask, model: ModelName, body: Annotated[Mixing, InBody()]) -> Answer:
    """Mix the weights of several versions into a new one, which has them as parents."""
    yard = ask.yard

    def work(report: Any) -> Answer:
        done = yard.mix(
            model, body.sources, method=body.method, base=body.base, weights=body.weights,
            density=body.density, scale=body.scale, seed=body.seed, into=body.into,
            message=body.message, progress=report,
        )  # fmt: skip
        return Answer(done, 201)

    return ask.server.jobs.run(ask, "mix", [model], work)


@routes.get(
    "/diff", needs=on_yard("none"), answers=Diff, responses=LATER, seconds=math.inf
)  # fmt: skip
def diff(
    ask: Ask,
    *,
    a: Side,
    b: Side,
    limit: Annotated[int | None, Query(ge=1, le=100_000, description="Of tensors.")] = None,
) -> Answer:
    """What differs from version `a` to version `b`, each `MODEL@REV`. Tensors may take a while."""
    sides = [_readable(ask, side) for side in (a, b)]
    yard = ask.yard
    return ask.server.jobs.run(
        ask, "diff", sorted({side.partition("@")[0] for side in sides}),
        lambda report: yard.diff(sides[0], sides[1], limit=limit, progress=report),
    )  # fmt: skip


def _readable(ask: Ask, side: str) -> str:
    """`MODEL@REV` with the name that the model has now. NotFound: `no-model`."""
    parsed = ModelRevision.parse(side)
    name = known_name(ask.house, ask.caller, parsed.model.text, "reader")
    return name if parsed.revision is None else f"{name}@{parsed.revision}"
