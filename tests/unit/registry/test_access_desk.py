"""Roles, guards, proposals and the audit log, each as somebody who may, and who may not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from modelyard.core.access import Caller, Grant
from modelyard.core.people import AuditFilter
from modelyard.errors import Denied, ModelyardError, NotFound
from modelyard.registry import access
from modelyard.registry.access.chain import check_chain, expect_head, seal
from modelyard.registry.access.desk import Desk
from modelyard.registry.local import LocalYard

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from modelyard.registry.house import House

As = "Callable[[str], Desk]"


@pytest.fixture
def house(yard: LocalYard, tmp_path: Path) -> House:
    file = tmp_path / "w.txt"
    for number in range(3):
        file.write_text(f"weights {number}")
        yard.commit("a/one", file, message=str(number))
    yard.commit("b/one", file)
    desk = Desk(yard.house)
    for name, pattern, role in (
        ("root", "*", "admin"), ("adm", "a/*", "admin"), ("mia", "a/*", "maintainer"),
        ("max", "a/*", "maintainer"), ("wim", "a/*", "writer"), ("rea", "a/*", "reader"),
    ):  # fmt: skip
        desk.add_account(name)
        desk.give_role(name, pattern, role)  # type: ignore[arg-type]
    return yard.house


@pytest.fixture
def as_(house: House) -> Callable[[str], Desk]:
    return lambda name: Desk(house.on_behalf_of(access.caller_of(house, name, address="::1")))


@pytest.fixture
def yard_of(house: House) -> Callable[[str], LocalYard]:
    return lambda name: LocalYard(house.on_behalf_of(access.caller_of(house, name)))


def kind_of(work: Callable[[], object]) -> str:
    with pytest.raises(ModelyardError) as error:
        work()
    return error.value.kind


# -- roles ---------------------------------------------------------------------------------------


def test_an_admin_of_a_namespace_gives_roles_inside_it(as_: Callable[[str], Desk]) -> None:
    adm = as_("adm")
    assert adm.give_role("rea", "a/one", "writer").who == "adm"
    assert adm.give_role("rea", "a/*", "admin").role == "admin"
    for pattern in ("*", "b/*", "b/one", "a"):
        assert kind_of(lambda p=pattern: adm.give_role("rea", p, "reader")) == "not-allowed"
    assert kind_of(lambda: as_("mia").give_role("mia", "a/*", "admin")) == "not-allowed"


def test_nobody_gives_what_they_do_not_have_somewhere_inside(
    as_: Callable[[str], Desk], house: House
) -> None:
    Desk(house).give_role("adm", "a/secret", "none")
    assert kind_of(lambda: as_("adm").give_role("adm", "a/secret", "admin")) == "not-allowed"
    assert kind_of(lambda: as_("adm").give_role("rea", "a/*", "admin")) == "not-allowed"
    as_("adm").give_role("rea", "a/one", "writer")


def test_a_token_with_bounds_gives_no_more(house: House) -> None:
    root = access.caller_of(house, "root")
    bounded = Caller(account=root.account, grants=root.grants, only=("a/*",))
    desk = Desk(house.on_behalf_of(bounded))
    desk.give_role("rea", "a/*", "writer")
    assert kind_of(lambda: desk.give_role("rea", "*", "reader")) == "not-allowed"
    low = Caller(account=root.account, grants=root.grants, ceiling="maintainer")
    low_desk = Desk(house.on_behalf_of(low))
    assert kind_of(lambda: low_desk.give_role("rea", "a/*", "reader")) == "not-allowed"


def test_the_last_admin_stays(as_: Callable[[str], Desk]) -> None:
    root = as_("root")
    assert kind_of(lambda: root.take_role("root", "*")) == "last-admin"
    assert kind_of(lambda: root.give_role("root", "*", "writer")) == "last-admin"
    assert kind_of(lambda: root.disable_account("root")) == "last-admin"
    root.give_role("mia", "*", "admin")
    assert root.disable_account("root").disabled is not None
    assert kind_of(lambda: as_("mia").take_role("mia", "*")) == "last-admin"


def test_everybody_gets_little(as_: Callable[[str], Desk]) -> None:
    root = as_("root")
    assert kind_of(lambda: root.give_role("anybody", "*", "writer")) == "bad-role"
    assert kind_of(lambda: root.give_role("everyone", "*", "maintainer")) == "bad-role"
    assert root.give_role("everyone", "b/*", "writer").account == "everyone"
    assert root.take_role("everyone", "b/*").role == "writer"
    assert kind_of(lambda: root.take_role("everyone", "b/*")) == "no-role"
    assert kind_of(lambda: root.give_role("nobody", "b/*", "writer")) == "no-account"


def test_lists_show_what_concerns_one(as_: Callable[[str], Desk]) -> None:
    assert {given.account for given in as_("root").roles()} >= {"root", "adm", "rea"}
    assert {given.pattern for given in as_("adm").roles()} == {"a/*"}
    assert [given.account for given in as_("rea").roles()] == ["rea"]
    assert [account.name for account in as_("rea").accounts()] == ["rea"]
    assert len(as_("adm").accounts()) == 6


# -- accounts and tokens -------------------------------------------------------------------------


def test_accounts_are_made_by_admins_of_the_whole_yard(as_: Callable[[str], Desk]) -> None:
    assert kind_of(lambda: as_("adm").add_account("new")) == "not-allowed"
    made = as_("root").add_account("bot", kind="service", title="Build bot <bot@example.org>")
    assert (made.kind, made.has_password) == ("service", False)
    assert kind_of(lambda: as_("root").add_account("bot")) == "account-exists"
    for name in ("", "A", "a b", "owner", "everyone", "-a", "a" * 65, "é", "a\n"):
        assert kind_of(lambda n=name: as_("root").add_account(n)) == "bad-account-name"


def test_tokens_are_one_s_own(as_: Callable[[str], Desk]) -> None:
    made = as_("rea").make_token(name="ci", role="writer", models=["a/one"], days=7)
    assert made.token.expires is not None
    assert made.token.expires - made.token.created == timedelta(days=7)
    assert [token.id for token in as_("rea").tokens()] == [made.token.id]
    assert as_("wim").tokens() == []
    assert kind_of(lambda: as_("wim").revoke_token(made.token.id)) == "no-token"
    assert kind_of(lambda: as_("wim").rotate_token(made.token.id)) == "no-token"
    assert kind_of(lambda: as_("wim").make_token("rea")) == "not-allowed"
    assert kind_of(lambda: as_("wim").tokens("rea")) == "not-allowed"
    assert as_("root").revoke_token(made.token.id).revoked is not None


def test_a_token_makes_none_that_is_wider_or_lives_longer(
    as_: Callable[[str], Desk], house: House
) -> None:
    made = as_("wim").make_token(role="reader", models=["a/one"], days=2)
    entered = access.signed_in_by(
        house, {"authorization": f"Bearer {made.secret}"}, {}, address=None
    )
    desk = Desk(house.on_behalf_of(entered))
    child = desk.make_token(role="admin", days=90).token
    assert (child.role, child.models) == ("reader", ("a/one",))
    assert child.expires == made.token.expires
    assert kind_of(lambda: desk.make_token(models=["a/*"])) == "not-allowed"
    other = as_("wim").make_token().token
    assert kind_of(lambda: desk.revoke_token(other.id)) == "not-allowed"
    assert kind_of(lambda: desk.set_password("wim", "some words nobody says")) == "not-allowed"
    assert desk.revoke_token(made.token.id).revoked is not None  # itself it may give back


def test_one_changes_the_own_password_by_the_old_one(as_: Callable[[str], Desk]) -> None:
    wim = as_("wim")
    assert wim.set_password("wim", "first unlikely words").has_password
    assert kind_of(lambda: wim.set_password("wim", "second unlikely words")) == "wrong-password"
    wim.set_password("wim", "second unlikely words", old="first unlikely words")
    assert kind_of(lambda: wim.set_password("rea", "second unlikely words")) == "not-allowed"
    as_("root").set_password("wim", "third unlikely words")


# -- guards --------------------------------------------------------------------------------------


def test_a_guarded_ref_is_moved_by_the_role_only(
    as_: Callable[[str], Desk], yard_of: Callable[[str], LocalYard], tmp_path: Path
) -> None:
    as_("mia").add_guard("a/*", "prod*")
    as_("mia").add_guard("a/*", "main")
    wim, mia = yard_of("wim"), yard_of("mia")
    assert kind_of(lambda: wim.alias("a/one", "prod", 1)) == "guarded"
    assert kind_of(lambda: wim.tag("a/one", "prod-1", 1)) == "guarded"
    assert kind_of(lambda: wim.branch("a/one", "prod2", 1)) == "guarded"
    file = tmp_path / "w.txt"
    file.write_text("more")
    assert kind_of(lambda: wim.commit("a/one", file)) == "guarded"
    assert wim.commit("a/one", file, branch="side").number == 4
    assert kind_of(lambda: wim.merge("a/one", "side", into="main")) == "guarded"
    assert kind_of(lambda: wim.revert("a/one", 1)) == "guarded"
    assert mia.alias("a/one", "prod", 1).number == 1
    mia.alias("a/one", "prod", 2)
    assert kind_of(lambda: wim.rollback("a/one", "prod")) == "guarded"
    assert kind_of(lambda: wim.delete_ref("a/one", "prod")) == "guarded"
    assert mia.rollback("a/one", "prod").number == 1
    assert wim.alias("a/one", "try", 1).number == 1
    assert kind_of(lambda: mia.delete_version("a/one", 3)) == "protected"
    as_("mia").remove_guard("a/*", "main")
    assert wim.commit("a/one", file).number == 5


def test_guards_are_set_by_maintainers(as_: Callable[[str], Desk]) -> None:
    assert kind_of(lambda: as_("wim").add_guard("a/*", "prod")) == "not-allowed"
    assert kind_of(lambda: as_("mia").add_guard("*", "prod")) == "not-allowed"
    assert kind_of(lambda: as_("mia").add_guard("a/*", "prod", role="admin")) == "not-allowed"
    assert kind_of(lambda: as_("adm").add_guard("a/*", "two words")) == "bad-guard"
    assert kind_of(lambda: as_("adm").add_guard("a/*", "x", approvals=21)) == "bad-guard"
    as_("adm").add_guard("a/*", "prod", role="admin", approvals=1)
    assert kind_of(lambda: as_("mia").add_guard("a/*", "prod")) == "not-allowed"
    assert kind_of(lambda: as_("mia").remove_guard("a/*", "prod")) == "not-allowed"
    assert [guard.ref for guard in as_("rea").guards()] == ["prod"]
    assert as_("adm").remove_guard("a/*", "prod").approvals == 1
    assert kind_of(lambda: as_("adm").remove_guard("a/*", "prod")) == "no-guard"


def test_a_model_is_not_taken_from_under_its_guards(
    as_: Callable[[str], Desk], yard_of: Callable[[str], LocalYard], yard: LocalYard
) -> None:
    as_("adm").add_guard("a/*", "prod", approvals=1)
    yard.alias("a/one", "prod", 1)
    assert kind_of(lambda: yard_of("mia").rename("a/one", "a/two")) == "guarded"
    assert kind_of(lambda: yard_of("mia").delete_model("a/one")) == "guarded"
    assert kind_of(lambda: yard_of("adm").rename("a/one", "b/two")) == "not-allowed"
    assert yard_of("adm").rename("a/one", "a/two").name == "a/two"


# -- proposals -----------------------------------------------------------------------------------


def test_a_move_happens_when_the_last_of_others_approved(
    as_: Callable[[str], Desk], yard_of: Callable[[str], LocalYard]
) -> None:
    as_("adm").add_guard("a/*", "prod", approvals=2)
    assert kind_of(lambda: yard_of("mia").alias("a/one", "prod", 2)) == "needs-approval"
    assert kind_of(lambda: as_("rea").propose("a/one", "prod", 2)) == "not-allowed"
    made = as_("mia").propose("a/one", "prod", 2, message="better")
    assert (made.old, made.new, made.needed, made.state) == (None, 2, 2, "open")
    assert kind_of(lambda: as_("wim").propose("a/one", "prod", 2)) == "proposed"
    assert kind_of(lambda: as_("mia").approve(made.id)) == "own-proposal"
    assert kind_of(lambda: as_("wim").approve(made.id)) == "not-allowed"
    assert as_("max").approve(made.id).state == "open"
    assert kind_of(lambda: as_("max").approve(made.id)) == "approved-already"
    done = as_("adm").approve(made.id)
    assert (done.state, done.approved) == ("done", ("max", "adm"))
    assert [(ref.name, ref.number) for ref in yard_of("rea").refs("a/one")][-1] == ("prod", 2)
    assert kind_of(lambda: as_("root").approve(made.id)) == "proposal-closed"


def test_a_proposal_is_void_when_the_ref_has_moved(
    as_: Callable[[str], Desk], yard: LocalYard
) -> None:
    as_("adm").add_guard("a/*", "prod", approvals=1)
    made = as_("wim").propose("a/one", "prod", 2)
    yard.alias("a/one", "prod", 1)  # by the yard's owner
    assert kind_of(lambda: as_("mia").approve(made.id)) == "stale-proposal"
    assert as_("mia").proposals()[0].approved == ()
    assert as_("wim").withdraw(made.id).state == "withdrawn"
    assert kind_of(lambda: as_("mia").approve(made.id)) == "proposal-closed"
    assert as_("mia").proposals() == []
    assert len(as_("mia").proposals(state=None)) == 1


def test_a_guarded_branch_goes_forward_by_proposal(
    as_: Callable[[str], Desk], yard_of: Callable[[str], LocalYard], tmp_path: Path
) -> None:
    as_("adm").add_guard("a/one", "main", role="writer", approvals=1)
    (tmp_path / "w.txt").write_text("side")
    wim = yard_of("wim")
    assert kind_of(lambda: wim.commit("a/one", tmp_path / "w.txt")) == "needs-approval"
    assert wim.commit("a/one", tmp_path / "w.txt", branch="side").number == 4
    assert kind_of(lambda: as_("wim").propose("a/one", "main", 1)) == "not-ahead"
    made = as_("wim").propose("a/one", "main", "side")
    assert as_("mia").approve(made.id).state == "done"
    assert {ref.name: ref.number for ref in wim.refs("a/one")}["main"] == 4


def test_the_first_version_of_a_guarded_branch_needs_nobody(
    as_: Callable[[str], Desk], yard_of: Callable[[str], LocalYard], tmp_path: Path
) -> None:
    as_("adm").add_guard("a/*", "main", role="writer", approvals=1)
    (tmp_path / "w.txt").write_text("new")
    assert yard_of("wim").commit("a/new", tmp_path / "w.txt").number == 1
    (tmp_path / "w.txt").write_text("newer")
    assert kind_of(lambda: yard_of("wim").commit("a/new", tmp_path / "w.txt")) == "needs-approval"


def test_proposals_of_hidden_models_are_not_there(as_: Callable[[str], Desk]) -> None:
    as_("root").add_guard("b/*", "prod", approvals=1)
    made = as_("root").propose("b/one", "prod", 1)
    for work in (as_("adm").approve, as_("adm").withdraw):
        assert kind_of(lambda w=work: w(made.id)) == kind_of(lambda w=work: w(99)) == "no-proposal"
    assert as_("adm").proposals() == []
    assert kind_of(lambda: as_("adm").propose("b/one", "prod", 1)) == "no-model"
    assert kind_of(lambda: as_("root").propose("a/one", "prod", 1)) == "not-guarded"


# -- audit ---------------------------------------------------------------------------------------


def test_lines_tell_who_and_from_where_and_what_was_before(
    as_: Callable[[str], Desk], yard_of: Callable[[str], LocalYard], house: House
) -> None:
    wim = access.caller_of(house, "wim", address="192.0.2.9", request="r-7")
    LocalYard(house.on_behalf_of(wim)).alias("a/one", "try", 1)
    LocalYard(house.on_behalf_of(wim)).alias("a/one", "try", 2)
    line = as_("root").audit(AuditFilter(model="a/one")).items[0]
    assert (line.action, line.ref, line.old, line.new) == ("alias", "try", 1, 2)
    assert (line.account, line.address, line.request) == ("wim", "192.0.2.9", "r-7")
    as_("adm").give_role("rea", "a/*", "writer")
    line = as_("root").audit(AuditFilter(action="role")).items[0]
    assert line.detail == {
        "account": "rea", "pattern": "a/*", "role": "writer", "before": "reader",
    }  # fmt: skip


def test_only_lines_about_models_that_one_maintains(as_: Callable[[str], Desk]) -> None:
    assert {line.model for line in as_("mia").audit(limit=1000).items} == {"a/one"}
    assert as_("rea").audit().items == ()
    assert kind_of(lambda: as_("rea").audit(AuditFilter(model="a/one"))) == "not-allowed"
    assert kind_of(lambda: as_("mia").audit(AuditFilter(model="b/one"))) == "no-model"
    assert None in {line.model for line in as_("root").audit(limit=1000).items}


def test_pages_hold_every_line_once(as_: Callable[[str], Desk]) -> None:
    root = as_("root")
    everything = [line.id for line in root.every_line()]
    assert everything == sorted(everything, reverse=True)
    paged: list[int] = []
    after = None
    while True:
        page = root.audit(limit=3, after=after)
        paged += [line.id for line in page.items]
        after = page.next
        if after is None:
            break
    assert paged == everything
    assert kind_of(lambda: root.audit(limit=0)) == "bad-page"
    assert kind_of(lambda: root.audit(after="x")) == "bad-page"


def test_lines_by_time_and_account(as_: Callable[[str], Desk]) -> None:
    root = as_("root")
    as_("mia").add_guard("a/*", "prod")
    now = datetime.now(UTC)
    assert root.audit(AuditFilter(since=now + timedelta(minutes=1))).items == ()
    assert root.audit(AuditFilter(until=now - timedelta(days=1))).items == ()
    assert [line.action for line in root.audit(AuditFilter(account="mia")).items] == ["guard"]


# -- the chain -----------------------------------------------------------------------------------


def test_the_chain_finds_what_was_altered(house: House, yard: LocalYard) -> None:
    seal(house)
    yard.alias("a/one", "try", 1)
    first = seal(house)
    yard.alias("a/one", "try", 2)
    assert seal(house) != first
    assert seal(house) == seal(house)
    assert check_chain(house) == []
    assert yard.verify().ok

    def change(text: str) -> None:
        house.catalog.write(lambda connection: connection.execute(sa.text(text)))

    change("UPDATE audit SET who = 'somebody' WHERE id = 2")
    assert "not what was sealed" in check_chain(house)[0].reason
    report = yard.verify()
    assert [damage.what for damage in report.damage] == ["audit"]
    change("DELETE FROM audit WHERE id = 2")
    assert "1 of its lines" in check_chain(house)[0].reason
    change("DELETE FROM chain WHERE id = 2")
    assert len(check_chain(house)) == 2


def test_a_line_that_is_slipped_in_is_found(house: House, yard: LocalYard) -> None:
    yard.alias("a/one", "try", 1)
    yard.alias("a/one", "try", 2)
    house.catalog.write(lambda c: c.execute(sa.text("DELETE FROM audit WHERE id = 3")))
    seal(house)
    assert check_chain(house) == []
    house.catalog.write(
        lambda c: c.execute(
            sa.text("INSERT INTO audit (id, time, action, model_id) VALUES (3, 1, 'x', 1)")
        )
    )
    assert "lines more" in check_chain(house)[0].reason


def test_a_head_that_was_kept_elsewhere_is_found_again(house: House) -> None:
    head = seal(house)
    assert head is not None
    assert expect_head(house, head.digest) == head
    for text in ("00" * 32, "x", ""):
        with pytest.raises(NotFound):
            expect_head(house, text)


def test_a_yard_that_was_never_sealed_is_whole(house: House, yard: LocalYard) -> None:
    assert yard.verify().ok
    assert check_chain(house) == []


def test_a_rebuild_begins_a_new_chain_and_says_so(yard: LocalYard, house: House) -> None:
    seal(house)
    assert yard.verify(rebuild=True).ok
    assert Desk(yard.house).accounts() == []
    seal(yard.house)
    assert [line.action for line in Desk(yard.house).audit(limit=1).items] == ["chain"]
    assert yard.verify().ok


def test_notes_do_not_confuse_a_rebuild(
    yard: LocalYard, house: House, as_: Callable[[str], Desk]
) -> None:
    as_("adm").add_guard("a/*", "prod", approvals=1)
    as_("mia").propose("a/one", "prod", 2)
    yard.alias("a/one", "try", 2)
    before = [(ref.name, ref.number) for ref in yard.refs("a/one")]
    assert yard.verify(rebuild=True).ok
    assert [(ref.name, ref.number) for ref in yard.refs("a/one")] == before


def test_owner_of_the_folder_may_everything(house: House) -> None:
    me = Desk(house).whoami()
    assert (me.account, me.role) == ("owner", "admin")
    assert kind_of(lambda: Desk(house).make_token()) == "no-account-given"
    assert Desk(house).make_token("rea").token.account == "rea"


def test_without_an_account_nothing_is_looked_after(house: House) -> None:
    desk = Desk(house.on_behalf_of(Caller(account=None, grants=(Grant("a/*", "reader", True),))))
    for work in (desk.audit, desk.tokens, lambda: desk.give_role("rea", "a/*", "admin")):
        with pytest.raises(Denied) as error:
            work()  # type: ignore[operator]
        assert error.value.kind == "not-signed-in"
    assert desk.accounts() == []
