"""How people sign in through an OpenID Connect provider: read from the environment, once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from modelyard.core.access import Role, check_pattern, parse_role
from modelyard.errors import InvalidInput

__all__ = ["GroupRoleSetting", "OidcSettings", "read_oidc"]


@dataclass(frozen=True, slots=True)
class GroupRoleSetting:
    """The role that members of a group have: `GROUP=ROLE:PATTERN`."""

    group: str
    role: Role
    pattern: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcSettings:
    """One provider."""

    issuer: str
    client_id: str
    secret: str = field(repr=False)
    title: str = "OpenID Connect"
    """What the button is called."""
    domains: tuple[str, ...] = ()
    """Of e-mail addresses whose owners get an account; others need one that was made for them."""
    groups_claim: str = "groups"
    groups: tuple[GroupRoleSetting, ...] = ()


def read_oidc(environment: Mapping[str, str]) -> OidcSettings | None:
    """From `$YARD_OIDC_*`; None if there is no `$YARD_OIDC_ISSUER`. InvalidInput: `bad-setting`."""
    issuer = environment.get("YARD_OIDC_ISSUER", "").strip()
    if not issuer:
        return None
    parts = urlsplit(issuer)
    local = parts.hostname in ("localhost", "127.0.0.1", "::1")
    if parts.scheme != "https" and not (parts.scheme == "http" and local):
        raise InvalidInput("bad-setting", "YARD_OIDC_ISSUER is an https URL")
    client_id = environment.get("YARD_OIDC_CLIENT_ID", "")
    secret = environment.get("YARD_OIDC_SECRET", "")
    if not client_id or not secret:
        raise InvalidInput(
            "bad-setting", "with YARD_OIDC_ISSUER go YARD_OIDC_CLIENT_ID and YARD_OIDC_SECRET"
        )
    domains = environment.get("YARD_OIDC_DOMAINS", "").lower().replace(",", " ").split()
    return OidcSettings(
        issuer=issuer, client_id=client_id, secret=secret,
        title=environment.get("YARD_OIDC_TITLE", "OpenID Connect")[:60],
        domains=tuple(domain.removeprefix("@") for domain in domains),
        groups_claim=environment.get("YARD_OIDC_GROUPS_CLAIM", "groups"),
        groups=tuple(map(_group, environment.get("YARD_OIDC_ROLES", "").split())),
    )  # fmt: skip


def _group(text: str) -> GroupRoleSetting:
    group, equals, rest = text.partition("=")
    role, colon, pattern = rest.partition(":")
    if not (group and equals and colon):
        raise InvalidInput(
            "bad-setting", f"YARD_OIDC_ROLES: {text[:60]!r} can't be read",
            hint="such as ml-team=writer:vision/*",
        )  # fmt: skip
    return GroupRoleSetting(group, parse_role(role), check_pattern(pattern))
