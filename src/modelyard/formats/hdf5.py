"""HDF5 files: datasets with their ranges, and whatever leads out of the file.

h5py is needed only to read chunked datasets; the structure is read by `hdf`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO

from modelyard.core.version import Finding
from modelyard.errors import Unsupported
from modelyard.formats.hdf.groups import links
from modelyard.formats.hdf.objects import KIND, NOWHERE, Bytes, Incomplete, messages, root_of
from modelyard.formats.hdf.types import attribute, dataset
from modelyard.formats.interface import Inspection
from modelyard.formats.reading import Json, Region, bad, parse_json, printable

if TYPE_CHECKING:
    import numpy as np

    from modelyard.core.tensor import TensorInfo
    from modelyard.formats.hdf.objects import Part
    from modelyard.formats.interface import Budget

__all__ = ["inspect", "inspect_region", "read"]

_FINDINGS = 100
_OUTSIDE = ("external-link", "external-storage", "virtual-dataset", "scan-incomplete")
_PATH = 4096


class _Walk:
    """What the walk over groups and datasets gathers."""

    def __init__(self, data: Bytes, where: str, budget: Budget) -> None:
        self.data = data
        self.where = where
        self.budget = budget
        self.tensors: list[TensorInfo] = []
        self.findings: list[Finding] = []
        self.attributes: dict[str, str] = {}
        self.seen: set[int] = set()

    def found(self, kind: str, message: str, name: str) -> None:
        if len(self.findings) < _FINDINGS:
            where = f"{self.where}:{printable(name)}"
            self.findings.append(Finding(kind, "danger", message, where))


def inspect(file: BinaryIO, path: str, budget: Budget) -> Inspection:
    """All datasets; Keras models are told by their attributes."""
    return inspect_region(Region(file, kind=KIND), path, budget)


def inspect_region(region: Region, where: str, budget: Budget) -> Inspection:
    """The same for a file inside a zip."""
    walk = _Walk(Bytes(region, budget), where, budget)
    try:
        _walk(walk)
    except Incomplete as why:
        walk.found("scan-incomplete", str(why), "/")
    metadata: dict[str, Json] = {
        key: printable(walk.attributes[key], 100)
        for key in ("keras_version", "backend")
        if key in walk.attributes
    }
    findings = list(walk.findings)
    config = walk.attributes.get("model_config")
    if config is not None:
        from modelyard.formats.keras import config_findings, summary_of

        parsed = parse_json(config.encode(), "bad-keras", budget)
        metadata |= summary_of(parsed)
        findings += config_findings(parsed, where, budget)
    is_keras = bool(metadata)
    return Inspection(
        "hdf5", "keras" if is_keras else None, tuple(walk.tensors), metadata, tuple(findings)
    )


def _walk(walk: _Walk) -> None:
    todo: list[tuple[str, int]] = [("", root_of(walk.data))]
    while todo:
        name, address = todo.pop()
        if address in walk.seen:
            continue
        walk.seen.add(address)
        if len(walk.seen) > walk.budget.max_tensors or walk.budget.spent:
            raise bad(KIND, "the file has too many objects")
        parts = messages(walk.data, address)
        by_kind = {part.kind: part for part in parts}
        if {1, 3, 8} <= by_kind.keys():
            _dataset(walk, name, by_kind)
            continue
        if not name:
            _attributes(walk, parts)
        todo.extend(reversed(_children(walk, name, parts)))


def _children(walk: _Walk, name: str, parts: list[Part]) -> list[tuple[str, int]]:
    found = []
    for link in links(walk.data, parts):
        path = f"{name}/{link.name}" if name else link.name
        if link.outside:
            message = f"a link leads to the file {printable(link.outside)}"
            walk.found("external-link", message, path)
        elif link.address is not None and link.address != NOWHERE:
            if len(path) > _PATH:
                raise bad(KIND, "groups are nested too deeply")
            found.append((path, link.address))
        if len(found) > walk.budget.max_tensors:
            raise bad(KIND, "a group has too many links")
    return found


def _dataset(walk: _Walk, name: str, parts: dict[int, Part]) -> None:
    tensor, storage = dataset(walk.data, name, parts)
    if 7 in parts:
        walk.found("external-storage", "the values lie in another file", name)
    if storage == "virtual":
        walk.found("virtual-dataset", "the values are gathered from other files", name)
    walk.tensors.append(tensor)


def _attributes(walk: _Walk, parts: list[Part]) -> None:
    for part in parts:
        if part.kind == 0x0C and not part.shared:
            key, value = attribute(walk.data, part)
            if value is not None:
                walk.attributes[key] = value


def read(file: BinaryIO, inspection: Inspection, tensor: TensorInfo) -> np.ndarray[Any, Any]:
    """A chunked dataset, by h5py. Refused if anything in the file leads out of it."""
    if any(finding.kind in _OUTSIDE for finding in inspection.findings):
        raise Unsupported("tensor-unsafe", f"{tensor.name} is in a file that leads out of itself")
    try:
        import h5py
    except ImportError:
        raise Unsupported(
            "extra-missing", "reading packed HDF5 needs h5py", hint="pip install modelyard[hdf5]"
        ) from None
    stored: BinaryIO = file
    name = tensor.name
    if inspection.format == "keras":
        from modelyard.formats.keras import weights_in

        stored = weights_in(file)
    with h5py.File(stored, "r") as opened:
        import numpy as np

        return np.asarray(opened[name][()])
