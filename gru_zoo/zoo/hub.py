"""Artifacts on Hugging Face's hub: `hf://user/repository`, or `...@revision`."""

from __future__ import annotations

import glob
import os
import re
from pathlib import Path
from types import ModuleType
from typing import Any

from gru_zoo.artifacts.card import Card
from gru_zoo.errors import lines_of
from gru_zoo.zoo.registry import card, compare, files_under, folder_of, place

PREFIX = "hf://"
_ADDRESS = re.compile(r"hf://([\w.-]+/[\w.-]+)(?:@([\w./-]+))?")


def download(address: str, under: str | tuple[str, ...] = "") -> tuple[Card, Path]:
    """Return the card at an address, and a folder with its files, checksums compared.

    The client keeps what it has fetched, and goes without the network on what it has.

    Args:
        address: `hf://user/repository`, with `@revision` behind it if it is not the newest.
        under: only files whose path in the artifact begins so.

    Raises:
        ValueError: not such an address, or a file is not the one the card speaks of.
        ConnectionError: the hub has no such artifact, or does not answer.
        ImportError: the extra `hub` is not installed.

    Example:
        >>> download("hf://nobody")
        Traceback (most recent call last):
        ValueError: name must be hf://user/repository or hf://user/repository@revision; got ...
    """
    # Whoever calls `load` gives the address as a name.
    repository, revision = _parts("name", address)
    client = _client()

    def fetch(path: str, revision: str | None) -> Path:
        try:
            return Path(
                client.hf_hub_download(
                    repository, path, revision=revision, endpoint=os.environ.get("HF_ENDPOINT")
                )
            )
        except _failures(client) as error:
            raise ConnectionError(f"{address}: {path} cannot be had: {_reason(error)}") from error

    known = fetch("card.json", revision)
    about, folder = Card.from_json(known), known.parent
    wanted = files_under(about, under)
    for path in wanted:
        # The client names a snapshot's folder by its commit: all files are of one commit.
        fetch(path, folder.name)
    compare(address, folder, wanted)
    return about, folder


def push(name: str | os.PathLike, address: str, *, private: bool = False) -> str:
    """Put an artifact on the hub, as one commit of the card's name; return its web address.

    Files of the artifact that was there before are deleted; anything else in the repository stays.
    The repository is made if there is none. The token is the client's own, of `hf auth login` or
    HF_TOKEN.

    Args:
        name: one of `list_models()`, or the path of an artifact's folder.
        address: `hf://user/repository`.
        private: whether a new repository is.

    Raises:
        ValueError: no such artifact, a damaged one, or not such an address.
        ConnectionError: the hub refuses, or does not answer.
        ImportError: the extra `hub` is not installed.

    Example:
        >>> push("sentiment_imdb_gru_small", "https://example.org")
        Traceback (most recent call last):
        ValueError: address must be hf://user/repository or hf://user/repository@revision; got ...
    """
    repository, revision = _parts("address", address)
    about, folder = card(name), place(name)
    if folder != folder_of(name):  # Fetched files; a card beside them may be an older one's.
        about.write(folder)
    client = _client()
    hub = client.HfApi(endpoint=os.environ.get("HF_ENDPOINT"))
    try:
        hub.create_repo(repository, private=private, exist_ok=True)
        older = _files_there(hub, repository, revision)
        done = hub.upload_folder(
            repo_id=repository,
            folder_path=folder,
            revision=revision,
            commit_message=about.name,  # A path of this machine would be public.
            # Fetching leaves more beside the files, and so may a user.
            allow_patterns=[*about.files, "card.json", "README.md"],
            # The client leaves out of these what it uploads.
            delete_patterns=[glob.escape(path) for path in older] or None,
        )
    except _failures(client) as error:
        raise ConnectionError(
            f"{address}: {about.name} cannot be put there: {_reason(error)}"
        ) from error
    return str(done.commit_url)


def _files_there(hub: Any, repository: str, revision: str | None) -> list[str]:
    """Return the files of the artifact that a repository has, by its card; none without one."""
    if not hub.file_exists(repository, "card.json", revision=revision):
        return []
    path = hub.hf_hub_download(repository, "card.json", revision=revision)
    try:
        return list(Card.from_json(path).files)
    except ValueError:  # Not a card of ours: nothing of it is ours to delete.
        return []


def _parts(argument: str, address: str) -> tuple[str, str | None]:
    """Return the repository and the revision; `argument` is what the caller's user calls it."""
    found = _ADDRESS.fullmatch(address)
    if not found:
        raise ValueError(
            f"{argument} must be hf://user/repository or hf://user/repository@revision; "
            f"got {address!r}."
        )
    return found[1], found[2]


def _failures(client: ModuleType) -> tuple[type[Exception], ...]:
    """Return the client's errors of a hub that refuses or does not answer."""
    # An answer's error derives from the transport's own, which changes with the client's version.
    # Its transport Xet, which is compiled, raises bare RuntimeErrors.
    return (OSError, RuntimeError, *client.errors.HfHubHTTPError.__bases__)


def _reason(error: Exception) -> str:
    """Return the first line of one of `_failures`, and the way around Xet where that has failed."""
    xet = isinstance(error, RuntimeError)
    return lines_of(error)[0] + (" (without the client's Xet: HF_HUB_DISABLE_XET=1)" if xet else "")


def _client() -> ModuleType:
    try:
        import huggingface_hub
        import huggingface_hub.errors  # noqa: F401  the package imports its parts when asked
    except ImportError as error:
        raise ImportError(f'hf:// needs pip install "gru-zoo[hub]" ({error}).') from error
    return huggingface_hub
