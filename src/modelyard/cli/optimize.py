"""`yard optimize`: a version is made better, and that is proved, or nothing is published."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click
from click.core import ParameterSource

from modelyard.cli.command import command
from modelyard.cli.params import DURATION, TARGET, revision_of, trust_options, trusted_of
from modelyard.cli.session import Session, pass_session

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from modelyard.core.names import ModelRevision
    from modelyard.core.optimization import Optimization, Trial

    Report = Callable[[Optimization, Sequence[Trial]], None]

__all__ = ["optimize_command"]

_YAML = (".yaml", ".yml")
_TERMINATED = 143
"""Exit code of what SIGTERM has ended."""
_SETTLED = {
    "recipe": "--recipe", "data": "--data", "column": "--target", "budget": "--budget",
    "trials": "--trials", "alias": "--alias", "seed": "--seed",
}  # fmt: skip
"""Options that one keeps from its beginning to its end."""


@command(
    "optimize",
    examples=[
        "yard optimize vision/digits@3 --recipe small --data data/digits@1 --target label",
        "yard optimize bank/loans --recipe tune.yaml --budget 10m --alias candidate",
        "yard optimize --resume 7",
    ],
    see=["suggest", "recipes", "optimizations", "evaluate"],
)
@click.argument("target", metavar="MODEL[@REV]", type=TARGET, required=False,
                help="Default of REV: main.")  # fmt: skip
@click.option("--recipe", metavar="FILE|NAME", default="auto", show_default=True,
              help="What is tried: a file, or one of 'yard recipes'.")  # fmt: skip
@click.option("--data", metavar="FILE|DATASET@REV",
              help="Rows to learn from, to choose by, and for the proof.")  # fmt: skip
@click.option("--target", "column", metavar="COL",
              help="The column to be predicted; else a model is compared with itself.")  # fmt: skip
@click.option("--budget", metavar="TIME", type=DURATION,
              help="How long to search: 90s, 10m, 2h. The proof comes after it.")  # fmt: skip
@click.option("--trials", metavar="N", type=click.IntRange(1, 10_000), help="How many at most.")
@click.option("--alias", metavar="NAME", help="Point this alias at the version that is chosen.")
@click.option("--engine", metavar="NAME", default="local", show_default=True,
              help="Where trials run: local, ray, or ray@HOST:PORT.")  # fmt: skip
@click.option("--seed", metavar="N", type=click.IntRange(0, 2**32 - 1),
              help="Of all chance. Default: the recipe's.")  # fmt: skip
@trust_options
@click.option("--resume", metavar="ID", type=click.IntRange(1),
              help="Go on with one that was interrupted.")  # fmt: skip
@click.option("--replay", metavar="ID", type=click.IntRange(1),
              help="Make what one chose again, and say whether it is the same.")  # fmt: skip
@click.option("--there", is_flag=True,
              help="Let the server do it; the data must be in its yard.")  # fmt: skip
@pass_session
def optimize_command(
    session: Session,
    target: ModelRevision | None,
    *,
    recipe: str,
    data: str | None,
    column: str | None,
    budget: float | None,
    trials: int | None,
    alias: str | None,
    engine: str,
    seed: int | None,
    trust: tuple[str, ...],
    trust_all: bool,
    resume: int | None,
    replay: int | None,
    there: bool,
) -> None:
    """Make a version better, and prove it, or publish nothing.

    A recipe's passes (tune, prune, quantize, ...) are tried in processes of their own, and judged
    on rows that they did not learn from. The best are proved on rows that nothing has seen: what is
    better in a goal, and worse in none by more than chance, becomes a version with its lineage.
    Ctrl-C stops it, and --resume goes on.
    """
    if sum((target is not None, resume is not None, replay is not None)) != 1:
        raise click.UsageError("name a model, or one optimization with --resume or --replay")
    trusted = trusted_of(trust, everything=trust_all)
    if target is None:
        if there:
            raise click.UsageError("--there takes a model; a server goes on by itself")
        _check_settled()
    if replay is not None:
        _replay(session, replay, trusted, engine)
        return
    how: dict[str, Any] = {
        "recipe": _recipe(session, recipe), "data": data, "target": column, "budget": budget,
        "trials": trials, "alias": alias, "engine": engine, "seed": seed, "trusted": trusted,
    }  # fmt: skip
    if there and target is not None:
        _there(session, target, how)
        return
    from modelyard.cli.views.optimizations import OptimizationView
    from modelyard.optimization.running import optimize

    yard: Any = session.yard()

    def run(report: Report) -> Optimization:
        if target is not None:
            return optimize(yard, target.model.text, revision_of(target), progress=report, **how)
        known = yard.optimizations.get(resume)
        return optimize(
            yard, known.model, known.number, resume=resume, engine=engine, trusted=trusted,
            progress=report,
        )  # fmt: skip

    found = _watched(session, run, _said(trust, everything=trust_all))
    if found.state == "cancelled":
        _cancelled(session, yard.optimizations.get(found.id))
    session.out.show(OptimizationView(found, yard.optimizations.trials(found.id)))
    _hint(session, found)


def _check_settled() -> None:
    """That nothing is said which an optimization has settled when it began."""
    from modelyard.optimization.asking import check_resumed

    source = click.get_current_context().get_parameter_source
    check_resumed(
        [said for name, said in _SETTLED.items() if source(name) is ParameterSource.COMMANDLINE]
    )


def _said(trust: tuple[str, ...], *, everything: bool) -> str:
    """The trust that was given, as it is typed: an optimization keeps none."""
    if everything:
        return " --trust-all"
    return "".join(f" --trust {shlex.quote(name)}" for name in trust)


def _watched(
    session: Session, run: Callable[[Report], Optimization], trusting: str
) -> Optimization:
    """What came of it; whoever stops it is told how it is gone on with."""
    from modelyard.cli.failures import INTERRUPTED
    from modelyard.cli.improving import Watching
    from modelyard.errors import Unavailable

    watching = Watching(session.out)
    try:
        with watching:
            return run(watching.report)
    except KeyboardInterrupt:
        _interrupted(session, watching.found, trusting, INTERRUPTED)
    except SystemExit as error:
        if error.code != _TERMINATED:
            raise
        _interrupted(session, watching.found, trusting, _TERMINATED)
    except Unavailable as error:
        if error.hint is not None and " --resume " in error.hint:
            error.hint += trusting
        raise


def _replay(session: Session, key: int, trusted: Any, engine: str) -> None:
    """Exit code 1 if it is not the same."""
    from modelyard.cli.failures import FAILED
    from modelyard.cli.views.optimizations import ReplayedView
    from modelyard.optimization.replaying import replay

    yard: Any = session.yard()
    done = replay(yard, key, engine=engine, trusted=trusted)
    session.out.show(ReplayedView(done))
    if not done.same:
        raise SystemExit(FAILED)


def _there(session: Session, target: ModelRevision, how: dict[str, Any]) -> None:
    from modelyard.cli.views.optimizations import OptimizationView
    from modelyard.client.remote import RemoteYard
    from modelyard.core.trust import Trust
    from modelyard.errors import Unsupported

    yard = session.yard()
    if not isinstance(yard, RemoteYard):
        raise Unsupported("only-remote", "this yard has no server that could do it",
                          hint="leave --there out")  # fmt: skip
    trust = Trust.of(how.pop("trusted"))
    how["trusted"] = ["*"] if trust.everything else sorted(trust.names)
    given = how["recipe"]
    if isinstance(given, Path):
        how["recipe"] = _text(given)
    begun = yard.optimizations.start(target.model.text, revision_of(target), **how)
    session.out.show(OptimizationView(begun))
    session.out.hint(f"yard optimizations {begun.id} --follow")


def _recipe(session: Session, given: str) -> str | Path:
    """A file where it looks like one; else a name."""
    path = session.cwd / Path(given).expanduser()
    if path.suffix in _YAML or "/" in given or path.is_file():
        return path
    return given


def _text(path: Path) -> str:
    from modelyard.errors import InvalidInput

    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise InvalidInput("wrong-recipe", f"{path} can't be read") from None


def _interrupted(
    session: Session, found: Optimization | None, trusting: str, code: int
) -> NoReturn:
    if found is None:
        session.out.fail("interrupted", "stopped before its first trial")
        raise SystemExit(code)
    done = f"{found.done} of {found.recipe.trials} trials are kept"
    hint = f"yard optimize --resume {found.id}{trusting}"
    session.out.fail("interrupted", f"stopped; {done}", hint)
    raise SystemExit(code)


def _cancelled(session: Session, found: Optimization) -> NoReturn:
    """Somebody else has ended it, or has taken it over while this process was thought dead."""
    from modelyard.cli.failures import FAILED

    done = f"{found.done} of {found.recipe.trials} trials had ended"
    if found.state == "cancelled":
        said = f"optimization {found.id} was cancelled; {done}"
        session.out.fail("optimization-cancelled", said, f"yard optimizations {found.id}")
    else:
        said = f"somebody else has taken up optimization {found.id}; {done}"
        session.out.fail("optimization-taken", said, f"yard optimizations {found.id} --follow")
    raise SystemExit(FAILED)


def _hint(session: Session, found: Optimization) -> None:
    if found.published:
        best = f"{found.model}@{found.published[0]}"
        more = f"; yard diff {found.title} {best}"
        session.out.hint(f"yard show {best}{more}")
    elif found.state == "done" and found.recipe.data is None:
        session.out.hint("with --data and --target more can be tried, and proved")
