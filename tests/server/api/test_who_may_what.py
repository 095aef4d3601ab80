"""Every route, for every role, in a namespace of one's own and in a hidden one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from fastapi.routing import APIRoute
from tests.server.api.people import ROLES, SECRET, People, people

from modelyard.core.access import at_least
from modelyard.server.api import ROUTES

if TYPE_CHECKING:
    import httpx2

__all__ = ["people"]

REPORT = {"kind": "profile", "content": {"a": 1}}
JSON: dict[str, Any] = {
    "rename_model": {"name": "own/renamed"},
    "restore": {"revision": 1},
    "change_labels": {"add": {"a": "b"}},
    "revert": {"revision": 1},
    "merge": {"source": "dev", "into": "main"},
    "mix": {"sources": [1, 2], "method": "average"},
    "put_ref": {"revision": 1},
    "roll_back": {"to": 1},
    "add_report": REPORT,
    "compare": {"revisions": [1, 2]},
    "choose_best": {"metric": "accuracy"},
    "propose": {"ref": "champion", "revision": "1"},
}
"""Bodies with which a request is refused for its caller alone."""
PLACES = {
    "revision": "1", "ref": "champion", "path": "README.md", "tensor": "t", "report": "1",
    "number": "1",
}  # fmt: skip
QUERIES = {"send_chunks": f"?session={32 * 'a'}"}
RUIN = {"delete_model", "rename_model", "delete_version"}


def routes_of(what: str) -> list[tuple[str, APIRoute]]:
    found = []
    for group in ROUTES:
        for route in group.router.routes:
            endless = str(route.path).endswith(("/stream", "/events")) and "job" not in route.path
            if isinstance(route, APIRoute) and route.path.startswith("/api/v1") and not endless:
                needs = route.endpoint.needs
                if (needs.what == "model") == (what == "model"):
                    found += [(method, route) for method in sorted(route.methods)]
    return sorted(found, key=lambda each: (each[1].name in RUIN, each[1].name))


def ask(client: httpx2.Client, method: str, route: APIRoute, model: str) -> httpx2.Response:
    path = route.path.replace("{model}", model.replace("/", "%2F"))
    for name, value in PLACES.items():
        path = path.replace(f"{{{name}}}", value)
    path = path.replace("{", "").replace("}", "") + QUERIES.get(route.name, "")
    if route.name == "upload_version":
        return client.post(path, files=[("files", ("a.txt", b"a"))])
    body = JSON.get(route.name, {}) if method in ("POST", "PUT", "PATCH") else None
    return client.request(method, path, json=body)


def shown(answer: httpx2.Response) -> tuple[int, Any]:
    """An answer without the id of its request, and with every model called alike."""
    told = answer.json() if "json" in answer.headers.get("content-type", "") else answer.content
    if isinstance(told, dict):
        told.pop("instance", None)
    text = str(told).replace(f"hidden/{SECRET}", "MODEL").replace("hidden/absent", "MODEL")
    return answer.status_code, text


MODEL_ROUTES = [pytest.param(*each, id=f"{each[1].name}") for each in routes_of("model")]
OTHER_ROUTES = [pytest.param(*each, id=f"{each[1].name}") for each in routes_of("other")]


@pytest.mark.parametrize(("method", "route"), MODEL_ROUTES)
def test_a_hidden_model_is_answered_like_one_that_is_not_there(
    people: People, method: str, route: APIRoute
) -> None:
    for role in ROLES:
        hidden, absent = (
            shown(ask(people.by_role[role], method, route, f"hidden/{name}"))
            for name in (SECRET, "absent")
        )
        assert hidden == absent, role
        assert hidden[0] in (404, 422), (role, hidden)
        assert SECRET not in hidden[1]


@pytest.mark.parametrize(("method", "route"), MODEL_ROUTES)
def test_whoever_is_not_signed_in_is_told_so(people: People, method: str, route: APIRoute) -> None:
    with people.server.client("") as stranger:
        for model in ("own/net", f"hidden/{SECRET}", "hidden/absent"):
            answer = ask(stranger, method, route, model)
            assert answer.status_code in (401, 422), answer.text
            assert answer.status_code == 401 or answer.json()["kind"] == "invalid-request"


@pytest.mark.parametrize(("method", "route"), MODEL_ROUTES)
def test_a_role_that_is_too_low_is_refused_and_any_other_is_let_in(
    people: People, method: str, route: APIRoute
) -> None:
    needed = route.endpoint.needs.role
    for role in ROLES:
        if role == "none":
            answer = ask(people.by_role[role], method, route, "own/net")
            assert answer.status_code in (404, 422), answer.text
        elif not at_least(role, needed):  # type: ignore[arg-type]
            answer = ask(people.by_role[role], method, route, "own/net")
            assert answer.status_code in (403, 422), (role, answer.text)
            if answer.status_code == 422:
                assert answer.json()["kind"] == "invalid-request"
                assert route.name not in JSON
        elif route.name not in RUIN:
            answer = ask(people.by_role[role], method, route, "own/net")
            assert answer.status_code not in (401, 403, 500), (role, answer.text)


@pytest.mark.parametrize(("method", "route"), OTHER_ROUTES)
def test_no_other_answer_names_a_hidden_model(people: People, method: str, route: APIRoute) -> None:
    for role in ROLES:
        answer = ask(people.by_role[role], method, route, "own/net")
        assert SECRET not in answer.text, role
        assert answer.status_code != 500, answer.text


@pytest.mark.parametrize(
    "path",
    [
        "/search", "/search?q=name:top", "/search?q=label:domain", "/search?q=second&limit=1",
        "/search?q=sort:name-asc", "/search?q=metric.accuracy>0", "/search?q=alias:champion",
        "/search?q=sort:metric.accuracy-desc", "/models", "/models?limit=1", "/models?deleted=true",
        "/house/stats", "/jobs", "/events", "/audit", "/models/own%2Ftopsecretne",
        "/models/hidden%2Ftopsecretne", "/diff?a=own/net@1&b=hidden/topsecretne@1",
    ],
)  # fmt: skip
def test_lists_searches_counts_and_hints_name_no_hidden_model(people: People, path: str) -> None:
    for role in ROLES:
        following = f"/api/v1{path}"
        for _ in range(5):
            answer = people.by_role[role].get(following)
            assert SECRET not in answer.text, (role, answer.text)
            after = answer.json().get("next")
            if answer.status_code != 200 or not isinstance(after, str):
                break
            following = f"/api/v1{path}{'&' if '?' in path else '?'}after={after}"
    assert people.root.get("/api/v1/search?q=name:top").json()["items"]


def test_a_hidden_model_is_in_no_size_of_a_page_and_no_sum(people: People) -> None:
    reader = people.by_role["reader"]
    names = [item["model"] for item in reader.get("/api/v1/search?limit=1000").json()["items"]]
    assert set(names) == {"own/net"}
    page = reader.get("/api/v1/search?limit=1").json()
    assert len(page["items"]) == 1
    stats = reader.get("/api/v1/house/stats").json()
    assert [model["name"] for model in stats["per_model"]] == ["own/net"]
    assert (stats["stored"], stats["chunks"], stats["packs"], stats["catalog"]) == (0, 0, 0, 0)


def test_a_data_name_in_a_comparison_opens_no_file_and_no_hidden_dataset(people: People) -> None:
    reader = people.by_role["reader"]
    for data in ("/etc/passwd", f"hidden/{SECRET}@1", "hidden/absent@1", "~/.ssh"):
        answer = reader.post(
            "/api/v1/models/own%2Fnet/compare", json={"revisions": [1, 2], "data": data}
        )
        assert answer.json()["kind"] == "not-evaluated", answer.text
