"""All of the protocol but inference: health, metadata, the repository, statistics, documents."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

import msgspec
import orjson

from modelyard.errors import Conflict, Denied, InvalidInput, ModelyardError, NotFound, Unavailable
from modelyard.serving.oip.datatypes import name_of
from modelyard.serving.oip.decoding import Decoded, decode_raw

if TYPE_CHECKING:
    from modelyard.runtimes.tensors import TensorSpec
    from modelyard.serving.app import Reply, Request
    from modelyard.serving.interface import Line, Served, Slot
    from modelyard.serving.plane import Plane, Target

__all__ = [
    "EXTENSIONS",
    "answer",
    "changeable",
    "index",
    "load",
    "model_metadata",
    "no_overrides",
    "nobody",
    "raw_request",
    "readable",
    "server_metadata",
    "statistics",
    "unload",
]  # fmt: skip

Body = Callable[["Request", int], Awaitable[bytes]]

EXTENSIONS: Final = (
    "binary_tensor_data", "model_repository", "model_repository(unload_dependents)", "statistics",
    "model_configuration",
)  # fmt: skip
_JSON: Final = (b"content-type", b"application/json")
_MODEL: Final = re.compile(r"/v2/models/([^/]+)(?:/versions/([^/]+))?(?:/(.+))?")
_REPOSITORY: Final = re.compile(r"/v2/repository/models/([^/]+)/(load|unload)")
_DOCS: Final = re.compile(r"/predict/([^/]+)(?:/(docs|openapi\.json))?")
_LARGEST: Final = 1 << 20


async def answer(plane: Plane, request: Request, body: Body) -> Reply:
    """Answer what is no prediction. NotFound: `no-route`."""
    path: str = request.scope["path"]
    method: str = request.scope["method"]
    if path == "/v2/health/live":
        _takes(method, "GET")
        return _json({"live": True})
    if path == "/v2/health/ready":
        _takes(method, "GET")
        fine = is_ready(plane)
        return _json({"ready": fine}, 200 if fine else 503)
    await _let_in(plane, request, None)
    if path in ("/v2", "/v2/"):
        _takes(method, "GET")
        return _json(server_metadata(plane))
    if path == "/v2/models/stats":
        _takes(method, "GET")
        return _json({"model_stats": statistics(plane, await readable(plane, request))})
    if path in ("/v2/docs", "/v2/docs/dataplane.json"):
        _takes(method, "GET")
        return await _document(plane, request, None, None, as_json=path.endswith(".json"))
    if path == "/v2/repository/index":
        _takes(method, "POST")
        only_ready = _object(await body(request, _LARGEST)).get("ready") is True
        return _json(index(plane, await readable(plane, request), only_ready=only_ready))
    if found := _REPOSITORY.fullmatch(path):
        _takes(method, "POST")
        return await _repository(plane, request, unquote(found[1]), found[2], body)
    if found := _DOCS.fullmatch(path):
        _takes(method, "GET")
        line = await _line(plane, request, unquote(found[1]))
        return await _document(plane, request, line, None, as_json=found[2] == "openapi.json")
    if found := _MODEL.fullmatch(path):
        _takes(method, "GET")
        line = await _line(plane, request, unquote(found[1]))
        return await _of_model(plane, request, line, found[2], found[3])
    raise NotFound("no-route", "there is no such path here", hint="GET /v2/docs lists the paths")


async def _of_model(
    plane: Plane, request: Request, line: Line, version: str | None, what: str | None
) -> Reply:
    if what == "ready":
        fine = is_line_ready(plane, line, version)
        return _json({"name": line.name, "ready": fine}, 200 if fine else 503)
    if what == "stats":
        slot_of(line, version)
        return _json({"model_stats": statistics(plane, [line], version)})
    if what in ("docs", "docs/dataplane.json"):
        return await _document(plane, request, line, version, as_json=what != "docs")
    if what not in (None, "config"):
        raise NotFound("no-route", f"there is no {what[:80]!r} of a model here")
    slot = slot_of(line, version)
    served = await awake(line, slot)
    found = model_metadata(line, served) if what is None else config(line, served)
    return _json(found)


# -- what is told, for HTTP and gRPC ---------------------------------------------------------


def server_metadata(plane: Plane) -> dict[str, Any]:
    from importlib.metadata import version

    return {"name": plane.name, "version": version("modelyard"), "extensions": list(EXTENSIONS)}


def model_metadata(line: Line, served: Served) -> dict[str, Any]:
    """Names, datatypes and shapes; -1 for sides that may vary."""
    versions = dict.fromkeys(slot.version for slot in line.everything())
    return {
        "name": line.name, "versions": list(versions), "platform": served.platform,
        "inputs": [_tensor(spec) for spec in served.inputs],
        "outputs": [_tensor(spec) for spec in served.outputs],
    }  # fmt: skip


def config(line: Line, served: Served) -> dict[str, Any]:
    """What of Triton's model configuration has a meaning here."""

    def told(spec: TensorSpec) -> dict[str, Any]:
        dims = [str(side) for side in (spec.shape[1:] if served.rows else spec.shape)] or ["1"]
        return {"name": spec.name, "data_type": f"TYPE_{_triton(spec)}", "dims": dims}

    return {
        "name": line.name, "platform": served.platform, "backend": served.framework,
        "max_batch_size": line.spec.limits.queue_rows if served.rows else 0,
        "input": [told(spec) for spec in served.inputs],
        "output": [told(spec) for spec in served.outputs],
        "version_policy": {"specific": {"versions": [s.number for s in line.everything()]}},
    }  # fmt: skip


def index(plane: Plane, lines: list[Line], *, only_ready: bool) -> list[dict[str, Any]]:
    """Each version of each line, with its state and why."""
    found = []
    for line in lines:
        for slot in dict.fromkeys(line.everything()):
            fine = plane.ready and _can_answer(slot)
            if only_ready and not fine:
                continue
            state = "READY" if fine else "LOADING" if slot.state == "loading" else "UNAVAILABLE"
            reason = "" if fine else "unloaded" if slot.unloaded else slot.reason or slot.state
            found.append(
                {"name": line.name, "version": slot.version, "state": state, "reason": reason}
            )
    return found


def statistics(plane: Plane, lines: list[Line], version: str | None = None) -> list[dict[str, Any]]:
    """Of each version of these lines."""
    return [
        plane.statistics.of(line.name, slot.model, slot.version).told()
        for line in lines
        for slot in dict.fromkeys(line.everything())
        if version in (None, slot.version)
    ]


async def load(plane: Plane, name: str) -> None:
    """Make a line ready again. InvalidInput: `not-loadable`, in the words that clients look for."""
    line = plane.line(name)
    if plane.on_load is None:
        raise _not_loaded(name, "versions are deployed by 'yard deploy'")
    try:
        await plane.on_load(name, line)
    except ModelyardError as error:
        raise _not_loaded(name, error.message) from None


def no_overrides(name: str, parameters: Iterable[str]) -> None:
    """A version is what was committed: nobody serves it with other files or settings."""
    for one in parameters:
        if one == "config" or one.startswith("file:"):
            raise _not_loaded(
                name, f"{one[:40]!r} is not taken: what is served is what was committed"
            )


async def unload(plane: Plane, name: str) -> None:
    """Answer no more requests of a line, until it is loaded again. NotFound: `no-deployment`."""
    line = plane.line(name)
    if plane.on_unload is None:
        raise Conflict("not-unloadable", f"failed to unload '{name}': it is always loaded")
    await plane.on_unload(name, line)


async def changeable(plane: Plane, request: Request, name: str, verb: str) -> Line:
    """A line that the caller, who was let in, may load or unload.

    Raises:
        InvalidInput: `not-loadable`: it is hidden or not there, and is to be loaded.
        NotFound: `no-deployment`: the same, to be unloaded.
        Denied: `not-allowed`.
    """
    line = plane.lines.get(name)
    if line is None or not plane.gate.reads(request.headers, request.address, line):
        raise (
            _not_loaded(name, "no such deployment is wished")
            if verb == "load"
            else (plane.unknown(name))
        )
    await plane.gate.may(request.headers, request.address, line, "writer")
    return line


async def readable(plane: Plane, request: Request) -> list[Line]:
    """Lines that the caller, who was let in, may ask, by name."""
    return [
        line
        for _, line in sorted(plane.lines.items())
        if plane.gate.reads(request.headers, request.address, line)
    ]


def is_ready(plane: Plane) -> bool:
    """Whether requests are to be sent here.

    Of a server of some versions (`plane.strict`) all must answer; a sleeping version does. A server
    of deployments is ready whatever becomes of one of them: else one that fails would take all
    others away from a balancer.
    """
    if not plane.strict:
        return plane.ready
    return plane.ready and all(
        _can_answer(slot) for line in plane.lines.values() for slot in line.slots
        if not slot.unloaded
    )  # fmt: skip


def is_line_ready(plane: Plane, line: Line, version: str | None) -> bool:
    slots = line.slots if version is None else (slot_of(line, version),)
    return plane.ready and all(map(_can_answer, slots))


def slot_of(line: Line, version: str | None) -> Slot:
    """A version's place; the stable one's if None. NotFound: `no-version`."""
    slot = line.slots[0] if version is None else line.slot(version)
    if slot is None:
        raise NotFound(
            "no-version",
            f"Request for unknown model: '{line.name}' version {(version or '')[:40]} is not found",
        )
    return slot


async def awake(line: Line, slot: Slot) -> Served:
    """What is loaded, or will be in a moment."""
    if slot.unloaded:
        raise Unavailable(
            "not-ready", f"Request for unknown model: '{line.name}' is not ready",
            hint="it was unloaded; load it again",
        )  # fmt: skip
    return slot.served or await slot.wake()


def raw_request(target: Target, body: bytes) -> Decoded:
    """A body that is the bytes of the only input, and nothing else: one row, or as many as fit."""
    served = target.served
    if len(served.inputs) != 1:
        raise InvalidInput(
            "bad-inputs",
            f"Raw request must only have 1 input (found {len(served.inputs)}) to be deduced but"
            f" got {len(served.inputs)} inputs in '{target.line.name}' model configuration",
        )
    spec = served.inputs[0]
    array = decode_raw(body, name_of(spec.dtype), spec.shape)
    return Decoded({spec.name: array}, None, {"binary_data_output": True}, None)


# -- parts -----------------------------------------------------------------------------------


def _can_answer(slot: Slot) -> bool:
    if slot.unloaded:
        return False
    return slot.served is not None or slot.state in ("asleep", "ready")


def _tensor(spec: TensorSpec) -> dict[str, Any]:
    return {"name": spec.name, "datatype": name_of(spec.dtype), "shape": list(spec.shape)}


def _triton(spec: TensorSpec) -> str:
    name = name_of(spec.dtype)
    return "STRING" if name == "BYTES" else name


def _not_loaded(name: str, why: str) -> InvalidInput:
    return InvalidInput("not-loadable", f"failed to load '{name[:80]}', {why}")


async def _repository(plane: Plane, request: Request, name: str, verb: str, body: Body) -> Reply:
    parameters = _object(await body(request, _LARGEST)).get("parameters")
    await changeable(plane, request, name, verb)
    if verb == "load":
        no_overrides(name, parameters if isinstance(parameters, dict) else ())
        await load(plane, name)
    else:
        await unload(plane, name)
    return _json({})


async def _line(plane: Plane, request: Request, name: str) -> Line:
    line = plane.lines.get(name)
    if line is None:
        raise await nobody(plane, request, name)
    await _let_in(plane, request, line)
    return line


async def nobody(plane: Plane, request: Request, name: str) -> NotFound:
    """What is said of a line that is not there: the same as of one that is hidden.

    Denied: `not-signed-in`, `bad-token`: strangers are not told what is there and what isn't.
    """
    try:
        await _let_in(plane, request, None)
    except Denied as error:
        if error.kind != "not-allowed":
            raise
    return plane.unknown(name)


async def _let_in(plane: Plane, request: Request, line: Line | None) -> None:
    if plane.gate.known(request.headers, request.address, line) is None:
        await plane.gate.look(request.headers, request.address, line)


async def _document(
    plane: Plane, request: Request, line: Line | None, version: str | None, *, as_json: bool
) -> Reply:
    """OpenAPI, or the page to try it: of one line, or of all that the client may read."""
    from modelyard.serving import openapi, overview, tryit

    base = request.scope.get("root_path", "")
    if line is None:
        lines = await readable(plane, request)
        if as_json:
            return _json(overview.overview(lines, base))
        page, more = tryit.page_of_all(lines, base)
    else:
        served = await awake(line, slot_of(line, version))
        if as_json:
            return _json(openapi.document(line, served, base))
        page, more = tryit.page(line, served, base)
    return 200, page, more


def _object(body: bytes) -> dict[str, Any]:
    if not body.strip():
        return {}
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        raise InvalidInput("bad-request", "failed to parse the request JSON") from None
    if not isinstance(found, dict):
        raise InvalidInput("bad-request", "the body is no JSON object")
    return found


def _takes(method: str, wanted: str) -> None:
    if method != wanted and not (wanted == "GET" and method == "HEAD"):
        raise InvalidInput("wrong-method", f"this path takes {wanted}")


def _json(value: Any, status: int = 200) -> Reply:
    return status, orjson.dumps(value), [_JSON]
