"""Sentences that were kept in English are told in another language by the patterns they follow."""

from __future__ import annotations

import json
import re
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.told import Patterns, told_in

ROOT = Path(__file__).resolve().parents[2]
TOLD = ROOT / "src/modelyard/locales/zh/LC_MESSAGES/told.json"
KNOWN = {
    "it helps": "sie hilft",
    "better": "besser",
    "trial {number} failed: {reason}": "Versuch {number} scheitert: {reason}",
    "{name} is {way}: from {old} to {new}": "{name} ist {way}: von {old} auf {new}",
    "{told}: a quicker one would not be seen": "{told}: schneller fiele nicht auf",
    "{count} rows{more}": "{count} Zeilen{more}",
    " of {all}": " von {all}",
    "{name} have {n} holes": "Lücken hat {name}",
    "; ": " / ",
}


@pytest.mark.parametrize(
    ("sentence", "told"),
    [
        ("it helps", "sie hilft"),
        ("trial 3 failed: it helps", "Versuch 3 scheitert: sie hilft"),
        ("accuracy is better: from 0.5 to 0.6", "accuracy ist besser: von 0.5 auf 0.6"),
        ("it helps: a quicker one would not be seen", "sie hilft: schneller fiele nicht auf"),
        ("10 rows of 20", "10 Zeilen von 20"),
        ("10 rows", "10 Zeilen"),
        ("a, b have 2 holes", "Lücken hat a, b"),
        ("clean: it helps", "clean: sie hilft"),
        ("it helps; trial 1 failed: no", "sie hilft / Versuch 1 scheitert: no"),
        ("a b is better: from 1 to 2; it helps", "a b ist besser: von 1 auf 2 / sie hilft"),
        ("x is no worse; y is better: from 1 to 2", "x is no worse / y ist besser: von 1 auf 2"),
        ("nobody knows; this", "nobody knows; this"),
        ("", ""),
        ("it  helps", "it  helps"),
    ],
)
def test_a_sentence_is_told_by_its_pattern(sentence: str, told: str) -> None:
    assert Patterns(KNOWN).tell(sentence) == told


def test_of_several_patterns_the_one_counts_that_says_most() -> None:
    known = {"{a} of {b}": "1", "{a} trees of {b}": "2", "{a} trees of a {b}": "3"}
    assert Patterns(known).tell("5 trees of a forest") == "3"
    assert Patterns(known).tell("5 trees of forests") == "2"


def test_what_is_filled_in_is_never_taken_for_a_field() -> None:
    assert Patterns(KNOWN).tell("trial {reason} failed: {number}") == (
        "Versuch {reason} scheitert: {number}"
    )


@given(st.text("ab {}:;,0", max_size=200))
def test_no_sentence_breaks_it(sentence: str) -> None:
    assert isinstance(Patterns(KNOWN).tell(sentence), str)


def test_a_hostile_sentence_takes_no_time() -> None:
    known = {"{a} is {b}, {c}, {d}, {e} and {f}": "{a}{b}{c}{d}{e}{f}", **KNOWN}
    began = time.perf_counter()
    Patterns(known).tell("x is " + ", ; : " * 390 + "and")
    Patterns(known).tell("x, " * 10_000_000)
    assert time.perf_counter() - began < 1
    tell = Patterns(json.loads(TOLD.read_bytes())).tell
    began = time.perf_counter()
    for number in range(100):
        tell(f"a b {number}, c d; e f: " * 40)
        tell("; ".join([f"a b {number}, c d: e f"] * 11))
    assert time.perf_counter() - began < 2.5


def test_english_stays_as_it_is() -> None:
    assert told_in("en")("trial 3 failed: it helps") == "trial 3 failed: it helps"


def test_findings_of_optimizations_are_told_in_chinese() -> None:
    tell = told_in("zh")
    assert tell("trial 3 failed: it is for classification") == "试验 3 失败：它用于分类"
    assert tell("size is 3.6 times less") == "size 减少到 1/3.6"
    assert tell("accuracy is better: from 0.912 to 0.941 (p 0.004)") == (
        "accuracy 变好：从 0.912 到 0.941（p 0.004）"
    )
    assert tell("accuracy_drop<=0.005 does not hold: it is 0.02") == (
        "accuracy_drop<=0.005 不成立：实际为 0.02"
    )
    assert tell("all 100 trees are needed") == "100 棵树都需要"
    told = tell(
        "own/m@2 from own/m@1: size is 3.6 times less; accuracy stays at 0.9 (1 more on the front)"
    )
    assert (
        told == "由 own/m@1 得到 own/m@2：size 减少到 1/3.6；accuracy 保持在 0.9（前沿上另有 1 个）"
    )
    told = tell(
        "converted by skl2onnx; on 9 rows numbers differ by at most 2e-08, 99.00% equal labels"
    )
    assert told == "用 skl2onnx 转换；在 9 行上数值最多相差 2e-08，标签相同的占 99.00%"
    told = tell("no trial meets all constraints; the nearest, 4, breaks size<=5MB")
    assert told == "没有试验满足所有约束；最接近的试验 4 违反 size<=5MB"


def test_what_monitoring_sees_is_told_in_chinese() -> None:
    tell = told_in("zh")
    assert tell("Too many requests fail: error_rate is 7 % (> 5 %)") == (
        "失败的请求太多：error_rate 为 7 %（> 5 %）"
    )
    assert tell("12 rows with a value in the window: 100 are needed") == (
        "在窗口中有值的有 12 行：需要 100 行"
    )
    assert tell("30 of 40 requests of shop in a minute were wrong, in 3 different ways") == (
        "shop 在一分钟内的 40 个请求中有 30 个有误，有 3 种不同的错误"
    )


def test_translations_fill_in_nothing_else_than_the_sentence_has() -> None:
    for pattern, told in json.loads(TOLD.read_bytes()).items():
        fields = [set(re.findall(r"\{(\w+)\}", text)) for text in (told, pattern)]
        assert fields[0] <= fields[1], pattern


def test_patterns_are_collected_from_code(monkeypatch) -> None:
    monkeypatch.setattr(sys, "path", [str(ROOT / "scripts"), *sys.path])
    from words_told import patterns

    code = '''
"""A docstring that nobody is told."""
made = f"{found.count} of {len(rows)} rows{more}{end} are {round(share, 2)} left" + tail
form = "{} {has} holes in it"
said = f"{'two words' if short else 'or three'} of it"
given = ("word", "{not} {enough}", re.compile("no sentence at all"))
raise InvalidInput("bad-kind", "this is wrong", hint="not this one")
'''
    assert list(patterns(code)) == [
        "{count} of {rows} rows{more} are {share} left{tail}", "{it} {has} holes in it",
        "{it} of it", "two words", "or three", "this is wrong",
    ]  # fmt: skip
