"""Ray Serve with both models and its own HTTP proxy: `served_ray.py FOLDER PORT`."""

import os
import sys
import time
from pathlib import Path

os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_raylet_start_wait_time_s": "120"}
import joblib
import numpy as np
import onnxruntime as ort
import ray
from ray import serve
from starlette.requests import Request

FOLDER = Path(sys.argv[1])


@serve.deployment(num_replicas=1, max_ongoing_requests=128, ray_actor_options={"num_cpus": 0.5})
class Onx:
    def __init__(self, folder: str) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = ort.InferenceSession(f"{folder}/onx.onnx", options)

    async def __call__(self, request: Request) -> dict:
        rows = np.array((await request.json())["rows"], "float32")
        return {"label": self.session.run(["label"], {"X": rows})[0].tolist()}


@serve.deployment(num_replicas=1, max_ongoing_requests=128, ray_actor_options={"num_cpus": 0.5})
class Sk:
    def __init__(self, folder: str) -> None:
        self.pipeline = joblib.load(f"{folder}/sk.joblib")

    @serve.batch(max_batch_size=64, batch_wait_timeout_s=0.005)
    async def together(self, rows: list) -> list:
        return self.pipeline.predict(np.concatenate(rows)).tolist()

    async def __call__(self, request: Request) -> dict:
        rows = np.array((await request.json())["rows"], "float32")
        return {"label": [await self.together(rows)]}


ray.init(num_cpus=2, include_dashboard=False, _node_ip_address="127.0.0.1")
serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[2])})
serve.run(Onx.bind(str(FOLDER)), name="onx", route_prefix="/onx")
serve.run(Sk.bind(str(FOLDER)), name="sk", route_prefix="/sk")
while True:
    time.sleep(1)
