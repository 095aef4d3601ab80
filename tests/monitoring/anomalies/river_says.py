"""Run by the Python of an environment with river: when ADWIN finds changes in some series."""

import json
import sys

from river.drift import ADWIN

found = []
for series in json.load(open(sys.argv[1])):  # noqa: SIM115
    adwin, changes = ADWIN(delta=0.002, clock=32, grace_period=10, min_window_length=5), []
    for place, value in enumerate(series):
        adwin.update(value)
        if adwin.drift_detected:
            changes.append(place)
    found.append({"changes": changes, "count": adwin.width, "mean": adwin.estimation,
                  "variance": adwin.variance})  # fmt: skip
print(json.dumps(found))
