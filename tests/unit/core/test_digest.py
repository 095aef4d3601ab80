"""Digests: values that can only be made of what they name."""

from __future__ import annotations

import hashlib
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.core.digest import Digest
from modelyard.errors import InvalidInput


@given(st.binary(max_size=200))
def test_a_digest_is_the_sha256_of_the_bytes(data):
    digest = Digest.of(data)
    assert digest.hex == str(digest) == hashlib.sha256(data).hexdigest()
    assert Digest.parse(digest.hex) == Digest.parse(f"sha256:{digest.hex}") == digest
    assert pickle.loads(pickle.dumps(digest)) == digest


@pytest.mark.parametrize(
    "text", ["", "a" * 63, "a" * 65, "A" * 64, "g" * 64, "sha1:" + "a" * 64, "a" * 64 + "\n"]
)
def test_what_is_no_digest_is_refused(text):
    with pytest.raises(InvalidInput) as caught:
        Digest.parse(text)
    assert caught.value.kind == "bad-digest"


@given(st.binary(max_size=64).filter(lambda raw: len(raw) != 32))
def test_a_digest_has_32_bytes(raw):
    with pytest.raises(InvalidInput):
        Digest(raw)


@given(st.lists(st.binary(max_size=8), max_size=8))
def test_digests_sort_as_their_hex_does(blobs):
    digests = [Digest.of(blob) for blob in blobs]
    assert [d.hex for d in sorted(digests)] == sorted(d.hex for d in digests)
