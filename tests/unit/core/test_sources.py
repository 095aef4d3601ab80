"""What a manifest says that a version came from."""

from __future__ import annotations

import pytest

from modelyard.core.manifest import Manifest
from modelyard.core.sources import Source, sources_of, version_in

DIGEST = "sha256:" + "ab" * 32


def test_a_version_of_a_model_is_told_by_its_name_and_number() -> None:
    manifest = Manifest(lineage=({"kind": "tuned-from", "source": "nlp/bert@3"},))
    assert sources_of(manifest) == (Source("tuned-from", "nlp/bert", 3, "nlp/bert@3"),)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("data/wine@3", ("data/wine", 3)),
        ("data/wine@3:held out.csv", ("data/wine", 3)),
        ("data/wine@champion", None),
        ("https://example.org/a@3", None),
        ("wine.csv", None),
        ("../x@1", None),
    ],
)
def test_only_a_name_with_a_number_is_a_version(text: str, found: tuple[str, int] | None) -> None:
    assert version_in(text) == found


def test_data_that_no_yard_keeps_are_named_by_their_digest() -> None:
    manifest = Manifest(data={"train": f"wine.csv {DIGEST}"})
    assert sources_of(manifest) == (Source("trained-on", DIGEST, 0, "wine.csv"),)


def test_data_that_stand_in_the_lineage_too_are_told_once() -> None:
    edge = {"kind": "trained-on", "source": "data/wine@1"}
    manifest = Manifest(data={"train": f"data/wine@1 {DIGEST}"}, lineage=(edge,))
    assert [source.name for source in sources_of(manifest)] == ["data/wine"]


def test_a_dataset_that_only_the_data_name_is_a_version_all_the_same() -> None:
    manifest = Manifest(data={"train": f"secret/wine@1 {DIGEST}"})
    assert sources_of(manifest) == (Source("trained-on", "secret/wine", 1, "secret/wine@1"),)


def test_what_can_not_be_read_is_left_out() -> None:
    manifest = Manifest(
        lineage=({"kind": "stolen-from", "source": "a@1"}, {"kind": "tuned-from", "source": "\n"}),
        data={"train": "a\nb", "test": 3},  # type: ignore[dict-item]
    )
    assert sources_of(manifest) == ()
