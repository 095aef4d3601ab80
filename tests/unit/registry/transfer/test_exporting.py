"""One version in a tar file, and back; what others put into such a file does nothing."""

from __future__ import annotations

import hashlib
import io
import json
import os
import random
import subprocess
import tarfile

import numpy as np
import pytest

from modelyard.errors import Conflict, Corrupt, InvalidInput, Unsupported

from .conftest import weights


@pytest.fixture
def ours(yards):
    yard = yards.folder()
    folder = yards.files(
        {"m.safetensors": weights(), "sub/é.txt": b"text", "x" * 150 + ".bin": b"\0" * 200_000,
         "run.sh": b"#!/bin/sh\n"}
    )  # fmt: skip
    (folder / "run.sh").chmod(0o755)
    os.symlink("run.sh", folder / "link")
    yard.commit("vision/net", yards.files({"a.txt": b"a"}), message="before")
    yard.commit(
        "vision/net", folder, message="exported\n\nin full", params={"lr": 0.1},
        metrics={"acc": 0.5}, labels={"task": "x"}, author="Zed <z@example.com>",
    )  # fmt: skip
    yard.keep_report("vision/net", 2, "evaluation", {"measures": [{"name": "f1", "value": 0.75}]},
                     outcomes={"right": np.array([True, False])})  # fmt: skip
    return yard


@pytest.fixture
def file(ours, tmp_path):
    ours.export("vision/net", 2, tmp_path / "e.tar")
    return tmp_path / "e.tar"


def test_a_version_comes_back_from_a_file(ours, yards, file):
    theirs = yards.folder()
    made = theirs.import_version(file)
    assert (made.model, made.number, made.created) == ("vision/net", 1, True)
    before, after = ours.show("vision/net", 2), theirs.show("vision/net", 1)
    assert (after.files, after.params) == (before.files, before.params)
    for name in ("message", "author", "metrics", "labels", "formats", "framework", "branch"):
        assert getattr(after.version, name) == getattr(before.version, name)
    (report,) = theirs.reports("vision/net", 1)
    assert (report.who, report.created) == next(
        (r.who, r.created) for r in ours.reports("vision/net", 2)
    )
    out = yards.root / "out"
    theirs.checkout("vision/net", 1, out)
    assert os.readlink(out / "link") == "run.sh"
    assert os.access(out / "run.sh", os.X_OK)
    assert theirs.verify().ok


def test_it_is_imported_once(ours, yards, file):
    theirs = yards.folder()
    theirs.import_version(file)
    yards.commit(theirs, "vision/net", {"y.bin": b"\0y"})
    assert not theirs.import_version(file).created
    assert theirs.import_version(file, model="other").created
    again = ours.import_version(file)
    assert (again.number, again.created) == (2, False)


def test_the_same_version_gives_the_same_bytes(ours, file, tmp_path):
    ours.export("vision/net", 2, tmp_path / "again.tar")
    assert file.read_bytes() == (tmp_path / "again.tar").read_bytes()
    with pytest.raises(Conflict):
        ours.export("vision/net", 2, file)


def test_plain_tar_reads_it(file, tmp_path):
    subprocess.run(["tar", "-xf", file, "-C", tmp_path], check=True)
    told = json.loads((tmp_path / "modelyard-export.json").read_text())
    assert told["message"] == "exported\n\nin full"
    assert (tmp_path / "files" / "sub" / "é.txt").read_bytes() == b"text"
    assert len(told["parents"]) == 1


def test_a_changed_byte_is_found(yards, file):
    theirs, data = yards.folder(), file.read_bytes()
    rng = random.Random(3)
    places = [rng.randrange(len(data)) for _ in range(40)] + list(range(0, 3000, 97))
    for place in places:
        broken = bytearray(data)
        broken[place] ^= 1 << rng.randrange(8)
        file.write_bytes(broken)
        try:
            made = theirs.import_version(file)
        except (InvalidInput, Unsupported, Corrupt):
            assert not list(theirs.models())
            continue
        # words about the version may be others; its files are not
        assert place < 5000
        assert theirs.checkout(made.model, made.number, yards.root / f"out{place}").files == 5
        theirs.delete_model(made.model)
        theirs.close()
        theirs = yards.folder()


@pytest.mark.parametrize("size", [0, 511, 512, 2000, 100_000, -1])
def test_a_cut_file_is_refused(yards, file, size):
    file.write_bytes(file.read_bytes()[:size])
    with pytest.raises(InvalidInput) as refused:
        yards.folder().import_version(file)
    assert refused.value.kind == "bad-export"


def _hostile(members, told=None):
    """A tar that says of itself what `told` says."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        content = json.dumps(told).encode()
        info = tarfile.TarInfo("modelyard-export.json")
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
        for info, body in members:
            info.size = len(body)
            tar.addfile(info, io.BytesIO(body))
    return out.getvalue()


def _told(*files):
    return {
        "format": 1, "model": "evil", "kind": "model", "commit": "ab" * 20, "branch": "main",
        "author": "eve", "message": "", "time": "", "labels": {}, "reports": [],
        "files": [{"path": path, "mode": mode, "size": size, "sha256": digest}
                  for path, mode, size, digest in files],
    }  # fmt: skip


def _info(name, kind=tarfile.REGTYPE, link="", **pax):
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.pax_headers = kind, link, pax
    return info


OUT, DOT = (hashlib.sha256(target).hexdigest() for target in (b"../../x", b"."))
A = ("ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb", b"a")


LINK, HARD = tarfile.SYMTYPE, tarfile.LNKTYPE
HOSTILE = {
    "traversal": ([("../x", "100644", 1, A[0])], [(_info("files/../x"), A[1])]),
    "absolute": ([("/tmp/x", "100644", 1, A[0])], [(_info("files//tmp/x"), A[1])]),
    "not listed": ([], [(_info("files/x"), A[1])]),
    "another name": ([("x", "100644", 1, A[0])], [(_info("files/../../x"), A[1])]),
    "hard link": ([("x", "100644", 0, A[0])], [(_info("files/x", HARD, "/etc/passwd"), b"")]),
    "device": ([("x", "100644", 0, A[0])], [(_info("files/x", tarfile.CHRTYPE), b"")]),
    "fifo": ([("x", "100644", 0, A[0])], [(_info("files/x", tarfile.FIFOTYPE), b"")]),
    "folder": ([("x", "100644", 0, A[0])], [(_info("files/x", tarfile.DIRTYPE), b"")]),
    "link out": ([("x", "120000", 7, OUT)], [(_info("files/x", LINK, "../../x"), b"")]),
    "through a link": (
        [("a", "120000", 1, DOT), ("a/x", "100644", 1, A[0])],
        [(_info("files/a", LINK, "."), b""), (_info("files/a/x"), A[1])],
    ),
    "twice": ([("x", "100644", 1, A[0])] * 2, [(_info("files/x"), A[1])] * 2),
    "missing": ([("x", "100644", 1, A[0])], []),
    "size": ([("x", "100644", 2, A[0])], [(_info("files/x"), A[1])]),
    "a bomb": ([("x", "100644", 10**15, A[0])], [(_info("files/x"), A[1])]),
    "negative": ([("x", "100644", -5, A[0])], [(_info("files/x"), A[1])]),
    "digest": ([("x", "100644", 1, "0" * 64)], [(_info("files/x"), A[1])]),
    "mode": ([("x", "104755", 1, A[0])], [(_info("files/x"), A[1])]),
    "pax words": ([("x", "100644", 1, A[0])], [(_info("files/x", comment="hi"), A[1])]),
    "pax huge": ([("x", "100644", 1, A[0])], [(_info("files/x", path="y" * 100_000), A[1])]),
    "git": ([(".git/config", "100644", 1, A[0])], [(_info("files/.git/config"), A[1])]),
}  # fmt: skip


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_file_does_nothing(yards, tmp_path, kind):
    files, members = HOSTILE[kind]
    (tmp_path / "evil.tar").write_bytes(_hostile(members, _told(*files)))
    yard = yards.folder()
    before = {path for path in tmp_path.rglob("*") if "yard" not in path.name}
    with pytest.raises(InvalidInput):
        yard.import_version(tmp_path / "evil.tar")
    assert not list(yard.models())
    assert {path for path in tmp_path.rglob("*") if "yard" not in path.name} >= before
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("content", [b"", b"\0" * 10_000, b"PK\x03\x04" * 500, os.urandom(5000)])
def test_what_is_no_export_is_refused(yards, tmp_path, content):
    (tmp_path / "e.tar").write_bytes(content)
    with pytest.raises(InvalidInput) as refused:
        yards.folder().import_version(tmp_path / "e.tar")
    assert refused.value.kind == "bad-export"
