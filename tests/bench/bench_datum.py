"""Print how fast and how exact the datum conversions are, beside a loop over GeoToolCN.

    python -m tests.bench.bench_datum [points]

One process, one core; CPU seconds, so that neighbours on the machine count little. Times are the
best of five; the loop is timed on 50,000 of the points. The error is the longest way between a
point and itself there and back, in metres.
"""

import os
import sys
import time
from collections.abc import Callable
from typing import Any

import GeoToolCN
import numpy as np
from pyproj import Geod

from geo.locate.datum import FloatArray, from_wgs84, to_wgs84

SECONDS_ALLOWED = 1.5  # DESIGN.md §6, for a million inverse points
METRES_ALLOWED = 1e-6
LOOP_POINTS = 50_000

Pair = tuple[FloatArray, FloatArray]
RIVALS = {
    "gcj02": (GeoToolCN.wgs84_to_gcj02, GeoToolCN.gcj02_to_wgs84),
    "bd09": (GeoToolCN.wgs84_to_bd09, GeoToolCN.bd09_to_wgs84),
}


def _best(run: Callable[..., Pair], *arguments: Any, rounds: int) -> tuple[float, Pair]:
    """Return the shortest CPU time in seconds and the last answer."""
    seconds = []
    for _ in range(rounds):
        start = time.process_time()
        answer = run(*arguments)
        seconds.append(time.process_time() - start)
    return min(seconds), answer


def _loop(
    step: Callable[[float, float], tuple[float, float]], xs: FloatArray, ys: FloatArray
) -> Pair:
    pairs = [step(x, y) for x, y in zip(xs.tolist(), ys.tolist(), strict=True)]
    return np.array([p[0] for p in pairs]), np.array([p[1] for p in pairs])


def _worst_m(points: Pair, back: Pair) -> float:
    return float(Geod(ellps="WGS84").inv(*points, *back)[2].max())


def _row(name: str, points: int, seconds: float, error_m: float | None) -> None:
    error = "" if error_m is None else f"{error_m:.1e}"
    print(f"{name:<32}{points:>10,}{seconds:>10.3f}{points / seconds:>15,.0f}{error:>14}")


def main(points: int = 1_000_000) -> bool:
    """Print the table and return whether the bars of DESIGN.md are met."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    random = np.random.default_rng(20200311)
    wgs = random.uniform(73.5, 134.8, points), random.uniform(18.0, 53.6, points)
    few = min(points, LOOP_POINTS)
    some = wgs[0][:few], wgs[1][:few]
    met = True
    print(f"{'':<32}{'points':>10}{'CPU s':>10}{'points/s':>15}{'error, m':>14}")
    for datum, (forward, inverse) in RIVALS.items():
        seconds, raw = _best(from_wgs84, *wgs, datum, rounds=5)
        _row(f"{datum} forward  ours", points, seconds, None)
        seconds_loop, raw_loop = _best(_loop, forward, *some, rounds=2)
        _row(f"{datum} forward  GeoToolCN loop", few, seconds_loop, None)
        seconds, back = _best(to_wgs84, *raw, datum, rounds=5)
        _row(f"{datum} inverse  ours", points, seconds, error := _worst_m(wgs, back))
        met &= seconds <= SECONDS_ALLOWED * points / 1e6 and error <= METRES_ALLOWED
        seconds_loop, back_loop = _best(_loop, inverse, *raw_loop, rounds=2)
        _row(f"{datum} inverse  GeoToolCN loop", few, seconds_loop, _worst_m(some, back_loop))
    verdict = "met" if met else "MISSED"
    print(f"bars ({SECONDS_ALLOWED} s per million inverse, {METRES_ALLOWED} m): {verdict}")
    return met


if __name__ == "__main__":
    sys.exit(0 if main(*map(int, sys.argv[1:2])) else 1)
