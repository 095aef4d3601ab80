"""Objects that stay in a child process: what `load(isolated=True)` gives."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Self

from modelyard.core.table import Table
from modelyard.errors import InvalidInput, Unsupported
from modelyard.runtimes.process import Limits, ProcessRuntime, open_process

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from modelyard.core.trust import Trust
    from modelyard.frameworks import Saved

__all__ = ["IsolatedObject", "isolate"]

_OF_THEIR_OWN: Final = frozenset({"xgboost.core.Booster"})
"""Classes whose `predict` takes no arrays, but a matrix of the library's own."""


def isolate(
    folder: Path,
    saved: Saved,
    *,
    trust: Trust,
    signature: Any = None,
    limits: Limits = Limits(),  # noqa: B008 - frozen
) -> IsolatedObject:
    """Load a version's object in a process that can reach nothing. Raises as `spawn_runtime`."""
    bounded = replace(limits, isolated=True, network=False)
    runtime = open_process(
        folder, saved, trust=trust, signature=signature, limits=bounded, whole=True
    )
    return IsolatedObject(runtime, saved)


class IsolatedObject:
    """Answers like the object that it stands for, by arrays only: the object never comes here.

    Inputs are arrays, nested lists, or data frames; outputs are numpy arrays of the same shape and
    dtype as the object's own. What has no `predict` of its own for arrays (modules of torch, ONNX,
    pipelines, Boosters) answers as its runtime does. Close it, or use it in a `with` statement.

    Every method raises InvalidInput `no-method` (the object hasn't it), `bad-inputs`, Unavailable
    `model-failed`, `model-died`, `model-timeout`, and Corrupt `bad-frame`.
    """

    def __init__(self, runtime: ProcessRuntime, saved: Saved) -> None:
        self._runtime = runtime
        self._saved = saved

    @property
    def runtime(self) -> ProcessRuntime:
        """The same object as a `Runtime`."""
        return self._runtime

    def predict(self, inputs: Any) -> Any:
        """As the object's own; else its labels, its only output, or all of them by name."""
        return self._answered("predict", inputs)

    def predict_proba(self, inputs: Any) -> Any:
        """As the object's own; else the runtime's output `probability`."""
        return self._answered("predict_proba", inputs)

    def transform(self, inputs: Any) -> Any:
        return self._call("transform", inputs)

    def decision_function(self, inputs: Any) -> Any:
        return self._call("decision_function", inputs)

    def score_samples(self, inputs: Any) -> Any:
        return self._call("score_samples", inputs)

    def params(self) -> dict[str, Any]:
        """Parameters by name, as `Framework.params` gives them."""
        found = self._runtime.call("params")
        return dict(found) if isinstance(found, dict) else {}

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """As scikit-learn's: `params`, those of nested objects too if `deep`."""
        return {name: v for name, v in self.params().items() if deep or "__" not in name}

    def structure(self) -> tuple[str, ...]:
        """A line for each step, layer or tensor."""
        found = self._runtime.call("structure")
        return tuple(map(str, found)) if isinstance(found, list) else ()

    def close(self) -> None:
        self._runtime.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        state = f"process {self._runtime.pid}" if self._runtime.alive else "ended"
        return f"<isolated {self._saved.class_name}, {state}>"

    def _call(self, method: str, inputs: Any) -> Any:
        return self._runtime.call(method, _sendable(inputs))

    def _answered(self, method: str, inputs: Any) -> Any:
        """By the object's method, or by the runtime if it hasn't it."""
        if isinstance(inputs, dict) or self._saved.class_name in _OF_THEIR_OWN:
            return self._by_runtime(method, inputs)
        try:
            return self._call(method, inputs)
        except InvalidInput as error:
            if error.kind != "no-method":
                raise
            lacking = error
        try:
            return self._by_runtime(method, inputs)
        except Unsupported as error:
            if error.kind != "no-runtime":
                raise
            raise lacking from None

    def _by_runtime(self, method: str, inputs: Any) -> Any:
        found = self._runtime.predict(_table(inputs)).outputs
        if method == "predict_proba":
            if "probability" not in found:
                raise InvalidInput(
                    "no-method", f"this {self._saved.class_name.rpartition('.')[2]} gives no "
                    "probabilities", hint=f"predict gives {', '.join(found)}",
                )  # fmt: skip
            return found["probability"]
        if "label" in found:
            return found["label"]
        return next(iter(found.values())) if len(found) == 1 else dict(found)


def _table(inputs: Any) -> Table:
    """Rows as a table: columns where the caller gave names, else one matrix."""
    sent = inputs if isinstance(inputs, dict) else _sendable(inputs)
    if isinstance(sent, dict) and sent is not inputs:
        return Table(dict(zip(sent["names"], sent["columns"], strict=True)))
    return Table.of(sent)


def _sendable(inputs: Any) -> Any:
    """An array, or names and columns where the caller gave names."""
    import numpy as np

    if hasattr(inputs, "columns"):
        names = [str(name) for name in inputs.columns]
        if isinstance(inputs.columns, dict):  # a Table
            columns = list(inputs.columns.values())
        else:
            columns = [_column(inputs.iloc[:, at]) for at in range(len(names))]
        return {"names": names, "columns": columns}
    if hasattr(inputs, "toarray"):
        return inputs.toarray()
    try:
        return np.asarray(inputs)
    except ValueError:
        raise InvalidInput("bad-inputs", "rows differ in length") from None


def _column(series: Any) -> np.ndarray[Any, Any]:
    """A column of a data frame; text and categories as objects, missing ones as None."""
    import numpy as np

    array = series.to_numpy()
    if isinstance(array, np.ndarray) and array.dtype.kind in "biufMm":
        return array
    objects = series.to_numpy(dtype=object, na_value=None)
    return np.asarray(objects, dtype=object)
