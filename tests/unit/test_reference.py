"""The reference holds what the code has: kinds of errors, the SDK, settings, variables."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

import modelyard
from modelyard.registry.settings import PLACES, Settings

ROOT = Path(__file__).resolve().parents[2]
PAGES = ROOT / "docs" / "reference"
SOURCE = ROOT / "src" / "modelyard"
sys.path.insert(0, str(ROOT / "scripts"))

from reference_errors import error_page  # noqa: E402
from reference_kinds import ERRORS, Way, kinds, source, ways  # noqa: E402
from reference_sdk import lacking, sdk_page  # noqa: E402
from reference_source import Source  # noqa: E402
from reference_stores import store_page  # noqa: E402


@pytest.fixture(scope="module")
def code() -> Source:
    return source()


@pytest.fixture(scope="module")
def found(code) -> dict[str, list[Way]]:
    classes = (*ERRORS, "ModelyardError", "Failure", "Finding")
    return {name: list(ways(code, name)) for name in classes}


def page(name):
    return (PAGES / name).read_text(encoding="utf-8")


# -- errors.md -----------------------------------------------------------------------------------


def test_the_page_of_errors_is_fresh():
    assert page("errors.md") == error_page(), "run make docs"


def test_each_kind_can_be_told_from_the_code(found):
    assert not [way.where for told in found.values() for way in told if way.kind is None]


def test_each_kind_is_lower_case_with_dashes(found):
    names = {way.kind for told in found.values() for way in told}
    assert not [name for name in names if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name)]


def test_each_kind_belongs_to_one_class(found):
    classes = {}
    for name in (*ERRORS, "ModelyardError", "Failure"):
        for kind in kinds(found[name]):
            classes.setdefault(kind, []).append(name)
    assert not {kind for kind, names in classes.items() if len(names) > 1}


def test_each_kind_has_a_message(found):
    assert not [way.where for told in found.values() for way in told if not way.message]


@pytest.mark.parametrize(
    ("written", "kind", "message", "hint"),
    [
        ('raise Conflict("moved", f"{name} moved", hint="look")', "moved", "{name} moved", "look"),
        ('raise errors.Conflict("moved", "it moved")', "moved", "it moved", ""),
        ('kind = "moved"\n    raise Conflict(kind, f"{error.text}")', "moved", "{text}", ""),
        ('raise Conflict(kind=KIND, message=f"over {_MOST}")', "constant", "over 9", ""),
        ('raise _made("given", f"{len(name)} bytes")', "given", "{count} bytes", "made"),
        ('for kind, text in (("row", "in a row"),):\n        Conflict(kind, text)', "row",
         "in a row", ""),
    ],
)  # fmt: skip
def test_a_kind_is_followed_to_where_it_is_written(tmp_path, written, kind, message, hint):
    (tmp_path / "a.py").write_text(
        f'KIND = "constant"\n_MOST = 9\ndef raising(name, error):\n    {written}\n'
        "def _made(kind, text):\n    return Conflict(kind, text, hint='made')\n"
    )
    found = [way for way in ways(Source.read(tmp_path), "Conflict") if way.kind]
    assert (kind, message, hint) in [(way.kind, way.message, way.hint) for way in found]


def test_a_kind_that_can_not_be_followed_is_told(tmp_path):
    (tmp_path / "a.py").write_text("def raising():\n    raise Conflict(computed(), 'text')\n")
    assert [(w.kind, w.where) for w in ways(Source.read(tmp_path), "Conflict")] == [
        (None, "a.py:2")
    ]


# -- sdk.md --------------------------------------------------------------------------------------


def test_the_page_of_the_sdk_is_fresh():
    assert page("sdk.md") == sdk_page(), "run make docs"


@pytest.mark.parametrize("name", modelyard.__all__)
def test_each_public_name_is_on_the_page_of_the_sdk(name):
    assert re.search(rf"^## (modelyard\.)?{name}$", page("sdk.md"), re.MULTILINE)


def test_each_public_method_and_field_is_documented():
    assert not lacking(), "write a docstring, or a text below the field"


# -- stores.md ------------------------------------------------------------------------------------


def test_the_page_of_stores_is_fresh():
    assert page("stores.md") == store_page(), "run make docs"


# -- config.md -----------------------------------------------------------------------------------


@pytest.mark.parametrize("place", PLACES)
def test_each_setting_is_on_the_page_with_its_default(place):
    row = re.search(rf"^\| `{re.escape(place)}` \| (.+?) \|", page("config.md"), re.MULTILINE)
    assert row
    default = getattr(Settings(), PLACES[place][0])
    if isinstance(default, float):
        assert float(row[1]) == default
    else:
        assert row[1] == (f"`{default}`" if default else "none")


def test_each_variable_of_the_environment_is_on_the_page():
    text = page("config.md") + page("stores.md")
    read = variables()
    assert {"YARD", "YARD_AUTHOR", "NO_COLOR", "TERM", "XDG_DATA_HOME", "LOGNAME"} <= read
    assert not {name for name in read if f"`{name}`" not in text}


def variables():
    """What reads as a variable's name in each function that has to do with the environment."""
    names = set()
    for path in SOURCE.rglob("*.py"):
        if path.relative_to(SOURCE).parts[0] == "testing":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and re.search("environ|getenv", ast.unparse(node)):
                strings = [n.value for n in ast.walk(node) if isinstance(n, ast.Constant)]
                names |= {text for text in strings if is_variable(text)}
    return names


def is_variable(value):
    if value in ("AUTOCOMMIT", "PYTHON", "PYTHONHASHSEED", "URL", "NAME", "TEXT"):
        return (
            False  # an isolation level, what a list holds or a child is given, names of arguments
        )
    return isinstance(value, str) and re.fullmatch(r"[A-Z]+(_[A-Z]+)*", value) is not None


# -- links ---------------------------------------------------------------------------------------


def test_the_index_leads_to_every_page():
    linked = {(PAGES / link).resolve() for link in links(page("index.md"))}
    for folder in ("reference", "guides", "explain", "spec", "decisions"):
        pages = {path.resolve() for path in (ROOT / "docs" / folder).glob("*.md")}
        assert pages - {PAGES / "index.md"} <= linked


@pytest.mark.parametrize("name", ["index.md", "errors.md", "sdk.md", "config.md"])
def test_links_lead_to_pages_and_headings(name):
    for link in links(page(name)):
        target, _, heading = link.partition("#")
        path = PAGES / (target or name)
        assert path.exists(), link
        titles = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
        assert not heading or heading in {anchor(title) for title in titles}, link


def links(text):
    return re.findall(r"\]\(([^)\s]+)\)", text)


def anchor(title):
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")
