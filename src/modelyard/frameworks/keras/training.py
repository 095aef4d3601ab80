"""Training a model on rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.errors import InvalidInput
from modelyard.frameworks.keras.library import keras
from modelyard.frameworks.keras.rebuilding import training_of
from modelyard.frameworks.keras.savedmodel import SavedGraph, refuse
from modelyard.frameworks.keras.tensors import arrange, role_of

if TYPE_CHECKING:
    from modelyard.core.table import Table

__all__ = ["trained"]

_BATCH = 32


def trained(model: Any, inputs: Table, target: Any, *, epochs: int | None, seed: int) -> Any:
    """The same object, trained further in batches of 32 rows; the optimizer goes on.

    A model without a loss is compiled with the one that its last layer and the target suggest. Two
    runs with one seed on one machine give the same weights; all random generators of the process
    are seeded for it.

    Raises:
        InvalidInput: `not-numeric`, `no-loss`, `bad-target`, `bad-inputs`, `no-column`,
            `bad-epochs`, `not-fitted` (Keras refuses to train).
    """
    if isinstance(model, SavedGraph):
        raise refuse("training")
    passes = 1 if epochs is None else epochs
    if isinstance(passes, bool) or not isinstance(passes, int) or passes < 1:
        raise InvalidInput("bad-epochs", f"epochs={epochs!r} is no positive number")
    rows = arrange(model, inputs)
    wanted = _numeric(target)
    if len(wanted) != len(inputs):
        raise InvalidInput(
            "bad-target", f"{len(inputs)} rows, but {len(wanted)} values of the target"
        )
    if not len(wanted):
        raise InvalidInput("bad-target", "there are no rows to train on")
    loss = _needed_loss(model, wanted)
    if loss is not None:
        _compile(model, loss)
    _check_classes(model, wanted)
    given: Any = rows[0] if len(rows) == 1 else rows
    structure = getattr(model, "_inputs_struct", None)
    if structure is not None:
        given = keras().tree.pack_sequence_as(structure, rows)
    _seed(model, seed)
    try:
        model.fit(given, wanted, batch_size=_BATCH, epochs=passes, verbose=0)
    except Exception as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise InvalidInput(
            "not-fitted", f"Keras can't train the model on this data: {lines[0][:300]}"
        ) from None
    return model


def _seed(model: Any, seed: int) -> None:
    """Seed everything random in a training run.

    Random layers count on from where they were, and no file keeps their counters: they begin anew,
    so that a loaded model trains as the kept one does.
    """
    keras().utils.set_random_seed(seed % 2**32)
    states = [v for v in model.variables if v.path.endswith("seed_generator_state")]
    for index, state in enumerate(states):
        state.assign(np.array([(seed + index) % 2**32, 0], str(state.dtype)))


def _numeric(target: Any) -> Any:
    array = np.asarray(target)
    if array.dtype.kind not in "biuf":
        raise InvalidInput(
            "not-numeric", "the target is no number",
            hint="Keras models count classes from 0: replace the names by numbers",
        )  # fmt: skip
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise InvalidInput("bad-target", "the target has missing or endless values")
    return array


def _needed_loss(model: Any, target: Any) -> str | None:
    """The loss to compile with, or None if the model has one."""
    if model.compiled and getattr(model, "loss", None) is not None:
        return None
    role = role_of(model)
    if role == "softmax":
        return "categorical_crossentropy" if target.ndim > 1 else "sparse_categorical_crossentropy"
    if role == "sigmoid":
        return "binary_crossentropy"
    if role == "number":
        return "mean_squared_error"
    raise InvalidInput(
        "no-loss", "the model has no loss, and its last layer does not tell which would fit",
        hint="compile it (model.compile(loss=...)) before it is committed",
    )  # fmt: skip


def _compile(model: Any, loss: str) -> None:
    """Add a loss; an optimizer that is set already stays."""
    given = training_of(model)
    model.compile(
        **given | {"loss": loss, "optimizer": getattr(model, "optimizer", None) or "adam"}
    )


def _check_classes(model: Any, target: Any) -> None:
    """Classes beyond the last layer would train to NaN without a word."""
    loss = model.loss if isinstance(model.loss, str) else type(model.loss).__name__
    sparse = loss in ("sparse_categorical_crossentropy", "SparseCategoricalCrossentropy")
    outputs = getattr(model, "outputs", None)
    if not sparse or not outputs or len(outputs) != 1:
        return
    width = outputs[0].shape[-1]
    whole = target.dtype.kind != "f" or (target == np.trunc(target)).all()
    if not whole or target.min() < 0 or (width is not None and target.max() >= width):
        raise InvalidInput(
            "bad-target", f"the model tells {width} classes: the target must be 0 to {width - 1}",
            hint="--structure widens the last layer",
        )  # fmt: skip
