"""What can happen between a client and its server, and what a bad server may say."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.integration.test_remote_yard import nursery, opened
from tests.server.running import running
from tests.services.fault_proxy import LOSE, PASS, RESET, Cut, FaultProxy, Reply

import modelyard
from modelyard.client.addresses import Address
from modelyard.client.credentials import Credentials
from modelyard.client.remote import RemoteYard
from modelyard.core.digest import Digest
from modelyard.errors import Denied, InvalidInput, Unavailable
from modelyard.testing.models import layers, read_tree, safetensors_bytes, write_tree
from modelyard.testing.yard import refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.server.forking import Nursery

__all__ = ["nursery"]

pytestmark = pytest.mark.slow


@pytest.fixture
def server(nursery: Nursery, tmp_path: Path) -> Iterator[str]:
    with nursery.serving(tmp_path / "yard") as url:
        yield url


@pytest.fixture
def proxy(server: str) -> Iterator[FaultProxy]:
    proxy = FaultProxy(server)
    yield proxy
    proxy.close()


def big(megabytes: int = 24) -> dict[str, bytes]:
    return {"model.bin": np.random.default_rng(1).bytes(megabytes << 20)}


def test_nobody_at_the_url_is_said_so(tmp_path: Path) -> None:
    with (
        opened("http://127.0.0.1:9", tmp_path) as yard,
        refused(Unavailable, "unreachable", hint=True) as caught,
    ):
        list(yard.models())
    assert "127.0.0.1:9" in caught.value.message


def test_a_name_that_does_not_exist_is_said_so(tmp_path: Path) -> None:
    with opened("http://nobody.invalid", tmp_path) as yard, refused(Unavailable, "unreachable"):
        list(yard.models())


@pytest.mark.parametrize(
    "url", ["http://ann:secret@host", "http://host?x=1", "ftp://host", "http://"]
)
def test_a_url_that_is_no_server_is_refused(url: str, tmp_path: Path) -> None:
    with refused(InvalidInput) as caught:
        opened(url, tmp_path)
    assert "secret" not in caught.value.message


def test_lost_requests_are_sent_again_and_done_once(
    server: str, proxy: FaultProxy, tmp_path: Path
) -> None:
    folder = write_tree(tmp_path / "source", {"a.bin": b"1"})
    with opened(proxy.url, tmp_path) as yard:
        list(yard.models())
        proxy.plan([RESET, LOSE, Reply(503, retry_after=0)])
        assert yard.commit("m", folder).number == 1
        proxy.plan([LOSE])
        yard.tag("m", "v1", 1)
        assert [version.number for version in yard.log("m")] == [1]


def test_an_answer_that_breaks_off_is_asked_for_again(proxy: FaultProxy, tmp_path: Path) -> None:
    files = big(24)
    with opened(proxy.url, tmp_path) as yard:
        yard.commit("m", write_tree(tmp_path / "source", files))
        proxy.plan([PASS, PASS, Cut(100_000), RESET, Cut(5)])
        yard.checkout("m", None, tmp_path / "out")
        assert read_tree(tmp_path / "out") == files


def test_an_interrupted_commit_sends_only_what_is_missing(
    server: str, proxy: FaultProxy, tmp_path: Path
) -> None:
    files = big(96)
    folder = write_tree(tmp_path / "source", files)
    with opened(proxy.url, tmp_path) as yard:
        proxy.plan(
            lambda method, path, count: RESET if path.endswith("/commits") or count > 6 else PASS
        )
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("modelyard.client.connection._PATIENCE", 0.5)
            with refused(Unavailable, "unreachable"):
                yard.commit("m", folder)
    first = sum(each.size for each in proxy.log if each.action == PASS)
    assert first > 0
    proxy.plan([])
    before = len(proxy.log)
    with opened(proxy.url, tmp_path) as yard:
        assert yard.commit("m", folder).number == 1
        second = sum(each.size for each in proxy.log[before:])
        assert first + second - len(files["model.bin"]) < 64 << 20
        assert yard.show("m").files[0].sha256 == Digest.of(files["model.bin"]).hex


def test_an_interrupted_checkout_fetches_only_what_is_missing(
    proxy: FaultProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = big(96)
    with opened(proxy.url, tmp_path) as yard:
        yard.commit("m", write_tree(tmp_path / "source", files))
        before = len(proxy.log)
        proxy.plan(lambda method, path, count: RESET if count > 5 else PASS)
        monkeypatch.setattr("modelyard.client.connection._PATIENCE", 0.5)
        with refused(Unavailable, "unreachable"):
            yard.checkout("m", None, tmp_path / "out")
        assert not (tmp_path / "out" / "model.bin").exists()
        proxy.plan([])
        middle = len(proxy.log)
        yard.checkout("m", None, tmp_path / "out")
        assert read_tree(tmp_path / "out") == files
        again = [each for each in proxy.log[middle:] if each.path.endswith("/encoded")]
        assert middle > before
        assert len(again) < 12


def test_a_server_that_restarts_is_waited_for(tmp_path: Path) -> None:
    with running(tmp_path / "yard", accounts=False) as server, opened(server.url, tmp_path) as yard:
        yard.commit("m", write_tree(tmp_path / "a", {"a.bin": b"1"}))
        port = server.url.rpartition(":")[2]
        server.stop()
        with running(tmp_path / "yard", "--port", port, accounts=False):
            assert yard.model_info("m").versions == 1


def test_a_wrong_token_is_not_signed_in(tmp_path: Path) -> None:
    with running(tmp_path / "yard") as server:
        assert server.token is not None
        for token in (None, "yard_wrong-token-of-somebody"):
            with (
                RemoteYard.at(server.url, token=token) as yard,
                refused(Denied, "not-signed-in", hint=True) as caught,
            ):
                list(yard.models())
            assert "wrong-token" not in str(caught.value)
        with modelyard.open(server.url, token=server.token) as yard:
            done = yard.commit("m", write_tree(tmp_path / "a", {"a.bin": b"1"}))
            assert done.number == 1


def test_credentials_are_for_one_origin_and_their_owner(tmp_path: Path) -> None:
    kept = Credentials.of({"XDG_CONFIG_HOME": str(tmp_path)})
    address = Address.parse("https://yard.example.org/models")
    kept.keep(address, "token-1", "ann")
    assert kept.path.stat().st_mode & 0o777 == 0o600
    assert kept.token(Address.parse("https://YARD.example.org:443/other")) == "token-1"
    for other in (
        "http://yard.example.org",
        "https://yard.example.org:8443",
        "https://example.org",
    ):
        assert kept.token(Address.parse(other)) is None
    kept.path.chmod(0o644)
    with refused(Denied, "open-credentials", hint=True) as caught:
        kept.token(address)
    assert "token-1" not in str(caught.value)


# -- bad servers -----------------------------------------------------------------------------------


@pytest.fixture
def bad_server() -> Iterator[Any]:
    """Says what a test makes it say; gives its URL, and what it was shown."""
    shown: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        answers: Any = None

        def do_GET(self) -> None:
            shown.append(dict(self.headers))
            status, headers, body = Handler.answers(self.path)
            self.send_response(status)
            for name, value in {"content-length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    service = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=service.serve_forever)
    thread.start()

    def say(answers: Callable[[str], tuple[int, dict[str, str], bytes]]) -> str:
        Handler.answers = staticmethod(answers)
        return f"http://127.0.0.1:{service.server_address[1]}"

    yield say, shown
    service.shutdown()
    service.server_close()
    thread.join()


def contents(*files: dict[str, Any], number: int = 1) -> bytes:
    told = {"model": "m", "number": number, "commit": "ab" * 20, "size": 1, "branches": []}
    return json.dumps({**told, "files": list(files), "blobs": []}).encode()


def inline(path: str, content: bytes = b"x", mode: int = 0o100644) -> dict[str, Any]:
    import base64

    return {
        "path": path, "mode": mode, "sha256": Digest.of(content).hex, "size": len(content),
        "inline": base64.b64encode(content).decode(),
    }  # fmt: skip


@pytest.mark.parametrize(
    "said",
    [
        contents(inline("../evil.txt")),
        contents(inline("/etc/evil.txt")),
        contents(inline("a/../../evil.txt")),
        contents(inline(".git/hooks/post-checkout")),
        contents(inline("link", b"../../..", 0o120000)),
        contents(inline("a.txt"), inline("A.txt")),
        contents({**inline("a.txt"), "sha256": "0" * 64}),
        contents({**inline("a.txt"), "size": 2**62}),
        contents(inline("a.txt"), number=2**60),
        contents({**inline("a.bin"), "inline": None}),
        b"[]", b"{}", b"<html>", b'{"model": 1}', b"\xff" * 100,
    ],
)  # fmt: skip
def test_a_bad_server_writes_nothing(bad_server: Any, tmp_path: Path, said: bytes) -> None:
    say, _ = bad_server
    url = say(lambda path: (200, {}, said))
    with opened(url, tmp_path) as yard, refused(Unavailable, "strange-answer"):
        yard.checkout("m", None, tmp_path / "deep" / "out")
    assert not list(tmp_path.rglob("*evil*"))
    assert not (tmp_path / "deep").exists()


def test_a_token_goes_to_its_own_origin_only(bad_server: Any) -> None:
    say, shown = bad_server
    url = say(lambda path: (302, {"location": "http://127.0.0.1:9/stolen"}, b""))
    with RemoteYard.at(url, token="my-token") as yard, refused(Unavailable, "strange-answer"):
        yard.model_info("m")
    assert len(shown) == 1


def test_a_huge_answer_is_not_read(bad_server: Any, tmp_path: Path) -> None:
    say, _ = bad_server
    for length in (str(2**50), "9" * 40, "-1", "x"):
        url = say(lambda path, length=length: (200, {"content-length": length}, b""))
        with opened(url, tmp_path) as yard, refused(Unavailable):
            yard.model_info("m")


def test_what_is_cached_is_checked(server: str, tmp_path: Path) -> None:
    tensors = layers(1, width=600, count=2)
    with opened(server, tmp_path) as yard:
        yard.commit("m", write_tree(tmp_path / "a", {"m.safetensors": safetensors_bytes(tensors)}))
        yard.tensor("m", None, "layer0.weight")
    kept = [place for place in (tmp_path / "cache").rglob("*") if place.is_file()]
    assert kept
    for place in kept:
        content = bytearray(place.read_bytes())
        content[len(content) // 2] ^= 1
        place.write_bytes(content)
    with opened(server, tmp_path) as yard:
        read = yard.tensor("m", None, "layer0.weight")
    np.testing.assert_array_equal(read, tensors["layer0.weight"])


def test_models_travel_between_folders_and_servers(
    server: str, nursery: Nursery, tmp_path: Path
) -> None:
    with (
        modelyard.create(tmp_path / "local") as local,
        opened(server, tmp_path) as near,
        nursery.serving(tmp_path / "other") as url,
        opened(url, tmp_path) as far,
    ):
        local.commit("m", write_tree(tmp_path / "a", {"a.bin": b"1"}), metrics={"accuracy": 0.5})
        local.tag("m", "v1")
        assert local.copy_to(near, "m").versions == 1
        assert near.copy_to(far, "m").versions == 1
        assert far.copy_to(tmp_path / "local", "m").versions == 0
        assert far.resolve("m", "v1").metrics == {"accuracy": 0.5}
        assert far.resolve("m").commit == local.resolve("m").commit
        exported = far.export("m", 1, tmp_path / "m.tar")
        assert exported.files == 1
        assert near.import_version(tmp_path / "m.tar", model="n").number == 1
        far.backup(tmp_path / "backup.tar")
        assert (tmp_path / "backup.tar").stat().st_size > 0
