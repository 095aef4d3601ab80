"""Requests to URLs of others go to public addresses only, whatever the name says."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from tests.monitoring.alerts.faulty import hearing
from tests.server.listening import Listener, listening

from modelyard.server.outbound import PORTS, addresses_of, allowed, exchange, post

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from modelyard.core.hooks import Tried

NOT_PUBLIC = [
    "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1",
    "169.254.169.254", "100.100.100.200", "168.63.129.16", "224.0.0.1", "239.1.1.1",
    "255.255.255.255", "240.0.0.1", "192.0.0.192", "192.0.2.1", "198.18.0.1", "192.88.99.1",
    "::", "::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:10.0.0.1", "::127.0.0.1",
    "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a00:1", "2002:7f00:1::", "2001:0:7f00:1::",
    "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1", "2001:db8::1",
    "nonsense", "",
]  # fmt: skip
NEVER = ["169.254.169.254", "::ffff:169.254.169.254", "fd00:ec2::254", "fe80::1", "224.0.0.1",
         "0.0.0.0", "168.63.129.16", "100.100.100.200", "ff02::1"]  # fmt: skip


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_addresses_that_are_not_public_are_refused(address: str) -> None:
    assert not allowed(address)


@pytest.mark.parametrize("address", NEVER)
def test_some_are_refused_where_private_ones_are_allowed(address: str) -> None:
    assert not allowed(address, private=True)


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_public_addresses_are_allowed(address: str) -> None:
    assert allowed(address)


def test_private_addresses_are_allowed_where_the_server_says_so() -> None:
    assert all(allowed(a, private=True) for a in ("127.0.0.1", "10.1.2.3", "::1", "fc00::1"))


SPELLINGS = [
    "127.0.0.1", "127.1", "2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "017700000001",
    "0.0.0.0", "0", "localhost", "localhost.", "[::1]", "[::]", "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]", "[64:ff9b::7f00:1]", "[0:0:0:0:0:ffff:7f00:0001]", "127.0.0.1.",
]  # fmt: skip


@pytest.mark.parametrize("host", SPELLINGS)
def test_a_listener_on_loopback_sees_no_connection(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listening() as listener:
        monkeypatch.setattr("modelyard.server.outbound.PORTS", {*PORTS, listener.port})
        tried = post(f"http://{host}:{listener.port}/x", b"{}", {}, seconds=3)
        assert tried.status is None
        assert not tried.is_good
        assert "no address" in tried.error
        assert listener.connections == 0


def test_a_name_that_changes_its_mind_leads_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """DNS rebinding: the first answer is public, all later ones are loopback."""
    asked = []

    def resolver(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) > 1 else ["203.0.113.9"]

    reached: list[object] = []

    def connect(address: tuple[str, int], timeout: float) -> socket.socket:
        reached.append(address[0])
        raise ConnectionRefusedError

    with listening() as listener:
        ports = {*PORTS, listener.port}
        monkeypatch.setattr("modelyard.server.outbound.PORTS", ports)
        monkeypatch.setattr("modelyard.server.outbound.allowed", lambda a, private: a[0] == "2")
        monkeypatch.setattr(socket, "create_connection", connect)
        post(f"http://rebind.test:{listener.port}/", b"{}", {}, resolver=resolver)
        assert (asked, reached) == (["rebind.test"], ["203.0.113.9"])
        assert listener.connections == 0


def test_one_private_address_among_public_ones_is_enough_to_refuse() -> None:
    tried = post("http://both.test/", b"{}", {}, resolver=lambda *_: ["8.8.8.8", "127.0.0.1"])
    assert "no address" in tried.error


def test_a_hidden_name_and_one_that_is_not_there_are_told_alike() -> None:
    def unknown(host: str, port: int) -> list[str]:
        raise socket.gaierror

    hidden = post("http://inside.test/", b"", {}, resolver=lambda *_: ["10.0.0.1"])
    assert hidden.error == post("http://inside.test/", b"", {}, resolver=unknown).error


@pytest.mark.parametrize("port", [22, 25, 6379, 9200, 65535])
def test_ports_of_other_services_are_refused(port: int) -> None:
    tried = post(f"http://x.test:{port}/", b"", {}, resolver=lambda *_: ["8.8.8.8"])
    assert "port" in tried.error


@pytest.mark.parametrize("url", ["file:///etc/passwd", "gopher://x/", "ftp://x/", "http://", "x"])
def test_other_schemes_are_refused(url: str) -> None:
    assert post(url, b"", {}).status is None


def test_a_redirect_is_not_followed() -> None:
    with listening() as inside, listening(302, {"location": f"{inside.url}/secret"}) as outside:
        tried = post(f"{outside.url}/x", b"{}", {}, private=True)
        assert (tried.status, tried.is_good) == (302, False)
        assert inside.connections == 0


def test_what_is_sent_arrives() -> None:
    with listening() as listener:
        tried = post(f"{listener.url}/x?y=1", b'{"a": 1}', {"content-type": "x/y"}, private=True)
        assert tried.is_good
        assert (listener.paths, listener.bodies) == (["/x?y=1"], [b'{"a": 1}'])


@pytest.mark.parametrize(
    "drip", [b"", b"H", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 200 OK\r\nx: "]
)
def test_a_listener_that_drips_holds_nobody_for_long(drip: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            with contextlib.suppress(OSError):
                client, _ = server.accept()
                with client:
                    while True:
                        client.sendall(drip)
                        time.sleep(0.1)

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        began = time.monotonic()
        port = server.getsockname()[1]
        tried = post(f"http://127.0.0.1:{port}/", b"{}", {}, private=True, seconds=0.5)
        assert not tried.is_good
        assert time.monotonic() - began < 2


def test_an_answer_without_end_is_not_read() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        sent = 0

        def answer() -> None:
            nonlocal sent
            client, _ = server.accept()
            with client, contextlib.suppress(OSError):
                client.recv(65536)
                client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                while True:
                    sent += client.send(b"x" * 65536)

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        port = server.getsockname()[1]
        tried = post(f"http://127.0.0.1:{port}/", b"{}", {}, private=True, seconds=2)
        thread.join(5)
        assert tried.is_good
        assert sent < 32 << 20


# -- TLS -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate for `hooks.test`, signed by itself, in one file."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "hooks.test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("hooks.test")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return file


@pytest.fixture
def secured(certificate: Path) -> Iterator[Listener]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with listening(tls=context) as listener:
        yield listener


def _to(host: str, listener: Listener) -> Tried:
    url = f"https://{host}:{listener.port}/in"
    return post(url, b"{}", {}, private=True, seconds=3, resolver=lambda *_: ["127.0.0.1"])


def test_a_certificate_that_nobody_trusts_is_refused(secured: Listener) -> None:
    tried = _to("hooks.test", secured)
    assert tried.error.startswith("TLS")
    assert not secured.bodies


def test_the_certificate_is_that_of_the_name_and_not_of_the_address(
    secured: Listener, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert _to("hooks.test", secured).is_good
    assert _to("other.test", secured).error.startswith("TLS")
    assert len(secured.bodies) == 1


def test_an_exchange_gives_what_was_answered():
    with hearing(b'{"errcode": 310000}') as heard:
        tried, told = exchange(heard.url, b"{}", {}, private=True)
        assert tried.is_good
        assert told == b'{"errcode": 310000}'
        tried, told = exchange(heard.url, b"{}", {})
    assert not tried.is_good
    assert told == b""


def test_addresses_are_given_only_if_all_of_them_may_be_reached():
    def mixed(host: str, port: int) -> list[str]:
        return ["93.184.216.34", "10.0.0.7"]

    assert addresses_of("x.org", 25, resolver=lambda h, p: ["93.184.216.34"]) == ["93.184.216.34"]
    assert addresses_of("x.org", 25, resolver=mixed) == ()
    assert addresses_of("x.org", 25, resolver=mixed, private=True) == mixed("", 0)
    assert addresses_of("x.org", 25, resolver=lambda h, p: ["169.254.169.254"], private=True) == ()
