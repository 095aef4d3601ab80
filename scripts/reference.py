"""Write the reference pages that are made from the code; with --check, fail if one is stale."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from reference_api import api_page
from reference_cli import command_page
from reference_errors import error_page
from reference_sdk import sdk_page
from reference_stores import store_page

if TYPE_CHECKING:
    from collections.abc import Callable

PAGES = Path(__file__).resolve().parent.parent / "docs" / "reference"
MADE: dict[str, Callable[[], str]] = {
    "api.md": api_page,
    "cli.md": command_page,
    "errors.md": error_page,
    "sdk.md": sdk_page,
    "stores.md": store_page,
}


def main(arguments: list[str]) -> int:
    """Write what is stale, or tell it."""
    pages = {PAGES / name: make() for name, make in MADE.items()}
    stale = [path for path, text in pages.items() if not path.exists() or path.read_text() != text]
    if "--check" in arguments:
        for path in stale:
            print(f"{path} is stale: run make docs", file=sys.stderr)
        return 1 if stale else 0
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(pages[path])
        print(f"wrote {path}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
