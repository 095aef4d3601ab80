"""What the URL of a database may say, be it a store's or a catalog's.

A key that is not here is refused: drivers take passwords, files to read, statements to run and
modules to load from a URL, and a yard.toml may come from somebody else.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["MONGODB", "MYSQL", "POSTGRESQL", "hides", "is_plain_database", "is_plain_user"]

_SECRET = re.compile(
    r"passw|pwd|secret|token|credential|signature|\bsig\b|(access|account)_?key", re.I
)

POSTGRESQL: Mapping[str, str] = {
    "sslmode": "as `verify-full`",
    "sslrootcert": "a file: whom to believe",
    "sslcert": "a file: who you are",
    "sslkey": "a file: the key of `sslcert`",
    "sslcrl": "a file: certificates that are revoked",
    "ssl_min_protocol_version": "as `TLSv1.3`",
    "channel_binding": "`require`, `prefer` or `disable`",
    "gssencmode": "`require`, `prefer` or `disable`",
    "krbsrvname": "the server's name for Kerberos",
    "host": "the folder of a socket, or several hosts",
    "port": "of each host",
    "target_session_attrs": "as `read-write`: which of several hosts",
    "load_balance_hosts": "`random` or `disable`",
    "connect_timeout": "seconds",
    "keepalives_idle": "seconds",
    "tcp_user_timeout": "milliseconds",
    "application_name": "what the server lists",
}
MYSQL: Mapping[str, str] = {
    "ssl_ca": "a file: whom to believe",
    "ssl_cert": "a file: who you are",
    "ssl_key": "a file: the key of `ssl_cert`",
    "ssl_verify_cert": "`true`",
    "ssl_verify_identity": "`true`",
    "ssl_check_hostname": "`true`",
    "unix_socket": "a socket's path",
    "connect_timeout": "seconds",
    "read_timeout": "seconds",
    "write_timeout": "seconds",
}
MONGODB: Mapping[str, str] = {
    "authSource": "the database that knows the user",
    "authMechanism": "as `SCRAM-SHA-256`",
    "replicaSet": "its name",
    "directConnection": "`true`: only this server",
    "loadBalanced": "`true`",
    "tls": "`true`",
    "ssl": "`true`",
    "tlsCAFile": "a file: whom to believe",
    "tlsCertificateKeyFile": "a file: who you are",
    "retryWrites": "`false` for servers that can't",
    "retryReads": "`false` for servers that can't",
    "w": "ignored: writes wait for most servers",
    "readPreference": "as `primary`",
    "readConcernLevel": "as `majority`",
    "compressors": "as `zstd`",
    "maxPoolSize": "connections",
    "appName": "what the server lists",
    "connectTimeoutMS": "milliseconds",
    "socketTimeoutMS": "milliseconds",
    "serverSelectionTimeoutMS": "milliseconds",
}


def hides(key: str, value: str) -> bool:
    """Whether a parameter of a URL is, or holds, something secret."""
    inside = value if "=" in value else value.partition(":")[0]
    return bool(_SECRET.search(unquote(key)) or "@" in value or _SECRET.search(inside))


def is_plain_user(user: str) -> bool:
    """Whether a user's name, decoded, hides no password behind it."""
    return ":" not in user


def is_plain_database(path: str) -> bool:
    """Whether the decoded name of a database is one, with nothing more for a driver to read."""
    return re.search(r"[;=&?#@\\\x00-\x1f\x7f]", path) is None
