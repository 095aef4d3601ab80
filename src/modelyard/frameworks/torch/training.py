"""Training a module on rows: small and the same each time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.errors import InvalidInput
from modelyard.formats.reading import printable
from modelyard.frameworks.torch import optimizers
from modelyard.frameworks.torch.calls import input_tensor, last_layer, quiet
from modelyard.frameworks.torch.kinds import kind_of, module_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelyard.core.table import Table

__all__ = ["fit", "set_optimizer", "target_tensor"]

Array = np.ndarray[Any, Any]

_BATCH = 32
_LR = 1e-3


def set_optimizer(obj: Any, changes: Any) -> Any:
    """(module, optimizer). InvalidInput: `no-optimizer`, `bad-optimizer`."""
    if kind_of(obj) not in ("module", "pair"):
        raise InvalidInput(
            "no-optimizer", "only a module has an optimizer", hint="commit the module itself"
        )
    module = module_of(obj)
    return module, optimizers.make(module, obj[1] if kind_of(obj) == "pair" else None, changes)


def fit(obj: Any, inputs: Table, target: Any, *, epochs: int | None, seed: int) -> Any:
    """(module, optimizer), trained in batches of 32 for `epochs` (1 if None).

    The order of rows and what dropout leaves out come from `seed`. Without an optimizer it is Adam
    with 0.001. Whole numbers are classes: cross entropy (binary, if there is one output); floats
    are values: the mean squared error.

    Raises:
        InvalidInput: `no-fit`, `bad-target`, `bad-inputs`, `not-numeric`.
    """
    import torch

    if kind_of(obj) not in ("module", "pair"):
        raise InvalidInput("no-fit", "only a module can be trained", hint="commit the eager module")
    module = module_of(obj)
    pair = obj if kind_of(obj) == "pair" else set_optimizer(obj, {"name": "adam", "lr": _LR})
    rows = input_tensor(module, inputs.matrix())
    wanted = target_tensor(target, len(rows))
    loss = _loss(module, wanted)
    was_training = module.training
    with torch.random.fork_rng(devices=[]), quiet():
        torch.manual_seed(seed)
        module.train()
        try:
            for _ in range(1 if epochs is None else epochs):
                for batch in torch.split(torch.randperm(len(rows)), _BATCH):
                    pair[1].zero_grad()
                    loss(module(rows[batch]), wanted[batch]).backward()
                    pair[1].step()
        except InvalidInput:
            raise
        except Exception as error:
            reason = printable((str(error) or type(error).__name__).splitlines()[0])
            raise InvalidInput(
                "bad-inputs", f"the module can't be trained on these rows: {reason}"
            ) from error
        finally:
            pair[1].zero_grad()
            module.train(was_training)
    return pair


def target_tensor(target: Any, rows: int) -> Any:
    """int64 of classes from 0, or float32 of numbers. InvalidInput: `bad-target`."""
    import torch

    array = np.asarray(target)
    if array.dtype.kind not in "biuf":
        raise InvalidInput(
            "bad-target", "the target holds texts; a torch module learns numbers",
            hint="give classes as whole numbers from 0",
        )  # fmt: skip
    if len(array) != rows or not rows:
        raise InvalidInput("bad-target", f"{len(array)} targets for {rows} rows")
    if array.dtype.kind == "f":
        if not np.isfinite(array).all():
            raise InvalidInput("bad-target", "the target has missing or endless values")
        return torch.from_numpy(np.array(array, np.float32))
    if array.min() < 0:
        raise InvalidInput("bad-target", "classes are whole numbers from 0")
    return torch.from_numpy(np.array(array, np.int64))


def _loss(module: Any, target: Any) -> Callable[[Any, Any], Any]:
    if target.is_floating_point():
        return _squared
    last = last_layer(module)
    return lambda output, classes: _entropy(output, classes, last)


def _squared(output: Any, values: Any) -> Any:
    import torch

    output = _single(output)
    if output.numel() != values.numel():
        raise InvalidInput(
            "bad-target", f"the module gives {list(output.shape)}, the target is "
            f"{list(values.shape)}",
        )  # fmt: skip
    return torch.nn.functional.mse_loss(output.reshape(values.shape), values.to(output.dtype))


def _entropy(output: Any, classes: Any, last: str | None) -> Any:
    import torch.nn.functional as F

    output = _single(output)
    if output.ndim == 1 or output.shape[1] == 1:
        if int(classes.max()) > 1:
            raise InvalidInput("bad-target", "one output can only tell two classes, 0 and 1")
        flat, wanted = output.reshape(-1), classes.to(output.dtype).reshape(-1)
        if last == "Sigmoid":
            return F.binary_cross_entropy(flat, wanted)
        return F.binary_cross_entropy_with_logits(flat, wanted)
    if int(classes.max()) >= output.shape[1]:
        raise InvalidInput(
            "bad-target", f"class {int(classes.max())}, but the module knows {output.shape[1]}",
            hint="give classes as whole numbers from 0",
        )  # fmt: skip
    if last == "LogSoftmax":
        return F.nll_loss(output, classes)
    if last == "Softmax":
        return F.nll_loss(output.clamp_min(1e-12).log(), classes)
    return F.cross_entropy(output, classes)


def _single(output: Any) -> Any:
    import torch

    if not isinstance(output, torch.Tensor):
        raise InvalidInput(
            "no-fit", "only a module with one output can be trained here",
            hint="train it with your own loop, and commit it again",
        )  # fmt: skip
    return output
