"""The kinds of stores by the scheme of their URLs: what each takes, and where secrets come from.

Data only: `opening` reads it to check URLs, errors read it for their hints, the reference is made
from it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from modelyard.core.urls import MONGODB, MYSQL, POSTGRESQL

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["SCHEMES", "Scheme"]

_GIB = 1 << 30
_TIB = 1 << 40


@dataclass(frozen=True, slots=True)
class Scheme:
    """One kind of store."""

    names: tuple[str, ...]
    """What stands before `://`; the first is the usual one."""
    service: str
    form: str
    keys: Mapping[str, str] = field(default_factory=dict)
    """What may stand after `?`, with its meaning."""
    is_database: bool = False
    """A server's: its user may stand before the host."""
    credentials: str = ""
    """What to set, in a sentence's words."""
    environment: tuple[str, ...] = ()
    """All variables that are looked at; names with one meaning follow each other."""
    files: tuple[str, ...] = ()
    """Files that credentials are taken from."""
    extra: str | None = None
    """`pip install 'modelyard[EXTRA]'`."""
    max_object: int | None = None
    """The service's largest object in bytes."""
    bucket: str | None = None
    """The service's word for what must be there before the store is used; None: nothing."""
    making: str = ""
    """A command that makes it."""


_ENDPOINT = "the service's address, where it is not the usual one"
_ANONYMOUS = "`true`: requests are not signed (a public bucket, an emulator)"

_ALL = (
    Scheme(
        names=("fs", "file"),
        service="a folder",
        form="fs:///ABSOLUTE/PATH, or a path without scheme, from the yard's folder",
    ),
    Scheme(
        names=("memory",),
        service="this process's memory, for tests",
        form="memory://NAME",
    ),
    Scheme(
        names=("s3",),
        service="AWS S3 and what speaks its protocol",
        form="s3://BUCKET[/PREFIX]",
        keys={
            "endpoint": _ENDPOINT,
            "region": "default: AWS_REGION, AWS_DEFAULT_REGION, then ~/.aws/config",
            "addressing_style": "`path` (default) or `virtual`: bucket in the path or in the host",
            "list_version": "`2` (default) or `1`, for services whose newer list fails",
            "anonymous": _ANONYMOUS,
        },
        credentials="AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or ~/.aws/credentials",
        environment=(
            "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE",
            "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_EC2_METADATA_DISABLED",
        ),
        files=("~/.aws/credentials", "~/.aws/config"),
        extra="cloud",
        max_object=5 * _TIB,
        bucket="bucket",
        making="aws s3 mb s3://{bucket}",
    ),
    Scheme(
        names=("azblob",),
        service="Azure Blob Storage",
        form="azblob://CONTAINER[/PREFIX]",
        keys={
            "endpoint": "default: https://ACCOUNT.blob.core.windows.net",
            "account_name": "default: AZURE_STORAGE_ACCOUNT_NAME",
            "anonymous": _ANONYMOUS,
        },
        credentials=(
            "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY or AZURE_STORAGE_SAS_TOKEN,"
            " or AZURE_STORAGE_CONNECTION_STRING"
        ),
        environment=(
            "AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT", "AZURE_STORAGE_ACCOUNT_KEY",
            "AZURE_STORAGE_KEY", "AZURE_STORAGE_SAS_TOKEN", "AZURE_STORAGE_CONNECTION_STRING",
            "AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET",
            "AZURE_FEDERATED_TOKEN_FILE",
        ),
        extra="cloud",
        max_object=4 * _TIB,
        bucket="container",
        making="az storage container create --name {bucket}",
    ),
    Scheme(
        names=("oss",),
        service="Aliyun OSS",
        form="oss://BUCKET[/PREFIX]",
        keys={
            "endpoint": "as https://oss-cn-hangzhou.aliyuncs.com; default: OSS_ENDPOINT",
            "addressing_style": "`virtual` (default) or `path`: bucket in the host or in the path",
            "anonymous": _ANONYMOUS,
        },
        credentials="ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET",
        environment=(
            "ALIBABA_CLOUD_ACCESS_KEY_ID", "OSS_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET",
            "OSS_ACCESS_KEY_SECRET", "ALIBABA_CLOUD_SECURITY_TOKEN", "OSS_SESSION_TOKEN",
            "OSS_ENDPOINT",
        ),
        extra="cloud",
        max_object=48 * _TIB,
        bucket="bucket",
        making="ossutil mb oss://{bucket}",
    ),
    Scheme(
        names=("gcs", "gs"),
        service="Google Cloud Storage",
        form="gcs://BUCKET[/PREFIX]",
        keys={"endpoint": _ENDPOINT, "anonymous": _ANONYMOUS},
        credentials="GOOGLE_APPLICATION_CREDENTIALS, or gcloud auth application-default login",
        environment=("GOOGLE_APPLICATION_CREDENTIALS",),
        files=("~/.config/gcloud/application_default_credentials.json",),
        extra="cloud",
        max_object=5 * _TIB,
        bucket="bucket",
        making="gcloud storage buckets create gs://{bucket}",
    ),
    Scheme(
        names=("webdav", "webdavs"),
        service="a WebDAV server; webdavs:// by TLS",
        form="webdav://HOST[:PORT]/FOLDER",
        credentials="WEBDAV_USERNAME and WEBDAV_PASSWORD, or ~/.netrc",
        environment=("WEBDAV_USERNAME", "WEBDAV_PASSWORD", "WEBDAV_TOKEN"),
        files=("~/.netrc",),
        extra="cloud",
    ),
    Scheme(
        names=("sqlite",),
        service="a SQLite file",
        form="sqlite:///FILE, from the yard's folder if it is relative",
        max_object=4 * _GIB,
    ),
    Scheme(
        names=("postgresql",),
        service="PostgreSQL",
        form="postgresql://USER@HOST[:PORT]/DATABASE",
        keys=POSTGRESQL,
        is_database=True,
        credentials="~/.pgpass, PGPASSWORD or YARD_STORE_PASSWORD",
        environment=("YARD_STORE_PASSWORD", "PGPASSWORD"),
        files=("~/.pgpass",),
        extra="postgres",
        bucket="database",
        making="createdb DATABASE",
    ),
    Scheme(
        names=("mysql", "mariadb"),
        service="MySQL and MariaDB",
        form="mysql://USER@HOST[:PORT]/DATABASE",
        keys=MYSQL,
        is_database=True,
        credentials="~/.my.cnf or YARD_STORE_PASSWORD",
        environment=("YARD_STORE_PASSWORD",),
        files=("~/.my.cnf",),
        extra="mysql",
        bucket="database",
        making="mysqladmin create DATABASE",
    ),
    Scheme(
        names=("mongodb", "mongodb+srv"),
        service="MongoDB",
        form="mongodb://USER@HOST[:PORT]/DATABASE",
        keys=MONGODB,
        is_database=True,
        credentials="YARD_STORE_PASSWORD",
        environment=("YARD_STORE_PASSWORD",),
        extra="mongodb",
    ),
)  # fmt: skip

SCHEMES: Mapping[str, Scheme] = {name: scheme for scheme in _ALL for name in scheme.names}
"""Every scheme by each of its names."""
