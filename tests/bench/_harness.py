"""What the map benches share: synthetic sites, a server and what it costs, tables.

Nothing here is specific to one way of drawing: every method gets the same stored sites.
"""

import os
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import psutil
import shapely

ROOT = Path(__file__).resolve().parents[2]
README = Path(__file__).with_name("README.md")
RIVALS = Path(__file__).with_name("rivals")
sys.path.insert(0, str(ROOT))  # so that `python tests/bench/bench_map.py` finds geo

SEED = 20200311
BOX = (123.09, 41.20, 123.27, 41.33)  # around Baita, degrees
TOWNS = 40
SPREAD = 0.006  # degrees around each town
SWITCHED = ("enterprise.resumed", "project.building", "parking.cleared", "enterprise.stopped")
START_S = 90

Row = dict[str, Any]


# ---- sites ----------------------------------------------------------------------------------------


def make_points(count: int, *, mixed: bool = False) -> Any:
    """Return a site table of points in 40 clusters, every status equally often.

    With `mixed`, a third are points, a third roads of five corners, a third areas of six.
    """
    from geo.category import load_categories
    from geo.site import make_sites

    random = np.random.default_rng(SEED)
    statuses = load_categories().statuses
    towns = random.uniform(BOX[:2], BOX[2:], (TOWNS, 2))
    town = random.integers(0, TOWNS, count)
    places = shapely.points(towns[town] + random.normal(0, SPREAD, (count, 2)))
    if mixed:
        places = _roads_and_areas(places, random)
    chosen = random.permutation(np.arange(count) % len(statuses))
    days = random.integers(1, 29, count)
    return make_sites(
        {
            "site_id": f"bench-{i:06d}",
            "kind": statuses[chosen[i]].kind,
            "name": f"示范单位{i:06d}号",
            "status": statuses[chosen[i]].code,
            "as_of": date(2020, 2, int(days[i])),
            "place": f"第{town[i]:02d}社区建设大街{i % 1999}号",
            "street": f"第{town[i] % 9 + 1}街道",
            "source_file": "bench.csv",
            "source_where": f"第{i + 2}行",
            "precision": "poi",
            "uncertainty_m": 30.0,
            "match_method": "source",
            "match_score": 100.0,
            "geometry": places[i],
        }
        for i in range(count)
    )


def _roads_and_areas(places: Any, random: np.random.Generator) -> Any:
    """Return the places with every second third drawn out to a road of 400 m or so, every last to an area of 150 m."""
    centres = shapely.get_coordinates(places)
    roads, areas = centres[1::3], centres[2::3]
    turn = random.uniform(0, 2 * np.pi, len(roads))
    along = np.linspace(-0.002, 0.002, 5)
    bends = random.normal(0, 0.0002, (len(roads), 5))
    x = np.cos(turn)[:, None] * along - np.sin(turn)[:, None] * bends
    y = np.sin(turn)[:, None] * along + np.cos(turn)[:, None] * bends
    around = np.arange(6) * np.pi / 3
    size = random.uniform(0.0003, 0.0012, (len(areas), 6))
    corners = np.stack([np.cos(around) * size * 1.3, np.sin(around) * size], axis=2)
    shapes = np.array(places)
    shapes[1::3] = shapely.linestrings(roads[:, None, :] + np.stack([x, y], axis=2))
    shapes[2::3] = shapely.polygons(areas[:, None, :] + corners)
    return shapes


def left_without(status: str, count: int) -> int:
    """Return how many of `make_points(count)` stay when a status is off."""
    from geo.category import load_categories

    codes = load_categories().codes
    return count - len(range(codes[status], count, len(codes)))


class Workspace:
    """A temporary folder with a store for each size, and a data folder that brings no sites."""

    def __init__(self) -> None:
        self._temporary = tempfile.TemporaryDirectory(prefix="baita-bench-")
        self.folder = Path(self._temporary.name)
        self.data = self.folder / "data"
        self.data.mkdir()
        for name in ("categories.toml", "gazetteer.csv"):
            shutil.copy(ROOT / "data" / name, self.data)
        for name in ("sites.csv", "claims.csv"):
            with open(ROOT / "data" / name, encoding="utf-8") as file:
                (self.data / name).write_text(file.readline(), encoding="utf-8")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._temporary.cleanup()

    def env(self, count: int, *, mixed: bool = False) -> dict[str, str]:
        """Return the environment for a server that shows `count` sites; see `make_points`."""
        from geo.pipeline import prepare_store
        from geo.settings import load_settings

        path = self.folder / f"{count}{'-mixed' if mixed else ''}" / "bench.gpkg"
        own = {"BAITA_STORE": str(path), "BAITA_DATA": str(self.data), "BAITA_LANGUAGE": "zh"}
        if not path.exists():
            path.parent.mkdir()
            # As a first start does, so that the server's own start finds nothing left to fill in.
            with prepare_store(load_settings(own)) as store:
                store.save_sites(make_points(count, mixed=mixed), who="bench")
        return {**os.environ, **own, "PYTHONPATH": str(ROOT)}


# ---- a server -------------------------------------------------------------------------------------


class Server:
    """`streamlit run` in a process of its own. Use it in a `with` statement.

    Parameters
    ----------
    script
        What to run.
    cwd
        Where: Streamlit reads `.streamlit/config.toml` there.
    env
        Its environment.
    log
        Where its output goes.
    """

    def __init__(self, script: Path, cwd: Path, env: dict[str, str], log: Path) -> None:
        self.port, self.log = _free_port(), log
        self.url = f"http://127.0.0.1:{self.port}/"
        options = {"port": self.port, "address": "127.0.0.1", "headless": "true"}
        self._command = [sys.executable, "-m", "streamlit", "run", str(script)]
        self._command += [f"--server.{name}={value}" for name, value in options.items()]
        self._command += ["--server.fileWatcherType=none", "--browser.gatherUsageStats=false"]
        self._cwd, self._env = cwd, env

    def __enter__(self) -> Self:
        self.started = time.perf_counter()
        with open(self.log, "w", encoding="utf-8") as log:
            self._process = subprocess.Popen(
                self._command, cwd=self._cwd, env=self._env, stdout=log, stderr=subprocess.STDOUT
            )
        self._watched = psutil.Process(self._process.pid)
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _wait(self) -> None:
        while time.perf_counter() - self.started < START_S:
            try:
                with urllib.request.urlopen(self.url + "_stcore/health", timeout=2):
                    return
            except OSError:
                if self._process.poll() is not None:
                    break
                time.sleep(0.02)
        raise RuntimeError(f"the server did not start; see {self.log}")

    def stop(self) -> None:
        """End the process; one that is too busy to listen is killed."""
        self._process.terminate()
        try:
            self._process.wait(3)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def cpu_ms(self) -> float:
        """Return the CPU time of the process so far, all threads, in milliseconds."""
        if sys.platform == "linux":  # the process's own clock: psutil counts in steps of 10 ms
            return time.clock_gettime((~self._process.pid << 3) | 2) * 1000
        times = self._watched.cpu_times()
        return (times.user + times.system) * 1000

    def memory_mb(self) -> float:
        """Return the resident memory of the process in MB."""
        return self._watched.memory_info().rss / 1e6


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# ---- what comes out -------------------------------------------------------------------------------


def about() -> str:
    """Return the machine, its load and the day, for the head of a table."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        models = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        cpu = models[0].split(":", 1)[1].strip() if models else cpu
    memory = psutil.virtual_memory().total / 2**30
    load, priority = psutil.getloadavg()[0], psutil.Process().nice()
    return (
        f"{date.today().isoformat()}, {os.cpu_count()} × {cpu}, {memory:.0f} GiB, "
        f"Python {platform.python_version()}, load before the run {load:.1f}, "
        f"priority (nice) {priority}"
    )


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table; the first column is text, the others are numbers."""
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def write_between_marks(name: str, text: str) -> None:
    """Put a report into the README between `<!-- name -->` and `<!-- /name -->`."""
    start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    before, rest = README.read_text(encoding="utf-8").split(start, 1)
    after = rest.split(end, 1)[1]
    README.write_text(f"{before}{start}\n{text.strip()}\n{end}{after}", encoding="utf-8")


def show(value: float | None, digits: int = 0) -> str:
    """Return a number with thousands separated, or a dash."""
    return "–" if value is None else f"{value:,.{digits}f}"
