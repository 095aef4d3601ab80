"""Streams of requests, each answered in its turn; and what ends a call."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final, TypeVar

from modelyard.errors import InvalidInput, Unavailable
from modelyard.serving.grpc.asking import Caller, Context, ask
from modelyard.serving.grpc.failures import code_of, sentence_of, trailers_of
from modelyard.serving.grpc.stubs import messages as m

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from modelyard.serving.plane import Plane

__all__ = ["Streams", "abort", "readable"]

Asked = TypeVar("Asked")

_AHEAD: Final = 64
"""Requests of one stream that may be under way."""


class Streams:
    """`ModelStreamInfer`."""

    def __init__(self, plane: Plane) -> None:
        self.plane = plane
        self._stopped = False
        self._readers: set[asyncio.Task[None]] = set()
        """Of streams that are open."""

    def stop(self) -> None:
        """Take no more: streams answer what they began, and end."""
        self._stopped = True
        for reader in self._readers:
            reader.cancel()

    async def answer(
        self, requests: AsyncIterator[m.ModelInferRequest], context: Context
    ) -> AsyncIterator[m.ModelStreamInferResponse]:
        """Several requests are computed at a time; answers keep their order."""
        caller = Caller(context)
        strict = caller.headers.get(b"triton_grpc_error") == b"true"
        queue: asyncio.Queue[asyncio.Task[Any] | None] = asyncio.Queue(_AHEAD)

        async def read() -> None:
            try:
                async for request in requests:
                    await queue.put(asyncio.create_task(self._streamed(request, caller)))
            finally:
                await queue.put(None)

        reading = asyncio.create_task(read())
        self._readers.add(reading)
        reading.add_done_callback(self._readers.discard)
        wrong: Exception | None = None
        try:
            while (task := await queue.get()) is not None:
                answer, wrong = await task
                if wrong is not None and strict:
                    break
                yield answer
        finally:
            reading.cancel()
            while not queue.empty():
                if (left := queue.get_nowait()) is not None:
                    left.cancel()
        if wrong is None or not strict:
            wrong = _stops() if self._stopped else None
        if wrong is not None:
            await abort(context, wrong, caller.id(self.plane))

    async def _streamed(
        self, request: m.ModelInferRequest | None, caller: Caller
    ) -> tuple[m.ModelStreamInferResponse, Exception | None]:
        number = caller.id(self.plane)
        self.plane.active += 1
        try:
            asked = readable(request)
            found = await ask(self.plane, asked, caller, number, time.perf_counter_ns())
        except Exception as error:
            failed = m.ModelInferResponse()
            if request is not None:
                failed.model_name, failed.id = request.model_name, request.id
                failed.model_version = request.model_version
            told = sentence_of(error, number)
            return m.ModelStreamInferResponse(error_message=told, infer_response=failed), error
        finally:
            self.plane.active -= 1
        found.parameters["triton_final_response"].bool_param = True  # what some clients wait for
        return m.ModelStreamInferResponse(infer_response=found), None


async def abort(context: Context, error: Exception, number: str) -> Any:
    """End a call with the state of an error."""
    trailers = (("x-request-id", number), *trailers_of(error))
    await context.abort(code_of(error), sentence_of(error, number), trailers)


def readable(request: Asked | None) -> Asked:
    """InvalidInput: `bad-request`, for bytes that were no message."""
    if request is None:
        raise InvalidInput("bad-request", "the message can't be read: it is none of the protocol's")
    return request


def _stops() -> Unavailable:
    return Unavailable("not-ready", "this server stops", hint="ask another one")
