"""LitServe with both models: `served_litserve.py FOLDER PORT`."""

import sys

import joblib
import litserve
import numpy as np
import onnxruntime as ort

FOLDER = sys.argv[1]


class Onx(litserve.LitAPI):
    def setup(self, device):
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = ort.InferenceSession(f"{FOLDER}/onx.onnx", options)

    def decode_request(self, request):
        return np.array(request["rows"], "float32")

    def predict(self, rows):
        return self.session.run(["label"], {"X": rows})[0]

    def encode_response(self, label):
        return {"label": label.tolist()}


class Sk(Onx):
    def setup(self, device):
        self.pipeline = joblib.load(f"{FOLDER}/sk.joblib")

    def predict(self, rows):
        return self.pipeline.predict(rows)


if __name__ == "__main__":
    apis = [Onx(api_path="/onx"), Sk(api_path="/sk")]
    litserve.LitServer(apis, accelerator="cpu").run(
        host="127.0.0.1", port=int(sys.argv[2]), generate_client_file=False
    )
