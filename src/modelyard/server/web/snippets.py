"""Commands and code that ask a deployment, to be copied."""

from __future__ import annotations

import json
from dataclasses import dataclass

__all__ = ["Uses", "uses"]

_LONGEST = 800
"""Letters of an example that a command has room for."""
_UNKNOWN = '{"rows": [[...]]}'
_NUMPY = {
    "BOOL": "np.bool_", "UINT8": "np.uint8", "UINT16": "np.uint16", "UINT32": "np.uint32",
    "UINT64": "np.uint64", "INT8": "np.int8", "INT16": "np.int16", "INT32": "np.int32",
    "INT64": "np.int64", "FP16": "np.float16", "FP32": "np.float32", "FP64": "np.float64",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Uses:
    """How to ask a deployment, to be copied."""

    curl: str
    """With rows, for people."""
    protocol: str
    """With the Open Inference Protocol."""
    command: str
    """With the command line."""
    python: str
    """With the SDK."""
    client: str
    """With Triton's client."""


def uses(
    base: str, name: str, example: str, inputs: tuple[tuple[str, str, str], ...]
) -> Uses:  # fmt: skip
    """Commands and code that ask a deployment.

    Args:
        example: A body of a request; empty if nothing is known of what it takes.
        inputs: Name, datatype and shape of each input.
    """
    body = json.dumps(json.loads(example), ensure_ascii=False) if example else _UNKNOWN
    body = body if len(body) <= _LONGEST else _UNKNOWN
    quoted = body.replace("'", "'\\''")
    scheme, _, host = base.partition("://")
    secure = ", ssl=True" if scheme == "https" else ""
    tensors = inputs or (("INPUT", "FP32", "[1, 4]"),)
    made = "".join(
        f'one = InferInput({n!r}, {shape}, "{kind}")\n'
        f"one.set_data_from_numpy(np.zeros({shape}, {_NUMPY.get(kind, 'object')}))\n"
        "inputs.append(one)\n"
        for n, kind, shape in tensors[:4]
    )
    return Uses(
        curl=f"curl {base}/predict/{name} \\\n"
        f"  -H 'Authorization: Bearer TOKEN' \\\n  -d '{quoted}'",
        command=f"yard predict --yard {base} {name} --data '{quoted}'",
        python=f'import modelyard\n\nwith modelyard.open("{base}") as yard:\n'
        f'    print(modelyard.predict(yard, "{name}", {_literal(body)}))',
        protocol=f"curl {base}/v2/models/{name} \\\n  -H 'Authorization: Bearer TOKEN'",
        client="import numpy as np\n"
        "from tritonclient.http import InferenceServerClient, InferInput\n\n"
        f'client = InferenceServerClient("{host}"{secure})\ninputs = []\n{made}'
        f'answer = client.infer("{name}", inputs,\n'
        '                      headers={"Authorization": "Bearer TOKEN"})',
    )


def _literal(body: str) -> str:
    """The rows of a body as Python writes them."""
    return "rows" if body == _UNKNOWN else repr(next(iter(json.loads(body).values())))
