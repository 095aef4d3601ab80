"""The `yard` command: a table of commands, each loaded only when it is called."""

from __future__ import annotations

import signal
import sys
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

import click

from modelyard import __version__
from modelyard.cli.command import global_options
from modelyard.cli.failures import fail
from modelyard.cli.session import Session

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["COMMANDS", "SHORT", "Entry", "main", "root"]


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a command lives, and its one line in the help."""

    module: str
    section: str
    help: str


COMMANDS = {
    "init": Entry("house", "Begin", "Make a yard in a folder."),
    "commit": Entry("commit", "Begin", "Store a file or folder as the next version of a model."),
    "checkout": Entry("checkout", "Begin", "Write a version's files into a folder."),
    "status": Entry("checkout", "Begin", "List what was changed in this checkout."),
    "pull": Entry("checkout", "Begin", "Bring this checkout to another version."),
    "demo": Entry("demo", "Begin", "Show the main job on real models, step by step."),
    "list": Entry("find", "Look", "List all models."),
    "search": Entry("find", "Look", "Find versions by words, labels, metrics and more."),
    "show": Entry("look", "Look", "Show one version: card, files, tensors, metrics."),
    "log": Entry("look", "Look", "Show the history of a model as a graph."),
    "diff": Entry("look", "Look", "Show what differs between two versions, tensor by tensor."),
    "cat": Entry("look", "Look", "Write one file of a version to stdout."),
    "events": Entry("events", "Look", "List what happened, or follow what happens."),
    "evaluate": Entry(
        "evaluate", "Measure", "Measure a version on data, and keep the result with it."
    ),
    "compare": Entry(
        "evaluate", "Measure", "Compare versions by their evaluations on the same data."
    ),
    "best": Entry("evaluate", "Measure", "Find the best version by a metric, and say why."),
    "explain": Entry("explain", "Measure", "Find out which inputs matter to a model, and how."),
    "profile": Entry(
        "profile", "Measure", "Make or show what a version's traffic is compared with."
    ),
    "data": Entry("data", "Measure", "Look at data: columns, copies, leaks, wrong labels."),
    "optimize": Entry(
        "optimize", "Improve", "Make a version better, and prove it, or publish nothing."
    ),
    "suggest": Entry(
        "suggest", "Improve", "Say which recipes are likely to pay for a version, and why."
    ),
    "recipes": Entry(
        "suggest", "Improve", "List the recipes that are built in, or write one as YAML."
    ),
    "optimizations": Entry(
        "optimizations", "Improve", "List what was optimized, or show one and its trials."
    ),
    "label": Entry("find", "Mark", "Show, set or remove labels of a model or version."),
    "branch": Entry("refs", "Mark", "List, make or delete branches."),
    "tag": Entry("refs", "Mark", "List, make or delete tags, which never move."),
    "alias": Entry("refs", "Mark", "List, point or delete aliases such as prod."),
    "rollback": Entry("refs", "Mark", "Point an alias or a deployment back to where it was."),
    "update": Entry(
        "update", "Change", "Make a new version of a model's object with something changed."
    ),
    "revert": Entry("merge", "Change", "Make a new version with the content of an old one."),
    "merge": Entry(
        "merge", "Change", "Bring the changes of one branch into another, or mix weights."
    ),
    "rename": Entry("deletion", "Change", "Give a model another name."),
    "delete": Entry("deletion", "Change", "Delete a model or one version."),
    "restore": Entry("deletion", "Change", "Undo a deletion."),
    "copy": Entry("transfer", "Move", "Copy a model from one yard into another."),
    "mirror": Entry("transfer", "Move", "Copy all models of one yard into another."),
    "export": Entry("transfer", "Move", "Write one version into a tar file."),
    "import": Entry("importing", "Move", "Bring in a version, or a history from elsewhere."),
    "backup": Entry("transfer", "Move", "Write the whole yard into one file."),
    "restore-backup": Entry("transfer", "Move", "Make a yard of a backup, in an empty folder."),
    "login": Entry("login", "Serve", "Keep a token of a server."),
    "logout": Entry("login", "Serve", "Forget the token of a server."),
    "whoami": Entry("login", "Serve", "Show as whom you are signed in."),
    "gc": Entry("house", "Keep", "Give back the space of what nothing needs any more."),
    "verify": Entry("house", "Keep", "Read everything and say what is damaged."),
    "rekey": Entry("house", "Keep", "Encrypt with another master key."),
    "stats": Entry("house", "Keep", "Count bytes: of the yard, and of each model."),
    "up": Entry("server", "Serve", "Serve your yard on this machine."),
    "server": Entry("server", "Serve", "Serve a yard in production, behind a proxy."),
    "serve": Entry("serve", "Serve", "Serve some versions by themselves, without pages and API."),
    "deploy": Entry("deploy", "Deploy", "Deploy a version, or change what is deployed."),
    "deployments": Entry("deploy", "Deploy", "List deployments, or show one and its history."),
    "rollout": Entry("rollout", "Deploy", "Let a canary's share grow by steps."),
    "promote": Entry("rollout", "Deploy", "Make the canary the stable version, at once."),
    "pause": Entry("rollout", "Deploy", "Take no step and follow no alias for a while."),
    "resume": Entry("rollout", "Deploy", "Go on after a pause."),
    "undeploy": Entry("deploy", "Deploy", "Serve a deployment no more."),
    "export-service": Entry(
        "export_service", "Deploy", "Write a container, or manifests for KServe, of a service."
    ),
    "predict": Entry("predict", "Deploy", "Ask a deployment or a version for predictions."),
    "monitor": Entry(
        "monitor", "Watch", "Show how deployments are: speed, quality, drift, anomalies."
    ),
    "feedback": Entry("feedback", "Watch", "Tell a deployment what was true of its requests."),
    "report": Entry("report", "Watch", "Write how a deployment did into one HTML file."),
    "alerts": Entry("alerts", "Watch", "List alerts: what fires, and what did."),
    "rules": Entry("alerts", "Watch", "Show or set the rules by which a deployment's alerts fire."),
    "silence": Entry("alerts", "Watch", "Tell nobody of some alerts for a while."),
    "channel": Entry(
        "channel", "Watch", "List, make, try or delete ways to tell people of alerts."
    ),
    "export-rules": Entry(
        "export_rules",
        "Watch",
        "Write the rules of all deployments for Prometheus.",
    ),
    "export-grafana": Entry("export_grafana", "Watch", "Write dashboards for Grafana."),
    "account": Entry("accounts", "Serve", "List, make or disable accounts, or set a password."),
    "token": Entry("accounts", "Serve", "List, make, renew or revoke tokens."),
    "role": Entry("roles", "Serve", "List, give or take roles."),
    "guard": Entry("guards", "Serve", "List, add or remove guards of branches, tags and aliases."),
    "propose": Entry("guards", "Serve", "Ask others to approve a move of a guarded ref."),
    "approve": Entry("guards", "Serve", "Approve a move of a guarded ref."),
    "proposals": Entry("guards", "Serve", "List moves of guarded refs that wait for approval."),
    "audit": Entry("audit", "Serve", "Show who did what, when and from where."),
    "webhook": Entry("events", "Serve", "Tell other services of events."),
    "completion": Entry("completion", "Keep", "Print the completion script for a shell."),
}

SHORT = {"ls": "list", "rm": "delete"}
"""The two aliases that people type without thinking."""


class Root(click.Group):
    """Loads a command's module when the command is called, and not for the list of all."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        name = SHORT.get(cmd_name, cmd_name)
        if name not in COMMANDS:
            return None
        module = import_module(f"modelyard.cli.{COMMANDS[name].module}")
        loaded: click.Command = getattr(module, f"{name.replace('-', '_')}_command")
        return loaded

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if not args[0].startswith("-") and SHORT.get(args[0], args[0]) not in COMMANDS:
            raise click.NoSuchCommand(args[0], possibilities=COMMANDS, ctx=ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        widest = max(len(_with_short(name)) for name in COMMANDS)
        for section in dict.fromkeys(entry.section for entry in COMMANDS.values()):
            with formatter.section(section):
                rows = [(n, e.help) for n, e in COMMANDS.items() if e.section == section]
                formatter.write_dl([(f"{_with_short(n):{widest}}", text) for n, text in rows])

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        self.format_commands(ctx, formatter)
        records = [param.get_help_record(ctx) for param in self.get_params(ctx)]
        with formatter.section("Options"):
            formatter.write_dl([record for record in records if record is not None])

    def shell_complete(
        self, ctx: click.Context, incomplete: str
    ) -> list[click.shell_completion.CompletionItem]:
        from click.shell_completion import CompletionItem

        names = [name for name in COMMANDS if name.startswith(incomplete)]
        if names or not incomplete.startswith("-"):
            return [CompletionItem(name, help=COMMANDS[name].help) for name in names]
        return click.Command.shell_complete(self, ctx, incomplete)

    def main(  # type: ignore[override]
        self, args: Sequence[str] | None = None, prog_name: str | None = None
    ) -> None:
        """Run one call to its end, and exit with its code."""
        args = list(sys.argv[1:] if args is None else args)
        session = _session(args)
        try:
            code = super().main(args, prog_name or "yard", standalone_mode=False, obj=session)
            session.out.flush()
        except (Exception, KeyboardInterrupt) as error:
            code = fail(session, error)
        finally:
            session.close()
        sys.exit(code if isinstance(code, int) else 0)


def _session(args: Sequence[str]) -> Session:
    """A session that knows `--json` before parsing, for errors found while parsing."""
    session = Session()
    end = args.index("--") if "--" in args else len(args)
    if "--json" in args[:end]:
        session.out.mode = "json"
    if "--debug" in args[:end]:
        session.debug = True
    return session


def _with_short(name: str) -> str:
    return ", ".join([name, *(short for short, full in SHORT.items() if full == name)])


@click.group(
    "yard",
    cls=Root,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    invoke_without_command=True,
)
@click.version_option(__version__, message="yard %(version)s")
@click.pass_context
def root(ctx: click.Context) -> None:
    """Keep machine-learning models: store, version, find, compare, go back.

    MODEL is a name such as vision/resnet. REV is a version number, a branch, tag or alias, the
    beginning of a commit, or 'latest'. The yard is the one of --yard, else of $YARD, else the
    nearest folder above with a yard.toml, else your own.
    """
    if ctx.invoked_subcommand is not None:
        return
    if ctx.ensure_object(Session).out.mode != "human":
        raise click.UsageError("name a command")
    click.echo(ctx.get_help())


root.params += global_options()


def _end(_number: int, _frame: object) -> None:
    raise SystemExit(143)


def main() -> None:
    """The entry point of `yard`."""
    signal.signal(signal.SIGTERM, _end)  # so that temporary folders and children go too
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    root.main()
