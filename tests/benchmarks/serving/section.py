"""The section "Serving" of docs/benchmarks.md."""

from __future__ import annotations

from tests.benchmarks.store.sections import Section

__all__ = ["SECTION"]

SECTION = Section(
    "serving",
    head="""## Serving

<!-- Written by `make bench SUITE=serving`; do not edit. -->

Servers and what asks them on the same machine ({machine}; its load was {load} when the parts
ended), over loopback. Load comes from wrk or from a program in C, never from Python. What others
took of the processor meanwhile is told where it is more than a fifth of a core.
""",
    texts={
        "peers": """### Beside the others

The digits of scikit-learn, a row of 64 numbers as JSON: `onx` is a pipeline as ONNX, `sk` the same
in scikit-learn. Each server with one worker and its defaults; BentoML and Ray Serve join requests
for `sk`. Ours (`yard serve`) checks a token and writes log and metrics. "echo" is the bare floor:
raw ASGI on uvicorn that reads the body and answers. Ours is measured first and last, and the lower
counts.
""",
        "inside": """### What a request costs

In one process without sockets, in processor time: accounts, routes, checks, log and metrics, beyond
the bare call of ONNX Runtime and an ASGI echo.
""",
        "start": "### Start and memory of the data plane\n",
        "large": "### Large bodies\n",
        "swap": """### Changes under load

Deploy, canary, promote, roll back, and a version that can't be loaded, over and over. Each answer
must be right for the version that it names.
""",
        "kill": "### A model's process is killed\n",
        "overload": """### Overload

Ten times what a model can compute, at a rate that does not wait for answers.
""",
        "cold": "### A model that slept\n",
    },
)
