"""Passes on weights in files, without the object that they belong to."""
