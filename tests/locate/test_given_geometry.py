"""Areas and lines of several parts that a source itself draws."""

import pytest
import shapely

from geo.locate import GivenCoordinates
from geo.locate.datum import to_wgs84
from geo.site import Reason, SiteRecord, Source, make_sites, site_row

OUTLINE = shapely.box(123.13, 41.22, 123.23, 41.30)
AREA = shapely.box(123.16, 41.25, 123.17, 41.26)
RING = shapely.Polygon(
    shapely.box(123.15, 41.24, 123.18, 41.27).exterior.coords, [AREA.exterior.coords]
)
TWO_LINES = shapely.MultiLineString(
    [[(123.15, 41.25), (123.16, 41.25)], [(123.17, 41.25), (123.18, 41.26)]]
)


def _record(geometry, **fields):
    fields = {"datum": "wgs84"} | fields
    return SiteRecord(
        "project", "某园区", "building", Source("a.gpkg"), geometry=geometry, **fields
    )


@pytest.mark.parametrize(
    ("shape", "precision"),
    [
        (AREA, "community"),
        (RING, "community"),
        (shapely.MultiPolygon([AREA]), "community"),
        (TWO_LINES, "road"),
    ],
)
def test_a_shape_is_kept_as_drawn_with_the_precision_of_its_kind(shape, precision):
    record = _record(shape)
    match = GivenCoordinates(OUTLINE).locate(record)
    assert match.geometry == shape
    assert (match.method, match.precision, match.raw_datum) == ("given", precision, "wgs84")
    assert (match.score, match.raw_x, match.raw_y) == (100.0, None, None)
    assert "精度未说明" in match.note
    assert make_sites([site_row(record, match)]).geometry.iloc[0] == shape


def test_a_stated_precision_stands():
    match = GivenCoordinates(OUTLINE).locate(_record(AREA, precision="poi", uncertainty_m=20.0))
    assert (match.precision, match.uncertainty_m, match.note) == ("poi", 20.0, "")


def test_every_ring_of_a_shape_is_converted_from_its_datum():
    match = GivenCoordinates(OUTLINE).locate(_record(RING, datum="百度"))
    wanted = [to_wgs84(x, y, "bd09") for x, y in shapely.get_coordinates(RING)]
    assert shapely.get_coordinates(match.geometry).tolist() == [
        pytest.approx(pair, abs=1e-12) for pair in wanted
    ]
    assert len(match.geometry.interiors) == 1
    assert match.raw_datum == "bd09"


def test_a_shape_in_metres_becomes_degrees():
    metres = shapely.box(514_000, 4_567_000, 514_100, 4_567_100)
    match = GivenCoordinates(OUTLINE).locate(_record(metres, datum="epsg:4550"))
    lon, lat = shapely.get_coordinates(shapely.centroid(match.geometry))[0]
    assert (lon, lat) == (pytest.approx(123.17, abs=0.02), pytest.approx(41.24, abs=0.02))


@pytest.mark.parametrize(
    ("shape", "fields", "reason"),
    [
        (AREA, {"datum": ""}, Reason.TO_CONFIRM),
        (AREA, {"datum": "北京54"}, Reason.TO_CONFIRM),
        (shapely.box(500_000, 4_560_000, 500_100, 4_560_100), {}, Reason.TO_CONFIRM),
        (AREA, {"precision": "district"}, Reason.TOO_COARSE),
        (shapely.box(123.16, 41.25, 123.17, 41.60), {}, Reason.OUTSIDE),
        (shapely.MultiPolygon([AREA, shapely.box(120, 30, 120.1, 30.1)]), {}, Reason.OUTSIDE),
    ],
)
def test_a_shape_that_cannot_be_drawn_as_it_is_waits_with_a_reason(shape, fields, reason):
    match = GivenCoordinates(OUTLINE).locate(_record(shape, **fields))
    assert (match.geometry, match.reason) == (None, reason)


def test_a_point_at_zero_beside_a_shape_does_not_hide_the_shape():
    match = GivenCoordinates(OUTLINE).locate(_record(AREA, x=0.0, y=0.0))
    assert match.geometry == AREA
