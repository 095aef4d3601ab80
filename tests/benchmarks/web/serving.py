"""How long the server takes for pages: lists and search over 100,000 versions, one long model."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from pathlib import Path
from statistics import quantiles
from typing import TYPE_CHECKING

import httpx2
import sqlalchemy as sa
from tests.benchmarks.populate import populate_catalog
from tests.benchmarks.server.lists import LONG, long_model, reader_of
from tests.benchmarks.store.checks import Check
from tests.server.running import Running, running

import modelyard
from modelyard.catalog import schema

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["browsing", "lists", "model", "p95"]

_VERSIONS, _MODELS = 90_000, 1_000
_TIMES, _WARM = 40, 3
_LIMIT = 60.0

_LISTS = {
    "models": "/models",
    "models, second page": "/models",
    "models by name": "/models?q=sort:name-asc",
    "models by a metric": "/models?q=sort:metric.accuracy-desc",
    "search: a word": "/models?q=epoch",
    "search: two words": "/models?q=epoch+cosine",
    "search: Chinese": "/models?q=情感",
    "search: a metric": "/models?q=metric.accuracy>0.9",
    "search: a label": "/models?q=label:domain=nlp",
    "search: framework and size": "/models?q=framework:torch+size:<10MB",
    "search: nothing there": "/models?q=xylophone",
    "versions: a word": "/models?q=epoch&show=versions",
    "versions: a metric": "/models?q=metric.accuracy>0.9&show=versions",
    "what to compare": "/compare",
}
_ONE = {
    "the model": f"/models/{LONG}",
    "the model, by another metric": f"/models/{LONG}?metric=loss",
    "history": f"/history/{LONG}",
    "history, 500 at once": f"/history/{LONG}?limit=500",
    "history, of a branch": f"/history/{LONG}?revision=main",
    "what to compare": f"/compare?model={LONG}",
    "compare many": f"/compare/many?model={LONG}",
    "lineage": f"/lineage/{LONG}",
    "a version": f"/versions/{LONG}@9000",
}


def lists(work: Path) -> Iterator[Check]:
    """p95 of each list, for an admin and for somebody who reads one namespace of twenty."""
    with _served(work) as server:
        secret = _reader(server)
        for who, token in (("admin", server.token), ("one namespace", secret)):
            with browsing(server, token) as client:
                for name, path in _LISTS.items():
                    asked = _second(client, path) if "second" in name else path
                    if asked is not None:
                        took, note = p95(server, client, asked)
                        yield Check("lists", f"{name}, {who}, p95", took, _LIMIT, "ms", note=note)


def model(work: Path) -> Iterator[Check]:
    """p95 of each page about one model with 10,000 versions."""
    with _served(work) as server, browsing(server, server.token) as client:
        for name, path in _ONE.items():
            answer = client.get(path)
            if answer.status_code == 404 and "no-model" not in answer.text:
                continue  # the page is not there yet, or its bytes are not
            took, note = p95(server, client, path)
            note += f", {len(answer.content) / 1e3:.0f} kB before gzip"
            yield Check("model", f"{name}, p95", took, _LIMIT, "ms", note=note)


def p95(server: Running, client: httpx2.Client, path: str) -> tuple[float, str]:
    """Milliseconds of one whole request; and what it costs the server's processor, in words."""
    for _ in range(_WARM):
        client.get(path)
    took, spent = [], _processor(server)
    for _ in range(_TIMES):
        began = time.perf_counter()
        answer = client.get(path)
        took.append(time.perf_counter() - began)
        if answer.status_code != 200:
            raise RuntimeError(f"{path}: {answer.status_code} {answer.text[-600:]}")
    cost = (_processor(server) - spent) / _TIMES
    return quantiles(took, n=20)[18] * 1e3, f"{cost * 1e3:.0f} ms of processor time each"


def _processor(server: Running) -> float:
    """Seconds of processor time that a server took so far."""
    fields = Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def _served(work: Path) -> Iterator[Running]:
    with tempfile.TemporaryDirectory(dir=work) as place:
        folder = Path(place) / "yard"
        with modelyard.create(folder) as yard:
            catalog = yard.house.catalog  # type: ignore[attr-defined]
            populate_catalog(catalog, versions=_VERSIONS, models=_MODELS)
            long_model(catalog)
            catalog.write(_measures)
        with running(folder) as server:
            yield server


def _measures(connection: sa.Connection) -> None:
    """Two metrics of each version of the long model."""
    version = schema.version.c
    keys = connection.execute(
        sa.select(version.id, version.number).where(version.model_id == _MODELS + 1)
    ).all()
    rows = [
        {"version_id": key, "name": name, "value": value}
        for key, number in keys
        for name, value in (("accuracy", 1 - 1 / (number + 1)), ("loss", 10 / (number + 9)))
    ]
    connection.execute(sa.insert(schema.metric), rows)


def browsing(server: Running, token: str | None) -> httpx2.Client:
    """Asks as a browser does, by a session."""
    name = "admin" if token == server.token else "reader"
    answer = httpx2.post(
        f"{server.url}/login", data={"name": name, "password": token}, follow_redirects=False
    )
    cookies = {"yard_session": answer.cookies["yard_session"]}
    headers = {"accept-encoding": "gzip"}
    return httpx2.Client(base_url=server.url, cookies=cookies, headers=headers, timeout=60)


def _reader(server: Running) -> str:
    with server.client() as root:
        return reader_of(root)


def _second(client: httpx2.Client, path: str) -> str | None:
    """The address of the second page."""
    found = client.get(f"{path}.json").json().get("next")
    return f"{path}?after={found}" if found else None
