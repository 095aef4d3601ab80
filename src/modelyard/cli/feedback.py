"""`yard feedback`: what was true of requests that a deployment answered."""

from __future__ import annotations

import sys
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from modelyard.cli.command import command
from modelyard.cli.params import DEPLOYED
from modelyard.cli.session import Session, pass_session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from modelyard.core.truths import Keys
    from modelyard.core.version import Progress

__all__ = ["feedback_command"]

_PIECE = 1 << 20
_KINDS = {
    ".csv": "text/csv", ".jsonl": "application/jsonl", ".ndjson": "application/jsonl",
    ".json": "application/json",
}  # fmt: skip
_TABLES = (".parquet", ".arrow", ".feather", ".arrows")


@command(
    "feedback",
    examples=[
        "yard feedback fraud truth.csv",
        "yard feedback fraud labels.parquet --request id --truth is_fraud",
    ],
    see=["monitor", "predict", "report"],
)
@click.argument("name", type=DEPLOYED, help="The deployment.")
@click.argument("file", metavar="FILE|-",
                help="CSV, JSON lines, JSON, Parquet, Arrow; -: lines by the pipe.")  # fmt: skip
@click.option("--request", "request", metavar="COL", default="request",
              help="The column with ids of requests. Default: request.")  # fmt: skip
@click.option("--truth", "truth", metavar="COL", default="truth",
              help="The column with what was true. Default: truth.")  # fmt: skip
@click.option("--row", "row", metavar="COL", default="row",
              help="The column that tells rows of a request apart. Default: row.")  # fmt: skip
@pass_session
def feedback_command(
    session: Session, name: str, file: str, *, request: str, truth: str, row: str
) -> None:
    """Tell a deployment what was true of its requests.

    Each line has the id of a request (the header x-request-id of its answer) and what it should
    have been answered; of a request with several rows also which row, from 0. The same line again
    changes nothing, so a file may be sent as often as you like.
    """
    from modelyard.cli.views.fleet import FeedbackView
    from modelyard.core.truths import Keys
    from modelyard.monitoring.opening import watch

    watching = watch(session.yard())
    with session.out.progress() as progress:
        truths = _read(file, Keys(request, truth, row), progress)
        summary = watching.feedback(name, truths)
    session.out.show(FeedbackView(name, summary))
    if summary.joined:
        session.out.hint(f"yard monitor {name}")


def _read(
    file: str, keys: Keys, progress: Callable[[Progress], None] | None
) -> Iterator[Mapping[str, Any]]:
    from modelyard.core.truths import CSV, JSON_LINES, read_truths

    if file == "-":
        head = sys.stdin.buffer.readline()
        kind = JSON_LINES if head.lstrip()[:1] == b"{" else CSV
        return read_truths(chain([head], _pieces(sys.stdin.buffer)), kind, keys)
    path = Path(file).expanduser()
    suffix = path.suffix.lower()
    if not path.is_file():
        raise click.UsageError(f"there is no file {file}")
    if suffix in _KINDS:
        return read_truths(_told(path, progress), _KINDS[suffix], keys)
    if suffix in _TABLES:
        return _of_table(path, keys)
    raise click.UsageError(f"feedback comes as {' '.join([*_KINDS, *_TABLES])}: {path.name}")


def _pieces(stream: BinaryIO) -> Iterator[bytes]:
    while piece := stream.read(_PIECE):
        yield piece


def _told(path: Path, progress: Callable[[Progress], None] | None) -> Iterator[bytes]:
    """A file, piece by piece."""
    from modelyard.core.version import Progress

    size, done = path.stat().st_size, 0
    with path.open("rb") as stream:
        for piece in _pieces(stream):
            yield piece
            done += len(piece)
            if progress is not None:
                progress(Progress("feedback", done, size))


def _of_table(path: Path, keys: Keys) -> Iterator[Mapping[str, Any]]:
    from modelyard.errors import InvalidInput
    from modelyard.formats.tables import read_table

    columns = read_table(path).columns
    for name in (keys.request, keys.truth):
        if name not in columns:
            raise InvalidInput(
                "no-column", f"{path.name} has no column {name}",
                hint=f"it has {', '.join(list(columns)[:12])}; see --request and --truth",
            )  # fmt: skip
    rows = columns.get(keys.row)
    for at, (request, truth) in enumerate(
        zip(columns[keys.request], columns[keys.truth], strict=True)
    ):
        value = truth.item() if hasattr(truth, "item") else truth
        if value is None or value != value:
            continue
        found = {"request": str(request), "truth": value}
        yield found if rows is None else {**found, "row": int(rows[at])}
