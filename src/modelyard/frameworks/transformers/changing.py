"""What of a model of transformers may be changed: its config, and its tensors by a plan."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from modelyard.errors import InvalidInput
from modelyard.formats.reading import printable
from modelyard.frameworks.torch import plan as plans
from modelyard.frameworks.torch import structures
from modelyard.frameworks.transformers.kinds import kind_of, model_of
from modelyard.frameworks.transformers.library import secluded

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["lines", "params", "rebuilt", "set_params"]

Json = Any

_SCALARS = (bool, int, float, str)
_TOLD = frozenset({
    "transformers_version", "model_type", "architectures", "_name_or_path", "dtype", "torch_dtype",
    "attn_implementation", "_attn_implementation", "auto_map", "quantization_config",
})  # fmt: skip
_LINES = 400


def params(obj: Any) -> dict[str, Json]:
    """The config's numbers, texts and switches; those that are not set (None) are left out."""
    model = model_of(obj)
    if model is None:
        return {}
    return {
        name: value
        for name, value in model.config.to_dict().items()
        if type(value) in _SCALARS and name not in _TOLD
    }


def set_params(obj: Any, changes: Mapping[str, Json]) -> Any:
    """The same weights in a model with another config.

    Raises:
        InvalidInput: `no-param`, `bad-param`: of another type, or it changes a tensor's shape.
    """
    model, known = model_of(obj), params(obj)
    if model is None:
        raise InvalidInput("no-param", "a tokenizer alone has no parameters to set")
    for name, value in changes.items():
        if name not in known:
            raise InvalidInput("no-param", f"the config has no {name!r}", hint=_near(name, known))
        _check(name, known[name], value)
    config = copy.deepcopy(model.config)
    for name, value in changes.items():
        setattr(config, name, value)
    return _with_model(obj, _again(model, config, changes))


def lines(obj: Any) -> tuple[str, ...]:
    """`key = value` of the config, then a line for each layer, at most 400."""
    model = model_of(obj)
    if model is None:
        return (f"{type(obj).__name__}: {len(obj)} tokens",)
    config = [f"{name} = {value}" for name, value in params(obj).items()]
    layers = structures.lines(model)
    more = [f"... and {len(layers) - _LINES} more layers"] if len(layers) > _LINES else []
    return (f"{type(model).__name__}", *config, *layers[:_LINES], *more)


def rebuilt(obj: Any, plan: Json) -> tuple[Any, tuple[str, ...]]:
    """Tensors changed by a plan, if the class still takes them. InvalidInput: `bad-structure`."""
    model = model_of(obj)
    if model is None:
        raise InvalidInput(
            "bad-structure", "a tokenizer has no tensors", hint="commit it with a model"
        )
    before = model.state_dict()
    tensors, sentences = plans.apply(before, plan)
    if {n: t.shape for n, t in tensors.items()} != {n: t.shape for n, t in before.items()}:
        raise InvalidInput(
            "bad-structure", f"{type(model).__name__} would not take the changed tensors",
            hint="check the version out, change its files, and commit them as a dict of tensors",
        )  # fmt: skip
    model.load_state_dict(tensors, assign=True)
    model.tie_weights()
    return obj, sentences


def _check(name: str, old: Json, value: Json) -> None:
    numbers = isinstance(old, int | float) and not isinstance(old, bool)
    fits = type(value) is type(old) or (numbers and type(value) in (int, float))
    if not fits or (isinstance(old, int) and numbers and type(value) is float):
        kind = type(old).__name__
        raise InvalidInput(
            "bad-param", f"{name} can't be {str(value)[:60]!r}", hint=f"it is a {kind}, now {old}"
        )


def _again(model: Any, config: Any, changes: Mapping[str, Json]) -> Any:
    names = ", ".join(changes)
    state = model.state_dict()
    try:
        with secluded():
            made = type(model)(config).to(model.dtype)
            own = made.state_dict()
    except Exception as error:
        line = printable((str(error) or type(error).__name__).splitlines()[0])
        raise InvalidInput(
            "bad-param", f"{type(model).__name__} can't be made so: {line}"
        ) from error
    other = [n for n in {*own, *state} if n not in own or n not in state]
    other += [n for n in own if n in state and own[n].shape != state[n].shape]
    if other:
        raise InvalidInput(
            "bad-param", f"{names}: the weights would not fit any more ({sorted(other)[0]})",
            hint="change what leaves the tensors as they are, such as a dropout",
        )  # fmt: skip
    made.load_state_dict(state)
    made.tie_weights()
    return made.train(model.training)


def _with_model(obj: Any, model: Any) -> Any:
    kind = kind_of(obj)
    if kind == "pair":
        return model, obj[1]
    if kind == "pipeline":
        obj.model = model
        return obj
    return model


def _near(name: str, known: Mapping[str, Any]) -> str:
    from difflib import get_close_matches

    shown = get_close_matches(name, known, 6, 0.4) or list(known)[:12]
    return f"there are {', '.join(shown)}" + (", ..." if len(known) > len(shown) else "")
