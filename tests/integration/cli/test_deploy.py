"""Deploying from the shell: what is wished, changed by steps, taken back, and told."""

from __future__ import annotations

import threading
from contextlib import contextmanager

import numpy as np
import pytest

from modelyard.registry import open_yard
from modelyard.registry.deployments import beat


@pytest.fixture
def fraud(yard):
    """A shell with three versions of risk/fraud, and an alias at the first."""
    from sklearn.linear_model import LogisticRegression

    rows, answers = np.eye(4), [0, 1, 0, 1]
    with open_yard(yard.home / "yard") as opened:
        for strength in (1.0, 10.0, 100.0):
            opened.commit("risk/fraud", LogisticRegression(C=strength).fit(rows, answers))
        opened.alias("risk/fraud", "prod", 1)
    return yard


def shares(told):
    return [(s["revision"], s["number"], s["percent"]) for s in told["spec"]["shares"]]


def test_a_version_is_deployed_changed_and_taken_back(fraud):
    assert fraud.json("deployments") == {"items": []}
    first = fraud.run("deploy", "fraud", "risk/fraud@prod")
    assert first.stdout.startswith("deployed fraud, waiting\n  risk/fraud@prod (1)  100 %")
    assert first.stderr == "hint: yard up serves it\n"
    tried = fraud.json("deploy", "fraud", "--canary", "risk/fraud@2=20", "--sticky", "X-User")
    assert shares(tried) == [("prod", 1, 80.0), ("2", 2, 20.0)]
    assert tried["spec"]["sticky"] == "x-user"
    rolled = fraud.run("rollout", "fraud", "--steps", "5,25,100", "--every", "2h")
    assert "rollout [5] > 25 > 100, next step in 120 min" in rolled.stdout
    assert "paused" in fraud.out("pause", "fraud")
    assert fraud.json("resume", "fraud")["spec"]["paused"] is False
    assert shares(fraud.json("promote", "fraud")) == [("2", 2, 100.0)]
    assert shares(fraud.json("rollback", "--deployment", "fraud")) == [("prod", 1, 100.0)]
    again = fraud.json("rollback", "--deployment", "fraud", "--to", "6")
    assert shares(again) == [("2", 2, 100.0)]
    whole = fraud.json("deployments", "fraud")
    assert [each["action"] for each in whole["changes"]][::-1] == [
        "deploy", "deploy", "rollout", "pause", "resume", "promote", "rollback", "rollback",
    ]  # fmt: skip
    assert whole["deployment"]["spec"]["sticky"] == "x-user", "what is not said stays"
    assert fraud.out("deployments", "-q") == "fraud\n"
    assert fraud.out("undeploy", "fraud", "--yes").startswith("undeployed fraud\n")
    assert fraud.error("deployments", "fraud")["kind"] == "no-deployment"


def test_options_are_kept_until_others_are_given(fraud):
    made = fraud.json(
        "deploy", "fraud", "risk/fraud@1", "--shadow", "risk/fraud@2=10", "--deadline", "2s",
        "--idle", "10m", "--memory", "2GB", "--threads", 2, "--replicas", 3, "--placement",
        "process", "--sample", 0.5, "--redact", "age", "--redact", "name", "--trust", "a.B",
    )  # fmt: skip
    spec = made["spec"]
    assert spec["limits"]["idle"] == 600.0
    assert (spec["limits"]["deadline"], spec["limits"]["threads"]) == (2.0, 2)
    assert (spec["replicas"], spec["placement"], spec["sample"]) == (3, "process", 0.5)
    assert (spec["redact"], spec["trusted"]) == (["age", "name"], ["a.B"])
    assert [s["shadow"] for s in spec["shares"]] == [False, True]
    later = fraud.json("deploy", "fraud", "risk/fraud@3", "--trust-all")["spec"]
    assert later["trusted"] == ["*"]
    assert {**later, "shares": 0, "trusted": 0} == {**spec, "shares": 0, "trusted": 0}
    assert len(later["shares"]) == 1
    fraud.run("deploy", "fraud", "--sticky", "x-user")
    bare = fraud.json(
        "deploy", "fraud", "--no-sticky", "--no-redact", "--no-trust", "--no-idle"
    )["spec"]  # fmt: skip
    assert (bare["sticky"], bare["redact"], bare["trusted"]) == (None, [], [])
    assert bare["limits"] == {**spec["limits"], "idle": None}
    for words in (("--idle", "1m", "--no-idle"), ("--trust", "a.B", "--no-trust")):
        assert "--no-" in fraud.err("deploy", "fraud", *words, code=2)


def test_what_cannot_be_said_is_told(fraud):
    assert "give MODEL@REV" in fraud.err("deploy", "fraud", code=2)
    for words in (("--canary", "risk/fraud@2=101"), ("--canary", "risk/fraud@2=x"),
                  ("--idle", "soon"), ("--idle", "0"), ("--sample", "2")):  # fmt: skip
        fraud.err("deploy", "fraud", "risk/fraud@1", *words, code=2)
    over = ("--canary", "risk/fraud@2=60", "--canary", "risk/fraud@3=60")
    assert "100 percent" in fraud.err("deploy", "fraud", "risk/fraud@1", *over, code=2)
    assert fraud.error("deploy", "Fraud", "risk/fraud@1")["kind"] == "bad-name"
    assert fraud.error("promote", "nobody")["kind"] == "no-deployment"
    assert "--deployment" in fraud.err("rollback", code=2)
    assert "generation" in fraud.err("rollback", "--deployment", "fraud", "--to", "x", code=2)
    fraud.run("deploy", "fraud", "risk/fraud@1")
    for words in (("--deadline", "2h"), ("--idle", "99999d")):
        assert fraud.error("deploy", "fraud", *words)["kind"] == "bad-limits"
    fraud.run("deploy", "fraud", "--canary", "risk/fraud@2")
    assert fraud.error("rollout", "fraud", "--every", "99999999d")["kind"] == "bad-steps"
    assert fraud.error("delete", "risk/fraud@1", "--purge", "--yes")["kind"] == "protected"
    assert "--yes" in fraud.err("undeploy", "fraud", code=2)


def test_waiting_ends_when_a_server_answers_or_a_version_fails(fraud, monkeypatch):
    from modelyard.cli import deploy
    from modelyard.core.deployment import ServedVersion

    monkeypatch.setattr(deploy, "_NOBODY", 0.5)
    assert fraud.error("deploy", "fraud", "risk/fraud@1", "--wait")["kind"] == "no-server"
    with open_yard(fraud.home / "yard") as opened:
        commit = opened.resolve("risk/fraud", 1).commit

        def say(state, reason=None):
            version = ServedVersion(
                model="risk/fraud", number=1, commit=commit, state=state, reason=reason
            )
            beat(opened.house, "here", {"fraud": (99, [version])})

        say("ready")
        assert fraud.json("deploy", "fraud", "risk/fraud@1", "--wait")["state"] == "ready"
        table = fraud.out("deployments", "fraud")
        assert "risk/fraud@1  ready" in table
        say("failed", "there was too little memory")  # before the wish that gives it more
        with later(0.3, say, "ready"):
            more = ("deploy", "fraud", "--memory", "4GiB", "--wait")
            assert fraud.json(*more)["state"] == "ready"
        say("failed", "there was too little memory")
        with later(1.3, say, "failed", "its file is cut"):
            failed = fraud.error("deploy", "fraud", "risk/fraud@1", "--wait")
    assert failed["kind"] == "not-served"
    assert failed["message"] == "risk/fraud@1 can't be served: its file is cut"


@contextmanager
def later(seconds, work, *given):
    """What a server does so much later, in a thread."""
    timer = threading.Timer(seconds, work, given)
    timer.start()
    try:
        yield
    finally:
        timer.join()


def test_events_and_the_audit_log_tell_of_it(fraud):
    fraud.run("deploy", "fraud", "risk/fraud@1")
    fraud.run("pause", "fraud")
    assert "fraud: pause" in fraud.out("events")
    line = fraud.json("audit")["items"][0]
    assert (line["action"], line["detail"]["action"]) == ("deployment", "pause")
    assert line["model"] == "risk/fraud"
