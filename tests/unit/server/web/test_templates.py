"""Templates keep the contract: documented values, translated words, known classes, no script."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.unit.server.web.reading import (
    ALONE,
    CSS,
    SERVER,
    TEMPLATES,
    bare,
    free_names,
    pages_of,
    source,
    unknown,
)

ROOT = Path(__file__).resolve().parents[4]
PAGES = pages_of()
SHOWN = [(template, page) for template, pages in PAGES.items() for page in pages]
every_template = pytest.mark.parametrize("template", TEMPLATES)


def own_scripts() -> list[Path]:
    return [p for p in (SERVER / "web/static").rglob("*.js") if "vendor" not in p.parts]


@every_template
def test_a_template_takes_only_what_every_template_has(template):
    known = {"page", "here", "draw", "language", "parts", "section"}
    assert free_names(template) <= known | ({"sheet"} if template in ALONE else set())


@pytest.mark.parametrize(("template", "page"), SHOWN, ids=lambda v: getattr(v, "__name__", v))
def test_a_template_asks_only_for_what_its_page_has(template, page):
    assert unknown(template, page) == []


@pytest.mark.parametrize(("template", "page"), SHOWN, ids=lambda v: getattr(v, "__name__", v))
def test_a_page_is_a_documented_frozen_value(template, page):
    assert page.__dataclass_params__.frozen, f"{page} can be changed"
    assert "__slots__" in vars(page), f"{page} has no slots"
    doc = page.__doc__ or ""
    assert doc, f"{page} says nothing about itself"
    assert not doc.startswith(f"{page.__name__}("), f"{page} says nothing about itself"
    assert dataclasses.fields(page), f"{page} shows nothing"


@every_template
def test_every_template_is_shown_by_a_page_or_used_by_another(template):
    takes = re.compile(r"{%-?\s*(?:extends|import|from|include)\s+\"([\w.]+)\"")
    used = {name for other in TEMPLATES for name in takes.findall(source(other))}
    assert template in PAGES or template in used or template in ALONE


@every_template
def test_every_word_can_be_translated(template):
    words, _ = bare(template)
    assert words == []


@every_template
def test_every_class_has_a_style(template):
    styled = {name for path in CSS for name in re.findall(r"\.([A-Za-z][\w-]*)", path.read_text())}
    used = {
        name
        for _, attribute, value in bare(template)[1]
        if attribute == "class"
        for name in value.split()
    }
    scripted = {name for name in used if any(name in p.read_text() for p in own_scripts())}
    assert used - styled - scripted == set()


@every_template
def test_nothing_is_run_that_stands_in_a_template(template):
    text = source(template)
    assert not re.search(r"\|\s*safe\b", text), "what people wrote must be escaped"
    assert not re.search(r"autoescape\s+false", text)
    for tag, name, value in bare(template)[1]:
        assert name != "style", f"<{tag} style>: the policy forbids it"
        assert not name.startswith(("on", "hx-on", "hx-vals")), f"<{tag} {name}>"
        assert not value.strip().lower().startswith(("javascript:", "js:")), f"<{tag} {name}>"
    for tag in re.findall(r"<script\b[^>]*>[^<]*", text):
        assert "src=" in tag, f"a script inside the page: {tag}"
        assert tag.endswith(">"), f"a script inside the page: {tag}"
    assert "<style" not in text or template in ALONE


def test_only_few_places_say_that_text_is_markup_already():
    places = {
        path.relative_to(SERVER / "web").as_posix()
        for path in (SERVER / "web").rglob("*.py")
        if "Markup(" in path.read_text(encoding="utf-8")
    }
    drawn = {place for place in places if place.startswith("draw/")}
    assert places - drawn <= {"markdown.py", "rendering.py", "report.py"}
    for place in drawn - {"draw/svg.py"}:  # an empty one at most, to join with
        text = (SERVER / "web" / place).read_text(encoding="utf-8")
        made = re.findall(r"Markup\(([^)]*)\)", text)
        assert set(made) <= {"", '""', '" "', '"\\n"'}, f"{place} writes markup itself: {made}"


def test_the_scripts_of_our_own_stay_few_and_checked():
    lines = {path.name: len(path.read_text().splitlines()) for path in own_scripts()}
    assert sum(lines.values()) <= 1000, lines
    for path in own_scripts():
        text = path.read_text(encoding="utf-8")
        assert lines[path.name] <= 150, path.name
        assert text.startswith("// @ts-check"), path.name
        assert not re.search(r"\beval\(|new Function|innerHTML|outerHTML\s*=|document\.write", text)


def test_colours_are_for_both_themes():
    for path in CSS:
        if "vendor" not in path.parts:
            used = re.sub(r"light-dark\([^()]*\)", "", path.read_text(encoding="utf-8"))
            fixed = re.findall(r":[^;{}]*(#[0-9a-fA-F]{3,8})\b", used)
            assert fixed == [], f"{path.name} has colours for one theme alone"


def test_every_sentence_is_translated_and_collected():
    done = subprocess.run(
        [sys.executable, ROOT / "scripts/words.py", "--check"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
