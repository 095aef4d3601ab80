"""Load by a program in C: at a rate that does not wait for answers, or as fast as they come."""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tests.benchmarks.serving.environments import load_program

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.benchmarks.serving.peers import Asked

__all__ = ["Load", "Records", "load"]

_RECORD = np.dtype(
    [
        ("due", "<i8"), ("waited", "<i4"), ("took", "<i4"), ("status", "<i2"), ("answer", "i1"),
        ("flags", "i1"), ("request", "<i4"),
    ]
)  # fmt: skip
_RETRY_AFTER = 1


@dataclass(frozen=True, slots=True)
class Records:
    """Every request that was sent. Times as `time.monotonic()` has them."""

    rows: np.ndarray[Any, Any]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def due(self) -> np.ndarray[Any, Any]:
        """Seconds: when each should have left."""
        return self.rows["due"] / 1e9

    @property
    def left(self) -> np.ndarray[Any, Any]:
        """Seconds: when each left."""
        return self.rows["due"] / 1e9 + self.rows["waited"] / 1e6

    @property
    def ended(self) -> np.ndarray[Any, Any]:
        """Seconds: when each had its answer."""
        return self.left + self.took  # type: ignore[no-any-return]

    @property
    def took(self) -> np.ndarray[Any, Any]:
        """Seconds from leaving to the whole answer."""
        return self.rows["took"] / 1e6

    @property
    def status(self) -> np.ndarray[Any, Any]:
        """0: no answer came."""
        return self.rows["status"]

    @property
    def answer(self) -> np.ndarray[Any, Any]:
        """Which of the expected texts an answer has; -1: none."""
        return self.rows["answer"]

    @property
    def failed(self) -> int:
        """Requests without a right answer."""
        return int(((self.status != 200) | (self.answer < 0)).sum())

    def only(self, chosen: np.ndarray[Any, Any]) -> Records:
        return Records(self.rows[chosen])

    def told_when_to_come(self) -> bool:
        """Whether all of them have Retry-After."""
        return bool((self.rows["flags"] & _RETRY_AFTER).all())

    def within(self, share: float) -> float:
        """Seconds in which so many of them were answered."""
        return float(np.quantile(self.took, share)) if len(self) else 0.0

    def counts(self) -> dict[int, int]:
        """By status."""
        values, counts = np.unique(self.status, return_counts=True)
        return dict(zip(values.tolist(), counts.tolist(), strict=True))


class Load:
    """Load that is under way. In a `with` statement it does not outlive the block."""

    def __init__(
        self, questions: Sequence[Asked], *, connections: int, rate: float = 0.0,
        seconds: float = 0.0, count: int = 0, expected: Sequence[str] = (),
    ) -> None:  # fmt: skip
        self._place = tempfile.TemporaryDirectory()
        folder = Path(self._place.name)
        for number, asked in enumerate(questions):
            (folder / f"{number}.http").write_bytes(_request(asked))
        requests = ",".join(str(folder / f"{number}.http") for number in range(len(questions)))
        self._out = folder / "out.bin"
        argv = [
            str(load_program()), str(questions[0].port), str(connections), f"{rate:g}",
            f"{seconds:g}", str(count), str(self._out), requests, *expected,
        ]  # fmt: skip
        self.process = subprocess.Popen(argv, stderr=subprocess.PIPE, text=True)

    def __enter__(self) -> Load:
        return self

    def __exit__(self, *_error: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self.process.stderr is not None:
            self.process.stderr.close()
        self._place.cleanup()

    @property
    def over(self) -> bool:
        return self.process.poll() is not None

    @property
    def answered(self) -> int:
        """Requests so far, or a few less."""
        return self._out.stat().st_size // _RECORD.itemsize if self._out.exists() else 0

    def stop(self) -> Records:
        """Send no more; what is under way is still answered."""
        self.process.terminate()
        return self.records()

    def records(self, patience: float = 120.0) -> Records:
        """All requests, once the last is answered."""
        _, errors = self.process.communicate(timeout=patience)
        if self.process.returncode:
            raise RuntimeError(f"load: {self.process.returncode} {errors}")
        return Records(np.fromfile(self._out, _RECORD))


def load(questions: Sequence[Asked], **settings: Any) -> Records:
    """Send it all, and wait for it."""
    with Load(questions, **settings) as under_way:
        return under_way.records()


def _request(asked: Asked) -> bytes:
    method = "POST" if asked.body else "GET"
    head = {
        "host": f"127.0.0.1:{asked.port}", "content-type": "application/json",
        "content-length": str(len(asked.body)), **asked.headers,
    }  # fmt: skip
    lines = [
        f"{method} {asked.path} HTTP/1.1",
        *(f"{name}: {value}" for name, value in head.items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + asked.body
