"""A yard that is nothing but dicts: what a real one has to agree with, step by step."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Content", "Disagree", "Mirror", "MirrorModel", "MirrorVersion"]


class Disagree(Exception):
    """The mirror refuses the step; a real yard has to raise an error of this kind."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


@dataclass(frozen=True)
class Content:
    """What a version is made of."""

    files: Mapping[str, bytes]
    metrics: Mapping[str, float] = field(default_factory=dict)

    def says_nothing_new(self, old: Content) -> bool:
        """Equal files, and no metrics but those that are known."""
        return self.files == old.files and self.metrics in ({}, old.metrics)


@dataclass(frozen=True)
class MirrorVersion:
    number: int
    content: Content
    parents: tuple[int, ...]
    branch: str
    deleted: bool = False
    purged: bool = False


@dataclass
class MirrorModel:
    """Versions by number, refs by name, and where each alias has been."""

    versions: dict[int, MirrorVersion] = field(default_factory=dict)
    refs: dict[str, tuple[str, int]] = field(default_factory=dict)
    past: dict[str, list[int]] = field(default_factory=dict)
    sent_back: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Branches that a deletion moved, with the version that was deleted and where they went."""

    def live(self) -> list[int]:
        return [number for number, version in self.versions.items() if not version.deleted]

    def tip(self, branch: str) -> MirrorVersion | None:
        ref = self.refs.get(branch)
        return self.versions[ref[1]] if ref else None

    def of(self, kind: str) -> list[str]:
        return sorted(name for name, ref in self.refs.items() if ref[0] == kind)

    # -- versions --------------------------------------------------------------------------------

    def commit(self, branch: str, content: Content) -> int | None:
        """The new version's number; None if nothing changed."""
        if self.refs.get(branch, ("branch", 0))[0] != "branch":
            raise Disagree("not-a-branch")
        parent = self.tip(branch) or self.tip("main")
        if parent and branch in self.refs and content.says_nothing_new(parent.content):
            return None
        return self._add(branch, content, (parent.number,) if parent else ())

    def _add(self, branch: str, content: Content, parents: tuple[int, ...]) -> int:
        number = max(self.versions, default=0) + 1
        self.versions[number] = MirrorVersion(number, content, parents, branch)
        self.refs[branch] = ("branch", number)
        self.sent_back.pop(branch, None)
        return number

    def revert(self, number: int, branch: str) -> int | None:
        tip, content = self.versions[self.refs[branch][1]], self.versions[number].content
        return None if tip.content == content else self._add(branch, content, (tip.number,))

    def delete(self, number: int, *, purge: bool) -> None:
        """Branches that end at the version go back to the nearest one that lives."""
        pointing = [(name, kind) for name, (kind, at) in self.refs.items() if at == number]
        if any(kind != "branch" for _, kind in pointing):
            raise Disagree("protected")
        self.versions[number] = replace(self.versions[number], deleted=True, purged=purge)
        back = self._living_ancestor(number)
        for name, _ in pointing:
            if back is None:
                del self.refs[name]
            else:
                self.refs[name] = ("branch", back)
                self.sent_back[name] = (number, back)

    def restore(self, number: int) -> None:
        """Branches end here again, if nothing was committed to them since."""
        version = self.versions[number]
        self.versions[number] = replace(version, deleted=False)
        back = self._living_ancestor(number)
        expected = None if back is None else ("branch", back)
        if self.refs.get(version.branch) == expected:
            self.refs[version.branch] = ("branch", number)
            self.sent_back.pop(version.branch, None)
        for name, sent in list(self.sent_back.items()):
            if back is not None and sent == (number, back) and self.refs.get(name) == expected:
                self.refs[name] = ("branch", number)
                del self.sent_back[name]

    def _living_ancestor(self, number: int) -> int | None:
        at = number
        while first := self.versions[at].parents[:1]:
            (at,) = first
            if not self.versions[at].deleted:
                return at
        return None

    # -- refs ------------------------------------------------------------------------------------

    def make(self, kind: str, name: str, number: int) -> None:
        if name in self.refs:
            raise Disagree("ref-exists")
        self.refs[name] = (kind, number)
        self.sent_back.pop(name, None)

    def alias(self, name: str, number: int) -> None:
        if self.refs.get(name, ("alias", 0))[0] != "alias":
            raise Disagree("ref-exists")
        past = self.past.setdefault(name, [])
        if past[-1:] != [number]:
            past.append(number)
        self.refs[name] = ("alias", number)

    def rollback(self, name: str) -> int:
        """To the nearest place before, other than the present one, that still lives."""
        past, now = self.past[name], self.refs[name][1]
        for index in reversed(range(len(past))):
            if past[index] != now and not self.versions[past[index]].deleted:
                del past[index + 1 :]
                self.refs[name] = ("alias", past[index])
                return past[index]
        raise Disagree("nothing-before")

    def drop(self, name: str) -> None:
        del self.refs[name]
        self.past.pop(name, None)

    # -- merge -----------------------------------------------------------------------------------

    def ancestors(self, number: int) -> set[int]:
        """The version itself, too."""
        seen: set[int] = set()
        ahead = [number]
        while ahead:
            at = ahead.pop()
            if at not in seen:
                seen.add(at)
                ahead += self.versions[at].parents
        return seen

    def bases(self, ours: int, theirs: int) -> list[int]:
        common = self.ancestors(ours) & self.ancestors(theirs)
        return [n for n in common if not any(n in self.ancestors(m) - {m} for m in common)]

    def merge(self, theirs: int, into: str) -> int | None:
        """The number of the merge; None if there is nothing to merge."""
        ours = self.refs[into][1]
        if theirs in self.ancestors(ours):
            return None
        bases = self.bases(ours, theirs)
        base = self.versions[bases[0]].content if bases else Content({})
        ours_content, theirs_content = self.versions[ours].content, self.versions[theirs].content
        files: dict[str, bytes] = {}
        paths = {*base.files, *ours_content.files, *theirs_content.files}
        for path in sorted(paths):
            sides = [c.files.get(path) for c in (base, ours_content, theirs_content)]
            chosen = _three_way(*sides)
            if chosen is not None:
                files[path] = chosen
        metrics = ours_content.metrics
        if metrics == base.metrics:
            metrics = theirs_content.metrics
        return self._add(into, Content(files, metrics), (ours, theirs))


def _three_way(base: bytes | None, ours: bytes | None, theirs: bytes | None) -> bytes | None:
    if ours in (theirs, base):
        return theirs
    if theirs == base:
        return ours
    raise Disagree("merge-conflict")


@dataclass
class Mirror:
    """Models by their present name, deleted ones apart, and old names that lead to new ones."""

    models: dict[str, MirrorModel] = field(default_factory=dict)
    deleted: dict[str, MirrorModel] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)

    def named(self, name: str) -> MirrorModel:
        """The model of this name, made if it is new."""
        self.redirects.pop(name, None)
        return self.models.setdefault(name, MirrorModel())

    def rename(self, old: str, new: str) -> None:
        if new in self.models:
            raise Disagree("model-exists")
        self.models[new] = self.models.pop(old)
        self.redirects.pop(new, None)
        self.redirects = {
            name: new if target == old else target for name, target in self.redirects.items()
        }
        self.redirects[old] = new

    def gc(self) -> None:
        """Without a grace time: what was deleted is gone for good."""
        for model in self.models.values():
            for number, version in model.versions.items():
                if version.deleted:
                    model.versions[number] = replace(version, purged=True)
        self.redirects = {old: new for old, new in self.redirects.items() if new in self.models}
        self.deleted.clear()

    def free(self, names: Iterable[str]) -> list[str]:
        """Names that nothing has, had or lost."""
        taken = {*self.models, *self.deleted, *self.redirects}
        return [name for name in names if name not in taken]
