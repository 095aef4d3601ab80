"""TensorFlow's `saved_model.pb`: which operators its graphs run, and its signatures.

The weights lie beside it, in `variables/`, and are committed as plain bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from modelyard.core.version import Finding
from modelyard.formats.interface import Inspection
from modelyard.formats.protobuf import LENGTH, VARINT, Message, signed
from modelyard.formats.reading import Json, Region, bad, printable

if TYPE_CHECKING:
    from modelyard.formats.interface import Budget

__all__ = ["inspect"]

KIND = "bad-savedmodel"

_RUNS_CODE = frozenset({"PyFunc", "PyFuncStateless", "EagerPyFunc", "LoadLibrary", "CustomCall"})
_TOUCHES_FILES = frozenset({
    "ReadFile", "WriteFile", "MatchingFiles", "PrintV2", "Save", "SaveV2", "SaveSlices",
    "ShardedFilename", "MergeV2Checkpoints", "WholeFileReader", "WholeFileReaderV2",
    "TextLineDataset", "FixedLengthRecordDataset", "TFRecordDataset", "SaveDataset",
    "SaveDatasetV2", "DebugIdentity", "DebugIdentityV2", "RpcCall", "ImmutableConst",
    "WriteSummary", "CreateSummaryFileWriter", "DumpTensor",
})  # fmt: skip
_QUIET = frozenset({"SaveV2", "ShardedFilename", "MergeV2Checkpoints"})
"""In every saved model: its own code to save itself."""

_DTYPES = {
    1: "float32", 2: "float64", 3: "int32", 4: "uint8", 5: "int16", 6: "int8", 7: "string",
    8: "complex64", 9: "int64", 10: "bool", 14: "bfloat16", 17: "uint16", 18: "complex128",
    19: "float16", 22: "uint32", 23: "uint64",
}  # fmt: skip


def inspect(file: BinaryIO, path: str, budget: Budget) -> Inspection:
    """Walk SavedModel, its meta graphs, and the functions of their libraries."""
    region = Region(file, kind=KIND)
    message = Message(region, budget)
    ops: dict[str, int] = {}
    signatures: dict[str, Json] = {}
    graphs = 0
    for number, wire, low, high in message.fields(0, region.size):
        if number == 2 and wire == LENGTH:
            graphs += 1
            _meta_graph(message, low, high, ops, signatures)
    if not graphs:
        raise bad(KIND, "there is no graph in it")
    metadata: dict[str, Json] = {"ops": dict(sorted(ops.items())[:500])}
    if signatures:
        metadata["signatures"] = signatures
        serving = signatures.get("serving_default") or next(iter(signatures.values()))
        metadata["signature"] = serving
    return Inspection("savedmodel", "tensorflow", (), metadata, _findings(ops, path))


def _meta_graph(
    message: Message, start: int, end: int, ops: dict[str, int], signatures: dict[str, Json]
) -> None:
    has_graph = False
    for number, wire, low, high in message.fields(start, end):
        if wire != LENGTH:
            continue
        if number == 2:
            _refuse_second(has_graph, "graph")
            has_graph = True
            _graph(message, low, high, ops)
        elif number == 5 and len(signatures) < 100:
            key, value = _entry(message, low, high)
            if value is not None and not key.startswith("__saved_model_init"):
                signatures[key] = _signature(message, *value)


def _graph(message: Message, start: int, end: int, ops: dict[str, int]) -> None:
    """GraphDef: nodes, and a library of functions whose nodes count too."""
    for number, wire, low, high in message.fields(start, end):
        if wire != LENGTH:
            continue
        if number == 1:
            _node(message, low, high, ops)
        elif number == 2:
            for kind, wire_, low_, high_ in message.fields(low, high):
                if kind == 1 and wire_ == LENGTH:
                    _function(message, low_, high_, ops)


def _function(message: Message, start: int, end: int, ops: dict[str, int]) -> None:
    """FunctionDef: a signature with its name, and nodes."""
    has_signature = False
    for number, wire, low, high in message.fields(start, end):
        if number == 1 and wire == LENGTH:
            _refuse_second(has_signature, "signature of a function")
            has_signature = True
            _once(message, low, high, (1,), "name of a function")
        elif number == 3 and wire == LENGTH:
            _node(message, low, high, ops)


def _node(message: Message, start: int, end: int, ops: dict[str, int]) -> None:
    fields = _once(message, start, end, (1, 2), "name or operator of a node")
    if 2 in fields:
        op = message.text(*fields[2])
        if op in ops or len(ops) < 10_000:
            ops[op] = ops.get(op, 0) + 1


def _once(
    message: Message, start: int, end: int, wanted: tuple[int, ...], what: str
) -> dict[int, tuple[int, int]]:
    """Where fields lie that a message may have once; of two, TensorFlow would take the last."""
    found: dict[int, tuple[int, int]] = {}
    for number, wire, low, high in message.fields(start, end):
        if number in wanted and wire == LENGTH:
            _refuse_second(number in found, what)
            found[number] = (low, high)
    return found


def _refuse_second(given: bool, what: str) -> None:
    if given:
        raise bad(KIND, f"the {what} is given twice")


def _signature(message: Message, start: int, end: int) -> Json:
    found: dict[str, list[Json]] = {"inputs": [], "outputs": []}
    for number, wire, low, high in message.fields(start, end):
        if wire == LENGTH and number in (1, 2):
            key, value = _entry(message, low, high)
            side = found["inputs" if number == 1 else "outputs"]
            if value is not None and len(side) < 1000:
                side.append({"name": key} | _tensor(message, *value))
    return found


def _tensor(message: Message, start: int, end: int) -> dict[str, Json]:
    found: dict[str, Json] = {"dtype": None, "shape": None}
    for number, wire, low, high in message.fields(start, end):
        if number == 2 and wire == VARINT:
            found["dtype"] = _DTYPES.get(low)
        elif number == 3 and wire == LENGTH:
            found["shape"] = _shape(message, low, high)
    return found


def _shape(message: Message, start: int, end: int) -> list[int | None] | None:
    sides: list[int | None] = []
    for number, wire, low, high in message.fields(start, end):
        if number == 3 and wire == VARINT and low:
            return None
        if number == 2 and wire == LENGTH and len(sides) < 64:
            size = 0
            for kind, wire_, value, _ in message.fields(low, high):
                if kind == 1 and wire_ == VARINT:
                    size = signed(value)
            sides.append(None if size < 0 else size)
    return sides


def _entry(message: Message, start: int, end: int) -> tuple[str, tuple[int, int] | None]:
    """An entry of a protobuf map."""
    key, value = "", None
    for number, wire, low, high in message.fields(start, end):
        if wire == LENGTH and number == 1:
            key = message.text(low, high)
        elif wire == LENGTH and number == 2:
            value = (low, high)
    return key, value


def _findings(ops: dict[str, int], path: str) -> tuple[Finding, ...]:
    found = []
    for op in sorted(ops):
        if op in _RUNS_CODE:
            message = f"the graph runs Python or native code by {printable(op)}"
            found.append(Finding("unsafe-op", "danger", message, path))
        elif op in _TOUCHES_FILES and op not in _QUIET:
            message = f"the graph touches files by {printable(op)}"
            found.append(Finding("unsafe-op", "danger", message, path))
    return tuple(found)
