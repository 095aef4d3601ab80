"""Folders of the XDG standard: those that the environment names, unless they are relative."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelyard.core.folders import cache_home, config_home, data_home, home_of

HOMES = [
    (cache_home, "XDG_CACHE_HOME", ".cache"),
    (config_home, "XDG_CONFIG_HOME", ".config"),
    (data_home, "XDG_DATA_HOME", ".local/share"),
]


@pytest.mark.parametrize(("home", "variable", "usual"), HOMES)
def test_the_environment_says_where_and_relative_folders_do_not_count(
    home: object, variable: str, usual: str
) -> None:
    assert callable(home)
    assert home({variable: "/fast", "HOME": "/h"}) == Path("/fast")
    assert home({variable: "fast", "HOME": "/h"}) == Path("/h", usual)
    assert home({"HOME": "/h"}) == Path("/h", usual)


def test_without_a_home_in_the_environment_the_system_is_asked() -> None:
    assert home_of({}) == Path.home()
