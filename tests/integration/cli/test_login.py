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


def test_login_goes_to_the_server_that_is_used_already(shell, server, monkeypatch):
    monkeypatch.setenv("YARD", server.url)
    told = shell.run("login", "--token-stdin", stdin=f"{server.token}\n")
    assert f"signed in to {server.url} as admin" in told.stdout
    assert "export" not in told.stderr


def test_a_path_on_a_server_that_is_no_yard_tells_where_one_ends(shell, server, monkeypatch):
    monkeypatch.setenv("YARD_TOKEN", server.token)
    assert "/login" in shell.error("list", "--yard", f"{server.url}/login")["hint"]


def test_who_has_no_roles_is_told_who_gives_them(shell, server, monkeypatch):
    monkeypatch.setenv("YARD", server.url)
    monkeypatch.setenv("YARD_TOKEN", server.token)
    shell.run("account", "add", "joe")
    token = shell.out("token", "make", "--account", "joe", "-q").strip()
    shell.run("role", "give", "joe", "none", "secret/*")
    monkeypatch.setenv("YARD_TOKEN", token)
    told = shell.out("whoami")
    assert "no roles yet" in told
    assert "secret" not in told


def test_stats_tell_who_reads_only_some_models_of_those_alone(shell, server, monkeypatch):
    monkeypatch.setenv("YARD", server.url)
    monkeypatch.setenv("YARD_TOKEN", server.token)
    shell.weights("some")
    shell.run("commit", "open/m", "some", "-m", "first")
    shell.run("account", "add", "eve")
    shell.run("role", "give", "eve", "reader", "open/*")
    token = shell.out("token", "make", "--account", "eve", "-q").strip()
    monkeypatch.setenv("YARD_TOKEN", token)
    told = shell.out("stats")
    assert "open/m" in told
    assert "saved" not in told
    assert "catalog" not in told


def test_a_server_that_is_not_there_is_told_in_words(shell):
    failed = shell.error("list", "--yard", "http://127.0.0.1:1")
    assert failed["message"].endswith("can't be reached: connection refused")
    assert "yard up" in failed["hint"]


def test_https_where_none_is_spoken_says_so(shell, server):
    url = server.url.replace("http:", "https:")
    assert server.url in shell.error("list", "--yard", url)["hint"]


def test_a_url_without_its_scheme_is_told_what_is_missing(shell):
    assert "http://localhost:8300" in shell.error("list", "--yard", "localhost:8300")["hint"]


def test_no_yard_is_made_or_served_at_a_url(shell, monkeypatch):
    assert shell.error("init", "http://localhost:8300", code=2)["kind"] == "usage"
    assert not list(shell.home.iterdir())
    monkeypatch.setenv("YARD", "http://localhost:8300")
    failed = shell.error("up", "--no-browser")
    assert failed["kind"] == "only-local"
    assert "$YARD" in failed["message"]


def test_a_folder_that_is_imported_is_asked_for_its_system(yard):
    (yard.home / "repository").mkdir()
    assert "yard import git" in yard.error("import", "repository", code=2)["message"]


def test_a_commit_where_one_may_not_write_tells_what_it_takes(shell, server, monkeypatch):
    monkeypatch.setenv("YARD", server.url)
    monkeypatch.setenv("YARD_TOKEN", server.token)
    shell.weights("mine")
    shell.run("account", "add", "kim")
    token = shell.out("token", "make", "--account", "kim", "-q").strip()
    monkeypatch.setenv("YARD_TOKEN", token)
    refused = shell.error("commit", "hidden/m", "mine", "-m", "first")
    assert refused["kind"] == "no-model"
    assert "role writer" in refused["hint"]
