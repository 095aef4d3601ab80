"""A version served with the packages that it was made with."""

from __future__ import annotations

import os
import pickle
import time
from contextlib import closing

import numpy as np
import pytest

from modelyard.core.trust import TRUST_ALL, Trust
from modelyard.errors import InvalidInput, Unavailable
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
