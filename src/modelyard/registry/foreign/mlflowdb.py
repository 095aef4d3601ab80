"""An MLflow SQLite database, opened to be read only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import sqlalchemy as sa

from modelyard.core.sqlite import sqlite3
from modelyard.errors import InvalidInput
from modelyard.registry.foreign.localfiles import LocalFiles
from modelyard.registry.foreign.tracking import DELETED, Registered, Run, TrackedVersion

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

__all__ = ["DatabaseTracking"]

_TABLES = ("registered_models", "model_versions")


class DatabaseTracking:
    """Reads `mlflow.db`. InvalidInput: `bad-mlflow` if the file is none.

    Its files are looked for in the database's own folder.
    """

    def __init__(self, file: Path) -> None:
        self._files = LocalFiles(file.parent)
        self.shown = str(file)
        address = f"file:{quote(str(file))}?mode=ro"
        self._engine = sa.create_engine(
            "sqlite://", creator=lambda: sqlite3.connect(address, uri=True), poolclass=sa.NullPool
        )
        try:
            tables = set(sa.inspect(self._engine).get_table_names())
        except sa.exc.DatabaseError:
            tables = set()
        if not tables.issuperset(_TABLES):
            raise InvalidInput(
                "bad-mlflow", f"{file} is no database of MLflow",
                hint="name a folder mlruns, a file mlflow.db, or the URL of a tracking server",
            )  # fmt: skip
        self._tables = tables

    def close(self) -> None:
        self._engine.dispose()

    def models(self, name: str | None) -> Iterator[Registered]:
        for row in self._rows("registered_models", order="name"):
            if name in (None, row["name"]):
                yield self._model(row)

    def run(self, key: str) -> Run | None:
        rows = self._rows("runs", run_uuid=key)
        if not rows:
            return None
        tags = self._pairs("tags", run_uuid=key)
        metrics = {
            str(row["key"]): float("nan") if row.get("is_nan") else float(row["value"])
            for row in self._rows("latest_metrics", run_uuid=key)
        }
        return Run(
            user=tags.get("mlflow.user") or _text(rows[0].get("user_id")),
            place=_text(rows[0].get("artifact_uri")), params=self._pairs("params", run_uuid=key),
            metrics=metrics,
        )  # fmt: skip

    def logged(self, key: str) -> Run | None:
        rows = self._rows("logged_models", model_id=key)
        if not rows:
            return None
        found = self._rows("logged_model_metrics", order="metric_timestamp_ms", model_id=key)
        return Run(
            place=_text(rows[0]["artifact_location"]),
            params={
                str(row["param_key"]): _text(row["param_value"])
                for row in self._rows("logged_model_params", model_id=key)
            },
            metrics={
                str(row["metric_name"]): float(row["metric_value"])
                for row in found
                if row["metric_value"] is not None
            },
        )

    def files(self, place: str) -> Mapping[str, tuple[str, int]] | str:
        return self._files.files(place)

    def read(self, key: str, room: Path) -> bytes | Path | None:
        return self._files.read(key)

    def _model(self, row: Mapping[str, Any]) -> Registered:
        name = row["name"]
        versions = [
            self._version(version) for version in self._rows("model_versions", "version", name=name)
        ]
        return Registered(
            name=name, description=_text(row.get("description")),
            tags=self._pairs("registered_model_tags", name=name),
            aliases={
                str(alias["alias"]): int(alias["version"])
                for alias in self._rows("registered_model_aliases", "alias", name=name)
            },
            versions=tuple(version for version in versions if version.stage != DELETED),
        )  # fmt: skip

    def _version(self, row: Mapping[str, Any]) -> TrackedVersion:
        source = _text(row.get("source"))
        return TrackedVersion(
            number=int(row["version"]), created=int(row.get("creation_time") or 0),
            user=_text(row.get("user_id")), description=_text(row.get("description")),
            stage=_text(row.get("current_stage")), source=source,
            place=_text(row.get("storage_location")) or source, run=_text(row.get("run_id")),
            model_id=_text(row.get("model_id")) or _model_id(source),
            tags=self._pairs("model_version_tags", name=row["name"], version=row["version"]),
        )  # fmt: skip

    def _pairs(self, table: str, **where: object) -> dict[str, str]:
        return {str(row["key"]): _text(row["value"]) for row in self._rows(table, "key", **where)}

    def _rows(self, table: str, order: str = "", **where: object) -> Sequence[Mapping[str, Any]]:
        """All columns, since each release of MLflow has others."""
        if table not in self._tables:
            return []
        statement = sa.select(sa.text("*")).select_from(sa.table(table))
        for name, value in where.items():
            statement = statement.where(sa.column(name) == value)
        if order:
            statement = statement.order_by(sa.column(order))
        with self._engine.connect() as connection:
            return [dict(row) for row in connection.execute(statement).mappings()]


def _model_id(source: str) -> str:
    name = source.removeprefix("models:/")
    return name if source.startswith("models:/m-") else ""


def _text(value: object) -> str:
    return "" if value is None else str(value)
