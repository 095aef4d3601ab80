"""Who is let in: tokens, passwords, cookies, links; and which models they may know of."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest

from modelyard.catalog.queries import tokens
from modelyard.errors import Conflict, Denied, InvalidInput, ModelyardError, NotFound
from modelyard.registry import access
from modelyard.registry.access.accounts import disable_account, enable_account
from modelyard.registry.access.giving import give_role
from modelyard.registry.access.secrets import read_token, token_text
from modelyard.registry.access.tokens import make_token, revoke_token, rotate_token

if TYPE_CHECKING:
    from pathlib import Path

    from modelyard.core.access import Caller
    from modelyard.registry.house import House
    from modelyard.registry.local import LocalYard

PASSWORD = "four unlikely words here"


@pytest.fixture
def house(yard: LocalYard, tmp_path: Path) -> House:
    (tmp_path / "w.txt").write_text("weights")
    for name in ("open/one", "secret/one"):
        yard.commit(name, tmp_path / "w.txt")
    access.create_account(yard.house, "ann", password=PASSWORD)
    give_role(yard.house, "ann", "open/*", "writer")
    return yard.house


def enter(house: House, **headers: str) -> Caller:
    return access.signed_in_by(house, headers, {}, address="192.0.2.7", request="r-1")


def basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def refused(house: House, **headers: str) -> str:
    with pytest.raises(Denied) as error:
        enter(house, **headers)
    return error.value.kind


def test_first_run_makes_an_admin_once(house: House, yard: LocalYard, tmp_path: Path) -> None:
    assert access.first_account(house) is None  # there is ann
    from modelyard.registry import create

    with create(tmp_path / "new") as other:
        secret = access.first_account(other.house)
        assert secret is not None
        assert access.first_account(other.house) is None
        assert enter(other.house, authorization=f"Bearer {secret}").role("*") == "admin"


def test_a_token_lets_in_with_its_bounds(house: House) -> None:
    _, secret = make_token(house, "ann", role="reader", models=["open/*"])
    ann = enter(house, authorization=f"bearer {secret}")
    assert (ann.name, ann.address, ann.request) == ("ann", "192.0.2.7", "r-1")
    assert (ann.role("open/one"), ann.role("secret/one")) == ("reader", "none")
    assert enter(house, authorization=basic("git", secret)).name == "ann"
    assert enter(house, authorization=basic(secret, "")).name == "ann"


def test_a_mistyped_token_costs_no_query(house: House) -> None:
    _, secret = make_token(house, "ann")
    for at in range(len(secret)):
        other = "b" if secret[at] == "a" else "a"
        wrong = secret[:at] + other + secret[at + 1 :]
        assert read_token(wrong) is None or wrong.startswith("yard_")
        assert refused(house, authorization=f"Bearer {wrong}") == "bad-token"
    assert read_token(secret[:-1]) is None


def test_the_right_checksum_does_not_make_a_token(house: House) -> None:
    token, secret = make_token(house, "ann")
    parsed = read_token(secret)
    assert parsed is not None
    for text in (token_text(token.id, "A" * 43), token_text(token.id + 1, parsed[1])):
        assert read_token(text) is not None
        assert refused(house, authorization=f"Bearer {text}") == "bad-token"


def test_secrets_are_not_kept(house: House, folder: Path) -> None:
    _, secret = make_token(house, "ann")
    cookie = access.open_cookie(house, enter(house, authorization=f"Bearer {secret}").account)  # type: ignore[arg-type]
    house.catalog.close()
    kept = b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())
    for text in (secret, secret.split("_", 2)[2][:43], cookie, PASSWORD):
        assert text.encode() not in kept


def test_a_token_that_is_revoked_or_rotated_or_old_lets_nobody_in(house: House) -> None:
    token, secret = make_token(house, "ann")
    _, second = rotate_token(house, token.id)
    assert refused(house, authorization=f"Bearer {secret}") == "bad-token"
    assert enter(house, authorization=f"Bearer {second}").token == token.id
    revoke_token(house, token.id)
    assert refused(house, authorization=f"Bearer {second}") == "bad-token"
    with pytest.raises(NotFound):
        rotate_token(house, token.id)
    _, old = make_token(house, "ann", until=1)
    assert refused(house, authorization=f"Bearer {old}") == "bad-token"


def test_the_hour_of_last_use_is_known(house: House) -> None:
    token, secret = make_token(house, "ann")
    assert token.used is None
    enter(house, authorization=f"Bearer {secret}")
    with house.catalog.read() as connection:
        row = tokens.by_id(connection, token.id)
    assert row is not None
    assert row.used > 0
    assert row.used % 3_600_000_000 == 0


def test_passwords(house: House) -> None:
    assert enter(house, authorization=basic("ann", PASSWORD)).name == "ann"
    assert refused(house, authorization=basic("ann", PASSWORD + "x")) == "wrong-password"
    assert refused(house, authorization=basic("nobody", PASSWORD)) == "wrong-password"
    assert refused(house, authorization=basic("ann", "")) == "wrong-password"
    access.create_account(house, "bot", kind="service")
    assert refused(house, authorization=basic("bot", "")) == "wrong-password"
    access.set_password(house, "ann", "another four words")
    assert refused(house, authorization=basic("ann", PASSWORD)) == "wrong-password"


@pytest.mark.parametrize("text", ["short", "a" * 40, "annannannann", "x" * 2000])
def test_weak_passwords_are_refused(house: House, text: str) -> None:
    with pytest.raises(InvalidInput) as error:
        access.set_password(house, "ann", text)
    assert error.value.kind == "weak-password"


@pytest.mark.parametrize(
    "header", ["Bearer", "Bearer x", "Basic ###", "Basic " + "YQ==", "Digest x", "Negotiate", "x"]
)
def test_what_can_not_be_read_is_refused(house: House, header: str) -> None:
    assert refused(house, authorization=header) == "bad-token"


def test_a_disabled_account_is_out_everywhere(house: House) -> None:
    _, secret = make_token(house, "ann")
    cookie = access.open_cookie(house, access.check_password(house, "ann", PASSWORD))
    disable_account(house, "ann")
    assert refused(house, authorization=f"Bearer {secret}") == "bad-token"
    assert refused(house, authorization=basic("ann", PASSWORD)) == "wrong-password"
    with pytest.raises(Denied):
        access.signed_in_by(house, {}, {access.COOKIE: cookie}, address=None)
    with pytest.raises(Conflict):
        make_token(house, "ann")
    enable_account(house, "ann")
    assert enter(house, authorization=basic("ann", PASSWORD)).name == "ann"
    assert refused(house, authorization=f"Bearer {secret}") == "bad-token"


def test_cookies_and_links(house: House) -> None:
    ann = access.check_password(house, "ann", PASSWORD)
    cookie = access.open_cookie(house, ann)
    seen = access.signed_in_by(house, {}, {access.COOKIE: cookie}, address=None)
    assert seen.account == ann
    access.close_cookie(house, cookie)
    with pytest.raises(Denied):
        access.signed_in_by(house, {}, {access.COOKIE: cookie}, address=None)
    link = access.make_link(house, ann)
    with pytest.raises(Denied):  # a link is no cookie
        access.signed_in_by(house, {}, {access.COOKIE: link}, address=None)
    assert access.use_link(house, link) == ann
    with pytest.raises(Denied) as error:
        access.use_link(house, link)
    assert error.value.kind == "bad-link"
    late = access.make_link(house, ann, seconds=-1)
    with pytest.raises(Denied):
        access.use_link(house, late)


def told(house: House, caller: Caller, model: str, role: str) -> tuple[str, str, str | None]:
    with pytest.raises(ModelyardError) as error:
        access.known_name(house, caller, model, role)  # type: ignore[arg-type]
    return error.value.kind, str(error.value).replace(model, "MODEL"), error.value.hint


@pytest.mark.parametrize("role", ["reader", "writer", "maintainer", "admin"])
def test_a_hidden_model_is_answered_like_one_that_is_not_there(house: House, role: str) -> None:
    ann = access.caller_of(house, "ann")
    anybody = enter(house)
    for who in (ann, anybody):
        hidden = told(house, who, "secret/one", role)
        assert hidden == told(house, who, "secret/two", role)
        assert hidden[0] == ("no-model" if who is ann else "not-signed-in")


def test_a_model_may_be_made_where_one_may_write(house: House) -> None:
    ann = access.caller_of(house, "ann")
    assert access.known_name(house, ann, "open/new", "writer") == "open/new"
    assert told(house, ann, "open/one", "maintainer")[0] == "not-allowed"


def test_a_renamed_model_is_known_by_its_old_name_to_those_who_may(
    house: House, yard: LocalYard
) -> None:
    yard.rename("open/one", "open/two")
    ann = access.caller_of(house, "ann")
    assert access.known_name(house, ann, "open/one", "reader") == "open/two"
    yard.rename("open/two", "secret/two")
    assert told(house, ann, "open/two", "reader")[0] == "no-model"
    assert told(house, ann, "open/two", "writer")[0] == "no-model"  # it would write to the other


def test_hints_name_no_hidden_model(house: House) -> None:
    give_role(house, "ann", "secret/*", "none")
    give_role(house, "ann", "*", "reader")
    ann = access.caller_of(house, "ann")
    assert "secret" not in (told(house, ann, "secret/on", "reader")[2] or "")
    assert "open/one" in (told(house, ann, "open/on", "maintainer")[2] or "")


def test_anybody_reads_what_is_public(house: House) -> None:
    give_role(house, "anybody", "open/one", "reader")
    assert access.known_name(house, enter(house), "open/one", "reader") == "open/one"
    assert told(house, enter(house), "open/one", "writer")[0] == "not-signed-in"
    assert access.readable(house, enter(house))("open/one")
    assert not access.readable(house, enter(house))("secret/one")


def test_at_the_folder_nothing_is_hidden(house: House) -> None:
    assert access.known_name(house, house.caller, "secret/one", "admin") == "secret/one"
    assert access.readable(house, house.caller)("secret/one")
