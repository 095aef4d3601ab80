"""`keras-prune`: the smallest weights of a Keras model go, and the others learn on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from modelyard.optimization.passes.interface import Made, Option, Range
from modelyard.optimization.passes.keras import networks
from modelyard.optimization.passes.torch.networks import number, whole

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelyard.core.lineage import LineageKind
    from modelyard.optimization.state import Model, Rows, Subject, Work

__all__ = ["PASS"]

Json = Any
Array = np.ndarray[Any, Any]

_STEPS = 3_000
"""Batches that all rounds together may take if nobody says how many epochs."""
_BATCH = 32


class Prune:
    """Options beyond `sparsity`: `rounds` (3), `epochs` of each round."""

    NAME = "keras-prune"
    KIND: Literal["model"] = "model"
    LINEAGE: LineageKind = "pruned-from"
    SUMMARY = "Sets the smallest weights of a Keras model to zero, and trains the others on"

    def why_not(self, subject: Subject) -> str | None:
        """It takes models of Keras; without rows it prunes and trains nothing."""
        return networks.why_no_network(subject)

    def options(self, subject: Subject) -> Mapping[str, Option]:
        """`sparsity`: share of the weights that go."""
        if not subject.rows:
            return {"sparsity": Range(0.2, 0.7, 0.4)}
        return {"sparsity": Range(0.5, 0.95, 0.8)}

    def run(self, model: Model, params: Mapping[str, Json], work: Work) -> Made:
        """Prune by magnitude over all layers, in rounds (Zhu and Gupta: To prune, or not to prune,
        2017), and train after each with the loss and optimizer that the model was compiled with.

        What it makes is not compiled: it predicts, and an optimizer's state would triple its file.

        Raises:
            InvalidInput: `bad-pass-option`; `bad-target`, `no-loss`, `bad-inputs` of training.
            Unsupported: `not-improvable`, `no-extra`.
        """
        sparsity = number(params, "sparsity", 0.8, 0.0, 0.999)
        network = networks.network_in(model)
        weights = networks.kernels(network)
        if not weights:
            return Made(model=None, why="there are no weights that could go")
        before = [_numpy(each) for each in weights]
        rows = work.train
        if rows is None or not len(rows):
            masks = _masks(weights, sparsity)
        else:
            masks = _in_rounds(network, model, weights, sparsity, rows, params, work)
        found = networks.bare(network)
        for each, mask in zip(networks.kernels(found), masks, strict=True):
            each.assign(_numpy(each) * mask)
        total = sum(mask.size for mask in masks)
        zero = total - sum(int(mask.sum()) for mask in masks)
        return Made(
            model=networks.saved(found, model, work),
            notes=(
                f"{zero / total:.1%} of the weights are zero: files are smaller compressed",
                "the state of its optimizer is left out",
            ),
            changed=_changed(before, networks.kernels(found)),
        )


def _in_rounds(
    network: Any, model: Model, weights: list[Any], sparsity: float, rows: Rows,
    params: Mapping[str, Json], work: Work,
) -> list[Array]:  # fmt: skip
    from modelyard.frameworks.keras.training import trained

    rounds = whole(params, "rounds", 3, 1, 20)
    fair = max(1, min(5, _STEPS // rounds // max(1, len(rows) // _BATCH)))
    epochs = whole(params, "epochs", fair, 0, 1000)
    rows = networks.taught_by(network, rows, model)
    masks: list[Array] = []
    for place in range(1, rounds + 1):
        share = sparsity * (1 - (1 - place / rounds) ** 3)
        masks = _masks(weights, share)
        for each, mask in zip(weights, masks, strict=True):
            each.assign(_numpy(each) * mask)
            each.constraint = _Kept(mask)
        network.train_function = None  # one that was traced before knows other masks
        if epochs:
            trained(network, rows.inputs, rows.target, epochs=epochs, seed=work.seed + place)
        good = networks.right(network, work.valid, work, model)
        work.tell(f"round {place} of {rounds}: {share:.0%} of the weights gone", good)
    for each in weights:
        each.constraint = None
    network.train_function = None
    return masks


class _Kept:
    """What an optimizer does to a weight after each step: what is gone stays zero."""

    def __init__(self, mask: Array) -> None:
        self._mask = mask

    def __call__(self, value: Any) -> Any:
        from modelyard.frameworks.keras.library import keras

        ops = keras().ops
        return value * ops.cast(self._mask, value.dtype)


def _masks(weights: list[Any], sparsity: float) -> list[Array]:
    """1 for what stays, of the shape of each weight: the largest of all layers together."""
    sizes = [np.abs(_numpy(each)) for each in weights]
    together = np.sort(np.concatenate([each.ravel() for each in sizes]))
    gone = min(round(sparsity * len(together)), len(together) - 1)
    if not gone:
        return [np.ones(each.shape, np.float32) for each in sizes]
    limit = together[gone - 1]
    return [(each > limit).astype(np.float32) for each in sizes]


def _changed(before: list[Array], weights: list[Any]) -> tuple[Mapping[str, Json], ...]:
    """Paired by position: layers inside of two models may have equal paths."""
    found: list[dict[str, Json]] = []
    for old, each in zip(before, weights, strict=True):
        new = _numpy(each)
        size = float(np.linalg.norm(old)) or 1.0
        found.append({
            "layer": each.path, "change": float(np.linalg.norm(new - old)) / size,
            "sparsity": float((new == 0).mean()), "dtype": str(each.dtype),
            "shape": list(new.shape),
        })  # fmt: skip
    return tuple(sorted(found, key=lambda each: -each["change"])[:200])


def _numpy(variable: Any) -> Array:
    from modelyard.frameworks.keras.library import keras, quiet

    ops = keras().ops
    with quiet():
        return np.array(ops.convert_to_numpy(ops.convert_to_tensor(variable.value)))


PASS = Prune()
