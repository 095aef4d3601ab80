"""The command line. Each file holds one group of commands; `output` alone writes."""

from __future__ import annotations

__all__ = ["main"]


def main() -> None:
    """Run `yard`."""
    from modelyard.cli.root import main

    main()
