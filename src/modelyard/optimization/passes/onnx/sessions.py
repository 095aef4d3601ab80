"""ONNX Runtime for passes: graphs run on rows, and made simpler offline."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from modelyard.core.extras import need
from modelyard.errors import Unsupported
from modelyard.formats.reading import printable
from modelyard.frameworks.onnx.changing import sweep
from modelyard.frameworks.onnx.saving import write
from modelyard.frameworks.onnx.sizes import LIMIT, size_of
from modelyard.frameworks.onnx.walking import library, nodes
from modelyard.optimization.passes.onnx.protos import EXTRA
from modelyard.runtimes import runtime_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from modelyard.core.table import Table

    Array = np.ndarray[Any, Any]

__all__ = ["Feeds", "Level", "answers", "even", "feeds_of", "fidelity", "reason", "run",
           "simplified"]  # fmt: skip

Level = Literal["basic", "extended"]
Feeds = dict[str, Any]
"""What a graph is given at once, by the names of its inputs."""

_BATCH = 16


def feeds_of(
    proto: Any, signature: Any, rows: Table, batch: int = _BATCH
) -> list[dict[str, Array]]:
    """Rows as a graph takes them, in batches; one by one where its batch is fixed to one.

    Rows that don't fill a fixed batch are left out; of fewer, it is filled with them again.

    Raises:
        InvalidInput: `no-column`, `bad-inputs`: it can't take them.
    """
    fixed = _fixed_batch(proto)
    size = fixed or batch
    if fixed is not None and 0 < len(rows) < fixed:
        rows = rows.take(np.arange(fixed) % len(rows))
    with runtime_of("onnx", proto, signature) as runtime:  # type: ignore[attr-defined]
        starts = range(0, len(rows), size)
        parts = [rows.take(slice(start, start + size)) for start in starts]
        return [dict(runtime.feeds(part)) for part in parts if fixed is None or len(part) == fixed]


def even(feeds: list[dict[str, Array]]) -> list[dict[str, Array]]:
    """Batches of one size: a last one that is smaller is left out."""
    shapes = [{name: values.shape for name, values in batch.items()} for batch in feeds]
    return [batch for batch, own in zip(feeds, shapes, strict=True) if own == shapes[0]]


def _fixed_batch(proto: Any) -> int | None:
    given = {tensor.name for tensor in proto.graph.initializer}
    for value in proto.graph.input:
        sides = value.type.tensor_type.shape.dim
        if value.name not in given and len(sides) and sides[0].HasField("dim_value"):
            return int(sides[0].dim_value) or None
    return None


def answers(proto: Any, feeds: Sequence[Mapping[str, Array]]) -> list[dict[str, Array]]:
    """All outputs that are arrays, for each batch. Unsupported: `not-improvable`."""
    runtime = need("onnxruntime", EXTRA)
    options = _options(runtime)
    with TemporaryDirectory(prefix="modelyard-onnx-") as folder:
        session = _session(runtime, _source(proto, Path(folder)), options)
    names = [each.name for each in session.get_outputs()]
    return [_arrays(names, run(session, batch)) for batch in feeds]


def run(session: Any, feeds: Mapping[str, Array]) -> Any:
    """All outputs. Unsupported: `not-improvable`."""
    try:
        return session.run(None, dict(feeds))
    except Exception as error:  # onnxruntime's errors have no common class
        raise Unsupported("not-improvable", f"onnxruntime can't run it: {reason(error)}") from None


def _arrays(names: list[str], values: Any) -> dict[str, Array]:
    return {n: v for n, v in zip(names, values, strict=True) if isinstance(v, np.ndarray)}


def fidelity(before: Sequence[Mapping[str, Array]], after: Sequence[Mapping[str, Array]]) -> float:
    """Mean cosine of rows of all outputs that are floats; share of equal ones without any.

    1 is the same. Not finite numbers count as 0.
    """
    scores: list[float] = []
    equal: list[float] = []
    for one, other in zip(before, after, strict=True):
        for name, ours in one.items():
            theirs = other.get(name)
            if theirs is None or theirs.shape != ours.shape:
                return 0.0
            if ours.dtype.kind == "f":
                scores += _cosines(ours, theirs)
            elif ours.size:
                equal.append(float(np.mean(ours == theirs)))
    found = scores or equal
    return float(np.mean(found)) if found else 1.0


def _cosines(ours: Array, theirs: Array) -> list[float]:
    rows = ours.shape[0] if ours.ndim > 1 else 1
    one = ours.reshape(rows, -1).astype(np.float64)
    other = theirs.reshape(rows, -1).astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        dots = (one * other).sum(axis=1)
        sizes = np.sqrt((one * one).sum(axis=1) * (other * other).sum(axis=1))
        found = np.where(sizes > 0, dots / sizes, (one == other).all(axis=1))
    return [float(value) if np.isfinite(value) else 0.0 for value in found]


def simplified(proto: Any, level: Level, *, fold: bool = True) -> Any:
    """A graph as ONNX Runtime makes it before it runs: constants folded, dead parts gone.

    Args:
        level: `basic` keeps to operators of ONNX; `extended` may bring fused ones of ONNX Runtime
            (`com.microsoft`), which quantization does not know.
        fold: Whether constants are folded: not where weights were packed, which it would unpack.
    """
    runtime = need("onnxruntime", EXTRA)
    onnx = library()
    options = _options(runtime)
    levels = runtime.GraphOptimizationLevel
    options.graph_optimization_level = (
        levels.ORT_ENABLE_BASIC if level == "basic" else levels.ORT_ENABLE_EXTENDED
    )
    with TemporaryDirectory(prefix="modelyard-onnx-") as folder:
        made = Path(folder) / "made" / "model.onnx"
        made.parent.mkdir()
        options.optimized_model_filepath = str(made)
        if size_of(proto) > LIMIT:
            options.add_session_config_entry(
                "session.optimized_model_external_initializers_file_name", "model.onnx.data"
            )
        less = {} if fold else {"disabled_optimizers": ["ConstantFolding"]}
        _session(runtime, _source(proto, Path(folder)), options, **less)
        found = onnx.load(made)
    found.producer_name = proto.producer_name
    sweep(found.graph)
    _only_needed_domains(found)
    return found


def _only_needed_domains(proto: Any) -> None:
    """ONNX Runtime names all domains that it knows."""
    used = {node.domain or "" for node in nodes(proto)} | {""}
    used |= {function.domain for function in proto.functions}
    kept = [(each.domain, each.version) for each in proto.opset_import
            if each.domain in used or (each.domain == "ai.onnx" and "" in used)]  # fmt: skip
    del proto.opset_import[:]
    for domain, version in kept:
        proto.opset_import.add(domain=domain, version=version)


def _options(runtime: Any) -> Any:
    options = runtime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    return options


def _session(runtime: Any, source: bytes | str, options: Any, **more: Any) -> Any:
    try:
        return runtime.InferenceSession(source, options, providers=["CPUExecutionProvider"], **more)
    except Exception as error:  # onnxruntime's errors have no common class
        raise Unsupported("not-improvable", f"onnxruntime can't load it: {reason(error)}") from None


def _source(proto: Any, folder: Path) -> bytes | str:
    if size_of(proto) <= LIMIT:
        content: bytes = proto.SerializeToString()
        return content
    return str(write(proto, folder, LIMIT))


def reason(error: BaseException) -> str:
    """The sentence of a library without its code and place."""
    text = (str(error) or type(error).__name__).strip().split("\n")[0]
    return printable(text.rpartition(" : ")[2] or text, 200)
