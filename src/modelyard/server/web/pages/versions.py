"""One version: what it is, what it holds, how good it is, and how to use it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from math import prod
from typing import Any

from modelyard.core.evaluation import Evaluation
from modelyard.core.lineage import LineageEdge
from modelyard.core.sources import version_in
from modelyard.core.version import FileInfo, Finding, VersionDetail
from modelyard.registry.deployments.of_model import deployments_of
from modelyard.registry.graph import Head, head_of
from modelyard.server.routing import on_model
from modelyard.server.state import Ask
from modelyard.server.web.deployed import DeployedAs, deployed_as
from modelyard.server.web.optimized import MadeBy, made_by
from modelyard.server.web.twins import Pages

__all__ = ["Side", "pages", "sides_of"]

pages = Pages("versions")

_FILES, _EVALUATIONS = 12, 3


@dataclass(frozen=True, slots=True)
class Side:
    """A tensor that goes into the model or comes out of it."""

    is_input: bool
    """Whether it goes in."""
    name: str
    """As the model calls it."""
    dtype: str
    """Numpy's name of the type."""
    shape: tuple[int, ...]
    """-1 stands for any length."""


@dataclass(frozen=True, slots=True)
class Weights:
    """The tensors of a version in a few numbers."""

    tensors: int
    """How many there are."""
    elements: int
    """Numbers in all of them."""
    nbytes: int
    """Bytes of those whose size is known."""
    dtypes: Mapping[str, int]
    """Numbers by dtype, the most frequent first."""


@dataclass(frozen=True, slots=True)
class VersionPage:
    """What the page shows."""

    head: Head
    """The version, its refs and its neighbours."""
    files: tuple[FileInfo, ...]
    """The first of its files."""
    weights: Weights
    """Its tensors in a few numbers."""
    params: Mapping[str, Any]
    """How it was made."""
    findings: tuple[Finding, ...]
    """What to know before its files are trusted."""
    signature: tuple[Side, ...]
    """What goes in and what comes out, where that is known."""
    saved: Mapping[str, Any]
    """How an object was saved: `class`, `serializer`, `framework`."""
    structure: tuple[str, ...]
    """Its steps or layers, a line each."""
    environment: Mapping[str, Any]
    """`python`, `platform`, and `packages` with their versions."""
    code: Mapping[str, str]
    """The git commit of the code that made it."""
    data: Mapping[str, str]
    """What it was trained on, by role: name and digest; empty for what the reader may not see."""
    lineage: tuple[LineageEdge, ...]
    """Where it came from, other than by its parents; the source is empty as in `data`."""
    evaluations: tuple[Evaluation, ...]
    """The newest."""
    has_card: bool
    """Whether its files have a README.md."""
    deployed: tuple[DeployedAs, ...]
    """Where it is served."""
    made: MadeBy | None
    """The optimization that made it, if one did."""


@pages.page("/versions/{model:path}@{revision:path}", "version.html", needs=on_model("reader"))
def show_version(ask: Ask, model: str, revision: str) -> VersionPage:
    """One version."""
    head = head_of(ask.house, model, revision)
    number = head.version.number
    detail = ask.yard.show(model, number)
    return VersionPage(
        head=head,
        files=detail.files[:_FILES],
        weights=_weights(detail),
        params=detail.params,
        findings=detail.findings,
        signature=sides_of(detail.signature),
        saved={k: v for k, v in detail.saved.items() if k != "structure"},
        structure=_lines(detail.saved.get("structure")),
        environment=detail.environment,
        code=detail.code,
        data={role: _shown(ask, text) for role, text in detail.data.items()},
        lineage=tuple(LineageEdge(e.kind, _shown(ask, e.source)) for e in detail.lineage),
        evaluations=tuple(islice(ask.yard.evaluations(model, number), _EVALUATIONS)),
        has_card=bool(detail.card.strip()),
        deployed=deployed_as(deployments_of(ask.house, model), head.version.model, number),
        made=made_by(head.version),
    )


def sides_of(signature: Any) -> tuple[Side, ...]:
    """Inputs and outputs of a signature, as far as they are of the usual form."""
    if not isinstance(signature, Mapping):
        return ()
    found = []
    for key in ("inputs", "outputs"):
        tensors = signature.get(key)
        for tensor in tensors if isinstance(tensors, list | tuple) else ():
            if isinstance(tensor, Mapping):
                lengths = tensor.get("shape")
                found.append(Side(
                    key == "inputs", str(tensor.get("name", "")), str(tensor.get("dtype", "")),
                    tuple(n if isinstance(n, int) else -1 for n in lengths)
                    if isinstance(lengths, list | tuple) else (),
                ))  # fmt: skip
    return tuple(found)


def _shown(ask: Ask, source: str) -> str:
    """A source, unless it names a model that the reader may not know of."""
    named = version_in(source.partition(" sha256:")[0])
    return "" if named and not ask.caller.may(named[0], "reader") else source


def _weights(detail: VersionDetail) -> Weights:
    dtypes: Counter[str] = Counter()
    for tensor in detail.tensors:
        dtypes[tensor.dtype] += prod(tensor.shape)
    return Weights(
        len(detail.tensors), dtypes.total(), sum(t.nbytes or 0 for t in detail.tensors),
        dict(dtypes.most_common(8)),
    )  # fmt: skip


def _lines(structure: Any) -> tuple[str, ...]:
    return tuple(map(str, structure)) if isinstance(structure, list | tuple) else ()
