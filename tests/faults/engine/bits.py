"""A flipped bit in a region of a pack, writes that lied: what verify says and what reads give."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import sqlalchemy as sa
from tests.faults.engine.check import Findings

from modelyard.catalog.schema import chunk, pack
from modelyard.errors import ModelyardError
from modelyard.store.sealing import BOX_EXTRA, SEAL_SIZE
from modelyard.testing.models import read_tree, tree_digest
from modelyard.testing.victim import open_folder

if TYPE_CHECKING:
    import random
    from pathlib import Path

    from tests.faults.engine.yards import Wanted

__all__ = ["REGIONS", "SEALED_REGIONS", "check_damage", "flip", "repair"]

REGIONS = ("header", "record head", "payload", "trailer", "footer")
SEALED_REGIONS = ("header", "seal", *REGIONS[1:])
_HEADER, _FOOTER = 16, 52


def flip(folder: Path, region: str, rng: random.Random) -> str:
    """Flip one bit somewhere in a region of some pack; says where."""
    yard = open_folder(str(folder))
    statement = sa.select(
        pack.c.name, pack.c.state, pack.c.size, pack.c.seal,
        chunk.c.start, chunk.c.length, chunk.c.base_id,
    ).join_from(chunk, pack, chunk.c.pack_id == pack.c.id)  # fmt: skip
    with yard.house.catalog.read() as connection:
        rows = connection.execute(statement).all()
    yard.close()
    if region in ("trailer", "footer"):
        rows = [row for row in rows if row.state == "live"]
    row = rng.choice(rows)
    path = folder / "store" / row.name
    content = bytearray(path.read_bytes())
    end = len(content)
    footer, head = end - _FOOTER, 48 if row.base_id else 16
    if row.seal is not None:
        footer, head = footer - BOX_EXTRA, 48 + BOX_EXTRA
    first, last = {
        "header": (0, _HEADER),
        "seal": (_HEADER, _HEADER + SEAL_SIZE),
        "record head": (row.start - head, row.start),
        "payload": (row.start, row.start + row.length),
        "trailer": (row.size, footer),
        "footer": (footer, end),
    }[region]
    at = rng.randrange(first, last)
    content[at] ^= 1 << rng.randrange(8)
    path.write_bytes(content)
    return f"{region} of a pack that is {row.state}"


def check_damage(
    folder: Path, desk: Path, wanted: Wanted, *, must_see: bool
) -> tuple[str, Findings]:
    """Never wrong bytes, and what can't be read is named by verify."""
    found = Findings()
    yard = open_folder(str(folder))
    try:
        report = yard.verify()
        named = {title for damage in report.damage for title in damage.versions}
        unreadable = 0
        for (model, number), digest in wanted.versions.items():
            title = f"{model}@{number}"
            shutil.rmtree(desk / "out", ignore_errors=True)
            try:
                yard.checkout(model, number, desk / "out")
            except ModelyardError as error:
                unreadable += 1
                if title not in named:
                    found.lost.append(f"verify did not name {title}: {error.kind} {error}")
                continue
            if tree_digest(read_tree(desk / "out")) != digest:
                found.lost.append(f"{title} was read with other bytes")
        if must_see and report.ok:
            found.wrong.append("verify saw nothing")
        if report.ok:
            return "harmless", found
        return f"named by verify, {'some' if unreadable else 'no'} version unreadable", found
    finally:
        yard.close()


def repair(folder: Path, source: Path, desk: Path, wanted: Wanted) -> Findings:
    """Take what is damaged from another copy; then all is as it was."""
    found = Findings()
    yard = open_folder(str(folder))
    try:
        yard.verify(repair_from=source)
        if not (report := yard.verify()).ok:
            found.wrong.append(f"after the repair: {report.damage}")
        for (model, number), digest in wanted.versions.items():
            shutil.rmtree(desk / "out", ignore_errors=True)
            yard.checkout(model, number, desk / "out")
            if tree_digest(read_tree(desk / "out")) != digest:
                found.lost.append(f"{model}@{number} is altered after the repair")
    finally:
        yard.close()
    return found
