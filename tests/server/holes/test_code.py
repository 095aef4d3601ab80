"""Rows of reference/security.md section 3 that are kept by looking at our own code."""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from subprocess import run

import modelyard

PACKAGE = Path(modelyard.__file__).parent
IN_THE_SERVER = ("server", "registry", "history", "store", "catalog", "formats", "core")
_LOADERS = {
    "pickle.load", "pickle.loads", "pickle.Unpickler", "dill.load", "dill.loads", "joblib.load",
    "cloudpickle.load", "cloudpickle.loads", "torch.load", "marshal.load", "marshal.loads",
    "shelve.open", "numpy.load", "np.load", "keras.models.load_model", "eval", "exec", "compile",
    "yaml.load", "yaml.unsafe_load", "yaml.full_load", "os.system", "os.popen",
    "pandas.read_pickle", "pd.read_pickle", "tarfile.extractall", "shutil.unpack_archive",
}  # fmt: skip
_OPENERS = {
    "urllib.request.urlopen", "urlopen", "requests.get", "requests.post", "httpx.get", "httpx2.get",
    "urllib.request.urlretrieve", "socket.create_connection", "http.client.HTTPConnection",
}  # fmt: skip
_MAY_OPEN = {
    "server/outbound.py", "server/outside.py", "server/oidc.py", "registry/foreign/mlflowweb.py",
}  # fmt: skip
"""Webhooks and mail behind their guard, the issuer that an admin names, and imports on a client."""


def calls(path: Path) -> list[tuple[str, ast.Call]]:
    tree = ast.parse(path.read_text())
    return [(ast.unparse(n.func), n) for n in ast.walk(tree) if isinstance(n, ast.Call)]


def sources(*folders: str) -> list[Path]:
    return [path for folder in folders for path in (PACKAGE / folder).rglob("*.py")]


def test_nothing_of_the_server_unpickles_evaluates_or_unpacks() -> None:
    """Row "deserialisation RCE": BentoML CVE-2025-27520, CVE-2025-32375, CVE-2024-2912, MLflow."""
    for path in sources(*IN_THE_SERVER):
        for name, call in calls(path):
            if name in _LOADERS:
                safe = [k for k in call.keywords if ast.unparse(k) == "allow_pickle=False"]
                assert safe, f"{path}:{call.lineno}: {name}"
            assert not name.endswith((".extractall", ".extract_all")), f"{path}:{call.lineno}"
            assert not [k for k in call.keywords if ast.unparse(k) == "allow_pickle=True"], path


def test_nothing_starts_a_shell() -> None:
    """Row "command/Dockerfile/build injection": in no part of the package."""
    for path in PACKAGE.rglob("*.py"):
        for name, call in calls(path):
            given = {k.arg: ast.unparse(k.value) for k in call.keywords}
            assert given.get("shell", "False") == "False", f"{path}:{call.lineno}"
            assert name not in ("os.system", "os.popen", "subprocess.getoutput"), path


def test_yaml_is_read_by_a_safe_loader_alone() -> None:
    for path in PACKAGE.rglob("*.py"):
        for name, call in calls(path):
            if name.startswith("yaml.") and "load" in name and name != "yaml.safe_load":
                told = ast.unparse(call)
                assert "SafeLoader" in told or "Safe" in told, f"{path}:{call.lineno}: {told}"


def test_urls_are_opened_in_few_places() -> None:
    """Row "SSRF by source/webhook/image URL": a new place needs a look at who gives the URL."""
    found = {
        path.relative_to(PACKAGE).as_posix()
        for path in sources("server", "registry", "history", "catalog", "core")
        for name, _ in calls(path)
        if name in _OPENERS
    }
    assert found <= _MAY_OPEN, found - _MAY_OPEN


def test_a_server_that_starts_has_no_loader_of_models_in_memory() -> None:
    """What is not imported can't be called."""
    program = (
        "import sys, modelyard.server.app, modelyard.server.run;"
        "print(*[m for m in sys.modules if m.split('.')[0] in"
        " ('joblib','torch','keras','tensorflow','sklearn','dill','cloudpickle','onnx')])"
    )
    done = run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
