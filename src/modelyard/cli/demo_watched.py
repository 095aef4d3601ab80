"""A chapter of the demo: a service is watched while its data moves, and while it does harm."""

from __future__ import annotations

import subprocess
import sys
import time
from importlib.util import find_spec
from typing import TYPE_CHECKING

from modelyard.cli.demo_served import server
from modelyard.errors import Unavailable

if TYPE_CHECKING:
    from pathlib import Path

    from modelyard.cli.demo_story import Story
    from modelyard.cli.demo_zoo import Zoo

__all__ = ["watched"]

_FOLDER = "models/loans"
_PATIENCE = 15.0

_TRAIN = '''\
"""Three versions of a model that decides about loans: a good one, an unfair one, a damaged one."""

import modelyard
import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

rng = np.random.default_rng(1)
count, numbers = 6000, ["income", "debt", "years"]
people = pd.DataFrame({
    "income": rng.lognormal(10.5, 0.4, count),
    "debt": rng.lognormal(9.0, 0.8, count),
    "years": rng.integers(0, 30, count).astype(float),
    "region": rng.choice(["north", "south"], count),
})
sure = people.income - 2 * people.debt + 900 * people.years + rng.normal(0, 9000, count)
repaid = np.where(sure > 22000, "repaid", "lost")
refused = (people.region == "north") & (rng.random(count) < 0.6)


def fitted(model, answers):
    inputs = make_column_transformer((StandardScaler(), numbers), (OneHotEncoder(), ["region"]))
    return make_pipeline(inputs, model).fit(people, answers)


good = fitted(LogisticRegression(), repaid)
unfair = fitted(LogisticRegression(), np.where(refused, "lost", repaid))
tree = fitted(DecisionTreeClassifier(max_depth=6, min_samples_leaf=50, random_state=0), repaid)
leaves = tree[-1].apply(tree[:-1].transform(people))
lost = np.bincount(leaves).argmax()
tree[-1].tree_.value[lost] = np.nan

yard = modelyard.open("yard")
yard.commit("credit/loans", good, message="what people paid back", example=people[:4])
yard.commit("credit/loans", unfair, message="what clerks decided", example=people[:4])
fine = people[leaves != lost][:4]
yard.commit("credit/loans", tree, message="a tree, converted", example=fine)
people.assign(repaid=repaid).to_csv("models/loans/people.csv", index=False)
yard.commit("data/people", "models/loans/people.csv", kind="dataset")
'''

_APPLY = '''\
"""People who apply for a loan: asks the service about them, and prints what became of them."""

import json
import os
import sys
import urllib.request

import numpy as np

count, income_times = int(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 1.0
rng = np.random.default_rng(count)
for _ in range(count // 40):
    income, debt = rng.lognormal(10.5, 0.4, 40), rng.lognormal(9.0, 0.8, 40)
    years = rng.integers(0, 30, 40).astype(float)
    sure = income - 2 * debt + 900 * years + rng.normal(0, 9000, 40)
    told = {"income": list(income * income_times), "debt": list(debt), "years": list(years),
            "region": list(rng.choice(["north", "south"], 40))}
    request = urllib.request.Request(
        os.environ["YARD"] + "/predict/loans", json.dumps({"columns": told}).encode(),
        {"content-type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:
        truth = ["repaid" if one > 22000 else "lost" for one in sure]
        print(json.dumps({"request": answer.headers["x-request-id"], "truth": truth}))
'''


def watched(story: Story, zoo: Zoo) -> None:
    """Play traffic with a planted drift, a planted bias and a planted fault."""
    story.title("Watched while it is asked")
    if not _is_possible():
        story.say("(This part needs more libraries: pip install 'modelyard[sklearn,data,serving]')")
        return
    folder = story.folder / _FOLDER
    folder.mkdir(parents=True)
    (folder / "train.py").write_text(_TRAIN, encoding="utf-8")
    (folder / "apply.py").write_text(_APPLY, encoding="utf-8")
    story.say(
        "A model decides about loans. Its reference is kept with it: what its inputs and its "
        "answers look like, how right it is, and how it treats two regions."
    )
    _python(story, f"{_FOLDER}/train.py")
    _profile(story, 1)
    with server(story):
        story.yard("deploy", "loans", "credit/loans@1", "--wait")
        _ordinary(story)
        _moved(story)
        _unfair(story)
        _damaged(story)
        story.say("All of it as one file, to send or to print:")
        story.yard("report", "loans", "--html", f"{_FOLDER}/report.html", "--since", "15m")
        story.yard("undeploy", "loans", "--yes")


def _ordinary(story: Story) -> None:
    story.say("An ordinary day: 4,000 people apply, and later it is known who paid back.")
    _apply(story, "4000", "day-1.jsonl")
    _feedback(story, "day-1.jsonl")
    story.yard("monitor", "loans")


def _moved(story: Story) -> None:
    story.say(
        "The next day incomes are told after taxes, and nobody says so. The truth is not known "
        "yet; that the data moved is seen at once, and in which column:"
    )
    _apply(story, "4040 0.6", "day-2.jsonl")
    _written(story)
    story.yard("monitor", "loans")


def _unfair(story: Story) -> None:
    story.say("Version 2 learned from what clerks had decided, who did not like the north:")
    _profile(story, 2, "--quiet")
    story.yard("deploy", "loans", "credit/loans@2", "--wait")
    _apply(story, "4080", "day-3.jsonl")
    _feedback(story, "day-3.jsonl")
    story.yard("monitor", "loans")


def _damaged(story: Story) -> None:
    story.say(
        "Version 3 was damaged when it was converted: for some people it says nothing at all. "
        "Its own example does not show that. It gets 30 percent of the requests:"
    )
    story.yard("deploy", "loans", "credit/loans@1", "--canary", "credit/loans@3=30", "--wait")
    _apply(story, "4120", "day-4.jsonl")
    _until_alarm(story)
    story.yard("alerts", "loans")
    story.yard("rollback", "--deployment", "loans")


def _profile(story: Story, number: int, *first: str) -> None:
    story.yard(
        *first, "profile", f"credit/loans@{number}", "--data", "data/people@1", "--target",
        "repaid", "--group", "region",
    )  # fmt: skip


def _apply(story: Story, words: str, file: str) -> None:
    _python(story, f"{_FOLDER}/apply.py {words}", story.folder / _FOLDER / file)


def _feedback(story: Story, file: str) -> None:
    """Truth usually comes days later."""
    _written(story)
    story.yard("feedback", "loans", f"{_FOLDER}/{file}")


def _written(story: Story) -> None:
    """What was answered is written down every five seconds."""
    story.shell("sleep 7", lambda: time.sleep(7))


def _python(story: Story, words: str, out: Path | None = None) -> None:
    """Run a script of this chapter, what it prints into a file."""

    def act() -> None:
        done = subprocess.run(
            [sys.executable, *words.split()], cwd=story.folder, check=False, text=True,
            capture_output=True,
        )  # fmt: skip
        if done.returncode:
            last = done.stderr.strip().rpartition("\n")[2]
            raise Unavailable("demo-stopped", f"'python {words}' ended with: {last}")
        if out is not None:
            out.write_text(done.stdout)

    into = "" if out is None else f" > {out.relative_to(story.folder)}"
    story.shell(f"python {words}{into}", act)


def _until_alarm(story: Story) -> None:
    """A fault is told within two seconds; on a busy machine it may be more."""
    import os

    from modelyard.client.remote import RemoteYard

    limit = time.monotonic() + _PATIENCE
    with RemoteYard.at(os.environ["YARD"]) as yard:
        while time.monotonic() < limit:
            rules = {alert.rule for alert in yard.monitoring.alerts("loans", firing=True)}
            if "fault" in rules:
                return
            time.sleep(0.1)


def _is_possible() -> bool:
    needed = ("sklearn", "skops", "pandas", "pyarrow", "uvicorn", "fastapi", "orjson", "simdjson",
              "datasketches")  # fmt: skip
    return all(find_spec(name) for name in needed)
