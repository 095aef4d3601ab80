"""`yard import svn` on repositories that the real svnadmin and svn made."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from modelyard.errors import Corrupt, InvalidInput, NotFound
from modelyard.history.importing.svnlog import read_log, read_xml
from modelyard.registry.histories.svn import import_svn
from modelyard.registry.local import LocalYard

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(shutil.which("svnadmin") is None, reason="needs subversion")


class Repository:
    """A Subversion repository with a working copy of all of it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        subprocess.run(["svnadmin", "create", folder / "repo"], check=True)
        self.url = f"file://{folder}/repo"
        self.copy = folder / "copy"
        self("co", self.url, str(self.copy), cwd=folder)

    def __call__(self, *arguments: str, cwd: Path | None = None) -> None:
        subprocess.run(
            ["svn", "-q", "--non-interactive", *arguments], cwd=cwd or self.copy, check=True,
            capture_output=True, env={**os.environ, "LC_ALL": "C.UTF-8"},
        )  # fmt: skip

    def write(self, path: str, content: bytes | str) -> None:
        place = self.copy / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content if isinstance(content, bytes) else content.encode())

    def commit(self, message: str, author: str = "ann") -> None:
        self("add", "--force", ".")
        self("commit", "-m", message, "--username", author)
        self("update")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "svn")
    for name in ("trunk", "branches", "tags"):
        (made.copy / name).mkdir()
    made.commit("layout")
    return made


@pytest.fixture
def yard(tmp_path: Path):
    with LocalYard.create(tmp_path / "yard", author="importer") as yard:
        yield yard


def weights(seed: int, size: int = 150_000) -> bytes:
    return b"".join(hashlib.sha256(f"{seed}-{n}".encode()).digest() for n in range(size // 32))


def by_message(yard):
    return {version.message: version for version in yard.model("m").log()}


def files(yard, revision):
    return {file.path for file in yard.model("m")[revision].detail.files}


def test_revisions_authors_dates_and_bytes_come(yard, repository):
    repository.write("trunk/模型/权重 @1.bin", weights(1))
    repository.commit("第一", "李")
    repository.write("trunk/模型/权重 @1.bin", weights(1) + b"more")
    repository.commit("second", "bob")

    (done,) = import_svn(yard.house, repository.url, "m", authors="bob = Bob B <bob@x.org>").models

    assert (done.versions, done.refs) == ((1, 2), ("main",))
    assert by_message(yard)["第一"].author == "李"
    assert by_message(yard)["second"].author == "Bob B <bob@x.org>"
    assert by_message(yard)["second"].time.year >= 2025
    assert yard.model("m")["main"].open("模型/权重 @1.bin").read() == weights(1) + b"more"
    assert done.new_bytes < 2 * len(weights(1))
    assert not yard.verify().damage


def test_branches_and_tags_are_copies(yard, repository):
    repository.write("trunk/a.txt", "1")
    repository.commit("one")
    repository("copy", "trunk", "branches/fast")
    repository.commit("branched")
    repository.write("branches/fast/b.txt", "2")
    repository.commit("faster")
    repository("copy", "branches/fast", "tags/v1")
    repository.commit("tagged")

    import_svn(yard.house, repository.url, "m")

    refs = {ref.name: (ref.kind, ref.number) for ref in yard.refs("m")}
    assert refs == {"main": ("branch", 1), "fast": ("branch", 2), "v1": ("tag", 2)}
    assert by_message(yard)["faster"].parents == (1,)
    assert by_message(yard)["faster"].branch == "fast"


def test_a_branch_that_was_deleted_and_made_again(yard, repository):
    repository.write("trunk/a.txt", "1")
    repository.commit("one")
    repository("copy", "trunk", "branches/x")
    repository.commit("branched")
    repository.write("branches/x/old.txt", "2")
    repository.commit("old work")
    repository("delete", "branches/x")
    repository.commit("gone")
    repository.write("trunk/a.txt", "3")
    repository.commit("three")
    repository("copy", "trunk", "branches/x")
    repository.commit("again")
    repository.write("branches/x/new.txt", "4")
    repository.commit("new work")

    import_svn(yard.house, repository.url, "m")

    assert by_message(yard)["new work"].parents == (by_message(yard)["three"].number,)
    assert files(yard, "x") == {"a.txt", "new.txt"}
    assert by_message(yard)["old work"].parents == (1,)


def test_a_deleted_branch_has_versions_and_no_ref(yard, repository):
    repository.write("trunk/a.txt", "1")
    repository.commit("one")
    repository("copy", "trunk", "branches/x")
    repository.write("branches/x/b.txt", "2")
    repository.commit("work")
    repository("delete", "branches/x")
    repository.commit("gone")

    (done,) = import_svn(yard.house, repository.url, "m").models

    assert {ref.name for ref in yard.refs("m")} == {"main"}
    assert len(done.versions) == 2
    assert any("deleted in r4" in one.reason for one in done.left_out)


def test_renames_links_modes_and_properties(yard, repository):
    repository.write("trunk/a.txt", "$Id$ one")
    repository.write("trunk/run.sh", "#!/bin/sh")
    (repository.copy / "trunk/link").symlink_to("a.txt")
    repository("add", "--force", "trunk")
    repository("propset", "svn:executable", "*", "trunk/run.sh")
    repository("propset", "svn:keywords", "Id", "trunk/a.txt")
    repository.commit("one")
    repository("move", "trunk/a.txt", "trunk/b.txt")
    repository.commit("renamed")

    (done,) = import_svn(yard.house, repository.url, "m").models

    assert files(yard, "main") == {"b.txt", "run.sh", "link"}
    assert yard.model("m")["main"].open("b.txt").read() == b"$Id$ one"
    assert yard.model("m")["main"].open("link").read() == b"a.txt"
    assert "property svn:keywords" in {one.name for one in done.left_out}


def test_a_folder_of_many_files_is_exported_once(yard, repository):
    for number in range(30):
        repository.write(f"trunk/part/{number}.bin", weights(number, 3_200))
    repository.commit("many")
    for number in range(0, 30, 10):
        repository.write(f"trunk/part/{number}.bin", weights(number + 100, 3_200))
    repository.commit("few")

    import_svn(yard.house, repository.url, "m")

    for number in range(30):
        seed = number + 100 if number % 10 == 0 else number
        assert yard.model("m")["main"].open(f"part/{number}.bin").read() == weights(seed, 3_200)


def test_a_second_run_brings_only_what_is_new(yard, repository):
    repository.write("trunk/a.bin", weights(1))
    repository.commit("one")
    import_svn(yard.house, repository.url, "m")
    repository.write("trunk/a.bin", weights(2))
    repository.commit("two")

    (again,) = import_svn(yard.house, repository.url, "m").models

    assert (again.versions, again.known, again.refs) == ((2,), 1, ("main",))


def test_a_repository_without_layout_is_one_branch(yard, tmp_path):
    repository = Repository(tmp_path / "flat")
    repository.write("models/a.txt", "1")
    repository.commit("one")

    import_svn(yard.house, repository.url, "m")

    assert files(yard, "main") == {"models/a.txt"}


def test_an_odd_layout_is_named(yard, tmp_path):
    repository = Repository(tmp_path / "odd")
    repository.write("dev/a.txt", "1")
    (repository.copy / "releases").mkdir()
    repository.commit("one")
    repository("copy", "dev", "releases/1.0")
    repository.commit("release")

    import_svn(yard.house, repository.url, "m", trunk="dev", tags=["releases"])

    assert {ref.name: ref.kind for ref in yard.refs("m")} == {"main": "branch", "1.0": "tag"}


def test_one_project_of_a_repository(yard, tmp_path):
    repository = Repository(tmp_path / "projects")
    repository.write("ours/trunk/a.txt", "1")
    repository.write("theirs/trunk/b.txt", "2")
    repository.commit("one")

    import_svn(yard.house, f"{repository.url}/ours", "m")

    assert files(yard, "main") == {"a.txt"}


def test_branches_that_lie_deeper_are_found(yard, repository):
    repository.write("trunk/a.txt", "1")
    repository.commit("one")
    (repository.copy / "branches/ann").mkdir()
    repository.commit("folder")
    repository("copy", "trunk", "branches/ann/fast")
    repository.commit("branched")

    import_svn(yard.house, repository.url, "m")

    assert {ref.name for ref in yard.refs("m")} == {"main", "ann/fast"}


def test_links_that_lead_out_are_left_out(yard, repository):
    (repository.copy / "trunk/evil").symlink_to("/etc/passwd")
    repository.write("trunk/a.txt", "1")
    repository.commit("one")

    (done,) = import_svn(yard.house, repository.url, "m").models

    assert files(yard, "main") == {"a.txt"}
    assert done.left_out[0].name == "evil"


def test_an_answer_that_declares_entities_is_refused():
    bomb = b'<!DOCTYPE l [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]><log>&b;</log>'
    with pytest.raises(Corrupt) as caught:
        read_xml(bomb)
    assert caught.value.kind == "bad-svn-answer"


@pytest.mark.parametrize("answer", [
    b"", b"<log>", b"<a>" * 500, b'<log><logentry revision="x"/></log>',
    b'<log><logentry revision="1"><paths><path>x</path></paths></logentry></log>',
])  # fmt: skip
def test_an_answer_that_makes_no_sense_is_refused(answer):
    with pytest.raises(Corrupt):
        read_log(answer)


def test_no_repository_is_not_found(yard, tmp_path):
    with pytest.raises(NotFound):
        import_svn(yard.house, f"file://{tmp_path}/nothing", "m")
    with pytest.raises(InvalidInput):
        import_svn(yard.house, "--config-option=x", "m")
