"""A deployment whose answers are kept as a server keeps them, for tests of feedback."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.core.deployment import DeploymentSpec, Share
from modelyard.core.monitoring import ProfileInfo
from modelyard.monitoring.profiles import pack_profile, profile_from_rows
from modelyard.monitoring.quality.answers import pack_answers
from modelyard.monitoring.quality.joining import feedback
from modelyard.monitoring.rows import Rows
from modelyard.registry.local import LocalYard
from modelyard.registry.watching import profiles, tiles
from modelyard.registry.watching.answers import keep_answers
from modelyard.registry.watching.seeing import watched

if TYPE_CHECKING:
    from pathlib import Path

    from modelyard.monitoring.profiles import Profile
    from modelyard.monitoring.tiles import TruthTile

NOW = int(time.time()) // 60 * 60 - 600


class Model:
    def predict(self, inputs: Any) -> Any:
        return inputs


def two_classes(seed: int = 0, rows: int = 2000) -> Profile:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=rows)
    sex = np.where(rng.random(rows) < 0.5, "f", "m").astype(object)
    second = 1 / (1 + np.exp(-x))
    truth = np.where(rng.random(rows) < second, "yes", "no").astype(object)
    label = np.where(second > 0.5, "yes", "no").astype(object)
    return profile_from_rows(
        {"x": x, "sex": sex},
        {"label": label, "probability": np.column_stack([1 - second, second])}, truth,
        task="classification", classes=("no", "yes"), groups=("sex",),
    )  # fmt: skip


def numbers(seed: int = 0, rows: int = 500) -> Profile:
    x = np.random.default_rng(seed).normal(size=rows)
    return profile_from_rows({"x": x}, {"prediction": 2 * x}, 2 * x, task="regression")


@dataclass
class Served:
    """`svc` serves `own/m@1`."""

    yard: LocalYard
    profile: Profile
    _count: int = field(default=0)

    @classmethod
    def of(cls, folder: Path, profile: Profile | None, **given: Any) -> Served:
        yard = LocalYard.create(folder, author="ann", **given)
        yard.commit("own/m", Model())
        share = Share(model="own/m", revision="1")
        yard.deployments.apply(DeploymentSpec(name="svc", trusted=("*",), shares=(share,)))
        served = cls(yard, profile or two_classes())
        if profile is not None:
            served.keep_reference()
        return served

    @property
    def house(self) -> Any:
        return self.yard.house

    def keep_reference(self, number: int = 1) -> None:
        info = ProfileInfo(
            model="own/m", number=number, created=datetime.now(UTC), source="data",
            rows=self.profile.tile.rows, data=None, data_digest=None, schema=self.profile.schema,
        )  # fmt: skip
        profiles.keep(self.house, "own/m", number, info, pack_profile(self.profile))

    def answer(
        self, ids: list[str], labels: Any = None, *, when: float = NOW, number: int = 1,
        sex: str = "f", values: Any = None, places: Any = None,
        seen: Any = None,
    ) -> None:  # fmt: skip
        """Keep what was answered to these requests; a row each."""
        count = len(ids)
        labels = None if labels is None else np.asarray(labels, np.int32)
        scores = None
        if labels is not None:
            scores = np.full((count, 2), 0.1)
            scores[np.arange(count), labels] = 0.9
        rows = Rows(
            self.profile.schema, count, np.zeros((count, 1)),
            ([sex] * count,) if self.profile.schema.of_kind("category") else (),
            labels=labels, scores=scores, requests=ids,
            values=None if values is None else np.asarray(values, float),
            places=np.zeros(count, np.int32) if places is None else np.asarray(places, np.int32),
            clients=["c"] * count,
        )  # fmt: skip
        body = pack_answers(rows, np.full(count, float(when)), seen)
        at = watched(self.house, "svc")
        keep_answers(
            self.house, at.id, at.serves[0].model_id, number,
            [(body, int(when), int(when), count)],
        )  # fmt: skip

    def tell(self, **truths: Any) -> tuple[int, ...]:
        """Feedback; joined, late, duplicate, unknown, conflicting."""
        return self.send([{"request": key, "truth": value} for key, value in truths.items()])

    def send(self, truths: Any) -> tuple[int, ...]:
        told = feedback(self.house, "svc", truths)
        return told.joined, told.late, told.duplicate, told.unknown, told.conflicting

    def truth(self, number: int = 1) -> TruthTile:
        """Of all minutes together."""
        from modelyard.monitoring import windows

        at = watched(self.house, "svc")
        version = (at.serves[0].model_id, number)
        found = windows.read(
            self.house, at.id, 0, time.time() + 60, {version: self.profile.schema}, tiles.TRUTH
        )
        return windows.merged(
            self.profile.schema, (span.tile for span in found.get(version, ()))
        ).truth
