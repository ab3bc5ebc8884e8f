"""A stand-in for Hugging Face's hub: the addresses its client asks for, kept in memory.

Written from what the client sends (huggingface_hub's hf_api.py, _commit_api.py and
file_download.py): a repository is created, files are announced and committed as lines of JSON,
and listed, and had from `/user/repository/resolve/revision/path`.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import threading
import urllib.parse
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Hub(ThreadingHTTPServer):
    """`repositories`: name -> commit -> path -> content; the newest commit is the last one."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repositories: dict[str, dict[str, dict[str, bytes]]] = {}
        self.asked: list[str] = []
        self.titles: list[str] = []  # of the commits

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path, hub = urllib.parse.unquote(self.path).partition("?")[0], self.server
        hub.asked.append(f"POST {path}")
        if path == "/api/repos/create":
            given = json.loads(body)
            name = "/".join(filter(None, [given.get("organization"), given["name"]]))
            hub.repositories.setdefault(name, {})
            self._json({"url": f"{hub.url}/{name}", "name": name})
        elif path == "/api/validate-yaml":
            self._json({"errors": [], "warnings": []})
        elif "/preupload/" in path:
            files = json.loads(body)["files"]
            modes = [
                {"path": f["path"], "uploadMode": "regular", "shouldIgnore": False} for f in files
            ]
            self._json({"files": modes})
        elif "/commit/" in path:
            name = path.removeprefix("/api/models/").partition("/commit/")[0]
            self._commit(name, [json.loads(line) for line in body.splitlines() if line])
        else:
            self._status(404)

    def _commit(self, name: str, lines: list[dict]) -> None:
        commits = self.server.repositories[name]
        files = dict(next(reversed(commits.values()), {}))
        for line in lines:
            if line["key"] == "header":
                self.server.titles.append(line["value"]["summary"])
            if line["key"] == "deletedFile":
                del files[line["value"]["path"]]
            if line["key"] == "file":
                files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
        commit = hashlib.sha1(repr(sorted(files.items())).encode()).hexdigest()
        commits[commit] = files
        url = f"{self.server.url}/{name}/commit/{commit}"
        self._json({"success": True, "commitOid": commit, "commitUrl": url})

    def do_HEAD(self) -> None:
        self._resolve(body=False)

    def do_GET(self) -> None:
        path = urllib.parse.unquote(self.path).partition("?")[0]
        name, tree, _ = path.removeprefix("/api/models/").partition("/tree/")
        if tree:
            files = next(reversed(self.server.repositories[name].values()))
            self._json([_entry(path, content) for path, content in files.items()])
        else:
            self._resolve(body=True)

    def _resolve(self, body: bool) -> None:
        path = urllib.parse.unquote(self.path)
        self.server.asked.append(f"{self.command} {path}")
        name, resolve, rest = path.lstrip("/").partition("/resolve/")
        revision, _, file = rest.partition("/")
        commits = self.server.repositories.get(name)
        if not resolve or not commits:
            self._status(404, {"X-Error-Code": "RepoNotFound"})
            return
        commit = next(reversed(commits)) if revision == "main" else revision
        if commit not in commits:
            self._status(404, {"X-Error-Code": "RevisionNotFound"})
        elif file not in commits[commit]:
            self._status(404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": commit})
        else:
            content = commits[commit][file]
            etag = hashlib.sha1(content).hexdigest()
            self._status(200, {"ETag": f'"{etag}"', "X-Repo-Commit": commit}, content, send=body)

    def _json(self, value: object) -> None:
        self._status(200, {"Content-Type": "application/json"}, json.dumps(value).encode())

    def _status(
        self, status: int, headers: dict | None = None, content: bytes = b"", send: bool = True
    ) -> None:
        self.send_response(status)
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if send and self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


def _entry(path: str, content: bytes) -> dict[str, object]:
    oid = hashlib.sha1(content).hexdigest()
    return {"type": "file", "path": path, "size": len(content), "oid": oid}


@contextlib.contextmanager
def hub() -> Iterator[Hub]:
    """A hub while the block runs."""
    with Hub() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
