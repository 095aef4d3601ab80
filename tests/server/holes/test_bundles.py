"""Row "deserialisation, archive slip, object authorization": what a hostile bundle can't do."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from pathlib import Path

import pytest
from tests.server.holes.bundling import bundle_of, claiming, own_yard, send_bundle
from tests.server.holes.tenants import Tenants, kind_of, tenants, versions_of

from modelyard.registry.transfer.backup import DUMP, HEAD, _held, writing

__all__ = ["tenants"]

EVIL = b"cos\nsystem\n(S'touch /tmp/modelyard-hostile-marker'\ntR."


def write(folder: Path, **files: bytes) -> Path:
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_bytes(content)
    return folder


def findings(client, model: str) -> list[str]:
    detail = client.get(versions_of(model, "/-/detail"))
    assert detail.status_code == 200, detail.text
    return [finding["severity"] for finding in detail.json()["findings"]]


def test_a_file_is_not_had_by_its_name(
    tenants: Tenants, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Theft: a version of bob's whose tree names the SHA-256 of a file of ann's."""
    secret = os.urandom(5000)
    assert tenants.commit(tenants.ann, "ann/net", {"w.bin": secret}).status_code == 201
    with own_yard(tmp_path / "own") as yard:
        with monkeypatch.context() as patch:
            claiming(patch, hashlib.sha256(secret).digest())
            yard.commit("bob/thief", write(tmp_path / "files", w__bin=os.urandom(5000)))
        content = bundle_of(yard, tmp_path / "b")
    answer = send_bundle(tenants.bob, content)
    stolen = tenants.bob.get(versions_of("bob/thief", "/-/files/w.bin"))
    assert stolen.content != secret
    assert kind_of(answer)[0] == 422, answer.text


def test_nor_by_a_tree_that_names_what_the_catalog_does_not(
    tenants: Tenants, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = os.urandom(5000)
    assert tenants.commit(tenants.ann, "ann/net", {"w.bin": secret}).status_code == 201
    with own_yard(tmp_path / "own") as yard:
        with monkeypatch.context() as patch:
            claiming(patch, hashlib.sha256(secret).digest())
            yard.commit("bob/thief2", write(tmp_path / "files", w__bin=os.urandom(5000)))
        content = bundle_of(yard, tmp_path / "b", ("DELETE FROM file WHERE blob_id > 0", ()))
    answer = send_bundle(tenants.bob, content)
    stolen = tenants.bob.get(versions_of("bob/thief2", "/-/files/w.bin"))
    assert stolen.content != secret
    assert kind_of(answer)[0] == 422, answer.text


def test_a_bundle_does_not_take_names_of_others(tenants: Tenants, tmp_path: Path) -> None:
    """A name that bob's model is said to have had does not lead ann's next commit to him."""
    with own_yard(tmp_path / "own") as yard:
        yard.commit("ann/coming", write(tmp_path / "files", a__txt=b"a"))
        yard.rename("ann/coming", "bob/trap")
        content = bundle_of(yard, tmp_path / "b")
    assert send_bundle(tenants.bob, content).status_code == 200
    made = tenants.commit(tenants.ann, "ann/coming", {"a.txt": b"mine"})
    assert made.status_code == 201, made.text
    assert made.json()["model"] == "ann/coming"
    assert tenants.root.get("/api/v1/models/ann%2Fcoming").json()["name"] == "ann/coming"


def test_a_bundle_does_not_say_that_a_file_is_harmless(tenants: Tenants, tmp_path: Path) -> None:
    evil = EVIL + os.urandom(8)
    with own_yard(tmp_path / "own") as yard:
        yard.commit("bob/bundled", write(tmp_path / "files", m__pkl=evil), scan=False)
        content = bundle_of(yard, tmp_path / "b")
    assert send_bundle(tenants.bob, content).status_code == 200
    assert "danger" in findings(tenants.bob, "bob/bundled")
    assert tenants.commit(tenants.ann, "ann/same", {"m.pkl": evil}).status_code == 201
    assert "danger" in findings(tenants.ann, "ann/same")


def test_who_leaves_the_scan_out_leaves_it_out_for_nobody_else(tenants: Tenants) -> None:
    evil = EVIL + os.urandom(8)
    made = tenants.commit(tenants.bob, "bob/unscanned", {"m.pkl": evil}, scan="false")
    assert made.status_code == 201, made.text
    assert tenants.commit(tenants.ann, "ann/scanned", {"m.pkl": evil}).status_code == 201
    assert "danger" in findings(tenants.ann, "ann/scanned")


@pytest.mark.parametrize(
    "key", ["../../../../../../tmp/evil", "packs/../../../tmp/evil", "/tmp/evil", "packs/a\0b",
            "packs/./x", "packs//x", "yard.toml", "catalog.db", "packs/" + "a" * 5000]
)  # fmt: skip
def test_no_pack_of_a_bundle_lies_elsewhere(tenants: Tenants, tmp_path: Path, key: str) -> None:
    """Row "traversal": neither read nor written outside, whatever a pack is called."""
    file = tmp_path / "b"
    with own_yard(tmp_path / "own") as yard:
        yard.commit("bob/odd", write(tmp_path / "files", w__bin=os.urandom(3000)))
        _, dump = _held(yard.house, "s")
        told = {"format": 1, "time": 1, "versions": 1, "sealed": False, "packs": {key: 5}}
        with writing(file) as out:
            out.member(HEAD, json.dumps(told).encode())
            out.member(DUMP, dump)
            with contextlib.suppress(ValueError):
                out.member(key, b"evil!")
            out.finish()
    answer = send_bundle(tenants.bob, file.read_bytes())
    assert kind_of(answer)[0] == 422, answer.text
    assert not Path("/tmp/evil").exists()


@pytest.mark.parametrize(
    ("statement", "values"),
    [
        ("UPDATE model SET name = ?", ("../../etc/x",)),
        ("UPDATE model SET name = ?", ("bob/\x1b[2J",)),
        ("UPDATE model SET next_number = ?", (1 << 62,)),
        ("UPDATE model SET kind = ?", ("<script>",)),
        ("UPDATE ref SET name = ?", ("a\nb 000",)),
        ("UPDATE ref SET number = ?", (99,)),
        ("UPDATE version SET commit_id = ?", (b"\0" * 20,)),
        ("UPDATE version SET parents = ?", ("1 1 1",)),
        ("UPDATE blob SET content_id = 1", ()),
        ("UPDATE blob SET size = ?", (1 << 40,)),
        ("UPDATE chunk SET size = ?", (1 << 30,)),
        ("UPDATE chunk SET start = ?", (1 << 40,)),
    ],
)  # fmt: skip
def test_a_catalog_that_lies_is_refused(
    tenants: Tenants, tmp_path: Path, statement: str, values: tuple
) -> None:
    with own_yard(tmp_path / "own") as yard:
        yard.commit("bob/odd", write(tmp_path / "files", w__bin=os.urandom(300_000)))
        content = bundle_of(yard, tmp_path / "b", (statement, values))
    answer = send_bundle(tenants.bob, content)
    assert answer.status_code in (200, 404, 409, 422), answer.text
    if answer.status_code == 200:
        got = tenants.bob.get(versions_of("bob/odd", "/-/files/w.bin"))
        assert got.content == (tmp_path / "files" / "w.bin").read_bytes()
        tenants.bob.delete("/api/v1/models/bob%2Fodd")


@pytest.mark.parametrize("name", ["a.txt", "a.bin", "a", "weights.dat", "a.safetensors"])
@pytest.mark.parametrize("start", [b"", b"\x880", b"K\x010", b"\x8c\x01a0", b"C\x01a0"])
def test_another_name_first_hides_nothing_from_the_scan(
    tenants: Tenants, name: str, start: bytes
) -> None:
    """Findings are kept of bytes: they must not depend on what the bytes were called first."""
    evil = start + EVIL + os.urandom(9)
    tenants.commit(tenants.bob, "bob/names", {name: evil})
    made = tenants.commit(tenants.bob, "bob/renamed", {"m.pkl": evil})
    assert made.status_code == 201, made.text
    assert "danger" in findings(tenants.bob, "bob/renamed")


def test_git_lfs_which_tells_no_name_hides_nothing_from_the_scan(tenants: Tenants) -> None:
    evil = EVIL + os.urandom(9)
    oid = hashlib.sha256(evil).hexdigest()
    assert tenants.commit(tenants.bob, "bob/lfs", {"a.txt": b"a"}).status_code == 201
    place = f"/bob/lfs.git/info/lfs/objects/{oid}"
    assert tenants.bob.put(place, content=evil).status_code == 200
    assert tenants.commit(tenants.bob, "bob/lfs", {"m.pkl": evil}).status_code == 201
    assert "danger" in findings(tenants.bob, "bob/lfs")
