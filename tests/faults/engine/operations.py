"""What a victim does while it is hurt. Each tells what was acknowledged as soon as it is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.faults.engine.pairs import BACKUP, MIRROR, RESTORED, beside, restored
from tests.faults.engine.yards import begin, commit_files, network, noise, small, texts

from modelyard.catalog.engine import Catalog
from modelyard.catalog.migrate import REVISIONS, migrate_to
from modelyard.testing.models import read_tree, tree_digest
from modelyard.testing.victim import open_folder

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

__all__ = ["OPERATIONS", "REBUILDS", "Work", "create", "prepare"]


@dataclass
class Work:
    """What an operation has to hand."""

    folder: str
    desk: Path
    tell: Callable[[tuple], None]
    rng: random.Random
    yard: object = None
    """The one that was opened last: open still where the operation was refused."""

    def open(self):
        self.yard = open_folder(self.folder)
        return self.yard

    def commit(self, yard, model, files, branch="main", **options):
        self.tell(commit_files(yard, self.desk, model, files, branch, **options))

    def merged(self, yard, done):
        """Tell of a version that the yard made itself."""
        out = self.desk / f"told-{done.number}"
        yard.checkout(done.model, done.number, out)
        digest = tree_digest(read_tree(out))
        self.tell(("version", done.model, done.number, done.branch, digest))


def commit(work: Work) -> None:
    """New data, a delta, a pickle and a folder."""
    yard = work.open()
    turn = work.rng.randrange(100, 1000)
    steps = [
        lambda: work.commit(yard, "net", network(1, turn)),
        lambda: work.commit(yard, "small", small(turn)),
        lambda: work.commit(yard, "new", noise(turn, 200_000)),
        lambda: work.commit(yard, "texts", texts(c=b"%d" % turn * 3000), "side", parent=1),
    ]
    work.rng.shuffle(steps)
    for step in steps[:2]:
        step()
    yard.close()


def merge(work: Work) -> None:
    yard = work.open()
    work.merged(yard, yard.merge("texts", "dev", into="main"))
    yard.close()


def mix(work: Work) -> None:
    yard = work.open()
    done = yard.mix("net", ["main", "dev"], method="average", into="mixed")
    work.merged(yard, done)
    yard.close()


def refs(work: Work) -> None:
    """Aliases, a tag, a branch, a rollback and labels."""
    yard = work.open()
    work.tell(("ref", "net", "champion", yard.alias("net", "champion", 3).number))
    work.tell(("ref", "net", "v1", yard.tag("net", "v1", 1).number))
    work.tell(("ref", "small", "try", yard.branch("small", "try", 2).number))
    work.tell(("ref", "net", "champion", yard.rollback("net", "champion").number))
    yard.label("net", 1, add={"task": "classify"})
    work.tell(("done",))
    yard.close()


def delete(work: Work) -> None:
    """Delete and bring back."""
    yard = work.open()
    work.tell(("deleting", "small", 1))
    yard.delete_version("small", 1)
    yard.rename("texts", "words")
    work.tell(("done",))
    yard.rename("words", "texts")
    work.tell(("done",))
    yard.close()


def gc(work: Work) -> None:
    """A pack becomes garbage as a whole, others by half: they are written anew."""
    yard = work.open()
    yard.gc()
    work.tell(("done",))
    work.commit(yard, "junk", noise(2))  # what was just deleted, again
    work.commit(yard, "junk", noise(0))
    yard.gc()
    work.tell(("done",))
    yard.close()


def rebuild(work: Work) -> None:
    yard = work.open()
    yard.verify(rebuild=True)
    work.tell(("done",))
    yard.close()


def lost(work: Work) -> None:
    """The catalog is gone, and made again."""
    for path in Path(work.folder).glob("catalog.db*"):
        path.unlink()
    rebuild(work)


def migrate(work: Work) -> None:
    """The yard is of the first schema."""
    yard = work.open()
    work.tell(("done",))
    work.commit(yard, "net", network(1, 55))
    yard.close()


def checkout(work: Work) -> None:
    yard = work.open()
    for model, number in (("net", 3), ("texts", 2)):
        yard.checkout(model, number, work.desk / f"out-{model}")
    work.tell(("done",))
    yard.close()


def mirror(work: Work) -> None:
    """Everything into another yard, and what is new since then."""
    yard = work.open()
    yard.mirror_to(beside(work.folder, MIRROR))
    work.tell(("kept", MIRROR))
    work.commit(yard, "net", network(1, 60))
    yard.mirror_to(beside(work.folder, MIRROR))
    work.tell(("kept", MIRROR))
    yard.close()


def copy(work: Work) -> None:
    """One model into another yard."""
    yard = work.open()
    yard.copy_to(beside(work.folder, MIRROR), "net")
    work.tell(("kept", "net"))
    yard.copy_to(beside(work.folder, MIRROR), "texts")
    work.tell(("kept", "texts"))
    yard.close()


def backup(work: Work) -> None:
    """Into a file, and a yard made of it."""
    yard = work.open()
    yard.backup(beside(work.folder, BACKUP))
    work.tell(("kept", BACKUP))
    restored(yard, beside(work.folder, BACKUP), beside(work.folder, RESTORED))
    work.tell(("kept", RESTORED))
    yard.close()


def create(work: Work) -> None:
    """A yard that was not there."""
    yard = work.open()
    work.tell(("done",))
    work.commit(yard, "first", small(1))
    work.commit(yard, "first", noise(2))
    yard.close()


OPERATIONS: dict[str, Callable[[Work], None]] = {
    "commit": commit, "merge": merge, "mix": mix, "refs": refs, "delete": delete, "gc": gc,
    "rebuild": rebuild, "lost catalog": lost, "migrate": migrate, "checkout": checkout,
    "mirror": mirror, "copy": copy, "backup": backup,
}  # fmt: skip

REBUILDS = ("rebuild", "lost catalog")
"""After one of these was hurt, the yard may ask to be rebuilt; nothing else may."""


def prepare(operation: str, folder: Path, *, sealed: bool = False) -> None:
    """Bring a copied yard into the state that an operation begins with."""
    if operation in ("mirror", "copy"):
        begin(beside(folder, MIRROR), sealed=sealed)
    if operation == "migrate":
        catalog = Catalog.open(f"sqlite:///{folder / 'catalog.db'}")
        migrate_to(catalog, REVISIONS[0])
        catalog.close()
