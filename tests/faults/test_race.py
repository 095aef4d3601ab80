"""gc, repack, four committers and two servers at once; for longer: `make bench SUITE=race`."""

import pytest
from tests.benchmarks.race.course import race


def told(outcome):
    assert not outcome.wrong, "\n".join(outcome.wrong)
    assert outcome.counts["read back at the end"]
    return outcome.counts


@pytest.mark.slow
def test_nothing_is_lost_when_two_servers_share_a_folder_with_gc():
    counts = told(race(15.0, grace=0.005))
    assert counts["chunks collected"]
    assert counts["packs deleted"]


@pytest.mark.slow
def test_nothing_is_lost_when_two_servers_share_postgresql_and_s3_with_gc(postgres_url, s3_url):
    counts = told(race(30.0, store=s3_url, catalog=postgres_url))
    assert counts["checked"]
    assert counts["packs rewritten"]
