"""Traversals, encodings and odd bytes in every place of every path: nothing opens or breaks."""

from __future__ import annotations

import http.client
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

import pytest
from tests.server.api.people import People, people
from tests.server.api.test_who_may_what import PLACES, routes_of

if TYPE_CHECKING:
    from fastapi.routing import APIRoute

__all__ = ["people"]

_DOTS = ["..", "%2e%2e", "%252e%252e", ".%2e", "%2e.", "%c0%ae%c0%ae", "%uff0e%uff0e", "．．"]
_SLASHES = ["/", "%2f", "%2F", "%252f", "%5c", "\\", "%c0%af", "%e0%80%af", "%u2215", "∕"]
_ENDS = ["etc%2fpasswd", "yard.toml", "catalog.db", "proc%2fself%2fenviron"]
_ODD = [
    "%00", "a%00b", "%0d%0aX:%20y", "%7f", "%ff%fe", "%f0%9f%92%a9", "~", "-", ".", "..", "%2f",
    "@", "a@b", "*", "%25", "%2525", "'", "%22", "a" * 3000, "%u0000", "%", "%zz", "%2", "{model}",
    "$(id)", "`id`", "%7Croot", "a;b", "a%3bb", "a,b", "con", "file:%2f%2f%2fetc%2fpasswd",
    "http:%2f%2f127.0.0.1%2f", "latest", "HEAD", "0", "-1", "99999999999999999999", "1e9", "١",
]  # fmt: skip
HOSTILE = sorted(
    {
        f"{(dots + slash) * depth}{end}"
        for dots in _DOTS
        for slash in _SLASHES
        for depth in (1, 6)
        for end in _ENDS[:2]
    }
    | {f"{dots}{slash}{end}" for dots in _DOTS[:3] for slash in _SLASHES[:4] for end in _ENDS}
    | set(_ODD)
)
assert len(HOSTILE) > 300

SAFE = [
    (method, route)
    for what in ("model", "other")
    for method, route in routes_of(what)
    if method == "GET" and "{" in route.path
]


def raw(text: str) -> str:
    """As it goes over the wire: what is no ASCII is encoded, nothing else is touched."""
    return "".join(c if " " < c < "\x7f" else quote(c) for c in text)


@pytest.mark.parametrize(("method", "route"), SAFE, ids=lambda each: getattr(each, "name", ""))
def test_no_path_leads_anywhere_and_none_breaks_the_server(
    people: People, method: str, route: APIRoute
) -> None:
    places = {"model": "own%2Fnet", **PLACES}
    names = [part[1:-1] for part in route.path.split("/") if part.startswith("{")]
    target = urlsplit(people.server.url)
    connection = http.client.HTTPConnection(target.hostname or "", target.port, timeout=30)
    headers = {"authorization": f"Bearer {people.server.token}"}
    for name in names:
        for text in HOSTILE if name in ("path", "model", "name") else HOSTILE[::7] + _ODD:
            path = route.path
            for other in names:
                given = raw(text) if other == name else places.get(other, "1")
                path = path.replace(f"{{{other}}}", given)
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            content = answer.read()
            assert answer.status < 500, (path, content)
            assert b"root:" not in content, path
            assert b"[store]" not in content, path
            if answer.status >= 400:
                assert "json" in answer.headers.get("content-type", ""), (path, content)
    connection.close()


@pytest.mark.parametrize(
    "name",
    ["../evil", "/etc/evil", "a/../../evil", "a//b", ".", "..", "a\\..\\b", "a\x00b", "x" * 5000,
     ".git/config", "a/.GIT/b", "con\x01", ".gitattributes/x", ""],
)  # fmt: skip
def test_a_form_s_file_goes_nowhere_but_into_its_version(people: People, name: str) -> None:
    answer = people.root.post(
        "/api/v1/models/own%2Fother/versions", files=[("files", (name or " ", b"evil"))]
    )
    if answer.status_code == 201:
        detail = people.root.get("/api/v1/models/own%2Fother/versions/-/detail").json()
        assert all(".." not in file["path"].split("/") for file in detail["files"])
    else:
        assert answer.status_code == 422, answer.text


@pytest.mark.parametrize(
    "query",
    [
        "a*" * 2000, "file:" + "*a" * 2000, "(" * 4000, '"' + "a" * 4090, "-" * 4096,
        " ".join(["x"] * 2000), " ".join(f"label:k{n}=v" for n in range(64)), "学" * 1300,
        "metric." + "a" * 4000 + ">1", "name:" + "?*" * 2000, "size:<" + "9" * 4000, "\x00",
        "a" * 5000, "file:" + "*" * 4000 + "b", "created:>" + "0" * 4000,
    ],
)  # fmt: skip
def test_no_query_takes_long(people: People, query: str) -> None:
    answer = people.root.get("/api/v1/search", params={"q": query}, timeout=5)
    assert answer.status_code in (200, 422), answer.text
    assert answer.elapsed.total_seconds() < 1.0


@pytest.mark.parametrize(
    "after", ["x", "=", "MTI", "bnVsbA", "W10", "WzFd", "LTE", "1" * 19_000, "Wzk5OTk5OTk5OV0", "é"]
)
def test_a_made_up_page_token_is_refused_or_a_page(people: People, after: str) -> None:
    for path in (
        "models", "search", "models/own%2Fnet/versions", "models/own%2Fnet/versions?revision=1",
        "models/own%2Fnet/reflog", "models/own%2Fnet/reports", "models/own%2Fnet/evaluations",
    ):  # fmt: skip
        answer = people.root.get(f"/api/v1/{path}", params={"after": after})
        assert answer.status_code in (200, 422), (path, answer.text)
