"""KServe's Python server with both models: `served_kserve.py FOLDER PORT`."""

import sys
import uuid
from pathlib import Path

import joblib
import numpy as np
import onnxruntime as ort
from kserve import InferOutput, InferResponse, Model, ModelServer


class Onx(Model):
    def load(self):
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = ort.InferenceSession(str(FOLDER / "onx.onnx"), options)
        self.ready = True
        return True

    def predict(self, payload, headers=None, response_headers=None):
        rows = payload.inputs[0].as_numpy().astype("float32")
        label = self.session.run(["label"], {"X": rows})[0]
        output = InferOutput("label", list(label.shape), "INT64", data=label.tolist())
        return InferResponse(payload.id or uuid.uuid4().hex, self.name, [output])


class Sk(Model):
    def load(self):
        self.pipeline = joblib.load(FOLDER / "sk.joblib")
        self.ready = True
        return True

    def predict(self, payload, headers=None, response_headers=None):
        label = self.pipeline.predict(payload.inputs[0].as_numpy().astype("float32"))
        output = InferOutput(
            "label", list(label.shape), "INT64", data=label.astype(np.int64).tolist()
        )
        return InferResponse(payload.id or uuid.uuid4().hex, self.name, [output])


FOLDER = Path(sys.argv[1])
models = [Onx("onx"), Sk("sk")]
for model in models:
    model.load()
ModelServer(http_port=int(sys.argv[2]), enable_grpc=False, workers=1).start(models)
