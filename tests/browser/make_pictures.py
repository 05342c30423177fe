"""Make README's pictures again from the running app: `python tests/browser/make_pictures.py`.

Not a test: it writes .readme/*.png, which somebody then looks at. The sets are filled into a temporary store, so the
pictures show what a first start shows.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from geo import bootstrap  # noqa: E402

TARGET = ROOT / ".readme"
MAP = "document.querySelector('iframe.baita-map').contentWindow.baita"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--force-color-profile=srgb",
]


@contextmanager
def running_app(folder: Path) -> Iterator[str]:
    """Start the app on a free port with a store in a folder; yield its address."""
    port = bootstrap.free_port(8790)
    server = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "streamlit",
            "run",
            "app.py",
            f"--server.port={port}",
            "--server.headless=true",
        ],
        cwd=ROOT,
        env={**os.environ, "BAITA_STORE": str(folder / "baita.gpkg"), "BAITA_WHO": "规划股"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(200):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=2).close()
                break
            except OSError:
                time.sleep(0.2)
        yield f"http://127.0.0.1:{port}/"
    finally:
        server.terminate()
        server.wait(20)


def open_page(browser: Browser, address: str, size: tuple[int, int], locale: str) -> Page:
    """Return a page whose map has its sites."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]}, locale=locale, reduced_motion="reduce"
    )
    page = context.new_page()
    page.goto(address)
    page.wait_for_function(
        "() => { const f = document.querySelector('iframe.baita-map');"
        " return f && f.contentWindow.baita && f.contentWindow.baita.loads > 0; }",
        timeout=60000,
    )
    page.wait_for_timeout(1500)
    return page


def _export(store: Path, target: Path) -> None:
    """Make the meeting's picture of a set as anybody would, and keep its first page."""
    words = ["export", f"--store={store}", "--format=png", "--unit=演示", f"--out={target}"]
    subprocess.run(
        [sys.executable, "-m", "geo", *words], cwd=ROOT, check=True, stdout=subprocess.DEVNULL
    )
    shutil.copy(target, TARGET)


def main() -> None:
    """Write every picture."""
    TARGET.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        running_app(Path(folder)) as address,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(
            executable_path=str(bootstrap.ensure_chromium()), args=FLAGS
        )
        page = open_page(browser, address, (1366, 768), "zh-CN")
        page.evaluate(f"{MAP}.table.toggle('tray')")
        page.evaluate(f"{MAP}.messages.replaceChildren()")
        page.evaluate(f"{MAP}.chooseId('prj-hongfei')")
        page.wait_for_timeout(1200)
        page.screenshot(path=TARGET / "bulletin-zh.png")

        page = open_page(browser, address + "?set=demo", (1920, 1080), "en-US")
        page.evaluate(f"{MAP}.map.setView([41.2632, 123.1800], 15, {{animate: false}})")
        page.evaluate(f"{MAP}.chooseId('demo-ent-004')")
        page.wait_for_timeout(1500)
        page.screenshot(path=TARGET / "demo-en.png")

        page = open_page(browser, address + "?set=demo", (1920, 1080), "zh-CN")
        page.keyboard.press("p")
        page.wait_for_timeout(1500)
        page.screenshot(path=TARGET / "present-zh.png")
        browser.close()
        _export(Path(folder) / "demo.gpkg", Path(folder) / "figure-zh.png")


if __name__ == "__main__":
    main()
