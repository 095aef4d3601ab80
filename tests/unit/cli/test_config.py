"""Which yard, and who the author is."""

from __future__ import annotations

import pytest

from modelyard.config import choose_yard, default_author, default_yard, demo_folder


@pytest.fixture
def home(tmp_path):
    place = tmp_path / "home"
    place.mkdir()
    return place


@pytest.fixture
def environment(home):
    return {"HOME": str(home)}


@pytest.fixture
def inside_yard(tmp_path):
    (tmp_path / "models" / "deep" / "down").mkdir(parents=True)
    (tmp_path / "models" / "yard.toml").write_text("")
    return tmp_path / "models" / "deep" / "down"


def test_the_option_comes_before_all_else(environment, inside_yard):
    environment["YARD"] = "/elsewhere"
    choice = choose_yard(
        "/here", environment=environment, cwd=inside_yard, checkout=lambda: "/there"
    )
    assert (choice.url, choice.source) == ("/here", "option")


def test_the_environment_comes_before_the_folder(environment, inside_yard):
    environment["YARD"] = "/elsewhere"
    choice = choose_yard(None, environment=environment, cwd=inside_yard, checkout=lambda: "/there")
    assert (choice.url, choice.source) == ("/elsewhere", "environment")


def test_the_nearest_yard_above_comes_before_the_checkouts(environment, inside_yard, tmp_path):
    (tmp_path / "yard.toml").write_text("")
    choice = choose_yard(None, environment=environment, cwd=inside_yard, checkout=lambda: "/there")
    assert (choice.url, choice.source) == (str(tmp_path / "models"), "folder")


def test_the_checkouts_yard_comes_before_the_users_own(environment, tmp_path):
    choice = choose_yard(None, environment=environment, cwd=tmp_path, checkout=lambda: "/there")
    assert (choice.url, choice.source) == ("/there", "checkout")


def test_without_anything_it_is_the_users_own(environment, tmp_path, home):
    choice = choose_yard(None, environment=environment, cwd=tmp_path)
    assert (choice.url, choice.source) == (str(home / ".local/share/modelyard"), "default")


def test_the_users_own_follows_xdg_if_it_is_absolute(environment, home):
    assert str(default_yard(environment | {"XDG_DATA_HOME": "/data"})) == "/data/modelyard"
    assert default_yard(environment | {"XDG_DATA_HOME": "data"}).is_relative_to(home)


def test_the_demo_works_in_the_cache(environment, home):
    assert demo_folder(environment) == home / ".cache" / "modelyard" / "demo"
    assert str(demo_folder({"XDG_CACHE_HOME": "/c"})) == "/c/modelyard/demo"


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("sub/../models", "{cwd}/models"),
        ("~/models", "{home}/models"),
        ("~", "{home}"),
        ("https://models.example.com", "https://models.example.com"),
    ],
)
def test_paths_are_made_absolute_and_urls_are_left_alone(environment, home, tmp_path, given, meant):
    choice = choose_yard(given, environment=environment, cwd=tmp_path)
    assert choice.url == meant.format(cwd=tmp_path, home=home)


def test_an_empty_variable_is_none(environment, tmp_path):
    choice = choose_yard(None, environment=environment | {"YARD": ""}, cwd=tmp_path)
    assert choice.source == "default"


def test_author_is_what_the_variable_says(environment):
    environment |= {"YARD_AUTHOR": "Ann", "GIT_AUTHOR_NAME": "Bob"}
    assert default_author(environment) == "Ann"


def test_author_is_who_git_says(environment, home):
    (home / ".gitconfig").write_text("[user]\n\tname = Ann Lee\n\temail = ann@example.com\n")
    assert default_author(environment) == "Ann Lee <ann@example.com>"
    environment |= {"GIT_AUTHOR_NAME": "Bob", "GIT_AUTHOR_EMAIL": "bob@example.com"}
    assert default_author(environment) == "Bob <bob@example.com>"


def test_author_is_the_login_without_git(environment, home):
    (home / ".gitconfig").write_text("[core]\n\teditor = vi\n")
    assert default_author(environment | {"USER": "ann"}) == "ann"


def test_broken_git_settings_do_not_stop_a_commit(environment, home):
    (home / ".gitconfig").write_bytes(b"[user\nname = \xff")
    assert default_author(environment | {"USER": "ann"}) == "ann"
