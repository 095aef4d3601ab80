"""Versions of all the ways in which models take their inputs, as bodies see them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.unit.serving.numbers import Doubling, plane_of, served, slot

from modelyard.runtimes.tensors import TensorSpec as Spec

if TYPE_CHECKING:
    from modelyard.serving.interface import Line, Served


@dataclass
class Kinds:
    """The ways."""

    matrix: Served
    table: Served
    several: Served
    whole: Served
    texts: Served


def kinds() -> Kinds:
    label = (Spec("label", "string", (-1,)), Spec("probability", "float32", (-1, 2)))
    matrix = made([Spec("x", "float32", (-1, 3))], label)
    table = made(
        [Spec("age", "float64", (-1,)), Spec("city", "string", (-1,)), Spec("n", "int64", (-1,)),
         Spec("vip", "bool", (-1,), optional=True)], label, columns=True,
    )  # fmt: skip
    several = made([Spec("ids", "int64", (-1, -1)), Spec("mask", "int64", (-1, -1))], label)
    whole = made(
        [Spec("sound", "float32", (1, -1)), Spec("rate", "int64", ())],
        [Spec("speech", "float32", (1, 1))], rows=False,
    )  # fmt: skip
    texts = made([Spec("text", "string", (-1,))], label)
    return Kinds(matrix, table, several, whole, texts)


def made(inputs: Any, outputs: Any, *, rows: bool = True, columns: bool = False) -> Served:
    one = Doubling(rows=rows, columns=columns, inputs=tuple(inputs), outputs=tuple(outputs))
    return served(one)


def line(name: str, *several: Served) -> Line:
    plane = plane_of(*(slot(one, one.number) for one in several), name=name)
    return plane.lines[name]
