"""`yard update`: a version's object with other parameters, structure, optimizer or training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from modelyard.cli.command import command
from modelyard.cli.params import (
    CHANGES,
    SETTING,
    TARGET,
    revision_of,
    trust_options,
    trusted_of,
)
from modelyard.cli.session import Session, pass_session
from modelyard.cli.views.versions import CommittedView

if TYPE_CHECKING:
    from modelyard.core.names import ModelRevision

__all__ = ["update_command"]


@command(
    "update",
    examples=[
        "yard update flowers/iris --set clf__C=0.5 --fit iris.csv --target species",
        "yard update vision/digits@3 --structure plan.yaml --branch smaller",
        "yard update vision/net --optimizer name=adam,lr=1e-3 --fit data/digits@2 --target y",
    ],
    see=["show", "diff", "evaluate"],
)
@click.argument("target", metavar="MODEL[@REV]", type=TARGET, help="The version to start from.")
@click.option(
    "--set", "params", type=SETTING, multiple=True, help="A parameter, as 'yard show' names it."
)
@click.option(
    "--structure",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A plan for steps, layers or tensors, in JSON or YAML.",
)
@click.option(
    "--optimizer", type=CHANGES, default=None, help="As name=adam,lr=1e-3; used with --fit."
)
@click.option("--fit", metavar="FILE|DATASET", help="Train on this file or committed dataset.")
@click.option("--target", "column", metavar="COL", help="The column of --fit to predict.")
@click.option("--epochs", metavar="N", type=int, help="Passes over the data, for networks.")
@click.option("--seed", metavar="N", type=int, default=0, help="Of the training. Default: 0.")
@click.option("-m", "--message", metavar="MSG", default="", help="Default: says what was changed.")
@click.option(
    "-b", "--branch", metavar="BRANCH", help="Default: the branch that ends at the version."
)
@trust_options
@pass_session
def update_command(
    session: Session,
    target: ModelRevision,
    *,
    params: tuple[tuple[str, Any], ...],
    structure: Path | None,
    optimizer: dict[str, Any] | None,
    fit: str | None,
    column: str | None,
    epochs: int | None,
    seed: int,
    message: str,
    branch: str | None,
    trust: tuple[str, ...],
    trust_all: bool,
) -> None:
    """Make a new version of a model's object with something changed.

    Takes the object out of the version, changes it, trains it with --fit, and commits it. The new
    version remembers what it was updated from. Its metrics are not known yet: run 'yard evaluate'.
    """
    plan = None if structure is None else _plan(session.cwd / structure)
    yard = session.yard()
    with session.out.progress() as progress:
        made = yard.update(
            target.model.text,
            revision_of(target),
            params=dict(params),
            structure=plan,
            optimizer=optimizer,
            fit=fit,
            target=column,
            epochs=epochs,
            seed=seed,
            branch=branch,
            message=message,
            trusted=trusted_of(trust, everything=trust_all),
            progress=progress,
        )
    session.out.show(CommittedView(made))
    for warning in made.warnings:
        session.out.warn(warning)
    if made.created and session.out.mode == "human":
        parents = yard.resolve(made.model, made.number).parents
        session.out.hint(f"yard diff {made.model}@{parents[0]} {made.number}")


def _plan(path: Path) -> Any:
    """What a file says, in JSON or YAML."""
    from modelyard.core.plain_yaml import plain_yaml
    from modelyard.errors import InvalidInput

    try:
        text = path.read_text("utf-8")
        return json.loads(text) if path.suffix == ".json" else plain_yaml(text)
    except (ValueError, RecursionError) as error:
        line = str(error).splitlines()[0]
        raise InvalidInput("bad-structure", f"{path.name} can't be read: {line}") from None
