"""Writes that wait for no disk of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from modelyard.catalog.queries import facts, repeats
from modelyard.catalog.queries.repeats import RepeatRow
from modelyard.registry import create

if TYPE_CHECKING:
    from pathlib import Path

    from modelyard.registry.local import LocalYard


def _synchronous(yard: LocalYard) -> int:
    def look(connection: object) -> int:
        return int(connection.exec_driver_sql("PRAGMA synchronous").scalar_one())  # type: ignore[attr-defined]

    return yard.house.catalog.write(look)


def test_a_soft_write_is_seen_at_once_and_the_next_write_is_as_durable_as_ever(
    yard: LocalYard,
) -> None:
    catalog = yard.house.catalog
    for _ in range(3):
        catalog.write_soft(lambda connection: facts.put(connection, "soft", "yes"))
        with catalog.fresh() as connection:
            assert facts.get(connection, "soft") == "yes"
        assert _synchronous(yard) == 2, "FULL"


def test_what_fails_in_a_soft_write_is_undone(yard: LocalYard) -> None:
    def work(connection: object) -> None:
        facts.put(connection, "soft", "no")  # type: ignore[arg-type]
        raise ValueError("undone")

    with pytest.raises(ValueError, match="undone"):
        yard.house.catalog.write_soft(work)
    with yard.house.catalog.fresh() as connection:
        assert facts.get(connection, "soft") is None


def test_an_answer_is_for_the_request_that_began_then(yard) -> None:
    catalog = yard.house.catalog
    row = RepeatRow(7, "key", b"x" * 32, 0, "{}", b"", 5)
    assert catalog.write_soft(lambda connection: repeats.begin(connection, row)) is None
    undone = row._replace(status=409, created=4)
    catalog.write_soft(lambda connection: repeats.answer(connection, [undone]))
    catalog.write_soft(lambda connection: repeats.drop(connection, undone))
    with catalog.fresh() as connection:
        assert repeats.get(connection, row) == row


@pytest.mark.slow
@pytest.mark.parametrize("database", ["postgres_url", "mariadb_url"])
def test_every_database_has_them(
    request: pytest.FixtureRequest, tmp_path: Path, database: str
) -> None:
    with create(tmp_path / "yard", catalog=request.getfixturevalue(database)) as yard:
        catalog = yard.house.catalog
        catalog.write_soft(lambda connection: facts.put(connection, "soft", "yes"))
        row = RepeatRow(7, "key", b"x" * 32, 0, "{}", b"", 5)
        assert catalog.write_soft(lambda connection: repeats.begin(connection, row)) is None
        assert catalog.write_soft(lambda connection: repeats.begin(connection, row)) == row
        answered = row._replace(status=201, body=b"made")
        catalog.write_soft(lambda connection: repeats.answer(connection, [answered]))
        assert catalog.write(lambda connection: repeats.begin(connection, row)) == answered
        assert not catalog.write(lambda connection: repeats.take_over(connection, row, 5))
