"""Which version answers a request: by wish, by the value of a header, or by chance."""

from __future__ import annotations

import random
from hashlib import blake2b
from typing import TYPE_CHECKING

from modelyard.errors import NotFound
from modelyard.serving.interface import Line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from modelyard.core.deployment import DeploymentSpec
    from modelyard.serving.interface import Slot

__all__ = ["OVERRIDE", "choose", "line_of"]

OVERRIDE = b"x-modelyard-version"
"""A header by which testers name the version that is to answer."""
_SPAN = float(1 << 64)


def choose(line: Line, version: str | None, headers: Mapping[bytes, bytes]) -> Slot:
    """The slot that answers.

    With a sticky header, requests with one value get one version on every server, and stay with the
    canary while its share grows.

    Raises:
        NotFound: `no-version`: the line does not serve it.
    """
    if version is None and (wish := headers.get(OVERRIDE)) is not None:
        version = wish.decode("latin-1")
    if version is not None:
        slot = line.slot(version)
        if slot is None:
            served = ", ".join(slot.version for slot in line.everything())
            raise NotFound(
                "no-version",
                f"Request for unknown model: '{line.name}' version {version[:40]} is not found",
                hint=f"it serves {served}",
            )
        return slot
    slots = line.slots
    if len(slots) == 1:
        return slots[0]
    point = _point(line.spec.sticky, headers)
    for slot, bound in zip(slots, line.bounds, strict=True):
        if point < bound:
            return slot
    return slots[0]


def _point(sticky: str | None, headers: Mapping[bytes, bytes]) -> float:
    if sticky is not None:
        value = headers.get(sticky.encode())
        if value is not None:
            return int.from_bytes(blake2b(value, digest_size=8).digest()) / _SPAN
    return random.random()


def line_of(
    spec: DeploymentSpec,
    generation: int,
    slots: Sequence[Slot],
    *,
    fallback: Slot | None = None,
) -> Line:
    """A line for a spec.

    Args:
        slots: One for each share, in their order.
    """
    live = [(slot, share) for slot, share in zip(slots, spec.shares, strict=True)
            if not share.shadow]  # fmt: skip
    bounds: list[float] = []
    total = 0.0
    for _, share in live:
        total += share.percent / 100
        bounds.append(total)
    bounds[-1] = 1.0
    shadows = tuple(
        (slot, share.percent / 100)
        for slot, share in zip(slots, spec.shares, strict=True)
        if share.shadow
    )
    return Line(
        spec.name, spec, generation, tuple(slot for slot, _ in live), tuple(bounds), shadows,
        fallback,
    )  # fmt: skip
