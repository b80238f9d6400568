"""A Hugging Face hub over loopback, as we, llama-server and curl ask it, with faults on demand.

A repository is a folder with files. The bytes come from a second address (`storage`), to which the
hub redirects as the real one does; no token may arrive there. Faults are attributes that a test
sets at any time; the requests that came are kept.
"""

import hashlib
import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

COMMIT = "a" * 40
TOKEN = "hf_" + "t" * 37
_PIECE_BYTES = 64 * 1024


@dataclass
class Repo:
    """A repository: its files by path, and what is the matter with it."""

    files: dict[str, Path]
    commit: str = COMMIT
    is_gated: bool = False
    is_private: bool = False
    # Files that are kept in git itself, without a sha256.
    small: frozenset[str] = frozenset()
    # What the list of files says and is not so.
    told_size: dict[str, int] = field(default_factory=dict)
    told_sha256: dict[str, str] = field(default_factory=dict)


@dataclass
class Asked:
    """One request that came."""

    method: str
    path: str
    first_byte: int
    token: str | None
    is_at_storage: bool
    at: float = field(default_factory=time.perf_counter)


@dataclass
class FakeHub:
    """The hub; everything that can be wrong with it is an attribute."""

    repos: dict[str, Repo] = field(default_factory=dict)
    renamed: dict[str, str] = field(default_factory=dict)
    # Statuses for the next requests, each with its headers; when they are used up, all is well.
    refusals: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    # The next answers with bytes of a file end after so many.
    cuts: list[int] = field(default_factory=list)
    bytes_per_second: float = 0.0
    takes_ranges: bool = True
    # The next files have one byte changed.
    damaged: int = 0
    # Bytes are held back at this place until the event is set.
    pause_at: int | None = None
    go_on: threading.Event = field(default_factory=threading.Event)
    asked: list[Asked] = field(default_factory=list)
    endpoint: str = ""
    storage: str = ""

    def add(self, name: str, folder: Path, files: Mapping[str, bytes | Path], **more: Any) -> Repo:
        """Add a repository; files are given by their content, which goes to the folder, or path."""
        paths = {}
        for path, content in files.items():
            if isinstance(content, bytes):
                paths[path] = folder / name / path
                paths[path].parent.mkdir(parents=True, exist_ok=True)
                paths[path].write_bytes(content)
            else:
                paths[path] = content
        repo = self.repos[name] = Repo(paths, **more)
        return repo

    def fetches(self, path: str = "") -> list[Asked]:
        """Return the requests for bytes of a file."""
        return [one for one in self.asked if one.is_at_storage and path in one.path]

    def tokens_at_storage(self) -> list[str]:
        return [one.token for one in self.asked if one.is_at_storage and one.token]


def sha256_of(path: Path) -> str:
    state = path.stat()
    return _sha256_of(path, state.st_size, state.st_mtime_ns)


@cache
def _sha256_of(path: Path, _size: int, _changed_at: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def git_sha1_of(path: Path) -> str:
    content = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: FakeHub
    is_storage = False

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        parts = [unquote(part) for part in url.path.strip("/").split("/")]
        first_byte = self._first_byte()
        token = self.headers.get("Authorization", "").removeprefix("Bearer ") or None
        self.hub.asked.append(
            Asked(self.command, unquote(self.path), first_byte, token, self.is_storage)
        )
        if self.is_storage:
            return self._send_file(self._repo("/".join(parts[:2])), "/".join(parts[2:]), first_byte)
        if self.command == "GET" and self.hub.refusals:
            status, headers = self.hub.refusals.pop(0)
            return self._answer(status, {"error": "refused"}, **headers)
        if parts[:2] == ["api", "models"]:
            return self._api("/".join(parts[2:4]), parts[4:], parse_qs(url.query))
        if len(parts) > 4 and parts[2] == "resolve":
            return self._resolve("/".join(parts[:2]), "/".join(parts[4:]))
        return self._answer(404, {"error": "not found"})

    do_HEAD = do_GET  # noqa: N815  # the library's name

    def _repo(self, name: str) -> Repo:
        return self.hub.repos[name]

    def _first_byte(self) -> int:
        asked = self.headers.get("Range", "") if self.command == "GET" else ""
        return int(asked.split("=")[1].split("-")[0]) if asked and self.hub.takes_ranges else 0

    def _api(self, name: str, rest: list[str], query: dict[str, list[str]]) -> None:
        if name in self.hub.renamed:
            target = self.path.replace(name, self.hub.renamed[name], 1)
            return self._answer(307, {}, Location=target)
        if (repo := self._open(name, is_for_bytes=False)) is None:
            return None
        if rest[:1] == ["refs"]:
            main = {"name": "main", "ref": "refs/heads/main", "targetCommit": repo.commit}
            return self._answer(200, {"branches": [main], "tags": [], "converts": []})
        listed = [self._described(repo, path, file) for path, file in repo.files.items()]
        if rest[:1] == ["tree"]:
            return self._answer(
                200, [{"type": "file", "path": one.pop("rfilename"), **one} for one in listed]
            )
        if rest[:1] == ["revision"] and rest[1] not in ("main", repo.commit):
            return self._answer(
                404, {}, **{"X-Error-Code": "RevisionNotFound", "X-Error-Message": "Invalid rev id"}
            )
        assert query.get("blobs")
        return self._answer(200, {"id": name, "sha": repo.commit, "siblings": listed})

    def _described(self, repo: Repo, path: str, file: Path) -> dict[str, Any]:
        size = repo.told_size.get(path, file.stat().st_size)
        if path in repo.small:
            git = git_sha1_of(file)
            return {"rfilename": path, "size": size, "blobId": git, "oid": git}
        sha = repo.told_sha256.get(path) or sha256_of(file)
        lfs = {"sha256": sha, "oid": sha, "size": size, "pointerSize": 134}
        return {"rfilename": path, "size": size, "blobId": "c" * 40, "oid": "c" * 40, "lfs": lfs}

    def _open(self, name: str, *, is_for_bytes: bool) -> Repo | None:
        """Return a repository that the caller may see; else say why not, as the real hub does."""
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        repo = self.hub.repos.get(name)
        if token and token != TOKEN:
            said = "Invalid credentials in Authorization header"
            self._answer(401, {"error": said}, **{"X-Error-Message": said})
            return None
        if repo is None or (repo.is_private and not token):
            said = "Repository not found"
            code = {"X-Error-Code": "RepoNotFound", "X-Error-Message": said}
            self._answer(404 if token else 401, {"error": said}, **code)
            return None
        if repo.is_gated and is_for_bytes and not token:
            said = f"Access to model {name} is restricted. You must have access to it."
            code = {"X-Error-Code": "GatedRepo", "X-Error-Message": said}
            self._answer(401, {"error": said}, **code)
            return None
        return repo

    def _resolve(self, name: str, path: str) -> None:
        if (repo := self._open(name, is_for_bytes=True)) is None:
            return None
        if path not in repo.files:
            return self._answer(
                404, {"error": "Entry not found"}, **{"X-Error-Code": "EntryNotFound"}
            )
        sha = sha256_of(repo.files[path])
        linked = {
            "X-Linked-Etag": f'"{sha}"',
            "X-Linked-Size": str(repo.files[path].stat().st_size),
        }
        target = f"{self.hub.storage}/{name}/{path}"
        return self._answer(302, {}, Location=target, **linked)

    def _answer(self, status: int, content: Any, **headers: str) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _send_file(self, repo: Repo, path: str, first_byte: int) -> None:
        content = repo.files[path]
        size = content.stat().st_size
        if first_byte and first_byte >= size:
            return self._answer(416, {"error": "range"}, **{"Content-Range": f"bytes */{size}"})
        self.send_response(206 if first_byte else 200)
        self.send_header("Content-Length", str(size - first_byte))
        self.send_header("ETag", f'"{sha256_of(content)}"')
        self.send_header("Accept-Ranges", "bytes" if self.hub.takes_ranges else "none")
        if first_byte:
            self.send_header("Content-Range", f"bytes {first_byte}-{size - 1}/{size}")
        self.end_headers()
        if self.command == "HEAD":
            return None
        with suppress(OSError):  # who fetches it may be killed
            self._send_bytes(content, first_byte)
        return None

    def _send_bytes(self, content: Path, at: int) -> None:
        end = at + self.hub.cuts.pop(0) if self.hub.cuts else None
        is_damaged = self.hub.damaged > 0
        self.hub.damaged -= is_damaged
        began, first = time.monotonic(), at
        with content.open("rb") as file:
            file.seek(at)
            while piece := file.read(_PIECE_BYTES if end is None else min(_PIECE_BYTES, end - at)):
                pause_at = self.hub.pause_at
                if pause_at is not None and at + len(piece) > pause_at:
                    self.wfile.flush()
                    self.hub.go_on.wait()
                if is_damaged:
                    piece, is_damaged = bytes([piece[0] ^ 1]) + piece[1:], False
                self.wfile.write(piece)
                at += len(piece)
                if rate := self.hub.bytes_per_second:
                    time.sleep(max(0.0, (at - first) / rate - (time.monotonic() - began)))
        if end is not None:
            self.close_connection = True


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """Who asks may be killed at any moment."""


@contextmanager
def fake_hub() -> Iterator[FakeHub]:
    """Serve a hub, and its storage at another address, until the context ends."""
    hub = FakeHub()
    front = _Server(("127.0.0.1", 0), type("Front", (_Handler,), {"hub": hub}))
    storage = _Server(
        ("127.0.0.1", 0), type("Storage", (_Handler,), {"hub": hub, "is_storage": True})
    )
    hub.endpoint, hub.storage = (
        f"http://127.0.0.1:{server.server_address[1]}" for server in (front, storage)
    )
    threads = [
        threading.Thread(target=server.serve_forever, args=(0.05,)) for server in (front, storage)
    ]
    for thread in threads:
        thread.start()
    try:
        yield hub
    finally:
        hub.go_on.set()
        for server in (front, storage):
            server.shutdown()
            server.server_close()
        for thread in threads:
            thread.join()
