"""Objects of machine-learning libraries: found, saved, loaded, changed.

The module of a framework is imported when its first object comes, its library when it is used.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, cast

from modelyard.core.listing import listed
from modelyard.errors import InvalidInput, Unsupported
from modelyard.frameworks.files import FolderFiles
from modelyard.frameworks.interface import Files, Framework, Saved

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "NAMES",
    "Files",
    "FolderFiles",
    "Framework",
    "Saved",
    "claim",
    "framework_of",
    "named",
    "serializer_of",
]

NAMES = (
    "onnx", "litert", "keras", "transformers", "torch", "xgboost", "lightgbm", "sklearn", "python",
)  # fmt: skip
"""In the order in which they are asked; `python` takes what nobody else wants."""


_OURS = frozenset({"litert", "python"})
"""Whose objects need no library."""


def named(name: str) -> Framework:
    """A framework by its name. Unsupported: `no-framework`."""
    if name not in NAMES:
        raise Unsupported(
            "no-framework", f"no framework is named {name[:40]!r}", hint=f"one of {_all()}"
        )
    return cast("Framework", import_module(f"modelyard.frameworks.{name}"))


def framework_of(obj: object) -> Framework:
    """The framework whose library made this object: one of those that are imported."""
    loaded = (name for name in NAMES if name in _OURS or name in sys.modules)
    return next(framework for name in loaded if (framework := named(name)).recognises(obj))


def claim(files: Files) -> Saved:
    """How to load files that were committed as files. Unsupported: `no-framework`."""
    for framework in _each():
        saved = framework.claims(files)
        if saved is not None:
            return saved
    hint = "check the version out and load its files, or commit the object itself"
    models = sorted(path for path in files.paths() if path.endswith(".onnx"))
    if len(models) > 1:
        shown = listed(models, 6)
        hint = f"{shown} are models each: commit one of them"
    raise Unsupported("no-framework", "no framework can load these files", hint=hint)


def serializer_of(framework: Framework, wanted: str | None) -> str:
    """The wanted serializer, or the framework's default. InvalidInput: `no-serializer`."""
    if wanted is None:
        return framework.SERIALIZERS[0]
    if wanted not in framework.SERIALIZERS:
        raise InvalidInput(
            "no-serializer", f"{framework.NAME} objects can't be saved as {wanted[:40]!r}",
            hint=f"one of {', '.join(framework.SERIALIZERS)}",
        )  # fmt: skip
    return wanted


def _each() -> Iterator[Framework]:
    return (named(name) for name in NAMES)


def _all() -> str:
    return ", ".join(NAMES)
