"""Lineage, storage, activity, the audit log and jobs, as the admin sees them, and as others do."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.web.acting import People, Person, Seen

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def net(ann: Person) -> str:
    for number in (1, 2, 3):
        ann.commit("open/net", {"w.bin": bytes([number, 255]) * 70_000}, message=f"try {number}")
    ann.commit("secret/net", {"w.bin": bytes([3, 255]) * 70_000}, message="hidden words")
    ann.act("alias/open/net", alias="champion", revision=2, seen="")
    return "open/net"


@pytest.fixture
def reader(people: People, net: str) -> Person:
    del net
    return people.with_role("rea", "reader", "open/*")


def _waited(person: Person, page: Seen) -> Seen:
    for _ in range(100):
        if "running" not in page.text and "waiting" not in page.text:
            return page
        time.sleep(0.1)
        page = person.see(page.path)
    return page


def test_lineage_is_shown_with_a_table_and_the_details_of_a_box(ann: Person, net: str) -> None:
    page = ann.see(f"/lineage/{net}@2?show=open/net@1")
    assert page.status == 200
    assert "open/net@1 committed on top of" not in page.text
    assert "committed on top of open/net@2" in page.text
    assert "Put it in the middle" in page.text
    assert any("show=open%2Fnet%403" in link for link in page.links)


def test_lineage_of_a_model_is_that_of_its_tip(ann: Person, net: str) -> None:
    assert "On the left is what open/net@3 came from" in ann.see(f"/lineage/{net}").text


def test_a_step_too_far_is_a_problem_and_no_fault(ann: Person, net: str) -> None:
    assert ann.see(f"/lineage/{net}?back=99").status == 422


def test_activity_tells_who_did_what_and_can_be_sifted(ann: Person, net: str) -> None:
    page = ann.see("/activity")
    assert "admin made the alias champion at open/net@2" in page.text
    assert "hidden words" in page.text
    only = ann.see("/activity?kind=ref-created&model=open/net")
    assert "made the alias" in only.text
    assert "committed open/net" not in only.text


def test_news_are_told_to_who_has_seen_some(ann: Person, net: str) -> None:
    assert "new event" not in ann.see("/activity").text
    assert "new events" in ann.see("/activity?since=1").text


def test_a_reader_sees_nothing_of_what_is_hidden(reader: Person) -> None:
    for path in ("/activity", "/activity?since=0", "/storage", "/lineage/open/net", "/audit"):
        page = reader.see(path)
        assert page.status == 200, path
        assert "secret" not in page.html, path
        assert "hidden words" not in page.html, path
        assert "secret" not in reader.client.get(f"{page.path}.json").text, path
    assert reader.see("/lineage/secret/net").status == 404
    nowhere = reader.see("/lineage/secret/nil").text.replace("secret/nil", "secret/net")
    hidden = reader.see("/lineage/secret/net").text
    assert hidden.partition("Request")[0] == nowhere.partition("Request")[0]
    assert "Nothing like this happened." in reader.see("/activity?model=secret/net").text


def test_a_reader_is_not_told_what_all_models_share(reader: Person, ann: Person) -> None:
    assert "What gc would free" not in reader.see("/storage").text
    assert "Without what is there twice" not in reader.see("/storage").text
    whole = ann.see("/storage.json")
    assert '"is_whole":true' in whole.html.replace(" ", "")


def test_gc_is_forecast_as_a_job_that_others_may_not_see(ann: Person, reader: Person) -> None:
    page = _waited(ann, ann.see("/storage").submit("/do/storage/forecast"))
    assert page.path.startswith("/jobs/")
    assert "done" in page.text
    assert "Would be free at once" in page.text
    assert "Look again" in ann.see("/storage").text
    assert "Garbage collection (gc)" in ann.see("/jobs").text
    assert reader.see(page.path).status == 404
    assert reader.act("storage/forecast").status == 403
    assert "Garbage collection" not in reader.see("/jobs").text


def test_the_audit_log_tells_before_and_after_and_whether_it_is_sealed(
    ann: Person, net: str
) -> None:
    page = ann.see("/audit").submit("/do/audit/seal")
    assert "is sealed." in page.text
    assert "Seal now" in page.text
    alias = ann.see("/audit?of=open/net&action=alias")
    assert "champion" in alias.text
    assert "@2" in alias.text
    export = next(link for link in alias.links if "format=csv" in link)
    assert "of=open%2Fnet" in export
    got = ann.client.get(export)
    assert got.status_code == 200
    assert "champion" in got.text


def test_days_of_the_audit_log_are_whole_and_what_is_no_day_is_told(ann: Person) -> None:
    day = time.strftime("%Y-%m-%d", time.gmtime())
    assert "sign-in" in ann.see(f"/audit?since={day}&until={day}").text
    assert "No line is like this." in ann.see("/audit?until=2020-01-01").text
    assert ann.see("/audit?since=yesterday").status == 422


def test_a_reader_may_not_seal_and_sees_no_seals(reader: Person) -> None:
    assert reader.act("audit/seal").status == 403
    assert "Seal now" not in reader.see("/audit").text


def test_a_job_that_is_not_there_is_a_page_too(ann: Person) -> None:
    page = ann.see("/jobs/nothing")
    assert page.status == 404
    assert "job" in page.text
