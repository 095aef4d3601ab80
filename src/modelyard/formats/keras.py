"""Keras' `.keras` files: a zip of configuration and weights. The configuration may hold code."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, BinaryIO

from modelyard.core.version import Finding
from modelyard.formats.interface import Budget, Inspection
from modelyard.formats.reading import Json, Region, bad, parse_json, printable
from modelyard.formats.zips import STORED, members, unpack

if TYPE_CHECKING:
    from modelyard.core.tensor import TensorInfo
    from modelyard.formats.zips import Member

__all__ = ["config_findings", "inspect_members", "summary_of", "weights_in"]

KIND = "bad-keras"
_CONFIG = 64_000_000
_WEIGHTS = "model.weights.h5"
_ROOTS = ("keras", "tf_keras", "tensorflow.keras", "keras_hub", "keras_cv", "keras_nlp")
_BUILTIN = frozenset({"builtins"})
_FINDINGS = 100


def inspect_members(
    file: BinaryIO, path: str, entries: tuple[Member, ...], budget: Budget
) -> Inspection:
    """Layers from `config.json`, tensors from the HDF5 file inside."""
    by_name = {member.name: member for member in entries}
    config = parse_json(unpack(file, by_name["config.json"], _CONFIG), KIND, budget)
    findings = config_findings(config, f"{path}:config.json", budget)
    metadata: dict[str, Json] = summary_of(config)
    if "metadata.json" in by_name:
        about = parse_json(unpack(file, by_name["metadata.json"], 1 << 20), KIND, budget)
        version = about.get("keras_version") if isinstance(about, dict) else None
        if isinstance(version, str):
            metadata["keras_version"] = printable(version, 40)
    tensors: tuple[TensorInfo, ...] = ()
    weights = by_name.get(_WEIGHTS)
    if weights is not None:
        from modelyard.formats.hdf5 import inspect_region

        found = inspect_region(_region(file, weights, budget), f"{path}:{_WEIGHTS}", budget)
        tensors = _placed(found.tensors, weights)
        findings += list(found.findings)
    for member in entries:
        if member.name.endswith((".pkl", ".pickle", ".py")):
            message = f"the file brings {printable(member.name)}"
            findings.append(Finding("stray-member", "danger", message, path))
    return Inspection("keras", "keras", tensors, metadata, tuple(findings[:_FINDINGS]))


def weights_in(file: BinaryIO) -> io.BytesIO:
    """The HDF5 file of a `.keras` file, unpacked into memory."""
    entries = {member.name: member for member in members(file, Budget().begun())}
    return io.BytesIO(unpack(file, entries[_WEIGHTS], 1 << 32))


def _region(file: BinaryIO, member: Member, budget: Budget) -> Region:
    if member.method == STORED:
        return Region(file, member.start, member.size, kind=KIND)
    data = unpack(file, member, budget.max_output // 4)
    return Region(io.BytesIO(data), kind=KIND)


def _placed(tensors: tuple[TensorInfo, ...], member: Member) -> tuple[TensorInfo, ...]:
    """Ranges are those of the whole file; an unpacked member has none."""
    from dataclasses import replace

    base = member.start
    if member.method != STORED:
        return tuple(replace(tensor, start=None, end=None) for tensor in tensors)
    return tuple(
        tensor
        if tensor.start is None or tensor.end is None
        else replace(tensor, start=base + tensor.start, end=base + tensor.end)
        for tensor in tensors
    )


def summary_of(config: Json) -> dict[str, Json]:
    """Class and layers of a model configuration, for people."""
    if not isinstance(config, dict):
        raise bad(KIND, "the configuration is no object")
    inner = config.get("config")
    layers = inner.get("layers") if isinstance(inner, dict) else None
    names = [
        printable(layer["class_name"], 80)
        for layer in (layers if isinstance(layers, list) else [])[:1000]
        if isinstance(layer, dict) and isinstance(layer.get("class_name"), str)
    ]
    name = config.get("class_name")
    return {"class": printable(name, 80) if isinstance(name, str) else None, "layers": names}


def config_findings(config: Json, where: str, budget: Budget) -> list[Finding]:
    """Everything in a configuration that is code, or names code outside of Keras."""
    found: dict[tuple[str, str], Finding] = {}
    todo: list[Json] = [config]
    steps = 0
    while todo:
        node = todo.pop()
        steps += 1
        if steps & 1023 == 0 and budget.spent:
            found["budget", ""] = Finding(
                "scan-incomplete", "danger", "the configuration is too long", where
            )
            break
        if isinstance(node, list):
            todo.extend(item for item in node if isinstance(item, dict | list))
        elif isinstance(node, dict):
            for kind, message in _judged(node):
                found.setdefault((kind, message), Finding(kind, "danger", message, where))
            todo.extend(item for item in node.values() if isinstance(item, dict | list))
    return list(found.values())[:_FINDINGS]


def _judged(node: dict[str, Json]) -> list[tuple[str, str]]:
    found = []
    name, module = node.get("class_name"), node.get("module")
    registered = node.get("registered_name")
    if name in (
        "Lambda",
        "__lambda__",
        "TFOpLambda",
        "TorchModuleWrapper",
        "TFSMLayer",
        "JaxLayer",
    ):
        found.append(("lambda-layer", f"a {name} layer holds code or loads some"))
    if isinstance(module, str) and not _is_known(module):
        text = printable(f"{module}.{name}")
        found.append(("keras-module", f"the configuration names {text}, outside of Keras"))
    if name == "function" and module == "builtins":
        text = printable(str(node.get("config")))
        found.append(("keras-function", f"the configuration names the function {text}"))
    elif isinstance(registered, str) and ">" in registered and not _is_known(registered):
        message = f"needs the registered class {printable(registered)}"
        found.append(("keras-custom", message))
    return found


def _is_known(module: str) -> bool:
    root = module.replace(">", ".")
    return module in _BUILTIN or any(
        root == known or root.startswith(f"{known}.") for known in _ROOTS
    )
