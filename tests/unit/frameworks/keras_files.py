"""Keras files written by hand, good and hostile. Nothing here imports Keras."""

from __future__ import annotations

import base64
import io
import json
import marshal
import zipfile
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Json = Any


def dense(**changes: Json) -> Json:
    """A layer as Keras 3 writes it."""
    layer = {
        "module": "keras.layers", "class_name": "Dense", "registered_name": None,
        "config": {"name": "dense", "units": 3, "activation": "linear"},
        "build_config": {"input_shape": [None, 4]},
    }  # fmt: skip
    return layer | changes


def sequential(*layers: Json, **changes: Json) -> Json:
    """A model of some layers."""
    first = {
        "module": "keras.layers", "class_name": "InputLayer", "registered_name": None,
        "config": {"batch_shape": [None, 4], "dtype": "float32", "name": "rows"},
    }  # fmt: skip
    model = {
        "module": "keras", "class_name": "Sequential", "registered_name": None,
        "config": {"name": "model", "layers": [first, *layers], "build_input_shape": [None, 4]},
    }  # fmt: skip
    return model | changes


def lambda_code(marker: Path) -> str:
    """What Keras keeps of a lambda: this one leaves a trace when it runs."""
    function = eval(f"lambda x: [open({str(marker)!r}, 'w').close(), x][1]")
    return base64.b64encode(marshal.dumps(function.__code__)).decode()


def lambda_layer(marker: Path) -> Json:
    """A Lambda layer with that code, as Keras 3 writes it."""
    value = [lambda_code(marker), None, None]
    function = {"class_name": "__lambda__", "config": {"value": value}}
    config = {"name": "lambda", "function": function, "arguments": {}}
    return {
        "module": "keras.layers", "class_name": "Lambda", "config": config, "registered_name": None
    }  # fmt: skip


def weights() -> bytes:
    """`model.weights.h5` for one dense layer of 4 to 3."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        values = file.create_group("layers/dense/vars")
        values["0"] = np.arange(12, dtype="float32").reshape(4, 3)
        values["1"] = np.zeros(3, "float32")
    return buffer.getvalue()


def keras_file(config: Json, extra: Mapping[str, bytes] | None = None) -> bytes:
    """A `.keras` file."""
    members = {
        "metadata.json": json.dumps({"keras_version": "3.15.1"}).encode(),
        "config.json": json.dumps(config).encode(),
        "model.weights.h5": weights(),
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in (members | dict(extra or {})).items():
            archive.writestr(name, content)
    return buffer.getvalue()


def h5_file(path: Path, config: Json, training: Json = None) -> h5py.File:
    """A `.h5` file of a whole model, open for more."""
    file = h5py.File(path, "w")
    file.attrs["keras_version"] = "3.15.1"
    file.attrs["backend"] = "tensorflow"
    file.attrs["model_config"] = json.dumps(config).encode()
    if training is not None:
        file.attrs["training_config"] = json.dumps(training).encode()
    group = file.create_group("model_weights")
    group.attrs["layer_names"] = [b"dense"]
    layer = group.create_group("dense")
    layer.attrs["weight_names"] = [b"kernel", b"bias"]
    layer["kernel"] = np.arange(12, dtype="float32").reshape(4, 3)
    layer["bias"] = np.zeros(3, "float32")
    return file
