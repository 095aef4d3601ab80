"""A gRPC server beside the HTTP one, on the same event loop and over the same plane."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from modelyard.errors import Conflict, Unsupported

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelyard.serving.plane import Plane

__all__ = ["Listening", "listen"]

_BODY: Final = 64 << 20
_PINGS: Final = 10_000
"""Milliseconds between two pings of a client that asks nothing."""


class Listening:
    """A server that answers now."""

    def __init__(self, server: Any, port: int, stop: Callable[[], None]) -> None:
        self._server = server
        self._stop = stop
        self.port = port

    async def close(self, seconds: float = 10.0) -> None:
        """Take no more, answer what is under way, at most so long. Idempotent."""
        self._stop()
        await self._server.stop(seconds)


async def listen(
    plane: Plane,
    *,
    host: str = "127.0.0.1",
    port: int = 8001,
    body: int = _BODY,
    shared: bool = False,
) -> Listening:
    """Answer the Open Inference Protocol over gRPC.

    Args:
        port: 0 for any that is free; `Listening.port` tells which.
        body: Bytes that a message may have; each deployment may allow less.
        shared: Whether other processes listen at the same port.

    Raises:
        Conflict: `port-taken`.
        Unsupported: `no-extra`: grpcio is not installed.
    """
    try:
        import google.protobuf  # noqa: F401
        import grpc.aio
    except ImportError:
        raise Unsupported(
            "no-extra", "gRPC needs grpcio", hint="pip install 'modelyard[serving]'"
        ) from None
    from modelyard.serving.grpc.service import Health, Service
    from modelyard.serving.grpc.stubs import health, messages

    service = Service(plane)
    server = grpc.aio.server(
        options=[
            ("grpc.max_receive_message_length", body + (64 << 10)),
            ("grpc.max_send_message_length", -1),
            ("grpc.so_reuseport", int(shared)),
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.http2.min_ping_interval_without_data_ms", _PINGS),
        ]
    )
    server.add_generic_rpc_handlers((_handler(messages, service), _handler(health, Health(plane))))
    place = f"[{host}]" if ":" in host else host
    try:
        found = server.add_insecure_port(f"{place}:{port}")
    except RuntimeError:
        raise Conflict(
            "port-taken", f"{host}:{port} can't be listened at",
            hint="0 takes any port that is free",
        ) from None  # fmt: skip
    await server.start()
    return Listening(server, found, service.stop)


def _reader(kind: Any) -> Callable[[bytes], Any]:
    """Bytes as a message; None if they are none, which the service refuses in its own words."""
    from google.protobuf.message import DecodeError

    def read(data: bytes) -> Any:
        try:
            return kind.FromString(data)
        except DecodeError:
            return None

    return read


def _handler(messages: Any, service: object) -> Any:
    """All methods of a service, as its description has them."""
    import grpc

    methods = {}
    for method in messages.SERVICE.methods:
        answer = getattr(service, method.name)
        make = (
            grpc.stream_stream_rpc_method_handler
            if method.client_streaming
            else grpc.unary_unary_rpc_method_handler
        )
        methods[method.name] = make(
            answer,
            request_deserializer=_reader(getattr(messages, method.input_type.name)),
            response_serializer=getattr(messages, method.output_type.name).SerializeToString,
        )
    return grpc.method_handlers_generic_handler(messages.SERVICE.full_name, methods)
