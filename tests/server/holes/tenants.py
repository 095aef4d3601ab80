"""A server with two tenants that must not know of each other, and some of their people."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from tests.server.running import Running, running

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx2

__all__ = ["Tenants", "kind_of", "tenants", "versions_of"]


def versions_of(model: str, rest: str = "") -> str:
    """Where a model's versions are."""
    return f"/api/v1/models/{quote(model, safe='')}/versions{rest}"


def kind_of(answer: httpx2.Response) -> tuple[int, str]:
    """Of a refusal: its status and kind."""
    told = answer.json() if answer.content else {}
    return answer.status_code, told.get("kind", "") if isinstance(told, dict) else ""


@dataclass
class Tenants:
    """`ann` is admin of `ann/*`, `bob` of `bob/*`; `bill` writes and `eve` reads `bob/*`."""

    server: Running
    root: httpx2.Client
    stack: contextlib.ExitStack
    tokens: dict[str, str] = field(default_factory=dict)
    clients: dict[str, httpx2.Client] = field(default_factory=dict)

    def __getattr__(self, name: str) -> httpx2.Client:
        clients: dict[str, httpx2.Client] = self.__dict__.get("clients", {})
        if name not in clients:
            raise AttributeError(name)
        return clients[name]

    def add(self, name: str, roles: dict[str, str], kind: str = "user") -> httpx2.Client:
        """A new account with roles by pattern; a client with its token."""
        made = self.root.post("/api/v1/accounts", json={"name": name, "kind": kind})
        assert made.status_code == 201, made.text
        for pattern, role in roles.items():
            self.give(name, pattern, role)
        return self.client(name)

    def give(self, name: str, pattern: str, role: str) -> None:
        said = {"account": name, "pattern": pattern, "role": role}
        answer = self.root.put("/api/v1/roles", json=said)
        assert answer.status_code == 200, answer.text

    def take(self, name: str, pattern: str) -> None:
        said = {"account": name, "pattern": pattern}
        assert self.root.delete("/api/v1/roles", params=said).status_code == 200

    def client(self, name: str, **said: Any) -> httpx2.Client:
        """A client with another token of an account."""
        made = self.root.post("/api/v1/tokens", json={"account": name, **said})
        assert made.status_code == 201, made.text
        self.tokens[name] = made.json()["secret"]
        client = self.stack.enter_context(self.server.client(self.tokens[name]))
        self.clients.setdefault(name, client)
        return client

    def commit(
        self, client: httpx2.Client, model: str, files: dict[str, bytes], **fields: str
    ) -> httpx2.Response:
        """Send a form."""
        parts = [("files", (path, content)) for path, content in files.items()]
        return client.post(versions_of(model), files=parts, data=fields)


@pytest.fixture(scope="module")
def tenants(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tenants]:
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(running(tmp_path_factory.mktemp("tenants") / "yard"))
        root = stack.enter_context(server.client())
        found = Tenants(server, root, stack)
        found.add("ann", {"ann/*": "admin"})
        found.add("bob", {"bob/*": "admin"})
        found.add("bill", {"bob/*": "writer"})
        found.add("eve", {"bob/*": "reader"})
        yield found
