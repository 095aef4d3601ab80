"""Acts: forms that change something through the same use cases and permissions as the API.

An act answers by sending the browser on; what it did is told on the page it comes to, with a button
that takes it back where that is possible. Only our own pages can send one (`addresses.check_site`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from starlette.responses import RedirectResponse, Response

from modelyard.errors import InvalidInput
from modelyard.server.login import own_path
from modelyard.server.routing import Needs, Routes
from modelyard.server.state import Ask
from modelyard.server.web.here import SAID, Said, Undo, pack
from modelyard.server.web.twins import problem_page

__all__ = ["Acts", "Done", "Form", "read_form", "sent_on"]

Handler = Callable[..., Any]
_LARGEST = 1 << 20
_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Form:
    """What was filled in."""

    fields: dict[str, list[str]]

    def one(self, name: str, default: str = "") -> str:
        """The last value of a field, without blanks around it."""
        return self.fields.get(name, [default])[-1].strip()

    def many(self, name: str) -> list[str]:
        """All values of a field that are not empty."""
        return [value for value in self.fields.get(name, ()) if value.strip()]

    def text(self, name: str) -> str:
        """A field with more than one line, as it was written; lines end as on Unix."""
        return self.fields.get(name, [""])[-1].replace("\r\n", "\n")


@dataclass(frozen=True, slots=True)
class Done:
    """Where the browser goes after an act, and what it is told there."""

    go_to: str
    """A path below the prefix, with its query."""
    text: str
    """A sentence; none if empty."""
    undo: Undo | None = None
    is_problem: bool = False
    """Whether the sentence tells that something is wrong."""


class Acts(Routes):
    """The acts of one subject, all below `/do`."""

    def __init__(self, subject: str) -> None:
        super().__init__(subject, prefix="/do")

    def act(self, path: str, *, needs: Needs, secret: bool = False) -> Callable[[Handler], Handler]:
        """Serve a function of `(ask, form, **path)` that gives a `Done` or a ready `Response`.

        Args:
            secret: The response shows something once, and is kept nowhere.
        """

        def decorate(handler: Handler) -> Handler:
            @functools.wraps(handler)
            def act(ask: Ask, **given: Any) -> Response:
                done = handler(ask, read_form(ask), **given)
                return done if isinstance(done, Response) else sent_on(ask, done)

            _drop_form(act)
            self.post(
                path, needs=needs, hidden=True, largest_body=_LARGEST, refuse=problem_page,
                secret=secret,
            )(act)  # fmt: skip
            return handler

        return decorate


def _drop_form(act: Any) -> None:
    """FastAPI must not look for the form: it is read here, after it is known who sends it."""
    import inspect

    given = inspect.signature(act)
    kept = [p for p in given.parameters.values() if p.name != "form"]
    act.__signature__ = given.replace(parameters=kept)
    act.__annotations__ = {k: v for k, v in act.__annotations__.items() if k != "form"}


def sent_on(ask: Ask, done: Done) -> Response:
    """Send the browser on, and tell there what was done."""
    prefix = ask.server.settings.prefix
    answer = RedirectResponse(f"{prefix}{own_path(done.go_to)}", 303)
    if done.text:
        answer.set_cookie(
            SAID, pack(Said(done.text, done.is_problem, done.undo)), max_age=_SECONDS,
            path=prefix or "/", httponly=True, samesite="strict",
            secure=ask.request.scope["scheme"] == "https",
        )  # fmt: skip
    return answer


def read_form(ask: Ask) -> Form:
    """The fields of an ordinary form. InvalidInput: `wrong-media-type`, `unreadable-body`."""
    kind = ask.request.headers.get("content-type", "").partition(";")[0].strip()
    if kind != "application/x-www-form-urlencoded":
        raise InvalidInput("wrong-media-type", "a form is sent here")
    try:
        text = b"".join(ask.body()).decode()
        fields = parse_qs(text, keep_blank_values=True, max_num_fields=2000, errors="strict")
    except ValueError:
        raise InvalidInput("unreadable-body", "the form can't be read") from None
    return Form(fields)
