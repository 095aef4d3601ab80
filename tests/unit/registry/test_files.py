"""What a checkout writes is whole, however little the system takes at once."""

import os

from modelyard.registry import create


def test_short_writes_do_not_cut_a_small_file(tmp_path, monkeypatch):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "notes.txt").write_text("a text that git keeps itself\n" * 20)
    yard = create(tmp_path / "yard", author="ann")
    yard.commit("m", tmp_path / "model")
    write, writev = os.write, os.writev
    monkeypatch.setattr("os.write", lambda fd, data: write(fd, data[:5]))
    monkeypatch.setattr("os.writev", lambda fd, parts: writev(fd, [parts[0][:5]]))
    yard.checkout("m", None, tmp_path / "out")
    monkeypatch.undo()
    expected = (tmp_path / "model" / "notes.txt").read_bytes()
    assert (tmp_path / "out" / "notes.txt").read_bytes() == expected
    yard.close()
