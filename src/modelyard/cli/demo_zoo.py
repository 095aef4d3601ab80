"""The models that the demo tells of: what a zoo is, and one made with what is installed."""
# mypy: disable-error-code="import-not-found, import-untyped"

from __future__ import annotations

import pickle
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np

    Array = np.ndarray[Any, Any]

__all__ = ["Encoder", "Release", "Trained", "Trainer", "Zoo", "own_zoo"]


@dataclass(frozen=True, slots=True)
class Release:
    """A version of a model that somebody published, lying in a folder."""

    model: str
    folder: Path
    message: str
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Trained:
    """What a training tells about itself."""

    message: str
    metrics: Mapping[str, float] = field(default_factory=dict)
    params: Mapping[str, object] = field(default_factory=dict)


class Trainer(Protocol):
    """Trains small classifiers."""

    about: str
    """What they are trained on, in a sentence."""

    def train(self, variant: str, folder: Path) -> Trained:
        """Train `linear-weak`, `linear`, `other`, `wine-linear` or `wine-trees` into a folder."""


class Encoder(Protocol):
    """A bigger model, and a fine-tuning of some of its layers."""

    model: str
    about: str
    labels: tuple[str, ...]

    def base(self, folder: Path) -> Trained: ...

    def tune(self, base: Path, folder: Path) -> Trained:
        """Move some layers by gradient or least squares, and save all as it was saved before."""

    def again(self, tuned: Path, folder: Path) -> Trained:
        """Save the same tensors in another format."""


@dataclass(frozen=True, slots=True)
class Zoo:
    """The models of one telling."""

    trainer: Trainer
    encoder: Encoder
    releases: tuple[Release, ...] = ()


def own_zoo() -> Zoo:
    """Models of scikit-learn if it is installed, else made with numpy; nothing is fetched."""
    trainer: Trainer
    try:
        trainer = SklearnTrainer()
    except ImportError:
        trainer = NumpyTrainer()
    return Zoo(trainer, NumpyEncoder())


class SklearnTrainer:
    """Pipelines on the data sets that scikit-learn brings along."""

    about = (
        "scikit-learn pipelines, trained now on the data sets that come with it: 1,797 pictures "
        "of handwritten digits, and 178 wines."
    )

    def __init__(self) -> None:
        import joblib
        import sklearn  # noqa: F401

        self._dump = joblib.dump

    def train(self, variant: str, folder: Path) -> Trained:
        from sklearn import datasets
        from sklearn.model_selection import train_test_split
        from threadpoolctl import threadpool_limits

        load = datasets.load_wine if variant.startswith("wine") else datasets.load_digits
        values, classes = load(return_X_y=True)
        fit, held, fit_classes, held_classes = train_test_split(
            values, classes, random_state=0, stratify=classes
        )
        model, message, params = self._model(variant)
        with threadpool_limits(1), warnings.catch_warnings(action="ignore"):
            model.fit(fit, fit_classes)
        self._dump(model, folder / "pipeline.joblib")
        return Trained(message, {"accuracy": model.score(held, held_classes)}, params)

    def _model(self, variant: str) -> tuple[Any, str, dict[str, object]]:
        from sklearn.ensemble import RandomForestClassifier
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
        from sklearn.svm import SVC

        if variant == "other":
            return make_pipeline(StandardScaler(), SVC(C=3.0)), "support vectors", {"C": 3.0}
        if variant == "wine-trees":
            trees = RandomForestClassifier(50, random_state=0)
            return make_pipeline(StandardScaler(), trees), "50 trees", {"trees": 50}
        weight = 0.001 if variant == "linear-weak" else 0.1
        linear = LogisticRegression(C=weight, max_iter=200)
        message = "first baseline" if variant != "linear" else "less regularisation"
        return make_pipeline(StandardScaler(), linear), message, {"C": weight}


class NumpyTrainer:
    """Linear classifiers by gradient descent, on patterns with noise."""

    about = (
        "Small classifiers, trained now with numpy on noisy patterns of 8x8 pixels. (With "
        "scikit-learn installed, these are its pipelines on real pictures.)"
    )

    def train(self, variant: str, folder: Path) -> Trained:
        import numpy as np

        values, classes = _patterns(3 if variant.startswith("wine") else 10, seed=0)
        count = {"linear-weak": 60, "wine-linear": 20}.get(variant, 1500)
        weight = np.zeros((values.shape[1], int(classes.max()) + 1), np.float32)
        wished = np.eye(weight.shape[1], dtype=np.float32)[classes[:count]]
        for _ in range(60):
            error = _softmax(values[:count] @ weight) - wished
            weight -= (0.02 / count) * (values[:count].T @ error)
        accuracy = float(np.mean((values[1500:] @ weight).argmax(1) == classes[1500:]))
        if variant in ("other", "wine-trees"):
            (folder / "model.pkl").write_bytes(pickle.dumps({"weight": weight}))
        else:
            np.savez(folder / "model.npz", weight=weight)
        return Trained(f"trained on {count} patterns", {"accuracy": accuracy}, {"patterns": count})


class NumpyEncoder:
    """Fixed random layers, and a head fitted by least squares."""

    model = "vision/encoder"
    about = (
        "A network of 12 MB with a head fitted by least squares. Fine-tuning fits the head again "
        "on more data; the other layers stay."
    )
    labels: tuple[str, ...] = ("task=embed",)

    def base(self, folder: Path) -> Trained:
        import numpy as np

        rng = np.random.default_rng(1)
        shapes = {"layer0.weight": (64, 1024), "layer1.weight": (1024, 1024),
                  "layer2.weight": (1024, 1024), "layer3.weight": (1024, 768)}  # fmt: skip
        layers = {
            name: (rng.standard_normal(shape) / shape[0] ** 0.5).astype(np.float32)
            for name, shape in shapes.items()
        }
        return self._fit(layers, folder, count=500, message="head fitted on 500 patterns")

    def tune(self, base: Path, folder: Path) -> Trained:
        layers = self._load(base)
        return self._fit(layers, folder, count=1500, message="head fitted on 1,500 patterns")

    def again(self, tuned: Path, folder: Path) -> Trained:
        folder.mkdir(parents=True)
        (folder / "model.pkl").write_bytes(pickle.dumps(self._load(tuned), protocol=5))
        return Trained("the same as a pickle")

    def _load(self, folder: Path) -> dict[str, Array]:
        import numpy as np

        with np.load(folder / "model.npz") as file:
            return dict(file)

    def _fit(self, layers: dict[str, Array], folder: Path, *, count: int, message: str) -> Trained:
        import numpy as np

        values, classes = _patterns(10, seed=0)
        hidden = values
        for name in [name for name in layers if name.startswith("layer")]:
            hidden = np.maximum(hidden @ layers[name], 0)
        wished = np.eye(10, dtype=np.float32)[classes]
        ridge = np.eye(hidden.shape[1]) * 30.0
        square = hidden[:count].T @ hidden[:count] + ridge
        head = np.linalg.solve(square, hidden[:count].T @ wished[:count])
        accuracy = float(np.mean((hidden[1500:] @ head).argmax(1) == classes[1500:]))
        folder.mkdir(parents=True)
        np.savez(
            folder / "model.npz",
            allow_pickle=False,
            **layers | {"head.weight": head.astype(np.float32)},
        )
        return Trained(message, {"accuracy": accuracy}, {"patterns": count})


def _patterns(kinds: int, *, seed: int) -> tuple[Array, Array]:
    """2,000 noisy copies of a few patterns, and which pattern each is."""
    import numpy as np

    rng = np.random.default_rng(seed)
    shapes = rng.standard_normal((kinds, 64))
    classes = rng.integers(0, kinds, 2000)
    values = shapes[classes] + 2.0 * rng.standard_normal((2000, 64))
    return values.astype(np.float32), classes


def _softmax(values: Array) -> Array:
    import numpy as np

    powers = np.exp(values - values.max(1, keepdims=True))
    result: Array = powers / powers.sum(1, keepdims=True)
    return result
