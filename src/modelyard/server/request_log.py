"""What somebody may see of the requests that a deployment answered lately."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from modelyard.core.access import Caller
    from modelyard.core.deployment import DeploymentSpec

__all__ = ["seen_by"]

_VALUES = ("inputs", "outputs")


def seen_by(
    caller: Caller, spec: DeploymentSpec, told: Iterable[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Lines of the log of which the caller may read the model.

    Inputs and outputs are left to who may change the deployment, and may write the model that
    answered: it may be one that the deployment serves no more.
    """
    changes = all(caller.may(share.model, "writer") for share in spec.shares)
    found = []
    for line in told:
        model = line["model"]  # None: no version was found that could answer
        if model and not caller.may(model, "reader"):
            continue
        whole = changes and (not model or caller.may(model, "writer"))
        found.append(line if whole else {k: v for k, v in line.items() if k not in _VALUES})
    return found
