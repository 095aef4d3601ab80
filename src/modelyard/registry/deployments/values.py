"""From rows of deployments to the values that people see, and back."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import msgspec

from modelyard.catalog.queries import models
from modelyard.core.decoding import decode_json
from modelyard.core.deployment import (
    Deployment,
    DeploymentChange,
    DeploymentSpec,
    ServedVersion,
    ServerStatus,
    Share,
)
from modelyard.registry.lookup import moment

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import sqlalchemy as sa

    from modelyard.catalog.queries.deployments import (
        ChangeRow,
        DeploymentRow,
        ServerRow,
        ShareRow,
    )
    from modelyard.core.deployment import Action

__all__ = [
    "change_of", "deployment_of", "encode_spec", "encode_versions", "live", "micros", "named_now",
    "spec_of", "told",
]  # fmt: skip


def encode_spec(spec: DeploymentSpec, models: Sequence[int]) -> str:
    """What is wished as JSON; models by their ids too, since they may be renamed."""
    plain = msgspec.to_builtins(spec)
    for share, model in zip(plain["shares"], models, strict=True):
        share["model_id"] = model
    return json.dumps(plain, ensure_ascii=False, sort_keys=True)


def spec_of(text: str) -> DeploymentSpec:
    """As it was written down, models by the names that they had."""
    return decode_json(text, DeploymentSpec)


def models_in(text: str) -> list[int]:
    """Ids of the models of a spec's shares, in their order."""
    return [int(share["model_id"]) for share in json.loads(text)["shares"]]


def live(spec: DeploymentSpec, rows: Sequence[ShareRow]) -> DeploymentSpec:
    """What is wished, with models as they are called now, and the versions that are meant now."""
    shares = (_share(share, row) for share, row in zip(spec.shares, rows, strict=True))
    return replace(spec, shares=tuple(shares))


def _share(share: Share, row: ShareRow) -> Share:
    number = row.number if row.paused else row.now
    commit = row.served_commit if row.paused else row.commit_id
    return replace(share, model=row.model, number=number, commit=commit.hex() if commit else None)


def deployment_of(
    row: DeploymentRow, shares: Sequence[ShareRow], servers: Iterable[ServerRow] = ()
) -> Deployment:
    """A deployment; of one that is gone, as it was."""
    spec = spec_of(row.spec)
    return Deployment(
        spec=live(spec, shares) if shares else spec,
        generation=row.generation,
        created=moment(row.created),
        updated=moment(row.updated),
        who=row.who,
        servers=tuple(_server(each) for each in servers),
    )


def _server(row: ServerRow) -> ServerStatus:
    versions = decode_json(row.versions, tuple[ServedVersion, ...])
    return ServerStatus(
        server=row.server, generation=row.generation, seen=moment(row.seen), versions=versions
    )


def encode_versions(versions: Iterable[ServedVersion]) -> str:
    return msgspec.json.encode(list(versions)).decode()


def change_of(connection: sa.Connection, row: ChangeRow) -> DeploymentChange:
    """With models by the names that they have now."""
    detail: dict[str, Any] = json.loads(row.detail)
    return DeploymentChange(
        generation=row.generation, time=moment(row.time), who=row.who,
        action=cast("Action", row.action), spec=named_now(connection, row.spec), detail=detail,
    )  # fmt: skip


def named_now(connection: sa.Connection, text: str) -> DeploymentSpec:
    """What was wished, with models by the names that they have now."""
    spec, ids = spec_of(text), models_in(text)
    names = models.names_of(connection, ids)
    shares = [
        replace(share, model=names.get(key, share.model))
        for share, key in zip(spec.shares, ids, strict=True)
    ]
    return replace(spec, shares=tuple(shares))


def micros(spec: DeploymentSpec) -> int:
    """When the next step of its rollout is due; 0: never."""
    due = None if spec.rollout is None or spec.paused else spec.rollout.due
    return 0 if due is None else int(due.timestamp() * 1_000_000)


def told(shares: Sequence[Share]) -> str:
    """Shares in one line, for logs: `fraud@3 95 %, fraud@4 5 %`."""
    words = []
    for share in shares:
        number = "" if share.number is None or share.revision == str(share.number) else (
            f" ({share.number})"
        )  # fmt: skip
        shadow = " shadow" if share.shadow else ""
        words.append(f"{share.source}{number}{shadow} {share.percent:g} %")
    return ", ".join(words)
