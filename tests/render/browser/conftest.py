"""A page in Chromium, driven over its DevTools pipe: nothing to install but the browser itself."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = (
    "--headless", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--disable-default-apps", "--disable-extensions", "--hide-scrollbars", "--mute-audio",
    "--disable-dev-shm-usage", "--remote-debugging-pipe", "about:blank",
)  # fmt: skip
WAIT = 120.0
"""Seconds for one answer: long, as continuous integration has slow days."""
# Chromium reads its orders from file descriptor 3 and answers on 4.
AS_3_AND_4 = (
    "import os, sys; r, w = int(sys.argv[1]), int(sys.argv[2]); os.dup2(r, 203); os.dup2(w, 204);"
    "os.dup2(203, 3); os.dup2(204, 4); os.execv(sys.argv[3], sys.argv[3:])"
)
KEYS = {"Tab": 9, "Enter": 13, " ": 32}


class Chromium:
    """A running browser: orders go out, answers and events come in."""

    def __init__(self, binary: str, profile: str) -> None:
        theirs_in, self._out = os.pipe()
        self._in, theirs_out = os.pipe()
        flags = [*FLAGS, f"--user-data-dir={profile}", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
        self._process = subprocess.Popen(
            [sys.executable, "-c", AS_3_AND_4, str(theirs_in), str(theirs_out), binary, *flags],
            pass_fds=(theirs_in, theirs_out), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(theirs_in)
        os.close(theirs_out)
        self._number, self._unread = 0, b""
        self.events: list[dict[str, Any]] = []

    def call(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        """Send an order and return its answer."""
        self._number += 1
        order = {"id": self._number, "method": method, "params": params}
        os.write(self._out, json.dumps({**order, **({"sessionId": session} if session else {})}).encode() + b"\0")
        while True:
            message = self._read()
            if message.get("id") == self._number:
                assert "error" not in message, f"{method}: {message['error']}"
                return message["result"]

    def wait_for(self, method: str, session: str) -> dict[str, Any]:
        """Return the first event of this name that has not been taken yet."""
        while True:
            for at, event in enumerate(self.events):
                if event["method"] == method and event.get("sessionId") == session:
                    return self.events.pop(at)["params"]
            self._read()

    def _read(self) -> dict[str, Any]:
        """Return the next message; an event is kept too."""
        end = time.monotonic() + WAIT
        while b"\0" not in self._unread:
            ready, _, _ = select.select([self._in], [], [], max(0.0, end - time.monotonic()))
            assert ready, f"Chromium said nothing for {WAIT:.0f} s"
            part = os.read(self._in, 1 << 20)
            assert part, "Chromium has ended"
            self._unread += part
        line, _, self._unread = self._unread.partition(b"\0")
        message = json.loads(line)
        if "method" in message:
            self.events.append(message)
        return message

    def close(self) -> None:
        """End the browser."""
        os.write(self._out, b'{"id": 0, "method": "Browser.close"}\0')
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._in)
        os.close(self._out)


@dataclass
class Tab:
    """One open page."""

    chromium: Chromium
    session: str
    url: str

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        return self.chromium.call(method, self.session, **params)

    def run(self, script: str) -> Any:
        """Return what a script returns; an error in it is one here."""
        answer = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True, userGesture=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def resize(self, width: int, height: int) -> None:
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def emulate(self, *, dark: bool = False, media: str = "") -> None:
        features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.call("Emulation.setEmulatedMedia", media=media, features=features)

    def screenshot(self, **clip: float) -> bytes:
        part = {"clip": {**clip, "scale": 1}, "captureBeyondViewport": True} if clip else {}
        return base64.b64decode(self.call("Page.captureScreenshot", format="png", **part)["data"])

    def pdf(self) -> bytes:
        return base64.b64decode(self.call("Page.printToPDF", printBackground=True)["data"])

    def press(self, key: str) -> None:
        code = KEYS[key]
        text = {"Enter": "\r", " ": " "}.get(key, "")
        for kind in ("keyDown" if text else "rawKeyDown", "keyUp"):
            more = {"text": text} if text and kind == "keyDown" else {}
            self.call("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, **more)

    def write(self, text: str) -> None:
        self.call("Input.insertText", text=text)

    def requests(self) -> list[str]:
        """Return the addresses that were asked for, the page itself aside."""
        urls = [e["params"]["request"]["url"] for e in self._events("Network.requestWillBeSent")]
        return [url for url in urls if url != self.url]

    def complaints(self) -> list[str]:
        """Return what the console holds: errors, warnings, and refusals of the content security policy."""
        said = [e["params"] for e in self._events("Runtime.consoleAPICalled")]
        thrown = [e["params"]["exceptionDetails"] for e in self._events("Runtime.exceptionThrown")]
        logged = [e["params"]["entry"] for e in self._events("Log.entryAdded")]
        return [json.dumps(entry) for entry in (*said, *thrown, *logged)]

    def _events(self, method: str) -> list[dict[str, Any]]:
        self.run("1")  # whatever happened before has been told now
        return [e for e in self.chromium.events if e["method"] == method and e.get("sessionId") == self.session]


def _binary() -> str | None:
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


def axe_source() -> str:
    """Return axe-core's script; the test is skipped where the package that holds it is not installed."""
    found = find_spec("axe_core_python")
    if found is None or not found.submodule_search_locations:
        pytest.skip("axe-core-python is not installed: it is in the dependency group `test`")
    return (Path(found.submodule_search_locations[0]) / "axe.min.js").read_text(encoding="utf-8")


@pytest.fixture
def find_violations() -> Callable[[Tab], list[str]]:
    """Return a function that lists what axe-core calls serious or critical on a page (WCAG 2.2 AA and below)."""
    source = axe_source()

    def find(tab: Tab) -> list[str]:
        tab.run(source + "; undefined")
        found = tab.run("axe.run(document, {preload: false, resultTypes: ['violations']}).then((r) => r.violations)")
        bad = [one for one in found if one["impact"] in ("serious", "critical")]
        return [f"{one['id']}: {one['help']}: {one['nodes'][0]['html'][:300]} ({len(one['nodes'])})" for one in bad]

    return find


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chromium]:
    """Run Chromium; the tests are skipped where there is none."""
    binary = _binary()
    if binary is None:
        pytest.skip("no Chromium on this machine: install it, or name it in the environment variable CHROMIUM")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = Chromium(binary, profile)
        yield browser
        browser.close()


@pytest.fixture
def open_tab(chromium: Chromium) -> Iterator[Callable[..., Tab]]:
    """Return a function that opens a file in a tab of its own."""
    opened: list[str] = []

    def open_file(path: Path, width: int = 1000, height: int = 1400) -> Tab:
        target = chromium.call("Target.createTarget", url="about:blank")["targetId"]
        session = chromium.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        opened.append(target)
        tab = Tab(chromium, session, path.as_uri())
        for domain in ("Page", "Runtime", "Network", "Log"):
            tab.call(f"{domain}.enable")
        tab.resize(width, height)
        tab.call("Page.navigate", url=tab.url)
        chromium.wait_for("Page.loadEventFired", session)
        return tab

    yield open_file
    for target in opened:
        chromium.call("Target.closeTarget", targetId=target)
    chromium.events.clear()
