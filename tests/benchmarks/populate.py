"""Fill a catalog with made-up models and versions, and time searches over it.

`python tests/benchmarks/populate.py [VERSIONS [MODELS]]` prints the CPU time of each kind of query,
p50 and p95, in milliseconds; `--plans` adds SQLite's query plans.
"""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from modelyard.catalog import schema
from modelyard.catalog.engine import Catalog
from modelyard.catalog.migrate import migrate
from modelyard.catalog.queries.search import index_model, index_version, search
from modelyard.core.query import parse_query

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["NOW", "QUERIES", "cpu_times", "populate_catalog"]

NOW = 1_780_000_000_000_000
_WORDS = [
    "train",
    "epoch",
    "baseline",
    "tuned",
    "learning",
    "rate",
    "augment",
    "weights",
    "accuracy",
    "batch",
    "dropout",
    "head",
    "layer",
    "freeze",
    "warmup",
    "cosine",
    "schedule",
    "loader",
    "fix",
    "data",
    "clean",
    "tokenizer",
    "vision",
    "speech",
    "export",
]
_CHINESE = ["情感分析", "图像分类", "目标检测", "语音识别", "机器翻译", "学习率", "微调模型"]
_DOMAINS = ["nlp", "vision", "audio", "tabular", "medical", "finance"]
_FRAMEWORKS = ["sklearn", "torch", "keras", "xgboost", "lightgbm", "onnx"]
_FORMATS = ["safetensors", "onnx", "hdf5", "pickle"]
_FILES = {
    "safetensors": "model.safetensors",
    "onnx": "model.onnx",
    "hdf5": "weights/model.h5",
    "pickle": "model.pkl",
}
_PEOPLE = [f"{name}@example.com" for name in ("ann", "bob", "chen.wei", "dora", "eve", "farid")]
_BATCH = 2_000

QUERIES = {
    "everything": ["", "sort:created-asc"],
    "rare word": ["zebra", "quokka"],
    "common word": ["epoch", "baseline", "safetensors"],
    "two words": ["epoch cosine", "warmup zebra"],
    "word of a model": ["segmenter", "classifier"],
    "Chinese, two characters": ["情感", "翻译"],
    "short words": ["学", "lr", "h5"],
    "phrase": ['"learning rate"', '"rate learning"'],
    "label of versions": ["label:stage=gold", "label:run"],
    "label of models": ["label:domain=nlp", "label:team=t7"],
    "common word, rare label": ["epoch label:stage=gold", "baseline label:stage=gold"],
    "metric range": ["metric.accuracy>0.5", "metric.accuracy>0.9999", "metric.loss<0.01"],
    "metric, old versions only": ["metric.legacy>0.5"],
    "parameter": ["params.C=1.0", "params.kernel=rbf", "params.C>9.9"],
    "file glob": ["file:*.h5", "file:weights/*", "file:rare-*.bin"],
    "values": ["framework:torch", "format:onnx author:chen", "kind:dataset", "branch:main"],
    "alias": ["alias:champion", "tag:v1"],
    "time and size": ["created:>2026-01-01 size:<1MB", "size:>99GB", "updated:<7d"],
    "negation": ["-epoch", "epoch -baseline", "-label:domain=nlp", "-file:*.h5 vision"],
    "combined": [
        "epoch label:domain=nlp metric.accuracy>0.9 framework:torch",
        "label:domain=vision file:*.h5 metric.accuracy>0.99 -framework:keras",
        "name:model-7 message:warmup created:>2025-01-01",
    ],
    "no match": ["xylophone", "epoch xylophone", "label:no=thing", "framework:nothing", "name:qqq"],
    "sorted by metric": [
        "sort:metric.accuracy-desc",
        "epoch sort:metric.accuracy-desc",
        "zebra sort:metric.accuracy-asc",
        "label:domain=nlp metric.accuracy>0.5 sort:metric.accuracy-desc",
    ],
    "sorted otherwise": ["sort:size", "sort:name-asc", "epoch sort:updated", "sort:number"],
}  # fmt: skip


def populate_catalog(
    catalog: Catalog, *, versions: int = 100_000, models: int = 1_000, seed: int = 7
) -> None:
    """Rows as commits would leave them, without bytes; the catalog must be migrated and empty."""
    rng = random.Random(seed)
    catalog.write(lambda connection: _models(connection, rng, models, versions // models))
    numbers = [0] * (models + 1)
    for start in range(1, versions + 1, _BATCH):
        ids = range(start, min(start + _BATCH, versions + 1))
        rows = [_Version(rng, id, models, versions, numbers) for id in ids]
        catalog.write(partial(_insert, rows=rows))
    tidy = {"sqlite": "PRAGMA wal_checkpoint(TRUNCATE)", "postgresql": "ANALYZE"}
    with catalog.engine.connect() as connection:
        if connection.dialect.name in tidy:
            connection.exec_driver_sql(tidy[connection.dialect.name])
            connection.commit()


class _Version:
    """One made-up version."""

    def __init__(
        self, rng: random.Random, id: int, models: int, versions: int, numbers: list[int]
    ) -> None:
        self.id = id
        self.model_id = rng.randint(1, models)
        numbers[self.model_id] += 1
        self.number = numbers[self.model_id]
        self.message = f"run {id}: {' '.join(rng.choices(_WORDS, k=4))}"
        if rng.random() < 0.1:
            self.message += f" {rng.choice(_CHINESE)}"
        if id % 9_973 == 5:
            self.message += " zebra"
        if id == 17:
            self.message += " quokka"
        if rng.random() < 0.05:
            self.message += " learning rate lr=1e-3"
        self.author = rng.choice(_PEOPLE)
        self.framework = rng.choice(_FRAMEWORKS)
        self.format = rng.choice(_FORMATS)
        self.paths = [_FILES[self.format], "config.json", "README.md"]
        if id % 19_997 == 3:
            self.paths.append("rare-weights.bin")
        self.labels = {"run": f"r{id:07d}"} if rng.random() < 0.2 else {}
        if rng.random() < 0.0005:
            self.labels["stage"] = "gold"
        self.metrics = {"accuracy": rng.random(), "loss": rng.expovariate(1)}
        if id < versions // 20:
            self.metrics["legacy"] = rng.random()
        self.params: dict[str, tuple[str, float | None]] = {
            "C": (repr(c := round(rng.uniform(0, 10), 1)), c),
            "kernel": (rng.choice(['"rbf"', '"linear"']), None),
        }
        self.created = NOW - (versions - id) * 60_000_000
        self.size = int(rng.lognormvariate(16, 3))

    def row(self) -> dict[str, Any]:
        return {
            "id": self.id, "model_id": self.model_id, "number": self.number,
            "commit_id": self.id.to_bytes(20, "big"), "parents": str(self.number - 1 or ""),
            "branch": "main" if self.id % 10 else "dev", "author": self.author,
            "message": self.message, "created": self.created, "size": self.size,
            "new_bytes": self.size // 3, "files": len(self.paths), "formats": self.format,
            "framework": self.framework, "deleted": 0 if self.id % 101 else 1, "purged": False,
        }  # fmt: skip


def _whole(row: dict[str, Any]) -> dict[str, Any]:
    """With something in the columns that search does not look at."""
    fill = {int: 0, str: "", bytes: bytes(20), bool: False}
    for column in schema.version.c:
        if column.name not in row and not column.nullable:
            row[column.name] = fill[column.type.python_type]
    return row


def _models(connection: sa.Connection, rng: random.Random, models: int, each: int) -> None:
    for id in range(1, models + 1):
        noun = rng.choice(["segmenter", "classifier", "detector", "encoder"])
        name = f"team-{id % 20}/model-{id}-{noun}"
        about = f"A {noun} for {rng.choice(_DOMAINS)} {rng.choice(_CHINESE)}"
        labels = {"domain": _DOMAINS[id % 6], "team": f"t{id % 20}"}
        connection.execute(
            sa.insert(schema.model).values(
                id=id, name=name, kind="model" if id % 50 else "dataset", description=about,
                next_number=each, created=NOW, updated=NOW - id * 3_600_000_000,
                deleted=0 if id % 97 else 1,
            )
        )  # fmt: skip
        connection.execute(
            sa.insert(schema.label),
            [{"model_id": id, "number": 0, "name": key, "value": labels[key]} for key in labels],
        )
        refs = [
            {"model_id": id, "name": "champion", "kind": "alias", "number": 1 + each // 2},
            {"model_id": id, "name": "v1", "kind": "tag", "number": 1},
            {"model_id": id, "name": "main", "kind": "branch", "number": 1 + each // 2},
        ]
        connection.execute(sa.insert(schema.ref), refs)
        index_model(connection, id, name, about, labels)


def _insert(connection: sa.Connection, rows: list[_Version]) -> None:
    connection.execute(sa.insert(schema.version), [_whole(row.row()) for row in rows])
    _insert_all(
        connection, schema.label,
        [
            {"model_id": row.model_id, "number": row.number, "name": name, "value": value}
            for row in rows for name, value in row.labels.items()
        ],
    )  # fmt: skip
    _insert_all(
        connection, schema.metric,
        [
            {"version_id": row.id, "name": name, "value": value}
            for row in rows for name, value in row.metrics.items()
        ],
    )  # fmt: skip
    _insert_all(
        connection, schema.param,
        [
            {"version_id": row.id, "name": name, "value": value, "number": number}
            for row in rows for name, (value, number) in row.params.items()
        ],
    )  # fmt: skip
    _insert_all(
        connection, schema.file,
        [
            {"version_id": row.id, "path": path, "blob_id": 1}
            for row in rows for path in row.paths
        ],
    )  # fmt: skip
    for row in rows:
        index_version(
            connection, row.id, model_id=row.model_id, message=row.message, author=row.author,
            branch="main" if row.id % 10 else "dev", framework=row.framework,
            formats=[row.format], paths=row.paths, labels=row.labels,
        )  # fmt: skip


def _insert_all(connection: sa.Connection, table: sa.Table, rows: list[dict[str, Any]]) -> None:
    if rows:
        connection.execute(sa.insert(table), rows)


def cpu_times(catalog: Catalog, repeat: int = 5, limit: int = 30) -> Iterator[tuple[str, float]]:
    """(query, CPU seconds) of parsing and searching: first pages, then second pages."""
    for texts in QUERIES.values():
        for text in texts:
            for _ in range(repeat):
                after: str | None = None
                for page in (1, 2):
                    started = time.process_time()
                    with catalog.read() as connection:
                        query = parse_query(text)
                        _, after = search(connection, query, limit=limit, after=after, now=NOW)
                    yield f"{text} [page {page}]", time.process_time() - started
                    if after is None:
                        break


def _report(catalog: Catalog) -> None:
    list(cpu_times(catalog, repeat=1))  # warm
    times: dict[str, list[float]] = {}
    for text, seconds in cpu_times(catalog):
        times.setdefault(text, []).append(seconds * 1000)
    for text, each in times.items():
        print(f"{statistics.median(each):8.2f} {max(each):8.2f}  {text}")
    every = sorted(ms for each in times.values() for ms in each)
    print(f"queries {len(every)}  p50 {every[len(every) // 2]:.2f} ms", end="  ")
    print(f"p95 {every[int(len(every) * 0.95)]:.2f} ms  worst {every[-1]:.2f} ms")


def _explain(catalog: Catalog) -> None:
    def show(connection: Any, cursor: Any, statement: str, values: Any, *_rest: Any) -> None:
        if statement.startswith("SELECT"):
            for row in connection.connection.driver_connection.execute(
                f"EXPLAIN QUERY PLAN {statement}", values
            ):
                print("      ", row[3])
            print("       --")

    sa.event.listen(catalog.engine, "before_cursor_execute", show)
    for texts in QUERIES.values():
        for text in texts:
            print(f"== {text}")
            with catalog.read() as connection:
                search(connection, parse_query(text), limit=30, after=None, now=NOW)


def main(arguments: list[str]) -> None:
    numbers = [int(word) for word in arguments if word.isdigit()]
    versions, models = (numbers + [100_000, 1_000][len(numbers) :])[:2]
    with tempfile.TemporaryDirectory() as folder:
        catalog = Catalog.open(f"sqlite:///{folder}/catalog.db")
        migrate(catalog)
        started = time.process_time()
        populate_catalog(catalog, versions=versions, models=models)
        print(f"{versions} versions in {models} models: {time.process_time() - started:.1f} s CPU")
        _report(catalog)
        if "--plans" in arguments:
            _explain(catalog)


if __name__ == "__main__":
    main(sys.argv[1:])
