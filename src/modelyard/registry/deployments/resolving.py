"""Which version each share of a wish means.

What is paused keeps its versions until it is resumed, whoever wishes something else meanwhile. And
a name that is gone means the version that it meant last.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from modelyard.catalog.queries import deployments, refs
from modelyard.core.names import MAIN, ByName, Latest, parse_revision
from modelyard.errors import NotFound
from modelyard.registry.lookup import find_model, find_version

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import sqlalchemy as sa

    from modelyard.catalog.queries.deployments import ShareRow
    from modelyard.catalog.queries.models import ModelRow
    from modelyard.catalog.queries.versions import VersionRow
    from modelyard.core.deployment import Action, DeploymentSpec, Share

__all__ = ["Key", "Known", "key_of", "known", "resolved"]

Key = tuple[int, str, bool]
"""Id of the model, revision, and whether it is a shadow."""


class Known(NamedTuple):
    """What a share of a deployment means as it is now."""

    number: int
    is_held: bool
    """Whether the deployment is paused: the number stays, wherever its name went."""


def known(spec: DeploymentSpec | None, rows: Sequence[ShareRow]) -> dict[Key, Known]:
    """What a deployment's shares mean now; of one that is new, nothing."""
    if spec is None:
        return {}
    return {
        (row.model_id, share.revision, share.shadow): Known(
            row.number if row.paused else row.now, row.paused
        )
        for share, row in zip(spec.shares, rows, strict=True)
    }


def key_of(connection: sa.Connection, share: Share) -> Key:
    """NotFound: `no-model`."""
    model = find_model(connection, share.model)
    return model.id, _revision(connection, model, share), share.shadow


def resolved(
    connection: sa.Connection, action: Action, spec: DeploymentSpec, before: Mapping[Key, Known]
) -> tuple[DeploymentSpec, list[tuple[int, str, int]]]:
    """With the versions that are meant now; one that is paused keeps those that it has.

    Only `resume` lets go of what a pause held. Any other wish that would end the pause takes the
    version itself for a name that moved, if it needs to go on (`rollout`), or stays paused.
    """
    found = [_found(connection, action, spec, share, before) for share in spec.shares]
    if any(each.has_moved for each in found) and action != "rollout":
        rollout = spec.rollout and replace(spec.rollout, due=None)
        spec = replace(spec, rollout=rollout, paused=True)
    elif action == "rollout":
        found = [_pinned(each) if each.has_moved else each for each in found]
    shares = [
        replace(
            share, model=each.model.name, revision=each.revision, number=each.version.number,
            commit=each.version.commit_id.hex(),
        )
        for share, each in zip(spec.shares, found, strict=True)
    ]  # fmt: skip
    rows = [(each.model.id, _follows(each.revision), each.version.number) for each in found]
    return replace(spec, shares=tuple(shares)), rows


class _Found(NamedTuple):
    model: ModelRow
    revision: str
    version: VersionRow
    has_moved: bool
    """Whether it was held, would be followed again, and means another version now."""


def _found(
    connection: sa.Connection,
    action: Action,
    spec: DeploymentSpec,
    share: Share,
    before: Mapping[Key, Known],
) -> _Found:
    model = find_model(connection, share.model)
    text = _revision(connection, model, share)
    had = before.get((model.id, text, share.shadow))
    # a rollback says itself which versions it means, and pauses what would leave them
    held = had.number if had and had.is_held and action not in ("resume", "rollback") else None
    if spec.paused:
        number = share.number if share.number is not None else held
        version = find_version(connection, model, text if number is None else number)
        return _Found(model, text, version, has_moved=False)
    try:
        there = find_version(connection, model, text)
    except NotFound:
        last = had.number if had else share.number if action == "rollback" else None
        if last is None or not _follows(text):
            raise
        there = find_version(connection, model, last)
    if held is None or held == there.number:
        return _Found(model, text, there, has_moved=False)
    return _Found(model, text, find_version(connection, model, held), has_moved=True)


def _pinned(found: _Found) -> _Found:
    return found._replace(revision=str(found.version.number))


def _follows(revision: str) -> str:
    """The ref that is followed; empty if none is."""
    parsed = parse_revision(revision)
    if isinstance(parsed, ByName):
        return parsed.name.text
    return deployments.LATEST if isinstance(parsed, Latest) else ""


def _revision(connection: sa.Connection, model: ModelRow, share: Share) -> str:
    """As it was said, or what is followed where none was."""
    if share.revision:
        return share.revision
    return MAIN if refs.get(connection, model.id, MAIN) else deployments.LATEST
