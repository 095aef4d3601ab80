"""A model's refs under the names that git knows them by."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from modelyard.catalog.queries import models, refs, versions
from modelyard.core.names import MAIN, RefName
from modelyard.errors import Denied, InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelyard.catalog.queries.versions import VersionRow
    from modelyard.core.version import RefKind
    from modelyard.registry.house import House

__all__ = ["FOLDERS", "Known", "known", "parse_ref"]

FOLDERS: dict[RefKind, str] = {
    "branch": "refs/heads/", "tag": "refs/tags/", "alias": "refs/aliases/"
}  # fmt: skip
"""Where git sees which refs; aliases can be fetched, but a push does not move them."""


@dataclass(frozen=True, slots=True)
class Known:
    """A model as git sees it, at one moment. One that is not there yet has nothing."""

    model_id: int | None = None
    name: str = ""
    versions: Mapping[bytes, VersionRow] = field(default_factory=dict)
    """Every version by its commit, deleted ones too: others may be made from them."""
    commits: Mapping[int, bytes] = field(default_factory=dict)
    """Commits by number."""
    refs: Mapping[str, bytes] = field(default_factory=dict)
    """Commits by git's full names of refs, in their order."""

    @property
    def head(self) -> str | None:
        """What a clone checks out."""
        main = FOLDERS["branch"] + MAIN
        branches = [name for name in self.refs if name.startswith(FOLDERS["branch"])]
        return main if main in self.refs or not branches else branches[0]

    def parents(self, commit: bytes) -> list[bytes]:
        """The commits that a version was made from."""
        return [self.commits[number] for number in self.versions[commit].parent_numbers]


def known(house: House, model: str) -> Known:
    """Look a model up by its name now."""
    with house.catalog.fresh() as connection:
        row = models.by_name(connection, model)
        if row is None:
            return Known(name=model)
        every = versions.all_of(connection, row.id)
        found = refs.of_models(connection, [row.id])
    commits = {version.number: version.commit_id for version in every}
    named = {FOLDERS[r.kind] + r.name: commits[r.number] for r in found if r.number in commits}
    return Known(
        row.id, row.name, {version.commit_id: version for version in every}, commits,
        dict(sorted(named.items())),
    )  # fmt: skip


def parse_ref(name: str) -> tuple[RefKind, RefName]:
    """A branch or tag that a push names. InvalidInput, or Denied: `alias-by-git`."""
    for kind, folder in FOLDERS.items():
        if name.startswith(folder):
            if kind == "alias":
                raise Denied("alias-by-git", "aliases are moved by yard alias, not by a push")
            return kind, RefName.parse(name.removeprefix(folder))
    raise InvalidInput("bad-ref-name", "only refs/heads/... and refs/tags/... can be pushed")
