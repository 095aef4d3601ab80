"""What is wrong is told by 4xx, `{"error": text}`, and the words that clients know."""

import json

import pytest
from tests.compat.oip.tensors import body_of, packed

TENSOR = {"name": "INPUT0", "shape": [1, 16], "datatype": "INT32", "data": [0] * 16}
OTHER = TENSOR | {"name": "INPUT1"}


def _error(answer, status=400):
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    error = answer.json()["error"]
    assert error
    assert "Traceback" not in answer.text
    return error


def _refused(http, *inputs, model="simple", **more):
    body = {"inputs": list(inputs), **more}
    return _error(http.post(f"/v2/models/{model}/infer", json=body))


def test_an_unknown_model_or_version_is_told_in_the_words_that_clients_look_for(http):
    for path in ("nothing", "total/versions/99"):
        answer = http.post(f"/v2/models/{path}/infer", json={"inputs": [TENSOR]})
        assert _error(answer, 404).startswith("Request for unknown model: ")


def test_a_missing_input_is_named(http):
    assert _refused(http, TENSOR) == (
        "expected 2 inputs but got 1 inputs for model 'simple'. Got input(s) ['INPUT0'], but"
        " missing required input(s) ['INPUT1']. Please provide all required input(s)."
    )
    assert "missing required input(s)" in _refused(http)


def test_an_unknown_input_is_named(http):
    wrong = "unexpected inference input 'MORE' for model 'simple'"
    assert _refused(http, TENSOR, OTHER, TENSOR | {"name": "MORE"}).startswith(wrong)
    assert _refused(http, TENSOR, TENSOR | {"name": "MORE"}).startswith(wrong)


def test_an_input_given_twice_is_refused(http):
    assert "INPUT0" in _refused(http, TENSOR, TENSOR, OTHER)


def test_an_unknown_output_is_named(http):
    assert _refused(http, TENSOR, OTHER, outputs=[{"name": "MORE"}]).startswith(
        "unexpected inference output 'MORE' for model 'simple'"
    )


def test_another_datatype_is_named_beside_the_right_one(http):
    assert _refused(http, TENSOR | {"datatype": "FP32"}, OTHER) == (
        "inference input 'INPUT0' data-type is 'FP32', but model 'simple' expects 'INT32'"
    )


def test_another_shape_is_named_beside_the_right_one(http):
    assert _refused(http, TENSOR | {"shape": [1, 8], "data": [0] * 8}, OTHER) == (
        "unexpected shape for input 'INPUT0' for model 'simple'. Expected [-1,16], got [1,8]"
    )
    assert "unexpected shape" in _refused(http, TENSOR | {"shape": [16]}, OTHER)
    assert "unexpected shape" in _refused(http, TENSOR | {"shape": [1, 1, 16]}, OTHER)


def test_inputs_with_different_numbers_of_rows_are_refused(http):
    two = OTHER | {"shape": [2, 16], "data": [0] * 32}
    assert "batch size does not match other inputs for 'simple'" in _refused(http, TENSOR, two)


@pytest.mark.parametrize(
    "change",
    [
        {"datatype": "INT31"}, {"datatype": ""}, {"datatype": None}, {"datatype": "int32"},
        {"shape": [-1, 16]}, {"shape": "1,16"}, {"shape": [1.5, 16]}, {"shape": None},
        {"shape": [2**62, 2**62]}, {"shape": [1] * 64}, {"shape": [2**63, 16]},
        {"data": [0] * 15}, {"data": [0] * 17}, {"data": None}, {"data": 7}, {"data": "text"},
        {"data": {"a": 1}}, {"data": ["1"] * 16}, {"data": [1.5] * 16}, {"data": [None] * 16},
        {"data": [2**31] * 16}, {"data": [-(2**31) - 1] * 16}, {"data": [2**70] * 16},
        {"data": [[0] * 8, [0] * 7]}, {"data": [True] * 16},
        {"name": 5}, {"name": None},
        {"parameters": {"binary_data_size": 64}}, {"parameters": {"binary_data_size": -1}},
        {"parameters": {"binary_data_size": "64"}}, {"parameters": {"binary_data_size": 2**70}},
        {"parameters": 7},
    ],
)  # fmt: skip
def test_an_input_that_is_none_is_refused(http, change):
    _refused(http, TENSOR | change, OTHER)


@pytest.mark.parametrize("field", ["name", "shape", "datatype", "data"])
def test_an_input_lacks_nothing(http, field):
    _refused(http, {key: value for key, value in TENSOR.items() if key != field}, OTHER)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"null", b"7", b'"text"', b"{}", b'{"inputs": {}}', b'{"inputs": null}',
        b'{"inputs": [7]}', b'{"inputs": [null]}', b'{"id": 7, "inputs": []}', b"\xff\xfe",
        b'{"inputs": [], "parameters": 7}', b'{"inputs": [], "outputs": 7}',
        b'{"inputs": [], "outputs": [{}]}', b'{"inputs": []} {"inputs": []}', b"\0" * 100,
        b"[" * 100_000, b'{"a":' * 50_000, b'{"inputs": [' + b"[" * 50_000,
    ],
)  # fmt: skip
def test_a_body_that_is_no_request_is_refused(http, body):
    _error(http.post("/v2/models/simple/infer", content=body))


def test_json_without_end_inside_data_is_refused(http):
    start = b'{"inputs": [{"name":"INPUT0","shape":[1,16],"datatype":"INT32","data":'
    for data in (b"[" * 40_000, b"[" * 40 + b"0" + b"]" * 40, b"[0,", b"[0 0]", b"[0,]", b"[-]"):
        _error(http.post("/v2/models/simple/infer", content=start + data + b"}]}"))


@pytest.mark.parametrize("length", ["x", "-1", "1.5", "1e3", "99999", "9" * 30, "", "٣"])
def test_a_length_of_the_json_that_is_none_is_refused(http, length):
    body, headers = body_of([("INPUT0", "BYTES", [1, 1], packed([b"a"]))])
    headers["inference-header-content-length"] = length.encode()
    answer = http.post("/v2/models/simple_identity/infer", content=body, headers=headers)
    _error(answer)


@pytest.mark.parametrize("shift", [-3, -1, 1, 3])
def test_a_length_of_the_json_that_cuts_it_elsewhere_is_refused(http, shift):
    body, headers = body_of([("INPUT0", "BYTES", [1, 1], packed([b"a"]))])
    length = int(headers["inference-header-content-length"]) + shift
    headers["inference-header-content-length"] = str(length)
    _error(http.post("/v2/models/simple_identity/infer", content=body, headers=headers))


def test_raw_tensors_of_another_size_are_told_with_both_sizes(http):
    good = ("INPUT1", "INT32", [1, 16], b"\0" * 64)
    body, headers = body_of([("INPUT0", "INT32", [1, 16], b"\0" * 60), good])
    answer = http.post("/v2/models/simple/infer", content=body, headers=headers)
    assert _error(answer) == "unexpected total byte size 60 for input 'INPUT0', expecting 64"


def test_raw_bytes_that_are_missing_or_too_many_are_refused(http):
    body, headers = body_of([("INPUT0", "BYTES", [1, 1], packed([b"abc"]))])
    for wrong in (body[:-1], body[:-7], body + b"\0"):
        answer = http.post("/v2/models/simple_identity/infer", content=wrong, headers=headers)
        _error(answer)
    assert "additional input data" in _error(
        http.post("/v2/models/simple_identity/infer", content=body + b"12", headers=headers)
    )


@pytest.mark.parametrize(
    "raw",
    [b"\x05\0\0\0abc", b"\x03\0\0", b"\xff\xff\xff\xffabc", packed([b"a", b"b"]), b"",
     packed([b"a"]) + b"\0"],
)  # fmt: skip
def test_elements_of_bytes_with_broken_lengths_are_refused(http, raw):
    body, headers = body_of([("INPUT0", "BYTES", [1, 1], raw)])
    _error(http.post("/v2/models/simple_identity/infer", content=body, headers=headers))


def test_a_number_that_the_model_itself_refuses_is_the_callers_fault(http):
    texts = [{"name": name, "shape": [1, 16], "datatype": "BYTES", "data": ["no number"] * 16}
             for name in ("INPUT0", "INPUT1")]  # fmt: skip
    assert "take" in _refused(http, *texts, model="simple_string")


def test_a_body_that_is_too_large_is_refused_before_it_is_read(http):
    def parts():
        for _ in range(80):
            yield b"\0" * (1 << 20)

    answer = http.post("/v2/models/simple/infer", content=parts())
    _error(answer, 413)


def test_names_in_errors_are_cut(http):
    error = _refused(http, TENSOR, OTHER, TENSOR | {"name": "x" * 100_000})
    assert len(error) < 1000
    answer = http.post(f"/v2/models/{'m' * 3000}/infer", json={})
    assert len(_error(answer, 404)) < 1000


@pytest.mark.parametrize("name", ["a%2Fb", "..%2f..", "%00", "a b", "%ff", "ünï", "'; drop", "<b>"])
def test_strange_names_are_unknown_models(http, name):
    answer = http.get(f"/v2/models/{name}")
    assert answer.status_code == 404
    assert json.loads(answer.content)["error"]


def test_after_all_that_the_server_answers_as_before(http):
    body = {"inputs": [TENSOR, OTHER]}
    assert http.post("/v2/models/simple/infer", json=body).status_code == 200
    assert http.get("/v2/health/ready").status_code == 200
