"""A runtime as a function from a table to numbers: what explanations need of a model."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.errors import InvalidInput, Unsupported
from modelyard.registry.answers import check_target
from modelyard.registry.classes import Coder, agreed, unnamed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from modelyard.core.table import Table
    from modelyard.runtimes import Runtime

__all__ = ["Asked"]

Array = np.ndarray[Any, Any]


@dataclass(slots=True)
class Asked:
    """Asks a model, and says what its answers mean."""

    runtime: Runtime
    truth: Array | None = None
    """The target of the rows, if it is known."""
    names: tuple[str, ...] = field(default=())
    """Names of the numbers that `numbers` gives."""
    _coder: Coder = field(default_factory=Coder)
    """Classes, as evaluation compares them."""
    _right: Array | None = None
    """Codes of the right classes, as the model spells them."""

    def numbers(self, table: Table) -> Array:
        """Shape (rows, outputs): probabilities by class, or predictions.

        Raises:
            Unsupported: `not-explainable`: the model gives neither.
            InvalidInput: `bad-outputs`: of other rows, or not finite.
        """
        return self._numbers(self._outputs(table))

    def scorer(self, table: Table) -> tuple[str, Callable[[Table], Array]]:
        """What importance is measured by: its name, and a score for each row, higher is better.

        Raises:
            InvalidInput: `missing-target`, `bad-target`, `not-numeric`, `labels-differ`.
        """
        outputs = self._outputs(table)
        if self.truth is None:
            before = self._numbers(outputs)
            return "output", lambda changed: -self._distance(changed, before)
        label = outputs.get("label")
        if label is not None:
            check_target(self.truth, "classification", grouped=False)
            self._agree(label)
            return "accuracy", self._hits
        check_target(self.truth, "regression", grouped=False)
        return "r2", self._explained

    def _outputs(self, table: Table) -> Mapping[str, Array]:
        outputs = self.runtime.predict(table).outputs
        odd = [name for name, values in outputs.items() if len(values) != len(table)]
        if odd or not outputs:
            what = f"{odd[0]} of other rows" if odd else "nothing"
            raise InvalidInput(
                "bad-outputs", f"asked about {len(table):,} rows, the model gives {what}"
            )
        label = outputs.get("label")
        if label is None and self.truth is not None:
            label = self._likeliest(outputs, self.truth)
            return outputs if label is None else {**outputs, "label": label}
        if label is not None and label.ndim != 1:
            raise InvalidInput("bad-outputs", "the model gives several labels for each row")
        return outputs

    def _likeliest(self, outputs: Mapping[str, Array], truth: Array) -> Array | None:
        """The class with the highest of several scores; None: these are no scores of classes."""
        scores = outputs.get("probability", next(iter(outputs.values())))
        if scores.dtype.kind != "f" or scores.ndim != 2 or scores.shape[1] < 2:
            return None
        classes = self.runtime.about.classes
        if classes is None or len(classes) != scores.shape[1]:
            known = [Coder.name(value) for value in np.unique(truth).tolist()]
            names = unnamed(known, scores.shape[1])
            if names is None:
                return None
            classes = np.asarray(names, object)
        found: Array = classes[scores.argmax(axis=1)]
        return found

    def _numbers(self, outputs: Mapping[str, Array]) -> Array:
        for name in ("probability", "prediction", *outputs):
            values = outputs.get(name)
            if values is not None and values.dtype.kind in "iuf" and values.ndim <= 2:
                if not np.isfinite(values).all():
                    raise InvalidInput("bad-outputs", f"the model's {name} is not finite")
                flat = values.reshape(len(values), -1)
                self.names = self._names(name, flat.shape[1])
                return flat.astype(np.float64, copy=False)
        raise Unsupported(
            "not-explainable", "the model gives no numbers by row",
            hint="explanations need a classifier with probabilities, or a regression",
        )  # fmt: skip

    def _names(self, output: str, count: int) -> tuple[str, ...]:
        classes = self.runtime.about.classes
        if output == "probability" and classes is not None and len(classes) == count:
            return tuple(str(label) for label in classes)
        return (output,) if count == 1 else tuple(f"{output}[{i}]" for i in range(count))

    def _distance(self, table: Table, before: Array) -> Array:
        """How far the outputs of changed rows are from those of the rows as they were."""
        after = self.numbers(table)
        times = len(after) // len(before)
        change: Array = np.abs(after - np.tile(before, (times, 1))).mean(axis=1)
        return change

    def _agree(self, label: Array) -> None:
        """Read the target as the model's classes: 1, 1.0, "1" and true are one."""
        assert self.truth is not None
        codes = self._coder.codes(self.truth)
        names = list(self._coder.names)
        classes = self.runtime.about.classes
        said = [Coder.name(each) for each in (label if classes is None else classes)]
        same = agreed(names, list(dict.fromkeys(said)))
        spelled = np.array([same.get(name, name) for name in names], object)
        self._right = self._coder.codes(spelled[codes])

    def _hits(self, table: Table) -> Array:
        label = self._outputs(table).get("label")
        if label is None:
            raise InvalidInput("bad-outputs", "the model gives labels only for some rows")
        assert self._right is not None
        hits: Array = self._coder.codes(label) == self._tiled(self._right, table)
        return hits.astype(np.float64)

    def _explained(self, table: Table) -> Array:
        """Each row's part of R squared: their mean is R squared itself."""
        assert self.truth is not None
        truth = self._tiled(self.truth, table).astype(np.float64)
        error = (self.numbers(table)[:, 0] - truth) ** 2
        variance = float(np.var(truth)) or 1.0
        return 1.0 - error / variance

    def _tiled(self, values: Array, table: Table) -> Array:
        return np.tile(values, len(table) // len(values))
