"""Rows of reference/security.md section 3 about what is sent: names, URLs, queries, sizes."""

from __future__ import annotations

import contextlib
import csv
import gzip
import hashlib
import io
import json
import os
import socket
import tarfile
import time
import zlib
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec
import pytest
from tests.server.holes.tenants import Tenants, tenants, versions_of
from tests.server.sending import Sender

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["tenants"]

CANARY = b"canary-outside-of-the-yard"
_UP = ["../", "..%2f", "%2e%2e%2f", "%252e%252e%252f", "..%5c", "..%c0%af", "..\\", "%2e%2e/",
       "..%00/", "\uff0e\uff0e/", "..%u2215", "....//", "..;/", "/./../"]  # fmt: skip


@pytest.fixture(scope="module")
def canary(tenants: Tenants) -> Path:
    """A file beside the yard."""
    file = tenants.server.folder.parent / "canary.txt"
    file.write_bytes(CANARY)
    made = tenants.commit(tenants.bob, "bob/net", {"a.txt": b"a", "b/c.bin": b"\0\1" * 5000})
    assert made.status_code == 201, made.text
    return file


def memory(tenants: Tenants) -> int:
    """Bytes that the server has in memory."""
    text = Path(f"/proc/{tenants.server.process.pid}/status").read_text()
    return int(text.partition("VmRSS:")[2].split()[0]) * 1024


@contextlib.contextmanager
def bounded(tenants: Tenants, more: int = 200 << 20, seconds: float = 20.0) -> Iterator[None]:
    """Within this memory and time; others are answered afterwards."""
    before, began = memory(tenants), time.monotonic()
    yield
    assert memory(tenants) - before < more
    assert time.monotonic() - began < seconds
    assert tenants.eve.get("/health").status_code == 200


# -- paths and URLs --------------------------------------------------------------------------------


def test_no_path_or_name_leads_out_of_the_yard(tenants: Tenants, canary: Path) -> None:
    """Row "traversal in artifact path / name": MLflow CVE-2023-1177 ... CVE-2026-2033, Triton."""
    there = {path: path.stat().st_mtime_ns for path in canary.parent.iterdir()}
    targets = [f"{up * depth}{canary.name}" for up in _UP for depth in (1, 3, 7)]
    targets += [str(canary), quote(str(canary), safe=""), f"file://{canary}", f"//{canary}"]
    for target in targets:
        wire = target if target.isascii() else quote(target, safe="%/\\")
        for path in (
            f"/api/v1/models/bob%2Fnet/versions/1/files/{wire}",
            f"/api/v1/models/bob%2Fnet/versions/1/tensors/{wire}",
            f"/api/v1/models/bob%2Fnet/versions/{wire}", f"/api/v1/models/{wire}",
            f"/api/v1/models/bob%2Fnet/refs/{wire}", f"/api/v1/house/backups/{wire}",
            f"/bob/net.git/{wire}", f"/bob/net.git/info/lfs/objects/{wire}", f"/{wire}",
            f"/{wire}.git/info/refs?service=git-upload-pack", f"/login/{wire}",
        ):  # fmt: skip
            answer = tenants.root.get(f"{tenants.server.url}{path}")
            assert answer.status_code < 500, (path, answer.text)
            assert CANARY not in answer.content, path
        made = tenants.bob.put(
            f"/api/v1/models/bob%2Fnet/refs/{wire}", json={"kind": "alias", "revision": 1}
        )
        assert made.status_code < 500, (wire, made.text)
        for name in (target, f"b/{target}"):
            form = tenants.commit(tenants.bob, "bob/paths", {name: b"evil"})
            sent = Sender(tenants.bob, "bob/paths").commit({name: b"evil"})
            for answer in (form, sent):
                assert answer.status_code in (200, 201, 422), (name, answer.text)
    now = {path: path.stat().st_mtime_ns for path in canary.parent.iterdir()}
    now = {path: when for path, when in now.items() if path.suffix != ".log"}
    assert now.keys() == {path for path in there if path.suffix != ".log"}
    assert canary.read_bytes() == CANARY


def test_no_url_that_somebody_gives_is_opened(tenants: Tenants, canary: Path) -> None:
    """Rows "file-URI tricks" (MLflow CVE-2023-6909, CVE-2024-1483, -2928, -3848), "SSRF" (MLflow
    CVE-2026-2393, Ray CVE-2023-48023, BentoML CVE-2025-54381) and "LFI" (MLflow 7166, Ray
    CVE-2023-6020).
    """
    with socket.create_server(("127.0.0.1", 0)) as ear:
        port = ear.getsockname()[1]
        hosts = [
            f"127.0.0.1:{port}", f"localhost:{port}", f"2130706433:{port}", f"0x7f000001:{port}",
            f"0177.0.0.1:{port}", f"127.1:{port}", f"0:{port}", f"0.0.0.0:{port}", f"[::1]:{port}",
            f"[::ffff:127.0.0.1]:{port}", f"[::ffff:7f00:1]:{port}", f"[::]:{port}",
            f"127.0.0.1.nip.io:{port}", f"evil@127.0.0.1:{port}", f"127.0.0.1:{port}#@ok.example",
            f"127。0。0。1:{port}", f"①②⑦.0.0.1:{port}", f"LOCALHOST.:{port}",
            f"[64:ff9b::7f00:1]:{port}", f"[2002:7f00:1::]:{port}", f"[fe80::1%25lo]:{port}",
        ]  # fmt: skip
        urls = [f"http://{host}/x" for host in hosts] + [f"https://{host}/x" for host in hosts[:3]]
        urls += [
            f"file://{canary}", f"file:{canary}", f"file://localhost{canary}", f"FILE://{canary}",
            f"file://{canary}#x", f"file://{canary}?x", f"s3://127.0.0.1:{port}/b", str(canary),
            f"gopher://127.0.0.1:{port}/_x", f"git+file://{canary}", f"dbfs:{canary}",
            f"jar:file:{canary}!/x", "http://169.254.169.254/latest/meta-data/",
            f"ftp://127.0.0.1:{port}/", f"\\\\127.0.0.1\\{port}", f"data:text/plain,{port}",
            f"models:/../{canary}", f"mlflow-artifacts:/{canary}", f"ext::sh -c touch% {canary}",
        ]  # fmt: skip
        assert len(urls) >= 40
        for url in urls:
            hook = {"url": url, "pattern": "bob/net"}
            made = tenants.bob.post("/api/v1/hooks", json=hook)
            assert made.status_code in (201, 422), (url, made.text)
            if made.status_code == 201:
                key = made.json()["hook"]["id"]
                tried = tenants.bob.post(f"/api/v1/hooks/{key}/test")
                assert tried.status_code in (200, 422), (url, tried.text)
                assert tenants.bob.delete(f"/api/v1/hooks/{key}").status_code == 200
            answers = [
                tenants.bob.get("/api/v1/diff", params={"a": url, "b": "bob/net@1"}),
                tenants.bob.get("/api/v1/search", params={"q": url}),
                tenants.bob.post(
                    "/api/v1/models/bob%2Fnet/compare", json={"revisions": [1, 1], "data": url}
                ),
                tenants.bob.post("/api/v1/imports", params={"model": url}, content=b"x"),
                tenants.bob.post("/api/v1/bundles", params={"model": url}, content=b"x"),
                tenants.bob.post("/api/v1/models/bob%2Fnet/revert", json={"revision": url}),
            ]
            for answer in answers:
                assert answer.status_code < 500, (url, answer.text)
                assert CANARY not in answer.content
                assert answer.status_code == 200 or answer.status_code >= 400
        manifest = msgspec.json.encode({"lineage": [{"kind": "tuned-from", "source": urls[0]}]})
        sent = Sender(tenants.bob, "bob/urls").commit({"a.txt": b"a"}, manifest=manifest)
        assert sent.status_code in (201, 422), sent.text
        card = f"---\nbase_model: {urls[0]}\n---\n![x]({urls[0]})".encode()
        assert tenants.commit(tenants.bob, "bob/urls", {"README.md": card}).status_code == 201
        tenants.bob.get(versions_of("bob/urls", "/-/detail"))
        ear.settimeout(0.3)
        with pytest.raises(TimeoutError):
            ear.accept()


# -- model files -----------------------------------------------------------------------------------


@pytest.mark.slow
def test_no_hostile_file_runs_or_breaks_anything(
    tenants: Tenants, canary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row "deserialisation RCE": BentoML CVE-2025-27520, -32375, ClearML, MLflow; "LFI": Keras."""
    folder = Path(__file__).parents[2] / "unit"
    monkeypatch.syspath_prepend(str(folder / "formats"))
    monkeypatch.syspath_prepend(str(folder / "hostile"))
    from hostile_pickles import MARKER, pickles
    from hostile_structures import structures

    marker = Path(MARKER)
    marker.unlink(missing_ok=True)
    taken = 0
    with bounded(tenants, 400 << 20, 240):
        for name, hostile in sorted({**pickles(), **structures()}.items()):
            began = time.monotonic()
            file = os.path.basename(hostile.path)
            made = tenants.commit(tenants.bob, "bob/corpus", {file: hostile.data})
            assert made.status_code in (200, 201, 422), (name, made.text)
            if made.status_code == 422:
                continue
            taken += 1
            number = made.json()["number"]
            detail = tenants.bob.get(versions_of("bob/corpus", f"/{number}/detail"))
            assert detail.status_code in (200, 422), (name, detail.text)
            got = tenants.bob.get(versions_of("bob/corpus", f"/{number}/files/{quote(file)}"))
            assert got.content == hostile.data, name
            for tensor in [one["name"] for one in detail.json().get("tensors", [])][:2]:
                place = f"/{number}/tensors/{quote(tensor, safe='')}"
                read = tenants.bob.get(versions_of("bob/corpus", place))
                assert read.status_code in (200, 404, 422, 501), (name, read.text)
                assert CANARY not in read.content
            if number > 1:
                query = {"a": f"bob/corpus@{number - 1}", "b": f"bob/corpus@{number}"}
                diff = tenants.bob.get("/api/v1/diff", params=query)
                assert diff.status_code < 500, (name, diff.text)
            assert time.monotonic() - began < 10, name
    assert taken > 50
    assert not marker.exists()


def test_no_archive_unpacks_anything_outside(tenants: Tenants, canary: Path) -> None:
    """Row "archive slip, links, bombs": ClearML CVE-2024-24591, Keras CVE-2025-12060, tarfile."""
    export = tenants.bob.get(versions_of("bob/net", "/1/export")).content
    there = sorted(canary.parent.iterdir())

    def hostile(name: str, kind: bytes, link: str = "") -> bytes:
        out = io.BytesIO()
        with (
            tarfile.open(fileobj=out, mode="w") as tar,
            tarfile.open(fileobj=io.BytesIO(export)) as honest,
        ):
            for member in honest:
                content = honest.extractfile(member)
                data = content.read() if content else b""
                if member.name.endswith("a.txt"):
                    member.name, member.type, member.linkname = name, kind, link
                    data = data if kind == tarfile.REGTYPE else b""
                    member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
        return out.getvalue()

    bad = [
        hostile(f"files/../../../{canary.name}", tarfile.REGTYPE),
        hostile(str(canary), tarfile.REGTYPE),
        hostile("files/a.txt", tarfile.SYMTYPE, str(canary)),
        hostile("files/a.txt", tarfile.LNKTYPE, str(canary)),
        hostile("files/a.txt", tarfile.SYMTYPE, "../../../../etc/passwd"),
        hostile("files/a.txt", tarfile.FIFOTYPE), hostile("files/a.txt", tarfile.CHRTYPE),
        hostile("files/a.txt", tarfile.GNUTYPE_SPARSE), export[:-3000], export + b"x" * 600,
        gzip.compress(b"\0" * (100 << 20)), b"\0" * 4096, b"PK\3\4" + b"\0" * 600,
    ]  # fmt: skip
    said = {"content-type": "application/x-tar"}
    with bounded(tenants, 100 << 20):
        for number, content in enumerate(bad):
            query = {"model": f"bob/tar{number}"}
            answer = tenants.bob.post(
                "/api/v1/imports", content=content, params=query, headers=said
            )
            assert answer.status_code == 422, (number, answer.text)
    assert sorted(canary.parent.iterdir()) == there
    assert canary.read_bytes() == CANARY


# -- names, queries --------------------------------------------------------------------------------

_METACHARACTERS = [
    "$(touch /tmp/holes-marker)", "`touch /tmp/holes-marker`", "; touch /tmp/holes-marker",
    "|touch /tmp/holes-marker", "--upload-pack=touch /tmp/holes-marker", "-oProxyCommand=x",
    "\nRUN touch /tmp/holes-marker", "[{{7*7}}]", "[${7*7}]", "[<%= 7*7 %>]", "{0.__class__}",
    "%s%n",    "a && b", "'; DROP TABLE model; --", '"', "\\", "[#{7*7}]", "*", "~root", "!x",
]  # fmt: skip


@pytest.mark.parametrize("text", _METACHARACTERS)
def test_no_name_is_a_command_or_a_template(tenants: Tenants, canary: Path, text: str) -> None:
    """Row "command/Dockerfile/build injection": Ray CVE-2023-6019, BentoML CVE-2026-44346."""
    marker = Path("/tmp/holes-marker")
    marker.unlink(missing_ok=True)
    made = tenants.commit(
        tenants.bob, "bob/shell", {f"{text}.bin".replace("/", ":"): b"x"}, message=text, branch=text
    )
    assert made.status_code in (201, 422), made.text
    for answer in (
        tenants.commit(tenants.bob, "bob/shell", {"a.txt": os.urandom(4)}, message=text),
        tenants.bob.put(
            f"/api/v1/models/bob%2Fshell/refs/{quote(text, safe='')}", json={"kind": "tag"}
        ),
        tenants.bob.patch("/api/v1/models/bob%2Fshell", json={"name": f"bob/{text}"}),
        tenants.bob.patch("/api/v1/models/bob%2Fshell/labels", json={"add": {text: text}}),
        tenants.bob.get(f"/{quote(text, safe='')}.git/info/refs?service=git-upload-pack"),
        tenants.bob.get("/bob/net.git/info/refs", params={"service": f"git-upload-pack {text}"}),
        tenants.root.post("/api/v1/accounts", json={"name": text[:60]}),
    ):
        assert answer.status_code < 500, answer.text
        assert "[49]" not in answer.text
    assert not marker.exists()


def test_no_query_is_sql(tenants: Tenants, canary: Path) -> None:
    """Row "SQL injection in filter/order_by": columns are listed, values are bound."""
    seeds = [
        "' OR '1'='1", "'; DROP TABLE model;--", "1 UNION SELECT hash FROM token", "') OR 1=1--",
        "%' OR 1=1 --", "' AND sleep(5)--", "'||(SELECT password FROM account)||'", "1;SELECT 1",
        "\\' OR 1=1", "/**/OR/**/1=1", "0x27", "' OR randomblob(1000000000)--", '" OR ""="',
        "pg_sleep(5)", "'||pg_sleep(5)--", "admin'/*", "1) ORDER BY 99--", "MATCH 'x' OR 1",
    ]  # fmt: skip
    fields = ["", "name:", "label:", "sort:", "metric.", "params.", "author:", "created:>", "file:",
              "size:<", "kind:", "alias:", "-", "sort:metric.", "label:a="]  # fmt: skip
    asked = 0
    for seed in seeds:
        for start in fields:
            for text in (f"{start}{seed}", f'{start}"{seed}"', f"{start}{seed}>1"):
                answer = tenants.eve.get("/api/v1/search", params={"q": text})
                assert answer.status_code in (200, 422), (text, answer.text)
                assert answer.elapsed.total_seconds() < 2
                if answer.status_code == 200:
                    names = {item["model"] for item in answer.json()["items"]}
                    assert all(name.startswith("bob/") for name in names), text
                asked += 1
        for path in (
            f"models?after={seed}", f"events?after={seed}", f"audit?action={seed}",
            f"audit?account={seed}", f"models?limit={seed}", f"events?kind={seed}",
            f"tokens?account={seed}", f"models/{quote(seed, safe='')}",
        ):  # fmt: skip
            assert tenants.bob.get(f"/api/v1/{path}").status_code < 500, path
    assert asked > 700
    assert tenants.bob.get("/api/v1/models/bob%2Fnet").status_code == 200


def test_no_pattern_takes_long(tenants: Tenants, canary: Path) -> None:
    """Row "ReDoS/filter bombs": MLflow's regex, Gradio CVE-2024-10624."""
    globs = ["*a" * 90, "*" * 199, "[!a]" * 49, "a*" * 99, "?*" * 99, "[" * 199, "[]-a]" * 39]
    for glob in globs:
        guard = {"pattern": "bob/net", "ref": glob, "role": "writer"}
        assert tenants.bob.put("/api/v1/guards", json=guard).status_code in (200, 422)
    long = ["a" * 190 + "!", "ab" * 95, "a" * 199]
    for name in long:
        began = time.monotonic()
        answer = tenants.bob.put(
            f"/api/v1/models/bob%2Fnet/refs/{quote(name)}", json={"kind": "alias", "revision": 1}
        )
        assert answer.status_code < 500
        assert time.monotonic() - began < 1, name
    for query in (
        "file:" + "*a" * 1900, "name:" + "a*" * 1900 + "b", "(" * 4000, "-" * 4096, '"' * 4095,
        "sort:" * 800, "created:>" + "9" * 4000, "metric.a>" + "9" * 4000, "1e" + "9" * 4000,
        " OR ".join(["x"] * 800), "label:" + "=" * 4000, "\u202e" * 1300, "file:[" + "a" * 4000,
    ):  # fmt: skip
        began = time.monotonic()
        answer = tenants.bob.get("/api/v1/search", params={"q": query})
        assert answer.status_code in (200, 422)
        assert time.monotonic() - began < 1, query[:40]


# -- sizes -----------------------------------------------------------------------------------------


def test_no_json_or_msgpack_takes_the_memory(tenants: Tenants, canary: Path) -> None:
    """Row "body/memory DoS": Triton CVE-2025-33201, Gradio CVE-2024-10569."""
    depth, place = 1_000_000, "/api/v1/models/bob%2Fnet"
    bombs = [
        b"[" * depth, b'{"add":' * (depth // 7), b'{"add":{' + b'"a":"b",' * 900_000 + b'"c":"d"}}',
        b'{"add":{"a":"' + b"x" * 7_000_000 + b'"}}', b'{"remove":[' + b"1," * 3_000_000 + b"1]}",
        b'{"add":{"a":' + b"9" * 5_000_000 + b"}}", b"\xff" * (1 << 20), b'{"add":{"\\ud800":"x"}}',
    ]  # fmt: skip
    said = {"content-type": "application/json"}
    with bounded(tenants):
        for bomb in bombs:
            answer = tenants.bob.patch(f"{place}/labels", content=bomb, headers=said)
            assert answer.status_code in (200, 400, 413, 422), (bomb[:20], answer.text)
        for path, bomb in (
            ("chunks/missing", b"\x91" * depth),
            ("chunks/missing", b"\xdd\xff\xff\xff\xff"),
            ("chunks/missing", b"\xdf\xff\xff\xff\xff" * 10),
            ("chunks/missing", b"\xc6\xff\xff\xff\xff" + b"x"),
            ("commits", (5).to_bytes(4, "little") + b"\xdd\xff\xff\xff\xff"),
            ("commits", (1 << 31).to_bytes(4, "little") + b"\x80"),
            ("commits", (depth).to_bytes(4, "little") + b"\x91" * depth),
            (f"chunks?session={'a' * 32}", b"\xff" * 100),
            (f"chunks?session={'b' * 32}", (0).to_bytes(4, "little") * 100_000),
            ("reports", b"[" * depth),
        ):  # fmt: skip
            kind = {"commits": "application/vnd.modelyard.commit", "reports": "application/json"}
            answer = tenants.bob.post(
                f"{place}/{path}", content=bomb,
                headers={"content-type": kind.get(path, "application/msgpack")},
            )  # fmt: skip
            assert 400 <= answer.status_code < 500, (path, answer.text)


def test_no_form_takes_the_memory(tenants: Tenants, canary: Path) -> None:
    part = b'--x\r\nContent-Disposition: form-data; name="files"; filename="%d"\r\n\r\n\r\n'
    forms = [
        b"".join(part % number for number in range(50_000)) + b"--x--",
        b"--x\r\nContent-Disposition: form-data; name=" + b"a" * (20 << 20),
        b"--x\r\n" * 1_000_000, b"\r\n" * 5_000_000,
        b'--x\r\nContent-Disposition: form-data; name="metrics"\r\n\r\n' + b"[" * 900_000
        + b"\r\n--x--",
        b'--x\r\nContent-Disposition: form-data; name="params"\r\n\r\n{"a":' * 10 + b"\r\n--x--",
    ]  # fmt: skip
    said = {"content-type": "multipart/form-data; boundary=x"}
    with bounded(tenants, 100 << 20):
        for form in forms:
            answer = tenants.bob.post(versions_of("bob/forms"), content=form, headers=said)
            assert answer.status_code == 422, answer.text


def _pack(*objects: tuple[int, int, bytes]) -> bytes:
    body = b"PACK\0\0\0\2" + len(objects).to_bytes(4, "big")
    for kind, size, content in objects:
        first, size = (kind << 4) | (size & 15), size >> 4
        head = bytearray()
        while size:
            head.append(first | 128)
            first, size = size & 127, size >> 7
        head.append(first)
        body += bytes(head) + content
    return body + hashlib.sha1(body).digest()


@pytest.mark.slow
def test_no_push_takes_the_memory_or_the_disk(tenants: Tenants, canary: Path) -> None:
    """Bombs in git's packs and in git-lfs."""
    zeros = zlib.compress(b"\0" * (300 << 20), 9)
    command = f"{'0' * 40} {'1' * 40} refs/heads/main\0report-status".encode()
    line = b"%04x%b0000" % (len(command) + 4, command)
    packs = [
        _pack((3, 300 << 20, zeros)), _pack((3, 5, zeros)), _pack((3, 1 << 60, b"x")),
        _pack(*[(3, 20 << 20, zlib.compress(b"\0" * (20 << 20), 9))] * 40), b"PACK" * 1000,
        b"PACK\0\0\0\2\xff\xff\xff\xff" + b"\0" * 40, _pack((7, 10, b"\0" * 20 + b"x" * 20)),
    ]  # fmt: skip
    with bounded(tenants, 900 << 20, 60):
        for number, pack in enumerate(packs):
            for compressed in (False, True):
                body = line + pack
                answer = tenants.bob.post(
                    "/bob/net.git/git-receive-pack",
                    content=gzip.compress(body) if compressed else body,
                    headers={"content-encoding": "gzip"} if compressed else {},
                )
                assert answer.status_code < 500, (number, answer.text)
                assert b"ok refs/heads/main" not in answer.content, number
        bomb = gzip.compress(b"\0" * (1 << 30), 9)
        for path in ("git-upload-pack", "git-receive-pack", f"info/lfs/objects/{'0' * 64}",
                     "info/lfs/objects/batch"):  # fmt: skip
            answer = tenants.bob.request(
                "PUT" if "000" in path else "POST", f"/bob/net.git/{path}", content=bomb,
                headers={"content-encoding": "gzip"},
            )  # fmt: skip
            assert 400 <= answer.status_code < 500, (path, answer.text)


# -- what is shown ---------------------------------------------------------------------------------


def test_what_is_downloaded_is_run_by_no_browser(tenants: Tenants, canary: Path) -> None:
    """Row "XSS in descriptions/markdown/tensor names": MLflow CVE-2024-27132, ClearML."""
    evil = b"<script>alert(document.cookie)</script>"
    files = {"README.md": evil, "x.html": evil, "x.svg": evil, "q\u202e;x=y.txt": b"a"}
    assert tenants.commit(tenants.bob, "bob/xss", files).status_code == 201
    for path in files:
        answer = tenants.bob.get(versions_of("bob/xss", f"/-/files/{quote(path)}"))
        assert answer.status_code == 200, answer.text
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-disposition"].startswith("attachment")
        assert "html" not in answer.headers.get("content-type", "")
        assert "svg" not in answer.headers.get("content-type", "")
        assert "default-src 'none'" in answer.headers["content-security-policy"]
    for path in (
        "/login?next=" + quote('"><script>alert(1)</script>'), "/login?next=javascript:alert(1)",
        "/login?code=" + quote("'><script>alert(1)</script>"), "/login?next=//evil.example",
        "/<script>alert(1)</script>", "/api/v1/models/<script>alert(1)<%2Fscript>",
    ):  # fmt: skip
        answer = tenants.bob.get(path)
        assert "<script>alert" not in answer.text or "json" in answer.headers["content-type"]
        assert "evil.example" not in answer.headers.get("location", "")
        assert "unsafe-inline" not in answer.headers["content-security-policy"]
        assert "javascript:" not in answer.text


_CELLS = ["=cmd|'/c calc'!A1", "+1+1", "-2+3", "@SUM(1)", "\tx", "\x1b[31mred\x1b]0;t\x07", "a\nb",
          '"', "\u202eoof", "\r\nSet-Cookie: a=b", "\x9b31m", "\x00"]  # fmt: skip


def test_nothing_that_is_said_injects_into_logs_tables_terminals_or_headers(
    tenants: Tenants, canary: Path
) -> None:
    """Row "log/CSV/ANSI/header injection"."""
    for text in _CELLS:
        tenants.commit(
            tenants.bob, "bob/cells", {"a.txt": os.urandom(5)}, message=text,
            labels=json.dumps({"a": text}),
        )  # fmt: skip
        tenants.bob.patch("/api/v1/models/bob%2Fcells/labels", json={"add": {"k": text}})
        tenants.bob.post("/api/v1/tokens", json={"name": text})
        tenants.root.post("/api/v1/accounts", json={"name": "x", "title": text})
        for path in (f"/api/v1/models/{quote(text, safe='')}", f"/{quote(text, safe='')}"):
            answer = tenants.bob.get(path, headers={"x-request-id": "a"})
            assert "set-cookie" not in answer.headers
    for who in ("root", "bob"):
        client = tenants.root if who == "root" else tenants.bob
        table = client.get("/api/v1/audit/export?format=csv").text
        rows = list(csv.reader(io.StringIO(table)))
        assert len({len(row) for row in rows}) == 1
        for row in rows:
            for cell in row:
                number = cell.lstrip("+-").replace(".", "").isdigit()
                assert number or not cell.startswith(("=", "+", "-", "@", "\t", "\r")), cell
                assert "\x1b" not in cell
    log = tenants.server.log_text()
    assert "\x1b" not in log
    assert "\x9b" not in log
    for line in log.splitlines()[1:]:  # the first tells that a yard was made
        json.loads(line)


def test_no_secret_is_written_down(tenants: Tenants, canary: Path) -> None:
    """Row "Airflow/DVC/lakeFS-like": secrets never in logs, errors, events or the audit log."""
    password = "correct horse canary staple"
    tenants.root.post("/api/v1/accounts", json={"name": "sec", "password": password})
    made = tenants.bob.post("/api/v1/tokens", json={"name": "sec"}).json()["secret"]
    hook = {"url": "https://user:hookcanary@e.example/x?key=keycanary", "pattern": "bob/net"}
    answer = tenants.bob.post("/api/v1/hooks", json=hook)
    secrets = [password, made, tenants.tokens["bob"], tenants.tokens["ann"]]
    secrets += [tenants.server.token or "none", "keycanary"]
    if answer.status_code == 201:
        secrets.append(answer.json()["secret"])
    wrong = "wrongpasswordcanary"
    stranger = tenants.stack.enter_context(tenants.server.client(""))
    for name, text in (("sec", wrong), (wrong, "x"), ("sec", made[:-1] + "x"), ("bob", made)):
        tenants.root.get("/api/v1/whoami", headers={"authorization": f"Bearer {text}"})
        stranger.get("/api/v1/whoami", auth=(name, text))
    for path in (f"/api/v1/models/x?token={made}", f"/login?code={made}", f"/x?password={wrong}"):
        told = tenants.bob.get(path)
        assert told.headers.get("location", "").find(made) < 0
    tenants.bob.get("/api/v1/search", params={"q": made})
    tenants.bob.post("/api/v1/tokens", content=made.encode())
    places = [tenants.server.log_text()]
    places += [
        client.get(f"/api/v1/{path}").text
        for client in (tenants.root, tenants.bob)
        for path in ("audit?limit=1000", "audit/export", "events?limit=1000", "tokens", "whoami")
    ]
    for text in places:
        for secret in [*secrets, wrong]:
            assert secret not in text, secret
    stored = b"".join(path.read_bytes() for path in tenants.server.folder.glob("catalog.db*"))
    for secret in (password, made, tenants.tokens["ann"], tenants.server.token or "none"):
        assert secret.encode() not in stored
        assert secret.split("_", 2)[-1].encode() not in stored
    again = stranger.get("/api/v1/whoami", headers={"authorization": f"Bearer {made}"})
    assert again.status_code == 200
