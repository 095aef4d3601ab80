"""Hyper-parameters that are worth a search, by class: what people tune, in sensible bounds.

The first value of each is the library's own default, or as near to it as a number comes: `gamma`
is that of scaled columns. What is named after it (`Range.also`) goes together: settings that many
people begin with, which cover what is far from the default (each kernel, small trees, balanced
classes). They come from experience, and from what they add on data that come with R's packages
(glass, Pima, crabs, Boston, Caschool).
"""

from __future__ import annotations

from modelyard.optimization.passes.tables.spaces.finding import space_of, spaces_in

__all__ = ["space_of", "spaces_in"]
