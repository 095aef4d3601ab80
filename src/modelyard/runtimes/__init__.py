"""Predicting with a version: the same few calls over every framework.

In this process for what `frameworks` loads safely, or in a child process with limits.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from modelyard.frameworks import named
from modelyard.runtimes.interface import About, Prediction, Runtime, RuntimeModule

if TYPE_CHECKING:
    from modelyard.core.trust import Trust
    from modelyard.frameworks import Files, Saved

__all__ = ["About", "Prediction", "Runtime", "load_runtime", "runtime_of"]


def load_runtime(files: Files, saved: Saved, trust: Trust, signature: Any = None) -> Runtime:
    """Load a version in this process and make it answer. Raises as `Framework.load` does."""
    return runtime_of(saved.framework, named(saved.framework).load(files, saved, trust), signature)


def runtime_of(framework: str, obj: object, signature: Any = None) -> Runtime:
    """A loaded object made to answer."""
    module = cast("RuntimeModule", import_module(f"modelyard.runtimes.{framework}"))
    return module.open(obj, signature)
