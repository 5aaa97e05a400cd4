"""A headless Chromium, driven over the WebDriver protocol (https://www.w3.org/TR/webdriver2/) by the standard library alone.

axe-core comes from the package axe-playwright-python, of which only the script is read. Neither is needed by anything else:
`missing` says what is not there.
"""

from __future__ import annotations

import base64
import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from importlib.util import find_spec
from pathlib import Path
from typing import Any

#: Names of the programs, the first that is there is taken.
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
DRIVER = "chromedriver"
#: Seconds until the driver must answer.
START_S = 30.0
HEIGHT = 900


def axe_script() -> Path | None:
    """axe.min.js of the package, which is not imported (it would ask for playwright)."""
    spec = find_spec("axe_playwright_python")
    places = list(spec.submodule_search_locations or ()) if spec else []
    return next((path for place in places if (path := Path(place, "axe.min.js")).is_file()), None)


def missing() -> str | None:
    """Why pages cannot be tried in a browser here; None where they can."""
    if not any(map(shutil.which, BROWSERS)) or not shutil.which(DRIVER):
        return f"no {BROWSERS[0]} with {DRIVER} (Debian: apt install chromium chromium-driver)"
    return None if axe_script() else "no axe-core (make test-browser installs it)"


class Browser:
    """One window. Every call blocks; errors of the driver are RuntimeErrors with its words."""

    def __init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self._driver = subprocess.Popen(
            [shutil.which(DRIVER) or DRIVER, f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self._base = f"http://127.0.0.1:{port}"
        self._session = ""
        try:
            self._wait()
            self._begin()
        except BaseException:
            self.close()
            raise

    def _begin(self) -> None:
        binary = next(found for name in BROWSERS if (found := shutil.which(name)))
        flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"]
        options = {"goog:chromeOptions": {"binary": binary, "args": flags}}
        made = self._call("POST", "/session", {"capabilities": {"alwaysMatch": options}})
        self._session = f"/session/{made['sessionId']}"

    def _wait(self) -> None:
        end = time.monotonic() + START_S
        while True:
            try:
                self._call("GET", "/status")
                return
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        head = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self._base}{path}", data, head, method=method)
        try:
            with urllib.request.urlopen(request, timeout=300) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(json.load(error)["value"]["message"]) from None

    def _devtools(self, command: str, **params: Any) -> Any:
        return self._call("POST", f"{self._session}/goog/cdp/execute", {"cmd": command, "params": params})

    def show(self, page: Path, width: int, scheme: str) -> None:
        """Open a file in a window of so many CSS pixels, in the colours "light" or "dark"."""
        size = {"width": width, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": False}
        self._devtools("Emulation.setDeviceMetricsOverride", **size)
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self._devtools("Emulation.setEmulatedMedia", features=[feature])
        self._call("POST", f"{self._session}/url", {"url": page.resolve().as_uri()})

    def run(self, script: str, *given: Any) -> Any:
        """What a function body returns; the page's own policy does not hold for it."""
        return self._call("POST", f"{self._session}/execute/sync", {"script": script, "args": list(given)})

    def violations(self) -> list[dict[str, Any]]:
        """Of every rule that axe-core has and that this page breaks: "id", "help", and "nodes" with target and reason."""
        script = axe_script()
        assert script is not None
        self.run(script.read_text(encoding="utf-8"))
        waiting = (
            "const done = arguments[0]; axe.run(document, {resultTypes: ['violations']}).then(done, e => done(`${e}`))"
        )
        found = self._call("POST", f"{self._session}/execute/async", {"script": waiting, "args": []})
        if isinstance(found, str):
            raise RuntimeError(found)
        broken: list[dict[str, Any]] = found["violations"]
        return broken

    def press(self, key: str) -> None:
        """A key as the keyboard gives it (https://www.w3.org/TR/webdriver2/#keyboard-actions); Tab is "\\ue004"."""
        actions = [{"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]
        body = {"actions": [{"type": "key", "id": "keys", "actions": actions}]}
        self._call("POST", f"{self._session}/actions", body)

    def picture(self, out: Path) -> None:
        """All of the page, from top to bottom, as a PNG."""
        box = self._devtools("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": box["width"], "height": box["height"], "scale": 1}
        made = self._devtools("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
        out.write_bytes(base64.b64decode(made["data"]))

    def close(self) -> None:
        try:
            if self._session:
                self._call("DELETE", self._session)
        finally:
            self._driver.terminate()
            self._driver.wait()
