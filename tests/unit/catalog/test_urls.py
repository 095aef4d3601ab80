import pytest

from modelyard.catalog.engine import Catalog
from modelyard.catalog.urls import parse_url, sqlite_url
from modelyard.errors import InvalidInput
from modelyard.registry import create, open_yard

SECRET = [
    "postgresql://ann:hunter2@host/yard", "postgresql://ann@host/yard?password=hunter2",
    "postgresql://ann@host/yard?PASSWORD=hunter2", "postgresql://ann@host/yard?p%61ssword=hunter2",
    "postgresql://ann@host/yard?sslpassword=hunter2", "postgresql://ann%3Ahunter2@host/yard",
    "postgresql:///yard?host=ann:hunter2@host", "mysql://ann@host/yard?passwd=hunter2",
    "mysql://ann@host/yard?ssl_key_password=hunter2", "sqlite+pysqlcipher://:hunter2@/yard.db",
]  # fmt: skip
BAD = [
    "postgresql://host/yard?service=x", "postgresql://host/yard?passfile=/x",
    "postgresql://host/yard?options=-c%20fsync%3Doff", "postgresql://host/yard?plugin=x",
    "postgresql://host/yard?host=a&host=b", "postgresql://host/yard;key=hunter2",
    "mysql://host/yard?init_command=x", "mysql://host/yard?read_default_file=/x",
    "mysql://host/yard?local_infile=1", "mysql+mysqldb://host/yard", "sqlite+aiosqlite:///x",
    "sqlite:///file:x?mode=memory&uri=true", "sqlite:///x?vfs=unix-none", "oracle://host/yard", "x",
]  # fmt: skip


@pytest.mark.parametrize("url", SECRET)
def test_a_catalogs_url_holds_no_secret(url, tmp_path):
    for call in (Catalog.open, lambda url: create(tmp_path / "y", author="ann", catalog=url)):
        with pytest.raises(InvalidInput) as caught:
            call(url)
        assert caught.value.kind == "secret-in-url"
        assert "hunter2" not in f"{caught.value} {caught.value.hint}"
    assert not (tmp_path / "y").exists()


@pytest.mark.parametrize("url", BAD)
def test_a_catalogs_driver_is_told_nothing_that_is_not_known(url):
    with pytest.raises(InvalidInput) as caught:
        parse_url(url)
    assert caught.value.kind == "bad-catalog-url"
    assert "hunter2" not in f"{caught.value} {caught.value.hint}"


def test_a_folder_may_have_any_name(tmp_path):
    root = tmp_path / "50%25? # ;x=y"
    assert parse_url(sqlite_url(root / "c.db")).database == str(root / "c.db")
    create(root, author="ann").close()
    open_yard(root, author="ann").close()
    assert (root / "catalog.db").is_file()
