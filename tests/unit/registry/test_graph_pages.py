"""A model's history page by page, and what its versions' pages look at."""

from __future__ import annotations

import numpy as np
import pytest

from modelyard.core.lineage import graph_lanes
from modelyard.errors import InvalidInput, NotFound
from modelyard.registry.file_looks import list_files, look_at_file, picture_of
from modelyard.registry.graph import head_of, history_page
from modelyard.registry.spreads import look_at_tensor
from modelyard.testing.models import write_safetensors

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)


@pytest.fixture
def house(yard, tmp_path):
    """Five versions: 2 and 3 come from 1, 4 merges them, 5 is deleted, 6 comes from it."""
    source = tmp_path / "m"
    source.mkdir()

    def put(number, **said):
        (source / "a.txt").write_text(f"{number}\n")
        yard.commit("own/net", source, message=f"version {number}", **said)

    put(1, metrics={"accuracy": 0.5})
    put(2, metrics={"accuracy": 0.6})
    put(3, branch="side", parent=1, metrics={"accuracy": 0.4, "loss": 2.0})
    (source / "b.txt").write_text("b")
    put(4, branch="side")
    yard.tag("own/net", "old", 2)
    put(5)
    put(6)
    yard.delete_version("own/net", 5)
    return yard.house


def test_the_history_goes_from_the_newest_on(house):
    page = history_page(house, "own/net")
    assert [row.version.number for row in page.items] == [6, 5, 4, 3, 2, 1]
    assert page.next is None
    assert [row.version.number for row in page.items if row.version.deleted] == [5]
    assert {ref.name for row in page.items for ref in row.refs} == {"main", "side", "old"}


def test_pages_together_are_the_picture_of_one(house):
    whole = history_page(house, "own/net")
    places, after = [], None
    while True:
        page = history_page(house, "own/net", limit=2, after=after)
        places += [(row.place, row.arriving) for row in page.items]
        after = page.next
        if after is None:
            break
    assert places == [(row.place, row.arriving) for row in whole.items]
    rows = [(row.version.number, row.version.parents) for row in whole.items]
    assert [row.place for row in whole.items] == list(graph_lanes(rows))


def test_what_a_version_came_from_is_shown_by_itself(house):
    page = history_page(house, "own/net", revision="side")
    assert [row.version.number for row in page.items] == [4, 3, 1]
    first = history_page(house, "own/net", revision="side", limit=1)
    rest = history_page(house, "own/net", limit=1, after=first.next)
    assert [row.version.number for row in rest.items] == [3]


def test_the_metric_of_most_versions_is_shown_with_its_change(house):
    page = history_page(house, "own/net")
    by_number = {row.version.number: row for row in page.items}
    assert page.metric == "accuracy"
    assert page.metrics == ("accuracy", "loss")
    assert by_number[2].change == pytest.approx(0.1)
    assert by_number[2].better is True
    assert by_number[3].better is False
    assert by_number[6].metric is None
    alone = history_page(house, "own/net", revision=2, limit=1)
    assert alone.items[0].change == pytest.approx(0.1), "its parent is on the next page"
    loss = history_page(house, "own/net", metric="loss")
    assert {row.version.number: row.metric for row in loss.items}[3] == 2.0


def test_a_strange_token_is_refused(house):
    for token in ("x", "WzEsWy0xXSx0cnVlXQ", "WzEsWzFdXQ", "bnVsbA"):
        with pytest.raises(InvalidInput):
            history_page(house, "own/net", after=token)


def test_neighbours_are_versions_that_live(house):
    head = head_of(house, "own/net", 4)
    assert (head.before, head.after) == (3, 6)
    assert [ref.name for ref in head.refs] == ["side"]
    assert len(head.all_refs) == 3


# -- files and tensors -----------------------------------------------------------------------------


@pytest.fixture
def held(yard, tmp_path):
    source = tmp_path / "held"
    (source / "sub").mkdir(parents=True)
    write_safetensors(
        source / "w.safetensors", {"a.weight": np.arange(12, dtype=np.float32).reshape(3, 4)}
    )
    (source / "sub" / "p.png").write_bytes(PNG)
    (source / "text.txt").write_bytes("ein\r\nzwei €\n".encode())
    (source / "long.txt").write_text("€" * 100_000)
    (source / "blob.bin").write_bytes(b"\0\1\2")
    (source / "empty").write_bytes(b"")
    yard.commit("own/held", source)
    return yard.house


def test_files_are_listed_by_path(held):
    found = list_files(held, "own/held", None, limit=2)
    assert [file.path for file in found.items] == ["blob.bin", "empty"]
    assert (found.total, found.found, found.next) == (6, 6, 2)
    assert [f.path for f in list_files(held, "own/held", None, words="SUB png").items] == [
        "sub/p.png"
    ]


def test_a_text_is_shown_by_lines(held):
    assert look_at_file(held, "own/held", None, "text.txt").lines == ("ein", "zwei €")
    assert look_at_file(held, "own/held", None, "blob.bin").lines is None
    assert look_at_file(held, "own/held", None, "sub/p.png").picture == "image/png"
    assert look_at_file(held, "own/held", None, "w.safetensors").tensors == 1


def test_a_long_text_is_cut_between_two_characters(held):
    look = look_at_file(held, "own/held", None, "long.txt")
    assert look.is_cut
    assert look.lines is not None
    assert set(look.lines[0]) == {"€"}


def test_only_pictures_are_given_as_such(held):
    assert picture_of(held, "own/held", None, "sub/p.png") == ("image/png", PNG)
    with pytest.raises(InvalidInput):
        picture_of(held, "own/held", None, "text.txt")
    with pytest.raises(NotFound):
        picture_of(held, "own/held", None, "nowhere")


def test_a_tensor_is_looked_at_where_it_lies(held):
    look = look_at_tensor(held, "own/held", None, "w.safetensors", "a.weight")
    assert look.spread is not None
    assert (look.spread.low, look.spread.high, look.spread.seen) == (0.0, 11.0, 12)
    assert look_at_tensor(held, "own/held", 1, "w.safetensors", "a.weight") == look
    for file, name in (("w.safetensors", "b"), ("other", "a.weight")):
        with pytest.raises(NotFound):
            look_at_tensor(held, "own/held", None, file, name)
