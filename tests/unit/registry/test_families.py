"""What a version came from and what came of it, and that nobody sees what they may not read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from modelyard.catalog.queries import edges, versions
from modelyard.core.manifest import Manifest
from modelyard.core.sources import sources_of
from modelyard.errors import InvalidInput
from modelyard.registry import access
from modelyard.registry.access.desk import Desk
from modelyard.registry.families import family
from modelyard.registry.lookup import find_model

if TYPE_CHECKING:
    from pathlib import Path

    import sqlalchemy as sa

    from modelyard.core.family import Family
    from modelyard.registry.house import House
    from modelyard.registry.local import LocalYard


class Shelf:
    """Commits whatever a test needs."""

    def __init__(self, yard: LocalYard, folder: Path) -> None:
        self.yard, self.folder, self.count = yard, folder, 0
        folder.mkdir()

    def put(self, model: str, *sources: str, kind: str = "trained-on") -> None:
        """A version, and that it came from these."""
        self.count += 1
        file = self.folder / f"{self.count}.txt"
        file.write_text(f"{self.count}")
        made = self.yard.commit(model, file, message=f"{model} {self.count}")
        manifest = Manifest(lineage=tuple({"kind": kind, "source": each} for each in sources))
        catalog = self.yard.house.catalog

        def work(connection: sa.Connection) -> None:
            row = find_model(connection, model)
            key = versions.by_number(connection, row.id, made.number)
            assert key is not None
            edges.insert(connection, key.id, sources_of(manifest))

        catalog.write(work)


@pytest.fixture
def shelf(yard: LocalYard, tmp_path: Path) -> Shelf:
    return Shelf(yard, tmp_path / "shelf")


def keys(found: Family) -> list[str]:
    return [member.key for member in found.members]


def seen(house: House, name: str) -> House:
    return house.on_behalf_of(access.caller_of(house, name))


def test_both_directions_over_several_models(shelf: Shelf, yard: LocalYard) -> None:
    shelf.put("data/wine")
    shelf.put("base", "data/wine@1")
    shelf.put("small", "base@1", kind="pruned-from")
    found = family(yard.house, "base", 1, back=2, ahead=2)
    assert keys(found) == ["data/wine@1", "base@1", "small@1"]
    assert [(x.source, x.target, x.kind) for x in found.links] == [
        ("data/wine@1", "base@1", "trained-on"), ("base@1", "small@1", "pruned-from"),
    ]  # fmt: skip
    assert [member.steps for member in found.members] == [-1, 0, 1]


def test_parents_are_followed_both_ways(shelf: Shelf, yard: LocalYard) -> None:
    for _ in range(4):
        shelf.put("m")
    assert keys(family(yard.house, "m", 2, back=1, ahead=1)) == ["m@1", "m@2", "m@3"]
    assert keys(family(yard.house, "m", 2, back=9, ahead=9)) == ["m@1", "m@2", "m@3", "m@4"]


def test_where_more_stands_is_told(shelf: Shelf, yard: LocalYard) -> None:
    for _ in range(5):
        shelf.put("m")
    found = family(yard.house, "m", 3, back=1, ahead=1)
    assert [member.key for member in found.members if member.more] == ["m@2", "m@4"]
    whole = family(yard.house, "m", 3, back=2, ahead=2)
    assert not any(member.more for member in whole.members)


def test_not_more_than_asked_for_and_it_says_so(shelf: Shelf, yard: LocalYard) -> None:
    shelf.put("data/wine")
    for number in range(9):
        shelf.put(f"m{number}", "data/wine@1")
    found = family(yard.house, "data/wine", 1, back=1, ahead=1, most=5)
    assert len(found.members) == 5
    assert found.cut


def test_what_may_not_be_read_is_not_there(shelf: Shelf, yard: LocalYard) -> None:
    shelf.put("secret/data")
    shelf.put("a/model", "secret/data@1", "gone/data@7", "https://example.org/x")
    shelf.put("secret/small", "a/model@1", kind="pruned-from")
    shelf.put("a/last", "secret/small@1", kind="tuned-from")
    desk = Desk(yard.house)
    desk.add_account("rea")
    desk.give_role("rea", "a/*", "reader")
    found = family(seen(yard.house, "rea"), "a/model", 1, back=3, ahead=3)
    assert keys(found) == ["https://example.org/x", "a/model@1"]
    assert "secret" not in repr(found)
    assert "gone" not in repr(found)
    assert not any(member.more for member in found.members)
    whole = family(yard.house, "a/model", 1, back=3, ahead=3)
    assert {"secret/data@1", "gone/data@7", "secret/small@1", "a/last@1"} <= set(keys(whole))


def test_a_hidden_model_of_a_readable_namespace_is_hidden(shelf: Shelf, yard: LocalYard) -> None:
    shelf.put("a/data")
    shelf.put("a/hidden", "a/data@1")
    desk = Desk(yard.house)
    desk.add_account("rea")
    desk.give_role("rea", "a/*", "reader")
    desk.give_role("rea", "a/hidden", "none")
    assert keys(family(seen(yard.house, "rea"), "a/data", 1, back=1, ahead=1)) == ["a/data@1"]


def test_a_renamed_source_is_still_found_from_both_ends(shelf: Shelf, yard: LocalYard) -> None:
    shelf.put("data/wine")
    shelf.put("m", "data/wine@1")
    yard.rename("data/wine", "data/drink")
    assert keys(family(yard.house, "m", 1, back=1, ahead=0)) == ["data/drink@1", "m@1"]
    assert keys(family(yard.house, "data/drink", 1, back=0, ahead=1)) == ["data/drink@1", "m@1"]


def test_what_was_deleted_is_still_a_source_and_nothing_came_of_it(
    shelf: Shelf, yard: LocalYard
) -> None:
    for _ in range(3):
        shelf.put("m")
    yard.alias("m", "champion", 3)
    yard.delete_version("m", 2)
    found = family(yard.house, "m", 3, back=3, ahead=0)
    assert keys(found) == ["m@1", "m@2", "m@3"]
    gone = found.member("m@2")
    assert gone is not None
    assert gone.version is not None
    assert gone.version.deleted is not None
    assert keys(family(yard.house, "m", 1, back=0, ahead=1)) == ["m@1"]


def test_the_same_data_by_digest_are_one_member(yard: LocalYard, tmp_path: Path) -> None:
    data = tmp_path / "wine.csv"
    data.write_text("a,y\n1,2\n")
    for name in ("one", "two"):
        (tmp_path / name).write_text(name)
        yard.commit(name, tmp_path / name, data=data)
    found = family(yard.house, "one", 1, back=1, ahead=0)
    assert [(m.title, m.kind) for m in found.members] == [
        ("wine.csv", "elsewhere"), ("one@1", "model"),
    ]  # fmt: skip


def test_a_dataset_is_told_apart(shelf: Shelf, yard: LocalYard) -> None:
    (shelf.folder / "d").write_text("1")
    yard.commit("data/set", shelf.folder / "d", kind="dataset")
    assert [m.kind for m in family(yard.house, "data/set", 1, back=0, ahead=0).members] == [
        "dataset"
    ]


def test_versions_of_thousands_of_models_are_looked_up(shelf: Shelf, yard: LocalYard) -> None:
    shelf.put("m")
    with yard.house.catalog.read() as connection:
        own = find_model(connection, "m").id
        wanted = [(key, 1) for key in range(1, 3000)]
        assert list(edges.versions_at(connection, wanted)) == [(own, 1)]


def test_too_many_steps_are_refused(shelf: Shelf, yard: LocalYard) -> None:
    shelf.put("m")
    with pytest.raises(InvalidInput):
        family(yard.house, "m", 1, back=99, ahead=0)


def test_lineage_survives_a_rebuild(shelf: Shelf, yard: LocalYard) -> None:
    shelf.put("data/wine")
    yard.commit("m", shelf.folder / "1.txt", data="data/wine@1")
    assert yard.verify(rebuild=True).ok
    assert keys(family(yard.house, "data/wine", 1, back=0, ahead=1)) == ["data/wine@1", "m@1"]
