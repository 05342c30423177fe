"""Measure the time bar: a day's table in Python, and in real headless Chromium a day's map and a click on a chip.

    python tests/bench/bench_timeline.py [--sites 100000]

The sites are those of the other benches, stated again on three days: each time every third changes its status.
A day is timed from the slider's input to the second animation frame after the map was painted with that day's data.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from datetime import date

import numpy as np
import pandas as pd
from _harness import ROOT, Server, Workspace, about, markdown_table, show
from playwright.sync_api import Page, sync_playwright

from geo import bootstrap
from geo.category import load_categories
from geo.draw.site_layer import compress, pack_sites
from geo.store import open_store
from geo.timeline import Timeline
from geo.view import SiteFilter

DAYS = (date(2020, 3, 4), date(2020, 3, 11), date(2020, 3, 18))
ROUNDS = 5
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-extensions"]
MAP = "document.querySelector('iframe.baita-map').contentWindow.baita"
ASK = """([act, done]) => new Promise(answer => {
  const page = document.querySelector('iframe.baita-map').contentWindow.baita, started = performance.now();
  const ask = new Function('page', act), ready = new Function('page', 'return ' + done);
  const told = () => answer(performance.now() - started);
  const frame = requestAnimationFrame;
  const look = () => { if (ready(page)) frame(() => frame(told)); else setTimeout(look, 4); };
  ask(page);
  look();
})"""


def state_days(url: str) -> None:
    """Save the sites of a store again for each day, every third with another status."""
    with open_store(url) as store:
        sites, categories = store.read_sites(), load_categories()
        following = {
            f"{kind.code}.{one.code}": kind.statuses[(n + 1) % len(kind.statuses)].code
            for kind in categories
            for n, one in enumerate(kind.statuses)
        }
        for turn, day in enumerate(DAYS):
            moment = pd.Series(np.datetime64(day, "ms"), index=sites.index)
            changed = np.arange(len(sites)) % 3 == turn
            status = (sites["kind"] + "." + sites["status"]).map(following)
            sites = sites.assign(as_of=moment, status=sites["status"].mask(changed, status))
            store.save_sites(sites, who="bench")


def timed(run: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Return the median time of some runs in milliseconds."""
    spent = []
    for _ in range(rounds):
        started = time.perf_counter()
        run()
        spent.append((time.perf_counter() - started) * 1000)
    return statistics.median(spent)


def in_python(url: str) -> list[tuple[str, float]]:
    """Return what a day costs without a browser."""
    with open_store(url) as store:
        sites, categories = store.read_sites(), load_categories()
        changes = store.statement_changes()
        read = timed(store.statement_changes, 3)
    timeline = Timeline(sites, changes, categories)
    then = timeline.at(DAYS[1])
    return [
        ("read the changes", read),
        ("replay them", timed(lambda: Timeline(sites, changes, categories))),
        ("table of a day", timed(lambda: timeline.at(DAYS[1]))),
        ("changes between two days", timed(lambda: timeline.changes(DAYS[0], DAYS[1]))),
        ("trend", timed(lambda: timeline.trend(categories, SiteFilter()))),
        ("positions of a day, gzip", timed(lambda: compress(pack_sites(then, categories)))),
    ]


def in_browser(page: Page) -> list[tuple[str, float]]:
    """Return what a visitor waits for; the first look at a day, then days that were looked at."""

    def day(value: str) -> float:
        done = f"page.state.as_of === '{value}' && page.layer.stats.ms > 0 && !page.layer._frame"
        return page.evaluate(ASK, [f"page.time.go('{value}')", done])

    first = [day(one.isoformat()) for one in reversed(DAYS[:2])]
    again = [day(one.isoformat() if one else "") for _ in range(3) for one in (*DAYS[:2], None)]
    compare = page.evaluate(
        ASK, ["page.time.compare(true)", "page.layer._old && !page.layer._frame"]
    )
    page.wait_for_timeout(1500)
    return [
        ("first look at a day", max(first)),
        ("again", statistics.median(again)),
        ("compare with the day before", compare),
        ("painting with rings", page.evaluate(f"{MAP}.layer.stats.ms")),
        ("rings", page.evaluate(f"{MAP}.layer.ringed")),
    ]


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--sites", type=int, default=100_000)
    count = parser.parse_args().sites
    with Workspace() as work, sync_playwright() as playwright:
        env = work.env(count)
        state_days(env["BAITA_STORE"])
        rows = in_python(env["BAITA_STORE"])
        with Server(ROOT / "app.py", ROOT, env, work.folder / "app.log") as server:
            browser = playwright.chromium.launch(
                executable_path=str(bootstrap.ensure_chromium()), args=FLAGS
            )
            page = browser.new_page(viewport={"width": 1600, "height": 900})
            page.goto(server.url)
            page.wait_for_function(
                f"() => {{ try {{ return {MAP}.time.days.length > 2; }} catch {{ return false; }} }}",
                timeout=120_000,
            )
            page.wait_for_timeout(2000)
            rows += in_browser(page)
            browser.close()
    print(about())
    print(
        markdown_table(("what", f"{count:,} sites"), [(name, show(value)) for name, value in rows])
    )


if __name__ == "__main__":
    main()
