"""The cache of ranges keeps to its limit, and gives back what was put or nothing."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from modelyard.client.cache import RangeCache, size_of
from modelyard.client.uploads import Upload
from modelyard.core.transferring import Receipt
from modelyard.errors import InvalidInput

if TYPE_CHECKING:
    from pathlib import Path


def test_what_was_put_comes_back_by_its_name_and_range(tmp_path: Path) -> None:
    cache = RangeCache(tmp_path, 1 << 20)
    cache.put("a", 10, 14, b"1234")
    assert cache.get("a", 10, 14) == b"1234"
    assert cache.get("a", 10, 15) is cache.get("b", 10, 14) is None


def test_what_was_altered_is_not_given_and_goes(tmp_path: Path) -> None:
    cache = RangeCache(tmp_path, 1 << 20)
    cache.put("a", 0, 4, b"1234")
    [place] = [path for path in tmp_path.rglob("*") if path.is_file()]
    place.write_bytes(place.read_bytes()[:-1] + b"5")
    assert cache.get("a", 0, 4) is None
    assert not place.exists()


def test_the_least_used_goes_first(tmp_path: Path) -> None:
    cache = RangeCache(tmp_path, 100_000)
    for number in range(40):
        cache.put("a", number, number + 10_000, os.urandom(10_000))
        cache.get("a", 0, 10_000)
    left = sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())
    assert left <= 120_000
    assert cache.get("a", 0, 10_000) is not None
    assert cache.get("a", 39, 10_039) is not None


@pytest.mark.parametrize(
    ("text", "size"), [("10GB", 10**10), ("500 MB", 5 * 10**8), ("0", 0), ("1.5k", 1500)]
)
def test_sizes_are_read_as_people_write_them(text: str, size: int) -> None:
    assert size_of(text) == size


@pytest.mark.parametrize("text", ["", "-1", "ten", "1e9", "9" * 30])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        size_of(text)


def test_receipts_of_a_run_that_was_cut_are_found_again(tmp_path: Path) -> None:
    upload = Upload.of(tmp_path, "url", "m")
    upload.add(Receipt(b"a" * 64, b"one"))
    upload.add(Receipt(b"b" * 32, b"two"))
    [place] = list(tmp_path.iterdir())
    place.write_bytes(place.read_bytes()[:-3])
    again = Upload.of(tmp_path, "url", "m")
    assert again.session == upload.session
    assert again.receipts == [Receipt(b"a" * 64, b"one")]
    assert again.receipts_for([b"a" * 32, b"c" * 32]) == again.receipts
    again.add(Receipt(b"c" * 32, b"three"))
    assert len(Upload.of(tmp_path, "url", "m").receipts) == 2
    assert Upload.of(tmp_path, "url", "other").receipts == []
    again.done()
    assert Upload.of(tmp_path, "url", "m").session != upload.session
