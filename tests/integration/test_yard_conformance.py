"""The whole conformance suite over a yard in a folder, its catalog on each database."""

from __future__ import annotations

import pytest

from modelyard.testing import YardTests


class TestFolderYard(YardTests):
    @pytest.fixture
    def yard(self, tmp_path):
        from modelyard.registry import create

        yard = create(tmp_path / "yard")
        yield yard
        yard.close()


@pytest.mark.slow
class TestPostgresqlYard(YardTests):
    @pytest.fixture
    def yard(self, tmp_path, postgres_url):
        from modelyard.registry import create

        yard = create(tmp_path / "yard", catalog=postgres_url)
        yield yard
        yard.close()


@pytest.mark.slow
class TestMariadbYard(YardTests):
    @pytest.fixture
    def yard(self, tmp_path, mariadb_url):
        from modelyard.registry import create

        yard = create(tmp_path / "yard", catalog=mariadb_url)
        yield yard
        yard.close()
