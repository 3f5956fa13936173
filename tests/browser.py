"""A headless Chromium for tests: pages are opened, clicked and photographed by the DevTools protocol."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
DESKTOP, PHONE = (1280, 900), (390, 844)


class Page:
    """One page of a browser. `problems` are the errors and refusals that its console has told."""

    def __init__(self, line: ClientConnection) -> None:
        self._line, self._count = line, 0
        self.problems: list[str] = []
        for domain in ("Page", "Runtime", "Log"):
            self._call(f"{domain}.enable")

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._count += 1
        self._line.send(json.dumps({"id": self._count, "method": method, "params": parameters}))
        while True:
            news = json.loads(self._line.recv(timeout=60))
            if news.get("method") == "Log.entryAdded" and news["params"]["entry"]["level"] == "error":
                self.problems.append(news["params"]["entry"]["text"])
            if news.get("method") == "Runtime.exceptionThrown":
                self.problems.append(str(news["params"]["exceptionDetails"]))
            if news.get("id") == self._count:
                assert "error" not in news, news
                answer: dict[str, Any] = news["result"]
                return answer

    def open(self, address: str, size: tuple[int, int], dark: bool = False) -> None:
        width, height = size
        scale = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self._call("Emulation.setDeviceMetricsOverride", **scale)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._call("Emulation.setEmulatedMedia", features=[scheme])
        self._call("Page.navigate", url=address)
        self.wait_for("document.readyState === 'complete'")

    def evaluate(self, code: str) -> Any:
        """The value of a JavaScript expression."""
        answer = self._call("Runtime.evaluate", expression=code, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def wait_for(self, code: str, seconds: float = 60.0) -> None:
        """Until the expression is true."""
        end = time.monotonic() + seconds
        while not self.evaluate(f"Boolean({code})"):
            assert time.monotonic() < end, f"never true: {code}"
            time.sleep(0.1)

    def click(self, selector: str) -> None:
        """A click of the mouse in the middle of the first element that the selector finds."""
        self.evaluate(
            f"document.querySelector({selector!r}).scrollIntoView({{block: 'center', behavior: 'instant'}})"
        )
        box = f"document.querySelector({selector!r}).getBoundingClientRect()"
        code = f"(r => [r.x + r.width / 2, r.y + r.height / 2])({box})"
        x, y = self.evaluate(code)
        for kind in ("mousePressed", "mouseReleased"):
            self._call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def photograph(self, path: Path, whole: bool = True) -> Path:
        """The page as a PNG, `whole` or as much as the window shows."""
        answer = self._call("Page.captureScreenshot", captureBeyondViewport=whole, format="png")
        path.write_bytes(base64.b64decode(answer["data"]))
        return path


@contextmanager
def open_browser(folder: Path) -> Iterator[Page]:
    """A browser whose profile is in `folder`."""
    assert CHROMIUM is not None
    flags = (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--remote-debugging-port=0",
    )
    process = subprocess.Popen(
        [CHROMIUM, *flags, f"--user-data-dir={folder}", "about:blank"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        port = _read_port(folder / "DevToolsActivePort")
        with connect(_find_page(port), max_size=None, open_timeout=60) as line:
            yield Page(line)
    finally:
        process.terminate()
        process.wait(30)


def _read_port(file: Path) -> int:
    """The port that Chromium writes down once it listens."""
    end = time.monotonic() + 60
    while not file.exists() or "\n" not in file.read_text():
        assert time.monotonic() < end, "Chromium did not start"
        time.sleep(0.1)
    return int(file.read_text().splitlines()[0])


def _find_page(port: int) -> str:
    """The WebSocket of the first page."""
    from urllib.request import urlopen

    end = time.monotonic() + 60
    while time.monotonic() < end:
        with urlopen(f"http://127.0.0.1:{port}/json/list", timeout=60) as answer:
            pages = [each for each in json.load(answer) if each["type"] == "page"]
        if pages:
            return str(pages[0]["webSocketDebuggerUrl"])
        time.sleep(0.1)
    raise AssertionError("Chromium has no page")
