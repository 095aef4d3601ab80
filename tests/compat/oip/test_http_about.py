"""The protocol over HTTP, but for inference: health, metadata, the repository, statistics."""

import pytest

import modelyard


def test_the_server_lives_and_is_ready(http):
    assert http.get("/v2/health/live").json() == {"live": True}
    assert http.get("/v2/health/ready").json() == {"ready": True}


def test_the_server_tells_its_name_version_and_extensions(http):
    told = http.get("/v2").json()
    assert (told["name"], told["version"]) == ("modelyard", modelyard.__version__)
    assert {"binary_tensor_data", "model_repository", "statistics"} <= set(told["extensions"])


def test_a_model_is_ready_with_and_without_a_version(http):
    for path in ("/v2/models/total/ready", "/v2/models/total/versions/1/ready"):
        answer = http.get(path)
        assert answer.status_code == 200
        assert answer.json() == {"name": "total", "ready": True}


@pytest.mark.parametrize(
    "path", ["nothing", "nothing/versions/1", "total/versions/9", "total/versions/x"]
)
@pytest.mark.parametrize("what", ["", "/ready", "/config", "/stats"])
def test_what_is_not_served_is_an_unknown_model(http, path, what):
    answer = http.get(f"/v2/models/{path}{what}")
    assert answer.status_code == 404
    assert answer.json()["error"].startswith("Request for unknown model")


def test_metadata_of_a_model_are_its_tensors_with_loose_sides(http):
    assert http.get("/v2/models/simple").json() == {
        "name": "simple", "versions": ["1"], "platform": "onnxruntime_onnx",
        "inputs": [{"name": "INPUT0", "datatype": "INT32", "shape": [-1, 16]},
                   {"name": "INPUT1", "datatype": "INT32", "shape": [-1, 16]}],
        "outputs": [{"name": "OUTPUT0", "datatype": "INT32", "shape": [-1, 16]},
                    {"name": "OUTPUT1", "datatype": "INT32", "shape": [-1, 16]}],
    }  # fmt: skip


def test_metadata_name_all_versions_and_every_datatype(http):
    for path in ("total", "total/versions/1", "total/versions/2"):
        assert http.get(f"/v2/models/{path}").json()["versions"] == ["2", "1"]
    found = http.get("/v2/models/every").json()
    assert [tensor["datatype"] for tensor in found["inputs"]] == [
        "BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64",
        "FP16", "FP32", "FP64", "BYTES",
    ]  # fmt: skip
    assert all(tensor["shape"] == [-1, -1] for tensor in found["outputs"])


def test_metadata_of_a_scalar_have_an_empty_shape(http):
    found = http.get("/v2/models/whole").json()
    assert found["inputs"] == [{"name": "matrix", "datatype": "FP32", "shape": [2, 3]}]
    assert found["outputs"] == [{"name": "number", "datatype": "FP32", "shape": []}]


def test_queries_behind_a_path_change_nothing(http):
    assert http.get("/v2/health/live?test_1=1&test_2=2").json() == {"live": True}
    assert http.get("/v2/models/simple?test=1").json()["name"] == "simple"


def test_the_repository_lists_each_version_with_its_state(http):
    found = http.post("/v2/repository/index").json()
    assert {"name": "simple", "version": "1", "state": "READY", "reason": ""} in found
    assert [one["version"] for one in found if one["name"] == "total"] == ["2", "1"]
    assert http.post("/v2/repository/index", json={"ready": True}).json() == found


def test_a_model_is_unloaded_and_loaded_again(http):
    infer = {"inputs": [{"name": "matrix", "shape": [2, 3], "datatype": "FP32", "data": [1] * 6}]}
    assert http.post("/v2/repository/models/whole/unload", json={}).status_code == 200
    try:
        assert http.get("/v2/models/whole/ready").status_code == 503
        assert http.get("/v2/models/whole/ready").json() == {"name": "whole", "ready": False}
        gone = http.post("/v2/models/whole/infer", json=infer)
        assert (gone.status_code, "retry-after" in gone.headers) == (503, True)
        index = http.post("/v2/repository/index").json()
        (one,) = [one for one in index if one["name"] == "whole"]
        assert (one["state"], one["reason"]) == ("UNAVAILABLE", "unloaded")
        ready = http.post("/v2/repository/index", json={"ready": True}).json()
        assert "whole" not in {one["name"] for one in ready}
        assert http.get("/v2/health/ready").status_code == 200  # the others answer
    finally:
        assert http.post("/v2/repository/models/whole/load").status_code == 200
    assert http.get("/v2/models/whole/ready").status_code == 200
    assert http.post("/v2/models/whole/infer", json=infer).json()["outputs"][0]["data"] == [6.0]


def test_what_is_not_there_fails_to_load_in_the_words_that_clients_look_for(http):
    answer = http.post("/v2/repository/models/nothing/load", json={})
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("failed to load 'nothing'")
    answer = http.post("/v2/repository/models/nothing/unload")
    assert answer.status_code == 404


@pytest.mark.parametrize("name", ["config", "file:1/model.onnx"])
def test_nobody_loads_a_version_with_other_files_or_settings(http, name):
    body = {"parameters": {name: '{"max_batch_size":"16"}'}}
    answer = http.post("/v2/repository/models/simple/load", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("failed to load 'simple'")
    assert http.get("/v2/models/simple/ready").status_code == 200


def test_a_model_has_a_configuration(http):
    found = http.get("/v2/models/simple/config").json()
    assert found["max_batch_size"] > 1
    assert found["input"][0] == {"name": "INPUT0", "data_type": "TYPE_INT32", "dims": ["16"]}
    whole = http.get("/v2/models/whole/config").json()
    assert whole["max_batch_size"] == 0
    assert whole["input"][0]["dims"] == ["2", "3"]


def _stats(http, path="simple_int8"):
    (found,) = http.get(f"/v2/models/{path}/stats").json()["model_stats"]
    return found


def test_statistics_count_requests_rows_and_times(http):
    before = _stats(http)
    rows = [[number] * 16 for number in range(3)]
    body = {"inputs": [{"name": name, "shape": [3, 16], "datatype": "INT8", "data": rows}
                       for name in ("INPUT0", "INPUT1")]}  # fmt: skip
    assert http.post("/v2/models/simple_int8/infer", json=body).status_code == 200
    body["inputs"].pop()
    assert http.post("/v2/models/simple_int8/infer", json=body).status_code == 400
    after = _stats(http)
    assert (after["name"], after["version"]) == ("simple_int8", "1")
    assert after["inference_count"] - before["inference_count"] == 3
    assert after["execution_count"] - before["execution_count"] == 1
    assert after["last_inference"] > 1_700_000_000_000
    grown = {
        name: after["inference_stats"][name]["count"] - before["inference_stats"][name]["count"]
        for name in after["inference_stats"]
    }
    assert grown == {
        "success": 1, "fail": 1, "queue": 1, "compute_input": 1, "compute_infer": 1,
        "compute_output": 1, "cache_hit": 0, "cache_miss": 0,
    }  # fmt: skip
    times = after["inference_stats"]
    parts = ("queue", "compute_input", "compute_infer", "compute_output")
    assert 0 < sum(times[part]["ns"] for part in parts) <= times["success"]["ns"]
    assert sum(batch["compute_infer"]["count"] for batch in after["batch_stats"]) >= 1


def test_statistics_of_one_version_and_of_everything(http):
    found = http.get("/v2/models/total/stats").json()["model_stats"]
    assert [one["version"] for one in found] == ["2", "1"]
    assert _stats(http, "total/versions/1")["version"] == "1"
    everything = http.get("/v2/models/stats").json()["model_stats"]
    assert {"simple", "every", "total"} <= {one["name"] for one in everything}


@pytest.mark.parametrize(
    ("verb", "path"),
    [
        ("POST", "/v2/health/live"), ("PUT", "/v2"), ("GET", "/v2/models/simple/infer"),
        ("DELETE", "/v2/models/simple"), ("GET", "/v2/repository/index"),
        ("GET", "/v2/repository/models/simple/load"),
    ],
)  # fmt: skip
def test_another_verb_is_refused(http, verb, path):
    answer = http.request(verb, path)
    assert answer.status_code == 405
    assert isinstance(answer.json()["error"], str)


@pytest.mark.parametrize("path", ["/v2/", "/v2/nothing", "/v2/models", "/v2/models/simple/nothing"])
def test_paths_that_are_none_say_so_in_the_protocols_form(http, path):
    answer = http.get(path)
    if path == "/v2/":
        assert answer.json()["name"] == "modelyard"
    else:
        assert answer.status_code == 404
        assert isinstance(answer.json()["error"], str)
