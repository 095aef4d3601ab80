"""A small Aliyun OSS: signatures of version 1, objects, lists, parts, refusal to overwrite.

Written from the service's documents, for tests: https://help.aliyun.com/zh/oss/developer-reference.
Buckets are addressed by path (`/bucket/key`) or by host (`bucket.anything:port/key`).
"""

from __future__ import annotations

import base64
import hmac
import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import formatdate, parsedate_to_datetime
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from tests.services.web import Answer, Handler, Object, Refused, main, ranged

__all__ = ["ACCESS_KEY", "SECRET_KEY", "Oss", "authorized", "signature"]

ACCESS_KEY, SECRET_KEY = "yard-tests", "not-a-secret"
_SIGNED_QUERY = {
    *("acl", "append", "bucketInfo", "cname", "comp", "continuation-token", "cors", "delete"),
    *("encryption", "lifecycle", "location", "logging", "objectMeta", "partNumber", "policy"),
    *("position", "qos", "referer", "response-cache-control", "response-content-disposition"),
    *("response-content-encoding", "response-content-language", "response-content-type"),
    *("response-expires", "restore", "security-token", "sequential", "stat", "style", "symlink"),
    *("tagging", "uploadId", "uploads", "versionId", "versioning", "versions", "website"),
    *("worm", "x-oss-process", "x-oss-request-payer", "x-oss-traffic-limit"),
}
"""Parameters of the query that are part of what is signed."""


def signature(
    secret: str, method: str, headers: dict[str, str], resource: str, query: dict[str, str]
) -> str:
    """The signature of version 1; `headers` by lower-case name, `resource` is `/bucket/key`."""
    named = sorted((name, value) for name, value in headers.items() if name.startswith("x-oss-"))
    chosen = sorted((name, value) for name, value in query.items() if name in _SIGNED_QUERY)
    words = "&".join(f"{name}={value}" if value else name for name, value in chosen)
    lines = [
        method,
        headers.get("content-md5", ""),
        headers.get("content-type", ""),
        headers.get("date", ""),
        *(f"{name}:{value.strip()}" for name, value in named),
        resource + (f"?{words}" if words else ""),
    ]
    return base64.b64encode(
        hmac.digest(secret.encode(), "\n".join(lines).encode(), "sha1")
    ).decode()


@dataclass
class _Bucket:
    objects: dict[str, Object] = field(default_factory=dict)
    uploads: dict[str, tuple[str, dict[int, Object]]] = field(default_factory=dict)
    """Key and parts of the uploads that are not complete."""


class Oss(Handler):
    """One connection to the service."""

    buckets: dict[str, _Bucket] = {}  # noqa: RUF012 (all connections share it)

    def respond(self) -> Answer:
        name, key, resource = self._place()
        self._check_signature(resource)
        if not name:
            raise Refused(501, "NotImplemented", "this server does not list buckets")
        if not key and self.command == "PUT":
            self.buckets.setdefault(name, _Bucket())
            return Answer(200)
        bucket = self.buckets.get(name)
        if bucket is None:
            raise Refused(404, "NoSuchBucket", "The specified bucket does not exist.")
        if not key:
            return _list(bucket, name, self.query)
        if "uploadId" in self.query or "uploads" in self.query:
            return self._upload(bucket, name, key)
        return self._object(bucket, key)

    def _place(self) -> tuple[str, str, str]:
        """Bucket, key and what is signed of them: from the host if it has a name, else the path."""
        host = self.headers.get("Host", "").partition(":")[0]
        first, dot, _ = host.partition(".")
        if dot and not first.isdigit():
            return first, self.path_only[1:], f"/{first}{self.path_only}"
        name, _, key = self.path_only[1:].partition("/")
        return name, key, self.path_only

    def _check_signature(self, resource: str) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        given = headers.get("authorization", "")
        if not given.startswith("OSS ") or ":" not in given:
            raise Refused(403, "AccessDenied", "You are not allowed to do that anonymously.")
        access, _, signed = given[4:].partition(":")
        if access != ACCESS_KEY:
            raise Refused(403, "InvalidAccessKeyId", "The access key does not exist.")
        right = signature(SECRET_KEY, self.command, headers, resource, self.query)
        if not hmac.compare_digest(right, signed):
            raise Refused(403, "SignatureDoesNotMatch", "The signature does not match.")
        said = parsedate_to_datetime(headers.get("x-oss-date") or headers["date"]).timestamp()
        if abs(said - time.time()) > 900:
            raise Refused(403, "RequestTimeTooSkewed", "The clocks differ too much.")

    def _object(self, bucket: _Bucket, key: str) -> Answer:
        if self.command == "PUT":
            return self._keep(bucket, key, Object(self.body))
        if self.command == "DELETE":
            bucket.objects.pop(key, None)
            return Answer(204)
        if self.command not in ("GET", "HEAD"):
            raise Refused(405, "MethodNotAllowed")
        found = bucket.objects.get(key)
        if found is None:
            raise Refused(404, "NoSuchKey", "The specified key does not exist.")
        return ranged(found, self.headers.get("Range"))

    def _keep(self, bucket: _Bucket, key: str, data: Object) -> Answer:
        wanted = self.headers.get("Content-MD5")
        if wanted and wanted != base64.b64encode(bytes.fromhex(data.md5)).decode():
            raise Refused(400, "InvalidDigest", "The body is not what its Content-MD5 says.")
        if self.headers.get("x-oss-forbid-overwrite") == "true" and key in bucket.objects:
            raise Refused(409, "FileAlreadyExists", "The object you specified already exists.")
        bucket.objects[key] = data
        return Answer(200, headers={"ETag": f'"{data.md5}"'})

    def _upload(self, bucket: _Bucket, name: str, key: str) -> Answer:
        if "uploads" in self.query:
            upload = uuid.uuid4().hex
            bucket.uploads[upload] = (key, {})
            told = _tag("Bucket", name) + _tag("Key", key) + _tag("UploadId", upload)
            return _xml("InitiateMultipartUploadResult", told)
        upload = self.query["uploadId"]
        if bucket.uploads.get(upload, ("",))[0] != key:
            raise Refused(404, "NoSuchUpload", "The specified upload does not exist.")
        parts = bucket.uploads[upload][1]
        if self.command == "PUT":
            part = parts[int(self.query["partNumber"])] = Object(self.body)
            return Answer(200, headers={"ETag": f'"{part.md5}"'})
        if self.command == "DELETE":
            del bucket.uploads[upload]
            return Answer(204)
        whole = Object(b"".join(_asked(parts, self.body)))
        self._keep(bucket, key, whole)
        del bucket.uploads[upload]
        told = _tag("Bucket", name) + _tag("Key", key) + _tag("ETag", f'"{whole.md5}"')
        return _xml("CompleteMultipartUploadResult", told)

    def refuse(self, refused: Refused) -> Answer:
        told = _tag("Code", refused.code) + _tag("Message", refused.message)
        return _xml(
            "Error", told + _tag("RequestId", uuid.uuid4().hex[:24].upper()), refused.status
        )


def _asked(parts: dict[int, Object], body: bytes) -> list[bytes]:
    """The parts that a completion names, in its order."""
    chosen = []
    numbers = [0]
    for part in ElementTree.fromstring(body):
        number = int(part.findtext("PartNumber", "0"))
        found = parts.get(number)
        if found is None or part.findtext("ETag", "").strip('"').lower() != found.md5:
            raise Refused(400, "InvalidPart", f"Part {number} was not uploaded like that.")
        if number <= numbers[-1]:
            raise Refused(400, "InvalidPartOrder", "Parts are not in ascending order.")
        numbers.append(number)
        chosen.append(found.data)
    return chosen


def _list(bucket: _Bucket, name: str, query: dict[str, str]) -> Answer:
    """ListObjectsV2: a page of keys and of common prefixes, in the order of their bytes."""
    if query.get("list-type") != "2":
        raise Refused(501, "NotImplemented", "this server lists by version 2 only")
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
    after = query.get("continuation-token") or query.get("start-after", "")
    limit = min(int(query.get("max-keys") or 100), 1000)
    seen: dict[str, Object | None] = {}
    for key in sorted(bucket.objects, key=str.encode):
        if key.startswith(prefix):
            head, found, _ = key[len(prefix) :].partition(delimiter) if delimiter else (key, "", "")
            shown = prefix + head + found if found else key
            if shown.encode() > after.encode():
                seen[shown] = None if found else bucket.objects[key]
    page = dict(list(seen.items())[:limit])
    told = [_tag("Name", name), _tag("Prefix", prefix), _tag("Delimiter", delimiter)]
    told += [_tag("MaxKeys", str(limit)), _tag("KeyCount", str(len(page)))]
    told.append(_tag("IsTruncated", "true" if len(page) < len(seen) else "false"))
    if len(page) < len(seen):
        told.append(_tag("NextContinuationToken", list(page)[-1]))
    for shown, found in page.items():
        if found is None:
            told.append(f"<CommonPrefixes>{_tag('Prefix', shown)}</CommonPrefixes>")
            continue
        when = datetime.fromtimestamp(found.modified, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        fields = {"Key": shown, "LastModified": when, "ETag": f'"{found.md5}"', "Type": "Normal"}
        fields |= {"Size": str(len(found.data)), "StorageClass": "Standard"}
        told.append(f"<Contents>{''.join(_tag(*item) for item in fields.items())}</Contents>")
    return _xml("ListBucketResult", "".join(told))


def _tag(name: str, text: str) -> str:
    return f"<{name}>{escape(text)}</{name}>"


def _xml(name: str, content: str, status: int = 200) -> Answer:
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<{name}>{content}</{name}>'
    return Answer(status, body.encode(), {"Content-Type": "application/xml"})


def authorized(method: str, resource: str) -> dict[str, str]:
    """The headers of a signed request without query and headers of its own."""
    headers = {"date": formatdate(usegmt=True), "content-type": "application/xml"}
    signed = signature(SECRET_KEY, method, headers, resource, {})
    return {**headers, "authorization": f"OSS {ACCESS_KEY}:{signed}"}


if __name__ == "__main__":
    main(Oss)
