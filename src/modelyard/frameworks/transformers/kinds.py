"""What an object of transformers is, told without importing the library."""

from __future__ import annotations

from typing import Any, Literal

from modelyard.frameworks.interface import bases_of

__all__ = ["Kind", "class_name", "kind_of", "model_of", "tokenizer_of"]

Kind = Literal["model", "tokenizer", "pair", "pipeline"]

_MODEL = "transformers.modeling_utils.PreTrainedModel"
_TOKENIZER = "transformers.tokenization_utils_base.PreTrainedTokenizerBase"
_PIPELINE = "transformers.pipelines.base.Pipeline"


def kind_of(obj: object) -> Kind | None:
    """A model, a tokenizer, (model, tokenizer), or a pipeline of both."""
    bases = bases_of(obj)
    if _MODEL in bases:
        return "model"
    if _TOKENIZER in bases:
        return "tokenizer"
    if _PIPELINE in bases:
        return "pipeline"
    if isinstance(obj, tuple) and len(obj) == 2:
        is_pair = kind_of(obj[0]) == "model" and kind_of(obj[1]) == "tokenizer"
        return "pair" if is_pair else None
    return None


def model_of(obj: Any) -> Any:
    """The model of an object, or None."""
    kind = kind_of(obj)
    if kind == "pipeline":
        return obj.model
    return {"model": obj, "pair": obj[0] if kind == "pair" else None}.get(str(kind))


def tokenizer_of(obj: Any) -> Any:
    """The tokenizer of an object, or None."""
    kind = kind_of(obj)
    if kind == "pipeline":
        return obj.tokenizer
    return {"tokenizer": obj, "pair": obj[1] if kind == "pair" else None}.get(str(kind))


def class_name(obj: Any) -> str:
    """`module.qualname` of the model's class, or of the tokenizer's if there is no model."""
    model = model_of(obj)
    cls = type(tokenizer_of(obj) if model is None else model)
    return f"{cls.__module__}.{cls.__qualname__}"
