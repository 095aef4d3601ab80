"""What happened lately, and bytes, as those see it who may read some models only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from modelyard.errors import InvalidInput
from modelyard.registry import access
from modelyard.registry.access.desk import Desk
from modelyard.registry.activity import Sought, activity, newer
from modelyard.registry.volumes import volumes_of

if TYPE_CHECKING:
    from pathlib import Path

    from modelyard.registry.house import House
    from modelyard.registry.local import LocalYard

ALL = Sought()


@pytest.fixture
def full(yard: LocalYard, tmp_path: Path) -> LocalYard:
    file = tmp_path / "w.bin"
    for model, content in (("a/one", 1), ("a/one", 2), ("b/secret", 2), ("b/secret", 3)):
        file.write_bytes(bytes([content]) * 200_000)
        yard.commit(model, file, message=f"{model} {content}")
    yard.alias("a/one", "champion", 1)
    yard.alias("a/one", "champion", 2)
    yard.label("a/one", add={"domain": "nlp"})
    desk = Desk(yard.house)
    desk.add_account("rea")
    desk.give_role("rea", "a/*", "reader")
    return yard


def _reader(yard: LocalYard) -> House:
    return yard.house.on_behalf_of(access.caller_of(yard.house, "rea"))


def _kinds(house: House, sought: Sought = ALL, limit: int = 50) -> list[str]:
    return [event.kind for event in activity(house, sought, limit=limit, before=None).items]


def test_the_newest_comes_first(full: LocalYard) -> None:
    assert _kinds(full.house)[:4] == [
        "label-changed", "ref-moved", "ref-created", "version-committed",
    ]  # fmt: skip
    ids = [event.id for event in activity(full.house, ALL, limit=50, before=None).items]
    assert ids == sorted(ids, reverse=True)


def test_pages_follow_each_other_without_a_gap(full: LocalYard) -> None:
    whole = [event.id for event in activity(full.house, ALL, limit=50, before=None).items]
    found: list[int] = []
    before = None
    while True:
        page = activity(full.house, ALL, limit=2, before=before)
        found += [event.id for event in page.items]
        if page.next is None:
            break
        before = int(page.next)
    assert found == whole


def test_a_kind_a_model_and_an_account_are_sifted_out(full: LocalYard) -> None:
    assert _kinds(full.house, Sought(kind="ref-moved")) == ["ref-moved"]
    assert _kinds(full.house, Sought(kind="ref-created")) == ["ref-created"]
    assert _kinds(full.house, Sought(kind="version-committed")) == ["version-committed"] * 4
    assert _kinds(full.house, Sought(model="b/secret")) == ["version-committed"] * 2
    assert _kinds(full.house, Sought(model="b/none")) == []
    assert _kinds(full.house, Sought(account="rea")) == []
    with pytest.raises(InvalidInput):
        _kinds(full.house, Sought(kind="party"))


def test_a_renamed_model_is_found_by_both_names(full: LocalYard) -> None:
    full.rename("b/secret", "b/open")
    assert _kinds(full.house, Sought(model="b/open")) == _kinds(
        full.house, Sought(model="b/secret")
    )


def test_who_may_not_read_a_model_hears_nothing_of_it(full: LocalYard) -> None:
    found = activity(_reader(full), ALL, limit=50, before=None)
    assert {event.model for event in found.items} == {"a/one"}
    assert "secret" not in repr(found)
    assert _kinds(_reader(full), Sought(model="b/secret")) == []
    assert newer(_reader(full), Sought(model="b/secret"), after=0, most=99) == 0


def test_news_are_counted_up_to_a_bound(full: LocalYard) -> None:
    newest = activity(full.house, ALL, limit=1, before=None).items[0].id
    assert newer(full.house, ALL, after=newest, most=9) == 0
    full.alias("a/one", "champion", 1)
    assert newer(full.house, ALL, after=newest, most=9) == 1
    assert newer(full.house, ALL, after=0, most=3) == 3


def test_bytes_are_own_or_shared(full: LocalYard) -> None:
    found = {item.model: item for item in volumes_of(full.house).items}
    assert (found["a/one"].own, found["a/one"].shared) == (200_000, 200_000)
    assert (found["b/secret"].own, found["b/secret"].shared) == (200_000, 200_000)


def test_sharing_with_a_hidden_model_is_not_told(full: LocalYard) -> None:
    found = volumes_of(_reader(full))
    assert [(item.model, item.own, item.shared) for item in found.items] == [("a/one", 400_000, 0)]
    assert not found.is_whole
    assert found.grown[-1].versions == 2
    assert "secret" not in repr(found)


def test_the_yard_grew_to_what_it_is(full: LocalYard) -> None:
    found = volumes_of(full.house)
    assert found.grown[-1].logical == found.whole.logical
    assert found.grown[-1].versions == 4
