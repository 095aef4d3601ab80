"""A small WebDAV server for tests: files and collections in memory, RFC 4918 without locks.

Anybody may come without a name; who gives a name must give the right password. Below `/private`
a name is needed.
"""

from __future__ import annotations

import base64
import urllib.parse
from email.utils import formatdate
from xml.sax.saxutils import escape

from tests.services.web import Answer, Handler, Object, Refused, main, ranged

__all__ = ["PASSWORD", "USER", "WebDav"]

USER, PASSWORD = "yard", "not-a-secret"


class WebDav(Handler):
    """One connection. A collection is None in `files`; paths have no slash at their ends."""

    files: dict[str, Object | None] = {"": None}  # noqa: RUF012 (all connections share it)

    def respond(self) -> Answer:
        path = self.path_only.strip("/")
        self._check_password(path)
        does = getattr(self, f"_{self.command.lower()}", None)
        if does is None:
            raise Refused(405, "method not allowed")
        return does(path)

    def _check_password(self, path: str) -> None:
        given = self.headers.get("Authorization")
        right = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if given != right and (given or path.partition("/")[0] == "private"):
            raise Refused(401, "who are you?")

    def _found(self, path: str) -> Object | None:
        if path not in self.files:
            raise Refused(404, "nothing is there")
        return self.files[path]

    def _check_parent(self, path: str) -> None:
        if self.files.get(path.rpartition("/")[0], Object(b"")) is not None:
            raise Refused(409, "the collection above is not there")

    def _get(self, path: str) -> Answer:
        found = self._found(path)
        if found is None:
            raise Refused(405, "a collection")
        return ranged(found, self.headers.get("Range"))

    _head = _get

    def _put(self, path: str) -> Answer:
        self._check_parent(path)
        there = path in self.files
        if there and self.files[path] is None:
            raise Refused(405, "a collection")
        if there and self.headers.get("If-None-Match") == "*":
            raise Refused(412, "something is there")
        self.files[path] = Object(self.body)
        return Answer(204 if there else 201)

    def _mkcol(self, path: str) -> Answer:
        if path in self.files:
            raise Refused(405, "something is there")
        self._check_parent(path)
        self.files[path] = None
        return Answer(201)

    def _delete(self, path: str) -> Answer:
        self._found(path)
        for gone in self._below(path):
            del self.files[gone]
        return Answer(204)

    def _below(self, path: str) -> list[str]:
        """A path and everything below it."""
        start = f"{path}/" if path else ""
        return [path, *(name for name in self.files if name and name.startswith(start))]

    def _move(self, path: str) -> Answer:
        answer = self._copy(path)
        for gone in self._below(path):
            del self.files[gone]
        return answer

    def _copy(self, path: str) -> Answer:
        self._found(path)
        target = urllib.parse.urlsplit(self.headers.get("Destination", "")).path
        target = urllib.parse.unquote(target).strip("/")
        self._check_parent(target)
        there = target in self.files
        if there and self.headers.get("Overwrite") == "F":
            raise Refused(412, "something is there")
        for name in self._below(path):
            self.files[target + name[len(path) :]] = self.files[name]
        return Answer(204 if there else 201)

    def _propfind(self, path: str) -> Answer:
        self._found(path)
        depth = self.headers.get("Depth", "infinity")
        if depth == "infinity":
            raise Refused(403, "not to any depth")
        names = [path] if depth == "0" else self._below(path)
        inner = path.count("/") + (1 if path else 0)
        shown = [name for name in names if name == path or name.count("/") == inner]
        body = "".join(_described(name, self.files[name]) for name in shown)
        text = f'<?xml version="1.0"?><D:multistatus xmlns:D="DAV:">{body}</D:multistatus>'
        return Answer(207, text.encode(), {"Content-Type": "application/xml; charset=utf-8"})


def _described(name: str, found: Object | None) -> str:
    place = "/" + urllib.parse.quote(name) + ("/" if found is None and name else "")
    if found is None:
        told = "<D:resourcetype><D:collection/></D:resourcetype>"
        told += f"<D:getlastmodified>{formatdate(usegmt=True)}</D:getlastmodified>"
    else:
        told = f"<D:resourcetype/><D:getcontentlength>{len(found.data)}</D:getcontentlength>"
        told += f"<D:getetag>{escape(found.headers['ETag'])}</D:getetag>"
        told += f"<D:getlastmodified>{found.headers['Last-Modified']}</D:getlastmodified>"
    status = "<D:status>HTTP/1.1 200 OK</D:status>"
    answer = f"<D:propstat><D:prop>{told}</D:prop>{status}</D:propstat>"
    return f"<D:response><D:href>{escape(place)}</D:href>{answer}</D:response>"


if __name__ == "__main__":
    main(WebDav)
