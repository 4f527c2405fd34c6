"""Shards for tests, and a server on loopback that gives them out, with all that servers do wrong."""

import http.server
import io
import json
import tarfile
import threading
import time
import urllib.parse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = ("ant", "bee", "cat")
Members = Sequence[tuple[str, bytes]]


@cache
def picture(number: int, side: int = 24) -> bytes:
    """A PNG of noise; no two numbers give the same."""
    pixels = np.random.default_rng(number).integers(0, 256, (side, side + 4, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def write_tar(path: Path, members: Members, format: int = tarfile.USTAR_FORMAT) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w", format=format) as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def samples(first: int, count: int, side: int = 24) -> list[tuple[str, bytes]]:
    """Members of `count` samples: picture and index; the class is the number modulo 3."""
    return [
        member
        for i in range(first, first + count)
        for member in ((f"{i:05d}.png", picture(i, side)), (f"{i:05d}.cls", str(i % 3).encode()))
    ]


def make_shards(root: Path, num_shards: int = 4, per_shard: int = 9, split: str = "train", side: int = 24) -> Path:
    """`root/train-000.tar` ..., with the class names beside them."""
    for s in range(num_shards):
        start = s * per_shard + (1000 if split != "train" else 0)
        write_tar(root / f"{split}-{s:03d}.tar", samples(start, per_shard, side))
    (root / "classnames.txt").write_text("\n".join(CLASSES) + "\n")
    return root


def make_folders(root: Path, num_shards: int = 4, per_shard: int = 9) -> Path:
    """The same pictures in class folders."""
    for i in range(num_shards * per_shard):
        path = root / CLASSES[i % 3] / f"{i:05d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture(i))
    return root


@dataclass
class Server:
    """What a server on loopback was asked for, and how it fails.

    ranges     False: a part that is asked for is answered by the whole file
    cut        replies to cut off in the middle before the next whole one
    cut_after  bytes after which they are
    failures   replies of `status` before the next good one; -1: all
    pause_s    before each reply to GET
    forbidden  a word in the paths that are refused by 403
    """

    url: str = ""
    ranges: bool = True
    cut: int = 0
    cut_after: int = 100
    failures: int = 0
    status: int = 503
    pause_s: float = 0.0
    forbidden: str = ""
    etag: str = "one"
    requests: list[tuple[str, str, str]] = field(default_factory=list)  # method, path, range
    num_bytes: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def fetched(self, word: str = ".tar") -> list[tuple[str, str, str]]:
        return [r for r in self.requests if r[0] == "GET" and word in r[1]]


@contextmanager
def serve(root: Path) -> Iterator[Server]:
    """A server of the files below `root`."""
    state = Server()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self.answer()

        def do_GET(self) -> None:
            self.answer()

        def answer(self) -> None:
            wanted = self.headers.get("Range", "")
            path = root / self.path.partition("?")[0].lstrip("/")
            with state.lock:
                state.requests.append((self.command, self.path, wanted))
                failing = self.command == "GET" and state.failures != 0
                state.failures -= failing and state.failures > 0
                cutting = self.command == "GET" and not failing and state.cut > 0 and path.suffix == ".tar"
                state.cut -= cutting
            if "list-type=2" in self.path:
                self.listing(path)
                return
            if state.pause_s and self.command == "GET":
                time.sleep(state.pause_s)
            if state.forbidden and state.forbidden in self.path:
                self.send_response(403)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            if failing or not path.is_file():
                self.send_response(state.status if failing else 404)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            data, status = path.read_bytes(), 200
            total = len(data)
            if wanted and state.ranges:
                first, _, last = wanted.removeprefix("bytes=").partition("-")
                data, status = data[int(first) : int(last) + 1], 206
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.send_header("ETag", state.etag)
            if status == 206:
                self.send_header("Content-Range", f"bytes {first}-{last}/{total}")
            self.end_headers()
            if self.command == "HEAD":
                return
            if cutting:
                data = data[: state.cut_after]
                self.close_connection = True
            try:
                self.wfile.write(data)
            except OSError:  # the client has seen enough
                self.close_connection = True
                return
            with state.lock:
                state.num_bytes += len(data)

        def listing(self, bucket: Path) -> None:
            """Of an S3 bucket, as its API does."""
            asked = dict(urllib.parse.parse_qsl(self.path.partition("?")[2]))
            prefix, keys = asked.get("prefix", ""), [p.relative_to(bucket).as_posix() for p in bucket.rglob("*.*")]
            found = [key for key in sorted(keys) if key.startswith(prefix)][: int(asked.get("max-keys", 1000))]
            rows = "".join(
                f"<Contents><Key>{key}</Key><Size>{(bucket / key).stat().st_size}</Size><ETag>x</ETag>"
                "<LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>"
                for key in found
            )
            text = f"<ListBucketResult><KeyCount>{len(found)}</KeyCount><IsTruncated>false</IsTruncated>{rows}"
            data = f"{text}</ListBucketResult>".encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    class Quiet(http.server.ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            """Nothing: clients that hang up are part of the tests."""

    server = Quiet(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def json_of(**values: object) -> bytes:
    return json.dumps(values).encode()
