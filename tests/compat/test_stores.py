"""Stores written by every release are read for ever."""

import importlib.util
import json
import shutil
from pathlib import Path

import pytest

from modelyard.errors import Corrupt
from modelyard.registry import open_yard

HERE = Path(__file__).parent
STORES = sorted(path.name for path in HERE.glob("store-*"))


def _describe(yard):
    spec = importlib.util.spec_from_file_location("make_store", HERE / "make_store.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.describe(yard)


def test_there_is_a_store_of_every_format():
    assert STORES == ["store-1"]


@pytest.mark.parametrize("name", STORES)
def test_an_old_store_gives_everything_back(name, tmp_path):
    shutil.copytree(HERE / name, tmp_path / "yard")
    yard = open_yard(tmp_path / "yard")
    with pytest.raises(Corrupt, match="catalog is gone"):
        list(yard.models())
    report = yard.verify(rebuild=True)
    assert report.ok
    assert report.rebuilt
    assert _describe(yard) == json.loads((HERE / name / "expected.json").read_text("utf-8"))
    yard.close()
