"""Inference over HTTP with raw tensors, raw bodies, and packed bodies."""

import gzip
import json
import zlib

import numpy as np
import pytest
from tests.compat.oip.tensors import WIRE, body_of, packed, raw_of, read_answer, texts_of

ONES = np.ones(16, "<i4").tobytes()
SIXTEEN = np.arange(16, dtype="<i4").tobytes()
SUMS = (np.arange(16) + 1).tolist()
TWO = [("INPUT0", "INT32", [1, 16], SIXTEEN), ("INPUT1", "INT32", [1, 16], ONES)]


def _post(http, body, headers, model="simple", **more):
    return http.post(f"/v2/models/{model}/infer", content=body, headers=headers, **more)


def _raw_answer(answer):
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/octet-stream"
    return read_answer(answer.content, answer.headers)


def test_raw_inputs_are_answered_with_json_unless_raw_is_wished(http):
    answer = _post(http, *body_of(TWO))
    assert "inference-header-content-length" not in answer.headers
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["outputs"][0]["data"] == SUMS


def test_all_outputs_come_raw_if_the_request_says_so(http):
    body, headers = body_of(TWO, id="7", parameters={"binary_data_output": True})
    head, raws = _raw_answer(_post(http, body, headers))
    assert (head["model_name"], head["model_version"], head["id"]) == ("simple", "1", "7")
    assert [output["parameters"] for output in head["outputs"]] == [{"binary_data_size": 64}] * 2
    assert np.frombuffer(raws["OUTPUT0"], "<i4").tolist() == SUMS


def test_an_output_says_for_itself_how_it_comes(http):
    outputs = [{"name": "OUTPUT0", "parameters": {"binary_data": True}}, {"name": "OUTPUT1"}]
    head, raws = _raw_answer(_post(http, *body_of(TWO, outputs=outputs)))
    assert list(raws) == ["OUTPUT0"]
    assert head["outputs"][1]["data"] == (np.arange(16) - 1).tolist()
    outputs[0]["parameters"] = {"binary_data": False}
    body = body_of(TWO, outputs=outputs, parameters={"binary_data_output": True})
    head, raws = _raw_answer(_post(http, *body))
    assert list(raws) == ["OUTPUT1"]
    assert head["outputs"][0]["data"] == SUMS


def test_raw_outputs_may_be_wished_by_json_alone(http):
    inputs = [{"name": name, "shape": [1, 16], "datatype": "INT32", "data": [2] * 16}
              for name in ("INPUT0", "INPUT1")]  # fmt: skip
    body = {"inputs": inputs, "parameters": {"binary_data_output": True}}
    _, raws = _raw_answer(http.post("/v2/models/simple/infer", json=body))
    assert np.frombuffer(raws["OUTPUT0"], "<i4").tolist() == [4] * 16


def test_raw_inputs_and_inputs_in_json_mix(http):
    body, headers = body_of(TWO)
    length = int(headers["inference-header-content-length"])
    head = json.loads(body[:length])
    head["inputs"][0] |= {"data": list(range(16)), "parameters": {}}
    start = json.dumps(head).encode()
    headers["inference-header-content-length"] = str(len(start))
    assert _post(http, start + ONES, headers).json()["outputs"][0]["data"] == SUMS


VALUES = {
    "BOOL": [True, False, True, True], "UINT8": [0, 255, 1, 2], "UINT16": [0, 65535, 1, 2],
    "UINT32": [0, 2**32 - 1, 1, 2], "UINT64": [0, 2**64 - 1, 2**63, 2],
    "INT8": [-128, 127, 0, 1], "INT16": [-(2**15), 2**15 - 1, 0, 1],
    "INT32": [-(2**31), 2**31 - 1, 0, 1], "INT64": [-(2**63), 2**63 - 1, 0, 1],
    "FP16": [-65504.0, 0.1, float("inf"), -0.0], "FP32": [1e-45, 0.1, float("-inf"), -0.0],
    "FP64": [5e-324, 0.1, float("inf"), -0.0], "BYTES": ["", "one", "ünï", "he\0llo"],
}  # fmt: skip


@pytest.mark.parametrize("datatype", VALUES)
@pytest.mark.parametrize("shape", [[2, 2], [1, 4]])
def test_every_datatype_comes_back_bit_for_bit(http, datatype, shape):
    raw = raw_of(datatype, VALUES[datatype])
    fill = {name: b"\0" * 4 * np.dtype(kind).itemsize for name, kind in WIRE.items()}
    fill |= {"BYTES": packed([b""] * 4), datatype: raw}
    inputs = [(f"INPUT_{name}", name, shape, fill[name]) for name in VALUES]
    asked = [{"name": f"OUTPUT_{datatype}", "parameters": {"binary_data": True}}]
    head, raws = _raw_answer(_post(http, *body_of(inputs, outputs=asked), model="every"))
    assert head["outputs"][0]["datatype"] == datatype
    assert head["outputs"][0]["shape"] == shape
    assert raws[f"OUTPUT_{datatype}"] == raw


def test_not_a_number_goes_raw_and_is_null_in_json(http):
    raw = np.array([[float("nan"), 1, 2, 3]], "<f4").tobytes()
    inputs = [("x", "FP32", [1, 4], raw)]
    asked = [{"name": "total", "parameters": {"binary_data": True}}]
    _, raws = _raw_answer(_post(http, *body_of(inputs, outputs=asked), model="total"))
    assert np.isnan(np.frombuffer(raws["total"], "<f4")).all()
    answer = _post(http, *body_of(inputs), model="total")
    assert answer.json()["outputs"][0]["data"] == [None]


def test_bytes_that_are_no_text_are_refused_by_a_model_of_text(http):
    body, headers = body_of([("INPUT0", "BYTES", [1, 1], packed([b"\xff\xfe"]))])
    answer = _post(http, body, headers, model="simple_identity")
    assert answer.status_code == 400
    assert "UTF-8" in answer.json()["error"]


def test_text_with_zeros_in_it_is_text(http):
    items = [b"he\0llo", b"\x00\x01\x02\x03", b""]
    asked = [{"name": "OUTPUT0", "parameters": {"binary_data": True}}]
    body, headers = body_of([("INPUT0", "BYTES", [1, 3], packed(items))], outputs=asked)
    _, raws = _raw_answer(_post(http, body, headers, model="simple_identity"))
    assert texts_of(raws["OUTPUT0"]) == items


def test_tensors_of_no_bytes_are_tensors(http):
    asked = [{"name": "OUTPUT0", "parameters": {"binary_data": True}}]
    body, headers = body_of([("INPUT0", "BYTES", [0, 5], b"")], outputs=asked)
    head, raws = _raw_answer(_post(http, body, headers, model="simple_identity"))
    assert (head["outputs"][0]["shape"], raws) == ([0, 5], {"OUTPUT0": b""})


def test_tensors_need_not_begin_at_an_even_place(http):
    for id in ("", "a", "ab", "abc"):  # the JSON before them grows by one byte each time
        answer = _post(http, *body_of(TWO, id=id))
        assert answer.json()["outputs"][0]["data"] == SUMS


def test_large_tensors_come_back_whole(http):
    data = np.random.default_rng(7).integers(-9, 9, (1500, 1000), dtype="<i4")
    asked = [{"name": "OUTPUT0", "parameters": {"binary_data": True}}]
    inputs = [("INPUT0", "INT32", data.shape, data.tobytes())]
    body, headers = body_of(inputs, outputs=asked)
    _, raws = _raw_answer(_post(http, body, headers, model="custom_identity_int32"))
    assert raws["OUTPUT0"] == data.tobytes()


def test_a_body_may_be_the_only_tensor_and_nothing_else(http):
    raw = np.arange(4, dtype="<f4").tobytes()
    headers = {"inference-header-content-length": "0", "content-type": "application/octet-stream"}
    head, raws = _raw_answer(_post(http, raw, headers, model="total"))
    assert head["outputs"][0]["shape"] == [1]
    assert np.frombuffer(raws["total"], "<f4").tolist() == [6.0]
    whole = np.ones(6, "<f4").tobytes()
    head, raws = _raw_answer(_post(http, whole, headers, model="whole"))
    assert np.frombuffer(raws["number"], "<f4").tolist() == [6.0]


@pytest.mark.parametrize(
    ("model", "body"),
    [("simple", b"\0" * 64), ("total", b"\0" * 3), ("whole", b"\0" * 20), ("total", b"\0" * 12)],
)
def test_a_body_that_can_be_no_tensor_is_refused(http, model, body):
    answer = _post(http, body, {"inference-header-content-length": "0"}, model=model)
    assert answer.status_code == 400
    assert isinstance(answer.json()["error"], str)


@pytest.mark.parametrize("way", ["gzip", "deflate"])
def test_packed_bodies_are_unpacked_before_their_json_is_measured(http, way):
    pack = {"gzip": gzip.compress, "deflate": zlib.compress}[way]
    body, headers = body_of(TWO)
    answer = _post(http, pack(body), headers | {"content-encoding": way})
    assert answer.json()["outputs"][0]["data"] == SUMS
    body = {"inputs": [{"name": name, "shape": [1, 16], "datatype": "INT32", "data": [1] * 16}
                       for name in ("INPUT0", "INPUT1")]}  # fmt: skip
    plain = pack(json.dumps(body).encode())
    answer = _post(http, plain, {"content-encoding": way, "content-type": "application/json"})
    assert answer.json()["outputs"][0]["data"] == [2] * 16


def test_deflate_without_its_frame_is_taken_too(http):
    body, headers = body_of(TWO)
    packer = zlib.compressobj(wbits=-15)
    bare = packer.compress(body) + packer.flush()
    answer = _post(http, bare, headers | {"content-encoding": "deflate"})
    assert answer.json()["outputs"][0]["data"] == SUMS


@pytest.mark.parametrize("way", ["gzip", "deflate"])
def test_answers_are_packed_if_the_client_takes_it(http, way):
    data = np.zeros((64, 256), "<i4")
    asked = [{"name": "OUTPUT0", "parameters": {"binary_data": True}}]
    body, headers = body_of([("INPUT0", "INT32", data.shape, data.tobytes())], outputs=asked)
    with http.stream(
        "POST", "/v2/models/custom_identity_int32/infer", content=body,
        headers=headers | {"accept-encoding": way},
    ) as answer:  # fmt: skip
        packed_answer = b"".join(answer.iter_raw())
    assert answer.headers["content-encoding"] == way
    assert int(answer.headers["content-length"]) == len(packed_answer) < data.nbytes / 10
    content = zlib.decompress(packed_answer, 31 if way == "gzip" else 15)
    _, raws = read_answer(content, answer.headers)
    assert raws["OUTPUT0"] == data.tobytes()


@pytest.mark.parametrize("way", ["br", "zstd", "gzip, gzip", "nonsense"])
def test_packed_in_another_way_is_refused(http, way):
    body, headers = body_of(TWO)
    answer = _post(http, body, headers | {"content-encoding": way})
    assert answer.status_code == 415
    assert isinstance(answer.json()["error"], str)


def test_what_only_says_that_it_is_packed_is_refused(http):
    body, headers = body_of(TWO)
    for broken in (body, gzip.compress(body)[:-9], b"", gzip.compress(body) + b"more"):
        answer = _post(http, broken, headers | {"content-encoding": "gzip"})
        assert answer.status_code == 400


def test_a_small_body_that_unpacks_to_a_huge_one_is_refused(http):
    huge = gzip.compress(b"\0" * (70 << 20), 9)
    answer = _post(http, huge, {"content-encoding": "gzip", "content-type": "application/json"})
    assert (len(huge) < 100_000, answer.status_code) == (True, 413)
    assert isinstance(answer.json()["error"], str)
