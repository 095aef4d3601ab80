"""`yard predict`: ask a deployment or a version, about a few rows or a file of many."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from modelyard.cli.command import command
from modelyard.cli.evaluate import Bytes
from modelyard.cli.params import trust_options, trusted_of
from modelyard.cli.session import Session, pass_session

if TYPE_CHECKING:
    from modelyard.client.predicting import PredictingYard

__all__ = ["predict_command"]

_TYPES = {
    ".json": "application/json", ".jsonl": "application/jsonl", ".ndjson": "application/jsonl",
    ".csv": "text/csv", ".tsv": "text/csv", ".arrows": "application/vnd.apache.arrow.stream",
    ".arrow": "application/vnd.apache.arrow.file", ".feather": "application/vnd.apache.arrow.file",
}  # fmt: skip


@command(
    "predict",
    examples=[
        """yard predict fraud --data '{"amount": 120.5, "country": "DE"}'""",
        "yard predict fraud --url http://localhost:8301 --data rows.csv",
        "yard predict risk/fraud@12 --in payments.parquet --out scores.parquet --keep id --resume",
    ],
    see=["deploy", "serve", "evaluate"],
)
@click.argument("target", metavar="NAME|MODEL[@REV]",
                help="A deployment, or a version that is loaded here.")  # fmt: skip
@click.option("--data", metavar="JSON|FILE|-", help="A few rows: JSON, or a file with them.")
@click.option("--in", "source", metavar="FILE", help="Many rows: CSV, Parquet, Arrow, JSON lines.")
@click.option("--out", "out", metavar="FILE", help="Where their predictions go, in any of these.")
@click.option("--resume", is_flag=True, help="Go on where a run that was killed ended.")
@click.option("--batch", metavar="N", type=click.IntRange(1, 1 << 20),
              help="Rows computed together. Default: about 8 MB.")  # fmt: skip
@click.option("--keep", metavar="COL", multiple=True, help="Put this input into the output too.")
@click.option("--workers", metavar="N", type=click.IntRange(1, 256),
              help="How many compute at once. Default: all cores.")  # fmt: skip
@click.option("--memory", metavar="SIZE", type=Bytes(), help="Of each worker. Default: 8GiB.")
@click.option("--engine", type=click.Choice(["embedded", "ray"]), default="embedded",
              help="Who computes files. Default: embedded, this machine.")  # fmt: skip
@click.option("--url", metavar="URL", help="Ask this server for the deployment NAME.")
@trust_options
@pass_session
def predict_command(
    session: Session,
    target: str,
    *,
    data: str | None,
    source: str | None,
    out: str | None,
    resume: bool,
    batch: int | None,
    keep: tuple[str, ...],
    workers: int | None,
    memory: int | None,
    engine: str,
    url: str | None,
    trust: tuple[str, ...],
    trust_all: bool,
) -> None:
    """Ask a deployment or a version for predictions.

    --data asks about a few rows: a deployment of a server's yard is asked there, anything else is
    loaded here for the question. --in and --out predict a whole file here, batch by batch on all
    cores: memory stays small, and --resume goes on after a crash as if there had been none.
    """
    if (data is None) == (source is None) or (source is None) != (out is None):
        raise click.UsageError("give either --data, or --in and --out")
    trusted = trusted_of(trust, everything=trust_all)
    if source is not None and out is not None:
        if url is not None:
            raise click.UsageError("--url is for --data; files are predicted here")
        from modelyard.cli.views.predictions import PredictedView
        from modelyard.client.predicting import predict_file

        with session.out.progress() as progress:
            done = predict_file(
                _yard(session), target, source, out,
                resume=resume, batch=batch, keep=keep, workers=workers, memory=memory,
                trusted=trusted, engine=engine, progress=progress,
            )  # fmt: skip
        session.out.show(PredictedView(done))
        return
    from modelyard.cli.views.predictions import AnswerView

    body, kind = _rows(data or "")
    session.out.show(AnswerView.of(_answer(session, target, url, body, kind, trusted)))


def _answer(
    session: Session, target: str, url: str | None, body: bytes, kind: str, trusted: object
) -> bytes:
    from modelyard.client.predicting import ask_server, named
    from modelyard.serving.asking import ask_here

    if url is not None:
        return ask_server(url, target, body, kind, environment=session.environment)
    yard = _yard(session)
    model, revision = named(yard, target)
    if model is None:
        return ask_server(yard.url, target, body, kind, environment=session.environment)
    return ask_here(yard.desk, model, revision, body, kind, trusted=trusted)


def _yard(session: Session) -> PredictingYard:
    """Yards of both kinds have a desk, and deployments."""
    yard: PredictingYard = session.yard()  # type: ignore[assignment]
    return yard


def _rows(data: str) -> tuple[bytes, str]:
    """What to ask about: the text itself, a file, or what comes by the pipe."""
    if data == "-":
        body = sys.stdin.buffer.read()
        head = body[:64].lstrip()
        return body, "application/json" if head[:1] in (b"{", b"[") else "text/csv"
    if data.lstrip()[:1] in ("{", "["):
        return data.encode(), "application/json"
    path = Path(data).expanduser()
    kind = _TYPES.get(path.suffix.lower())
    if not path.is_file():
        raise click.UsageError(f"--data: no JSON, and no file: {data[:80]}")
    if kind is None:
        raise click.UsageError(
            f"--data takes {' '.join(_TYPES)}; others go with --in and --out: {path.name}"
        )
    return path.read_bytes(), kind
