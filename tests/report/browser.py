"""A headless Chromium, driven through chromedriver's HTTP interface, for tests of pages."""

import base64
import contextlib
import importlib.util
import json
import pathlib
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

MISSING = next((f"{name} is not installed" for name in ("chromium", "chromedriver") if not shutil.which(name)), "")
"""Why there is no browser; empty where there is one."""
AXE = importlib.util.find_spec("axe_core_python")
"""The package that holds axe-core; None where it is not installed."""
WAIT = 30.0
"""Seconds to wait for something to be so."""
FOCUSABLE = "a[href], button, select, input, summary, [tabindex='0']"
"""Selector of everything that can have the focus."""
VISIBLE = "const shown = (own) => own.checkVisibility() && !own.closest('.off, [hidden]');"
"""JavaScript that defines whether an element is visible."""


class Browser:
    """One session; `url` is that of the session in chromedriver."""

    def __init__(self, url: str):
        self.url = url

    def call(self, path: str, **body: object) -> object:
        """One command."""
        return _post(f"{self.url}/{path}", body)

    def open(self, page: pathlib.Path) -> None:
        """Open a page of this machine by its file:// address."""
        self.call("url", url=page.resolve().as_uri())

    def run(self, script: str, *arguments: object) -> object:
        """The value that a function's body returns in the page."""
        return self.call("execute/sync", script=script, args=list(arguments))

    def wait(self, condition: str) -> None:
        """Wait until an expression is true in the page."""
        end = time.monotonic() + WAIT
        while not self.run(f"return Boolean({condition})"):
            assert time.monotonic() < end, f"never so: {condition}"
            time.sleep(0.1)

    def keys(self, *keys: str) -> None:
        """Press keys one after the other."""
        presses = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self.call("actions", actions=[{"type": "key", "id": "keyboard", "actions": presses}])

    def walk(self) -> tuple[int, int]:
        """Press Tab through the page; returns how many elements had the focus, and how many visible ones can."""
        expected = self.run(
            f"{VISIBLE} const every = [...document.querySelectorAll({FOCUSABLE!r})].filter(shown);"
            "every.forEach((own, at) => { own.dataset.at = at; });"
            "window.scrollTo(0, 0); document.activeElement.blur();"
            "window.met = new Set(); addEventListener('focusin', (event) => window.met.add(event.target.dataset.at));"
            "return every.length"
        )
        for _ in range(0, expected + 40, 40):
            self.keys(*["\ue004"] * 40)  # Tab
        return self.run("return window.met.size"), expected

    def developer(self, command: str, **parameters: object) -> object:
        """A command of Chromium's own protocol."""
        return self.call("goog/cdp/execute", cmd=command, params=parameters)

    def resize(self, width: int, height: int, dark: bool = False) -> None:
        """Give the page a size, in the light or the dark theme."""
        self.developer(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
        )
        theme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.developer("Emulation.setEmulatedMedia", features=[theme])

    def picture(self, path: pathlib.Path) -> None:
        """A picture of what is in view."""
        found = self.developer("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(found["data"]))

    def errors(self) -> list[str]:
        """What the page's console said since the last call."""
        return [entry["message"] for entry in self.call("se/log", type="browser")]

    def faults(self) -> list[str]:
        """Serious and critical faults of accessibility in the page, as axe-core finds them, with where they are."""
        self.run(pathlib.Path(AXE.origin).with_name("axe.min.js").read_text(encoding="utf-8"))
        self.run("axe.run(document).then((found) => { window.found = found; })")
        self.wait("window.found")
        return self.run(
            "return window.found.violations.filter((own) => ['serious', 'critical'].includes(own.impact))"
            ".map((own) => `${own.id}: ${own.nodes.slice(0, 3).map((node) => node.target.join(' ')).join('; ')}`)"
        )


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """A browser for the time of a test."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    driver = subprocess.Popen(["chromedriver", f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"]
        asked = {"goog:chromeOptions": {"args": arguments}, "goog:loggingPrefs": {"browser": "ALL"}}
        base = f"http://127.0.0.1:{port}"
        _await(base)
        session = _post(f"{base}/session", {"capabilities": {"alwaysMatch": asked}})
        one = Browser(f"{base}/session/{session['sessionId']}")
        try:
            yield one
        finally:
            urllib.request.urlopen(urllib.request.Request(one.url, method="DELETE"), timeout=WAIT).close()
    finally:
        driver.terminate()
        driver.wait(timeout=WAIT)


def _await(base: str) -> None:
    end = time.monotonic() + WAIT
    while True:
        try:
            urllib.request.urlopen(f"{base}/status", timeout=WAIT).close()
            return
        except OSError:
            assert time.monotonic() < end, "chromedriver does not answer"
            time.sleep(0.1)


def _post(url: str, body: object) -> object:
    data = json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.load(answer)["value"]
    except urllib.error.HTTPError as error:
        raise AssertionError(json.load(error)["value"]["message"]) from error
