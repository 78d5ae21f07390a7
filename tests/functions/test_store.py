"""The door to S3, on moto and against connections that break."""

import hashlib
import http.server
import io
import threading

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.response import StreamingBody
from botocore.stub import Stubber

from energy import store
from energy.errors import NotDeterministic, ObjectMissing, TransientError


def test_a_write_once_object_may_be_written_again_with_the_same_bytes_only(lake_on_moto):
    store.put_once("a/b", b"1")
    store.put_once("a/b", b"1")
    with pytest.raises(NotDeterministic, match="a/b"):
        store.put_once("a/b", b"2")
    assert store.read("a/b") == b"1"
    assert len(lake_on_moto.list_object_versions(Bucket="lake")["Versions"]) == 1


def test_a_swap_wins_once(lake_on_moto):
    first = store.swap("m", b"1", None)
    with pytest.raises(store.SwapLost):
        store.swap("m", b"2", None)
    second = store.swap("m", b"2", first)
    with pytest.raises(store.SwapLost):
        store.swap("m", b"3", first)
    assert store.read_with_etag("m") == (b"2", second)


def test_a_swap_against_a_deleted_object_is_lost(lake_on_moto):
    etag = store.swap("m", b"1", None)
    lake_on_moto.delete_object(Bucket="lake", Key="m")
    with pytest.raises(store.SwapLost):
        store.swap("m", b"2", etag)


def test_exactly_the_version_asked_for_is_downloaded(lake_on_moto, tmp_path):
    old = lake_on_moto.put_object(Bucket="lake", Key="raw/x", Body=b"old")
    new = lake_on_moto.put_object(Bucket="lake", Key="raw/x", Body=b"new")
    store.download("raw/x", tmp_path / "f", version_id=old["VersionId"])
    assert (tmp_path / "f").read_bytes() == b"old"
    store.download("raw/x", tmp_path / "f", etag=new["ETag"])
    assert (tmp_path / "f").read_bytes() == b"new"
    with pytest.raises(ObjectMissing):
        store.download("raw/x", tmp_path / "f", etag=old["ETag"])


def test_what_is_missing_is_named(lake_on_moto):
    assert store.read_with_etag("nothing") is None
    with pytest.raises(ObjectMissing, match="nothing"):
        store.read("nothing")
    with pytest.raises(ObjectMissing, match="nothing"):
        store.head("nothing")


def test_a_denied_call_is_not_called_transient(lake_on_moto):
    with pytest.raises(ClientError), store.transient("GetObject"):
        raise ClientError({"Error": {"Code": "AccessDenied"}}, "GetObject")


@pytest.mark.parametrize("code", ["SlowDown", "ThrottlingException", "InternalError", "409"])
def test_a_throttled_call_is_transient(code):
    with pytest.raises(TransientError, match="GetObject x"), store.transient("GetObject x"):
        raise ClientError({"Error": {"Code": code}}, "GetObject")


class _HangsUp(http.server.BaseHTTPRequestHandler):
    def handle(self):
        self.request.close()


def test_a_connection_that_is_hung_up_on_is_transient(monkeypatch, lake_on_moto):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _HangsUp)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    broken = boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{server.server_port}",
        config=boto3.session.Config(retries={"total_max_attempts": 1}),
    )
    with monkeypatch.context() as patch:
        patch.setattr(store, "client", lambda: broken)
        with pytest.raises(TransientError):
            store.read("x")
    server.shutdown()
    server.server_close()


def test_the_digest_kept_with_an_object_is_its_content(lake_on_moto):
    store.put_once("k", b"content")
    assert store.head("k")["Metadata"]["sha256"] == hashlib.sha256(b"content").hexdigest()


@pytest.mark.parametrize("write", [lambda: store.put_once("k", b"1"), lambda: store.swap("k", b"1", None)])
def test_a_write_that_meets_another_one_in_flight_is_tried_again(lake_on_moto, write):
    """S3 answers 409 while another conditional write of the key is under way; there is nothing to compare with yet."""
    with Stubber(store.client()) as stubbed:
        stubbed.add_client_error("put_object", "ConditionalRequestConflict", http_status_code=409)
        with pytest.raises(TransientError):
            write()


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_whatever_goes_wrong_on_aws_side_is_transient(lake_on_moto, status):
    with Stubber(store.client()) as stubbed:
        stubbed.add_client_error("head_object", str(status), http_status_code=status)
        with pytest.raises(TransientError):
            store.head("k")


def test_a_body_that_breaks_off_is_transient(lake_on_moto, tmp_path):
    for read in (lambda: store.read("k"), lambda: store.download("k", tmp_path / "f")):
        with Stubber(store.client()) as stubbed:
            cut = StreamingBody(io.BytesIO(b"half"), content_length=8)
            stubbed.add_response("get_object", {"Body": cut, "ETag": '"e"'})
            with pytest.raises(TransientError):
                read()
