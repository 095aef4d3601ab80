"""A run as JSON, so that its tables can be made again and several runs can be put together."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.benchmarks.store.checks import Check
from tests.benchmarks.store.measure import Cost
from tests.benchmarks.store.rounds import Sample

__all__ = ["Results", "machine"]


@dataclass(frozen=True, slots=True)
class Results:
    """Everything that was measured, and where."""

    machine: dict[str, Any]
    versions: dict[str, str]
    samples: list[Sample] = field(default_factory=list)
    micro: list[Check] = field(default_factory=list)

    def save(self, work: Path) -> Path:
        stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
        path = work / f"results-store-{stamp}.json"
        path.write_text(json.dumps(asdict(self), indent=1))
        return path

    @classmethod
    def read(cls, paths: list[Path]) -> Results:
        """One or several runs as one; of a check measured twice the later counts."""
        runs = [json.loads(path.read_text()) for path in paths]
        versions = {name: text for run in runs for name, text in run["versions"].items()}
        samples = [_sample(plain) for run in runs for plain in run["samples"]]
        checks = [Check(**plain) for run in runs for plain in run["micro"]]
        micro = {(check.group, check.what): check for check in checks}
        return cls(runs[-1]["machine"], versions, samples, list(micro.values()))


def _sample(plain: dict[str, Any]) -> Sample:
    costs = {step: Cost(**plain[step]) for step in ("push", "pull")}
    return Sample(**{**plain, **costs})


def machine() -> dict[str, Any]:
    """What a reader must know to judge the seconds."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":")[1].strip() for line in lines if "model name" in line), "unknown")
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "processor": model,
        "cores": len(os.sched_getaffinity(0)),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load": os.getloadavg()[0],
    }
