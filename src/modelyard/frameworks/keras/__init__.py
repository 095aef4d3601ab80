"""Keras 3 models: `.keras`, `.h5`, and SavedModel, which only predicts once it is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modelyard.errors import InvalidInput
from modelyard.frameworks.interface import bases_of
from modelyard.frameworks.keras import files as _files

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from modelyard.core.table import Table
    from modelyard.core.trust import Trust
    from modelyard.frameworks.interface import Files, Json, Saved

__all__ = [
    "NAME",
    "SERIALIZERS",
    "claims",
    "fit",
    "load",
    "optimizer",
    "params",
    "recognises",
    "save",
    "set_optimizer",
    "set_params",
    "set_structure",
    "signature",
    "structure",
]

NAME = "keras"
SERIALIZERS = ("keras", "h5", "savedmodel")

_GRAPH = "modelyard.frameworks.keras.savedmodel.SavedGraph"
_BASES = frozenset({"keras.src.models.model.Model", _GRAPH})


def recognises(obj: object) -> bool:
    """Whether `obj` is a model of Keras 3, or a SavedModel that was loaded here."""
    return not bases_of(obj).isdisjoint(_BASES)


def save(obj: Any, folder: Path, serializer: str, example: Any = None) -> Saved:
    """Write `model.keras` (default), `model.h5` or `model/`. InvalidInput: `not-savable`."""
    return _files.save(obj, folder, serializer)


def claims(files: Files) -> Saved | None:
    """The one `.keras`, whole-model `.h5` or SavedModel among the files."""
    return _files.claim(files)


def load(files: Files, saved: Saved, trust: Trust, into: Any = None) -> Any:
    """The model, compiled as it was saved, with the optimizer's state.

    Before Keras sees a file, our own readers have walked its configuration: whatever is outside of
    Keras' own classes, holds code or leads out of the file needs trust by its name.

    Raises:
        Denied: `untrusted`.
        InvalidInput: `not-loadable`, `no-into`.
    """
    if into is not None:
        raise InvalidInput("no-into", "Keras files make their own model; nothing can be filled")
    return _files.load(files, saved, trust)


def params(obj: Any) -> dict[str, Json]:
    """`LAYER__PARAM` of what can change without new weights. InvalidInput: `read-only`."""
    from modelyard.frameworks.keras.parameters import params_of

    return params_of(_changeable(obj, "parameters"))


def set_params(obj: Any, changes: Mapping[str, Json]) -> Any:
    """A new model with the same weights. InvalidInput: `no-param`, `bad-param`, `read-only`."""
    from modelyard.frameworks.keras.parameters import with_params

    return with_params(_changeable(obj, "parameters"), changes)


def structure(obj: Any) -> tuple[str, ...]:
    """`dense: Dense(64, relu) (None, 64) 4,160 params`, a line a layer."""
    from modelyard.frameworks.keras.structuring import structure_of

    return () if bases_of(obj) >= {_GRAPH} else structure_of(obj)


def set_structure(obj: Any, plan: Json, trust: Trust) -> tuple[Any, tuple[str, ...]]:
    """A new model after a plan, and what became of each layer's weights.

    Raises:
        InvalidInput: `bad-structure`, `read-only`.
        Denied: `untrusted`.
    """
    from modelyard.frameworks.keras.structuring import with_structure

    return with_structure(_changeable(obj, "structure"), plan, trust)


def optimizer(obj: Any) -> dict[str, Json]:
    """`{"name": "adam", "learning_rate": 0.001, ...}`; empty for a model without one."""
    from modelyard.frameworks.keras.optimizers import optimizer_of

    return optimizer_of(obj)


def set_optimizer(obj: Any, changes: Mapping[str, Json]) -> Any:
    """The model compiled with another optimizer; its state starts anew.

    Raises:
        InvalidInput: `no-optimizer`, `bad-optimizer`, `read-only`.
    """
    from modelyard.frameworks.keras.optimizers import with_optimizer

    return with_optimizer(_changeable(obj, "optimizer"), changes)


def fit(obj: Any, inputs: Table, target: Any, *, epochs: int | None, seed: int) -> Any:
    """The model trained further, one epoch by default. InvalidInput: see `training.trained`."""
    from modelyard.frameworks.keras.training import trained

    return trained(obj, inputs, target, epochs=epochs, seed=seed)


def signature(obj: Any, example: Any) -> Json | None:
    """Inputs by the names of input layers, or of columns; outputs as the runtime names them."""
    if example is None:
        return None
    from modelyard.frameworks.keras.tensors import signature_of

    return signature_of(obj, example)


def _changeable(obj: Any, what: str) -> Any:
    from modelyard.frameworks.keras.savedmodel import SavedGraph, refuse

    if isinstance(obj, SavedGraph):
        raise refuse(what)
    return obj
