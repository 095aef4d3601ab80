"""Stock git and git-lfs in a folder of their own, with nobody's settings."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Git", "Said"]


@dataclass(frozen=True)
class Said:
    """What a command wrote, and how it ended."""

    out: str
    err: str
    code: int


class Git:
    """Runs git in one folder."""

    def __init__(self, home: Path, folder: Path | None = None) -> None:
        self.home = home
        self.folder = folder or home
        self.env = {
            **os.environ, "HOME": str(home), "GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_DATE": "", "GIT_COMMITTER_DATE": "", "LC_ALL": "C.UTF-8",
        }  # fmt: skip
        for name in ("GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE", "http_proxy", "https_proxy"):
            self.env.pop(name, None)
        if folder is None:
            for name, value in (("user.name", "Ann Lee"), ("user.email", "ann@example.org"),
                                ("init.defaultBranch", "main"), ("protocol.version", "2"),
                                ("fetch.fsckObjects", "true")):  # fmt: skip
                self("config", "--global", name, value)
            self("lfs", "install", "--skip-repo")

    def __call__(self, *words: str, check: bool = True) -> str:
        said = self.try_(*words)
        if check and said.code:
            raise AssertionError(f"git {' '.join(words)}: {said.out}{said.err}")
        return said.out

    def try_(self, *words: str, stdin: bytes | None = None) -> Said:
        done = subprocess.run(
            ["git", *words], cwd=self.folder, env=self.env, input=stdin, timeout=300,
            capture_output=True,
        )  # fmt: skip
        return Said(done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"),
                    done.returncode)  # fmt: skip

    def clone(self, url: str, name: str, *words: str) -> Git:
        self("clone", "-q", *words, url, str(self.home / name))
        return Git(self.home, self.home / name)

    def new(self, name: str) -> Git:
        (self.home / name).mkdir()
        made = Git(self.home, self.home / name)
        made("init", "-q")
        return made

    def write(self, path: str, content: bytes | str) -> None:
        place = self.folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content.encode() if isinstance(content, str) else content)

    def commit(self, message: str = "work") -> str:
        self("add", "-A")
        self("commit", "-q", "-m", message)
        return self("rev-parse", "HEAD").strip()
