"""Modules of torch as ONNX graphs, with outputs named as the runtime of torch names them."""

from __future__ import annotations

import logging
import warnings
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from modelyard.core.extras import need
from modelyard.errors import Unsupported
from modelyard.formats.reading import printable
from modelyard.frameworks.onnx.naming import renamed
from modelyard.frameworks.onnx.walking import graphs, library
from modelyard.frameworks.torch.calls import call, callable_of, named_outputs
from modelyard.frameworks.torch.kinds import kind_of
from modelyard.optimization.passes.onnx.protos import with_columns
from modelyard.runtimes.torch import TorchRuntime

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from modelyard.core.table import Table

__all__ = ["renamed_where_free", "silent", "torch_graphs"]

EXTRA = "optimize-torch"
_OPSET = 18
_DYNAMO_OPSET = 20
_TRACED = 3
"""Rows that are traced: another number than batches that are tried after it."""


def torch_graphs(
    obj: Any, signature: Any, rows: Table, *, columns: bool
) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Ways to convert a module, by name, the quickest first; each gives a ModelProto or raises.

    Args:
        rows: That it takes; three are traced.
        columns: Whether a module that takes named columns keeps one input for each.

    Raises:
        Unsupported: `no-extra`; `not-improvable`: it is no module.
    """
    need("torch", EXTRA)
    kind = kind_of(obj)
    if kind not in ("module", "pair", "program"):
        raise Unsupported(
            "not-improvable", f"a {kind} of torch can't be converted",
            hint="commit a module of torch.nn layers",
        )  # fmt: skip
    plan = _Plan(obj, signature, rows, columns)
    if kind != "program":
        yield "tracing", lambda: plan.finished(plan.traced())
    yield "torch.export", lambda: plan.finished(plan.exported())


class _Plan:
    """What goes in, what comes out, and under which names."""

    def __init__(self, obj: Any, signature: Any, rows: Table, columns: bool) -> None:
        module = callable_of(obj)
        runtime = TorchRuntime(module, signature)
        few = rows.take(slice(0, _TRACED))
        args, kwargs = runtime.arguments(few)
        self._keys = tuple(kwargs)
        self.args = tuple(_grown(value) for value in (*args, *kwargs.values()))
        raw = call(module, args, kwargs)
        self.outputs = list(named_outputs(module, raw))
        self.module = _wrapper(module, self._keys, self.outputs)
        self.columns = tuple(runtime.about.features or ()) if columns else ()
        self.inputs = self._input_names(signature, few)
        self._sides = _open_sides(signature, self.inputs)

    def _input_names(self, signature: Any, rows: Table) -> list[str]:
        if self._keys:
            return list(self._keys)
        names = [str(entry["name"]) for entry in (signature or {}).get("inputs") or ()]
        if len(names) == len(self.args):
            return names
        if len(self.args) == 1:
            return [rows.names[0] if len(rows.names) == 1 else "input"]
        return [f"input_{place}" for place in range(len(self.args))]

    def _open(self) -> list[dict[int, str]]:
        """By input, its sides that may have any length, and their names."""
        return [
            {0: "batch", **{side: f"{name}_{side}" for side in self._sides.get(name, ())}}
            for name in self.inputs
        ]

    def traced(self) -> Any:
        import torch

        with TemporaryDirectory(prefix="modelyard-onnx-") as folder, silent():
            path = Path(folder) / "model.onnx"
            open_sides = dict(zip(self.inputs, self._open(), strict=True))
            torch.onnx.export(
                self.module, self.args, path, dynamo=False, opset_version=_OPSET,
                input_names=self.inputs, output_names=[_inner(name) for name in self.outputs],
                dynamic_axes={**open_sides, **{_inner(n): {0: "batch"} for n in self.outputs}},
            )  # fmt: skip
            return library().load(path)

    def exported(self) -> Any:
        import torch

        need("onnxscript", EXTRA)
        free = torch.export.Dim.AUTO
        shapes = tuple(dict.fromkeys(sides, free) for sides in self._open())
        with TemporaryDirectory(prefix="modelyard-onnx-") as folder, silent():
            path = Path(folder) / "model.onnx"
            program = torch.onnx.export(
                self.module, self.args, dynamo=True, opset_version=_DYNAMO_OPSET,
                input_names=self.inputs, output_names=[_inner(name) for name in self.outputs],
                dynamic_shapes=(shapes,), verbose=False,
            )  # fmt: skip
            assert program is not None  # it is None for files only
            program.save(path)
            return library().load(path)

    def finished(self, proto: Any) -> Any:
        """Names of weights as the module has them, outputs as the runtime names them."""
        renamed_where_free(
            proto, {t.name: t.name.removeprefix("module.") for t in proto.graph.initializer}
        )
        renamed_where_free(proto, {_inner(name): name for name in self.outputs})
        proto.graph.name = "model"
        return with_columns(proto, self.columns)


def _inner(name: str) -> str:
    """Outputs are called so while they are exported: a weight may be named `output`."""
    return f"modelyard.{name}"


def renamed_where_free(proto: Any, names: dict[str, str]) -> None:
    """Give values other names, but for those that would give a name twice."""
    taken = {name for graph in graphs(proto.graph) for node in graph.node
             for name in (*node.input, *node.output)}  # fmt: skip
    taken |= {value.name for value in proto.graph.input}
    names = {old: new for old, new in names.items() if old != new and new not in taken}
    renamed(proto, names)


def _wrapper(module: Any, keys: tuple[str, ...], outputs: list[str]) -> Any:
    """A module that takes its inputs by place and gives what the runtime would."""
    import torch

    from modelyard.frameworks.torch.calls import last_layer

    last = last_layer(module)

    class Told(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.module = module

        def forward(self, *args: Any) -> Any:
            raw = self.module(**dict(zip(keys, args, strict=True))) if keys else self.module(*args)
            if outputs == ["probability", "label"] and not isinstance(raw, dict | tuple | list):
                values = raw.reshape(-1, 1) if last == "Sigmoid" and raw.ndim == 1 else raw
                values = values.exp() if last == "LogSoftmax" else values
                if last == "Sigmoid":
                    values = torch.cat([1 - values, values], dim=1)
                return values, values.argmax(dim=1)
            if outputs == ["prediction"] and not isinstance(raw, dict):
                return _only(raw).reshape(-1)
            if hasattr(raw, "items"):
                return tuple(value for _, value in raw.items() if value is not None)
            return tuple(_flat(raw)) if isinstance(raw, tuple | list) else raw

    told = Told()
    for part in told.modules():  # like `eval()`, which exported programs do not have
        part.training = False
    return told


def _only(raw: Any) -> Any:
    return next(iter(_flat(raw))) if isinstance(raw, tuple | list) else raw


def _flat(raw: Any) -> Iterator[Any]:
    for value in raw:
        if isinstance(value, tuple | list):
            yield from _flat(value)
        elif value is not None:
            yield value


def _grown(value: Any) -> Any:
    """At least two rows: a single one would be taken for a constant."""
    import torch

    value = value.contiguous().clone()
    return torch.cat([value, value]) if value.ndim and len(value) == 1 else value


def _open_sides(signature: Any, inputs: list[str]) -> dict[str, tuple[int, ...]]:
    """By input, the sides after the rows that the signature leaves open."""
    return {
        str(entry["name"]): tuple(
            at for at, side in enumerate(entry["shape"]) if at and side is not None and side < 0
        )
        for entry in (signature or {}).get("inputs") or ()
        if str(entry["name"]) in inputs
    }


@contextmanager
def silent() -> Iterator[None]:
    """torch's exporters warn and log for those who write them."""
    import torch

    names = ("torch.onnx", "torch.onnx._internal.exporter", "onnxscript", "torch.export")
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    threads = torch.get_num_threads()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (Unsupported, MemoryError):
        raise
    except Exception as error:  # exporters raise whatever they meet
        text = (str(error) or type(error).__name__).strip().splitlines()[0]
        raise Unsupported(
            "not-improvable", f"torch can't export it: {printable(text, 300)}",
            hint="layers of torch.nn with tensors in and out can be",
        ) from error  # fmt: skip
    finally:
        torch.set_num_threads(threads)
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
