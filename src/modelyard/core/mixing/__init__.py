"""Weights of several models made into those of one: the mathematics, block by block, in numpy."""

from __future__ import annotations

from modelyard.core.mixing.blocks import mix_block, mix_whole
from modelyard.core.mixing.mix import METHODS, Method, Mix
from modelyard.core.mixing.numbers import COMPUTED, Room
from modelyard.core.mixing.surveys import Survey, survey_of

__all__ = [
    "COMPUTED",
    "METHODS",
    "Method",
    "Mix",
    "Room",
    "Survey",
    "mix_block",
    "mix_whole",
    "survey_of",
]
