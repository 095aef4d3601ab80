"""Journeys of somebody who changes something; each with a model of its own."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import expect
from tests.web.showing import visiting

pytestmark = pytest.mark.slow


def where(shown, model, ref="champion"):
    with shown.yard() as yard:
        return {found.name: found.number for found in yard.refs(model)}.get(ref)


def test_an_alias_is_moved_and_that_is_taken_back(visit, shown, own):
    visit.open(f"/models/{own}")
    visit.page.locator("details.new-alias summary").click()
    visit.fill("Alias", "champion").press("Point alias here")
    assert "champion" in visit.said()
    assert where(shown, own) == 3
    visit.look().press("Undo")
    visit.page.wait_for_load_state()
    assert where(shown, own) == 2


def test_an_alias_is_rolled_back_after_a_look_at_both(visit, shown, own):
    visit.open(f"/models/{own}").press("Roll back")
    visit.page.wait_for_url("**/rollback/**")
    visit.look()
    visit.press("Roll %(alias)s back to version %(number)s", alias="champion", number=1)
    visit.said()
    assert where(shown, own) == 1
    visit.check()


def test_labels_are_added_removed_and_put_back(visit, shown, own):
    visit.open(f"/models/{own}").fill("New label", "stage=生产").press("Add label")
    visit.said()
    assert "生产" in visit.text()
    visit.look().press("Remove the label %(key)s", key="stage")
    visit.said()
    assert "生产" not in visit.text("dl.facts ~ *, .label-form")
    visit.press("Undo").page.wait_for_load_state()
    with shown.yard() as yard:
        assert yard.model_info(own).labels == {"stage": "生产"}


def test_a_card_is_written_with_a_preview_and_committed(visit, shown, own):
    visit.open(f"/models/{own}").press("Edit card")
    visit.page.wait_for_url("**/card/**")
    visit.look()
    visit.page.locator("main textarea").fill("# Card\n\nNew **words** 新内容.")
    visit.press("Preview")
    expect(visit.page.locator("main strong", has_text="words").first).to_be_visible()
    visit.press("Save on %(branch)s", branch="main")
    visit.said()
    visit.check().open(f"/models/{own}")
    assert "New words 新内容" in visit.text()
    with shown.yard() as yard:
        assert yard.resolve(own, "main").number == 4


def test_files_are_uploaded_and_committed(visit, shown, own, tmp_path):
    (tmp_path / "model.bin").write_bytes(b"weights" * 1000)
    (tmp_path / "config.json").write_text(json.dumps({"a": 1}))
    visit.open(f"/models/{own}").press("Upload")
    visit.page.wait_for_url("**/upload?**")
    visit.look()
    files = [tmp_path / "model.bin", tmp_path / "config.json"]
    visit.page.locator("input[type=file][name=files]").set_input_files(files)
    visit.fill("Message", "from a browser 网页上传")
    visit.page.locator('input[name="metric.key"]').first.fill("accuracy")
    visit.page.locator('input[name="metric.value"]').first.fill("0.97")
    visit.page.locator("form.upload button.main").click()
    visit.page.wait_for_url(lambda url: "/upload" not in url)
    with shown.yard() as yard:
        made = yard.show(own, 4)
    assert {"model.bin", "config.json"} <= {file.path for file in made.files}
    assert (made.version.message, made.version.metrics["accuracy"]) == (
        "from a browser 网页上传", 0.97,
    )  # fmt: skip
    visit.look()


def test_a_version_is_deleted_and_restored(visit, shown, own):
    visit.open(f"/versions/{own}@3")
    visit.page.locator("main details.act summary", has_text=visit.say("More")).click()
    visit.press("Delete this version")
    visit.said()
    with shown.yard() as yard:
        assert [v.number for v in yard.log(own) if not v.deleted] == [2, 1]
    visit.look().press("Undo")
    visit.page.wait_for_load_state()
    with shown.yard() as yard:
        assert not yard.resolve(own, 3).deleted


def test_a_model_is_deleted_and_restored_from_the_list(visit, shown, own):
    visit.open(f"/models/{own}")
    visit.page.locator("main details.act summary", has_text=visit.say("More")).click()
    form = visit.page.locator('form[action*="delete-model"]')
    form.locator("input[name=name]").fill(own)
    form.locator("button.danger").click()
    visit.said()
    visit.open("/models?show=deleted")
    visit.look()
    row = visit.page.locator("tr", has_text=own)
    row.get_by_role("button").click()
    visit.said()
    with shown.yard() as yard:
        assert yard.model_info(own).versions == 3


def test_a_model_gets_another_name_and_the_old_one_still_leads_there(visit, shown, own):
    new = own.replace("journeys/", "renamed/")
    visit.open(f"/models/{own}")
    visit.page.locator("main details.act summary", has_text=visit.say("More")).click()
    form = visit.page.locator('form[action*="/do/rename/"]')
    form.locator("input[name=name]").fill(new)
    form.locator("button").click()
    visit.page.wait_for_url(f"**/models/{new}")
    visit.look().open(f"/models/{own}")
    assert new in visit.page.inner_text("main")


def test_a_branch_is_made_and_merged_back(visit, shown, own):
    visit.open(f"/versions/{own}@2")
    visit.page.locator("main details.act summary").first.click()
    form = visit.page.locator('form[action*="/do/ref/"]')
    form.locator("input[name=name]").fill("side")
    visit.press("Make a branch")
    visit.said()
    assert where(shown, own, "side") == 2
    visit.go(f"/merge/{own}?source=3")


def test_a_token_is_made_shown_once_and_revoked(visit, shown, look):
    name = f"laptop {look}"
    visit.open("/settings/tokens").fill("Name", name).press("Make the token")
    secret = visit.page.locator(".secret code").first.inner_text()
    visit.look()
    with shown.client() as client:
        answer = client.get("/models", headers={"authorization": f"Bearer {secret}"})
        assert answer.status_code == 200
        visit.press("To all tokens")
        row = visit.page.locator("tr", has_text=name)
        row.locator("summary", has_text=visit.say("Revoke")).click()
        visit.look()
        row.locator('form[action$="/do/tokens/revoke"] button').click()
        visit.said()
        answer = client.get("/models", headers={"authorization": f"Bearer {secret}"})
        assert answer.status_code == 401
    assert secret not in visit.page.content()


def test_somebody_is_added_and_gets_a_role(visit, shown, look):
    name = f"new-{look}"
    visit.open("/settings/members").fill("Name", name).press("Add the account")
    visit.said()
    visit.go(f"/settings/members/{name}").open("/settings/roles")
    form = visit.page.locator('form[action$="/do/roles/give"]')
    form.locator("[name=account]").fill(name)
    form.locator("[name=pattern]").fill("vision/*")
    form.locator("[name=role]").select_option("reader")
    form.locator("button").click()
    visit.said()
    visit.look()
    with shown.client() as client:
        found = client.get("/roles").json()
    assert any(role["account"] == name and role["role"] == "reader" for role in found)


def test_a_guarded_alias_moves_when_somebody_else_approves(browser, shown, axe, visit, look, own):
    other = f"chen-{look}"
    with shown.client() as client:
        client.post("/accounts", json={"name": other}).raise_for_status()
        grant = {"account": other, "pattern": own, "role": "maintainer"}
        client.put("/roles", json=grant).raise_for_status()
        secret = client.post("/tokens", json={"account": other}).raise_for_status().json()["secret"]
    visit.open("/settings/guards")
    visit.page.locator("[name=pattern]:visible").fill(own)
    visit.page.locator("[name=ref]:visible").fill("champion")
    visit.page.locator("[name=approvals]:visible").fill("1")
    visit.press("Guard them")
    visit.said()
    visit.go(f"/proposals?model={own}")
    asks = visiting(browser, shown, axe, look, cookie=shown.cookie_of(other, secret))
    asks.open(f"/proposals?model={own}")
    form = asks.page.locator('form[action$="/do/proposals/make"]')
    form.locator("[name=model]").fill(own)
    form.locator("[name=ref]").fill("champion")
    form.locator("[name=revision]").fill("3")
    form.locator("button").click()
    asks.said()
    asks.look().context.close()
    assert where(shown, own) == 2
    visit.open(f"/proposals?model={own}")
    visit.page.locator('form[action$="/do/proposals/approve"] button').click()
    visit.said()
    assert where(shown, own) == 3
    visit.look()


def test_a_webhook_is_made_and_tried(visit, shown, look):
    visit.open("/settings/hooks")
    visit.page.locator("[name=url]").fill(f"https://hooks.example.com/{look}")
    visit.page.locator('form[action$="/do/hooks/add"] input[type=checkbox]').first.check()
    visit.press("Make the webhook")
    assert visit.page.locator(".secret code").count() >= 1
    visit.look().open("/settings/hooks")
    visit.page.get_by_role("link", name=f"https://hooks.example.com/{look}").click()
    visit.page.wait_for_url("**/settings/hooks/*")
    visit.look()
    visit.page.locator('form[action$="/test"] button').click()
    visit.said()
    visit.check()
