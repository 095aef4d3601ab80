"""People are told once, together, again if it lasts, and not while there is a silence."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from modelyard.core.channels import NewChannel
from modelyard.core.deployment import DeploymentSpec, Share
from modelyard.core.hooks import Tried
from modelyard.errors import Conflict, InvalidInput, NotFound
from modelyard.monitoring.alerts import telling
from modelyard.monitoring.alerts.channels import Answered
from modelyard.monitoring.alerts.evaluator import Evaluator
from modelyard.monitoring.alerts.ruling import set_rules
from modelyard.monitoring.alerts.signals import Fact
from modelyard.monitoring.alerts.telling import Teller
from modelyard.registry.local import LocalYard
from modelyard.registry.watching import alerts, channels, silences

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOOK = NewChannel(name="hook", kind="webhook", address="https://ci.example.org/alerts")
RULES = """
defaults: false
rules:
  errors: {when: error_rate > 5%, severity: critical}
  drift: {when: drift_score >= 1, severity: warning}
  note: {when: dropped_rows > 0, severity: info}
"""


class Double:
    def predict(self, inputs: Any) -> Any:
        return 2 * inputs


class Post:
    """Takes letters, or not."""

    def __init__(self) -> None:
        self.letters: list[tuple[str, Any, Any]] = []
        self.status = 200
        self.closed: set[str] = set()

    def post(self, url: str, body: bytes, headers: Any) -> Answered:
        status = 503 if url in self.closed else self.status
        error = "" if status == 200 else "answered with status 503"
        if status == 200:
            self.letters.append((url, json.loads(body), headers))
        return Answered(Tried(status=status, error=error))

    def mail(self, relay: Any, password: Any, message: Any) -> Tried:
        self.letters.append(("mail", message, relay))
        return Tried(status=250)

    @property
    def told(self) -> list[tuple[str, list[tuple[str, str]]]]:
        """Of each letter its deployment, and what it says of each rule."""
        data = [letter[1]["data"] for letter in self.letters]
        return [
            (each["deployment"], [(a["rule"], a["state"]) for a in each["alerts"]]) for each in data
        ]


class Place:
    """A yard, its clock, and its post."""

    def __init__(self, yard: LocalYard) -> None:
        self.yard, self.post = yard, Post()
        self.evaluator = Evaluator(yard.house)
        self.teller = self.another()
        self.now = time.time()

    def another(self, name: str = "one") -> Teller:
        return Teller(self.yard.house, self.post, name, base="https://yard.example.org")

    def see(self, *facts: Fact, after: float = 1.0, fast: bool = True) -> None:
        self.now += after
        self.evaluator.tick(self.now, facts, fast=fast)

    def tell(self, teller: Teller | None = None, after: float = 0.0) -> list[Any]:
        """Look, and wait until all is sent; gives what was sent since."""
        one, before = teller or self.teller, len(self.post.letters)
        self.now += after
        one.look(self.now)
        limit = time.monotonic() + 10
        while one._busy and time.monotonic() < limit:
            time.sleep(0.005)
        assert not one._busy
        one.look(self.now)
        while one._busy:
            time.sleep(0.005)
        return self.post.told[before:]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with LocalYard.create(tmp_path / "yard", author="ann") as yard:
        yard.commit("own/m", Double())
        for name in ("svc", "two"):
            share = Share(model="own/m", revision="1")
            yard.deployments.apply(DeploymentSpec(name=name, trusted=("*",), shares=(share,)))
            set_rules(yard.house, name, RULES)
        channels.add(yard.house, HOOK)
        made = Place(yard)
        yield made
        made.teller.stop()


def failing(rate: float, name: str = "svc") -> Fact:
    return Fact(deployment=name, signal="error_rate", value=rate, rows=100, number=1)


def drifting(column: str, score: float = 2.0) -> Fact:
    return Fact(deployment="svc", signal="drift_score", value=score, rows=500, subject=column)


FIRED, OVER = ("errors", "firing"), ("errors", "resolved")


def test_people_are_told_once(place):
    place.see(failing(0.5))
    assert place.tell() == [("svc", [FIRED])]
    assert place.tell(after=60) == []
    assert place.tell(place.another("two")) == []


def test_that_it_is_over_is_told_too(place):
    place.see(failing(0.5))
    place.tell()
    place.see(failing(0.0), after=10)
    assert place.tell(after=40) == [("svc", [OVER])]
    assert place.tell(after=60) == []


def test_what_was_over_before_anybody_was_told_is_not_told(place):
    place.see(failing(0.5))
    place.see(failing(0.0), after=10)
    assert place.tell() == []
    assert place.tell(after=40) == []


def test_what_is_news_together_is_told_together(place):
    place.see(drifting("age"), drifting("income"), fast=False)
    place.see(failing(0.5, "two"))
    told = dict(place.tell())
    assert told == {"svc": [("drift", "firing")] * 2, "two": [FIRED]}


def test_a_storm_is_collected_but_what_is_worse_is_told_at_once(place):
    place.see(drifting("age"), fast=False)
    assert len(place.tell()) == 1
    place.see(drifting("age"), drifting("income"), fast=False)
    assert place.tell(after=1) == []
    place.see(failing(0.5))
    (told,) = place.tell(after=1)
    assert FIRED in told[1]
    place.see(drifting("age"), drifting("income"), drifting("zip"), fast=False)
    assert place.tell(after=2) == []
    assert place.tell(after=telling.TOGETHER) == [("svc", [("drift", "firing")])]


def test_what_lasts_is_told_again_and_is_no_repetition_to_who_remembers(place):
    place.see(failing(0.5))
    place.tell()
    place.see(failing(0.5), after=telling.REPEAT)
    assert place.tell(after=5) == [("svc", [FIRED])]
    assert place.tell(after=5) == []
    first, second = (letter[2]["webhook-id"] for letter in place.post.letters)
    assert first != second


def test_a_silence_keeps_it_until_it_ends(place):
    made = silences.add(place.yard.house, "svc", "errors", seconds=600)
    place.see(failing(0.5))
    assert place.tell() == []
    silences.remove(place.yard.house, made.id)
    assert place.tell() == [("svc", [FIRED])]


def test_a_silence_of_all_holds_for_all(place):
    silences.add(place.yard.house, "", seconds=600)
    place.see(failing(0.5), failing(0.5, "two"))
    assert place.tell() == []


def test_what_was_not_taken_is_sent_again_with_the_same_id(place, monkeypatch):
    place.post.closed.add(HOOK.address)
    sent = []
    monkeypatch.setattr(
        place.post, "post", lambda u, b, h, old=place.post.post: (sent.append(h), old(u, b, h))[1]
    )
    place.see(failing(0.5))
    assert place.tell() == []
    place.post.closed.clear()
    assert place.tell(after=0.1) == []  # not at once
    assert place.tell(after=2) == [("svc", [FIRED])]
    assert len({headers["webhook-id"] for headers in sent}) == 1


def test_one_channel_does_not_wait_for_another(place):
    channels.add(place.yard.house, NewChannel(name="b", kind="webhook", address="https://b.org/"))
    place.post.closed.add("https://b.org/")
    place.see(failing(0.5))
    assert len(place.tell()) == 1
    assert place.tell(after=3) == []  # the first has it
    place.post.closed.clear()
    assert len(place.tell(after=20)) == 1
    assert [letter[0] for letter in place.post.letters] == [HOOK.address, "https://b.org/"]


def test_who_goes_on_for_a_server_that_died_begins_anew(place):
    place.post.closed.add(HOOK.address)
    place.see(failing(0.5))
    place.tell()
    place.post.closed.clear()
    place.now = time.time()
    assert place.tell(place.another("two")) == []  # the first has the lease
    from modelyard.registry.watching import leases

    leases.take(place.yard.house, "telling", "one", -1)
    assert place.tell(place.another("two")) == [("svc", [FIRED])]


def test_channels_take_what_they_are_for(place):
    house = place.yard.house
    channels.remove(house, "hook")
    url = "https://x.org/"
    channels.add(
        house, NewChannel(name="a", kind="webhook", address=url + "a", severity="critical")
    )
    channels.add(house, NewChannel(name="b", kind="webhook", address=url + "b", pattern="tw*"))
    channels.add(house, NewChannel(name="c", kind="webhook", address=url + "c", severity="info"))
    dropped = Fact(deployment="svc", signal="dropped_rows", value=3, rows=9)
    place.see(drifting("age"), dropped, fast=False)
    place.see(failing(0.5), failing(0.5, "two"))
    place.tell()
    got: dict[str, set[str]] = {}
    for letter in place.post.letters:
        for alert in letter[1]["data"]["alerts"]:
            got.setdefault(letter[0][-1], set()).add(f"{alert['deployment']} {alert['rule']}")
    assert got == {
        "a": {"svc errors", "two errors"},
        "b": {"two errors"},
        "c": {"svc errors", "two errors", "svc drift", "svc note"},
    }


def test_without_channels_nothing_waits(place):
    channels.remove(place.yard.house, "hook")
    place.see(failing(0.5))
    assert place.tell() == []
    assert alerts.due(place.yard.house, place.now, repeat=3600, ago=3600) == []


def test_a_notice_leads_to_its_page_and_has_its_evidence(place):
    place.see(failing(0.5))
    place.tell()
    ((_, event, headers),) = place.post.letters
    assert event["type"] == "modelyard.alerts"
    data = event["data"]
    assert data["link"] == "https://yard.example.org/deployments/svc/monitoring"
    (alert,) = data["alerts"]
    assert alert["evidence"] == {"signal": "error_rate", "rows": 100}
    assert alert["link"].startswith("https://yard.example.org/alerts#alert-")
    assert headers["webhook-signature"].startswith("v1,")


def test_channels_are_made_listed_and_removed(place):
    house = place.yard.house
    made = channels.add(
        house, NewChannel(name="chat", kind="slack", address="https://s.org/T/SECRET")
    )
    assert made.secret is None
    assert made.channel.address == "https://s.org/..."
    assert [c.name for c in channels.listed(house)] == ["chat", "hook"]
    assert "SECRET" not in repr(channels.listed(house)) + repr(channels.reach(house, "chat"))
    with pytest.raises(Conflict):
        channels.add(house, NewChannel(name="chat", kind="slack", address="https://s.org/"))
    channels.remove(house, "chat")
    with pytest.raises(NotFound):
        channels.remove(house, "chat")


MAIL = {"kind": "email", "address": "a@b.org", "relay": "smtp://u@mx.b.org", "sender": "y@b.org",
        "secret": "pw"}  # fmt: skip


@pytest.mark.parametrize(
    "given",
    [
        {"name": "No"}, {"kind": "pigeon"}, {"pattern": "a b"}, {"severity": "bad"},
        {"secret": "mine"}, {"address": "ftp://x"}, {"address": "https://u:p@x.org/"},
        {"address": "https://x.org/a b"}, {"relay": "smtp://x"}, {"address": "https://x:99999999/"},
        {**MAIL, "address": "nobody"}, {**MAIL, "relay": None}, {**MAIL, "sender": "x"},
        {**MAIL, "relay": "smtp://u:p@x.org"}, {**MAIL, "relay": "http://u@x.org"},
        {**MAIL, "relay": "smtp+plain://u@x.org"}, {**MAIL, "secret": None},
        {**MAIL, "relay": "smtp://x.org"}, {**MAIL, "address": "a@b.org\r\nBcc: c@d.org"},
        {**MAIL, "secret": ""}, {**MAIL, "relay": "smtp://u@x.org/path"},
    ],
)  # fmt: skip
def test_what_is_no_channel_is_refused(place, given):
    new = NewChannel(**{"name": "x", "kind": "webhook", "address": "https://x.org/", **given})
    with pytest.raises(InvalidInput) as raised:
        channels.add(place.yard.house, new)
    assert raised.value.kind == "bad-channel"
