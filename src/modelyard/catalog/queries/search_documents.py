"""What is indexed of a version and of a model, and under which terms.

A version's document holds only what is the version's own, and its model's term. What is the
model's is indexed once, in the model's document; search joins the two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from modelyard.catalog.queries.search_index import term_index
from modelyard.catalog.schema import file, label, model, version
from modelyard.core.terms import Term, document_terms, exact_term

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "branch_term",
    "format_term",
    "framework_term",
    "index_labels",
    "index_model",
    "index_version",
    "label_term",
    "label_text",
    "model_term",
    "unindex_model",
    "unindex_version",
    "version_terms",
]


def index_version(
    connection: sa.Connection,
    version_id: int,
    *,
    model_id: int,
    message: str,
    author: str,
    branch: str,
    framework: str = "",
    formats: Iterable[str] = (),
    paths: Iterable[str] = (),
    labels: Mapping[str, str] | None = None,
) -> None:
    """Make a new version findable; within the transaction that makes its row."""
    terms = version_terms(model_id, message, author, branch, framework, formats, paths)
    terms |= _label_terms(labels or {})
    term_index(connection).add(connection, "search_version", version_id, terms)


def index_model(
    connection: sa.Connection,
    model_id: int,
    name: str,
    description: str,
    labels: Mapping[str, str] | None = None,
) -> None:
    """Make a model findable: when it is made, renamed, described again or labelled at birth."""
    terms = document_terms(name) | document_terms(description) | _label_terms(labels or {})
    term_index(connection).add(connection, "search_model", model_id, terms)


def index_labels(
    connection: sa.Connection, model_id: int, number: int, labels: Mapping[str, str]
) -> None:
    """Make labels findable that were set on a version, or on the model (number 0).

    Whenever a row of `label` is made or changes. A label that is removed needs no call.
    """
    terms = _label_terms(labels)
    if not terms:
        return
    index = term_index(connection)
    if number == 0:
        index.add(connection, "search_model", model_id, terms)
        return
    version_id = connection.execute(
        sa.select(version.c.id).where(version.c.model_id == model_id, version.c.number == number)
    ).scalar_one()
    index.add(connection, "search_version", version_id, terms)


def unindex_version(connection: sa.Connection, version_id: int) -> None:
    """Forget a version whose rows go for good; call it while they are still there."""
    row = connection.execute(sa.select(version).where(version.c.id == version_id)).one_or_none()
    if row is None:
        return
    paths = connection.execute(sa.select(file.c.path).where(file.c.version_id == version_id))
    terms = version_terms(
        row.model_id, row.message, row.author, row.branch, row.framework, row.formats.split(),
        paths.scalars(),
    )  # fmt: skip
    terms |= _label_terms(_labels(connection, row.model_id, row.number))
    term_index(connection).remove(connection, "search_version", version_id, terms)


def unindex_model(connection: sa.Connection, model_id: int) -> None:
    """Forget a model whose row goes for good; call it while it is still there."""
    row = connection.execute(sa.select(model).where(model.c.id == model_id)).one_or_none()
    if row is None:
        return
    terms = document_terms(row.name) | document_terms(row.description)
    terms |= _label_terms(_labels(connection, model_id, 0))
    term_index(connection).remove(connection, "search_model", model_id, terms)


def version_terms(
    model_id: int,
    message: str,
    author: str,
    branch: str,
    framework: str,
    formats: Iterable[str],
    paths: Iterable[str],
) -> set[str]:
    """The terms of a version's document, labels aside."""
    terms = {model_term(model_id).text, branch_term(branch).text}
    terms |= document_terms(message)
    terms |= document_terms(author)
    for path in paths:
        terms |= document_terms(path)
    for name in formats:
        terms.add(format_term(name).text)
        terms |= document_terms(name)
    if framework:
        terms.add(framework_term(framework).text)
        terms |= document_terms(framework)
    return terms


def model_term(model_id: int) -> Term:
    """In the document of each version of the model."""
    return Term(f"qm{model_id}")


def branch_term(branch: str) -> Term:
    return Term(exact_term("b", branch))


def framework_term(framework: str) -> Term:
    return Term(exact_term("f", framework.casefold()))


def format_term(name: str) -> Term:
    return Term(exact_term("o", name.casefold()))


def label_term(key: str, value: str | None) -> Term:
    return Term(exact_term("k", key) if value is None else exact_term("l", label_text(key, value)))


def label_text(key: str, value: str) -> str:
    """A label as words find it."""
    return f"{key}={value}"


def _label_terms(labels: Mapping[str, str]) -> set[str]:
    terms: set[str] = set()
    for key, value in labels.items():
        terms |= {label_term(key, None).text, label_term(key, value).text}
        terms |= document_terms(label_text(key, value))
    return terms


def _labels(connection: sa.Connection, model_id: int, number: int) -> dict[str, str]:
    rows = connection.execute(
        sa.select(label.c.name, label.c.value).where(
            label.c.model_id == model_id, label.c.number == number
        )
    )
    return {row.name: row.value for row in rows}
