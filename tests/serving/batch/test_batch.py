"""Files through versions: every format, what is refused, and going on after an end."""

from __future__ import annotations

import gzip
import json
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
from tests.serving.batch.models import fill, people, scores

import modelyard
from modelyard.errors import Conflict, Denied, InvalidInput, NotFound, Unsupported
from modelyard.registry import create, open_yard
from modelyard.serving.batch import Predicted, local_workers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from modelyard.core.version import Progress
    from modelyard.registry.local import LocalYard

pytestmark = pytest.mark.slow

ROWS = 1003
INPUTS = ["in.csv", "in.tsv", "in.csv.gz", "in.parquet", "in.arrow", "in.arrows", "in.jsonl"]
OUTPUTS = ["out.csv", "out.parquet", "out.arrow", "out.arrows", "out.jsonl"]


class Home:
    """A yard, its pipeline, and folders."""

    def __init__(self, folder: Path, pipeline: Any) -> None:
        self.folder = folder
        self.pipeline = pipeline
        self.people = people(ROWS)
        rng = np.random.default_rng(5)
        self.matrix = rng.normal(size=(ROWS, 3)).astype(np.float32)
        named = pd.DataFrame(self.matrix, columns=["a", "b", "c"])
        for name in INPUTS:
            write(self.people, folder / "people" / name)
            write(named, folder / "matrix" / name)

    @property
    def yard_folder(self) -> Path:
        return self.folder / "yard"


def write(frame: Any, place: Path) -> Path:
    place.parent.mkdir(exist_ok=True)
    table = pa.Table.from_pandas(frame, preserve_index=False)
    if place.suffix in (".csv", ".gz"):
        frame.to_csv(place, index=False)
    elif place.suffix == ".tsv":
        frame.to_csv(place, index=False, sep="\t")
    elif place.suffix == ".parquet":
        pq.write_table(table, place, row_group_size=130)
    elif place.suffix == ".arrow":
        feather.write_feather(table, place, chunksize=300)
    elif place.suffix == ".arrows":
        with pa.ipc.new_stream(place, table.schema) as writer:
            writer.write_table(table, 77)
    else:
        frame.to_json(place, orient="records", lines=True, force_ascii=False, double_precision=15)
    return place


def read(place: Path) -> Any:
    """As a frame, with lists taken apart as CSV has them."""
    if place.suffix == ".csv":
        return pd.read_csv(place)
    if place.suffix == ".jsonl":
        found = pd.read_json(place, orient="records", lines=True, precise_float=True)
    elif place.suffix == ".parquet":
        found = pd.read_parquet(place)
    else:
        opened = pa.ipc.open_stream if place.suffix == ".arrows" else pa.ipc.open_file
        with opened(place.read_bytes()) as reader:
            found = reader.read_all().to_pandas()
    return found


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    folder = tmp_path_factory.mktemp("batch")
    with create(folder / "yard") as yard:
        pipeline = fill(yard, folder / "models")
    return Home(folder, pipeline)


@pytest.fixture(scope="module")
def yard(home: Home) -> Iterator[LocalYard]:
    with open_yard(home.yard_folder) as opened:
        yield opened


@pytest.fixture
def out(tmp_path: Path) -> Callable[[str], Path]:
    return lambda name: tmp_path / name


def linear(yard: LocalYard, home: Home, target: Path, **options: Any) -> Predicted:
    source = options.pop("source", home.folder / "matrix/in.parquet")
    return modelyard.predict_file(yard, "linear", source, target, **options)


@pytest.mark.parametrize("name", INPUTS)
def test_every_format_is_read(yard: LocalYard, home: Home, out: Any, name: str) -> None:
    done = linear(yard, home, out("o.parquet"), source=home.folder / "matrix" / name, batch=100)
    assert (done.rows, done.resumed, done.batch, done.title) == (ROWS, 0, 100, "linear@1")
    found = np.stack(read(out("o.parquet"))["score"])
    np.testing.assert_allclose(found, scores(home.matrix), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", OUTPUTS)
def test_every_format_is_written(yard: LocalYard, home: Home, out: Any, name: str) -> None:
    linear(yard, home, out(name))
    found = read(out(name))
    columns = [found[f"score_{at}"] for at in range(3)] if name == "out.csv" else found["score"]
    array = np.stack(columns, axis=1 if name == "out.csv" else 0)
    np.testing.assert_allclose(array, scores(home.matrix), rtol=1e-5, atol=1e-6)
    assert [each.name for each in out("x").parent.iterdir()] == [name]


@pytest.mark.parametrize("name", ["in.csv", "in.parquet", "in.arrow", "in.jsonl"])
def test_columns_go_by_name_whatever_their_format(
    yard: LocalYard, home: Home, out: Any, name: str
) -> None:
    source = home.folder / "people" / name
    modelyard.predict_file(
        yard, "shop/churn", source, out("o.parquet"), keep=["id", "visits"], batch=400, workers=1
    )
    found = read(out("o.parquet"))
    assert found.columns.tolist() == ["id", "visits", "label", "probability"]
    rows = home.people.drop(columns="id")
    assert found["id"].tolist() == home.people["id"].tolist()
    assert found["visits"].astype(int).tolist() == home.people["visits"].tolist()
    assert found["label"].tolist() == home.pipeline.predict(rows).tolist()
    shares = home.pipeline.predict_proba(rows)
    np.testing.assert_allclose(np.stack(found["probability"]), shares, rtol=1e-9)


def test_csv_of_answers_names_the_classes(yard: LocalYard, home: Home, out: Any) -> None:
    modelyard.predict_file(yard, "shop/churn", home.folder / "people/in.csv", out("o.csv"))
    assert read(out("o.csv")).columns.tolist() == ["label", "probability_goes", "probability_stays"]


def test_a_graph_for_single_rows_is_asked_one_by_one(yard: LocalYard, home: Home, out: Any) -> None:
    done = modelyard.predict_file(
        yard, "single", home.folder / "matrix/in.parquet", out("o.parquet")
    )
    assert done.rows == ROWS
    found = np.stack(read(out("o.parquet"))["score"])
    np.testing.assert_allclose(found, scores(home.matrix), rtol=1e-5, atol=1e-6)


class Enough(Exception):
    """Somebody pulls the plug."""


def pulled(after: int) -> Callable[[Progress], None]:
    def report(progress: Progress) -> None:
        if progress.done >= after:
            raise Enough

    return report


@pytest.mark.parametrize("name", ["in.csv", "in.parquet", "in.arrow", "in.arrows", "in.jsonl"])
def test_who_goes_on_writes_the_same_bytes(
    yard: LocalYard, home: Home, out: Any, name: str
) -> None:
    source = home.folder / "matrix" / name
    options: dict[str, Any] = {"source": source, "batch": 60, "keep": ["a"], "workers": 2}
    linear(yard, home, out("whole.parquet"), **options)
    target = out("parts.parquet")
    resumed = []
    for after in (60, 61, 600):
        with pytest.raises(Enough):
            linear(yard, home, target, resume=True, progress=pulled(after), **options)
        assert not target.exists()
        resumed.append(json.loads(out("parts.parquet.progress").read_bytes())["rows"])
    assert resumed == [60, 120, 600]
    with out("parts.parquet.partial").open("ab") as file:  # a crash left half of a batch
        file.write(b"\xff\xff\xff\xff half of a batch")
    done = linear(yard, home, target, resume=True, **options)
    assert (done.rows, done.resumed) == (ROWS, 600)
    assert target.read_bytes() == out("whole.parquet").read_bytes()


def test_a_run_that_is_killed_goes_on(yard: LocalYard, home: Home, out: Any) -> None:
    values = np.random.default_rng(3).normal(size=(40_000, 3))
    source = write(pd.DataFrame(values, columns=[*"abc"]), out("many.parquet"))
    code = (
        "import modelyard, sys\n"
        "with modelyard.open(sys.argv[1]) as yard:\n"
        "    options = {'resume': True, 'batch': 3}\n"
        "    modelyard.predict_file(yard, 'linear', *sys.argv[2:], **options)\n"
    )
    words = [sys.executable, "-c", code, str(home.yard_folder), str(source)]
    subprocess.run([*words, out("whole.csv")], check=True)
    progress, killed = out("parts.csv.progress"), 0
    limit = time.monotonic() + 120
    while True:
        before = progress.read_bytes() if progress.exists() else b""
        process = subprocess.Popen([*words, out("parts.csv")])
        while process.poll() is None and time.monotonic() < limit:
            time.sleep(0.02)
            if killed < 2 and progress.exists() and progress.read_bytes() != before:
                process.send_signal(signal.SIGKILL)
                killed += 1
                break
        if process.wait() == 0:
            break
        assert time.monotonic() < limit
    assert killed
    assert out("parts.csv").read_bytes() == out("whole.csv").read_bytes()


def test_only_the_same_run_goes_on(yard: LocalYard, home: Home, out: Any) -> None:
    target = out("o.parquet")
    with pytest.raises(Enough):
        linear(yard, home, target, batch=100, progress=pulled(300))
    for changed, said in (
        ({"batch": 50}, "another batch: 100"),
        ({"source": home.folder / "matrix/in.csv"}, "another file"),
        ({"keep": ["a"]}, "another keep"),
    ):
        with pytest.raises(Conflict) as caught:
            linear(yard, home, target, resume=True, **changed)
        assert caught.value.kind == "other-run"
        assert said in caught.value.message
    with pytest.raises(Conflict, match="by linear@1, not shop/churn@1"):
        modelyard.predict_file(
            yard, "shop/churn", home.folder / "people/in.csv", target, resume=True
        )
    assert linear(yard, home, target, resume=True).resumed == 300


def test_without_resume_it_begins_anew(yard: LocalYard, home: Home, out: Any) -> None:
    with pytest.raises(Enough):
        linear(yard, home, out("o.parquet"), batch=100, progress=pulled(300))
    done = linear(yard, home, out("o.parquet"))
    assert (done.rows, done.resumed) == (ROWS, 0)


def test_two_runs_do_not_write_one_output(yard: LocalYard, home: Home, out: Any) -> None:
    def other(_: Progress) -> None:
        with pytest.raises(Conflict, match="another run writes"):
            linear(yard, home, out("o.parquet"))

    linear(yard, home, out("o.parquet"), batch=600, progress=other)
    with pytest.raises(Conflict) as caught:
        linear(yard, home, out("o.parquet"), resume=True)
    assert caught.value.kind == "output-exists"


def test_rows_that_the_model_can_not_take_are_named_and_the_rest_is_kept(
    yard: LocalYard, home: Home, out: Any
) -> None:
    lines = [json.dumps({"a": at, "b": 1, "c": 2}) for at in range(100)]
    lines[57] = '{"a": "x", "b": 1, "c": 2}'
    out("in.jsonl").write_text("\n".join(lines))
    with pytest.raises(InvalidInput, match=r"rows 50 to 59: .*given 'x'"):
        linear(yard, home, out("o.csv"), source=out("in.jsonl"), batch=10)
    lines[57] = "{"
    out("in.jsonl").write_text("\n".join(lines))
    with pytest.raises(InvalidInput, match="rows from 50 on"):
        linear(yard, home, out("o.csv"), source=out("in.jsonl"), batch=10)


@pytest.mark.parametrize(("name", "content", "said"), [
    ("in.csv", b"a,b\n1,2\n", "has 3 values, and was given 2"),
    ("in.csv", b"a,b,c\n1,2,x\n", "in.csv"),
    ("in.csv", b"a,b,c\n1,2\n", "in.csv"),
    ("in.csv", b"a,a,c\n1,2,3\n", "same name"),
    ("in.csv", b"a,b,c\n", "no rows"),
    ("in.csv", b"", "no columns"),
    ("in.csv", "ü,b,c\n1,2,3".encode("latin-1"), "UTF-8"),
    ("in.parquet", b"PAR1 and no more", "in.parquet can't be read"),
    ("in.arrow", b"ARROW1\0\0nonsense" * 9, "in.arrow can't be read"),
    ("in.jsonl", b"[1,2]\n", "has 3 values"),
    ("in.csv.gz", gzip.compress(b"a,b,c\n1,2,3\n" * 999, mtime=0)[:40], "in.csv.gz"),
])  # fmt: skip
def test_a_file_that_is_no_use_is_refused(
    yard: LocalYard, home: Home, out: Any, name: str, content: bytes, said: str
) -> None:
    out(name).write_bytes(content)
    with pytest.raises(InvalidInput) as caught:
        linear(yard, home, out("o.parquet"), source=out(name))
    assert said in caught.value.message
    assert not out("o.parquet").exists()


def test_what_can_not_be_is_said(yard: LocalYard, home: Home, out: Any) -> None:
    with pytest.raises(NotFound, match="no file"):
        linear(yard, home, out("o.csv"), source=out("none.csv"))
    with pytest.raises(InvalidInput, match="tells no format"):
        linear(yard, home, out("o.xlsx"))
    with pytest.raises(NotFound, match="no folder"):
        linear(yard, home, out("none/o.csv"))
    with pytest.raises(InvalidInput, match="lacks 'zip'"):
        linear(yard, home, out("o.csv"), keep=["zip"])
    with pytest.raises(InvalidInput, match="a batch of 0"):
        linear(yard, home, out("o.csv"), batch=0)
    with pytest.raises(InvalidInput, match="0 workers"):
        linear(yard, home, out("o.csv"), workers=0)
    with pytest.raises(Unsupported, match="no engine"):
        linear(yard, home, out("o.csv"), engine="abacus")
    with pytest.raises(Unsupported, match="takes no rows"):
        modelyard.predict_file(yard, "whole", home.folder / "matrix/in.csv", out("o.csv"))
    with pytest.raises(NotFound, match="nothing"):
        modelyard.predict_file(yard, "nothing", home.folder / "matrix/in.csv", out("o.csv"))


def test_code_that_nobody_trusts_is_not_run(yard: LocalYard, home: Home, out: Any) -> None:
    out("model").mkdir()
    import joblib

    joblib.dump(home.pipeline, out("model") / "model.joblib")
    yard.commit("foreign", out("model"))
    source = home.folder / "people/in.csv"
    with pytest.raises(Denied) as caught:
        modelyard.predict_file(yard, "foreign", source, out("o.csv"))
    assert caught.value.kind == "untrusted"


def test_a_deployment_is_its_stable_version(yard: LocalYard, home: Home, out: Any) -> None:
    shares = (modelyard.Share(model="linear", revision="1"),)
    yard.deployments.apply(modelyard.DeploymentSpec(name="lines", shares=shares))
    done = modelyard.predict_file(yard, "lines", home.folder / "matrix/in.csv", out("o.csv"))
    assert done.title == "linear@1"


def test_memory_is_of_the_batch_and_not_of_the_file(home: Home, out: Any) -> None:
    code = (
        "import modelyard, pathlib, sys\n"
        "with modelyard.open(sys.argv[1]) as yard:\n"
        "    modelyard.predict_file(yard, 'linear', sys.argv[2], sys.argv[3], batch=4096)\n"
        "print(pathlib.Path('/proc/self/status').read_text().partition('VmHWM:')[2].split()[0])\n"
    )

    def peak(rows: int) -> int:
        frame = pd.DataFrame(np.random.default_rng(0).normal(size=(rows, 3)), columns=[*"abc"])
        source = out(f"{rows}.arrow")
        feather.write_feather(pa.Table.from_pandas(frame), source, compression="uncompressed")
        words = [home.yard_folder, source, out(f"{rows}.parquet")]
        told = subprocess.run([sys.executable, "-c", code, *words], check=True, capture_output=True)
        return int(told.stdout) << 10

    few, many = peak(50_000), peak(4_000_000)
    assert out("4000000.arrow").stat().st_size > 95e6
    assert many - few < 60e6


def test_workers_tell_of_the_version_and_answer_in_order(yard: LocalYard, home: Home) -> None:
    with local_workers(yard.desk, "linear", None, workers=2) as workers:
        assert (workers.count, workers.served.number, workers.served.rows) == (2, 1, True)
