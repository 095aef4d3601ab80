"""The tables. Rows index what the store holds; only labels and evaluations live here alone.

Times are whole microseconds since 1970 UTC, taken from the database's clock. `deleted` is 0 for
what lives, else the time of deletion, so that a name is unique among the living. Names of bytes are
raw bytes (32 for SHA-256 and BLAKE3, 20 for git). Integers name rows inside the catalog only, and
are never used again.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from modelyard.catalog.types import Name, Words

__all__ = ["for_postgresql", "metadata"]

metadata = sa.MetaData()


def _binary(length: int) -> sa.types.TypeEngine[bytes]:
    kind = sa.LargeBinary(length)
    return kind.with_variant(mysql.BINARY(length), "mysql", "mariadb")


def _key() -> sa.Column[int]:
    """An integer key; SQLite needs exactly INTEGER to alias its rowid."""
    return sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True)


_BYTES = sa.LargeBinary().with_variant(mysql.LONGBLOB(), "mysql", "mariadb")
_TIME = sa.BigInteger()


def _only(condition: str) -> dict[str, Any]:
    """An index of some rows alone, where the database has such."""
    return {"sqlite_where": sa.text(condition), "info": {"where": condition}}


# -- models, versions, refs --------------------------------------------------------------------

model = sa.Table(
    "model",
    metadata,
    _key(),
    sa.Column("name", Name(200), nullable=False),
    sa.Column("kind", Name(16), nullable=False),
    sa.Column("description", Words(), nullable=False),
    sa.Column("next_number", sa.BigInteger(), nullable=False),
    sa.Column("created", _TIME, nullable=False),
    sa.Column("updated", _TIME, nullable=False),
    sa.Column("deleted", _TIME, nullable=False),
    sa.UniqueConstraint("name", "deleted", name="model_name"),
    sa.Index("model_deleted", "deleted", **_only("deleted <> 0")),
    sqlite_autoincrement=True,
)

redirect = sa.Table(
    "redirect",
    metadata,
    sa.Column("name", Name(200), primary_key=True),
    sa.Column("model_id", sa.BigInteger(), nullable=False),
)

version = sa.Table(
    "version",
    metadata,
    _key(),
    sa.Column("model_id", sa.BigInteger(), nullable=False),
    sa.Column("number", sa.BigInteger(), nullable=False),
    sa.Column("commit_id", _binary(20), nullable=False),
    sa.Column("tree_id", _binary(20), nullable=False),
    sa.Column("parents", Name(200), nullable=False),  # numbers, separated by spaces
    sa.Column("branch", Name(200), nullable=False),
    sa.Column("author", Name(200), nullable=False),
    sa.Column("message", Words(), nullable=False),
    sa.Column("created", _TIME, nullable=False),
    sa.Column("size", sa.BigInteger(), nullable=False),
    sa.Column("new_bytes", sa.BigInteger(), nullable=False),
    sa.Column("files", sa.Integer(), nullable=False),
    sa.Column("formats", Name(200), nullable=False),  # separated by spaces
    sa.Column("framework", Name(40), nullable=False),  # empty if none
    sa.Column("deleted", _TIME, nullable=False),
    sa.Column("purged", sa.Boolean(), nullable=False),  # its bytes went, or go with the next gc
    sa.UniqueConstraint("model_id", "number", name="version_number"),
    sqlite_autoincrement=True,
)

ref = sa.Table(
    "ref",
    metadata,
    sa.Column("model_id", sa.BigInteger(), primary_key=True, autoincrement=False),
    sa.Column("name", Name(200), primary_key=True),
    sa.Column("kind", Name(8), nullable=False),  # branch, tag, alias
    sa.Column("number", sa.BigInteger(), nullable=False),
    sa.Index("ref_name", "name", "kind"),
)

label = sa.Table(
    "label",
    metadata,
    sa.Column("model_id", sa.BigInteger(), primary_key=True, autoincrement=False),
    sa.Column("number", sa.BigInteger(), primary_key=True, autoincrement=False),  # 0: the model
    sa.Column("name", Name(64), primary_key=True),
    sa.Column("value", Name(256), nullable=False),
    sa.Index("label_value", "name", "value", "number"),
    sqlite_with_rowid=False,
)

metric = sa.Table(
    "metric",
    metadata,
    sa.Column("version_id", sa.BigInteger(), primary_key=True, autoincrement=False),
    sa.Column("name", Name(200), primary_key=True),
    sa.Column("value", sa.Double(), nullable=False),
    sa.Index("metric_value", "name", "value", "version_id"),
    sqlite_with_rowid=False,
)

param = sa.Table(
    "param",
    metadata,
    sa.Column("version_id", sa.BigInteger(), primary_key=True, autoincrement=False),
    sa.Column("name", Name(200), primary_key=True),
    sa.Column("value", Name(200), nullable=False),  # JSON, cut
    sa.Column("number", sa.Double()),  # if it is one
    sa.Index("param_value", "name", "number", "value"),
    sqlite_with_rowid=False,
)

file = sa.Table(
    "file",
    metadata,
    sa.Column("version_id", sa.BigInteger(), primary_key=True, autoincrement=False),
    sa.Column("path", Name(700), primary_key=True),
    sa.Column("blob_id", sa.BigInteger(), nullable=False),
    sqlite_with_rowid=False,
)

edge = sa.Table(  # lineage as manifests tell it, so that it can be asked for from both ends
    "edge",
    metadata,
    sa.Column("version_id", sa.BigInteger(), primary_key=True, autoincrement=False),
    sa.Column("place", sa.Integer(), primary_key=True, autoincrement=False),
    sa.Column("kind", Name(16), nullable=False),
    # of a model, with the number of its version; or a digest with 0; or empty
    sa.Column("name", Name(200), nullable=False),
    sa.Column("number", sa.BigInteger(), nullable=False),
    sa.Column("source", Words(), nullable=False),  # as it was written
    sa.Index("edge_source", "name", "number", "version_id"),
    sqlite_with_rowid=False,
)

report = sa.Table(  # what was found out about a version: evaluations, explanations, profiles
    "report",
    metadata,
    # the number of its line in the audit log
    sa.Column("id", sa.BigInteger(), primary_key=True, autoincrement=False),
    sa.Column("version_id", sa.BigInteger(), nullable=False),
    sa.Column("kind", Name(16), nullable=False),
    sa.Column("data", Name(400), nullable=False),
    sa.Column("digest", Name(64), nullable=False),  # of the data, in hex; empty if there was none
    sa.Column("suite", Name(40), nullable=False),
    sa.Column("created", _TIME, nullable=False),
    sa.Column("who", Name(200), nullable=False),
    sa.Column("content", _BYTES, nullable=False),  # JSON, zstd
    sa.Column("outcomes", _BYTES),  # of rows, zstd
    sa.Index("report_version", "version_id", "kind", "id"),
)

audit = sa.Table(  # everything that happened, in order; with `ref`, it is the reflog too
    "audit",
    metadata,
    _key(),
    sa.Column("time", _TIME, nullable=False),
    sa.Column("action", Name(40), nullable=False),
    sa.Column("model_id", sa.BigInteger(), nullable=False),
    sa.Column("who", Name(200)),  # none: the author of version `new`
    sa.Column("ref", Name(200)),
    sa.Column("kind", Name(8)),
    sa.Column("old", sa.BigInteger()),
    sa.Column("new", sa.BigInteger()),
    sa.Column("detail", Words()),  # JSON
    # on a server: whose account, from which address, in which request
    sa.Column("account", Name(64)),
    sa.Column("address", Name(64)),
    sa.Column("request", Name(64)),
    sa.Index("audit_model", "model_id", "id"),
    sqlite_autoincrement=True,
)

chain = sa.Table(  # seals of the audit log: each covers the lines after the one before
    "chain",
    metadata,
    _key(),
    sa.Column("first", sa.BigInteger(), nullable=False),  # numbers of audit lines
    sa.Column("last", sa.BigInteger(), nullable=False),
    sa.Column("lines", sa.BigInteger(), nullable=False),
    sa.Column("digest", _binary(32), nullable=False),
    sa.Column("time", _TIME, nullable=False),
    sqlite_autoincrement=True,
)

# -- bytes -------------------------------------------------------------------------------------

git_object = sa.Table(
    "git_object",
    metadata,
    sa.Column("model_id", sa.BigInteger(), primary_key=True, autoincrement=False),
    sa.Column("sha", _binary(20), primary_key=True),
    sa.Column("bundle_id", sa.BigInteger(), nullable=False),  # the chunk row of its bundle record
    sqlite_with_rowid=False,
)

blob = sa.Table(
    "blob",
    metadata,
    _key(),
    sa.Column("sha256", _binary(32), nullable=False, unique=True),
    sa.Column("size", sa.BigInteger(), nullable=False),
    sa.Column("format", Name(24), nullable=False),
    sa.Column(
        "content_id", sa.BigInteger(), nullable=False
    ),  # chunk row: recipe, or the only chunk
    sa.Column("is_recipe", sa.Boolean(), nullable=False),
    sa.Column("inspection_id", sa.BigInteger()),  # chunk row of what formats told
    sqlite_autoincrement=True,
)

chunk = sa.Table(
    "chunk",
    metadata,
    _key(),
    sa.Column("hash", _binary(32), nullable=False, unique=True),
    sa.Column("pack_id", sa.BigInteger(), nullable=False),
    sa.Column("start", sa.BigInteger(), nullable=False),  # of the encoded bytes in the pack
    sa.Column("length", sa.Integer(), nullable=False),  # encoded
    sa.Column("size", sa.Integer(), nullable=False),  # decoded
    sa.Column("codec", sa.SmallInteger(), nullable=False),
    sa.Column("kind", sa.SmallInteger(), nullable=False),
    sa.Column("base_id", sa.BigInteger()),  # chunk row of the delta's base
    sa.Index("chunk_pack", "pack_id"),
    sa.Index("chunk_base", "base_id", **_only("base_id IS NOT NULL")),
    sqlite_autoincrement=True,
)

pack = sa.Table(
    "pack",
    metadata,
    _key(),
    sa.Column("name", Name(200), nullable=False, unique=True),  # its key in the backend
    sa.Column("state", Name(10), nullable=False),  # open, live, condemned
    sa.Column("size", sa.BigInteger(), nullable=False),  # indexed bytes; the rest is garbage
    sa.Column("changed", _TIME, nullable=False),  # when it took this state
    sa.Column("seal", _BYTES),  # its wrapped key, if the pack is sealed
    sqlite_autoincrement=True,
)

lease = sa.Table(
    "lease",
    metadata,
    sa.Column("session", Name(40), primary_key=True),
    sa.Column("pack_id", sa.BigInteger(), primary_key=True, autoincrement=False),
    sa.Column("expires", _TIME, nullable=False),
)

place = sa.Table(
    "place",
    metadata,
    sa.Column("path", _binary(32), primary_key=True),  # SHA-256 of the file's absolute path
    sa.Column("size", sa.BigInteger(), nullable=False),
    sa.Column("mtime_ns", sa.BigInteger(), nullable=False),
    sa.Column("ctime_ns", sa.BigInteger(), nullable=False),
    sa.Column("inode", sa.Numeric(20, 0, asdecimal=False).with_variant(sa.Integer(), "sqlite"),
              nullable=False),
    sa.Column("blob_id", sa.BigInteger(), nullable=False),
)  # fmt: skip

# -- who may do what: a server's rows, which the journal does not hold ---------------------------

account = sa.Table(
    "account",
    metadata,
    _key(),
    sa.Column("name", Name(64), nullable=False, unique=True),
    sa.Column("kind", Name(8), nullable=False),  # user, service
    sa.Column("title", Name(200), nullable=False),  # `Ann Lee <ann@example.org>`, as authors are
    sa.Column("password", Name(200), nullable=False),  # argon2id; empty if there is none
    sa.Column("subject", Name(400), nullable=False),  # issuer and subject of OIDC, or empty
    sa.Column("created", _TIME, nullable=False),
    sa.Column("disabled", _TIME, nullable=False),
    sa.Index("account_subject", "subject"),
    sqlite_autoincrement=True,
)

token = sa.Table(
    "token",
    metadata,
    _key(),
    sa.Column("account_id", sa.BigInteger(), nullable=False),
    sa.Column("name", Name(100), nullable=False),
    sa.Column("hash", _binary(32), nullable=False, unique=True),  # SHA-256
    sa.Column("role", Name(16), nullable=False),  # never more than this one
    sa.Column("models", Words(), nullable=False),  # patterns separated by spaces; empty: all
    sa.Column("created", _TIME, nullable=False),
    sa.Column("expires", _TIME, nullable=False),  # 0: never
    sa.Column("used", _TIME, nullable=False),  # to the hour
    sa.Column("revoked", _TIME, nullable=False),
    sa.Index("token_account", "account_id"),
    sqlite_autoincrement=True,
)

sign_in = sa.Table(  # browsers that are signed in, and one-time links
    "sign_in",
    metadata,
    sa.Column("hash", _binary(32), primary_key=True),
    sa.Column("account_id", sa.BigInteger(), nullable=False),
    sa.Column("kind", Name(8), nullable=False),  # cookie, link
    sa.Column("created", _TIME, nullable=False),
    sa.Column("expires", _TIME, nullable=False),
    sa.Index("sign_in_account", "account_id"),
)

role = sa.Table(
    "role",
    metadata,
    # 0: every account; -1: everybody, signed in or not
    sa.Column("account_id", sa.BigInteger(), primary_key=True, autoincrement=False),
    sa.Column("pattern", Name(200), primary_key=True),  # `*`, `vision/*`, `vision/resnet`
    sa.Column("role", Name(16), nullable=False),
    sa.Column("created", _TIME, nullable=False),
    sa.Column("who", Name(64), nullable=False),
)

guard = sa.Table(  # protected branches, tags and aliases
    "guard",
    metadata,
    _key(),
    sa.Column("pattern", Name(200), nullable=False),  # of models
    sa.Column("ref", Name(200), nullable=False),  # a glob
    sa.Column("role", Name(16), nullable=False),  # who may move it
    sa.Column("approvals", sa.Integer(), nullable=False),  # by how many others
    sa.Column("created", _TIME, nullable=False),
    sa.Column("who", Name(64), nullable=False),
    sa.UniqueConstraint("pattern", "ref", name="guard_ref"),
    sqlite_autoincrement=True,
)

proposal = sa.Table(  # a move of a guarded ref that waits for approval
    "proposal",
    metadata,
    _key(),
    sa.Column("model_id", sa.BigInteger(), nullable=False),
    sa.Column("ref", Name(200), nullable=False),
    sa.Column("old", sa.BigInteger()),  # where the ref was when it was proposed
    sa.Column("new", sa.BigInteger(), nullable=False),
    sa.Column("message", Words(), nullable=False),
    sa.Column("state", Name(16), nullable=False),  # open, done, withdrawn
    sa.Column("who", Name(64), nullable=False),
    sa.Column("created", _TIME, nullable=False),
    sa.Column("changed", _TIME, nullable=False),
    sa.Index("proposal_model", "model_id", "state"),
    sqlite_autoincrement=True,
)

approval = sa.Table(
    "approval",
    metadata,
    sa.Column("proposal_id", sa.BigInteger(), primary_key=True, autoincrement=False),
    sa.Column("who", Name(64), primary_key=True),
    sa.Column("created", _TIME, nullable=False),
)

# -- services ----------------------------------------------------------------------------------

deployment = sa.Table(
    "deployment",
    metadata,
    _key(),
    sa.Column("name", Name(63), nullable=False, unique=True),
    sa.Column("generation", sa.BigInteger(), nullable=False),
    sa.Column("spec", Words(), nullable=False),  # JSON
    sa.Column("due", _TIME, nullable=False),  # of the next step of its rollout; 0: none
    sa.Column("created", _TIME, nullable=False),
    sa.Column("updated", _TIME, nullable=False),
    sa.Column("who", Name(200), nullable=False),
    sa.Column("paused", sa.Boolean(), nullable=False),
    sa.Column("deleted", _TIME, nullable=False),  # its history stays
    sqlite_autoincrement=True,
)

deployment_share = sa.Table(  # what living deployments serve
    "deployment_share",
    metadata,
    sa.Column("deployment_id", sa.BigInteger(), primary_key=True, autoincrement=False),
    sa.Column("place", sa.Integer(), primary_key=True, autoincrement=False),  # in the spec
    sa.Column("model_id", sa.BigInteger(), nullable=False),
    sa.Column("ref", Name(200), nullable=False),  # that it follows; empty: none; `latest`
    sa.Column("number", sa.BigInteger(), nullable=False),  # of the version
    sa.Index("deployment_share_model", "model_id", "number"),
)

deployment_change = sa.Table(
    "deployment_change",
    metadata,
    sa.Column("deployment_id", sa.BigInteger(), primary_key=True, autoincrement=False),
    sa.Column("generation", sa.BigInteger(), primary_key=True, autoincrement=False),
    sa.Column("time", _TIME, nullable=False),
    sa.Column("who", Name(200), nullable=False),
    sa.Column("action", Name(16), nullable=False),
    sa.Column("spec", Words(), nullable=False),  # JSON, as it was wished from then on
    sa.Column("detail", Words(), nullable=False),  # JSON
)

deployment_server = sa.Table(  # how far each server got
    "deployment_server",
    metadata,
    sa.Column("deployment_id", sa.BigInteger(), primary_key=True, autoincrement=False),
    sa.Column("server", Name(100), primary_key=True),
    sa.Column("generation", sa.BigInteger(), nullable=False),
    sa.Column("seen", _TIME, nullable=False),
    sa.Column("versions", Words(), nullable=False),  # JSON
    sa.Index("deployment_server_seen", "seen"),
)

# -- a server's work -----------------------------------------------------------------------------

repeat = sa.Table(  # answers to requests with an Idempotency-Key, for a day
    "repeat",
    metadata,
    sa.Column("account_id", sa.BigInteger(), primary_key=True, autoincrement=False),
    sa.Column("key", Name(200), primary_key=True),
    sa.Column("digest", _binary(32), nullable=False),  # of the request
    sa.Column("status", sa.Integer(), nullable=False),  # 0: under way
    sa.Column("headers", Words(), nullable=False),  # JSON
    sa.Column("body", _BYTES, nullable=False),
    sa.Column("created", _TIME, nullable=False),
    sa.Index("repeat_created", "created"),
)

upload = sa.Table(  # a commit that is on its way from a client, in several requests
    "upload",
    metadata,
    sa.Column("session", Name(40), primary_key=True),  # as its leases are named
    sa.Column("account_id", sa.BigInteger(), nullable=False),
    sa.Column("model", Name(200), nullable=False),
    sa.Column("new_bytes", sa.BigInteger(), nullable=False),
    sa.Column("created", _TIME, nullable=False),
    sa.Column("changed", _TIME, nullable=False),
    sa.Index("upload_changed", "changed"),
)

arrival = sa.Table(  # a whole file that came by LFS and is in no version yet
    "arrival",
    metadata,
    sa.Column("model", Name(200), primary_key=True),  # its name: it may not be there yet
    sa.Column("sha256", _binary(32), primary_key=True),
    sa.Column("account_id", sa.BigInteger(), primary_key=True, autoincrement=False),
    sa.Column("blob_id", sa.BigInteger(), nullable=False),
    sa.Column("created", _TIME, nullable=False),
    sa.Index("arrival_created", "created"),
    sa.Index("arrival_blob", "blob_id"),
)

job = sa.Table(
    "job",
    metadata,
    sa.Column("id", Name(40), primary_key=True),
    sa.Column("account_id", sa.BigInteger(), nullable=False),
    sa.Column("kind", Name(40), nullable=False),
    sa.Column("models", Words(), nullable=False),  # names separated by spaces
    sa.Column("state", Name(16), nullable=False),  # waiting, running, done, failed, lost
    sa.Column("phase", Name(40), nullable=False),
    sa.Column("done", sa.BigInteger(), nullable=False),
    sa.Column("total", sa.BigInteger()),
    sa.Column("result", _BYTES),  # JSON: the result, or the problem
    sa.Column("created", _TIME, nullable=False),
    sa.Column("changed", _TIME, nullable=False),  # also a sign of life
    sa.Index("job_created", "created"),
)

hook = sa.Table(  # webhooks
    "hook",
    metadata,
    _key(),
    sa.Column("url", Words(), nullable=False),
    sa.Column("secret", Name(200), nullable=False),
    sa.Column("events", Words(), nullable=False),  # kinds separated by spaces; empty: all
    sa.Column("pattern", Name(200), nullable=False),  # of models
    sa.Column("account_id", sa.BigInteger(), nullable=False),
    sa.Column("active", sa.Boolean(), nullable=False),
    sa.Column("seen", sa.BigInteger(), nullable=False),  # deliveries were made of events up to it
    sa.Column("created", _TIME, nullable=False),
    sqlite_autoincrement=True,
)

delivery = sa.Table(
    "delivery",
    metadata,
    _key(),
    sa.Column("hook_id", sa.BigInteger(), nullable=False),
    sa.Column("event", sa.BigInteger(), nullable=False),  # number of the audit line
    sa.Column("state", Name(16), nullable=False),  # waiting, done, failed
    sa.Column("attempts", sa.Integer(), nullable=False),
    sa.Column("due", _TIME, nullable=False),  # when it is tried next
    sa.Column("status", sa.Integer()),  # of the last answer
    sa.Column("error", Words(), nullable=False),
    sa.Column("created", _TIME, nullable=False),
    sa.UniqueConstraint("hook_id", "event", name="delivery_event"),
    sa.Index("delivery_due", "state", "due"),
    sqlite_autoincrement=True,
)

# -- monitoring ----------------------------------------------------------------------------------

watch_profile = sa.Table(  # what a version's traffic is compared with
    "watch_profile",
    metadata,
    sa.Column("model_id", sa.BigInteger(), primary_key=True, autoincrement=False),
    sa.Column("number", sa.BigInteger(), primary_key=True, autoincrement=False),
    sa.Column("source", Name(16), nullable=False),  # data, evaluation, traffic
    sa.Column("created", _TIME, nullable=False),
    sa.Column("info", Words(), nullable=False),  # JSON: ProfileInfo
    sa.Column("body", _BYTES, nullable=False),
)

watch_tile = sa.Table(
    "watch_tile",
    metadata,
    sa.Column("deployment_id", sa.BigInteger(), primary_key=True, autoincrement=False),
    sa.Column("model_id", sa.BigInteger(), primary_key=True, autoincrement=False),
    sa.Column("number", sa.BigInteger(), primary_key=True, autoincrement=False),
    sa.Column("kind", sa.SmallInteger(), primary_key=True, autoincrement=False),  # 0 traffic, ...
    sa.Column("level", sa.SmallInteger(), primary_key=True, autoincrement=False),  # minute, ...
    sa.Column("start", sa.BigInteger(), primary_key=True, autoincrement=False),  # seconds
    sa.Column("server", Name(100), primary_key=True),  # whose rows; empty: of all, rolled up
    sa.Column("rows", sa.BigInteger(), nullable=False),
    sa.Column("body", _BYTES, nullable=False),
    sa.Index("watch_tile_start", "level", "start"),
)

watch_answer = sa.Table(  # answers whose truth may still come, many in one row
    "watch_answer",
    metadata,
    _key(),
    sa.Column("deployment_id", sa.BigInteger(), nullable=False),
    sa.Column("model_id", sa.BigInteger(), nullable=False),
    sa.Column("number", sa.BigInteger(), nullable=False),
    sa.Column("first", sa.BigInteger(), nullable=False),  # seconds
    sa.Column("last", sa.BigInteger(), nullable=False),
    sa.Column("rows", sa.BigInteger(), nullable=False),
    sa.Column("size", sa.BigInteger(), nullable=False),
    sa.Column("body", _BYTES, nullable=False),
    sa.Column("joined", _BYTES, nullable=False),  # which of them are joined, and what was true
    sa.Index("watch_answer_last", "deployment_id", "last"),
    sqlite_autoincrement=True,
)

watch_waiting = sa.Table(  # truths that came before their answers were written down
    "watch_waiting",
    metadata,
    sa.Column("deployment_id", sa.BigInteger(), primary_key=True, autoincrement=False),
    sa.Column("request", Name(200), primary_key=True),
    sa.Column("place", sa.Integer(), primary_key=True, autoincrement=False),
    sa.Column("truth", Words(), nullable=False),  # JSON
    sa.Column("time", _TIME, nullable=False),
    sa.Index("watch_waiting_time", "time"),
)

watch_event = sa.Table(  # anomalies
    "watch_event",
    metadata,
    _key(),
    sa.Column("deployment_id", sa.BigInteger(), nullable=False),
    sa.Column("time", _TIME, nullable=False),
    sa.Column("until", _TIME, nullable=False),
    sa.Column("kind", Name(40), nullable=False),
    sa.Column("body", Words(), nullable=False),  # JSON: Anomaly
    sa.Index("watch_event_deployment", "deployment_id", "id"),
    sqlite_autoincrement=True,
)

watch_rules = sa.Table(
    "watch_rules",
    metadata,
    sa.Column("deployment_id", sa.BigInteger(), primary_key=True, autoincrement=False),
    sa.Column("text", Words(), nullable=False),  # YAML
    sa.Column("changed", _TIME, nullable=False),
    sa.Column("who", Name(200), nullable=False),
)

watch_alert = sa.Table(
    "watch_alert",
    metadata,
    _key(),
    sa.Column("deployment_id", sa.BigInteger(), nullable=False),
    sa.Column("rule", Name(100), nullable=False),
    sa.Column("subject", Name(200), nullable=False),
    sa.Column("since", _TIME, nullable=False),
    sa.Column("until", _TIME, nullable=False),  # 0: it fires
    sa.Column("seen", _TIME, nullable=False),  # when it was said last that it fires
    sa.Column("told", _TIME, nullable=False),  # when people were told last; 0: not yet
    sa.Column("body", Words(), nullable=False),  # JSON: Alert
    sa.UniqueConstraint("deployment_id", "rule", "subject", "until", name="watch_alert_one"),
    sa.Index("watch_alert_until", "until"),
    sqlite_autoincrement=True,
)

watch_silence = sa.Table(
    "watch_silence",
    metadata,
    _key(),
    sa.Column("deployment_id", sa.BigInteger(), nullable=False),  # 0: of all
    sa.Column("rule", Name(100), nullable=False),
    sa.Column("until", _TIME, nullable=False),
    sa.Column("who", Name(200), nullable=False),
    sa.Column("reason", Words(), nullable=False),
    sa.Index("watch_silence_until", "until"),
    sqlite_autoincrement=True,
)

watch_channel = sa.Table(  # where alerts are told
    "watch_channel",
    metadata,
    _key(),
    sa.Column("name", Name(100), nullable=False, unique=True),
    sa.Column("kind", Name(20), nullable=False),  # webhook, email, slack, dingtalk, feishu, wecom
    sa.Column("pattern", Name(200), nullable=False),  # of deployments
    sa.Column("severity", Name(16), nullable=False),  # the least that is told
    sa.Column("body", Words(), nullable=False),  # JSON: address, secret
    sa.Column("created", _TIME, nullable=False),
    sa.Column("who", Name(200), nullable=False),
    sqlite_autoincrement=True,
)

watch_lease = sa.Table(  # work that one of several servers does
    "watch_lease",
    metadata,
    sa.Column("name", Name(60), primary_key=True),
    sa.Column("server", Name(100), nullable=False),
    sa.Column("until", _TIME, nullable=False),
)

# -- optimization --------------------------------------------------------------------------------

optimization = sa.Table(  # a recipe on a version
    "optimization",
    metadata,
    _key(),
    sa.Column("model_id", sa.BigInteger(), nullable=False),
    sa.Column("number", sa.BigInteger(), nullable=False),
    sa.Column("state", Name(16), nullable=False),
    sa.Column("who", Name(200), nullable=False),
    sa.Column("created", _TIME, nullable=False),
    sa.Column("changed", _TIME, nullable=False),
    sa.Column("body", Words(), nullable=False),  # JSON: Optimization
    sa.Index("optimization_model", "model_id", "id"),
    sa.Index("optimization_state", "state", "changed"),
    sqlite_autoincrement=True,
)

optimization_served = sa.Table(  # those that servers run, and take up again by themselves
    "optimization_served",
    metadata,
    sa.Column("optimization_id", sa.BigInteger(), primary_key=True, autoincrement=False),
    sa.Column("account", Name(200), nullable=False),
    sa.Column("body", Words(), nullable=False),  # JSON: with which rights
)

optimization_trial = sa.Table(
    "optimization_trial",
    metadata,
    sa.Column("optimization_id", sa.BigInteger(), primary_key=True, autoincrement=False),
    sa.Column("number", sa.BigInteger(), primary_key=True, autoincrement=False),
    sa.Column("body", Words(), nullable=False),  # JSON: Trial
)

# -- the yard itself ---------------------------------------------------------------------------

fact = sa.Table(  # what is known of the whole yard; the row `gate` is what MySQL's gate locks
    "fact",
    metadata,
    sa.Column("name", Name(40), primary_key=True),
    sa.Column("value", Words(), nullable=False),
)


def for_postgresql() -> None:
    """Let indexes of some rows be such on PostgreSQL too, before tables are made or compared.

    Not done on import, since it loads PostgreSQL's dialect, which takes a tenth of a second.
    """
    for table in metadata.tables.values():
        for index in table.indexes:
            if "where" in index.info:
                index.dialect_options["postgresql"]["where"] = sa.text(index.info["where"])


def _before_create(_: sa.MetaData, connection: sa.Connection, **__: object) -> None:
    if connection.dialect.name == "postgresql":
        for_postgresql()


sa.event.listen(metadata, "before_create", _before_create)
