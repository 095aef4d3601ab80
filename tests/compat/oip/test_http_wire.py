"""HTTP itself, written by hand: bodies in parts, requests in a row, old and odd clients."""

import json
import socket
import time

import pytest

BODY = json.dumps(
    {"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [1, 2, 3, 4]}]}
).encode()
PATH = "/v2/models/total/infer"


class Line:
    """A connection."""

    def __init__(self, place):
        host, _, port = place.partition(":")
        self.socket = socket.create_connection((host, int(port)), timeout=20)
        self.rest = b""

    def send(self, *parts, pause=0.0):
        for part in parts:
            self.socket.sendall(part)
            time.sleep(pause)

    def answer(self, has_body=True):
        """Status, headers and body of the next answer."""
        while b"\r\n\r\n" not in self.rest:
            self._more()
        head, _, self.rest = self.rest.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {
            name.lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)
        }
        size = int(headers.get("content-length", 0)) if has_body else 0
        while len(self.rest) < size:
            self._more()
        body, self.rest = self.rest[:size], self.rest[size:]
        return int(first.split()[1]), headers, body

    def _more(self):
        more = self.socket.recv(65536)
        assert more, f"closed after {self.rest!r}"
        self.rest += more

    def is_closed(self):
        return not self.rest and self.socket.recv(1) == b""


@pytest.fixture
def line(server):
    one = Line(server.http)
    yield one
    one.socket.close()


def _post(body=BODY, *headers, version="1.1", path=PATH):
    lines = [f"POST {path} HTTP/{version}", "Host: localhost", *headers]
    if not any(header.lower().startswith(("content-length", "transfer")) for header in headers):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def _is_right(answer):
    status, headers, body = answer
    assert status == 200, body
    assert headers["content-type"] == "application/json"
    assert json.loads(body)["outputs"][0]["data"] == [10.0]


def test_many_requests_on_one_connection(line):
    for _ in range(20):
        line.send(_post())
        _is_right(line.answer())


def test_requests_that_do_not_wait_for_answers_are_answered_in_order(line):
    line.send(_post(), _post(path="/v2/models/nothing/infer"), _post(), b"GET /v2 HTTP/1.1\r\n\r\n")
    _is_right(line.answer())
    assert line.answer()[0] == 404
    _is_right(line.answer())


def test_a_request_may_come_byte_by_byte(line):
    line.send(*(bytes([one]) for one in _post()), pause=0.0002)
    _is_right(line.answer())


@pytest.mark.parametrize("cuts", [[1], [5, 60], list(range(0, len(BODY), 7))])
def test_a_body_may_come_in_chunks(line, cuts):
    parts = [BODY[a:b] for a, b in zip([0, *cuts], [*cuts, None], strict=True) if BODY[a:b]]
    chunks = [b"%x\r\n%b\r\n" % (len(part), part) for part in parts]
    line.send(_post(b"", "Transfer-Encoding: chunked"), *chunks, b"0\r\n\r\n", pause=0.001)
    _is_right(line.answer())
    line.send(_post())
    _is_right(line.answer())


def test_who_asks_before_sending_is_told_to_go_on(line):
    whole = _post(BODY, "Expect: 100-continue")
    line.send(whole[: -len(BODY)])
    status, _, _ = line.answer()
    assert status == 100
    line.send(BODY)
    _is_right(line.answer())


def test_http_1_0_is_answered_and_closed(line):
    line.send(_post(version="1.0"))
    _is_right(line.answer())
    assert line.is_closed()


def test_a_connection_is_closed_if_the_client_wishes_it(line):
    line.send(_post(BODY, "Connection: close"))
    _is_right(line.answer())
    assert line.is_closed()


def test_a_head_has_no_body(line):
    line.send(b"HEAD /v2/models/total HTTP/1.1\r\nHost: localhost\r\n\r\n")
    status, headers, _ = line.answer(has_body=False)
    assert (status, int(headers["content-length"]) > 10) == (200, True)
    line.send(_post())
    _is_right(line.answer())


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "x", ""])
def test_the_content_type_does_not_matter(line, kind):
    line.send(_post(BODY, f"Content-Type: {kind}"))
    _is_right(line.answer())


def test_names_of_headers_may_be_written_in_any_way(line):
    raw = BODY + b""
    line.send(_post(raw, f"INFERENCE-header-CONTENT-length: {len(raw)}"))
    _is_right(line.answer())


def test_a_name_may_be_written_with_percents(line):
    line.send(_post(path="/v2/models/tot%61l/infer"))
    _is_right(line.answer())


@pytest.mark.parametrize(
    "sent",
    [
        b"nonsense\r\n\r\n", b"POST\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 9,
        _post(BODY, "Content-Length: x"), _post(BODY, "Content-Length: -5"),
        _post(BODY, f"Content-Length: {len(BODY)}", "Content-Length: 3"),
        _post(BODY, f"Content-Length: {len(BODY)}", "Transfer-Encoding: chunked"),
        _post(b"zz\r\nabc\r\n", "Transfer-Encoding: chunked"),
    ],
)  # fmt: skip
def test_what_is_no_http_is_refused_and_closed(line, server, sent):
    line.send(sent)
    status, _, _ = line.answer(has_body=False)
    assert 400 <= status < 500
    line.socket.settimeout(5)
    while line.socket.recv(65536):
        pass
    other = Line(server.http)
    other.send(_post())
    _is_right(other.answer())
    other.socket.close()
