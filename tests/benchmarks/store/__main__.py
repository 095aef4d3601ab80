"""`python -m tests.benchmarks.store`: measure, print the tables, write docs/benchmarks.md."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from tests.benchmarks.store import micro, minilm, rounds, tables, venvs
from tests.benchmarks.store.data import CASES, DEFAULT_MB
from tests.benchmarks.store.measure import disk
from tests.benchmarks.store.peers import PEERS
from tests.benchmarks.store.results import Results, machine
from tests.benchmarks.store.sections import kept

ROOT = Path(__file__).parents[3]
SMALL = {"model_mb": 40, "again_mb": 40, "small_versions": 300, "searched_versions": 300}


def main() -> int:
    given = _arguments()
    given.work.mkdir(parents=True, exist_ok=True)
    if given.render:
        results = Results.read(given.render)
    else:
        results = _measure(given)
        print(f"written: {results.save(given.work)}", file=sys.stderr)
    text = tables.page(results)
    given.page.parent.mkdir(parents=True, exist_ok=True)
    given.page.write_text(text + kept(given.page))
    line, fine = tables.verdict(results)
    print(f"{text}\n{line}\nwritten: {given.page}")
    return 0 if fine or not given.strict else 1


def _measure(given: argparse.Namespace) -> Results:
    measured = [] if given.micro else given.peers
    results = Results(machine(), venvs.versions(given.work, measured))
    if not given.micro:
        for dtype in given.dtype:
            size = given.size or DEFAULT_MB[dtype]
            cases = [case for case in given.cases if case in CASES]
            files = rounds.files_of(given.work, dtype, size, cases)
            label = dtype if size == DEFAULT_MB[dtype] else f"{dtype} {size} MB"
            results.samples.extend(_rounds(given, label, files, given.peers, given.rounds))
            if "minilm" in given.cases:
                real = minilm.files_of(given.work, dtype)
                peers = [peer for peer in given.peers if peer in ("modelyard", "xet", "zipnn")]
                results.samples.extend(_rounds(given, f"minilm-{dtype}", real, peers, 1))
    if given.parts:
        sizes = SMALL if given.quick else {}
        results.micro.extend(micro.run(micro.Micro(given.work, **sizes), given.parts))
    shutil.rmtree(given.work / "stores", ignore_errors=True)
    return results


def _rounds(
    given: argparse.Namespace, dtype: str, files: dict[str, Path], peers: list[str], count: int
) -> list[rounds.Sample]:
    if not files or not peers:
        return []
    wanted = sum(disk(file.parent) for file in files.values())
    free = shutil.disk_usage(given.work).free
    if free < 5 * wanted:
        raise SystemExit(
            f"{given.work} has {free / 1e9:.1f} GB free; {5 * wanted / 1e9:.1f} wanted"
        )
    return rounds.run(given.work, dtype, files, peers, count)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.store", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cases", default="a,b,c,d,e,minilm")
    parser.add_argument("--peers", default=",".join(PEERS))
    parser.add_argument("--dtype", default="fp32,bf16")
    parser.add_argument("--size", type=int, help="megabytes; default 685 for fp32, 544 for bf16")
    parser.add_argument(
        "--parts", default=",".join(micro.PARTS), help="single numbers; '' for none"
    )
    parser.add_argument("--micro", action="store_true", help="only the single numbers")
    parser.add_argument("--quick", action="store_true", help="small, once: does everything run?")
    parser.add_argument("--strict", action="store_true", help="exit 1 if a limit is missed")
    parser.add_argument("--work", type=Path, default=Path(".bench"))
    parser.add_argument("--page", type=Path, help="default docs/benchmarks.md")
    parser.add_argument("--render", type=Path, nargs="+", help="no run: tables of earlier results")
    given = parser.parse_args()
    given.work = given.work.absolute()
    for name, known in (("cases", [*CASES, "minilm"]), ("peers", PEERS), ("parts", micro.PARTS)):
        setattr(given, name, _listed(parser, name, getattr(given, name), known))
    given.dtype = _listed(parser, "dtype", given.dtype, DEFAULT_MB)
    if given.quick:
        given.rounds, given.size = 1, given.size or 40
    if given.page is None:
        given.page = given.work / "benchmarks.md" if given.quick else ROOT / "docs/benchmarks.md"
    return given


def _listed(parser: argparse.ArgumentParser, name: str, text: str, known: object) -> list[str]:
    chosen = [part for part in text.split(",") if part]
    for part in chosen:
        if part not in known:  # type: ignore[operator]
            parser.error(f"--{name}: {part} is none of {', '.join(known)}")  # type: ignore[call-overload]
    return chosen


if __name__ == "__main__":
    sys.exit(main())
