"""Seals the audit log every few seconds, and once more when the server stops."""

from __future__ import annotations

import logging
import random
import threading

from modelyard.errors import ModelyardError
from modelyard.registry.access.chain import seal
from modelyard.server.state import Server

__all__ = ["Sealer"]

_SECONDS = 5.0

_log = logging.getLogger("modelyard.server")


class Sealer:
    """One thread of a server process; of several processes, whoever is first seals."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="seals", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join(timeout=30)

    def _run(self) -> None:
        while not self._over.wait(_SECONDS * random.uniform(0.8, 1.2)):
            self._seal()
        self._seal()

    def _seal(self) -> None:
        try:
            seal(self._server.house)
        except ModelyardError as error:  # the next one covers these lines too
            _log.warning("the audit log was not sealed: %s", error)
