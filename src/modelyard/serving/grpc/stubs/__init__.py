"""Made by scripts/stubs.py."""
