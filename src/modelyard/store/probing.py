"""What a service does beyond the protocol, found out by trying: nothing is taken for granted.

Some services ignore "only if absent" without a word (s3rver, OSS in some emulators). Nothing here
is needed for correctness: keys are written once, refs live in the catalog.
"""

from __future__ import annotations

import secrets
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable
from weakref import WeakKeyDictionary

from modelyard.errors import ModelyardError

if TYPE_CHECKING:
    from modelyard.store.interface import Backend

__all__ = ["Probe", "SupportsCreate", "probe"]


@dataclass(frozen=True, slots=True)
class Probe:
    """What was found."""

    conditional_put: bool
    """A second create of the same key is refused by the service itself."""
    seconds: float
    """How long a put of a few bytes took, with its check."""


@runtime_checkable
class SupportsCreate(Protocol):
    """A backend that can ask its service to write only what is not there."""

    def create(self, key: str, data: bytes) -> bool:
        """False if the service says that the key exists with other bytes."""


_found: WeakKeyDictionary[Backend, Probe] = WeakKeyDictionary()


def probe(backend: Backend) -> Probe:
    """Try it once for the backend's life: two objects under `probe/`, deleted again."""
    known = _found.get(backend)
    if known is None:
        known = _found[backend] = _try(backend)
    return known


def _try(backend: Backend) -> Probe:
    key = f"probe/{secrets.token_hex(16)}"
    try:
        begun = time.monotonic()
        backend.put(f"{key}-put", b"probe")
        seconds = time.monotonic() - begun
        if not isinstance(backend, SupportsCreate):
            return Probe(conditional_put=False, seconds=seconds)
        is_made = backend.create(key, b"first")
        is_refused = not backend.create(key, b"other")
        kept = backend.get(key) == b"first"
        return Probe(conditional_put=is_made and is_refused and kept, seconds=seconds)
    finally:
        with suppress(ModelyardError):  # what went wrong above is what should be told
            backend.delete(f"{key}-put")
            backend.delete(key)
