"""Every fault that a reader would stumble over is found, counted, and comes with what mends it."""

from dataclasses import replace

import pytest
from export_samples import OUTLINE, make_grid, make_site, make_wording

from geo.category import Categories, Kind, Status, load_categories
from geo.export.check import MIN_DIFFERENCE, check_sheets
from geo.export.colour import VISIONS, difference
from geo.export.frame import PRESETS
from geo.export.layout import lay_out
from geo.site import make_sites


def _found(sheets):
    return {finding.code: finding for finding in check_sheets(sheets)}


def _kind(statuses, shape="circle"):
    """Categories whose enterprises have these statuses: name to look."""
    made = [
        Status("enterprise", code, {"zh": code, "en": code}, **look)
        for code, look in statuses.items()
    ]
    label = {"zh": "企业", "en": "Enterprises"}
    return Categories((Kind("enterprise", label, label, shape, made[0].code, tuple(made)),))


def _sheets(statuses, shape="circle", language="zh"):
    """A sheet with one site of each of these statuses."""
    rows = [make_site(n, 123.15 + n / 50, 41.26, status=code) for n, code in enumerate(statuses)]
    wording = replace(make_wording(), language=language)
    kinds = _kind(statuses, shape)
    return lay_out(make_sites(rows), PRESETS["16:9-720"], wording, kinds, outline=OUTLINE)


def test_a_good_picture_has_no_finding(lay):
    assert check_sheets(lay(make_grid(4))) == []


def test_what_has_no_place_can_be_placed(lay):
    found = _found(lay(make_grid(4, missing=3)))
    assert (found["missing"].count, found["missing"].fix) == (3, "place")
    nothing = _found(lay(make_grid(0, missing=3)))
    assert list(nothing) == ["nothing_on_map"]
    assert (nothing["nothing_on_map"].count, nothing["nothing_on_map"].serious) == (3, True)


def test_what_lies_outside_the_frame_is_told_from_what_has_no_place(lay):
    rows = [make_site(0, 123.17, 41.26), make_site(1, 123.21, 41.24), make_site(2)]
    found = _found(lay(make_sites(rows), bounds=(123.16, 41.255, 123.18, 41.265)))
    assert (found["outside_frame"].count, found["outside_frame"].fix) == (1, "show_all")
    assert found["missing"].count == 1


def test_a_symbol_cut_by_the_edge_of_the_map_is_found(lay):
    (sheet,) = lay(make_grid(4))
    edge = replace(sheet.symbols[0], x=sheet.frame.box.right - 1.0)
    found = _found([replace(sheet, symbols=(edge, *sheet.symbols[1:]))])
    assert (found["symbols_at_edge"].count, found["symbols_at_edge"].fix) == (1, "show_all")


def test_no_symbol_of_a_frame_of_our_own_is_cut(lay):
    assert "symbols_at_edge" not in _found(lay(make_grid(200)))


@pytest.mark.parametrize(("preset", "fix"), [("16:9-1080", "larger_sheet"), ("a3", "")])
def test_overlaps_ask_for_a_larger_sheet_where_there_is_one(lay, preset, fix):
    rows = [make_site(n, 123.17, 41.26) for n in range(4)]
    found = _found(lay(make_sites(rows), preset))["symbols_overlap"]
    assert (found.count, found.fix) == (3, fix)


def test_names_without_room_can_become_numbers(lay):
    rows = [
        make_site(n, 123.17 + n * 2e-5, 41.26, name=f"很长的名称很长的名称{n}") for n in range(25)
    ]
    found = _found(lay(make_sites(rows)))["labels_dropped"]
    assert found.count > 0
    assert (found.fix, found.serious) == ("numbers", True)


@pytest.mark.parametrize(("count", "fix"), [(5, "names"), (60, "numbers"), (500, "")])
def test_a_map_without_labels_can_have_those_that_fit(lay, count, fix):
    found = _found(lay(make_grid(count), labels="none"))["no_labels"]
    assert (found.count, found.fix) == (count, fix)


def test_small_text_is_found(lay):
    (sheet,) = lay(make_grid(4))
    small = replace(sheet.labels[0], size=5.0)
    found = _found([replace(sheet, labels=(small,))])["text_small"]
    assert (found.detail, found.serious) == ("5 < 7 pt", True)


# ---- colours --------------------------------------------------------------------------------------


def test_two_colours_that_some_cannot_tell_apart_are_named_with_who_cannot():
    looks = {"甲": {"fill": "#c65555"}, "乙": {"fill": "#7f7f2a"}}
    assert difference("#c65555", "#7f7f2a") > MIN_DIFFERENCE
    found = _found(_sheets(looks))["colours_alike"]
    least = min((difference("#c65555", "#7f7f2a", vision), vision) for vision in VISIONS)
    assert least[1] == "grey"
    assert found.detail == f"甲–乙 {least[0]:.0f} (灰度打印)"
    assert (found.count, found.fix, found.serious) == (1, "numbers", True)
    assert "grey print" in _found(_sheets(looks, language="en"))["colours_alike"].detail


@pytest.mark.parametrize("other", [{"glyph": "✓"}, {"hollow": True}, {"dashed": True}])
def test_a_sign_an_edge_or_a_dash_tells_two_of_one_colour_apart(other):
    looks = {"甲": {"fill": "#b3261e"}, "乙": {"fill": "#b3261e", **other}}
    assert "colours_alike" not in _found(_sheets(looks))


def test_a_sign_that_a_road_does_not_show_tells_nothing_apart():
    looks = {"甲": {"fill": "#b3261e"}, "乙": {"fill": "#b3261e", "glyph": "✓"}}
    assert _found(_sheets(looks, "line"))["colours_alike"].count == 1


def test_only_what_is_on_the_sheet_counts():
    looks = {"甲": {"fill": "#b3261e"}, "乙": {"fill": "#b3261f"}}
    sheets = _sheets(looks)
    assert "colours_alike" in _found(sheets)
    (kind, rows), *_ = sheets[0].legend
    assert "colours_alike" not in _found([replace(sheets[0], legend=((kind, rows[:1]),))])


def test_a_road_too_pale_for_its_white_casing_is_named():
    found = _found(_sheets({"甲": {"fill": "#cccccc"}}, "line"))["symbol_contrast"]
    assert (found.detail, found.count, found.serious) == ("甲 1.6", 1, False)


def test_a_pale_symbol_has_an_edge_that_stands_out():
    assert "symbol_contrast" not in _found(_sheets({"甲": {"fill": "#e3d9ee"}}))


def test_the_project_s_own_symbols_are_told_apart_by_everybody(lay):
    rows = [
        make_site(n, 123.15 + n / 400, 41.26, kind=status.kind, status=status.code)
        for n, status in enumerate(load_categories().statuses)
    ]
    found = _found(lay(make_sites(rows)))
    assert "colours_alike" not in found
    assert "text_contrast" not in found
