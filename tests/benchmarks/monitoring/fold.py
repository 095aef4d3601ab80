"""`python -m tests.benchmarks.monitoring.fold`: what folding rows into tiles costs.

CPU time, of one thread; 20 numbers and two classes with scores a row, as most services have. The
day of traffic has 1,440 minutes of 6,945 rows each (10 million): every minute becomes a tile that
is packed, read again, and rolled up to hours and a day, as the server does it.
"""

from __future__ import annotations

import resource
import sys
import time
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from tests.benchmarks.store.checks import Check
from tests.benchmarks.store.sections import line

from modelyard.core.monitoring import Column, Schema
from modelyard.monitoring.calibration import fit_calibration
from modelyard.monitoring.folding import fold, merge, new_tile
from modelyard.monitoring.packing import pack, unpack
from modelyard.monitoring.profiles import pack_profile, profile_from_rows
from modelyard.monitoring.rows import Rows
from modelyard.monitoring.schemas import number_column

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from modelyard.monitoring.calibration import Calibration
    from modelyard.monitoring.tiles import Tile

__all__ = ["Day", "day", "folding", "main", "schema_of_numbers", "some_rows", "state"]

_POOL: Final = 200_000
_MINUTES: Final = 1_440
TOWNS: Final = [f"town {i}" for i in range(1, 65)]


def schema_of_numbers(columns: int = 20) -> Schema:
    """So many columns of normal numbers with 32 bins each, and two classes."""
    values = np.random.default_rng(0).normal(size=20_000)
    return Schema(
        columns=tuple(number_column(f"x{i}", values) for i in range(columns)),
        task="classification", classes=("no", "yes"),
    )  # fmt: skip


def some_rows(schema: Schema, count: int, seed: int = 0) -> Rows:
    """Rows as a data plane has them."""
    random = np.random.default_rng(seed)
    second = random.uniform(size=count)
    return Rows(
        schema, count, random.normal(size=(count, len(schema.of_kind("number")))),
        tuple(
            [f"town {i}" for i in random.zipf(1.5, count).clip(0, 500)]
            for _ in schema.of_kind("category")
        ),
        labels=(second > 0.5).astype(np.int32), scores=np.column_stack([1 - second, second]),
    )  # fmt: skip


def part_of(rows: Rows, start: int, count: int) -> Rows:
    """Some of them, without a copy."""
    assert rows.labels is not None
    assert rows.scores is not None
    at = slice(start, start + count)
    return Rows(rows.schema, count, rows.numbers[at], labels=rows.labels[at],
                scores=rows.scores[at])  # fmt: skip


def calibration_of(schema: Schema) -> Calibration:
    rows = some_rows(schema, 5_000, 1)
    assert rows.scores is not None
    return fit_calibration(rows.scores, np.random.default_rng(2).integers(0, 2, 5_000))


def cpu(work: Callable[[], Any], *, least: float = 0.5) -> float:
    """Seconds of CPU that it takes once: the best of five series."""
    work()
    times = []
    for _ in range(5):
        begun, count = time.process_time(), 0
        while (taken := time.process_time() - begun) < least / 5 or not count:
            work()
            count += 1
        times.append(taken / count)
    return min(times)


def folding() -> Iterator[Check]:
    """Microseconds a row, by batch."""
    schema = schema_of_numbers()
    calibration = calibration_of(schema)
    tile = new_tile(schema)
    for batch in (1, 64, 512, 4_096):
        rows = some_rows(schema, batch)
        taken = cpu(lambda rows=rows: fold(tile, rows, calibration))  # type: ignore[misc]
        limit = 2.0 if batch >= 512 else None
        yield Check("fold", f"20 numbers, {batch:,} rows at once", taken / batch * 1e6, limit,
                    "us a row", note=f"{batch / taken:,.0f} rows/s")  # fmt: skip
    texts = Column(
        name="town", kind="category", categories=tuple(f"town {i}" for i in range(1, 65))
    )
    mixed = Schema(columns=(*schema.columns[:15], *[texts] * 5), task="classification",
                   classes=schema.classes, groups=())  # fmt: skip
    rows, other = some_rows(mixed, 4_096), new_tile(mixed)
    taken = cpu(lambda: fold(other, rows, calibration))
    yield Check("fold", "15 numbers, 5 texts, 4,096 rows at once", taken / 4_096 * 1e6, None,
                "us a row", note=f"{4_096 / taken:,.0f} rows/s")  # fmt: skip


def state() -> Iterator[Check]:
    """Bytes of a tile and of a profile, and what it costs to handle them."""
    schema = schema_of_numbers()
    tile = new_tile(schema)
    for seed in range(8):
        fold(tile, some_rows(schema, 50_000, seed), calibration_of(schema))
    packed = pack(tile)
    yield Check("state", "a tile of 20 numbers, 400,000 rows", len(packed) / 1e3, 100.0, "kB")
    yield Check("state", "pack", cpu(lambda: pack(tile)) * 1e3, None, "ms")
    yield Check("state", "unpack", cpu(lambda: unpack(packed, schema)) * 1e3, None, "ms")
    into = unpack(packed, schema)
    yield Check("state", "merge", cpu(lambda: merge(into, tile)) * 1e3, None, "ms")
    random = np.random.default_rng(0)
    columns = {f"x{i}": random.normal(size=100_000) for i in range(20)}
    outputs = {"probability": np.column_stack([columns["x0"] * 0 + 0.3, columns["x0"] * 0 + 0.7])}
    truth = random.integers(0, 2, 100_000)
    profile = profile_from_rows(columns, outputs, truth)
    taken = cpu(lambda: profile_from_rows(columns, outputs, truth), least=0.1)
    yield Check("state", "make a profile of 100,000 rows", taken, None, "s")
    yield Check("state", "a profile of 20 numbers", len(pack_profile(profile)) / 1e3, None, "kB")


class Day:
    """A day of traffic, folded: its last tile, and the memory that it took."""

    def __init__(self, rows: int) -> None:
        schema = schema_of_numbers()
        pool, calibration = some_rows(schema, _POOL), calibration_of(schema)
        self.each = -(-rows // _MINUTES)
        self.memory: list[float] = []
        """Megabytes that the process holds, after each hour."""
        self.packed = 0
        """Bytes of the largest tile."""
        begun = time.process_time()
        day, place = new_tile(schema), 0
        for _ in range(24):
            hour = new_tile(schema)
            for _ in range(60):
                minute, place = self._minute(pool, place, calibration)
                body = pack(minute)
                self.packed = max(self.packed, len(body))
                merge(hour, unpack(body, schema))
            merge(day, hour)
            self.memory.append(_held())
        self.tile: Tile = day
        self.seconds = time.process_time() - begun

    def _minute(self, pool: Rows, place: int, calibration: Calibration) -> tuple[Tile, int]:
        minute, left = new_tile(pool.schema), self.each
        while left:
            count = min(left, 1_024, _POOL - place)
            fold(minute, part_of(pool, place, count), calibration)
            left -= count
            place = (place + count) % _POOL
        return minute, place


def day(rows: int = 10_000_000) -> Iterator[Check]:
    """Ten million rows in 1,440 tiles."""
    found = Day(rows)
    yield Check("day", f"{found.tile.rows:,} rows, packed, merged, rolled up", found.seconds, 60.0,
                "s", note=f"{found.tile.rows / found.seconds:,.0f} rows/s")  # fmt: skip
    grown = found.memory[-1] - found.memory[0]
    yield Check("day", "memory grown from the first hour to the last", grown, 5.0, "MB",
                note=f"{found.memory[-1]:.0f} MB held")  # fmt: skip
    yield Check("day", "the largest tile", found.packed / 1e3, 100.0, "kB")


def _held() -> float:
    """Megabytes of this process that are in memory."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 1e6


def main() -> int:
    missed = 0
    for part in (folding, state, day):
        for check in part():
            print(line(check), flush=True)
            missed += check.passed is False
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
