"""Transformers: models, tokenizers, both together, and pipelines, as the library's own folders.

Classes are looked up by name among those that the library exports. Code that a folder brings or
names is never run, and nothing is fetched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modelyard.errors import InvalidInput
from modelyard.frameworks.transformers.kinds import kind_of

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

NAME = "transformers"
SERIALIZERS = ("safetensors",)

Json = Any


def recognises(obj: object) -> bool:
    """A model, a tokenizer, (model, tokenizer), or a pipeline."""
    return kind_of(obj) is not None


def save(obj: Any, folder: Path, serializer: str, example: Any = None) -> Saved:
    """Write what `save_pretrained` writes. InvalidInput: `not-savable`."""
    from modelyard.frameworks.transformers import storing

    return storing.save(obj, folder)


def claims(files: Files) -> Saved | None:
    """A folder with `config.json` and weights."""
    from modelyard.frameworks.transformers import storing

    return storing.claims(files)


def load(files: Files, saved: Saved, trust: Trust, into: Any = None) -> Any:
    """The object again, models in evaluation mode.

    Raises:
        Denied: `untrusted`: the folder names code of its own, kernels, adapters or pickles.
        InvalidInput: `not-loadable`, `no-into`.
    """
    from modelyard.frameworks.transformers import storing

    return storing.load(files, saved, trust, into)


def params(obj: Any) -> dict[str, Json]:
    """Numbers, texts and switches of the config."""
    from modelyard.frameworks.transformers import changing

    return changing.params(obj)


def set_params(obj: Any, changes: Mapping[str, Json]) -> Any:
    """The weights in a model with another config. InvalidInput: `no-param`, `bad-param`."""
    from modelyard.frameworks.transformers import changing

    return changing.set_params(obj, changes)


def structure(obj: Any) -> tuple[str, ...]:
    """Lines of the config, then of the layers."""
    from modelyard.frameworks.transformers import changing

    return changing.lines(obj)


def set_structure(obj: Any, plan: Json, trust: Trust) -> tuple[Any, tuple[str, ...]]:
    """Tensors changed by a plan that leaves names and shapes. InvalidInput: `bad-structure`."""
    from modelyard.frameworks.transformers import changing

    return changing.rebuilt(obj, plan)


def optimizer(obj: Any) -> dict[str, Json]:
    """Empty: transformers keeps optimizers in its trainer, not in the model."""
    return {}


def set_optimizer(obj: Any, changes: Mapping[str, Json]) -> Any:
    """InvalidInput: `no-optimizer`."""
    raise InvalidInput(
        "no-optimizer", "a model of transformers has no optimizer of its own",
        hint="train it with transformers.Trainer, and commit it again",
    )  # fmt: skip


def fit(obj: Any, inputs: Table, target: Any, *, epochs: int | None, seed: int) -> Any:
    """InvalidInput: `no-fit`."""
    raise InvalidInput(
        "no-fit", "models of transformers are not trained here",
        hint="train it with transformers.Trainer, and commit it again",
    )  # fmt: skip


def signature(obj: Any, example: Any) -> Json | None:
    """Texts (or columns) in, what the runtime gives out; None for a tokenizer alone."""
    if example is None:
        return None
    from modelyard.frameworks.transformers import calls

    return calls.signature(obj, example)
