"""Index terms: whatever contains a word has its terms, in a form no engine takes apart."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from modelyard.core.terms import Term, contains, document_terms, exact_term, fold, query_terms

_text = st.text(
    st.sampled_from("abZ 01-_./\nﬁＡé模型库情感ｶがハ한국𠀀İß") | st.characters(codec="utf-8"),
    max_size=40,
)


def _holds(text: str, word: str) -> bool:
    terms = document_terms(text)
    return all(
        any(have.startswith(term.text) for have in terms) if term.prefix else term.text in terms
        for term in query_terms(word)
    )


@given(_text, st.data())
def test_every_part_of_a_text_finds_it(text: str, data: st.DataObject) -> None:
    folded = fold(text)
    start = data.draw(st.integers(0, len(folded)))
    word = folded[start : data.draw(st.integers(start, len(folded)))]
    if contains(text, fold(word)):
        assert _holds(text, word)


@given(_text)
def test_terms_are_words_to_every_engine(text: str) -> None:
    for term in document_terms(text) | {exact_term("l", text)}:
        assert re.fullmatch(r"q[a-z0-9]{2,}", term)
        assert len(term) <= 84  # MySQL's longest


@given(_text)
def test_folding_twice_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)


def test_two_chinese_characters_are_one_term() -> None:
    assert len(query_terms("情感")) == 1
    assert not query_terms("情感")[0].prefix
    assert _holds("中文情感分析模型", "情感分析")
    assert not _holds("中文情感分析模型", "感情")


def test_short_words_are_prefixes_and_found_at_the_end_too() -> None:
    assert query_terms("nn") == (Term("qgnn", prefix=True),)
    assert _holds("a deep cnn", "nn")
    assert _holds("库", "库")
    assert _holds("模型库", "库")
    assert not _holds("resnet", "nn")


def test_mixed_words_are_found_where_scripts_meet() -> None:
    assert _holds("用v2模型", "v2模型")
    assert _holds("resnet模型", "t模")


def test_case_width_and_blanks_do_not_count() -> None:
    assert contains("ＲｅｓＮｅｔ\n 50", fold("resnet  50"))
    assert _holds("Straße", "STRASSE")


def test_exact_terms_tell_kinds_apart() -> None:
    assert exact_term("l", "a=b") == exact_term("l", "a=b")
    assert exact_term("l", "a") != exact_term("k", "a")
