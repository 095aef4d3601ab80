"""Uploads and cards with the scripts of the pages, in a real browser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page
    from tests.web.acting import People, Person

pytestmark = pytest.mark.slow

_DROP = """
([names, texts]) => {
  const dropped = new DataTransfer();
  names.forEach((name, i) => dropped.items.add(new File([texts[i]], name)));
  document.querySelector("[data-drop]").dispatchEvent(
    new DragEvent("drop", { dataTransfer: dropped, bubbles: true, cancelable: true }));
}
"""


@pytest.fixture
def window(browser: Browser, people: People, ann: Person) -> Iterator[Page]:
    """A window of the admin's in English; whatever the console complains of fails the test."""
    context = browser.new_context(locale="en-GB", base_url=people.server.url)
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda told: complaints.append(told.text) if told.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto("/login?next=/upload")
    page.fill("#name", "admin")
    page.fill("#password", people.server.token or "")
    page.click("main button")
    yield page
    context.close()
    assert complaints == []


def _paths(ann: Person, model: str, number: int) -> dict[str, int]:
    files = ann.told(f"/models/{model}/versions/{number}/contents")["files"]
    return {f["path"]: f["size"] for f in files if not f["path"].startswith(".modelyard/")}


def test_chosen_and_dropped_files_are_listed_and_sent(
    window: Page, ann: Person, tmp_path: Path
) -> None:
    (tmp_path / "a.txt").write_text("a")
    (tmp_path / "large.bin").write_bytes(bytes(3_000_000))
    window.goto("/upload?model=dropped")

    window.set_input_files("input[name=files]", [tmp_path / "a.txt", tmp_path / "large.bin"])
    window.evaluate(_DROP, [["b.txt", "说明.txt"], ["bb", "你好"]])
    window.get_by_role("row", name="说明.txt").wait_for()
    assert window.locator(".chosen tbody tr").count() == 4
    assert "3.0 MB" in window.locator(".chosen caption").inner_text()
    window.get_by_role("button", name="Leave out: b.txt").click()
    window.fill("input[name=message]", "from a browser")
    window.locator("fieldset", has_text="Metrics").get_by_role("button").click()
    window.locator("input[name='metric.key']").nth(2).fill("f1")
    window.locator("input[name='metric.value']").nth(2).fill("0.5")
    window.get_by_role("button", name="Upload", exact=True).click()

    window.wait_for_url("**/versions/dropped*1")
    window.get_by_text("Stored as version 1: 3 files").wait_for()
    assert _paths(ann, "dropped", 1) == {"a.txt": 1, "large.bin": 3_000_000, "说明.txt": 6}
    version = ann.told("/models/dropped/versions/1")
    assert (version["message"], version["metrics"]) == ("from a browser", {"f1": 0.5})


def test_a_chosen_folder_comes_without_its_name(window: Page, ann: Person, tmp_path: Path) -> None:
    folder = tmp_path / "resnet"
    (folder / "sub").mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "sub" / "w.bin").write_bytes(b"w")
    window.goto("/upload?model=folders")

    window.set_input_files("input[name=folder]", folder)
    window.get_by_role("row", name="sub/w.bin").wait_for()
    window.get_by_role("button", name="Upload", exact=True).click()

    window.wait_for_url("**/versions/folders*1")
    assert _paths(ann, "folders", 1) == {"config.json": 2, "sub/w.bin": 1}


def test_a_folder_is_sent_without_scripts_too(
    browser: Browser, people: People, ann: Person, tmp_path: Path
) -> None:
    folder = tmp_path / "resnet"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "w.bin").write_bytes(b"w")
    context = browser.new_context(
        locale="en-GB", base_url=people.server.url, java_script_enabled=False
    )
    page = context.new_page()
    page.goto("/login?next=/upload")
    page.fill("#name", "admin")
    page.fill("#password", people.server.token or "")
    page.click("main button")

    page.goto("/upload?model=plain")
    page.set_input_files("input[name=folder]", folder)
    page.locator(".sending button").click()

    assert "Stored as version 1: 1 file" in page.locator(".said").inner_text()
    assert _paths(ann, "plain", 1) == {"sub/w.bin": 1}
    context.close()


def test_more_than_a_browser_may_send_is_not_sent(window: Page, ann: Person) -> None:
    window.goto("/upload?model=large")
    window.evaluate("document.querySelector('upload-form').dataset.largest = '3'")

    window.evaluate(_DROP, [["a.txt"], ["more than three"]])

    told = window.locator("[data-problem]")
    told.wait_for()
    assert "The command line sends any size" in told.inner_text()
    assert "yard commit --yard" in told.inner_text()
    window.get_by_role("button", name="Upload", exact=True).click()
    assert ann.api.get("/api/v1/models/large").status_code == 404


def test_what_the_server_refuses_is_told_beside_the_button(window: Page) -> None:
    window.goto("/upload?model=refused")
    window.get_by_role("button", name="Upload", exact=True).click()
    assert "Choose files or a folder first." in window.locator("[data-problem]").inner_text()

    complaints: list[Any] = []
    window.evaluate(_DROP, [["a.txt"], ["a"]])
    window.locator("input[name='label.key']").first.fill("no label")
    window.route("**/do/upload/**", lambda route: complaints.append(route) or route.fulfill(
        status=200, content_type="application/problem+json",
        body='{"detail": "that is no label", "hint": "key=value"}',
    ))  # fmt: skip
    window.get_by_role("button", name="Upload", exact=True).click()

    window.get_by_text("that is no label").wait_for()
    assert len(complaints) == 1
    assert window.get_by_role("button", name="Upload", exact=True).is_enabled()


def test_a_card_is_previewed_while_it_is_written(window: Page, ann: Person) -> None:
    ann.commit("carded", {"README.md": b"# One\n"})
    window.goto("/card/carded")

    window.fill("textarea", "# Two\n\nIt is *new*.\n")
    window.locator("#preview em", has_text="new").wait_for()
    window.get_by_role("button", name="Save on main").click()

    window.get_by_text("The card is changed, in version 2.").wait_for()
    assert ann.refs("carded") == {"main": ("branch", 2)}
