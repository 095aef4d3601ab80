"""Nothing of a model that somebody may not read is on any page: no name, count or hint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from tests.web.walking import (
    ABOUT_MODELS,
    DATA,
    HIDDEN,
    MISSING,
    OPEN,
    OTHERS,
    PAGES,
    Scene,
    all_twins,
    filled,
    scene,
)

if TYPE_CHECKING:
    import httpx2

pytestmark = pytest.mark.slow

__all__ = ["scene"]

WORDS = (
    "hushhush", "topsecretnet", "hushalias", "hushmetric", "hushlabel", "hushmessage", "hushdata",
    "hushowner", "hushcard", "hushtag", "hushparam",
    "hush-service", "hushrecipe",
)  # fmt: skip
"""What only the hidden model has."""

VALUES_OF = [path for path in OTHERS if path.endswith(".json") or f"{path}.json" not in PAGES]
QUERIES = {
    "model": "{}", "of": "{}", "data": "{}@1", "pattern": "{}", "q": "name:{}", "after": "{}",
    "a": "{}@1", "b": "{}@1", "v": "{}@1", "subject": "{}@1", "source": "{}@1",
    "version": "{}@1",
}  # fmt: skip
"""Parameters of queries by which pages are asked about a model, and how."""


@pytest.mark.parametrize("path", ABOUT_MODELS)
def test_a_hidden_model_is_as_one_that_is_not_there(scene: Scene, path: str) -> None:
    for client in (scene.reader, scene.roleless, scene.stranger):
        hidden = client.get(filled(path, model=HIDDEN))
        missing = client.get(filled(path, model=MISSING))
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
    seen += "".join(scene.owner.get(filled(path, model=HIDDEN)).text for path in ABOUT_MODELS)
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
    after = all_twins(scene.reader)
    for path, value in scene.before.items():
        if path.startswith("/jobs"):
            continue
        assert _undated(after[path]) == _undated(value), path


_MOVES = (
    "used", "age", "now", "took", "servers", "state", "parts", "totals", "deployed", "example",
    "use", "requests", "window", "charts", "moments",
)  # fmt: skip


def _undated(value: Any) -> Any:
    """Without what goes on by itself: when somebody was last seen, ages, how a service does."""
    if isinstance(value, dict):
        return {k: _undated(v) for k, v in value.items() if k not in _MOVES}
    return [_undated(each) for each in value] if isinstance(value, list) else value


def _same(answer: httpx2.Response, name: str) -> tuple[int, str]:
    """What an answer tells, without the name that was asked for, and the request's own number."""
    text = answer.text
    for asked in (name, quote(name), quote(name, ""), name.partition("/")[2]):
        text = text.replace(asked, "NAME")
    number = answer.headers.get("x-request-id", "-")
    place = answer.headers.get("location", "").replace(quote(name, ""), "NAME")
    return answer.status_code, place.replace(quote(name), "NAME") + text.replace(number, "ID")
