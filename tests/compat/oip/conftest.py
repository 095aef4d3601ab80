"""One server for all tests of the protocol in a process, asked over HTTP and over gRPC."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any

import grpc
import httpx2
import pytest
from tests.compat.oip.models import MODELS
from tests.compat.oip.serving import Serving, make_yard, serving

from modelyard.serving.grpc.stubs import messages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

TARGETS = (*(name for name in MODELS if name not in ("total", "slow")), "total@2", "total@1")
"""All but the slow one; of `total`, the second version answers where a request names none."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = __file__.rpartition("/")[0]
    for item in items:
        if item.path.as_posix().startswith(here):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A yard with all models."""
    return make_yard(tmp_path_factory.mktemp("oip"))


@pytest.fixture(scope="session")
def server(models: Path) -> Iterator[Serving]:
    """`OIP_SERVER=host:port,host:grpc_port` names another one, which has the same models."""
    if named := os.environ.get("OIP_SERVER"):
        http, _, rpc = named.partition(",")
        yield Serving(http, rpc, None, models)
        return
    with serving(models, *TARGETS) as running:
        yield running


@pytest.fixture(scope="session")
def http(server: Serving) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=server.url, timeout=30) as client:
        yield client


class Stub:
    """Calls of the protocol's service: `stub.ModelReady(name="simple")`."""

    def __init__(self, place: str, **metadata: str) -> None:
        self.channel = grpc.insecure_channel(
            place, options=[("grpc.max_receive_message_length", -1)]
        )
        self.metadata = tuple(metadata.items())

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = messages.SERVICE.methods_by_name.get(name)
        if method is None:
            raise AttributeError(name)
        asked = getattr(messages, method.input_type.name)
        call = self.channel.unary_unary(
            f"/{messages.SERVICE.full_name}/{name}",
            request_serializer=asked.SerializeToString,
            response_deserializer=getattr(messages, method.output_type.name).FromString,
        )
        return partial(self._call, call, asked)

    def _call(self, call: Any, asked: Any, *given: Any, **fields: Any) -> Any:
        request = given[0] if given else asked(**fields)
        return call(request, metadata=self.metadata, timeout=30)

    def stream(self, requests: Any, **metadata: str) -> Any:
        """`ModelStreamInfer`."""
        call = self.channel.stream_stream(
            f"/{messages.SERVICE.full_name}/ModelStreamInfer",
            request_serializer=messages.ModelInferRequest.SerializeToString,
            response_deserializer=messages.ModelStreamInferResponse.FromString,
        )
        return call(requests, metadata=(*self.metadata, *metadata.items()), timeout=30)


@pytest.fixture(scope="session")
def rpc(server: Serving) -> Iterator[Stub]:
    stub = Stub(server.grpc)
    yield stub
    stub.channel.close()


@pytest.fixture
def refused() -> Callable[..., str]:
    """`refused("NOT_FOUND", call)` makes the call fail so, and gives its sentence."""

    def check(code: str, call: Callable[[], Any]) -> str:
        with pytest.raises(grpc.RpcError) as caught:
            call()
        assert caught.value.code().name == code, caught.value
        return caught.value.details()

    return check
