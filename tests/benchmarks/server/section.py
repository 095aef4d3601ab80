"""The section "The server" of docs/benchmarks.md."""

from __future__ import annotations

from tests.benchmarks.store.sections import Section

__all__ = ["SECTION"]

SECTION = Section(
    "server",
    head="""## The server

<!-- Written by `make bench SUITE=server`; do not edit. -->

A server process and its clients on the same machine ({machine}; its load was {load} when the parts
ended), over loopback, on SQLite and a folder.
""",
    texts={
        "start": "### Start and memory\n",
        "register": """### Registering a version

A model of some dozen bytes, committed through HTTP by our client, durable when it is acknowledged.
MLflow registers a row about bytes that lie elsewhere, and does not wait for the disk.
""",
        "lists": """### Lists and search

With 100,000 versions, 10,000 of them of one model; whole requests as a client sees them.
""",
        "transfer": """### Transfer

1 GB of weights, committed into a new yard and checked out into a new folder, here and over
loopback, in turns. "Of local" is how fast the remote call is beside the local one.
""",
        "load": "### Eight clients at once\n",
    },
)
