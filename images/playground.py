"""Make the pictures of the playground again, light and dark: screenshots of the page in chromium, after a training."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).parent
QUERY = (
    "problem=spirals&noise=0.03&features=x1,x2,sinx1,sinx2&hidden=8,6,3&optimizer=adam&lr=0.01&stop_epochs=300&speed=0"
)


def main() -> None:
    """Serve the playground, train on two spirals, and take the pictures; say so where there is no browser."""
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if not (chromium and find_spec("playwright") and find_spec("starlette")):
        print("The pictures of the playground stay as they are: they need chromium, playwright and starlette.")
        return
    from playwright.sync_api import sync_playwright

    command = [sys.executable, "-m", "micrograd_mlp", "play", "--no-browser", "--port", "0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout
        found = re.search(r"http://\S+", server.stdout.readline())
        assert found
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            for theme in ("light", "dark"):
                page = browser.new_page(
                    viewport={"width": 1280, "height": 830}, device_scale_factor=1.5, color_scheme=theme
                )
                page.goto(f"{found[0]}#{QUERY}")
                page.click("#play")
                page.wait_for_selector("#ended")
                page.wait_for_timeout(500)
                path = HERE / f"playground-{theme}.png"
                page.screenshot(path=path)
                page.close()
                print(f"{path.name} {path.stat().st_size // 1024} KB")
            browser.close()
    finally:
        server.send_signal(signal.SIGINT)
        server.wait()


if __name__ == "__main__":
    main()
