"""Headless Chromium, driven over the Chrome DevTools protocol through a pipe: no other package.

Messages are JSON closed by a NUL byte; Chromium reads them from descriptor 3 and answers on 4
(https://chromedevtools.github.io/devtools-protocol/).
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

FLAGS = (
    "--headless",
    "--no-sandbox",  # it refuses to start as root otherwise
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost",
    "--remote-debugging-pipe",
)
PHONE, DESKTOP = (360, 740), (1280, 900)


def executable() -> str | None:
    """Return the path of Chromium, None where it is not installed."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


class Navigated(RuntimeError):
    """The page that was asked is gone, or another one has come."""


class Chromium:
    """One page in a browser of its own; a context manager.

    Attributes:
        requests: addresses the page asked for.
        problems: errors on the console, uncaught exceptions and failed requests.
    """

    def __init__(self, profile: Path) -> None:
        self.requests: list[str] = []
        self.problems: list[str] = []
        self._number, self._unread = 0, b""
        to_read, self._to = os.pipe()
        self._from, to_write = os.pipe()
        # A shell of more than one digit per descriptor, and no code between fork and exec.
        script = f'exec "$0" "$@" 3<&{to_read} 4>&{to_write}'
        self._process = subprocess.Popen(
            ["bash", "-c", script, executable(), *FLAGS, f"--user-data-dir={profile}"],
            pass_fds=(to_read, to_write),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_read)
        os.close(to_write)
        self._session: str | None = None
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        attached = self.send("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log", "Accessibility"):
            self.send(f"{domain}.enable")

    def __enter__(self) -> Chromium:
        return self

    def __exit__(self, *_: Any) -> None:
        self._session = None
        self.send("Browser.close")
        self._process.wait(20)
        os.close(self._to)
        os.close(self._from)

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Return the browser's answer to one command."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next(60)
            if answer.get("id") == message["id"]:
                if "error" in answer:
                    said = f"{method}: {answer['error']['message']}"
                    raise (Navigated if "navigated" in said else RuntimeError)(said)
                return answer["result"]

    def _next(self, seconds: float) -> dict[str, Any]:
        """Return the next message, having noted what it says about requests and problems."""
        deadline = time.monotonic() + seconds
        while b"\0" not in self._unread:
            ready, _, _ = select.select([self._from], [], [], deadline - time.monotonic())
            part = os.read(self._from, 2**20) if ready else b""
            if not part:
                raise TimeoutError(f"Chromium said nothing for {seconds} s, or has ended.")
            self._unread += part
        first, self._unread = self._unread.split(b"\0", 1)
        message = json.loads(first)
        self._note(message.get("method"), message.get("params", {}))
        return message

    def _note(self, method: str | None, about: dict[str, Any]) -> None:
        if method == "Network.requestWillBeSent":
            self.requests.append(about["request"]["url"])
        elif method == "Network.loadingFailed" and not about.get("canceled"):
            self.problems.append(f"request failed: {about['errorText']}")
        elif method == "Runtime.exceptionThrown":
            details = about["exceptionDetails"]
            self.problems.append(details.get("exception", {}).get("description", details["text"]))
        elif method == "Runtime.consoleAPICalled" and about["type"] in ("error", "assert"):
            self.problems.append(" ".join(str(part.get("value")) for part in about["args"]))
        elif method == "Log.entryAdded" and about["entry"]["level"] == "error":
            self.problems.append(about["entry"]["text"])

    def open(self, address: str) -> None:
        """Go to an address, and wait until the document is there."""
        failed = self.send("Page.navigate", url=address).get("errorText")
        if failed:
            raise RuntimeError(f"{address}: {failed}")
        self.wait("document.readyState === 'complete'")

    def evaluate(self, script: str) -> Any:
        """Return the value of a JavaScript expression, awaited if it is a promise."""
        answer = self.send(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"]["exception"].get("description"))
        return answer["result"].get("value")

    def wait(self, condition: str, seconds: float = 60) -> Any:
        """Return the first truthy value of a JavaScript expression."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                if value := self.evaluate(condition):
                    return value
            except Navigated:  # A page that loads itself anew answers when it is there.
                pass
            time.sleep(0.05)
        raise TimeoutError(f"{condition} stayed false for {seconds} s; problems: {self.problems}")

    def press(self, key: str, code: int, text: str = "", shift: bool = False) -> None:
        """Press and release one key."""
        about = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        about["modifiers"] = 8 if shift else 0
        down = "keyDown" if text else "rawKeyDown"
        self.send("Input.dispatchKeyEvent", type=down, text=text, **about)
        self.send("Input.dispatchKeyEvent", type="keyUp", **about)

    def type(self, text: str) -> None:
        """Put text in at the caret, as an input method does."""
        self.send("Input.insertText", text=text)

    def resize(self, size: tuple[int, int], scale: float = 1) -> None:
        """Give the page a screen of width x height CSS pixels."""
        width, height = size
        mobile = width < 600
        self.send(
            "Emulation.setDeviceMetricsOverride",
            **{"width": width, "height": height, "deviceScaleFactor": scale, "mobile": mobile},
        )

    def prefer(self, **features: str) -> None:
        """Set media features, such as prefers_color_scheme="dark"."""
        pairs = [{"name": n.replace("_", "-"), "value": v} for n, v in features.items()]
        self.send("Emulation.setEmulatedMedia", features=pairs)

    def screenshot(self, path: Path) -> None:
        """Save the whole page as PNG."""
        image = self.send("Page.captureScreenshot", captureBeyondViewport=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(image["data"]))
