"""The commands of a folder on a server's URL; who is not signed in gets exit code 4."""

import pytest
from tests.server.running import running

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with running(tmp_path_factory.mktemp("cli") / "yard") as server:
        yield server


def test_signing_in_working_and_signing_out(shell, server, monkeypatch):
    monkeypatch.delenv("YARD_AUTHOR")
    assert shell.error("list", "--yard", server.url, code=4)["kind"] == "not-signed-in"
    assert shell.run("whoami", server.url, "--json", code=4)
    signed = shell.run("login", server.url, "--token-stdin", stdin=f"{server.token}\n")
    assert server.token not in signed.output
    monkeypatch.setenv("YARD", server.url)
    assert shell.json("whoami")["account"] == "admin"
    shell.weights("source")
    assert shell.json("commit", "ns/m", "source", "-m", "first")["number"] == 1
    shell.run("checkout", "ns/m", "out")
    monkeypatch.chdir(shell.home / "out")
    monkeypatch.delenv("YARD")  # a checkout remembers its server
    (shell.home / "out" / "notes.md").write_text("tuned\n")
    assert "notes.md" in shell.out("status")
    assert shell.json("commit", "-m", "second")["number"] == 2
    assert [version["number"] for version in shell.json("log", "ns/m")] == [2, 1]
    assert shell.json("show", "ns/m")["author"] == "admin"
    shell.run("logout", server.url)
    assert shell.error("list", code=4)["kind"] == "not-signed-in"


def test_a_wrong_token_is_not_kept(shell, server):
    result = shell.run("login", server.url, "--token-stdin", stdin="yard_9_nonsense\n", code=4)
    assert "nonsense" not in result.output
    assert not (shell.home / ".config" / "modelyard").exists()


def test_a_token_of_the_environment_wins(shell, server, monkeypatch):
    monkeypatch.setenv("YARD_TOKEN", server.token)
    assert shell.json("whoami", server.url)["account"] == "admin"


def test_what_needs_the_folder_says_so(shell, server, monkeypatch):
    monkeypatch.setenv("YARD_TOKEN", server.token)
    monkeypatch.setenv("YARD", server.url)
    assert shell.error("rekey", "key")["kind"] == "only-local"
    assert shell.error("verify", "--rebuild")["kind"] == "only-local"


def test_a_folder_knows_no_accounts(yard):
    assert yard.error("logout")["kind"] == "only-remote"
