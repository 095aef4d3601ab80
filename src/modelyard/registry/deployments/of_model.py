"""Under which names a model is deployed."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from modelyard.catalog.queries import deployments
from modelyard.errors import NotFound
from modelyard.registry.deployments.reading import get
from modelyard.registry.lookup import find_model

if TYPE_CHECKING:
    from modelyard.core.deployment import Deployment
    from modelyard.registry.house import House

__all__ = ["deployments_of"]

_MOST = 20


def deployments_of(house: House, model: str) -> tuple[Deployment, ...]:
    """Deployments that serve a version of a model, by name: the first ones the caller may see."""
    with house.catalog.read() as connection:
        row = find_model(connection, model, house.caller)
        names = sorted({name for name, _ in deployments.using(connection, row.id)})
    found = []
    for name in names[:_MOST]:
        with suppress(NotFound):  # gone meanwhile, or with a model that is hidden
            found.append(get(house, name))
    return tuple(found)
