"""People, tokens, roles, guards, proposals and webhooks, by the forms of their pages."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import httpx2
import pytest
from tests.server.running import running

if TYPE_CHECKING:
    from pathlib import Path

    from tests.web.acting import People, Person, Seen

pytestmark = pytest.mark.slow

_TOKEN = re.compile(r"yard_[0-9]+_[A-Za-z0-9_-]{49}")


def _made(page: Seen) -> str:
    """The token's text that a page shows."""
    found = _TOKEN.findall(page.html)
    assert len(found) == 1, page.text
    text: str = found[0]
    return text


# -- tokens ----------------------------------------------------------------------------------------


def test_a_token_is_made_works_is_made_anew_and_revoked(people: People, ann: Person) -> None:
    shown = ann.see("/settings/tokens").submit(
        "/do/tokens/make", name="laptop", role="reader", models="vision/*, nlp/bert", days="30"
    )
    first = _made(shown)
    assert "it is shown only this once" in shown.text
    assert "yard login http" in shown.text
    with people.server.client(first) as program:
        who = program.get("/api/v1/whoami").json()
        assert (who["account"], who["ceiling"]) == ("admin", "reader")
        assert who["models"] == ["vision/*", "nlp/bert"]
    listed = ann.see("/settings/tokens")
    assert "laptop" in listed.text
    assert not _TOKEN.search(listed.html)

    key = first.split("_")[1]
    second = _made(listed.submit("/do/tokens/rotate", holding={"token": key}))
    with people.server.client(first) as old, people.server.client(second) as new:
        assert old.get("/api/v1/whoami").status_code == 401
        assert new.get("/api/v1/whoami").status_code == 200

    gone = ann.see("/settings/tokens").submit("/do/tokens/revoke", holding={"token": key})
    assert "The token laptop is revoked" in gone.text
    with people.server.client(second) as late:
        assert late.get("/api/v1/whoami").status_code == 401
    assert "revoked" in ann.see("/settings/tokens?all=true").text


def test_a_token_never_ends_only_if_that_was_chosen(ann: Person) -> None:
    made = ann.see("/settings/tokens").submit("/do/tokens/make", name="for ever", days="never")
    token = next(t for t in ann.told("/tokens") if t["name"] == "for ever")
    assert token["expires"] is None
    assert _made(made)
    refused = ann.act("tokens/make", name="no end", days="-1")
    assert refused.status == 422


def test_somebody_sees_only_their_own_tokens(people: People, ann: Person) -> None:
    rob = people.with_role("rob", "reader", "own/*")
    ann.act("tokens/make", name="of the admin")
    assert "of the admin" not in rob.see("/settings/tokens").text
    assert rob.see("/settings/tokens?account=admin").status == 403
    assert rob.act("tokens/revoke", token=1).status == 404
    assert ann.see("/settings/tokens?account=rob").status == 200


# -- accounts --------------------------------------------------------------------------------------


def test_an_account_is_added_given_a_role_disabled_and_enabled(ann: Person) -> None:
    page = ann.see("/settings/members").submit(
        "/do/members/add", name="joe", title="Joe <joe@example.org>",
        password="nobody says these words", repeated="nobody says these words",
    )  # fmt: skip
    assert page.path == "/settings/members/joe"
    assert "may do nothing yet" in page.text

    given = page.submit("/do/roles/give", pattern="vision/*", role="writer")
    assert given.path == "/settings/members/joe"
    assert "joe has the role Writer for vision/*." in given.text
    given.undo()
    assert _roles(ann, "joe") == {}

    off = ann.see("/settings/members/joe").submit("/do/members/joe/disable")
    assert "joe is disabled" in off.text
    assert _account(ann, "joe")["disabled"]
    off.undo()
    assert not _account(ann, "joe")["disabled"]


def test_a_role_in_place_of_another_is_brought_back(people: People, ann: Person) -> None:
    people.with_role("may", "reader", "nlp/*")
    page = ann.see("/settings/roles").submit(
        "/do/roles/give", account="may", pattern="nlp/*", role="admin"
    )
    assert _roles(ann, "may") == {"nlp/*": "admin"}
    page.undo()
    assert _roles(ann, "may") == {"nlp/*": "reader"}
    taken = ann.see("/settings/roles?q=may").submit(
        "/do/roles/take", holding={"account": "may", "pattern": "nlp/*"}
    )
    assert "may has the role Reader for nlp/* no more." in taken.text
    taken.undo()
    assert _roles(ann, "may") == {"nlp/*": "reader"}


def test_the_last_admin_stays(ann: Person) -> None:
    refused = ann.act("roles/take", account="admin", pattern="*")
    assert refused.status == 409
    assert ann.act("members/admin/disable").status == 409


def test_a_member_sees_only_themselves_and_an_admin_what_they_may(
    people: People, ann: Person
) -> None:
    ann.commit("seen/net", {"w.txt": b"1"})
    ann.commit("unseen/net", {"w.txt": b"1"})
    kim = people.with_role("kim", "reader", "seen/*")
    assert "admin" not in kim.see("/settings/members").text.partition("kim")[2]
    assert kim.see("/settings/members/admin").status == 404
    own = kim.see("/settings/members/kim")
    assert "seen/net" in own.text
    assert "unseen/net" not in own.text
    assert not own.has_form("/do/members/kim/disable")
    theirs = ann.see("/settings/members/kim")
    assert "seen/net Reader" in theirs.text
    assert "unseen/net" not in theirs.text


# -- passwords -------------------------------------------------------------------------------------


def test_a_password_is_changed_by_who_knows_the_old_one(people: People) -> None:
    lea = people.with_role("lea", "reader", "own/*")
    old, new = "long enough for lea", "another one that is long"

    wrong = lea.see("/settings/profile").submit(
        "/do/profile/password", old="I do not know it", password=new, repeated=new
    )
    assert wrong.status == 401
    differs = lea.act("profile/password", old=old, password=new, repeated=f"{new}er")
    assert differs.status == 422
    assert "are not the same" in differs.text

    with people.server.client("") as elsewhere:
        told = {"name": "lea", "password": old}
        same = {"sec-fetch-site": "same-origin"}
        assert elsewhere.post("/login", data=told, headers=same).status_code == 303
        done = lea.see("/settings/profile").submit(
            "/do/profile/password", old=old, password=new, repeated=new
        )
        assert done.status == 200
        assert "The password is changed" in done.text, "who changes it stays signed in"
        assert elsewhere.get("/api/v1/whoami").status_code == 401, "all others do not"
        assert elsewhere.post("/login", data=told, headers=same).status_code == 401
        told["password"] = new
        assert elsewhere.post("/login", data=told, headers=same).status_code == 303


def test_an_admin_sets_the_password_of_somebody_else(people: People, ann: Person) -> None:
    people.with_role("max", "reader", "own/*")
    new = "given by the admin herself"
    page = ann.see("/settings/members/max").submit(
        "/do/members/max/password", password=new, repeated=new
    )
    assert "max has a new password" in page.text
    told = {"name": "max", "password": new}
    answer = httpx2.post(
        f"{people.server.url}/login", data=told, headers={"sec-fetch-site": "same-origin"}
    )
    assert answer.status_code == 303


# -- guards and proposals --------------------------------------------------------------------------


def test_a_guard_is_made_replaced_and_removed(ann: Person) -> None:
    made = ann.see("/settings/guards").submit(
        "/do/guards/add", pattern="guarded/*", ref="champion", role="maintainer", approvals="1"
    )
    assert "champion of guarded/* is guarded." in made.text
    changed = made.submit(
        "/do/guards/add", pattern="guarded/*", ref="champion", role="admin", approvals="3"
    )
    assert _guards(ann)["guarded/*"] == ("champion", "admin", 3)
    changed.undo()
    assert _guards(ann)["guarded/*"] == ("champion", "maintainer", 1)
    gone = ann.see("/settings/guards").submit(
        "/do/guards/remove", holding={"pattern": "guarded/*", "ref": "champion"}
    )
    assert "guarded/*" not in _guards(ann)
    gone.undo()
    assert _guards(ann)["guarded/*"] == ("champion", "maintainer", 1)


def test_a_move_is_proposed_by_one_and_approved_by_another(people: People, ann: Person) -> None:
    for number in (b"1", b"2"):
        ann.commit("props/net", {"w.txt": number})
    ann.act("alias/props/net", alias="champion", revision=1, seen="")
    ann.act("guards/add", pattern="props/*", ref="champion", approvals=1)
    wes = people.with_role("wes", "writer", "props/*")

    made = wes.see("/proposals").submit(
        "/do/proposals/make", model="props/net", ref="champion", revision="2",
        message="Better on <b>night</b> images",
    )  # fmt: skip
    assert "is made. Others can approve it now." in made.text
    assert "Better on <b>night</b> images" in made.text
    assert "<b>night" not in made.html
    assert "yours: others approve it" in made.text
    assert not made.has_form("/do/proposals/approve")
    assert "/compare?a=props%2Fnet%401&b=props%2Fnet%402" in made.links

    page = ann.see("/proposals?model=props/net")
    done = page.submit("/do/proposals/approve")
    assert "champion of props/net points at version 2 now." in done.text
    assert ann.refs("props/net")["champion"] == ("alias", 2)
    assert "Approved by admin" in ann.see("/proposals?state=done").text


def test_a_proposal_is_withdrawn_and_made_again(people: People, ann: Person) -> None:
    for number in (b"1", b"2"):
        ann.commit("drawn/net", {"w.txt": number})
    ann.act("guards/add", pattern="drawn/*", ref="champion", approvals=1)
    wim = people.with_role("wim", "writer", "drawn/*")
    wim.act("proposals/make", model="drawn/net", ref="champion", revision=2)
    gone = wim.see("/proposals").submit("/do/proposals/withdraw")
    assert "is withdrawn" in gone.text
    assert [p["state"] for p in ann.told("/proposals", of="drawn/net")] == ["withdrawn"]
    gone.undo()
    assert [p["state"] for p in ann.told("/proposals", of="drawn/net")] == ["open", "withdrawn"]


def test_proposals_of_models_that_one_may_not_read_are_not_there(
    people: People, ann: Person
) -> None:
    for number in (b"1", b"2"):
        ann.commit("hush/net", {"w.txt": number})
    ann.act("guards/add", pattern="hush/*", ref="champion", approvals=1)
    ann.act("proposals/make", model="hush/net", ref="champion", revision=2)
    ulf = people.with_role("ulf", "maintainer", "open/*")
    assert "hush" not in ulf.see("/proposals?state=all").text
    key = ann.told("/proposals", of="hush/net")[0]["id"]
    for act in ("approve", "withdraw"):
        assert ulf.act(f"proposals/{act}", proposal=key).status == 404
    assert "hush" not in ulf.see("/settings/guards").text


# -- webhooks --------------------------------------------------------------------------------------


def test_a_webhook_is_made_tried_changed_paused_and_removed(ann: Person) -> None:
    made = ann.see("/settings/hooks").submit(
        "/do/hooks/add", url="http://127.0.0.1:9/hooks", pattern="vision/*"
    )
    assert "Copy its secret now" in made.text
    secret = re.findall(r"whsec_[A-Za-z0-9+/=]{44}", made.html)
    assert len(secret) == 1
    (hook,) = ann.told("/hooks")
    at = f"/settings/hooks/{hook['id']}"
    page = ann.see(at)
    assert "whsec_" not in page.html
    assert "whsec_" not in ann.see(f"{at}.json").html

    act = f"/do/hooks/{hook['id']}"
    tried = page.submit(f"{act}/test")
    assert "It did not arrive" in tried.text
    assert 'class="said problem"' in tried.html

    form = page.form(f"{act}/change")
    form.fields += [("events", "ref-moved"), ("events", "version-committed")]
    changed = ann.send(form, form.filled(None, {"url": "http://127.0.0.1:9/other"}))
    assert "is changed" in changed.text
    (hook,) = ann.told("/hooks")
    assert (hook["url"], hook["events"]) == (
        "http://127.0.0.1:9/other", ["ref-moved", "version-committed"]
    )  # fmt: skip

    paused = ann.see(at).submit(f"{act}/switch")
    assert not ann.told("/hooks")[0]["active"]
    paused.undo()
    assert ann.told("/hooks")[0]["active"]

    ann.see(at).submit(f"{act}/remove")
    assert ann.told("/hooks") == []


def test_who_looks_after_no_model_makes_no_webhook(people: People, ann: Person) -> None:
    ron = people.with_role("ron", "writer", "vision/*")
    page = ron.see("/settings/hooks")
    assert not page.has_form("/do/hooks/add")
    refused = ron.act("hooks/add", url="https://ci.example.org/x", pattern="vision/*")
    assert refused.status == 403


# -- a server without accounts ---------------------------------------------------------------------


def test_without_accounts_these_pages_say_so(tmp_path: Path) -> None:
    with running(tmp_path / "yard", accounts=False) as server, server.client("") as client:
        for path in ("profile", "tokens", "members", "roles"):
            text = client.get(f"/settings/{path}").text
            assert "This server runs without accounts" in text, path
            assert "yard up" in text
            assert client.get(f"/settings/{path}.json").status_code == 200
        for path in ("/settings/guards", "/proposals"):
            assert "nobody else who could approve" in client.get(path).text
        assert client.get("/settings/hooks").status_code == 200


def _roles(ann: Person, account: str) -> dict[str, str]:
    return {r["pattern"]: r["role"] for r in ann.told("/roles") if r["account"] == account}


def _account(ann: Person, name: str) -> dict[str, object]:
    found: dict[str, object] = next(a for a in ann.told("/accounts") if a["name"] == name)
    return found


def _guards(ann: Person) -> dict[str, tuple[str, str, int]]:
    return {g["pattern"]: (g["ref"], g["role"], g["approvals"]) for g in ann.told("/guards")}
