"""Measure a bulk run: time and memory by rows and workers, whether the results are equal, and what follows for more.

    python tests/bench/bench_bulk.py [--rows 50000,200000,1000000] [--workers 1,2] [--places 5000] [--named 0.08]

An invented register: nine rows in ten have coordinates (WGS84 or BD-09); of a hundred four have a name the gazetteer
knows, two such a name with a slip, two a name nobody knows, one is faulty, one has an id that was there before,
mostly in another partition. `--named` makes more of them names, which is what costs. CPU is that of the driver and
all workers, for a machine that others use too. Every run is `python -m geo bulk` in processes of its own.
Results are compared part by part, byte for byte; the smallest size also with the single process.
"""

import argparse
import csv
import hashlib
import json
import math
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from _harness import BOX, ROOT, SEED, about, markdown_table, show, write_between_marks
from bench_geocoder import _typo, make_name, make_names

ROWS, WORKERS, PLACES = (50_000, 200_000, 1_000_000), (1, 2), 5_000
HEADER = "编号 类型 名称 状态 日期 地点 街道 经度 纬度 坐标系".split()
STATUSES = "已复工 部分复工 未复工 待核实".split()
PROVINCE = 10_000_000
Row = dict[str, Any]


# ---- what is read --------------------------------------------------------------------------------


def make_data(folder: Path, places: int) -> list[str]:
    """Write a data folder whose gazetteer has many places; return their names."""
    shutil.copytree(ROOT / "data", folder, ignore=shutil.ignore_patterns("samples"))
    r = random.Random(SEED)
    names = make_names(places, r)
    with (ROOT / "data" / "gazetteer.csv").open(encoding="utf-8", newline="") as own:
        columns = csv.DictReader(own).fieldnames
    assert columns
    with (folder / "gazetteer.csv").open("a", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, columns, restval="")
        for n, name in enumerate(names):
            lon, lat = r.uniform(BOX[0], BOX[2]), r.uniform(BOX[1], BOX[3])
            table.writerow(
                {
                    "place_id": f"bench-{n}",
                    "name": name,
                    "kind_hint": "place",
                    "lon": f"{lon:.6f}",
                    "lat": f"{lat:.6f}",
                    "precision": "poi",
                    "uncertainty_m": 50,
                    "adcode": "211002",
                    "landmark": 0,
                    "sketch": 0,
                    "needs_confirmation": 0,
                    "source": "bench",
                }
            )
    return names


def make_register(path: Path, rows: int, names: list[str], named: float) -> None:
    """Write a register; the first rows of a longer one are those of a shorter one."""
    r = random.Random(SEED + 1)
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(HEADER)
        for n in range(rows):
            table.writerow(_row(n, r, names, named))


def _row(n: int, r: random.Random, names: list[str], named: float) -> list[object]:
    site_id, status, draw = f"reg-{n:08d}", r.choice(STATUSES), r.random()
    day = f"2020-03-{n % 28 + 1:02d}"
    if draw < 0.98 - named:
        lon, lat = f"{r.uniform(BOX[0], BOX[2]):.6f}", f"{r.uniform(BOX[1], BOX[3]):.6f}"
        datum = r.choice(("wgs84", "bd09"))
        return [site_id, "企业", make_name(r), status, day, "", "", lon, lat, datum]
    name = r.choice(names)
    if draw < 0.98 - named / 2:
        pass
    elif draw < 0.98 - named / 4:
        name = _typo(name, r)
    elif draw < 0.98:
        name = make_name(r)
    elif draw < 0.99:
        status = "已复公"
    else:
        site_id = f"reg-{r.randrange(n + 1):08d}"
    return [site_id, "企业", name, status, day, "", "", "", "", ""]


# ---- one run -------------------------------------------------------------------------------------


def run(source: Path, target: Path, workers: int, env: dict[str, str]) -> Row:
    """Return what one bulk run took and what came of it."""
    began, before = time.perf_counter(), _children_s()
    words = [sys.executable, "-m", "geo", "bulk", str(source), "--to", str(target)]
    done = subprocess.run(
        [*words, "--workers", str(workers)], cwd=ROOT, env=env, capture_output=True, text=True
    )
    seconds = time.perf_counter() - began
    if done.returncode:
        raise RuntimeError(done.stderr)
    report = json.loads(done.stdout)
    digest = hashlib.sha256()
    for part in sorted(target.glob("part-*.parquet")):
        digest.update(part.read_bytes())
    busy = [
        json.loads(path.read_text())["seconds"]
        for path in (target / "_bulk" / "done").glob("*.json")
    ]
    size = sum(part.stat().st_size for part in target.glob("part-*.parquet"))
    return report | {
        "workers": workers,
        "seconds": seconds,
        "cpu_s": _children_s() - before,
        "locate_s": sum(busy),
        "digest": digest.hexdigest(),
        "mb": size / 1e6,
    }


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def single(source: Path, target: Path, env: dict[str, str]) -> bool:
    """Return whether the parts are the table that one process makes of the whole file."""
    return json.loads(
        subprocess.run(
            [sys.executable, "-c", _SINGLE, str(source), str(target)],
            cwd=ROOT,
            env=env,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    )


_SINGLE = """
import json, sys
from pathlib import Path
import geopandas as gpd, pandas as pd, shapely
from geo.locate import locate_sites
from geo.pipeline import locators_with
from geo.read import Limits, read_source
from geo.settings import load_settings
source, target = Path(sys.argv[1]), Path(sys.argv[2])
limits = Limits(max_bytes=10**10, max_rows=10**9, max_cells=10**12)
read = read_source(source, limits=limits, sandboxed=False)
sites = locate_sites(read.records, locators_with([], load_settings(), ahead=read.records))
got = pd.concat([gpd.read_parquet(p) for p in sorted(target.glob("part-*.parquet"))], ignore_index=True)
same = pd.DataFrame(got.drop(columns="geometry")).equals(pd.DataFrame(sites.drop(columns="geometry")))
shapes = [shapely.to_wkb(table.geometry.to_numpy()).tolist() for table in (got, sites)]
lines = (target / "_problems.jsonl").read_text("utf-8").splitlines()
same &= shapes[0] == shapes[1]
print(json.dumps(same and [json.loads(l) for l in lines] == [p.as_dict() for p in read.problems]))
"""


# ---- the report ----------------------------------------------------------------------------------


def slope(runs: list[Row], key: str, workers: int) -> tuple[float, float]:
    """Return seconds for each further row and the exponent b of rows**b, from the runs of some workers."""
    mine = [one for one in runs if one["workers"] == workers]
    rows, times = np.array([one["rows"] for one in mine]), np.array([one[key] for one in mine])
    if len(mine) < 2:
        return float(times[0] / rows[0]), math.nan
    return float(np.polyfit(rows, times, 1)[0]), float(
        np.polyfit(np.log(rows), np.log(times), 1)[0]
    )


def report(runs: list[Row], same: bool, about_data: str, workers: list[int]) -> str:
    """Return the tables as Markdown."""
    head = "rows workers time,s CPU,s rows/s worker_peak,MB located not_located problems shared_ids parts,MB".split()
    table = markdown_table(
        [name.replace("_", " ").replace(",", ", ") for name in head],
        [
            [
                show(one["rows"]),
                one["workers"],
                show(one["seconds"], 1),
                show(one["cpu_s"], 1),
                show(one["rows"] / one["seconds"]),
                show(one["peak_mb"]),
                show(one["located"]),
                show(one["not_located"]),
                show(one["problems"]),
                show(one["shared_ids"]),
                show(one["mb"], 1),
            ]
            for one in runs
        ],
    )
    by_rows: dict[int, set[str]] = {}
    for one in runs:
        by_rows.setdefault(one["rows"], set()).add(one["digest"])
    equal = all(len(digests) == 1 for digests in by_rows.values())
    lines = [f"{about()}. {about_data}.", "", table, ""]
    lines.append(
        f"- Results byte for byte the same with {workers} workers: **{'yes' if equal else 'no'}**."
    )
    lines.append(
        f"- The smallest is the table of the single process: **{'yes' if same else 'no'}**."
    )
    for count in workers:
        each, power = slope(runs, "seconds", count)
        cpu, _ = slope(runs, "cpu_s", count)
        lines.append(
            f"- {count} worker(s): {each * 1e6:,.0f} µs ({cpu * 1e6:,.0f} µs CPU) for each further row, "
            f"time ~ rows^{power:.2f}; "
            f"{PROVINCE:,} rows would take {each * PROVINCE / 3600:.1f} h ({cpu * PROVINCE / 3600:.1f} h CPU)."
        )
    return "\n".join(lines)


def main() -> None:
    """Run all sizes and print the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", default=",".join(map(str, ROWS)))
    parser.add_argument("--workers", default=",".join(map(str, WORKERS)))
    parser.add_argument("--places", type=int, default=PLACES)
    parser.add_argument("--named", type=float, default=0.08, help="share of rows with a name only")
    parser.add_argument("--readme", action="store_true")
    chosen = parser.parse_args()
    sizes = [int(word) for word in chosen.rows.split(",")]
    workers = [int(word) for word in chosen.workers.split(",")]
    runs, same = [], False
    with tempfile.TemporaryDirectory(prefix="baita-bulk-") as temporary:
        folder = Path(temporary)
        names = make_data(folder / "data", chosen.places)
        own = {"BAITA_DATA": str(folder / "data"), "BAITA_STORE": str(folder / "baita.gpkg")}
        env = {**os.environ, **own, "PYTHONPATH": str(ROOT)}
        for size in sizes:
            source = folder / f"register-{size}.csv"
            make_register(source, size, names, chosen.named)
            for count in workers:
                target = folder / f"out-{size}-{count}"
                runs.append(run(source, target, count, env))
                print({k: v for k, v in runs[-1].items() if k != "partitions"}, file=sys.stderr)
            if size == min(sizes):
                same = single(source, target, env)
    about_data = (
        f"Gazetteer of {chosen.places:,} places; {chosen.named:.0%} of the rows have a name only"
    )
    text = report(runs, same, about_data, workers)
    print(text)
    if chosen.readme:
        write_between_marks("bench_bulk", text)


if __name__ == "__main__":
    main()
