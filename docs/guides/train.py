"""Stands for your training: a small network on noisy patterns.

python train.py          trains it, into out/
python train.py tune     trains the last layer of the one in out/ further
python train.py wide     trains one with more hidden units
"""

import sys
from pathlib import Path

import numpy as np

mode = sys.argv[1] if len(sys.argv) > 1 else "first"
out = Path("out")
out.mkdir(exist_ok=True)

rng = np.random.default_rng(0)
kinds = rng.integers(0, 10, 2000)
pixels = rng.normal(size=(10, 64))[kinds] + 2.5 * rng.normal(size=(2000, 64))
wished = np.eye(10)[kinds]

if mode == "tune":
    layers = dict(np.load(out / "model.npz"))
else:
    width = 8192 if mode == "wide" else 4096
    layers = {
        "hidden.weight": rng.normal(size=(64, width)) / 8,
        "output.weight": np.zeros((width, 10)),
    }
hidden = np.maximum(pixels @ layers["hidden.weight"], 0)
for _ in range(40 if mode == "tune" else 5):
    scores = hidden @ layers["output.weight"]
    guess = np.exp(scores - scores.max(1, keepdims=True))
    guess /= guess.sum(1, keepdims=True)
    error = (guess - wished)[:1500] / 1500
    layers["output.weight"] = layers["output.weight"] - 0.002 * hidden[:1500].T @ error

np.savez(out / "model.npz", **{name: layer.astype("f4") for name, layer in layers.items()})
(out / "classes.txt").write_text("".join(f"{number}\n" for number in range(10)))
print("accuracy", np.mean(scores[1500:].argmax(1) == kinds[1500:]))
