"""The routes of accounts, tokens, roles, guards, proposals and audit on a real server."""

from __future__ import annotations

import csv
import io
import json
import time
from typing import TYPE_CHECKING

import httpx2
import pytest

from modelyard.registry.access.secrets import read_token

if TYPE_CHECKING:
    from tests.server.running import Running

BASE = "/api/v1"


def given(api: httpx2.Client, name: str, pattern: str | None = None, role: str = "reader") -> str:
    """An account with a role; gives its token."""
    assert api.post(f"{BASE}/accounts", json={"name": name}).status_code in (201, 409)
    if pattern:
        body = {"account": name, "pattern": pattern, "role": role}
        assert api.put(f"{BASE}/roles", json=body).status_code == 200
    made = api.post(f"{BASE}/tokens", json={"account": name})
    assert made.status_code == 201
    return str(made.json()["secret"])


def kind(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["kind"]


def test_whoami(server: Running, api: httpx2.Client) -> None:
    me = api.get(f"{BASE}/whoami").json()
    assert (me["account"], me["role"]) == ("admin", "admin")
    with server.client(token="") as nobody:
        assert kind(nobody.get(f"{BASE}/whoami")) == (401, "not-signed-in")
    with server.client(token="yard_1_x") as wrong:
        assert kind(wrong.get(f"{BASE}/whoami")) == (401, "bad-token")


def test_a_token_is_shown_once(server: Running, api: httpx2.Client) -> None:
    headers = {"idempotency-key": "make-1"}
    made = api.post(f"{BASE}/tokens", json={"name": "ci", "days": 3}, headers=headers)
    assert made.headers["cache-control"] == "no-store"
    secret, token = made.json()["secret"], made.json()["token"]
    assert secret not in api.get(f"{BASE}/tokens").text
    for file in server.folder.rglob("*"):
        if file.is_file():
            assert secret.encode() not in file.read_bytes()
    assert secret not in server.log_text()
    with server.client(token=secret) as other:
        assert other.get(f"{BASE}/whoami").json()["token"] == token["id"]
        turned = other.post(f"{BASE}/tokens/{token['id']}/rotate").json()["secret"]
        assert kind(other.get(f"{BASE}/whoami")) == (401, "bad-token")
    with server.client(token=turned) as other:
        assert other.delete(f"{BASE}/tokens/{token['id']}").json()["revoked"] is not None
        assert kind(other.get(f"{BASE}/whoami")) == (401, "bad-token")


def test_accounts_take_an_admin(server: Running, api: httpx2.Client) -> None:
    with server.client(token=given(api, "rea", "a/*")) as rea:
        assert kind(rea.post(f"{BASE}/accounts", json={"name": "x"})) == (403, "not-allowed")
        assert [each["name"] for each in rea.get(f"{BASE}/accounts").json()] == ["rea"]
        body = {"account": "rea", "pattern": "*", "role": "admin"}
        assert kind(rea.put(f"{BASE}/roles", json=body)) == (403, "not-allowed")
        assert kind(rea.get(f"{BASE}/audit/head")) == (403, "not-allowed")
        assert rea.get(f"{BASE}/audit").json()["items"] == []
    assert kind(api.patch(f"{BASE}/accounts/admin", json={"disabled": True})) == (409, "last-admin")
    assert api.patch(f"{BASE}/accounts/rea", json={"disabled": True}).json()["disabled"]
    assert kind(api.post(f"{BASE}/accounts", json={"name": "A B"}))[0] == 422


def test_passwords_and_guessing(server: Running, api: httpx2.Client) -> None:
    given(api, "pia")
    put = api.put(f"{BASE}/accounts/pia/password", json={"password": "some words nobody says"})
    assert put.json()["has_password"]
    with httpx2.Client(base_url=server.url, auth=("pia", "some words nobody says")) as pia:
        assert pia.get(f"{BASE}/whoami").json()["account"] == "pia"
        body = {"password": "other words nobody says", "old": "wrong"}
        assert kind(pia.put(f"{BASE}/accounts/pia/password", json=body))[1] == "wrong-password"
    with httpx2.Client(base_url=server.url, auth=("pia", "wrong")) as wrong:
        kinds = {kind(wrong.get(f"{BASE}/whoami"))[1] for _ in range(12)}
    assert kinds == {"wrong-password", "too-many-requests"}


def test_a_proposal_from_end_to_end(server: Running, api: httpx2.Client) -> None:
    from modelyard.registry import open_yard

    file = server.folder.parent / "w.txt"
    with open_yard(server.folder) as yard:
        for number in range(2):
            file.write_text(f"{number}")
            yard.commit("a/one", file)
    wim = given(api, "wim", "a/*", "writer")
    mia = given(api, "mia", "a/*", "maintainer")
    out = given(api, "out", "b/*", "admin")
    body = {"pattern": "a/*", "ref": "prod", "approvals": 1}
    assert api.put(f"{BASE}/guards", json=body).json()["role"] == "maintainer"
    wanted = {"ref": "prod", "revision": "2", "message": "ready"}
    with server.client(token=wim) as asks, server.client(token=mia) as helps:
        made = asks.post(f"{BASE}/models/a%2Fone/proposals", json=wanted)
        assert made.status_code == 201
        key = made.json()["id"]
        assert kind(asks.post(f"{BASE}/proposals/{key}/approve")) == (403, "not-allowed")
        done = helps.post(f"{BASE}/proposals/{key}/approve").json()
        assert (done["state"], done["approved"]) == ("done", ["mia"])
        lines = helps.get(f"{BASE}/audit", params={"of": "a/one", "limit": 3}).json()
    first = lines["items"][0]
    assert {(line["action"], line["account"]) for line in lines["items"]} >= {
        ("approve", "mia"), ("alias", "mia"), ("propose", "wim"),
    }  # fmt: skip
    assert first["address"] == "127.0.0.1"
    assert first["request"]
    with server.client(token=out) as hidden:
        assert kind(hidden.get(f"{BASE}/audit", params={"of": "a/one"})) == (404, "no-model")
        assert kind(hidden.post(f"{BASE}/proposals/{key}/approve")) == (404, "no-proposal")
        assert kind(hidden.post(f"{BASE}/models/a%2Fone/proposals", json=wanted))[0] == 404
        assert "a/one" not in hidden.get(f"{BASE}/proposals").text


def test_export_runs_no_formula(api: httpx2.Client, server: Running) -> None:
    api.post(f"{BASE}/accounts", json={"name": "eve", "title": "=cmd|' /C calc'!A0 <e@x>"})
    token = api.post(f"{BASE}/tokens", json={"account": "eve"}).json()["secret"]
    with server.client(token=token) as eve:
        eve.post(f"{BASE}/tokens", json={})
    answer = api.get(f"{BASE}/audit/export", params={"format": "csv"})
    assert answer.headers["content-type"].startswith("text/csv")
    assert "attachment" in answer.headers["content-disposition"]
    rows = list(csv.reader(io.StringIO(answer.text)))
    assert rows[0][:3] == ["id", "time", "action"]
    assert not [cell for row in rows for cell in row if cell[:1] in ("=", "+", "-", "@")]
    assert any(cell.startswith("'=cmd") for row in rows for cell in row)
    lines = api.get(f"{BASE}/audit/export").text.splitlines()
    assert len(lines) == len(rows) - 1
    assert all(json.loads(line)["action"] for line in lines)


@pytest.mark.slow
def test_the_log_is_sealed_while_the_server_runs_and_when_it_stops(
    server: Running, api: httpx2.Client
) -> None:
    head = api.get(f"{BASE}/audit/head").json()
    assert len(head["digest"]) == 64
    given(api, "new")
    deadline = time.monotonic() + 20
    from modelyard.registry import open_yard
    from modelyard.registry.access.chain import chain_head, check_chain

    with open_yard(server.folder) as yard:
        found = chain_head(yard.house)
        while found is not None and found.seal == head["seal"] and time.monotonic() < deadline:
            time.sleep(0.3)
            found = chain_head(yard.house)
        assert found is not None
        assert found.seal > head["seal"]
        assert check_chain(yard.house) == []


def test_tokens_of_the_first_run_are_real(server: Running) -> None:
    assert server.token is not None
    assert read_token(server.token) is not None
