"""Cards as HTML: what people wrote looks well and can do nothing."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.server.web.markdown import card_html

FILES, BYTES = "/files/own/net@3", "/api/v1/models/own%2Fnet/versions/3/files/"


def shown(text: str) -> str:
    return str(card_html(text, FILES, BYTES))


def test_the_yaml_head_is_not_shown():
    assert shown("---\nlicense: mit\n---\nHello") == "<p>Hello</p>\n"


def test_headings_stand_below_those_of_the_page_and_leave_no_level_out():
    told = shown("# One\n### Two\n# Three\n<h1 align=center>Four</h1>\n")
    assert re.findall(r"<h(\d)", told) == ["3", "4", "3", "3"]


def test_tables_and_code_scroll_by_keyboard():
    told = shown("|a|b|\n|-|-:|\n|1|2|\n\n```python\nx\n```\n")
    assert '<div class="scroll" tabindex="0"><table>' in told
    assert '<td align="right">2</td>' in told
    assert '<pre tabindex="0"><code>x' in told


def test_links_to_files_lead_into_the_version():
    assert f'href="{FILES}?path=docs/a%20b.md"' in shown("[notes](docs/a%20b.md#part)")
    assert f'src="{BYTES}plots%2Fa.png"' in shown("![plot](./plots/a.png)")
    assert "href" not in shown("[up](../../etc/passwd)")


def test_pictures_from_elsewhere_become_links_and_text_inside_of_links():
    told = shown("![chart](https://example.org/a.png)")
    assert "<img" not in told
    assert (
        '<a href="https://example.org/a.png" rel="nofollow noopener noreferrer">chart</a>' in told
    )
    badge = shown("[![build](https://example.org/b.svg)](https://example.org/ci)")
    assert (
        re.sub(r' rel="[^"]*"', "", badge) == '<p><a href="https://example.org/ci">build</a></p>\n'
    )


HOSTILE = [
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "<svg onload=alert(1)>",
    "[x](javascript:alert(1))", "<a href=' javascript:alert(1)'>x</a>",
    "<a href='data:text/html,<script>alert(1)</script>'>x</a>", "<iframe src=//x></iframe>",
    "<style>body{display:none}</style>", "<form action=/do/delete><button>x</button></form>",
    "<base href=//x>", "<meta http-equiv=refresh content=0>", "<p style='position:fixed'>x</p>",
    "<p class=said id=main>x</p>", "<input autofocus onfocus=alert(1)>",
    '![a](https://x/" onerror="alert(1))', '![<script>alert(1)</script>](https://x/y.png)',
    "<math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
    "<button hx-get=/x hx-trigger=load>x</button>", "<div hx-on:click=alert(1)>x</div>",
    '<img alt="&lt;script>alert(1)&lt;/script>" src="https://x/y.png">',
    '<img alt="<img src=x onerror=alert(1)>" src="//x/y.png">',
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_that_does_something_is_left(text):
    told = shown(text)
    tags = re.findall(r"<[^>]*>", told)
    assert not [tag for tag in tags if re.search(r"\son\w+=|javascript:|data:|hx-|style=|id=", tag)]
    assert not re.search(r"<(script|style|form|input|button|iframe|base|meta|svg|math)\b", told)
    assert "class=" not in re.sub(r'<div class="scroll" tabindex="0">', "", told)


@given(st.text(max_size=200) | st.lists(st.sampled_from(HOSTILE), max_size=4).map(" ".join))
def test_any_text_is_shown_and_what_comes_out_is_clean(text):
    told = shown(text)
    assert "<script" not in told.lower()
    for tag in re.findall(r"<img[^>]*>", told):
        assert f'src="{BYTES}' in tag


def test_deep_nesting_and_long_cards_take_no_time():
    shown("> " * 5000 + "x")
    shown("- " * 5000 + "x")
    shown("[" * 5000)
    shown("*a " * 5000)
