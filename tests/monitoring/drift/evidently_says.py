"""Run by an environment that has Evidently: what its drift preset says of two samples.

`python evidently_says.py FILE.npz METHOD...`: by method, each column's score, and the CPU seconds
of one report (nothing is imported, loaded or drawn in them). `default` is what Evidently chooses.
"""

import json
import sys
import time
import warnings

import numpy as np
import pandas as pd
from evidently import Report
from evidently.presets import DataDriftPreset

warnings.simplefilter("ignore")


def main(file, *methods):
    kept = np.load(file)
    names = [f"x{i}" for i in range(kept["window"].shape[1])]
    window, reference = (
        pd.DataFrame(kept[name], columns=names) for name in ("window", "reference")
    )
    found = {}
    for method in methods:
        chosen = {} if method == "default" else {"num_method": method}
        start = time.process_time()
        told = Report([DataDriftPreset(**chosen)]).run(window, reference).dict()
        seconds = time.process_time() - start
        scores = {
            metric["config"]["column"]: float(metric["value"])
            for metric in told["metrics"]
            if "column" in metric["config"]
        }
        found[method] = {"seconds": seconds, "scores": [scores[name] for name in names]}
    print(json.dumps(found))


main(*sys.argv[1:])
