"""Attacks and faults, played to a real server by real clients: each is told, and no more."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.server.running import Running, running
from tests.server.test_access_api import given

import modelyard
from modelyard.registry import create

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import httpx2

    from modelyard.core.monitoring import Anomaly
    from modelyard.core.watching import Monitoring

pytestmark = pytest.mark.slow

NAMES = ("income", "age", "debt", "years", "rent", "score")
SECRET = "income"
FAULTS = (
    "import time\n"
    "def check(outputs):\n"
    "    if (outputs['y'] > 180).any():\n"
    "        raise RuntimeError('a planted fault')\n"
    "    if (outputs['y'] > 80).any():\n"
    "        time.sleep(0.05)\n"
    "    return outputs\n"
)


class World:
    """People who ask for credit: six correlated numbers."""

    def __init__(self) -> None:
        self.random = np.random.default_rng(3)
        self._mix = self.random.normal(size=(6, 6)) * 0.3 + np.eye(6)
        self.weights = self.random.normal(size=6)

    def rows(self, count: int) -> Any:
        return self.random.normal(size=(count, 6)) @ self._mix

    def truth(self, rows: Any) -> Any:
        chance = 1 / (1 + np.exp(-rows @ self.weights))
        return np.where(self.random.random(len(rows)) < chance, "good", "bad")


def doubling(folder: Path) -> Path:
    """A model that doubles numbers; it is slow above 40, and fails above 90."""
    import onnx
    from onnx import TensorProto, helper

    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "x"], ["y"])], "doubling",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 1])],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(model, folder / "model.onnx")
    (folder / "serving.yaml").write_text("postprocess: hooks.py:check\n")
    (folder / "hooks.py").write_text(FAULTS)
    return folder


@pytest.fixture(scope="module")
def world() -> World:
    return World()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, world: World) -> Iterator[Running]:
    import pandas as pd
    from sklearn.linear_model import LogisticRegression

    place = tmp_path_factory.mktemp("attacks")
    rows = world.rows(4000)
    table, truth = pd.DataFrame(rows, columns=list(NAMES)), world.truth(rows)
    model = LogisticRegression().fit(table, truth)
    table.assign(truth=truth).to_csv(place / "data.csv", index=False)
    with create(place / "yard") as yard:
        yard.commit("credit", model, example=table[:3])
        modelyard.watch(yard).make_profile("credit", 1, place / "data.csv", target="truth")
        yard.commit("doubling", doubling(place / "doubling"))
    with running(place / "yard") as one:
        yield one


@pytest.fixture(scope="module")
def api(server: Running) -> Iterator[httpx2.Client]:
    with server.client() as client:
        yield client


@pytest.fixture(scope="module")
def watch(server: Running) -> Iterator[Monitoring]:
    with modelyard.open(server.url, token=server.token) as yard:
        yield modelyard.watch(yard)


def deploy(api: httpx2.Client, name: str, model: str, **more: Any) -> None:
    share = {"model": model, "revision": "1", "percent": 100}
    wish = {"shares": [share], "trusted": ["hooks.check"]} | more
    made = api.put(f"/api/v1/deployments/{name}", json=wish)
    assert made.status_code == 200, made.text
    until(lambda: api.get(f"/v2/models/{name}/ready").status_code == 200, 60)


def until(what: Callable[[], Any], seconds: float = 20.0) -> Any:
    limit = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < limit, "it did not come"
        time.sleep(0.1)
    return found


def told(watch: Monitoring, name: str, kind: str, seconds: float = 60.0) -> Anomaly:
    """The event of this kind, once it is there."""
    found = until(lambda: [a for a in watch.anomalies(name) if a.kind == kind], seconds)
    assert len(found) == 1, "one incident is one event"
    return found[0]


def kinds(watch: Monitoring, name: str) -> set[tuple[str, str | None]]:
    """But for slowness: who else uses this machine makes it slow."""
    found = {(each.kind, each.client) for each in watch.anomalies(name)}
    return found - {("latency-shift", None)}


def ask(client: httpx2.Client, name: str, rows: Any) -> None:
    records = [dict(zip(NAMES, map(float, row), strict=True)) for row in rows]
    answer = client.post(f"/predict/{name}", json={"records": records})
    assert answer.status_code == 200, answer.text


def double(client: httpx2.Client, name: str, number: float) -> int:
    row = {"name": "x", "shape": [1, 1], "datatype": "FP32", "data": [number]}
    return client.post(f"/v2/models/{name}/infer", json={"inputs": [row]}).status_code


def people(
    server: Running, api: httpx2.Client, world: World, name: str, seconds: float,
    beside: Callable[[], None] = lambda: None,
) -> None:  # fmt: skip
    """Three clients who use a deployment as it is meant; and what happens beside.

    For so many seconds, and eight times a second: on a busy machine it takes longer.
    """
    tokens = [given(api, who, "*") for who in ("ann", "bob", "cleo")]
    clients = [server.client(token=token) for token in tokens]
    limit, turns = time.monotonic() + seconds, 0
    while time.monotonic() < limit or turns < 8 * seconds:
        turns += 1
        for client in clients:
            ask(client, name, world.rows(int(world.random.integers(1, 9))))
        beside()
        time.sleep(0.05)
    for client in clients:
        client.close()


def test_people_who_use_a_deployment_are_no_event(
    server: Running, api: httpx2.Client, watch: Monitoring, world: World
) -> None:
    deploy(api, "used", "credit")
    mistakes = iter(range(4))

    def mistake() -> None:
        if next(mistakes, None) is not None:
            api.post("/predict/used", json={"records": [{"income": "much"}]})

    people(server, api, world, "used", 12, mistake)
    time.sleep(2)
    assert kinds(watch, "used") == set()


def test_who_steals_a_model_with_rows_from_everywhere_is_told_and_nobody_else(
    server: Running, api: httpx2.Client, watch: Monitoring, world: World
) -> None:
    deploy(api, "stolen", "credit", redact=[SECRET])
    with server.client(token=given(api, "eve", "*")) as eve:
        steal = lambda: ask(eve, "stolen", world.random.uniform(-4, 4, (16, 6)))  # noqa: E731
        people(server, api, world, "stolen", 8, steal)
    anomaly = told(watch, "stolen", "extraction")
    assert (anomaly.client, anomaly.number) == ("eve", 1)
    assert {client for _, client in kinds(watch, "stolen")} == {"eve"}
    strange = told(watch, "stolen", "out-of-distribution")
    example = strange.evidence["examples"][0]["inputs"]
    assert example[SECRET] == "redacted"
    assert isinstance(example["age"], float)


def test_who_asks_beside_the_same_rows_is_told(
    server: Running, api: httpx2.Client, watch: Monitoring, world: World
) -> None:
    deploy(api, "copied", "credit")
    seeds = world.rows(5)
    with server.client(token=given(api, "eve", "*")) as eve:

        def steal() -> None:
            around = seeds[world.random.integers(0, 5, 16)]
            ask(eve, "copied", around + world.random.normal(size=(16, 6)) * 0.05)

        people(server, api, world, "copied", 8, steal)
    assert told(watch, "copied", "extraction").client == "eve"
    assert kinds(watch, "copied") == {("extraction", "eve")}


def test_who_probes_what_is_taken_is_told(
    server: Running, api: httpx2.Client, watch: Monitoring
) -> None:
    deploy(api, "probed", "credit")
    with server.client(token=given(api, "eve", "*")) as eve:
        for number in range(12):
            eve.post("/v2/models/probed/infer", content=b"{")
            eve.post("/predict/probed", json={"records": [{"income": "x" * number}]})
            eve.post("/predict/probed/versions/99", json={"records": []})
    anomaly = told(watch, "probed", "probing")
    assert anomaly.client == "eve"
    assert anomaly.count >= 20
    assert len(anomaly.evidence["kinds"]) == 3


def test_who_sends_what_can_not_be_read_is_told(
    server: Running, api: httpx2.Client, watch: Monitoring
) -> None:
    deploy(api, "abused", "credit")
    with server.client(token=given(api, "eve", "*")) as eve:
        for _ in range(30):
            eve.post("/v2/models/abused/infer", content=b"{")
    anomaly = told(watch, "abused", "schema-abuse")
    assert (anomaly.client, set(anomaly.evidence["kinds"])) == ("eve", {"bad-request"})
    assert anomaly.count >= 20


def test_who_may_not_ask_and_whose_bodies_are_too_large_are_told(
    server: Running, api: httpx2.Client, watch: Monitoring
) -> None:
    deploy(api, "guarded", "credit", limits={"body": 2000})
    with server.client(token="") as nobody:
        for _ in range(15):
            assert nobody.post("/predict/guarded", json={}).status_code == 401
    with server.client(token=given(api, "max", "*")) as large:
        for _ in range(4):
            assert large.post("/predict/guarded", content=b" " * 3000).status_code == 413
    assert told(watch, "guarded", "auth-failures").client == "127.0.0.1"
    anomaly = told(watch, "guarded", "oversized-bodies")
    assert (anomaly.client, anomaly.evidence["largest"]) == ("max", 3000)


def test_a_version_that_begins_to_fail_is_told_within_seconds(
    api: httpx2.Client, watch: Monitoring
) -> None:
    deploy(api, "failing", "doubling")
    for _ in range(300):
        assert double(api, "failing", 1) == 200
    assert kinds(watch, "failing") == set()
    begun = time.monotonic()
    for _ in range(20):
        assert double(api, "failing", 99) >= 500
    anomaly = told(watch, "failing", "error-burst")
    assert time.monotonic() - begun < 4
    assert (anomaly.number, anomaly.client) == (1, None)
    assert sum(anomaly.evidence["kinds"].values()) >= 5


def test_more_than_can_be_answered_is_told(
    server: Running, api: httpx2.Client, watch: Monitoring
) -> None:
    deploy(api, "busy", "doubling", limits={"queue_rows": 4, "deadline": 1.0})
    over = time.monotonic() + 5

    def hammer() -> None:
        with server.client() as own:
            while time.monotonic() < over:
                double(own, "busy", 50)

    threads = [threading.Thread(target=hammer) for _ in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    anomaly = told(watch, "busy", "overload")
    assert anomaly.evidence["rejected"] >= 10
