"""What layers keep that training would not give them again: statistics, words, frozen weights."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from modelyard.errors import Unsupported

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["carried", "counted_anew", "every_layer", "own", "untold"]

_COUNTS = "object_name_uids"


def carried(source: Any, target: Any) -> tuple[str, ...]:
    """Give the layers of a model what those of another keep and can't learn.

    It goes the way that a file goes (`save_own_variables`, `save_assets`): layers make more of what
    they read than their weights (Normalization: the constants that it computes with).

    Returns:
        The names of layers that keep something of another shape, and would never learn it.

    Raises:
        Unsupported: `not-improvable`: they have other layers.
    """
    lost = []
    olds, news = every_layer(source), every_layer(target)
    if [type(each) for each in olds] != [type(each) for each in news]:
        raise untold(source)
    for old, new in zip(olds, news, strict=True):
        weights = own(old)
        if any(each.trainable for each in weights):
            continue
        if _shapes(weights) == _shapes(own(new)):
            _hand_on(old, new)
        elif not old.trainable or hasattr(old, "adapt"):
            lost.append(str(old.name))
    return tuple(lost)


def untold(network: Any) -> Unsupported:
    """Of a model whose configuration does not tell all of it."""
    return Unsupported(
        "not-improvable", f"a {type(network).__name__} can't be built again from what it tells",
        hint="it needs get_config() that tells all of it",
    )  # fmt: skip


def every_layer(network: Any) -> list[Any]:
    """The model and all that is in it, also the layers inside of layers."""
    return list(network._flatten_layers())


def own(layer: Any) -> list[Any]:
    """The weights of a layer, without those of layers inside of it."""
    return [*layer._trainable_variables, *layer._non_trainable_variables]


@contextmanager
def counted_anew() -> Iterator[None]:
    """Layers that layers make for themselves are named by a count over the whole process, and files
    hold their names: counted from the start, the same model gives the same file."""
    from keras.src.backend.common import global_state

    before = global_state.get_global_attribute(_COUNTS)
    global_state.set_global_attribute(_COUNTS, None)
    try:
        yield
    finally:
        global_state.set_global_attribute(_COUNTS, before)


def _shapes(weights: list[Any]) -> list[tuple[int, ...]]:
    return [tuple(each.shape) for each in weights]


def _hand_on(old: Any, new: Any) -> None:
    kept: dict[str, Any] = {}
    old.save_own_variables(kept)
    if kept:
        new.load_own_variables(kept)
    if not hasattr(old, "save_assets"):
        return
    with TemporaryDirectory() as place:
        old.save_assets(place)
        if any(Path(place).iterdir()):
            new.load_assets(place)
