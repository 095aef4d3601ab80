"""The whole conformance suite over a yard in a folder."""

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
