"""Who we are to a cloud: taken from its usual variables and files, given on, never kept or shown.

What OpenDAL finds by itself (AWS profiles, Google's files, workload identities) is left to it.
"""

from __future__ import annotations

import configparser
import netrc
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from modelyard.errors import Denied, InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelyard.store.opening import Place

__all__ = ["no_credentials", "settings"]

_METADATA = ("169.254.169.254", 80)
"""Where clouds tell a machine of theirs who it is."""


def settings(place: Place) -> dict[str, str]:
    """OpenDAL's settings for a place. Denied `store-credentials`, InvalidInput `bad-store-url`."""
    root = {"root": f"/{place.prefix}"} if place.prefix else {}
    found = {**root, **_MAKERS[place.scheme.names[0]](place)}
    if place.options.get("anonymous") == "true":
        found["skip_signature"] = "true"
    return {key: value for key, value in found.items() if value}


def no_credentials(place: Place) -> Denied:
    """Nothing tells who we are."""
    return Denied(
        "store-credentials", f"no credentials for {place.url} were found",
        hint=f"set {place.scheme.credentials}",
    )  # fmt: skip


def _variable(*names: str) -> str:
    """The first of these variables that is set."""
    return next((value for name in names if (value := os.environ.get(name))), "")


def _s3(place: Place) -> dict[str, str]:
    endpoint = place.options.get("endpoint", "")
    has_keys = bool(_variable("AWS_ACCESS_KEY_ID")) or _aws_files()
    is_off = _variable("AWS_EC2_METADATA_DISABLED").lower() == "true"
    return {
        "bucket": place.host,
        "endpoint": endpoint or _variable("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"),
        "region": _region(place, "us-east-1" if endpoint else ""),
        "enable_virtual_host_style": (
            "true" if place.options.get("addressing_style") == "virtual" else ""
        ),
        "disable_list_objects_v2": "true" if place.options.get("list_version") == "1" else "",
        "disable_ec2_metadata": "true" if is_off or has_keys or not _in_a_cloud() else "",
        "checksum_algorithm": "crc32c",
    }


def _aws_files() -> bool:
    given = _variable("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE")
    files = [given] if given else ["~/.aws/credentials", "~/.aws/config"]
    return any(Path(name).expanduser().is_file() for name in files)


def _region(place: Place, default: str) -> str:
    region = place.options.get("region") or _variable("AWS_REGION", "AWS_DEFAULT_REGION")
    if region:
        return region
    config = configparser.ConfigParser(interpolation=None)
    profile = _variable("AWS_PROFILE") or "default"
    try:
        config.read(Path(_variable("AWS_CONFIG_FILE") or "~/.aws/config").expanduser(), "utf-8")
    except (configparser.Error, OSError, UnicodeDecodeError):
        config.clear()
    for section in (f"profile {profile}", profile):
        region = config.get(section, "region", fallback="")
        if region:
            return region
    if default:
        return default
    raise InvalidInput(
        "bad-store-url", f"{place.url} does not tell its region",
        hint="add ?region=eu-central-1, or set AWS_REGION",
    )  # fmt: skip


def _azblob(place: Place) -> dict[str, str]:
    joined = _variable("AZURE_STORAGE_CONNECTION_STRING")
    words = dict(word.partition("=")[::2] for word in joined.split(";") if "=" in word)
    account = (
        place.options.get("account_name")
        or _variable("AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT")
        or words.get("AccountName", "")
    )
    key = _variable("AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_KEY") or words.get("AccountKey", "")
    token = _variable("AZURE_STORAGE_SAS_TOKEN") or words.get("SharedAccessSignature", "")
    identity = _variable("AZURE_FEDERATED_TOKEN_FILE", "AZURE_CLIENT_SECRET")
    is_anonymous = place.options.get("anonymous") == "true"
    if not (key or token or identity or is_anonymous or _in_a_cloud()):
        raise no_credentials(place)
    suffix = words.get("EndpointSuffix", "core.windows.net")
    endpoint = place.options.get("endpoint") or words.get("BlobEndpoint", "")
    if not endpoint and not account:
        raise InvalidInput(
            "bad-store-url", f"{place.url} does not tell the account",
            hint="add ?account_name=NAME, or set AZURE_STORAGE_ACCOUNT_NAME",
        )  # fmt: skip
    return {
        "container": place.host,
        "endpoint": endpoint or f"https://{account}.blob.{suffix}",
        "account_name": account,
        "account_key": key,
        "sas_token": "" if key else token.removeprefix("?"),
    }


def _oss(place: Place) -> dict[str, str]:
    endpoint = place.options.get("endpoint") or _variable("OSS_ENDPOINT")
    if not endpoint:
        raise InvalidInput(
            "bad-store-url", f"{place.url} does not tell its endpoint",
            hint="add ?endpoint=https://oss-cn-hangzhou.aliyuncs.com, or set OSS_ENDPOINT",
        )  # fmt: skip
    return {
        "bucket": place.host,
        "endpoint": endpoint,
        "addressing_style": place.options.get("addressing_style", ""),
        "access_key_id": _variable("ALIBABA_CLOUD_ACCESS_KEY_ID", "OSS_ACCESS_KEY_ID"),
        "access_key_secret": _variable("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "OSS_ACCESS_KEY_SECRET"),
        "security_token": _variable("ALIBABA_CLOUD_SECURITY_TOKEN", "OSS_SESSION_TOKEN"),
    }


def _gcs(place: Place) -> dict[str, str]:
    named = _variable("GOOGLE_APPLICATION_CREDENTIALS")
    usual = Path("~/.config/gcloud/application_default_credentials.json").expanduser()
    if named and not Path(named).is_file():
        raise no_credentials(place)
    is_off = named or usual.is_file() or not _in_a_cloud()
    return {
        "bucket": place.host,
        "endpoint": place.options.get("endpoint", ""),
        "disable_vm_metadata": "true" if is_off else "",
    }


def _webdav(place: Place) -> dict[str, str]:
    name, password = _variable("WEBDAV_USERNAME"), _variable("WEBDAV_PASSWORD")
    token = _variable("WEBDAV_TOKEN")
    if not name and not token:
        name, password = _netrc(place.host.rpartition(":")[0] or place.host)
    scheme = "https" if place.name == "webdavs" else "http"
    return {
        "endpoint": f"{scheme}://{place.host}",
        "username": name,
        "password": password,
        "token": token,
    }


def _netrc(host: str) -> tuple[str, str]:
    path = Path(_variable("NETRC") or "~/.netrc").expanduser()
    try:
        found = netrc.netrc(path).authenticators(host)
    except (OSError, netrc.NetrcParseError, UnicodeDecodeError):
        return "", ""
    return (found[0] or "", found[2] or "") if found else ("", "")


def _in_a_cloud() -> bool:
    """Whether this machine is told who it is; asked only where nothing else tells it.

    OpenDAL would wait for the answer as long as for a slow upload.
    """
    try:
        socket.create_connection(_METADATA, timeout=0.5).close()
    except OSError:
        return False
    return True


_MAKERS: dict[str, Callable[[Place], dict[str, str]]] = {
    "s3": _s3,
    "azblob": _azblob,
    "oss": _oss,
    "gcs": _gcs,
    "webdav": _webdav,
}
