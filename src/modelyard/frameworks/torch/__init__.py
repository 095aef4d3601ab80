"""PyTorch: modules, dicts of tensors, exported programs, a module with its optimizer.

Weights are kept as safetensors, a module of torch.nn layers with its tree in `model.json`, so that
it loads without any code of its own. `export` keeps a traced program, `torch` torch's own file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modelyard.frameworks.torch.kinds import kind_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from modelyard.core.table import Table
    from modelyard.core.trust import Trust
    from modelyard.frameworks.interface import Files, Saved

__all__ = [
    "NAME", "SERIALIZERS", "claims", "fit", "load", "optimizer", "params", "recognises", "save",
    "set_optimizer", "set_params", "set_structure", "signature", "structure",
]  # fmt: skip

NAME = "torch"
SERIALIZERS = ("safetensors", "export", "torch")

Json = Any


def recognises(obj: object) -> bool:
    """A module, a dict of tensors by name, an exported program, or (module, optimizer)."""
    return kind_of(obj) is not None


def save(obj: Any, folder: Path, serializer: str, example: Any = None) -> Saved:
    """Write weights and `model.json`, or a program traced with the example.

    Raises:
        InvalidInput: `not-savable`, `no-example`.
    """
    from modelyard.frameworks.torch import saving

    return saving.save(obj, folder, serializer, example)


def claims(files: Files) -> Saved | None:
    """One `.safetensors` (or its shards), `.pt`, `.pth` or `.pt2`."""
    from modelyard.frameworks.torch import loading

    return loading.claims(files)


def load(files: Files, saved: Saved, trust: Trust, into: Any = None) -> Any:
    """The object again. A module of torch.nn layers comes back in the mode it was saved in.

    Args:
        into: A module to fill, strictly; for modules of a class of your own.

    Raises:
        Denied: `untrusted`: a foreign class, pickled objects, TorchScript (`torch.jit.load`).
        InvalidInput: `not-loadable`, `no-into`.
    """
    from modelyard.frameworks.torch import loading

    return loading.load(files, saved, trust, into)


def params(obj: Any) -> dict[str, Json]:
    """`{"1__p": 0.5, "0__trainable": True, "training": False, ...}`."""
    from modelyard.frameworks.torch import parameters

    return parameters.read(obj)


def set_params(obj: Any, changes: Mapping[str, Json]) -> Any:
    """The module, changed. InvalidInput: `no-param`, `bad-param`."""
    from modelyard.frameworks.torch import parameters

    return parameters.write(obj, changes)


def structure(obj: Any) -> tuple[str, ...]:
    """A line for each layer, or for each tensor of a dict."""
    from modelyard.frameworks.torch import structures

    return structures.lines(obj)


def set_structure(obj: Any, plan: Json, trust: Trust) -> tuple[Any, tuple[str, ...]]:
    """Tensors changed by a plan (see `plan`), or layers replaced on a tree of torch.nn.

    Raises:
        InvalidInput: `bad-structure`.
        Denied: `untrusted`: the plan names a class outside of torch.nn.
    """
    from modelyard.frameworks.torch import structures

    return structures.rebuilt(obj, plan, trust)


def optimizer(obj: Any) -> dict[str, Json]:
    """`{"name": "adamw", "lr": 0.001, ...}` of a pair; empty for anything else."""
    from modelyard.frameworks.torch import optimizers

    return optimizers.describe(obj[1]) if kind_of(obj) == "pair" else {}


def set_optimizer(obj: Any, changes: Mapping[str, Json]) -> Any:
    """(module, optimizer) with an optimizer of torch.optim.

    Raises:
        InvalidInput: `no-optimizer`, `bad-optimizer`.
    """
    from modelyard.frameworks.torch import training

    return training.set_optimizer(obj, changes)


def fit(obj: Any, inputs: Table, target: Any, *, epochs: int | None, seed: int) -> Any:
    """(module, optimizer), trained. InvalidInput: `no-fit`, `bad-target`, `bad-inputs`."""
    from modelyard.frameworks.torch import training

    return training.fit(obj, inputs, target, epochs=epochs, seed=seed)


def signature(obj: Any, example: Any) -> Json | None:
    """Inputs of the example, outputs as the runtime names them; None for a dict of tensors."""
    if example is None:
        return None
    from modelyard.frameworks.torch import calls

    return calls.signature(obj, example)
