"""Run where nannyml is: what its CBPE estimates of an `.npz` with a reference and traffic."""

import json
import sys
import warnings

import numpy as np
import pandas as pd

warnings.simplefilter("ignore")
import nannyml  # noqa: E402

MEASURES = ("accuracy", "precision", "recall", "f1", "roc_auc")


def frame(data, part):
    scores = data[f"{part}_scores"]
    found = pd.DataFrame({"p": scores, "said": (scores > 0.5).astype(int)})
    if f"{part}_truth" in data:
        found["truth"] = data[f"{part}_truth"]
    return found


with np.load(sys.argv[1]) as data:
    reference, traffic = frame(data, "reference"), frame(data, "traffic")
made = nannyml.CBPE(
    y_pred_proba="p", y_pred="said", y_true="truth", metrics=list(MEASURES),
    chunk_number=1, problem_type="classification_binary",
).fit(reference)  # fmt: skip
table = made.estimate(traffic).filter(period="analysis").to_df()
print(json.dumps({name: float(table[name]["value"].iloc[0]) for name in MEASURES}))
