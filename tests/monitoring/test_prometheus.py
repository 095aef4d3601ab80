"""A real server, scraped by a real Prometheus: names, bounds, traces, and every dashboard."""

from __future__ import annotations

import itertools
import json
import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_open
from tests.monitoring.loans import NAME, make_loans, people, play, until_ready
from tests.server.running import running
from tests.services.prometheus import Prometheus, installed, promtool

from modelyard.monitoring.export.boards import BOARDS
from modelyard.monitoring.export.grafana import grafana_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import httpx2

pytestmark = pytest.mark.slow
TRACE = "0af7651916cd43dd8448eb211c80319c"
MOST = 2000


@pytest.fixture(scope="module")
def watched(
    tmp_path_factory: pytest.TempPathFactory, require: Callable[[str, object], None]
) -> Iterator[tuple[Prometheus, httpx2.Client]]:
    """A server with moved traffic whose truth is told, and a Prometheus that scrapes it."""
    require("prometheus", installed())
    folder = tmp_path_factory.mktemp("watched")
    make_loans(folder / "yard")
    over = threading.Event()
    with running(folder / "yard") as server, server.client() as client:
        until_ready(client)
        host = server.url.removeprefix("http://")
        with Prometheus(folder, {"yard": [host]}, token=server.token) as prometheus:
            inputs, paid = people(3000, 3, moved=1.0)
            truths: list[dict[str, Any]] = []
            for at, (request, _) in enumerate(play(client, inputs)):
                truths.append({"request": request, "truth": paid[at * 50 : at * 50 + 50].tolist()})
            sent = client.post(f"/api/v1/deployments/{NAME}/feedback", json=truths)
            assert sent.status_code == 200, sent.text
            thread = threading.Thread(target=_go_on, args=(client, over), daemon=True)
            thread.start()
            yield prometheus, client
            over.set()
            thread.join(30)


def _go_on(client: httpx2.Client, over: threading.Event) -> None:
    for seed in itertools.count(10):  # the same people again and again would look like drift
        inputs, _ = people(1000, seed, moved=1.0)
        inputs[0, 1] = 900.0  # years
        for _ in play(client, inputs, traceparent=f"00-{TRACE}-b7ad6b7169203331-01"):
            if over.wait(0.05):
                return
        client.post(f"/predict/{NAME}", json={"columns": {"income": ["no"]}})


def asked(expression: str) -> str:
    """As Grafana would ask, with its variables filled in."""
    for name, value in {
        "$__rate_interval": "10s", "$deployment": NAME, "$version": ".*",
    }.items():  # fmt: skip
        expression = expression.replace(name, value)
    return expression


def test_promtool_finds_nothing_to_object_to(watched: tuple[Prometheus, httpx2.Client]) -> None:
    prometheus, client = watched
    prometheus.until('up{job="yard"} == 1')
    prometheus.until("modelyard_realized_accuracy")
    text = client.get("/metrics").text
    code, told = promtool("check", "metrics", text=text)
    assert (code, told) == (0, "")
    samples = [line for line in text.splitlines() if not line.startswith("#")]
    assert len(samples) <= MOST


QUERIES = [
    pytest.param(query.expr, id=f"{board.uid}-{heading}-{panel.title}-{place}".replace(" ", "-"))
    for board in BOARDS
    for heading, panels in board.rows
    for panel in panels
    for place, query in enumerate(panel.queries)
]  # fmt: skip


@pytest.mark.parametrize("expression", QUERIES)
def test_every_panel_has_data(watched: tuple[Prometheus, httpx2.Client], expression: str) -> None:
    prometheus, _ = watched
    samples = prometheus.until(asked(expression), seconds=60)
    assert any(np.isfinite(float(sample["value"][1])) for sample in samples)


def test_what_is_told_is_what_happened(watched: tuple[Prometheus, httpx2.Client]) -> None:
    prometheus, _ = watched
    of = f'deployment="{NAME}"'
    prometheus.until(f'modelyard_feature_drift_score{{{of},feature="income"}} >= 1')
    assert prometheus.value(f'modelyard_feature_drift_score{{{of},feature="debts"}}') < 1
    realized = prometheus.value(f"modelyard_realized_accuracy{{{of}}}")
    expected = prometheus.value(f"modelyard_estimated_accuracy{{{of}}}")
    assert abs(realized - expected) < 0.05
    assert prometheus.value(f"modelyard_labelled_rows{{{of}}}") == 3000
    assert prometheus.value(f'sum(modelyard_inference_requests_total{{{of},outcome="ok"}})') >= 60
    odd = f'modelyard_data_quality_violations_total{{{of},kind="out-of-range"}}'
    prometheus.until(f"{odd} > 0")


def test_traces_are_examples_of_slow_requests(watched: tuple[Prometheus, httpx2.Client]) -> None:
    prometheus, client = watched
    text = client.get("/metrics", headers={"accept": "application/openmetrics-text"}).text
    assert {family.name for family in parse_open(text)} >= {"modelyard_inference_requests"}
    end = time.monotonic() + 30
    while not (
        found := prometheus.exemplars("modelyard_inference_request_duration_seconds_bucket")
    ):
        assert time.monotonic() < end
        time.sleep(0.2)
    assert {e["labels"]["trace_id"] for one in found for e in one["exemplars"]} == {TRACE}


def test_dashboards_are_well_made() -> None:
    files = grafana_files()
    boards = [json.loads(text) for name, text in files.items() if name.endswith(".json")]
    assert len({board["uid"] for board in boards}) == len(BOARDS)
    for board in boards:
        panels = board["panels"]
        assert len({panel["id"] for panel in panels}) == len(panels)
        cells: set[tuple[int, int]] = set()
        for panel in panels:
            place = panel["gridPos"]
            own = {(place["x"] + x, place["y"] + y)
                   for x in range(place["w"]) for y in range(place["h"])}  # fmt: skip
            assert not own & cells, f"{panel['title']} lies over another"
            assert place["x"] + place["w"] <= 24
            cells |= own
            for target in panel.get("targets", ()):
                assert target["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        names = [variable["name"] for variable in board["templating"]["list"]]
        assert names[0] == "datasource"
        for panel in panels:
            for target in panel.get("targets", ()):
                assert "$deployment" not in target["expr"] or "deployment" in names


def test_every_expression_is_one_of_a_rule(tmp_path: Any) -> None:
    if not installed():
        pytest.skip("promtool is not here")
    rules = [{"record": f"panel:{place}", "expr": asked(query.values[0])}
             for place, query in enumerate(QUERIES)]  # fmt: skip
    (tmp_path / "rules.yml").write_text(json.dumps({"groups": [{"name": "all", "rules": rules}]}))
    code, told = promtool("check", "rules", "rules.yml", folder=tmp_path)
    assert code == 0, told
