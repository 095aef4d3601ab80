"""For who serves: what is wished now, and telling how far one got."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from modelyard.catalog.queries import audit, deployments, models
from modelyard.errors import Conflict, ModelyardError
from modelyard.registry.deployments.changing import FORGOTTEN, Held, Wish, change
from modelyard.registry.deployments.values import deployment_of, encode_versions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import sqlalchemy as sa

    from modelyard.catalog.queries.deployments import ShareRow
    from modelyard.core.deployment import Deployment, DeploymentSpec, ServedVersion, Share
    from modelyard.registry.house import House

__all__ = ["Stamp", "beat", "fall_back", "leave", "poll"]

Stamp: TypeAlias = "tuple[ShareRow, ...]"
"""Of everything that is wished; equal as long as nothing changed."""


def poll(house: House, known: Stamp | None = None) -> tuple[Stamp, tuple[Deployment, ...] | None]:
    """What is wished now; None if that is what `known` says too, for which one statement is run.

    Deployments that follow a branch or an alias that moved are changed first (`follow`): of
    several servers one does it. They are given without servers, whoever may see them.
    """
    with house.catalog.fresh() as connection:
        stamp = deployments.wished(connection)
    if stamp == known:
        return stamp, None
    for name_key in dict.fromkeys(row.deployment_id for row in stamp if _has_moved(row)):
        _follow(house, name_key)
    with house.catalog.fresh() as connection:
        stamp = deployments.wished(connection)
        rows = deployments.living(connection)
    shares: dict[int, list[ShareRow]] = {}
    for share in stamp:
        shares.setdefault(share.deployment_id, []).append(share)
    # one that came or went between the two statements is seen at the next poll
    found = [row for row in rows if row.id in shares]
    return stamp, tuple(deployment_of(row, shares[row.id]) for row in found)


def beat(
    house: House, server: str, statuses: Mapping[str, tuple[int, Sequence[ServedVersion]]]
) -> None:
    """Say how far a server got; at least every 5 seconds, for after 15 it is forgotten.

    Args:
        server: The same name each time, of no other server.
        statuses: By deployment: the generation that its routes are of, and its versions.
    """

    def work(connection: sa.Connection) -> None:
        now = house.catalog.now(connection)
        ids = {row.name: row.id for row in deployments.living(connection)}
        rows = [
            {
                "deployment_id": ids[name], "server": server[:100], "generation": generation,
                "seen": now, "versions": encode_versions(versions),
            }
            for name, (generation, versions) in statuses.items()
            if name in ids
        ]  # fmt: skip
        deployments.forget(
            connection, before=now - FORGOTTEN, server=server[:100],
            besides=[int(str(row["deployment_id"])) for row in rows],
        )  # fmt: skip
        deployments.beat(connection, rows)

    house.catalog.write_soft(work)


def leave(house: House, server: str) -> None:
    """A server ends: it is forgotten at once."""
    house.catalog.write_soft(lambda connection: deployments.forget(connection, server=server[:100]))


def fall_back(
    house: House,
    name: str,
    *,
    generation: int,
    model: str,
    number: int,
    commit: str,
    reason: str,
) -> Deployment | None:
    """A version failed too often. A canary gets no more requests, and nothing goes on by itself.

    Of the stable version it is only noted: servers that have the one before use that.

    Args:
        generation: Where it happened; None is given back if somebody changed it since.
        model: Whose version failed. Versions of two models may have the same number.
    """

    def work(held: Held) -> Wish | None:
        spec = held.spec
        if spec is None:
            return None
        found = models.by_name(held.connection, model)
        failed = [
            share
            for share, row in zip(spec.shares, held.shares, strict=True)
            if found and row.model_id == found.id and share.commit == commit
        ]
        return Wish(
            "fallback", _without(spec, failed), {"number": number, "why": reason[:500]},
            who="modelyard", trusted=True, about=found.id if found else None,
        )  # fmt: skip

    try:
        return change(house, name, work, generation=generation)
    except Conflict as error:
        if error.kind != "deployment-changed":
            raise
        return None


def _without(spec: DeploymentSpec, gone: Sequence[Share]) -> DeploymentSpec:
    """Paused, and its canaries that are among these get nothing."""
    paused = replace(spec, paused=True)
    if paused.rollout is not None:
        paused = replace(paused, rollout=replace(paused.rollout, due=None))
    failed = [share for share in spec.canaries if share in gone]
    if not failed:
        return paused
    lost = sum(share.percent for share in failed)
    shares = tuple(
        replace(share, percent=share.percent + lost) if share is spec.stable
        else replace(share, percent=0.0) if share in failed
        else share
        for share in spec.shares
    )  # fmt: skip
    return replace(paused, shares=shares)


def _has_moved(row: ShareRow) -> bool:
    return not row.paused and row.now != row.number


def _follow(house: House, key: int) -> None:
    """Write down that a deployment serves what its aliases mean now."""
    with house.catalog.fresh() as connection:
        row = next((each for each in deployments.living(connection) if each.id == key), None)
    if row is None:
        return

    def work(held: Held) -> Wish | None:
        moved = [share for share in held.shares if _has_moved(share)]
        if held.spec is None or not moved:
            return None
        first = moved[0]
        moves = audit.moves_page(held.connection, first.model_id, first.ref, before=None, limit=1)
        told = {"ref": first.ref, "old": first.number, "new": first.now}
        who = moves[0][1].who if moves else None
        return Wish("follow", held.spec, told, who=who, trusted=True, about=first.model_id)

    try:
        change(house, row.name, work)
    except ModelyardError:  # it stays as it is until somebody looks after it
        return
