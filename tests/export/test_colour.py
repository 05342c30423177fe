"""Colours as people see them, against published numbers."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.category import load_categories
from geo.export.colour import VISIONS, _ciede2000, _linear, _seen, contrast, difference

colours = st.integers(0, 0xFFFFFF).map("#{:06x}".format)


@pytest.mark.parametrize(
    ("one", "other", "wanted"),
    # Sharma, Wu, Dalal (2005), the CIEDE2000 test data: pairs 1, 4, 7, 10, 14, 17, 20, 25, 28, 34.
    [
        ((50.0, 2.6772, -79.7751), (50.0, 0.0, -82.7485), 2.0425),
        ((50.0, -1.3802, -84.2814), (50.0, 0.0, -82.7485), 1.0000),
        ((50.0, 0.0, 0.0), (50.0, -1.0, 2.0), 2.3669),
        ((50.0, 2.4900, -0.0010), (50.0, -2.4900, 0.0010), 7.1792),
        ((50.0, -0.0010, 2.4900), (50.0, 0.0011, -2.4900), 4.7461),
        ((50.0, 2.5, 0.0), (73.0, 25.0, -18.0), 27.1492),
        ((50.0, 2.5, 0.0), (58.0, 24.0, 15.0), 19.4535),
        ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
        ((22.7233, 20.0904, -46.6940), (23.0331, 14.9730, -42.5619), 2.0373),
        ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
    ],
)
def test_differences_are_those_of_the_published_test_data(one, other, wanted):
    assert _ciede2000(one, other) == pytest.approx(wanted, abs=1e-4)


def test_contrast_of_known_pairs():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#ffffff", "#777777") == pytest.approx(4.48, abs=0.005)  # WCAG's own example
    assert contrast("#0000ff", "#ffffff") == pytest.approx(8.59, abs=0.005)


@pytest.mark.parametrize("vision", VISIONS)
def test_white_black_and_grey_look_the_same_to_everybody(vision):
    for grey in ("#000000", "#808080", "#ffffff"):
        assert _seen(_linear(grey), vision) == pytest.approx(_linear(grey), abs=3e-6)


def test_red_and_green_of_one_lightness_are_told_apart_by_few():
    assert difference("#c65555", "#7f7f2a") > 25
    assert difference("#c65555", "#7f7f2a", "deutan") < 12
    assert difference("#c65555", "#7f7f2a", "grey") < 5


@given(colours, colours, st.sampled_from(VISIONS))
def test_a_difference_is_one_of_a_pair_and_none_of_a_colour_to_itself(one, other, vision):
    assert difference(one, one, vision) == 0
    # Hues that are exactly opposite have a middle on either side, and the formula two values.
    other_way = difference(other, one, vision)
    assert difference(one, other, vision) == pytest.approx(other_way, rel=0.05, abs=0.1)


def test_the_statuses_of_enterprises_are_far_apart_for_everybody():
    fills = [s.fill for s in load_categories().kind("enterprise").statuses if not s.hollow]
    apart = [difference(*pair, vision) for pair in combinations(fills, 2) for vision in VISIONS]
    assert min(apart) > 14
