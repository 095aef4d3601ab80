"""modelyard: version control, search, comparison and storage for machine-learning models.

yard = modelyard.open("~/models")
iris = yard.model("flowers/iris")
v1 = iris.commit("out/", message="first baseline", metrics={"accuracy": 0.912})
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from modelyard import errors
    from modelyard.core.handles import Model, Version
    from modelyard.core.trust import TRUST_ALL
    from modelyard.core.yard import Yard
    from modelyard.optimization.explain import explain

__all__ = ["TRUST_ALL", "Model", "Version", "Yard", "errors", "explain", "open"]

__version__ = "0.1.0"

_HOMES = {
    "TRUST_ALL": "modelyard.core.trust",
    "explain": "modelyard.optimization.explain",
    "Model": "modelyard.core.handles",
    "Version": "modelyard.core.handles",
    "Yard": "modelyard.core.yard",
}


def open(path: str | Path, *, author: str | None = None) -> Yard:
    """Open a yard by its folder; a folder that is empty or not there becomes one.

    Args:
        path: The folder. `~` is understood.
        author: Who commits, `ann` or `Ann Lee <ann@example.org>`; else git's user, else the
            system's.

    Raises:
        NotFound: `no-yard`: the folder holds other things.
        Unsupported: `no-remote`: a server's URL, which this version can't open yet.
    """
    import os
    from pathlib import Path

    from modelyard.config import default_author
    from modelyard.errors import Unsupported
    from modelyard.registry.local import LocalYard

    text = str(path)
    if "://" in text:
        raise Unsupported("no-remote", f"{text}: only folders can be opened", hint="give a path")
    folder = Path(text).expanduser().absolute()
    who = author or default_author(os.environ)
    if LocalYard.can_begin(folder):
        return LocalYard.create(folder, author=who)
    return LocalYard.at(folder, author=who)


def __getattr__(name: str) -> object:
    """Everything else is imported when it is first named, so that `import modelyard` is quick."""
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    if name == "errors":
        return importlib.import_module("modelyard.errors")
    raise AttributeError(f"module 'modelyard' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
