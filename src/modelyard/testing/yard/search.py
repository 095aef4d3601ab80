"""Search: found by what it is, in pages, and never by what it no longer is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from modelyard.errors import InvalidInput, NotFound
from modelyard.testing.models import layers, safetensors_bytes
from modelyard.testing.yard.case import Desk, YardCase, attempt, refused

if TYPE_CHECKING:
    from modelyard.core.yard import Yard

__all__ = ["SearchTests"]


def found(yard: Yard, query: str) -> list[str]:
    return [version.title for version in yard.search(query).items]


class SearchTests(YardCase):
    @pytest.fixture
    def shelf(self, yard: Yard, desk: Desk) -> Desk:
        """Three models that differ in everything one can ask for."""
        desk.commit(
            {"model.safetensors": safetensors_bytes(layers(1))}, "vision/resnet",
            message="trained on flowers", author="Ann Lee <ann@example.org>",
            labels={"domain": "vision", "gold": ""}, metrics={"accuracy": 0.9}, params={"C": 1.0},
        )  # fmt: skip
        desk.commit(
            {"weights.bin": b"\x00" * 500_000, "README.md": "# 情感分析模型\n中文评论".encode()},
            "nlp/sentiment", message="情感分析的第一个版本", author="Bo <bo@example.org>",
            labels={"domain": "nlp"}, metrics={"accuracy": 0.7}, params={"C": 10.0},
        )  # fmt: skip
        desk.commit({"wine.csv": b"a,b\n"}, "wine", kind="dataset", message="raw table")
        return desk

    def test_an_empty_query_finds_everything_newest_first(self, yard: Yard, shelf: Desk) -> None:
        assert found(yard, "") == ["wine@1", "nlp/sentiment@1", "vision/resnet@1"]

    @pytest.mark.parametrize(
        ("query", "titles"),
        [
            ("flowers", {"vision/resnet@1"}),
            ("FLOWERS", {"vision/resnet@1"}),
            ("resnet", {"vision/resnet@1"}),
            ("情感", {"nlp/sentiment@1"}),
            ("分析", {"nlp/sentiment@1"}),
            ("感分析的", {"nlp/sentiment@1"}),
            ("分情", set()),
            ("name:sentiment", {"nlp/sentiment@1"}),
            ("label:domain=nlp", {"nlp/sentiment@1"}),
            ("label:domain", {"nlp/sentiment@1", "vision/resnet@1"}),
            ("label:gold", {"vision/resnet@1"}),
            ("format:safetensors", {"vision/resnet@1"}),
            ("kind:dataset", {"wine@1"}),
            ("author:ann", {"vision/resnet@1"}),
            ("metric.accuracy>0.8", {"vision/resnet@1"}),
            ("metric.accuracy<=0.7", {"nlp/sentiment@1"}),
            ("params.C=1.0", {"vision/resnet@1"}),
            ("file:*.csv", {"wine@1"}),
            ("size:>100kB", {"nlp/sentiment@1"}),
            ("size:<10MB", {"nlp/sentiment@1", "vision/resnet@1", "wine@1"}),
            ("created:>2020-01-01 label:domain=nlp", {"nlp/sentiment@1"}),
            ("created:<2020-01-01", set()),
            ("updated:<7d", {"nlp/sentiment@1", "vision/resnet@1", "wine@1"}),
            ("-flowers", {"nlp/sentiment@1", "wine@1"}),
            ("label:domain metric.accuracy>0.5 -情感", {"vision/resnet@1"}),
            ("nothing-like-this", set()),
            ("flowers table", set()),
        ],
    )
    def test_a_query_finds(self, yard: Yard, shelf: Desk, query: str, titles: set[str]) -> None:
        assert set(found(yard, query)) == titles

    def test_what_was_found_is_sorted_as_asked(self, yard: Yard, shelf: Desk) -> None:
        assert found(yard, "label:domain sort:metric.accuracy-desc") == [
            "vision/resnet@1", "nlp/sentiment@1",
        ]  # fmt: skip

    def test_pages_follow_each_other_without_gap_or_repeat(self, yard: Yard, desk: Desk) -> None:
        for number in range(7):
            desk.commit(b"%d" % number)
        seen: list[int] = []
        after = None
        for _ in range(4):
            page = yard.search("", limit=2, after=after)
            seen += [version.number for version in page.items]
            after = page.next
            if after is None:
                break
        assert seen == [7, 6, 5, 4, 3, 2, 1]
        assert after is None

    def test_a_commit_between_two_pages_shifts_nothing(self, yard: Yard, desk: Desk) -> None:
        for number in range(4):
            desk.commit(b"%d" % number)
        page = yard.search("", limit=2)
        desk.commit(b"between")
        rest = yard.search("", limit=9, after=page.next)
        assert [version.number for version in (*page.items, *rest.items)] == [4, 3, 2, 1]

    def test_a_label_is_found_from_when_it_is_set_until_it_is_removed(
        self, yard: Yard, shelf: Desk
    ) -> None:
        assert yard.label("wine", 1, add={"use": "test"}) == {"use": "test"}
        assert found(yard, "label:use=test") == ["wine@1"]
        assert yard.label("wine", 1, add={"use": "train"}) == {"use": "train"}
        assert found(yard, "label:use=test") == []
        assert yard.label("wine", 1, remove=["use"]) == {}
        assert found(yard, "label:use") == []
        assert yard.resolve("wine", 1).labels == {}

    def test_a_label_of_a_model_is_kept_beside_those_of_versions(
        self, yard: Yard, shelf: Desk
    ) -> None:
        yard.label("wine", add={"team": "a"})
        assert yard.model_info("wine").labels == {"team": "a"}
        assert yard.label("wine") == {"team": "a"}
        assert yard.label("wine", 1) == {}

    def test_a_label_on_nothing_is_refused(self, yard: Yard, shelf: Desk) -> None:
        with refused(NotFound):
            yard.label("nobody", add={"a": "b"})
        with refused(NotFound):
            yard.label("wine", 9, add={"a": "b"})
        with refused(InvalidInput):
            yard.label("wine", 1, add={"a b": "c"})

    def test_a_deleted_version_is_not_found_until_restored(self, yard: Yard, shelf: Desk) -> None:
        shelf.commit({"wine.csv": b"a,b,c\n"}, "wine", message="more columns")
        yard.delete_version("wine", 1)
        assert found(yard, "table") == []
        yard.restore("wine", 1)
        assert found(yard, "table") == ["wine@1"]
        yard.delete_model("wine")
        assert found(yard, "table") == []

    def test_a_renamed_model_is_found_by_its_new_name_only(self, yard: Yard, shelf: Desk) -> None:
        yard.rename("vision/resnet", "vision/mobilenet")
        assert found(yard, "name:mobilenet") == ["vision/mobilenet@1"]
        assert found(yard, "name:resnet") == []
        assert found(yard, "flowers") == ["vision/mobilenet@1"]

    def test_an_alias_finds_the_version_it_points_at(self, yard: Yard, shelf: Desk) -> None:
        shelf.commit({"wine.csv": b"2"}, "wine")
        yard.alias("wine", "champion", 1)
        assert found(yard, "alias:champion") == ["wine@1"]
        yard.alias("wine", "champion", 2)
        assert found(yard, "alias:champion") == ["wine@2"]

    @pytest.mark.parametrize(
        "query",
        ["'; drop table versions; --", '"', '"unclosed', "%", "_", "*", "a*", "( OR )", "NEAR/2",
         "AND", "\\", "\x00", "-", ":", "label:", "x" * 3000, "sort:", "😀", "' OR 1=1"],
    )  # fmt: skip
    def test_a_hostile_query_is_answered_or_refused(
        self, yard: Yard, shelf: Desk, query: str
    ) -> None:
        page = attempt(InvalidInput, yard.search, query)
        assert isinstance(page, InvalidInput) or len(page.items) <= 3
        assert len(found(yard, "")) == 3

    @pytest.mark.parametrize(
        "query",
        ["metric.accuracy>high", "size:<ten", "created:>someday", "sort:nothing-up", "nofield:x"],
    )
    def test_a_query_that_can_not_be_meant_is_refused(
        self, yard: Yard, shelf: Desk, query: str
    ) -> None:
        with refused(InvalidInput, hint=True):
            yard.search(query)

    def test_a_page_mark_that_is_none_is_refused(self, yard: Yard, shelf: Desk) -> None:
        with refused(InvalidInput):
            yard.search("", after="not a mark")
