"""Any other Python object: kept as a pickle or joblib file, and loaded only with trust."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.core.table import Table
from modelyard.errors import InvalidInput, Unsupported
from modelyard.formats import inspect
from modelyard.formats.reading import printable
from modelyard.frameworks import pickling
from modelyard.frameworks.interface import Saved

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from modelyard.core.trust import Trust
    from modelyard.frameworks.interface import Files, Json

__all__ = [
    "NAME", "SERIALIZERS", "answers", "arranged", "claims", "fit", "load", "optimizer", "params",
    "recognises", "save", "set_optimizer", "set_params", "set_structure", "signature", "structure",
]  # fmt: skip

NAME = "python"
SERIALIZERS = ("pickle", "joblib")

_FILES = {"pickle": "model.pkl", "joblib": "model.joblib"}
_ENDS = (".pkl", ".pickle", ".joblib")
_LONGEST = 100


def recognises(obj: object) -> bool:
    """Always: it is asked last."""
    return True


# --- files -----------------------------------------------------------------------------------


def save(obj: Any, folder: Path, serializer: str, example: Any = None) -> Saved:
    """`model.pkl` or `model.joblib`.

    A class that stands in a script or notebook is marked so in `details`: pickles hold only its
    name, so that the object loads nowhere else.

    Raises:
        InvalidInput: `not-savable`: it holds a lambda, a local class, an open file.
    """
    place = folder / _FILES[serializer]
    (pickling.dump_joblib if serializer == "joblib" else pickling.dump_pickle)(obj, place)
    cls = type(obj)
    details: dict[str, Json] = {"file": place.name}
    if "__main__" in (cls.__module__, getattr(obj, "__module__", None)):
        details["note"] = f"{cls.__qualname__} stands in __main__: it loads only where it is too"
    name = f"{cls.__module__}.{cls.__qualname__}"
    return Saved(framework=NAME, serializer=serializer, class_name=name, details=details)


def load(files: Files, saved: Saved, trust: Trust, into: Any = None) -> Any:
    """The object again.

    Raises:
        Denied: `untrusted`, naming every global of the file.
        InvalidInput: `not-loadable`: it is damaged, or its class is not here; `no-into`.
    """
    if into is not None:
        raise InvalidInput("no-into", "this is loaded as a new object", hint="leave into= out")
    path = saved.details.get("file", _FILES.get(saved.serializer))
    if not isinstance(path, str):
        raise InvalidInput("not-loadable", f"nothing is known of {saved.serializer!r:.60}")
    return pickling.load(files, path, trust)


def claims(files: Files) -> Saved | None:
    """A lone pickle or joblib file, whatever it holds; of several, the one named `model`."""
    paths = [path for path in files.paths() if path.lower().endswith(_ENDS)]
    if len(paths) > 1:
        paths = [path for path in paths if path.rpartition("/")[2].startswith("model.")]
    if len(paths) != 1:
        return None
    with files.open(paths[0]) as file:
        try:
            form = inspect(file, paths[0]).format
        except InvalidInput:
            return None
    if form not in SERIALIZERS:
        return None
    return Saved(framework=NAME, serializer=form, class_name="", details={"file": paths[0]})


# --- parameters ------------------------------------------------------------------------------


def params(obj: Any) -> dict[str, Json]:
    """What `get_params` gives, else its public attributes: as far as JSON can hold them."""
    getter = getattr(obj, "get_params", None)
    given = getter() if callable(getter) else getattr(obj, "__dict__", {})
    if not isinstance(given, dict):
        return {}
    public = {n: v for n, v in given.items() if isinstance(n, str) and not n.startswith("_")}
    return {name: plain for name, value in public.items() for plain in _plain(value)}


def set_params(obj: Any, changes: Mapping[str, Json]) -> Any:
    """The object itself, changed by its `set_params`, or by attributes that it has.

    Raises:
        InvalidInput: `no-param`, `bad-param`.
    """
    known = params(obj)
    unknown = [name for name in changes if name not in known]
    if unknown:
        shown = ", ".join(sorted(known)[:12]) or "none"
        raise InvalidInput(
            "no-param", f"a {type(obj).__name__} has no parameter {unknown[0]!r}",
            hint=f"there are {shown}",
        )  # fmt: skip
    setter = getattr(obj, "set_params", None)
    try:
        if callable(setter):
            setter(**changes)
        else:
            for name, value in changes.items():
                setattr(obj, name, value)
    except Exception as error:  # code of the object's own class
        raise InvalidInput("bad-param", f"{next(iter(changes))}: {_first_line(error)}") from error
    return obj


def structure(obj: Any) -> tuple[str, ...]:
    """The class, and indented below it a line for each attribute that is an object itself."""
    held = getattr(obj, "__dict__", {})
    inner = [(n, v) for n, v in held.items() if isinstance(n, str) and hasattr(v, "__dict__")]
    return (type(obj).__name__, *(f"  {name}: {type(value).__name__}" for name, value in inner))


def set_structure(obj: Any, plan: Json, trust: Trust) -> tuple[Any, tuple[str, ...]]:
    """Refused: nothing is known of how it is built. InvalidInput: `bad-structure`."""
    raise InvalidInput(
        "bad-structure", f"the structure of a {type(obj).__name__} can't be changed here",
        hint="load it, change it, commit it",
    )  # fmt: skip


def optimizer(obj: Any) -> dict[str, Json]:
    """None is known."""
    return {}


def set_optimizer(obj: Any, changes: Mapping[str, Json]) -> Any:
    """Refused. InvalidInput: `no-optimizer`."""
    raise InvalidInput(
        "no-optimizer", f"a {type(obj).__name__} has no optimizer that is known",
        hint="its parameters can be set: see params",
    )  # fmt: skip


# --- rows ------------------------------------------------------------------------------------


def fit(obj: Any, inputs: Table, target: Any, *, epochs: int | None, seed: int) -> Any:
    """What its own `fit` makes of it; a matrix is given, or a frame if columns hold text.

    Args:
        seed: Not used: nothing is known of where its randomness comes from.

    Raises:
        InvalidInput: `no-fit`, `no-epochs`, `not-fittable`.
    """
    method = getattr(obj, "fit", None)
    if not callable(method):
        raise InvalidInput(
            "no-fit", f"a {type(obj).__name__} has no method fit", hint="fit it yourself, commit it"
        )
    if epochs is not None:
        raise InvalidInput(
            "no-epochs", f"nothing is known of passes of a {type(obj).__name__}",
            hint="leave epochs out",
        )  # fmt: skip
    rows = arranged(inputs)
    try:
        fitted = method(rows) if target is None else method(rows, target)
    except Exception as error:  # code of the object's own class
        raise InvalidInput(
            "not-fittable", f"{type(obj).__name__} can't be fitted on this: {_first_line(error)}"
        ) from error
    return obj if fitted is None else fitted


def signature(obj: Any, example: Any) -> Json | None:
    """One input for each column of a frame or `Table`, else one named `input`."""
    if example is None:
        return None
    rows = np.asarray(example) if isinstance(example, list | tuple) else example
    given = arranged(rows) if isinstance(rows, Table) else rows
    outputs = answers(obj, given)
    return {
        "inputs": [_described(name, column) for name, column in _columns(rows)],
        "outputs": [_described(name, found) for name, found in outputs.items()],
    }


def arranged(table: Table) -> Any:
    """A matrix of all columns, or a frame if any of them is no number."""
    texts = any(column.dtype.kind not in "biuf" for column in table.columns.values())
    return table.frame() if texts else table.matrix()


def answers(obj: Any, rows: Any) -> dict[str, np.ndarray[Any, Any]]:
    """What its `predict` says, or it itself if it is called: numbers with a fraction are
    `prediction`, anything else `label`; and `probability`, if it has `predict_proba`.

    Raises:
        Unsupported: `no-predict`: it can't be asked.
        InvalidInput: `bad-inputs`: it refuses the rows.
    """
    ask = getattr(obj, "predict", obj)
    if not callable(ask):
        raise Unsupported(
            "no-predict", f"a {type(obj).__name__} has no predict and can't be called",
            hint="commit an object that can be asked for rows",
        )  # fmt: skip
    try:
        found = np.asarray(ask(rows))
        name = "prediction" if found.dtype.kind == "f" else "label"
        outputs = {name: found}
        if hasattr(obj, "predict_proba"):
            outputs["probability"] = np.asarray(obj.predict_proba(rows))
    except MemoryError:  # is not the rows' fault
        raise
    except Exception as error:  # code of the object's own class
        raise InvalidInput(
            "bad-inputs", f"{type(obj).__name__} can't take these rows: {_first_line(error)}"
        ) from error
    wrong = [n for n, a in outputs.items() if a.ndim == 0 or len(a) != len(rows)]
    if wrong:
        raise InvalidInput(
            "bad-inputs", f"{type(obj).__name__} gives no {wrong[0]} for each of {len(rows)} rows"
        )
    return outputs


def _columns(rows: Any) -> list[tuple[str, Any]]:
    if isinstance(rows, Table):
        return list(rows.columns.items())
    if hasattr(rows, "columns") and hasattr(rows, "iloc"):
        return [(str(name), rows.iloc[:, at]) for at, name in enumerate(rows.columns)]
    return [("input", rows)]


def _described(name: str, found: Any) -> Json:
    dtype = getattr(found, "dtype", None)
    kind = getattr(dtype, "kind", "O")
    shape = getattr(found, "shape", (len(found),))
    spelled = {"M": "datetime"}.get(kind, "string" if kind in "OUST" else str(dtype))
    return {"name": name, "dtype": spelled, "shape": [-1, *map(int, shape[1:])]}


def _plain(value: Any) -> tuple[Json, ...]:
    """What JSON can hold, as the only element; nothing otherwise."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | str | int):
        return (value,)
    if isinstance(value, float):
        return (value,) if math.isfinite(value) else ()
    if isinstance(value, list | tuple) and len(value) <= _LONGEST:
        parts = [_plain(item) for item in value]
        return ([part[0] for part in parts],) if all(parts) else ()
    return ()


def _first_line(error: BaseException) -> str:
    text = str(error) or type(error).__name__
    return printable(text.splitlines()[0], 300)
