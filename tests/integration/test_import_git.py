"""`yard import git` on repositories that the real git and git-lfs made."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from modelyard.core.digest import Digest
from modelyard.errors import Denied, InvalidInput, NotFound
from modelyard.history.pointers import pointer
from modelyard.registry.histories.git import import_git
from modelyard.registry.local import LocalYard

if TYPE_CHECKING:
    from pathlib import Path


class Repository:
    """A git repository that a test fills."""

    def __init__(self, folder: Path, branch: str = "main") -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.day = 0
        self("init", "-q", "-b", branch, ".")

    def __call__(self, *arguments: str, **environ: str) -> str:
        done = subprocess.run(
            ["git", "-c", "protocol.file.allow=always", *arguments], cwd=self.folder, check=True,
            capture_output=True, env={**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_COMMITTER_NAME": "Cy", "GIT_COMMITTER_EMAIL": "cy@x.org", **environ},
        )  # fmt: skip
        return done.stdout.decode().strip()

    def commit(self, message: str, author: str = "Ann Lee <ann@x.org>", **files: object) -> str:
        for name, content in files.items():
            place = self.folder / name.replace("__", "/").replace("_dot_", ".")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content if isinstance(content, bytes) else str(content).encode())
        self("add", "-A")
        self.day += 1
        date = f"2020-01-{self.day:02}T10:00:00+02:00"
        self("commit", "-q", "--allow-empty", "-m", message, f"--author={author}", f"--date={date}",
             GIT_COMMITTER_DATE=date)  # fmt: skip
        return self("rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "source")


@pytest.fixture
def yard(tmp_path: Path):
    with LocalYard.create(tmp_path / "yard", author="importer") as yard:
        yield yard


def weights(seed: int, size: int = 150_000) -> bytes:
    return b"".join(hashlib.sha256(f"{seed}-{n}".encode()).digest() for n in range(size // 32))


def test_small_texts_keep_the_commit_ids_of_git(yard, repository):
    first = repository.commit("first", README_dot_md="# One\n")
    second = repository.commit("second", "Zoë 李 <zoe@x.org>", a_dot_txt="a")
    repository("tag", "v1")

    (done,) = import_git(yard.house, str(repository.folder), "m").models

    assert done.kept_ids == 2
    one, two = sorted(yard.model("m").log(), key=lambda version: version.number)
    assert [one.commit, two.commit] == [first, second]
    assert (two.author, two.message) == ("Zoë 李 <zoe@x.org>", "second")
    assert one.time.isoformat() == "2020-01-01T08:00:00+00:00"
    assert {ref.name: ref.number for ref in yard.refs("m")} == {"main": 2, "v1": 2}


def test_large_files_become_pointers_and_say_so(yard, repository):
    repository.commit("one", model_dot_bin=weights(1))
    repository.commit("two", model_dot_bin=weights(1) + b"more")

    (done,) = import_git(yard.house, str(repository.folder), "m").models

    assert (done.kept_ids, len(done.versions)) == (0, 2)
    assert yard.model("m")["main"].open("model.bin").read() == weights(1) + b"more"
    assert done.new_bytes < 2 * len(weights(1))
    assert not yard.verify().damage


def test_merges_several_roots_and_branches_come(yard, repository):
    repository.commit("root", a_dot_txt="1")
    repository("checkout", "-q", "-b", "feature/x")
    repository.commit("side", b_dot_txt="2")
    repository("checkout", "-q", "main")
    repository.commit("trunk", c_dot_txt="3")
    repository("merge", "-q", "--no-edit", "feature/x", GIT_AUTHOR_NAME="a", GIT_AUTHOR_EMAIL="a@x")
    repository("checkout", "-q", "--orphan", "other")
    repository.commit("second root", d_dot_txt="4")

    import_git(yard.house, str(repository.folder), "m")

    versions = {version.message.split("\n")[0]: version for version in yard.model("m").log()}
    merge = versions["Merge branch 'feature/x'"]
    assert set(merge.parents) == {versions["side"].number, versions["trunk"].number}
    assert versions["second root"].parents == ()
    assert versions["side"].branch == "feature/x"


def test_a_second_run_brings_only_what_is_new(yard, repository):
    repository.commit("one", model_dot_bin=weights(1))
    import_git(yard.house, str(repository.folder), "m")
    repository.commit("two", model_dot_bin=weights(2))

    (again,) = import_git(yard.house, str(repository.folder), "m").models

    assert (again.versions, again.known, again.refs) == ((2,), 1, ("main",))


def test_names_that_clash_or_mean_a_version_are_renamed(yard, repository):
    repository.commit("one", a_dot_txt="1")
    for name in ("v1", "2024", "abcdef1", "latest"):
        repository("branch", name)
        repository("tag", "-a", name, "-m", "yes")

    (done,) = import_git(yard.house, str(repository.folder), "m").models

    assert done.renamed["tag v1"] == "tag-v1"
    assert done.renamed["branch 2024"] == "branch-2024"
    assert len(yard.refs("m")) == 9


def test_master_keeps_its_name_and_main_is_made(yard, tmp_path):
    repository = Repository(tmp_path / "old", "master")
    repository.commit("one", a_dot_txt="1")

    import_git(yard.house, str(repository.folder), "m")

    assert {ref.name for ref in yard.refs("m")} == {"main", "master"}


def test_a_branch_that_went_another_way_stays(yard, repository, tmp_path):
    repository.commit("one", a_dot_txt="1")
    import_git(yard.house, str(repository.folder), "m")
    (tmp_path / "b.txt").write_text("here")
    yard.commit("m", tmp_path / "b.txt", message="here")
    repository.commit("two", a_dot_txt="2")

    (done,) = import_git(yard.house, str(repository.folder), "m").models

    assert done.versions == (3,)
    assert done.conflicts == ("branch main is at 2 here, and at 3 in the source",)


def test_one_folder_of_a_repository_is_a_model(yard, repository):
    repository.commit("one", models__bert__w_dot_bin=weights(1), other_dot_txt="x")
    repository.commit("beside it", other_dot_txt="y")
    repository.commit("two", models__bert__w_dot_bin=weights(2))

    (done,) = import_git(yard.house, str(repository.folder), path="models/bert").models

    assert (done.model, done.versions) == ("bert", (1, 2))
    assert [file.path for file in yard.model("bert")["main"].detail.files] == ["w.bin"]


def test_lfs_objects_of_a_local_repository_come_along(yard, repository):
    repository("lfs", "install", "--local")
    repository("lfs", "track", "*.bin")
    commit = repository.commit("one", model_dot_bin=weights(1))

    (done,) = import_git(yard.house, str(repository.folder), "m").models

    assert yard.model("m")["main"].open("model.bin").read() == weights(1)
    assert next(yard.model("m").log()).commit == commit
    assert not done.left_out


def test_lfs_objects_that_are_nowhere_are_told(yard, repository):
    lost = pointer(Digest.of(b"lost"), 4)
    repository.commit("one", model_dot_bin=lost, a_dot_txt="a")

    (done,) = import_git(yard.house, str(repository.folder), "m").models

    assert "git-lfs can't get it" in done.left_out[0].reason
    assert [file.path for file in yard.model("m")["main"].detail.files] == ["a.txt"]
    assert not yard.verify().damage


def test_what_no_tree_can_hold_is_left_out_and_told(yard, repository):
    (repository.folder / "good").symlink_to("a.txt")
    (repository.folder / "evil").symlink_to("/etc/passwd")
    repository.commit("one", a_dot_txt="a", A_dot_TXT="b")
    repository("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},sub")
    repository("commit", "-q", "-m", "two", GIT_AUTHOR_NAME="a", GIT_AUTHOR_EMAIL="a@x")

    (done,) = import_git(yard.house, str(repository.folder), "m").models

    assert {one.name for one in done.left_out} == {"evil", "a.txt", "sub"}
    assert {file.path for file in yard.model("m")["main"].detail.files} == {"good", "A.TXT"}


def test_a_hostile_tree_writes_nothing_outside(yard, repository, tmp_path):
    (repository.folder / "x").write_text("evil")
    name = repository("hash-object", "-w", "x")
    row = b"100644 x\0" + bytes.fromhex(name)
    inner = subprocess.run(
        ["git", "hash-object", "-t", "tree", "-w", "--literally", "--stdin"], input=row,
        cwd=repository.folder, capture_output=True, check=True,
    ).stdout.decode().strip()  # fmt: skip
    outer = b"40000 ..\0" + bytes.fromhex(inner) + b"40000 .git\0" + bytes.fromhex(inner) + row
    tree = subprocess.run(
        ["git", "hash-object", "-t", "tree", "-w", "--literally", "--stdin"], input=outer,
        cwd=repository.folder, capture_output=True, check=True,
    ).stdout.decode().strip()  # fmt: skip
    commit = repository("commit-tree", tree, "-m", "evil", GIT_AUTHOR_NAME="e",
                        GIT_AUTHOR_EMAIL="e@x")  # fmt: skip
    repository("update-ref", "refs/heads/main", commit)

    (done,) = import_git(yard.house, str(repository.folder), "m").models

    assert {one.name for one in done.left_out} == {"..", ".git/x"}
    assert [file.path for file in yard.model("m")["main"].detail.files] == ["x"]


def test_nothing_of_the_repository_is_run(yard, repository, tmp_path):
    marker = tmp_path / "was-run"
    repository.commit("one", a_dot_txt="a", _dot_lfsconfig=f"[lfs]\nurl = ext::touch {marker}\n")
    for hook in ("post-checkout", "pre-receive", "reference-transaction", "post-upload-pack"):
        place = repository.folder / ".git/hooks" / hook
        place.write_text(f"#!/bin/sh\ntouch {marker}\n")
        place.chmod(0o755)
    for name in ("core.fsmonitor", "core.sshCommand", "uploadpack.packObjectsHook", "core.pager",
                 "diff.external", "filter.lfs.smudge", "credential.helper"):  # fmt: skip
        repository("config", name, f"touch {marker}")

    import_git(yard.house, str(repository.folder), "m")

    assert not marker.exists()


@pytest.mark.parametrize("source", ["ext::sh -c true", "--upload-pack=true", "fd::3", "ftp://x/y"])
def test_odd_sources_are_refused(yard, source):
    with pytest.raises(InvalidInput) as caught:
        import_git(yard.house, source, "m")
    assert caught.value.kind == "bad-source"


def test_no_repository_is_not_found_and_makes_no_model(yard, tmp_path):
    with pytest.raises(NotFound) as caught:
        import_git(yard.house, str(tmp_path), "m")
    assert caught.value.kind == "no-repository"
    assert not list(yard.models())


def test_the_rebuilt_catalog_has_the_same_history(yard, repository):
    repository.commit("one", README_dot_md="---\ntask: x\n---\nHello\n", model_dot_bin=weights(1))
    repository.commit("two", model_dot_bin=weights(2))
    repository("tag", "v2")
    import_git(yard.house, str(repository.folder), "m")
    before = [(v.number, v.commit, v.author, v.time, v.parents) for v in yard.model("m").log()]
    refs = yard.refs("m")

    yard.verify(rebuild=True)

    assert [(v.number, v.commit, v.author, v.time, v.parents)
            for v in yard.model("m").log()] == before  # fmt: skip
    assert yard.refs("m") == refs
    (again,) = import_git(yard.house, str(repository.folder), "m").models
    assert again.versions == ()


@pytest.mark.slow
def test_a_server_is_imported_into_and_from_with_its_lfs_objects(yard, repository, tmp_path):
    from tests.server.running import running

    commit = repository.commit("one", README_dot_md="# One\n")
    repository.commit("two", model_dot_bin=weights(1))
    with running(tmp_path / "far") as server:
        environ = {**os.environ, "YARD": server.url, "YARD_TOKEN": str(server.token)}
        for _ in range(2):
            subprocess.run(
                [sys.executable, "-m", "modelyard", "import", "git", repository.folder, "team/m"],
                env=environ, check=True,
            )  # fmt: skip
        host = server.url.partition("://")[2]
        url = f"http://x:{server.token}@{host}/team/m.git"
        (done,) = import_git(yard.house, url, "m").models
        with pytest.raises(Denied) as caught:
            import_git(yard.house, f"http://x:not-the-token@{host}/team/m.git", "n")

    assert (done.versions, done.kept_ids) == ((1, 2), 2)
    assert commit in {version.commit for version in yard.model("m").log()}
    assert yard.model("m")["main"].open("model.bin").read() == weights(1)
    assert "not-the-token" not in caught.value.message
