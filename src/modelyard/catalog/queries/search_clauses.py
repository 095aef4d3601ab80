"""Conditions as what each can offer to a search: index terms, SQL, a list of ids, a closer look.

Invariant: a version that fits a condition matches `match`, meets `where` and `sweep` and is among
`ids`, each where given. What these don't decide, `check` does; without `check`, `where` is exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from modelyard.catalog.queries import search_documents as documents
from modelyard.catalog.queries.search_index import term_index
from modelyard.catalog.queries.search_predicates import (
    OPERATORS,
    escaped,
    exists,
    measured,
    param_test,
    pointed_by,
    time_test,
)
from modelyard.catalog.schema import file, label, metric, model, param, version
from modelyard.core.query import (
    Condition,
    FileGlob,
    HasLabel,
    HasMetric,
    HasParam,
    HasSize,
    HasText,
    HasTime,
    HasValue,
    HasWord,
    Not,
    PointedBy,
)
from modelyard.core.terms import Term, caseless, fold, query_terms

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelyard.catalog.queries.search_index import AnyOf, Found, TermIndex, Truth
    from modelyard.catalog.queries.search_seen import ModelText, Seen, Sight

__all__ = ["Clause", "Clauses", "of_models"]

_MODELS_LISTED = 64
"""Up to so many models are named one by one in an index search."""
_TERMS = 8
"""Terms looked up for one word; more make it slower, hardly sharper."""


@dataclass(frozen=True, slots=True)
class Clause:
    """What one condition offers."""

    match: AnyOf | None = None
    """Alternatives in the index; none at all: nothing fits."""
    where: Truth | None = None
    sweep: Callable[[Found], Truth] | None = None
    """A condition on rows that is worth its price only if no index leads; given the documents
    of versions that match, within the bounds of the sweep."""
    sweep_match: AnyOf = ()
    ids: sa.Select[int] | None = None
    check: Callable[[Seen], bool] | None = None


class Clauses:
    """Makes clauses; asks the catalog which models fit a condition by their own text."""

    def __init__(self, connection: sa.Connection, sight: Sight, now: int) -> None:
        self._connection = connection
        self._index: TermIndex = term_index(connection)
        self._sight = sight
        self._now = now

    def of(self, condition: Condition | Not) -> Clause:
        match condition:
            case Not(inner):
                return self._negated(inner)
            case HasWord(text):
                return self._word(fold(text))
            case HasText(field="name" | "description"):
                return self._model_text(condition)
            case HasText():
                return self._version_text(condition)
            case HasValue():
                return self._value(condition)
            case HasLabel():
                return self._label(condition)
            case PointedBy(field, name):
                return _listing(*pointed_by(field, name))
            case HasMetric(name, compare, value):
                test = OPERATORS[compare](metric.c.value, value)
                return _listing(*measured(metric, name, test))
            case HasParam(name):
                return _listing(*measured(param, name, param_test(condition)))
            case HasSize(compare, size):
                return Clause(where=OPERATORS[compare](version.c.size, size))
            case HasTime():
                return self._time(condition)
            case FileGlob(glob):
                return self._file(caseless(glob))

    # -- text ------------------------------------------------------------------------------------

    def _word(self, word: str) -> Clause:
        terms = _some(query_terms(word))
        models = self._fitting_models((terms,), lambda text: text.has(word))
        if models is not None:
            own = tuple((documents.model_term(id),) for id in models)
            return Clause(match=(terms, *own), check=lambda seen: seen.has(word))
        found = self._index.find("search_model", ((terms,),))
        in_model = version.c.model_id.in_(sa.select(found.id).where(found.matches))
        return Clause(
            sweep=lambda own: sa.or_(
                in_model, version.c.id.in_(sa.select(own.id).where(own.matches))
            ),
            sweep_match=(terms,),
            check=lambda seen: seen.has(word),
        )

    def _model_text(self, condition: HasText) -> Clause:
        word = fold(condition.text)
        fits = _model_test(condition.field, word)
        match = (_some(query_terms(word)),)
        models = self._fitting_models(match, fits)
        if models is not None:
            return of_models(models)
        found = self._index.find("search_model", (match,))
        return Clause(
            where=version.c.model_id.in_(sa.select(found.id).where(found.matches)),
            check=lambda seen: fits(seen.model),
        )

    def _version_text(self, condition: HasText) -> Clause:
        word = fold(condition.text)
        column = version.c[condition.field]
        pattern = f"%{escaped(word).replace(' ', '%')}%"
        name = condition.field
        return Clause(
            match=(_some(query_terms(word)),),
            where=self._index.may_contain(column, pattern) if word.isascii() else None,
            check=lambda seen: word in fold(getattr(seen.row, name)),
        )

    def _fitting_models(self, match: AnyOf, fits: Callable[[ModelText], bool]) -> list[int] | None:
        """The models whose text fits; None if there are too many to name."""
        found = self._index.find("search_model", (match,))
        ids = self._listed(sa.select(found.id).select_from(found.source).where(found.matches))
        if ids is None:
            return None
        texts = self._sight.models(ids)
        return [id for id in ids if id in texts and fits(texts[id])]

    def _listed(self, ids: sa.Select[int]) -> list[int] | None:
        listed = list(self._connection.scalars(ids.limit(_MODELS_LISTED + 1)))
        return listed if len(listed) <= _MODELS_LISTED else None

    def _file(self, glob: str) -> Clause:
        parts = [part for part in glob.replace("?", "*").split("*") if part.strip()]
        terms = [term for part in parts for term in query_terms(part)]
        terms = [term for term in terms if not term.prefix] or terms[:1]
        where: Truth | None = None
        if glob.isascii():
            fits = sa.or_(
                self._index.may_contain(file.c.path, _like(glob)),
                self._index.may_contain(file.c.path, f"%/{_like(glob)}"),
            )
            where = exists(file, file.c.version_id == version.c.id, fits)
        return Clause(
            match=(_some(tuple(terms)),) if terms else None,
            where=where,
            check=lambda seen: seen.has_file(glob),
        )

    # -- values ----------------------------------------------------------------------------------

    def _value(self, condition: HasValue) -> Clause:
        value = condition.value
        match condition.field:
            case "framework":
                return Clause(
                    match=((documents.framework_term(value),),),
                    where=sa.func.lower(version.c.framework) == value,
                )
            case "format":
                return Clause(
                    match=((documents.format_term(value),),),
                    where=(sa.literal(" ") + sa.func.lower(version.c.formats) + " ").like(
                        f"% {escaped(value)} %", escape="\\"
                    ),
                )
            case "branch":
                return self._branch(value)
            case "kind":
                fitting = sa.select(model.c.id).where(model.c.kind == value)
                models = self._listed(fitting)
                if models is not None:
                    return of_models(models)
                return Clause(where=version.c.model_id.in_(fitting))

    def _branch(self, name: str) -> Clause:
        points, ids = pointed_by("branch", name)
        where = sa.or_(version.c.branch == name, points)
        elsewhere = ids.where(version.c.branch != name).limit(1)
        if self._connection.execute(elsewhere).first() is not None:
            return Clause(where=where)
        return Clause(match=((documents.branch_term(name),),), where=where)

    def _label(self, condition: HasLabel) -> Clause:
        wanted = [label.c.name == condition.key]
        if condition.value is not None:
            wanted.append(label.c.value == condition.value)
        where = exists(
            label,
            label.c.model_id == version.c.model_id,
            label.c.number.in_((0, version.c.number)),
            *wanted,
        )
        models = self._listed(sa.select(label.c.model_id).where(*wanted, label.c.number == 0))
        if models is None:
            return Clause(where=where)
        own = tuple((documents.model_term(id),) for id in models)
        term = documents.label_term(condition.key, condition.value)
        return Clause(match=((term,), *own), where=where)

    def _time(self, condition: HasTime) -> Clause:
        column = version.c.created if condition.field == "created" else model.c.updated
        test = time_test(column, condition, self._now)
        if condition.field == "created":
            return Clause(where=test)
        return Clause(where=version.c.model_id.in_(sa.select(model.c.id).where(test)))

    # -- negation --------------------------------------------------------------------------------

    def _negated(self, condition: Condition) -> Clause:
        clause = self.of(condition)
        check = clause.check
        if check is None:
            return Clause(where=sa.true() if clause.where is None else sa.not_(clause.where))
        return Clause(where=self._certainly_not(condition), check=lambda seen: not check(seen))

    def _certainly_not(self, condition: Condition) -> Truth | None:
        """Leaves out rows that fit the condition for sure, so that few need a closer look."""
        match condition:
            case HasText(field="message" | "author", text=text):
                columns = [version.c[condition.field]]
            case HasWord(text):
                columns = [version.c.message, version.c.author, version.c.framework]
            case FileGlob(glob) if glob.isascii():
                sure = self._index.contains(file.c.path, _like(glob))
                return sa.not_(exists(file, file.c.version_id == version.c.id, sure))
            case _:
                return None
        word = fold(text)
        if not word.isascii():
            return None
        pattern = f"%{escaped(word)}%"
        return sa.not_(sa.or_(*(self._index.contains(column, pattern) for column in columns)))


def of_models(ids: list[int]) -> Clause:
    """Versions of these models."""
    return Clause(
        match=tuple((documents.model_term(id),) for id in ids),
        where=version.c.model_id.in_(ids),
    )


def _listing(where: Truth, ids: sa.Select[int]) -> Clause:
    return Clause(where=where, ids=ids)


def _model_test(field: str, word: str) -> Callable[[ModelText], bool]:
    return lambda text: word in fold(getattr(text, field))


def _some(terms: tuple[Term, ...]) -> tuple[Term, ...]:
    if len(terms) <= _TERMS:
        return terms
    return tuple(terms[at * (len(terms) - 1) // (_TERMS - 1)] for at in range(_TERMS))


def _like(glob: str) -> str:
    return escaped(glob).replace("*", "%").replace("?", "_")
