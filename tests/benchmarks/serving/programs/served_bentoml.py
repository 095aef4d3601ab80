"""A service of BentoML with both models: `bentoml serve served_bentoml:Digits`."""

import os
from pathlib import Path

import bentoml
import joblib
import numpy as np
import onnxruntime as ort

FOLDER = Path(os.environ["BENCH_MODELS"])


@bentoml.service(workers=1, traffic={"timeout": 60})
class Digits:
    def __init__(self) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = ort.InferenceSession(str(FOLDER / "onx.onnx"), options)
        self.pipeline = joblib.load(FOLDER / "sk.joblib")

    @bentoml.api
    def onx(self, rows: np.ndarray) -> np.ndarray:
        return self.session.run(["label"], {"X": rows.astype("float32")})[0]

    @bentoml.api(batchable=True)
    def sk(self, rows: np.ndarray) -> np.ndarray:
        return self.pipeline.predict(rows.astype("float32"))
