"""`explain`: asks a version about some rows, and keeps what it learns with the version."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from modelyard.core.explanation import Explanation
from modelyard.core.table import Table
from modelyard.core.version import Progress
from modelyard.errors import Corrupt, InvalidInput, Unsupported
from modelyard.formats.tables import read_table
from modelyard.optimization.explain.asking import Asked
from modelyard.optimization.explain.importance import dependence_of, importances_of
from modelyard.registry.answers import check_target
from modelyard.registry.asking import opened
from modelyard.registry.data import DataName, find_data

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from modelyard.core.evaluation import Report
    from modelyard.core.trust import TrustAll
    from modelyard.registry.desk import Desk

__all__ = ["explain", "explanations"]


class WorkingYard(Protocol):
    """A yard, here or on a server, and its desk."""

    @property
    def desk(self) -> Desk: ...

    def reports(
        self, model: str, revision: str | int | None = None, kind: str | None = None
    ) -> Iterator[Report]: ...


KIND = "explanation"
"""As `Yard.reports` knows it."""


def explain(
    yard: WorkingYard,
    model: str,
    revision: str | int | None = None,
    *,
    data: str | Path,
    target: str | None = None,
    rows: int = 1000,
    repeats: int = 5,
    top: int = 10,
    points: int = 20,
    shap: bool = False,
    seed: int = 0,
    trusted: Iterable[str] | TrustAll | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Explanation:
    """Permutation importance, partial dependence and, if asked, SHAP; stored with the version.

    Args:
        data: A file or a committed dataset.
        target: Its column of right answers: importance is then a drop of accuracy or R squared.
            Without, it is the change of the output.
        rows: How many rows are drawn, with `seed`.
        top: Of how many inputs, the most important ones, the dependence is computed.

    Raises:
        InvalidInput: `bad-explain`, `bad-seed`, `no-column`, `missing-target`, `not-numeric`,
            `labels-differ`, `bad-outputs`: nothing is kept.
        Unsupported: `not-explainable`, `no-extra`.
        Denied: `untrusted`, as `Yard.load`.
    """
    if not 0 <= seed < 2**32:
        raise InvalidInput("bad-seed", f"{seed} is no seed", hint="0 to 4294967295")
    if not (2 <= rows <= 1_000_000 and 1 <= repeats <= 1000 and 2 <= points <= 1000 and top >= 0):
        raise InvalidInput(
            "bad-explain", f"can't explain with rows={rows}, repeats={repeats}, points={points}",
            hint="2 or more rows and points, 1 or more repeats",
        )  # fmt: skip
    with find_data(yard.desk, data) as found:
        table = read_table(found.path)
    inputs, truth = _drawn(table, target, rows, seed)
    told = progress or (lambda _: None)
    with opened(yard.desk, model, revision, trusted) as version:
        runtime = version.runtime
        named = runtime.about.features
        flat = _flat(inputs if named is None else inputs.known(named))
        asked = Asked(runtime, truth)
        score_name, score = asked.scorer(flat)
        expected = asked.numbers(flat).mean(axis=0)
        importances = importances_of(
            flat, score, repeats=repeats, seed=seed,
            told=lambda done: told(Progress("explain", done, len(flat.names))),
        )  # fmt: skip
        versions: dict[str, str] = {"numpy": np.__version__}
        if shap:
            from modelyard.optimization.explain.shapley import shap_of

            means, name = shap_of(flat, asked, seed=seed)
            importances = tuple(replace(i, shap=means[i.feature]) for i in importances)
            versions["shap"] = name.removeprefix("shap ")
        dependences = tuple(
            dependence_of(flat, asked, each.feature, points=points) for each in importances[:top]
        )
        explanation = Explanation(
            model=version.model, number=version.number, data=found.name, digest=found.digest,
            rows=len(flat), seed=seed, score=score_name, baseline=float(score(flat).mean()),
            importances=importances, dependences=dependences,
            expected=dict(zip(asked.names, map(float, expected), strict=True)),
            versions=versions,
        )  # fmt: skip
    yard.desk.keep_report(
        explanation.model, explanation.number, KIND, asdict(explanation),
        data=DataName(found.name, found.digest),
    )  # fmt: skip
    return explanation


def explanations(
    yard: WorkingYard, model: str, revision: str | int | None = None
) -> Iterator[Explanation]:
    """What was explained of a version, newest first; what can't be read is skipped."""
    for report in yard.reports(model, revision, KIND):
        with suppress(Corrupt):
            yield Explanation.decode(report.content)


def _drawn(
    table: Table, target: str | None, rows: int, seed: int
) -> tuple[Table, np.ndarray[Any, Any] | None]:
    """Inputs and, where there is one, the target of rows that the seed draws."""
    if not len(table):
        raise InvalidInput("no-rows", "the data has no rows", hint="name another file")
    truth = None if target is None else table.column(target)
    if truth is not None:
        check_target(truth, None, grouped=False)
    inputs = table if target is None else table.without(target)
    if len(table) > rows:
        chosen = np.sort(np.random.default_rng(seed).choice(len(table), rows, replace=False))
        inputs = inputs.take(chosen)
        truth = None if truth is None else truth[chosen]
    return inputs, truth


def _flat(table: Table) -> Table:
    """A matrix as one column for each of its numbers. Unsupported for pictures and the like."""
    columns = {}
    for name, column in table.columns.items():
        if column.ndim == 1:
            columns[name] = column
        elif column.ndim == 2 and column.shape[1] <= 10_000:
            columns |= {f"{name}[{i}]": column[:, i] for i in range(column.shape[1])}
        else:
            raise Unsupported(
                "not-explainable", f"{name} has shape {list(column.shape)}: too many inputs",
                hint="explanations are for tables of up to 10,000 columns",
            )  # fmt: skip
    return Table(columns)
