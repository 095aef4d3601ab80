"""Model files looked into before Keras sees them, by our own readers of zip, JSON and HDF5."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from modelyard.errors import InvalidInput
from modelyard.formats import Budget
from modelyard.formats.hdf.objects import Bytes, Incomplete, messages, root_of
from modelyard.formats.hdf.types import attribute
from modelyard.formats.hdf5 import inspect_region
from modelyard.formats.reading import Region, parse_json, printable
from modelyard.formats.zips import STORED, members, unpack
from modelyard.frameworks.keras.needs import Need, needs_of

if TYPE_CHECKING:
    from modelyard.formats.interface import Inspection
    from modelyard.frameworks.interface import Files, Json

__all__ = ["CONFIGS", "Checked", "attributes_of", "check_h5", "check_keras"]

CONFIGS = ("model_config", "training_config")
"""Attributes of a `.h5` file that Keras builds objects from."""

_CONFIG, _METADATA, _WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
_KIND = "not-loadable"
_MAX_CONFIG = 64_000_000
_OUTSIDE = {
    "external-link": "hdf5.external-link", "external-storage": "hdf5.external-storage",
    "virtual-dataset": "hdf5.virtual-dataset", "scan-incomplete": "hdf5.unreadable",
}  # fmt: skip
_BUDGET = Budget(seconds=20.0)
_LARGE = 1 << 30
_GROWTH = 50


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found in a file."""

    needs: frozenset[Need]
    config: Json
    texts: dict[str, str]
    """The configurations of a `.h5` file as they were read, to compare with what h5py reads."""
    elements: int = 0
    """Numbers that the weights hold."""
    configs: tuple[Json, ...] = ()
    """All configurations that objects are built from."""


def check_keras(files: Files, path: str) -> Checked:
    """Look into a `.keras` file. InvalidInput: `not-loadable`."""
    with files.open(path) as file:
        try:
            return _check_keras(file)
        except InvalidInput as error:
            raise _unloadable(path, error) from None


def _check_keras(file: BinaryIO) -> Checked:
    budget = _BUDGET.begun()
    entries = {member.name: member for member in members(file, budget)}
    if _CONFIG not in entries or _WEIGHTS not in entries:
        raise InvalidInput(_KIND, f"it has no {_CONFIG} and {_WEIGHTS}")
    config = parse_json(unpack(file, entries[_CONFIG], _MAX_CONFIG), _KIND, budget)
    if not isinstance(config, dict):
        raise InvalidInput(_KIND, "its configuration is no object")
    needs = needs_of(config)
    needs |= {
        Need(printable(name))
        for name in entries
        if name not in (_CONFIG, _METADATA, _WEIGHTS) and not name.startswith("assets/")
    }
    weights = entries[_WEIGHTS]
    if weights.method == STORED:
        region = Region(file, weights.start, weights.size, kind=_KIND)
    else:
        region = Region(io.BytesIO(unpack(file, weights, 1 << 32)), kind=_KIND)
    found = inspect_region(region, _WEIGHTS, budget)
    return Checked(needs | _outside(found, region), config, {}, _elements(found), (config,))


def check_h5(files: Files, path: str) -> Checked:
    """Look into a `.h5` file of a whole model. InvalidInput: `not-loadable`."""
    with files.open(path) as file:
        try:
            return _check_h5(file)
        except InvalidInput as error:
            raise _unloadable(path, error) from None


def _check_h5(file: BinaryIO) -> Checked:
    budget = _BUDGET.begun()
    region = Region(file, kind=_KIND)
    if region.upto(0, 8) != b"\x89HDF\r\n\x1a\n":
        raise InvalidInput(_KIND, "it is no HDF5 file")
    found = inspect_region(region, "/", budget)
    needs = _outside(found, region)
    texts = attributes_of(file)
    if CONFIGS[0] not in texts:
        raise InvalidInput(
            _KIND, "it holds weights without a model",
            hint="commit the whole model, or check the file out and load it into a model of yours",
        )  # fmt: skip
    configs = {
        name: parse_json(texts[name].encode(), _KIND, budget) for name in CONFIGS if name in texts
    }
    if not all(isinstance(config, dict) for config in configs.values()):
        raise InvalidInput(_KIND, "its configuration is no object")
    for config in configs.values():
        needs |= needs_of(config)
    read = {name: texts[name] for name in configs}
    return Checked(needs, configs[CONFIGS[0]], read, _elements(found), tuple(configs.values()))


def attributes_of(file: BinaryIO) -> dict[str, str]:
    """The texts among the attributes of an HDF5 file's root. InvalidInput if it is malformed."""
    data = Bytes(Region(file, kind=_KIND), _BUDGET.begun())
    try:
        parts = messages(data, root_of(data))
    except Incomplete as why:
        raise InvalidInput(_KIND, str(why)) from None
    pairs = (attribute(data, part) for part in parts if part.kind == 0x0C and not part.shared)
    return {name: value for name, value in pairs if value is not None}


def _elements(found: Inspection) -> int:
    return sum(tensor.elements for tensor in found.tensors)


def _outside(found: Inspection, region: Region) -> frozenset[Need]:
    declared = sum(tensor.nbytes or 0 for tensor in found.tensors)
    if declared > _LARGE and declared > _GROWTH * region.size:
        message = f"{region.size} bytes of HDF5 would grow to {declared}"
        raise InvalidInput(_KIND, message)
    return frozenset(
        Need(_OUTSIDE[finding.kind]) for finding in found.findings if finding.kind in _OUTSIDE
    )


def _unloadable(path: str, error: InvalidInput) -> InvalidInput:
    return InvalidInput(_KIND, f"{path} can't be loaded: {error.message}", hint=error.hint)
