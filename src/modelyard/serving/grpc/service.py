"""What the protocol's service does: every method of it, over a plane."""

from __future__ import annotations

import functools
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

from modelyard.errors import NotFound, Unsupported
from modelyard.serving.grpc.asking import Caller, Context, ask, client_of, line_of
from modelyard.serving.grpc.streaming import Streams, abort, readable
from modelyard.serving.grpc.stubs import health
from modelyard.serving.grpc.stubs import messages as m
from modelyard.serving.oip import service as oip

if TYPE_CHECKING:
    from modelyard.serving.interface import Line
    from modelyard.serving.plane import Plane

__all__ = ["Health", "Service"]

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")
Method = Callable[["Service", Asked, Caller], Awaitable[Answer]]


def _method(
    function: Method[Asked, Answer],
) -> Callable[[Service, Asked, Context], Awaitable[Any]]:
    """What goes wrong ends the call with its state."""

    @functools.wraps(function)
    async def answer(self: Service, request: Asked, context: Context) -> Any:
        caller = Caller(context)
        number = caller.number = caller.id(self.plane)
        self.plane.active += 1
        try:
            found = await function(self, readable(request), caller)
        except Exception as error:
            wrong = error
        else:
            context.set_trailing_metadata((("x-request-id", number),))
            return found
        finally:
            self.plane.active -= 1
        return await abort(context, wrong, number)

    return answer


class Service:
    """Answers for what `plane` serves. Names of methods are the protocol's."""

    def __init__(self, plane: Plane) -> None:
        self.plane = plane
        self._streams = Streams(plane)
        self.ModelStreamInfer = self._streams.answer

    def stop(self) -> None:
        """Streams take no more: they answer what they began, and end."""
        self._streams.stop()

    # -- without a token -----------------------------------------------------------------------

    async def ServerLive(
        self, request: m.ServerLiveRequest, context: Context
    ) -> m.ServerLiveResponse:
        return m.ServerLiveResponse(live=True)

    async def ServerReady(
        self, request: m.ServerReadyRequest, context: Context
    ) -> m.ServerReadyResponse:
        return m.ServerReadyResponse(ready=oip.is_ready(self.plane))

    # -- what is served ------------------------------------------------------------------------

    @_method
    async def ServerMetadata(
        self, request: m.ServerMetadataRequest, caller: Caller
    ) -> m.ServerMetadataResponse:
        await client_of(self.plane, caller, None)
        return m.ServerMetadataResponse(**oip.server_metadata(self.plane))

    @_method
    async def ModelReady(
        self, request: m.ModelReadyRequest, caller: Caller
    ) -> m.ModelReadyResponse:
        line = await self._line(request.name, caller)
        return m.ModelReadyResponse(
            ready=oip.is_line_ready(self.plane, line, request.version or None)
        )

    @_method
    async def ModelMetadata(
        self, request: m.ModelMetadataRequest, caller: Caller
    ) -> m.ModelMetadataResponse:
        line = await self._line(request.name, caller)
        served = await oip.awake(line, oip.slot_of(line, request.version or None))
        return m.ModelMetadataResponse(**oip.model_metadata(line, served))

    @_method
    async def ModelConfig(
        self, request: m.ModelConfigRequest, caller: Caller
    ) -> m.ModelConfigResponse:
        line = await self._line(request.name, caller)
        served = await oip.awake(line, oip.slot_of(line, request.version or None))
        told = oip.config(line, served)
        config = m.ModelConfig(
            **{key: told[key] for key in ("name", "platform", "backend", "max_batch_size")}
        )
        for group, tensors in ((config.input, told["input"]), (config.output, told["output"])):
            for tensor in tensors:
                group.add(
                    name=tensor["name"], data_type=tensor["data_type"],
                    dims=[int(side) for side in tensor["dims"]],
                )  # fmt: skip
        return m.ModelConfigResponse(config=config)

    @_method
    async def ModelStatistics(
        self, request: m.ModelStatisticsRequest, caller: Caller
    ) -> m.ModelStatisticsResponse:
        if not request.name:
            await client_of(self.plane, caller, None)
            lines = await oip.readable(self.plane, cast("Any", caller))
            return m.ModelStatisticsResponse(model_stats=oip.statistics(self.plane, lines))
        line = await self._line(request.name, caller)
        version = request.version or None
        oip.slot_of(line, version)
        return m.ModelStatisticsResponse(model_stats=oip.statistics(self.plane, [line], version))

    # -- the repository ------------------------------------------------------------------------

    @_method
    async def RepositoryIndex(
        self, request: m.RepositoryIndexRequest, caller: Caller
    ) -> m.RepositoryIndexResponse:
        _only_ours(request.repository_name)
        await client_of(self.plane, caller, None)
        lines = await oip.readable(self.plane, cast("Any", caller))
        found = oip.index(self.plane, lines, only_ready=request.ready)
        return m.RepositoryIndexResponse(models=found)

    @_method
    async def RepositoryModelLoad(
        self, request: m.RepositoryModelLoadRequest, caller: Caller
    ) -> m.RepositoryModelLoadResponse:
        _only_ours(request.repository_name)
        await self._may_write(request.model_name, caller, "load")
        oip.no_overrides(request.model_name, request.parameters)
        await oip.load(self.plane, request.model_name)
        return m.RepositoryModelLoadResponse()

    @_method
    async def RepositoryModelUnload(
        self, request: m.RepositoryModelUnloadRequest, caller: Caller
    ) -> m.RepositoryModelUnloadResponse:
        _only_ours(request.repository_name)
        await self._may_write(request.model_name, caller, "unload")
        await oip.unload(self.plane, request.model_name)
        return m.RepositoryModelUnloadResponse()

    # -- predictions ---------------------------------------------------------------------------

    @_method
    async def ModelInfer(
        self, request: m.ModelInferRequest, caller: Caller
    ) -> m.ModelInferResponse:
        return await ask(self.plane, request, caller, caller.number, time.perf_counter_ns())

    # -- parts ---------------------------------------------------------------------------------

    async def _line(self, name: str, caller: Caller) -> Line:
        line, _ = await line_of(self.plane, caller, name)
        return line

    async def _may_write(self, name: str, caller: Caller, verb: str) -> None:
        await client_of(self.plane, caller, None)
        await oip.changeable(self.plane, cast("Any", caller), name, verb)


class Health:
    """Whether the server is ready, as probes and proxies ask for it; without a token."""

    def __init__(self, plane: Plane) -> None:
        self.plane = plane

    async def Check(
        self, request: health.HealthCheckRequest | None, context: Context
    ) -> health.HealthCheckResponse:
        name = "" if request is None else request.service
        if name not in ("", m.SERVICE.full_name):
            wrong = NotFound("no-service", f"there is no service {name[:80]!r} here")
            await abort(context, wrong, "")
        status = "SERVING" if oip.is_ready(self.plane) else "NOT_SERVING"
        return health.HealthCheckResponse(status=status)


def _only_ours(name: str) -> None:
    if name:
        raise Unsupported("no-other-repository", "'repository_name' specification is not supported")
