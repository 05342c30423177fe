"""The site table: made, checked with every fault named, and honest about what may be on the map."""

import warnings
from collections.abc import Callable
from datetime import UTC, date, datetime

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from strategies import CATEGORIES, laws, lines, names, site_tables

from geo.category import fold
from geo.errors import SchemaError, SiteMapError
from geo.site import (
    AS_OF_DTYPE,
    COLUMNS,
    CRS,
    EXACT,
    GEOMETRY_TYPES,
    LOCATION,
    MAPPED,
    NUMBERS,
    PRECISIONS,
    TEXT,
    Correction,
    Match,
    Precision,
    SiteRecord,
    Source,
    check_sites,
    is_located,
    location_fields,
    make_site_id,
    make_sites,
    site_row,
)

POINT = shapely.Point(123.4, 41.3)


def _row(site_id: str = "a", **given: object) -> dict[str, object]:
    row = {"site_id": site_id, "kind": "enterprise", "status": "resumed", "name": f"site {site_id}"}
    return row | {"precision": "poi", "geometry": POINT} | given


def _faults(sites: gpd.GeoDataFrame) -> list[str]:
    with pytest.raises(SchemaError) as caught:
        check_sites(sites)
    return caught.value.faults


# Ids


@pytest.mark.parametrize(
    ("kind", "name", "site_id"),
    [
        ("enterprise", "白塔农机有限公司", "ent-ba79a09b9732"),
        ("project", "Café 广场", "pro-9c1e93e699ef"),
        ("parking", "新华路", "par-3596ce185c0d"),
    ],
)
def test_an_id_is_the_one_that_stores_have_kept_since_the_first_version(kind, name, site_id):
    assert make_site_id(kind, name) == site_id


def test_the_same_name_has_the_same_id_however_it_is_typed():
    assert make_site_id("project", "Ｃａｆé　广场\u200b") == make_site_id("project", "CAFÉ广场")


def test_the_same_name_has_another_id_as_another_kind():
    assert make_site_id("project", "新华路") != make_site_id("parking", "新华路")


def test_kinds_that_begin_alike_do_not_share_an_id():
    assert make_site_id("parking", "新华路") != make_site_id("park", "新华路")


@laws
@given(kind=st.sampled_from(["enterprise", "project"]), one=names, other=names)
def test_two_names_have_one_id_only_if_a_person_would_call_them_the_same(kind, one, other):
    same = make_site_id(kind, one) == make_site_id(kind, other)
    assert same == (fold(one) == fold(other))


def test_a_hundred_thousand_names_have_a_hundred_thousand_ids():
    ids = {make_site_id("enterprise", f"白塔第{number}加工厂") for number in range(100_000)}
    assert len(ids) == 100_000


def test_a_record_makes_its_own_id_and_keeps_one_that_it_is_given():
    source = Source("通报.docx")
    assert SiteRecord("parking", "新华路", "planned", source).site_id == "par-3596ce185c0d"
    assert SiteRecord("parking", "新华路", "planned", source, site_id="P1").site_id == "P1"


# From a record and a match to a row


def test_a_row_has_every_column_of_the_table_and_no_other():
    record = SiteRecord("parking", "新华路", "planned", Source("通报.docx", "第 3 行", "新华路…"))
    assert sorted(site_row(record, Match("gazetteer"))) == sorted(COLUMNS)


def test_the_columns_a_correction_sets_are_exactly_the_columns_an_undo_restores():
    assert list(location_fields(Match("gazetteer"))) == LOCATION


def test_the_notes_of_the_record_and_of_the_match_stand_side_by_side():
    record = SiteRecord("parking", "新华路", "planned", Source(""), note="东段")
    assert site_row(record, Match("road", note="两条同名"))["note"] == "东段; 两条同名"
    assert site_row(record, Match("road"))["note"] == "东段"


def test_a_correction_answers_with_the_numbers_the_person_gave():
    given = Correction(
        "a",
        "project",
        "广场",
        POINT,
        "poi",
        20.0,
        "李",
        datetime(2020, 3, 1, tzinfo=UTC),
        1.0,
        2.0,
        "gcj02",
    )
    match = given.as_match()
    assert (match.method, match.score, match.reason) == ("correction", 100.0, "")
    assert (match.raw_x, match.raw_y, match.raw_datum) == (1.0, 2.0, "gcj02")
    assert (match.geometry, match.precision, match.uncertainty_m) == (POINT, "poi", 20.0)


def test_a_record_that_was_not_found_becomes_a_row_that_the_check_accepts():
    record = SiteRecord("enterprise", "不知何处的公司", "resumed", Source("通报.docx"))
    sites = check_sites(make_sites([site_row(record, Match("none", reason="no_coordinate"))]))
    assert (sites["precision"][0], sites["reason"][0], sites.geometry[0]) == (
        "none",
        "no_coordinate",
        None,
    )


# Making a table


@pytest.mark.parametrize("rows", [[], [_row()], [_row(), _row("b", as_of=date(2020, 3, 1))]])
def test_a_table_has_the_same_columns_and_types_with_any_number_of_rows(rows):
    sites = make_sites(rows)
    assert list(sites.columns) == COLUMNS
    assert {str(sites[column].dtype) for column in NUMBERS} == {"float64"}
    assert all(pd.api.types.is_string_dtype(sites[column]) for column in TEXT)
    others = ["as_of", "fictitious", "version", "geometry"]
    assert [str(sites[c].dtype) for c in others] == [AS_OF_DTYPE, "bool", "int64", "geometry"]
    assert sites.crs == CRS
    assert check_sites(sites) is sites


def test_making_a_table_raises_no_warning_of_what_a_later_pandas_will_refuse():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make_sites([])
        make_sites([_row(), _row("b", as_of=None, note=None, fictitious=True, geometry=None)])


def test_text_that_is_missing_is_empty_text():
    sites = make_sites([_row(note=None, street=np.nan), _row("b", note="x")])
    assert sites["note"].tolist() == ["", "x"]
    assert sites["street"].tolist() == ["", ""]


def test_what_a_row_does_not_say_is_real_first_version_and_without_a_date():
    sites = make_sites([_row()])
    assert (sites["fictitious"][0], sites["version"][0]) == (False, 1)
    assert pd.isna(sites["as_of"][0])


def test_columns_of_other_tables_stay_behind():
    assert list(make_sites([_row(colour="red")]).columns) == COLUMNS


def test_a_frame_is_left_as_it_was():
    frame = pd.DataFrame([_row(), _row("b")], index=[7, 3])
    before = frame.copy()
    sites = make_sites(frame)
    assert sites.index.tolist() == [0, 1]
    assert sites["site_id"].tolist() == ["a", "b"]
    pd.testing.assert_frame_equal(frame, before)


@pytest.mark.parametrize("kind", [gpd.GeoDataFrame, pd.DataFrame])
def test_a_table_in_another_crs_is_refused_and_not_relabelled(kind):
    metres = gpd.GeoDataFrame([_row(geometry=shapely.Point(500_000, 4_570_000))], crs="EPSG:4549")
    with pytest.raises(SchemaError, match="its CRS is EPSG:4549"):
        make_sites(kind(metres))


@laws
@given(sites=site_tables())
def test_making_a_table_of_a_table_changes_nothing(sites):
    again = make_sites(sites)
    pd.testing.assert_frame_equal(pd.DataFrame(again), pd.DataFrame(sites.reset_index(drop=True)))


@laws
@given(sites=site_tables())
def test_every_table_the_strategies_make_is_a_site_table(sites):
    assert check_sites(sites) is sites


# What may be on the map


@pytest.mark.parametrize(
    "precision", ["rooftop", "poi", "intersection", "road", "community", "street"]
)
@pytest.mark.parametrize(
    "shape", [POINT, shapely.LineString([(123, 41), (124, 41)]), POINT.buffer(0.1)]
)
def test_a_shape_is_on_the_map_down_to_the_precision_of_a_street(precision, shape):
    assert is_located(make_sites([_row(precision=precision, geometry=shape)])).tolist() == [True]


@pytest.mark.parametrize("precision", ["district", "city", "none", "", "exact"])
def test_a_shape_known_only_by_its_district_or_worse_waits_in_the_tray(precision):
    assert is_located(make_sites([_row(precision=precision)])).tolist() == [False]


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_site_without_a_shape_is_never_on_the_map(precision):
    assert is_located(make_sites([_row(precision=precision, geometry=None)])).tolist() == [False]


def test_precisions_run_from_best_to_worst_and_the_map_takes_the_better_ones():
    words = "rooftop poi intersection road community street district city none"
    assert words.split() == list(PRECISIONS)
    assert set(PRECISIONS[:3]) == EXACT
    assert set(PRECISIONS[:6]) == MAPPED


@laws
@given(sites=site_tables())
def test_located_agrees_with_a_plain_loop(sites):
    expected = [
        shape is not None and Precision(precision) in MAPPED
        for shape, precision in zip(sites.geometry, sites["precision"], strict=True)
    ]
    assert is_located(sites).tolist() == expected


# The check names every fault

COLUMN_FAULTS: list[tuple[Callable[[gpd.GeoDataFrame], gpd.GeoDataFrame], str]] = [
    (lambda s: s.drop(columns="note"), "column note is missing"),
    (lambda s: s.drop(columns="geometry"), "column geometry is missing"),
    (lambda s: pd.concat([s, s[["name"]]], axis=1), "column name appears twice"),
    (lambda s: s.assign(name=[1, 2]), "column name is int64, not text"),
    (lambda s: s.assign(name=pd.Series([1, "x"], dtype=object)), "column name is object, not text"),
    (lambda s: s.assign(raw_x=["1", "2"]), "column raw_x is str, not float64"),
    (lambda s: s.assign(as_of="2020-03-01"), f"column as_of is str, not {AS_OF_DTYPE}"),
    (
        lambda s: s.assign(as_of=s["as_of"].astype("datetime64[ns]")),
        f"column as_of is datetime64[ns], not {AS_OF_DTYPE}",
    ),
    (lambda s: s.assign(version=[1.5, np.nan]), "column version is float64, not int64"),
    (lambda s: s.assign(fictitious="no"), "column fictitious is str, not bool"),
    (lambda s: s.set_crs(None, allow_override=True), "it has no CRS; EPSG:4326 is needed"),
    (lambda s: s.to_crs("EPSG:4549"), "its CRS is EPSG:4549; EPSG:4326 is needed"),
    (
        lambda s: s.drop(columns="geometry").assign(geometry="POINT (1 1)"),
        "column geometry is str, not geometry",
    ),
]


@pytest.mark.parametrize(
    ("spoil", "fault"), COLUMN_FAULTS, ids=[fault for _, fault in COLUMN_FAULTS]
)
def test_the_check_names_a_column_that_is_wrong(spoil, fault):
    assert _faults(spoil(make_sites([_row(), _row("b")]))) == [fault]


def _point(x: float, y: float) -> shapely.Point:
    return shapely.Point(x, y)


NOWHERE = {"geometry": None, "precision": "none", "reason": "no_coordinate"}
VALUE_FAULTS: list[tuple[dict[str, object], str]] = [
    ({"site_id": ""}, "1 row without a site_id ()"),
    ({"site_id": "a"}, "1 row with a site_id that is taken (a)"),
    ({"name": ""}, "1 row without a name (b)"),
    ({"name": " \u3000"}, "1 row without a name (b)"),
    ({"kind": "bridge"}, "1 row of an unknown kind or status (b)"),
    ({"status": "复工"}, "1 row of an unknown kind or status (b)"),
    ({"status": "building"}, "1 row of an unknown kind or status (b)"),
    ({"precision": "exact"}, "1 row of an unknown precision (b)"),
    ({"version": 0}, "1 row with a version below 1 (b)"),
    ({**NOWHERE, "precision": "poi"}, "1 row with a precision but no geometry (b)"),
    ({"precision": "none"}, "1 row with a geometry but no precision (b)"),
    ({**NOWHERE, "reason": ""}, "1 row with no geometry and no reason (b)"),
    ({"geometry": shapely.MultiPoint([(1, 1)])}, "1 row of a geometry type not drawn (b)"),
    ({"geometry": shapely.LineString()}, "1 row with an empty geometry (b)"),
    (
        {"geometry": _point(500_000, 4_570_000)},
        "1 row with coordinates that are not longitude and latitude (b)",
    ),
    (
        {"geometry": _point(41.3, 123.4)},
        "1 row with coordinates that are not longitude and latitude (b)",
    ),
    (
        {"geometry": _point(np.nan, np.nan)},
        "1 row with coordinates that are not longitude and latitude (b)",
    ),
    (
        {"geometry": _point(np.inf, 41)},
        "1 row with coordinates that are not longitude and latitude (b)",
    ),
]


@pytest.mark.parametrize(
    ("spoiled", "fault"), VALUE_FAULTS, ids=[fault for _, fault in VALUE_FAULTS]
)
def test_the_check_names_a_row_that_is_wrong_and_no_other(spoiled, fault):
    assert _faults(make_sites([_row(), _row("b") | spoiled, _row("c", **NOWHERE)])) == [fault]


@pytest.mark.parametrize("column", TEXT)
def test_the_check_names_text_that_is_missing(column):
    sites = make_sites([_row(), _row("b")])
    sites.loc[1, column] = None
    assert f'1 row with no {column}; use "" ({"nan" if column == "site_id" else "b"})' in _faults(
        sites
    )


@pytest.mark.parametrize("latitude", [-90, 90])
@pytest.mark.parametrize("longitude", [-180, 180])
def test_the_corners_of_the_earth_are_on_it(longitude, latitude):
    check_sites(make_sites([_row(geometry=_point(longitude, latitude))]))


@laws
@given(line=lines, data=st.data())
def test_a_line_with_one_vertex_off_the_earth_is_off_the_earth(line, data):
    vertices = [*line.coords]
    place = data.draw(st.integers(0, len(vertices)))
    vertices.insert(
        place, data.draw(st.sampled_from([(123, 91), (181, 41), (-181, 41), (123, -91)]))
    )
    assert _faults(make_sites([_row(geometry=shapely.LineString(vertices))])) == [
        "1 row with coordinates that are not longitude and latitude (a)"
    ]


def test_a_line_with_one_vertex_that_is_no_number_is_off_the_earth():
    with np.errstate(invalid="ignore"):
        line = shapely.LineString([(123, 41), (np.nan, 41), (124, 41)])
    assert "not longitude and latitude" in _faults(make_sites([_row(geometry=line)]))[0]


def test_the_check_lists_all_columns_that_are_wrong_at_once():
    sites = make_sites([_row()]).drop(columns=["note", "street"]).assign(version=1.0, name=1)
    assert _faults(sites.set_crs("EPSG:4490", allow_override=True)) == [
        "column street is missing",
        "column note is missing",
        "column name is int64, not text",
        "column version is float64, not int64",
        "its CRS is EPSG:4490; EPSG:4326 is needed",
    ]


def test_the_check_lists_all_rows_that_are_wrong_at_once_three_by_name():
    rows = [_row(f"s{n}", name="") for n in range(5)]
    rows += [_row("t", status="bankrupt"), _row("t", version=0, geometry=_point(200, 0))]
    assert _faults(make_sites(rows)) == [
        "1 row with a site_id that is taken (t)",
        "5 rows without a name (s0, s1, s2, ...)",
        "1 row of an unknown kind or status (t)",
        "1 row with a version below 1 (t)",
        "1 row with coordinates that are not longitude and latitude (t)",
    ]


def test_three_rows_are_all_the_rows_there_are_and_no_more_are_hinted_at():
    sites = make_sites([_row(f"s{n}", name="") for n in range(3)])
    assert _faults(sites) == ["3 rows without a name (s0, s1, s2)"]


def test_the_check_goes_by_position_and_not_by_index():
    sites = make_sites([_row("a"), _row("b", name=""), _row("c")]).iloc[::-1]
    assert _faults(sites) == ["1 row without a name (b)"]


def test_the_check_can_be_asked_about_another_district():
    only_projects = type(CATEGORIES)(kinds=(CATEGORIES.kind("project"),))
    check_sites(make_sites([_row(kind="project", status="open")]), only_projects)
    with pytest.raises(SchemaError, match="unknown kind or status"):
        check_sites(make_sites([_row()]), only_projects)


def test_a_fault_is_an_error_a_person_can_read():
    with pytest.raises(SiteMapError, match=r"^not a site table: 1 row without a name \(a\)$"):
        check_sites(make_sites([_row(name="")]))


def test_the_types_a_map_draws_are_points_lines_and_areas():
    assert {"Point", "LineString", "MultiLineString", "Polygon", "MultiPolygon"} == GEOMETRY_TYPES
