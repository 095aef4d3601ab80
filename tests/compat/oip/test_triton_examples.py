"""Triton's own example clients, unmodified, against the real server.

They are no package, so whoever wants to run them says where they are:

    git clone https://github.com/triton-inference-server/client
    TRITON_EXAMPLES=client/src/python/examples pytest tests/compat/oip/test_triton_examples.py
"""

import os
import subprocess
from pathlib import Path

import pytest
from tests.compat.oip.environments import environment
from tests.compat.oip.serving import serving
from tests.conftest import missing

FOLDER = Path(os.environ.get("TRITON_EXAMPLES", "not-there"))
HTTP = {
    "simple_http_infer_client": (),
    "simple_http_infer_client packed by gzip": (
        "--request-compression-algorithm", "gzip", "--response-compression-algorithm", "gzip",
    ),
    "simple_http_infer_client packed by deflate": (
        "--request-compression-algorithm", "deflate",
        "--response-compression-algorithm", "deflate",
    ),
    "simple_http_async_infer_client": (),
    "simple_http_aio_infer_client": (),
    "simple_http_health_metadata": (),
    "simple_http_string_infer_client": (),
}  # fmt: skip
GRPC = {
    "simple_grpc_infer_client": (),
    "simple_grpc_infer_client packed by gzip": ("-C", "gzip"),
    "simple_grpc_async_infer_client": (),
    "simple_grpc_aio_infer_client": (),
    "simple_grpc_health_metadata": (),
    "simple_grpc_string_infer_client": (),
    "simple_grpc_custom_args_client": (),
    "simple_grpc_keepalive_client": (),
    "grpc_explicit_int_content_client": (),
    "grpc_explicit_int8_content_client": (),
    "grpc_explicit_byte_content_client": (),
    "grpc_client": (),
}
"""Not here: what asks for shared memory, sequences, ensembles, pictures, and `model_control`,
which changes a model's settings while loading it: a version is served as it was committed."""
MODELS = ("simple", "simple_int8", "simple_string", "simple_identity", "densenet_onnx")


@pytest.fixture(scope="module")
def triton(models):
    """A server that calls itself what the examples look for."""
    if not FOLDER.is_dir():
        pytest.skip("TRITON_EXAMPLES names no folder")
    try:
        python = environment("triton")
    except RuntimeError as error:
        missing(f"tritonclient ({error})")
    with serving(models, *MODELS, words=("--open", "--name", "triton")) as server:
        yield python, server


@pytest.mark.parametrize("example", [*HTTP, *GRPC])
def test_an_example_runs_to_its_end(triton, example):
    python, server = triton
    over_http = example in HTTP
    place = server.http if over_http else server.grpc
    words = HTTP[example] if over_http else GRPC[example]
    script = FOLDER / f"{example.partition(' ')[0]}.py"
    done = subprocess.run(
        [python, script, "-u", place, *words],
        capture_output=True, text=True, timeout=60, cwd=FOLDER,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "FAILED" not in done.stdout
    assert "error:" not in done.stdout
