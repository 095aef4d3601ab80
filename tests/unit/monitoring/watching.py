"""A deployment of which tests write the tiles themselves, at the times that they want."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.core.deployment import DeploymentSpec, Share
from modelyard.core.monitoring import ProfileInfo
from modelyard.monitoring import windows
from modelyard.monitoring.extracting import One, asked_of, reader_of
from modelyard.monitoring.folding import fold, fold_asked, new_tile
from modelyard.monitoring.local import LocalMonitoring
from modelyard.monitoring.packing import pack
from modelyard.monitoring.profiles import pack_profile, profile_from_rows
from modelyard.monitoring.truths import fold_truth
from modelyard.registry.local import LocalYard
from modelyard.registry.watching import profiles, tiles
from modelyard.registry.watching.seeing import watched

if TYPE_CHECKING:
    from pathlib import Path

    from modelyard.monitoring.profiles import Profile
    from modelyard.monitoring.tiles import Tile

__all__ = ["Site", "at"]


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


class Model:
    def predict(self, inputs: Any) -> Any:
        return inputs


def rows(seed: int, count: int, shift: float = 0.0) -> tuple[dict[str, Any], dict[str, Any]]:
    """Inputs, and what is answered."""
    x = np.random.default_rng(seed).normal(shift, 1, count)
    chance = 1 / (1 + np.exp(-3 * x))
    label = np.where(chance > 0.5, "yes", "no")
    return {"x": x}, {"label": label, "probability": np.column_stack([1 - chance, chance])}


def reference() -> Profile:
    inputs, outputs = rows(0, 3000)
    return profile_from_rows(
        inputs, outputs, outputs["label"], task="classification", classes=("no", "yes")
    )


@dataclass
class Site:
    """`svc` serves `own/m@1`, and a copy of each request goes to `own/s@1`."""

    yard: LocalYard
    profile: Profile = field(default_factory=reference)

    @classmethod
    def of(cls, folder: Path) -> Site:
        yard = LocalYard.create(folder, author="ann")
        for model in ("own/m", "own/s"):
            yard.commit(model, Model())
        made = cls(yard)
        made.deploy("svc")
        info = ProfileInfo(
            model="own/m", number=1, created=datetime.now(UTC), source="data", rows=3000,
            data=None, data_digest=None, schema=made.profile.schema,
        )  # fmt: skip
        profiles.keep(yard.house, "own/m", 1, info, pack_profile(made.profile))
        return made

    def deploy(self, name: str) -> None:
        shares = (
            Share(model="own/m", revision="1"), Share(model="own/s", revision="1", shadow=True),
        )  # fmt: skip
        self.yard.deployments.apply(DeploymentSpec(name=name, trusted=("*",), shares=shares))

    @property
    def house(self) -> Any:
        return self.yard.house

    @property
    def monitoring(self) -> LocalMonitoring:
        return LocalMonitoring(self.house)

    def asked(
        self, start: int, requests: int, *, level: int = 0, shadow: bool = False, batch: int = 1
    ) -> None:
        tile = new_tile(windows.EMPTY)
        one = (0, 1, 2, 1000, 2000, 1, batch, None, "ann")
        fold_asked(tile, asked_of([one] * requests, start))
        self._keep(tile, start, windows.PERFORMANCE, level, shadow=shadow)

    def traffic(self, start: int, count: int, *, level: int = 0, shift: float = 0.0) -> None:
        inputs, outputs = rows(start, count, shift)
        tile = new_tile(self.profile.schema)
        some = reader_of(self.profile.schema, inputs)([One(inputs, outputs, count, "r", "ann")])
        fold(tile, some, self.profile.calibration)
        self._keep(tile, start, tiles.TRAFFIC, level)

    def truth(self, start: int, right: int, wrong: int = 0, *, level: int = 0) -> None:
        """So many rows of `yes` that were, and were not."""
        tile = new_tile(self.profile.schema)
        count = right + wrong
        true = np.array([1] * right + [0] * wrong)
        fold_truth(tile.truth, self.profile.schema, true, labels=np.ones(count, np.int64))
        self._keep(tile, start, tiles.TRUTH, level)

    def _keep(self, tile: Tile, start: int, kind: int, level: int, *, shadow: bool = False) -> None:
        assert start % tiles.LENGTHS[level] == 0
        found = watched(self.house, "svc")
        (one,) = (each for each in found.serves if each.shadow is shadow)
        digest = windows.digest_of(tile.schema)
        body = pack(tile) if kind == tiles.TRUTH else windows.sealed(tile, digest)
        row = tiles.TileRow(
            found.id, one.model_id, 1, kind, level, start, "one", tile.rows, body
        )  # fmt: skip
        tiles.keep(self.house, [row])
