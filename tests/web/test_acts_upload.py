"""New versions from the browser: by the form alone, as a script sends it, and as curl would."""

from __future__ import annotations

import io
import pickle
import socket
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import pytest

if TYPE_CHECKING:
    from tests.web.acting import People, Person

pytestmark = pytest.mark.slow


def _paths(ann: Person, model: str, revision: int) -> dict[str, int]:
    place = f"/models/{quote(model, '')}/versions/{revision}/contents"
    files = ann.told(place)["files"]
    return {f["path"]: f["size"] for f in files if not f["path"].startswith(".modelyard/")}


def _detail(ann: Person, model: str, revision: int) -> Any:
    return ann.told(f"/models/{quote(model, '')}/versions/{revision}/detail")


def test_a_new_model_is_made_of_files_and_what_is_said_of_them(ann: Person) -> None:
    chosen = ann.see("/upload").submit("/upload", model="up/new")
    assert "New model up/new" in chosen.text

    done = chosen.submit(
        "/do/upload/up/new",
        files=[("files", ("model.bin", b"weights")), ("files", ("说明.txt", "你好".encode()))],
        message="first try",
        **{
            "metric.key": ["accuracy", ""], "metric.value": ["0.93", ""],
            "param.key": ["C", "solver"], "param.value": ["1.5", "lbfgs"],
            "label.key": ["domain", "draft"], "label.value": ["vision", ""],
        },
    )  # fmt: skip

    assert "Stored as version 1: 2 files" in done.text
    assert _paths(ann, "up/new", 1) == {"model.bin": 7, "说明.txt": 6}
    told = _detail(ann, "up/new", 1)
    assert told["version"]["message"] == "first try"
    assert told["version"]["metrics"] == {"accuracy": 0.93}
    assert told["version"]["labels"] == {"domain": "vision", "draft": ""}
    assert told["params"] == {"C": 1.5, "solver": "lbfgs"}
    assert told["version"]["author"] == "admin"
    line = ann.last_line("up/new")
    assert (line["action"], line["new"], line["account"]) == ("commit", 1, "admin")


def test_other_files_of_the_branch_stay_or_go_as_it_is_chosen(ann: Person) -> None:
    ann.commit("up/more", {"a.txt": b"a", "b.txt": b"b"})
    page = ann.see("/upload?model=up/more")

    page.submit("/do/upload/up/more", files=[("files", ("b.txt", b"new"))])
    assert _paths(ann, "up/more", 2) == {"a.txt": 1, "b.txt": 3}

    page.submit("/do/upload/up/more", files=[("files", ("c.txt", b"only"))], others="drop")
    assert _paths(ann, "up/more", 3) == {"c.txt": 4}


def test_a_folder_comes_without_its_own_name(ann: Person) -> None:
    page = ann.see("/upload?model=up/folder")
    parts = [
        ("files", ("", b"")),  # a browser sends the field where nothing was chosen
        ("folder", ("resnet/config.json", b"{}")),
        ("folder", ("resnet/sub/w.bin", b"w")),
        ("folder", ("resnet/.git/HEAD", b"ref")),
    ]

    page.submit("/do/upload/up/folder", files=parts)

    assert _paths(ann, "up/folder", 1) == {"config.json": 2, "sub/w.bin": 1}


def test_a_version_may_begin_a_branch(ann: Person) -> None:
    ann.commit("up/branch", {"a.txt": b"a"})

    ann.see("/upload?model=up/branch").submit(
        "/do/upload/up/branch", files=[("files", ("a.txt", b"b"))], **{"new-branch": "try"}
    )

    assert ann.refs("up/branch") == {"main": ("branch", 1), "try": ("branch", 2)}


def test_what_a_scan_finds_is_told(ann: Person) -> None:
    class Bad:
        def __reduce__(self) -> tuple[Any, tuple[str]]:
            import os

            return os.system, ("true",)

    page = ann.see("/upload?model=up/danger")

    done = page.submit("/do/upload/up/danger", files=[("files", ("m.pkl", pickle.dumps(Bad())))])

    assert "A scan warns of 1 thing" in done.text
    assert "system" in done.text


def test_the_same_files_again_make_no_version(ann: Person) -> None:
    ann.commit("up/same", {"a.txt": b"a"})

    done = ann.see("/upload?model=up/same").submit(
        "/do/upload/up/same", files=[("files", ("a.txt", b"a"))]
    )

    assert "Nothing is new: these are the files of version 1." in done.text


def test_a_script_is_told_where_to_go_on_and_the_page_there_says_what_was_done(
    ann: Person,
) -> None:
    parts = [("files", ("a.txt", io.BytesIO(b"a"))), ("message", (None, "by script"))]
    headers = {"accept": "application/json", "sec-fetch-site": "same-origin"}

    answer = ann.client.post("/do/upload/up/script", files=parts, headers=headers)

    assert answer.status_code == 201
    go_to = answer.json()["go_to"]
    assert go_to.startswith("/versions/up/script")
    assert "Stored as version 1: 1 file" in ann.see(go_to).text


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"metric.key": ["f1"], "metric.value": ["good"]}, "is no number"),
        ({"metric.key": [""], "metric.value": ["0.5"]}, "has no name"),
        ({"label.key": ["-x"], "label.value": [""]}, "is no label"),
        ({"new-branch": "a..b"}, "can't name a branch"),
    ],
)
def test_what_can_not_be_is_refused_with_a_sentence(
    ann: Person, fields: dict[str, Any], said: str
) -> None:
    ann.commit("up/bad", {"a.txt": b"a"})

    refused = ann.see("/upload?model=up/bad").submit(
        "/do/upload/up/bad", files=[("files", ("a.txt", b"b"))], **fields
    )

    assert refused.status == 422
    assert said in refused.text
    assert ann.refs("up/bad") == {"main": ("branch", 1)}


def test_a_form_without_files_is_refused(ann: Person) -> None:
    refused = ann.see("/upload?model=up/nothing").submit("/do/upload/up/nothing")

    assert refused.status == 422
    assert "no file was chosen" in refused.text


@pytest.mark.parametrize("path", ["../../etc/x", "/etc/x", "a/../../b", "a\\b", ".git"])
def test_paths_that_lead_out_are_refused(ann: Person, path: str) -> None:
    page = ann.see("/upload?model=up/paths")

    refused = page.submit("/do/upload/up/paths", files=[("files", (path, b"x"))])

    assert refused.status == 422
    assert ann.api.get("/api/v1/models/up%2Fpaths").status_code == 404


@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_more_than_a_browser_may_send_is_told_before_it_is_read(
    people: People, ann: Person, accept: str
) -> None:
    place = urlsplit(people.server.url)
    cookie = f"yard_session={ann.client.cookies['yard_session']}"
    head = (
        f"POST /do/upload/up/large HTTP/1.1\r\nhost: {place.netloc}\r\ncookie: {cookie}\r\n"
        f"accept: {accept}\r\nsec-fetch-site: same-origin\r\ncontent-length: 7000000000\r\n"
        "content-type: multipart/form-data; boundary=x\r\n\r\n"
    )
    with socket.create_connection((place.hostname or "", place.port or 0), timeout=30) as opened:
        opened.sendall(head.encode())
        answer = b""
        while b"any size" not in answer and (piece := opened.recv(1 << 16)):
            answer += piece

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"these are 7.0 GB, and a browser sends 5.0 GB at most" in answer
    assert b"yard commit --yard" in answer


def test_readers_do_not_upload(people: People, ann: Person) -> None:
    ann.commit("up/closed", {"a.txt": b"a"})
    carl = people.with_role("carl", "reader")

    assert carl.see("/upload?model=up/closed").status == 403
    parts = [("files", ("a.txt", b"b"))]
    headers = {"sec-fetch-site": "same-origin"}
    sent = carl.client.post("/do/upload/up/closed", files=parts, headers=headers)
    assert sent.status_code == 403
    assert ann.refs("up/closed") == {"main": ("branch", 1)}
