"""A real browser for tests of pages: Debian's chromium through Playwright, or a reason to skip."""

import os
import shutil
from contextlib import contextmanager

import pytest

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking",
         "--disable-component-update", "--no-first-run"]  # fmt: skip


@contextmanager
def browser():
    """Yield a browser; skip the test, aloud, where there is none. The variable CHROMIUM names another one."""
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("no chromium on this machine; install it, or name a browser in CHROMIUM")
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="Playwright is not installed: pip install playwright"
    )
    with playwright.sync_playwright() as running:
        opened = running.chromium.launch(executable_path=path, args=FLAGS)
        try:
            yield opened
        finally:
            opened.close()


@contextmanager
def watched(opened, allowed, **options):
    """Yield a page; at the end there was no error on its console, and no request but to what `allowed` begins with."""
    context = opened.new_context(viewport={"width": 1280, "height": 800}, **options)
    page = context.new_page()
    problems = []
    page.on("console", lambda message: problems.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda request: problems.append(request.url) if not request.url.startswith(allowed) else None)
    try:
        yield page
    finally:
        context.close()
    assert problems == []
