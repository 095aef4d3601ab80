"""`yard import mlflow` on stores that the real MLflow made (mlflow/make.py), and on its server."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest

from modelyard.errors import InvalidInput, NotFound
from modelyard.registry.foreign.localfiles import LocalFiles
from modelyard.registry.foreign.mlflow import import_mlflow
from modelyard.registry.local import LocalYard

_HERE = Path(__file__).parent / "mlflow"


@pytest.fixture
def yard(tmp_path: Path):
    with LocalYard.create(tmp_path / "yard", author="importer") as yard:
        yield yard


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A store that was moved: the paths in it are those of another computer."""
    shutil.copytree(_HERE / "mlruns", tmp_path / "elsewhere" / "mlruns")
    return tmp_path / "elsewhere" / "mlruns"


@pytest.fixture
def database(tmp_path: Path) -> Path:
    place = tmp_path / "db" / "mlflow.db"
    place.parent.mkdir()
    with sqlite3.connect(place) as connection:
        connection.executescript((_HERE / "mlflow.sql").read_text())
        for (source,) in connection.execute("select storage_location from model_versions"):
            if source.startswith("/"):
                inside = place.parent / "mlruns" / source.partition("/mlruns/")[2]
                inside.mkdir(parents=True, exist_ok=True)
                (inside / "MLmodel").write_text(f"of {source}\n")
    return place


def test_a_folder_store_comes_with_numbers_aliases_and_metrics(yard, folder):
    done = import_mlflow(yard.house, str(folder))

    model = next(one for one in done.models if one.versions)
    assert (model.model, model.versions) == ("churn-model", (1, 3))
    assert model.renamed["model churn model"] == "churn-model"
    refs = {ref.name: ref.number for ref in yard.refs("churn-model")}
    assert refs == {"main": 3, "champion": 3, "production": 1, "alias-1234567": 1}
    detail = yard.model("churn-model")[3].detail
    assert detail.params == {"C": pytest.approx(0.3), "solver": "lbfgs"}
    assert detail.version.metrics == {"accuracy": pytest.approx(0.83)}
    assert {file.path for file in detail.files} == {"MLmodel", "model.pkl", "README.md"}
    assert yard.label("churn-model") == {"team": "risk", "a-b": "c"}
    assert yard.label("churn-model", 1)["stage"] == "Production"
    assert yard.model_info("churn-model").description == "Who leaves us."
    assert not yard.verify().damage


def test_prompts_and_what_is_not_finite_are_told(yard, folder):
    done = import_mlflow(yard.house, str(folder))

    told = {(one.name, one.reason) for model in done.models for one in model.left_out}
    assert ("greet", "it is a prompt, not a model") in told
    assert ("metric loss", "it is nan") in told


def test_a_database_gives_the_same(yard, database):
    done = import_mlflow(yard.house, str(database), "churn model", rename="team/churn")

    assert done.models[0].versions == (1, 3)
    metrics = yard.model("team/churn")["champion"].detail.version.metrics
    assert metrics == {"accuracy": pytest.approx(0.83)}


def test_a_second_run_brings_nothing(yard, folder):
    import_mlflow(yard.house, str(folder))
    again = import_mlflow(yard.house, str(folder))
    assert [model.versions for model in again.models] == [(), ()]


def test_files_outside_of_the_store_are_not_read(yard, folder, tmp_path):
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key").write_text("secret")
    for number in (1, 3):
        meta = folder / f"models/churn model/version-{number}/meta.yaml"
        lines = [line for line in meta.read_text().splitlines() if "storage_location" not in line]
        meta.write_text("\n".join([*lines, f"storage_location: {tmp_path}/secret"]))

    done = import_mlflow(yard.house, str(folder), "churn model")

    assert "outside of" in done.models[0].left_out[0].reason
    assert not list(yard.models())


def test_links_out_of_the_store_are_not_followed(folder, tmp_path):
    (tmp_path / "secret").write_text("secret")
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "links").mkdir()
    (folder / "links" / "key").symlink_to(tmp_path / "secret")
    files = LocalFiles(folder)

    assert isinstance(files.files(f"{folder}/link"), str)
    assert isinstance(files.files(f"{folder}/links"), str)
    assert isinstance(files.files(f"{folder}/../../secret"), str)
    assert files.read(f"file:{tmp_path}/secret") is None


def test_yaml_aliases_are_not_expanded(yard, folder):
    bomb = "a: &a [x,x]\nb: &b [*a,*a]\nname: churn model\n"
    (folder / "models/churn model/meta.yaml").write_text(bomb)
    with pytest.raises(NotFound):
        import_mlflow(yard.house, str(folder), "churn model")


def test_what_is_no_mlflow_is_refused(yard, tmp_path):
    (tmp_path / "x.db").write_bytes(b"no database at all")
    for place in (tmp_path, tmp_path / "x.db"):
        with pytest.raises(InvalidInput) as caught:
            import_mlflow(yard.house, str(place))
        assert caught.value.kind == "bad-mlflow"
    with pytest.raises(NotFound):
        import_mlflow(yard.house, str(tmp_path / "nothing"))


@pytest.mark.slow
def test_a_real_server_gives_the_same(yard, tmp_path):
    """With `$YARD_MLFLOW`, the folder of a Python environment that has mlflow."""
    programs = Path(os.environ.get("YARD_MLFLOW", "/nowhere")) / "bin"
    if not (programs / "mlflow").exists():
        pytest.skip("needs $YARD_MLFLOW, an environment with mlflow")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    environ = {
        **os.environ, "PATH": f"{programs}:{os.environ['PATH']}",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }  # fmt: skip
    server = subprocess.Popen(
        [programs / "mlflow", "server", "--backend-store-uri", f"sqlite:///{tmp_path}/m.db",
         "--artifacts-destination", tmp_path / "files", "--serve-artifacts", "-w", "1",
         "--host", "127.0.0.1", "--port", str(port)],
        env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        _wait_for(f"{url}/health")
        subprocess.run(
            [programs / "python", _HERE / "make.py", url, tmp_path], env=environ, check=True,
            capture_output=True,
        )  # fmt: skip
        done = import_mlflow(yard.house, url)
    finally:
        server.terminate()
        server.wait(30)
    model = next(one for one in done.models if one.versions)
    assert (model.model, model.versions) == ("churn-model", (1, 3))
    detail = yard.model("churn-model")["champion"].detail
    assert {file.path for file in detail.files} == {"MLmodel", "model.pkl", "README.md"}
    assert detail.version.metrics == {"accuracy": pytest.approx(0.83)}


def _wait_for(url: str) -> None:
    for _ in range(240):
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.5)
    raise AssertionError(f"{url} does not answer")
