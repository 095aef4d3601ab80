"""The pass `cast`, run on a folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from modelyard.frameworks import FolderFiles, Saved, claim
from modelyard.optimization.passes import pass_named
from modelyard.optimization.state import Model, Work

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CAST = pass_named("cast")


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Any]:
    """`run(folder, saved, **params)`: the pass on files."""
    count = 0

    def cast(folder: Path, saved: Saved | None = None, **params: Any) -> Any:
        nonlocal count
        count += 1
        scratch = tmp_path / f"scratch{count}"
        scratch.mkdir()
        known = saved or claim(FolderFiles(folder))
        assert known is not None
        model = Model(folder=folder, saved=known)
        work = Work(task="other", train=None, valid=None, source=model, scratch=scratch, seed=1)
        return CAST.run(model, params, work)

    return cast
