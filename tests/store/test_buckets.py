"""Buckets of S3 and Cloud Storage, as their clients speak to a server on this machine."""

import concurrent.futures
import email.parser
import http.server
import json
import logging
import socket
import subprocess
import sys
import threading
import urllib.parse

import fsspec
import pytest

from itt_jax.errors import InputError, SharingError
from itt_jax.monitor import Watcher
from itt_jax.store import Store, sharing
from itt_jax.store.shared_folders import shared_folder
from itt_jax.store.sharing import Sharing
from tests.study.test_hosts import until

pytestmark = [pytest.mark.slow, pytest.mark.volume]


class CloudStorage(http.server.BaseHTTPRequestHandler):
    """What our operations need of Cloud Storage's JSON API, with conditional creation.

    Attributes:
        objects: those of the one bucket, which is called "bucket". conditional: whether conditions are kept.
    """

    protocol_version = "HTTP/1.1"
    objects: dict[str, bytes]
    conditional: bool
    lock = threading.Lock()

    def log_message(self, *arguments):
        pass

    def answer(self, status: int, body: bytes | dict) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/octet-stream" if isinstance(body, bytes) else "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def about(self, name: str) -> dict:
        return {"name": name, "bucket": "bucket", "size": str(len(self.objects[name])), "generation": "1"}

    def asked(self) -> tuple[str, dict[str, str]]:
        url = urllib.parse.urlsplit(self.path)
        return url.path, dict(urllib.parse.parse_qsl(url.query))

    def do_GET(self):
        path, asked = self.asked()
        _, _, name = path.partition("/b/bucket/o/")
        name = urllib.parse.unquote(name)
        if "/b/gone" in path:
            self.answer(410, {"error": {"code": 410, "message": "gone"}})
        elif "/b/bucket" not in path or (name and name not in self.objects):
            self.answer(404, {"error": {"code": 404, "message": "not found"}})
        elif not name:
            found = [own for own in sorted(self.objects) if own.startswith(asked.get("prefix", ""))]
            self.answer(200, {"items": [self.about(own) for own in found]})
        else:
            first = int(self.headers.get("Range", "bytes=0").removeprefix("bytes="))  # of the end
            self.answer(200, self.objects[name][first:] if "media" in path + self.path else self.about(name))

    def do_POST(self):
        path, asked = self.asked()
        content = self.rfile.read(int(self.headers["Content-Length"]))
        if "/b/bucket/" not in path:
            return self.answer(404, {"error": {"code": 404, "message": "no such bucket"}})
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        about, data = email.parser.BytesParser().parsebytes(head + content).get_payload()
        name = json.loads(about.get_payload())["name"]
        with self.lock:
            if self.conditional and asked.get("ifGenerationMatch") == "0" and name in self.objects:
                return self.answer(412, {"error": {"code": 412, "message": "conditionNotMet"}})
            self.objects[name] = data.get_payload(decode=True)
        return self.answer(200, self.about(name))


@pytest.fixture
def cloud_storage(monkeypatch):
    # Read when the client is imported: it asks for the kind of bucket by gRPC otherwise, which takes a minute here.
    monkeypatch.setenv("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
    pytest.importorskip("gcsfs", reason="gcsfs is not installed: pip install 'itt_jax[gcs]'")
    handler = type("Handler", (CloudStorage,), {"objects": {}, "conditional": True})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    endpoint = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setitem(
        fsspec.config.conf, "gs", {"endpoint_url": endpoint, "token": "anon", "skip_instance_cache": True}
    )
    yield handler
    server.shutdown()
    server.server_close()


def listens(port: int) -> bool:
    """Whether a server on this machine does."""
    with socket.socket() as asking:
        return asking.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def s3(monkeypatch):
    pytest.importorskip("moto.server", reason="moto is not installed")
    pytest.importorskip("s3fs", reason="s3fs is not installed: pip install 'itt_jax[s3]'")
    import boto3

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for name, value in {"ACCESS_KEY_ID": "a", "SECRET_ACCESS_KEY": "b", "DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    monkeypatch.setitem(fsspec.config.conf, "s3", {"skip_instance_cache": True})
    try:
        until(lambda: listens(port))
        boto3.client("s3").create_bucket(Bucket="bucket")
        yield running
    finally:
        running.kill()
        running.wait()


@pytest.fixture(params=["s3", "cloud_storage"])
def url(request):
    """The URL of an empty prefix in a bucket."""
    request.getfixturevalue(request.param)
    return f"{'s3' if request.param == 's3' else 'gs'}://bucket/studies/x"


def test_a_bucket_creates_once_and_gives_back_what_was_written(url):
    folder, other = shared_folder(url), shared_folder(url)
    assert folder.read("a/b") is None and folder.names("a") == []
    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        won = list(threads.map(lambda number: folder.create("a/b", b"%d" % number), range(8)))
    assert sum(won) == 1 and other.read("a/b") == b"%d" % won.index(True)
    assert other.create("a/b", folder.read("a/b"))  # asked twice, because the answer was lost
    folder.write("a/c", b"old")
    folder.write("a/c", bytes(range(256)))
    assert (other.tail("a/c", 2), other.tail("a/c", 999), other.tail("x", 1)) == (b"\xfe\xff", bytes(range(256)), None)
    assert other.read("a/c") == bytes(range(256)) and other.names("a") == ["a/b", "a/c"]
    assert set(other.names()) == {"a/b", "a/c", "shared_folder"}
    folder.write("a/d", b"")
    assert other.tail("a/d", 2) == other.read("a/d") == b""


def test_workers_are_in_step_through_a_bucket(url, tmp_path):
    stores = [Store(tmp_path / name, Sharing(tmp_path / name, shared_folder(url))) for name in ("one", "two", "three")]
    stores[2].pull()
    plan = {"study_id": "x", "name": "mine", "stages": [{"id": "s"}], "cells": 1, "cell_ids": ["c"]}
    stores[2].write_plan(plan)
    with stores[0].claim("s") as ours:
        assert ours.held()
        with stores[1].claim("s") as other:
            assert other is None
        assert stores[1].claims.holders(["s"])
        stores[0].cells.write([({"cell": "c", "stage": "s"}, {"item_id": [1]})])
        stores[0].write_record("s", {"id": "s"})
    with stores[1].claim("s") as ours:
        assert ours.held() and stores[1].record("s") == {"id": "s"} and stores[1].has_cell("c")
        status = Watcher(stores[2].out).look()
        assert (status.stages_done, status.cells_done, status.shared_error) == (1, 1, None)
        assert [worker.stages for worker in status.workers] == [("s",)]


@pytest.mark.parametrize(
    "url, server",
    [
        ("s3://no-such-bucket/x", "s3"),
        ("gs://no-such-bucket/x", "cloud_storage"),
        ("gs://gone/x", "cloud_storage"),
    ],
)
def test_a_bucket_that_is_not_there_is_refused_in_one_line(request, url, server, monkeypatch, capsys):
    request.getfixturevalue(server)
    monkeypatch.setattr(logging.root, "handlers", [])  # those of pytest
    with pytest.raises(InputError) as error:
        shared_folder(url)
    assert str(error.value).startswith(f"--share {url}: ") and "\n" not in str(error.value)
    assert not capsys.readouterr().err


def test_a_bucket_without_conditions_is_refused(cloud_storage):
    cloud_storage.conditional = False
    with pytest.raises(InputError, match="two writers can create the same file"):
        shared_folder("gs://bucket/x")


def test_a_bucket_lost_in_the_middle_ends_the_work_in_one_line(s3, monkeypatch, tmp_path):
    monkeypatch.setattr(sharing, "WAITS", (0,))
    store = Store(tmp_path, Sharing(tmp_path, shared_folder("s3://bucket/x")))
    store.write_record("s", {"id": "s"})
    s3.kill()
    s3.wait()
    with pytest.raises(SharingError, match=r"s3://bucket/x: .*127\.0\.0\.1"):
        store.sync()
    assert store.record("s")
