"""Guarded refs, and moves of them that wait for approval."""

from __future__ import annotations

import click

from modelyard.cli.accounts import number, people
from modelyard.cli.command import command
from modelyard.cli.params import MODEL
from modelyard.cli.session import Session, pass_session

__all__ = ["approve_command", "guard_command", "proposals_command", "propose_command"]


@command(
    "guard",
    examples=[
        "yard guard add 'vision/*' champion --approvals 2",
        "yard guard add '*' 'release/*' --role admin",
        "yard guard remove 'vision/*' champion",
    ],
    see=["propose", "role", "alias"],
)
@click.argument("action", type=click.Choice(["list", "add", "remove"]), default="list",
                help="Default: list.")  # fmt: skip
@click.argument("given", metavar="[PATTERN REF]", nargs=-1,
                help="Which models, and which refs of them.")  # fmt: skip
@click.option("--role", type=click.Choice(["writer", "maintainer", "admin"]),
              default="maintainer", show_default=True,
              help="Who may move the refs.")  # fmt: skip
@click.option("--approvals", metavar="N", type=click.IntRange(0, 20), default=0,
              show_default=True, help="How many others must approve each move.")  # fmt: skip
@pass_session
def guard_command(
    session: Session, action: str, given: tuple[str, ...], role: str, approvals: int
) -> None:
    """List, add or remove guards of branches, tags and aliases.

    PATTERN says which models: '*', 'vision/*' or a name. REF is a name or a glob such as
    'release/*'. Where several guards fit, the strictest holds.
    """
    from modelyard.cli.views.people import GuardsView
    from modelyard.core.access import parse_role

    desk, out = people(session), session.out
    if len(given) != (0 if action == "list" else 2):
        takes = "nothing" if action == "list" else "PATTERN REF"
        raise click.UsageError(f"'{action}' takes {takes}")
    if action == "list":
        out.show(GuardsView(desk.guards()))
    elif action == "add":
        made = desk.add_guard(*given, role=parse_role(role), approvals=approvals)
        out.show(GuardsView([made], "guarded"))
    else:
        out.show(GuardsView([desk.remove_guard(*given)], "freed"))


@command(
    "propose",
    examples=["yard propose vision/resnet champion 12 -m 'accuracy 0.93 on the new set'"],
    see=["approve", "proposals", "guard"],
)
@click.argument("model", type=MODEL, help="The model.")
@click.argument("ref", help="The guarded branch or alias.")
@click.argument("revision", metavar="REV", help="Where it is to point.")
@click.option("-m", "--message", metavar="TEXT", default="", help="Why.")
@pass_session
def propose_command(session: Session, model: str, ref: str, revision: str, message: str) -> None:
    """Ask others to approve a move of a guarded ref.

    It moves by itself with the last approval that it needs, if it is still where it was. A branch
    only goes forward.
    """
    from modelyard.cli.views.people import ProposalsView

    made = people(session).propose(model, ref, revision, message=message)
    session.out.show(ProposalsView([made], is_one=True))
    session.out.hint(f"yard approve {made.id}, by others")


@command(
    "approve",
    examples=["yard approve 7"],
    see=["proposals", "propose"],
)
@click.argument("proposal", metavar="ID", help="As 'yard proposals' shows it.")
@pass_session
def approve_command(session: Session, proposal: str) -> None:
    """Approve a move of a guarded ref.

    Somebody else must have proposed it. The last approval that it needs makes the move.
    """
    from modelyard.cli.views.people import ProposalsView

    done = people(session).approve(number(proposal, "yard proposals"))
    session.out.show(ProposalsView([done], is_one=True))


@command(
    "proposals",
    examples=[
        "yard proposals",
        "yard proposals vision/resnet --all",
        "yard proposals --withdraw 7",
    ],
    see=["propose", "approve"],
)
@click.argument("model", type=MODEL, required=False, help="Only of this model.")
@click.option("--all", "everything", is_flag=True, help="Also those that are over.")
@click.option("--withdraw", metavar="ID", help="Give this one up.")
@pass_session
def proposals_command(
    session: Session, model: str | None, everything: bool, withdraw: str | None
) -> None:
    """List moves of guarded refs that wait for approval.

    Those of models that you may read; --withdraw gives one up.
    """
    from modelyard.cli.views.people import ProposalsView

    desk = people(session)
    if withdraw is not None:
        gone = desk.withdraw(number(withdraw, "yard proposals"))
        session.out.show(ProposalsView([gone], is_one=True))
        return
    found = desk.proposals(model, state=None if everything else "open")
    session.out.show(ProposalsView(found))
