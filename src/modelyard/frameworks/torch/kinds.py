"""What an object of torch is, told without importing torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from modelyard.frameworks.interface import bases_of

__all__ = ["Kind", "class_name", "kind_of", "module_of"]

Kind = Literal["module", "pair", "state", "program", "script"]

_MODULE = "torch.nn.modules.module.Module"
_SCRIPTS = frozenset({"torch.jit._script.ScriptModule", "torch.jit._script.RecursiveScriptModule"})


def kind_of(obj: object) -> Kind | None:
    """A module, a module with its optimizer, a dict of tensors, a program, or TorchScript."""
    bases = bases_of(obj)
    if bases & _SCRIPTS:
        return "script"
    if _MODULE in bases:
        return "module"
    if "torch.export.exported_program.ExportedProgram" in bases:
        return "program"
    if isinstance(obj, Mapping):
        return "state" if obj and all(_is_named_tensor(item) for item in obj.items()) else None
    if isinstance(obj, tuple) and len(obj) == 2:
        is_optimizer = "torch.optim.optimizer.Optimizer" in bases_of(obj[1])
        return "pair" if is_optimizer and kind_of(obj[0]) == "module" else None
    return None


def module_of(obj: Any) -> Any:
    """The module of a pair; any other object as it is."""
    return obj[0] if kind_of(obj) == "pair" else obj


def class_name(obj: Any) -> str:
    """`module.qualname` of the class that is meant: of a pair, that of the module."""
    cls = type(module_of(obj))
    return f"{cls.__module__}.{cls.__qualname__}"


def _is_named_tensor(item: tuple[object, object]) -> bool:
    return isinstance(item[0], str) and "torch.Tensor" in bases_of(item[1])
