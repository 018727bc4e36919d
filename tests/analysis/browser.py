"""A browser without a window, driven over a pipe as its developer tools drive it."""

import base64
import fcntl
import itertools
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
BINARY = next(filter(None, map(shutil.which, NAMES)), None)
KEYS = {"Tab": 9, "End": 35, "Home": 36, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39}
KEYS["ArrowDown"] = 40


class Browser:
    """Opens pages, clicks, presses keys and reads; `events` holds what the page did since."""

    def __init__(self, width=1280, height=900):
        self.profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        pipes = [*os.pipe(), *os.pipe()]
        # Chromium reads commands from descriptor 3 and answers on 4.
        theirs = [fcntl.fcntl(pipes[index], fcntl.F_DUPFD, 100) for index in (0, 3)]
        os.close(pipes[0]), os.close(pipes[3])
        self.answers, self.commands = pipes[2], pipes[1]
        arguments = ["--headless", "--disable-gpu", "--remote-debugging-pipe", "--no-first-run"]
        arguments += ["--disable-background-networking", "--disable-component-update"]
        arguments += ["--disable-sync", "--disable-quic"]  # no requests but those of the page
        arguments += ["--no-sandbox"] * (os.geteuid() == 0)
        self.process = subprocess.Popen(
            [BINARY, *arguments, f"--user-data-dir={self.profile.name}", "about:blank"],
            preexec_fn=lambda: (os.dup2(theirs[0], 3), os.dup2(theirs[1], 4)),
            pass_fds=(3, 4),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for descriptor in theirs:
            os.close(descriptor)
        self.numbers, self.held, self.session, self.events = itertools.count(1), b"", None, []
        page = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        for room in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{room}.enable")
        self.resize(width, height)

    def close(self):
        self.session = None
        self.call("Browser.close")
        self.process.wait(10)
        os.close(self.answers), os.close(self.commands)
        self.profile.cleanup()

    def call(self, method, **parameters):
        message = {"id": next(self.numbers), "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.commands, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == message["id"]:
                assert "error" not in answer, answer["error"]
                return answer["result"]
            self.events.append(answer)

    def _read(self):
        while b"\0" not in self.held:
            part = os.read(self.answers, 1 << 20)
            assert part, "the browser has gone"
            self.held += part
        message, self.held = self.held.split(b"\0", 1)
        return json.loads(message)

    def open(self, path):
        self.events.clear()
        self.call("Page.navigate", url=Path(path).resolve().as_uri())
        while not self.event_parameters("Page.loadEventFired"):
            self.events.append(self._read())

    def event_parameters(self, *methods):
        return [event["params"] for event in self.events if event.get("method") in methods]

    def run(self, script):
        """The value of some JavaScript; of a promise, once it is resolved."""
        arguments = {"expression": script, "returnByValue": True, "awaitPromise": True}
        response = self.call("Runtime.evaluate", **arguments)
        assert "exceptionDetails" not in response, response["exceptionDetails"]
        return response["result"].get("value")

    def first_paint(self):
        """Milliseconds from the start to the first text or picture."""
        return self.run(
            "new Promise(done => { const look = () => {"
            "const found = performance.getEntriesByName('first-contentful-paint')[0];"
            "found ? done(found.startTime) : requestAnimationFrame(look); }; look(); })"
        )

    def text(self, selector):
        return self.run(f"document.querySelector({json.dumps(selector)}).textContent")

    def bounding_box(self, selector, number=0):
        """Left, top, width and height of an element in the window, scrolled to if need be."""
        element = f"document.querySelectorAll({json.dumps(selector)})[{number}]"
        self.run(f"{element}.scrollIntoView({{block: 'center'}})")
        return self.run(
            f"(({{x, y, width, height}}) => [x, y, width, height])"
            f"({element}.getBoundingClientRect())"
        )

    def mouse(self, kind, x, y, button="none"):
        event = {"x": x, "y": y, "button": button, "clickCount": int(button != "none")}
        self.call("Input.dispatchMouseEvent", type=kind, **event)

    def hover(self, x, y):
        self.mouse("mouseMoved", x, y)

    def click(self, x, y):
        self.hover(x, y)
        self.mouse("mousePressed", x, y, "left")
        self.mouse("mouseReleased", x, y, "left")

    def tap(self, x, y):
        self.call("Emulation.setTouchEmulationEnabled", enabled=True)
        self.call("Input.dispatchTouchEvent", type="touchStart", touchPoints=[{"x": x, "y": y}])
        self.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
        self.call("Emulation.setTouchEmulationEnabled", enabled=False)

    def press(self, key):
        for kind in ("rawKeyDown", "keyUp"):
            code = {"key": key, "code": key, "windowsVirtualKeyCode": KEYS[key]}
            self.call("Input.dispatchKeyEvent", type=kind, **code)

    def resize(self, width, height):
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.call("Emulation.setDeviceMetricsOverride", **size)

    def print(self):
        """The page as a PDF, as a person would print it: without requesting backgrounds."""
        return base64.b64decode(self.call("Page.printToPDF", printBackground=False)["data"])
