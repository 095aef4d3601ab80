"""MLflow without a server: push STORE FILE NOTE | pull STORE NOTE DEST_FOLDER."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import mlflow

EXPERIMENT = "bench"


def push(store: str, file: str, note: str) -> None:
    if mlflow.get_experiment_by_name(EXPERIMENT) is None:
        mlflow.create_experiment(EXPERIMENT, artifact_location=Path(store, "artifacts").as_uri())
    mlflow.set_experiment(EXPERIMENT)
    with mlflow.start_run() as run:
        mlflow.log_artifact(file)
    Path(note).write_text(f"{run.info.artifact_uri}/{Path(file).name}")


def pull(_store: str, note: str, dest: str) -> None:
    uri = Path(note).read_text()
    mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=dest)


start = time.perf_counter()
mlflow.set_tracking_uri(f"sqlite:///{sys.argv[2]}/mlflow.db")
{"push": push, "pull": pull}[sys.argv[1]](*sys.argv[2:])
print(json.dumps({"inside": time.perf_counter() - start}))
