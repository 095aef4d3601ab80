"""Keras models as passes take them: loaded, copied without their training, measured."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.errors import InvalidInput, Unsupported
from modelyard.frameworks.interface import bases_of
from modelyard.optimization.making import model_of_object
from modelyard.optimization.passes.data.learning import hits
from modelyard.optimization.passes.keras.states import carried, counted_anew, untold
from modelyard.optimization.state import Rows

if TYPE_CHECKING:
    from modelyard.optimization.state import Model, Subject, Work

__all__ = [
    "bare", "kernels", "network_in", "rebuilt", "right", "saved", "taught_by", "why_no_network",
]  # fmt: skip

Json = Any
Array = np.ndarray[Any, Any]


def why_no_network(subject: Subject) -> str | None:
    """A sentence if it can't be a model of Keras that may change."""
    if subject.framework != "keras":
        return "it takes models of Keras"
    if subject.serializer == "savedmodel":
        return "a SavedModel is a graph that can't be changed"
    return None


def network_in(model: Model) -> Any:
    """The Keras model, in this process. Denied: `untrusted`. Unsupported: `not-improvable`."""
    found = model.load()
    if "keras.src.models.model.Model" not in bases_of(found):
        raise Unsupported(
            "not-improvable", f"a {type(found).__name__} is no model of Keras that can change",
            hint="SavedModels only predict",
        )  # fmt: skip
    return found


def bare(network: Any, config: Json = None) -> Any:
    """The same layers and weights, never compiled: an optimizer's state triples a file.

    Args:
        config: Another one, by which it has the same weights.

    Raises:
        Unsupported: `not-improvable`: its configuration does not tell all of it.
    """
    from modelyard.frameworks.keras.rebuilding import copied

    found = rebuilt(network, config)
    if not copied(network, found):
        raise untold(network)
    carried(network, found)
    return found


def rebuilt(network: Any, config: Json = None) -> Any:
    """The same layers, with new weights."""
    from modelyard.frameworks.keras.rebuilding import made

    shapes = network.get_build_config() if hasattr(network, "get_build_config") else None
    with counted_anew():
        return made(type(network), config or network.get_config(), shapes=shapes)


def kernels(network: Any) -> list[Any]:
    """Weights that multiply: matrices, kernels of convolutions, embeddings; float only."""
    return [
        each
        for each in network.trainable_variables
        if len(each.shape) >= 2 and str(each.dtype).startswith(("float", "bfloat"))
    ]


def saved(network: Any, model: Model, work: Work) -> Model:
    """As the model that a pass made; the signature stays what it was."""
    known = model.signature is not None
    example = None if known or work.train is None else work.train.inputs
    return model_of_object(network, work.folder(), like=model, example=example)


def taught_by(network: Any, rows: Rows, model: Model) -> Rows:
    """Rows with a target: where none is known, what the model itself says of them."""
    from modelyard.runtimes import runtime_of

    if rows.target is not None:
        return rows
    with closing(runtime_of("keras", network, model.signature)) as runtime:
        outputs = runtime.predict(rows.inputs).outputs
    word = next((name for name in ("label", "prediction") if name in outputs), None)
    if word is None:
        raise InvalidInput(
            "no-target", "the model tells neither classes nor a number, and no target is known",
            hint="give the column that is predicted: --target COL",
        )  # fmt: skip
    return Rows(rows.inputs, np.asarray(outputs[word]))


def right(network: Any, rows: Rows | None, work: Work, model: Model) -> float | None:
    """Accuracy, or minus the mean squared error; None without rows that tell."""
    if rows is None or not len(rows) or rows.target is None or work.task == "other":
        return None
    return float(hits(network, rows, work.task, model.signature).mean())
