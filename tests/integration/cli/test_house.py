"""Which yard is used; empty states; the house; shells and real processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

YARD = [sys.executable, "-m", "modelyard"]


def test_init_says_where_and_what_is_next(shell):
    result = shell.run("init", "yard")
    assert result.stdout == f"made a yard in {shell.home / 'yard'}\n"
    assert result.stderr.startswith(f"hint: export YARD={shell.home / 'yard'}")
    assert (shell.home / "yard" / "yard.toml").is_file()


def test_init_in_a_yard_refuses(shell):
    shell.run("init", "yard")
    assert shell.error("init", "yard")["kind"] == "yard-exists"


def test_the_yard_above_is_used(shell, monkeypatch):
    shell.run("init", "yard")
    (shell.home / "yard" / "deep").mkdir()
    monkeypatch.chdir(shell.home / "yard" / "deep")
    assert shell.json("list") == {"items": []}


def test_the_first_commit_makes_the_users_own_yard(shell):
    result = shell.run("commit", "m", shell.weights("out"), "-m", "first")
    place = shell.home / ".local" / "share" / "modelyard"
    assert f"made your yard in {place}" in result.stderr
    assert shell.out("list", "-q") == "m\n"
    assert "made" not in shell.run("commit", "m", shell.weights("out", step=1), "-m", "2").stderr


def test_without_a_yard_it_says_what_to_do(shell):
    message = shell.err("list")
    assert message.startswith("error: there is no yard here yet\n  hint: 'yard commit ")
    assert not (shell.home / ".local").exists()


def test_a_wrong_yard_is_told(shell):
    assert shell.error("list", "--yard", "nowhere")["kind"] == "no-yard"
    assert shell.error("list", "--yard", "s3://bucket/yard")["kind"] == "no-remote"


def test_an_empty_yard_says_what_to_do(yard):
    result = yard.run("list")
    assert result.stdout == "no models\n"
    assert result.stderr == "hint: yard commit MODEL PATH -m MSG\n"


def test_global_options_stand_before_or_after(resnet, monkeypatch):
    monkeypatch.delenv("YARD")
    place = resnet.home / "yard"
    for args in (["--yard", place, "--json", "list"], ["list", "--json", "--yard", place]):
        assert json.loads(resnet.out(*args))["items"][0]["name"] == "vision/resnet"


@pytest.mark.parametrize(
    ("args", "hint"),
    [
        (["show", "vision/resnt"], "did you mean vision/resnet? (yard list shows all)"),
        (["log", "Vision/ResNet"], "did you mean vision/resnet? (yard list shows all)"),
        (["show", "resnet"], "did you mean vision/resnet? (yard list shows all)"),
        (["show", "vision/resnet@wlid"], "did you mean vision/resnet@wild?"),
        (["checkout", "vision/resnet@mian", "x"], "did you mean vision/resnet@main?"),
    ],
)
def test_misspelt_names_get_a_suggestion(resnet, args, hint):
    message = resnet.err(*args)
    assert message.startswith("error: ")
    assert f"  hint: {hint}" in message


def test_unknown_names_without_anything_alike_are_errors_too(resnet):
    assert "did you mean" not in resnet.err("show", "qqqq")
    assert resnet.error("show", "vision/resnet@99")["kind"]


@pytest.mark.parametrize(
    "args", [["show", "../etc"], ["commit", "a b", "."], ["alias", "vision/resnet", "12", "1"]]
)
def test_bad_names_exit_with_one(resnet, args):
    assert resnet.error(*args)["kind"].startswith(("bad-", "reserved-"))


@pytest.mark.parametrize(
    "args",
    [["commit", "m"], ["commit", "m", "nowhere"], ["show"], ["diff", "a"], ["commit", "m", ".",
      "--metric", "acc=high"], ["branch", "m", "--delete"], ["delete", "m", "--purge", "--yes"]],
)  # fmt: skip
def test_wrong_usage_exits_with_two(resnet, args):
    assert resnet.error(*args, code=2)["kind"] == "usage"


def test_stats_count_bytes(resnet):
    stats = resnet.json("stats")
    assert (stats["models"], stats["versions"]) == (1, 3)
    assert stats["logical"] > stats["stored"] > 0
    assert stats["per_model"][0]["name"] == "vision/resnet"
    assert "as copies" in resnet.out("stats")


def test_verify_is_clean_and_exits_with_zero(resnet):
    report = resnet.json("verify")
    assert (report["ok"], report["versions"], report["damage"]) == (True, 3, [])


def test_verify_exits_with_one_on_damage(resnet):
    packs = [p for p in (resnet.home / "yard" / "store").rglob("*") if p.is_file()]
    largest = max(packs, key=lambda p: p.stat().st_size)
    data = bytearray(largest.read_bytes())
    data[len(data) // 2] ^= 0xFF
    largest.chmod(0o644)
    largest.write_bytes(data)
    report = resnet.json("verify", code=1)
    assert report["ok"] is False
    assert report["damage"]
    assert "damaged" in resnet.out("verify", code=1)


def test_gc_in_the_dry(resnet):
    assert resnet.json("gc", "--dry-run")["dry_run"] is True
    assert "would free" in resnet.out("gc", "--dry-run")
    assert resnet.json("gc")["dry_run"] is False


@pytest.mark.parametrize("shell_name", ["bash", "zsh", "fish"])
def test_completion_scripts(shell, shell_name):
    assert "_YARD_COMPLETE" in shell.out("completion", shell_name)
    assert shell.json("completion", shell_name)["shell"] == shell_name


@pytest.mark.parametrize(
    ("words", "expected"),
    [("yard sho", "show"), ("yard show vis", "vision/resnet"),
     ("yard show vision/resnet@w", "vision/resnet@wild")],
)  # fmt: skip
def test_names_complete(resnet, words, expected):
    env = os.environ | {
        "_YARD_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - 1),
    }
    done = subprocess.run(YARD, env=env, capture_output=True, text=True)
    assert done.stdout == f"plain,{expected}\n"


def test_completion_is_silent_without_a_yard(shell):
    env = os.environ | {
        "_YARD_COMPLETE": "bash_complete", "COMP_WORDS": "yard show v", "COMP_CWORD": "2",
    }  # fmt: skip
    done = subprocess.run(YARD, env=env, capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("", "")


def test_a_reader_that_goes_away_is_no_error(resnet):
    with subprocess.Popen(
        [*YARD, "cat", "vision/resnet", "model.npz"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode in (0, 1)


def test_real_processes_share_a_yard(resnet):
    done = subprocess.run(
        [*YARD, "log", "vision/resnet", "--json"], capture_output=True, text=True, check=True
    )
    assert [row["number"] for row in json.loads(done.stdout)] == [3, 2, 1]
    assert done.stderr == ""
    failed = subprocess.run([*YARD, "show", "vision/resnt"], capture_output=True, text=True)
    assert failed.returncode == 1
    assert failed.stdout == ""


def test_an_init_that_fails_leaves_nothing(shell):
    assert shell.error("init", "new", "--catalog", "postgresql://yard@127.0.0.1:1/x")
    assert not (shell.home / "new").exists()
    (shell.home / "old").mkdir()
    url = "postgresql://yard@127.0.0.1:1/x"
    assert shell.error("init", "old", "--catalog", url, "--key", "my.key")
    assert list((shell.home / "old").iterdir()) == []
    assert not (shell.home / "my.key").exists()
