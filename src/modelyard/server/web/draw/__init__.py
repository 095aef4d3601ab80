"""Pictures as SVG, drawn here: with classes for colours, so that they follow the theme.

Every function gives a `Markup`; what comes from people is escaped by `svg.tag`.
"""

from __future__ import annotations

from modelyard.server.web.draw.bars import bar
from modelyard.server.web.draw.dag import Box, dag
from modelyard.server.web.draw.graph import graph_row
from modelyard.server.web.draw.growth import growth
from modelyard.server.web.draw.heatmap import heatmap, legend, percent
from modelyard.server.web.draw.histogram import histogram, small_histogram
from modelyard.server.web.draw.measured import calibration, confusion, interval
from modelyard.server.web.draw.metric_line import metric_line
from modelyard.server.web.draw.overlay import block_map, overlaid
from modelyard.server.web.draw.parallel import parallel
from modelyard.server.web.draw.scatter import scatter
from modelyard.server.web.draw.sparkline import sparkline
from modelyard.server.web.draw.traffic import Stretch, traffic

__all__ = [
    "Box",
    "Stretch",
    "bar",
    "block_map",
    "calibration",
    "confusion",
    "dag",
    "graph_row",
    "growth",
    "heatmap",
    "histogram",
    "interval",
    "legend",
    "metric_line",
    "overlaid",
    "parallel",
    "percent",
    "scatter",
    "small_histogram",
    "sparkline",
    "traffic",
]
