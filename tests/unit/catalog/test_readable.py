"""What SQL says somebody may read is what `core.access` says."""

from __future__ import annotations

import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from modelyard.catalog.queries.readable import readable, sees_all
from modelyard.catalog.schema import model
from modelyard.core.access import NOBODY, ROLES, Account, Caller, Grant

NAMES = ["a/x", "a/y", "a_/x", "ab/x", "x", "a", "A/x", "b/x", "a%/x"]
PATTERNS = ["*", "a/*", "a_/*", "b/*", "ab/*", "a/x", "x", "a", "A/x"]
ENGINE = sa.create_engine("sqlite://")
model.create(ENGINE)
with ENGINE.begin() as filling:
    filling.execute(
        sa.insert(model),
        [{"name": name, "kind": "model", "description": "", "next_number": 1, "created": 0,
          "updated": 0, "deleted": 0} for name in NAMES],
    )  # fmt: skip

GRANTS = st.lists(
    st.builds(Grant, st.sampled_from(PATTERNS), st.sampled_from(ROLES)), max_size=6
).map(tuple)
ONLY = st.lists(st.sampled_from(PATTERNS), max_size=3).map(tuple)


@settings(max_examples=500, deadline=None)
@given(grants=GRANTS, ceiling=st.sampled_from(ROLES), only=ONLY)
def test_sql_and_python_agree_on_what_may_be_read(
    grants: tuple[Grant, ...], ceiling: str, only: tuple[str, ...]
) -> None:
    caller = Caller(
        account=Account(id=1, name="ann"), grants=grants,
        ceiling=ceiling, only=only,  # type: ignore[arg-type]
    )  # fmt: skip
    where = readable(caller)
    statement = sa.select(model.c.name)
    with ENGINE.connect() as connection:
        found = set(connection.scalars(statement if where is None else statement.where(where)))
    assert found == {name for name in NAMES if caller.may(name, "reader")}


def test_whoever_has_the_folder_sees_all_and_a_stranger_nothing() -> None:
    assert sees_all(NOBODY)
    stranger = Caller(account=None)
    assert not sees_all(stranger)
    with ENGINE.connect() as connection:
        where = readable(stranger)
        assert where is not None
        assert connection.scalars(sa.select(model.c.name).where(where)).all() == []
