"""Text for people can't steer a terminal, and lines up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.cli.text import Column, Span, Table, bar, clean, layout, paint, width

HOSTILE = [
    "\x1b[2J",
    "\x1b]0;owned\x07",
    "a\rb",
    "a\nb",
    "\x9b31m",
    "\u202egnp.exe",
    "\u2028",
    "\ud800",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_control_characters_become_visible(text):
    assert clean(text).isprintable()
    assert "\\" in clean(text)


@given(st.text())
def test_clean_text_stays_clean(text):
    assert clean(clean(text)) == clean(text)
    assert "\n" not in clean(text)
    assert "\x1b" not in clean(text)


def test_words_of_any_language_are_left_alone():
    assert clean("图像分类 café naïve 🙂") == "图像分类 café naïve 🙂"


@given(st.text(), st.booleans())
def test_only_our_own_colours_reach_the_terminal(text, colour):
    painted = paint([Span(text, "bad"), text], colour=colour)
    assert painted.count("\x1b") == (2 if colour and clean(text) else 0)


def test_chinese_takes_two_cells_and_accents_none():
    assert width("模型") == 4
    assert width("e\u0301") == 1


def lines(table, cells=None):
    return [paint(line, colour=False) for line in layout(table, cells=cells)]


def test_columns_line_up_beside_chinese_names():
    table = Table(
        [Column("name"), Column("size", right=True)], [["模型", "1 B"], ["resnet", "10 kB"]]
    )
    assert lines(table) == ["name     size", "模型      1 B", "resnet  10 kB"]


def test_a_table_without_titles_has_no_head():
    assert lines(Table([Column(), Column()], [["a", "b"]])) == ["a  b"]


def test_no_line_ends_with_blanks():
    table = Table([Column("a"), Column("b")], [["x", ""], ["x", "yyyy"]])
    assert all(line == line.rstrip() for line in lines(table))


def test_flexible_columns_give_way_on_a_narrow_terminal():
    table = Table([Column("name"), Column("message", flexible=True)], [["resnet", "m" * 200]])
    narrow = lines(table, cells=40)
    assert max(map(width, narrow)) == 40
    assert narrow[-1].endswith("…")
    assert narrow[-1].startswith("resnet  ")


def test_bar_is_proportional_and_never_hides_a_change():
    assert bar(0) == ""
    assert bar(1e-9) == "▏"
    assert bar(0.5) == "████"
    assert bar(7) == "█" * 8
