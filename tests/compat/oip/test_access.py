"""Who may ask what: tokens over HTTP and over gRPC, on a server with accounts."""

import httpx2
import pytest
from tests.compat.oip.conftest import Stub
from tests.compat.oip.serving import make_yard, serving

from modelyard.registry import open_yard
from modelyard.registry.access import create_account, make_token
from modelyard.registry.access.giving import give_role
from modelyard.serving.grpc.stubs import messages as m

ROWS = {"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [1, 2, 3, 4]}]}


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """A server of two models, and tokens: of its admin, a writer and a reader of one model."""
    folder = make_yard(tmp_path_factory.mktemp("access"), ["total", "whole"])
    with serving(folder, "total", "whole", words=()) as server:
        tokens = {"admin": server.token, "nonsense": "yard_nonsense"}
        with open_yard(folder) as yard:
            for name, role in (("reader", "reader"), ("writer", "writer"), ("nobody", None)):
                create_account(yard.house, name)
                if role:
                    give_role(yard.house, name, "total", role)
                tokens[name] = make_token(yard.house, name)[1]
        yield server, tokens


@pytest.fixture
def http(house):
    server, tokens = house
    with httpx2.Client(base_url=server.url, timeout=30) as client:

        def ask(who, verb, path, **more):
            headers = {"authorization": f"Bearer {tokens[who]}"} if who else {}
            return client.request(verb, path, headers=headers, **more)

        yield ask


@pytest.fixture
def rpc(house):
    server, tokens = house
    stubs = {who: Stub(server.grpc, authorization=f"Bearer {text}") for who, text in tokens.items()}
    stubs[None] = Stub(server.grpc)
    yield stubs
    for stub in stubs.values():
        stub.channel.close()


def _infer(name="total"):
    request = m.ModelInferRequest(model_name=name)
    given = request.inputs.add(name="x", datatype="FP32", shape=[1, 4])
    given.contents.fp32_contents.extend([1, 2, 3, 4])
    return request


def test_health_takes_no_token(http, rpc):
    for path in ("/v2/health/live", "/v2/health/ready"):
        assert http(None, "GET", path).status_code == 200
    assert rpc[None].ServerLive().live
    assert rpc[None].ServerReady().ready


@pytest.mark.parametrize("who", ["reader", "writer", "admin"])
def test_who_may_read_a_model_may_ask_it(http, rpc, who):
    answer = http(who, "POST", "/v2/models/total/infer", json=ROWS)
    assert answer.json()["outputs"][0]["data"] == [10.0]
    assert rpc[who].ModelInfer(_infer()).model_name == "total"
    assert http(who, "GET", "/v2/models/total").status_code == 200
    assert rpc[who].ModelMetadata(name="total").name == "total"


@pytest.mark.parametrize(
    ("verb", "path"),
    [
        ("GET", "/v2"), ("GET", "/v2/models/total"), ("GET", "/v2/models/total/ready"),
        ("GET", "/v2/models/total/stats"), ("GET", "/v2/models/stats"),
        ("POST", "/v2/repository/index"), ("POST", "/v2/models/total/infer"),
        ("POST", "/v2/repository/models/total/unload"), ("POST", "/predict/total"),
    ],
)  # fmt: skip
def test_strangers_are_asked_who_they_are_whatever_is_there(http, verb, path):
    for place in (path, path.replace("total", "nothing")):
        for who in (None, "nonsense"):
            answer = http(who, verb, place, json=ROWS if verb == "POST" else None)
            assert answer.status_code == 401, (who, place)
            assert answer.headers["www-authenticate"].startswith("Bearer")
            assert isinstance(answer.json()["error"], str)


def test_strangers_are_asked_who_they_are_over_grpc(rpc, refused):
    for who in (None, "nonsense"):
        for name in ("total", "nothing"):
            asked = _infer(name)
            refused("UNAUTHENTICATED", lambda who=who, asked=asked: rpc[who].ModelInfer(asked))
            for what in ("ModelMetadata", "ModelReady", "ModelConfig", "ModelStatistics"):
                call = getattr(rpc[who], what)
                refused("UNAUTHENTICATED", lambda call=call, name=name: call(name=name))
        refused("UNAUTHENTICATED", lambda who=who: rpc[who].ServerMetadata())
        refused("UNAUTHENTICATED", lambda who=who: rpc[who].RepositoryIndex())
        refused(
            "UNAUTHENTICATED",
            lambda who=who: rpc[who].RepositoryModelUnload(model_name="total"),
        )
        (answer,) = rpc[who].stream(iter([_infer()]))
        assert answer.error_message


def test_what_somebody_may_not_read_is_not_there_for_them(http, rpc, refused):
    hidden = http("reader", "POST", "/v2/models/whole/infer", json=ROWS)
    absent = http("reader", "POST", "/v2/models/hole1/infer", json=ROWS)
    assert hidden.status_code == absent.status_code == 404
    assert hidden.json()["error"] == absent.json()["error"].replace("hole1", "whole")
    told = [
        refused("NOT_FOUND", lambda name=name: rpc["reader"].ModelInfer(_infer(name)))
        for name in ("whole", "hole1")
    ]
    assert told[0] == told[1].replace("hole1", "whole")
    listed = http("reader", "POST", "/v2/repository/index").json()
    assert {one["name"] for one in listed} == {"total"}
    assert {one.name for one in rpc["reader"].RepositoryIndex().models} == {"total"}
    assert {one.name for one in rpc["reader"].ModelStatistics().model_stats} == {"total"}


def test_who_has_no_role_finds_nothing(http, rpc, refused):
    assert http("nobody", "POST", "/v2/models/total/infer", json=ROWS).status_code in (403, 404)
    with pytest.raises(AssertionError):
        refused("OK", lambda: rpc["nobody"].ModelInfer(_infer()))


def test_readers_do_not_unload_and_writers_do(http, rpc, refused):
    answer = http("reader", "POST", "/v2/repository/models/total/unload")
    assert answer.status_code == 403
    refused("PERMISSION_DENIED", lambda: rpc["reader"].RepositoryModelUnload(model_name="total"))
    refused("PERMISSION_DENIED", lambda: rpc["reader"].RepositoryModelLoad(model_name="total"))
    assert http("reader", "GET", "/v2/models/total/ready").status_code == 200
    rpc["writer"].RepositoryModelUnload(model_name="total")
    try:
        assert http("reader", "GET", "/v2/models/total/ready").status_code == 503
    finally:
        assert http("writer", "POST", "/v2/repository/models/total/load").status_code == 200
    assert rpc["reader"].ModelReady(name="total").ready
