"""The tools, each driven as its users drive it: `push` a file as a version, `pull` it again.

What happens once per store (`git init`, `dvc init`, making a database) is not measured. Pulls go
into an empty place, without the caches that the pushes left.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from tests.benchmarks.store import venvs
from tests.benchmarks.store.measure import Cost, command, disk, empty, quiet, report

__all__ = ["PEERS", "Peer"]

PROGRAMS = Path(__file__).with_name("programs")


class Peer:
    """A tool and one fresh store of it below `place`."""

    name = ""

    def __init__(self, work: Path, place: Path, dtype: str) -> None:
        self.work, self.dtype = work, dtype
        self.place = empty(place.absolute())
        self.env = quiet(self.place / "home")
        self.store = empty(self.place / "store")
        self.start()

    def start(self) -> None:
        """Make the store."""

    def ready(self, case: str, file: Path) -> None:
        """What a user has done before he pushes, such as having the file where he works."""

    def push(self, case: str, file: Path) -> Cost:
        raise NotImplementedError

    def forget(self, case: str) -> None:
        """Before a pull: remove the tool's caches."""

    def pull(self, case: str, file: str, dest: Path) -> Cost:
        """Bring back a version as `dest/file`."""
        raise NotImplementedError

    def stored(self) -> int:
        return disk(self.store)

    def program(self, script: str, *arguments: object) -> Cost:
        interpreter = str(venvs.python(self.work, self.name))
        argv = [interpreter, str(PROGRAMS / script), *map(str, arguments)]
        return report(argv, env=self.env, cwd=self.place)[0]

    def commands(self, cwd: Path, *lines: list[str]) -> Cost:
        costs = [command(line, env=self.env, cwd=cwd)[0] for line in lines]
        return sum(costs[1:], costs[0])


class Copy(Peer):
    """`cp`."""

    name = "cp"

    def push(self, case: str, file: Path) -> Cost:
        (self.store / case).mkdir()
        return self.commands(self.store, ["cp", str(file), case])

    def pull(self, case: str, file: str, dest: Path) -> Cost:
        return self.commands(self.store, ["cp", f"{case}/{file}", str(dest)])


class SafeCopy(Copy):
    """`cp`, made durable by `sync` of file and folder, and `sha256sum` of the file."""

    name = "cp+sync+sha256sum"

    def push(self, case: str, file: Path) -> Cost:
        (self.store / case).mkdir()
        copied = f"{case}/{file.name}"
        line = (
            f"cp {file} {copied} && sync {copied} {case} && sha256sum {copied} > {case}/SHA256SUMS"
        )
        return self.commands(self.store, ["sh", "-c", line])


class Dvc(Peer):
    """`dvc add`, `git commit`, `dvc push` to a folder; `git checkout`, `dvc pull` in a clone."""

    name = "dvc"

    def start(self) -> None:
        site = {"DVC_NO_ANALYTICS": "1", "DVC_SITE_CACHE_DIR": str(self.place / "site")}
        self.env |= site
        self.dvc = venvs.command_of(self.work, "dvc", "dvc")
        self.repo = empty(self.place / "repo")
        self.commands(
            self.repo,
            ["git", "init", "-q"],
            [self.dvc, "init", "-q"],
            [self.dvc, "config", "core.analytics", "false"],
            [self.dvc, "config", "core.check_update", "false"],
            [self.dvc, "remote", "add", "-q", "-d", "store", str(self.store)],
            ["git", "add", "-A"],
            ["git", "commit", "-q", "-m", "init"],
        )

    def ready(self, case: str, file: Path) -> None:
        shutil.copyfile(file, self.repo / file.name)

    def push(self, case: str, file: Path) -> Cost:
        return self.commands(
            self.repo,
            [self.dvc, "add", "-q", file.name],
            ["git", "add", f"{file.name}.dvc", ".gitignore"],
            ["git", "commit", "-q", "-m", case],
            ["git", "tag", f"case-{case}"],
            [self.dvc, "push", "-q", f"{file.name}.dvc"],
        )

    def forget(self, case: str) -> None:
        shutil.rmtree(self.repo / ".dvc/cache", ignore_errors=True)
        shutil.rmtree(self.place / "site", ignore_errors=True)
        shutil.rmtree(self.place / "clone", ignore_errors=True)
        self.commands(self.place, ["git", "clone", "-q", str(self.repo), "clone"])

    def pull(self, case: str, file: str, dest: Path) -> Cost:
        clone = self.place / "clone"
        checkout = ["git", "checkout", "-q", f"case-{case}"]
        cost = self.commands(clone, checkout, [self.dvc, "pull", "-q", f"{file}.dvc"])
        (clone / file).rename(dest / file)
        return cost


class Lfs(Peer):
    """`git add`, `git commit`, `git push` to a bare repository by file://; `git clone` of a tag."""

    name = "lfs"

    def start(self) -> None:
        venvs.git_lfs()
        self.repo = self.place / "repo"
        self.url = f"file://{self.store}"
        self.commands(
            self.place,
            ["git", "lfs", "install", "--skip-repo"],
            ["git", "init", "-q", "--bare", "-b", "main", str(self.store)],
            ["git", "clone", "-q", self.url, str(self.repo)],
        )
        self.commands(
            self.repo,
            ["git", "checkout", "-q", "-b", "main"],
            ["git", "lfs", "track", "*.safetensors", "*.pt"],
            ["git", "add", "-A"],
            ["git", "commit", "-q", "-m", "track"],
            ["git", "push", "-q", "origin", "main"],
        )

    def ready(self, case: str, file: Path) -> None:
        shutil.copyfile(file, self.repo / file.name)

    def push(self, case: str, file: Path) -> Cost:
        tag = f"case-{case}"
        return self.commands(
            self.repo,
            ["git", "add", file.name],
            ["git", "commit", "-q", "-m", case],
            ["git", "tag", tag],
            ["git", "push", "-q", "origin", "main", tag],
        )

    def forget(self, case: str) -> None:
        shutil.rmtree(self.repo / ".git/lfs", ignore_errors=True)
        shutil.rmtree(self.place / "clone", ignore_errors=True)

    def pull(self, case: str, file: str, dest: Path) -> Cost:
        line = ["git", "clone", "-q", "-c", "advice.detachedHead=false", "--branch", f"case-{case}"]
        cost = self.commands(self.place, [*line, self.url, "clone"])
        (self.place / "clone" / file).rename(dest / file)
        return cost


class Xet(Peer):
    """hf_xet with its own store in a folder (`local://`); counted are its xorbs and shards."""

    name = "xet"

    def start(self) -> None:
        self.env |= {"HF_HOME": str(self.place / "hf"), "HF_HUB_DISABLE_TELEMETRY": "1"}

    def push(self, case: str, file: Path) -> Cost:
        return self.program("run_xet.py", "push", self.store, file, self.place / f"{case}.json")

    def forget(self, case: str) -> None:
        empty(self.place / "hf")

    def pull(self, case: str, file: str, dest: Path) -> Cost:
        note = self.place / f"{case}.json"
        return self.program("run_xet.py", "pull", self.store, note, dest / file)

    def stored(self) -> int:
        return disk(self.store / "xet/xorbs")


class MlFlow(Peer):
    """`log_artifact` into a folder with a SQLite database; `download_artifacts`."""

    name = "mlflow"

    def start(self) -> None:
        self.env |= {"MLFLOW_DISABLE_TELEMETRY": "true", "GIT_PYTHON_REFRESH": "quiet"}
        small = self.place / "small.txt"
        small.write_text("the database is made by the first run\n")
        self.program("run_mlflow.py", "push", self.store, small, self.place / "small.json")

    def push(self, case: str, file: Path) -> Cost:
        return self.program("run_mlflow.py", "push", self.store, file, self.place / f"{case}.txt")

    def pull(self, case: str, file: str, dest: Path) -> Cost:
        note = self.place / f"{case}.txt"
        return self.program("run_mlflow.py", "pull", self.store, note, dest)


class ZipNn(Peer):
    """ZipNN's `compress` and `decompress` of a file; it knows no versions."""

    name = "zipnn"

    def push(self, case: str, file: Path) -> Cost:
        packed = self.store / f"{case}.znn"
        return self.program("run_zipnn.py", "push", file, packed, self.kind)

    def pull(self, case: str, file: str, dest: Path) -> Cost:
        packed = self.store / f"{case}.znn"
        return self.program("run_zipnn.py", "pull", packed, dest / file, self.kind)

    @property
    def kind(self) -> str:
        return "bfloat16" if "bf16" in self.dtype else "float32"


class Ours(Peer):
    """modelyard through its SDK, durable as always, verified as always."""

    name = "modelyard"

    def start(self) -> None:
        self.numbering: dict[str, int] = {}
        self._run("init", self.store)

    def push(self, case: str, file: Path) -> Cost:
        cost, said = self._run("push", self.store, file)
        self.numbering[case] = said["number"]
        return cost

    def pull(self, case: str, file: str, dest: Path) -> Cost:
        return self._run("pull", self.store, self.numbering[case], dest)[0]

    def _run(self, *arguments: object) -> tuple[Cost, dict[str, int]]:
        argv = [sys.executable, str(PROGRAMS / "run_yard.py"), *map(str, arguments)]
        return report(argv, env=self.env, cwd=self.place)


PEERS: dict[str, type[Peer]] = {
    peer.name: peer for peer in (Ours, Copy, SafeCopy, MlFlow, Xet, Dvc, Lfs, ZipNn)
}
