"""Stores that somebody else can write to, and yards of strangers."""

from __future__ import annotations

import shutil

import pytest

from modelyard import registry
from modelyard.errors import Conflict


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "model"
    place.mkdir()
    (place / "w.bin").write_bytes(bytes(range(256)) * 400)
    (place / "README.md").write_text("ours")
    return place


def _plant(source, target):
    """Put the packs of one yard into another's store."""
    for pack in (source / "store" / "packs").rglob("*.pack"):
        place = target / "store" / pack.relative_to(source / "store")
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(pack, place)


def test_a_plain_pack_in_an_encrypted_yards_store_is_never_taken_for_genuine(tmp_path, folder):
    ours = registry.create(tmp_path / "ours", author="ann", key=str(tmp_path / "key"))
    ours.commit("good", folder, message="genuine")
    theirs = registry.create(tmp_path / "theirs", author="eve")
    theirs.commit("good", folder, message="forged")
    theirs.close()
    _plant(tmp_path / "theirs", tmp_path / "ours")
    assert not ours.verify().damage
    with pytest.raises(Conflict) as caught:
        ours.verify(rebuild=True)
    assert caught.value.kind == "not-sealed"
    assert [entry.message for entry in ours.log("good")] == ["genuine"]
    ours.close()


def test_a_key_that_comes_after_the_packs_seals_nothing_by_half(tmp_path, folder):
    root = tmp_path / "ours"
    registry.create(root, author="ann").commit("good", folder)
    config = (root / "yard.toml").read_text()
    key = tmp_path / "key"
    key.write_text("11" * 32)
    (root / "yard.toml").write_text(config.replace("# key = ", f'key = "{key}" #'))
    yard = registry.open_yard(root, author="ann")
    assert yard.log("good")
    with pytest.raises(Conflict) as caught:
        yard.commit("other", folder)
    assert caught.value.kind == "not-sealed"
    yard.close()
