"""Which reference of a version holds: few rows replace no better knowledge."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from modelyard.core.monitoring import ProfileInfo
from modelyard.monitoring.observing import is_readable
from modelyard.monitoring.profiles import pack_profile, profile_from_rows
from modelyard.registry import create
from modelyard.registry.local_desk import LocalDesk
from modelyard.registry.watching import profiles


class Twice:
    def predict(self, x):
        return 2 * x


@pytest.fixture
def keep(tmp_path):
    """Keeps a reference of so many rows; gives source and rows of the one that holds then."""
    with create(tmp_path / "yard") as yard:
        yard.commit("m", Twice())
        desk = LocalDesk(yard.house)

        def kept(source, rows, body=None):
            x = np.random.default_rng(rows).normal(size=rows)
            profile = profile_from_rows({"x": x}, {"y": x})
            info = ProfileInfo(
                model="m", number=1, created=datetime.now(UTC), source=source, rows=rows,
                data=None, data_digest=None, schema=profile.schema,
            )  # fmt: skip
            found = desk.keep_profile(info, body or pack_profile(profile), is_readable)
            there, _ = profiles.get(yard.house, "m", 1)
            assert (there.source, there.rows) == (found.source, found.rows)
            return found.source, found.rows

        yield kept


@pytest.mark.parametrize("source", ["traffic", "evaluation"])
def test_an_evaluation_of_a_few_rows_replaces_no_reference_that_has_enough(keep, source):
    assert keep(source, 1_000) == (source, 1_000)
    assert keep("evaluation", 12) == (source, 1_000)
    assert keep("evaluation", 499) == (source, 1_000)
    assert keep("evaluation", 500) == ("evaluation", 500)


def test_an_evaluation_of_less_than_half_the_rows_replaces_no_other(keep):
    assert keep("evaluation", 3_000) == ("evaluation", 3_000)
    assert keep("evaluation", 1_499) == ("evaluation", 3_000)
    assert keep("evaluation", 1_500) == ("evaluation", 1_500)


def test_an_evaluation_of_a_few_rows_stands_where_there_is_none(keep):
    assert keep("evaluation", 12) == ("evaluation", 12)
    assert keep("evaluation", 20) == ("evaluation", 20)
    assert keep("evaluation", 6_000) == ("evaluation", 6_000)


def test_an_evaluation_of_a_few_rows_replaces_what_nobody_can_read(keep):
    assert keep("evaluation", 3_000, b"damaged") == ("evaluation", 3_000)
    assert keep("evaluation", 12) == ("evaluation", 12)


def test_what_somebody_chose_always_replaces(keep):
    keep("evaluation", 3_000)
    assert keep("data", 12) == ("data", 12)
    assert keep("data", 2_000) == ("data", 2_000)
    assert keep("data", 12) == ("data", 12)
    assert keep("evaluation", 3_000) == ("data", 12)
