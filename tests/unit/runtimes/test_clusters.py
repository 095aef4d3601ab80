"""Whoever names a cluster that is not there is told so soon."""

from __future__ import annotations

import socket
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from modelyard.errors import Unavailable
from modelyard.runtimes.clusters import check_ray

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def silent() -> Iterator[str]:
    """An address where somebody listens, and says nothing."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        yield f"127.0.0.1:{listening.getsockname()[1]}"


def closed_port() -> str:
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        return f"127.0.0.1:{listening.getsockname()[1]}"


def test_a_closed_port_is_no_cluster() -> None:
    address = closed_port()
    with pytest.raises(Unavailable, match=f"nobody answers at {address}") as raised:
        check_ray(address)
    assert raised.value.kind == "no-ray"
    assert raised.value.hint


@pytest.mark.parametrize("address", ["nobody.invalid:6379", "ray://nobody.invalid:10001"])
def test_a_name_that_does_not_exist_is_no_cluster(address: str) -> None:
    with pytest.raises(Unavailable, match=r"nobody answers at .*nobody\.invalid") as raised:
        check_ray(address)
    assert raised.value.kind == "no-ray"


@pytest.mark.parametrize("address", ["host:99999", "a" * 80 + ":1", "..:1"])
def test_an_address_that_can_not_be_is_no_cluster(address: str) -> None:
    with pytest.raises(Unavailable, match="nobody answers"):
        check_ray(address)


@pytest.mark.heavy
@pytest.mark.slow
def test_whoever_listens_but_says_nothing_is_no_cluster(silent: str) -> None:
    pytest.importorskip("ray")
    begun = time.monotonic()
    with pytest.raises(Unavailable, match="no Ray that can be used answers at") as raised:
        check_ray(silent, seconds=4)
    assert raised.value.kind == "no-ray"
    assert time.monotonic() - begun < 15
