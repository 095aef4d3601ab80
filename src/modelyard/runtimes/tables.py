"""Any runtime as services see it: the arrays of a request become a table, and its answers arrays.

Names are those of the version's signature: an input for each column of a frame, or one matrix.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from modelyard.core.table import Table
from modelyard.errors import InvalidInput, ModelyardError, Unavailable, Unsupported
from modelyard.formats.reading import printable
from modelyard.runtimes.tensors import TensorSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from modelyard.runtimes.interface import Runtime
    from modelyard.runtimes.tensors import Array

__all__ = ["TableTensors", "inputs_of", "seen_specs", "spec_of", "specs_of"]

_NUMBERS: Final = frozenset({
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
    "float16", "float32", "float64",
})  # fmt: skip

_OF_VALUES: Final = (IndexError, KeyError, TypeError, ValueError)
"""What libraries raise when values are not what they expect."""


class TableTensors:
    """A `TensorRuntime` over a `Runtime` in the same process."""

    parallel: bool = False
    pid: int | None = None
    rows: bool = True

    def __init__(
        self, runtime: Runtime, platform: str, inputs: Sequence[TensorSpec], signature: Any
    ) -> None:
        """
        Args:
            inputs: What it takes, as `inputs_of` found it.
            signature: Of the version; its outputs are told if they can't be seen.
        """
        about = runtime.about
        self._runtime = runtime
        self.framework = about.framework
        self.platform = platform
        self.classes = None if about.classes is None else tuple(about.classes.tolist())
        self.inputs = tuple(inputs)
        self.columns = bool(inputs) and all(spec.shape == (-1,) for spec in inputs)
        self._times = frozenset(
            str(entry.get("name")) for entry in _entries(signature, "inputs")
            if entry.get("dtype") == "datetime"
        )  # fmt: skip
        self._quick: Callable[..., dict[str, Array]] | None = None
        self._split = _to_split(about.features, self.inputs)
        self.outputs: tuple[TensorSpec, ...] = specs_of(signature, "outputs")

    def look(self, feeds: Mapping[str, Array]) -> None:
        """Learn what comes out by asking. Raises as `run`."""
        self.outputs = seen_specs(self.run(feeds), self.outputs)

    def hurry(self, quick: Callable[..., dict[str, Array]] | None) -> None:
        """Ask this function of (matrix, outputs) first; whatever it raises, the runtime says why.

        Only where the single input is a matrix.
        """
        if len(self.inputs) == 1 and not self.columns and self._split is None:
            self._quick = quick

    def run(
        self,
        feeds: Mapping[str, Array],
        outputs: Sequence[str] | None = None,
        seconds: float | None = None,
    ) -> dict[str, Array]:
        if self._quick is not None:
            try:
                (matrix,) = feeds.values()
                found = self._quick(matrix, outputs)
                return {n: _plain(found[n]) for n in (found if outputs is None else outputs)}
            except Exception:
                pass
        return self._slowly(feeds, outputs)

    def _slowly(
        self, feeds: Mapping[str, Array], outputs: Sequence[str] | None
    ) -> dict[str, Array]:  # fmt: skip
        try:
            found = self._runtime.predict(self._table(feeds)).outputs
        except ModelyardError:
            raise
        except MemoryError:
            raise Unavailable(
                "model-failed", "the model wanted more memory than there is"
            ) from None
        except _OF_VALUES as error:  # the version itself is well
            reason = _line(error)
            raise InvalidInput(
                "bad-inputs", f"the model can't take these values: {reason}"
            ) from None
        except Exception as error:  # whatever a library raises
            raise Unavailable("model-failed", f"the model failed: {_line(error)}") from None
        names = found if outputs is None else outputs
        try:
            return {name: _plain(found[name]) for name in names}
        except KeyError as error:
            raise InvalidInput("bad-inputs", f"there is no output {error}") from None

    def close(self) -> None:
        self._runtime.close()

    def _table(self, feeds: Mapping[str, Array]) -> Table:
        if self._split is not None:
            matrix = next(iter(feeds.values()))
            return Table({name: matrix[:, at] for at, name in enumerate(self._split)})
        if not self.columns:
            return Table(feeds)
        columns = {name: c if c.ndim == 1 else c.reshape(-1) for name, c in feeds.items()}
        for name in self._times & columns.keys():
            columns[name] = _times(name, columns[name])
        return Table(columns)


def seen_specs(found: Mapping[str, Array], told: Sequence[TensorSpec]) -> tuple[TensorSpec, ...]:
    """Outputs as they came; sides that vary as they were told before."""
    known = {spec.name: spec for spec in told}
    return tuple(_seen(name, array, known.get(name)) for name, array in found.items())


def specs_of(signature: Any, side: str) -> tuple[TensorSpec, ...]:
    """What a signature tells of its inputs or outputs; none if it is not well formed."""
    try:
        return tuple(spec_of(entry) for entry in _entries(signature, side))
    except (KeyError, TypeError, ValueError):
        return ()


def spec_of(entry: Mapping[str, Any]) -> TensorSpec:
    """One entry of a signature. KeyError, TypeError, ValueError: it is none."""
    dtype = str(entry["dtype"])
    shape = tuple(int(side) for side in entry["shape"])
    return TensorSpec(str(entry["name"]), dtype if dtype in _NUMBERS else "string", shape)


def _entries(signature: Any, side: str) -> list[Any]:
    found = signature.get(side) if isinstance(signature, dict) else None
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def inputs_of(runtime: Runtime, signature: Any, width: int | None) -> tuple[TensorSpec, ...]:
    """What a model takes: as its signature says, else as it was fitted.

    Args:
        width: Columns of the matrix that it was fitted with, if that is known.

    Raises:
        Unsupported: `no-signature`: nobody knows.
    """
    if specs := specs_of(signature, "inputs"):
        return specs
    if features := runtime.about.features:
        return tuple(TensorSpec(name, "float64", (-1,)) for name in features)
    if width is not None:
        return (TensorSpec("input", "float64", (-1, width)),)
    if runtime.about.extra.get("takes") == "text":
        return (TensorSpec("text", "string", (-1,)),)
    raise Unsupported(
        "no-signature", "nobody knows what this version takes: it has no signature",
        hint="commit it with example=ROWS, from which the signature is inferred",
    )  # fmt: skip


def _to_split(
    features: tuple[str, ...] | None, inputs: Sequence[TensorSpec]
) -> tuple[str, ...] | None:
    """Names of columns where a matrix stands for all of them; wide signatures are cut so."""
    if not features or len(inputs) != 1 or inputs[0].name in features:
        return None
    return features if inputs[0].shape == (-1, len(features)) else None


def _seen(name: str, array: Array, told: TensorSpec | None) -> TensorSpec:
    shape = (-1, *array.shape[1:])
    if told is not None and len(told.shape) == array.ndim:
        shape = told.shape
    dtype = str(array.dtype) if array.dtype.kind != "O" else "string"
    return TensorSpec(name, dtype, shape)


def _plain(array: Array) -> Array:
    """As the protocol can say it: numbers, or objects that are text."""
    kind = array.dtype.kind
    if kind in "biuf":
        return array
    if kind == "U":
        return array.astype(object)
    if kind == "O":
        items = ["" if item is None else str(item) for item in array.ravel().tolist()]
    elif kind == "M":
        items = np.datetime_as_string(array).ravel().tolist()
    else:
        items = [str(item) for item in array.ravel().tolist()]
    found = np.empty(len(items), object)
    found[:] = items
    return found.reshape(array.shape)


def _line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return printable(f"{type(error).__name__}: {lines[0] if lines else ''}", 300)


def _times(name: str, column: Array) -> Array:
    try:
        return np.array([text or "NaT" for text in column.tolist()], "datetime64[ns]")
    except (TypeError, ValueError):
        raise InvalidInput(
            "bad-inputs", f"{name} takes times, such as 2026-01-31T12:00:00"
        ) from None
