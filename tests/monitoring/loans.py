"""A yard with a watched deployment: who pays a loan back, by income, age, debts and sex.

What the model learned is not fair, and its traffic can be moved away from what it was made of.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx2

__all__ = ["COLUMNS", "MODEL", "NAME", "make_loans", "people", "play", "until_ready"]

MODEL, NAME = "risk/loans", "loans"
COLUMNS = ("income", "age", "debts", "sex")


def people(count: int, seed: int = 0, *, moved: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Rows of COLUMNS, and whether they paid; `moved`: deviations by which incomes are higher."""
    random = np.random.default_rng(seed)
    sex = random.integers(0, 2, count).astype(float)
    income = random.normal(30 + 6 * sex + 8 * moved, 8, count)
    age, debts = random.uniform(20, 70, count), random.exponential(5, count)
    chance = 1 / (1 + np.exp(-(0.15 * (income - 33) - 0.25 * (debts - 5))))
    paid = random.random(count) < chance
    return np.column_stack([income, age, debts, sex]), paid.astype(int)


def make_loans(folder: Path, *, rows: int = 5000, deployed: bool = True) -> None:
    """Make the yard: a version with a profile, deployed."""
    import pandas as pd
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    import modelyard
    from modelyard.core.deployment import DeploymentSpec, Share
    from modelyard.registry import create

    inputs, paid = people(rows, 1)
    frame = pd.DataFrame(inputs, columns=list(COLUMNS))
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(frame, paid)
    held, truth = people(rows, 2)
    table = folder.parent / "held-out.csv"
    pd.DataFrame(held, columns=list(COLUMNS)).assign(paid=truth).to_csv(table, index=False)
    yard = create(folder)
    try:
        version = yard.commit(MODEL, model, example=frame[:2])
        modelyard.watch(yard).make_profile(
            MODEL, version.number, table, target="paid", groups=["sex"]
        )
        if deployed:
            share = Share(model=MODEL, revision=str(version.number))
            yard.deployments.apply(DeploymentSpec(name=NAME, shares=(share,)))
    finally:
        yard.close()


def play(
    client: httpx2.Client, inputs: np.ndarray, *, batch: int = 50, **headers: str
) -> Iterator[tuple[str, list[Any]]]:
    """Ask the deployment about rows, some at a time; gives request ids and answers."""
    for at in range(0, len(inputs), batch):
        some = inputs[at : at + batch]
        columns = {name: some[:, i].tolist() for i, name in enumerate(COLUMNS)}
        answer = client.post(f"/predict/{NAME}", json={"columns": columns}, headers=headers)
        assert answer.status_code == 200, answer.text
        yield answer.headers["x-request-id"], answer.json()["predictions"]


def until_ready(client: httpx2.Client, seconds: float = 60.0) -> None:
    """Until the deployment answers."""
    end = time.monotonic() + seconds
    while (answer := client.get(f"/v2/models/{NAME}/ready")).status_code != 200:
        assert time.monotonic() < end, answer.text
        time.sleep(0.1)
