"""Versions between yards: the same afterwards, few bytes, few requests, nothing overwritten."""

from __future__ import annotations

import secrets

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.core.chunks import ChunkRow
from modelyard.errors import Corrupt, InvalidInput, Unavailable
from modelyard.registry import open_yard
from modelyard.store.sealing import Vault
from modelyard.testing.strategies import few

from .conftest import told, weights


def a_history(yards, yard, name="vision/net"):
    """Two branches, deltas, text, labels, refs, a report and a tombstone."""
    yards.commit(yard, name, {"m.safetensors": weights(), "README.md": b"# Net\n\nA net.\n"},
                 message="first", labels={"task": "classify"}, metrics={"acc": 0.5})  # fmt: skip
    yards.commit(yard, name, {"m.safetensors": weights(1), "a/b.txt": b"x"}, message="tuned",
                 params={"lr": 0.1}, author="Zed <zed@example.com>")  # fmt: skip
    yards.commit(yard, name, {"m.safetensors": weights(2)}, message="tried", branch="dev")
    yards.commit(yard, name, {"m.safetensors": weights(3)}, message="a dead end", branch="dead")
    yard.delete_version(name, 4)
    yard.alias(name, "prod", 1)
    yard.tag(name, "v1", 2)
    yard.label(name, add={"team": "red"})
    yard.keep_report(name, 2, "evaluation", {"measures": [{"name": "acc", "value": 0.75}]},
                     outcomes={"right": np.array([True, False])})  # fmt: skip


def test_a_copied_model_is_the_same_in_the_other_yard(yards):
    ours, theirs = yards.folder(), yards.memory()
    a_history(yards, ours)
    done = ours.copy_to(theirs, "vision/net")
    assert done.models[0].versions == (1, 2, 3, 4)
    assert not done.conflicts
    assert told(theirs) == told(ours)
    assert theirs.verify().ok
    for number in (1, 2, 3):
        with (
            ours.open("vision/net", number, "m.safetensors") as before,
            theirs.open("vision/net", number, "m.safetensors") as after,
        ):
            assert before.read() == after.read()
    assert [v.number for v in theirs.search("tuned").items] == [2]
    assert [v.number for v in theirs.search("label:task=classify").items] == [1]


def test_the_same_again_sends_nothing_and_asks_no_store(yards):
    ours, theirs = yards.memory(), yards.memory()
    a_history(yards, ours)
    ours.mirror_to(theirs)
    before = told(theirs)
    for yard in (ours, theirs):
        yard.house.backend.clear()
    done = ours.mirror_to(theirs)
    assert (done.versions, done.chunks, done.models) == (0, 0, ())
    assert ours.house.backend.requests == theirs.house.backend.requests == 0
    assert told(theirs) == before


def test_what_would_travel_is_what_travels(yards):
    ours, theirs = yards.folder(), yards.memory()
    a_history(yards, ours)
    wish = ours.copy_to(theirs, "vision/net", dry_run=True)
    assert not list(theirs.models())
    done = ours.copy_to(theirs, "vision/net")
    assert wish.dry_run
    assert (wish.chunks, wish.bytes, wish.versions) == (done.chunks, done.bytes, done.versions)
    assert wish.models[0].refs == done.models[0].refs


def test_a_version_comes_with_its_ancestors_only(yards):
    ours, theirs = yards.folder(), yards.memory()
    a_history(yards, ours)
    done = ours.copy_to(theirs, "vision/net", "prod")
    assert done.models[0].versions == (1,)
    assert {(r.name, r.number) for r in theirs.refs("vision/net")} == {("main", 1), ("prod", 1)}
    done = ours.copy_to(theirs, "vision/net", "dev")
    assert done.models[0].versions == (2, 3)
    assert {r.name: r.number for r in theirs.refs("vision/net")} == {
        "main": 2, "prod": 1, "v1": 2, "dev": 3, "dead": 2,
    }  # fmt: skip


def test_the_catalog_of_the_target_is_made_again_from_its_store_alone(yards):
    ours, theirs = yards.folder(), yards.folder()
    a_history(yards, ours)
    ours.copy_to(theirs, "vision/net", 2)
    ours.mirror_to(theirs)
    ours.rename("vision/net", "vision/other")
    yards.commit(ours, "vision/other", {"m.safetensors": weights(9)})
    ours.mirror_to(theirs)
    yards.commit(theirs, "vision/other", {"m.safetensors": weights(10)}, branch="theirs")
    before = told(theirs)
    root = theirs.house.root
    theirs.close()
    (root / "catalog.db").unlink()
    with open_yard(root) as again:
        assert again.verify(rebuild=True).ok
        assert told(again) == before
        assert again.model_info("vision/net").name == "vision/other"


def test_a_model_that_was_renamed_is_renamed_there(yards):
    ours, theirs = yards.folder(), yards.memory()
    a_history(yards, ours, "old")
    ours.mirror_to(theirs)
    ours.rename("old", "new")
    yards.commit(ours, "x", {"x.bin": b"\0another model"})
    ours.rename("x", "old")
    wish = ours.mirror_to(theirs, dry_run=True)
    done = ours.mirror_to(theirs)
    assert [(m.model, m.renamed_from, m.versions) for m in done.models] == [
        ("new", "old", ()), ("old", None, (1,)),
    ]  # fmt: skip
    assert wish.versions == done.versions
    assert told(theirs) == told(ours)


def test_numbers_that_are_taken_become_the_next_ones(yards):
    ours, theirs = yards.folder(), yards.memory()
    a_history(yards, ours)
    yards.commit(theirs, "vision/net", {"t.bin": b"\0theirs"}, branch="theirs")
    done = ours.copy_to(theirs, "vision/net").models[0]
    assert done.renumbered == {1: 2, 2: 3, 3: 4, 4: 5}
    assert {r.name: r.number for r in theirs.refs("vision/net")} == {
        "theirs": 1, "main": 3, "prod": 2, "v1": 3, "dev": 4, "dead": 3,
    }  # fmt: skip
    assert theirs.show("vision/net", 3).version.parents == (2,)
    assert theirs.show("vision/net", 3).version.metrics == {"acc": 0.75}
    assert theirs.show("vision/net", 2).version.labels == {"task": "classify"}
    assert yards.commit(theirs, "vision/net", {"t.bin": b"\0more"}, branch="theirs").number == 6
    assert not ours.copy_to(theirs, "vision/net").versions


def test_what_differs_there_is_told_and_left(yards):
    ours, theirs = yards.folder(), yards.memory()
    a_history(yards, ours)
    ours.mirror_to(theirs)
    yards.commit(theirs, "vision/net", {"m.safetensors": weights(20)})
    yards.commit(ours, "vision/net", {"m.safetensors": weights(21)})
    theirs.alias("vision/net", "prod", 2)
    theirs.label("vision/net", 1, add={"task": "else"})
    theirs.delete_version("vision/net", 3)
    before = {r.name: r.number for r in theirs.refs("vision/net")}
    done = ours.mirror_to(theirs)
    assert {(c.what, c.name): (c.there, c.here) for c in done.models[0].conflicts} == {
        ("branch", "main"): ("5", "6"), ("alias", "prod"): ("2", "1"),
        ("label", "1:task"): ("else", "classify"), ("version", "3"): ("deleted", "there"),
    }  # fmt: skip
    assert theirs.verify().ok
    after = {r.name: r.number for r in theirs.refs("vision/net")}
    assert {name: after[name] for name in ("main", "prod")} == {
        name: before[name] for name in ("main", "prod")
    }
    assert done.models[0].renumbered == {5: 6}


def test_a_branch_moves_forward_and_never_back(yards):
    ours, theirs = yards.folder(), yards.memory()
    a_history(yards, ours)
    ours.mirror_to(theirs)
    yards.commit(ours, "vision/net", {"m.safetensors": weights(20)})
    done = ours.mirror_to(theirs)
    assert (done.models[0].refs, done.conflicts) == (("main",), 0)
    theirs.mirror_to(ours)
    yards.commit(theirs, "vision/net", {"m.safetensors": weights(21)})
    done = ours.mirror_to(theirs)  # they are ahead of us: nothing is wrong with that
    assert (done.models, done.conflicts) == ((), 0)
    assert theirs.mirror_to(ours).models[0].refs == ("main",)
    assert told(theirs) == told(ours)


def test_a_yard_is_not_copied_into_itself(yards):
    ours = yards.folder()
    with pytest.raises(InvalidInput) as refused:
        ours.mirror_to(ours.house.root)
    assert refused.value.kind == "same-yard"


def test_a_copy_that_broke_off_sends_what_is_missing(yards):
    ours, theirs = yards.folder(), yards.memory(max_object=300_000)
    blocks = {f"{i}.bin": np.random.default_rng(i).bytes(200_000) for i in range(8)}
    yards.commit(ours, "big", blocks)
    backend = theirs.house.backend
    backend.puts_left = 5
    with pytest.raises((ConnectionResetError, Unavailable)):
        ours.copy_to(theirs, "big")
    assert not list(theirs.models())
    backend.clear()
    done = ours.copy_to(theirs, "big")
    assert 0 < done.bytes < 7 * 200_000
    assert theirs.verify().ok
    assert theirs.checkout("big", 1, yards.root / "out").size == 8 * 200_000


def test_a_damaged_chunk_does_not_travel(yards):
    ours, theirs = yards.folder(), yards.memory()
    yards.commit(ours, "m", {"x.bin": np.random.default_rng(0).bytes(500_000)})
    with ours.house.catalog.read() as connection:
        from modelyard.catalog.queries import chunks

        rows = [ChunkRow._make(r) for r in chunks.by_id(connection, range(1, 50))]
    row = max(rows, key=lambda row: row.length)
    pack = ours.house.root / "store" / row.pack
    data = bytearray(pack.read_bytes())
    data[row.start + row.length // 2] ^= 1
    pack.write_bytes(data)
    with pytest.raises(Corrupt) as refused:
        ours.copy_to(theirs, "m")
    assert refused.value.kind == "bad-chunk"
    assert not list(theirs.models())


def test_a_base_that_is_a_delta_there_is_not_built_upon(yards):
    ours, theirs = yards.folder(), yards.memory()
    yards.commit(ours, "m", {"m.safetensors": weights(1)})
    yards.commit(ours, "m", {"m.safetensors": weights(2)})  # a delta to 1
    yards.commit(theirs, "m2", {"m.safetensors": weights()})
    yards.commit(theirs, "m2", {"m.safetensors": weights(1)})  # 1 is a delta there
    ours.mirror_to(theirs)
    assert theirs.verify().ok
    assert told(theirs)["m"] == told(ours)["m"]


@pytest.mark.parametrize("from_sealed", [False, True])
@pytest.mark.parametrize("to_sealed", [False, True])
def test_encrypted_yards_take_part(yards, from_sealed, to_sealed):
    ours = yards.memory(Vault(secrets.token_bytes(32)) if from_sealed else None)
    theirs = yards.memory(Vault(secrets.token_bytes(32)) if to_sealed else None)
    a_history(yards, ours)
    ours.mirror_to(theirs)
    assert theirs.verify().ok
    assert told(theirs) == told(ours)
    packs = [theirs.house.backend.get(key) for key in theirs.house.backend.keys("packs/")]
    assert to_sealed != any(b"vision/net" in pack for pack in packs)


def test_a_version_of_which_a_tenth_changed_sends_little_in_few_requests(yards):
    ours, theirs = yards.memory(), yards.memory()
    layer = {"width": 1000, "layer_count": 10}
    size = len(weights(**layer))
    yards.commit(ours, "m", {"m.safetensors": weights(**layer)})
    ours.mirror_to(theirs)
    yards.commit(ours, "m", {"m.safetensors": weights(1, part=0.1, **layer)})
    backends = [yard.house.backend for yard in (ours, theirs)]
    for backend in backends:
        backend.clear()
    done = ours.copy_to(theirs, "m")
    print(f"size {size:,}: sent {backends[1].put_bytes:,} bytes,"
          f" {[b.requests for b in backends]} requests")  # fmt: skip
    assert done.versions == 1
    assert backends[1].put_bytes <= 0.12 * size
    assert sum(backend.requests for backend in backends) <= 16  # two more on a busy machine


_STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["commit", "commit", "commit", "alias", "label", "delete", "copy", "rename", "report"]
        ),
        st.sampled_from(["a", "b"]), st.integers(0, 5), st.sampled_from(["main", "dev"]),
    ),
    min_size=3, max_size=12,
)  # fmt: skip


@pytest.mark.slow
@few(12)
@given(steps=_STEPS)
def test_random_histories_are_mirrored_as_they_are(tmp_path_factory, steps):
    from .conftest import Yards

    yards = Yards(tmp_path_factory.mktemp("random"))
    ours, theirs = yards.folder(), yards.folder()
    for turn, (what, model, seed, branch) in enumerate(steps):
        _take(yards, ours, theirs, what, model, seed, branch, turn)
    ours.mirror_to(theirs)
    assert told(theirs) == told(ours)
    assert theirs.verify().ok
    assert not ours.mirror_to(theirs).models
    root = theirs.house.root
    for yard in yards.opened:
        yard.close()
    (root / "catalog.db").unlink()
    with open_yard(root) as again, open_yard(ours.house.root) as source:
        assert again.verify(rebuild=True).ok
        assert told(again) == told(source)


def _take(yards, ours, theirs, what, model, seed, branch, turn):
    """One step that only ever adds, so that the mirror has to be equal."""
    from modelyard.errors import Conflict, NotFound

    try:
        if what == "commit":
            content = {"m.safetensors": weights(seed, width=48), "n.txt": b"%d" % turn}
            yards.commit(ours, model, content, branch=branch, message=f"turn {turn}",
                         labels={"seed": str(seed)})  # fmt: skip
        elif what == "alias":
            ours.alias(model, f"at{turn}", branch)
        elif what == "label":
            ours.label(model, branch, add={f"l{turn}": str(seed)})
        elif what == "delete":
            yards.commit(ours, model, {"gone.bin": b"\0%d" % turn}, branch=f"gone{turn}")
            ours.delete_version(model, f"gone{turn}")
        elif what == "copy":
            ours.copy_to(theirs, model, branch)
        elif what == "rename":
            ours.rename(model, f"{model}{turn}")
        elif what == "report":
            ours.keep_report(model, branch, "profile", {"seed": seed})
    except (NotFound, Conflict):
        pass
