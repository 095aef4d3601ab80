"""Evaluations that somebody sent, as pages show them: whatever they hold, there is a page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

if TYPE_CHECKING:
    import httpx2
    from tests.web.acting import Person

pytestmark = pytest.mark.slow

MEASURES = [{"name": "accuracy", "value": 0.9, "low": -1.7e308, "high": 1.7e308}]
BIN = {"low": 0.0, "high": 1.0, "confidence": 0.5, "accuracy": 0.5}


def _report(ann: Person, model: str, **content: Any) -> httpx2.Response:
    place = f"/api/v1/models/{quote(model, '')}/reports"
    told = {"kind": "evaluation", "content": {"measures": MEASURES} | content, "revision": 1}
    return ann.api.post(place, json=told)


@pytest.mark.parametrize(
    "content",
    [
        {"confusion": {"labels": ["a"], "matrix": [[1, 2], [3, 4]]}},
        {"confusion": {"labels": ["a", "b"], "matrix": [[1, 2], [3]]}},
        {"confusion": {"labels": ["a"], "matrix": [[-1]]}},
        {"calibration": [{**BIN, "rows": -1}, {**BIN, "rows": 5}]},
    ],
)
def test_pictures_of_what_can_t_be_are_not_kept(ann: Person, content: dict[str, Any]) -> None:
    ann.commit("evaluated/strange", {"a.txt": b"a"})
    answer = _report(ann, "evaluated/strange", **content)
    assert (answer.status_code, answer.json()["kind"]) == (422, "bad-report")


def test_slices_may_lack_a_metric_that_others_have(ann: Person) -> None:
    ann.commit("evaluated/sliced", {"a.txt": b"a"})
    one = {"column": "sex", "value": "f", "rows": 3, "measures": [{"name": "auc", "value": 0.5}]}
    two = {**one, "value": "m", "measures": []}
    assert _report(ann, "evaluated/sliced", slices=[one, two]).status_code == 201
    assert "By sex" in ann.see("/evaluations/evaluated/sliced@1").text


def test_a_page_has_an_end_however_much_was_measured(ann: Person) -> None:
    ann.commit("evaluated/much", {"a.txt": b"a"})
    measures = [{"name": f"m{at}", "value": 0.5, "low": 0.4, "high": 0.6} for at in range(3000)]
    slices = [
        {"column": f"c{at}", "value": "x", "rows": 1, "measures": MEASURES} for at in range(3000)
    ]
    content = {"slices": slices, "calibration": [{**BIN, "rows": 5}] * 3000}
    assert _report(ann, "evaluated/much", **content, measures=measures).status_code == 201
    page = ann.client.get("/evaluations/evaluated/much@1", headers={"accept": "text/html"})
    assert page.status_code == 200
    assert len(page.content) < 300_000
