"""Somebody with a token of one namespace, and what they try to get beyond it."""

from __future__ import annotations

import hashlib
import json
import os
import time
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from tests.server.gitting import Git
from tests.server.holes.bundling import bundle_of, own_yard, send_bundle
from tests.server.holes.tenants import Tenants, kind_of, tenants, versions_of
from tests.server.raw import connect, head, status
from tests.server.sending import Sender, cut

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["tenants"]


def pointer(content: bytes) -> bytes:
    digest = hashlib.sha256(content).hexdigest()
    return (
        f"version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize {len(content)}\n"
    ).encode()


# -- files of others -------------------------------------------------------------------------------


def test_a_file_that_reads_as_a_pointer_gives_no_file_of_others(tenants: Tenants) -> None:
    """Row "dedup as oracle": the text of a git-lfs pointer is only a text."""
    secret = os.urandom(4000)
    assert tenants.commit(tenants.ann, "ann/p", {"w.bin": secret}).status_code == 201
    made = tenants.commit(tenants.bob, "bob/p", {"w.bin": pointer(secret)})
    assert made.status_code in (201, 422), made.text
    got = tenants.bob.get(versions_of("bob/p", "/-/files/w.bin"))
    assert got.content != secret
    sent = Sender(tenants.bob, "bob/p2").commit({"w.bin": pointer(secret)})
    assert sent.status_code in (201, 422), sent.text
    got = tenants.bob.get(versions_of("bob/p2", "/-/files/w.bin"))
    assert got.content != secret


def test_large_files_of_others_are_not_had_by_their_names(tenants: Tenants) -> None:
    """Row "dedup as oracle", by git-lfs: to know an oid is not to have the file."""
    secret = os.urandom(4000)
    oid = hashlib.sha256(secret).hexdigest()
    assert tenants.commit(tenants.ann, "ann/lfs", {"w.bin": secret}).status_code == 201
    assert tenants.commit(tenants.bob, "bob/lfs", {"a.txt": b"a"}).status_code == 201
    place = "/bob/lfs.git/info/lfs"
    one = {"oid": oid, "size": len(secret)}
    for operation in ("download", "upload"):
        asked = {"operation": operation, "objects": [one, {**one, "oid": "0" * 64}]}
        hers, nobodys = tenants.bob.post(f"{place}/objects/batch", json=asked).json()["objects"]
        assert hers.keys() == nobodys.keys()
        assert set(hers.get("actions", {})) == set(nobodys.get("actions", {}))
    assert tenants.bob.get(f"{place}/objects/{oid}").status_code == 404
    assert tenants.bob.post(f"{place}/verify", json=one).status_code == 404
    for model in ("ann/lfs", "ann/absent"):
        answer = tenants.bob.get(f"/{model}.git/info/lfs/objects/{oid}")
        assert answer.status_code == 404
        assert "ann" not in answer.text.replace(model, "")


def test_what_another_writer_sent_for_a_push_is_not_mine(tenants: Tenants) -> None:
    secret = os.urandom(4000)
    oid = hashlib.sha256(secret).hexdigest()
    place = f"/bob/lfs.git/info/lfs/objects/{oid}"
    assert tenants.bob.put(place, content=secret).status_code == 200
    assert tenants.bill.get(place).status_code == 404
    assert tenants.eve.get(place).status_code == 404
    assert tenants.bob.get(place).status_code == 200


def test_time_does_not_tell_what_others_have(tenants: Tenants) -> None:
    """Row "dedup as oracle": chunks of others take as long as chunks of nobody."""
    known = cut(os.urandom(2 << 20))
    ann = Sender(tenants.ann, "ann/timing")
    ann.send(known)
    assert ann.finish({"w.bin": known}).status_code == 201
    taken: dict[bool, list[float]] = {True: [], False: []}
    for number in range(24):
        bob = Sender(tenants.bob, f"bob/timing{number % 2}")
        frames = known if number % 2 else cut(os.urandom(2 << 20))
        began = time.perf_counter()
        stored = bob.send(frames)
        taken[bool(number % 2)].append(time.perf_counter() - began)
        assert stored.new_bytes >= 2 << 20
    fastest = {key: sorted(times)[:6] for key, times in taken.items()}
    ratio = sum(fastest[True]) / sum(fastest[False])
    assert 0.6 < ratio < 1.7, taken


# -- guards ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def guarded(tenants: Tenants) -> Tenants:
    """`main` and `champion` of `bob/guarded` are not bill's to move."""
    for words in (b"one", b"two", b"three"):
        made = tenants.commit(tenants.bob, "bob/guarded", {"a.txt": words})
        assert made.status_code == 201, made.text
    place = "/api/v1/models/bob%2Fguarded"
    for name, kind, number in (("champion", "alias", 2), ("dev", "branch", 2)):
        said = {"kind": kind, "revision": number}
        assert tenants.bob.put(f"{place}/refs/{name}", json=said).status_code == 201
    for ref in ("main", "champion", "release/*"):
        said = {"pattern": "bob/guarded", "ref": ref, "role": "maintainer"}
        assert tenants.bob.put("/api/v1/guards", json=said).status_code == 200
    return tenants


def refs_of(tenants: Tenants, model: str = "bob/guarded") -> dict[str, int]:
    listed = tenants.bob.get(f"/api/v1/models/{model.replace('/', '%2F')}/refs").json()["items"]
    return {item["name"]: item["number"] for item in listed}


def _rest(method: str, rest: str, body: dict[str, Any] | None = None) -> Any:
    def run(client: httpx2.Client, _: Path) -> httpx2.Response:
        return client.request(method, f"/api/v1/models/bob%2Fguarded{rest}", json=body)

    return run


def _form(client: httpx2.Client, _: Path) -> httpx2.Response:
    return client.post(versions_of("bob/guarded"), files=[("files", ("a.txt", os.urandom(9)))])


def _chunks(client: httpx2.Client, _: Path) -> httpx2.Response:
    return Sender(client, "bob/guarded").commit({"a.txt": os.urandom(9)})


def _bundle(client: httpx2.Client, room: Path) -> httpx2.Response:
    content = client.get("/api/v1/models/bob%2Fguarded/bundle")
    assert content.status_code == 200
    with own_yard(room / "own") as yard:
        (room / "files").mkdir()
        (room / "files" / "a.txt").write_bytes(b"x")
        yard.commit("bob/guarded", room / "files")
        yard.alias("bob/guarded", "champion", 1)
        yard.tag("bob/guarded", "release/1", 1)
        return send_bundle(client, bundle_of(yard, room / "b"))


def _export(client: httpx2.Client, room: Path) -> httpx2.Response:
    with own_yard(room / "own") as yard:
        (room / "files").mkdir()
        (room / "files" / "a.txt").write_bytes(b"not as in the bundle")
        yard.commit("bob/guarded", room / "files")
        yard.export("bob/guarded", 1, room / "e.tar")
    said = {"content-type": "application/x-tar"}
    return client.post("/api/v1/imports", content=(room / "e.tar").read_bytes(), headers=said)


def _choose(client: httpx2.Client, _: Path) -> httpx2.Response:
    place = "/api/v1/models/bob%2Fguarded"
    for number, value in ((1, 0.9), (2, 0.5)):
        kept = {"kind": "evaluation", "revision": number, "data": {"name": "d", "digest": "a" * 64},
                "content": {"measures": [{"name": "accuracy", "value": value}]}}  # fmt: skip
        assert client.post(f"{place}/reports", json=kept).status_code == 201
    return client.post(f"{place}/best", json={"metric": "accuracy", "alias": "champion"})


def _git(client: httpx2.Client, room: Path) -> httpx2.Response:
    git = Git(room)
    url = f"{str(client.base_url).rstrip('/')}/bob/guarded.git".replace(
        "://", f"://bill:{client.headers['authorization'].split()[1]}@"
    )
    work = git.clone(url, "work")
    work.write("a.txt", "by git")
    work.commit()
    for ref in ("HEAD:main", "HEAD:refs/tags/release/9", "HEAD:champion", ":champion"):
        assert work.try_("push", url, ref).code != 0, ref
    return client.get("/health")


BYPASSES = {
    "choose": _choose,
    "git": _git,
    "form": _form,
    "chunks": _chunks,
    "bundle": _bundle,
    "import": _export,
    "revert": _rest("POST", "/revert", {"revision": 1}),
    "merge": _rest("POST", "/merge", {"source": 2, "into": "main"}),
    "alias": _rest("PUT", "/refs/champion", {"revision": 1}),
    "new-tag": _rest("PUT", "/refs/release%2F2", {"kind": "tag", "revision": 1}),
    "rollback": _rest("POST", "/refs/champion/rollback", {"to": 1}),
    "delete": _rest("DELETE", "/refs/champion"),
    "delete-branch": _rest("DELETE", "/refs/main"),
    "delete-version": _rest("DELETE", "/versions/2"),
    "delete-model": _rest("DELETE", ""),
    "rename": _rest("PATCH", "", {"name": "bob/other"}),
    "guard": lambda client, _: client.put(
        "/api/v1/guards", json={"pattern": "bob/guarded", "ref": "main", "role": "writer"}
    ),
    "unguard": lambda client, _: client.delete(
        "/api/v1/guards", params={"pattern": "bob/guarded", "ref": "main"}
    ),
}  # fmt: skip


@pytest.mark.parametrize("way", BYPASSES)
def test_no_way_leads_around_a_guard(guarded: Tenants, tmp_path: Path, way: str) -> None:
    before = refs_of(guarded)
    answer = BYPASSES[way](guarded.bill, tmp_path)
    assert refs_of(guarded) == before, answer.text
    if way == "merge":
        assert answer.status_code in (201, 403, 409, 422)
    else:
        assert answer.status_code in (200, 403, 409, 422), answer.text


def test_a_maintainer_does_not_lower_a_guard_that_asks_for_approvals(tenants: Tenants) -> None:
    """Whoever could put another guard in its place would need nobody's approval."""
    mia = tenants.add("mia", {"bob/four": "maintainer"})
    assert tenants.commit(tenants.bob, "bob/four", {"a.txt": b"1"}).status_code == 201
    guard = {"pattern": "bob/four", "ref": "prod", "role": "maintainer", "approvals": 2}
    assert tenants.bob.put("/api/v1/guards", json=guard).status_code == 200
    for lower in ({"approvals": 0}, {"approvals": 1}):
        answer = mia.put("/api/v1/guards", json={**guard, **lower})
        assert kind_of(answer) == (403, "not-allowed"), answer.text
    assert mia.put("/api/v1/guards", json={**guard, "approvals": 3}).status_code == 200
    listed = [g for g in mia.get("/api/v1/guards").json() if g["pattern"] == "bob/four"]
    assert [g["approvals"] for g in listed] == [3]


def test_nobody_approves_twice_or_what_they_proposed(tenants: Tenants) -> None:
    max_ = tenants.add("max", {"bob/six": "maintainer"})
    moe = tenants.add("moe", {"bob/six": "maintainer"})
    assert tenants.commit(tenants.bob, "bob/six", {"a.txt": b"1"}).status_code == 201
    guard = {"pattern": "bob/six", "ref": "prod", "role": "maintainer", "approvals": 2}
    assert tenants.bob.put("/api/v1/guards", json=guard).status_code == 200
    place = "/api/v1/models/bob%2Fsix/proposals"
    made = max_.post(place, json={"ref": "prod", "revision": "1"})
    assert made.status_code == 201, made.text
    approve = f"/api/v1/proposals/{made.json()['id']}/approve"
    assert kind_of(tenants.client("max").post(approve)) == (403, "own-proposal")
    assert kind_of(tenants.eve.post(approve))[0] in (403, 404)
    assert kind_of(tenants.ann.post(approve)) == (404, "no-proposal")
    assert moe.post(approve).status_code == 200
    assert kind_of(tenants.client("moe").post(approve)) == (409, "approved-already")
    assert "prod" not in refs_of(tenants, "bob/six")


def test_an_approval_of_somebody_who_lost_the_role_does_not_count(tenants: Tenants) -> None:
    pat = tenants.add("pat", {"bob/seven": "maintainer"})
    tenants.add("pia", {"bob/seven": "maintainer"})
    assert tenants.commit(tenants.bob, "bob/seven", {"a.txt": b"1"}).status_code == 201
    guard = {"pattern": "bob/seven", "ref": "prod", "role": "maintainer", "approvals": 2}
    assert tenants.bob.put("/api/v1/guards", json=guard).status_code == 200
    place = "/api/v1/models/bob%2Fseven/proposals"
    made = tenants.bill.post(place, json={"ref": "prod", "revision": "1"})
    approve = f"/api/v1/proposals/{made.json()['id']}/approve"
    assert pat.post(approve).status_code == 200
    tenants.take("pat", "bob/seven")
    assert tenants.pia.post(approve).status_code == 200
    assert "prod" not in refs_of(tenants, "bob/seven")
    assert tenants.bob.post(approve).status_code == 200
    assert refs_of(tenants, "bob/seven")["prod"] == 1


# -- roles that were taken -------------------------------------------------------------------------


def test_a_body_that_began_before_the_role_was_taken_is_refused(tenants: Tenants) -> None:
    """A race: let in, then the body comes by drops until the role is gone."""
    roy = tenants.add("roy", {"bob/race": "writer"})
    assert tenants.commit(roy, "bob/race", {"a.txt": b"1"}).status_code == 201
    form = (
        b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.txt"\r\n\r\n'
        b"after\r\n--x--\r\n"
    )
    oid = hashlib.sha256(b"late").hexdigest()
    for method, path, kind, body in (
        ("POST", versions_of("bob/race"), "multipart/form-data; boundary=x", form),
        ("PUT", f"/bob/race.git/info/lfs/objects/{oid}", "application/octet-stream", b"late"),
    ):
        tenants.give("roy", "bob/race", "writer")
        with connect(tenants.server.url) as connection:
            connection.sendall(
                head(
                    tenants.server.url,
                    f"{method} {path}",
                    f"Content-Type: {kind}",
                    f"Authorization: Bearer {tenants.tokens['roy']}",
                    f"Content-Length: {len(body)}",
                )
            )
            connection.sendall(body[:-2])
            time.sleep(1.0)
            tenants.take("roy", "bob/race")
            time.sleep(0.5)
            connection.sendall(body[-2:])
            answer = connection.recv(10_000)
        assert status(answer) in (403, 404), (path, answer)
    assert refs_of(tenants, "bob/race") == {"main": 1}


def test_a_job_is_not_shown_to_whoever_may_not_read_its_models_any_more(tenants: Tenants) -> None:
    jim = tenants.add("jim", {"bob/job": "writer"})
    for _ in range(2):
        files = {f"{number}.bin": os.urandom(3000) for number in range(200)}
        assert tenants.commit(tenants.bob, "bob/job", files).status_code == 201
    said = {"prefer": "respond-async, wait=0"}
    query = {"a": "bob/job@1", "b": "bob/job@2"}
    for _ in range(50):
        began = jim.get("/api/v1/diff", params=query, headers=said)
        assert began.status_code in (200, 202), began.text
        if began.status_code == 202:
            break
    key = began.json()["id"]
    place = f"/api/v1/jobs/{key}"
    for other in (tenants.ann, tenants.bob, tenants.eve):
        assert kind_of(other.get(place)) == (404, "no-job")
        assert kind_of(other.get(f"{place}/events")) == (404, "no-job")
        assert key not in other.get("/api/v1/jobs").text
    narrow = tenants.client("jim", models=["bob/else"])
    assert kind_of(narrow.get(place)) == (404, "no-job")
    tenants.take("jim", "bob/job")
    assert kind_of(jim.get(place)) == (404, "no-job")
    assert key not in jim.get("/api/v1/jobs").text


def test_an_idempotency_key_is_of_one_account(tenants: Tenants) -> None:
    said = {"idempotency-key": "same-for-both"}
    body = {"add": {"k": "bob"}}
    assert tenants.commit(tenants.bob, "bob/idem", {"a.txt": b"1"}).status_code == 201
    place = "/api/v1/models/bob%2Fidem/labels"
    assert tenants.bob.patch(place, json=body, headers=said).status_code == 200
    again = tenants.bob.patch(place, json=body, headers=said)
    assert again.headers["idempotent-replay"] == "true"
    other = tenants.bill.patch(place, json=body, headers=said)
    assert "idempotent-replay" not in other.headers
    assert kind_of(tenants.ann.patch(place, json=body, headers=said)) == (404, "no-model")


def test_a_name_that_leads_into_a_hidden_namespace_is_not_followed(tenants: Tenants) -> None:
    """A redirect of a rename tells nothing, and nothing is written through it."""
    assert tenants.commit(tenants.root, "bob/moved", {"a.txt": b"1"}).status_code == 201
    answer = tenants.root.patch("/api/v1/models/bob%2Fmoved", json={"name": "ann/hidden-now"})
    assert answer.status_code == 200, answer.text
    for client in (tenants.bob, tenants.bill, tenants.eve):
        got = client.get("/api/v1/models/bob%2Fmoved")
        assert kind_of(got) == (404, "no-model")
        assert "hidden-now" not in got.text
        assert "hidden-now" not in client.get("/api/v1/events").text
        assert "hidden-now" not in client.get("/api/v1/audit").text
    tenants.commit(tenants.bob, "bob/moved", {"a.txt": b"2"})
    Sender(tenants.bob, "bob/moved").commit({"a.txt": b"3"})
    listed = tenants.ann.get(versions_of("ann/hidden-now")).json()["items"]
    assert [item["number"] for item in listed] == [1]


def test_a_model_that_came_out_of_a_hidden_namespace_does_not_tell_its_old_name(
    tenants: Tenants,
) -> None:
    made = tenants.commit(tenants.root, "ann/whence-canary", {"a.txt": b"1"})
    assert made.status_code == 201
    answer = tenants.root.patch("/api/v1/models/ann%2Fwhence-canary", json={"name": "bob/shown"})
    assert answer.status_code == 200, answer.text
    for client in (tenants.bob, tenants.bill, tenants.eve):
        for path in (
            "/api/v1/events?limit=1000", "/api/v1/models/bob%2Fshown", "/api/v1/search?q=whence",
            "/api/v1/models/bob%2Fshown/reflog", "/api/v1/models", versions_of("bob/shown"),
            versions_of("bob/shown", "/1/detail"), "/api/v1/audit?limit=1000",
        ):  # fmt: skip
            assert "whence-canary" not in client.get(path).text, path
    told = tenants.eve.get("/api/v1/models/bob%2Fshown/bundle").content
    assert b"whence-canary" not in told


def test_a_bounded_token_gets_nobody_further(tenants: Tenants) -> None:
    narrow = tenants.client("bob", role="reader", models=["bob/guarded"])
    for answer in (
        narrow.post("/api/v1/tokens", json={"role": "admin", "models": ["bob/*"]}),
        narrow.put("/api/v1/accounts/bob/password", json={"password": "some words nobody says"}),
        narrow.put("/api/v1/roles", json={"account": "bob", "pattern": "bob/*", "role": "admin"}),
        narrow.post("/api/v1/hooks", json={"url": "https://e.example/x", "pattern": "bob/guarded"}),
        narrow.put("/api/v1/guards", json={"pattern": "bob/guarded", "ref": "x"}),
    ):
        assert answer.status_code == 403, answer.text
    made = narrow.post("/api/v1/tokens", json={"name": "more"}).json()
    assert (made["token"]["role"], made["token"]["models"]) == ("reader", ["bob/guarded"])
    for token in tenants.bob.get("/api/v1/tokens").json():
        if token["name"] != "more" and token["role"] == "admin":
            answer = narrow.post(f"/api/v1/tokens/{token['id']}/rotate")
            assert answer.status_code in (403, 404), answer.text
    assert kind_of(narrow.get("/api/v1/models/bob%2Flfs")) == (404, "no-model")


# -- what is written down --------------------------------------------------------------------------


def test_nobody_writes_the_audit_log_in_another_s_name(tenants: Tenants) -> None:
    """Neither by what a commit says of its author, nor by headers."""
    lies = {
        "x-forwarded-for": "6.6.6.6", "x-real-ip": "6.6.6.6", "forwarded": "for=6.6.6.6",
        "x-request-id": "chosen", "x-forwarded-user": "ann", "remote-user": "ann",
    }  # fmt: skip
    files = [("files", ("a.txt", b"1"))]
    made = tenants.bill.post(versions_of("bob/audit"), files=files, headers=lies)
    assert made.status_code == 201, made.text
    sent = Sender(tenants.bill, "bob/audit").commit({"a.txt": b"2"}, author="ann <ann@x.org>")
    assert sent.status_code == 201, sent.text
    lines = tenants.root.get("/api/v1/audit", params={"of": "bob/audit"}).json()["items"]
    assert {line["account"] for line in lines} == {"bill"}
    assert {line["address"] for line in lines} == {"127.0.0.1"}
    assert "6.6.6.6" not in json.dumps(lines)


def test_a_forged_address_goes_around_no_throttle(tenants: Tenants) -> None:
    """Row "DNS rebinding ... X-Forwarded-For": each guess counts for the true address."""
    codes = []
    for number in range(60):
        said = {"x-forwarded-for": f"9.9.9.{number}"}
        form = {"name": "nobody-here", "password": f"guess {number}"}
        answer = httpx2.post(f"{tenants.server.url}/login", data=form, headers=said, timeout=60)
        codes.append(answer.status_code)
        if answer.status_code == 429:
            break
    assert codes[-1] == 429
