"""Measure a picture for the meeting: CPU and memory, beside a plain plot and a screenshot of the page.

    python tests/bench/bench_figure.py [--sites 16,665,5000] [--methods ours,plot,screenshot]
        [--markdown OUT] [--readme]

See README.md in this folder. Every picture is drawn in a process of its own, so that its peak memory is its own and
no font or module is warm from the one before.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
from _harness import (
    ROOT,
    Row,
    Server,
    Workspace,
    about,
    make_points,
    markdown_table,
    show,
    write_between_marks,
)

METHODS = ("ours", "plot", "screenshot")
NAMES = {
    "ours": "**ours**",
    "plot": "`GeoDataFrame.plot`, `savefig`",
    "screenshot": "screenshot of the page, headless Chromium",
}
SIZES = (16, 665, 5_000)
# Each rival where it can be asked for the same pixels.
SHEETS = {
    "ours": (
        *((preset, "png") for preset in ("16:9-720", "16:9-1080", "16:9-4k", "a4", "a3")),
        ("16:9-1080", "pdf"),
        ("16:9-1080", "pptx"),
    ),
    "plot": (("16:9-1080", "png"), ("a3", "png")),
    "screenshot": (("16:9-1080", "png"), ("16:9-4k", "png")),
}
BARS = (("16:9-1080", 2.0, None), ("a3", 4.0, 500.0))  # DESIGN.md §6: seconds of CPU, MB


# ---- one picture, in a process of its own ---------------------------------------------------------


def draw_cell(method: str, preset: str, form: str, count: int) -> Row:
    """Draw once and return what it took; imports and making the sites are not counted as CPU."""
    if method == "screenshot":
        return _screenshot(preset, count)
    draw = _ours(preset, form, count) if method == "ours" else _plot(preset, count)
    cpu, start = time.process_time(), time.perf_counter()
    size = draw()
    return {
        "cpu_s": time.process_time() - cpu,
        "wall_s": time.perf_counter() - start,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6,
        "kb": size / 1000,
    }


def _ours(preset: str, form: str, count: int) -> Callable[[], int]:
    from geo.category import load_categories
    from geo.draw.basemaps import district
    from geo.export import PRESETS, Picture, Wording, render_selection

    labels = {"overview": "总览", "rough": "虚线", "on_map_of": "上图 {n} / 共 {total}"}
    wording = Wording(
        title="白塔区一张图",
        subtitle="",
        as_of="数据截至 2020-02-28",
        source="来源：合成数据",
        unit="",
        marking="内部工作用图 请勿公开",
        notice="",
        language="zh",
        labels={**labels, "missing": "未上图清单"},
    )
    outline = district("211002").outline
    picture = Picture(make_points(count), PRESETS[preset], wording, load_categories(), outline)
    return lambda: sum(map(len, render_selection(picture, form).files.values()))


def _plot(preset: str, count: int) -> Callable[[], int]:
    import geopandas as gpd
    from matplotlib.figure import Figure

    from geo.draw.basemaps import district
    from geo.export.frame import PRESETS

    sheet, sites = PRESETS[preset], make_points(count)
    outline = gpd.GeoSeries([district("211002").outline], crs=sites.crs)

    def draw() -> int:
        figure = Figure(figsize=(sheet.width / 72, sheet.height / 72))
        axes = figure.add_subplot()
        outline.boundary.plot(ax=axes)
        sites.plot(ax=axes, column="status", legend=True, markersize=12)
        with tempfile.NamedTemporaryFile(suffix=".png") as file:
            figure.savefig(file.name, dpi=sheet.dpi)
            return Path(file.name).stat().st_size

    return draw


def _screenshot(preset: str, count: int) -> Row:
    """Open the page, wait until every site is painted, and take its picture."""
    from bench_map import CHROMIUM, FLAGS, PROBE
    from playwright.sync_api import sync_playwright

    zoom = 2 if preset.endswith("4k") else 1
    with Workspace() as work, sync_playwright() as playwright:
        env = work.env(count)
        with Server(ROOT / "app.py", ROOT, env, work.folder / "server.log") as server:
            start = time.perf_counter()
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            context = browser.new_context(
                viewport={"width": 1920, "height": 1080}, device_scale_factor=zoom
            )
            page = context.new_page()
            page.add_init_script(PROBE)
            page.goto(server.url, wait_until="commit")
            page.evaluate("n => bench.until(bench.painted.ours, n, 60000)", count)
            picture = page.screenshot()
            cpu, memory = _browser_cost()
            row = {"wall_s": time.perf_counter() - start, "kb": len(picture) / 1000}
            row |= {"cpu_s": cpu + server.cpu_ms() / 1000, "peak_mb": memory + server.memory_mb()}
            browser.close()
    return row


def _browser_cost() -> tuple[float, float]:
    """Return CPU seconds and MB of all processes of the browser; shared pages count once."""
    cpu = memory = 0.0
    for process in psutil.Process().children(recursive=True):
        if "chrom" in process.name():
            times = process.cpu_times()
            cpu += times.user + times.system
            memory += process.memory_full_info().pss / 1e6
    return cpu, memory


# ---- all of them ----------------------------------------------------------------------------------


def measure_all(methods: list[str], sizes: list[int]) -> list[Row]:
    """Return one row for each method, sheet and size."""
    rows = []
    for method in methods:
        for preset, form in SHEETS[method]:
            for count in sizes:
                asked = [method, preset, form, str(count)]
                print(*asked, file=sys.stderr, flush=True)
                command = [sys.executable, __file__, "--cell", *asked]
                done = subprocess.run(command, capture_output=True, text=True, check=False)
                if done.returncode:
                    print(done.stderr[-2000:], file=sys.stderr)
                found = json.loads(done.stdout) if not done.returncode else {}
                rows.append(
                    {"method": method, "preset": preset, "form": form, "sites": count, **found}
                )
    return rows


def table(rows: list[Row]) -> str:
    """Return everything that was measured."""
    head = ["picture", "sheet", "file", "sites", "CPU, s", "from start to file, s", "peak MB", "kB"]
    return markdown_table(
        head,
        (
            [
                NAMES[row["method"]],
                row["preset"],
                row["form"],
                show(row["sites"]),
                show(row.get("cpu_s"), 2),
                show(row.get("wall_s"), 2),
                show(row.get("peak_mb")),
                show(row.get("kb")),
            ]
            for row in rows
        ),
    )


def bars(rows: list[Row]) -> str:
    """Return the bars of DESIGN.md §6 and whether they are met at every size."""
    return markdown_table(["bar", "wanted", "measured", "met"], _bars(rows))


def _bars(rows: list[Row]) -> Iterator[list[str]]:
    for preset, seconds, megabytes in BARS:
        ours = [
            row
            for row in rows
            if (row["method"], row["preset"], row["form"]) == ("ours", preset, "png")
        ]
        for name, what, limit, digits in (
            ("cpu_s", "s CPU", seconds, 2),
            ("peak_mb", "MB", megabytes, 0),
        ):
            worst = max((row[name] for row in ours if name in row), default=None)
            if limit is None or worst is None:
                continue
            met = "yes" if worst <= limit else "**no**"
            yield [f"{preset}, most at any size, {what}", f"≤ {limit:g}", show(worst, digits), met]


def main() -> None:
    """Measure, print, and keep the report where asked."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sites", default=",".join(map(str, SIZES)))
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--markdown", type=Path)
    parser.add_argument("--readme", action="store_true", help="put the report into README.md")
    parser.add_argument("--cell", nargs=4, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.cell:
        method, preset, form, count = given.cell
        print(json.dumps(draw_cell(method, preset, form, int(count))))
        return
    head = about()
    rows = measure_all(given.methods.split(","), [int(n) for n in given.sites.split(",")])
    report = f"{head}\n\n{table(rows)}\n\n{bars(rows)}\n"
    print(report)
    if given.markdown:
        given.markdown.write_text(report, encoding="utf-8")
    if given.readme:
        write_between_marks("bench_figure", report)


if __name__ == "__main__":
    main()
