"""All services that tests use, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.services.databases import DATABASES
from tests.services.stores import STORES

if TYPE_CHECKING:
    from tests.services.service import Service

__all__ = ["SERVICES"]

SERVICES: dict[str, Service] = {service.name: service for service in (*DATABASES, *STORES)}
