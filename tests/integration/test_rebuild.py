"""The catalog of a database server, lost and made again from the store alone."""

import threading

import numpy as np
import pytest

from modelyard.catalog.engine import Catalog
from modelyard.catalog.migrate import make_unstamped
from modelyard.errors import Conflict, Corrupt
from modelyard.registry import create, open_yard, rebuild

pytestmark = pytest.mark.slow


@pytest.fixture(params=["postgres_url", "mariadb_url"])
def catalog_url(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def folder(tmp_path, catalog_url):
    """A yard with a little of everything."""
    yard = create(tmp_path / "yard", author="ann", store="store2", catalog=catalog_url)
    for seed in range(3):
        source = tmp_path / "m.bin"
        source.write_bytes(np.random.default_rng(seed).bytes(300_000))
        yard.commit("m", source, labels={"seed": str(seed)}, metrics={"accuracy": seed / 4})
    yard.commit("gone", source)
    yard.alias("m", "prod", 1)
    yard.alias("m", "prod", 3)
    yard.tag("m", "v1", 2)
    yard.rename("m", "team/m")
    yard.delete_version("team/m", 1)
    yard.delete_model("gone")
    yard.close()
    return tmp_path / "yard"


def told(yard):
    """Everything that was acknowledged."""
    log = [(v.number, v.commit, v.parents, dict(v.labels), dict(v.metrics))
           for v in yard.log("team/m")]  # fmt: skip
    refs = [(ref.name, ref.kind, ref.number) for ref in yard.refs("team/m")]
    moves = [(move.old, move.new) for move in yard.reflog("team/m", "prod")]
    content = yard.open("team/m", 3, "m.bin").read()
    return log, sorted(refs), moves, content, [m.name for m in yard.models()]


def lose(url):
    catalog = Catalog.open(url)
    catalog.migrate(make_unstamped)
    catalog.close()


def test_a_catalog_that_is_lost_is_told_and_made_again_with_all_that_was_acknowledged(
    folder, catalog_url, tmp_path
):
    yard = open_yard(folder)
    before = told(yard)
    yard.close()
    lose(catalog_url)
    yard = open_yard(folder)
    with pytest.raises(Corrupt) as caught:
        list(yard.models())
    assert caught.value.kind == "catalog-lost"
    assert "yard verify --rebuild" in caught.value.hint
    report = yard.verify(rebuild=True)
    assert report.ok, report.damage
    assert told(yard) == before
    (tmp_path / "m.bin").write_bytes(b"more" * 1000)
    assert yard.commit("team/m", tmp_path / "m.bin").number == 4
    assert yard.commit("new", tmp_path / "m.bin").number == 1
    assert yard.verify().ok
    yard.close()


def test_a_rebuild_that_is_interrupted_can_be_repeated(folder, catalog_url, monkeypatch):
    yard = open_yard(folder)
    before = told(yard)

    def die(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(rebuild, "stamp", die)
        with pytest.raises(KeyboardInterrupt):
            yard.verify(rebuild=True)
    yard.close()
    yard = open_yard(folder)
    with pytest.raises(Corrupt) as caught:
        list(yard.models())
    assert caught.value.kind == "catalog-lost"
    assert yard.verify(rebuild=True).ok
    assert told(yard) == before
    yard.close()


def test_a_rebuild_waits_until_every_other_machine_is_gone(folder, catalog_url, tmp_path):
    """The other one is a folder of its own: only the database knows of both."""
    other = tmp_path / "other"
    other.mkdir()
    text = (folder / "yard.toml").read_text().replace('"store2"', f'"{folder / "store2"}"')
    (other / "yard.toml").write_text(text)
    yard, far = open_yard(folder), open_yard(other)
    with pytest.raises(Conflict) as caught:
        yard.verify(rebuild=True)
    assert caught.value.kind == "yard-in-use"
    leaving = threading.Timer(0.3, far.close)
    leaving.start()  # its session may end some time after the command that it was
    with yard.house.presence.alone(), pytest.raises(Conflict) as caught:
        open_yard(other)
    assert caught.value.kind == "yard-in-use"
    leaving.join()
    assert yard.verify(rebuild=True).ok
    yard.close()
