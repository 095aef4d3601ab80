"""A chapter of the demo: a version becomes a service, and changes while it is asked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from modelyard.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelyard.cli.demo_story import Story
    from modelyard.cli.demo_zoo import Zoo

__all__ = ["served", "server"]

_MODEL = "vision/reader"
_ROWS = "models/digits-data/three.csv"


def served(story: Story, zoo: Zoo) -> None:
    """Deploy, predict, canary, promote, roll back, on a real server."""
    story.title("Deployed, and changed while it is asked")
    if not _is_possible():
        story.say("(This part needs more libraries: pip install 'modelyard[sklearn,data,serving]')")
        return
    story.say("A server of this machine. It has pages too; 'yard up' alone asks who you are.")
    with server(story):
        story.say("The alias champion becomes a service, which follows it from now on:")
        story.yard("deploy", "reader", f"{_MODEL}@champion", "--wait")
        story.shell(f"head -4 models/digits-data/held.csv > {_ROWS}", lambda: _few(story))
        story.yard("predict", "reader", "--data", _ROWS)
        story.say("Another version gets a quarter of the requests, until it is trusted:")
        story.yard("deploy", "reader", f"{_MODEL}@champion", f"--canary={_MODEL}@2=25", "--wait")
        story.yard("promote", "reader")
        story.say("A bad idea? Back in one step. The version before is still loaded:")
        story.yard("rollback", "--deployment", "reader")
        story.yard("deployments", "reader")
        story.yard("undeploy", "reader", "--yes")


def _few(story: Story) -> None:
    """Three pictures, without the digit that they show."""
    folder = story.folder / "models" / "digits-data"
    lines = (folder / "held.csv").read_text().splitlines()[:4]
    (folder / "three.csv").write_text("".join(line + "\n" for line in lines))


@contextmanager
def server(story: Story) -> Iterator[None]:
    """`yard up` on a free port, for as long as the chapter lasts."""
    words = ["--yard", "yard", "--json", "up", "--no-accounts", "--no-browser", "--port=0"]
    with subprocess.Popen(
        [sys.executable, "-m", "modelyard", *words], stdout=subprocess.PIPE, cwd=story.folder,
        stderr=subprocess.DEVNULL, text=True,
    ) as process:  # fmt: skip
        before = os.environ["YARD"]
        try:
            assert process.stdout is not None
            url = _url(process.stdout.readline())
            story.shell("yard up --no-accounts --no-browser --port 0 &", lambda: None)
            story.shell(f"export YARD={url}", lambda: os.environ.update(YARD=url))
            yield
        finally:
            os.environ["YARD"] = before
            process.terminate()


def _url(line: str) -> str:
    try:
        told: dict[str, Any] = json.loads(line)
        return str(told["url"])
    except (ValueError, KeyError):
        raise Unavailable("demo-stopped", "'yard up' did not begin") from None


def _is_possible() -> bool:
    needed = ("sklearn", "skops", "pandas", "pyarrow", "uvicorn", "fastapi", "orjson", "simdjson")
    return all(find_spec(name) for name in needed)
