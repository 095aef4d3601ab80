"""LightGBM's text models checked line by line before its C++ code reads them.

That code trusts what it reads: half of the files with one wrong byte end the process. So only what
LightGBM itself writes is let through: known lines, each once, with the right number of numbers.
"""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np

from modelyard.errors import InvalidInput
from modelyard.formats.reading import bad, printable
from modelyard.frameworks.lightgbm.trees import KIND, Tree, check_links, require

__all__ = ["FOREIGN", "check_model"]

FOREIGN = frozenset({
    "config", "convert_model", "data", "forcedbins_filename", "forcedsplits_filename",
    "initscore_filename", "input_model", "local_listen_port", "machine_list_filename", "machines",
    "num_machines", "output_model", "output_result", "parser_config_file", "plugin", "save_binary",
    "snapshot_freq", "task", "valid", "valid_data_initscores",
})  # fmt: skip
"""Parameters that name files or other machines, not how to learn."""

_HEAD = frozenset({
    "version", "num_class", "num_tree_per_iteration", "label_index", "max_feature_idx",
    "objective", "feature_names", "monotone_constraints", "feature_infos", "tree_sizes",
})  # fmt: skip
_NEEDED = _HEAD - {"objective", "monotone_constraints"}
_OBJECTIVES = frozenset({
    "regression", "regression_l1", "quantile", "huber", "fair", "poisson", "binary", "lambdarank",
    "rank_xendcg", "multiclass", "multiclassova", "cross_entropy", "cross_entropy_lambda", "mape",
    "gamma", "tweedie", "custom",
})  # fmt: skip
_OPTION = re.compile(r"sqrt|[a-z_]{1,30}:[0-9.eE+-]{1,30}", re.ASCII)
_INFO = re.compile(r"none|\[[^\s\]]{1,80}:[^\s\]]{1,80}\]|-?\d{1,10}(:-?\d{1,10})*", re.ASCII)
_FEATURES = 1 << 26


def check_model(data: bytes) -> None:
    """Refuse what could harm the process that loads it. InvalidInput: `not-loadable`."""
    try:
        _check(data)
    except InvalidInput as error:
        raise bad(KIND, error.message) from None
    except (UnicodeDecodeError, OverflowError, MemoryError, RecursionError) as error:
        raise bad(KIND, f"the model can't be read: {printable(str(error))}") from None


def _check(data: bytes) -> None:
    require(data.startswith(b"tree\n"), "the file is no LightGBM model")
    require(b"\0" not in data and b"\r" not in data, "there are control characters in the file")
    head, mark, rest = data.partition(b"\n\n")
    require(mark, "the file ends in its head")
    values = _check_head(head.decode("utf-8"))
    sizes = _numbers(values["tree_sizes"], "tree_sizes")
    features = _number(values["max_feature_idx"], "max_feature_idx", 0, _FEATURES) + 1
    per_round = _number(values["num_tree_per_iteration"], "num_tree_per_iteration", 1, 1 << 16)
    require(len(sizes) % per_round == 0, "the last round has too few trees")
    body = rest.lstrip(b"\n")
    at = 0
    trees = []
    for index, size in enumerate(sizes):
        require(0 < size <= len(body) - at, "a tree is longer than the file")
        block = body[at : at + size].decode("ascii")
        trees.append(Tree.parse(block, index, features))
        at += size
    check_links(trees)
    _check_tail(body[at:].decode("utf-8"))


def _check_head(text: str) -> dict[str, str]:
    values: dict[str, str] = {}
    for line in text.split("\n")[1:]:
        if line == "average_output":
            continue
        key, mark, value = line.partition("=")
        require(mark and key in _HEAD, f"the head holds {printable(line, 40)!r}")
        require(key not in values, f"{key} is given twice")
        values[key] = value
    missing = sorted(_NEEDED - values.keys())
    require(not missing, f"the head lacks {', '.join(missing)}")
    _check_counts(values)
    return values


def _check_counts(values: dict[str, str]) -> None:
    features = _number(values["max_feature_idx"], "max_feature_idx", 0, _FEATURES) + 1
    classes = _number(values["num_class"], "num_class", 1, 1 << 16)
    _number(values["label_index"], "label_index", 0, _FEATURES)
    each = _number(values["num_tree_per_iteration"], "num_tree_per_iteration", 1, 1 << 16)
    require(each == classes, "there is another number of trees in a round than of classes")
    names = values["feature_names"].split(" ")
    require(len(names) == features and all(names), "there are too few or many feature_names")
    infos = values["feature_infos"].split(" ")
    require(len(infos) == features, "there are too few or many feature_infos")
    require(all(_INFO.fullmatch(info) for info in infos), "feature_infos are malformed")
    if "monotone_constraints" in values:
        signs = _numbers(values["monotone_constraints"], "monotone_constraints")
        require(len(signs) == features and set(signs) <= {-1, 0, 1}, "constraints are malformed")
    if "objective" in values:
        _check_objective(values["objective"], classes)


def _check_objective(text: str, classes: int) -> None:
    name, *options = text.split(" ")
    require(name in _OBJECTIVES, f"the objective {printable(name, 40)!r} is unknown")
    require(all(_OPTION.fullmatch(option) for option in options), "the objective is malformed")
    if name in ("multiclass", "multiclassova"):
        require(f"num_class:{classes}" in options, "the objective has another number of classes")
        require(sum(o.startswith("num_class:") for o in options) == 1, "the objective is malformed")
    else:
        require(classes == 1 or name == "custom", "the objective has one class, the model several")


def _check_tail(text: str) -> None:
    """After the trees: importances, parameters, and the categories of a frame."""
    lines = text.split("\n")
    require(lines[0] == "end of trees", "the trees don't end where the head tells")
    require("parser:" not in lines, "the model brings a parser")
    if "parameters:" in lines:
        begin = lines.index("parameters:") + 1
        require("end of parameters" in lines[begin:], "the parameters have no end")
        for line in lines[begin : lines.index("end of parameters", begin)]:
            require(not line or _is_param(line), f"no parameter: {printable(line, 40)!r}")
    marks = [line for line in lines if line.startswith("pandas_categorical:")]
    require(len(marks) <= 1, "pandas_categorical is given twice")
    for line in marks:
        try:
            categories = json.loads(line.partition(":")[2])
        except ValueError:
            raise bad(KIND, "pandas_categorical is no JSON") from None
        require(categories is None or _is_categories(categories), "pandas_categorical is malformed")


_PARAM = re.compile(r"\[([a-z0-9_]{1,60}): ([^\x00-\x1f\"\\]*)\]", re.ASCII)


def _is_param(line: str) -> bool:
    return _PARAM.fullmatch(line) is not None


def _is_categories(value: Any) -> bool:
    if not isinstance(value, list):
        return False
    columns = all(isinstance(column, list) for column in value)
    return columns and all(isinstance(c, str | int | float) for column in value for c in column)


def _number(text: str, what: str, low: int, high: int) -> int:
    require(re.fullmatch(r"\d{1,10}", text, re.ASCII), f"{what} is no number")
    require(low <= int(text) <= high, f"{what} is {text}")
    return int(text)


def _numbers(text: str, what: str) -> list[int]:
    if not text:
        return []
    require(re.fullmatch(r"-?\d{1,10}( -?\d{1,10})*", text, re.ASCII), f"{what} are no numbers")
    found: list[int] = np.fromstring(text, np.int64, sep=" ").tolist()
    return found
