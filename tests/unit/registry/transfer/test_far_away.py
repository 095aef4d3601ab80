"""Copies to real services, and copies whose process is killed."""

from __future__ import annotations

import random
import time

import pytest

from modelyard.registry import create, open_yard
from modelyard.testing.process import Nursery
from modelyard.testing.victim import die_at

from .conftest import told, weights


def fill(yards, yard, versions=4):
    for step in range(versions):
        yards.commit(yard, "net", {"m.safetensors": weights(step)}, labels={"step": str(step)})
    yard.alias("net", "prod", 2)
    yard.keep_report("net", 1, "profile", {"rows": 3})


@pytest.mark.slow
def test_to_s3_and_postgresql_and_back(yards, s3_url, postgres_url):
    ours = yards.folder()
    fill(yards, ours)
    theirs = yards.folder(store=s3_url, catalog=postgres_url)
    done = ours.mirror_to(theirs)
    assert done.versions == 4
    assert theirs.verify().ok
    assert told(theirs) == told(ours)
    assert not ours.mirror_to(theirs).models
    back = yards.folder()
    theirs.mirror_to(back)
    assert told(back) == told(ours)
    theirs.backup(yards.root / "b.tar")


def mirror_and_die(send, source, target, call, moment):
    with open_yard(source) as ours, open_yard(target) as theirs:
        send("open")
        die_at(call, moment)
        ours.mirror_to(theirs)
    send("done")


@pytest.mark.slow
def test_killed_at_any_moment_a_mirror_is_finished_by_the_next(yards):
    ours = yards.folder()
    fill(yards, ours)
    rng = random.Random(11)
    kills = 0
    with Nursery() as nursery:
        for turn in range(12):
            place = yards.root / f"target{turn}"
            create(place).close()
            worker = nursery.start()
            moment = rng.choice(["before", "after", "half"])
            worker.begin(
                mirror_and_die, str(ours.house.root), str(place), rng.randint(1, 12), moment
            )
            messages = [message for _, message in worker.told(time.monotonic() + 20)]
            assert "open" in messages
            kills += "done" not in messages
            worker.kill()
            with open_yard(place) as theirs:
                assert theirs.verify().ok
                ours.mirror_to(theirs)
                assert told(theirs) == told(ours)
                assert theirs.verify(rebuild=True).ok
                assert told(theirs) == told(ours)
    assert kills >= 6
