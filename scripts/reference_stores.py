"""The page of stores, made from the table of schemes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.store.schemes import SCHEMES

if TYPE_CHECKING:
    from modelyard.store.schemes import Scheme

__all__ = ["store_page"]

_INTRODUCTION = """\
# URLs of stores

This page is made from the code by `make docs`. [Where a yard keeps its bytes and
rows](../guides/stores.md) shows how to use it.

A URL stands in `yard init --store`, in `store=` of Python, and in `yard.toml`. Keys after `?` that
are not listed are refused by name. Secrets have no place in it: they are looked for in the
environment and the files that the service's own tools use.
"""


def store_page() -> str:
    """One section for each kind of store."""
    kinds = {scheme.names: scheme for scheme in SCHEMES.values()}
    return "\n".join([_INTRODUCTION, *(_section(scheme) for scheme in kinds.values())])


def _section(scheme: Scheme) -> str:
    lines = [f"## {', '.join(f'{name}://' for name in scheme.names)}", ""]
    lines += [f"{scheme.service[0].upper()}{scheme.service[1:]}: `{_plain(scheme.form)}`.", ""]
    rows = list(_facts(scheme))
    if rows:
        lines += ["| | |", "|---|---|", *(f"| {name} | {told} |" for name, told in rows), ""]
    return "\n".join(lines)


def _facts(scheme: Scheme) -> list[tuple[str, str]]:
    rows = []
    if scheme.extra:
        rows.append(("extra", f"`pip install 'modelyard[{scheme.extra}]'`"))
    rows += [(f"key `{key}`", told) for key, told in (scheme.keys or {}).items()]
    if scheme.keys is None:
        rows.append(("keys", "what the database's driver takes"))
    if scheme.environment:
        rows.append(("environment", ", ".join(f"`{name}`" for name in scheme.environment)))
    if scheme.files:
        rows.append(("files", ", ".join(f"`{name}`" for name in scheme.files)))
    if scheme.bucket:
        rows.append((f"{scheme.bucket}", f"has to be there: `{_made(scheme)}` makes it"))
    return rows


def _made(scheme: Scheme) -> str:
    return scheme.making.replace("{bucket}", (scheme.bucket or "").upper())


def _plain(form: str) -> str:
    return form.replace("|", "\\|")
