"""Other people's clients drive the real server: tritonclient, KServe's and MLServer's."""

import pytest
from tests.compat.oip.environments import checks, environment, outcomes
from tests.conftest import missing

SCRIPTS = {
    "triton_http": ("triton", "http"),
    "triton_grpc": ("triton", "grpc"),
    "kserve_client": ("kserve", "both"),
    "mlserver_client": ("mlserver", "both"),
}
"""Which client each script needs, and which address it is given."""


@pytest.fixture(scope="session")
def outcome(server):
    """`outcome(script, check)`; each script is run once."""
    found = {}

    def of(script, check):
        client, way = SCRIPTS[script]
        if script not in found:
            try:
                environment(client)
            except RuntimeError as error:
                missing(f"the client {client} ({error})")
            words = {"http": [server.http], "grpc": [server.grpc]}
            found[script] = outcomes(client, script, *words.get(way, [server.http, server.grpc]))
        return found[script][check]

    return of


@pytest.mark.parametrize(
    ("script", "check"), [(script, check) for script in SCRIPTS for check in checks(script)]
)
def test_a_client_gets_on_with_the_server(outcome, script, check):
    assert outcome(script, check) is None, outcome(script, check)
