"""Metrics as Prometheus reads them: text 0.0.4, OpenMetrics, and several texts as one. Pure.

Families keep the order in which they were begun; each has what is said of it (`# HELP`, `# TYPE`)
once, as both formats want it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = [
    "OPENMETRICS", "TEXT", "Exposition", "added_up", "as_openmetrics", "only_counted", "sample_key",
    "wants_open",
]  # fmt: skip

Kind = Literal["counter", "gauge", "histogram", "summary"]
TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS: Final = "application/openmetrics-text; version=1.0.0; charset=utf-8"
_SAME: Final = ("_info", "_ratio")
"""Ends of names that say the same wherever they are read: several processes are not their sum."""


class Exposition:
    """Text that is filled family by family, whatever the order in which samples come."""

    def __init__(self) -> None:
        self._heads: dict[str, str] = {}
        self._lines: dict[str, list[str]] = {}
        self.samples = 0
        """Lines with a number so far: series, as Prometheus counts them."""

    def begin(self, name: str, kind: Kind, words: str) -> None:
        """A family; what it is called with `_total`, `_seconds` and so on at its end."""
        if name not in self._heads:
            self._heads[name] = f"# HELP {name} {words}\n# TYPE {name} {kind}"
            self._lines[name] = []

    def add(self, name: str, labels: str, value: float, ending: str = "") -> None:
        """A sample of a family that was begun.

        Args:
            labels: As `labels` gives them.
            ending: `_bucket`, `_sum`, `_count`.
        """
        key = f"{name}{ending}{{{labels}}}" if labels else f"{name}{ending}"
        self._lines[name].append(f"{key} {number(value)}")
        self.samples += 1

    def histogram(
        self, name: str, labels: str, bounds: Sequence[float], counts: Sequence[int], total: float
    ) -> None:
        """All samples of one histogram.

        Args:
            counts: Of each bucket alone, one more than bounds; without bounds only their sum.
            total: Of everything that was observed.
        """
        before = f"{labels}," if labels else ""
        seen = 0
        for bound, count in zip(bounds, counts, strict=False):
            seen += count
            self.add(name, f'{before}le="{float(bound)!r}"', seen, "_bucket")
        seen = sum(counts)
        self.add(name, f'{before}le="+Inf"', seen, "_bucket")
        self.add(name, labels, total, "_sum")
        self.add(name, labels, seen, "_count")

    def text(self) -> str:
        """Of all families that have samples."""
        parts = [
            "\n".join((self._heads[name], *lines)) for name, lines in self._lines.items() if lines
        ]
        return "\n".join(parts) + "\n" if parts else ""

    @staticmethod
    def labels(**words: object) -> str:
        """What stands between the braces."""
        return ",".join(f'{name}="{escaped(str(word))}"' for name, word in words.items())


def escaped(text: str) -> str:
    """As both formats write values of labels."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def number(value: float) -> str:
    """As short as it is exact."""
    if isinstance(value, int) or (abs(value) < 1e15 and value == int(value)):
        return str(int(value))
    return repr(value) if abs(value) != float("inf") else ("+Inf" if value > 0 else "-Inf")


def sample_key(name: str, labels: str, bound: float | str) -> str:
    """What a histogram's bucket begins with in the text: for exemplars."""
    told = bound if isinstance(bound, str) else repr(float(bound))
    return f'{name}_bucket{{{labels},le="{told}"}}'


def added_up(texts: Iterable[str]) -> str:
    """Several processes' texts as one: samples of one name and the same labels are added.

    Of what is the same in all of them (`_info`, `_ratio`) the largest is taken. What is said of a
    name (`# HELP`, `# TYPE`) is taken from whoever says it first.
    """
    order: dict[str, dict[str, float]] = {}
    heads: dict[str, list[str]] = {}
    for text in texts:
        name = ""
        for line in text.splitlines():
            if line.startswith("#"):
                _, what, name, *_ = line.split(" ", 3)
                order.setdefault(name, {})
                told = heads.setdefault(name, [])
                if what not in {each.split(" ", 3)[1] for each in told}:
                    told.append(line)
            elif line:
                key, _, value = line.rpartition(" ")
                samples = order.setdefault(name, {})
                more, before = float(value), samples.get(key)
                if before is None:
                    samples[key] = more
                elif name.endswith(_SAME):
                    samples[key] = max(before, more)
                else:
                    samples[key] = before + more
    lines = []
    for name, samples in order.items():
        lines += heads.get(name, [])
        lines += [f"{key} {number(value)}" for key, value in samples.items()]
    return "\n".join(lines) + "\n" if lines else ""


def only_counted(text: str) -> str:
    """Without gauges: what a process that is gone has left."""
    lines, kept = [], True
    for line in text.splitlines():
        if line.startswith("# HELP "):
            pending, kept = line, True
            continue
        if line.startswith("# TYPE "):
            kept = not line.endswith(" gauge")
            if kept:
                lines += [pending, line]
        elif kept:
            lines.append(line)
    return "\n".join(lines) + "\n" if lines else ""


_ACCEPTED: Final = re.compile(r"application/openmetrics-text(?:;([^,]*))?")


def wants_open(accept: str) -> bool:
    """Whether a scraper asks for OpenMetrics rather than for text."""
    found = _ACCEPTED.search(accept)
    return found is not None and "q=0" not in (found[1] or "").replace(" ", "").split(";")


def as_openmetrics(text: str, exemplars: Mapping[str, str] | None = None) -> str:
    """The same metrics as OpenMetrics 1.0.

    Args:
        exemplars: What follows ` # ` after a sample, by what stands before its value.
    """
    exemplars = exemplars or {}
    lines = []
    for line in text.splitlines():
        if line.startswith(("# TYPE ", "# HELP ")):
            _, what, name, told = (*line.split(" ", 3), "")[:4]
            # only counters may end so; OpenMetrics names their families without it
            lines.append(f"# {what} {name.removesuffix('_total')} {told}".rstrip())
        elif line:
            key = line.rpartition(" ")[0]
            lines.append(f"{line} # {exemplars[key]}" if key in exemplars else line)
    return "\n".join([*lines, "# EOF", ""])
