"""Object stores that fail: busy, slow, cut off, silent, not ours to use, not there at all."""

import os
import random
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.services.fault_proxy import LOSE, PASS, RESET, Cut, Pass, Reply

from modelyard.errors import (
    Denied,
    InvalidInput,
    ModelyardError,
    NotFound,
    Unavailable,
    Unsupported,
)
from modelyard.store.opendal import OpenDalBackend
from modelyard.store.opening import open_backend, parse_url

pytestmark = pytest.mark.slow

BUSY = Reply(503)
CONTENT = bytes(range(256)) * 40
CALLS = {
    "put": lambda backend: backend.put("k", CONTENT),
    "get": lambda backend: backend.get("k", 0, len(CONTENT)),
    "stat": lambda backend: backend.stat("k").size,
    "keys": lambda backend: list(backend.keys()),
    "delete": lambda backend: backend.delete("k"),
}
CLOUDS = ["s3rver_url", "azblob_url", "oss_url", "gcs_url"]


@pytest.fixture
def proxy(faulty_http, s3_url):
    return faulty_http(endpoint(s3_url))


@pytest.fixture
def backend(proxy, s3_url):
    """A bucket behind a proxy, with the object `k`."""
    url = s3_url.replace(endpoint(s3_url), proxy.url)
    backend = OpenDalBackend(parse_url(url), patience=20, timeout=1, part=5 << 20)
    backend.put("k", CONTENT)
    yield backend
    backend.close()


def endpoint(url):
    return parse_qs(urlsplit(url).query)["endpoint"][0]


def requests(proxy, method, begun=0):
    return [one for one in proxy.log[begun:] if one.method == method]


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("fault", [BUSY, Reply(500), Reply(429), RESET])
def test_what_fails_twice_works_the_third_time(backend, proxy, call, fault):
    proxy.plan([fault, fault])
    told = CALLS[call](backend)
    assert told in (None, CONTENT, len(CONTENT), ["k"])
    assert (backend.stat("k") is None) == (call == "delete")


@pytest.mark.parametrize("fault", [BUSY, RESET, LOSE, Cut(3)])
@pytest.mark.parametrize("cloud", [*CLOUDS, "webdav_url"])
def test_every_service_may_fail_at_every_fourth_request(request, faulty_http, cloud, fault):
    url = request.getfixturevalue(cloud)
    place = urlsplit(url)
    address = f"http://{place.netloc}" if cloud == "webdav_url" else endpoint(url)
    proxy = faulty_http(address)
    through = proxy.url.removeprefix("http://")
    backend = open_backend(url.replace(address.removeprefix("http://"), through), folder=Path())
    chance = random.Random(cloud)
    proxy.plan([fault if chance.random() < 0.25 else PASS for _ in range(500)])
    for key in ("a/b", "a/c", "d"):
        backend.put(key, CONTENT + key.encode())
    assert backend.get("a/b") == CONTENT + b"a/b"
    assert backend.get("a/c", 5, 50) == CONTENT[5:50]
    assert list(backend.keys("a/")) == ["a/b", "a/c"]
    backend.delete("a/b")
    assert backend.stat("a/b") is None
    assert list(backend.keys()) == ["a/c", "d"]
    assert any(one.action == fault for one in proxy.log)


@pytest.mark.parametrize("call", CALLS)
def test_a_service_that_is_silent_is_asked_again(backend, proxy, call):
    proxy.plan([Pass(delay=1.5)])
    assert CALLS[call](backend) in (None, CONTENT, len(CONTENT), ["k"])
    assert (backend.stat("k") is None) == (call == "delete")


@pytest.mark.parametrize("after", [0, 1, 5000, len(CONTENT) - 1])
def test_an_answer_that_breaks_off_is_asked_for_again(backend, proxy, after):
    proxy.plan([Cut(after), Cut(after)])
    assert backend.get("k", 0, len(CONTENT)) == CONTENT
    proxy.plan([PASS, Cut(after)])
    assert backend.get("k") == CONTENT
    proxy.plan([Cut(min(after, 100))])
    assert list(backend.keys()) == ["k"]


def test_a_put_whose_answer_was_lost_is_not_sent_again(backend, proxy):
    begun = len(proxy.log)
    proxy.plan([LOSE])
    backend.put("other", CONTENT)
    assert len(requests(proxy, "PUT", begun)) == 1
    assert backend.get("other") == CONTENT


def test_a_create_whose_answer_was_lost_has_created(backend, proxy):
    proxy.plan([LOSE])
    assert backend.create("other", CONTENT)
    assert not backend.create("other", b"else")
    assert backend.create("other", CONTENT)


def test_a_put_that_was_said_to_be_done_but_was_not_is_done_again(backend, proxy):
    proxy.plan([Reply(200, body=b"")])
    backend.put("new", CONTENT)
    assert backend.get("new") == CONTENT
    proxy.plan([Reply(200, body=b"")])
    backend.put("k", CONTENT[::-1])  # as many bytes as what is there
    assert backend.get("k") == CONTENT[::-1]


def test_a_put_is_one_request_and_one_look(backend, proxy):
    begun = len(proxy.log)
    backend.put("packs/ab", bytes(10 << 20))
    assert [one.method for one in proxy.log[begun:]] == ["PUT", "HEAD"]


def test_a_large_object_goes_up_in_parts_each_of_which_may_fail(backend, proxy):
    content = CONTENT * 1300
    begun = len(proxy.log)
    proxy.plan([PASS, BUSY, PASS, RESET])
    backend.put("large", content)
    assert len(requests(proxy, "PUT", begun)) >= 3
    assert backend.get("large") == content
    assert list(backend.keys()) == ["k", "large"]


def test_patience_ends(proxy, s3_url):
    url = s3_url.replace(endpoint(s3_url), proxy.url)
    backend = OpenDalBackend(parse_url(url), patience=1.5)
    backend.put("k", CONTENT)
    proxy.plan([BUSY] * 1000)
    begun = time.monotonic()
    with pytest.raises(Unavailable) as caught:
        backend.get("k")
    assert 1 < time.monotonic() - begun < 8
    assert caught.value.kind == "store-unavailable"
    assert proxy.url in caught.value.hint


@pytest.mark.parametrize("address", ["http://127.0.0.1:9", "http://nowhere.invalid"])
def test_a_wrong_address_is_told_soon(address, s3_url):
    backend = open_backend(s3_url.replace(endpoint(s3_url), address), folder=Path())
    begun = time.monotonic()
    with pytest.raises(Unavailable) as caught:
        backend.put("k", CONTENT)
    assert time.monotonic() - begun < 10
    assert address in caught.value.hint


@pytest.mark.parametrize("cloud", ["s3_url", *CLOUDS])
@pytest.mark.parametrize("call", ["put", "get", "keys"])
def test_a_bucket_that_is_not_there_is_told_with_how_to_make_it(request, cloud, call):
    url = request.getfixturevalue(cloud)
    place = urlsplit(url)
    backend = open_backend(place._replace(netloc="no-such-place").geturl(), folder=Path())
    with pytest.raises(NotFound) as caught:
        CALLS[call](backend)
    assert caught.value.kind == "no-bucket"
    assert "no-such-place" in caught.value.hint


WRONG = {
    "s3rver_url": ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
    "azblob_url": ("AZURE_STORAGE_ACCOUNT_KEY",),
    "oss_url": ("ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET"),
    "webdav_url": ("WEBDAV_USERNAME", "WEBDAV_PASSWORD"),
}


@pytest.mark.parametrize("cloud", WRONG)
def test_wrong_credentials_are_denied_and_never_shown(request, monkeypatch, cloud):
    url = request.getfixturevalue(cloud)
    secret = "c2VjcmV0c2VjcmV0c2VjcmV0"
    for name in WRONG[cloud]:
        monkeypatch.setenv(name, secret)
    backend = open_backend(url, folder=Path())
    for call in CALLS.values():
        with pytest.raises(Denied) as caught:
            call(backend)
        assert caught.value.kind in ("store-credentials", "store-permission")
        assert_silent(caught.value, secret)
    assert secret not in repr(backend)


@pytest.mark.parametrize("cloud", ["s3_url", *CLOUDS])
def test_without_credentials_it_is_told_quickly(request, monkeypatch, tmp_path, cloud):
    url = request.getfixturevalue(cloud)
    forget_credentials(monkeypatch, tmp_path)
    begun = time.monotonic()
    with pytest.raises(Denied) as caught:
        open_backend(url, folder=Path()).get("k")
    assert time.monotonic() - begun < 5
    assert caught.value.kind == "store-credentials"
    assert caught.value.hint.startswith("set A" if cloud != "gcs_url" else "set GOOGLE_")


def forget_credentials(monkeypatch, home):
    monkeypatch.setenv("HOME", str(home))
    for name in list(os.environ):
        if name.startswith(("AWS_", "AZURE_", "ALIBABA_", "OSS_", "GOOGLE_", "WEBDAV_")):
            monkeypatch.delenv(name)


def assert_silent(error: ModelyardError, secret: str) -> None:
    assert secret not in "".join(traceback.format_exception(error))
    assert secret not in f"{error} {error.hint} {error!r}"


def test_credentials_come_from_the_files_of_aws(s3rver_url, monkeypatch, tmp_path):
    forget_credentials(monkeypatch, tmp_path)
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "credentials").write_text(
        "[other]\naws_access_key_id = S3RVER\naws_secret_access_key = S3RVER\n"
    )
    (tmp_path / ".aws" / "config").write_text("[profile other]\nregion = us-east-1\n")
    monkeypatch.setenv("AWS_PROFILE", "other")
    backend = open_backend(s3rver_url.replace("&region=us-east-1", ""), folder=Path())
    backend.put("k", CONTENT)
    assert backend.get("k") == CONTENT


def test_credentials_come_from_a_connection_string_of_azure(azblob_url, monkeypatch, tmp_path):
    account = os.environ["AZURE_STORAGE_ACCOUNT_NAME"]
    key = os.environ["AZURE_STORAGE_ACCOUNT_KEY"]
    server = endpoint(azblob_url)
    forget_credentials(monkeypatch, tmp_path)
    words = f"AccountName={account};AccountKey={key};BlobEndpoint={server};"
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", words)
    backend = open_backend(azblob_url.partition("?")[0], folder=Path())
    backend.put("k", CONTENT)
    assert backend.get("k") == CONTENT


def test_credentials_of_oss_have_two_spellings(oss_url, monkeypatch, tmp_path):
    key = os.environ["ALIBABA_CLOUD_ACCESS_KEY_ID"]
    secret = os.environ["ALIBABA_CLOUD_ACCESS_KEY_SECRET"]
    forget_credentials(monkeypatch, tmp_path)
    monkeypatch.setenv("OSS_ACCESS_KEY_ID", key)
    monkeypatch.setenv("OSS_ACCESS_KEY_SECRET", secret)
    backend = open_backend(oss_url, folder=Path())
    backend.put("k", CONTENT)
    assert backend.get("k") == CONTENT


def test_credentials_of_webdav_come_from_netrc(webdav_url, monkeypatch, tmp_path):
    name, password = os.environ["WEBDAV_USERNAME"], os.environ["WEBDAV_PASSWORD"]
    forget_credentials(monkeypatch, tmp_path)
    netrc = tmp_path / ".netrc"
    netrc.write_text(f"machine 127.0.0.1 login {name} password {password}\n")
    netrc.chmod(0o600)
    backend = open_backend(webdav_url, folder=Path())
    backend.put("k", CONTENT)
    assert backend.get("k") == CONTENT
    netrc.write_text(f"machine 127.0.0.1 login {name} password wrong\n")
    with pytest.raises(Denied):
        open_backend(webdav_url, folder=Path()).get("k")


def test_a_forked_process_is_told_instead_of_waiting_for_ever(backend):
    backend.get("k")
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            backend.get("k")
        except Unsupported as error:
            os.write(writer, error.kind.encode())
        finally:
            os._exit(0)
    os.close(writer)
    assert os.read(reader, 100) == b"forked-process"
    os.waitpid(child, 0)
    os.close(reader)


@pytest.mark.parametrize(
    ("status", "code", "error", "kind"),
    [
        (301, "PermanentRedirect", InvalidInput, "bad-store-url"),
        (400, "AuthorizationHeaderMalformed", InvalidInput, "bad-store-url"),
        (400, "Whatever", Unavailable, "store-unavailable"),
        (401, "Whatever", Denied, "store-credentials"),
        (403, "SignatureDoesNotMatch", Denied, "store-credentials"),
        (403, "AccessDenied", Denied, "store-permission"),
        (403, "RequestTimeTooSkewed", Denied, "store-permission"),
        (404, "NoSuchBucket", NotFound, "no-bucket"),
        (404, "NoSuchKey", NotFound, "no-object"),
        (507, "InsufficientStorage", Unavailable, "disk-full"),
    ],
)
def test_what_a_service_says_becomes_one_of_our_errors(backend, proxy, status, code, error, kind):
    body = f"<Error><Code>{code}</Code><Message>m</Message></Error>".encode()
    proxy.plan([Reply(status, body=body)] * 50)
    begun = time.monotonic()
    with pytest.raises(error) as caught:
        backend.put("other", CONTENT)
    assert caught.value.kind == kind
    assert code in str(caught.value) or kind.startswith("no-")
    assert time.monotonic() - begun < 5


def test_many_threads_wait_beside_each_other(backend, proxy):
    proxy.plan([Pass(delay=0.4)] * 16)
    begun = time.monotonic()
    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(lambda _: backend.get("k", 0, 10), range(16))) == {CONTENT[:10]}
    assert time.monotonic() - begun < 16 * 0.4 / 3


def test_other_threads_go_on_while_a_list_is_awaited(backend, proxy):
    proxy.plan([Pass(delay=0.8)])
    with ThreadPoolExecutor(1) as pool:
        listing = pool.submit(lambda: list(backend.keys()))
        ticks = 0
        while not listing.done():
            threading.Event().wait(0.02)
            ticks += 1
    assert listing.result() == ["k"]
    assert ticks > 15
