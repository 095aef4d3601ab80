"""The section "Web pages" of docs/benchmarks.md."""

from __future__ import annotations

from tests.benchmarks.store.sections import Section

__all__ = ["SECTION"]

SECTION = Section(
    "web",
    head="""## Web pages

<!-- Written by `make bench SUITE=web`; do not edit. -->

A server process and what asks it on the same machine ({machine}; its load was {load} when the parts
ended), over loopback, on SQLite and a folder. Times are whole requests, packed with gzip.
""",
    texts={
        "lists": """### Lists and search as pages

With 100,000 versions in 1,001 models, as the admin and as somebody who reads one namespace of
twenty.
""",
        "model": """### Pages of a model with 10,000 versions

Each version has two metrics; the graph of history and the chart of a metric are drawn anew for
each request.
""",
        "compare": """### Two versions of a model of 1 GB with 500 tensors

First, until everything that changed is on the page; the browser sees progress meanwhile. Then
again, from what the server kept.
""",
        "weight": """### Weight

The heaviest pages of the yard that the tests show, with all style, scripts, fonts and pictures
that they load, packed.
""",
        "paint": """### First paint

Chromium without a cache, the window 1280 pixels wide: from the click to the first content, as
`PerformanceObserver` tells it. Median and worst of all rounds.
""",
    },
)
