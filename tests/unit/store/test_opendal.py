"""Object stores keep what `testing.BackendTests` asks of any, each against a real server."""

from pathlib import Path

import pytest

from modelyard.store.opening import open_backend
from modelyard.store.probing import probe
from modelyard.testing import BackendTests

pytestmark = pytest.mark.slow


class ObjectStore(BackendTests):
    """What the classes below share: the fixture with the URL, and what the service can do."""

    url = ""
    more = ""
    refuses_to_overwrite = True

    @pytest.fixture
    def backend(self, request):
        url = request.getfixturevalue(self.url) + self.more
        backend = open_backend(url, folder=Path())
        yield backend
        backend.close()

    def test_conditional_writes_are_tried_and_not_assumed(self, backend):
        found = probe(backend)
        assert found.conditional_put == self.refuses_to_overwrite
        assert 0 < found.seconds < 60
        assert probe(backend) is found
        assert list(backend.keys()) == []


class TestS3(ObjectStore):
    url = "s3_url"


class TestS3ByS3rver(ObjectStore):
    url = "s3rver_url"
    more = "&list_version=1"  # the newer list fails beyond 1,000 keys
    refuses_to_overwrite = False  # it ignores the condition


class TestAzure(ObjectStore):
    url = "azblob_url"


class TestOss(ObjectStore):
    url = "oss_url"


class TestOssByMoto(ObjectStore):
    url = "oss_moto_url"
    refuses_to_overwrite = False


class TestGoogle(ObjectStore):
    url = "gcs_url"


class TestWebDav(ObjectStore):
    url = "webdav_url"
    refuses_to_overwrite = False  # OpenDAL sends no condition
