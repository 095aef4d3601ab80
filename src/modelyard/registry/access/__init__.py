"""Who may do what in a yard that a server serves: accounts, tokens, roles, guarded refs, audit."""

from __future__ import annotations

from modelyard.registry.access.accounts import check_password, create_account, set_password
from modelyard.registry.access.door import (
    COOKIE,
    caller_of,
    known_name,
    no_model,
    readable,
    signed_in_by,
)
from modelyard.registry.access.guards import check_move
from modelyard.registry.access.notes import note
from modelyard.registry.access.tokens import (
    close_cookie,
    first_account,
    make_link,
    make_token,
    open_cookie,
    use_link,
)

__all__ = [
    "COOKIE", "caller_of", "check_move", "check_password", "close_cookie", "create_account",
    "first_account", "known_name", "make_link", "make_token", "no_model", "note", "open_cookie",
    "readable", "set_password", "signed_in_by", "use_link",
]  # fmt: skip
