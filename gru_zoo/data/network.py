"""Does an address answer? Asked before a download, so that a dead network costs seconds.

And what is said of a download that broke off.
"""

from __future__ import annotations

import contextlib
import http.client
import threading
import urllib.request
from collections.abc import Iterator

PATIENCE = 4.0


def answers(url: str, seconds: float = PATIENCE) -> bool:
    """Return whether `url` can be fetched, within `seconds` whatever the network does.

    Only the headers are asked for, through the environment's proxy where one is set. The question
    runs in a thread that is left behind at the deadline, because looking up a name cannot be
    interrupted. A web page counts as no: that is how a login portal answers for everybody.

    Args:
        url: address of a file that is not a web page.
        seconds: how long to wait.

    Example:
        >>> answers("http://localhost:9/nothing", seconds=1.0)
        False
    """
    verdict: list[bool] = []

    def ask() -> None:
        try:
            request = urllib.request.Request(url, method="HEAD")
            with urllib.request.urlopen(request, timeout=seconds) as response:
                verdict.append(response.headers.get_content_type() != "text/html")
        except (OSError, ValueError, http.client.HTTPException):
            # URLError, timeouts and HTTP statuses are OSErrors; nonsense is an HTTPException.
            verdict.append(False)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(seconds)
    return bool(verdict) and verdict[0]


@contextlib.contextmanager
def downloading(what: str, ways: str) -> Iterator[None]:
    """Say in one way that what is done inside has failed: TFDS and Keras have an error each.

    Args:
        what: is downloaded.
        ways: there are to have it, as sentences.

    Raises:
        FileNotFoundError: in place of any exception.

    Example:
        >>> with downloading("toy", "Put it into data/."):
        ...     raise EOFError("cut short")
        Traceback (most recent call last):
        FileNotFoundError: toy could not be downloaded (EOFError: cut short). Put it into data/.
    """
    try:
        yield
    except Exception as error:  # whatever it was that stopped it
        raise FileNotFoundError(
            f"{what} could not be downloaded ({type(error).__name__}: {error}). {ways}"
        ) from error
