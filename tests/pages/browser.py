"""Headless Chromium by its own debugging pipe: real time (an open stream would hold a virtual clock for ever), real phone and
TV sizes, dark and light, its console, and pictures. Nothing but the standard library."""
import base64
import fcntl
import itertools
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars",
         "--disable-background-networking", "--lang=en-US", "--disable-component-update", "--disable-sync", "--remote-debugging-pipe",
         "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1")


def find():
    return next((path for path in map(shutil.which, NAMES) if path), None)


class Browser:
    """One page at a time. `errors` has what the console said in anger since `open`, `asked` every address it wanted."""

    def __init__(self, program):
        self.folder = tempfile.mkdtemp(prefix="pages-")
        (their_in, our_out), (our_in, their_out) = os.pipe(), os.pipe()
        high = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 20) for fd in (their_in, their_out)]
        self.process = subprocess.Popen(
            [program, *FLAGS, f"--user-data-dir={self.folder}", "about:blank"], close_fds=False,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=open(f"{self.folder}/said", "wb"),
            preexec_fn=lambda: (os.dup2(high[0], 3), os.dup2(high[1], 4)))
        for fd in (their_in, their_out, *high):
            os.close(fd)
        self.out, self.inward, self.rest, self.ids = our_out, our_in, b"", itertools.count(1)
        self.errors, self.asked, self.session = [], [], None
        target = self.first_page()
        self.session = self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network", "Inspector"):
            self.call(f"{domain}.enable")

    def first_page(self, seconds=60):
        """It answers before it has opened one."""
        until = time.monotonic() + seconds
        while True:
            pages = [t for t in self.call("Target.getTargets")["targetInfos"] if t["type"] == "page"]
            if pages:
                return pages[0]
            if time.monotonic() > until:
                raise RuntimeError(f"the browser opens no page; it said:\n{self.said()}")
            self.read(0.1)

    def said(self):
        with open(f"{self.folder}/said", encoding="utf-8", errors="replace") as log:
            return log.read()[-2_000:]

    def read(self, seconds):
        until = time.monotonic() + seconds
        while b"\0" not in self.rest:
            if not select.select([self.inward], [], [], max(0.0, until - time.monotonic()))[0]:
                return None
            got = os.read(self.inward, 1 << 20)
            if not got:
                raise RuntimeError(f"the browser is gone; it said:\n{self.said()}")
            self.rest += got
        line, self.rest = self.rest.split(b"\0", 1)
        message = json.loads(line)
        self.note(message.get("method"), message.get("params", {}))
        return message

    def note(self, method, p):
        if method == "Runtime.exceptionThrown":
            self.errors.append(p["exceptionDetails"].get("exception", {}).get("description", "an exception"))
        elif method == "Runtime.consoleAPICalled" and p["type"] in ("error", "warning", "assert"):
            self.errors.append(" ".join(str(a.get("value")) for a in p["args"]))
        elif method == "Log.entryAdded" and p["entry"]["level"] == "error":
            self.errors.append(p["entry"]["text"])
        elif method in ("Inspector.targetCrashed", "Inspector.detached"):
            raise RuntimeError(f"the page is gone ({method}); the browser said:\n{self.said()}")
        elif method == "Network.requestWillBeSent":
            self.asked.append(p["request"]["url"])

    def call(self, method, **params):
        number = next(self.ids)
        message = {"id": number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.read(60)
            if answer is None:
                raise RuntimeError(f"no answer to {method}; the browser said:\n{self.said()}")
            if answer.get("id") == number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]

    def open(self, url, width=1920, height=1080, scheme="dark"):
        self.call("Page.navigate", url="about:blank")   # a page that differs by its anchor only would not be loaded again
        self.until("location.href === 'about:blank'")
        self.errors, self.asked = [], []
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 900)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.call("Page.navigate", url=url)

    def run(self, script):
        """A script's value."""
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise RuntimeError(result["exceptionDetails"].get("exception", {}).get("description"))
        return result["result"].get("value")

    def text(self):
        return self.run("document.body ? document.body.innerText : ''")

    def until(self, script, seconds=60):
        """Waits until a script's value is true."""
        end = time.monotonic() + seconds
        while not self.run(script):
            if time.monotonic() > end:
                raise AssertionError(f"never came true: {script}\n{self.text()[:500]}")
            self.read(0.1)

    def picture(self, path, whole=False):
        data = self.call("Page.captureScreenshot", captureBeyondViewport=whole)["data"]
        with open(path, "wb") as out:
            out.write(base64.b64decode(data))

    def close(self):
        try:
            self.session = None
            self.call("Browser.close")
        except (RuntimeError, OSError):
            pass
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
