"""Versions between yards, and whole yards into files and back."""
