"""Predictions from Python: of a deployment that a server answers for, or of a version, here."""

from __future__ import annotations

import ssl
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
import orjson

from modelyard import __version__
from modelyard.client.addresses import Address, path_of
from modelyard.client.credentials import token_for
from modelyard.core.deployment import check_name
from modelyard.core.names import ModelRevision
from modelyard.core.table import Table
from modelyard.errors import Denied, InvalidInput, ModelyardError, NotFound, Unavailable
from modelyard.errors import Unsupported as NotPossible
from modelyard.serving.bodies import JSON

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from modelyard.core.deploying import Deployments
    from modelyard.core.trust import TrustAll
    from modelyard.core.version import Progress
    from modelyard.registry.desk import Desk
    from modelyard.serving.batch import Predicted

__all__ = [
    "PredictingYard", "ask_server", "body_of", "named", "pinned", "predict", "predict_file",
]  # fmt: skip

_SECONDS: Final = 120.0
_LARGEST: Final = 1 << 30
_CLASSES: Final[Mapping[int, type[ModelyardError]]] = {
    400: InvalidInput, 401: Denied, 403: Denied, 404: NotFound, 405: InvalidInput,
    413: InvalidInput, 415: InvalidInput, 422: InvalidInput, 501: NotPossible,
}  # fmt: skip


class PredictingYard(Protocol):
    """A yard, here or on a server."""

    url: str

    @property
    def desk(self) -> Desk: ...

    @property
    def deployments(self) -> Deployments: ...


def predict(
    yard: PredictingYard,
    target: str,
    data: Any,
    *,
    trusted: Iterable[str] | TrustAll | None = None,
    token: str | None = None,
) -> dict[str, np.ndarray[Any, Any]]:
    """Ask about a few rows.

    Args:
        target: A deployment, which its server answers for if the yard is one; or `MODEL@REV`,
            which is loaded here for it.
        data: Rows: an array, a data frame, columns by name, or a list of records.
        trusted: What the version's files may import, as `Yard.load` has it.
        token: For the server; else the one that the yard was opened with, else `$YARD_TOKEN`,
            else what `yard login` kept.

    Returns:
        Outputs by name; the first axis of each is the row.

    Raises:
        NotFound: `no-deployment`, `no-model`, `no-version`.
        InvalidInput: `bad-inputs`, `no-column`, `bad-data`.
        Denied: `untrusted`, `not-signed-in`. Unavailable: `overloaded`, `model-died`, ...
    """
    from modelyard.serving.asking import ask_here

    body = body_of(data)
    model, revision = named(yard, target)
    if model is None:
        return _outputs(ask_server(yard.url, target, body, token=token or _token(yard)))
    return _outputs(ask_here(yard.desk, model, revision, body, trusted=trusted))


def predict_file(
    yard: PredictingYard,
    target: str,
    source: str | Path,
    out: str | Path,
    *,
    resume: bool = False,
    batch: int | None = None,
    keep: Sequence[str] = (),
    workers: int | None = None,
    memory: int | None = None,
    trusted: Iterable[str] | TrustAll | None = None,
    engine: str = "embedded",
    progress: Callable[[Progress], None] | None = None,
) -> Predicted:
    """Predict all rows of a file into a file, here, on all cores.

    CSV, Parquet, Arrow and JSON lines are read and written, by the ends of their names. Of a
    deployment, its stable version predicts.

    Args:
        resume: Go on where a run that was killed ended. The output is the same, bit for bit.
        batch: Rows that are computed together; as many as are about 8 MB if None.
        keep: Columns of the input that stand in the output too.
        engine: `embedded`: this machine; `ray`: a Ray cluster.

    Raises:
        As `modelyard.serving.batch.predict_file`.
    """
    from modelyard.serving import batch as batches

    model, revision = pinned(yard, target)
    answering = None
    if engine != "embedded":
        import os

        from modelyard.serving.engines.ray_settings import RaySettings

        answering = _engine(engine)(
            yard.url, model, revision,
            settings=RaySettings.read(os.environ, opener="modelyard.client.places:open_place"),
            trusted=trusted, workers=workers, memory=memory,
        )  # fmt: skip
    return batches.predict_file(
        yard.desk, model, revision, Path(source), Path(out),
        resume=resume, batch=batch, keep=keep, workers=workers, memory=memory, trusted=trusted,
        engine=answering, engine_name=engine, report=progress or (lambda _: None),
    )  # fmt: skip


def named(yard: PredictingYard, target: str) -> tuple[str | None, str | None]:
    """The version that a target is; or (None, None) where the yard's server answers for it."""
    if not _may_be_deployed(target):
        found = ModelRevision.parse(target)
        return found.model.text, None if found.revision is None else str(found.revision)
    if not yard.url.startswith(("http://", "https://")):
        return pinned(yard, target)
    try:
        yard.deployments.get(target)
    except NotFound as error:
        if error.kind != "no-deployment":
            raise
        return target, None
    return None, None


def pinned(yard: PredictingYard, target: str) -> tuple[str, str | None]:
    """The version that a target is: of a deployment, its stable one."""
    if _may_be_deployed(target):
        try:
            stable = yard.deployments.get(target).spec.stable
        except NotFound as error:
            if error.kind != "no-deployment":
                raise
        else:
            return stable.model, str(stable.number or stable.revision)
    found = ModelRevision.parse(target)
    return found.model.text, None if found.revision is None else str(found.revision)


def body_of(data: Any) -> bytes:
    """Rows as JSON that a server takes."""
    if isinstance(data, list):
        content: Any = data
    else:
        columns = Table.of(data).columns
        if not isinstance(data, dict) and tuple(columns) == ("data",):
            content = {"rows": columns["data"]}
        else:
            content = {"columns": {name: _listed(column) for name, column in columns.items()}}
    try:
        return orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY, default=_listed)
    except TypeError as error:
        raise InvalidInput("bad-data", f"rows that JSON can't say: {error}") from None


def ask_server(
    url: str,
    name: str,
    body: bytes,
    content_type: str = JSON,
    *,
    accept: str = JSON,
    token: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> bytes:
    """`POST /predict/NAME`, and the body of the answer.

    Raises:
        NotFound: `no-deployment`. Denied: `not-signed-in`. Unavailable: `unreachable`,
            `overloaded`, `deadline`, `model-died`, ... InvalidInput: as the server says.
    """
    import os

    import httpx2

    from modelyard.client.failures import failed_to_reach

    address = Address.parse(url)
    shown = token or token_for(address, os.environ if environment is None else environment)
    headers = {
        "user-agent": f"modelyard/{__version__}", "content-type": content_type, "accept": accept,
    }  # fmt: skip
    if shown:
        headers["authorization"] = f"Bearer {shown}"
    try:
        with httpx2.Client(timeout=httpx2.Timeout(_SECONDS, connect=10.0)) as client:
            place = address.url + path_of(["predict", name])
            answer = client.post(place, content=body, headers=headers)
    except (httpx2.HTTPError, ssl.SSLError) as error:
        raise failed_to_reach(address, error, reached=False) from None
    if answer.status_code == 200:
        return answer.content
    raise _refusal(address, answer.status_code, answer.content)


def _refusal(address: Address, status: int, content: bytes) -> ModelyardError:
    """What the data plane says when it says no: `{"error": ..., "kind": ..., "hint": ...}`."""
    try:
        told = orjson.loads(content[: 1 << 20])
        message, kind = str(told["error"]), str(told.get("kind", "failed"))
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        from modelyard.client.failures import strange

        return strange(address, f"an answer of status {status}")
    if status == 401:
        return Denied(
            "not-signed-in", f"{address} wants to know who you are", hint=f"yard login {address}"
        )
    hint = told.get("hint")
    return _CLASSES.get(status, Unavailable)(kind, message, hint=str(hint) if hint else None)


def _outputs(answer: bytes) -> dict[str, np.ndarray[Any, Any]]:
    told = orjson.loads(answer)
    if "outputs" in told:
        return {name: np.array(values) for name, values in told["outputs"].items()}
    rows = told["predictions"]
    found: dict[str, np.ndarray[Any, Any]] = {}
    for name in rows[0]:
        values = [row[name] for row in rows]
        if any(isinstance(value, str) for value in values):
            array: np.ndarray[Any, Any] = np.empty(len(values), object)
            array[:] = values
            found[name] = array
        else:
            found[name] = np.array(values)
    return found


def _may_be_deployed(target: str) -> bool:
    """Whether a deployment can have this name; models' names may be others, as Digits."""
    try:
        check_name(target)
    except InvalidInput:
        return False
    return True


def _token(yard: PredictingYard) -> str | None:
    """What a yard on a server was opened with."""
    from modelyard.client.desk import RemoteDesk

    return yard.desk.connection.token if isinstance(yard.desk, RemoteDesk) else None


def _listed(column: Any) -> Any:
    if isinstance(column, np.ndarray):
        return column.tolist()
    if isinstance(column, np.generic):
        return column.item()
    raise TypeError(f"{type(column).__name__}")


def _engine(name: str) -> Callable[..., Any]:
    """What opens the workers of another engine, as `batch.local_workers` does for this machine."""
    if name != "ray":
        raise NotPossible("no-engine", f"there is no engine {name[:40]!r}", hint="embedded or ray")
    try:
        module = import_module("modelyard.serving.engines.ray.batch")
    except ImportError:
        raise NotPossible(
            "no-extra", "Ray is not installed", hint="pip install 'modelyard[ray]'"
        ) from None
    opened: Callable[..., Any] = module.ray_workers
    return opened
