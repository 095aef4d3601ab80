"""Who may see a deployment, and who may change it.

It is seen by who may read every model in it, and changed by who may write every one. A guard whose
ref fits `deployments/NAME` asks for more, as it does for refs: for its role, or, where others must
approve, for an admin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.core.access import NOBODY, Role
from modelyard.errors import Denied, NotFound
from modelyard.registry.access.door import known_name, readable
from modelyard.registry.access.guards import rule_for

if TYPE_CHECKING:
    from collections.abc import Iterable

    import sqlalchemy as sa

    from modelyard.core.deployment import DeploymentSpec
    from modelyard.registry.house import House

__all__ = ["check_change", "may_see", "no_deployment"]


def may_see(house: House, spec: DeploymentSpec) -> bool:
    may = readable(house, house.caller)
    return all(may(share.model) for share in spec.shares)


def check_change(house: House, connection: sa.Connection, name: str, models: Iterable[str]) -> None:
    """Whether the caller may change a deployment that serves, or is to serve, these models.

    Raises:
        NotFound: `no-model`.
        Denied: `not-signed-in`, `not-allowed`, `guarded`.
    """
    for model in sorted(set(models)):
        now = known_name(house, house.caller, model, "writer")
        if house.caller is NOBODY:
            continue
        rule = rule_for(connection, now, f"deployments/{name}")
        if rule is None:
            continue
        needed: Role = "admin" if rule.approvals else rule.role
        if not house.caller.may(now, needed):
            raise Denied(
                "guarded",
                f"deployment {name} is guarded: it takes the role {needed} for {now}",
                hint="ask whoever has that role; yard guard list",
            )


def no_deployment(name: str) -> NotFound:
    return NotFound(
        "no-deployment", f"no deployment is named {name[:80]}", hint="yard deployments lists them"
    )
