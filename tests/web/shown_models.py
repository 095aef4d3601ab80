"""What the yard that pages are looked at with holds: real small models, and what is hostile."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from tests.web.shown_optimizations import optimize

from modelyard.core.deployment import DeploymentSpec, Share
from modelyard.testing.models import safetensors_bytes, write_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from modelyard.core.yard import Yard

__all__ = ["EVIL", "HOSTILE", "LONG", "Evil", "fill", "graph", "network"]

EVIL = "<img src=x onerror=window.__fired=1>"
"""Sets a mark in the page if it ever becomes an element."""


@dataclass(frozen=True, slots=True)
class Evil:
    """What somebody may call things who means no good."""

    model: str = "hostile/names"
    branch: str = "<svg/onload=window.__fired=2>"
    message: str = f'"><script>window.__fired=3</script>{EVIL}'
    author: str = "Eve</title><script>window.__fired=4</script>"
    tensor: str = f"layer.0'\"><b onmouseover=window.__fired=5>{EVIL}"
    file: str = "a'b\"><img src=x onerror=window.__fired=6>.txt"
    param: str = "</table><script>window.__fired=7</script>"
    metric: str = "auc"
    label: str = "stage"
    value: str = "{{7*7}}${7*7}<script>window.__fired=8</script>"


HOSTILE = Evil()
_PART = "a-model-name-that-somebody-made-as-long-as-it-may-be-" + "x" * 42
LONG = f"{_PART[:60]}/{_PART[:95]}"
_CARD = f"""---
license: "<script>window.__fired=9</script>"
tags: ["{HOSTILE.value}"]
---
# A card {EVIL}

<script>window.__fired=10</script><iframe src="https://evil.example/"></iframe>
<a href="javascript:window.__fired=11">press me</a> [press](javascript:window.__fired=12)
[data](data:text/html;base64,PHNjcmlwdD53aW5kb3cuX19maXJlZD0xMzwvc2NyaXB0Pg==)
![far](https://evil.example/pixel.png) <img src="https://evil.example/two.png">
<form action="https://evil.example/"><button>Sign in</button></form>
<style>body {{ display: none }}</style><div style="position:fixed;inset:0">over</div>
<svg><a xlink:href="javascript:window.__fired=14"><text>t</text></a></svg>
<math><mtext><table><mglyph><style><img src=x onerror=window.__fired=15></style></mglyph>
</table></mtext></math>
<button hx-get="/models" hx-on:click="window.__fired=16" data-hx-trigger="load">go</button>
<p id="main" class="said">looks like ours</p>
"""  # fmt: skip

_CHINESE_CARD = """---
license: apache-2.0
language: zh
---
# 情感分析模型

判断一段中文评论是**正面**还是**负面**，在 5 万条商品评论上训练。

## 用法

| 输入 | 输出 |
|---|---|
| 物流很快，包装完好 | 正面 |
| 用了三天就坏了 | 负面 |

> 不适合用于新闻和长文。
"""

_NET_CARD = """---
license: mit
---
# Mini net

A small vision transformer. Six blocks, trained on pictures of **handwritten digits**.

```python
net = yard.load("vision/mini-net", "champion")
```

* Input: 8 x 8 pixels
* Output: ten classes
"""


def network(seed: int, *, blocks: int = 6, width: int = 24) -> dict[str, Any]:
    """Tensors of a small transformer."""
    rng = np.random.default_rng(seed)
    made = {"embed.weight": rng.normal(0, 0.05, (width, 64)).astype(np.float32)}
    for block in range(blocks):
        for kind in ("attn.q_proj", "attn.k_proj", "attn.v_proj", "attn.out", "mlp.up", "mlp.down"):
            name = f"blocks.{block}.{kind}"
            made[f"{name}.weight"] = rng.normal(0, 0.05, (width, width)).astype(np.float32)
            made[f"{name}.bias"] = rng.normal(0, 0.02, width).astype(np.float32)
    made["head.weight"] = rng.normal(0, 0.05, (10, width)).astype(np.float32)
    return made


def fill(yard: Yard, folder: Path) -> None:
    """Put all models into a new yard, a few seconds' work; what people look at comes last."""
    for work in (_hostile, _long, _pickle, _onnx, _boost, _sentiment, _iris, _network, _deployed):
        place = folder / work.__name__.strip("_")
        place.mkdir(parents=True)
        work(yard, place)
    optimize(yard, "flowers/iris", hostile=EVIL)


def _folders(place: Path) -> Callable[..., Path]:
    """Makes a folder of files, each time another one."""
    numbers: Iterator[int] = iter(range(1000))
    return lambda **files: write_tree(
        place / str(next(numbers)), {name.replace("__", "."): text for name, text in files.items()}
    )


def _tuned(tensors: dict[str, Any]) -> list[str]:
    """What fine-tuning moves: the head, and of the later blocks more and more."""
    late, last = ("blocks.2.attn", "blocks.3.attn"), ("blocks.4", "blocks.5", "head")
    return [name for name in tensors if name.startswith((*late, *last))]


def _depth(name: str) -> float:
    """The nearer to the output, the further a tensor moves; weights more than biases."""
    block = int(name.split(".")[1]) if name.startswith("blocks.") else 5
    return float(0.25 ** (5 - block)) * (0.3 if name.endswith("bias") else 1.0)


def _network(yard: Yard, place: Path) -> None:
    """Eight versions: in a row and on a branch that is mixed in, with names of all kinds."""
    net, folder, rng = yard.model("vision/mini-net"), _folders(place), np.random.default_rng(5)
    tensors = network(1)
    about = ("first baseline", "warm-up of 500 steps", "tuned the last two blocks",
             "cosine schedule", "longer training", "label smoothing 0.1", "final")  # fmt: skip
    for number, message in enumerate(about):
        for name in _tuned(tensors) if number not in (0, 4) else tensors:
            noise = rng.normal(0, 0.002 * (number + 1) * _depth(name), tensors[name].shape)
            tensors[name] = (tensors[name] + noise).astype(np.float32)
        rate = 0.001 / (number + 1)
        net.commit(
            folder(
                model__safetensors=safetensors_bytes(tensors), README__md=_NET_CARD.encode(),
                config__json=json.dumps({"blocks": 6, "width": 24, "lr": rate}).encode(),
            ),
            message=message, author="Ann Lee" if number % 3 else "陈伟",
            branch="smoothing" if number == 5 else None,
            params={"lr": rate, "batch": 64, "schedule": "cosine" if number > 2 else "none"},
            metrics={"accuracy": round(0.71 + 0.2 * (1 - 0.6**number), 4),
                     "loss": round(1.4 * 0.75**number, 4)},
            labels={"task": "classify"} if number < 3 else {"task": "classify", "stage": "ready"},
        )  # fmt: skip
    yard.mix("vision/mini-net", ["main", "smoothing"], method="average", message="average of both")
    yard.tag("vision/mini-net", "v1.0", 4)
    yard.alias("vision/mini-net", "champion", 5)
    yard.alias("vision/mini-net", "champion", 7)
    yard.alias("vision/mini-net", "灰度", 8)
    yard.label("vision/mini-net", add={"domain": "vision", "owner": "team-a"})


def _iris(yard: Yard, place: Path) -> None:
    """A dataset, and classifiers that are trained and measured on it."""
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression

    found = load_iris()
    names = np.array(found.target_names)[found.target]
    lines = ["sepal_length,sepal_width,petal_length,petal_width,kind"]
    lines += [",".join(map(str, [*row, kind])) for row, kind in zip(found.data, names, strict=True)]
    csv = place / "iris.csv"
    csv.write_text("\n".join(lines) + "\n")
    yard.commit(
        "data/iris", csv, kind="dataset", message="150 flowers", labels={"source": "Fisher"}
    )
    for strength in (0.001, 0.01, 0.1, 1.0, 10.0):
        made = LogisticRegression(C=strength, max_iter=300).fit(found.data, names)
        yard.commit(
            "flowers/iris", made, message=f"C={strength}", data="data/iris@1", author="Ann Lee",
            labels={"task": "classify"}, example=found.data[:3],
        )  # fmt: skip
    for number in (1, 5):
        yard.evaluate("flowers/iris", number, data="data/iris@1", target="kind")
    yard.alias("flowers/iris", "champion", 5)


def _boost(yard: Yard, place: Path) -> None:
    from sklearn.datasets import load_wine
    from xgboost import XGBClassifier

    values, kinds = load_wine(return_X_y=True)
    for depth in (1, 3):
        made = XGBClassifier(n_estimators=6, max_depth=depth, n_jobs=1).fit(values, kinds)
        yard.commit(
            "tables/wine-boost", made, message=f"depth {depth}", author="li.na@example.com",
            metrics={"accuracy": 0.9 + depth / 50, "f1": 0.88 + depth / 50},
        )  # fmt: skip


def _sentiment(yard: Yard, place: Path) -> None:
    folder = _folders(place)
    for number in range(3):
        yard.commit(
            "nlp/sentiment-zh",
            folder(model__safetensors=safetensors_bytes(network(number, blocks=2, width=8)),
                   README__md=_CHINESE_CARD.encode()),
            message=("首个基线版本", "学习率降到 1e-4，训练更久", "修正标注错误后重新训练")[number],
            author="陈伟", metrics={"f1": 0.81 + number / 30},
            labels={"任务": "情感分析", "语言": "中文"},
        )  # fmt: skip
    yard.alias("nlp/sentiment-zh", "生产", 3)


def graph(factor: float = 1.0) -> bytes:
    """Four numbers to two, in ONNX."""
    from onnx import TensorProto, helper, numpy_helper

    value = helper.make_tensor_value_info
    nodes = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])], "g",
        [value("x", TensorProto.FLOAT, ["n", 4])], [value("y", TensorProto.FLOAT, ["n", 2])],
        [numpy_helper.from_array(np.full((4, 2), factor, np.float32), "w")],
    )  # fmt: skip
    made: bytes = helper.make_model(
        nodes, producer_name="tests", ir_version=10, opset_imports=[helper.make_opsetid("", 17)]
    ).SerializeToString()
    return made


def _onnx(yard: Yard, place: Path) -> None:
    folder = _folders(place)
    for number, message in ((1, "for devices"), (2, "weights rounded")):
        yard.commit(
            "edge/scaler", folder(model__onnx=graph(number)), message=message,
            metrics={"latency": 0.4 / number}, labels={"target": "edge"},
        )  # fmt: skip
    yard.alias("edge/scaler", "prod", 1)


def _pickle(yard: Yard, place: Path) -> None:
    """A pickle that would run a command, which the scan tells of."""
    content = b"cos\nsystem\n(S'true'\ntR."
    yard.commit("imports/found-on-the-web", _folders(place)(model__pkl=content), message="as found")


def _long(yard: Yard, place: Path) -> None:
    """Names as long as they may be."""
    yard.commit(
        LONG, _folders(place)(model__onnx=graph()), message="a long message " * 30,
        branch="feature/" + "long-" * 18 + "end",
        params={"a.parameter.with.a.very.long.name." * 2: "and a long value " * 10},
        labels={"a-long-label": "with-a-long-value-" * 3}, metrics={"m" * 60: 1e-12},
    )  # fmt: skip


def _hostile(yard: Yard, place: Path) -> None:
    """Twice, so that there is something to compare."""
    for number in range(2):
        tensors = {HOSTILE.tensor: np.full((4, 4), number + 1, np.float32)}
        files = {
            "model.safetensors": safetensors_bytes(tensors), "README.md": _CARD.encode(),
            HOSTILE.file.replace("/", "_"): f"{EVIL}{number}".encode(),
            "page.html": b"<script>window.__fired=20</script>",
            "picture.svg": b'<svg xmlns="http://www.w3.org/2000/svg"><script>window.__fired=21</script></svg>',
        }  # fmt: skip
        yard.commit(
            HOSTILE.model, write_tree(place / str(number), files), message=HOSTILE.message,
            author=HOSTILE.author, params={HOSTILE.param: HOSTILE.value},
            metrics={HOSTILE.metric: number + 0.5}, labels={HOSTILE.label: HOSTILE.value},
        )  # fmt: skip
    yard.branch(HOSTILE.model, HOSTILE.branch, 1)


def _deployed(yard: Yard, place: Path) -> None:
    """One that answers, with a canary on its way, one that is paused, and what can't be loaded."""
    scaler = Share(model="edge/scaler", revision="prod")
    canary = Share(model="edge/scaler", revision="2", percent=20)
    shadow = Share(model="hostile/names", revision=HOSTILE.branch, percent=30, shadow=True)
    deploy = yard.deployments.apply
    deploy(DeploymentSpec(name="scaler", shares=(scaler,), sample=0.5, redact=("y",)))
    both = (replace(scaler, percent=80), canary)
    deploy(DeploymentSpec(name="scaler", shares=both, sticky="x-user", sample=0.5))
    yard.deployments.roll_out("scaler", (20, 50, 100), 86_400)
    deploy(DeploymentSpec(name="long", shares=(Share(model=LONG, revision="1"), shadow)))
    yard.deployments.pause("long")
    nobody = Share(model="nlp/sentiment-zh", revision="生产")
    deploy(DeploymentSpec(name="sentiment", shares=(nobody,)))
    deploy(DeploymentSpec(name="ended", shares=(scaler,)))
    yard.deployments.undeploy("ended")
