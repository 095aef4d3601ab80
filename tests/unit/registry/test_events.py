"""The feed of events of a yard in a folder."""

from __future__ import annotations

import inspect
import re
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import pytest

from modelyard.catalog.queries import audit, garbage, models
from modelyard.core.events import KIND_OF, KINDS, Event, EventKind, wanted
from modelyard.errors import InvalidInput
from modelyard.registry import replay
from modelyard.registry.events import events

if TYPE_CHECKING:
    import sqlalchemy as sa

    from modelyard.registry.local import LocalYard


@pytest.fixture
def lived(yard: LocalYard, tmp_path: Path) -> LocalYard:
    """A yard in which something of every kind happened to a model."""
    file = tmp_path / "model.txt"
    for at in (1, 2):
        file.write_text(f"weights {at}")
        yard.commit("vision/a", file, message=f"number {at}")
    yard.alias("vision/a", "prod", 1)
    yard.alias("vision/a", "prod", 2)
    yard.rollback("vision/a", "prod")
    yard.delete_ref("vision/a", "prod")
    yard.label("vision/a", add={"task": "sort"})
    yard.label("vision/a", 2, add={"good": "yes"})
    yard.rename("vision/a", "vision/b")
    yard.delete_version("vision/b", 2)
    yard.restore("vision/b", 2)
    yard.delete_model("vision/b")
    yard.restore("vision/b")
    return yard


def test_every_line_is_told_once_and_in_order(lived: LocalYard) -> None:
    found = list(events(lived.house))
    assert [event.kind for event in found] == [
        "version-committed", "version-committed", "ref-created", "ref-moved", "ref-moved",
        "ref-deleted", "label-changed", "label-changed", "model-renamed",
        *(event.kind for event in found[9:]),
    ]  # fmt: skip
    assert {"version-deleted", "version-restored", "model-deleted", "model-restored"} <= {
        event.kind for event in found
    }
    assert [event.id for event in found] == sorted({event.id for event in found})
    assert list(events(lived.house, after=found[4].id)) == found[5:]


def test_an_event_tells_what_it_is_about(lived: LocalYard) -> None:
    second, prod, back, label, renamed = (list(events(lived.house))[at] for at in (1, 2, 4, 7, 8))
    assert (second.subject, second.ref, second.old, second.new) == ("vision/b@2", "main", 1, 2)
    assert second.detail["message"] == "number 2"
    assert (prod.ref_kind, prod.old, prod.new) == ("alias", None, 1)
    assert (back.old, back.new, back.detail["reason"]) == (2, 1, "rollback")
    assert (label.number, label.detail["add"]) == (2, {"good": "yes"})
    assert renamed.detail == {"to": "vision/b", "from": "vision/a"}


def test_only_what_is_wanted_and_readable_is_told(lived: LocalYard, tmp_path: Path) -> None:
    lived.commit("text/c", tmp_path / "model.txt")
    found = list(events(lived.house, wanted=wanted(["version-committed"], "text/*")))
    assert [event.subject for event in found] == ["text/c@1"]
    assert not list(events(lived.house, wanted=wanted((), "vision/a")))
    seen = list(events(lived.house, readable=lambda name: name == "text/c"))
    assert {event.model for event in seen} == {"text/c"}


def test_an_old_name_is_told_to_those_alone_who_may_read_it(lived: LocalYard) -> None:
    seen = list(events(lived.house, readable=lambda name: name == "vision/b"))
    assert "vision/a" not in repr(seen)


@pytest.mark.parametrize(("kinds", "pattern"), [(["ping"], "*"), (["x"], "*"), ((), "a/b/*")])
def test_what_stands_for_no_events_is_refused(kinds: list[str], pattern: str) -> None:
    with pytest.raises(InvalidInput):
        wanted(kinds, pattern)


def test_every_operation_of_the_journal_has_a_kind() -> None:
    steps = re.findall(r'"([a-z-]+)": self\._', inspect.getsource(replay))
    assert len(steps) > 10
    assert set(steps) - {"ref"} <= set(KIND_OF)
    assert set(KINDS) == set(get_args(EventKind))


def test_the_page_of_events_tells_every_kind_and_field() -> None:
    page = (Path(__file__).parents[3] / "docs/reference/events.md").read_text()
    for kind, text in KINDS.items():
        assert f"| `{kind}` | {text} |" in page
    for field in fields(Event):
        assert f"`{field.name}`" in page


def test_nothing_is_told_of_a_model_that_is_gone_for_good(lived: LocalYard, tmp_path: Path) -> None:
    lived.commit("text/c", tmp_path / "model.txt", message="plan b")
    lived.delete_model("text/c")
    (gone,) = [m.name for m in lived.models(deleted=True)]
    assert gone == "text/c"

    def forget(connection: sa.Connection) -> None:
        keys = [row.id for row in models.listed(connection, deleted=True)]
        garbage.drop_models(connection, keys)
        audit.add(connection, audit.AuditRow(1, "forget-model", keys[0], "gc", detail=None))

    lived.house.catalog.write(forget)
    everything = list(events(lived.house))
    assert everything[-1].kind == "model-forgotten"
    assert "plan b" not in repr(everything)
    seen = list(events(lived.house, readable=lambda _: True))
    assert "model-forgotten" not in {event.kind for event in seen}
