"""What somebody's optimization may do once their rights are gone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from modelyard.core.access import Account, Caller, Grant
from modelyard.core.optimization import Goal, Recipe, Step
from modelyard.errors import Denied
from modelyard.registry import create
from modelyard.server.optimizing_rights import YardOf

if TYPE_CHECKING:
    from pathlib import Path


def test_who_lost_a_right_is_told_to_end(tmp_path: Path) -> None:
    (tmp_path / "w.txt").write_text("x")
    with create(tmp_path / "yard") as yard:
        yard.commit("m", tmp_path / "w.txt", message="first")
        recipe = Recipe(name="r", steps=(Step("tune"),), goals=(Goal("size", "min"),))
        made = yard.optimizations.begin("m", 1, recipe)
        account = Account(id=7, name="ann", title="Ann")
        now = [Caller(account=account, grants=(Grant("*", "writer"),))]
        theirs = YardOf(yard.house, lambda: now[0], "m")
        assert theirs.optimizations.keep(replace(made, done=1))
        assert theirs.refused is None
        now[0] = Caller(account=account, grants=(Grant("*", "reader"),))
        assert not theirs.optimizations.keep(replace(made, done=2))
        assert isinstance(theirs.refused, Denied)
        assert yard.optimizations.get(made.id).done == 1
        with pytest.raises(Denied):
            theirs.alias("m", "champion", 1)
