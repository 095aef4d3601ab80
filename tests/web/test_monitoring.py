"""Monitoring through pages without JavaScript: looked at, silenced, ruled; and hidden."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.web.shown_models import graph

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.web.acting import People, Person

pytestmark = pytest.mark.slow

_PATIENCE = 30.0


@pytest.fixture(scope="module")
def asked(ann: Person) -> str:
    """A deployment that was asked, with a rule that fires as soon as that is so."""
    name = "asked"
    ann.commit("watched/net", {"model.onnx": graph(1)}, message="first")
    assert ann.see("/deploy?version=watched/net@1").submit("/do/deploy", name=name).status == 200
    _until(lambda: ann.told(f"/deployments/{name}")["state"] == "ready")
    rules = "rules:\n  busy:\n    when: request_rate > 0\n    severity: critical\n"
    page = ann.see(f"/deployments/{name}/rules")
    assert "rules of asked are changed" in page.submit(f"/do/rules/set/{name}", text=rules).text
    rows = np.random.default_rng(3).normal(0, 1, (60, 4)).round(3).tolist()
    for _ in range(20):
        told = ann.api.post(f"/predict/{name}", json={"rows": rows})
        assert told.status_code == 200, told.text
    _until(lambda: _rows(ann, name) >= 1200 and bool(_page(ann, name)["alerts"]))
    return name


def test_the_page_tells_of_speed_data_and_alerts(ann: Person, asked: str) -> None:
    seen = ann.see(f"/deployments/{asked}/monitoring")
    assert "critical" in seen.text
    assert "busy" in seen.text
    assert "Requests per second" in seen.text
    assert "watched/net@1" in seen.text
    page = _page(ann, asked)
    assert [one["name"] for one in page["charts"]][:4] == [
        "rate", "latency", "errors", "saturation",
    ]  # fmt: skip
    assert page["versions"][0]["kind"] == "stable"
    assert page["versions"][0]["seen"]["performance"]["requests"] >= 20
    assert any(value for line in page["charts"][0]["lines"] for value in line["values"])
    assert page["moments"], "deploying it is marked"


def test_the_first_rows_become_what_it_is_compared_with(ann: Person, asked: str) -> None:
    _until(lambda: _page(ann, asked)["reference"] is not None)
    assert _page(ann, asked)["reference"]["source"] == "traffic"
    _until(lambda: _page(ann, asked)["features"] != [])
    assert "Compared with" in ann.see(f"/deployments/{asked}/monitoring").text


def test_a_window_is_chosen_by_name_or_in_a_chart(ann: Person, asked: str) -> None:
    base = f"/deployments/{asked}/monitoring"
    now = int(time.time())
    for query in ("window=7d", f"since={now - 600}&until={now}", f"since={now - 600}"):
        page = ann.client.get(f"{base}.json?{query}").json()
        assert page["versions"][0]["seen"]["performance"]["requests"] >= 20, query
    before = ann.client.get(f"{base}.json?since={now - 9000}&until={now - 7200}").json()
    assert before["versions"][0]["seen"]["performance"]["requests"] == 0
    assert "Nobody asked it in this window." in ann.see(f"{base}?since=1000&until=4000").text
    for query in (
        "window=2h",
        "since=20&until=10",
        "since=nan",
        "since=x",
        "version=watched/net@9",
    ):
        assert ann.see(f"{base}?{query}").status in (404, 422), query


def test_the_fleet_shows_the_worst_first(ann: Person, asked: str) -> None:
    ann.commit("watched/quiet", {"model.onnx": graph(1)}, message="first")
    ann.see("/deploy?version=watched/quiet@1").submit("/do/deploy", name="rests-here")
    fleet = _twin(ann, "/monitoring")
    names = [one["deployment"] for one in fleet["items"]]
    assert names.index(asked) < names.index("rests-here")
    assert fleet["items"][0]["verdict"] == "critical"
    only = ann.client.get("/monitoring.json?only=quiet").json()
    assert {one["verdict"] for one in only["items"]} == {"quiet"}
    assert "rests-here" in ann.see("/monitoring?only=quiet").text


def test_an_alert_is_silenced_and_told_of_again(ann: Person, asked: str) -> None:
    page = ann.see("/alerts")
    assert f"/deployments/{asked}/monitoring" in page.links
    seen = page.submit(f"/do/silence/{asked}", holding={"rule": "busy"})
    assert f"Nobody is told of busy of {asked}" in seen.text
    inbox = _twin(ann, "/alerts")
    assert [one["rule"] for one in inbox["silences"]] == ["busy"]
    assert [one["alert"]["rule"] for one in inbox["firing"] if one["alert"]["silenced"]] == ["busy"]
    assert "People are told again." in seen.undo().text
    assert _twin(ann, "/alerts")["silences"] == []

    form = ann.see(f"/alerts?of={asked}")
    form.submit(f"/do/silence/{asked}", holding={"reason": ""}, rule="",
                span="8h", reason="maintenance")  # fmt: skip
    (silence,) = _twin(ann, "/alerts")["silences"]
    assert (silence["rule"], silence["reason"]) == ("", "maintenance")
    assert "People are told again." in ann.act(f"unsilence/{silence['id']}").text


def test_the_deployment_tells_of_its_alerts_too(ann: Person, asked: str) -> None:
    assert f"/deployments/{asked}/monitoring" in ann.see(f"/deployments/{asked}").links
    assert " alert" in ann.see(f"/deployments/{asked}").text
    assert f"/deployments/{asked}/monitoring" in ann.see("/deployments").links


def test_rules_are_shown_changed_and_dropped(ann: Person, asked: str) -> None:
    path = f"/deployments/{asked}/rules"
    page = ann.see(path)
    assert "They were written for this deployment." in page.text
    wrong = page.submit(f"/do/rules/set/{asked}", text="rules:\n  x:\n    when: nothing > <b>\n")
    assert wrong.status == 422
    assert "when: nothing" in wrong.html
    assert "<b>\n" not in wrong.html
    assert "busy" in ann.see(path).text

    dropped = page.submit(f"/do/rules/drop/{asked}")
    assert "no rules of its own" in dropped.text
    assert "These are the rules that every deployment has." in ann.see(path).text
    assert _twin(ann, path)["rules"]["source"] == "default"
    dropped.undo()
    assert _twin(ann, path)["rules"]["source"] == "deployment"
    assert "busy" in ann.see(path).text


def test_a_reader_looks_and_changes_nothing(people: People, ann: Person, asked: str) -> None:
    eve = people.with_role("eve-watches", "reader", "watched/*")
    for path in (f"/deployments/{asked}/monitoring", f"/deployments/{asked}/rules", "/alerts"):
        page = eve.see(path)
        assert page.status == 200, path
        assert not [f for f in page.forms if "/do/rules" in f.action or "silence" in f.action]
    assert asked in eve.see("/monitoring").text
    assert eve.act(f"silence/{asked}", rule="").status == 403
    assert eve.act(f"rules/set/{asked}", text="rules: {}").status == 403
    assert eve.act(f"rules/drop/{asked}").status == 403


def test_who_may_not_read_the_model_sees_nothing_of_it(people: People, asked: str) -> None:
    eve = people.with_role("eve-elsewhere", "reader", "nothing/*")
    for path in ("monitoring", "rules", "monitoring/live"):
        assert eve.see(f"/deployments/{asked}/{path}").status == 404, path
        assert eve.see(f"/deployments/never-was/{path}").status == 404, path
    for path in ("/monitoring", "/alerts", "/anomalies"):
        seen = eve.see(path)
        assert seen.status == 200
        assert asked not in seen.html
    assert eve.see(f"/alerts?of={asked}").status == 404
    assert eve.act(f"silence/{asked}", rule="").status == 404
    assert eve.act(f"rules/set/{asked}", text="rules: {}").status == 404


def _twin(ann: Person, path: str) -> dict[str, Any]:
    """A page's value."""
    answer = ann.client.get(f"{path}.json")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def _page(ann: Person, name: str) -> dict[str, Any]:
    return _twin(ann, f"/deployments/{name}/monitoring")


def _rows(ann: Person, name: str) -> int:
    return sum(one["seen"]["performance"]["rows"] for one in _page(ann, name)["versions"])


def _until(so: Callable[[], bool]) -> None:
    limit = time.monotonic() + _PATIENCE
    while not so():
        assert time.monotonic() < limit
        time.sleep(0.2)
