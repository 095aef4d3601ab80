"""Somebody at a browser without JavaScript: reads pages, fills in the forms that are on them."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

import pytest
from tests.server.running import running

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx2
    from tests.server.running import Running

__all__ = ["People", "Person", "Seen", "SentForm", "ann", "people"]

_APART = ("td", "th", "p", "li", "dd", "dt", "button", "a", "label", "h1", "h2", "option")
_TYPE = "application/x-www-form-urlencoded"
_PLAIN = {"sec-fetch-site": "same-origin", "accept": "text/html"}


@dataclass
class SentForm:
    """A form of a page, with what it holds before somebody fills it in."""

    method: str
    action: str
    is_multipart: bool
    fields: list[tuple[str, str]] = field(default_factory=list)
    buttons: list[tuple[str, str, str]] = field(default_factory=list)
    """Name, value and text of each."""

    def filled(self, press: str | None, given: dict[str, Any]) -> dict[str, list[str]]:
        """What is sent when a button is pressed. A field that is not there can't be filled in."""
        values: dict[str, list[str]] = {}
        for name, value in self.fields:
            values.setdefault(name, []).append(value)
        names = {name for name, _ in self.fields} | {name for name, _, _ in self.buttons}
        assert set(given) <= names, f"{self.action} has no {set(given) - names}, but {names}"
        values |= {k: v if isinstance(v, list) else [str(v)] for k, v in given.items()}
        for name, value, text in self.buttons:
            if name and press in (text, value):
                values[name] = [value]
        return values


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[SentForm] = []
        self.text: list[str] = []
        self.links: list[str] = []
        self._form: SentForm | None = None
        self._area: str | None = None
        self._select: tuple[str, list[tuple[str, bool]]] | None = None
        self._button: tuple[str, str] | None = None
        self._words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        if tag == "a":
            self.links.append(told.get("href", ""))
        if tag == "form":
            kind = told.get("enctype", "")
            self._form = SentForm(
                told.get("method", "get"), told.get("action", ""), "multipart" in kind
            )
            self.forms.append(self._form)
        elif self._form is None:
            return
        elif tag == "input":
            self._input(told)
        elif tag == "textarea":
            self._area, self._words = told["name"], []
        elif tag == "select":
            self._select = (told["name"], [])
        elif tag == "option" and self._select:
            self._select[1].append((told.get("value", ""), "selected" in told))
        elif tag == "button" and told.get("type", "submit") == "submit":
            self._button, self._words = (told.get("name", ""), told.get("value", "")), []

    def _input(self, told: dict[str, str]) -> None:
        assert self._form is not None
        kind = told.get("type", "text")
        if kind in ("radio", "checkbox") and "checked" not in told:
            return
        if "name" in told and kind not in ("submit", "button"):
            self._form.fields.append((told["name"], told.get("value", "")))

    def handle_endtag(self, tag: str) -> None:
        form = self._form
        if tag in _APART:
            self.text.append(" ")
        if tag == "form":
            self._form = None
        elif form is None:
            return
        elif tag == "textarea" and self._area is not None:
            text = "".join(self._words)  # a parser drops the first line end in a textarea
            form.fields.append((self._area, text.removeprefix("\n")))
            self._area = None
        elif tag == "select" and self._select is not None:
            name, options = self._select
            chosen = [value for value, is_chosen in options if is_chosen] or [options[0][0]]
            form.fields.append((name, chosen[0]))
            self._select = None
        elif tag == "button" and self._button is not None:
            form.buttons.append((*self._button, "".join(self._words).strip()))
            self._button = None

    def handle_data(self, data: str) -> None:
        self.text.append(data)
        if self._area is not None or self._button is not None:
            self._words.append(data)


@dataclass
class Seen:
    """A page as it came."""

    person: Person
    status: int
    path: str
    text: str
    html: str
    forms: list[SentForm]
    links: list[str]

    def form(self, action: str, **holding: str) -> SentForm:
        """The one form that is sent to a path, or of several the one that holds these values."""
        found = [
            form
            for form in self.forms
            if form.action.split("?")[0] == action
            and all((name, value) in form.fields for name, value in holding.items())
        ]
        assert len(found) == 1, f"{len(found)} forms for {action}: {[f.action for f in self.forms]}"
        return found[0]

    def has_form(self, action: str) -> bool:
        return any(form.action == action for form in self.forms)

    def submit(
        self, action: str, *, press: str | None = None, to: str | None = None,
        holding: dict[str, str] | None = None,
        files: list[tuple[str, tuple[str, bytes]]] | None = None, **given: Any,
    ) -> Seen:  # fmt: skip
        """Fill in a form of this page, and send it.

        Args:
            to: Where the button that is pressed sends it instead.
        """
        form = self.form(action, **(holding or {}))
        if to is not None:
            assert f'formaction="{to}"' in self.html
            form = replace(form, action=to)
        return self.person.send(form, form.filled(press, given), files)

    def undo(self) -> Seen:
        """Press the button beside what the page says was done."""
        form = next(f for f in self.forms if any(text == "Undo" for _, _, text in f.buttons))
        return self.person.send(form, form.filled(None, {}))


@dataclass
class Person:
    """Who is signed in with a browser."""

    client: httpx2.Client
    api: httpx2.Client
    """The same one's programs, to look what is in the yard."""

    def see(self, path: str) -> Seen:
        return self._seen(self.client.get(path, headers=_PLAIN))

    def act(self, path: str, **given: Any) -> Seen:
        """Send a form that some page has."""
        form = SentForm("post", f"/do/{path}", False)
        return self.send(
            form, {k: v if isinstance(v, list) else [str(v)] for k, v in given.items()}
        )

    def send(
        self, form: SentForm, values: dict[str, list[str]],
        files: list[tuple[str, tuple[str, bytes]]] | None = None,
    ) -> Seen:  # fmt: skip
        if form.method == "get":
            return self._seen(self.client.get(form.action, params=values, headers=_PLAIN))
        if form.is_multipart:
            parts: list[Any] = [(k, (None, v)) for k, each in values.items() for v in each
                                if k not in ("files", "folder")]  # fmt: skip
            parts += files or [("files", ("", b""))]
            return self._seen(self.client.post(form.action, files=parts, headers=_PLAIN))
        body = urlencode(values, doseq=True).encode()
        headers = {**_PLAIN, "content-type": _TYPE}  # browsers say so of an empty form too
        return self._seen(self.client.post(form.action, content=body, headers=headers))

    def _seen(self, answer: httpx2.Response) -> Seen:
        reader = _Reader()
        reader.feed(answer.text)
        words = " ".join("".join(reader.text).split())
        path = urlsplit(str(answer.url)).path
        return Seen(self, answer.status_code, path, words, answer.text, reader.forms, reader.links)

    # -- what is in the yard -----------------------------------------------------------------------

    def told(self, path: str, **query: Any) -> Any:
        answer = self.api.get(f"/api/v1{path}", params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def commit(self, model: str, files: dict[str, bytes], **said: str) -> int:
        """A version by the API; its number."""
        parts: list[Any] = [("files", (path, content)) for path, content in files.items()]
        parts += [(name, (None, value)) for name, value in said.items()]
        answer = self.api.post(f"/api/v1/models/{quote(model, '')}/versions", files=parts)
        assert answer.status_code == 201, answer.text
        number: int = answer.json()["number"]
        return number

    def refs(self, model: str) -> dict[str, tuple[str, int]]:
        """Kind and number by name."""
        found = self.told(f"/models/{quote(model, '')}/refs")["items"]
        return {ref["name"]: (ref["kind"], ref["number"]) for ref in found}

    def labels(self, model: str, revision: int | None = None) -> dict[str, str]:
        query = {} if revision is None else {"revision": revision}
        found: dict[str, str] = self.told(f"/models/{quote(model, '')}/labels", **query)
        return found

    def last_line(self, model: str) -> dict[str, Any]:
        """The newest line of the audit log about a model."""
        line: dict[str, Any] = self.told("/audit", of=model, limit=1)["items"][0]
        return line


@dataclass
class People:
    """Everybody at one server: `ann` is its admin."""

    server: Running
    _open: ExitStack
    _known: dict[str, Person] = field(default_factory=dict)

    def person(self, name: str, secret: str) -> Person:
        """Somebody signs in at a browser."""
        if name not in self._known:
            client = self._open.enter_context(self.server.client("", follow_redirects=True))
            told = {"name": name, "password": secret, "next": "/models"}
            answer = client.post("/login", data=told, headers=_PLAIN)
            assert "yard_session" in client.cookies, answer.text
            api = client
            if name == "admin":
                api = self._open.enter_context(self.server.client())
            self._known[name] = Person(client, api)
        return self._known[name]

    @property
    def ann(self) -> Person:
        assert self.server.token is not None
        return self.person("admin", self.server.token)

    def with_role(self, name: str, role: str, pattern: str = "*") -> Person:
        """Another account that has a role."""
        password = f"long enough for {name}"
        if name not in self._known:
            told = {"name": name, "kind": "user", "password": password}
            assert self.ann.api.post("/api/v1/accounts", json=told).status_code == 201
        given = {"account": name, "pattern": pattern, "role": role}
        assert self.ann.api.put("/api/v1/roles", json=given).status_code == 200
        return self.person(name, password)


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[People]:
    """A server of a new yard, and who comes to it."""
    with running(tmp_path_factory.mktemp("acts") / "yard") as server, ExitStack() as stack:
        yield People(server, stack)


@pytest.fixture(scope="module")
def ann(people: People) -> Person:
    """Its admin."""
    return people.ann
