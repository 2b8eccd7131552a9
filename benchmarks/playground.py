"""Frames a second of the playground while a network trains at full speed, and how long the page's controls take.

Starts the server as a user does and reads the stream of a session as a page does: maps of 100 by 100 fields, of every
unit as well, while 2-16-16-1 learns 300 circles in batches of 10 as fast as it goes. The latency of a control is the
time from sending it to the first frame that shows it. With chromium and playwright installed, the same in the page:
frames drawn, and from the click on pause to the picture that shows it. `python benchmarks/playground.py [SESSIONS]`.
"""

from __future__ import annotations

import http.client
import json
import os
import platform
import re
import shutil
import signal
import statistics
import subprocess
import sys
import threading
from collections.abc import Iterator
from importlib.util import find_spec
from time import perf_counter
from typing import Any

QUERY = "hidden=16,16&speed=0"
SECONDS = 5.0


class Page:
    """A session with its stream."""

    def __init__(self, address: str) -> None:
        base, self.token = address.split("/?token=")
        self.port = int(base.rpartition(":")[2])
        self.path = f"/sessions/{self.ask('/sessions', {'query': QUERY})['name']}"
        self.news = self._stream()

    def ask(self, path: str, body: Any) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        connection.request("POST", path, json.dumps(body), {"X-Token": self.token})
        answer = json.loads(connection.getresponse().read())
        connection.close()
        return answer

    def _stream(self) -> Iterator[Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        connection.request("GET", f"{self.path}/stream?token={self.token}")
        answer = connection.getresponse()
        while line := answer.readline():
            if line.startswith(b"data: "):
                yield json.loads(line[6:])

    def wait_for_native_code(self) -> None:
        for news in self.news:
            if news.get("state", {}).get("backend") == "llvm" or not find_spec("llvmlite"):
                return


def measure(page: Page) -> tuple[float, float]:
    """Return frames and epochs a second."""
    begin, first, frames = perf_counter(), next(page.news)["frame"]["epoch"], 0
    while (now := perf_counter()) < begin + SECONDS:
        last = next(page.news)["frame"]["epoch"]
        frames += 1
    return frames / (now - begin), (last - first) / (now - begin)


def latencies(page: Page, times: int = 40) -> list[float]:
    """Return the milliseconds from a change of the learning rate to the frame that shows it."""
    found = []
    for k in range(times):
        rate, begin = 0.03 + k * 1e-6, perf_counter()
        page.ask(f"{page.path}/set", {"lr": rate})
        while next(page.news).get("state", {}).get("settings", {}).get("lr") != rate:
            pass
        found.append(1e3 * (perf_counter() - begin))
    return found


IN_PAGE = """async () => {
  const wait = (ms) => new Promise((done) => setTimeout(done, ms));
  let drawn = 0;
  const draw = CanvasRenderingContext2D.prototype.putImageData;
  CanvasRenderingContext2D.prototype.putImageData = function (...args) {
    drawn += this.canvas.classList.contains("map") ? 1 : 0;
    return draw.apply(this, args);
  };
  const button = document.querySelector("#play"), begin = performance.now();
  await wait(5000);
  const frames = (1000 * drawn) / (performance.now() - begin), delays = [];
  for (let k = 0; k < 10; k++) {
    const before = button.getAttribute("aria-label"), clicked = performance.now();
    button.click();
    while (button.getAttribute("aria-label") === before) await new Promise(requestAnimationFrame);
    delays.push(performance.now() - clicked);
    await wait(150);
  }
  return [frames, delays];
}"""


def in_browser(address: str) -> None:
    """Print frames and latency as the page has them."""
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if not (chromium and find_spec("playwright")):
        print("in the browser: not measured, there is no chromium or no playwright")
        return
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(f"{address}#{QUERY}")
        page.click("#play")
        page.wait_for_function("() => document.querySelector('.network').textContent.includes('native code')")
        frames, delays = page.evaluate(IN_PAGE)
        print(f"in the browser: {frames:.0f} frames a second drawn; click on pause to its picture {told(delays)}")
        browser.close()


def told(numbers: list[float]) -> str:
    """Return the median and the largest of some milliseconds."""
    return f"{statistics.median(numbers):.0f} ms (median), {max(numbers):.0f} ms (largest)"


def main() -> None:
    """Start the server, measure, end it."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    command = [sys.executable, "-m", "micrograd_mlp", "play", "--no-browser", "--port", "0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout
    try:
        found = re.search(r"http://\S+", server.stdout.readline())
        assert found
        print(
            f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
        )
        pages = [Page(found[0]) for _ in range(count)]
        for page in pages:
            page.ask(f"{page.path}/play", {})
            page.wait_for_native_code()
        for other in pages[1:]:
            threading.Thread(target=lambda page=other: [None for _ in page.news], daemon=True).start()
        frames, epochs = measure(pages[0])
        others = f", {count - 1} other sessions beside it" if count > 1 else ""
        print(f"stream{others}: {frames:.0f} frames a second, {epochs:,.0f} epochs a second (21 steps each)")
        print(f"a control until the frame that shows it: {told(latencies(pages[0]))}")
        for page in pages:
            page.ask(f"{page.path}/close", {})
        if count == 1:
            in_browser(found[0])
    finally:
        server.send_signal(signal.SIGINT)
        server.wait()


if __name__ == "__main__":
    main()
