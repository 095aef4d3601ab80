"""Who may do what in a yard that a server serves: accounts, tokens, roles, guarded refs, audit."""

from __future__ import annotations

from modelyard.registry.access.door import known_name, signed_in_by

__all__ = ["known_name", "signed_in_by"]
