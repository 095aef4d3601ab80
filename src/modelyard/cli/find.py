"""Finding models and versions, and the labels to find them by."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import click

from modelyard.cli.command import command
from modelyard.cli.params import LABEL, TARGET, revision_of
from modelyard.cli.session import Session, pass_session

if TYPE_CHECKING:
    from modelyard.cli.views.models import LabelsView
    from modelyard.core.names import ModelRevision
    from modelyard.core.yard import Yard

__all__ = ["label_command", "list_command", "search_command"]


@command(
    "list", examples=["yard list", "yard list --deleted", "yard ls -q"], see=["search", "show"]
)
@click.option("--deleted", is_flag=True, help="List what could be restored instead.")
@pass_session
def list_command(session: Session, deleted: bool) -> None:
    """List all models.

    With the number and size of the latest version, and where branches, tags and aliases point.
    """
    from modelyard.cli.views.models import ModelsView

    models = list(session.yard().models(deleted=deleted))
    session.out.show(ModelsView(models))
    if not models and not deleted:
        session.out.hint("yard commit MODEL PATH -m MSG")


@command(
    "search",
    examples=[
        "yard search 'label:task=classify metric.acc>0.9'",
        "yard search 'resnet -pruned format:onnx created:<30d sort:metric.acc-desc'",
        "yard search alias:champion --json",
    ],
    see=["list", "label"],
)
@click.argument("query", nargs=-1, help="Words and terms, all of which must hold; quote < and >.")
@click.option(
    "--limit",
    metavar="N",
    type=click.IntRange(1, 1000),
    default=30,
    show_default=True,
    help="A page.",
)
@click.option("--after", metavar="TOKEN", help="Go on after this 'next' of the page before.")
@pass_session
def search_command(session: Session, query: tuple[str, ...], limit: int, after: str | None) -> None:
    """Find versions by words, labels, metrics and more.

    Terms: words, label:KEY=VALUE, name:, description:, framework:, format:, kind:, author:, file:,
    alias:, metric.NAME>NUMBER, params.NAME=VALUE, size:<10MB, created:>2026-01-01, updated:<7d,
    -WORD, sort:FIELD-desc. The newest come first.
    """
    from modelyard.cli.views.versions import PageView

    text = " ".join(query)
    page = session.yard().search(text, limit=limit, after=after)
    session.out.show(PageView(page))
    if page.next:
        session.out.hint(f"for more: yard search {shlex.quote(text)} --after {page.next}")
    elif not page.items and not after:
        session.out.hint("yard list shows all models")


@command(
    "label",
    examples=[
        "yard label vision/resnet task=classify domain=street",
        "yard label vision/resnet@7 approved --remove draft",
        "yard label vision/resnet           # shows them",
    ],
    see=["search", "show"],
)
@click.argument("target", metavar="MODEL[@REV]", type=TARGET, help="A model, or one version.")
@click.argument("add", metavar="KEY[=VALUE]", type=LABEL, nargs=-1, help="Labels to set.")
@click.option("--remove", metavar="KEY", multiple=True, help="A label to take away.")
@pass_session
def label_command(
    session: Session,
    target: ModelRevision,
    add: tuple[tuple[str, str], ...],
    remove: tuple[str, ...],
) -> None:
    """Show, set or remove labels of a model or version.

    Labels are for finding: what a model does, for whom, on which data. They may change at any time.
    """
    yard = session.yard()
    if add or remove:
        yard.label(target.model.text, revision_of(target), add=dict(add), remove=remove)
    session.out.show(_labels(yard, target))


def _labels(yard: Yard, target: ModelRevision) -> LabelsView:
    from modelyard.cli.views.models import LabelsView

    if target.revision is None:
        model = yard.model_info(target.model.text)
        return LabelsView(model.name, None, model.labels)
    version = yard.resolve(target.model.text, revision_of(target))
    return LabelsView(version.model, version.number, version.labels)
