"""`yard import dvc` on repositories as DVC writes them (checked against dvc 3 by hand)."""

from __future__ import annotations

import hashlib
import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from modelyard.registry.foreign.dvc import import_dvc
from modelyard.registry.local import LocalYard

if TYPE_CHECKING:
    from pathlib import Path


class Repository:
    """A git repository in which DVC tracks some files."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.git("init", "-q", "-b", "main", ".")
        self.cache = folder / ".dvc/cache/files/md5"

    def git(self, *arguments: str) -> None:
        identity = ["-c", "user.name=Ann", "-c", "user.email=ann@x.org"]
        subprocess.run(["git", *identity, *arguments], cwd=self.folder, check=True)

    def keep(self, content: bytes, suffix: str = "") -> str:
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest() + suffix
        place = self.cache / md5[:2] / md5[2:]
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        return md5

    def keep_folder(self, files: dict[str, bytes]) -> str:
        rows = [{"md5": self.keep(body), "relpath": name} for name, body in files.items()]
        return self.keep(json.dumps(rows).encode(), ".dir")

    def commit(self, message: str, **files: str) -> None:
        (self.folder / ".gitignore").write_text(".dvc/cache\n")
        for name, text in files.items():
            (self.folder / name.replace("_dot_", ".")).write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "source")


@pytest.fixture
def yard(tmp_path: Path):
    with LocalYard.create(tmp_path / "yard", author="importer") as yard:
        yield yard


def out(md5: str, path: str) -> str:
    return f"outs:\n- md5: {md5}\n  size: 1\n  hash: md5\n  path: {path}\n"


def test_commits_that_change_an_output_become_versions(yard, repository):
    one, two = bytes(range(256)) * 900, bytes(range(256)) * 900 + b"more"
    repository.commit("one", m_dot_bin_dot_dvc=out(repository.keep(one), "m.bin"))
    repository.commit("only code", train_dot_py="x")
    repository.commit("two", m_dot_bin_dot_dvc=out(repository.keep(two), "m.bin"))

    (done,) = import_dvc(yard.house, str(repository.folder), "m").models

    assert done.versions == (1, 2)
    assert [version.message for version in yard.model("m").log()] == ["two", "one"]
    assert yard.model("m")["main"].open("m.bin").read() == two
    assert not yard.verify().damage


def test_folders_params_and_metrics_come_along(yard, repository):
    md5 = repository.keep_folder({"a/w.bin": b"\0weights", "b.txt": b"text"})
    lock = f"""schema: '2.0'
stages:
  train:
    cmd: python train.py
    params:
      params.yaml:
        train.C: 0.5
    outs:
    - path: model
      hash: md5
      md5: {md5}
      size: 1
"""
    repository.commit(
        "one", dvc_dot_lock=lock, metrics_dot_json='{"accuracy": 0.9, "by": {"class": 1}}',
        dvc_dot_yaml="stages:\n  train:\n    metrics:\n    - metrics.json:\n        cache: false\n",
        README_dot_md="# Churn\n\nWho leaves.\n",
    )  # fmt: skip

    import_dvc(yard.house, str(repository.folder), "m")

    detail = yard.model("m")["main"].detail
    assert {file.path for file in detail.files} == {"README.md", "model/a/w.bin", "model/b.txt"}
    assert detail.version.metrics == {"accuracy": 0.9, "by.class": 1}
    assert detail.params == {"train.C": 0.5}


def test_only_wanted_outputs_come(yard, repository):
    repository.commit(
        "one", m_dot_pkl_dot_dvc=out(repository.keep(b"\0m"), "m.pkl"),
        data_dot_csv_dot_dvc=out(repository.keep(b"1,2"), "data.csv"),
    )  # fmt: skip

    import_dvc(yard.house, str(repository.folder), "m", only=["*.pkl"])

    assert [file.path for file in yard.model("m")["main"].detail.files] == ["m.pkl"]


def test_bytes_with_another_md5_do_not_come(yard, repository):
    md5 = repository.keep(b"\0right")
    (repository.cache / md5[:2] / md5[2:]).write_bytes(b"\0wrong")
    repository.commit(
        "one", m_dot_bin_dot_dvc=out(md5, "m.bin"), n_dot_bin_dot_dvc=out(
            repository.keep(b"\0n"), "n.bin"))  # fmt: skip

    (done,) = import_dvc(yard.house, str(repository.folder), "m").models

    assert [file.path for file in yard.model("m")["main"].detail.files] == ["n.bin"]
    assert done.left_out[0].name == f"MD5 {md5}"


def test_another_cache_can_be_named(yard, repository, tmp_path):
    repository.commit("one", m_dot_bin_dot_dvc=out(repository.keep(b"\0m"), "m.bin"))
    (repository.folder / ".dvc/cache").rename(tmp_path / "remote")

    import_dvc(yard.house, str(repository.folder), "m", cache=str(tmp_path / "remote"))

    assert yard.model("m")["main"].open("m.bin").read() == b"\0m"


@pytest.mark.parametrize("path", ["../../x", "/etc/x", "s3://bucket/x", "a/../../x"])
def test_outputs_that_lead_out_are_not_taken(yard, repository, path):
    repository.commit(
        "one", m_dot_bin_dot_dvc=out(repository.keep(b"\0m"), path),
        n_dot_bin_dot_dvc=out(repository.keep(b"\0n"), "n.bin"),
    )  # fmt: skip

    import_dvc(yard.house, str(repository.folder), "m")

    assert [file.path for file in yard.model("m")["main"].detail.files] == ["n.bin"]


def test_names_in_a_folder_that_lead_out_are_left_out(yard, repository):
    md5 = repository.keep_folder({"../../x": b"\0x", "good": b"\0g"})
    repository.commit("one", m_dot_dvc=out(md5, "m"))

    (done,) = import_dvc(yard.house, str(repository.folder), "m").models

    assert [file.path for file in yard.model("m")["main"].detail.files] == ["m/good"]
    assert done.left_out[0].name == "m/../../x"
