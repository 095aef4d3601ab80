"""A version served with the packages that it was made with."""

from __future__ import annotations

import io
import os
import pickle
import tarfile
import time
from contextlib import closing

import numpy as np
import pytest

from modelyard.core.trust import TRUST_ALL, Trust
from modelyard.errors import Denied, InvalidInput, Unavailable
from modelyard.frameworks import Saved
from modelyard.registry.origin import environment
from modelyard.runtimes.environments import environment_of, python_of, requirements_of
from modelyard.runtimes.opening import open_version

CODE = (
    "import numpy as np\n"
    "class Tells:\n"
    "    def predict(self, rows):\n"
    "        import tabulate, sys\n"
    "        said = tabulate.__version__ + ' ' + sys.prefix\n"
    "        return np.array([said] * len(rows))\n"
)


class _Made:
    def __reduce__(self):
        return (eval, (f"(n := {{}}, exec({CODE!r}, n), n['Tells']())[-1]",))


def recorded(**packages):
    import msgspec

    own = {"numpy": np.__version__, "msgspec": msgspec.__version__}
    return {**environment(), "packages": {**own, **packages}}


@pytest.mark.slow
def test_a_version_runs_with_its_own_packages(tmp_path, monkeypatch):
    if "UV_CACHE_DIR" not in os.environ:
        monkeypatch.setenv("UV_CACHE_DIR", os.path.expanduser("~/.cache/uv"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "version"
    folder.mkdir()
    (folder / "model.pkl").write_bytes(pickle.dumps(_Made()))
    saved = Saved(
        framework="python", serializer="pickle", class_name="Tells", details={"file": "model.pkl"}
    )
    signature = {"inputs": [{"name": "input", "dtype": "float64", "shape": [-1, 1]}]}
    made = {}
    for version in ("0.8.10", "0.9.0"):
        with closing(open_version(
            folder, saved, trust=Trust.of(TRUST_ALL), signature=signature,
            placement="environment", environment=recorded(tabulate=version),
        )) as service:  # fmt: skip
            (said,) = service.run({"input": np.ones((1, 1))})["label"].tolist()
            told, _, made[version] = said.partition(" ")
            assert told == version
    assert len(set(made.values())) == 2
    assert all(place.startswith(str(tmp_path)) for place in made.values())
    begun = time.monotonic()
    again = environment_of(recorded(tabulate="0.9.0"))
    assert str(again) == made["0.9.0"]
    assert time.monotonic() - begun < 0.5
    assert not [name for name in os.listdir(again.parent) if name.startswith("making-")]


@pytest.mark.slow
def test_packages_that_nobody_has_are_named(tmp_path):
    with pytest.raises(Unavailable) as caught:
        environment_of(recorded(tabulate="999.0"), cache=tmp_path)
    assert caught.value.kind == "no-environment"
    assert "tabulate" in str(caught.value)


def test_packages_are_never_built_here(tmp_path, monkeypatch):
    """What is built runs its own code, and in the server."""
    ran = tmp_path / "ran"
    body = f"open({str(ran)!r}, 'w').close()\nraise SystemExit\n"
    project = (
        "[project]\nname = 'unbuilt'\nversion = '1.0'\n"
        "[build-system]\nrequires = []\nbuild-backend = 'own'\nbackend-path = ['.']\n"
    )
    with tarfile.open(tmp_path / "unbuilt-1.0.tar.gz", "w:gz") as made:
        for name, text in (("pyproject.toml", project), ("own.py", body)):
            entry = tarfile.TarInfo(f"unbuilt-1.0/{name}")
            entry.size = len(text)
            made.addfile(entry, io.BytesIO(text.encode()))
    monkeypatch.setenv("UV_FIND_LINKS", str(tmp_path))
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    with pytest.raises(Unavailable, match="unbuilt") as caught:
        environment_of(recorded(unbuilt="1.0"), cache=tmp_path / "cache")
    assert caught.value.kind == "no-environment"
    assert "wheels" in caught.value.hint
    assert not ran.exists()


@pytest.mark.parametrize("trust", [Trust(), Trust(frozenset({"risk.Model"}))])
def test_packages_of_a_version_run_only_if_they_are_trusted(tmp_path, monkeypatch, trust):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    saved = Saved(framework="python", serializer="pickle", class_name="x", details={})
    with pytest.raises(Denied) as caught:
        open_version(tmp_path, saved, trust=trust, placement="environment", environment=recorded())
    assert caught.value.kind == "untrusted"
    assert "--trust environment" in caught.value.hint
    assert not list(tmp_path.iterdir())


def test_the_name_that_is_trusted_allows_no_more_than_packages(tmp_path):
    saved = Saved(framework="python", serializer="pickle", class_name="x", details={})
    with pytest.raises(InvalidInput) as caught:  # it is the next thing that is looked at
        open_version(
            tmp_path, saved, trust=Trust(frozenset({"environment"})), placement="environment",
            environment=None,
        )  # fmt: skip
    assert caught.value.kind == "no-packages"


@pytest.mark.parametrize(
    "told",
    [None, {}, {"python": "3.11.7"}, {"python": "3.11.7; rm", "packages": {"numpy": "2.0"}},
     {"python": "3.11.7", "packages": {"--index-url": "http://x"}},
     {"python": "3.11.7", "packages": {"numpy": "2.0 @ http://x"}}],
)  # fmt: skip
def test_what_tells_no_packages_is_refused(told):
    with pytest.raises(InvalidInput) as caught:
        requirements_of(told)
    assert caught.value.kind == "no-packages"


def test_the_server_itself_is_not_among_the_packages():
    wanted, python = requirements_of(recorded(modelyard="0.1.0"))
    assert python == environment()["python"]
    assert not any(line.startswith("modelyard") for line in wanted)
    assert "pyyaml" in wanted


def test_the_interpreter_lies_in_the_environment(tmp_path):
    assert python_of(tmp_path) == tmp_path / "bin" / "python"
