"""MLflow logging and registering pipelines: FOLDER TIMES. Prints milliseconds of processor time."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import mlflow
import mlflow.sklearn
import sklearn
from tests.benchmarks.objects.pipelines import fitted

folder, times = Path(sys.argv[1]), int(sys.argv[2])
mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
mlflow.create_experiment("bench", artifact_location=(folder / "artifacts").as_uri())
mlflow.set_experiment("bench")
spent = []
for pipeline, _ in fitted(times):
    begun = time.process_time()
    with mlflow.start_run():
        mlflow.sklearn.log_model(
            pipeline, name="model", registered_model_name="model",
            pip_requirements=[f"scikit-learn=={sklearn.__version__}"],
        )  # fmt: skip
    spent.append((time.process_time() - begun) * 1000)
print(json.dumps(spent))
