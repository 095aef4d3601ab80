"""What a client sees of each resource, against a real server: the main path and its refusals."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest
from tests.server.api.people import fill

if TYPE_CHECKING:
    import httpx2
    from tests.server.running import Running

_NUMBERS = itertools.count(1)
BINARY = bytes(range(256)) * 3000


@pytest.fixture
def base(api: httpx2.Client) -> str:
    """The address of a filled model of its own."""
    model = f"zoo%2Fnet{next(_NUMBERS)}"
    fill(api, model)
    return f"/api/v1/models/{model}"


def kind(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["kind"]


# -- models ------------------------------------------------------------------------------------


def test_models_are_listed_by_name_a_page_at_a_time(api: httpx2.Client) -> None:
    for name in ("pages%2Fc", "pages%2Fa", "pages%2Fb"):
        fill(api, name)
    found, after = [], None
    while True:
        page = api.get("/api/v1/models", params={"limit": 1, **({"after": after} if after else {})})
        found += [item["name"] for item in page.json()["items"]]
        after = page.json()["next"]
        if after is None:
            break
    assert found == sorted(found)
    assert {"pages/a", "pages/b", "pages/c"} <= set(found)


def test_a_model_is_renamed_and_its_old_name_leads_to_it(api: httpx2.Client, base: str) -> None:
    renamed = api.patch(base, json={"name": f"zoo/other{next(_NUMBERS)}"}).json()
    assert api.get(base).json()["name"] == renamed["name"]
    assert kind(api.patch(base, json={"name": renamed["name"]})) == (422, "same-name")


def test_a_deleted_model_comes_back(api: httpx2.Client, base: str) -> None:
    assert api.delete(base).status_code == 200
    assert kind(api.get(base)) == (404, "model-deleted")
    assert api.post(f"{base}/restore", json={}).status_code == 200
    assert api.get(base).json()["versions"] == 2


def test_labels_are_set_and_removed(api: httpx2.Client, base: str) -> None:
    assert api.patch(f"{base}/labels", json={"add": {"use": "x"}}).json()["use"] == "x"
    assert "use" not in api.patch(f"{base}/labels", json={"remove": ["use"]}).json()
    version = api.patch(f"{base}/labels", json={"revision": 1, "add": {"gold": ""}}).json()
    assert version == api.get(f"{base}/labels?revision=1").json() == {"gold": ""}


def test_what_a_body_does_not_know_is_refused(api: httpx2.Client, base: str) -> None:
    for body in ({"add": {"a": 1}}, {"adds": {}}, [], "x", {"revision": True}):
        assert api.patch(f"{base}/labels", json=body).status_code == 422


# -- versions ----------------------------------------------------------------------------------


def test_versions_are_listed_by_number_and_by_ancestry(api: httpx2.Client, base: str) -> None:
    dev = {"branch": "dev", "message": "aside"}
    files = [("files", ("w.bin", BINARY))]
    assert api.post(f"{base}/versions", files=files, data=dev).status_code == 201
    merged = api.post(f"{base}/merge", json={"source": 2, "into": "dev"})
    assert kind(merged) == (409, "merge-conflict")
    numbers = [item["number"] for item in api.get(f"{base}/versions").json()["items"]]
    assert numbers == [3, 2, 1]
    ancestors, after = [], ""
    while after is not None:
        page = api.get(f"{base}/versions?revision=dev&limit=1&after={after}".rstrip("&after="))
        ancestors += [item["number"] for item in page.json()["items"]]
        after = page.json()["next"]
    assert ancestors == [3, 1]


def test_a_form_becomes_a_version(api: httpx2.Client, base: str) -> None:
    files = [("files", ("weights/w.bin", BINARY)), ("files", ("README.md", b"# Hi"))]
    told = {"message": "by form", "params": '{"C": 1}', "labels": '{"stage": "gold"}'}
    done = api.post(f"{base}/versions", files=files, data=told)
    assert done.status_code == 201
    detail = api.get(f"{base}/versions/{done.json()['number']}/detail").json()
    assert [file["path"] for file in detail["files"]] == ["README.md", "weights/w.bin"]
    assert detail["params"] == {"C": 1}
    assert detail["version"]["message"] == "by form"
    assert detail["version"]["labels"] == {"stage": "gold"}


@pytest.mark.parametrize(
    ("content", "type_of", "wanted"),
    [
        (b"", "multipart/form-data; boundary=x", (422, "empty-body")),
        (b"--x--\r\n", "multipart/form-data; boundary=x", (422, "nothing-to-commit")),
        (b"--x\r\n\r\n", "multipart/form-data; boundary=x", (422, "bad-form")),
        (b"--y--", "multipart/form-data; boundary=x", (422, "bad-form")),
        (b"abc", "multipart/form-data", (415, "wrong-media-type")),
        (b"{}", "application/json", (415, "wrong-media-type")),
    ],
)
def test_a_form_that_is_none_is_refused(
    api: httpx2.Client, base: str, content: bytes, type_of: str, wanted: Any
) -> None:
    answer = api.post(f"{base}/versions", content=content, headers={"content-type": type_of})
    assert kind(answer) == wanted


def test_a_version_is_deleted_restored_and_reverted_to(api: httpx2.Client, base: str) -> None:
    assert kind(api.delete(f"{base}/versions/1")) == (409, "protected")
    assert api.delete(f"{base}/versions/2").status_code == 200
    assert kind(api.get(f"{base}/versions/2")) == (404, "version-deleted")
    assert api.post(f"{base}/restore", json={"revision": 2}).json()["versions"] == 2
    done = api.post(f"{base}/revert", json={"revision": 1})
    assert (done.status_code, done.json()["number"]) == (201, 3)


def test_two_versions_are_told_apart(api: httpx2.Client, base: str) -> None:
    model = base.rpartition("/")[2].replace("%2F", "/")
    found = api.get("/api/v1/diff", params={"a": f"{model}@1", "b": f"{model}@2"}).json()
    assert {file["path"] for file in found["files"]} == {"README.md", "w.bin"}


# -- contents ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "status", "start", "stop"),
    [
        (None, 200, 0, len(BINARY)), ("bytes=0-0", 206, 0, 1), ("bytes=5-9", 206, 5, 10),
        ("bytes=700000-", 206, 700_000, len(BINARY)), ("bytes=-10", 206, -10, len(BINARY)),
        ("bytes=0-99999999", 206, 0, len(BINARY)), ("lines=1-2", 200, 0, len(BINARY)),
        ("bytes=1-2,5-6", 200, 0, len(BINARY)), ("bytes=9-5", 416, 0, 0),
        ("bytes=768000-", 416, 0, 0),
    ],
)  # fmt: skip
def test_a_file_is_read_whole_or_by_a_range(
    api: httpx2.Client, base: str, asked: str | None, status: int, start: int, stop: int
) -> None:
    api.post(f"{base}/versions", files=[("files", ("w.bin", BINARY))])
    headers = {"range": asked} if asked else {}
    answer = api.get(f"{base}/versions/latest/files/w.bin", headers=headers)
    assert answer.status_code == status
    if status == 416:
        assert answer.headers["content-range"] == f"bytes */{len(BINARY)}"
        return
    assert answer.content == BINARY[start:stop]
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["x-content-type-options"] == "nosniff"
    etag = answer.headers["etag"]
    again = api.get(f"{base}/versions/latest/files/w.bin", headers={"if-none-match": etag})
    assert (again.status_code, again.content) == (304, b"")
    other = {"range": "bytes=0-1", "if-range": '"other"'}
    assert len(api.get(f"{base}/versions/latest/files/w.bin", headers=other).content) == 768_000


def test_a_version_goes_out_and_comes_back_as_a_tar(api: httpx2.Client, base: str) -> None:
    tar = api.get(f"{base}/versions/2/export").content
    kinds = {"content-type": "application/x-tar"}
    name = f"zoo/back{next(_NUMBERS)}"
    for number, created in ((1, True), (1, False)):
        done = api.post(f"/api/v1/imports?model={name}", content=tar, headers=kinds).json()
        assert (done["model"], done["number"], done["created"]) == (name, number, created)
    cut = api.post("/api/v1/imports?model=zoo/cut", content=tar[:-3000], headers=kinds)
    assert kind(cut) == (422, "bad-export")
    assert api.get("/api/v1/models/zoo%2Fcut").status_code == 404


# -- refs --------------------------------------------------------------------------------------


def test_an_alias_moves_only_from_where_it_was_seen(api: httpx2.Client, base: str) -> None:
    ref = f"{base}/refs/champion"
    etag = api.get(ref).headers["etag"]
    assert etag == '"1"'
    moved = api.put(ref, json={"revision": 2}, headers={"if-match": etag})
    assert (moved.status_code, moved.headers["etag"]) == (200, '"2"')
    for headers in ({"if-match": etag}, {"if-none-match": "*"}):
        assert kind(api.put(ref, json={"revision": 1}, headers=headers)) == (412, "stale")
        assert kind(api.delete(ref, headers={"if-match": etag})) == (412, "stale")
    assert kind(api.put(ref, json={"revision": 1}, headers={"if-match": "2"})) == (422, "bad-etag")
    back = api.post(f"{ref}/rollback", json={}, headers={"if-match": '"2"'})
    assert back.json()["number"] == 1
    new = api.put(f"{base}/refs/new", json={"revision": 1}, headers={"if-none-match": "*"})
    assert new.status_code == 201
    assert kind(api.put(f"{base}/refs/n2", json={}, headers={"if-match": "*"})) == (412, "stale")


def test_branches_and_tags_are_made_once(api: httpx2.Client, base: str) -> None:
    for what in ("branch", "tag"):
        body = {"kind": what, "revision": 1}
        assert api.put(f"{base}/refs/a%2F{what}", json=body).status_code == 201
        assert kind(api.put(f"{base}/refs/a%2F{what}", json=body)) == (409, "ref-exists")
    names = [ref["name"] for ref in api.get(f"{base}/refs").json()["items"]]
    assert {"a/branch", "a/tag", "main"} <= set(names)
    assert api.delete(f"{base}/refs/a%2Ftag").status_code == 200
    assert kind(api.get(f"{base}/refs/a%2Ftag")) == (404, "no-ref")


def test_every_move_is_told_a_page_at_a_time(api: httpx2.Client, base: str) -> None:
    whole = api.get(f"{base}/reflog").json()["items"]
    first = api.get(f"{base}/reflog?limit=2").json()
    rest = api.get(f"{base}/reflog?after={first['next']}").json()
    assert first["items"] + rest["items"] == whole
    assert {move["ref"] for move in api.get(f"{base}/reflog?ref=main").json()["items"]} == {"main"}


# -- reports -----------------------------------------------------------------------------------


def test_reports_are_kept_compared_and_chosen_by(api: httpx2.Client, base: str) -> None:
    content = {"measures": [{"name": "accuracy", "value": 0.5, "low": 0.4, "high": 0.6}]}
    kept = api.post(
        f"{base}/reports",
        json={"kind": "evaluation", "revision": 2, "content": content,
              "data": {"name": "d", "digest": "a" * 64}},
    )  # fmt: skip
    assert kept.status_code == 201
    assert len(api.get(f"{base}/evaluations").json()["items"]) == 2
    first = api.get(f"{base}/reports?limit=1&kind=evaluation").json()
    assert (len(first["items"]), first["items"][0]["number"]) == (1, 2)
    assert api.post(f"{base}/compare", json={"revisions": [1, 2]}).json()["leader"] == 1
    assert api.post(f"{base}/best", json={"metric": "accuracy"}).json()["leader"] == 1
    missing = api.get(f"{base}/reports/{kept.json()['id']}/outcomes")
    assert kind(missing) == (404, "no-outcomes")


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"kind": "x", "content": {}}', b'{"kind": "profile"}',
             b'{"kind": "profile", "content": {}, "data": {"name": "/etc/passwd"}}',
             b'{"kind":"profile","content":' + b'{"a":' * 5000 + b"1" + b"}" * 5001],
)  # fmt: skip
def test_a_report_that_can_t_be_read_is_refused(api: httpx2.Client, base: str, body: bytes) -> None:
    headers = {"content-type": "application/json"}
    assert api.post(f"{base}/reports", content=body, headers=headers).status_code == 422


# -- the house ---------------------------------------------------------------------------------


def test_the_house_is_looked_after_from_afar(api: httpx2.Client, base: str) -> None:
    assert api.post("/api/v1/house/verify", json={}).json()["damage"] == []
    assert kind(api.post("/api/v1/house/verify", json={"rebuild": True})) == (501, "only-local")
    assert api.post("/api/v1/house/gc", json={"dry_run": True}).json()["dry_run"]
    assert api.get("/api/v1/house/stats").json()["stored"] > 0
    made = api.post("/api/v1/house/backups")
    assert made.status_code == 201
    copy = api.get(f"/api/v1/house/backups/{made.json()['file']}")
    assert len(copy.content) == made.json()["bytes"]
    assert kind(api.get("/api/v1/house/backups/yard.toml")) == (404, "no-backup")


def test_long_work_is_a_job_that_can_be_followed(api: httpx2.Client) -> None:
    later = {"prefer": "respond-async, wait=0"}
    answer = api.post("/api/v1/house/verify", json={}, headers=later)
    assert answer.status_code == 202
    told = api.get(f"{answer.headers['location']}/events").text
    assert "event: done\ndata: {" in told
    assert api.get(answer.headers["location"]).json()["state"] == "done"
    assert answer.json()["id"] in [job["id"] for job in api.get("/api/v1/jobs").json()["items"]]
    assert kind(api.get("/api/v1/jobs/none")) == (404, "no-job")


# -- bundles -----------------------------------------------------------------------------------


def test_a_bundle_brings_a_model_as_it_was(api: httpx2.Client, base: str) -> None:
    before = {
        path: api.get(f"{base}{path}").json()
        for path in ("", "/versions", "/refs", "/labels", "/evaluations")
    }
    bundle = api.get(f"{base}/bundle").content
    headers = {"content-type": "application/octet-stream"}
    tried = api.post("/api/v1/bundles?dry_run=true", content=bundle, headers=headers).json()
    assert (tried["models"], tried["dry_run"]) == ([], True)
    api.delete(base)
    done = api.post("/api/v1/bundles", content=bundle, headers=headers).json()
    assert done["versions"] == 2
    assert (
        api.get(f"{base}/versions").json()["items"][0]["commit"]
        == (before["/versions"]["items"][0]["commit"])
    )
    assert api.get(f"{base}/refs").json() == before["/refs"]
    assert api.get(f"{base}/labels").json() == before["/labels"]
    cut = api.post("/api/v1/bundles", content=bundle[:-1], headers=headers)
    assert kind(cut) == (422, "no-bundle")


def test_a_bundle_moves_no_guarded_ref(server: Running, api: httpx2.Client, base: str) -> None:
    model = base.rpartition("/")[2].replace("%2F", "/")
    bundle = api.get(f"{base}/bundle").content
    api.put(f"{base}/refs/champion", json={"revision": 2})
    api.delete(f"{base}/refs/champion")
    guard = {"pattern": model, "ref": "champion", "role": "maintainer", "approvals": 0}
    assert api.put("/api/v1/guards", json=guard).status_code == 200
    name = f"writer{next(_NUMBERS)}"
    api.post("/api/v1/accounts", json={"name": name})
    api.put("/api/v1/roles", json={"account": name, "pattern": model, "role": "writer"})
    token = api.post("/api/v1/tokens", json={"account": name}).json()["secret"]
    with server.client(token) as writer:
        answer = writer.post(
            "/api/v1/bundles", content=bundle, headers={"content-type": "application/octet-stream"}
        )
    assert kind(answer) == (403, "guarded")
    assert kind(api.get(f"{base}/refs/champion")) == (404, "no-ref")


def test_an_upload_tells_nothing_of_what_others_have(server: Running, api: httpx2.Client) -> None:
    secret = BINARY[::-1]
    api.post("/api/v1/models/vault%2Fa/versions", files=[("files", ("w.bin", secret))])
    name = f"guesser{next(_NUMBERS)}"
    api.post("/api/v1/accounts", json={"name": name})
    api.put("/api/v1/roles", json={"account": name, "pattern": "guess/*", "role": "writer"})
    token = api.post("/api/v1/tokens", json={"account": name}).json()["secret"]
    with server.client(token) as guesser:
        told = [
            guesser.post(
                f"/api/v1/models/guess%2F{number}/versions", files=[("files", ("w.bin", content))]
            ).json()["new_bytes"]
            for number, content in enumerate([secret, BINARY[1:] + b"\x01"])
        ]
    assert told[0] == told[1]
