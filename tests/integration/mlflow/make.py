"""Fill an MLflow with what the tests import; run with a Python that has mlflow.

`python make.py TRACKING_URI FOLDER`; `mlruns` here was made by it with MLflow 3.17 (and
`MLFLOW_ALLOW_FILE_STORE=true`), its weights replaced by few bytes; `mlflow.sql` are the tables.
"""

import sys
import warnings
from pathlib import Path

import mlflow

warnings.simplefilter("ignore")
uri, root = sys.argv[1], Path(sys.argv[2])
mlflow.set_tracking_uri(uri)
mlflow.set_registry_uri(uri)
client = mlflow.MlflowClient(uri, uri)
experiment = client.create_experiment("e1")
name = "churn model"
client.create_registered_model(name, {"team": "risk", "a b": "c"}, "Who leaves us.")
folder = root / "made"
folder.mkdir()
for number in range(1, 4):
    run = client.create_run(experiment).info.run_id
    client.log_param(run, "C", 0.1 * number)
    client.log_param(run, "solver", "lbfgs")
    client.log_metric(run, "accuracy", 0.8 + number / 100, step=1)
    client.log_metric(run, "loss", float("nan"))
    (folder / "MLmodel").write_text(f"flavors: {{}}\nrun_id: {run}\n")
    (folder / "model.pkl").write_bytes(bytes(range(256)) * 200 + bytes([number]))
    client.log_artifacts(run, str(folder), "model")
    source = f"{client.get_run(run).info.artifact_uri}/model"
    client.create_model_version(
        name, source, run, tags={"quality": "good"}, description=f"try {number}"
    )
client.delete_model_version(name, "2")
client.set_registered_model_alias(name, "champion", "3")
client.set_registered_model_alias(name, "1234567", "1")
client.transition_model_version_stage(name, "1", "Production")
mlflow.register_prompt("greet", "hello {{x}}")
