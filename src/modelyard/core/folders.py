"""Where a user's files belong, as the XDG standard has it: it says that relative ones do not count.

https://specifications.freedesktop.org/basedir-spec/latest/
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["cache_home", "config_home", "data_home", "home_of"]


def cache_home(environment: Mapping[str, str]) -> Path:
    """For what can be made again: `$XDG_CACHE_HOME`, else `~/.cache`."""
    return _base(environment, "XDG_CACHE_HOME", ".cache")


def config_home(environment: Mapping[str, str]) -> Path:
    """For settings: `$XDG_CONFIG_HOME`, else `~/.config`."""
    return _base(environment, "XDG_CONFIG_HOME", ".config")


def data_home(environment: Mapping[str, str]) -> Path:
    """For what people have made: `$XDG_DATA_HOME`, else `~/.local/share`."""
    return _base(environment, "XDG_DATA_HOME", ".local/share")


def home_of(environment: Mapping[str, str]) -> Path:
    """`$HOME`, else as the system knows it. RuntimeError: it knows none."""
    return Path(environment["HOME"]) if environment.get("HOME") else Path.home()


def _base(environment: Mapping[str, str], variable: str, below_home: str) -> Path:
    given = environment.get(variable, "")
    return Path(given) if given.startswith("/") else home_of(environment) / below_home
