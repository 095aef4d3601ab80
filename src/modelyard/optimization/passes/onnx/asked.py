"""What a recipe asks of `quantize`, checked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modelyard.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

__all__ = ["KINDS", "Asked", "bad_option"]

Json = Any

KINDS = ("static", "dynamic", "weights", "blocks", "float16", "bfloat16")
_ROWS = 256
_FIDELITY = 0.99


class Asked:
    """Options, checked. InvalidInput: `bad-pass-option`."""

    def __init__(self, params: Mapping[str, Json]) -> None:
        self.kind = str(_one_of("kind", params.get("kind", KINDS[0]), KINDS))
        self.bits = int(_one_of("bits", params.get("bits", 8), (8, 4)))
        self.per_channel = bool(_one_of("per_channel", params.get("per_channel", True),
                                        (True, False)))  # fmt: skip
        self.calibration: Any = _one_of(
            "calibration", params.get("calibration", "minmax"), ("minmax", "percentile", "entropy")
        )
        self.reduce_range = params.get("reduce_range")
        if self.reduce_range is not None:
            _one_of("reduce_range", self.reduce_range, (True, False))
        block = int(_one_of("block", params.get("block", 32), (16, 32, 64, 128, 256)))
        self.block = block if self.kind == "blocks" or self.bits == 4 else None
        self.rows = _whole("rows", params.get("rows", _ROWS), 1)
        self.fidelity = params.get("fidelity", _FIDELITY)
        if isinstance(self.fidelity, bool) or not isinstance(self.fidelity, int | float):
            raise bad_option("fidelity is a number up to 1")
        self.adjust = bool(_one_of("adjust", params.get("adjust", True), (True, False)))
        self.operators = _texts("operators", params.get("operators"))
        keep = params.get("keep", 0)
        self.names = () if isinstance(keep, int | float | str) else _texts("keep", keep) or ()
        self.auto = keep == "auto"
        if isinstance(keep, str) and not self.auto:
            raise bad_option('keep is a number of layers, "auto", or names of nodes')
        self.count = _whole("keep", keep, 0) if isinstance(keep, int | float) else 0
        if self.bits == 4 and self.kind != "weights":
            raise bad_option("4 bits are for kind weights only")

    def check_names(self, known: Collection[str]) -> None:
        """Refuse names of nodes that the graph does not have."""
        for name in self.names:
            if name not in known:
                raise bad_option(f"keep names {name!r:.80}, but the graph has no such node")


def bad_option(message: str) -> InvalidInput:
    """InvalidInput `bad-pass-option`, with what is right as its hint."""
    return InvalidInput(
        "bad-pass-option", message, hint="quantize: {kind: static, per_channel: true, keep: 0}"
    )


def _one_of(name: str, value: Json, known: Sequence[Json]) -> Json:
    if value not in known or isinstance(value, bool) != isinstance(known[0], bool):
        raise bad_option(f"{name} is one of {', '.join(map(str, known))}, not {value!r:.40}")
    return value


def _whole(name: str, value: Json, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        raise bad_option(f"{name} is a whole number, not {value!r:.40}")
    if value < least:
        raise bad_option(f"{name} is at least {least}")
    return int(value)


def _texts(name: str, value: Json) -> tuple[str, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list | tuple) or not all(isinstance(each, str) for each in value):
        raise bad_option(f"{name} is a list of names, not {value!r:.40}")
    return tuple(value)
