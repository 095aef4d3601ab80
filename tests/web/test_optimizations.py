"""Optimizations through pages without JavaScript: looked at, begun, cancelled, accepted; hidden."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any

import pytest
from tests.web.shown_models import graph
from tests.web.shown_optimizations import optimize

from modelyard.client.remote import RemoteYard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.web.acting import People, Person

pytestmark = pytest.mark.slow

_NET = "tried/net"
_PATIENCE = 240.0


@pytest.fixture(scope="module")
def yard(people: People) -> Iterator[RemoteYard]:
    with contextlib.closing(RemoteYard.at(people.server.url, token=people.server.token)) as yard:
        yield yard


@pytest.fixture(scope="module")
def tried(ann: Person, yard: RemoteYard) -> str:
    """A model with optimizations: 1 found something, 2 did not, 3 goes on."""
    for number in range(5):
        ann.commit(_NET, {"model.onnx": graph(number + 1)}, message=f"number {number}")
    optimize(yard, _NET)
    return _NET


def test_the_list_tells_what_came_of_each(ann: Person, tried: str) -> None:
    seen = ann.see("/optimizations")
    assert f"nothing better than {tried}@5 was found" in seen.text
    assert "small" in seen.text
    assert f"/versions/{tried}@5" in seen.links
    items = ann.client.get(f"/optimizations.json?model={tried}").json()["items"]
    assert [one["recipe"]["name"] for one in items] == ["fast", "tune", "small"]
    assert "/optimizations?model=tried%2Fnet" in ann.see(f"/history/{tried}").html


def test_the_page_shows_the_proof_the_front_and_every_trial(ann: Person, tried: str) -> None:
    page = ann.see("/optimizations/1")
    assert f"{tried}@5 from {tried}@3: size is" in page.text
    assert "Before and after" in page.text
    assert "no certain difference" in page.text
    assert "accuracy_drop<=0.005" in page.text
    assert "the process was killed" in page.text
    assert 'class="front-field"' in page.html
    assert 'class="parallel"' in page.html
    assert "AMD EPYC" in page.text
    assert "name: small" in page.text
    told = ann.client.get("/optimizations/1.json").json()
    assert told["all_trials"] == 24
    assert told["shown"]["number"] == told["optimization"]["candidates"][0]["trial"]
    assert "layer" in told["shown"]["steps"][0]["changed"][0]


def test_another_trial_and_other_goals_are_chosen_by_the_address(ann: Person, tried: str) -> None:
    told = ann.client.get("/optimizations/1.json?trial=2&up=size&across=latency_p50").json()
    assert told["shown"]["number"] == 2
    assert told["field"]["up"]["metric"] == "size"
    assert told["field"]["across"]["metric"] == "latency_p50"
    assert told["field"]["before"] == [0.0688, 1136000.0]
    assert ann.see("/optimizations/1?trial=9999").status == 200
    for path in ("/optimizations/99", "/optimizations/99/live"):
        assert ann.see(path).status == 404
    for path in ("/optimizations/0", "/optimizations/x", "/optimizations/1?trial=x"):
        assert ann.see(path).status == 422


def test_nothing_better_is_said_with_the_reasons(ann: Person, tried: str) -> None:
    page = ann.see("/optimizations/2")
    assert "Nothing better was found" in page.text
    assert "with 300 rows more a gain of 0.01 could be told" in page.text
    assert "So nothing was published, and no alias moved." in page.text
    assert not any("alias" in form.action for form in page.forms)


def test_what_was_found_is_told_in_chinese(ann: Person, tried: str) -> None:
    page = ann.client.get("/optimizations/1", headers={"accept-language": "zh"}).text
    assert "0.871 低于此处的中位数 0.942" in page
    assert "is below the median" not in page
    assert f"由 {tried}@3 得到 {tried}@5" in page


def test_a_result_is_accepted_and_that_is_taken_back(ann: Person, tried: str) -> None:
    page = ann.see("/optimizations/1")
    done = page.submit(f"/do/alias/{tried}", holding={"revision": "5"})
    assert done.path == "/optimizations/1"
    assert "The alias candidate is new and points at version 5." in done.text
    assert ann.refs(tried)["candidate"] == ("alias", 5)
    done.undo()
    assert "candidate" not in ann.refs(tried)


def test_a_guarded_alias_is_proposed(people: People, ann: Person, tried: str) -> None:
    guard = {"pattern": "tried/*", "ref": "prod", "role": "writer", "approvals": 1}
    assert ann.api.put("/api/v1/guards", json=guard).status_code == 200
    writer = people.with_role("wei", "writer", "tried/*")
    page = writer.see("/optimizations/1")
    asked = page.submit(f"/do/alias/{tried}", holding={"revision": "4"}, alias="prod")
    assert "prod is guarded: proposal" in asked.text
    assert "prod" not in ann.refs(tried)


def test_who_may_only_read_looks_and_can_change_nothing(
    people: People, ann: Person, tried: str
) -> None:
    reader = people.with_role("rosa", "reader", "tried/*")
    page = reader.see("/optimizations/3")
    assert page.status == 200
    assert not page.has_form("/do/optimizations/cancel/3")
    assert not reader.see("/optimizations/1").has_form(f"/do/alias/{tried}")
    assert reader.act("optimizations/cancel/3").status == 403
    assert reader.see(f"/optimize?version={tried}@1").status == 403
    assert reader.act(f"optimize/{tried}", revision="1", recipe="auto").status == 403
    other = people.with_role("otto", "reader", "other/*")
    for path in ("/optimizations/1", "/optimizations/1.json", "/optimizations/1/live",
                 f"/optimizations?model={tried}", f"/optimize?version={tried}@1"):  # fmt: skip
        assert other.see(path).status == 404, path
    assert other.act("optimizations/cancel/3").status == 404
    assert tried not in other.see("/optimizations").text


def test_it_is_cancelled_once(ann: Person, tried: str) -> None:
    page = ann.see("/optimizations/3")
    done = page.submit("/do/optimizations/cancel/3")
    assert f"The optimization of {tried}@4 is cancelled." in done.text
    assert ann.client.get("/optimizations/3.json").json()["optimization"]["state"] == "cancelled"
    assert not done.has_form("/do/optimizations/cancel/3")
    assert ann.act("optimizations/cancel/3").status == 409


def test_an_empty_list_tells_the_first_command(ann: Person) -> None:
    ann.commit("untried/net", {"model.onnx": graph(1)}, message="first")
    seen = ann.see("/optimizations?model=untried/net")
    assert "Nothing was optimized yet." in seen.text
    assert "yard optimize --yard" in seen.html


# -- the form --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def forest(yard: RemoteYard, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A classifier of real flowers, and other flowers to prove it with."""
    return _forest(yard, tmp_path_factory.mktemp("flowers"))


def _forest(yard: Any, folder: Path) -> str:
    import numpy as np
    from sklearn.datasets import load_breast_cancer
    from sklearn.ensemble import RandomForestClassifier

    inputs, target = load_breast_cancer(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(target))
    inputs, target = inputs[order], target[order]
    rows = [",".join([*(f"c{i}" for i in range(30)), "kind"])]
    rows += [",".join(map(str, [*row, kind])) for row, kind in
             zip(inputs[200:], target[200:], strict=True)]  # fmt: skip
    (folder / "cells.csv").write_text("\n".join(rows) + "\n")
    yard.commit("data/cells", folder / "cells.csv", kind="dataset", message="cells")
    made = RandomForestClassifier(30, random_state=0).fit(inputs[:200], target[:200])
    yard.commit("health/forest", made, message="30 trees", example=inputs[:3])
    return "health/forest"


def test_what_is_wrong_with_the_form_is_told_beside_it(ann: Person, forest: str) -> None:
    page = ann.see(f"/optimize?version={forest}@1")
    assert page.status == 200
    act = f"/do/optimize/{forest}"
    wrong: list[tuple[dict[str, str], str]] = [
        ({"text": "passes: [fly]"}, "there is no pass 'fly'"),
        ({"text": "passes: 3"}, "passes is a list"),
        ({"data": "no/such@1"}, "no/such"),
        ({"data": "/etc/passwd"}, "there is no dataset"),
        ({"budget": "soon"}, "is no time"),
        ({"trials": "0"}, "is not from 1"),
        ({"recipe": "../x"}, "there is no recipe"),
    ]
    for given, words in wrong:
        answer = page.submit(act, **given)
        assert answer.status == 422, given
        assert words in answer.text
        assert answer.has_form(act)
    again = page.submit(act, text="passes: [fly]", target="kind")
    assert ("text", "passes: [fly]") in again.form(act).fields
    assert ("target", "kind") in again.form(act).fields


def test_the_form_proposes_recipes(ann: Person, forest: str) -> None:
    page = ann.see(f"/optimize?version={forest}@1&recipe=small")
    assert ("recipe", "small") in page.form(f"/do/optimize/{forest}").fields
    told = ann.client.get(f"/optimize.json?version={forest}@1").json()
    assert {one["recipe"] for one in told["suggestions"]} & {"onnx", "trees", "fast", "auto"}
    assert "data/cells@1" in told["datasets"]
    assert "/optimize?version=health%2Fforest%401" in ann.see(f"/versions/{forest}@1").html


def test_a_forest_becomes_a_proved_graph_by_the_form(ann: Person, forest: str) -> None:
    page = ann.see(f"/optimize?version={forest}@1")
    begun = page.submit(
        f"/do/optimize/{forest}", recipe="onnx", data="data/cells@1", target="kind", trials="1",
        alias="candidate",
    )  # fmt: skip
    assert f"The optimization of {forest}@1 has begun." in begun.text
    path = f"{begun.path}.json"
    _until(lambda: ann.client.get(path).json()["optimization"]["state"] != "running")
    told = ann.client.get(path).json()["optimization"]
    assert told["state"] == "done", told
    assert told["candidates"][0]["version"] == 2, told
    assert ann.refs(forest)["candidate"] == ("alias", 2)
    seen = ann.see(begun.path)
    assert f"/versions/{forest}@2" in seen.links
    assert "better" in seen.text
    assert "Which inputs matter, before and after" in seen.text
    inputs = ann.client.get(path).json()["mattering"]["2"]["inputs"]
    assert len(inputs) == 20
    assert inputs[0]["before"] == pytest.approx(inputs[0]["after"], abs=0.02)
    version = ann.see(f"/versions/{forest}@2")
    assert f"{begun.path}?trial=" in version.html
    lineage = ann.see(f"/lineage/{forest}@2")
    assert "to-onnx" in lineage.text
    assert 'class="note-on"' in lineage.html


def _until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + _PATIENCE
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.5)
