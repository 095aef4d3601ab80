"""Work that takes longer than a request may: jobs, which another server can be asked about too."""

from __future__ import annotations

from typing import Any

__all__ = ["Jobs"]


class Jobs:
    def __init__(self, *given: Any) -> None: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...
