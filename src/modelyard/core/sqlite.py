"""Python's `sqlite3`, bound to the system's SQLite whatever else is loaded.

TensorFlow's library exports an SQLite of its own to the whole process, without full-text search. A
`sqlite3` that is imported after it would use that one.
"""

from __future__ import annotations

import os
import sys

__all__ = ["sqlite3"]

_FLAGS = sys.getdlopenflags()
sys.setdlopenflags(_FLAGS | getattr(os, "RTLD_DEEPBIND", 0))
try:
    import sqlite3
finally:
    sys.setdlopenflags(_FLAGS)
