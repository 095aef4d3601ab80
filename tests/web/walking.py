"""All pages and acts, as they are registered, and a yard to walk over them in.

It has a model that everybody signed in may read, and one that is hidden. A reader, somebody without
a role and somebody who is not signed in look at everything and try everything.
"""

from __future__ import annotations

import contextlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import httpx2
import pytest
from tests.server.running import Running, running
from tests.web.shown_models import graph

from modelyard.client.remote import RemoteYard
from modelyard.server.web.pages import ROUTES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = [
    "ABOUT_MODELS", "ACTS", "DATA", "FORM", "HIDDEN", "MISSING", "OPEN", "OTHERS", "OURS", "PAGES",
    "Scene", "all_twins", "cookie_of", "fields", "filled", "give", "routes", "scene", "sent",
]  # fmt: skip

FORM = {"content-type": "application/x-www-form-urlencoded"}
OURS = {**FORM, "sec-fetch-site": "same-origin"}

OPEN, DATA = "open/net", "open/data"
HIDDEN, MISSING = "hushhush/topsecretnet", "hushhush/notherenothere"
VALUES = {
    "model": OPEN, "revision": "1", "account": "reader", "key": "1", "delivery": "1", "job": "1",
    "path": "README.md", "name": "open-service", "optimization": "1",
}  # fmt: skip
"""What stands in the place of each parameter of a path."""


def routes(method: str) -> list[Any]:
    every: list[Any] = [route for each in ROUTES for route in each.router.routes]
    return [route for route in every if method in route.methods]


def filled(path: str, **given: str) -> str:
    """The path of a route with something in its parameters; names as a browser writes them."""
    values = {**VALUES, **given}
    there = re.sub(r"\{(\w+)(?::\w+)?\}", lambda found: quote(values.get(found[1], "1")), path)
    return f"{there}?{ASKED}" if path.removesuffix(".json") in NEEDS_MORE else there


def _asks_more(route: Any) -> bool:
    return any(field.field_info.is_required() for field in route.dependant.query_params)


ASKED = (
    "path=w.bin&name=w&file=w.bin&alias=alias&a=open/net@1&b=open/net@2&source=1&version=open/net@1"
)
"""What pages ask for that can't be without it."""
NEEDS_MORE = {r.path for r in routes("GET") if _asks_more(r)}


def twin_of(route: Any) -> list[str]:
    """A page's path as JSON; what is no page, but a picture or a turn on the way, has none."""
    is_page = hasattr(route.endpoint.__wrapped__, "__wrapped__")
    return [("/models" if route.path == "/" else route.path) + ".json"] if is_page else []


_STREAMS = ("/deployments/{name}/monitoring/live", "/optimizations/{optimization}/live")
_SHOWN = [
    r for r in routes("GET") if not r.path.startswith("/static/") and r.path not in _STREAMS
]  # what never ends can't be read whole
PAGES = sorted({path for r in _SHOWN for path in (r.path, *twin_of(r))
                if not path.endswith((".html", ".json.json", ".html.json"))})  # fmt: skip
ACTS = sorted({r.path for r in routes("POST")})
ABOUT_MODELS = [path for path in PAGES if "{model" in path]
OTHERS = [path for path in PAGES if "{" not in path]


@dataclass
class Scene:
    """A server, who comes to it, and what the reader saw before there was a hidden model."""

    server: Running
    root: httpx2.Client
    reader: httpx2.Client
    roleless: httpx2.Client
    stranger: httpx2.Client
    owner: httpx2.Client
    """Of the hidden model."""
    before: dict[str, Any]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(running(tmp_path_factory.mktemp("rules") / "yard"))
        root = stack.enter_context(server.client())
        for name in ("reader", "roleless", "hushowner"):
            sent(root.post("/api/v1/accounts", json={"name": name}))
        give(root, "reader", "open/*", "reader")
        give(root, "hushowner", "hushhush/*", "admin")
        clients = {
            name: stack.enter_context(server.client(_token(root, name)))
            for name in ("reader", "roleless", "hushowner")
        }
        give(root, "hushowner", "open/*", "reader")
        _fill(root, OPEN, "")
        rows = [("files", ("rows.csv", b"a,b\n1,2\n"))]
        place = f"/api/v1/models/{quote(DATA, '')}/versions"
        sent(root.post(place, files=rows, data={"kind": "dataset"}))
        found = Scene(
            server, root, clients["reader"], clients["roleless"],
            stack.enter_context(server.client("")), clients["hushowner"], {},
        )  # fmt: skip
        found.before = all_twins(found.reader)
        _fill(clients["hushowner"], HIDDEN, "hush")
        _train(server.url, clients["hushowner"], tmp_path_factory.mktemp("trained"))
        yield found


def sent(answer: httpx2.Response) -> httpx2.Response:
    assert answer.status_code in (200, 201), answer.text
    return answer


def give(root: httpx2.Client, account: str, pattern: str, role: str) -> None:
    sent(root.put("/api/v1/roles", json={"account": account, "pattern": pattern, "role": role}))


def _token(root: httpx2.Client, account: str) -> str:
    secret: str = sent(root.post("/api/v1/tokens", json={"account": account})).json()["secret"]
    return secret


def _fill(client: httpx2.Client, model: str, mark: str) -> None:
    """Versions with the same big file, refs, labels, an evaluation, a guard, a proposal, a hook."""
    base = f"/api/v1/models/{quote(model, '')}"
    for number in (1, 2, 3):
        files = [
            ("files", ("README.md", f"# Net\n{mark}card number {number}".encode())),
            ("files", ("w.bin", bytes(range(256)) * 4000 + bytes([number]))),
            ("files", ("model.onnx", graph())),
        ]
        told = {
            "metrics": json.dumps({f"{mark or 'some'}metric": number / 10}),
            "params": json.dumps({f"{mark or 'some'}param": number}),
            "message": f"{mark}message {number}",
        }
        sent(client.post(f"{base}/versions", files=files, data=told))
    for name, kind in (("tag", "tag"), ("alias", "alias"), ("branch", "branch")):
        sent(client.put(f"{base}/refs/{mark}{name}", json={"kind": kind, "revision": 1}))
    sent(client.patch(f"{base}/labels", json={"add": {f"{mark}label": "yes"}}))
    report = {
        "kind": "evaluation", "content": {"measures": [{"name": f"{mark}metric", "value": 0.9}]},
        "revision": 2, "data": {"name": f"{mark}data", "digest": "ab" * 32},
    }  # fmt: skip
    sent(client.post(f"{base}/reports", json=report))
    guard = {"pattern": model, "ref": f"{mark}alias", "approvals": 1}
    sent(client.put("/api/v1/guards", json=guard))
    said = {"ref": f"{mark}alias", "revision": "2", "message": f"{mark}message"}
    sent(client.post(f"{base}/proposals", json=said))
    shares = [{"model": model, "revision": "1", "percent": 95},
              {"model": model, "revision": "2", "percent": 5}]  # fmt: skip
    name = f"{mark or 'open'}-service"
    sent(client.put(f"/api/v1/deployments/{name}", json={"shares": shares}))
    recipe = {"name": f"{mark}recipe", "steps": [{"name": "tune"}], "data": f"{mark}data",
              "goals": [{"metric": "size", "direction": "min"}]}  # fmt: skip
    begun = sent(client.post(f"{base}/optimizations", json={"recipe": recipe, "revision": 1}))
    sent(client.post(f"/api/v1/optimizations/{begun.json()['id']}/cancel"))
    url = f"http://127.0.0.1:9/{mark}"
    sent(client.post("/api/v1/hooks", json={"url": url, "pattern": model}))


def _train(url: str, client: httpx2.Client, folder: Path) -> None:
    """The hidden model comes from data that the reader may read."""
    (folder / "w.bin").write_bytes(b"hush" * 999)
    token = client.headers["authorization"].removeprefix("Bearer ")
    yard = RemoteYard.at(url, environment={"YARD_TOKEN": token, "HOME": str(folder)})
    with contextlib.closing(yard):
        yard.commit(HIDDEN, folder / "w.bin", data=f"{DATA}@1", message="hushmessage")


def _twins() -> list[str]:
    """Every page without and with what the reader may read, as JSON."""
    there = [path for path in PAGES if path.endswith(".json")]
    about = [path for path in there if "{model" in path]
    return [*map(filled, there), *(filled(path, model=DATA) for path in about)]


def all_twins(client: httpx2.Client) -> dict[str, Any]:
    return {path: _told(client.get(path)) for path in _twins()}


def _told(answer: httpx2.Response) -> Any:
    try:
        value = answer.json()
    except ValueError:
        return answer.status_code
    if isinstance(value, dict):
        value.pop("instance", None)
    return value


def cookie_of(scene: Scene) -> str:
    """A browser's session of the admin."""
    told = {"name": "admin", "password": scene.server.token or ""}
    answer = httpx2.post(
        f"{scene.server.url}/login", data=told, headers={"sec-fetch-site": "same-origin"}
    )
    assert answer.status_code == 303
    return answer.cookies["yard_session"]


def fields(model: str = OPEN, **given: str) -> bytes:
    """A form with something plausible in every field that an act may look for."""
    told = {
        "model": model, "name": "fresh", "alias": "fresh", "ref": "fresh", "branch": "main",
        "kind": "branch", "revision": "1", "source": "2", "into": "main", "to": "2",
        "expected": "1", "seen": "", "message": "m", "text": "x", "card": "x", "content": "x",
        "add": "k=v", "remove": "label", "account": "roleless", "pattern": "*", "role": "admin",
        "approvals": "0", "token": "1", "proposal": "2" if model == HIDDEN else "1", "days": "9",
        "url": "http://127.0.0.1:9/x", "events": "ref-moved", "active": "no", "title": "t",
        "password": "some words nobody says", "repeated": "some words nobody says",
        "choice": "zh", "back": "/models", "a": f"{model}@1", "b": f"{model}@2",
        "number": "1", "version": f"{model}@2", "prefer": "", "old": "wrong",
        "percent": "5", "steps": "50,100", "every": "1h", "sure": "open-service", "generation": "1",
    }  # fmt: skip
    return urlencode({**told, **given}).encode()
