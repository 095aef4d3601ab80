"""Yards that are encrypted: made, used, given another key; without the key nothing can be read."""

from __future__ import annotations

import os
import re
import stat

import pytest


@pytest.fixture
def vault(shell, monkeypatch):
    """An encrypted yard with one version."""
    shell.run("init", "vault", "--key", "my.key")
    monkeypatch.setenv("YARD", str(shell.home / "vault"))
    shell.run("commit", "m", shell.weights("out"), "-m", "a telltale message")
    return shell


def stored(shell):
    files = (shell.home / "vault" / "store").rglob("*")
    return b"".join(path.read_bytes() for path in files if path.is_file())


def test_a_key_is_made_that_only_its_owner_can_read(vault):
    key = vault.home / "my.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert len(bytes.fromhex(key.read_text().strip())) == 32


def test_nothing_of_a_version_can_be_seen_in_the_store(vault):
    content = stored(vault)
    assert content
    assert b"telltale" not in content
    assert b"m@1" not in content
    assert vault.json("verify")["damage"] == []


def test_without_the_key_nothing_is_read_and_with_another_neither(vault):
    (vault.home / "my.key").rename(vault.home / "hidden")
    assert vault.error("log", "m")["kind"] == "no-master-key"
    (vault.home / "my.key").write_text("ab" * 32)
    assert vault.error("checkout", "m", "there")["kind"] == "wrong-key"


def test_a_new_key_takes_over_at_once(vault):
    vault.run("backup", "--catalog")
    assert vault.json("rekey", "new.key") == {"key": "new.key", "packs": 1}
    os.remove(vault.home / "my.key")
    vault.run("commit", "m", vault.weights("out", step=1), "-m", "with the new key")
    assert vault.json("verify")["damage"] == []
    assert vault.json("verify", "--rebuild")["versions"] == 2
    vault.run("restore-backup", vault.home / "vault" / "store", "again", "--key", "new.key")
    assert len(vault.json("log", "m", "--yard", "again")) == 1
    assert vault.error("rekey", "new.key")["kind"] == "same-key"


def test_a_key_may_come_from_the_environment(shell, monkeypatch):
    monkeypatch.setenv("MY_KEY", "0f" * 32)
    shell.run("init", "vault", "--key", "env:MY_KEY")
    monkeypatch.setenv("YARD", str(shell.home / "vault"))
    shell.run("commit", "m", shell.weights("out"), "-m", "one")
    monkeypatch.delenv("MY_KEY")
    assert shell.error("log", "m")["kind"] == "no-master-key"


def test_a_yard_without_a_key_can_not_be_given_another(yard):
    assert yard.error("rekey", "new.key")["kind"] == "not-encrypted"


def test_who_joins_an_encrypted_yard_without_its_key_writes_nothing_into_it(shell):
    urls = (
        "--store",
        f"sqlite:///{shell.home}/packs.db",
        "--catalog",
        f"sqlite:///{shell.home}/c.db",
    )
    shell.run("init", "ann", *urls, "--key", "my.key")
    shell.run("init", "early", *urls, "--key", "my.key")
    said = shell.home / "early" / "yard.toml"
    said.write_text(re.sub(r"^key = .*\n", "", said.read_text(), flags=re.MULTILINE))
    shell.run("commit", "m", shell.weights("out"), "-m", "sealed", "--yard", "ann")
    assert shell.error("init", "bob", *urls)["kind"] == "no-master-key"
    assert shell.error("init", "bob", *urls, "--key", "other.key")["kind"] == "wrong-key"
    assert not (shell.home / "bob" / "yard.toml").exists()
    assert not (shell.home / "other.key").exists()
    for words in (("commit", "n", "out"), ("backup", "--catalog"), ("verify",)):
        assert shell.error(*words, "--yard", "early")["kind"] == "no-master-key"
    shell.run("init", "bob", *urls, "--key", "my.key")
    shell.run("rekey", "new.key", "--yard", "ann")
    for words in (("commit", "n", "out"), ("backup", "--catalog"), ("verify",)):
        assert shell.error(*words, "--yard", "bob")["kind"] == "wrong-key"
    assert shell.json("verify", "--yard", "ann")["damage"] == []


def test_who_joins_a_yard_is_told_what_is_there(shell):
    urls = (
        "--store",
        f"sqlite:///{shell.home}/packs.db",
        "--catalog",
        f"sqlite:///{shell.home}/c.db",
    )
    assert shell.json("init", "ann", *urls)["models"] == 0
    shell.run("commit", "m", shell.weights("out"), "-m", "one", "--yard", "ann")
    assert "have 1 model" in shell.run("init", "bob", *urls).output


def test_an_empty_yard_that_was_made_with_a_key_takes_nobody_without_one(shell):
    shared = ("--store", shell.home / "packs", "--catalog", f"sqlite:///{shell.home}/rows.db")
    shell.run("init", "ann", *shared, "--key", "my.key")
    assert shell.error("init", "bob", *shared)["kind"] == "no-master-key"
    assert not (shell.home / "bob").exists()
    shell.run("init", "carl", *shared, "--key", "my.key")
