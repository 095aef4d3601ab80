"""The frame of all pages: styles and letters by their addresses, problems in both languages."""

from __future__ import annotations

import re
from pathlib import Path

from modelyard.core.access import Caller
from modelyard.i18n import Language
from modelyard.server.web import static_files
from modelyard.server.web.here import Here
from modelyard.server.web.rendering import environment
from modelyard.server.web.twins import ProblemPage

ROOT = Path(__file__).resolve().parents[4]
KINDS = re.compile(r"^  \"([a-z-]+)\": _\(", re.MULTILINE)
WORDS = Path(static_files.__file__).parent / "templates/problem_words.html"


def _here(language: str) -> Here:
    return Here(
        prefix="/models", path="/nope", query="", language=Language.of(language), theme="auto",
        caller=Caller(account=None), base="http://localhost/models", said=None, accounts=True,
    )  # fmt: skip


def _problem(language: str, kind: str, detail: str) -> str:
    page = ProblemPage(404, "NotFound", kind, detail, None, "4f00")
    template = environment(language).get_template("problem.html")
    return template.render(page=page, here=_here(language))


def test_a_link_leaves_out_what_is_not_asked_for_and_keeps_a_nought() -> None:
    here = _here("en")
    assert here.to("/lineage/m", back=0, ahead=5) == "/models/lineage/m?back=0&ahead=5"
    assert here.to("/x", a=None, b="", c=False, d=(), e=True, v=["a b"]) == (
        "/models/x?e=True&v=a+b"
    )


def test_a_style_names_the_letters_by_their_own_address() -> None:
    style = static_files._files()["app.css"].plain.decode()
    font = static_files.address("", "vendor/inter.woff2").removeprefix("/static/")
    assert f'url("../{font}")' in style


def test_a_changed_file_has_another_address() -> None:
    assert static_files.address("/p", "app.css") != static_files.address("/p", "app.js")
    assert re.fullmatch(r"/p/static/[0-9a-f]{16}/app\.css", static_files.address("/p", "app.css"))


def test_a_problem_is_told_in_english_as_it_is() -> None:
    told = _problem("en", "no-model", "no model named <b>x</b>")
    assert "no model named &lt;b&gt;x&lt;/b&gt;" in told
    assert "none that you may read" not in told


def test_a_problem_is_told_in_chinese_by_its_kind_with_the_detail_below() -> None:
    told = _problem("zh", "no-model", "no model named x")
    assert "没有这个模型" in told
    assert '<p class="quiet" lang="en">no model named x</p>' in told


def test_a_kind_without_words_is_told_as_it_is() -> None:
    assert "<p>cut short</p>" in _problem("zh", "bad-frames", "cut short")


def test_a_problem_has_no_twin() -> None:
    assert "/nope.json" not in _problem("en", "no-route", "there is no such path here")


def test_every_kind_that_has_words_can_happen() -> None:
    source = "".join(path.read_text() for path in (ROOT / "src/modelyard").rglob("*.py"))
    assert [kind for kind in KINDS.findall(WORDS.read_text()) if f'"{kind}"' not in source] == []
