"""The commands of accounts, tokens, roles, guards and audit, at a folder and at a server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.server.running import Running

PASSWORD = "some words nobody says"


class Yard:
    """Calls `yard` for a folder or a server."""

    def __init__(self, place: str, token: str | None, home: str) -> None:
        self.env = {**os.environ, "YARD": place, "HOME": home, "XDG_CONFIG_HOME": home}
        if token:
            self.env["YARD_TOKEN"] = token

    def run(self, *words: str, text: str = "") -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "modelyard", *words],
            input=text, capture_output=True, text=True, env=self.env,
        )  # fmt: skip
        return done.returncode, done.stdout + ("" if done.returncode == 0 else done.stderr)

    def json(self, *words: str, text: str = "") -> Any:
        code, out = self.run(*words, "--json", text=text)
        assert code == 0, out
        return json.loads(out)


@pytest.fixture(params=["folder", "server"])
def call(request: pytest.FixtureRequest, server: Running, tmp_path: Any) -> Yard:
    place = str(server.folder) if request.param == "folder" else server.url
    return Yard(place, server.token if request.param == "server" else None, str(tmp_path))


@pytest.mark.slow
def test_people_by_commands(call: Yard, request: pytest.FixtureRequest) -> None:
    name = f"ann-{request.node.callspec.id}"
    assert call.json("account", "add", name, "--title", "Ann <a@example.org>")["name"] == name
    changed = call.json("account", "password", name, "--password-stdin", text=f"{PASSWORD}\n")
    assert changed["has_password"]
    assert call.json("role", "give", name, "writer", "a/*")["role"] == "writer"
    assert name in {given["account"] for given in call.json("role")["items"]}
    made = call.json("token", "make", "--account", name, "--role", "reader", "--days", "2")
    assert made["secret"].startswith("yard_")
    key = str(made["token"]["id"])
    assert call.json("token", "list", "--account", name)["items"][0]["id"] == int(key)
    assert call.json("token", "revoke", key)["revoked"]
    assert call.json("guard", "add", "a/*", "prod", "--approvals", "1")["approvals"] == 1
    assert call.json("guard")["items"][0]["ref"] == "prod"
    assert call.json("proposals")["items"] == []
    assert call.json("guard", "remove", "a/*", "prod")["ref"] == "prod"
    assert call.json("audit", "--action", "role", "--limit", "1")["items"][0]["detail"]
    head = call.json("audit", "--head")
    assert call.json("audit", "--expect", head["digest"])["seal"] == head["seal"]
    code, out = call.run("audit", "--export", "csv")
    assert code == 0
    assert out.startswith("id,time,action")
    code, out = call.run("account", "disable", "nobody", "--json")
    assert (code, json.loads(out.splitlines()[0])["error"]["kind"]) == (1, "no-account")
    assert call.json("account", "disable", name)["disabled"]
    assert PASSWORD not in out
