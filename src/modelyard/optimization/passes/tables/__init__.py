"""Passes that improve algorithms for rows of columns."""
