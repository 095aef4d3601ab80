"""Put what is missing on this machine: Debian's packages as root, npm's into `.services/npm`."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tests.services.kinds import SERVICES
from tests.services.state import locked
from tests.services.stores import NPM

__all__ = ["chinese_font", "install"]

_LISTS = Path(__file__).parent / "npm"
_DEBIAN = {"postgres": "postgresql", "mariadb": "mariadb-server"}
_TOOLS = {
    "strace": "strace", "svn": "subversion", "git-lfs": "git-lfs", "curl": "curl",
    "chromium": "chromium", "promtool": "prometheus",
    "prometheus-alertmanager": "prometheus-alertmanager",
}  # fmt: skip
_FONT = "fonts-noto-cjk"
"""Chinese pages are looked at in pictures too."""
_NODE = ("s3rver", "azurite")


def install(names: list[str]) -> None:
    """What these services need and this machine lacks; nothing happens if nothing is missing.

    Raises RuntimeError where a package manager fails. Without root Debian's packages are left
    out: whoever wants such a service reads that it is not installed.
    """
    with locked("install"):
        packages = [_DEBIAN[name] for name in names if name in _DEBIAN and not _found(name)]
        packages += [package for tool, package in _TOOLS.items() if not shutil.which(tool)]
        packages += [] if chinese_font() else [_FONT]
        if any(name in _NODE for name in names):
            packages += [tool for tool in ("nodejs", "npm") if not shutil.which(_command(tool))]
        if packages:
            _apt(packages)
        if any(name in _NODE for name in names) and shutil.which("npm"):
            _npm()


def chinese_font() -> Path | None:
    """A font that has Chinese characters."""
    return next(Path("/usr/share/fonts").rglob("NotoSansCJK*"), None)


def _found(name: str) -> bool:
    return SERVICES[name].program() is not None


def _command(package: str) -> str:
    return "node" if package == "nodejs" else package


def _apt(packages: list[str]) -> None:
    if os.getuid() != 0 or not shutil.which("apt-get"):
        print(f"not installed, since we are not root on Debian: {' '.join(packages)}")
        return
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with _no_system_servers():
        _must(["apt-get", "update", "-q"], environ)
        _must(["apt-get", "install", "-qy", "--no-install-recommends", *packages], environ)


class _no_system_servers:
    """While packages are installed, none of them starts a server on its usual port."""

    policy = Path("/usr/sbin/policy-rc.d")

    def __enter__(self) -> None:
        self.ours = not self.policy.exists()
        if self.ours:
            self.policy.write_text("#!/bin/sh\nexit 101\n")
            self.policy.chmod(0o755)

    def __exit__(self, *_: object) -> None:
        if self.ours:
            self.policy.unlink(missing_ok=True)


def _npm() -> None:
    """Exactly what the committed lock says; no package's own script runs."""
    lock = (_LISTS / "package-lock.json").read_bytes()
    done = NPM / "installed.json"
    if done.exists() and done.read_bytes() == lock:
        return
    NPM.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(_LISTS / name, NPM / name)
    _must(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], dict(os.environ), NPM)
    done.write_bytes(lock)


def _must(command: list[str], environ: dict[str, str], folder: Path = Path("/")) -> None:
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environ, cwd=folder
    )
    if done.returncode:
        told = done.stdout.decode(errors="replace")[-2000:]
        raise RuntimeError(f"{' '.join(command)} failed:\n{told}")
