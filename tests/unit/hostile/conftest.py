"""Lets the tests here import the corpus, and the builders of tests/unit/formats."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "formats")]
