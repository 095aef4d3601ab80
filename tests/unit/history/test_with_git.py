"""What we write, judged by stock git."""

from __future__ import annotations

import os
import shutil
import subprocess
import zlib
from typing import TYPE_CHECKING

import pytest

from modelyard.core.digest import Digest
from modelyard.core.merge import EXECUTABLE, REGULAR, SYMLINK, Entry
from modelyard.history.commits import write_commit
from modelyard.history.pointers import is_inline
from modelyard.history.trees import write_tree

if TYPE_CHECKING:
    from pathlib import Path

    from modelyard.history.gitobject import GitObject


@pytest.fixture(autouse=True)
def _git(require):
    require("git", shutil.which("git"))


@pytest.fixture
def lfs(require):
    require("git-lfs", shutil.which("git-lfs"))


_NAMES = {1: b"commit", 2: b"tree", 3: b"blob"}
NASTY = (
    "model.safetensors",
    "with space.bin",
    " leading and trailing ",
    "!not.bin",
    "#comment.bin",
    '"quoted".bin',
    "[attr]macro",
    "st*r.bin",
    "wh?t[a-z].bin",
    "braces{a,b}.bin",
    "-dash",
    "模型/权重 文件.bin",
    "café/naïve.bin",
    "deep/er/**/x.bin",
    "a'b/c$d/e~f/g^h.bin",
    "colon:ish/tab-less.bin",
)


class Repo:
    """A bare repository that objects are written into by hand."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "GIT_CONFIG_NOSYSTEM": "1",
            "LC_ALL": "C.UTF-8",
        }
        self.git("init", "--bare", "--quiet", "--initial-branch=main")

    def git(self, *args: str, data: bytes | None = None) -> bytes:
        done = subprocess.run(
            ["git", *args], cwd=self.folder, env=self.env, input=data, capture_output=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def write(self, item: GitObject) -> None:
        name = item.sha.hex()
        place = self.folder / "objects" / name[:2] / name[2:]
        place.parent.mkdir(exist_ok=True)
        header = b"%b %d\0" % (_NAMES[item.kind], len(item.body))
        place.write_bytes(zlib.compress(header + item.body))

    def commit(self, tree: dict[str, Entry], *parents: bytes, **fields: object) -> bytes:
        root, objects = write_tree(tree)
        given = {"author": "ann", "time": 1_760_000_000_000_000, "message": "a version", **fields}
        commit = write_commit(tree=root, parents=parents, **given)
        for item in (*objects, commit):
            self.write(item)
        self.git("update-ref", "refs/heads/main", commit.sha.hex())
        return commit.sha


def file(data: bytes, path: str = "", mode: int = REGULAR) -> Entry:
    keep = mode == SYMLINK or is_inline(path, data)
    return Entry(mode, Digest.of(data), len(data), data if keep else None)


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    return Repo(tmp_path)


def test_several_versions_pass_fsck_strict(repo: Repo) -> None:
    tree = {path: file(b"\xff" + path.encode()) for path in NASTY}
    tree |= {
        "README.md": file(b"# hi\n"),
        "bin/run.sh": file(b"#!/bin/sh\n", mode=EXECUTABLE),
        "bin/latest": file(b"../model.safetensors", mode=SYMLINK),
        ".modelyard/manifest.json": file(b"{}\n"),
        ".gitattributes": file(b"*.md text"),
        "a": file(b"1"),
        "a.b": file(b"2"),
        "a-b/c": file(b"3"),
        "a0": file(b""),
    }
    first = repo.commit(tree)
    second = repo.commit(tree | {"README.md": file(b"# ho\n")}, first, message="second")
    third = repo.commit(tree, first, message="third")
    repo.commit(tree, second, third, message="merge\n\nof both")

    assert repo.git("fsck", "--strict", "--full") == b""
    assert repo.git("log", "--format=%an <%ae> %s", "main").decode().splitlines()[0] == (
        "ann <ann@yard> merge"
    )
    assert repo.git("rev-list", "--count", "main").strip() == b"4"
    listed = repo.git("ls-tree", "-r", "-z", "--name-only", "main").decode().split("\0")[:-1]
    assert sorted(listed) == sorted(tree)
    assert b"120000 blob" in repo.git("ls-tree", "main", "bin/latest")
    assert b"100755 blob" in repo.git("ls-tree", "main", "bin/run.sh")


def attributes(repo: Repo, paths: list[str]) -> dict[str, str]:
    """What git says of `filter`, with the tree's own attributes and nothing else."""
    repo.git("read-tree", "main")
    asked = "\0".join(paths).encode() + b"\0"
    out = repo.git("check-attr", "--cached", "-z", "--stdin", "filter", data=asked)
    fields = out.decode().split("\0")
    return dict(zip(fields[0::3], fields[2::3], strict=False))


def test_git_finds_the_filter_of_every_nasty_path(repo: Repo) -> None:
    tree = {path: file(b"\xff" + path.encode()) for path in NASTY}
    tree["sub/model.safetensors"] = file(b"inline")
    tree["stir.bin"] = file(b"inline")
    repo.commit(tree)

    found = attributes(repo, list(tree))
    assert {path for path, value in found.items() if value == "lfs"} == set(NASTY)
    assert found["sub/model.safetensors"] == "unspecified"
    assert found["stir.bin"] == "unspecified"


def test_attributes_of_the_user_can_not_overrule_ours(repo: Repo) -> None:
    weights = file(b"\xff\xfe")
    tree = {
        ".gitattributes": file(b"*.bin -filter\n*.txt filter=lfs diff=lfs"),
        "sub/.gitattributes": file(b"*.bin !filter\n"),
        "sub/deep/.gitattributes": file(b""),
        "x.bin": weights,
        "notes.txt": file(b"text"),
        "sub/y.bin": weights,
        "sub/my notes.txt": file(b"text"),
        "sub/deep/z.bin": weights,
        "sub/other/z.bin": weights,
    }
    repo.commit(tree)
    found = attributes(repo, list(tree))
    assert {path for path, value in found.items() if value == "lfs"} == {
        path for path in tree if path.endswith(".bin")
    }


@pytest.mark.usefixtures("lfs")
def test_git_lfs_lists_the_same_files(repo: Repo) -> None:
    tree = {path: file(b"\xff" + path.encode()) for path in NASTY}
    repo.commit(tree | {"README.md": file(b"text")})
    out = repo.git("lfs", "ls-files", "--name-only", "main").decode()
    assert sorted(out.splitlines()) == sorted(NASTY)


@pytest.mark.usefixtures("lfs")
def test_a_clone_with_git_lfs_is_clean(repo: Repo, tmp_path: Path) -> None:
    tree = {path: file(b"\xff" + path.encode()) for path in NASTY}
    tree |= {".gitattributes": file(b"*.txt filter=lfs\n"), "a.txt": file(b"text\n")}
    repo.commit(tree | {"link": file(b"a.txt", mode=SYMLINK)})
    repo.env["GIT_LFS_SKIP_SMUDGE"] = "1"
    lfs = [
        "-c", "filter.lfs.clean=git-lfs clean -- %f",
        "-c", "filter.lfs.smudge=git-lfs smudge --skip -- %f",
        "-c", "filter.lfs.required=true",
    ]  # fmt: skip
    repo.git(*lfs, "clone", "--quiet", str(tmp_path), str(tmp_path / "work"))
    work = ["-C", "work", *lfs]
    for path in tree:
        os.utime(tmp_path / "work" / path, (0, 0))  # so that status reads each file again
    assert repo.git(*work, "status", "--porcelain") == b""
    assert (tmp_path / "work" / "a.txt").read_bytes() == b"text\n"


@pytest.mark.parametrize(
    "author",
    [
        "ann",
        "",
        "Ann Lee <ann@example.org>",
        "安 <安@例.cn>",
        "<>",
        "a<b>c\nauthor evil <e@e> 1 +0000",
        "x\0y <z\0@w\n>",
        "..,;",
        "\ud800",
        "a" * 500,
    ],
)
def test_hostile_authors_pass_fsck_strict(repo: Repo, author: str) -> None:
    repo.commit({"a": file(b"1")}, author=author)
    assert repo.git("fsck", "--strict") == b""
    assert repo.git("log", "--format=%an", "main").strip() != b""


@pytest.mark.parametrize(
    "message", ["", "\n\n", "a\0b", "\ud800 x", "tree 12\nparent", "é\r\n\r\n"]
)
def test_hostile_messages_pass_fsck_strict(repo: Repo, message: str) -> None:
    repo.commit({"a": file(b"1")}, message=message)
    assert repo.git("fsck", "--strict") == b""


def test_the_empty_tree_is_gits(repo: Repo) -> None:
    root, _ = write_tree({})
    assert root.hex() == "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
    repo.commit({})
    assert repo.git("fsck", "--strict") == b""
