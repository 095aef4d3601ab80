"""A server with two namespaces, `own` and `hidden`, and somebody of each role for one of them."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from tests.server.running import Running, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx2

__all__ = ["ROLES", "People", "people", "people_of"]

ROLES = ("none", "reader", "writer", "maintainer", "admin")
SECRET = "topsecretnet"


@dataclass
class People:
    """Clients by role for `own/*`; `admin` is not the yard's."""

    server: Running
    root: httpx2.Client
    by_role: dict[str, httpx2.Client]


@contextlib.contextmanager
def people_of(folder: Path, **settings: Any) -> Iterator[People]:
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(running(folder, **settings))
        root = stack.enter_context(server.client())
        by_role = {}
        for role in ROLES:
            made = root.post("/api/v1/accounts", json={"name": f"the-{role}"})
            assert made.status_code == 201, made.text
            given = {"account": f"the-{role}", "pattern": "own/*", "role": role}
            assert root.put("/api/v1/roles", json=given).status_code == 200
            shown = root.post("/api/v1/tokens", json={"account": f"the-{role}"})
            token = shown.json()["secret"]
            by_role[role] = stack.enter_context(server.client(token))
        for model in ("own%2Fnet", f"hidden%2F{SECRET}"):
            fill(root, model)
        yield People(server, root, by_role)


def fill(root: httpx2.Client, model: str) -> None:
    """Two versions, refs of each kind, a label and a report."""
    base = f"/api/v1/models/{model}"
    for words in (b"first", b"second"):
        files = [("files", ("README.md", b"# Net\n" + words)), ("files", ("w.bin", words * 99_000))]
        done = root.post(f"{base}/versions", files=files, data={"metrics": '{"accuracy": 0.9}'})
        assert done.status_code == 201, done.text
    for name, kind in (("v1", "tag"), ("champion", "alias"), ("dev", "branch")):
        made = root.put(f"{base}/refs/{name}", json={"kind": kind, "revision": 1})
        assert made.status_code == 201, made.text
    assert root.patch(f"{base}/labels", json={"add": {"domain": model[:3]}}).status_code == 200
    kept = {"kind": "evaluation", "content": {"measures": [{"name": "accuracy", "value": 0.9}]},
            "revision": 1, "data": {"name": "d", "digest": "a" * 64}}  # fmt: skip
    assert root.post(f"{base}/reports", json=kept).status_code == 201


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[People]:
    with people_of(tmp_path_factory.mktemp("people") / "yard") as found:
        yield found
