"""Dashboards for a Grafana of one's own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from modelyard.cli.command import command
from modelyard.cli.session import Session, pass_session
from modelyard.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from modelyard.cli.text import Block

__all__ = ["export_grafana_command"]


@dataclass(frozen=True, slots=True)
class WrittenView:
    """What was written."""

    folder: str
    files: Sequence[str]

    def json(self) -> object:
        return {"folder": self.folder, "files": list(self.files)}

    def lines(self) -> Iterable[Block]:
        yield f"wrote {len(self.files)} files into {self.folder}"
        for file in self.files:
            yield f"  {file}"

    def ids(self) -> Iterable[str]:
        yield self.folder


@command(
    "export-grafana",
    examples=[
        "yard export-grafana grafana",
        "yard export-grafana grafana --prometheus http://prometheus:9090",
    ],
    see=["monitor", "export-rules"],
)
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR", help="A folder for them.")
@click.option(
    "--prometheus", default="http://localhost:9090", show_default=True, metavar="URL",
    help="As Grafana reaches it.",
)  # fmt: skip
@click.option(
    "--dashboards", default="/etc/grafana/modelyard/dashboards", show_default=True,
    metavar="PATH", help="Where Grafana will find DIR/dashboards.",
)  # fmt: skip
@pass_session
def export_grafana_command(
    session: Session, folder: Path, prometheus: str, dashboards: str
) -> None:
    """Write dashboards for Grafana.

    Three: all deployments; one of them; its drift and quality. They ask Prometheus for what this
    server tells at /metrics. With them come the files by which Grafana finds both by itself. What
    is in DIR under the same names is written anew.
    """
    from modelyard.monitoring.export.grafana import grafana_files

    if not prometheus.startswith(("http://", "https://")):
        raise InvalidInput(
            "bad-url", f"{prometheus[:80]!r} is no address of a Prometheus",
            hint="such as http://prometheus:9090",
        )  # fmt: skip
    files = grafana_files(prometheus=prometheus, folder=dashboards)
    for name, text in files.items():
        place = session.cwd / folder.expanduser() / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
    session.out.show(WrittenView(str(folder), list(files)))
    session.out.hint("copy provisioning/ into Grafana's own, and dashboards/ to where it says")
