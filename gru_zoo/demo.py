"""Serve `demo/`, web pages that run the zoo's models in a browser, or write them to a folder.

    python -m gru_zoo.demo                  http://localhost:8000, for this machine only
    python -m gru_zoo.demo --out site       the same files as a folder for any static server

index.html asks text classifiers, next-words.html language models, translate.html translators. The
pages, LiteRT.js and the models make one closed set of files, the `site`; nothing else of the disk
can be asked for, and the pages ask for nothing else.
"""

from __future__ import annotations

import argparse
import errno
import http
import http.server
import json
import os
import shutil
import sys
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gru_zoo import zoo
from gru_zoo.files import atomic_write

if TYPE_CHECKING:
    from gru_zoo.artifacts.card import Card

PAGE = Path(__file__).resolve().parents[1] / "demo"
# Variants whose inputs and outputs LiteRT.js has types for: float32, int32 and uint8 only.
VARIANTS = ("float32", "int8")
# Path in the address of a list of models -> the task of its models.
LISTS = {
    "models/presets.json": "text-classification",
    "models/language_models.json": "text-generation",
    "models/translators.json": "translation",
}
# What the two files of a translator are called before the variant; others are one file a variant.
PARTS = ("encoder", "decoder")

# Where npm puts LiteRT.js. Addresses say "litert": hosts of static files leave out node_modules.
LITERT = "node_modules/@litertjs"
# The build for browsers with relaxed SIMD, and the one for those without. No threads: a GRU's step
# is far too small to share, so the page needs no cross-origin isolation either.
RUNTIME = (
    "core/dist/index.js",
    "core/wasm/litert_wasm_internal.js",
    "core/wasm/litert_wasm_internal.wasm",
    "core/wasm/litert_wasm_compat_internal.js",
    "core/wasm/litert_wasm_compat_internal.wasm",
    "wasm-utils/dist/index.js",
)
# Not from the system's table, which differs between machines: browsers refuse a module or stream
# no wasm under another type.
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json; charset=utf-8",
    ".svg": "image/svg+xml",
    ".tflite": "application/octet-stream",
    ".wasm": "application/wasm",
}


def presets(task: str = "text-classification") -> list[dict[str, Any]]:
    """Return what a page shows to choose from: the zoo's models of a task, as their cards tell.

    Args:
        task: of the models, as their cards name it.

    Returns:
        One record a model, the smallest first: name, summary, metric, labels of a classifier,
        languages, beams and alpha of a translator, and files, one for each of `VARIANTS`: variant,
        bytes, score, scored_on, and path and sha256, or those of a translator's `PARTS`.

    Raises:
        ValueError: a card is corrupt.

    Example:
        >>> [file["variant"] for file in presets()[0]["files"]]
        ['float32', 'int8']
    """
    records = []
    for card in map(zoo.card, zoo.list_models()):
        files = _translator_files(card) if task == "translation" else _files(card)
        # What completes words has no word to complete where a model reads characters.
        characters = card.metric == "bits_per_character"
        if card.task != task or characters or not files:
            continue
        shown = {name: card.configuration.get(name) for name in ("labels", "beams", "alpha")}
        records.append(
            {
                "name": card.name,
                "summary": card.summary,
                "language": card.language,
                **{name: value for name, value in shown.items() if value is not None},
                "metric": card.metric,
                "files": files,
            }
        )
    # The smallest first: it is what a page begins with, and a phone has to fetch it.
    return sorted(records, key=lambda record: min(file["bytes"] for file in record["files"]))


def _files(card: Card) -> list[dict[str, Any]]:
    """Return a record for each variant of a model of one file."""
    return [
        {**_place(card, export["file"]), **_figures(card, export)}
        for export in card.exports
        if export["variant"] in VARIANTS
    ]


def _translator_files(card: Card) -> list[dict[str, Any]]:
    """Return a record for each variant that a translator has both files of."""
    exports = {export["file"]: export for export in card.exports}
    records = []
    for variant in VARIANTS:
        names = {part: f"{part}_{variant}.tflite" for part in PARTS}
        if all(name in exports for name in names.values()):
            parts = {part: _place(card, name) for part, name in names.items()}
            size = sum(place["bytes"] for place in parts.values())
            figures = _figures(card, exports[names["decoder"]])
            records.append({**parts, "bytes": size, **figures})
    return records


def _place(card: Card, file: str) -> dict[str, Any]:
    return {"path": f"{card.name}/{file}", **card.files[file]}


def _figures(card: Card, export: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "variant": export["variant"],
        "score": export.get("metric"),
        "scored_on": export.get("scored_on", card.scored_on),
    }


def _paths(record: Mapping[str, Any]) -> Iterator[str]:
    """Yield the addresses of the files that a model's record speaks of, below `models/`."""
    for file in record["files"]:
        for place in (file, *(file[part] for part in PARTS if part in file)):
            if "path" in place:
                yield place["path"]


def site(compared: bool = True) -> dict[str, Path | bytes]:
    """Return every file of the page: path in the address -> file on the disk, or its bytes.

    Args:
        compared: whether the models' files are compared with their cards' checksums.

    Raises:
        ValueError: the page or LiteRT.js is not there, there is no model, or one is damaged.

    Example:
        >>> site()["index.html"].name  # doctest: +SKIP
        'index.html'
    """
    if not (PAGE / "index.html").is_file():
        raise ValueError(f"the page is a folder of the repository; {PAGE} is not there.")
    runtime = {f"litert/{path}": PAGE / LITERT / path for path in RUNTIME}
    missing = next((path for path in runtime.values() if not path.is_file()), None)
    if missing:
        raise ValueError(
            f"LiteRT.js is not installed ({missing} is missing). Run once: "
            f"npm install --omit=dev --ignore-scripts --prefix {PAGE}"
        )
    lists = {path: presets(task) for path, task in LISTS.items()}
    models = [model for records in lists.values() for model in records]
    if not models:
        raise ValueError(f"no model for the page was found in {zoo.models_folder()}.")
    own = [path for path in (*PAGE.glob("*.html"), *(PAGE / "src").iterdir()) if _is_sent(path)]
    files = {path.relative_to(PAGE).as_posix(): path for path in sorted(own)}
    files |= runtime
    for name, path in ((model["name"], path) for model in models for path in _paths(model)):
        if compared:
            zoo.verify(name, Path(path).name)
        files[f"models/{path}"] = zoo.models_folder() / path
    for path, records in lists.items():
        files[path] = json.dumps(records, ensure_ascii=False).encode()
    return files


def _is_sent(path: Path) -> bool:
    """Return whether it is of the page, and not what a file manager or an editor left there."""
    return path.is_file() and path.suffix in TYPES and not path.name.startswith(".")


def write(folder: str | os.PathLike) -> int:
    """Write the page as a folder that any static server can serve.

    Returns:
        number of files written.

    Raises:
        FileExistsError: `folder` is there already.
        ValueError: as `site`.
        OSError: the folder cannot be written; nothing is left half written.

    Example:
        >>> write("site")  # doctest: +SKIP
        18
    """
    if Path(folder).exists():
        raise FileExistsError(errno.EEXIST, "out must be a new folder", os.fspath(folder))
    files = site()
    with atomic_write(folder) as partial:
        for path, content in files.items():
            place = partial / path
            place.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, bytes):
                place.write_bytes(content)
            else:
                shutil.copyfile(content, place)
    return len(files)


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers GET and HEAD for the files of the server's `site`, everything else with an error."""

    protocol_version = "HTTP/1.1"
    timeout = 60  # seconds after which a connection without a request is closed

    def do_GET(self) -> None:  # noqa: N802
        """Send a file."""
        self._answer(with_body=True)

    def do_HEAD(self) -> None:  # noqa: N802
        """Send what would come before the file."""
        self._answer(with_body=False)

    def _answer(self, with_body: bool) -> None:
        asked = urllib.parse.unquote(self.path.partition("?")[0])
        path = asked.removeprefix("/") or "index.html"
        if path in LISTS:
            self.server.look_again()
        try:
            content = self.server.site[path]
            body = content if isinstance(content, bytes) else content.read_bytes()
        except (KeyError, OSError):  # It may have gone since the server began.
            self.send_error(http.HTTPStatus.NOT_FOUND)
            return
        self.send_response(http.HTTPStatus.OK)
        self.send_header("Content-Type", TYPES[Path(path).suffix])
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-cache")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Keep quiet: the terminal is for the address and for errors."""


class Server(http.server.ThreadingHTTPServer):
    """A server of the page on 127.0.0.1; a context manager.

    Args:
        port: 0 takes a free one.

    Raises:
        ValueError: as `site`.
        OSError: the port is taken, or not allowed.

    Example:
        >>> with Server(0) as server:  # doctest: +SKIP
        ...     server.serve_forever()
    """

    daemon_threads = True

    def __init__(self, port: int) -> None:
        self.site = site()
        super().__init__(("127.0.0.1", port), Handler)

    @property
    def address(self) -> str:
        """The page's address."""
        return f"http://localhost:{self.server_port}/"

    def look_again(self) -> None:
        """Take up what came to the zoo or went; where that fails, go on with what was there.

        The page compares checksums itself, so nothing large is read here.
        """
        try:
            self.site = site(compared=False)
        except (OSError, ValueError) as error:
            print(f"error: the list of models stays as it was: {error}", file=sys.stderr)

    def handle_error(self, *_: Any) -> None:
        """Pass over a browser that has gone away; tell of everything else."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(*_)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status: 0, or 2 after a mistake in the input.

    Ctrl-C ends a server with 0, and the writing of a folder, which is not there then, with 130.

    Example:
        >>> main(["--port", "70000"])
        Traceback (most recent call last):
        SystemExit: 2
    """
    parser = argparse.ArgumentParser(
        "python -m gru_zoo.demo", description=__doc__.partition("\n")[0]
    )
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument(
        "--port",
        type=_port,
        default=8000,
        help="port on localhost; 0 picks a free one (default: 8000)",
    )
    choice.add_argument(
        "--out", help="write the pages into this new folder instead of serving them"
    )
    chosen = parser.parse_args(arguments)
    try:
        if chosen.out is not None:
            print(f"{write(chosen.out)} files are in {chosen.out}.")
            return 0
        with Server(chosen.port) as server:
            print(f"The page is at {server.address} (Ctrl-C ends it).", flush=True)
            server.serve_forever()
    except KeyboardInterrupt:
        return 0 if chosen.out is None else 130
    except OSError as error:
        about = f"--out {chosen.out}" if chosen.out is not None else f"--port {chosen.port}"
        read = error.filename or ""
        if any(Path(read).is_relative_to(folder) for folder in (PAGE, zoo.models_folder())):
            about = read  # It is neither the port nor the new folder that is wrong.
        print(f"error: {about}: {error.strerror}.", file=sys.stderr)
        return 2
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"must be a number from 0 to 65535; got {text!r}.")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
