"""Models as people look through them: found, ordered, narrowed; and one of them at a glance."""

from __future__ import annotations

import pytest

from modelyard.catalog.queries.overviews import Measured
from modelyard.core.access import Account, Caller, Grant
from modelyard.core.query import parse_query
from modelyard.errors import InvalidInput
from modelyard.registry import browse as browsing
from modelyard.registry.browse import browse, key_metric
from modelyard.registry.overview import overview, thinned

CARD = "---\nlicense: mit\n---\n# Net\n\nSees **well**, see [notes](n.md).\n"


@pytest.fixture
def house(yard, tmp_path):
    """Three models: `a/one` of two versions, `a/two` and `b/three`, updated in this order."""
    source = tmp_path / "m"
    source.mkdir()

    def put(model, text, **said):
        (source / "w.txt").write_text(text)
        return yard.commit(model, source, **said)

    put("a/one", "1", message="first baseline", metrics={"accuracy": 0.5, "loss": 2.0})
    put("a/one", "2", message="tuned", metrics={"accuracy": 0.9, "loss": 1.0})
    put("a/two", "3", message="first try", metrics={"accuracy": 0.7}, author="Bob <b@example.org>")
    (source / "README.md").write_text(CARD)
    put("b/three", "4" * 5000, message="wide")
    yard.label("a/one", add={"stage": "gold", "task": "classify"})
    yard.label("a/two", add={"task": "classify"})
    yard.alias("a/one", "champion", 1)
    return yard.house


def names(found) -> list[str]:
    return [item.name for item in found.items]


def ask(house, text: str, **options):
    return browse(house, parse_query(text), **options)


def facet(found, name: str) -> dict[str, int]:
    told = {each.name: each for each in found.facets}
    return {c.value: c.count for c in told[name].choices} if name in told else {}


def test_all_models_come_with_what_changed_last_first(house):
    found = ask(house, "")
    assert set(names(found)) == {"a/one", "a/two", "b/three"}
    assert (found.count, found.is_more, found.next) == (3, False, None)
    assert [each.updated for each in found.items] == sorted(
        (each.updated for each in found.items), reverse=True
    )


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("sort:name-asc", ["a/one", "a/two", "b/three"]),
        ("sort:size-desc", ["b/three"]),
        ("sort:metric.accuracy-desc", ["a/one", "a/two", "b/three"]),
        ("sort:metric.loss-asc", ["a/one"]),
        ("sort:number", ["a/one"]),
    ],
)
def test_models_are_ordered_as_asked(house, order, expected):
    assert names(ask(house, order))[: len(expected)] == expected


def test_a_model_comes_once_with_the_first_of_its_versions_that_fits(house):
    found = ask(house, "message:first")
    assert {item.name: item.version.number for item in found.items} == {"a/one": 1, "a/two": 1}
    best = ask(house, "sort:metric.accuracy-desc").items[0]
    assert (best.name, best.version.number, best.metric) == ("a/one", 2, "accuracy")


def test_pages_together_are_the_whole(house):
    for text in ("", "sort:name-asc", "first", "metric.accuracy>0"):
        whole, after, parts = names(ask(house, text)), None, []
        while True:
            page = ask(house, text, limit=1, after=after)
            parts += names(page)
            after = page.next
            if after is None:
                break
        assert parts == whole
    with pytest.raises(InvalidInput) as caught:
        ask(house, "", after="nonsense")
    assert caught.value.kind == "bad-page-token"


def test_a_line_tells_labels_aliases_and_how_a_metric_went(house):
    line = next(item for item in ask(house, "").items if item.name == "a/one")
    assert line.labels == {"stage": "gold", "task": "classify"}
    assert [(ref.name, ref.number) for ref in line.aliases] == [("champion", 1)]
    assert (line.metric, line.better, line.recent) == ("accuracy", "higher", (0.5, 0.9))
    card = next(item for item in ask(house, "").items if item.name == "b/three")
    assert card.description == "Sees well, see notes."


def test_a_version_that_was_not_measured_leaves_the_metric_of_those_before(house, yard, tmp_path):
    (tmp_path / "w.txt").write_text("unmeasured")
    yard.commit("a/one", tmp_path / "w.txt", message="not measured yet")
    line = next(item for item in ask(house, "").items if item.name == "a/one")
    assert not line.version.metrics
    assert (line.metric, line.recent) == ("accuracy", (0.5, 0.9))


def test_facets_count_models_and_lead_to_them(house):
    found = ask(house, "")
    assert facet(found, "label") == {"task=classify": 2, "stage=gold": 1, "license=mit": 1}
    assert facet(found, "namespace") == {"a/": 2, "b/": 1}
    for each in found.facets:
        for choice in each.choices:
            narrowed = ask(house, choice.query)
            assert narrowed.count >= choice.count, choice
            mine = {c.value: c for f in narrowed.facets if f.name == each.name for c in f.choices}
            assert mine[choice.value].is_on
            assert mine[choice.value].query == ""


def test_facets_keep_what_is_asked_for_though_nothing_has_it(house):
    found = ask(house, "format:onnx label:task=classify")
    assert names(found) == []
    assert facet(found, "format") == {"onnx": 0}


def test_facets_of_all_models_are_counted_again_after_a_change(house, yard):
    assert facet(ask(house, ""), "label")["task=classify"] == 2
    yard.label("b/three", add={"task": "classify"})
    assert facet(ask(house, ""), "label")["task=classify"] == 3


def test_nobody_sees_or_counts_what_they_may_not_read(house, yard):
    ask(house, "")
    grants = (Grant("a/two", "reader"),)
    mine = house.on_behalf_of(Caller(account=Account(id=1, name="ann"), grants=grants))
    for text in ("", "sort:name-asc", "first", "metric.accuracy>0", "sort:metric.accuracy-desc"):
        found = ask(mine, text)
        assert (names(found), found.count, found.is_more) == (["a/two"], 1, False)
        assert "stage=gold" not in facet(found, "label")
        assert facet(found, "namespace") == {}
    assert names(ask(house.on_behalf_of(Caller(account=None)), "")) == []


def test_a_model_with_many_versions_does_not_hide_the_others(house, yard, tmp_path, monkeypatch):
    monkeypatch.setattr(browsing, "_ROUND", 2)
    source = tmp_path / "m"
    for number in range(6):
        (source / "w.txt").write_text(f"more {number}")
        yard.commit("a/many", source, message="first of many")
    assert set(names(ask(house, "first"))) == {"a/many", "a/one", "a/two"}


def test_deleted_models_and_versions_are_not_found(house, yard):
    yard.delete_model("a/two")
    yard.alias("a/one", "champion", 2)
    yard.delete_version("a/one", 1)
    assert set(names(ask(house, ""))) == {"a/one", "b/three"}
    assert names(ask(house, "first")) == []
    assert ask(house, "sort:name-asc").items[0].recent == (0.9,)


def test_the_metric_to_show_is_asked_for_or_well_known():
    assert key_metric({"zeta": 1, "loss": 1, "accuracy": 1}) == "accuracy"
    assert key_metric({"zeta": 1, "loss": 1, "accuracy": 1}, "zeta") == "zeta"
    assert key_metric({"alpha": 1, "wer": 1}) == "wer"
    assert key_metric({"b": 1, "a": 1}) == "a"
    assert key_metric({}) is None


# -- one model -----------------------------------------------------------------------------------


def test_a_model_at_a_glance(house, yard):
    yard.branch("a/one", "side", 1)
    yard.tag("a/one", "v1", 1)
    told = overview(house, "a/one")
    assert (told.versions, told.tip.number, told.card) == (2, 2, None)
    assert [each.number for each in told.newest] == [2, 1]
    assert [(ref.name, ref.kind) for ref in told.refs] == [
        ("champion", "alias"), ("main", "branch"), ("side", "branch"), ("v1", "tag"),
    ]  # fmt: skip
    assert told.metrics == ("accuracy", "loss")
    assert told.chart.best.number == 2
    assert [point.value for point in told.chart.points] == [0.5, 0.9]
    assert overview(house, "a/one", "loss").chart.best.value == 1.0
    assert overview(house, "a/one", "no such").chart.points == ()


def test_the_card_is_that_of_the_version_people_get(house, yard):
    told = overview(house, "b/three")
    assert told.card.text == CARD
    assert not told.card.is_cut
    assert told.chart is None


def test_a_model_without_a_version_can_be_shown(house, yard):
    yard.delete_ref("b/three", "main")
    yard.delete_version("b/three", 1)
    told = overview(house, "b/three")
    assert (told.tip, told.newest, told.versions) == (None, (), 0)


def test_few_points_stand_for_many_and_keep_what_stands_out():
    many = [Measured(n, 0.5 + (n % 7) / 100, "main") for n in range(1, 10_001)]
    many[5000] = Measured(5001, 9.0, "main")
    many[7000] = Measured(7001, -9.0, "main")
    few = thinned(many, 120, kept={1234})
    assert len(few) <= 125
    assert {1, 10_000, 5001, 7001, 1234} <= {each.number for each in few}
    assert [each.number for each in few] == sorted(each.number for each in few)
    assert thinned(many[:120], 120) == many[:120]
