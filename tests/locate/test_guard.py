"""The guard finds the datum of a batch from what is known of the district, or says that it cannot tell."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.draw.basemaps import district_outline
from geo.locate.datum import from_wgs84
from geo.locate.guard import HYPOTHESES, guard_batch

OUTLINE = district_outline("211002")
BATCHES = 240


def _streets(rng):
    """A town's grid, a little askew: streets every 150 to 400 m, as in 白塔区."""
    west, south, east, north = OUTLINE.bounds
    lines, at = [], west
    while at < east:
        lines.append(shapely.LineString([(at, south), (at + 0.004, north)]))
        at += rng.uniform(0.0018, 0.0048)
    at = south
    while at < north:
        lines.append(shapely.LineString([(west, at), (east, at - 0.003)]))
        at += rng.uniform(0.0014, 0.0036)
    return lines


def _beside(lines, rng, count, spread=18.0):
    """Sites along streets, some metres from their middle, and now and then one in a yard."""
    found = []
    while len(found) < count:
        line = lines[rng.integers(len(lines))]
        spot = line.interpolate(rng.uniform(0, 1), normalized=True)
        metres = spread if rng.uniform() > 0.1 else 150
        x, y = np.array([spot.x, spot.y]) + rng.normal(0, metres, 2) / [83_000, 111_000]
        if OUTLINE.contains(shapely.Point(x, y)):
            found.append((x, y))
    return np.array(found)


def _written(lonlat, datum, swapped):
    numbers = np.column_stack(from_wgs84(lonlat[:, 0], lonlat[:, 1], datum))
    return numbers[:, ::-1] if swapped else numbers


def test_the_guard_is_right_in_nineteen_of_twenty_batches_and_seldom_silent():
    right = wrong = silent = 0
    for seed in range(BATCHES):
        rng = np.random.default_rng(seed)
        roads = _streets(rng)
        datum = str(HYPOTHESES[seed % len(HYPOTHESES)])
        swapped = bool(rng.integers(2))
        lonlat = _beside(roads, rng, int(rng.integers(10, 40)))
        verdict = guard_batch(_written(lonlat, datum, swapped), OUTLINE, roads=roads)
        best = verdict.proposed
        if best is None:
            silent += 1
        elif (best.datum, best.swapped) == (datum, swapped):
            right += 1
        else:
            wrong += 1
    assert right / BATCHES >= 0.95
    assert wrong <= BATCHES * 0.02
    assert right + wrong + silent == BATCHES


@pytest.mark.parametrize("datum", [str(one) for one in HYPOTHESES])
def test_known_names_decide_without_any_road(datum):
    rng = np.random.default_rng(7)
    lonlat = _beside(_streets(rng), rng, 12)
    known = [
        shapely.Point(x + 0.0004, y) if n < 6 else None for n, (x, y) in enumerate(lonlat.tolist())
    ]
    best = guard_batch(_written(lonlat, datum, False), OUTLINE, known=known).proposed
    assert best is not None
    assert (best.datum, best.swapped) == (datum, False)
    assert best.place_m == pytest.approx(33, abs=3)


def test_with_an_outline_alone_points_in_the_middle_do_not_tell_and_it_says_so():
    lonlat = np.array([[123.18 + n * 0.001, 41.26 + n * 0.001] for n in range(12)])
    verdict = guard_batch(lonlat, OUTLINE)
    assert verdict.proposed is None
    fitting = {one.datum for one in verdict.hypotheses if one.inside == 12}
    assert {"wgs84", "gcj02"} <= fitting


def test_metres_and_swapped_axes_leave_one_reading():
    lonlat = np.array([[123.18, 41.26], [123.17, 41.25], [123.175, 41.27]])
    best = guard_batch(_written(lonlat, "epsg:4529", True), OUTLINE).proposed
    assert (best.datum, best.swapped, best.inside) == ("epsg:4529", True, 3)
    assert best.points == pytest.approx(lonlat, abs=1e-8)


def test_a_slip_in_one_row_does_not_change_the_verdict():
    rng = np.random.default_rng(3)
    roads = _streets(rng)
    numbers = _written(_beside(roads, rng, 20), "gcj02", False)
    numbers[4] = [116.4, 39.9]
    numbers[9] = [0.0, 0.0]
    best = guard_batch(numbers, OUTLINE, roads=roads).proposed
    assert (best.datum, best.inside) == ("gcj02", 18)


@pytest.mark.parametrize(
    "points", [np.empty((0, 2)), [[123.17, 41.26]], [[1e9, 1e9]] * 5, [[np.nan, 1]] * 4]
)
def test_too_little_is_no_verdict(points):
    assert guard_batch(points, OUTLINE).proposed is None


def test_a_city_elsewhere_is_not_made_to_fit():
    beijing = np.random.default_rng(1).normal([116.4, 39.9], 0.01, (20, 2))
    assert guard_batch(beijing, OUTLINE).proposed is None


def test_arrays_of_other_shapes_are_refused():
    with pytest.raises(ValueError, match="known places"):
        guard_batch([[123.1, 41.2]], OUTLINE, known=[None, None])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.floats(), st.floats()), max_size=12))
def test_no_numbers_break_it_and_counts_stay_within_the_batch(points):
    verdict = guard_batch(np.array(points, dtype="float64").reshape(-1, 2), OUTLINE)
    for one in verdict.hypotheses:
        assert 0 <= one.inside <= one.readable <= len(points)
        assert one.points.shape == (len(points), 2)
