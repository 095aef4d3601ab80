"""Models of transformers as ONNX graphs of tokens, with outputs as their runtime gives them.

Texts stay outside: a graph takes `input_ids` and `attention_mask`, shape (rows, tokens).
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.core.extras import need
from modelyard.errors import Unsupported
from modelyard.frameworks.onnx.walking import library
from modelyard.frameworks.transformers.calls import labels_of, task_of
from modelyard.frameworks.transformers.kinds import model_of
from modelyard.optimization.passes.onnx.from_torch import EXTRA, renamed_where_free, silent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from modelyard.core.table import Table

__all__ = ["transformers_graphs"]

_PLAIN = ("input_ids", "attention_mask", "token_type_ids", "position_ids")
_OPSET = 18
_DYNAMO_OPSET = 20
_TRACED = 3


def transformers_graphs(obj: Any, rows: Table | None) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Ways to convert a model, as `from_torch.torch_graphs` gives them.

    Raises:
        Unsupported: `no-extra`; `not-improvable`: there are no tokens to trace it with.
    """
    need("torch", EXTRA)
    model = model_of(obj)
    names = [] if rows is None else [name for name in _PLAIN if name in rows.names]
    if model is None or rows is None or "input_ids" not in names:
        raise Unsupported(
            "not-improvable", "a graph takes tokens, and there are none to trace the model with",
            hint="give data with the columns input_ids and attention_mask, not texts",
        )  # fmt: skip
    traced = {name: rows.column(name)[:_TRACED].astype(np.int64) for name in names}
    yield "tracing", lambda: _finished(_traced(model, traced), model)
    yield "torch.export", lambda: _finished(_exported(model, traced), model)


def _traced(model: Any, columns: dict[str, Any]) -> Any:
    import torch

    told, names, args = _wrapper(model, columns)
    with TemporaryDirectory(prefix="modelyard-onnx-") as folder, silent():
        path = Path(folder) / "model.onnx"
        torch.onnx.export(
            told, args, path, dynamo=False, opset_version=_OPSET, input_names=list(columns),
            output_names=names, dynamic_axes={
                **{name: {0: "batch", 1: "tokens"} for name in columns},
                **{name: {0: "batch"} for name in names},
            },
        )  # fmt: skip
        return library().load(path)


def _exported(model: Any, columns: dict[str, Any]) -> Any:
    import torch

    need("onnxscript", EXTRA)
    told, names, args = _wrapper(model, columns)
    free = torch.export.Dim.AUTO
    with TemporaryDirectory(prefix="modelyard-onnx-") as folder, silent():
        path = Path(folder) / "model.onnx"
        program = torch.onnx.export(
            told, args, dynamo=True, opset_version=_DYNAMO_OPSET, input_names=list(columns),
            output_names=names, dynamic_shapes=(tuple({0: free, 1: free} for _ in columns),),
            verbose=False,
        )  # fmt: skip
        assert program is not None  # it is None for files only
        program.save(path)
        return library().load(path)


def _wrapper(model: Any, columns: dict[str, Any]) -> tuple[Any, list[str], tuple[Any, ...]]:
    """A module that takes columns by place and gives what the runtime would."""
    import torch

    task = task_of(model)
    keys = tuple(columns)
    if task not in ("classification", "regression", "embedding"):
        raise Unsupported(
            "not-improvable", f"a {type(model).__name__} gives neither classes, numbers nor "
            "embeddings", hint="models with such heads, or without head, can be converted",
        )  # fmt: skip
    several = getattr(model.config, "problem_type", None) == "multi_label_classification"
    names = {
        "classification": ["probability"] if several else ["probability", "place"],
        "regression": ["prediction"], "embedding": ["embedding"],
    }[task]  # fmt: skip

    class Told(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.module = model

        def forward(self, *args: Any) -> Any:
            given = dict(zip(keys, args, strict=True))
            output = self.module(**given, return_dict=True)
            if task == "regression":
                return output["logits"].float().squeeze(-1)
            if task == "classification":
                logits = output["logits"].float()
                if several:
                    return torch.sigmoid(logits)
                chance = torch.softmax(logits, -1)
                return chance, chance.argmax(dim=1)
            states = output["last_hidden_state"].float()
            mask = given.get("attention_mask")
            weights = torch.ones_like(states[:, :, 0]) if mask is None else mask.float()
            total = (states * weights[:, :, None]).sum(1)
            return total / weights.sum(1, keepdim=True).clamp_min(1)

    if hasattr(model, "set_attn_implementation"):
        model.set_attn_implementation("eager")
    told = Told()
    told.eval()
    return told, names, tuple(torch.from_numpy(np.array(value)) for value in columns.values())


def _finished(proto: Any, model: Any) -> Any:
    """Weights as the model names them; labels by their names."""
    onnx = library()
    renamed_where_free(
        proto, {t.name: t.name.removeprefix("module.") for t in proto.graph.initializer}
    )
    proto.graph.name = "model"
    outputs = proto.graph.output
    if len(outputs) == 2 and outputs[1].name == "place":
        names = np.array([str(label) for label in labels_of(model)], object)
        proto.graph.initializer.append(onnx.helper.make_tensor(
            "classes", onnx.TensorProto.STRING, [len(names)],
            [str(name).encode() for name in names],
        ))  # fmt: skip
        proto.graph.node.append(
            onnx.helper.make_node("Gather", ["classes", "place"], ["label"], name="label")
        )
        outputs[1].CopyFrom(
            onnx.helper.make_tensor_value_info("label", onnx.TensorProto.STRING, ["batch"])
        )
    return proto
