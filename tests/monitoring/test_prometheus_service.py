"""The Prometheus and Alertmanager that tests use: scraped, asked, told."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.services.prometheus import Prometheus

pytestmark = pytest.mark.slow

RULES = """
groups:
- name: hot
  rules:
  - alert: Hot
    expr: oven_celsius > 200
    labels: {severity: warning}
"""


class Oven(BaseHTTPRequestHandler):
    """Tells how hot it is, and hears what Alertmanager says."""

    celsius = 20
    heard: tuple[str, ...] = ()

    def do_GET(self) -> None:
        text = f"# HELP oven_celsius Heat.\n# TYPE oven_celsius gauge\noven_celsius {self.celsius}"
        self._answer(f"{text}\n".encode())

    def do_POST(self) -> None:
        told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        Oven.heard += (told["status"],)
        self._answer(b"")

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def test_a_fault_is_scraped_and_told_and_so_is_its_end(
    prometheus: Callable[..., Prometheus],
) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Oven) as oven:
        threading.Thread(target=oven.serve_forever, daemon=True).start()
        place = f"127.0.0.1:{oven.server_port}"
        one = prometheus({"yard": [place]}, webhook=f"http://{place}/")
        one.rules(RULES)
        one.until('up{job="yard"} == 1')
        assert one.value("oven_celsius") == 20
        Oven.celsius = 250
        end = time.monotonic() + 20
        while not Oven.heard and time.monotonic() < end:
            time.sleep(0.05)
        assert Oven.heard == ("firing",)
        assert one.alerts()[0]["labels"]["alertname"] == "Hot"
        Oven.celsius = 30
        while len(Oven.heard) < 2 and time.monotonic() < end:
            time.sleep(0.05)
        assert Oven.heard == ("firing", "resolved")
        oven.shutdown()


def test_a_wrong_expression_and_wrong_rules_are_said(
    prometheus: Callable[..., Prometheus],
) -> None:
    one = prometheus()
    with pytest.raises(AssertionError, match="parse error"):
        one.query("rate(")
    with pytest.raises(AssertionError, match="unclosed"):
        one.rules("groups: [{name: a, rules: [{alert: A, expr: 'sum(('}]}]")
    assert one.query("absent_metric") == []
