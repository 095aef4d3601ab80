"""A store belongs to one catalog, whoever else names it."""

import numpy as np
import pytest
import sqlalchemy as sa

from modelyard.catalog.queries import facts
from modelyard.errors import Conflict
from modelyard.registry import create, open_yard, rebuild


def commit(yard, tmp_path, seed=0):
    source = tmp_path / "m.bin"
    source.write_bytes(np.random.default_rng(seed).bytes(100_000))
    return yard.commit("m", source)


def test_a_second_catalog_is_refused_also_by_a_store_that_is_still_empty(tmp_path):
    store = f"sqlite:///{tmp_path / 'far.db'}"
    first = create(tmp_path / "first", author="ann", store=store)
    with pytest.raises(Conflict) as caught:
        create(tmp_path / "second", author="bob", store=store)
    assert caught.value.kind == "other-store"
    assert commit(first, tmp_path).number == 1
    first.close()


def test_gc_deletes_nothing_from_a_store_that_another_catalog_took_over(tmp_path):
    store = f"sqlite:///{tmp_path / 'far.db'}"
    first = create(tmp_path / "first", author="ann", store=store)
    commit(first, tmp_path)
    (tmp_path / "second").mkdir()
    (tmp_path / "second" / "yard.toml").write_text(f'[store]\nurl = "{store}"\n')
    second = open_yard(tmp_path / "second")
    assert second.verify(rebuild=True).ok
    assert commit(second, tmp_path, 1).number == 2
    with pytest.raises(Conflict) as caught:
        first.gc()
    assert caught.value.kind == "other-store"
    second.gc()
    assert second.verify().ok
    first.close()
    second.close()


def test_a_rebuild_that_died_at_its_end_leaves_a_pair_or_can_be_repeated(tmp_path, monkeypatch):
    store = f"sqlite:///{tmp_path / 'far.db'}"
    yard = create(tmp_path / "yard", author="ann", store=store)
    commit(yard, tmp_path)

    def die(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(rebuild, "_swap", die)
        with pytest.raises(KeyboardInterrupt):
            yard.verify(rebuild=True)
    yard.close()
    yard = open_yard(tmp_path / "yard")
    with pytest.raises(Conflict) as caught:
        commit(yard, tmp_path, 1)
    assert "yard verify --rebuild" in caught.value.hint
    assert yard.verify(rebuild=True).ok
    with yard.house.catalog.read() as connection:
        name = facts.get(connection, "yard")
    assert list(yard.house.backend.keys("yard/")) == [f"yard/{name}"]
    assert commit(yard, tmp_path, 1).number == 2
    yard.close()


def test_a_rebuild_is_alone_before_it_looks_at_the_store(tmp_path, postgres_url, monkeypatch):
    """Else what another machine commits meanwhile would not be in the new catalog."""
    yard = create(tmp_path / "yard", author="ann", store=str(tmp_path / "s"), catalog=postgres_url)
    commit(yard, tmp_path)
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "yard.toml").write_bytes((tmp_path / "yard" / "yard.toml").read_bytes())
    other = open_yard(tmp_path / "far")

    def late(*arguments):
        found = read_packs(*arguments)
        commit(other, tmp_path, 1)
        other.close()
        return found

    read_packs = rebuild.read_packs
    monkeypatch.setattr(rebuild, "read_packs", late)
    with pytest.raises(Conflict) as caught:
        yard.verify(rebuild=True)
    assert caught.value.kind == "yard-in-use"
    other.close()
    yard.close()


def test_whoever_lost_its_place_in_a_restart_takes_it_again_before_it_writes(
    tmp_path, postgres_url
):
    yard = create(tmp_path / "yard", author="ann", store=str(tmp_path / "s"), catalog=postgres_url)
    commit(yard, tmp_path)
    with yard.house.catalog.engine.begin() as connection:
        connection.execute(
            sa.text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
    other = open_yard(tmp_path / "yard")
    yard.house._seen.checked = float("-inf")
    with other.house.presence.alone(), pytest.raises(Conflict) as caught:
        commit(yard, tmp_path, 1)
    assert caught.value.kind == "yard-in-use"
    assert commit(yard, tmp_path, 1).number == 2
    with pytest.raises(Conflict), other.house.presence.alone():
        pass
    yard.close()
    other.close()
