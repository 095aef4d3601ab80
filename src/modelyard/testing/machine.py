"""`YardMachine`: hypothesis looks for steps after which a yard and a mirror of dicts differ.

Subclass it, give `new_yard` and `reopened`, and run its `TestCase`.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from modelyard.errors import ModelyardError
from modelyard.testing.mirror import Content, Disagree, Mirror, MirrorModel
from modelyard.testing.models import Tensors, layers, read_tree, safetensors_bytes, write_tree
from modelyard.testing.strategies import EDITS, edit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


__all__ = ["YardMachine"]

NAMES = ("m", "team/n", "o", "p")
BRANCHES = ("main", "dev")
REFS = ("v1", "v2", "champion", "dev")
PATHS = ("README.md", "config.json", "sub/data.bin", "sub/deep/x.txt")

anything = st.integers(0, 10_000)
"""Chooses among what there is at that moment."""


def chosen(options: Sequence[Any], pick: int) -> Any:
    return options[pick % len(options)]


class YardMachine(RuleBasedStateMachine):
    """The steps, and what has to hold after each."""

    keeps_deleted = True
    """Whether gc leaves what was deleted a moment ago; the yard has to be set up so."""

    def __init__(self) -> None:
        super().__init__()
        self.place = Path(tempfile.mkdtemp(prefix="yard-machine-"))
        self.mirror = Mirror()
        self.tensors: Tensors = layers(0, width=40)
        self.serial = 0
        self.yard: Any = self.new_yard()

    # -- for subclasses --------------------------------------------------------------------------

    def new_yard(self) -> Any:
        """An empty yard, below `self.place` if it is a folder."""
        raise NotImplementedError

    def reopened(self, *, killed: bool) -> Any:
        """The same yard opened by somebody else, after the former had died or closed it."""
        raise NotImplementedError

    def without_catalog(self) -> Any:
        """The same yard after its catalog was lost."""
        raise NotImplementedError

    def teardown(self) -> None:
        try:
            report = self.yard.verify()
            assert report.ok, report.damage
            self.compare_all()
        finally:
            self.yard.close()
            shutil.rmtree(self.place, ignore_errors=True)

    @initialize(model=st.sampled_from(NAMES[:2]))
    def begin(self, model: str) -> None:
        """Most steps need something to work on."""
        for serial, branch in enumerate(("main", "main", "dev"), start=1):
            self.commit(model=model, branch=branch, kind="move one", seed=serial, metric=None)
            self.alias(pick=serial, name="champion")

    # -- commits ---------------------------------------------------------------------------------

    @rule(
        model=st.sampled_from(NAMES[:2]), branch=st.sampled_from(BRANCHES),
        kind=st.sampled_from(EDITS), seed=anything, metric=st.sampled_from([None, 0.5, 0.75]),
    )  # fmt: skip
    def commit(self, model: str, branch: str, kind: str, seed: int, metric: float | None) -> None:
        if model in self.mirror.deleted or model in self.mirror.redirects:
            return
        mirror = self.mirror.named(model)
        tip = mirror.tip(branch) or mirror.tip("main")
        files = dict(tip.content.files) if tip else {}
        rng = np.random.default_rng(seed)
        if seed % 3:
            self.tensors = edit(self.tensors, kind, seed)
            files["model.safetensors"] = safetensors_bytes(self.tensors)
        if seed % 2:
            files[chosen(PATHS, seed)] = self._bytes(rng)
        if seed % 5 == 0 and len(files) > 1:
            del files[chosen(sorted(files), seed)]
        if not files:
            files["first.txt"] = b"first"
        content = Content(files, {} if metric is None else {"accuracy": metric})
        self._agree(
            lambda: mirror.commit(branch, content),
            lambda: _number(self._commit(model, content, branch=branch)),
        )

    @rule(pick=anything, branch=st.sampled_from(BRANCHES))
    def commit_again(self, pick: int, branch: str) -> None:
        """The content of some version, so that what was stored once is used again."""
        found = self._some_version(pick)
        if found:
            model, mirror, number = found
            content = mirror.versions[number].content
            self._agree(
                lambda: mirror.commit(branch, content),
                lambda: _number(self._commit(model, content, branch=branch)),
            )

    def _bytes(self, rng: np.random.Generator) -> bytes:
        size = int(rng.choice([0, 30, 5_000, 150_000]))
        return rng.bytes(size) if rng.integers(2) else b"text %d\n" % rng.integers(5) * (size // 7)

    def _commit(self, model: str, content: Content, **rest: object) -> Any:
        self.serial += 1
        source = write_tree(self.place / "desk" / str(self.serial), content.files)
        try:
            return self.yard.commit(model, source, metrics=dict(content.metrics), **rest)
        finally:
            shutil.rmtree(source)

    # -- refs and history ------------------------------------------------------------------------

    @rule(pick=anything, kind=st.sampled_from(["branch", "tag"]), name=st.sampled_from(REFS))
    def make_ref(self, pick: int, kind: str, name: str) -> None:
        found = self._some_version(pick)
        if found:
            model, mirror, number = found
            make = getattr(self.yard, kind)
            self._agree(
                lambda: mirror.make(kind, name, number), lambda: make(model, name, number) and None
            )

    @rule(pick=anything, name=st.sampled_from(REFS))
    def alias(self, pick: int, name: str) -> None:
        found = self._some_version(pick)
        if found:
            model, mirror, number = found
            self._agree(
                lambda: mirror.alias(name, number),
                lambda: self.yard.alias(model, name, number) and None,
            )

    @rule(pick=anything)
    def rollback(self, pick: int) -> None:
        found = self._some_ref(pick, "alias")
        if found:
            model, mirror, name = found
            self._agree(
                lambda: mirror.rollback(name), lambda: self.yard.rollback(model, name).number
            )

    @rule(pick=anything, kind=st.sampled_from(["tag", "alias"]))
    def delete_ref(self, pick: int, kind: str) -> None:
        found = self._some_ref(pick, kind)
        if found:
            model, mirror, name = found
            mirror.drop(name)
            self.yard.delete_ref(model, name)

    @rule(pick=anything, branch=st.sampled_from(BRANCHES))
    def revert(self, pick: int, branch: str) -> None:
        found = self._some_version(pick)
        if found and branch in found[1].of("branch"):
            model, mirror, number = found
            self._agree(
                lambda: mirror.revert(number, branch),
                lambda: _number(self.yard.revert(model, number, branch=branch)),
            )

    @rule(pick=anything)
    def merge(self, pick: int) -> None:
        found = self._some_version(pick)
        if not found:
            return
        model, mirror, number = found
        branches = mirror.of("branch")
        if not branches:
            return
        into = chosen(branches, pick // 7)
        ours = mirror.refs[into][1]
        if len(mirror.bases(ours, number)) > 1:
            return  # several bases are as good: the mirror does not know which is taken
        self._agree(
            lambda: mirror.merge(number, into),
            lambda: _number(self.yard.merge(model, number, into=into)),
        )

    # -- deletion --------------------------------------------------------------------------------

    @rule(pick=anything, purge=st.booleans())
    def delete_version(self, pick: int, purge: bool) -> None:
        found = self._some_version(pick)
        if found:
            model, mirror, number = found
            self._agree(
                lambda: mirror.delete(number, purge=purge),
                lambda: self.yard.delete_version(model, number, purge=purge) and None,
            )

    @rule(pick=anything)
    def restore_version(self, pick: int) -> None:
        gone = [
            (name, number)
            for name, mirror in sorted(self.mirror.models.items())
            for number, version in mirror.versions.items()
            if version.deleted and not version.purged
        ]
        if gone:
            name, number = chosen(gone, pick)
            self.mirror.models[name].restore(number)
            self.yard.restore(name, number)

    @rule(pick=anything)
    def delete_model(self, pick: int) -> None:
        if len(self.mirror.models) > 1:
            name = chosen(sorted(self.mirror.models), pick)
            self.mirror.deleted[name] = self.mirror.models.pop(name)
            self.yard.delete_model(name)

    @precondition(lambda self: self.mirror.deleted)
    @rule(pick=anything)
    def restore_model(self, pick: int) -> None:
        name = chosen(sorted(self.mirror.deleted), pick)
        self.mirror.models[name] = self.mirror.deleted.pop(name)
        self.yard.restore(name)

    @precondition(lambda self: self.mirror.models)
    @rule(pick=anything)
    def rename(self, pick: int) -> None:
        old = chosen(sorted(self.mirror.models), pick)
        free = self.mirror.free(NAMES)
        if free:
            new = chosen(free, pick // 5)
            self.mirror.rename(old, new)
            self.yard.rename(old, new)

    # -- the house -------------------------------------------------------------------------------

    @rule()
    def gc(self) -> None:
        self.yard.gc()
        if not self.keeps_deleted:
            self.mirror.gc()

    @rule()
    def verify(self) -> None:
        report = self.yard.verify()
        assert report.ok, report.damage

    @rule(killed=st.booleans())
    def reopen(self, killed: bool) -> None:
        self.yard = self.reopened(killed=killed)

    @rule()
    def rebuild(self) -> None:
        self.yard = self.without_catalog()
        report = self.yard.verify(rebuild=True)
        assert report.ok, report.damage
        assert report.rebuilt
        self.compare_all()

    @rule(pick=anything)
    def read_one(self, pick: int) -> None:
        found = self._some_version(pick)
        if found:
            model, mirror, number = found
            self._read(model, mirror, number)

    # -- what has to hold ------------------------------------------------------------------------

    @invariant()
    def names_numbers_and_refs_agree(self) -> None:
        assert [info.name for info in self.yard.models()] == sorted(self.mirror.models)
        for name, mirror in self.mirror.models.items():
            refs = {ref.name: (ref.kind, ref.number) for ref in self.yard.refs(name)}
            assert refs == mirror.refs, name
            log = {version.number: version.parents for version in self.yard.log(name)}
            assert log == {n: mirror.versions[n].parents for n in mirror.live()}, name

    def compare_all(self) -> None:
        self.names_numbers_and_refs_agree()
        for name, mirror in self.mirror.models.items():
            for number in mirror.live():
                self._read(name, mirror, number)
        for old, new in self.mirror.redirects.items():
            if new in self.mirror.models:
                assert self.yard.model_info(old).name == new

    def _read(self, name: str, mirror: MirrorModel, number: int) -> None:
        content = mirror.versions[number].content
        dest = self.place / "out"
        self.yard.checkout(name, number, dest)
        try:
            assert read_tree(dest) == content.files, (name, number)
        finally:
            shutil.rmtree(dest)
        assert self.yard.resolve(name, number).metrics == content.metrics

    def _some_version(self, pick: int) -> tuple[str, MirrorModel, int] | None:
        live = [
            (name, mirror, number)
            for name, mirror in sorted(self.mirror.models.items())
            for number in mirror.live()
        ]
        return chosen(live, pick) if live else None

    def _some_ref(self, pick: int, kind: str) -> tuple[str, MirrorModel, str] | None:
        refs = [
            (name, mirror, ref)
            for name, mirror in sorted(self.mirror.models.items())
            for ref in mirror.of(kind)
        ]
        return chosen(refs, pick) if refs else None

    def _agree(self, expect: Callable[[], object], act: Callable[[], object]) -> None:
        """Both give the same, or refuse for the same reason."""
        try:
            expected: object = expect()
        except Disagree as refusal:
            expected = refusal.kind
        try:
            actual = act()
        except ModelyardError as error:
            actual = error.kind
        assert actual == expected


def _number(done: Any) -> int | None:
    return done.number if done.created else None
