"""Python objects into versions, and out of them again."""

from __future__ import annotations

import json
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelyard.core.lineage import LineageEdge
from modelyard.core.manifest import Manifest, plain
from modelyard.core.names import ModelName
from modelyard.core.trust import Trust
from modelyard.errors import InvalidInput
from modelyard.frameworks import Saved, claim, framework_of, named, serializer_of
from modelyard.registry.commit import Request, checked_labels
from modelyard.registry.data import name_data
from modelyard.registry.examples import kept_example
from modelyard.registry.publish import manifest_of
from modelyard.registry.version_files import VersionFiles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from modelyard.core.version import Committed, Progress
    from modelyard.frameworks import Framework
    from modelyard.registry.desk import Desk
    from modelyard.registry.files import Contents

__all__ = [
    "Loaded", "Wrapping", "commit_object", "commit_source", "is_card", "load", "load_isolated",
    "stored", "with_data",
]  # fmt: skip

_ROOM = 24_000
"""Bytes that each of the long parts may take of the manifest's 90,000."""
_FEW, _MANY = 40, 300
_LINES = 400
"""Lines of structure that a manifest keeps: enough for people; the files hold all of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrapping:
    """What is told of an object beside the object itself."""

    serializer: str | None = None
    example: Any = None
    """A few rows of input, from which the signature is inferred; the first 16 are kept."""
    data: object = None
    """What it was trained on: see `data.name_data`."""
    lineage: Sequence[LineageEdge] = ()


def commit_source(
    desk: Desk,
    model: str,
    source: Path | str | object,
    *,
    message: str,
    branch: str | None,
    parent: str | int | None,
    only: Sequence[str],
    metrics: Mapping[str, float] | None,
    params: Mapping[str, Any] | None,
    labels: Mapping[str, str] | None,
    author: str | None,
    kind: str,
    data: object,
    serializer: str | None,
    example: Any,
    scan: bool,
    report: Callable[[Progress], None],
) -> Committed:
    """`Yard.commit`, wherever the yard is."""
    if source is None or isinstance(source, type):
        raise InvalidInput(
            "nothing-to-commit", f"{source!r} is no model",
            hint="give a path, or an object: an instance of the class",
        )  # fmt: skip
    is_path = isinstance(source, str | Path)
    request = Request(
        model=ModelName.parse(model),
        source=Path(str(source)).expanduser() if is_path else Path(),
        message=message or "",
        branch=branch,
        parent=parent,
        only=only,
        manifest=Manifest(params=plain(dict(params or {})), metrics=plain(dict(metrics or {}))),
        labels=checked_labels(labels),
        author=author or desk.author,
        kind=kind,
        scan=scan,
    )
    if not is_path:
        wrapping = Wrapping(serializer=serializer, example=example, data=data)
        return commit_object(desk, request, source, wrapping, report)
    manifest = with_data(desk, request.manifest, data)
    return desk.commit(replace(request, manifest=manifest), report)


def commit_object(
    desk: Desk,
    request: Request,
    obj: object,
    wrapping: Wrapping,
    report: Callable[[Progress], None],
) -> Committed:
    """Save an object into a folder of its own, and commit that with all that is known of it.

    Args:
        request: Its `source` is not looked at.
    """
    framework = framework_of(obj)
    serializer = serializer_of(framework, wrapping.serializer)
    if request.only:
        raise InvalidInput("bad-source", "only= is for files, not for objects")
    with tempfile.TemporaryDirectory(prefix="yard-save-") as place:
        folder = Path(place)
        saved = framework.save(obj, folder, serializer, wrapping.example)
        manifest = _manifest(desk, framework, obj, saved, folder, request.manifest, wrapping)
        keep = request.keep or is_card
        whole = replace(request, source=folder, manifest=manifest, keep=keep)
        return desk.commit(whole, report)


def is_card(path: str) -> bool:
    """Words about a model outlive its weights."""
    return path.endswith(".md")


def _manifest(
    desk: Desk,
    framework: Framework,
    obj: object,
    saved: Saved,
    folder: Path,
    given: Manifest,
    wrapping: Wrapping,
) -> Manifest:
    from modelyard.registry.origin import code_of_caller, environment

    given = with_data(desk, given, wrapping.data)
    optimizer = {f"optimizer.{key}": value for key, value in framework.optimizer(obj).items()}
    signature = framework.signature(obj, wrapping.example)
    lines = framework.structure(obj)
    files = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    described = {"structure": list(lines[:_LINES]), "files": files[:_LINES]}
    return _fitting(
        given,
        params={**framework.params(obj), **optimizer, **given.params},
        signature=signature or given.signature,
        example=kept_example(wrapping.example, signature) or given.example,
        framework=framework.NAME,
        saved={**saved.encode(), **described},
        environment=environment(),
        code=code_of_caller() or given.code,
        lineage=(*(edge.encode() for edge in wrapping.lineage), *given.lineage),
    )


def _fitting(given: Manifest, **said: Any) -> Manifest:
    """The manifest, with less detail where it would be too large: the files have all of it.

    Wide frames have thousands of inputs, deep networks thousands of layers and parameters.
    """
    signature, saved, params = said["signature"], said["saved"], said["params"]
    if _length(signature) > _ROOM:
        inputs, dtypes = signature["inputs"], {each["dtype"] for each in signature["inputs"]}
        one = {"name": f"{len(inputs)} columns", "dtype": min(dtypes), "shape": [-1, len(inputs)]}
        said["signature"] = {**signature, "inputs": [one]} if len(dtypes) == 1 else None
    if _length(saved) > _ROOM:
        said["saved"] = {**saved, "structure": saved["structure"][:_FEW], "files": []}
    if _length(params) > _ROOM:
        said["params"] = {
            name: value
            for name, value in list(params.items())[:_MANY]
            if name in given.params or _length(value) < _ROOM / _MANY
        }
    return replace(given, **said)


def _length(content: object) -> int:
    return len(json.dumps(content, ensure_ascii=False, default=str).encode())


def with_data(desk: Desk, manifest: Manifest, data: object) -> Manifest:
    """The manifest of something that was trained on `data`; see `data.name_data`."""
    if data is None:
        return manifest
    named_data = name_data(desk, data)
    edges = [
        LineageEdge("trained-on", data.name).encode()
        for data in named_data.values()
        if data.is_committed
    ]
    return replace(
        manifest,
        data={**(manifest.data or {}), **{role: str(data) for role, data in named_data.items()}},
        lineage=(*manifest.lineage, *edges),
    )


@dataclass(frozen=True, slots=True)
class Loaded:
    """An object out of a version, and what belongs to it."""

    obj: Any
    framework: Framework
    saved: Saved
    contents: Contents
    manifest: Manifest = field(default_factory=Manifest)


def load(
    desk: Desk,
    model: str,
    revision: str | int | None,
    trusted: Any = None,
    into: object = None,
) -> Loaded:
    """The object of a version, in this process. Denied: `untrusted`, naming what it would import.

    Raises:
        Unsupported: `no-framework`: no framework can load these files.
    """
    trust = Trust.of(trusted)
    with stored(desk, model, revision) as version:
        saved = version.saved
        framework = named(saved.framework)
        obj = framework.load(version.files, saved, trust, into)
    return Loaded(obj, framework, saved, version.contents, version.manifest)


@dataclass(frozen=True, slots=True)
class Stored:
    """A version that is to be loaded."""

    contents: Contents
    manifest: Manifest
    files: VersionFiles
    saved: Saved
    """As it was saved, or as its files look."""


@contextmanager
def stored(desk: Desk, model: str, revision: str | int | None) -> Iterator[Stored]:
    """Look up a version, and how it is loaded. Unsupported: `no-framework`."""
    found = desk.contents(model, revision)
    manifest = manifest_of(found.all_files)
    with VersionFiles(desk, found) as files:
        saved = Saved.decode(manifest.saved) if manifest.saved else claim(files)
        yield Stored(found, manifest, files, saved)


def load_isolated(desk: Desk, model: str, revision: str | int | None, trusted: Any) -> Any:
    """A proxy to the object of a version, which lives in a child that can do nothing else."""
    from modelyard.runtimes.isolated import isolate

    trust = Trust.of(trusted)
    with stored(desk, model, revision) as version:
        signature = version.manifest.signature
        return isolate(version.files.folder(), version.saved, trust=trust, signature=signature)
