"""Whatever is sent is answered or refused, never met with 500; and all ways give one answer."""

import json

import grpc
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from tests.compat.oip.models import DATATYPES
from tests.compat.oip.tensors import WIRE, body_of, packed, read_answer, texts_of
from tests.compat.oip.test_grpc_infer import FIELDS

from modelyard.serving.grpc.stubs import messages as m

FEW = settings() if settings.default.max_examples > 1000 else settings(max_examples=60)
"""`HYPOTHESIS_PROFILE=long` tries thousands."""
NAMES = st.sampled_from(["INPUT0", "INPUT1", "x", "", "ünï", "INPUT0\0"])
KINDS = st.sampled_from([*DATATYPES, "BF16", "int32", ""])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=20) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=40,
)
TENSOR = st.fixed_dictionaries(
    {},
    optional={
        "name": NAMES | JSON,
        "shape": st.lists(st.sampled_from([0, 1, 2, 16, -1, 2**31, 2**63]), max_size=4) | JSON,
        "datatype": KINDS | JSON,
        "data": st.lists(st.integers() | st.floats(allow_nan=False), max_size=40) | JSON,
        "parameters": st.fixed_dictionaries({}, optional={"binary_data_size": JSON}) | JSON,
    },
)
REQUEST = st.fixed_dictionaries(
    {},
    optional={
        "id": st.text() | JSON,
        "inputs": st.lists(TENSOR, max_size=4) | JSON,
        "outputs": st.lists(st.fixed_dictionaries({"name": NAMES | JSON})) | JSON,
        "parameters": st.fixed_dictionaries({}, optional={"timeout": JSON}) | JSON,
    },
)
MODELS = st.sampled_from(["simple", "simple_identity", "every", "total", "whole", "nothing"])


def _is_answer(answer):
    assert answer.status_code in (200, 400, 404, 413, 415, 504), answer.text
    if answer.status_code != 200:
        told = answer.json()
        assert isinstance(told["error"], str)
        assert told["error"]
    return answer


def _json(value):
    return json.dumps(value, allow_nan=True).encode("utf-8", "surrogatepass")


@FEW
@given(MODELS, st.binary(max_size=400), st.sampled_from([None, "0", "7", "80", "400", "-2", "x"]))
@example("simple", b"[" * 300, None)
def test_any_bytes(http, model, body, length):
    headers = {} if length is None else {"inference-header-content-length": length}
    _is_answer(http.post(f"/v2/models/{model}/infer", content=body, headers=headers))


@FEW
@given(MODELS, REQUEST | JSON)
@example("total", {"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [1] * 4}],
                   "parameters": {"timeout": 10**400}})  # fmt: skip
@example("whole", {"inputs": [{"name": "matrix", "shape": [0, 2**62], "datatype": "FP32",
                               "data": []}]})  # fmt: skip
@example("total", {"inputs": [{"name": "x", "shape": [0, 4], "datatype": "FP32", "data": []}]})
def test_any_json(http, model, value):
    _is_answer(http.post(f"/v2/models/{model}/infer", content=_json(value)))


@FEW
@given(MODELS, REQUEST, st.binary(max_size=200), st.integers(-3, 3))
def test_any_json_with_any_bytes_behind(http, model, value, rest, shift):
    start = _json(value)
    headers = {"inference-header-content-length": str(len(start) + shift)}
    _is_answer(http.post(f"/v2/models/{model}/infer", content=start + rest, headers=headers))


@FEW
@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=60))
def test_any_path(http, path):
    answer = http.get(f"/v2/models/{path.replace('#', '').replace('?', '')}/x")
    assert answer.status_code in (200, 400, 404)


PARTS = st.fixed_dictionaries(
    {"name": NAMES, "datatype": KINDS,
     "shape": st.lists(st.integers(-2, 5) | st.sampled_from([2**62, 2**63 - 1]), max_size=4)},
    optional={
        "contents": st.fixed_dictionaries(
            {},
            optional={
                "int_contents": st.lists(st.integers(-(2**31), 2**31 - 1), max_size=8),
                "fp32_contents": st.lists(st.floats(width=32), max_size=8),
                "bytes_contents": st.lists(st.binary(max_size=5), max_size=8),
                "bool_contents": st.lists(st.booleans(), max_size=8),
            },
        )
    },
)  # fmt: skip


def _state(call):
    try:
        call()
    except grpc.RpcError as error:
        return error.code().name, error.details()
    return "OK", ""


@FEW
@given(MODELS, st.lists(PARTS, max_size=3), st.lists(st.binary(max_size=70), max_size=3), NAMES)
def test_any_message(rpc, model, inputs, raw, output):
    asked = m.ModelInferRequest(
        model_name=model, inputs=inputs, raw_input_contents=raw, outputs=[{"name": output}]
    )
    state, words = _state(lambda: rpc.ModelInfer(asked))
    assert state in ("OK", "INVALID_ARGUMENT", "NOT_FOUND"), words
    assert words or state == "OK"


# -- all ways give one answer ----------------------------------------------------------------


def _arrays(datatype):
    shapes = st.tuples(st.integers(0, 4), st.integers(0, 4))
    if datatype == "BYTES":
        text = st.text(st.characters(codec="utf-8"), max_size=6)
        return arrays.arrays(object, shapes, elements=text, fill=st.nothing())
    kind = np.dtype(WIRE[datatype])
    elements = arrays.from_dtype(kind, allow_nan=False, allow_infinity=False)
    return arrays.arrays(kind, shapes, elements=elements)


def _feeds(datatype, array):
    """All inputs of the model that gives everything back; only one has values."""
    for name in DATATYPES:
        if name == datatype:
            yield name, array
        else:
            empty = np.full(array.shape, "", object) if name == "BYTES" else None
            yield name, np.zeros(array.shape, WIRE[name]) if empty is None else empty


def _raw(array):
    if array.dtype.kind == "O":
        return packed([text.encode() for text in array.ravel()])
    return array.tobytes()


def _from_raw(raw, datatype):
    if datatype == "BYTES":
        return [text.decode() for text in texts_of(raw)]
    return np.frombuffer(raw, WIRE[datatype]).tolist()


@pytest.mark.parametrize("datatype", DATATYPES)
@settings(max_examples=15)
@given(st.data())
def test_json_raw_bytes_and_messages_agree(http, rpc, datatype, data):
    array = data.draw(_arrays(datatype))
    expected = array.ravel().tolist()
    asked = [{"name": f"OUTPUT_{datatype}", "parameters": {"binary_data": True}}]
    raw = [(f"INPUT_{name}", name, a.shape, _raw(a)) for name, a in _feeds(datatype, array)]
    body, headers = body_of(raw, outputs=asked)
    answer = http.post("/v2/models/every/infer", content=body, headers=headers)
    assert answer.status_code == 200, answer.text
    (found,) = read_answer(answer.content, answer.headers)[1].values()
    assert _from_raw(found, datatype) == expected

    inputs = [{"name": f"INPUT_{name}", "shape": a.shape, "datatype": name, "data": a.tolist()}
              for name, a in _feeds(datatype, array)]  # fmt: skip
    asked[0].pop("parameters")
    answer = http.post("/v2/models/every/infer", json={"inputs": inputs, "outputs": asked})
    assert answer.status_code == 200, answer.text
    (output,) = answer.json()["outputs"]
    assert (output["shape"], output["datatype"]) == (list(array.shape), datatype)
    if datatype in ("FP16", "FP32"):
        back = np.array(output["data"], WIRE[datatype]).tolist()
    else:
        back = output["data"]
    assert back == expected

    request = m.ModelInferRequest(model_name="every", outputs=[{"name": f"OUTPUT_{datatype}"}])
    for name, kind, shape, content in raw:
        request.inputs.add(name=name, datatype=kind, shape=shape)
        request.raw_input_contents.append(content)
    assert _from_raw(rpc.ModelInfer(request).raw_output_contents[0], datatype) == expected
    if datatype == "FP16":  # has no typed contents
        return
    request = m.ModelInferRequest(model_name="typed", outputs=request.outputs)
    for name, a in _feeds(datatype, array):
        if name in FIELDS:
            values = [t.encode() for t in a.ravel()] if name == "BYTES" else a.ravel().tolist()
            tensor = request.inputs.add(name=f"INPUT_{name}", datatype=name, shape=a.shape)
            getattr(tensor.contents, FIELDS[name]).extend(values)
    assert _from_raw(rpc.ModelInfer(request).raw_output_contents[0], datatype) == expected


def test_after_all_that_the_server_is_well(http, rpc):
    assert http.get("/v2/health/ready").json() == {"ready": True}
    assert rpc.ServerReady().ready
