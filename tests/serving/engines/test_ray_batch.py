"""Files predicted on Ray: the same bytes as on this machine."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.serving.engines.zoo import fill

from modelyard.client.predicting import predict_file
from modelyard.registry.local import LocalYard

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.heavy,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # of Ray itself
]


def test_a_file_is_predicted_on_ray_as_it_is_here(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    pandas = pytest.importorskip("pandas")
    zoo = fill(tmp_path)
    rows = np.random.default_rng(1).normal(size=(5000, 4))
    frame = pandas.DataFrame(rows, columns=list("abcd"))
    frame.to_parquet(tmp_path / "rows.parquet")
    with LocalYard.at(zoo.folder) as yard:
        predict = partial(predict_file, yard, batch=512)
        here = predict("zoo/foreign@1", tmp_path / "rows.parquet", tmp_path / "here.parquet")
        there = predict(
            "zoo/foreign@1", tmp_path / "rows.parquet", tmp_path / "there.parquet", engine="ray"
        )
        assert (there.rows, there.engine, there.batch) == (here.rows, "ray", 512)
        same = [(tmp_path / f"{name}.parquet").read_bytes() for name in ("here", "there")]
        assert same[0] == same[1]
