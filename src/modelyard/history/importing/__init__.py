"""Histories of other systems, read as a sequence of steps; nothing here writes to a yard."""
