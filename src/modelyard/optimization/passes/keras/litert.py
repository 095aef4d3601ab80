"""`to-litert`: a Keras model as a LiteRT (`.tflite`) graph for phones and small machines."""

from __future__ import annotations

import contextlib
import io
import warnings
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from modelyard.core.extras import need
from modelyard.errors import InvalidInput, Unsupported
from modelyard.formats.reading import printable
from modelyard.frameworks.interface import Saved
from modelyard.frameworks.litert import CLASS, NAME
from modelyard.optimization.making import model_of_files
from modelyard.optimization.passes.interface import Choice, Made, Option
from modelyard.optimization.passes.keras import networks
from modelyard.optimization.passes.keras.graphs import convertible
from modelyard.optimization.passes.torch.networks import option

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from modelyard.core.lineage import LineageKind
    from modelyard.optimization.state import Model, Subject, Work

__all__ = ["PASS"]

Json = Any

KINDS = ("int8-weights", "int8", "float16", "float32")
_FILE = "model.tflite"
_ROWS = 200


class ToLiteRT:
    """`kind`: `int8-weights` (what is computed stays float), `int8` (both, by the ranges that rows
    show), `float16`, `float32`."""

    NAME = "to-litert"
    KIND: Literal["model"] = "model"
    LINEAGE: LineageKind = "quantized-from"
    SUMMARY = "Makes a LiteRT graph of a Keras model, in 8 bits if wanted"

    def why_not(self, subject: Subject) -> str | None:
        """It takes models of Keras."""
        return networks.why_no_network(subject)

    def options(self, subject: Subject) -> Mapping[str, Option]:
        """`kind`."""
        return {"kind": Choice(KINDS if subject.rows else tuple(k for k in KINDS if k != "int8"))}

    def run(self, model: Model, params: Mapping[str, Json], work: Work) -> Made:
        """Convert by TensorFlow's own converter; predicting needs ai-edge-litert or TensorFlow.

        Outputs keep their meaning: `label` and `probability`, or `prediction`.

        Raises:
            InvalidInput: `bad-pass-option`; `no-rows`: `int8` needs rows.
            Unsupported: `no-extra`: TensorFlow is not there; `not-improvable`: it can't be
                converted.
        """
        kind = option(params, "kind", KINDS)
        network = convertible(networks.network_in(model))
        rows = _calibration(network, model, work) if kind == "int8" else None
        content = _converted(network, kind, rows)
        folder = work.folder()
        (folder / _FILE).write_bytes(content)
        saved = Saved(
            framework=NAME, serializer="tflite", class_name=CLASS, details={"file": _FILE}
        )
        made = model_of_files(folder, saved, like=model)
        return Made(model=made, notes=(f"{len(content):,} bytes, {kind}",))


def _calibration(network: Any, model: Model, work: Work) -> Callable[[], Iterator[Any]]:
    """Rows one by one, by which ranges are found.

    Several inputs go by name: a list would be taken in the order of the graph, which sorts them.
    """
    from modelyard.frameworks.keras.tensors import arrange
    from modelyard.runtimes.keras import open as open_network

    if work.train is None or not len(work.train):
        raise InvalidInput(
            "no-rows", "int8 is calibrated by rows, and there are none",
            hint="give data: --data FILE; or kind int8-weights",
        )  # fmt: skip
    chosen = np.linspace(0, len(work.train) - 1, min(_ROWS, len(work.train))).astype(np.int64)
    features = open_network(network, model.signature).about.features
    arrays = arrange(network, work.train.inputs.take(chosen), features)

    names = [str(tensor.name) for tensor in network.inputs] if len(arrays) > 1 else []

    def each() -> Iterator[Any]:
        for at in range(len(chosen)):
            row = [array[at : at + 1] for array in arrays]
            yield dict(zip(names, row, strict=True)) if names else row

    return each


def _converted(network: Any, kind: str, rows: Callable[[], Iterator[Any]] | None) -> bytes:
    from modelyard.frameworks.keras.library import keras, quiet

    if keras().backend.backend() != "tensorflow":
        raise Unsupported(
            "no-extra", "only TensorFlow converts to LiteRT, and Keras runs on another backend",
            hint="install tensorflow, and set KERAS_BACKEND=tensorflow",
        )  # fmt: skip
    tensorflow = need("tensorflow", "keras")
    lite = tensorflow.lite
    converter = lite.TFLiteConverter.from_keras_model(network)
    if kind != "float32":
        converter.optimizations = [lite.Optimize.DEFAULT]
    if kind == "float16":
        converter.target_spec.supported_types = [tensorflow.float16]
    if rows is not None:
        converter.representative_dataset = rows
    said = io.StringIO()
    try:
        with quiet(), warnings.catch_warnings(), contextlib.redirect_stdout(said):
            warnings.simplefilter("ignore")  # of statistics that it does not need
            found: bytes = converter.convert()
    except Exception as error:  # the converter raises what its layers do
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise Unsupported(
            "not-improvable", f"TensorFlow can't convert it: {printable(lines[0], 300)}",
            hint="to-onnx may take it",
        ) from None  # fmt: skip
    return bytes(found)


PASS = ToLiteRT()
