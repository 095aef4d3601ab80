"""What is kept of what was looked at lately."""

from __future__ import annotations

from modelyard.core.recent import Recent


def test_the_one_not_looked_at_for_longest_goes_first() -> None:
    kept: Recent[str, int] = Recent(2)
    kept.put("a", 1)
    kept.put("b", 2)
    assert kept.get("a") == 1
    kept.put("c", 3)
    assert [kept.get(key) for key in "abc"] == [1, None, 3]


def test_values_are_kept_by_what_they_weigh_and_the_last_one_in_any_case() -> None:
    kept: Recent[str, str] = Recent(5, len)
    kept.put("a", "aaa")
    kept.put("a", "a")
    kept.put("b", "bbbb")
    assert kept.get("a") == "a"
    kept.put("c", "cccccccc")
    assert [kept.get(key) for key in "abc"] == [None, None, "cccccccc"]
    kept.put("d", "ddd")
    assert [kept.get(key) for key in "cd"] == [None, "ddd"]
