"""Keras models written to files and read again."""

from __future__ import annotations

import inspect
import json
import re
import shutil
import zipfile
from typing import TYPE_CHECKING, Any

from modelyard.errors import InvalidInput
from modelyard.formats.reading import printable
from modelyard.frameworks.interface import Saved
from modelyard.frameworks.keras.checking import Checked, attributes_of, check_h5, check_keras
from modelyard.frameworks.keras.legacy import compile_as_saved, text_of
from modelyard.frameworks.keras.library import keras, precision, quiet
from modelyard.frameworks.keras.needs import custom_objects, is_unsafe, require
from modelyard.frameworks.keras.rebuilding import training_of
from modelyard.frameworks.keras.savedmodel import SavedGraph, load_graph
from modelyard.frameworks.keras.sizes import require_sizes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from modelyard.core.trust import Trust
    from modelyard.frameworks.interface import Files

__all__ = ["claim", "load", "save"]

_FILES = {"keras": "model.keras", "h5": "model.h5", "savedmodel": "model"}
_H5 = (".h5", ".hdf5")
_GRAPH = "saved_model.pb"
_SHARED = re.compile(r'("shared_object_id": )(\d+)')
_DATE = "1980-01-01@00:00:00"
"""Keras wants one, and reads it nowhere; commits have their own."""


def save(model: Any, folder: Path, serializer: str) -> Saved:
    """Write `model.keras`, `model.h5` or the folder `model/`. InvalidInput: `not-savable`."""
    if isinstance(model, SavedGraph):
        raise InvalidInput(
            "not-savable", "a graph that was loaded from a SavedModel can't be written again",
            hint="commit its folder: yard commit MODEL FOLDER",
        )  # fmt: skip
    if not model.built:
        raise InvalidInput(
            "not-savable", "the model has no weights yet",
            hint="give it an Input layer, call it on some rows, or model.build(shape)",
        )  # fmt: skip
    if serializer == "h5" and (lost := [*_lost_in_h5(model)]):
        raise InvalidInput(
            "not-savable", f".h5 can't keep {', '.join(lost[:10])}", hint="use serializer keras"
        )
    library = keras()
    place = folder / _FILES[serializer]
    optimizer = getattr(model, "optimizer", None)
    if optimizer is not None and not optimizer.built:
        # Keras builds its state with the first batch, and complains when it loads one without
        optimizer.build(model.trainable_variables)
    try:
        with quiet():
            if serializer == "savedmodel":
                model.export(str(place), verbose=False)
            else:
                _written(model, place)
                _undated(place)
    except Exception as error:
        others = " or ".join(name for name in _FILES if name != serializer)
        raise InvalidInput(
            "not-savable", f"Keras can't write this model as {serializer}: {_first_line(error)}",
            hint=f"try serializer {others}; a class of your own needs get_config()",
        ) from None  # fmt: skip
    details = {
        "file": _FILES[serializer],
        "keras_version": library.__version__,
        "backend": library.backend.backend(),
    }
    name = f"{type(model).__module__}.{type(model).__qualname__}"
    return Saved(framework="keras", serializer=serializer, class_name=name, details=details)


def _lost_in_h5(model: Any) -> Iterator[str]:
    """What Keras writes into `.h5` without a word, and can't read again."""
    layers = {id(layer) for layer in model.layers}
    for step in getattr(model, "operations", ()):
        if id(step) not in layers:
            yield f"the operation {step.name}"
    for layer in model.layers:
        if hasattr(layer, "layers"):
            yield from _lost_in_h5(layer)
        elif hasattr(layer, "save_assets"):
            yield f"the words of {layer.name}"
    todo = list(training_of(model).values())
    while todo:
        value = todo.pop()
        if isinstance(value, dict | list):
            todo.extend(value.values() if isinstance(value, dict) else value)
        elif inspect.isfunction(value) and not value.__module__.startswith("keras."):
            yield f"the function {value.__name__}"


def _written(model: Any, place: Path) -> None:
    """Save, and give the model back what Keras' writer of `.h5` takes from it: its optimizer."""
    compiled = getattr(getattr(model, "_compile_config", None), "config", None)
    before = dict(compiled or {})
    try:
        model.save(str(place))
    finally:
        if compiled is not None:
            compiled.update(before)


def _undated(place: Path) -> None:
    """Write `.keras` without dates and addresses in memory: the same model gives the same bytes."""
    if place.suffix != ".keras":
        return
    made = place.with_suffix(".undated")
    with zipfile.ZipFile(place) as source, zipfile.ZipFile(made, "w") as target:
        for member in source.infolist():
            member.date_time = (1980, 1, 1, 0, 0, 0)
            if member.filename == "metadata.json":
                told = json.loads(source.read(member)) | {"date_saved": _DATE}
                target.writestr(member, json.dumps(told))
            elif member.filename == "config.json":
                target.writestr(member, _renumbered(source.read(member).decode()))
            else:
                with source.open(member) as reader, target.open(member, "w") as writer:
                    shutil.copyfileobj(reader, writer, 1 << 20)
    made.replace(place)


def _renumbered(config: str) -> str:
    """Objects that are shared by their order; Keras names them by their addresses."""
    numbers: dict[str, str] = {}
    return _SHARED.sub(
        lambda found: found[1] + numbers.setdefault(found[2], str(len(numbers) + 1)), config
    )


def claim(files: Files) -> Saved | None:
    """The one whole model among some files; weights alone are none."""
    paths = files.paths()
    found = [("keras", path) for path in paths if path.endswith(".keras")]
    found = found or [("h5", path) for path in paths if _is_whole(files, path)]
    found = found or [
        ("savedmodel", path.rpartition("/")[0] or ".")
        for path in paths
        if path.rpartition("/")[2] == _GRAPH
    ]
    if len(found) != 1:
        return None
    serializer, path = found[0]
    name = "keras.Model" if serializer != "savedmodel" else "tensorflow.saved_model"
    return Saved(framework="keras", serializer=serializer, class_name=name, details={"file": path})


def _is_whole(files: Files, path: str) -> bool:
    if not path.endswith(_H5) or path.endswith(".weights.h5"):
        return False
    try:
        with files.open(path) as file:
            return "model_config" in attributes_of(file)
    except InvalidInput:
        return False


def load(files: Files, saved: Saved, trust: Trust) -> Any:
    """The model again. Denied: `untrusted`. InvalidInput: `not-loadable`."""
    path = str(saved.details.get("file") or _FILES.get(saved.serializer))
    if saved.serializer == "savedmodel":
        return load_graph(files, path, trust)
    if path not in files.paths():
        raise InvalidInput("not-loadable", f"there is no file {printable(path)}")
    checked = check_h5(files, path) if path.endswith(_H5) else check_keras(files, path)
    require(path, checked.needs, trust)
    require_sizes(path, list(checked.configs), checked.elements, trust)
    place = files.folder() / path
    own = custom_objects(checked.needs, trust)
    library = keras()
    try:
        _compare(place, checked)
        with quiet(), precision(checked.config), library.saving.custom_object_scope(own):
            model = library.saving.load_model(
                str(place), custom_objects=own, compile=not checked.texts,
                safe_mode=not is_unsafe(checked.needs),
            )  # fmt: skip
            if "training_config" in checked.texts:
                compile_as_saved(model, place, checked.texts["training_config"])
            return model
    except InvalidInput:
        raise
    except Exception as error:
        raise InvalidInput(
            "not-loadable", f"{path} can't be loaded: {_first_line(error)}",
            hint="was it saved by a much older or newer Keras?",
        ) from None  # fmt: skip


def _compare(place: Path, checked: Checked) -> None:
    """Make sure that the libraries below Keras read what was judged."""
    if checked.texts:
        import h5py

        with h5py.File(place, "r") as file:
            read = {
                name: text_of(file.attrs[name])
                for name in ("model_config", "training_config")
                if name in file.attrs
            }
        if read != checked.texts:
            raise InvalidInput("not-loadable", f"{place.name} tells two readers two things")
        return
    with zipfile.ZipFile(place) as archive:
        # names and places were compared by our own reader, so the rest of the members agree
        if json.loads(archive.read("config.json")) != checked.config:
            raise InvalidInput("not-loadable", f"{place.name} tells two readers two things")


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return printable(lines[0], 300) if lines else type(error).__name__
