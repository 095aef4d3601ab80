"""Keras itself, imported on first use, with a backend that is there."""

from __future__ import annotations

import importlib.util
import logging
import os
import sys
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelyard.core.extras import need

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["keras", "precision", "quiet", "seeded"]

_CHATTER = (
    "compiled metrics have yet to be built", "You are saving your model as an HDF5",
    "No training configuration found",
)  # fmt: skip


def keras() -> Any:
    """The library. Unsupported: `no-extra`.

    Keras reads its backend once, at import. A choice of the user (environment, `keras.json`) always
    holds; without one it would insist on TensorFlow, so torch is chosen where only torch is there.
    """
    if "keras" not in sys.modules:
        if not _is_configured() and not _is_there("tensorflow") and _is_there("torch"):
            os.environ["KERAS_BACKEND"] = "torch"
        if "tensorflow" not in sys.modules:
            os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    return need("keras", "keras")


def _is_configured() -> bool:
    home = os.environ.get("KERAS_HOME") or Path("~/.keras").expanduser()
    return "KERAS_BACKEND" in os.environ or (Path(home) / "keras.json").is_file()


def _is_there(module: str) -> bool:
    return module in sys.modules or importlib.util.find_spec(module) is not None


class _Chatter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return not any(phrase in str(record.msg) for phrase in _CHATTER)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep back what Keras says at each call about `.h5` files and about numpy 2.

    Other messages pass.
    """
    logger, chatter = logging.getLogger("absl"), _Chatter()
    logger.addFilter(chatter)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
            yield
    finally:
        logger.removeFilter(chatter)


@contextmanager
def precision(config: Any) -> Iterator[None]:
    """Load a model of mixed precision as one: Sequential takes the policy of the process.

    Without it, its optimizer would come back without its loss scale.
    """
    inner = config.get("config") if isinstance(config, dict) else None
    policy = inner.get("dtype") if isinstance(inner, dict) else None
    settings = policy.get("config") if isinstance(policy, dict) else None
    if not isinstance(settings, dict) or settings.get("name") != "mixed_float16":
        yield
        return
    library = keras()
    before = library.config.dtype_policy()
    library.config.set_dtype_policy("mixed_float16")
    try:
        yield
    finally:
        library.config.set_dtype_policy(before)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Make new weights the same at each call: initializers draw their seeds from `random`."""
    import random

    before = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(before)
