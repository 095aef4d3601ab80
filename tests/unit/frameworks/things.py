"""Objects of no library, importable from the tests' folder so that they can be pickled."""

from __future__ import annotations

import numpy as np


class Line:
    """A straight line, learnt by least squares; attributes are its parameters."""

    def __init__(self, slope=2.0, intercept=1):
        self.slope = slope
        self.intercept = intercept
        self._secret = "hidden"
        self.table = {"no": "parameter"}

    def predict(self, rows):
        return np.asarray(rows)[:, 0] * self.slope + self.intercept

    def fit(self, rows, target):
        self.slope, self.intercept = np.polyfit(np.asarray(rows)[:, 0], target, 1)


class Picky(Line):
    """Has parameters of its own making."""

    def get_params(self):
        return {"slope": self.slope, "names": ["a", "b"], "bound": float("inf")}

    def set_params(self, **params):
        if params.get("slope", 0) < 0:
            raise ValueError("slopes go up")
        self.slope = params["slope"]


class Judge:
    """A classifier without a library."""

    classes_ = np.array(["no", "yes"])

    def predict(self, rows):
        return self.classes_[(np.asarray(rows)[:, 0] > 0).astype(int)]

    def predict_proba(self, rows):
        yes = (np.asarray(rows)[:, 0] > 0).astype(float)
        return np.column_stack([1 - yes, yes])


def double(rows):
    return np.asarray(rows)[:, 0] * 2


def one_number(_rows):
    return 3
