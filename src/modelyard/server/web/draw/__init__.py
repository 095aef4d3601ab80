"""Pictures as SVG, drawn here: with classes for colours, so that they follow the theme.

Every function gives a `Markup`; what comes from people is escaped by `svg.tag`.
"""

from __future__ import annotations

from modelyard.server.web.draw.bars import bar
from modelyard.server.web.draw.courses import courses
from modelyard.server.web.draw.dag import Box, dag
from modelyard.server.web.draw.front import amount, front
from modelyard.server.web.draw.graph import graph_row
from modelyard.server.web.draw.groups import groups
from modelyard.server.web.draw.growth import growth
from modelyard.server.web.draw.heatmap import heatmap, legend, percent
from modelyard.server.web.draw.histogram import histogram, small_histogram
from modelyard.server.web.draw.measured import calibration, confusion, interval
from modelyard.server.web.draw.metric_line import metric_line
from modelyard.server.web.draw.moved import drift_bar, moved
from modelyard.server.web.draw.overlay import block_map, overlaid
from modelyard.server.web.draw.pairs import pair
from modelyard.server.web.draw.parallel import parallel
from modelyard.server.web.draw.scatter import scatter
from modelyard.server.web.draw.small_area import small_area
from modelyard.server.web.draw.sparkline import sparkline
from modelyard.server.web.draw.time_chart import Curve, Moment, points_of, time_chart
from modelyard.server.web.draw.traffic import Stretch, traffic

__all__ = [
    "Box",
    "Curve",
    "Moment",
    "Stretch",
    "amount",
    "bar",
    "block_map",
    "calibration",
    "confusion",
    "courses",
    "dag",
    "drift_bar",
    "front",
    "graph_row",
    "groups",
    "growth",
    "heatmap",
    "histogram",
    "interval",
    "legend",
    "metric_line",
    "moved",
    "overlaid",
    "pair",
    "parallel",
    "percent",
    "points_of",
    "scatter",
    "small_area",
    "small_histogram",
    "sparkline",
    "time_chart",
    "traffic",
]
