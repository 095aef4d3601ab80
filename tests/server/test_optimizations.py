"""Optimizations of a real server: run by it, run elsewhere, cancelled, taken up again."""

from __future__ import annotations

import json
import signal
import time
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.server.running import Running, running
from tests.server.test_access_api import given

from modelyard.client.remote import RemoteYard
from modelyard.core.optimization import Goal, Recipe, Step
from modelyard.errors import Conflict, Denied, InvalidInput, NotFound, Unavailable, Unsupported
from modelyard.optimization.recipes.reading import check_recipe
from modelyard.registry import open_yard

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from modelyard.core.optimization import Optimization

pytestmark = pytest.mark.slow

SOON = 120.0
SHORT = "name: short\nobjective: [quality max]\nbudget: {trials: 3}\npasses: [tune]\n"
LONG = "name: long\nobjective: [quality max]\nbudget: {trials: 500}\npasses: [tune]\n"


def fill(folder: Path) -> None:
    """A bad model of irises, and irises."""
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression

    iris = load_iris(as_frame=True)
    data = folder.parent / "iris.csv"
    iris.frame.rename(columns={"target": "kind"}).to_csv(data, index=False)
    with open_yard(folder) as yard:
        model = LogisticRegression(C=0.001).fit(iris.data[::2], iris.target[::2])
        yard.commit("flowers/iris", model, example=iris.data[:4])
        yard.commit("data/iris", data, kind="dataset")


@contextmanager
def served(folder: Path) -> Iterator[tuple[Running, RemoteYard]]:
    with running(folder) as server:
        fill(folder)
        with RemoteYard.at(server.url, token=server.token) as yard:
            yield server, yard


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, RemoteYard]]:
    with served(tmp_path_factory.mktemp("optimized") / "yard") as found:
        yield found


def begun(yard: RemoteYard, recipe: str = SHORT, **rest: Any) -> Optimization:
    said: dict[str, Any] = {"data": "data/iris@1", "target": "kind", **rest}
    return yard.optimizations.start("flowers/iris", 1, recipe=recipe, **said)


def until(yard: RemoteYard, key: int, *states: str, trials: int = 0) -> Optimization:
    limit = time.monotonic() + SOON
    while True:
        found = yard.optimizations.get(key)
        if found.state in states and found.done >= trials:
            return found
        assert time.monotonic() < limit, found
        assert found.state in ("running", "stopped", *states), found.reasons
        time.sleep(0.2)


def test_a_server_improves_a_version_in_the_name_of_who_asked(
    site: tuple[Running, RemoteYard],
) -> None:
    _, yard = site
    asked = begun(yard, alias="candidate")
    assert (asked.state, asked.number, asked.alias) == ("running", 1, "candidate")
    found = until(yard, asked.id, "done")
    assert found.done == 3
    assert found.published, found.reasons
    made = yard.resolve("flowers/iris", "candidate")
    assert made.number == found.published[0]
    assert made.author == found.who
    assert found.recipe.data == "data/iris@1"
    assert [trial.state for trial in yard.optimizations.trials(asked.id)] == ["done"] * 3
    kinds = {edge.kind for edge in yard.show("flowers/iris", made.number).lineage}
    assert "tuned-from" in kinds


def test_its_progress_is_streamed_until_it_ends(site: tuple[Running, RemoteYard]) -> None:
    server, yard = site
    asked = begun(yard, SHORT.replace("trials: 3", "trials: 2"), seed=5)
    events: list[tuple[str, Any]] = []
    path = f"/api/v1/optimizations/{asked.id}/stream"
    with server.client() as client, client.stream("GET", path, timeout=SOON) as answer:
        name = ""
        for line in answer.iter_lines():
            if line.startswith("event: "):
                name = line[7:]
            elif line.startswith("data: "):
                events.append((name, json.loads(line[6:])))
    last = [content for name, content in events if name == "optimization"][-1]
    assert last["state"] == "done"
    trials = {content["number"]: content for name, content in events if name == "trial"}
    assert {content["state"] for content in trials.values()} == {"done"}
    assert sorted(trials) == [0, 1]


def test_one_that_is_cancelled_ends_soon_and_publishes_nothing(
    site: tuple[Running, RemoteYard],
) -> None:
    _, yard = site
    versions = yard.resolve("flowers/iris", "latest").number
    asked = begun(yard, LONG)
    until(yard, asked.id, "running", trials=1)
    assert yard.optimizations.cancel(asked.id).state == "cancelled"
    again = begun(yard, SHORT, seed=9)  # its turn comes once the other one has ended
    assert until(yard, again.id, "done").state == "done"
    found = yard.optimizations.get(asked.id)
    assert (found.state, found.published) == ("cancelled", ())
    assert found.sentence == "flowers/iris@1: cancelled"
    assert yard.resolve("flowers/iris", "latest").number <= versions + 3


@pytest.mark.parametrize("data", ["/etc/passwd", "~", "iris.csv", "data/iris@9", "nobody/knows@1"])
def test_a_server_reads_none_of_its_own_files_for_others(
    site: tuple[Running, RemoteYard], data: str
) -> None:
    _, yard = site
    before = [each.id for each in yard.optimizations.list()]
    for recipe, said in ((SHORT, {"data": data}), (f"{SHORT}data: {data!r}\n", {"data": None})):
        with pytest.raises(NotFound):
            begun(yard, recipe, **said)
    assert [each.id for each in yard.optimizations.list()] == before


@pytest.mark.parametrize("recipe", ["/etc/passwd", "yard.toml", "nothing"])
def test_a_recipe_is_a_known_one_or_is_sent(site: tuple[Running, RemoteYard], recipe: str) -> None:
    with pytest.raises(NotFound, match="there is no recipe"):
        begun(site[1], recipe)


def test_a_recipe_that_makes_no_sense_is_refused(site: tuple[Running, RemoteYard]) -> None:
    with pytest.raises(InvalidInput) as caught:
        begun(site[1], SHORT.replace("tune", "magic"))
    assert caught.value.kind == "no-pass"


def test_readers_look_and_writers_improve(site: tuple[Running, RemoteYard]) -> None:
    server, yard = site
    key = next(iter(yard.optimizations.list())).id
    with server.client() as client:
        token = given(client, "rea", "flowers/*")
    with RemoteYard.at(server.url, token=token) as other:
        assert other.optimizations.get(key).id == key
        assert other.optimizations.trials(key)
        assert other.optimizations.get(key).recipe.data is None
        assert {one.recipe.data for one in other.optimizations.list()} == {None}
        with server.client(token=token) as client:
            paths = (f"/api/v1/optimizations/{key}", f"/optimizations/{key}", "/optimizations")
            told = [client.get(path).text for path in paths]
        assert all("flowers/iris" in text for text in told)
        assert not [text for text in told if "data/iris" in text]
        with pytest.raises(Denied):
            other.optimizations.start("flowers/iris", 1, recipe=SHORT)
        with pytest.raises(Denied):
            other.optimizations.cancel(key)
        recipe = Recipe(name="x", steps=(Step("tune"),), goals=(Goal.parse("quality max"),))
        with pytest.raises(Denied):
            other.optimizations.begin("flowers/iris", 1, recipe)


def test_it_can_be_run_on_another_machine_too(
    site: tuple[Running, RemoteYard], tmp_path: Path
) -> None:
    from modelyard.optimization.running import optimize

    _, yard = site
    told: list[int] = []
    found = optimize(
        yard, "flowers/iris", 1, recipe=SHORT, data="data/iris@1", target="kind", seed=3,
        progress=lambda now, _trials: told.append(now.done),
    )  # fmt: skip
    assert found.state == "done"
    assert found.done == 3
    assert told[-1] == 3
    kept = yard.optimizations.get(found.id)
    assert (kept.state, kept.published, kept.sentence) == (
        "done", found.published, found.sentence
    )  # fmt: skip


def test_nobody_else_says_what_a_server_is_to_read(site: tuple[Running, RemoteYard]) -> None:
    _, yard = site
    asked = begun(yard, LONG)
    other = replace(asked, recipe=replace(asked.recipe, data="/etc/passwd"), state="stopped")
    with pytest.raises(Conflict) as caught:
        yard.optimizations.keep(other)
    assert caught.value.kind == "optimization-served"
    with pytest.raises(Conflict):
        yard.optimizations.claim(asked.id)
    assert yard.optimizations.get(asked.id).recipe.data == "data/iris@1"
    yard.optimizations.cancel(asked.id)


def test_whose_data_is_hidden_is_not_taken_up_by_others(
    site: tuple[Running, RemoteYard],
) -> None:
    server, yard = site
    recipe = Recipe(name="x", steps=(Step("tune"),), goals=(Goal.parse("quality max"),),
                    data="data/iris@1", target="kind")  # fmt: skip
    made = yard.optimizations.begin("flowers/iris", 1, recipe)
    said = "broke on data/iris@1"
    assert yard.optimizations.keep(replace(made, state="stopped", sentence=said))
    with server.client() as client:
        one = given(client, "una", "flowers/*", "writer")
        other = given(client, "ben", "*", "writer")
    with RemoteYard.at(server.url, token=one) as writer:
        assert writer.optimizations.get(made.id).recipe.data is None
        with pytest.raises(Denied) as caught:
            writer.optimizations.claim(made.id)
        assert caught.value.kind == "not-allowed"
        assert "iris" not in str(caught.value)
    assert yard.optimizations.get(made.id).state == "stopped"
    with RemoteYard.at(server.url, token=other) as reader_too:
        assert reader_too.optimizations.claim(made.id).recipe.data == "data/iris@1"
    yard.optimizations.cancel(made.id)


def test_files_of_a_version_do_not_name_the_dataset(site: tuple[Running, RemoteYard]) -> None:
    _, yard = site
    found = next(one for one in yard.optimizations.list() if one.published)
    text = yard.open("flowers/iris", found.published[0], "recipe.yaml").read().decode()
    assert found.recipe.data == "data/iris@1"
    assert "target: kind" in text
    assert "data" not in text


def test_a_server_that_was_given_no_cluster_says_so(site: tuple[Running, RemoteYard]) -> None:
    server, yard = site
    with pytest.raises(Unsupported) as caught:
        begun(yard, engine="ray")
    assert caught.value.kind == "no-cluster"
    with server.client() as client:
        form = client.get("/optimize?version=flowers/iris@1").text
    assert 'value="local"' in form
    assert 'value="ray"' not in form


def test_who_began_it_and_on_what_is_not_changed_from_elsewhere(
    site: tuple[Running, RemoteYard],
) -> None:
    kept = site[1].optimizations
    recipe = Recipe(name="x", steps=(Step("tune"),), goals=(Goal.parse("quality max"),))
    made = kept.begin("flowers/iris", 1, recipe)
    assert kept.keep(replace(made, who="somebody else", number=7, model="data/iris"))
    found = kept.get(made.id)
    assert (found.who, found.title) == (made.who, "flowers/iris@1")
    kept.cancel(made.id)


def test_recipes_and_suggestions_are_told(site: tuple[Running, RemoteYard]) -> None:
    server, _ = site
    with server.client() as client:
        recipes = client.get("/api/v1/recipes").json()
        assert {"auto", "small", "tune"} <= {each["name"] for each in recipes}
        found = client.get("/api/v1/models/flowers%2Firis/versions/1/suggestions").json()
        assert found
        assert all(0 <= each["score"] <= 1 for each in found)


def test_what_a_stopped_server_left_is_gone_on_with_when_it_comes_back(tmp_path: Path) -> None:
    folder = tmp_path / "yard"
    with served(folder) as (server, yard):
        asked = begun(yard, LONG.replace("500", "12"))
        until(yard, asked.id, "running", trials=2)
        token = server.token
        assert server.stop() == 0
    with open_yard(folder) as local:
        left = local.optimizations.get(asked.id)
        assert left.state == "stopped"
        assert 2 <= left.done < 12
    with running(folder) as again, RemoteYard.at(again.url, token=token) as yard:
        found = until(yard, asked.id, "done")
        assert found.done == 12
        assert found.who == left.who
        trials = yard.optimizations.trials(asked.id)
        assert [trial.number for trial in trials] == list(range(12))


def test_what_a_killed_server_left_is_gone_on_with_too(tmp_path: Path) -> None:
    folder = tmp_path / "yard"
    with served(folder) as (server, yard):
        asked = begun(yard, LONG.replace("500", "8"))
        until(yard, asked.id, "running", trials=1)
        token = server.token
        server.process.send_signal(signal.SIGKILL)
        server.process.wait(30)
    with running(folder) as again, RemoteYard.at(again.url, token=token) as yard:
        assert until(yard, asked.id, "done").done == 8


def test_nobody_is_sent_to_a_cluster_of_somebody_else(site: tuple[Running, RemoteYard]) -> None:
    recipe = Recipe(name="x", steps=(Step("tune"),), goals=(Goal.parse("quality max"),))
    with pytest.raises(InvalidInput):
        site[1].optimizations.begin("flowers/iris", 1, recipe, engine="ray@evil:6379")


def test_one_account_does_not_occupy_a_server(site: tuple[Running, RemoteYard]) -> None:
    server, yard = site
    with pytest.raises(InvalidInput, match="10000 trials at most"):
        begun(yard, LONG.replace("500", "100000"))
    with server.client() as client:
        token = given(client, "wim", "*", "writer")
    with RemoteYard.at(server.url, token=token) as other:
        asked = [begun(other, LONG, seed=seed) for seed in range(3)]
        with pytest.raises(Unavailable, match="3 of yours"):
            begun(other, LONG, seed=4)
        assert asked[0].recipe.seconds == 7 * 86_400
        for each in asked[1:]:
            yard.optimizations.cancel(each.id)
        yard.optimizations.cancel(asked[0].id)
        with pytest.raises(Conflict) as caught:  # over, but still known as the server's
            yard.optimizations.keep(asked[0])
        assert caught.value.kind == "optimization-served"


def test_a_file_of_the_server_looks_like_no_dataset(site: tuple[Running, RemoteYard]) -> None:
    said = []
    for data in ("/etc/passwd", "/etc/nothing"):
        with pytest.raises(NotFound) as caught:
            begun(site[1], data=data)
        said.append(str(caught.value).replace(data, ""))
    assert said[0] == said[1]


def test_what_nobody_could_show_is_not_kept() -> None:
    deep: Any = 1
    for _ in range(400):
        deep = [deep]
    with pytest.raises(InvalidInput):
        check_recipe(Recipe(name="deep", steps=(Step("tune", {"x": deep}),), goals=()))
    with pytest.raises(InvalidInput):
        check_recipe(Recipe(name="own", steps=(Step("fly"),), goals=()))
    check_recipe(Recipe(name="auto", steps=(), goals=()))
