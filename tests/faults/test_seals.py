"""Sealed packs: verify names damage in any byte of a header, and nothing that is none."""

from __future__ import annotations

from tests.faults.engine.yards import begin, noise

from modelyard.registry import open_yard
from modelyard.store.pack import header_size
from modelyard.testing.models import write_tree


def test_damage_in_any_byte_of_a_sealed_header_is_named(tmp_path):
    begin(tmp_path / "yard", sealed=True)
    with open_yard(tmp_path / "yard") as yard:
        yard.commit("m", write_tree(tmp_path / "source", noise(1, 3000)))
        (pack,) = (tmp_path / "yard/store").rglob("*.pack")
        whole = pack.read_bytes()
        unseen = []
        for at in range(header_size(b"")):
            pack.write_bytes(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
            if yard.verify().ok:
                unseen.append(at)
        assert unseen == []
        pack.write_bytes(whole)
        assert yard.verify().ok


def test_a_sealed_pack_that_was_begun_and_holds_nothing_is_no_damage(tmp_path):
    begin(tmp_path / "yard", sealed=True)
    with open_yard(tmp_path / "yard") as yard:
        session = yard.house.session()
        session.prepare()
        session.close()
        assert list(yard.house.backend.keys("packs/"))
        report = yard.verify()
        assert report.ok, report.damage
