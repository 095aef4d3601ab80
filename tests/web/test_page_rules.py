"""Rules that all pages and acts keep, whoever wrote them: each is walked over as it is registered.

A yard with a model that everybody signed in may read, and one that is hidden. A reader, a writer's
token, somebody without a role and somebody who is not signed in look at everything and try
everything.
"""

from __future__ import annotations

import base64
import contextlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urljoin, urlsplit

import httpx2
import pytest
from tests.server.running import Running, running

from modelyard.client.remote import RemoteYard
from modelyard.server.web.pages import ROUTES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

_FORM = {"content-type": "application/x-www-form-urlencoded"}
_OURS = {**_FORM, "sec-fetch-site": "same-origin"}

OPEN, DATA = "open/net", "open/data"
HIDDEN, MISSING = "hushhush/topsecretnet", "hushhush/notherenothere"
WORDS = (
    "hushhush", "topsecretnet", "hushalias", "hushmetric", "hushlabel", "hushmessage", "hushdata",
    "hushowner", "hushcard", "hushtag", "hushparam",
)  # fmt: skip
"""What only the hidden model has."""

PUBLIC_ACTS = {"/do/language", "/do/theme"}
"""The whole list. An act that is to be on it needs a good reason."""
THEIR_OWN = PUBLIC_ACTS | {"/do/tokens/make", "/do/profile/password"}
"""What everybody signed in may do to themselves."""

VALUES = {
    "model": OPEN, "revision": "1", "account": "reader", "key": "1", "delivery": "1", "job": "1",
    "path": "README.md", "name": "README.md",
}  # fmt: skip
"""What stands in the place of each parameter of a path."""


def _routes(method: str) -> list[Any]:
    every: list[Any] = [route for each in ROUTES for route in each.router.routes]
    return [route for route in every if method in route.methods]


def _filled(path: str, **given: str) -> str:
    """The path of a route with something in its parameters; names as a browser writes them."""
    values = {**VALUES, **given}
    there = re.sub(r"\{(\w+)(?::\w+)?\}", lambda found: quote(values.get(found[1], "1")), path)
    return f"{there}?{ASKED}" if path.removesuffix(".json") in NEEDS_MORE else there


def _asks_more(route: Any) -> bool:
    return any(field.field_info.is_required() for field in route.dependant.query_params)


ASKED = "path=w.bin&name=w&file=w.bin&alias=alias&a=open/net@1&b=open/net@2&source=1"
"""What pages ask for that can't be without it."""
NEEDS_MORE = {r.path for r in _routes("GET") if _asks_more(r)}


def _twin(route: Any) -> list[str]:
    """A page's path as JSON; what is no page, but a picture or a turn on the way, has none."""
    is_page = hasattr(route.endpoint.__wrapped__, "__wrapped__")
    return [("/models" if route.path == "/" else route.path) + ".json"] if is_page else []


_SHOWN = [r for r in _routes("GET") if not r.path.startswith("/static/")]
PAGES = sorted({path for r in _SHOWN for path in (r.path, *_twin(r))
                if not path.endswith((".html", ".json.json", ".html.json"))})  # fmt: skip
ACTS = sorted({r.path for r in _routes("POST")})
ABOUT_MODELS = [path for path in PAGES if "{model" in path]
OTHERS = [path for path in PAGES if "{" not in path]
VALUES_OF = [path for path in OTHERS if path.endswith(".json") or f"{path}.json" not in PAGES]
QUERIES = {
    "model": "{}", "of": "{}", "data": "{}@1", "pattern": "{}", "q": "name:{}", "after": "{}",
    "a": "{}@1", "b": "{}@1", "v": "{}@1", "subject": "{}@1", "source": "{}@1",
}  # fmt: skip
"""Parameters of queries by which pages are asked about a model, and how."""


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
            _sent(root.post("/api/v1/accounts", json={"name": name}))
        _give(root, "reader", "open/*", "reader")
        _give(root, "hushowner", "hushhush/*", "admin")
        clients = {
            name: stack.enter_context(server.client(_token(root, name)))
            for name in ("reader", "roleless", "hushowner")
        }
        _give(root, "hushowner", "open/*", "reader")
        _fill(root, OPEN, "")
        rows = [("files", ("rows.csv", b"a,b\n1,2\n"))]
        place = f"/api/v1/models/{quote(DATA, '')}/versions"
        _sent(root.post(place, files=rows, data={"kind": "dataset"}))
        found = Scene(
            server, root, clients["reader"], clients["roleless"],
            stack.enter_context(server.client("")), clients["hushowner"], {},
        )  # fmt: skip
        found.before = _all_twins(found.reader)
        _fill(clients["hushowner"], HIDDEN, "hush")
        _train(server.url, clients["hushowner"], tmp_path_factory.mktemp("trained"))
        yield found


def _sent(answer: httpx2.Response) -> httpx2.Response:
    assert answer.status_code in (200, 201), answer.text
    return answer


def _give(root: httpx2.Client, account: str, pattern: str, role: str) -> None:
    _sent(root.put("/api/v1/roles", json={"account": account, "pattern": pattern, "role": role}))


def _token(root: httpx2.Client, account: str) -> str:
    secret: str = _sent(root.post("/api/v1/tokens", json={"account": account})).json()["secret"]
    return secret


def _fill(client: httpx2.Client, model: str, mark: str) -> None:
    """Versions with the same big file, refs, labels, an evaluation, a guard, a proposal, a hook."""
    base = f"/api/v1/models/{quote(model, '')}"
    for number in (1, 2, 3):
        files = [
            ("files", ("README.md", f"# Net\n{mark}card number {number}".encode())),
            ("files", ("w.bin", bytes(range(256)) * 4000 + bytes([number]))),
        ]
        told = {
            "metrics": json.dumps({f"{mark or 'some'}metric": number / 10}),
            "params": json.dumps({f"{mark or 'some'}param": number}),
            "message": f"{mark}message {number}",
        }
        _sent(client.post(f"{base}/versions", files=files, data=told))
    for name, kind in (("tag", "tag"), ("alias", "alias"), ("branch", "branch")):
        _sent(client.put(f"{base}/refs/{mark}{name}", json={"kind": kind, "revision": 1}))
    _sent(client.patch(f"{base}/labels", json={"add": {f"{mark}label": "yes"}}))
    report = {
        "kind": "evaluation", "content": {"measures": [{"name": f"{mark}metric", "value": 0.9}]},
        "revision": 2, "data": {"name": f"{mark}data", "digest": "ab" * 32},
    }  # fmt: skip
    _sent(client.post(f"{base}/reports", json=report))
    guard = {"pattern": model, "ref": f"{mark}alias", "approvals": 1}
    _sent(client.put("/api/v1/guards", json=guard))
    said = {"ref": f"{mark}alias", "revision": "2", "message": f"{mark}message"}
    _sent(client.post(f"{base}/proposals", json=said))
    url = f"http://127.0.0.1:9/{mark}"
    _sent(client.post("/api/v1/hooks", json={"url": url, "pattern": model}))


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
    return [*map(_filled, there), *(_filled(path, model=DATA) for path in about)]


def _all_twins(client: httpx2.Client) -> dict[str, Any]:
    return {path: _told(client.get(path)) for path in _twins()}


def _told(answer: httpx2.Response) -> Any:
    try:
        value = answer.json()
    except ValueError:
        return answer.status_code
    if isinstance(value, dict):
        value.pop("instance", None)
    return value


def _same(answer: httpx2.Response, name: str) -> tuple[int, str]:
    """What an answer tells, without the name that was asked for, and the request's own number."""
    text = answer.text
    for asked in (name, quote(name), quote(name, ""), name.partition("/")[2]):
        text = text.replace(asked, "NAME")
    number = answer.headers.get("x-request-id", "-")
    place = answer.headers.get("location", "").replace(quote(name, ""), "NAME")
    return answer.status_code, place.replace(quote(name), "NAME") + text.replace(number, "ID")


# -- who may do what -------------------------------------------------------------------------------


def test_there_are_pages_and_acts_to_look_at() -> None:
    assert len(PAGES) > 30
    assert len(ACTS) > 15


def test_only_these_acts_are_public() -> None:
    public = {r.path for r in _routes("POST") if r.endpoint.needs.what == "public"}
    assert public == PUBLIC_ACTS


def test_no_page_is_public_but_what_browsers_keep() -> None:
    public = {r.path for r in _routes("GET") if r.endpoint.needs.what == "public"}
    assert public <= {"/static/{digest}/{name:path}"}


def test_what_names_a_model_in_its_path_asks_for_a_role() -> None:
    for route in _routes("GET") + _routes("POST"):
        if "{model" not in route.path:
            continue
        needs = route.endpoint.needs
        assert needs.what == "model", route.path
        assert needs.role != "none", route.path
        if "POST" in route.methods:
            assert needs.role in ("writer", "maintainer", "admin"), route.path


@pytest.mark.parametrize("path", ACTS)
def test_no_other_site_can_send_an_act(scene: Scene, path: str) -> None:
    cookie = _cookie(scene)
    for headers in (
        {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.example"}, {"origin": "null"}, {},
    ):  # fmt: skip
        told = {**_FORM, **headers, "cookie": f"yard_session={cookie}"}
        answer = httpx2.post(f"{scene.server.url}{_filled(path)}", headers=told, content=_fields())
        assert answer.status_code == 403, (path, headers)
        assert answer.json()["kind"] == "cross-site"
        assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("path", PAGES)
def test_who_is_not_signed_in_sees_no_page(scene: Scene, path: str) -> None:
    answer = scene.stranger.get(_filled(path))
    if path.endswith(".json"):
        assert answer.status_code == 401
    else:
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/login?next=")


def test_acts_change_nothing_for_who_may_not(scene: Scene) -> None:
    """With all fields that any act knows, about the open model, the hidden one and the yard."""
    before = _state(scene)
    for client in (scene.reader, scene.roleless, scene.stranger):
        for path in ACTS:
            if path in THEIR_OWN:
                continue
            for model in (OPEN, HIDDEN):
                answer = client.post(
                    _filled(path, model=model), content=_fields(model), headers=_FORM
                )
                assert answer.status_code >= 400, f"{path}: {answer.status_code}"
                assert answer.status_code < 500, f"{path}: {answer.status_code}"
                if client is scene.stranger:
                    assert answer.status_code in (401, 404), path
                elif model == HIDDEN and "{model" in path:
                    assert answer.status_code == 404, path
    assert _state(scene) == before


def test_a_reader_is_refused_by_403_and_who_may_not_read_by_404(scene: Scene) -> None:
    for path in ACTS:
        if "{model" not in path:
            continue
        body = _fields()
        reader = scene.reader.post(_filled(path), content=body, headers=_FORM)
        roleless = scene.roleless.post(_filled(path), content=body, headers=_FORM)
        assert (reader.status_code, roleless.status_code) == (403, 404), path


def _cookie(scene: Scene) -> str:
    """A browser's session of the admin."""
    told = {"name": "admin", "password": scene.server.token or ""}
    answer = httpx2.post(
        f"{scene.server.url}/login", data=told, headers={"sec-fetch-site": "same-origin"}
    )
    assert answer.status_code == 303
    return answer.cookies["yard_session"]


def _fields(model: str = OPEN, **given: str) -> bytes:
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
        "number": "1", "version": "1", "prefer": "", "old": "wrong",
    }  # fmt: skip
    return urlencode({**told, **given}).encode()


def _state(scene: Scene) -> dict[str, Any]:
    """Everything that an act could change."""
    looked: dict[str, Any] = {}
    for path in ("accounts", "roles", "guards", "proposals", "hooks", "tokens", "models"):
        looked[path] = _sent(scene.root.get(f"/api/v1/{path}")).json()
    for model in (OPEN, HIDDEN):
        base = f"/api/v1/models/{quote(model, '')}"
        for part in ("refs", "versions", "labels"):
            looked[f"{model} {part}"] = _sent(scene.root.get(f"{base}/{part}")).json()
    for key in ("used",):
        for token in looked["tokens"]:
            token.pop(key, None)
    return looked


def test_what_can_not_be_asked_so_is_told_on_a_page(scene: Scene) -> None:
    browser = {"accept": "text/html,*/*"}
    for path, status in (("/settings/hooks/x", 422), ("/do/tokens/make", 405), ("/no/page", 404)):
        answer = scene.root.get(path, headers=browser)
        assert answer.status_code == status
        assert "<h1" in answer.text
        assert scene.root.get(path).headers["content-type"] == "application/problem+json"


# -- nothing of a hidden model ---------------------------------------------------------------------


@pytest.mark.parametrize("path", ABOUT_MODELS)
def test_a_hidden_model_is_as_one_that_is_not_there(scene: Scene, path: str) -> None:
    for client in (scene.reader, scene.roleless, scene.stranger):
        hidden = client.get(_filled(path, model=HIDDEN))
        missing = client.get(_filled(path, model=MISSING))
        assert _same(hidden, HIDDEN) == _same(missing, MISSING)
        assert hidden.status_code == (404 if client is not scene.stranger else missing.status_code)


@pytest.mark.parametrize("path", VALUES_OF)
def test_asking_for_a_hidden_model_tells_nothing(scene: Scene, path: str) -> None:
    for field, form in QUERIES.items():
        answers = []
        for name in (HIDDEN, MISSING):
            query = {"a": f"{OPEN}@1", field: form.format(name)}
            answers.append(_same(scene.reader.get(path, params=query), name))
        assert answers[0] == answers[1], field


def test_the_walk_would_find_it(scene: Scene) -> None:
    """Who may read the hidden model finds all its words, on the same pages."""
    seen = "".join(scene.owner.get(path).text for path in OTHERS)
    seen += "".join(scene.owner.get(_filled(path, model=HIDDEN)).text for path in ABOUT_MODELS)
    assert [word for word in WORDS if word not in seen] == []
    assert HIDDEN in scene.owner.get(f"/lineage/{DATA}.json").text
    assert sum(isinstance(value, dict) for value in scene.before.values()) > 15


@pytest.mark.parametrize("path", OTHERS)
def test_no_list_names_anything_of_a_hidden_model(scene: Scene, path: str) -> None:
    for query in ("", "?q=hush", "?state=all", "?sort=name", "?kind=model", "?q=alias:hushalias"):
        asked = ("hush", "hushalias") if "hush" in query else ()
        for client in (scene.reader, scene.roleless):
            text = client.get(path + query).text
            shown = [word for word in WORDS if word in text and word not in asked]
            assert not shown, f"{path}{query}: {shown}"


def test_nothing_is_counted_that_is_hidden(scene: Scene) -> None:
    """All pages tell the reader what they told before there was the hidden model."""
    after = _all_twins(scene.reader)
    for path, value in scene.before.items():
        if path.startswith("/jobs"):
            continue
        assert _undated(after[path]) == _undated(value), path


def _undated(value: Any) -> Any:
    """Without what goes on by itself: when somebody was last seen, ages."""
    if isinstance(value, dict):
        return {k: _undated(v) for k, v in value.items() if k not in ("used", "age", "now", "took")}
    return [_undated(each) for each in value] if isinstance(value, list) else value


# -- caches, secrets, cookies ----------------------------------------------------------------------


@pytest.mark.parametrize("path", PAGES)
def test_no_page_is_kept_by_proxies(scene: Scene, path: str) -> None:
    answer = scene.root.get(_filled(path))
    kept = answer.headers["cache-control"]
    assert "no-store" in kept or "private" in kept, kept
    assert "public" not in kept
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", [path for path in PAGES if not path.endswith(".json")])
def test_a_page_has_no_script_and_no_style_in_it(scene: Scene, path: str) -> None:
    answer = scene.root.get(_filled(path))
    if "text/html" not in answer.headers.get("content-type", ""):
        return
    assert not re.search(r"<[a-z][^>]*\s(style|on[a-z]+|hx-on[^=\s]*)=", answer.text)
    assert not re.search(r"<script(?![^>]*\ssrc=)", answer.text)
    assert "javascript:" not in answer.text
    assert "<style" not in answer.text


@pytest.mark.parametrize(
    ("act", "looks"),
    [("tokens/make", "yard_[0-9]+_[A-Za-z0-9_-]{49}"), ("hooks/add", "whsec_[A-Za-z0-9+/=]{44}")],
)
def test_a_secret_is_shown_once_and_kept_nowhere(scene: Scene, act: str, looks: str) -> None:
    headers = {**_FORM, "accept-encoding": "gzip", "idempotency-key": f"one {act}"}
    body = _fields(name="shown-once", account="", role="reader", pattern="*", models="")
    made = scene.root.post(f"/do/{act}", content=body, headers=headers)
    assert made.status_code == 200
    secrets = re.findall(looks, made.text)
    assert len(secrets) == 1
    assert "content-encoding" not in made.headers, "what a stranger adds must not show its length"
    assert made.headers["cache-control"] == "no-store"
    assert "set-cookie" not in made.headers
    again = scene.root.post(f"/do/{act}", content=body, headers=headers)
    assert again.status_code == 409
    for text in (again.text, scene.root.get("/api/v1/audit").text, scene.server.log_text()):
        assert secrets[0] not in text
    for path in PAGES:
        assert secrets[0] not in scene.root.get(_filled(path)).text, path


def test_cookies_are_for_nobody_else(tmp_path: Any) -> None:
    with running(tmp_path / "yard", prefix="/yard", trust_proxy="127.0.0.1") as server:
        base = server.url.removesuffix("/yard") + "/yard"
        https = {"sec-fetch-site": "same-origin", "x-forwarded-proto": "https"}
        told = {"name": "admin", "password": server.token or ""}
        answers = [httpx2.post(f"{base}/login", data=told, headers=https)]
        shown = {**https, "cookie": f"yard_session={answers[0].cookies['yard_session']}"}
        for act, fields in (
            ("language", {"choice": "zh"}), ("theme", {"choice": "dark"}),
            ("guards/add", {"pattern": "*", "ref": "champion"}),
            ("profile/password", {"password": "some words nobody says",
                                  "repeated": "some words nobody says"}),
        ):  # fmt: skip
            answers.append(httpx2.post(f"{base}/do/{act}", data=fields, headers=shown))
        names = set()
        for answer in answers:
            assert answer.status_code == 303, answer.text
            assert answer.headers["location"].startswith("/yard/")
            for cookie in answer.headers.get_list("set-cookie"):
                names.add(cookie.partition("=")[0])
                flags = {part.strip().lower() for part in cookie.split(";")[1:]}
                assert {"httponly", "secure", "path=/yard"} <= flags, cookie
                assert {"samesite=strict", "samesite=lax"} & flags, cookie
        assert names == {"yard_session", "yard_language", "yard_theme", "yard_said"}


# -- where people are sent, and what they are told -------------------------------------------------

ELSEWHERE = (
    "//evil.example", "https://evil.example/x", "/\\evil.example", "\\\\evil.example",
    "/\t/evil.example", "/%5c/../..//evil.example", "javascript:alert(1)",
    "/\r\nset-cookie: a=b", "http:evil.example", "/@evil.example", ".evil.example",
    "///evil.example",
)  # fmt: skip
_SAYS_WHERE = ("back", "next", "go_to", "to", "return")
_KEPT = ("members", "password", "delete", "rename", "/do/tokens", "/do/hooks")
"""They would change what the other tests look at."""


@pytest.mark.parametrize("path", [path for path in PAGES if not path.endswith(".json")])
def test_no_page_sends_to_another_site(scene: Scene, path: str) -> None:
    for to in ELSEWHERE[:4]:
        answer = scene.root.get(_filled(path), params=dict.fromkeys(_SAYS_WHERE, to))
        _check_here(answer, scene.server.url, path)


@pytest.mark.parametrize("to", ELSEWHERE)
def test_no_act_sends_to_another_site(scene: Scene, to: str) -> None:
    root, base, said = scene.root, scene.server.url, dict.fromkeys(_SAYS_WHERE, to)
    for path, choice in (("/do/language", "en"), ("/do/theme", "light")):
        answer = root.post(path, data={**said, "choice": choice}, headers=_FORM)
        assert answer.status_code == 303
        _check_here(answer, base, path)
    for path in ACTS:
        if any(word in path for word in _KEPT):
            continue
        body = _fields(**said, pattern="no/*")
        _check_here(root.post(_filled(path), content=body, headers=_FORM), base, path)
    root.cookies.clear()


@pytest.mark.parametrize("to", ELSEWHERE)
def test_nobody_is_sent_elsewhere_from_signing_in(scene: Scene, to: str) -> None:
    base = scene.server.url
    page = httpx2.get(f"{base}/login", params={"next": to}).text
    (kept,) = re.findall(r'name="next" value="([^"]*)"', page)
    told = {"name": "admin", "password": scene.server.token or "", "next": to}
    answer = httpx2.post(f"{base}/login", data=told, headers=_OURS)
    assert answer.status_code == 303
    _check_here(answer, base, "/login")
    assert kept.startswith("/")
    assert not kept.startswith(("//", "/\\"))


def _check_here(answer: httpx2.Response, base: str, path: str) -> None:
    assert answer.status_code < 500, path
    assert "a=b" not in answer.headers.get("set-cookie", "")
    if (location := answer.headers.get("location")) is None:
        return
    for read in (location, location.replace("\\", "/")):
        read = re.sub(r"[\t\r\n]", "", read)  # as browsers do
        assert urlsplit(urljoin(f"{base}{path}", read)).netloc == urlsplit(base).netloc, location


EVIL = '"><script>alert(1)</script><img src=x onerror=alert(2)>'


def test_hostile_names_in_what_is_told_are_shown_as_text(scene: Scene) -> None:
    root = scene.root
    made = root.post("/do/tokens/make", data={"name": EVIL}, headers=_OURS)
    assert made.status_code == 200
    assert "<script>alert" not in made.text
    key = re.findall(r"yard_([0-9]+)_", made.text)[0]
    done = root.post("/do/tokens/revoke", data={"token": key}, headers=_OURS)
    assert done.status_code == 303
    text = root.get(done.headers["location"]).text
    root.cookies.clear()
    assert "&lt;script&gt;alert(1)" in text
    assert "<script>alert" not in text
    assert "<img src=x" not in text


def test_a_cookie_that_somebody_planted_shows_text_and_sends_nowhere_else(scene: Scene) -> None:
    def shown(said: object) -> str:
        cookie = base64.urlsafe_b64encode(json.dumps(said).encode()).decode()
        return scene.root.get("/settings", headers={"cookie": f"yard_said={cookie}"}).text

    fields = {EVIL: EVIL}
    text = shown({"text": EVIL, "undo": {"act": "/do/roles/take", "fields": fields}})
    assert "&lt;script&gt;alert(1)" in text
    assert "<script>alert" not in text
    assert "<img src=x" not in text
    for act in ("//evil.example/do/x", "/logout", "https://evil.example", EVIL):
        text = shown({"text": "Press Undo", "undo": {"act": act, "fields": {}}})
        assert "Press Undo" not in text
    strange: Any
    for strange in ("x", [], {"text": 3}, {"text": "t", "undo": "x"}, None):
        assert "<h1" in shown(strange)
