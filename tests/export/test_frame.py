"""What a sheet shows, and how long a metre is on it."""

import math

import numpy as np
import pytest
from export_samples import OUTLINE, make_grid, make_site
from hypothesis import given
from hypothesis import strategies as st

from geo.export.frame import PRESETS, Box, choose_frame, to_mercator
from geo.site import make_sites

BOX = Box(0, 46, 700, 470)


@pytest.mark.parametrize(
    ("name", "pixels"),
    [
        ("16:9-720", (1280, 720)),
        ("16:9-1080", (1920, 1080)),
        ("16:9-4k", (3840, 2160)),
        ("a4", (3508, 2480)),
        ("a3", (4961, 3508)),
    ],
)
def test_a_preset_is_exactly_so_many_pixels(name, pixels):
    assert (PRESETS[name].width_px, PRESETS[name].height_px) == pixels


def test_all_wide_sheets_are_one_slide_in_size():
    wide = [p for p in PRESETS.values() if p.name.startswith("16:9")]
    assert {(p.width, p.height) for p in wide} == {(960.0, 540.0)}


def test_mercator_of_known_places():
    assert to_mercator([(0, 0)]).tolist() == [[0, 0]]
    assert to_mercator([(180, 0)])[0, 0] == pytest.approx(20037508.34, abs=0.01)
    assert to_mercator([(0, 85.0511287798)])[0, 1] == pytest.approx(20037508.34, abs=2e5)


@given(
    st.lists(st.tuples(st.floats(123.14, 123.22), st.floats(41.23, 41.29)), min_size=1, max_size=20)
)
def test_every_site_lies_inside_the_frame_that_was_chosen_for_it(places):
    sites = make_sites(make_site(n, *place) for n, place in enumerate(places))
    x, y = choose_frame(sites, BOX, outline=OUTLINE).to_sheet(places).T
    assert (x >= BOX.x).all()
    assert (x <= BOX.right).all()
    assert (y >= BOX.y).all()
    assert (y <= BOX.bottom).all()


def test_north_is_up_and_east_is_right():
    frame = choose_frame(make_grid(9), BOX, outline=OUTLINE)
    south_west, north_east = frame.to_sheet([(123.15, 41.24), (123.18, 41.27)])
    assert north_east[0] > south_west[0]
    assert north_east[1] < south_west[1]


def test_the_scale_bar_is_a_round_length_that_is_true_on_the_ground():
    frame = choose_frame(make_grid(100), BOX, outline=OUTLINE)
    metres = frame.scale_bar_m
    assert metres / 10 ** math.floor(math.log10(metres)) in (1, 2, 5)
    # Along the parallel through the middle: 1 degree of longitude is 111,319.49 m times the cosine.
    lat = math.degrees(math.asin(math.tanh(frame.centre_y / 6378137.0)))
    lon = math.degrees(frame.centre_x / 6378137.0)
    step = metres / (111_319.4908 * math.cos(math.radians(lat)))
    (a, _), (b, _) = frame.to_sheet([(lon, lat), (lon + step, lat)])
    assert b - a == pytest.approx(metres * frame.points_per_metre, rel=1e-6)


def test_one_site_is_shown_with_the_district_around_it():
    frame = choose_frame(make_grid(1), BOX, outline=OUTLINE)
    corners = frame.to_sheet(np.array(OUTLINE.bounds).reshape(2, 2))
    assert corners[:, 0].min() >= BOX.x
    assert corners[:, 0].max() <= BOX.right


def test_nothing_located_shows_the_district():
    frame = choose_frame(make_grid(0, missing=3), BOX, outline=OUTLINE)
    assert frame == choose_frame(make_sites([]), BOX, outline=OUTLINE)


@pytest.mark.parametrize("bounds", [(2, 1, 1, 2), (1, 2, 2, 1), (1, 1, float("nan"), 2)])
def test_bounds_that_are_none_are_refused(bounds):
    with pytest.raises(ValueError, match="minx"):
        choose_frame(make_grid(4), BOX, outline=OUTLINE, bounds=bounds)


@given(
    west=st.floats(-170, 160),
    south=st.floats(-70, 60),
    wide=st.floats(0.05, 10),
)
def test_a_frame_that_was_asked_for_says_so_back(west, south, wide):
    # Of the box's own shape, so that nothing has to be added beside it.
    (x0, y0), (x1, _) = to_mercator([(west, south), (west + wide, south)])
    north = math.degrees(math.atan(math.sinh((y0 + (x1 - x0) * BOX.height / BOX.width) / 6378137)))
    asked = (west, south, west + wide, north)
    frame = choose_frame(make_sites([]), BOX, outline=OUTLINE, bounds=asked)
    assert frame.bounds == pytest.approx(asked, abs=1e-9)
