"""What a manifest says that a version came from, in the form in which it can be looked for."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelyard.core.lineage import LineageEdge, LineageKind
from modelyard.core.names import ByNumber, ModelRevision
from modelyard.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelyard.core.manifest import Manifest

__all__ = ["Source", "sources_of", "version_in"]

_DIGEST = re.compile(r"(.*?)\s*\b(sha256:[0-9a-f]{64})\Z", re.DOTALL)
_MOST = 200
"""Sources of one version that are kept in rows: the manifest has them all."""


@dataclass(frozen=True, slots=True)
class Source:
    """Something that a version came from."""

    kind: LineageKind
    name: str
    """Of a model, or `sha256:...` of data that no yard keeps; empty for what has no such name."""
    number: int
    """Of the model's version; else 0."""
    text: str
    """As it was written."""


def sources_of(manifest: Manifest) -> tuple[Source, ...]:
    """Its lineage, and data that were named by their digest alone; what can't be read is left."""
    return tuple(dict.fromkeys(_sources(manifest)))[:_MOST]


def version_in(text: str) -> tuple[str, int] | None:
    """The model and number that `data/wine@3` or `data/wine@3:test.csv` names; else None."""
    with suppress(InvalidInput):
        parsed = ModelRevision.parse(text.partition(":")[0])
        if isinstance(parsed.revision, ByNumber):
            return parsed.model.text, parsed.revision.number
    return None


def _sources(manifest: Manifest) -> Iterator[Source]:
    named: set[str] = set()
    for fields in manifest.lineage:
        with suppress(InvalidInput):
            edge = LineageEdge.parse(fields)
            named.add(edge.source)
            yield _source(edge.kind, edge.source)
    for told in (manifest.data or {}).values():
        if not isinstance(told, str) or not told.isprintable():
            continue
        found = _DIGEST.match(told)
        name = (found[1] if found else told)[:500]
        if name in named:
            continue
        if version_in(name) is None and found:
            yield Source("trained-on", found[2], 0, name or found[2])
        elif name:
            yield _source("trained-on", name)


def _source(kind: LineageKind, text: str) -> Source:
    name, number = version_in(text) or ("", 0)
    return Source(kind, name, number, text)
