"""What a request leaves behind in the server's HTTP."""

from __future__ import annotations

from tests.benchmarks.serving import protocol


def test_a_request_is_freed_when_it_ends_and_not_by_the_collector():
    assert protocol.garbage(requests=100) < 20
