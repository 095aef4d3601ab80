"""Objects of torch into files."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from modelyard.errors import InvalidInput
from modelyard.formats.reading import printable
from modelyard.frameworks.interface import Saved
from modelyard.frameworks.torch import optimizers
from modelyard.frameworks.torch.calls import quiet, traced_inputs
from modelyard.frameworks.torch.kinds import class_name, kind_of, module_of
from modelyard.frameworks.torch.tensors import write_tensors
from modelyard.frameworks.torch.tree import describe

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["ABOUT", "init_arguments", "save"]

Json = Any

ABOUT = "model.json"
_ARGUMENTS = ("init_args", "hparams", "config")
_SCALARS = (bool, int, float, str, type(None))


def save(obj: Any, folder: Path, serializer: str, example: Any = None) -> Saved:
    """Write `model.safetensors`, `model.pt` or `model.pt2`, and `model.json` beside it."""
    kind = kind_of(obj)
    if kind == "script":
        raise InvalidInput(
            "not-savable", "a TorchScript module holds compiled code, not only weights",
            hint="commit the eager module, or serializer='export' of it; files written by "
            "torch.jit.save can be committed as files",
        )  # fmt: skip
    if kind == "program" or serializer == "export":
        return _save_program(obj, folder, example)
    tensors = _state(obj)
    name = "model.pt" if serializer == "torch" else "model.safetensors"
    if serializer == "torch":
        import torch

        torch.save(tensors, folder / name)
    else:
        write_tensors(folder / name, _only_tensors(tensors))
    about = _about(obj)
    if kind == "pair":
        optimizers.save(obj[1], obj[0], folder)
    text = json.dumps(about, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    (folder / ABOUT).write_text(text, encoding="utf-8")
    return _saved(obj, serializer, file=name, kind=kind)


def init_arguments(module: Any) -> dict[str, Json] | None:
    """What a module of a foreign class says that it was made with.

    The first of its attributes `init_args`, `hparams` and `config` that is a dict of numbers,
    texts, True, False and None by name.
    """
    for name in _ARGUMENTS:
        found = getattr(module, name, None)
        if isinstance(found, Mapping) and all(_is_scalar(item) for item in found.items()):
            return dict(found)
    return None


def _is_scalar(item: tuple[Any, Any]) -> bool:
    name, value = item
    is_number = not isinstance(value, float) or abs(value) < float("inf")
    return isinstance(name, str) and type(value) in _SCALARS and is_number


def _about(obj: Any) -> dict[str, Json]:
    """What the tensors do not tell: class, tree, what is frozen, which parts train."""
    kind = kind_of(obj)
    if kind == "state":
        return {"kind": "state"}
    module = module_of(obj)
    about: dict[str, Json] = {"kind": kind, "class": class_name(obj)}
    tree = describe(module)
    if tree is not None:
        about["tree"] = tree
    else:
        arguments = init_arguments(module)
        if arguments is not None:
            about["init"] = arguments
    frozen = [name for name, parameter in module.named_parameters() if not parameter.requires_grad]
    if frozen:
        about["frozen"] = frozen
    modes = [path for path, part in module.named_modules() if part.training != module.training]
    return {**about, "training": module.training, **({"otherwise": modes} if modes else {})}


def _state(obj: Any) -> dict[str, Any]:
    if kind_of(obj) == "state":
        return dict(obj)
    module = module_of(obj)
    if any(type(p).__name__.startswith("Uninitialized") for p in module.parameters()):
        raise InvalidInput(
            "not-savable", "a lazy module has no weights yet", hint="call it once, then commit it"
        )
    return dict(module.state_dict())


def _only_tensors(state: dict[str, Any]) -> dict[str, Any]:
    import torch

    other = [name for name, value in state.items() if not isinstance(value, torch.Tensor)]
    if other:
        raise InvalidInput(
            "not-savable", f"{', '.join(other[:5])}: no tensors, so safetensors has no room",
            hint="serializer='torch'",
        )  # fmt: skip
    return state


def _save_program(obj: Any, folder: Path, example: Any) -> Saved:
    import torch

    kind = kind_of(obj)
    if kind == "state":
        raise InvalidInput(
            "not-savable", "a dict of tensors has no program to export",
            hint="serializer='safetensors'",
        )  # fmt: skip
    program = obj if kind == "program" else _exported(module_of(obj), example)
    try:
        torch.export.save(program, folder / "model.pt2")
    except Exception as error:
        raise InvalidInput(
            "not-savable", f"torch.export can't save it: {_line(error)}",
            hint="serializer='safetensors'",
        ) from error  # fmt: skip
    return _saved(obj, "export", file="model.pt2", kind="program" if kind == "program" else None)


def _exported(module: Any, example: Any) -> Any:
    import torch

    if example is None:
        raise InvalidInput(
            "no-example", "torch.export traces the module with an example",
            hint="give example= with a few rows",
        )  # fmt: skip
    args, kwargs = traced_inputs(module, example)
    try:
        with quiet(""), _evaluating(module):  # tracing warns in the name of whoever calls it
            return torch.export.export(
                module, args, kwargs or None, dynamic_shapes=_rows_vary(module, args, kwargs)
            )
    except Exception as error:
        raise InvalidInput(
            "not-savable", f"torch.export can't trace it: {_line(error)}",
            hint="serializer='safetensors' needs no tracing",
        ) from error  # fmt: skip


@contextmanager
def _evaluating(module: Any) -> Iterator[None]:
    """Dropout must not be traced into a program; every part gets its own mode back."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training


def _rows_vary(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The first axis of every input may have any length."""
    import inspect

    import torch

    def vary(value: Any) -> Any:
        return {0: torch.export.Dim.AUTO} if value.ndim else None

    if not kwargs:
        return tuple(map(vary, args))
    bound = inspect.signature(module.forward).bind(*args, **kwargs).arguments
    return {name: vary(value) for name, value in bound.items()}


def _saved(obj: Any, serializer: str, **details: Json) -> Saved:
    given = {name: value for name, value in details.items() if value is not None}
    return Saved(
        framework="torch", serializer=serializer, class_name=class_name(obj), details=given
    )


def _line(error: BaseException) -> str:
    return printable((str(error) or type(error).__name__).splitlines()[0])
