"""Which data a server may read for others: committed datasets, never a file of its machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from modelyard.errors import NotFound
from modelyard.registry.data import may_read_dataset, name_dataset

if TYPE_CHECKING:
    from modelyard.server.state import Ask

__all__ = ["check_dataset"]


def check_dataset(ask: Ask, data: str) -> None:
    """A server reads none of its own files for others, and does not say which of them there are.

    NotFound: `no-data`.
    """
    try:
        if may_read_dataset(ask.caller, data) and not _is_file(data):
            name_dataset(ask.yard.desk, data)
            return
    except NotFound:
        pass
    raise NotFound("no-data", f"there is no dataset {data}", hint="MODEL@REV of one in this yard")


def _is_file(text: str) -> bool:
    """Whether this machine has something of that name, or nobody can say."""
    try:
        return Path(text).expanduser().exists()
    except (RuntimeError, ValueError, OSError):  # the home of nobody, a NUL, a very long name
        return True
