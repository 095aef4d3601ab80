from tests.server.fixtures import api, server

__all__ = ["api", "server"]
