"""Measure a click on a status filter, in real headless Chromium: our map beside what else there is.

    python tests/bench/bench_map.py [--sites 30,1000,10000,100000]
        [--methods ours,tutorial,stock,pydeck,stmap,explore,swiftmap] [--clicks 8] [--mixed] [--json OUT]

See README.md in this folder. Nothing here is asserted in the tests: times depend on the machine.
"""

import argparse
import json
import math
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from _harness import (
    RIVALS,
    ROOT,
    SWITCHED,
    Row,
    Server,
    Workspace,
    about,
    left_without,
    markdown_table,
    show,
    write_between_marks,
)
from playwright.sync_api import Browser, Locator, Page, sync_playwright

METHODS = ("ours", "tutorial", "stock", "pydeck", "stmap", "explore", "swiftmap")
NAMES = {
    "ours": "**ours**",
    "tutorial": "`folium.Marker` each + `st_folium`",
    "stock": "best stock way (`feature_group_to_add`, one GeoJson)",
    "pydeck": "pydeck `ScatterplotLayer`",
    "stmap": "`st.map`",
    "explore": "`gdf.explore()` in `components.html`",
    "swiftmap": "swiftmap (PyPI), a layer for each status",
}
DECK = ("pydeck", "stmap")
"""Those that deck.gl draws, in the page itself."""
SHAPED = ("ours", "tutorial", "stock", "explore")
"""Those that draw roads and areas as the sites' own table gives them."""
UNASKED = (*DECK, "swiftmap")
"""Those whose view cannot be asked for from outside."""
SIZES = (30, 1_000, 10_000, 100_000)
CLICK_LIMIT_S = 60
CODE_CACHE_RELOADS = 3  # Chromium keeps compiled scripts from the second or third visit on
RELOADS = 5
SLOW_S = 3
IDLE_S = 3
LOOK_S = 0.7
CLICKING_S = 40  # after so long no further click is begun
PAN_S = 2.0
QUIET_MS = 700  # nothing on the websocket and no script running for so long: the click is over
SCREEN = {"width": 1600, "height": 900}
CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    *"--no-sandbox --disable-gpu --enable-unsafe-swiftshader --disable-quic --no-first-run".split(),
    *"--disable-background-networking --disable-component-update --disable-extensions".split(),
    *"--disable-sync --enable-precise-memory-info --js-flags=--expose-gc".split(),
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
]

PROBE = """
(() => {
  // How many points each WebGL canvas drew in its last frame, whatever frame of the page it is in.
  const drawn = window.drawn = new Map();
  let turn = 0;
  const count = () => { turn++; requestAnimationFrame(count); };
  requestAnimationFrame(count);
  for (const context of [WebGLRenderingContext, WebGL2RenderingContext]) {
    const arrays = context.prototype.drawArrays;
    context.prototype.drawArrays = function (mode, first, points) {
      if (mode === this.POINTS) {
        const last = drawn.get(this.canvas);
        drawn.set(this.canvas, { turn, points: points + (last && last.turn === turn ? last.points : 0) });
      }
      return arrays.call(this, mode, first, points);
    };
  }
  if (window.top !== window) return;
  const bench = window.bench = { bytes: 0, messages: 0, last: 0, pressed: 0, instances: -1 };
  const size = data => data.byteLength ?? data.size ?? data.length;
  const Socket = window.WebSocket;
  window.WebSocket = class extends Socket {
    constructor(...given) {
      super(...given);
      this.addEventListener('message', event => {
        bench.bytes += size(event.data);
        bench.messages++;
        bench.last = performance.now();
      });
    }
    send(data) { bench.bytes += size(data); return super.send(data); }
  };
  addEventListener('pointerdown', () => { bench.pressed = performance.now(); }, true);
  const draw = WebGL2RenderingContext.prototype.drawArraysInstanced;
  WebGL2RenderingContext.prototype.drawArraysInstanced = function (mode, first, count, instances) {
    bench.instances = instances;
    return draw.call(this, mode, first, count, instances);
  };

  bench.windows = (from = window, found = []) => {
    found.push(from);
    for (const frame of from.document.querySelectorAll('iframe')) {
      try { bench.windows(frame.contentWindow, found); } catch { /* of another origin */ }
    }
    return found;
  };
  const where = test => bench.windows().find(frame => { try { return test(frame); } catch { return false; } });
  const leaflet = frame => frame.map && frame.map._layers ? frame.map
    : frame.L && Object.keys(frame).filter(name => name.startsWith('map_'))
      .map(name => frame[name]).find(value => value instanceof frame.L.Map);
  bench.page = () => where(frame => frame.baita || leaflet(frame));
  bench.map = () => { const page = bench.page(); return page && (page.baita ? page.baita.map : leaflet(page)); };
  bench.http = () => {
    let sum = 0;
    for (const frame of bench.windows()) {
      for (const kind of ['resource', 'navigation']) {
        for (const entry of frame.performance.getEntriesByType(kind)) sum += entry.transferSize || 0;
      }
    }
    return sum;
  };

  const canvas = map => Object.values(map._layers).find(layer => layer._ctx && layer._layers);
  bench.painted = { // how many sites the picture has now
    ours: () => bench.page().baita.layer.stats.drawn,
    tutorial: () => {
      const drawn = canvas(bench.map()); // of the roads and areas, if there are any
      return bench.map().getPane('markerPane').childElementCount + (drawn ? Object.keys(drawn._layers).length : 0);
    },
    stock: () => Object.keys(canvas(bench.map())._layers).length,
    pydeck: () => bench.instances,
    stmap: () => bench.instances,
    explore: () => bench.map().getPane('overlayPane').querySelectorAll('path').length,
    swiftmap: () => {
      const shown = bench.windows().flatMap(frame => [...(frame.drawn || [])])
        .filter(([node]) => node.isConnected && node.checkVisibility());
      return shown.length ? shown.reduce((sum, [, last]) => sum + last.points, 0) : null;
    },
  };
  bench.kept = { ...bench.painted, ours: () => bench.page().baita.layer.visible().located.length };

  const frame = () => new Promise(requestAnimationFrame);
  bench.until = async (count, wanted, limit) => {
    const start = performance.now();
    let seen = null;
    while (performance.now() - start < limit) {
      try { seen = count(); } catch { seen = null; }
      if (seen === wanted) { await frame(); await frame(); return { at: performance.now(), seen }; }
      await frame();
    }
    return { at: null, seen };
  };
  bench.quiet = async (still, limit) => {
    const start = performance.now();
    let since = start;
    while (performance.now() - start < limit) {
      const app = document.querySelector('[data-testid="stApp"]');
      if (!app || app.dataset.testScriptState === 'running') since = performance.now();
      if (performance.now() - Math.max(since, bench.last) > still) return;
      await new Promise(done => setTimeout(done, 50));
    }
  };
  bench.frames = async length => {
    const times = [performance.now()];
    while (times[times.length - 1] - times[0] < length) { await frame(); times.push(performance.now()); }
    const gaps = times.slice(1).map((at, i) => at - times[i]);
    return { fps: 1000 * gaps.length / (times[times.length - 1] - times[0]), longest: Math.max(...gaps) };
  };
})();
"""


class DidNotFinish(Exception):
    """Something took longer than a person waits; the text says what."""


class Case:
    """One method at one size in one browser page."""

    def __init__(self, method: str, count: int, page: Page, server: Server) -> None:
        self.method, self.count, self.page, self.server = method, count, page, server
        self.off = ""  # the status that is switched off now
        self.clicks = 0
        self.idle = 0.0

    def run(self, clicks: int) -> Row:
        """Return everything measured; the order matters, as each part changes the page."""
        row: Row = {"method": self.method, "sites": self.count}
        row["first_map_s"] = self._first_map()
        row["server_mb"] = self.server.memory_mb()
        row["reload_s"] = self._reloads()
        self.idle = self._idle_share()
        row |= self._clicks(clicks)
        row |= self._quick_clicks(clicks)
        row |= self._pan()
        row["heap_mb"] = self._heap_mb()
        row["kept"] = self._kept()
        return row

    def _wait(self, wanted: int, what: str, probe: str = "painted") -> float:
        script = "([probe, method, n, limit]) => bench.until(bench[probe][method], n, limit)"
        asked = [probe, self.method, wanted, CLICK_LIMIT_S * 1000]
        found = self.page.evaluate(script, asked)
        if found["at"] is None:
            raise DidNotFinish(f"{what} > {CLICK_LIMIT_S} s (saw {found['seen']} of {wanted})")
        return float(found["at"])

    def _quiet(self) -> None:
        limit = CLICK_LIMIT_S * 1000
        self.page.evaluate("([still, limit]) => bench.quiet(still, limit)", [QUIET_MS, limit])

    def _first_map(self) -> float:
        """Return the seconds from starting the server to the painted map."""
        self.page.goto(self.server.url, wait_until="commit")
        self._wait(self.count, "first map")
        seconds = time.perf_counter() - self.server.started
        self._quiet()
        return seconds

    def _reloads(self) -> float:
        """Return the middle of a few; a slow page is not made slower by what those before it prepare."""
        if (first := self._reload()) > SLOW_S:
            return first
        for _ in range(CODE_CACHE_RELOADS - 1):
            self._reload()
        return statistics.median(self._reload() for _ in range(RELOADS))

    def _reload(self) -> float:
        self.page.reload(wait_until="commit")
        seconds = self._wait(self.count, "reload") / 1000
        self._quiet()
        return seconds

    def _idle_share(self) -> float:
        """Return which share of a core the server uses while nobody does anything (it looks at files)."""
        cpu, start = self.server.cpu_ms(), time.perf_counter()
        time.sleep(IDLE_S)
        return (self.server.cpu_ms() - cpu) / (time.perf_counter() - start) / 1000

    def _clicks(self, clicks: int) -> Row:
        start, runs = time.perf_counter(), [self._click(), self._click()]
        while len(runs) < clicks and time.perf_counter() - start < CLICKING_S:
            runs.append(self._click())
        # Costs add up, so the mean: half of a rival's answers come from Streamlit's cache of messages.
        costs = {key: statistics.mean(run[key] for run in runs) for key in runs[0]}
        times = [run["repaint_ms"] for run in runs]
        return {**costs, "repaint_ms": statistics.median(times), "all_repaint_ms": times}

    def _quick_clicks(self, clicks: int) -> Row:
        """Click on as a person does who looks at each picture for a moment: the app may not be at rest yet."""
        start, times = time.perf_counter(), []
        while len(times) < clicks and time.perf_counter() - start < CLICKING_S:
            times.append(self._press())
            time.sleep(LOOK_S)
        self._quiet()
        return {"quick_ms": statistics.median(times), "all_quick_ms": times}

    def _press(self, probe: str = "painted") -> float:
        """Switch a status off, or the one that is off on again, and return the milliseconds to the picture."""
        status = self.off or SWITCHED[self.clicks // 2 % len(SWITCHED)]
        self.off = "" if self.off else status
        self.clicks += 1
        wanted = left_without(status, self.count) if self.off else self.count
        self._switch(status).click(no_wait_after=True)
        painted = self._wait(wanted, "click", probe)
        return painted - float(self.page.evaluate("bench.pressed"))

    def _click(self, probe: str = "painted") -> Row:
        """Click once, wait until all has come to rest, and return what that took."""
        cpu, start, before = self.server.cpu_ms(), time.perf_counter(), self._traffic()
        repaint = self._press(probe)
        self._quiet()
        used, after = self.server.cpu_ms() - cpu, self._traffic()
        used -= self.idle * (time.perf_counter() - start) * 1000
        return {
            "repaint_ms": repaint,
            "bytes": after[0] - before[0],
            "messages": after[1] - before[1],
            "cpu_ms": max(0.0, used),
        }

    def _switch(self, status: str) -> Locator:
        if self.method == "ours":
            return self.page.locator(f'.chip[data-key="{status}"]')
        return self.page.locator(f".st-key-{status.replace('.', '-')} label")

    def _traffic(self) -> list[int]:
        found: list[int] = self.page.evaluate("[bench.bytes + bench.http(), bench.messages]")
        return found

    def _kept(self) -> str:
        """Return what a click leaves of the page in the frame and of where the map was moved to."""
        move = "bench.map().setView([41.25, 123.2], 13, { animate: false }); bench.page().token = 1"
        if self.method in UNASKED:
            return "–"
        self.page.evaluate(move)
        self._quiet()
        self._press("kept")
        self._quiet()
        view = "(m => [bench.page().token === 1, m.getZoom(), m.getCenter().lat])(bench.map())"
        same_page, zoom, latitude = self.page.evaluate(view)
        same_view = zoom == 13 and abs(latitude - 41.25) < 0.01
        return f"{'kept' if same_page else 'reloaded'}, view {'kept' if same_view else 'lost'}"

    def _pan(self) -> Row:
        """Drag the map about and count the page's animation frames."""
        selector = '[data-testid="stDeckGlJsonChart"]' if self.method in DECK else "iframe"
        box = self.page.locator(selector).first.bounding_box()
        if box is None:
            return {"pan_fps": None, "longest_frame_ms": None}
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        self.page.mouse.move(x, y)
        self.page.mouse.down()
        self.page.evaluate("length => { window.panned = bench.frames(length); }", PAN_S * 1000)
        start = time.perf_counter()
        while (now := time.perf_counter() - start) < PAN_S:
            self.page.mouse.move(x + 120 * math.sin(4 * now), y + 60 * math.sin(5.5 * now))
            time.sleep(0.008)
        found = self.page.evaluate("window.panned")
        self.page.mouse.up()
        self._quiet()
        return {"pan_fps": found["fps"], "longest_frame_ms": found["longest"]}

    def _heap_mb(self) -> float:
        """Return what JavaScript holds after a collection, array buffers included."""
        session = self.page.context.new_cdp_session(self.page)
        session.send("HeapProfiler.collectGarbage")
        used = session.send("Runtime.getHeapUsage")
        session.detach()
        return float(used["usedSize"] + used.get("backingStorageSize", 0)) / 1e6


@contextmanager
def started(method: str, count: int, work: Workspace, *, mixed: bool = False) -> Iterator[Server]:
    """Start the app, or a rival with Streamlit's own defaults."""
    ours, env = method == "ours", work.env(count, mixed=mixed)
    script, cwd = (ROOT / "app.py", ROOT) if ours else (RIVALS / "serve.py", RIVALS)
    log = work.folder / f"{method}-{count}.log"
    with Server(script, cwd, {**env, "BENCH_METHOD": method}, log) as server:
        yield server


def measure(
    method: str, count: int, clicks: int, work: Workspace, browser: Browser, *, mixed: bool = False
) -> Row:
    """Return the row of one method at one size; one that takes too long says so."""
    context = browser.new_context(viewport=SCREEN, locale="zh-CN")
    context.add_init_script(PROBE)
    page = context.new_page()
    try:
        work.env(count, mixed=mixed)  # makes the store, which is not part of the start
        with started(method, count, work, mixed=mixed) as server:
            return Case(method, count, page, server).run(clicks)
    except DidNotFinish as reason:
        return {"method": method, "sites": count, "stopped": str(reason)}
    finally:
        context.close()


def measure_all(
    methods: list[str], sizes: list[int], clicks: int, *, mixed: bool = False
) -> list[Row]:
    """Return one row for each method and size; after a size that a method does not finish, it stops."""
    rows: list[Row] = []
    with Workspace() as work, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for method in methods:
            for count in sizes:
                row = measure(method, count, clicks, work, browser, mixed=mixed)
                rows.append(row)
                print(json.dumps(row, ensure_ascii=False), flush=True)
                if "stopped" in row:
                    break
    return rows


# ---- the report -----------------------------------------------------------------------------------

HEAD = (
    "method", "sites", "click to repaint, ms", "from rest, ms", "kB per click", "messages", "server CPU per click, ms",
    "frame and view", "pan, frames/s", "page heap, MB", "first map, cold, s", "reload, s",
)  # fmt: skip


def table(rows: list[Row]) -> str:
    """Return the measurements as Markdown."""
    return markdown_table(HEAD, (_cells(row) for row in rows))


def _cells(row: Row) -> list[str]:
    start = [NAMES[row["method"]], show(row["sites"])]
    if "stopped" in row:
        return [*start, f"did not finish: {row['stopped']}", *[""] * (len(HEAD) - 3)]
    return [
        *start,
        show(row["quick_ms"]),
        show(row["repaint_ms"]),
        show(row["bytes"] / 1000, 1),
        show(row["messages"]),
        show(row["cpu_ms"], 1),
        row["kept"],
        show(row["pan_fps"]),
        show(row["heap_mb"], 1),
        show(row["first_map_s"], 2),
        show(row["reload_s"], 2),
    ]


def bars(rows: list[Row]) -> str:
    """Return the bars of DESIGN.md §6 beside what was measured, as Markdown."""
    lines = [list(line) for line in _bars({(r["method"], r["sites"]): r for r in rows})]
    return markdown_table(("bar", "wanted", "measured", "met"), lines)


def _bars(found: dict[tuple[str, int], Row]) -> Iterator[tuple[str, str, str, str]]:
    def of(method: str, count: int, name: str) -> float | None:
        return found.get((method, count), {}).get(name)

    def line(what: str, wanted: str, value: float | None, good: bool, digits: int = 1) -> Any:
        if value is None:
            return what, wanted, "not measured", "–"
        return what, wanted, show(value, digits), "yes" if good else "**no**"

    ours = [row for (method, _), row in found.items() if method == "ours" and "bytes" in row]
    for name, when in (("quick_ms", ""), ("repaint_ms", ", from rest")):
        base = of("ours", 1_000, name)
        for rival, least in (("tutorial", 100), ("stock", 2.5)):
            other = of(rival, 1_000, name)
            ratio = other / base if other and base else None
            what = f"repaint{when}, 1,000: {rival} / ours"
            yield line(what, f"≥ {least}", ratio, (ratio or 0) >= least)
        small, large = of("ours", 30, name), of("ours", 100_000, name)
        growth = large / small if small and large else None
        yield line(f"repaint{when}, 100,000 / 30", "≤ 1.3", growth, (growth or 9) <= 1.3, 2)
    kilobytes = max((row["bytes"] / 1000 for row in ours), default=None)
    yield line("kB per click, most", "≤ 3", kilobytes, (kilobytes or 9) <= 3)
    cpu = max((row["cpu_ms"] for row in ours), default=None)
    yield line("server CPU per click, most, ms", "≤ 15", cpu, (cpu or 99) <= 15)
    fps = of("ours", 100_000, "pan_fps")
    yield line("pan, 100,000, frames/s", "≥ 55", fps, (fps or 0) >= 55)
    heap = max((row["heap_mb"] for row in ours), default=None)
    yield line("page heap, most, MB", "≤ 30", heap, (heap or 99) <= 30)
    cold = of("ours", 100_000, "first_map_s")
    yield line("first map, cold, 100,000, s", "≤ 6", cold, (cold or 99) <= 6, 2)
    reload_s = max((row["reload_s"] for row in ours), default=None)
    yield line("reload, most, s", "≤ 0.6", reload_s, (reload_s or 9) <= 0.6, 2)


CHART = ROOT / ".readme" / "bench-map.svg"


def draw_chart(rows: list[Row], head: str) -> None:
    """Write the chart of click to repaint by number of sites; a method ends where it did not finish."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "bench"
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    for method in METHODS:
        points = [
            (r["sites"], r["quick_ms"]) for r in rows if r["method"] == method and "quick_ms" in r
        ]
        if points:
            own = method == "ours"
            name = NAMES[method].replace("*", "").replace("`", "")
            axes.plot(
                *zip(*points, strict=True), marker="o", linewidth=3 if own else 1.5, label=name
            )
    axes.set(
        xscale="log", yscale="log", xlabel="sites", ylabel="click to repaint, ms (less is better)"
    )
    axes.grid(visible=True, which="major", alpha=0.3)
    axes.legend(fontsize=8)
    axes.set_title(head, fontsize=6, loc="left", color="#57606a")
    figure.savefig(CHART, metadata={"Date": None})


def main() -> None:
    """Measure, print, and keep the report where asked."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sites", default=",".join(map(str, SIZES)))
    parser.add_argument("--methods", help="all that can, unless some are named")
    parser.add_argument(
        "--mixed", action="store_true", help="a third points, a third roads, a third areas"
    )
    parser.add_argument("--clicks", type=int, default=8)
    parser.add_argument("--json", type=Path)
    parser.add_argument(
        "--with",
        dest="before",
        type=Path,
        nargs="*",
        default=[],
        help="--json of runs to report too",
    )
    parser.add_argument("--markdown", type=Path)
    parser.add_argument("--readme", action="store_true", help="put the report into README.md")
    given = parser.parse_args()
    earlier = [json.loads(path.read_text()) for path in given.before]
    head = "; with rows of an earlier run: ".join(
        [f"{about()}; {given.clicks} clicks each", *(one["about"] for one in earlier)]
    )
    methods = given.methods.split(",") if given.methods else SHAPED if given.mixed else METHODS
    sizes = [int(n) for n in given.sites.split(",")]
    rows = measure_all(list(methods), sizes, given.clicks, mixed=given.mixed)
    measured = {(row["method"], row["sites"]) for row in rows}
    # What is measured anew replaces what was.
    before = {(row["method"], row["sites"]): row for one in earlier for row in one["rows"]}
    rows += [row for key, row in before.items() if key not in measured]
    rows.sort(key=lambda row: (METHODS.index(row["method"]), row["sites"]))
    report = f"{head}\n\n{table(rows)}\n"
    if not given.mixed:  # the bars are those of points
        report += f"\n{bars(rows)}\n"
    print(report)
    if given.json:
        given.json.write_text(
            json.dumps({"about": head, "rows": rows}, ensure_ascii=False, indent=1)
        )
    if given.markdown:
        given.markdown.write_text(report, encoding="utf-8")
    if given.readme and given.mixed:
        write_between_marks("bench_map_mixed", report)
    elif given.readme:
        draw_chart(rows, head)
        write_between_marks("bench_map", f"{report}\n![chart](../../.readme/{CHART.name})\n")


if __name__ == "__main__":
    main()
