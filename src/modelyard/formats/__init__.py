"""Model files without loading them: format, tensors, metadata and findings.

Nothing in a file is executed, and no file can cost more than its budget. The modules that open a
format are imported when the first file of that format comes.
"""

from __future__ import annotations

from modelyard.formats.folder import inspect_folder
from modelyard.formats.inspecting import external_tensors, inspect, read_tensor
from modelyard.formats.interface import Budget, Format, Inspection, ReadsTensors

__all__ = [
    "Budget",
    "Format",
    "Inspection",
    "ReadsTensors",
    "external_tensors",
    "inspect",
    "inspect_folder",
    "read_tensor",
]
