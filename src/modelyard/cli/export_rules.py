"""Rules for a Prometheus of one's own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from modelyard.cli.command import command
from modelyard.cli.session import Session, pass_session

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from modelyard.cli.text import Block
    from modelyard.core.monitoring import Rule

__all__ = ["export_rules_command"]

FILE, TESTS = "modelyard.rules.yml", "modelyard.rules.test.yml"


@dataclass(frozen=True, slots=True)
class WrittenRulesView:
    """What was written."""

    files: Sequence[str]
    deployments: int
    left: Sequence[str]

    def json(self) -> object:
        return {
            "files": list(self.files), "deployments": self.deployments, "left": list(self.left),
        }  # fmt: skip

    def lines(self) -> Iterable[Block]:
        what = "1 deployment" if self.deployments == 1 else f"{self.deployments} deployments"
        yield f"wrote rules of {what}"
        for file in self.files:
            yield f"  {file}"
        if self.left:
            yield f"looked at by the yard alone: {', '.join(self.left)}"

    def ids(self) -> Iterable[str]:
        return self.files


@dataclass(frozen=True, slots=True)
class RulesTextView:
    """The rules themselves."""

    text: str
    deployments: int
    left: Sequence[str]

    def json(self) -> object:
        return {"rules": self.text, "deployments": self.deployments, "left": list(self.left)}

    def lines(self) -> Iterable[Block]:
        return self.text.splitlines()

    def ids(self) -> Iterable[str]:
        return self.text.splitlines()


@command(
    "export-rules",
    examples=[
        "yard export-rules > modelyard.rules.yml",
        "yard export-rules /etc/prometheus/rules --window 2m --url https://models.example.org",
    ],
    see=["rules", "alerts", "export-grafana"],
)
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR", required=False,
                help="Made if it is not there. Without it, stdout.")  # fmt: skip
@click.option("--window", default="1m", show_default=True, metavar="TIME",
              help="Over which rates are taken: at least four scrapes.")  # fmt: skip
@click.option("--url", default=None, metavar="URL", help="The yard's address, for links.")
@pass_session
def export_rules_command(
    session: Session, folder: Path | None, window: str, url: str | None
) -> None:
    """Write the rules of all deployments for Prometheus.

    Into DIR with tests of them: 'promtool check rules' and 'promtool test rules' take the two
    files. What only the yard can see is told by one alert, ModelyardAlert. For Prometheus from 2.42
    on.
    """
    import re

    from modelyard.errors import Denied, Unavailable
    from modelyard.monitoring.export.rule_tests import prometheus_tests
    from modelyard.monitoring.export.rules import alertings, prometheus_rules
    from modelyard.monitoring.opening import watch

    if not re.fullmatch(r"[1-9][0-9]*(s|m|h)", window):
        raise click.UsageError("--window is a time such as 30s, 1m or 2h")
    yard = session.yard()
    watching = watch(yard)
    rules: dict[str, Sequence[Rule]] = {
        each.name: watching.rules(each.name).rules for each in yard.deployments.list()
    }
    base = (url or (session.yard_url() if "://" in session.yard_url() else "")).rstrip("/")
    text = prometheus_rules(rules, window=window, base=base)
    left = sorted({rule.name for rule in alertings(rules)[1]})
    if folder is None:
        session.out.show(RulesTextView(text, len(rules), left))
        return
    place = session.cwd / folder.expanduser()
    texts = {
        FILE: text,
        TESTS: prometheus_tests(rules, file=FILE, base=base),
    }
    try:
        place.mkdir(parents=True, exist_ok=True)
        for name, written in texts.items():
            (place / name).write_text(written, encoding="utf-8")
    except PermissionError:
        raise Denied("no-permission", f"{folder} can't be written") from None
    except OSError as error:
        raise Unavailable("folder-io", f"{folder}: {error.strerror}") from error
    files = [str(folder / name) for name in texts]
    session.out.show(WrittenRulesView(files, len(rules), left))
