"""The results as Markdown that also reads well in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.benchmarks.store.checks import OURS, Check, of_rounds
from tests.benchmarks.store.data import CASES
from tests.benchmarks.store.rounds import summarize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.benchmarks.store.checks import Summaries
    from tests.benchmarks.store.results import Results

__all__ = ["checked", "page", "verdict"]

NAMES = CASES | {"base": "real MiniLM", "tuned": "real MiniLM, 10 AdamW steps"}
HEAD = """# Benchmarks

<!-- Written by `make bench`; do not edit. -->

Commit and checkout of modelyard beside the tools people use today, each run as its users run it, in
a process of its own, on the same files, in one run. What holds from machine to machine are the
ratios; the seconds are of this one:
{machine}. Versions: {versions}.

Five versions are committed in this order into one store, then each is brought back into an empty
place without the tool's caches and compared byte for byte: (a) a transformer, (b) its last tenth
changed by a relative 1e-2, (c) every weight changed by a relative 1e-3, (d) a 1024x137 tensor
inserted in front of (a), (e) the tensors of (a) saved by `torch.save`. Times are medians of
{rounds} rounds and contain the start of each process; the limits against xet and cp are judged by
the calls alone (xet is called from Python as we are, cp has no start to speak of), those against
dvc and git-lfs by whole processes. Before each step files are in memory,
earlier writes are on disk, and memory for new ones has been touched (a virtual machine's first
touch of a page costs ten times a copy, and would fall on one tool or another by chance).
modelyard's commits are durable (fsync) and its checkouts verified, as always; those of the others
are as each tool does it by default.

`make bench` repeats all of it in about two hours (`make bench ARGS="--rounds 1 --peers cp,xet"`
is quicker; `ARGS=--quick` only tries whether everything runs).
"""


def page(results: Results) -> str:
    """The whole page."""
    summaries = summarize(results.samples)
    rounds = max((sample.round for sample in results.samples), default=0)
    facts = results.machine
    machine = ", ".join(f"{facts[key]}" for key in ("processor", "system", "date"))
    machine += f", {facts['cores']} cores, {facts['memory']}, Python {facts['python']}"
    versions = ", ".join(f"{name} {text}" for name, text in results.versions.items())
    parts = [HEAD.format(machine=machine, versions=versions, rounds=rounds)]
    checks = of_rounds(summaries)
    if checks:
        parts.append("## Against the others\n\nSmaller is better; the limit is what we promise.\n")
        parts.append(checked(checks, "case"))
    if results.micro:
        parts.append("## Single numbers\n")
        parts.append(checked(results.micro, "part"))
    for dtype in dict.fromkeys(key[0] for key in summaries):
        parts.append(f"## Seconds and bytes, {dtype}\n")
        parts.append(_seconds(summaries, dtype))
    return "\n".join(parts)


def verdict(results: Results) -> tuple[str, bool]:
    """One line that tells how many limits hold, and whether all do."""
    checks = [*of_rounds(summarize(results.samples)), *results.micro]
    judged = [check for check in checks if check.passed is not None]
    missed = [check for check in judged if not check.passed]
    lines = [f"{len(judged) - len(missed)} of {len(judged)} limits hold"]
    lines += [f"missed: {c.group}: {c.what}: {_number(c.value)} {c.unit}".rstrip() for c in missed]
    return "\n".join(lines), not missed


def checked(checks: Sequence[Check], first: str) -> str:
    """One row a check; `first` is what its group is called."""
    rows = [[first, "what", "measured", "limit", "holds", "remark"]]
    for check in checks:
        sign = ">=" if check.at_least else "<="
        limit = "" if check.limit is None else f"{sign} {_number(check.limit)}"
        holds = {True: "yes", False: "NO", None: ""}[check.passed]
        value = f"{_number(check.value)} {check.unit}".strip()
        rows.append([check.group, check.what, value, limit, holds, check.note])
    return _table(rows)


def _seconds(summaries: Summaries, dtype: str) -> str:
    """One row a tool; cells are seconds (CPU seconds) and bytes added of raw."""
    cases = list(dict.fromkeys(case for kind, case, _ in summaries if kind == dtype))
    peers = dict.fromkeys(peer for kind, _, peer in summaries if kind == dtype)
    rows = [["tool", "step", *(f"{case}: {NAMES[case]}" for case in cases)]]
    for peer in sorted(peers, key=lambda name: name != OURS):
        found = [summaries[dtype, case, peer] for case in cases]
        rows.append(
            [peer, "commit s (CPU s)", *(f"{s.push:.2f} ({s.push_cpu:.2f})" for s in found)]
        )
        rows.append(["", "sync after it s", *(f"{s.flush:.2f}" for s in found)])
        rows.append(["", "added, of raw", *(f"{s.share:.4f}" for s in found)])
        rows.append(
            ["", "checkout s (CPU s)", *(f"{s.pull:.2f} ({s.pull_cpu:.2f})" for s in found)]
        )
        inside = [(s.push_inside, s.pull_inside) for s in found]
        if all(None not in pair for pair in inside):
            cells = (f"{push:.2f} / {pull:.2f}" for push, pull in inside)
            rows.append(["", "without process start: commit / checkout s", *cells])
    return _table(rows)


def _number(value: float) -> str:
    if value == 0 or abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.2f}" if abs(value) >= 0.1 else f"{value:.2g}"


def _table(rows: Sequence[Sequence[str]]) -> str:
    """Markdown with aligned columns."""
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    lines = ["| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in rows]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(line.rstrip() for line in lines) + "\n"
