"""Libraries that only some uses need, imported on first use; one that is missing is named."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from modelyard.errors import Unsupported

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["need"]


def need(module: str, extra: str) -> ModuleType:
    """Import a library on first use. Unsupported `no-extra` names the extra to install."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        if error.name is not None and error.name.partition(".")[0] != module.partition(".")[0]:
            raise
        raise Unsupported(
            "no-extra", f"{module.partition('.')[0]} is not installed",
            hint=f"pip install 'modelyard[{extra}]'",
        ) from None  # fmt: skip
