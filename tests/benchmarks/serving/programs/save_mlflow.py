"""Both models as MLflow saves them: `save_mlflow.py FOLDER OUT`."""

import sys
from pathlib import Path

import joblib
import mlflow.onnx
import mlflow.sklearn
import onnx

folder, out = map(Path, sys.argv[1:])
options = {"providers": ["CPUExecutionProvider"], "session_options": {"intra_op_num_threads": 1}}
if not (out / "sk").exists():
    mlflow.onnx.save_model(
        onnx.load(folder / "onx.onnx"), out / "onx",
        onnx_execution_providers=options["providers"],
        onnx_session_options=options["session_options"],
    )  # fmt: skip
    mlflow.sklearn.save_model(
        joblib.load(folder / "sk.joblib"), out / "sk", serialization_format="cloudpickle"
    )
