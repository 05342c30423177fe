"""Make README's pictures again from the running app: `python tests/browser/make_pictures.py`.

Not a test: it writes .readme/*.png and, small, those of the guide in both languages (geo/ui/guide/pictures/*.webp;
`--guide` writes these alone, `--guide desk` that one), which somebody then looks at. The sets are filled into a
temporary store, so the pictures show what a first start shows.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
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


def _export(store: Path, target: Path, *more: str) -> None:
    """Make the meeting's picture of a set as anybody would."""
    words = ["export", f"--store={store}", "--unit=演示", f"--out={target}", *more]
    subprocess.run(
        [sys.executable, "-m", "geo", *words], cwd=ROOT, check=True, stdout=subprocess.DEVNULL
    )


def _export_all(folder: Path) -> None:
    """Make the pictures that README shows of what the export makes, small enough for a page."""
    store = folder / "demo.gpkg"
    _export(store, folder / "figure-zh.png", "--format=png")
    shutil.copy(folder / "figure-zh.png", TARGET)
    _export(store, folder / "series.png", "--format=png", "--series=status", "--preset=16:9-720")
    with zipfile.ZipFile(folder / "series.zip") as archive:
        page = next(name for name in archive.namelist() if "未复工" in name)
        (TARGET / "series-zh.png").write_bytes(archive.read(page))
    _export(
        store, folder / "a3.png", "--format=png", "--preset=a3", "--kind=project", "--kind=parking"
    )
    _shrink(folder / "a3.png", TARGET / "a3-zh.png")
    _export(store, folder / "slide.pptx", "--format=pptx")
    if shutil.which("soffice"):
        convert = ["soffice", "--headless", "--convert-to", "pdf", "--outdir", str(folder)]
        subprocess.run(
            [*convert, str(folder / "slide.pptx")], check=True, stdout=subprocess.DEVNULL
        )
        page = ["pdftoppm", "-r", "110", "-png", "-f", "1", "-l", "1", "-singlefile"]
        subprocess.run([*page, str(folder / "slide.pdf"), str(TARGET / "slide-zh")], check=True)


def _shrink(source: Path, target: Path) -> None:
    with Image.open(source) as picture:
        picture.thumbnail((1600, 1600), Image.Resampling.LANCZOS)
        picture.save(target)


BULLETIN = """截至2026年3月20日，白塔区重点企业50户，复工41户，复工率80%。

辽阳青松机械有限公司已全面复工复产，辽阳云岭食品有限公司尚未复工。（样例文字，企业名称为虚构）

星河商务中心、望塔大厦等项目要尽早开工；重点推进星河商务中心建设；加大澄湖物流园招商力度。

3月19日，交警在新华路、武圣路对乱停车辆进行现场警告教育。
"""
TABLE = """白塔区企业复工情况统计表（样例，虚构）,,,,,
,,,,单位：家,2026年3月20日
序号,企业名称,复工情况,地址,经度,纬度
1,辽阳青松机械有限公司,已复工,新华路12号,123.1812,41.2675
2,辽阳云岭食品有限公司,停工整顿,武圣路3号,123.1745,41.2590
3,澄湖物流,投产,,,
合计,3,,,,
"""


def _import_pictures(browser: Browser, address: str, folder: Path) -> None:
    """Bring a bulletin and a GBK table in, and keep a picture of each review."""
    page = open_page(browser, address, (1366, 768), "zh-CN")
    frame = page.frame(url="**/baita/map/*")
    assert frame is not None
    page.keyboard.press("i")
    frame.locator(".desk textarea").fill(BULLETIN)
    frame.get_by_role("button", name="读取", exact=True).click()
    frame.locator(".desk .card").first.wait_for()
    page.wait_for_timeout(800)
    page.screenshot(path=TARGET / "review-zh.png")
    page.keyboard.press("Escape")
    table = folder / "复工情况（第三周）.csv"
    table.write_bytes(TABLE.encode("gb18030"))
    with page.expect_file_chooser() as chooser:
        frame.get_by_text("选择文件…").click()
    chooser.value.set_files(table)
    frame.locator(".desk .grid-box table").wait_for()
    page.wait_for_timeout(800)
    page.screenshot(path=TARGET / "table-zh.png")


# ---- the guide's own, in both languages --------------------------------------------------------------------------

GUIDE = ROOT / "geo" / "ui" / "guide" / "pictures"
GUIDE_SIZE, GUIDE_WIDTH = (1280, 720), 1120
LOCALES = {"zh": "zh-CN", "en": "en-US"}
Shot = Callable[[Page, Path], None]


def _first(page: Page, folder: Path) -> None:
    page.evaluate(f"{MAP}.fit({{animate: false}})")


def _desk(page: Page, folder: Path) -> None:
    page.keyboard.press("i")
    page.frame(url="**/baita/map/*").locator(".tries .try").first.wait_for()


def _sample(number: int) -> Shot:
    def open_one(page: Page, folder: Path) -> None:
        _desk(page, folder)
        frame = page.frame(url="**/baita/map/*")
        frame.locator(".tries .try").nth(number).click()
        frame.locator(".desk .card, .desk .grid-box table").first.wait_for()

    return open_one


def _placing(page: Page, folder: Path) -> None:
    page.keyboard.press("r")
    for _ in range(9):
        page.wait_for_timeout(400)
        page.keyboard.press("n")


def _history(page: Page, folder: Path) -> None:
    page.evaluate(f"{MAP}.map.setView([41.2632, 123.1800], 15, {{animate: false}})")
    page.evaluate(f"{MAP}.chooseId('demo-ent-004')")
    page.wait_for_timeout(800)
    page.evaluate(
        f"{MAP}.detail.node.querySelectorAll('details').forEach(one => {{ one.open = true; }})"
    )


def _changes(page: Page, folder: Path) -> None:
    page.evaluate(f"{MAP}.time.panel.open('changes')")


def _figure(page: Page, folder: Path) -> None:
    page.keyboard.press("e")
    page.wait_for_timeout(1500)


def _present(page: Page, folder: Path) -> None:
    page.keyboard.press("p")


GUIDE_SHOTS: dict[str, tuple[str, Shot]] = {
    "first": ("set=demo", _first),
    "desk": ("", _desk),
    "review": ("set=demo", _sample(0)),
    "table": ("set=demo", _sample(2)),
    "placing": ("", _placing),
    "history": ("set=demo", _history),
    "changes": ("set=demo&since=2020-03-11", _changes),
    "figure": ("set=demo", _figure),
    "present": ("set=demo", _present),
}


def _guide_pictures(browser: Browser, address: str, folder: Path) -> None:
    """Take each picture of the guide from the running app, in both languages, as small as it stays legible."""
    GUIDE.mkdir(exist_ok=True)
    wanted = [name for name in GUIDE_SHOTS if name in sys.argv] or list(GUIDE_SHOTS)
    for name, (query, take) in ((name, GUIDE_SHOTS[name]) for name in wanted):
        for language, locale in LOCALES.items():
            page = open_page(browser, f"{address}?{query}", GUIDE_SIZE, locale)
            page.evaluate(f"{MAP}.messages.replaceChildren()")
            take(page, folder)
            page.wait_for_timeout(1200)
            shot = folder / f"{name}-{language}.png"
            page.screenshot(path=shot)
            page.context.close()
            with Image.open(shot) as picture:
                picture.thumbnail((GUIDE_WIDTH, GUIDE_WIDTH), Image.Resampling.LANCZOS)
                picture.convert("RGB").save(GUIDE / f"{name}-{language}.webp", quality=72, method=6)


def main() -> None:
    """Write every picture, or with `--guide` those of the guide alone."""
    TARGET.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        running_app(Path(folder)) as address,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(
            executable_path=str(bootstrap.ensure_chromium()), args=FLAGS
        )
        _guide_pictures(browser, address, Path(folder))
        if "--guide" in sys.argv:
            browser.close()
            return
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

        page = open_page(browser, address + "?set=demo&since=2020-03-11", (1366, 768), "zh-CN")
        page.evaluate(f"{MAP}.time.panel.open('changes')")
        page.wait_for_timeout(1200)
        page.screenshot(path=TARGET / "changes-zh.png")

        page = open_page(browser, address + "?set=demo", (1366, 768), "zh-CN")
        page.keyboard.press("e")
        page.wait_for_timeout(2500)
        page.screenshot(path=TARGET / "panel-zh.png")
        page = open_page(browser, address, (1366, 768), "zh-CN")
        page.evaluate(f"{MAP}.messages.replaceChildren()")
        page.keyboard.press("r")
        for _ in range(9):
            page.wait_for_timeout(400)
            page.keyboard.press("n")
        page.wait_for_timeout(1200)
        page.screenshot(path=TARGET / "placing-zh.png")
        _import_pictures(browser, address, Path(folder))
        browser.close()
        _export_all(Path(folder))


if __name__ == "__main__":
    main()
