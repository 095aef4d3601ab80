"""What a deployment redacts is in no monitor, and in no evidence."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import numpy as np
import pytest

from modelyard.core.deployment import DeploymentSpec, Share
from modelyard.core.monitoring import Column, GroupGap, Performance, ProfileInfo, VersionMonitor
from modelyard.core.monitoring import Schema as Watched
from modelyard.monitoring.anomalies.evidence import NO_ROWS, shown
from modelyard.monitoring.extracting import One
from modelyard.monitoring.folding import new_tile
from modelyard.monitoring.live import Live
from modelyard.monitoring.local import LocalMonitoring
from modelyard.monitoring.profiles import pack_profile, profile_from_rows
from modelyard.monitoring.redaction import is_redacted, without_redacted
from modelyard.monitoring.rows import Rows
from modelyard.monitoring.taking import Taken, Takings
from modelyard.registry import create
from modelyard.registry.watching import profiles

REDACT = ("income", "name")


class Twice:
    def predict(self, x):
        return 2 * x


@pytest.fixture
def yard(tmp_path):
    with create(tmp_path / "yard") as yard:
        yard.commit("m", Twice())
        yield yard


def deploy(yard, redact, **more):
    share = Share(model="m", revision="1")
    yard.deployments.apply(
        DeploymentSpec(name="svc", shares=(share,), trusted=("*",), redact=redact, **more)
    )


def watch(yard, source="data"):
    """A reference with values of all columns, and traffic with others."""
    random = np.random.default_rng(0)
    names = np.array([f"person{i % 40}" for i in range(2000)], dtype=object)
    profile = profile_from_rows(
        {"income": random.normal(5e4, 9e3, 2000), "name": names, "b": random.normal(size=2000)},
        {"y": random.normal(size=2000)},
    )
    info = ProfileInfo(
        model="m", number=1, created=datetime.now(UTC), source=source, rows=2000, data=None,
        data_digest=None, schema=profile.schema,
    )  # fmt: skip
    profiles.keep(yard.house, "m", 1, info, pack_profile(profile))
    made = Taken("svc", "m", 1, False, int(time.time()) - 61, REDACT, None)
    made.timed.append((0, 1, 2, 1000, 2000, 1000, 1000, None, "ann"))
    feeds = {
        "income": np.full(1000, 123456.0), "name": np.array(["person7"] * 1000, dtype=object),
        "b": random.normal(size=1000),
    }  # fmt: skip
    made.ones.append(One(feeds, {"y": random.normal(size=1000)}, 1000, "r", "ann"))
    takings = Takings(yard.house, "one", Live())
    takings.take(made)
    takings.write()
    (seen,) = LocalMonitoring(yard.house).look("svc").versions
    return seen


def test_a_monitor_shows_no_values_of_what_is_redacted(yard):
    deploy(yard, REDACT)
    seen = watch(yard)
    assert [each.column.name for each in seen.columns] == ["b", "predictions"]
    for name in REDACT:
        assert seen.reference.schema.column(name) == Column(
            name=name, kind=seen.reference.schema.column(name).kind
        )
    assert seen.reference.schema.column("b").edges
    assert "person" not in repr(seen)
    assert "123456" not in repr(seen)


def test_what_is_redacted_is_still_watched_for_drift(yard):
    deploy(yard, REDACT)
    drifted = {each.column for each in watch(yard).drift if each.drifted}
    assert set(REDACT) <= drifted


def test_a_reference_of_traffic_before_it_was_redacted_is_not_shown_either(yard):
    deploy(yard, ())
    seen = watch(yard, source="traffic")
    assert "person7" in repr(seen)
    deploy(yard, REDACT)
    (seen,) = LocalMonitoring(yard.house).look("svc").versions
    assert "person" not in repr(seen)


def test_if_something_else_than_an_input_is_redacted_nothing_is_shown_of_what_came_out(yard):
    deploy(yard, ("y",))
    seen = watch(yard)
    assert [each.column.name for each in seen.columns] == ["income", "name", "b"]
    assert seen.reference.schema.values is None


def test_a_redacted_tensor_is_all_of_its_elements():
    assert is_redacted("input[3]", ("input",))
    assert is_redacted("input[3]", ("input[3]",))
    assert not is_redacted("input[3]", ("input[2]", "put"))
    assert not is_redacted("input", ("input[3]",))


def test_texts_of_elements_of_a_redacted_tensor_are_not_kept():
    schema = Watched(columns=(Column(name="words[0]", kind="category", categories=("a",)),))
    (kept,) = new_tile(schema, ("words",)).categories
    assert kept.frequent is kept.distinct is None


def test_groups_of_a_redacted_column_have_no_names():
    gap = GroupGap(
        metric="selection_rate_ratio", column="sex", value=0.5, worst="f", best="m", fails=True,
        groups={"m": (0.8, 0.7, 0.9, 100), "f": (0.4, 0.3, 0.5, 90)},
    )  # fmt: skip
    found = without_redacted(monitor(gap), ("sex",)).fairness[0]
    assert (found.worst, found.best, found.fails) == ("group 1", "group 2", True)
    assert dict(found.groups) == {"group 2": gap.groups["m"], "group 1": gap.groups["f"]}
    assert without_redacted(monitor(gap), ("age",)).fairness == (gap,)


def monitor(gap):
    performance = Performance(
        requests=0, rows=0, errors=0, rejected=0, outcomes={}, rate=0.0, p50=None, p95=None,
        p99=None, phases={}, batch=None, saturation=0.0, cold_starts=0,
    )  # fmt: skip
    return VersionMonitor(
        model="m", number=1, percent=100, shadow=False, performance=performance, reference=None,
        drift=(), columns=(), realized=(), estimated=(), fairness=(gap,),
    )  # fmt: skip


def not_finite(shows):
    made = Taken("svc", "m", 1, False, int(time.time()), (), None)
    made.shows = shows
    made.timed.append((0, 1, 2, 1000, 2000, 4, 4, None, "ann"))
    made.ones.append(One({"x": np.ones((4, 2))}, {"y": np.full(4, np.nan)}, 4, "r", "ann"))
    return made


@pytest.mark.parametrize("shows", [True, False])
def test_no_rows_are_evidence_where_the_log_keeps_none(yard, shows):
    deploy(yard, ())
    takings = Takings(yard.house, "one", Live())
    first = Taken("svc", "m", 1, False, int(time.time()), (), None)
    first.timed.append((0, 1, 2, 1000, 2000, 1200, 1200, None, "ann"))
    values = np.random.default_rng(0).normal(size=(1200, 2))
    first.ones.append(One({"x": values}, {"y": values.sum(axis=1)}, 1200, "r", "ann"))
    takings.take(first)
    takings.write()
    takings.take(not_finite(shows))
    takings.write()
    found = [each for _, some in takings.anomalies(time.time()) for each in some]
    (broken,) = [each for each in found if each.kind == "not-finite-output"]
    assert ("rows" in broken.evidence) is shows


def test_evidence_shows_no_row_if_all_are_hidden():
    schema = Watched(columns=(Column(name="x", kind="number"),))
    rows = Rows(schema=schema, count=1, numbers=np.ones((1, 1)), categories=(), vectors=())
    assert shown(rows, [0], frozenset())
    assert shown(rows, [0], frozenset((NO_ROWS,))) == []
