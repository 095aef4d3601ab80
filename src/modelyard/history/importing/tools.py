"""Running `git` and `svn`: no shell, no prompts, no hooks, nothing taken from the environment."""

from __future__ import annotations

import os
import re
import subprocess
from contextlib import nullcontext
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from modelyard.errors import Denied, InvalidInput, NotFound, Unavailable, Unsupported

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["check_source", "clean_environment", "git", "git_command", "run", "shown_url"]

_SAFE = (
    "core.hooksPath=/dev/null", "init.templateDir=", "core.fsmonitor=false", "core.pager=cat",
    "core.attributesFile=/dev/null", "core.askPass=", "gc.auto=0", "maintenance.auto=false",
    "protocol.ext.allow=never", "submodule.recurse=false", "fetch.recurseSubmodules=false",
    "http.lowSpeedLimit=100", "http.lowSpeedTime=120", "advice.detachedHead=false",
)  # fmt: skip
_PROTOCOLS = "file:git:http:https:ssh"
_SECRET = re.compile(r"://[^/\s@]*@")
_ABSENT = re.compile(
    r"not found|does not exist|does not appear to be a git|not a git repository|No such|"
    r"E170000|E200009|E160013|Unable to open repository|non-existent|E180001",
    re.IGNORECASE,
)
_REFUSED = re.compile(
    r"authenti|permission denied|access denied|could not read Username|403|401|E170001|E215004|"
    r"dubious ownership|not allowed",
    re.IGNORECASE,
)


def clean_environment() -> dict[str, str]:
    """What a child may know: no GIT_* of the caller, no questions, plain English."""
    kept = {
        name: value for name, value in os.environ.items()
        if not name.startswith(("GIT_", "SVN_", "LD_", "PYTHON", "YARD"))
    }  # fmt: skip
    return kept | {
        "GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "false", "SSH_ASKPASS": "false",
        "GIT_SSH_COMMAND": "ssh -oBatchMode=yes", "GIT_ALLOW_PROTOCOL": _PROTOCOLS,
        "GIT_NO_REPLACE_OBJECTS": "1", "GIT_NO_LAZY_FETCH": "1", "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_OPTIONAL_LOCKS": "0", "GCM_INTERACTIVE": "never", "LC_ALL": "C.UTF-8",
    }  # fmt: skip


def git_command(folder: Path | None, arguments: Sequence[str]) -> list[str]:
    """A call of git with settings that no repository can change."""
    settings = [part for setting in _SAFE for part in ("-c", setting)]
    place = ["--git-dir", str(folder)] if folder is not None else []
    return ["git", *settings, *place, *arguments]


def git(folder: Path | None, *arguments: str, source: str) -> bytes:
    """What git writes to its stdout."""
    return run(git_command(folder, arguments), source=source)


def run(command: Sequence[str], *, source: str, out: Path | None = None) -> bytes:
    """What a program writes to its stdout, which goes into a file if one is named.

    Args:
        source: What it reads, as the user gave it; secrets in it are not shown.

    Raises:
        NotFound: `no-repository`.
        Denied: `source-denied`.
        Unavailable: `source-unreachable`.
        Unsupported: `no-program`.
    """
    try:
        with nullcontext(subprocess.PIPE) if out is None else out.open("wb") as stdout:
            done = subprocess.run(
                command, env=clean_environment(), stdin=subprocess.DEVNULL, stdout=stdout,
                stderr=subprocess.PIPE, check=False,
            )  # fmt: skip
    except FileNotFoundError:
        raise Unsupported(
            "no-program", f"{command[0]} is not installed", hint=f"install {command[0]}"
        ) from None
    if done.returncode:
        raise failure(command[0], done.stderr.decode("utf-8", "replace"), source)
    return done.stdout or b""


def failure(program: str, stderr: str, source: str) -> NotFound | Denied | Unavailable:
    """What a program's complaint means."""
    shown = shown_url(source)
    lines = [line.strip() for line in stderr.replace(source, shown).splitlines() if line.strip()]
    told = _SECRET.sub("://", " ".join(lines[-3:]))[-400:]
    text = f"{program} can't read {shown}: {told}"
    if _REFUSED.search(told):
        return Denied(
            "source-denied", text, hint="nobody is asked for a password here: give git or svn one"
        )
    if _ABSENT.search(told):
        return NotFound("no-repository", text, hint="look at the URL")
    return Unavailable("source-unreachable", text, hint="try again")


def shown_url(url: str) -> str:
    """A URL without what is secret in it."""
    if "://" not in url:
        return url
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def check_source(url: str, schemes: Sequence[str]) -> None:
    """InvalidInput: `bad-source`, if it is neither a folder nor a URL of these schemes."""
    scheme = url.partition("://")[0] if "://" in url else ""
    odd = not url or url.startswith("-") or "::" in url.partition("/")[0] or not url.isprintable()
    if odd or (scheme and scheme not in schemes):
        raise InvalidInput(
            "bad-source", f"{shown_url(url)[:200]!r} is no source",
            hint="a folder, or a URL with " + ", ".join(f"{name}://" for name in schemes),
        )  # fmt: skip
