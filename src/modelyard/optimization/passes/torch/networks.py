"""Modules of torch as passes want them: loaded, with rows as tensors, and saved again."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.core.extras import need
from modelyard.errors import InvalidInput, Unsupported
from modelyard.frameworks.torch.calls import input_tensor
from modelyard.frameworks.torch.kinds import kind_of, module_of
from modelyard.frameworks.torch.training import target_tensor
from modelyard.optimization.making import model_of_object

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from modelyard.core.table import Table
    from modelyard.optimization.state import Model, Rows, Subject, Task, Work

__all__ = [
    "EXTRA",
    "Lesson",
    "boolean",
    "kept",
    "lesson_of",
    "module_in",
    "number",
    "option",
    "repeatable",
    "saved",
    "tensor_of",
    "whole",
    "why_no_lesson",
    "why_no_module",
]  # fmt: skip

EXTRA = "optimize-torch"
_FLAT = 1e-12
"""A teacher whose variance is no larger says the same of all."""
_STATES = ("builtins.dict", "collections.OrderedDict")

Json = Any


@dataclass(frozen=True, slots=True)
class Lesson:
    """Rows as a module takes them, and what it should say of them. First axes are rows."""

    inputs: Any
    """A tensor."""
    target: Any = None
    """int64 of classes, or float32 of numbers; None where it is not known."""
    weights: Any = None
    """float32: how much each row counts; None: all alike."""
    soft: Any = None
    """What a teacher says: its raw outputs."""
    scale: float = 1.0
    """Variance of all that the teacher says: the unit in which numbers are compared to it. That of
    a batch would make a small last one count most."""

    def __len__(self) -> int:
        return len(self.inputs)

    def take(self, rows: Any) -> Lesson:
        """Some of the rows."""
        tensors = (self.inputs, self.target, self.weights, self.soft)
        inputs, target, weights, soft = (None if t is None else t[rows] for t in tensors)
        return Lesson(inputs, target, weights, soft, self.scale)

    def taught(self, soft: Any, *, scale: float | None = None) -> Lesson:
        """The same with what a teacher says; `scale` by itself if None."""
        if scale is None:
            scale = float(soft.var(correction=0))
        return Lesson(self.inputs, self.target, self.weights, soft, scale if scale > _FLAT else 1.0)


def why_no_module(subject: Subject, *, rows: bool = True, layers: bool = False) -> str | None:
    """Why a pass on modules can't take a model: for `why_not`.

    Args:
        rows: Whether it has to learn something.
        layers: Whether it makes layers of other shapes.
    """
    if subject.framework != "torch":
        return f"it works on modules of torch, and this is {subject.framework or 'unknown'}"
    if subject.serializer == "export":
        return "an exported program can't be trained; commit the eager module"
    if subject.class_name in _STATES:
        return "these are tensors without their module; commit the module itself"
    if layers and not subject.class_name.startswith("torch.nn.modules."):
        return "its module has code of its own, so its layers can't be replaced"
    if rows and not subject.rows:
        return "it learns from rows: give --data"
    return None


def why_no_lesson(subject: Subject) -> str | None:
    """Why a module can't learn from what is right; None if it can."""
    why = why_no_module(subject)
    if why is None and not subject.has_target:
        return "it learns from a target: give --target"
    return why


def module_in(model: Model) -> Any:
    """The module of a model, loaded. A saved optimizer is left behind.

    Raises:
        Unsupported: `no-extra`; `not-improvable`: it holds no module that can be trained.
        Denied: `untrusted`.
    """
    need("torch", EXTRA)
    if model.saved.framework != "torch":
        raise Unsupported("not-improvable", f"a model of {model.saved.framework} is no module")
    obj = model.load()
    if kind_of(obj) not in ("module", "pair"):
        raise Unsupported(
            "not-improvable", "these are tensors or a program, not a module that can be trained",
            hint="commit the eager module; the pass `cast` works on tensors alone",
        )  # fmt: skip
    return module_of(obj)


def saved(module: Any, model: Model, work: Work, name: str = "model") -> Model:
    """The module as a model; an unfit serializer is not kept, and neither is an optimizer."""
    serializer = model.saved.serializer if model.saved.serializer == "torch" else "safetensors"
    example = None if work.train is None else work.train.inputs
    return model_of_object(
        module, work.folder(name), like=model, example=example, serializer=serializer
    )


def tensor_of(module: Any, model: Model, inputs: Table) -> Any:
    """Rows as the one tensor that a module takes, columns as its signature has them.

    Raises:
        Unsupported: `not-improvable`: it takes several.
        InvalidInput: `not-numeric`, `bad-inputs`.
    """
    told = (model.signature or {}).get("inputs", ())
    names = [str(entry["name"]) for entry in told]
    if len(names) > 1 and any(len(entry["shape"]) > 1 for entry in told):
        raise Unsupported(
            "not-improvable", f"the module takes {len(names)} tensors; this pass gives it one"
        )
    return input_tensor(module, inputs.known(names).matrix() if names else inputs.matrix())


def lesson_of(module: Any, model: Model, rows: Rows, task: Task) -> Lesson:
    """Rows as tensors. InvalidInput: `bad-target`, and those of `tensor_of`."""
    import torch

    inputs = tensor_of(module, model, rows.inputs)
    target = None
    if rows.target is not None and task != "other":
        values = np.asarray(rows.target)
        if task == "classification" and values.dtype.kind == "f" and (values % 1 == 0).all():
            values = values.astype(np.int64)
        if task == "regression" and values.dtype.kind in "biu":
            values = values.astype(np.float32)
        target = target_tensor(values, len(inputs))
    weights = None
    if rows.weights is not None:
        weights = torch.from_numpy(np.array(rows.weights, np.float32))
    return Lesson(inputs, target, weights)


@contextmanager
def repeatable(work: Work) -> Iterator[None]:
    """All chance comes from the seed, and all sums are added in one order."""
    import torch

    threads = torch.get_num_threads()
    strict = torch.are_deterministic_algorithms_enabled()
    warns = torch.is_deterministic_algorithms_warn_only_enabled()
    torch.set_num_threads(work.threads)
    torch.use_deterministic_algorithms(mode=True, warn_only=True)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(work.seed)
            yield
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(strict, warn_only=warns)


def kept(before: Any, after: Any) -> tuple[Mapping[str, Json], ...]:
    """What has changed between two modules whose tensors have the same names."""
    old, new = dict(before.named_parameters()), dict(after.named_parameters())
    found = []
    for name in old.keys() & new.keys():
        was, now = old[name].detach(), new[name].detach()
        entry: dict[str, Json] = {"layer": name, "shape": list(now.shape)}
        if was.shape == now.shape:
            entry["change"] = float((now - was).norm() / was.norm().clamp_min(1e-12))
        if now.ndim > 1:
            entry["sparsity"] = float((now == 0).float().mean())
        found.append(entry)
    found.sort(key=lambda entry: (-entry.get("change", 9.0), entry["layer"]))
    return tuple(found[:200])


# -- options ---------------------------------------------------------------------------------------


def number(params: Mapping[str, Json], name: str, default: float, low: float, high: float) -> float:
    """An option that is a number. InvalidInput: `bad-pass-option`."""
    value = params.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise InvalidInput(
            "bad-pass-option", f"{name} is a number from {low:g} to {high:g}, not {value!r:.40}"
        )
    return float(value)


def whole(params: Mapping[str, Json], name: str, default: int, low: int, high: int) -> int:
    """An option that is a whole number. InvalidInput: `bad-pass-option`."""
    value = number(params, name, default, low, high)
    if value != int(value):
        raise InvalidInput("bad-pass-option", f"{name} is a whole number, not {value}")
    return int(value)


def option(params: Mapping[str, Json], name: str, valid: tuple[str, ...]) -> str:
    """An option that is one of some words, the first by default. InvalidInput."""
    value = params.get(name, valid[0])
    if value not in valid:
        raise InvalidInput(
            "bad-pass-option", f"{name} is one of {', '.join(valid)}, not {value!r:.40}"
        )
    return str(value)


def boolean(params: Mapping[str, Json], name: str, *, default: bool) -> bool:
    """An option that is true or false. InvalidInput: `bad-pass-option`."""
    value = params.get(name, default)
    if not isinstance(value, bool):
        raise InvalidInput("bad-pass-option", f"{name} is true or false, not {value!r:.40}")
    return value
