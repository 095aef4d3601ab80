"""`predict` of one row, over and over: `loop_sklearn.py FOLDER` writes how often a second."""

import json
import sys
import time
from pathlib import Path

import joblib
import numpy as np

folder = Path(sys.argv[1])
pipeline = joblib.load(folder / "sk.joblib")
row = np.array([json.loads((folder / "row.json").read_text())], "float32")
for _ in range(200):
    pipeline.predict(row)
rates = []
for _ in range(3):
    began, count = time.perf_counter(), 0
    while time.perf_counter() - began < 1.0:
        pipeline.predict(row)
        count += 1
    rates.append(count / (time.perf_counter() - began))
print(sorted(rates)[1])
