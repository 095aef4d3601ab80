"""The small texts that several views share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modelyard.cli.text import Span
from modelyard.core.version import human_size

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from modelyard.cli.text import Line

__all__ = [
    "SIGNS",
    "amount",
    "count",
    "duration",
    "fact",
    "first_line",
    "minute",
    "pairs",
    "percent",
    "shape",
    "signed",
    "sizes",
    "value",
]

SIGNS = {
    "added": Span("+", "good"),
    "removed": Span("-", "bad"),
    "changed": Span("~", "warn"),
    "renamed": Span(">", "name"),
    "unchanged": Span("=", "dim"),
}
"""One sign for each change, so that colour is never the only carrier."""


def count(number: int, noun: str) -> str:
    """`1 file`, `3 files`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def amount(number: float) -> str:
    """Four digits that count; large numbers without an exponent."""
    if 1000 <= abs(number) < 1e9:
        return f"{number:.0f}" if float(number).is_integer() else f"{number:.1f}"
    return f"{number:.4g}"


def signed(number: float) -> str:
    """How much more or less."""
    return f"{'-' if number < 0 else '+'}{amount(abs(number))}"


def value(thing: object) -> str:
    """A parameter as people wrote it; None where there is none."""
    if thing is None:
        return "none"
    if isinstance(thing, bool):
        return str(thing).lower()
    return amount(thing) if isinstance(thing, float) else str(thing)


def percent(ratio: float) -> str:
    """`3.1 %`; from tenfold on, `12x`."""
    return (
        f"{ratio * 100:.2g} %"
        if ratio < 0.995
        else (f"{ratio * 100:.0f} %" if ratio < 10 else f"{ratio:.3g}x")
    )


def minute(time: datetime) -> str:
    """In local time: people compare it with their watch."""
    return time.astimezone().strftime("%Y-%m-%d %H:%M")


def first_line(message: str) -> str:
    return message.strip().partition("\n")[0].strip()


def sizes(size: int, new_bytes: int, seconds: float | None = None) -> str:
    """`97.5 MB, 3.1 MB new, 4.2 s`."""
    text = f"{human_size(size)}, {human_size(new_bytes)} new"
    return text if seconds is None else f"{text}, {duration(seconds)}"


def duration(seconds: float) -> str:
    """`4.2 s`, `0.04 s`."""
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds:.2f} s"


def pairs(mapping: Mapping[str, Any]) -> str:
    """`acc=0.93, f1=0.9`; a bare label has no `=`."""
    return ", ".join(
        key if given == "" else f"{key}={value(given)}" for key, given in mapping.items()
    )


def shape(sizes: tuple[int, ...]) -> str:
    """`1000x512`."""
    return "x".join(map(str, sizes)) or "scalar"


def fact(name: str, text: str | Sequence[str | Span]) -> Line:
    """`author   ann`."""
    return [Span(f"{name:<10}", "dim"), *([text] if isinstance(text, str) else text)]
