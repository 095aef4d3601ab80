"""One request to a version that is loaded for it, answered as a server would."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modelyard.serving.batch.workers import local_workers
from modelyard.serving.bodies import JSON, read_body, write_body

if TYPE_CHECKING:
    from modelyard.registry.desk import Desk

__all__ = ["ask_here"]


def ask_here(
    desk: Desk,
    model: str,
    revision: str | int | None,
    body: bytes,
    content_type: str = JSON,
    *,
    accept: str = JSON,
    trusted: Any = None,
) -> bytes:
    """Load a version, ask it, free it. The answer is as `POST /predict/NAME` gives it.

    Raises:
        InvalidInput: `bad-request`, `bad-inputs`, `no-column`, `no-rows`, `wrong-media-type`.
        NotFound: `no-model`, `no-version`. Denied: `untrusted`.
        Unavailable: `self-test`, `model-died`, `model-failed`.
    """
    with local_workers(
        desk, model, revision, trusted=trusted, workers=1, as_served=True
    ) as workers:
        served = workers.served
        feeds, rows = read_body("predict", content_type, body, served)
        outputs = workers.ask(workers.runtimes[0], dict(feeds), rows)
        return write_body("predict", accept, served, outputs, rows)[0]
