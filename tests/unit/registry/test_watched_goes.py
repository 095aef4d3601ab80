"""What was watched of a deployment is seen by who may read what it served, and goes with it."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from modelyard.catalog.queries import watch_answers
from modelyard.catalog.queries.watch_answers import AnswerRow, WaitingRow
from modelyard.core.access import Account, Caller, Grant
from modelyard.core.deployment import DeploymentSpec, Share
from modelyard.core.monitoring import Alert, Anomaly
from modelyard.registry.local import LocalYard
from modelyard.registry.watching import alerts, rules, silences
from modelyard.registry.watching.alerts import Changes, Key
from modelyard.registry.watching.events import events, events_within, keep_events
from modelyard.registry.watching.seeing import watched

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from modelyard.registry.house import House


class Scale:
    """A model of our own."""

    def predict(self, inputs: Any) -> Any:
        return 2.0 * inputs


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[LocalYard]:
    with LocalYard.create(tmp_path / "yard", author="ann") as yard:
        for model in ("secret/m", "own/m"):
            yard.commit(model, Scale())
        deploy(yard, "secret/m")
        yield yard


def deploy(yard: LocalYard, model: str, **more: Any) -> None:
    share = Share(model=model, revision="1")
    yard.deployments.apply(DeploymentSpec(name="svc", shares=(share,), trusted=("*",), **more))


def somebody(yard: LocalYard, *grants: Grant) -> LocalYard:
    return LocalYard(
        yard.house.on_behalf_of(Caller(account=Account(id=8, name="bob"), grants=grants))
    )


def attack(**changes: Any) -> Anomaly:
    now = datetime.now(UTC)
    made = Anomaly(
        id=0, time=now, until=now, deployment="svc", kind="extraction", severity="warning",
        number=1, client="al.ice@x", words="90 of 100 rows of al.ice@x are next to others",
        evidence={"rows": 100, "near": 90, "examples": [{"inputs": {"income": 5}}]},
    )  # fmt: skip
    return replace(made, **changes)


def alert(**changes: Any) -> Alert:
    made = Alert(
        id=0, deployment="svc", rule="attack", severity="critical", state="firing",
        since=datetime.now(UTC), until=None, value=1.0, threshold=0.5, subject="extraction",
        words="attack: 90 of 100 rows of al.ice@x are next to others",
        evidence={"client": "al.ice@x", "words": "90 of 100 rows of al.ice@x", "event": 3},
    )  # fmt: skip
    return replace(made, **changes)


def watch(house: House) -> int:
    """Let something be known of the deployment in each way."""
    key = watched(house, "svc").id
    keep_events(house, key, [attack()])
    fire(house, alert())
    rules.put(house, "svc", "rules: {}")
    silences.add(house, "svc", reason="old team")
    second = int(time.time())
    answer = AnswerRow(key, 1, 1, second, second, 1, 1, b"x", b"")
    row = WaitingRow(key, "r", 0, "1", second)
    house.catalog.write(lambda connection: watch_answers.add(connection, answer))
    house.catalog.write(lambda connection: watch_answers.add_waiting(connection, [row]))
    return key


def fire(house: House, fired: Alert, ahead: float = 0.0) -> None:
    key = Key(watched(house, "svc").id, fired.rule, fired.subject)
    alerts.apply(house, time.time() + ahead, Changes(fire=[(key, fired)]))


def test_who_deploys_under_a_name_that_was_undeployed_inherits_nothing(yard: LocalYard) -> None:
    key = watch(yard.house)
    yard.deployments.undeploy("svc")
    bob = somebody(yard, Grant("own/*", "writer"))
    deploy(bob, "own/m")
    assert watched(yard.house, "svc").id == key
    assert list(events(yard.house, "svc")) == list(alerts.listed(yard.house, "svc")) == []
    assert rules.kept(yard.house, key) is None
    assert silences.current(bob.house) == ()
    with yard.house.catalog.read() as connection:
        assert watch_answers.heads(connection, key) == []
        assert watch_answers.waiting_count(connection, key) == 0


def test_what_was_watched_is_gone_once_it_is_undeployed(yard: LocalYard) -> None:
    key = watch(yard.house)
    yard.deployments.undeploy("svc")
    assert rules.kept(yard.house, key) is None
    assert silences.current(yard.house) == ()
    with yard.house.catalog.read() as connection:
        assert watch_answers.heads(connection, key) == []


def test_what_servers_still_tell_of_a_hidden_model_is_not_told_its_successor(
    yard: LocalYard,
) -> None:
    yard.deployments.undeploy("svc")
    bob = somebody(yard, Grant("own/*", "writer"))
    deploy(bob, "own/m")
    keep_events(yard.house, watched(yard.house, "svc").id, [attack()])
    fire(yard.house, alert(model="secret/m", number=1))
    assert list(events(bob.house, "svc")) == list(alerts.listed(bob.house, "svc")) == []
    assert len(list(alerts.listed(yard.house, "svc"))) == 1


def test_a_deployment_that_gets_another_model_tells_nothing_of_one_that_is_hidden(
    yard: LocalYard,
) -> None:
    watch(yard.house)
    deploy(yard, "own/m")
    fire(yard.house, alert(subject="drift", model="own/m"))
    key, later = watched(yard.house, "svc").id, datetime.now(UTC) + timedelta(hours=1)
    keep_events(yard.house, key, [attack(time=later, until=later)])
    bob = somebody(yard, Grant("own/*", "reader"))
    early = datetime(2020, 1, 1, tzinfo=UTC)
    for told in (
        list(events(bob.house, "svc")), list(events(bob.house)),
        events_within(bob.house, "svc", early, datetime(2100, 1, 1, tzinfo=UTC), 100),
    ):  # fmt: skip
        assert [each.time for each in told] == [later]
    for name in ("svc", None):
        assert [each.subject for each in alerts.listed(bob.house, name)] == ["drift"]
        assert len(list(alerts.listed(yard.house, name))) == 2
    assert len(list(events(yard.house))) == 2


def test_an_alert_that_ended_is_still_about_its_model(yard: LocalYard) -> None:
    fire(yard.house, alert(model="secret/m"))
    ((_, firing),) = alerts.firing(yard.house).items()
    alerts.apply(yard.house, time.time(), Changes(end=[(firing, firing.alert)], seen_before=1e12))
    deploy(yard, "own/m")
    bob = somebody(yard, Grant("own/*", "reader"))
    assert list(alerts.listed(bob.house, "svc")) == []
    assert [each.state for each in alerts.listed(yard.house, "svc")] == ["resolved"]


def test_an_alert_about_no_model_is_about_what_was_served_just_now(yard: LocalYard) -> None:
    deploy(yard, "own/m")
    bob = somebody(yard, Grant("own/*", "reader"))
    fire(yard.house, alert())  # it may be about what was served half a minute ago
    assert list(alerts.listed(bob.house, "svc")) == []
    fire(yard.house, alert(), ahead=120)
    assert len(list(alerts.listed(bob.house, "svc"))) == 1


def test_readers_are_told_no_rows_and_not_who_asked(yard: LocalYard) -> None:
    watch(yard.house)
    bob = somebody(yard, Grant("secret/m", "reader"))
    early, late = datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
    for told in (
        *events(bob.house, "svc"), *events(bob.house),
        *events_within(bob.house, "svc", early, late, 100),
    ):  # fmt: skip
        assert told.client is None
        assert told.evidence == {"rows": 100, "near": 90}
        assert told.words == "90 of 100 rows of one client are next to others"
    (fired,) = alerts.listed(bob.house, "svc")
    assert fired.evidence == {"words": "90 of 100 rows of one client", "event": 3}
    assert fired.words == "attack: 90 of 100 rows of one client are next to others"


def test_readers_are_told_no_list_of_clients_and_no_rows_of_answers(yard: LocalYard) -> None:
    key = watched(yard.house, "svc").id
    evidence = {"clients": {"al.ice@x": 3}, "rows": [{"inputs": {"income": 5}}], "answers": 7}
    keep_events(yard.house, key, [attack(client=None, evidence=evidence)])
    (told,) = events(somebody(yard, Grant("secret/m", "reader")).house, "svc")
    assert told.evidence == {"answers": 7}


def test_who_may_change_a_deployment_is_told_all_of_it(yard: LocalYard) -> None:
    watch(yard.house)
    bob = somebody(yard, Grant("secret/m", "writer"))
    (told,) = events(bob.house, "svc")
    assert (told.client, told.evidence) == ("al.ice@x", attack().evidence)
    (fired,) = alerts.listed(bob.house, "svc")
    assert fired.evidence == alert().evidence


def test_who_may_write_one_of_two_models_is_a_reader_of_the_deployment(yard: LocalYard) -> None:
    shares = (
        Share(model="secret/m", revision="1", percent=50),
        Share(model="own/m", revision="1", percent=50),
    )
    yard.deployments.apply(DeploymentSpec(name="svc", shares=shares, trusted=("*",)))
    keep_events(yard.house, watched(yard.house, "svc").id, [attack()])
    bob = somebody(yard, Grant("secret/m", "writer"), Grant("own/m", "reader"))
    (told,) = events(bob.house, "svc")
    assert told.client is None
    assert "examples" not in told.evidence
