"""A small Google Cloud Storage: the calls of its JSON interface that OpenDAL makes, for tests.

Objects need a bearer token, which `POST /token` gives in exchange for the words of an
`external_account` credentials file. `POST /storage/v1/b?name=` makes a bucket.
"""

from __future__ import annotations

import base64
import json
import re
import urllib.parse
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.services.web import Answer, Handler, Object, Refused, main, ranged

__all__ = ["SUBJECT", "TOKEN", "Gcs"]

SUBJECT, TOKEN = "yard-tests", "not-a-secret-token"
_OBJECTS = re.compile(r"(?:/upload)?/storage/v1/b/([^/]+)/o(?:/(.+?))?(/rewriteTo/.*)?")


@dataclass
class _Bucket:
    objects: dict[str, Object] = field(default_factory=dict)
    uploads: dict[str, tuple[str, bool, bytearray]] = field(default_factory=dict)
    """Name, whether nothing may be there, and the bytes so far of uploads that are not complete."""


class Gcs(Handler):
    """One connection to the service."""

    buckets: dict[str, _Bucket] = {}  # noqa: RUF012 (all connections share it)

    def respond(self) -> Answer:
        raw = self.path.partition("?")[0]
        if raw == "/token":
            return self._token()
        is_known = "upload_id" in self.query  # whoever knows the address of an upload may go on
        if not is_known and self.headers.get("Authorization") != f"Bearer {TOKEN}":
            raise Refused(401, "required", "Login Required.")
        if (self.command, raw) == ("POST", "/storage/v1/b"):
            self.buckets.setdefault(self.query["name"], _Bucket())
            return Answer(200, b"{}")
        match = _OBJECTS.fullmatch(raw)
        if not match:
            raise Refused(404, "notFound", "Not Found")
        name, key, rewrite = (urllib.parse.unquote(part or "") for part in match.groups())
        bucket = self.buckets.get(name)
        if bucket is None:
            raise Refused(404, "notFound", "The specified bucket does not exist.")
        if raw.startswith("/upload/"):
            return self._upload(bucket)
        if rewrite:
            return _rewrite(bucket, key, rewrite)
        return self._object(bucket, key) if key else _list(bucket, self.query)

    def _token(self) -> Answer:
        asked = dict(urllib.parse.parse_qsl(self.body.decode()))
        if asked.get("subject_token") != SUBJECT:
            raise Refused(401, "invalid_grant", "who are you?")
        kind = "urn:ietf:params:oauth:token-type:access_token"
        told = {"access_token": TOKEN, "issued_token_type": kind, "token_type": "Bearer"}
        return _json({**told, "expires_in": 3600})

    def _object(self, bucket: _Bucket, key: str) -> Answer:
        found = bucket.objects.get(key)
        if found is None:
            raise Refused(404, "notFound", "No such object.")
        if self.command == "DELETE":
            del bucket.objects[key]
            return Answer(204)
        if self.query.get("alt") == "media":
            return ranged(found, self.headers.get("Range"))
        return _json(_described(key, found))

    def _upload(self, bucket: _Bucket) -> Answer:
        """At once (`media`), or begun by a POST and continued by PUTs with ranges (`resumable`)."""
        if self.command == "PUT":
            return self._continue(bucket, self.query["upload_id"])
        key, is_new = self.query["name"], self.query.get("ifGenerationMatch") == "0"
        if self.query["uploadType"] == "media":
            return _keep(bucket, key, self.body, is_new)
        if self.query["uploadType"] != "resumable":
            raise Refused(400, "invalid", "this server knows media and resumable uploads only")
        upload = uuid.uuid4().hex
        bucket.uploads[upload] = (key, is_new, bytearray())
        place = f"http://{self.headers['Host']}{self.path}&upload_id={upload}"
        return Answer(200, b"", {"Location": place})

    def _continue(self, bucket: _Bucket, upload: str) -> Answer:
        if upload not in bucket.uploads:
            raise Refused(404, "notFound", "No such upload.")
        key, is_new, data = bucket.uploads[upload]
        said = self.headers.get("Content-Range", f"bytes 0-*/{len(self.body)}")
        start, total = re.fullmatch(r"bytes (?:(\d+)-[\d*]+|\*)/(\d+|\*)", said).groups()
        if start is not None and int(start) != len(data):
            raise Refused(400, "invalid", f"{said} does not follow {len(data)} bytes")
        data += self.body
        if total != "*" and len(data) == int(total):
            del bucket.uploads[upload]
            return _keep(bucket, key, bytes(data), is_new)
        return Answer(308, b"", {"Range": f"bytes=0-{len(data) - 1}"} if data else {})

    def refuse(self, refused: Refused) -> Answer:
        errors = [{"reason": refused.code, "message": refused.message, "domain": "global"}]
        told = {"code": refused.status, "message": refused.message, "errors": errors}
        return _json({"error": told}, refused.status)


def _keep(bucket: _Bucket, key: str, data: bytes, is_new: bool) -> Answer:
    if is_new and key in bucket.objects:
        raise Refused(412, "conditionNotMet", "At least one condition did not hold.")
    bucket.objects[key] = Object(data)
    return _json(_described(key, bucket.objects[key]))


def _rewrite(bucket: _Bucket, key: str, rewrite: str) -> Answer:
    if key not in bucket.objects:
        raise Refused(404, "notFound", "No such object.")
    target = rewrite.partition("/o/")[2]
    bucket.objects[target] = Object(bucket.objects[key].data)
    size = str(len(bucket.objects[key].data))
    told = {"totalBytesRewritten": size, "objectSize": size, "done": True}
    return _json({**told, "resource": _described(target, bucket.objects[target])})


def _list(bucket: _Bucket, query: dict[str, str]) -> Answer:
    """A page of names and of common prefixes; `startOffset` is part of it, a token is not."""
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
    after, limit = query.get("pageToken", ""), min(int(query.get("maxResults", 100)), 1000)
    seen: dict[str, bool] = {}
    for key in sorted(bucket.objects, key=str.encode):
        if key.startswith(prefix) and key.encode() >= query.get("startOffset", "").encode():
            head, found, _ = key[len(prefix) :].partition(delimiter) if delimiter else ("", "", "")
            seen[prefix + head + found if found else key] = bool(found)
    rest = [name for name in seen if name.encode() > after.encode()]
    page = rest[:limit]
    told: dict[str, Any] = {"kind": "storage#objects"}
    told["items"] = [_described(name, bucket.objects[name]) for name in page if not seen[name]]
    told["prefixes"] = [name for name in page if seen[name]]
    if len(page) < len(rest):
        told["nextPageToken"] = page[-1]
    return _json(told)


def _described(key: str, found: Object) -> dict[str, str]:
    when = datetime.fromtimestamp(found.modified, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    md5 = base64.b64encode(bytes.fromhex(found.md5)).decode()
    told = {"name": key, "size": str(len(found.data)), "updated": when, "md5Hash": md5}
    number = str(int(found.modified * 1e6))
    return {**told, "etag": found.md5, "generation": number, "contentType": "text/plain"}


def _json(told: dict[str, Any], status: int = 200) -> Answer:
    headers = {"Content-Type": "application/json; charset=UTF-8"}
    return Answer(status, json.dumps(told).encode(), headers)


if __name__ == "__main__":
    main(Gcs)
