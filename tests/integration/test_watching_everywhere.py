"""What monitoring keeps in a catalog is the same on every database."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from modelyard.core.monitoring import Column, ProfileInfo, Schema
from modelyard.core.people import AuditFilter
from modelyard.registry import create
from modelyard.registry.access.trail import every_line
from modelyard.registry.watching import leases, profiles, tiles
from modelyard.registry.watching.tiles import TileRow

pytestmark = pytest.mark.slow


@pytest.fixture(params=["sqlite", "postgres_url", "mariadb_url"])
def house(request, tmp_path):
    name = request.param
    url = None if name == "sqlite" else request.getfixturevalue(name)
    with create(tmp_path / "yard", catalog=url) as yard:
        (tmp_path / "m.txt").write_text("a")
        yard.commit("m", tmp_path / "m.txt")
        yield yard.house


def row(start, *, server="one", body=b"a", rows=1, level=0, kind=0, number=1):
    return TileRow(7, 1, number, kind, level, start, server, rows, body)


def found(house, level, *, kind=0):
    return [
        (each.start, each.server, each.rows, each.body)
        for each in tiles.between(house, 7, 0, 10**9, kind=kind, level=level)
    ]


def test_a_tile_takes_the_place_of_its_older_self_and_of_no_other(house):
    tiles.keep(house, [row(60, body=b"old"), row(60, server="two"), row(0, number=2)])
    tiles.keep(house, [row(60, body=b"new", rows=5)])
    assert found(house, 0) == [(0, "one", 1, b"a"), (60, "one", 5, b"new"), (60, "two", 1, b"a")]
    assert [each.start for each in tiles.between(house, 7, 60, 61, kind=0, level=0)] == [60, 60]
    assert not tiles.between(house, 8, 0, 10**9, kind=0, level=0)


def test_truth_is_added_to_what_is_known(house):
    for more in (b"x", b"y"):
        tiles.add_truth(house, 7, 1, 1, [(60, 3, lambda old, more=more: (old or b"") + more)])
    assert found(house, 0, kind=tiles.TRUTH) == [(60, "", 3, b"xy")]


def test_old_minutes_become_hours_once(house):
    def merge(kind, model_id, number, bodies):
        assert (kind, model_id) == (0, 1)
        return b"+".join(bodies)

    tiles.keep(house, [row(3600 + 60 * n, body=b"%d" % n) for n in range(3)])
    tiles.keep(house, [row(3600, server="two", body=b"t"), row(7200, body=b"young")])
    assert tiles.roll_up(house, tiles.MINUTE, 7200, merge) == 4
    assert tiles.roll_up(house, tiles.MINUTE, 7200, merge) == 0
    ((start, server, rows, body),) = found(house, tiles.HOUR)
    assert (start, server, rows) == (3600, "", 4)
    assert sorted(body.split(b"+")) == [b"0", b"1", b"2", b"t"]
    assert [each[0] for each in found(house, tiles.MINUTE)] == [7200]
    tiles.keep(house, [row(3600 + 600, body=b"late")])  # a server was away
    assert tiles.roll_up(house, tiles.MINUTE, 7200, merge) == 1
    ((_, _, _, body),) = found(house, tiles.HOUR)
    assert sorted(body.split(b"+")) == [b"0", b"1", b"2", b"late", b"t"]
    assert tiles.drop(house, tiles.HOUR, 7200) == 1
    assert not found(house, tiles.HOUR)


def test_a_better_reference_stays_and_a_newer_one_of_its_kind_replaces(house):
    def info(source, rows):
        return ProfileInfo(
            model="m", number=1, created=datetime.now(UTC), source=source, rows=rows, data=None,
            data_digest=None, schema=Schema(columns=(Column(name="名", kind="number"),)),
        )  # fmt: skip

    assert profiles.get(house, "m", 1) is None
    profiles.keep(house, "m", 1, info("traffic", 1), b"1", replace=False)
    profiles.keep(house, "m", 1, info("traffic", 2), b"2", replace=False)
    assert profiles.get(house, "m", 1) == (profiles.get(house, "m", 1)[0], b"1")
    profiles.keep(house, "m", 1, info("data", 3), b"3")
    profiles.keep(house, "m", 1, info("evaluation", 4), b"4")
    profiles.keep(house, "m", 1, info("data", 5), b"5")
    kept, body = profiles.get(house, "m", 1)
    assert (kept.rows, kept.source, body) == (5, "data", b"5")
    assert kept.schema.columns[0].name == "名"
    # the audit log tells of it, but not of what was made of traffic
    told = [line.detail for line in every_line(house, AuditFilter(action="profile"))]
    assert [(each["model"], each["number"], each["source"], each["rows"]) for each in told] == [
        ("m", 1, "data", 5), ("m", 1, "data", 3),
    ]  # fmt: skip


def test_of_several_servers_one_has_a_lease_until_it_ends(house):
    assert leases.take(house, "monitoring", "one", 60)
    assert not leases.take(house, "monitoring", "two", 60)
    assert leases.take(house, "monitoring", "one", 0)
    assert leases.take(house, "monitoring", "two", 60)
    assert leases.take(house, "other", "one", 60)
