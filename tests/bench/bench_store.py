"""Print how fast both stores write and find, beside a file that is rewritten through pyogrio.

    python -m tests.bench.bench_store [--full] [--stores gpkg,postgis] [--readme]

1,000 and 100,000 sites, with --full 1,000,000 too. One update is one status of one site with its
history, on the disk when it returns; one query is a window of 1 % of the area and one status. Wall
clock in milliseconds, median / 95th percentile; CPU time of this process beside it, because neighbours
on the machine and its disk count in the first and not in the second. `fdatasync` is what the disk
alone takes. PostGIS is the server of BAITA_TEST_POSTGIS, or a private one on this machine; `copy` is the
command in a process of its own, with the most memory that process had.
"""

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import shapely

from geo.category import load_categories
from geo.site import make_sites
from geo.store import SiteStore, open_store
from tests.bench._harness import ROOT, about, write_between_marks
from tests.postgres_server import give_server

UPDATE_MS = 1.0  # DESIGN.md §6, at a million sites
QUERY_MS = 25.0
BOX = (123.09, 41.20, 123.27, 41.33)  # around Baita, degrees
SEED = 20200311


def _sites(count: int) -> gpd.GeoDataFrame:
    random = np.random.default_rng(SEED)
    statuses = load_categories().statuses
    chosen = [statuses[i] for i in random.integers(0, len(statuses), count)]
    return make_sites(
        pd.DataFrame(
            {
                "site_id": [f"bench-{i}" for i in range(count)],
                "kind": [s.kind for s in chosen],
                "name": [f"示范单位{i}号" for i in range(count)],
                "status": [s.code for s in chosen],
                "as_of": pd.Timestamp("2020-03-11"),
                "place": "新华路",
                "street": random.choice(["南门街道", "星火街道", ""], count),
                "source_file": "bench.csv",
                "source_where": [f"第 {i + 2} 行" for i in range(count)],
                "precision": "poi",
                "uncertainty_m": 30.0,
                "match_method": "given",
                "match_score": 100.0,
                "geometry": shapely.points(random.uniform(BOX[:2], BOX[2:], (count, 2))),
            }
        )
    )


def _timed(run: Callable[[], Any], rounds: int) -> tuple[float, float, float]:
    """Return the median and 95th percentile of the wall clock and the median CPU time, in ms."""
    wall, cpu = [], []
    for _ in range(rounds):
        start, busy = time.perf_counter(), time.process_time()
        run()
        cpu.append(time.process_time() - busy)
        wall.append(time.perf_counter() - start)
    return (*(np.percentile(wall, (50, 95)) * 1000).tolist(), float(np.median(cpu)) * 1000)


def _update(store: SiteStore, count: int) -> tuple[float, float, float]:
    random = np.random.default_rng(1)
    chosen = iter(random.permutation(count)[:400].tolist())
    categories = load_categories()
    wall: list[tuple[float, float]] = []
    for number in chosen:
        site = store.site(f"bench-{number}")
        others = categories.kind(site["kind"]).statuses
        status = next(s.code for s in others if s.code != site["status"])
        start, busy = time.perf_counter(), time.process_time()
        store.update_site(site["site_id"], {"status": status}, version=site["version"], who="b")
        wall.append((time.perf_counter() - start, time.process_time() - busy))
    clock, cpu = np.array(wall).T * 1000
    return float(np.median(clock)), float(np.percentile(clock, 95)), float(np.median(cpu))


def _windows() -> Callable[[], tuple[float, float, float, float]]:
    random = np.random.default_rng(2)
    width, height = (BOX[2] - BOX[0]) / 10, (BOX[3] - BOX[1]) / 10

    def window() -> tuple[float, float, float, float]:
        x, y = random.uniform(BOX[:2], (BOX[2] - width, BOX[3] - height)).tolist()
        return (x, y, x + width, y + height)

    return window


def _fdatasync(folder: Path) -> tuple[float, float, float]:
    """Return what it takes to bring 40 kB, about one update, to this disk."""
    with (folder / "sync").open("wb", buffering=0) as file:

        def sync() -> None:
            file.write(b"x" * 40_000)
            getattr(os, "fdatasync", os.fsync)(file.fileno())

        return _timed(sync, 200)


def _rewrite(path: Path) -> None:
    """Change one cell as an app does that has no store: read the layer, write the layer."""
    layer = pyogrio.read_dataframe(path, layer="sites")
    layer.loc[0, "note"] = str(time.perf_counter())
    pyogrio.write_dataframe(layer, path, layer="sites", driver="GPKG")


Times = tuple[float, float, float]
STORES = {"gpkg": "GeoPackage", "postgis": "PostGIS"}


def _measure(store: SiteStore, sites: gpd.GeoDataFrame) -> dict[str, Times]:
    """Return what each thing takes on one store, which is empty before."""
    count, window = len(sites), _windows()
    rounds = 1 if count > 100_000 else 3
    return {
        "save, all new": _timed(lambda: store.save_sites(sites, who="b"), 1),
        "save again, nothing changed": _timed(lambda: store.save_sites(sites, who="b"), 1),
        "read all": _timed(store.read_sites, rounds),
        "data version": _timed(store.data_version, 500),
        "update one status": _update(store, count),
        "query box + status": _timed(lambda: store.query_sites(window(), status="resumed"), 60),
    }


def _rewriting(plain: Path, count: int) -> dict[str, Times]:
    """Return what an app without a store takes, on a copy that nobody has open (see geopackage.py)."""
    window, rounds = _windows(), 1 if count > 100_000 else 3

    def query() -> Any:
        where = "status = 'resumed'"
        return pyogrio.read_dataframe(plain, layer="sites", bbox=window(), where=where)

    return {
        "pyogrio: query box + status": _timed(query, 20),
        "pyogrio: change one by rewriting": _timed(lambda: _rewrite(plain), rounds),
    }


def _copy(source: str, target: str) -> tuple[float, float]:
    """Return the seconds and the most megabytes of `python -m geo copy`."""
    code = (
        "import sys; from geo.__main__ import main; "
        "main(['copy', '--from', sys.argv[1], '--to', sys.argv[2]]); "
        # Not getrusage: it counts what this process had before the other began.
        "print(open('/proc/self/status').read().split('VmHWM:')[1].split()[0], file=sys.stderr)"
    )
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code, source, target], cwd=ROOT, capture_output=True, text=True
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-500:])
    return time.perf_counter() - start, int(done.stderr.split()[-1]) / 1000


def _tell(count: int, what: str, where: str, times: Times) -> None:
    print(
        f"{count:>9,} {what:<34} {where:<11}" + "".join(f"{t:>11,.2f}" for t in times), flush=True
    )


def _run(folder: Path, count: int, urls: dict[str, str]) -> tuple[dict[str, Any], list[str]]:
    """Return the times by store, and lines about copying."""
    sites, found, lines = _sites(count), dict[str, Any](), list[str]()
    for name, url in urls.items():
        with open_store(url) as store:
            found[name] = _measure(store, sites)
            if name == "gpkg":
                store.backup(folder / f"{count}-plain.gpkg")
        for what, times in found[name].items():
            _tell(count, what, STORES[name], times)
    del sites
    if "gpkg" in urls:
        found["pyogrio"] = _rewriting(folder / f"{count}-plain.gpkg", count)
        for what, times in found["pyogrio"].items():
            _tell(count, what, "", times)
    if "postgis" in urls and "gpkg" in urls:
        there, back = urls["postgis"] + "_copy", str(folder / f"{count}-back.gpkg")
        for source, target, way in (
            (urls["gpkg"], there, "to PostGIS"),
            (there, back, "back to a file"),
        ):
            seconds, megabytes = _copy(source, target)
            lines.append(f"copy of {count:,} sites {way}: {seconds:.1f} s, {megabytes:,.0f} MB")
            print(lines[-1], flush=True)
    return found, lines


def _table(sizes: list[int], results: list[dict[str, Any]], stores: list[str]) -> str:
    """Return the report in Markdown: median / p95 / CPU of this process, in milliseconds."""
    lines = [
        "| sites | ms: median / p95 / CPU here | " + " | ".join(map(STORES.get, stores)) + " |"
    ]
    lines.append("| --: | --- |" + " --: |" * len(stores))
    for count, found in zip(sizes, results, strict=True):
        for what in found[stores[0]]:
            cells = [" / ".join(f"{t:,.2f}" for t in found[name][what]) for name in stores]
            lines.append(f"| {count:,} | {what} | " + " | ".join(cells) + " |")
        for what, times in found.get("pyogrio", {}).items():
            cell = " / ".join(f"{t:,.2f}" for t in times)
            lines.append(f"| {count:,} | {what} | {cell} |" + " – |" * (len(stores) - 1))
    return "\n".join(lines)


def _bars(found: dict[str, Any], stores: list[str]) -> tuple[bool, str]:
    met, said = True, []
    for name in stores:
        update, query = (
            found[name][what][0] for what in ("update one status", "query box + status")
        )
        met &= update <= UPDATE_MS and query <= QUERY_MS
        said.append(f"{STORES[name]}: update {update:.2f} ms, query {query:.2f} ms")
    return met, f"bars {UPDATE_MS} ms and {QUERY_MS} ms; " + "; ".join(said)


def main(sizes: list[int], stores: list[str], *, readme: bool) -> bool:
    """Print the tables and return whether the bars of DESIGN.md are met at the largest size."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="baita-bench-")))
        head = about()
        disk = _fdatasync(folder)
        sync = f"fdatasync of 40 kB alone: {disk[0]:.2f} ms, p95 {disk[1]:.2f} ms"
        print(head, sync, sep="\n", flush=True)
        address = ""
        if "postgis" in stores:
            address, server = give_server()
            if server is not None:
                stack.callback(server.__exit__)
        results, copies = [], []
        for count in sizes:
            join = "&" if "?" in address else "?"
            urls = {"gpkg": str(folder / f"{count}.gpkg")}
            urls["postgis"] = f"{address}{join}schema=bench_{os.getpid()}_{count}"
            found, lines = _run(folder, count, {name: urls[name] for name in stores})
            results.append(found)
            copies += lines
    met, bars = _bars(results[-1], stores)
    print("\n" + bars)
    if readme:
        parts = [head, _table(sizes, results, stores), "; ".join([sync, *copies]), bars]
        write_between_marks("bench_store", "\n\n".join(parts))
    return met


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true", help="a million sites too")
    parser.add_argument("--stores", default="gpkg,postgis", help="which, with a comma between")
    parser.add_argument("--readme", action="store_true", help="put the report into README.md")
    given = parser.parse_args()
    million = [1_000_000] if given.full else []
    chosen = given.stores.split(",")
    sys.exit(not main([1000, 100_000, *million], chosen, readme=given.readme))
