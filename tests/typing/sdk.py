"""Never run: read by mypy in `test_sdk.py`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, assert_type

import numpy as np

import modelyard
from modelyard.core.diff import Diff
from modelyard.core.monitoring import Alert, FeedbackSummary, Monitor, Overview
from modelyard.core.version import (
    CheckedOut,
    Committed,
    ModelInfo,
    Page,
    RefInfo,
    RefMove,
    VersionInfo,
)
from modelyard.errors import Conflict, ModelyardError, NotFound


def first_ten_lines() -> None:
    yard = modelyard.open("~/models")
    iris = yard.model("flowers/iris")
    done = iris.commit(Path("out"), message="first baseline", metrics={"accuracy": 0.912})
    assert_type(done, modelyard.Version)
    assert_type(yard.commit("flowers/iris", "out"), Committed)
    assert_type(done.number, int)
    assert_type(done.created, bool)
    assert_type(iris.alias("champion", done.number), RefInfo)
    version = iris["champion"]
    assert_type(version, modelyard.Version)
    assert_type(version.number, int)
    assert_type(version.tensor("coef_"), np.ndarray)
    assert_type(version.open("README.md"), BinaryIO)
    assert_type(version.load(), Any)
    assert_type(version.checkout("out"), CheckedOut)
    assert_type(iris.diff("champion", "main"), Diff)
    assert_type(iris.diff("champion", "main").summary(), str)
    assert_type(iris.rollback("champion"), RefInfo)


def the_yard() -> None:
    yard = modelyard.open(Path("models"))
    assert_type(yard.models(), Iterator[ModelInfo])
    assert_type(yard.search("label:domain=nlp"), Page)
    assert_type(yard.search("").items, tuple[VersionInfo, ...])
    assert_type(yard.log("m"), Iterator[VersionInfo])
    assert_type(yard.reflog("m"), Iterator[RefMove])
    assert_type(yard.label("m", add={"a": "b"}), Mapping[str, str])
    assert_type(yard.verify().ok, bool)
    assert_type(yard.stats().ratio, float)


def errors() -> None:
    try:
        modelyard.open("x").resolve("m")
    except NotFound as error:
        assert_type(error.kind, str)
        assert_type(error.hint, str | None)
    except Conflict as error:
        assert_type(error.message, str)
    except ModelyardError as error:
        assert_type(error, ModelyardError)
    _: type[LookupError] = NotFound
    _base: type[Exception] = modelyard.errors.ModelyardError


def iterators() -> None:
    yard = modelyard.open("x")
    for version in yard.model("m").log():
        assert_type(version, VersionInfo)


def what_runs_is_watched() -> None:
    watching = modelyard.watch(modelyard.open("http://localhost:8300"))
    assert_type(watching.look("fraud"), Monitor)
    assert_type(watching.fleet(), tuple[Overview, ...])
    assert_type(watching.feedback("fraud", [{"request": "5f0c", "truth": 1}]), FeedbackSummary)
    assert_type(next(watching.alerts(firing=True)), Alert)
    watching.series("fraud", ["requests"], step=60)  # type: ignore[call-arg]
