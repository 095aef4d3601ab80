"""Pictures as SVG, drawn here: with classes for colours, so that they follow the theme.

Every function gives a `Markup`; what comes from people is escaped by `svg.tag`.
"""

from __future__ import annotations

from modelyard.server.web.draw.graph import graph_row
from modelyard.server.web.draw.sparkline import sparkline

__all__ = ["graph_row", "sparkline"]
