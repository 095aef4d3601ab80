"""git-lfs against a real server: files up and down, and who gets which."""

from __future__ import annotations

import gzip
import hashlib
import os
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest
from tests.server.gitting import Git
from tests.server.running import running

import modelyard

if TYPE_CHECKING:
    from pathlib import Path

    import httpx2
    from tests.server.running import Running

LFS = {"accept": "application/vnd.git-lfs+json", "content-type": "application/vnd.git-lfs+json"}


@pytest.fixture
def git(tmp_path: Path) -> Git:
    return Git(tmp_path)


def signed(server: Running) -> str:
    return server.url.replace("://", f"://ann:{server.token}@")


def batch(api: httpx2.Client, model: str, operation: str, *files: tuple[bytes, int]) -> list[Any]:
    objects = [{"oid": sha.hex(), "size": size} for sha, size in files]
    done = api.post(
        f"/{model}.git/info/lfs/objects/batch",
        json={"operation": operation, "transfers": ["basic"], "objects": objects}, headers=LFS,
    )  # fmt: skip
    assert done.status_code == 200, done.text
    return done.json()["objects"]


def send(api: httpx2.Client, model: str, content: bytes) -> Any:
    digest = hashlib.sha256(content).digest()
    (told,) = batch(api, model, "upload", (digest, len(content)))
    return api.put(told["actions"]["upload"]["href"], content=content)


def pushed_file(git: Git, server: Running, model: str, content: bytes) -> Git:
    made = git.new(model.replace("/", "-"))
    made("lfs", "track", "*.bin")
    made.write("w.bin", content)
    made.commit("weights")
    made("push", "-q", f"{signed(server)}/{model}.git", "main")
    return made


def test_a_file_goes_up_and_down_and_in_parts(git, server, api):
    content = os.urandom(700_000)
    pushed_file(git, server, "l/a", content)
    clone = git.clone(f"{signed(server)}/l/a.git", "clone")
    assert (clone.folder / "w.bin").read_bytes() == content
    digest = hashlib.sha256(content).digest()
    (told,) = batch(api, "l/a", "download", (digest, len(content)))
    href = told["actions"]["download"]["href"]
    assert href.startswith(server.url)
    assert api.get(href).content == content
    part = api.get(href, headers={"range": "bytes=1000-1999"})
    assert (part.status_code, part.content) == (206, content[1000:2000])
    assert part.headers["content-range"] == f"bytes 1000-1999/{len(content)}"
    assert api.get(href, headers={"range": "bytes=-5"}).content == content[-5:]
    assert api.get(href, headers={"range": "bytes=900000-"}).status_code == 416


def test_what_does_not_fit_its_name_is_not_taken(server, api):
    content = os.urandom(1000)
    digest = hashlib.sha256(content).hexdigest()
    wrong = api.put(f"/l/b.git/info/lfs/objects/{digest}", content=content + b"x")
    assert wrong.status_code == 422
    assert "is not" in wrong.json()["message"]
    verify = api.post("/l/b.git/info/lfs/verify", json={"oid": digest, "size": 1000}, headers=LFS)
    assert verify.status_code == 404
    empty = hashlib.sha256(b"").hexdigest()
    assert api.put(f"/l/b.git/info/lfs/objects/{empty}", content=b"").status_code == 422
    (told,) = batch(api, "l/b", "upload", (bytes(32), 0))
    assert told["error"]["code"] == 422


def test_to_know_a_name_is_not_to_have_the_file(git, server, api):
    secret = os.urandom(50_000)
    digest = hashlib.sha256(secret).digest()
    pushed_file(git, server, "hidden/a", secret)
    api.post("/api/v1/accounts", json={"name": "eve", "kind": "service"})
    api.put("/api/v1/roles", json={"account": "eve", "pattern": "eve/*", "role": "writer"})
    token = api.post("/api/v1/tokens", json={"account": "eve"}).json()["secret"]
    with server.client(token) as eve:
        (told,) = batch(eve, "eve/b", "upload", (digest, len(secret)))
        assert "upload" in told["actions"]  # as if nobody had it
        (told,) = batch(eve, "eve/b", "download", (digest, len(secret)))
        assert told["error"]["code"] == 404
        assert eve.get(f"/eve/b.git/info/lfs/objects/{digest.hex()}").status_code == 404
        hidden = eve.get(f"/hidden/a.git/info/lfs/objects/{digest.hex()}")
        absent = eve.get(f"/hidden/zz.git/info/lfs/objects/{digest.hex()}")
        assert (hidden.status_code, absent.status_code) == (404, 404)
        pointer = git.new("steal")
        pointer.write(
            "w.bin",
            f"version https://git-lfs.github.com/spec/v1\noid sha256:{digest.hex()}\nsize 50000\n",
        )
        pointer.commit("steal")
        there = f"{server.url.replace('://', f'://eve:{token}@')}/eve/b.git"
        said = pointer.try_("push", there, "main")
        assert "did not come by lfs" in said.err
        # what eve sends herself is hers, in her model, and nobody else's
        assert send(eve, "eve/b", secret).status_code == 200
        assert pointer.try_("push", there, "main").code == 0
    own = os.urandom(1000)
    assert send(api, "l/mine", own).status_code == 200
    with server.client(token) as eve:
        name = hashlib.sha256(own).digest()
        assert eve.get(f"/l/mine.git/info/lfs/objects/{name.hex()}").status_code == 404


def test_nobody_gets_in_without_a_token(server):
    with server.client("") as nobody:
        for path in ("info/refs?service=git-upload-pack", f"info/lfs/objects/{'0' * 64}"):
            answer = nobody.get(f"/l/a.git/{path}")
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"].startswith("Basic")
        answer = nobody.post("/l/a.git/git-receive-pack", content=b"0000")
        assert answer.status_code == 401


def test_a_reader_sends_no_files(server, api):
    api.post("/api/v1/accounts", json={"name": "rob", "kind": "service"})
    api.put("/api/v1/roles", json={"account": "rob", "pattern": "l/*", "role": "reader"})
    token = api.post("/api/v1/tokens", json={"account": "rob"}).json()["secret"]
    send(api, "l/r", b"something")
    with server.client(token) as rob:
        done = rob.post(
            "/l/a.git/info/lfs/objects/batch",
            json={"operation": "upload", "objects": []}, headers=LFS,
        )  # fmt: skip
        assert done.status_code in (403, 404)
        name = hashlib.sha256(b"else").hexdigest()
        assert rob.put(f"/l/a.git/info/lfs/objects/{name}", content=b"else").status_code in (
            403,
            404,
        )


def test_requests_that_are_none_are_refused(git, server, api):
    pushed_file(git, server, "l/q", os.urandom(1000))
    for path, content in (
        ("git-upload-pack", b"zzzz"), ("git-upload-pack", b"0009want "),
        ("git-upload-pack", b"fff0want"), ("info/lfs/objects/batch", b"{"),
        ("info/lfs/objects/batch", b'{"operation": "delete", "objects": []}'),
    ):  # fmt: skip
        answer = api.post(f"/l/q.git/{path}", content=content)
        told = answer.status_code >= 400 or b"ERR" in answer.content
        assert told, (path, answer.status_code, answer.content)
    bomb = gzip.compress(bytes(300 << 20), 1)
    answer = api.post("/l/q.git/git-upload-pack", content=bomb,
                      headers={"content-encoding": "gzip"})  # fmt: skip
    assert answer.status_code in (413, 422)


def test_gone_files_are_410_and_what_arrived_outlives_gc(git, tmp_path):
    content, fresh = os.urandom(300_000), os.urandom(300_000)
    with running(tmp_path / "yard") as one, one.client() as api:
        made = pushed_file(git, one, "g/a", content)
        made.write("w.bin", os.urandom(200_000))
        made.commit("other")
        made("push", "-q", f"{signed(one)}/g/a.git", "main")
        assert send(api, "g/a", fresh).status_code == 200
        with modelyard.open(tmp_path / "yard") as yard:
            yard.delete_version("g/a", 1, purge=True)
            yard.gc()
            yard.gc()
        digest = hashlib.sha256(content).digest()
        (told,) = batch(api, "g/a", "download", (digest, len(content)))
        assert told["error"]["code"] == 410
        made.write("w.bin", fresh)
        made.commit("what came before")
        made("push", "-q", f"{signed(one)}/g/a.git", "main")
        clone = git.clone(f"{signed(one)}/g/a.git", "clone")
        assert (clone.folder / "w.bin").read_bytes() == fresh
    subprocess.run(["yard", "--yard", str(tmp_path / "yard"), "verify"], check=True)


def test_the_same_file_committed_beside_an_upload_survives_a_rebuild(git, tmp_path):
    """It came by lfs, no push used it, and then somebody committed the same bytes."""
    content = os.urandom(300_000)
    with running(tmp_path / "yard") as one, one.client() as api:
        assert send(api, "g/b", content).status_code == 200
    (tmp_path / "w.bin").write_bytes(content)
    with modelyard.open(tmp_path / "yard") as yard:
        yard.commit("g/c", tmp_path / "w.bin")
    (tmp_path / "yard" / "catalog.db").unlink()
    subprocess.run(["yard", "--yard", str(tmp_path / "yard"), "verify", "--rebuild"], check=True)
    with modelyard.open(tmp_path / "yard") as yard:
        yard.checkout("g/c", 1, tmp_path / "out")
    assert (tmp_path / "out" / "w.bin").read_bytes() == content


@pytest.mark.slow
def test_two_hundred_megabytes_go_round(git, server):
    content = os.urandom(200 << 20)
    began = time.monotonic()
    pushed_file(git, server, "l/large", content)
    middle = time.monotonic()
    clone = git.clone(f"{signed(server)}/l/large.git", "large")
    print(f"up {middle - began:.1f} s, down {time.monotonic() - middle:.1f} s")
    assert (clone.folder / "w.bin").read_bytes() == content
