"""`yard events` and `yard webhook` in a folder."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest
from tests.server.listening import listening
from tests.server.running import running

from modelyard.registry import open_yard


@pytest.fixture
def lived(shell):
    """A yard with two versions and an alias."""
    shell.run("init", "team")
    for step in (0, 1):
        shell.run("commit", "vision/a", shell.weights("w", step=step), "-m", f"number {step}")
    shell.run("alias", "vision/a", "prod", "2")
    return shell


@pytest.fixture(autouse=True)
def in_team(shell, monkeypatch):
    monkeypatch.setenv("YARD", str(shell.home / "team"))


def test_events_are_listed_oldest_first(lived):
    lines = lived.out("events").splitlines()
    assert "version-committed" in lines[1]
    assert "number 0" in lines[1]
    assert "alias prod at 2" in lines[3]
    told = lived.json("events")
    assert [event["new"] for event in told["items"]] == [1, 2, 2]
    assert lived.json("events", "--after", told["items"][1]["id"])["items"] == told["items"][2:]
    assert lived.json("events", "--after", told["next"])["items"] == []
    assert len(lived.json("events", "--limit", "1")["items"]) == 1


def test_events_are_chosen_by_model_and_kind(lived):
    assert lived.out("events", "--kind", "ref-created", "-q").split() == ["3"]
    assert lived.out("events", "--model", "text/*").strip() == "no events"
    assert lived.error("events", "--kind", "x")["kind"] == "bad-event-kind"
    assert lived.error("events", "--model", "a/b/*")["kind"] == "bad-pattern"


def test_events_are_followed_as_lines_of_json(lived):
    command = [sys.executable, "-m", "modelyard", "events", "--follow", "--after", "1", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ) as process:
        assert process.stdout is not None
        old = [json.loads(process.stdout.readline()) for _ in range(2)]
        lived.run("label", "vision/a", "task=sort")
        new = json.loads(process.stdout.readline())
        process.terminate()
        assert process.wait(20) in (143, -15)
    assert [event["id"] for event in old] == [2, 3]
    assert new["detail"]["add"] == {"task": "sort"}


def test_webhooks_are_made_looked_at_and_removed(lived):
    made = lived.json("webhook", "add", "https://x.example.org/in", "--model", "vision/*")
    assert made["secret"].startswith("whsec_")
    key = made["hook"]["id"]
    assert made["secret"] not in lived.out("webhook", "list", "--json")
    assert lived.json("webhook", "off", key)["items"][0]["active"] is False
    assert lived.json("webhook", "on", key)["items"][0]["active"] is True
    assert lived.out("webhook", "deliveries", key).strip() == "no deliveries"
    assert lived.error("webhook", "redeliver", key, "7")["kind"] == "no-delivery"
    assert "removed" in lived.out("webhook", "remove", key)
    assert lived.error("webhook", "remove", key)["kind"] == "no-hook"
    assert lived.out("webhook").strip() == "no webhooks"


def test_a_ping_goes_nowhere_private(lived):
    key = lived.json("webhook", "add", "http://127.0.0.1:80/in")["hook"]["id"]
    told = lived.json("webhook", "test", key, code=1)
    assert "no address" in told["error"]


@pytest.mark.parametrize("words", [("add",), ("test",), ("test", "x"), ("redeliver", "1"), ("y",)])
def test_wrong_usage_is_told(lived, words):
    lived.run("webhook", *words, code=2)
    assert lived.error("webhook", "add", "file:///x")["kind"] == "bad-hook-url"


def test_a_server_is_asked_in_the_same_words(shell, monkeypatch):
    with running(shell.home / "served", private_hooks=True) as one, listening() as listener:
        with open_yard(one.folder) as yard:
            yard.commit("vision/a", shell.weights("w"))
        monkeypatch.setenv("YARD", one.url)
        monkeypatch.setenv("YARD_TOKEN", one.token)
        assert "version-committed" in shell.out("events")
        key = shell.json("webhook", "add", f"{listener.url}/in")["hook"]["id"]
        assert "answered with 200" in shell.out("webhook", "test", key)
        command = [sys.executable, "-m", "modelyard", "events", "--follow", "--json", "--after", 0]
        with subprocess.Popen(
            [str(word) for word in command], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            assert json.loads(process.stdout.readline())["kind"] == "version-committed"
            process.terminate()
            process.wait(20)
        monkeypatch.setenv("YARD_TOKEN", "wrong")
        assert shell.error("events", code=4)["kind"] == "not-signed-in"


def test_ctrl_c_ends_following_without_an_error(lived):
    command = [sys.executable, "-m", "modelyard", "events", "--follow", "--after", "0", "--json"]
    following = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    assert json.loads(following.stdout.readline())["kind"] == "version-committed"
    following.send_signal(signal.SIGINT)
    _, said = following.communicate(timeout=20)
    assert (following.returncode, said) == (130, "")


def test_a_webhook_to_where_none_may_go_says_what_lets_it(lived):
    lived.run("webhook", "add", "http://127.0.0.1:9/x")
    tried = lived.run("webhook", "test", "1", code=1)
    assert "--private-hooks" in tried.stderr
    assert lived.error("webhook", "add", "ftp://x")["kind"] == "bad-hook-url"
