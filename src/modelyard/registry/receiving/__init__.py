"""Versions that come from a client, in one request or in parts (docs/spec/transfer-1.md)."""

from __future__ import annotations

from modelyard.registry.receiving.commit import receive_commit
from modelyard.registry.receiving.parts import missing, receive_part
from modelyard.registry.receiving.state import Receiving

__all__ = ["Receiving", "missing", "receive_commit", "receive_part"]
