"""How long lists and searches take with 100,000 versions, whole requests as a client sees them."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from statistics import quantiles
from typing import TYPE_CHECKING

import sqlalchemy as sa
from tests.benchmarks.populate import NOW, populate_catalog
from tests.benchmarks.store.checks import Check
from tests.server.running import running

import modelyard
from modelyard.catalog import schema

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx2

    from modelyard.catalog.engine import Catalog

__all__ = ["LONG", "lists", "long_model", "reader_of"]

_VERSIONS, _MODELS, _ONE = 90_000, 1_000, 10_000
_TIMES = 40
LONG = "team-1/long"

LISTS = {
    "100 models": "/models?limit=100",
    "500 models": "/models?limit=500",
    "search: everything": "/search",
    "search: a word": "/search?q=epoch",
    "search: two words": "/search?q=epoch+cosine",
    "search: a metric": "/search?q=metric.accuracy>0.9",
    "search: sorted by a metric": "/search?q=sort:metric.accuracy-desc",
    "search: a label": "/search?q=label:stage=gold",
    "search: framework and size": "/search?q=framework:torch+size:<10MB",
}
LONG_LISTS = {
    "the model": "",
    "100 newest versions": "/versions?limit=100",
    "100 ancestors": "/versions?revision=main&limit=100",
    "one version": "/versions/latest",
    "its refs": "/refs",
    "its moves": "/reflog?limit=100",
}


def lists(work: Path) -> Iterator[Check]:
    """p95 of each list, for an admin and for somebody who reads one namespace of twenty."""
    with tempfile.TemporaryDirectory(dir=work) as place:
        folder = Path(place) / "yard"
        with modelyard.create(folder) as yard:
            catalog = yard.house.catalog  # type: ignore[attr-defined]
            populate_catalog(catalog, versions=_VERSIONS, models=_MODELS)
            long_model(catalog)
        with (
            running(folder) as server,
            server.client() as root,
            server.client(reader_of(root)) as one,
        ):
            for who, client in (("admin", root), ("one namespace", one)):
                for name, path in LISTS.items():
                    limit = None if "500" in name else 40.0
                    yield Check("lists", f"{name}, {who}, p95", _p95(client, path), limit, "ms")
                for name, path in LONG_LISTS.items():
                    asked = f"/models/{LONG.replace('/', '%2F')}{path}"
                    yield Check(
                        "lists", f"of 10,000 versions: {name}, {who}, p95", _p95(client, asked),
                        15.0, "ms",
                    )  # fmt: skip


def _p95(client: httpx2.Client, path: str) -> float:
    took = []
    for _ in range(_TIMES):
        began = time.perf_counter()
        answer = client.get(f"/api/v1{path}")
        took.append(time.perf_counter() - began)
        if answer.status_code != 200:
            raise RuntimeError(f"{path}: {answer.text}")
    return quantiles(took, n=20)[18] * 1e3


def reader_of(root: httpx2.Client) -> str:
    """The token of somebody who may read `team-1/*`."""
    root.post("/api/v1/accounts", json={"name": "reader"}).raise_for_status()
    given = {"account": "reader", "pattern": "team-1/*", "role": "reader"}
    root.put("/api/v1/roles", json=given).raise_for_status()
    made = root.post("/api/v1/tokens", json={"account": "reader"}).raise_for_status()
    return str(made.json()["secret"])


def long_model(catalog: Catalog) -> None:
    """One model with 10,000 versions, each made from the one before."""
    key = _MODELS + 1

    def work(connection: sa.Connection) -> None:
        connection.execute(
            sa.insert(schema.model).values(
                id=key, name=LONG, kind="model", description="Long", next_number=_ONE + 1,
                created=NOW, updated=NOW, deleted=0,
            )
        )  # fmt: skip
        rows = [
            {
                "id": _VERSIONS + number, "model_id": key, "number": number,
                "commit_id": (1 << 60 | number).to_bytes(20, "big"), "tree_id": bytes(20),
                "parents": str(number - 1 or ""), "branch": "main", "author": "ann",
                "message": f"run {number}", "created": NOW + number, "size": 1000,
                "new_bytes": 100, "files": 1, "formats": "onnx", "framework": "onnx",
                "deleted": 0, "purged": False,
            }
            for number in range(1, _ONE + 1)
        ]  # fmt: skip
        connection.execute(sa.insert(schema.version), rows)
        moves = [
            {"time": NOW + number, "action": "commit", "model_id": key, "who": None, "ref": "main",
             "kind": "branch", "old": number - 1 or None, "new": number}
            for number in range(1, _ONE + 1)
        ]  # fmt: skip
        connection.execute(sa.insert(schema.audit), moves)
        connection.execute(
            sa.insert(schema.ref).values(model_id=key, name="main", kind="branch", number=_ONE)
        )

    catalog.write(work)
