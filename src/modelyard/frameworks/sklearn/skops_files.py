"""Skops files: what they name is read by us and by skops, before either imports anything.

Skops trusts types by its own lists, and its lists have had holes. So every name of the schema is
checked against the exact list that our scan of pickles uses; what either side does not know has to
be trusted by name. Skops can't tell whether the indices of trees stay inside of their arrays: we
look (`bounds`), and for neighbour indexes trust is asked. Files are written stored, not deflated:
their arrays then share chunks with other versions.
"""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING, Any

from modelyard.core.extras import need
from modelyard.errors import InvalidInput, ModelyardError
from modelyard.formats.interface import Budget
from modelyard.formats.pickles.allowed import is_allowed
from modelyard.formats.reading import printable
from modelyard.formats.zips import members, unpack
from modelyard.frameworks.sklearn.bounds import CHECKED, UNSURE, unchecked
from modelyard.frameworks.sklearn.canonical import rewrite
from modelyard.frameworks.sklearn.skops_library import skops_io

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from typing import BinaryIO

    from modelyard.core.trust import Trust
    from modelyard.frameworks.interface import Files

__all__ = ["dump", "load"]

_SCHEMA = "schema.json"
_LARGEST_SCHEMA = 1_000_000_000
_BUDGET = Budget(seconds=20.0, max_tensors=10_000_000)
_PLAIN = frozenset({
    "builtins.str", "builtins.int", "builtins.float", "builtins.bool", "builtins.list",
    "builtins.dict", "builtins.tuple", "builtins.set", "builtins.frozenset", "builtins.NoneType",
    "builtins.type", "builtins.bytes", "builtins.bytearray", "builtins.slice", "types.NoneType",
})  # fmt: skip
_HARMLESS = frozenset({
    "modelyard.frameworks.sklearn.derived.Derived",
    "numpy.dtype",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.feature_selection._univariate_selection.chi2",
    "sklearn.feature_selection._univariate_selection.f_classif",
    "sklearn.feature_selection._univariate_selection.f_regression",
    "sklearn.gaussian_process._gpc._BinaryGaussianProcessClassifierLaplace",
    "sklearn.gaussian_process.kernels.ConstantKernel",
    "sklearn.gaussian_process.kernels.Matern",
    "sklearn.gaussian_process.kernels.Product",
    "sklearn.gaussian_process.kernels.RBF",
    "sklearn.gaussian_process.kernels.Sum",
    "sklearn.gaussian_process.kernels.WhiteKernel",
    "sklearn.metrics._scorer._PassthroughScorer",
    "sklearn.model_selection._split.KFold",
    "sklearn.model_selection._split.StratifiedKFold",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
    "sklearn.utils._bunch.Bunch",
})  # fmt: skip
"""Parts of ordinary estimators that skops asks about, and need not: functions and classes in plain
Python that only keep what they are given, and the dtype of an empty array."""
_NODE_KEYS = frozenset({"__class__", "__module__", "__loader__", "__id__"})
_UFUNCS = ("numpy", "scipy.special._ufuncs")


def dump(obj: Any, place: Path) -> None:
    """Write a skops file; equal objects give equal bytes. InvalidInput: `not-savable`."""
    io = skops_io()
    try:
        written = io.dumps(obj, compression=zipfile.ZIP_STORED)
    except (AttributeError, RecursionError, TypeError, ValueError) as error:
        raise InvalidInput(
            "not-savable", f"skops can't save a {type(obj).__qualname__}: {printable(str(error))}",
            hint="serializer='joblib' can, and asks for trust when it is loaded",
        ) from error  # fmt: skip
    rewrite(written, place)


def load(files: Files, path: str, trust: Trust) -> Any:
    """Build what a skops file describes, once every type that is not known is trusted.

    Raises:
        Denied: `untrusted`, naming all of them.
        InvalidInput: `not-loadable`.
    """
    skops_io()
    from skops.io._audit import get_tree
    from skops.io._protocol import PROTOCOL
    from skops.io._utils import LoadContext

    unsafe: set[str] = set()
    names_seen: set[str] = set()

    def ask() -> None:
        names = unsafe - _HARMLESS - (CHECKED if not names_seen & UNSURE else set())
        trust.require(path, map(printable, names), why="would build or call")

    with files.open(path) as file:
        try:
            schema, names = _schema(file, PROTOCOL)
            names_seen |= names
            unsafe.update(name for name in names if not _known(name))
            with zipfile.ZipFile(file) as archive:
                context = LoadContext(src=archive, protocol=schema["protocol"])
                tree = get_tree(schema, context, trusted=None)
                unsafe |= tree.get_unsafe_set()
                ask()  # as skops' own `audit_tree` would, without walking all nodes again
                obj = tree.construct()
                if not all(map(trust.allows, unsafe & CHECKED)):
                    trust.require(path, unchecked(obj), why="has indices not known to be safe in")
                return obj
        except ModelyardError as error:
            if error.kind in ("bad-zip", "bad-skops"):
                raise _damaged(path, error) from None
            raise
        except Exception as error:  # types that were trusted may raise anything
            ask()  # what a file names counts for more than how it is broken
            raise _damaged(path, error) from error


# --- what a schema names ----------------------------------------------------------------------


def _schema(file: BinaryIO, newest: int) -> tuple[dict[str, Any], set[str]]:
    """The schema, parsed once for skops and for us, with every name in it."""
    found = members(file, _BUDGET.begun())
    member = next((member for member in found if member.name == _SCHEMA), None)
    if member is None:
        raise InvalidInput("bad-skops", f"it has no {_SCHEMA}")
    nodes: set[tuple[str, str]] = set()
    calls: list[dict[str, Any]] = []
    odd: set[str] = set()

    def see(node: dict[str, Any]) -> dict[str, Any]:
        module, name = node.get("__module__"), node.get("__class__")
        if isinstance(module, str) and isinstance(name, str):
            nodes.add((module, name))
            loader = node.get("__loader__")
            if loader in ("MethodNode", "FunctionNode"):
                calls.append(node)
            if (module, name) == ("numpy", "dtype") and loader not in ("DTypeNode", "TypeNode"):
                odd.add(f"numpy.dtype as {str(loader)[:40]}")
            content = node.get("content")
            if isinstance(content, dict):  # attributes that numpy reads addresses from
                odd.update(f"attribute {key[:40]}" for key in content if key[:2] == "__"
                           and key not in _NODE_KEYS)  # fmt: skip
        return node

    schema = json.loads(unpack(file, member, _LARGEST_SCHEMA), object_hook=see)
    protocol = schema.get("protocol") if isinstance(schema, dict) else None
    if type(protocol) is not int or not 0 <= protocol <= newest:
        raise InvalidInput("bad-skops", f"skops here reads protocols up to {newest}")
    names = {f"{module}.{name}" for module, name in nodes} | odd
    return schema, names.union(*map(_called, calls))


def _called(node: dict[str, Any]) -> Iterable[str]:
    """What nodes name beside their class: methods, and functions of the first protocol."""
    content = node.get("content")
    if not isinstance(content, dict):
        return ()
    if node["__loader__"] == "MethodNode":
        return (f"{node['__module__']}.{node['__class__']}.{content.get('func')}",)
    return (f"{content.get('module_path')}.{content.get('function')}",)


def _known(name: str) -> bool:
    """Whether a type or function only makes a value: by our list, or as a ufunc of numpy, scipy."""
    if name in _PLAIN or name in _HARMLESS or is_allowed(name):
        return True
    module, _, own = name.rpartition(".")
    if module not in _UFUNCS:
        return False
    import numpy as np

    place = np if module == "numpy" else need("scipy.special", "sklearn")
    return isinstance(getattr(place, own, None), np.ufunc)


def _damaged(path: str, error: Exception) -> InvalidInput:
    text = (str(error) or type(error).__name__).splitlines()[0]
    return InvalidInput(
        "not-loadable", f"{path} can't be loaded by skops: {printable(text, 300)}",
        hint="it was made by other versions of skops or scikit-learn, or it is damaged",
    )  # fmt: skip
