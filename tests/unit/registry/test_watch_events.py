"""Anomalies in the catalog: one that lasts is one event, whichever servers see it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from modelyard.core.access import Account, Caller, Grant
from modelyard.core.deployment import DeploymentSpec, Share
from modelyard.core.monitoring import Anomaly
from modelyard.errors import NotFound
from modelyard.registry.local import LocalYard
from modelyard.registry.watching.events import drop_events, events, keep_events
from modelyard.registry.watching.seeing import watched

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BEGUN = datetime(2026, 11, 22, 12, tzinfo=UTC)


class Scale:
    """A model of our own."""

    def predict(self, inputs: Any) -> Any:
        return 2.0 * inputs


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalYard]:
    folder: Path = tmp_path_factory.mktemp("events")
    with LocalYard.create(folder / "yard", author="ann") as yard:
        for model in ("own/m", "other/m"):
            yard.commit(model, Scale())
            share = Share(model=model, revision="1", percent=100)
            name = model.partition("/")[0]
            yard.deployments.apply(DeploymentSpec(name=name, trusted=("*",), shares=(share,)))
        yield yard


def anomaly(**changes: Any) -> Anomaly:
    made = Anomaly(
        id=0, time=BEGUN, deployment="own", kind="error-burst", severity="warning",
        words="9 of 10 requests failed", number=1, evidence={"share": 0.9}, until=BEGUN, count=9,
    )  # fmt: skip
    return replace(made, **changes)


@pytest.fixture
def key(served: LocalYard) -> Iterator[int]:
    """Of the deployment `own`."""
    yield watched(served.house, "own").id
    drop_events(served.house, datetime(2100, 1, 1, tzinfo=UTC))


def told(yard: LocalYard, name: str | None = None, before: int | None = None) -> list[Anomaly]:
    return list(events(yard.house, name, before))


def test_what_is_kept_is_told_with_its_evidence(served: LocalYard, key: int) -> None:
    (kept,) = keep_events(served.house, key, [anomaly()])
    assert kept.id > 0
    assert told(served, "own") == [kept]
    assert kept == anomaly(id=kept.id)


def test_nothing_found_is_nothing_kept(served: LocalYard, key: int) -> None:
    assert keep_events(served.house, key, []) == []
    assert told(served, "own") == []


def test_an_incident_that_lasts_is_one_event_that_grows(served: LocalYard, key: int) -> None:
    (first,) = keep_events(served.house, key, [anomaly()])
    later = BEGUN + timedelta(minutes=10)
    (second,) = keep_events(
        served.house, key, [anomaly(until=later, count=40, severity="critical", words="worse")]
    )
    assert second.id == first.id
    assert (second.time, second.until, second.count) == (BEGUN, later, 40)
    assert (second.severity, second.words) == ("critical", "worse")
    assert told(served, "own") == [second]


def test_the_same_telling_twice_changes_nothing(served: LocalYard, key: int) -> None:
    first = keep_events(served.house, key, [anomaly()])
    assert keep_events(served.house, key, [anomaly()]) == first
    assert told(served, "own") == first


def test_two_servers_that_see_the_same_thing_make_one_event(served: LocalYard, key: int) -> None:
    keep_events(served.house, key, [anomaly(count=9)])
    other = BEGUN + timedelta(seconds=2)
    keep_events(served.house, key, [anomaly(time=other, until=other, count=5)])
    later = BEGUN + timedelta(seconds=30)
    keep_events(served.house, key, [anomaly(until=later, count=12)])
    (event,) = told(served, "own")
    assert (event.count, event.time, event.until) == (17, BEGUN, later)


def test_after_a_quiet_minute_it_is_another_event(served: LocalYard, key: int) -> None:
    keep_events(served.house, key, [anomaly()])
    later = BEGUN + timedelta(minutes=3)
    keep_events(served.house, key, [anomaly(time=later, until=later)])
    assert [event.time for event in told(served, "own")] == [later, BEGUN]


@pytest.mark.parametrize(
    "other", [{"kind": "overload"}, {"number": 2}, {"client": "10.0.0.1"}], ids=str
)
def test_other_things_at_the_same_time_are_other_events(
    served: LocalYard, key: int, other: dict[str, Any]
) -> None:
    keep_events(served.house, key, [anomaly(), anomaly(**other)])
    assert len(told(served, "own")) == 2


def test_what_is_told_less_bad_again_stays_as_bad_as_it_was(served: LocalYard, key: int) -> None:
    keep_events(served.house, key, [anomaly(severity="critical", words="bad")])
    keep_events(served.house, key, [anomaly(severity="info", words="fine", count=10)])
    (event,) = told(served, "own")
    assert (event.severity, event.words, event.count) == ("critical", "bad", 10)


def test_events_come_newest_first_and_page_by_page(served: LocalYard, key: int) -> None:
    kept = keep_events(served.house, key, [anomaly(client=f"c{i}") for i in range(130)])
    assert [event.client for event in told(served, "own")] == [f"c{i}" for i in range(129, -1, -1)]
    assert [event.client for event in told(served, "own", kept[2].id)] == ["c1", "c0"]


def test_old_events_are_dropped(served: LocalYard, key: int) -> None:
    later = BEGUN + timedelta(days=1)
    keep_events(served.house, key, [anomaly(), anomaly(client="x", until=later)])
    assert drop_events(served.house, BEGUN + timedelta(hours=1)) == 1
    assert [event.client for event in told(served, "own")] == ["x"]


def test_all_means_all_that_the_caller_may_see(served: LocalYard, key: int) -> None:
    theirs = watched(served.house, "other").id
    keep_events(served.house, key, [anomaly()])
    keep_events(served.house, theirs, [anomaly(deployment="other")])
    assert [event.deployment for event in told(served)] == ["other", "own"]
    grant = Grant(pattern="own/*", role="reader")
    house = served.house.on_behalf_of(Caller(account=Account(id=7, name="bob"), grants=(grant,)))
    assert [event.deployment for event in events(house)] == ["own"]
    with pytest.raises(NotFound) as caught:
        list(events(house, "other"))
    assert caught.value.kind == "no-deployment"
