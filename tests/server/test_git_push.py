"""Stock git against a real server: clone, commit, push, and pushes that are refused."""

from __future__ import annotations

import os
import subprocess
import threading
from typing import TYPE_CHECKING

import pytest
from tests.server.gitting import Git

import modelyard

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx2
    from tests.server.running import Running


@pytest.fixture
def git(tmp_path: Path) -> Git:
    return Git(tmp_path)


@pytest.fixture
def url(server: Running) -> str:
    return server.url.replace("://", f"://ann:{server.token}@")


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    return f"t/{request.node.name[5:90].split('[')[0]}"


@pytest.fixture
def yard(server: Running) -> Iterator[modelyard.Yard]:
    with modelyard.open(server.folder) as opened:
        yield opened


def first(git: Git, url: str, name: str) -> Git:
    """A model with one version, and its clone."""
    made = git.new("first")
    made.write("README.md", "# a model\n")
    made.commit("one")
    made("push", "-q", f"{url}/{name}.git", "main")
    return git.clone(f"{url}/{name}.git", "clone")


def pushed(git: Git, *words: str) -> str:
    """What git says of a push that is refused."""
    said = git.try_("push", *(words or ("origin", "HEAD")))
    assert said.code, said.err
    return said.err


def test_a_clone_has_what_was_committed_and_a_push_is_a_version(git, url, name, yard, tmp_path):
    files = tmp_path / "model"
    files.mkdir()
    (files / "weights.bin").write_bytes(os.urandom(300_000))
    (files / "train.py").write_text("print('hello')\n")
    yard.commit(name, files, metrics={"accuracy": 0.5})
    clone = git.clone(f"{url}/{name}.git", "clone")
    assert (clone.folder / "weights.bin").read_bytes() == (files / "weights.bin").read_bytes()
    assert clone("fsck", "--strict") == ""
    assert clone("status", "--porcelain") == ""
    clone.write("train.py", "print('bye')\n")
    clone.write("weights.bin", os.urandom(200_000))
    sha = clone.commit("better\n\nby far")
    clone("push", "-q")
    version = yard.resolve(name, 2)
    assert version.commit == sha
    assert (version.author, version.message) == ("Ann Lee <ann@example.org>", "better\n\nby far")
    out = yard.checkout(name, 2, tmp_path / "out")
    assert out.number == 2
    for path in ("train.py", "weights.bin"):
        assert (tmp_path / "out" / path).read_bytes() == (clone.folder / path).read_bytes()


def test_a_first_push_makes_the_model_with_all_its_commits(git, url, name, yard):
    made = git.new("work")
    shas = []
    for number in range(5):
        made.write("a.txt", f"{number}\n")
        made.write("README.md", f"---\ntags: [t{number}]\n---\nNumber {number}.\n")
        shas.append(made.commit(f"commit {number}"))
    said = made.try_("push", f"{url}/{name}.git", "main")
    assert "main: version 5" in said.err
    assert [yard.resolve(name, n).commit for n in range(1, 6)] == shas
    assert yard.resolve(name, 5).labels == {"t4": ""}
    assert [m.description for m in yard.models() if m.name == name] == ["Number 4."]
    again = git.clone(f"{url}/{name}.git", "again")
    assert again("log", "--format=%H").split() == shas[::-1]


def test_branches_merges_and_tags_come_as_they_are(git, url, name, yard):
    clone = first(git, url, name)
    clone("checkout", "-q", "-b", "side")
    clone.write("side.txt", "side")
    clone.commit("side")
    clone("checkout", "-q", "main")
    clone.write("main.txt", "main")
    clone.commit("main")
    clone("merge", "-q", "--no-edit", "side")
    clone("tag", "v1")
    clone("tag", "-a", "v2", "-m", "words", "HEAD~1")
    said = clone.try_("push", "origin", "main", "side", "v1", "v2")
    assert said.code == 0, said.err
    assert "tag v2: its message is not kept" in said.err
    refs = {ref.name: (ref.kind, ref.commit) for ref in yard.refs(name)}
    rev = lambda what: clone("rev-parse", what).strip()  # noqa: E731
    assert refs == {
        "main": ("branch", rev("main")), "side": ("branch", rev("side")),
        "v1": ("tag", rev("main")), "v2": ("tag", rev("main~1")),
    }  # fmt: skip
    assert len(yard.resolve(name, "main").parents) == 2
    clone("push", "-q", "origin", "main~1:refs/heads/older")
    clone("push", "-q", "origin", ":side")
    assert {ref.name for ref in yard.refs(name)} == {"main", "older", "v1", "v2"}


def test_aliases_can_be_fetched_and_not_pushed(git, url, name, yard):
    clone = first(git, url, name)
    yard.alias(name, "champion", 1)
    assert "refs/aliases/champion" in clone("ls-remote")
    said = pushed(clone, "origin", "HEAD:refs/aliases/best")
    assert "aliases are moved by yard alias" in said


def test_a_branch_only_moves_forward(git, url, name):
    clone = first(git, url, name)
    clone("commit", "-q", "--amend", "-m", "another")
    said = pushed(clone, "--force")
    assert "[remote rejected] main -> main (main only moves forward: git pull first)" in said
    assert "remote: hint: to undo, yard revert" in said


def test_of_a_manifest_that_others_wrote_is_told_what_can_be_read(git, url, name, yard):
    clone = first(git, url, name)
    told = '{"data": {"train": 5, "test": "a.csv"}, "code": {"commit": 7}}'
    clone.write(".modelyard/manifest.json", told)
    clone.commit("odd")
    clone("push", "-q")
    detail = yard.show(name, "main")
    assert (detail.data, detail.code) == ({"test": "a.csv"}, {})


def test_what_can_t_be_pushed_is_refused_with_words(git, url, name, yard):
    clone = first(git, url, name)

    def refusal(path: str, content: bytes | str, *words: str) -> str:
        clone.write(path, content)
        clone.commit("bad")
        said = pushed(clone, *words)
        clone("reset", "-q", "--hard", "origin/main")
        return said

    said = refusal("big.txt", "x" * 150_000)
    assert "big.txt has to go by git lfs: it has 150,000 bytes" in said
    assert 'git lfs track "*.txt"' in said
    assert "it is no text" in refusal("logo.png", b"\x89PNG\0\0\0")
    assert "holds manifest.json alone" in refusal(".modelyard/other.json", "{}")
    assert "can't be read" in refusal(".modelyard/manifest.json", "nonsense")
    assert "is no number" in refusal(".modelyard/manifest.json", '{"metrics": {"a": "b"}}')
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'ab' * 32}\nsize 5\n"
    assert "did not come by lfs" in refusal("lost.bin", pointer)
    clone.write("Readme.MD", "clash")
    assert "differ only by case" in refusal("readme.md", "clash")
    clone("branch", "1234567")
    assert "means a version already" in pushed(clone, "origin", "1234567")
    (clone.folder / "out").symlink_to("../../etc/passwd")
    assert "leads out of the version" in refusal("x", "x")
    assert len(list(yard.log(name))) == 1


def test_a_submodule_and_a_hostile_path_are_refused(git, url, name):
    clone = first(git, url, name)
    sha = clone("rev-parse", "HEAD").strip()
    clone("update-index", "--add", "--cacheinfo", f"160000,{sha},sub")
    clone("commit", "-q", "-m", "submodule")
    assert "can't hold git submodules" in pushed(clone)
    clone("reset", "-q", "--hard", "origin/main")
    blob = clone("hash-object", "-w", "README.md").strip()
    for path in (".GIT", "git~1", "a\\b", ".gitmodules"):
        row = f"100644 blob {blob}\t{path}\0".encode()
        tree = clone.try_("mktree", "-z", stdin=row).out.strip()
        bad = clone("commit-tree", tree, "-p", "HEAD", "-m", "bad").strip()
        assert "can't be kept" in pushed(clone, "origin", f"{bad}:refs/heads/main"), path


def test_a_malformed_model_file_is_refused_as_by_commit(git, url, name):
    clone = first(git, url, name)
    clone("lfs", "track", "*.safetensors")
    head = b'{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,99]}}'
    clone.write("m.safetensors", len(head).to_bytes(8, "little") + head + bytes(16))
    clone.commit("bad")
    said = pushed(clone)
    assert "tensor" in said, said


def test_a_push_of_many_megabytes_of_text_comes_in_pieces(git, url, name, yard):
    clone = first(git, url, name)
    for number in range(60):
        clone.write(f"t{number}.txt", os.urandom(45_000).hex())
    sha = clone.commit("much")
    clone("push", "-q")
    assert yard.resolve(name, 2).commit == sha
    again = git.clone(f"{url}/{name}.git", "again")
    assert (again.folder / "t7.txt").read_bytes() == (clone.folder / "t7.txt").read_bytes()


def test_a_name_is_a_branch_or_a_tag_and_a_tag_never_moves(git, url, name):
    clone = first(git, url, name)
    clone("push", "-q", "origin", "HEAD:refs/tags/v1")
    assert "has a tag v1 already" in pushed(clone, "origin", "HEAD:refs/heads/v1")
    clone.write("b.txt", "b")
    clone.commit("b")
    clone("push", "-q")
    assert "tags never move" in pushed(clone, "--force", "origin", "HEAD:refs/tags/v1")
    clone.write("c.txt", "c")
    clone.commit("c")
    assert "push the branch too" in pushed(clone, "origin", "HEAD:refs/tags/v2")
    said = pushed(clone, "origin", "HEAD:refs/heads/fine", ":main")
    assert "fine (not done, since refs/heads/main was refused)" in said
    assert "main can't be deleted" in said


def test_a_pickle_that_would_run_something_is_told_of(git, url, name):
    clone = first(git, url, name)
    clone("lfs", "track", "*.pkl")
    clone.write("m.pkl", b"cos\nsystem\n(S'echo hi'\ntR.")
    clone.commit("pickle")
    said = clone.try_("push")
    assert said.code == 0, said.err
    assert "m.pkl" in said.err


def test_two_pushes_at_once_one_wins(git, url, name, yard):
    first(git, url, name)
    clones = [git.clone(f"{url}/{name}.git", f"c{i}") for i in range(4)]
    for number, clone in enumerate(clones):
        clone.write(f"{number}.txt", "x")
        clone.commit("race")
    codes: list[int] = []
    threads = [threading.Thread(target=lambda c=c: codes.append(c.try_("push").code))
               for c in clones]  # fmt: skip
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == [0, 1, 1, 1]
    assert len(list(yard.log(name))) == 2


def test_a_guarded_branch_is_moved_by_whom_the_guard_lets(git, url, name, server, api):
    clone = first(git, url, name)
    people = Keys(api)
    writer = people.token("wendy", name, "writer")
    api.put("/api/v1/guards", json={"pattern": name, "ref": "main", "role": "admin"})
    there = f"{server.url.replace('://', f'://wendy:{writer}@')}/{name}.git"
    clone.write("b.txt", "b")
    clone.commit("b")
    assert "main of" in pushed(clone, there, "main")
    clone("push", "-q", there, "main:refs/heads/mine")


def test_who_may_not_read_sees_no_model_and_who_may_not_write_is_told(git, url, name, server, api):
    clone = first(git, url, name)
    people = Keys(api)
    stranger = people.token("stan", "other/*", "writer")
    reader = people.token("rita", name, "reader")
    hidden = f"{server.url.replace('://', f'://stan:{stranger}@')}/{name}.git"
    absent = f"{server.url.replace('://', f'://stan:{stranger}@')}/t/absent.git"
    told = [git.try_("ls-remote", at).err.replace(name, "?").replace("t/absent", "?")
            for at in (hidden, absent)]  # fmt: skip
    assert told[0] == told[1]
    assert "not found" in told[0]
    seen = f"{server.url.replace('://', f'://rita:{reader}@')}/{name}.git"
    assert "refs/heads/main" in git("ls-remote", seen)
    clone.write("b.txt", "b")
    clone.commit("b")
    assert "takes the role writer" in pushed(clone, seen, "main")
    assert "could not read Username" in git.try_("ls-remote", f"{server.url}/{name}.git").err


def test_who_may_only_read_is_told_what_a_new_model_takes(git, url, name, server, api):
    clone = first(git, url, name)
    people = Keys(api)
    reader = people.token("rosa", "t/*", "reader")
    people.token("rosa", "t/hidden", "none")
    there = f"{server.url.replace('://', f'://rosa:{reader}@')}/t"
    assert "takes the role writer" in pushed(clone, f"{there}/not-there-yet.git", "main")
    assert "no model named t/hidden" in pushed(clone, f"{there}/hidden.git", "main")


def test_a_header_signs_in_as_well(git, server, url, name):
    first(git, url, name)
    header = f"http.extraHeader=Authorization: Bearer {server.token}"
    assert "refs/heads/main" in git("-c", header, "ls-remote", f"{server.url}/{name}.git")


def test_a_shallow_clone_deepens_and_pushes(git, url, name):
    made = git.new("work")
    for number in range(4):
        made.write("a.txt", f"{number}\n")
        made.commit(f"commit {number}")
    made("push", "-q", f"{url}/{name}.git", "main")
    shallow = git.clone(f"{url}/{name}.git", "shallow", "--depth", "1")
    assert len(shallow("log", "--format=%H").split()) == 1
    shallow.write("b.txt", "b")
    shallow.commit("more")
    shallow("push", "-q")
    shallow("fetch", "-q", "--unshallow")
    assert len(shallow("log", "--format=%H").split()) == 5
    assert shallow("fsck", "--strict") == ""
    made("pull", "-q", f"{url}/{name}.git", "main")
    assert len(made("log", "--format=%H").split()) == 5


def test_the_audit_log_and_the_events_tell_of_a_push(git, url, name, api):
    first(git, url, name)
    found = api.get("/api/v1/events", params={"model": name}).json()
    items = found.get("items", found.get("events", []))
    kinds = [e["kind"] for e in items if e["model"] == name]
    assert "version-committed" in kinds
    assert [e["account"] for e in items if e["model"] == name] == ["admin"] * len(kinds)


def test_a_rebuilt_catalog_has_what_was_pushed(tmp_path, git):
    from tests.server.running import running

    with running(tmp_path / "yard") as one:
        url = one.url.replace("://", f"://ann:{one.token}@")
        clone = first(git, url, "r/m")
        clone("lfs", "track", "*.bin")
        clone.write("w.bin", os.urandom(200_000))
        clone.commit("two")
        clone("checkout", "-q", "-b", "side", "HEAD~1")
        clone.write("s.txt", "s")
        clone.commit("three")
        clone("push", "-q", "origin", "main", "side")
    before = state(tmp_path / "yard")
    (tmp_path / "yard" / "catalog.db").unlink()
    subprocess.run(
        ["yard", "--yard", str(tmp_path / "yard"), "verify", "--rebuild"], check=True,
        capture_output=True,
    )  # fmt: skip
    assert state(tmp_path / "yard") == before
    with modelyard.open(tmp_path / "yard") as yard:
        yard.checkout("r/m", "main", tmp_path / "out")
    clone("checkout", "-q", "main")
    assert (tmp_path / "out" / "w.bin").read_bytes() == (clone.folder / "w.bin").read_bytes()


def state(folder: Path) -> object:
    with modelyard.open(folder) as yard:
        return (
            [(v.number, v.commit, v.branch, v.parents, v.files) for v in yard.log("r/m")],
            [(r.name, r.number) for r in yard.refs("r/m")],
        )


class Keys:
    """Accounts with one role each, made by the admin."""

    def __init__(self, api: httpx2.Client) -> None:
        self.api = api

    def token(self, account: str, pattern: str, role: str) -> str:
        api = self.api
        api.post("/api/v1/accounts", json={"name": account, "kind": "service"})
        done = api.put("/api/v1/roles", json={"account": account, "pattern": pattern, "role": role})
        assert done.status_code < 300, done.text
        done = api.post("/api/v1/tokens", json={"account": account})
        assert done.status_code < 300, done.text
        return done.json()["secret"]
