"""Small random catalogs with queries, and what a plain Python filter finds in them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from hypothesis import strategies as st

from modelyard.catalog import schema
from modelyard.catalog.engine import Catalog
from modelyard.catalog.migrate import migrate
from modelyard.catalog.queries.search import (
    index_labels,
    index_model,
    index_version,
    search,
)
from modelyard.core.query import (
    Age,
    Condition,
    Date,
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
    Query,
    Sort,
    parse_query,
)
from modelyard.core.terms import caseless, fold

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


__all__ = [
    "HOUR",
    "NOW",
    "WORDS",
    "Model",
    "Shelf",
    "Version",
    "conditions",
    "some_models",
    "some_queries",
    "some_versions",
]

HOUR = 3_600_000_000
NOW = Date("2026-06-01").span()[0]


@dataclass
class Model:
    name: str
    description: str = ""
    kind: str = "model"
    updated: int = NOW
    deleted: bool = False
    labels: dict[str, str] = field(default_factory=dict)
    refs: dict[str, tuple[str, int]] = field(default_factory=dict)


@dataclass
class Version:
    model: int = 0
    message: str = ""
    author: str = "ann <ann@x>"
    branch: str = "main"
    framework: str = ""
    formats: tuple[str, ...] = ()
    paths: tuple[str, ...] = ("m.bin",)
    labels: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    params: dict[str, Any] = field(default_factory=dict)
    size: int = 1
    created: int = NOW
    deleted: bool = False


class Shelf:
    """A catalog and the same as plain values. Model and version ids count from 1."""

    def __init__(
        self, models: Sequence[Model], versions: Sequence[Version], catalog: Catalog | None = None
    ) -> None:
        self.models = models
        self.versions = versions
        self.numbers = [
            1 + sum(each.model == one.model for each in versions[:at])
            for at, one in enumerate(versions)
        ]
        self.catalog = catalog or Catalog.open("sqlite://")
        migrate(self.catalog)
        self.catalog.write(self._fill)

    def _fill(self, connection: sa.Connection) -> None:
        for id, model in enumerate(self.models, 1):
            insert = sa.insert(schema.model).values(
                id=id, name=model.name, kind=model.kind, description=model.description,
                next_number=9, created=0, updated=model.updated, deleted=int(model.deleted),
            )  # fmt: skip
            connection.execute(insert)
            index_model(connection, id, model.name, model.description)
            self._label(connection, id, 0, model.labels)
            for name, (kind, number) in model.refs.items():
                connection.execute(
                    sa.insert(schema.ref).values(model_id=id, name=name, kind=kind, number=number)
                )
        for id, (version, number) in enumerate(zip(self.versions, self.numbers, strict=True), 1):
            self._insert(connection, id, number, version)

    def _insert(self, connection: sa.Connection, id: int, number: int, version: Version) -> None:
        model_id = version.model + 1
        row: dict[str, Any] = {
            "id": id, "model_id": model_id, "number": number, "parents": "",
            "branch": version.branch, "author": version.author, "message": version.message,
            "created": version.created, "size": version.size, "files": len(version.paths),
            "formats": " ".join(version.formats), "framework": version.framework,
            "deleted": int(version.deleted),
        }  # fmt: skip
        empty = {int: 0, str: "", bytes: bytes(20), bool: False}
        for column in schema.version.c:
            if not column.nullable:
                row.setdefault(column.name, empty[column.type.python_type])
        connection.execute(sa.insert(schema.version).values(row))
        for path in version.paths:
            values = {"version_id": id, "path": path, "blob_id": 1}
            connection.execute(sa.insert(schema.file).values(values))
        for name, value in version.metrics.items():
            connection.execute(
                sa.insert(schema.metric).values(version_id=id, name=name, value=value)
            )
        for name, param in version.params.items():
            is_number = isinstance(param, (int, float)) and not isinstance(param, bool)
            values = {"version_id": id, "name": name, "value": json.dumps(param)}
            connection.execute(
                sa.insert(schema.param).values(**values, number=param if is_number else None)
            )
        index_version(
            connection, id, model_id=model_id, message=version.message, author=version.author,
            branch=version.branch, framework=version.framework, formats=version.formats,
            paths=version.paths,
        )  # fmt: skip
        self._label(connection, model_id, number, version.labels)

    def _label(
        self, connection: sa.Connection, model_id: int, number: int, labels: dict[str, str]
    ) -> None:
        for name, value in labels.items():
            connection.execute(
                sa.insert(schema.label).values(
                    model_id=model_id, number=number, name=name, value=value
                )
            )
        index_labels(connection, model_id, number, labels)

    def find(self, query: str | Query, limit: int = 1000) -> list[int]:
        """All pages, one after the other."""
        asked = parse_query(query) if isinstance(query, str) else query
        return [id for page in self.pages(asked, limit) for id in page]

    def pages(self, query: Query, limit: int) -> Iterator[list[int]]:
        after: str | None = None
        while True:
            with self.catalog.read() as connection:
                ids, after = search(connection, query, limit=limit, after=after, now=NOW)
            assert len(ids) <= limit
            yield ids
            if after is None:
                return
            assert len(ids) == limit

    # -- the same, plainly -----------------------------------------------------------------------

    def expected(self, query: Query) -> list[int]:
        ids = [
            id
            for id, version in enumerate(self.versions, 1)
            if not version.deleted
            and not self.models[version.model].deleted
            and all(self._fits(id, condition) for condition in query.conditions)
        ]
        ids.reverse()
        sort = query.sort
        if sort is None:
            return ids
        keyed = [(self._key(sort, id), id) for id in ids]
        have = sorted(
            (pair for pair in keyed if pair[0] is not None),
            key=lambda pair: pair[0],
            reverse=sort.descending,
        )
        return [id for _, id in have] + [id for key, id in keyed if key is None]

    def _key(self, sort: Sort, id: int) -> Any:
        version = self.versions[id - 1]
        model = self.models[version.model]
        if sort.metric is not None:
            return version.metrics.get(sort.metric)
        return {
            "created": version.created, "updated": model.updated, "name": model.name,
            "size": version.size, "number": self.numbers[id - 1],
        }[sort.key]  # fmt: skip

    def _fits(self, id: int, condition: Condition | Not) -> bool:
        version = self.versions[id - 1]
        model = self.models[version.model]
        number = self.numbers[id - 1]
        labels = [*model.labels.items(), *version.labels.items()]
        match condition:
            case Not(inner):
                return not self._fits(id, inner)
            case HasWord(text):
                texts = [
                    model.name, model.description, version.message, version.author,
                    version.framework, *version.formats, *version.paths,
                    *(f"{key}={value}" for key, value in labels),
                ]  # fmt: skip
                return any(fold(text) in fold(each) for each in texts)
            case HasText(name, text):
                where: Any = model if name in ("name", "description") else version
                return fold(text) in fold(getattr(where, name))
            case HasValue("framework", value):
                return version.framework == value
            case HasValue("format", value):
                return value in version.formats
            case HasValue("kind", value):
                return model.kind == value
            case HasValue("branch", value):
                return version.branch == value or model.refs.get(value) == ("branch", number)
            case PointedBy(kind, name):
                return model.refs.get(name) == (kind, number)
            case HasLabel(key, value):
                return any(key == k and value in (None, v) for k, v in labels)
            case HasMetric(name, compare, value):
                return name in version.metrics and _compare(version.metrics[name], compare, value)
            case HasParam(name, compare, text):
                return name in version.params and _param(version.params[name], compare, text)
            case HasSize(compare, size):
                return _compare(version.size, compare, size)
            case FileGlob(glob):
                return any(
                    _glob(part, caseless(glob))
                    for path in map(caseless, version.paths)
                    for part in (path, path.rpartition("/")[2])
                )
            case HasTime(name, compare, Age() as age):
                time = version.created if name == "created" else model.updated
                return _compare(NOW - time, compare, age.microseconds())
            case HasTime(name, compare, Date() as date):
                time = version.created if name == "created" else model.updated
                start, end = date.span()
                order = -1 if time < start else 1 if time >= end else 0
                return _compare(order, compare, 0)
        raise AssertionError(condition)


def _compare(have: float, compare: str, want: float) -> bool:
    return {
        "=": have == want, "!=": have != want, "<": have < want, "<=": have <= want,
        ">": have > want, ">=": have >= want,
    }[compare]  # fmt: skip


def _param(have: Any, compare: str, text: str) -> bool:
    is_number = isinstance(have, (int, float)) and not isinstance(have, bool)
    try:
        want: float | None = float(text)
    except ValueError:
        want = None
    if compare not in ("=", "!="):
        return is_number and want is not None and _compare(have, compare, want)
    same = have == want if is_number else text in (have, json.dumps(have).strip('"'))
    return same == (compare == "=")


def _glob(text: str, glob: str) -> bool:
    if not glob:
        return not text
    if glob[0] == "*":
        return any(_glob(text[at:], glob[1:]) for at in range(len(text) + 1))
    return bool(text) and glob[0] in ("?", text[0]) and _glob(text[1:], glob[1:])


# -- random catalogs -------------------------------------------------------------------------------

WORDS = ["res", "net", "resnet", "nn", "a", "情感", "感", "模型v2", "ＮＥＴ", "né", "x_y", "50%"]
_text = st.lists(st.sampled_from(WORDS), max_size=4).flatmap(
    lambda words: st.sampled_from([" ", "", "  ", "\n"]).map(lambda gap: gap.join(words))
)
_name = st.sampled_from(["domain", "use", "acc"])
_label_values = st.sampled_from(["nlp", "cv", "", "情感"])
_labels = st.dictionaries(_name, _label_values, max_size=2)
_numbers = st.sampled_from([-1.0, 0.0, 0.5, 0.9, 1.0, 2.0])
_paths = st.sampled_from(
    ["m.h5", "w/M.H5", "a b.bin", "a  b.bin", "net/情感.onnx", "né.txt", "nn", "w/nn/x"]
)
_times = st.integers(-3, 3).map(lambda days: NOW - days * 24 * HOUR)
_refs = st.dictionaries(
    st.sampled_from(["champion", "v1", "main", "dev"]),
    st.tuples(st.sampled_from(["alias", "tag", "branch"]), st.integers(1, 3)),
    max_size=2,
)
some_models = st.lists(
    st.builds(
        Model, name=st.sampled_from(["resnet", "team/net", "b"]), description=_text,
        kind=st.sampled_from(["model", "dataset"]), updated=_times,
        deleted=st.sampled_from([False, False, True]), labels=_labels, refs=_refs,
    ),
    min_size=3, max_size=3, unique_by=lambda model: model.name,
)  # fmt: skip
some_versions = st.lists(
    st.builds(
        Version, model=st.integers(0, 2), message=_text,
        author=st.sampled_from(["ann <ann@x>", "李雷", "née"]),
        branch=st.sampled_from(["main", "dev"]), framework=st.sampled_from(["", "torch", "keras"]),
        formats=st.sampled_from([(), ("onnx",), ("hdf5", "onnx")]),
        paths=st.lists(_paths, max_size=2, unique=True).map(tuple), labels=_labels,
        metrics=st.dictionaries(_name, _numbers, max_size=2),
        params=st.dictionaries(_name, st.sampled_from([1, 0.5, "rbf", True]), max_size=2),
        size=st.sampled_from([1, 1000, 10**6]), created=_times,
        deleted=st.sampled_from([False, False, False, True]),
    ),
    max_size=12,
)  # fmt: skip
_order = st.sampled_from(["=", "!=", "<", "<=", ">", ">="])
conditions: st.SearchStrategy[Condition] = st.one_of(
    st.builds(HasWord, st.sampled_from([*WORDS, "s r", "net res", "h5", "domain=n", "t", "感 模"])),
    st.builds(
        HasText,
        st.sampled_from(["name", "description", "message", "author"]),
        st.sampled_from([*WORDS, "net res", "nn", "李", "e"]),
    ),
    st.builds(HasValue, st.just("framework"), st.sampled_from(["torch", "none"])),
    st.builds(HasValue, st.just("format"), st.sampled_from(["onnx", "onn", "hdf5"])),
    st.builds(HasValue, st.just("kind"), st.sampled_from(["model", "dataset"])),
    st.builds(HasValue, st.just("branch"), st.sampled_from(["main", "dev", "v1"])),
    st.builds(PointedBy, st.sampled_from(["alias", "tag"]), st.sampled_from(["champion", "v1"])),
    st.builds(HasLabel, _name, st.none() | _label_values),
    st.builds(HasMetric, _name, _order, _numbers),
    st.builds(HasParam, _name, _order, st.sampled_from(["1", "0.5", "1.0"])),
    st.builds(
        HasParam, _name, st.sampled_from(["=", "!="]), st.sampled_from(["rbf", "true", "null"])
    ),
    st.builds(
        FileGlob,
        st.sampled_from(
            ["*.h5", "M.h5", "w/*", "a?b*", "a b.*", "*情*", "n?.txt", "*", "??", "n*"]
        ),
    ),
    st.builds(HasSize, _order, st.sampled_from([1, 1000, 5000])),
    st.builds(
        HasTime,
        st.sampled_from(["created", "updated"]),
        _order,
        st.sampled_from([Date("2026-06-01"), Date("2026-05"), Date("2026")]),
    ),
    st.builds(
        HasTime,
        st.sampled_from(["created", "updated"]),
        st.sampled_from(["<", "<=", ">", ">="]),
        st.builds(Age, st.integers(0, 3), st.just("d")),
    ),
)
some_queries = st.builds(
    Query,
    st.lists(conditions | st.builds(Not, conditions), max_size=3).map(tuple),
    st.none()
    | st.builds(
        Sort,
        st.sampled_from(["created", "updated", "name", "size", "number", "metric.acc"]),
        st.booleans(),
    ),
)
