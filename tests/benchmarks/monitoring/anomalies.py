"""`python -m tests.benchmarks.monitoring.anomalies`: what a watchman finds, misses, and costs.

Hours of traffic are simulated second by second: of clients who use a version as it is meant (each
event is a false alarm), and of one more client who attacks it, beside them. How requests go is
simulated for days: times that wander over the day, single stalls, and now and then a failure.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from tests.benchmarks.monitoring.attacks import ATTACKS, WORLDS, World
from tests.benchmarks.store.checks import Check
from tests.benchmarks.store.sections import line

from modelyard.monitoring.anomalies.watchman import Watchman
from modelyard.monitoring.rows import Asked

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["attacked", "benign", "cost", "faults", "main", "performance", "sensors"]

_BEGUN: Final = 1_800_000_000
_CLIENTS: Final = 8


def benign(name: str, seconds: int) -> list[Any]:
    """Events of clients of whom each asks about five rows a second, and one in bursts."""
    world, watchman, found = World(name, WORLDS[name]), Watchman("svc"), []
    names = [f"client {i}" for i in range(_CLIENTS)] * 5
    for second in range(seconds):
        clients = names + ["burst"] * (400 if second % 120 == 7 else 0)
        watchman.rows(1, world.rows(world.some(len(clients)), clients), world.profile)
        found += [each for each in watchman.tick(_BEGUN + second + 0.5) if _is_new(each)]
    return found


def sensors(slowness: float, clients: int, seconds: int) -> list[Any]:
    """Events of clients that ask about what changes slowly, beside some whose rows are unlike."""
    random = np.random.default_rng(0)
    world = World("sensors", lambda own, count: own.normal(size=(count, 6)))
    watchman, found = Watchman("svc"), []
    state = random.normal(size=(clients, 6))
    people = [f"client {i}" for i in range(_CLIENTS)] * 5
    names = [f"sensor {i}" for i in range(clients)]
    for second in range(seconds):
        for _ in range(5):
            noise = random.normal(size=state.shape)
            state = slowness * state + np.sqrt(1 - slowness**2) * noise
            watchman.rows(1, world.rows(state.copy(), names), world.profile)
        watchman.rows(1, world.rows(world.some(len(people)), people), world.profile)
        found += [each for each in watchman.tick(_BEGUN + second + 0.5) if _is_new(each)]
    return found


def attacked(name: str, attack: str, *, times: int, seconds: int = 120) -> list[float | None]:
    """Rows that an attacker asked about until it was told; None: it never was."""
    world = World(name, WORLDS[name])
    make, kinds = ATTACKS[attack]
    found: list[float | None] = []
    for seed in range(times):
        watchman, asked = Watchman("svc"), 0
        parts = make(world, np.random.default_rng(seed))
        told = None
        for second in range(seconds):
            clients = [f"client {i}" for i in range(_CLIENTS)] * 5
            watchman.rows(1, world.rows(world.some(len(clients)), clients), world.profile)
            here = 0
            while here < 30:
                part = next(parts)
                here += len(part)
                watchman.rows(1, world.rows(part, "eve"), world.profile)
            asked += here
            events = watchman.tick(_BEGUN + second + 0.5)
            if any(each.client == "eve" and each.kind in kinds for each in events):
                told = float(asked)
                break
        found.append(told)
    return found


def performance(hours: float, *, rate: float, seed: int) -> list[Any]:
    """Events of a service that does well: its times wander, and it stalls for a moment at times."""
    random = np.random.default_rng(seed)
    watchman, found, wander = Watchman("svc"), [], 0.0
    for second in range(int(hours * 3600)):
        day = 0.6 + 0.4 * np.sin(second / 86_400 * 2 * np.pi)
        count = int(random.poisson(rate * day))
        wander = 0.995 * wander + 0.015 * random.normal()
        slow = 1.0 if random.random() > 0.004 else random.uniform(2, 40)  # a stall of a second
        predict = 5e6 * np.exp(wander + 0.5 * random.normal(size=count)) * slow
        if count and random.random() < 0.2:
            predict[random.integers(0, count)] *= 20
        failed = int(random.binomial(count, 0.0005))
        watchman.asked(1, _asked(_BEGUN + second, predict, failed))
        found += [each for each in watchman.tick(_BEGUN + second + 0.5) if _is_new(each)]
    return found


def faults(times: int) -> Iterator[tuple[str, list[float | None]]]:
    """Seconds until a fault is told: of failures, slowness and overload that begin at once."""
    for what, kind in (("2 % fail", "error-burst"), ("10 % fail", "error-burst"),
                       ("computing takes 3 times as long", "latency-shift"),
                       ("10 % of requests take 20 times as long", "latency-shift"),
                       ("20 % can't be answered in time", "overload")):  # fmt: skip
        found: list[float | None] = []
        for seed in range(times):
            random, watchman, told = np.random.default_rng(seed), Watchman("svc"), None
            for second in range(420):
                predict = 5e6 * np.exp(0.4 * random.normal(size=100))
                more: dict[str, int] = {}
                if second >= 300:
                    if what.endswith("fail"):
                        more["model-failed"] = int(random.binomial(100, float(what[:2]) / 100))
                    elif what.startswith("20"):
                        more["overloaded"] = int(random.binomial(100, 0.2))
                    else:
                        slow = random.random(100) < (0.1 if what[0] == "1" else 1.0)
                        predict[slow] *= 20 if what[0] == "1" else 3
                watchman.asked(1, _asked(_BEGUN + second, predict, 0, **more))
                events = watchman.tick(_BEGUN + second + 0.5)
                if second >= 300 and any(each.kind == kind for each in events):
                    told = second - 300 + 0.5
                    break
            found.append(told)
        yield what, found


def cost() -> Iterator[Check]:
    """CPU of a row, in batches as they come; and of a look."""
    world = World("20 correlated", WORLDS["20 correlated"])
    for count in (64, 512, 4096):
        watchman = Watchman("svc")
        clients = [f"client {i % 50}" for i in range(count)]
        rows = world.rows(world.some(count), clients)
        calls = max(2, 1_000_000 // count)
        a_second = max(1, 100_000 // count)
        watchman.rows(1, rows, world.profile)
        watchman.tick(_BEGUN)
        begun = time.process_time()
        for call in range(calls):  # a hundred thousand rows a second
            watchman.rows(1, rows, world.profile)
            if call % a_second == 0:
                watchman.tick(_BEGUN + 1 + call // a_second)
        spent = (time.process_time() - begun) / (calls * count)
        yield Check("cost", f"a row, in batches of {count}", spent * 1e6, 0.5, "us")


def _asked(second: int, predict: Any, failed: int, **more: int) -> Asked:
    times, nothing = predict.astype(np.int64), np.zeros(len(predict), np.int64)
    outcomes = {"ok": len(times)} | ({"model-failed": failed} if failed else {}) | more
    return Asked(
        second=second, outcomes=outcomes, total=times, queue=nothing, preprocess=nothing,
        predict=times, postprocess=nothing, rows=len(times), batches=nothing + 1,
    )  # fmt: skip


def _is_new(anomaly: Any) -> bool:
    return bool(anomaly.until == anomaly.time)


def checks(quick: bool = False) -> Iterator[Check]:
    yield from cost()
    seconds = 600 if quick else 3600
    events = 0
    for name in WORLDS:
        found = benign(name, seconds)
        events += len(found)
        told = ", ".join(sorted({f"{each.kind} of {each.client}" for each in found}))
        hours = (_CLIENTS + 1) * seconds / 3600
        yield Check("false alarms", f"{name}: events in {hours:g} client hours", len(found),
                    note=told)  # fmt: skip
    hours = len(WORLDS) * (_CLIENTS + 1) * seconds / 3600
    yield Check("false alarms", f"all: events in {hours:g} client hours", events, 1.0)
    for slowness in (0.9, 0.99, 0.999, 0.9999):
        events = len(sensors(slowness, 4, seconds))
        what = f"4 sensors with autocorrelation {slowness:g}: events in {seconds / 900:g} hours"
        yield Check("false alarms", what, events, 1.0)
    for rate in (2.0, 100.0):
        days = 0.25 if quick else 2.0
        events = len(performance(24 * days, rate=rate, seed=1))
        what = f"events in {days:g} days of {rate:g} requests a second"
        yield Check("false alarms", what, events, 2.0)
    for what, told in faults(5 if quick else 20):
        yield _rate("faults", what, told, "s")
    for attack in ATTACKS:
        for name in WORLDS:
            yield _rate(attack, name, attacked(name, attack, times=2 if quick else 10), "rows")


def _rate(group: str, what: str, told: list[float | None], unit: str) -> Check:
    seen = [each for each in told if each is not None]
    note = f"after {np.median(seen):g} {unit} (median), {max(seen):g} at most" if seen else "never"
    return Check(group, f"{what}: found of {len(told)}", len(seen) / len(told), note=note)


def main() -> int:
    missed = 0
    for check in checks("--quick" in sys.argv):
        print(line(check), flush=True)
        missed += check.passed is False
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
