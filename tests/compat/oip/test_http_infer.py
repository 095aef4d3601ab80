"""Inference over HTTP with JSON: what is asked, what comes back."""

import math

import pytest

SIXTEEN = list(range(16))


def _simple(**more):
    return {
        "inputs": [
            {"name": "INPUT0", "shape": [1, 16], "datatype": "INT32", "data": SIXTEEN},
            {"name": "INPUT1", "shape": [1, 16], "datatype": "INT32", "data": [1] * 16},
        ],
        **more,
    }


def _infer(http, body, path="simple"):
    answer = http.post(f"/v2/models/{path}/infer", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    return answer.json()


def _back(http, datatype, data, shape):
    """What the model that gives all back gives for one input; the others are empty rows."""
    names = ["BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64",
             "FP16", "FP32", "FP64", "BYTES"]  # fmt: skip
    fill = {"BOOL": False, "BYTES": ""}
    inputs = [
        {"name": f"INPUT_{name}", "datatype": name, "shape": shape,
         "data": data if name == datatype else [fill.get(name, 0)] * math.prod(shape)}
        for name in names
    ]  # fmt: skip
    body = {"inputs": inputs, "outputs": [{"name": f"OUTPUT_{datatype}"}]}
    (found,) = _infer(http, body, "every")["outputs"]
    assert (found["name"], found["datatype"]) == (f"OUTPUT_{datatype}", datatype)
    assert found["shape"] == shape
    return found["data"]


def test_an_answer_has_every_field_of_the_protocol(http):
    assert _infer(http, _simple(id="42")) == {
        "model_name": "simple", "model_version": "1", "id": "42",
        "outputs": [
            {"name": "OUTPUT0", "datatype": "INT32", "shape": [1, 16],
             "data": [number + 1 for number in SIXTEEN]},
            {"name": "OUTPUT1", "datatype": "INT32", "shape": [1, 16],
             "data": [number - 1 for number in SIXTEEN]},
        ],
    }  # fmt: skip


def test_no_id_comes_back_where_none_was_sent(http):
    assert "id" not in _infer(http, _simple())


@pytest.mark.parametrize("id", ["", "x" * 5000, "ключ-鍵-🔑", 'quo"te\\'])
def test_an_id_comes_back_as_it_was(http, id):
    assert _infer(http, _simple(id=id))["id"] == id


@pytest.mark.parametrize("version", ["1", "2"])
def test_a_version_is_asked_by_its_number(http, version):
    rows = {"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [1, 2, 3, 4.5]}]}
    found = _infer(http, rows, f"total/versions/{version}")
    assert (found["model_version"], found["outputs"][0]["data"]) == (version, [10.5])
    assert _infer(http, rows, "total")["model_version"] == "2"


def test_outputs_are_given_as_asked_and_in_that_order(http):
    asked = _infer(http, _simple(outputs=[{"name": "OUTPUT1"}, {"name": "OUTPUT0"}]))
    assert [output["name"] for output in asked["outputs"]] == ["OUTPUT1", "OUTPUT0"]
    one = _infer(http, _simple(outputs=[{"name": "OUTPUT1"}]))["outputs"]
    assert [output["name"] for output in one] == ["OUTPUT1"]
    assert one[0]["data"] == [number - 1 for number in SIXTEEN]


def test_no_outputs_means_all_of_them(http):
    for outputs in ([], None):
        assert len(_infer(http, _simple(outputs=outputs))["outputs"]) == 2


def test_inputs_may_come_in_any_order(http):
    body = _simple()
    body["inputs"].reverse()
    assert _infer(http, body)["outputs"][0]["data"] == [number + 1 for number in SIXTEEN]


def test_parameters_and_fields_that_mean_nothing_here_are_let_pass(http):
    body = _simple(parameters={"sequence_id": 0, "priority": 1, "anything": {"a": [1, None]}})
    body["model_name"] = "something"
    body["inputs"][0]["parameters"] = {"anything": True}
    body["outputs"] = [{"name": "OUTPUT0", "parameters": {"anything": 2.5}}]
    assert len(_infer(http, body)["outputs"]) == 1


@pytest.mark.parametrize(
    "data", [SIXTEEN * 2, [SIXTEEN, SIXTEEN], [[[number] for number in SIXTEEN] for _ in (0, 1)]]
)
def test_data_may_be_flat_or_nested(http, data):
    body = _simple()
    for tensor in body["inputs"]:
        tensor |= {"shape": [2, 16], "data": data}
    found = _infer(http, body)["outputs"][0]
    assert found["shape"] == [2, 16]
    assert found["data"] == [2 * number for number in SIXTEEN * 2]


@pytest.mark.parametrize(
    ("datatype", "data"),
    [
        ("BOOL", [True, False, True, True]),
        ("UINT8", [0, 1, 127, 255]), ("UINT16", [0, 1, 2, 65535]),
        ("UINT32", [0, 1, 2, 2**32 - 1]), ("UINT64", [0, 1, 2**63, 2**64 - 1]),
        ("INT8", [-128, -1, 0, 127]), ("INT16", [-(2**15), -1, 0, 2**15 - 1]),
        ("INT32", [-(2**31), -1, 0, 2**31 - 1]), ("INT64", [-(2**63), -1, 0, 2**63 - 1]),
        ("FP16", [-1.5, 0.0, 0.25, 65504.0]), ("FP32", [-1.5, 0.0, 0.25, 3.0000000054977558e38]),
        ("FP64", [-1e308, 0.1, 5e-324, 1.7976931348623157e308]),
        ("BYTES", ["", "one", "ünï ⻘ 🔑", 'quo"te\\\n']),
    ],
)  # fmt: skip
def test_every_datatype_keeps_its_values(http, datatype, data):
    expected = data if datatype == "BYTES" else pytest.approx(data, rel=1e-7)
    assert _back(http, datatype, data, [2, 2]) == expected
    assert _back(http, datatype, data, [4, 1]) == expected


def test_doubles_are_kept_to_the_last_bit(http):
    data = [0.1, 1 / 3, math.pi, 2.2250738585072014e-308, 123456789.12345679, -0.0]
    assert _back(http, "FP64", data, [1, 6]) == data


def test_numbers_that_no_integer_holds_are_still_floats(http):
    data = [123456789012345678901234567890, 2**64, -(2**70)]
    assert _back(http, "FP64", data, [1, 3]) == [float(number) for number in data]


def test_what_json_has_no_number_for_is_null(http):
    assert _back(http, "FP32", [1.5, None, 2.5], [1, 3]) == [1.5, None, 2.5]
    assert _back(http, "FP32", [1e39, 0, 0], [1, 3]) == [None, 0, 0]


@pytest.mark.parametrize("shape", [[0, 16], [0, 0]])
def test_tensors_without_elements_are_tensors(http, shape):
    assert _back(http, "FP32", [], shape) == []
    assert _back(http, "BYTES", [], shape) == []


def test_many_rows_are_answered_row_by_row(http):
    rows = 700
    data = [[float(row), 1, 2, 3] for row in range(rows)]
    body = {"inputs": [{"name": "x", "shape": [rows, 4], "datatype": "FP32", "data": data}]}
    (found,) = _infer(http, body, "total")["outputs"]
    assert found["data"] == [row + 6.0 for row in range(rows)]


def test_a_model_without_rows_takes_its_shape_and_gives_a_number(http):
    body = {"inputs": [{"name": "matrix", "shape": [2, 3], "datatype": "FP32",
                        "data": [[1, 2, 3], [4, 5, 6]]}]}  # fmt: skip
    assert _infer(http, body, "whole")["outputs"] == [
        {"name": "number", "datatype": "FP32", "shape": [], "data": [21.0]}
    ]


def test_text_in_text_out(http):
    body = {
        "inputs": [
            {"name": name, "shape": [1, 16], "datatype": "BYTES", "data": [str(n) for n in row]}
            for name, row in (("INPUT0", SIXTEEN), ("INPUT1", [1] * 16))
        ]
    }
    sums, differences = _infer(http, body, "simple_string")["outputs"]
    assert sums["data"] == [str(number + 1) for number in SIXTEEN]
    assert differences["data"] == [str(number - 1) for number in SIXTEEN]
    assert sums["datatype"] == "BYTES"


def test_a_request_has_an_id_for_logs_that_is_the_callers_if_it_has_one(http):
    answer = http.post("/v2/models/simple/infer", json=_simple())
    other = http.post("/v2/models/simple/infer", json=_simple())
    assert answer.headers["x-request-id"] != other.headers["x-request-id"]
    given = {"x-request-id": "order-7"}
    answer = http.post("/v2/models/simple/infer", json=_simple(), headers=given)
    assert answer.headers["x-request-id"] == "order-7"
    answer = http.post("/v2/models/simple/infer", content=b"{", headers=given)
    assert (answer.status_code, answer.headers["x-request-id"]) == (400, "order-7")


def test_a_trace_goes_on(http):
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    answer = http.post("/v2/models/simple/infer", json=_simple(), headers={"traceparent": trace})
    ours = answer.headers["traceparent"]
    assert ours.split("-")[1] == trace.split("-")[1]
    assert ours.split("-")[2] != trace.split("-")[2]
    wrong = http.post("/v2/models/simple/infer", json=_simple(), headers={"traceparent": "00-x"})
    assert (wrong.status_code, "traceparent" in wrong.headers) == (200, False)


def test_a_deadline_that_passed_is_refused_and_one_that_is_no_number_too(http):
    late = http.post("/v2/models/simple/infer", json=_simple(), headers={"x-deadline-ms": "0"})
    assert late.status_code == 504
    assert "deadline" in late.json()["error"]
    wrong = http.post("/v2/models/simple/infer", json=_simple(), headers={"x-deadline-ms": "soon"})
    assert wrong.status_code == 400
    fine = http.post("/v2/models/simple/infer", json=_simple(), headers={"x-deadline-ms": "9000"})
    assert fine.status_code == 200


def test_another_version_is_asked_by_a_header(http):
    rows = {"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [1, 2, 3, 4]}]}
    headers = {"x-modelyard-version": "1"}
    answer = http.post("/v2/models/total/infer", json=rows, headers=headers)
    assert answer.json()["model_version"] == "1"
