"""Row "missing object authz / IDOR": MLflow CVE-2026-2734, CVE-2026-33866, CVE-2026-2651, Gitea
CVE-2026-20897, Harbor GHSA-hw28-333w-qxp3, Nuclio GHSA-m8xg-8xg9-mxhm.
"""

from __future__ import annotations

import hashlib
import os
import re
from typing import TYPE_CHECKING, Any

import pytest
from tests.server.holes.routes import every_route, filled
from tests.server.holes.tenants import Tenants, tenants, versions_of

if TYPE_CHECKING:
    from pathlib import Path

    import httpx2

__all__ = ["tenants"]

CANARY = "quetzalcanary"
BODIES: dict[str, Any] = {
    "/restore": {"revision": 1}, "/labels": {"add": {"a": "b"}}, "/revert": {"revision": 1},
    "/merge": {"source": 1, "into": "main"}, "/mix": {"sources": [1], "method": "average"},
    "/compare": {"revisions": [1, 2]}, "/best": {"metric": "accuracy"},
    "/proposals": {"ref": "champion", "revision": "1"}, "{model}": {"name": "bob/taken"},
    "/refs/{ref}": {"revision": 1}, "/rollback": {"to": 1},
    "/reports": {"kind": "profile", "content": {}},
}  # fmt: skip


@pytest.fixture(scope="module")
def hers(tenants: Tenants) -> str:
    """A model of ann's in which everything holds the canary; the SHA-256 of its file."""
    name = f"ann/{CANARY}"
    content = CANARY.encode() * 50_000 + os.urandom(10)
    files = {f"{CANARY}.bin": content, "README.md": CANARY.encode()}
    told = {"message": CANARY, "metrics": f'{{"{CANARY}": 1.0}}', "params": f'{{"{CANARY}": 1}}'}
    for _ in range(2):
        made = tenants.commit(tenants.ann, name, files, **told)
        assert made.status_code == 201, made.text
        files["more.txt"] = CANARY.encode()
    place = f"/api/v1/models/ann%2F{CANARY}"
    for ref, kind in ((f"{CANARY}-tag", "tag"), ("champion", "alias")):
        said = {"kind": kind, "revision": 1}
        assert tenants.ann.put(f"{place}/refs/{ref}", json=said).status_code == 201
    label = {"add": {CANARY: CANARY}}
    assert tenants.ann.patch(f"{place}/labels", json=label).status_code == 200
    guard = {"pattern": name, "ref": CANARY, "approvals": 1}
    assert tenants.ann.put("/api/v1/guards", json=guard).status_code == 200
    proposal = {"ref": CANARY, "revision": "1", "message": CANARY}
    assert tenants.ann.post(f"{place}/proposals", json=proposal).status_code == 201
    hook = {"url": f"https://{CANARY}.example/x", "pattern": name}
    assert tenants.ann.post("/api/v1/hooks", json=hook).status_code == 201
    assert tenants.ann.post("/api/v1/tokens", json={"name": CANARY}).status_code == 201
    gone = tenants.commit(tenants.ann, f"ann/deleted-{CANARY}", {"a.txt": b"a"})
    assert gone.status_code == 201
    assert tenants.ann.delete(f"/api/v1/models/ann%2Fdeleted-{CANARY}").status_code == 200
    assert tenants.commit(tenants.bob, "bob/net", {"a.txt": b"a"}).status_code == 201
    return hashlib.sha256(content).hexdigest()


def shown(answer: httpx2.Response, model: str) -> tuple[int, str]:
    """An answer without what differs of itself from request to request."""
    text = re.sub(r'"(instance|request_id)": ?"[0-9a-f]*"', "", answer.text)
    text = re.sub(r"Request [0-9a-f]{16}", "", text)
    return answer.status_code, text.replace(model, "M").replace(model.replace("/", "%2F"), "M")


def test_every_route_answers_for_a_model_of_others_as_for_none(
    tenants: Tenants, hers: str, tmp_path: Path
) -> None:
    asked = 0
    for method, path, needs in every_route(tmp_path / "yard"):
        if needs.what != "model":
            continue
        body = next((b for end, b in BODIES.items() if path.endswith(end)), {})
        for who in ("bob", "bill", "eve"):
            client = tenants.clients[who]
            answers = []
            for name in (CANARY, "quetzalnothing"):
                place = filled(
                    path, model=f"ann%2F{name}", ns="ann", name=name, oid=hers, revision="1",
                    ref="champion", path="README.md", tensor="t",
                )  # fmt: skip
                query = {"session": "a" * 32} if path.endswith("/chunks") else {}
                query |= {"service": "git-upload-pack"} if path.endswith("/info/refs") else {}
                if path.startswith("/{name}"):
                    continue
                sent: dict[str, Any] = {"json": body}
                if path.endswith("/versions") and method == "POST":
                    sent = {"files": [("files", ("a.txt", b"a"))]}
                answer = client.request(method, place, params=query, **sent)
                answers.append(shown(answer, f"ann/{name}"))
            if answers:
                assert answers[0] == answers[1], (method, path, who)
                assert answers[0][0] in (404, 422), (method, path, answers)
                assert CANARY not in answers[0][1]
                asked += 1
    assert asked > 120


def test_no_list_search_count_hint_event_or_log_names_it(
    tenants: Tenants, hers: str, tmp_path: Path
) -> None:
    quests = [
        CANARY, f"name:{CANARY}", f"label:{CANARY}", f"file:{CANARY}.bin", f"metric.{CANARY}>0",
        f"params.{CANARY}=1", f"sort:metric.{CANARY}-desc", f"message:{CANARY}", "alias:champion",
        f"-{CANARY}", f"description:{CANARY}", "author:ann",
    ]  # fmt: skip
    lists = [
        "models", "models?deleted=true", "events?limit=1000", "events?kind=model-deleted",
        "audit?limit=1000", "audit/export", "audit/export?format=csv", "guards", "hooks", "roles",
        "tokens", "accounts", "proposals", "jobs", "house/stats", "whoami", "search?limit=1000",
        f"audit?of=ann/{CANARY}", f"proposals?of=ann/{CANARY}", f"events?model=ann/{CANARY}",
        f"tokens?account=ann&x={CANARY}", "hooks/1", "hooks/1/deliveries",
        f"models/ann%2F{CANARY[:-1]}", f"models/bob%2F{CANARY}", f"models/{CANARY}",
        f"diff?a=bob/net@1&b=ann/{CANARY[:-1]}@1", "events?model=ann/*", "events?after=0",
        *(f"search?q={quest}" for quest in quests),
    ]  # fmt: skip
    told = f"ann/{CANARY}"
    for who in ("bob", "bill", "eve"):
        for path in lists:
            answer = tenants.clients[who].get(f"/api/v1/{path}")
            text = answer.text.replace(path, "").replace(told, "" if told in path else told)
            text = text.replace(CANARY, "") if answer.status_code in (404, 422) else text
            if CANARY[:-1] in path and answer.status_code == 404:
                assert "did you mean" not in answer.text
            assert CANARY not in text, (who, path, answer.text[:500])
            assert hers not in answer.text
        found = tenants.clients[who].get("/api/v1/search", params={"limit": 1000}).json()
        assert {item["model"].partition("/")[0] for item in found["items"]} <= {"bob"}
        ids = [found.get("total"), found.get("count"), len(found["items"])]
        assert [n for n in ids if isinstance(n, int) and n > len(found["items"])] == []


def test_proposals_hooks_tokens_and_backups_of_others_are_not_there_by_their_numbers(
    tenants: Tenants, hers: str
) -> None:
    """A global number is no key (Gitea CVE-2026-20897)."""
    own = {token["id"] for token in tenants.eve.get("/api/v1/tokens").json()}
    for number in set(range(1, 12)) - own:
        for method, path in (
            ("POST", f"proposals/{number}/approve"), ("POST", f"proposals/{number}/withdraw"),
            ("GET", f"hooks/{number}"), ("DELETE", f"hooks/{number}"),
            ("PATCH", f"hooks/{number}"), ("POST", f"hooks/{number}/test"),
            ("GET", f"hooks/{number}/deliveries"),
            ("POST", f"hooks/{number}/deliveries/1/redeliver"),
            ("POST", f"tokens/{number}/rotate"), ("DELETE", f"tokens/{number}"),
        ):  # fmt: skip
            body = {"json": {"active": False}} if method == "PATCH" else {}
            answer = tenants.eve.request(method, f"/api/v1/{path}", **body)
            assert answer.status_code == 404, (path, answer.text)
            assert CANARY not in answer.text
    for path in ("house/gc", "house/verify", "house/backups", "house/dump", "accounts"):
        said = {"name": "mallory"} if path == "accounts" else {}
        assert tenants.bob.post(f"/api/v1/{path}", json=said).status_code == 403
    for path in ("house/backups/" + "a" * 32 + ".yard", "audit/head"):
        assert tenants.bob.get(f"/api/v1/{path}").status_code == 403


def test_bundles_and_exports_of_mine_hold_nothing_of_others(tenants: Tenants, hers: str) -> None:
    for path in ("bundle", "versions/1/export"):
        content = tenants.eve.get(f"/api/v1/models/bob%2Fnet/{path}").content
        assert content
        assert CANARY.encode() not in content
        assert bytes.fromhex(hers) not in content
    assert tenants.eve.get(versions_of("bob/net", "/1/layout")).status_code == 200
