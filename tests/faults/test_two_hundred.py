"""Two hundred faults, always the same: nothing that was acknowledged is lost."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.faults.engine.kinds import KINDS
from tests.faults.engine.lab import Lab
from tests.faults.engine.table import kinds_in
from tests.services.kinds import SERVICES

SEED = 4
PAGE = Path(__file__).parents[2] / "docs/explain/reliability.md"


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    with Lab(tmp_path_factory.mktemp("lab"), SEED) as lab:
        yield lab


@pytest.mark.slow
@pytest.mark.parametrize("name", list(KINDS))
def test_nothing_is_lost_by(lab, require, name):
    if needs := KINDS[name].needs:
        require(needs, SERVICES[needs].program())
    lab.rng.seed(f"{SEED} {name}")
    rows = KINDS[name].inflict(lab, KINDS[name].share)
    assert len(rows) == KINDS[name].share
    assert not [str(row) for row in rows if not row.fine]


def test_there_are_two_hundred_of_them():
    assert sum(kind.share for kind in KINDS.values()) == 200


def test_the_page_has_a_row_for_each_kind():
    assert kinds_in(PAGE) == list(KINDS)


@pytest.mark.slow
def test_a_store_that_forgets_fsync_is_caught(lab):
    """The power cuts bite: without fsync, they lose what was acknowledged."""
    rows = lab.cut_power(("commit", "merge", "refs"), 24, fsync=False)
    assert sum(len(row.findings.lost) for row in rows) > 0
