"""What the edge reads from its surroundings: which yard, and who the author is.

Functions here are given the environment and the working directory, and read nothing else but the
file system and git's settings. Nothing below the command line and the server calls them.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from modelyard.core.folders import cache_home, config_home, data_home, home_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

__all__ = ["MARKER", "YardChoice", "choose_yard", "default_author", "default_yard", "demo_folder"]

MARKER = "yard.toml"
"""The file that makes a folder a yard."""

Source = Literal["option", "environment", "folder", "checkout", "default"]


@dataclass(frozen=True, slots=True)
class YardChoice:
    """The yard to use, and what told us so."""

    url: str
    source: Source

    def __str__(self) -> str:
        return self.url


def choose_yard(
    option: str | None,
    *,
    environment: Mapping[str, str],
    cwd: Path,
    checkout: Callable[[], str | None] = lambda: None,
) -> YardChoice:
    """The option, `$YARD`, the nearest yard above, the yard of the checkout, the user's own.

    Args:
        checkout: Tells the yard that the checkout around `cwd` remembers, if there is one.
    """
    if option:
        return YardChoice(_absolute(option, environment, cwd), "option")
    if named := environment.get("YARD"):
        return YardChoice(_absolute(named, environment, cwd), "environment")
    if above := _nearest(cwd):
        return YardChoice(str(above), "folder")
    if remembered := checkout():
        return YardChoice(remembered, "checkout")
    return YardChoice(str(default_yard(environment)), "default")


def default_yard(environment: Mapping[str, str]) -> Path:
    """The user's own yard, made at the first commit."""
    return data_home(environment) / "modelyard"


def demo_folder(environment: Mapping[str, str]) -> Path:
    """Where `yard demo` works: what is there may be made anew at any time."""
    return cache_home(environment) / "modelyard" / "demo"


def default_author(environment: Mapping[str, str]) -> str:
    """`$YARD_AUTHOR`, or who git says the user is, or the login name."""
    if author := environment.get("YARD_AUTHOR"):
        return author
    if name := environment.get("GIT_AUTHOR_NAME"):
        return _address(name, environment.get("GIT_AUTHOR_EMAIL"))
    return _git_author(environment) or _login(environment)


def _git_author(environment: Mapping[str, str]) -> str | None:
    xdg = config_home(environment)
    for path in (home_of(environment) / ".gitconfig", xdg / "git" / "config"):
        if not path.is_file():
            continue
        section = _git_user(path)
        if name := section.get("name"):
            return _address(name, section.get("email"))
    return None


def _git_user(path: Path) -> dict[str, str]:
    from dulwich.config import ConfigFile

    try:
        user = ConfigFile.from_path(str(path)).items((b"user",))
        return {key.decode().lower(): value.decode() for key, value in user}
    except (OSError, ValueError, KeyError):
        return {}  # git's settings are a convenience: broken ones must not stop a commit


def _login(environment: Mapping[str, str]) -> str:
    import getpass

    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        if login := environment.get(name):
            return login
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container whose user id has no name
        return "unknown"


def _address(name: str, email: str | None) -> str:
    return f"{name} <{email}>" if email else name


def _nearest(folder: Path) -> Path | None:
    for place in (folder, *folder.parents):
        if (place / MARKER).is_file():
            return place
    return None


def _absolute(text: str, environment: Mapping[str, str], cwd: Path) -> str:
    if "://" in text:
        return text
    if text == "~" or text.startswith("~/"):
        return str(home_of(environment) / text[2:])
    return os.path.normpath(cwd / text)
