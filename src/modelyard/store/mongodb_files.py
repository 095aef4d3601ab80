"""The collections of a MongoDB store: `yard_store.files`, `.chunks` (GridFS) and `.uploads`.

Times are the server's. Each method may be called again if its reply was lost.
"""

from __future__ import annotations

import datetime
import os
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from bson import Binary, CodecOptions, Int64, ObjectId
from pymongo import MongoClient, ReturnDocument, WriteConcern
from pymongo.errors import (
    BulkWriteError,
    ConfigurationError,
    DuplicateKeyError,
    InvalidURI,
)
from pymongo.uri_parser import parse_uri

from modelyard.errors import Denied, InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pymongo.database import Database

__all__ = ["File", "Files", "connect"]

_CHUNK = 1 << 20
_BATCH = 4  # chunks of one message
_TICK = datetime.timedelta(milliseconds=1)
_ALIVE = {"dead": {"$exists": False}}
_NEWEST_FIRST = [("uploadDate", -1), ("_id", -1)]


class File(NamedTuple):
    """An object as its document tells it."""

    id: ObjectId
    size: int
    chunk_size: int
    modified: datetime.datetime


def connect(url: str) -> tuple[MongoClient[Any], Database[Any], str]:
    """The client, the database that the URL names, and what to call it in messages."""
    try:
        parts = parse_uri(re.sub(r"^mongodb\+srv://", "mongodb://", url), validate=True, warn=True)
        database = parts["database"]
    except (ConfigurationError, InvalidURI, ValueError):
        raise InvalidInput("bad-store-url", "this is no URL of a MongoDB") from None
    if parts["password"]:
        raise InvalidInput(
            "secret-in-url", "a store's URL may hold no password",
            hint="put it into YARD_STORE_PASSWORD",
        )  # fmt: skip
    if not database:
        raise InvalidInput("bad-store-url", "the URL names no database", hint="mongodb://host/yard")
    options: dict[str, Any] = {
        "serverSelectionTimeoutMS": 5000, "connectTimeoutMS": 10_000, "socketTimeoutMS": 300_000,
        "appname": "modelyard", "retryWrites": True, "retryReads": True,
        "connect": False,
    }  # fmt: skip
    options = {name: value for name, value in options.items() if name not in parts["options"]}
    user = os.environ.get("YARD_STORE_USER") or parts["username"]
    if user and not os.environ.get("YARD_STORE_PASSWORD"):
        raise Denied(
            "store-credentials", f"{user} has no password here", hint="set YARD_STORE_PASSWORD"
        )
    if user:
        options |= {"username": user, "password": os.environ["YARD_STORE_PASSWORD"]}
    client: MongoClient[Any] = MongoClient(url, **options)
    hosts = ",".join(f"{host}:{port}" if port else str(host) for host, port in parts["nodelist"])
    return client, client[database], f"mongodb://{hosts}/{database}"


class Files:
    """What is done in one step each."""

    def __init__(self, database: Database[Any]) -> None:
        safe: Database[Any] = database.with_options(
            codec_options=CodecOptions(tz_aware=True),
            write_concern=WriteConcern(w="majority", j=True, wtimeout=60_000),
        )
        self._database = safe
        self._files = safe["yard_store.files"]
        self._chunks = safe["yard_store.chunks"]
        self._uploads = safe["yard_store.uploads"]

    def make_indexes(self) -> None:
        self._files.create_index([("filename", 1), ("uploadDate", 1)])
        self._chunks.create_index([("files_id", 1), ("n", 1)], unique=True)

    def server_time(self) -> datetime.datetime:
        told: datetime.datetime = self._database.command("hello")["localTime"]
        return told if told.tzinfo else told.replace(tzinfo=datetime.UTC)

    def newest(self, key: str) -> File | None:
        found = self._files.find_one({"filename": key}, sort=_NEWEST_FIRST)
        return None if found is None else _file(found)

    def all(self, key: str) -> list[File]:
        return [_file(found) for found in self._files.find({"filename": key}, sort=_NEWEST_FIRST)]

    def keys_after(self, prefix: str, after: str, limit: int) -> list[str]:
        """The first keys beyond `after` with this prefix. One that is put again may come twice."""
        wanted = {"filename": {"$gte": prefix, "$lt": prefix + "\x7f", "$gt": after}}
        found = self._files.find(wanted, {"_id": 0, "filename": 1})
        return [file["filename"] for file in found.sort("filename", 1).limit(limit)]

    def read(self, file: File, start: int, stop: int) -> list[bytes]:
        """The pieces of a range that is not empty, fewer if chunks are gone."""
        first, last = start // file.chunk_size, (stop - 1) // file.chunk_size
        wanted = {"files_id": file.id, "n": {"$gte": first, "$lte": last}}
        found = self._chunks.find(wanted, {"_id": 0, "data": 1}).sort("n", 1)
        pieces = [bytes(chunk["data"]) for chunk in found]
        if len(pieces) == last - first + 1:
            pieces[-1] = pieces[-1][: stop - last * file.chunk_size]
            pieces[0] = pieces[0][start - first * file.chunk_size :]
        return pieces

    def new_id(self) -> ObjectId:
        return ObjectId()

    def open(self, upload: ObjectId) -> datetime.datetime:
        """Note an upload, so that its chunks are found if its writer dies. Tells the time."""
        noted: Any = self._uploads.find_one_and_update(
            {"_id": upload},
            {"$currentDate": {"touched": True}},
            upsert=True,
            return_document=ReturnDocument.AFTER,
        )
        when: datetime.datetime = noted["touched"]
        return when

    def touch(self, upload: ObjectId) -> bool:
        """Say that the upload goes on; False if it was swept meanwhile."""
        now = {"$currentDate": {"touched": True}}
        return self._uploads.update_one({"_id": upload, **_ALIVE}, now).matched_count == 1

    def batches(self, view: memoryview) -> Iterator[tuple[int, memoryview]]:
        """The number of its first chunk and the bytes of each message."""
        for start in range(0, len(view), _BATCH * _CHUNK):
            yield start // _CHUNK, view[start : start + _BATCH * _CHUNK]

    def insert(self, upload: ObjectId, number: int, batch: memoryview) -> None:
        chunks = [
            {"files_id": upload, "n": n, "data": Binary(bytes(batch[start : start + _CHUNK]))}
            for n, start in enumerate(range(0, len(batch), _CHUNK), number)
        ]
        try:
            self._chunks.insert_many(chunks, ordered=False)
        except (
            BulkWriteError
        ) as error:  # those that are there came by this call, whose reply was lost
            told = error.details
            if told.get("writeConcernErrors") or {e["code"] for e in told["writeErrors"]} != {
                11000
            }:
                raise

    def show(self, upload: ObjectId, key: str, size: int, now: datetime.datetime) -> None:
        """From now on `key` is this upload: it is newer than what is there, whatever the clock."""
        before = self.newest(key)
        if before is not None and before.id != upload:
            now = max(now, before.modified + _TICK)
        file = {
            "_id": upload, "filename": key, "length": Int64(size), "chunkSize": _CHUNK,
            "uploadDate": now,
        }  # fmt: skip
        try:
            self._files.insert_one(file)
        except DuplicateKeyError:
            return

    def close(self, upload: ObjectId) -> bool:
        """What is shown is whole and ours; False if it was swept meanwhile."""
        if self._uploads.delete_one({"_id": upload, **_ALIVE}).deleted_count == 1:
            return True
        # An earlier call did it, whose reply was lost; or a sweep that found it whole.
        is_closed = self._uploads.find_one({"_id": upload}) is None
        return is_closed and self._files.find_one({"_id": upload}) is not None

    def retire(self, upload: ObjectId) -> None:
        """Remove an object or an upload; begun once, `sweep` ends it."""
        self._uploads.update_one(
            {"_id": upload},
            {"$set": {"dead": True}, "$currentDate": {"touched": True}},
            upsert=True,
        )
        self._files.delete_one({"_id": upload})
        self._chunks.delete_many({"files_id": upload})
        self._uploads.delete_one({"_id": upload})

    def retire_older(self, key: str) -> None:
        """Of what is acknowledged only the newest stays; the rest is left to its writers.

        What is still there after it was found to have no upload was closed, and not being removed.
        """
        ids = [file.id for file in self.all(key)]
        if len(ids) < 2:
            return
        pending = {found["_id"] for found in self._uploads.find({"_id": {"$in": ids}}, {"_id": 1})}
        closed = [file for file in self.all(key) if file.id in ids and file.id not in pending]
        for file in closed[1:]:
            self.retire(file.id)

    def stale(self, limit: datetime.datetime) -> list[ObjectId]:
        return [
            found["_id"] for found in self._uploads.find({"touched": {"$lt": limit}}, {"_id": 1})
        ]

    def sweep(self, upload: ObjectId, limit: datetime.datetime) -> bool:
        """Remove what nobody touched since; False if its writer is alive or done."""
        stale = {"_id": upload, "touched": {"$lt": limit}}
        if self._uploads.update_one(stale, {"$set": {"dead": True}}).matched_count == 0:
            return False
        file = self._files.find_one({"_id": upload})
        if file is not None:
            newest = self.newest(file["filename"])
            if newest is not None and newest.id == upload:  # whole: its writer died right after
                self._uploads.delete_one({"_id": upload})
                return True
        self.retire(upload)
        return True


def _file(found: dict[str, Any]) -> File:
    return File(found["_id"], found["length"], found["chunkSize"], found["uploadDate"])
