"""The four ways in which an estimator becomes a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modelyard.errors import InvalidInput
from modelyard.formats import inspect
from modelyard.frameworks import pickling
from modelyard.frameworks.interface import Saved

if TYPE_CHECKING:
    from pathlib import Path

    from modelyard.core.trust import Trust
    from modelyard.frameworks.interface import Files

__all__ = ["SERIALIZERS", "claims", "load", "save"]

SERIALIZERS = ("skops", "joblib", "pickle", "onnx")

_FILES = {
    "skops": "model.skops", "joblib": "model.joblib", "pickle": "model.pkl", "onnx": "model.onnx",
}  # fmt: skip
_PICKLES = (".joblib", ".pkl", ".pickle")


def save(obj: Any, folder: Path, serializer: str, example: Any = None) -> Saved:
    """One file: `model.skops`, `model.joblib`, `model.pkl` or `model.onnx`.

    Args:
        example: Rows that an ONNX model is compared on; made up where columns are numbers.

    Raises:
        InvalidInput: `not-savable`.
    """
    place = folder / _FILES[serializer]
    details: dict[str, Any] = {"file": place.name}
    if serializer == "skops":
        from modelyard.frameworks.sklearn.skops_files import dump

        dump(obj, place)
    elif serializer == "joblib":
        pickling.dump_joblib(obj, place)
    elif serializer == "pickle":
        pickling.dump_pickle(obj, place)
    else:
        from modelyard.frameworks.sklearn.converting import convert

        details["parity"] = convert(obj, place, example)
    return _saved(type(obj), serializer, details)


def load(files: Files, saved: Saved, trust: Trust, into: Any = None) -> Any:
    """The estimator again; of ONNX the `onnx.ModelProto`, since the way back does not exist.

    Raises:
        Denied: `untrusted`, naming the types of a skops file that are not known, or every global
            of a pickle or joblib file.
        InvalidInput: `not-loadable`, `no-into`.
    """
    if into is not None:
        raise InvalidInput(
            "no-into", "an estimator is loaded as a new object", hint="leave into= out"
        )
    path = _path(files, saved)
    if saved.serializer == "skops":
        from modelyard.frameworks.sklearn import skops_files

        return skops_files.load(files, path, trust)
    if saved.serializer == "onnx":
        from modelyard.frameworks.sklearn.converting import load_proto

        return load_proto(files, path)
    return pickling.load(files, path, trust)


def claims(files: Files) -> Saved | None:
    """One `.skops`, or one pickle or joblib file that names scikit-learn's classes.

    Of several, the one that is named `model`; else none.
    """
    paths = [path for path in files.paths() if path.lower().endswith((".skops", *_PICKLES))]
    found = [saved for saved in (_claimed(files, path) for path in paths) if saved is not None]
    if len(found) > 1:
        found = [s for s in found if s.details["file"].rpartition("/")[2].startswith("model.")]
    return found[0] if len(found) == 1 else None


def _claimed(files: Files, path: str) -> Saved | None:
    with files.open(path) as file:
        try:
            seen = inspect(file, path)
        except InvalidInput:
            return None
    if seen.format == "skops":
        return Saved(framework="sklearn", serializer="skops", class_name="", details={"file": path})
    if seen.format not in ("joblib", "pickle") or seen.framework != "sklearn":
        return None
    return Saved(framework="sklearn", serializer=seen.format, class_name="", details={"file": path})


def _path(files: Files, saved: Saved) -> str:
    path = saved.details.get("file", _FILES.get(saved.serializer))
    if not isinstance(path, str) or saved.serializer not in SERIALIZERS:
        raise InvalidInput("not-loadable", "it was not saved by scikit-learn as we know it")
    return path


def _saved(cls: type, serializer: str, details: dict[str, Any]) -> Saved:
    name = f"{cls.__module__}.{cls.__qualname__}"
    return Saved(framework="sklearn", serializer=serializer, class_name=name, details=details)
