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
    from modelyard.automation.suggesting import suggest
    from modelyard.client.predicting import predict, predict_file
    from modelyard.core.deployment import DeploymentSpec, Limits, Rollout, Share
    from modelyard.core.handles import Model, Version
    from modelyard.core.optimization import Constraint, Goal, Recipe, Step
    from modelyard.core.trust import TRUST_ALL
    from modelyard.core.yard import Yard
    from modelyard.monitoring.opening import watch
    from modelyard.optimization.explain import explain
    from modelyard.optimization.running import optimize

__all__ = [
    "TRUST_ALL", "Constraint", "DeploymentSpec", "Goal", "Limits", "Model", "Recipe", "Rollout",
    "Share", "Step", "Version", "Yard", "create", "errors", "explain", "open", "optimize",
    "predict", "predict_file", "suggest", "watch",
]  # fmt: skip

__version__ = "0.1.0"

_HOMES = {
    "TRUST_ALL": "modelyard.core.trust",
    "explain": "modelyard.optimization.explain",
    "predict": "modelyard.client.predicting",
    "predict_file": "modelyard.client.predicting",
    "DeploymentSpec": "modelyard.core.deployment",
    "Limits": "modelyard.core.deployment",
    "Rollout": "modelyard.core.deployment",
    "Share": "modelyard.core.deployment",
    "Constraint": "modelyard.core.optimization",
    "Goal": "modelyard.core.optimization",
    "Recipe": "modelyard.core.optimization",
    "Step": "modelyard.core.optimization",
    "Model": "modelyard.core.handles",
    "Version": "modelyard.core.handles",
    "Yard": "modelyard.core.yard",
    "optimize": "modelyard.optimization.running",
    "suggest": "modelyard.automation.suggesting",
    "watch": "modelyard.monitoring.opening",
}


def create(
    path: str | Path,
    *,
    store: str | None = None,
    catalog: str | None = None,
    key: str | None = None,
    author: str | None = None,
) -> Yard:
    """Make a yard in a folder that is empty or not there, and open it.

    Where `store` and `catalog` are those of a yard that is there already, this machine joins it.

    Args:
        path: The folder; it holds `yard.toml`, and whatever has no place elsewhere.
        store: Where the bytes are: `s3://BUCKET/PREFIX`, `azblob://`, `oss://`, `gcs://`,
            `webdav://`, `postgresql://`, `mysql://`, `mongodb://`, `sqlite:///`, or a folder.
        catalog: Where the rows are: `sqlite:///`, `postgresql://` or `mysql://`.
        key: Encrypt what is stored: `env:NAME`, or a file with the key, made if it is not there.
        author: Who commits; as `open` has it.

    Raises:
        Conflict: `yard-exists`, `folder-not-empty`; `other-store`: the catalog has another one.
        InvalidInput: `bad-store-url`, `bad-catalog-url`, `secret-in-url`.
        Unavailable, Denied: the store or the catalog can't be reached, or not by you.
    """
    import os

    from modelyard import registry
    from modelyard.config import default_author
    from modelyard.monitoring.evaluations import watch_evaluations

    watch_evaluations()
    who = author or default_author(os.environ)
    return registry.create(path, author=who, store=store, catalog=catalog, key=key)


def open(path: str | Path, *, author: str | None = None, token: str | None = None) -> Yard:
    """Open a yard: a folder, or a server by its URL. A folder that is empty or new becomes one.

    Args:
        path: The folder, `~` is understood; or `https://HOST`.
        author: Who commits, `ann` or `Ann Lee <ann@example.org>`; else git's user, else the
            system's. On a server it is the account, if you do not say otherwise.
        token: For a server; else `$YARD_TOKEN`, else what `yard login` kept.

    Raises:
        NotFound: `no-yard`: the folder holds other things.
        InvalidInput: `bad-url`, `secret-in-url`.
        Unsupported: `no-remote`: a URL that is no server's.
    """
    import os
    from pathlib import Path

    from modelyard.config import default_author
    from modelyard.errors import Unsupported
    from modelyard.monitoring.evaluations import watch_evaluations

    watch_evaluations()
    text = str(path)
    if text.startswith(("http://", "https://")):
        from modelyard.client.remote import RemoteYard

        return RemoteYard.at(text, token=token, author=author, environment=os.environ)
    from modelyard.registry.local import LocalYard

    if "://" in text:
        raise Unsupported(
            "no-remote",
            f"{text}: only folders and servers can be opened",
            hint="yard init FOLDER --store URL makes one for a store",
        )
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
