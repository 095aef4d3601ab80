"""The import of skops, without what it does not need.

To list the estimators that it trusts, skops walks all packages of scikit-learn, and so imports its
adapters of other array libraries. Torch alone takes seconds then, in every process that loads a
model.
"""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Any

from modelyard.core.extras import need

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

__all__ = ["skops_io"]

_NOT_NEEDED = frozenset({"torch", "cupy", "dask"})


def skops_io() -> Any:
    """`skops.io`. Unsupported `no-extra` if it is not installed."""
    if "skops.io" in sys.modules:
        return sys.modules["skops.io"]
    need("sklearn", "sklearn")
    finder = _Absent(threading.get_ident())
    sys.meta_path.insert(0, finder)
    try:
        return need("skops.io", "sklearn")
    finally:
        sys.meta_path.remove(finder)


class _Absent:
    """Hides libraries from one thread; those that are loaded already stay."""

    def __init__(self, thread: int) -> None:
        self._thread = thread

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> None:
        if name in _NOT_NEEDED and threading.get_ident() == self._thread:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
