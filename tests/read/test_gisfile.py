"""GIS files as records with points, lines and areas."""

import io
import json
import zipfile
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyproj
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from geo.locate import GivenCoordinates
from geo.read import Layout, inspect_source, open_source, read_source
from geo.read.gisfile import read_crs

POINT = shapely.Point(123.17, 41.26)
LINE = shapely.LineString([(123.15, 41.25), (123.16, 41.26), (123.17, 41.26)])
AREA = shapely.box(123.16, 41.25, 123.17, 41.26)
BOW = shapely.Polygon([(123.1, 41.2), (123.2, 41.3), (123.2, 41.2), (123.1, 41.3)])
OUTLINE = shapely.box(123.0, 41.0, 123.4, 41.5)


def _frame(*shapes, crs=4326, **columns):
    names = [f"{n}号企业" for n in range(len(shapes))]
    return gpd.GeoDataFrame({"企业名称": names, **columns}, geometry=list(shapes), crs=crs)


def _write(folder, frame, name, **options):
    path = Path(folder, name)
    if path.suffix != ".zip":
        frame.to_file(path, **options)
        return path
    inner = Path(folder, "parts")
    inner.mkdir(exist_ok=True)
    frame.to_file(inner / "园区.shp", encoding="GBK", **options)
    with zipfile.ZipFile(path, "w") as archive:
        for part in inner.iterdir():
            if part.suffix != ".cpg":
                archive.write(part, part.name)
    return path


def _read(path, **layout):
    contents = open_source(path, sandboxed=False, repair=layout.get("repair", False))
    raw = inspect_source(contents).layout.to_json() | layout
    return read_source(contents, layout=Layout.from_json(raw))


def _located(record):
    return GivenCoordinates(OUTLINE).locate(record).geometry


@pytest.mark.parametrize("name", ["a.gpkg", "a.geojson", "a.zip", "a.kml"])
@pytest.mark.parametrize("shape", [POINT, LINE, AREA], ids=["point", "line", "area"])
def test_a_shape_reaches_the_site_table_from_every_format(tmp_path, name, shape):
    options = {"driver": "KML"} if name.endswith("kml") else {}
    (record,) = _read(_write(tmp_path, _frame(shape), name, **options)).records
    assert (record.name, record.datum) == ("0号企业", "wgs84")
    assert _located(record).normalize().equals_exact(shape.normalize(), 1e-9)


def test_a_point_has_coordinates_a_line_a_path_and_anything_else_a_geometry(tmp_path):
    several = shapely.MultiLineString([LINE, shapely.LineString([(123.2, 41.2), (123.2, 41.3)])])
    report = _read(_write(tmp_path, _frame(POINT, LINE, AREA, several), "a.gpkg"))
    point, line, area, lines = report.records
    assert (point.x, point.y, point.path, point.geometry) == (123.17, 41.26, (), None)
    assert (line.x, line.path, line.geometry) == (None, tuple(LINE.coords), None)
    assert (area.x, area.path, area.geometry) == (None, (), AREA)
    assert lines.geometry == several


@pytest.mark.parametrize("crs", [4490, 4549, 4529, 32651, 3857])
def test_coordinates_stay_raw_with_their_crs_and_are_located_right(tmp_path, crs):
    raw = _frame(POINT, AREA).to_crs(crs)
    point, area = _read(_write(tmp_path, raw, "a.gpkg")).records
    assert point.datum == area.datum == ("cgcs2000" if crs == 4490 else f"epsg:{crs}")
    assert (point.x, point.y) == (raw.geometry[0].x, raw.geometry[0].y)
    assert _located(point).distance(POINT) < 1e-7
    assert _located(area).hausdorff_distance(AREA) < 1e-7


def test_a_crs_on_a_datum_without_public_shift_waits_instead_of_being_a_guess(tmp_path):
    (record,) = _read(_write(tmp_path, _frame(POINT).to_crs(4214), "a.gpkg")).records
    match = GivenCoordinates(OUTLINE).locate(record)
    assert (record.datum, match.geometry, match.reason) == ("epsg:4214", None, "to_confirm")


def test_a_crs_without_a_code_is_converted_if_its_datum_is_ours_and_asked_for_otherwise(tmp_path):
    own = pyproj.CRS.from_proj4("+proj=tmerc +lon_0=123.2 +x_0=500000 +datum=WGS84 +units=m")
    (record,) = _read(_write(tmp_path, _frame(POINT).to_crs(own), "a.gpkg")).records
    assert record.datum == "wgs84"
    assert (record.x, record.y) == pytest.approx((123.17, 41.26), abs=1e-9)
    other = own.to_wkt().replace("World Geodetic System 1984", "Liaoyang 1958")
    assert read_crs(other)[0] == ""


@pytest.mark.parametrize(
    "text", [None, "", "nonsense", 'LOCAL_CS["Unknown",UNIT["m",1]]', "EPSG:5773"]
)
def test_what_is_no_crs_of_places_is_not_known(text):
    assert read_crs(text)[0] == ""


def test_a_missing_crs_is_asked_for_and_the_answer_used(tmp_path):
    path = _write(tmp_path, _frame(POINT, crs=None), "a.zip")
    assert inspect_source(path).asks == ("crs",)
    silent = _read(path)
    assert (silent.records[0].datum, silent.asks) == ("", ("crs",))
    assert GivenCoordinates(OUTLINE).locate(silent.records[0]).reason == "to_confirm"
    told = _read(path, datum="EPSG:4490")
    assert (told.records[0].datum, told.asks) == ("EPSG:4490", ())


def test_a_datum_that_a_person_gives_stands_over_the_files_own_and_says_so(tmp_path):
    report = _read(_write(tmp_path, _frame(POINT), "a.gpkg"), datum="gcj02")
    assert report.records[0].datum == "gcj02"
    assert "the layer says WGS 84; it is read as gcj02, as chosen" in report.warnings


def test_geojson_without_a_crs_warns_that_its_wgs84_is_only_its_standard(tmp_path):
    path = tmp_path / "a.geojson"
    feature = {
        "type": "Feature",
        "properties": {"企业名称": "甲"},
        "geometry": {"type": "Point", "coordinates": [123, 41]},
    }
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    assert any("GCJ-02" in warning for warning in inspect_source(path).warnings)


def test_a_layer_can_be_chosen_and_the_others_are_named(tmp_path):
    path = _write(tmp_path, _frame(POINT), "a.gpkg", layer="企业")
    _frame(LINE, LINE).rename(columns={"企业名称": "道路名称"}).to_file(path, layer="道路")
    inspection = inspect_source(path)
    assert [(s.name, s.rows - 1, s.geometry_type, s.crs) for s in inspection.sheets] == [
        ("企业", 1, "Point", "wgs84"),
        ("道路", 2, "LineString", "wgs84"),
    ]
    report = read_source(
        path, layout=Layout(sheet="道路", header_rows=(-1,), columns={0: "name"}, kind="parking")
    )
    assert [(r.name, r.source.where) for r in report.records] == [
        ("0号企业", "道路, feature 1"),
        ("1号企业", "道路, feature 2"),
    ]
    assert any('"企业" (2 rows' in warning for warning in report.warnings)


def test_an_invalid_area_is_kept_flagged_and_repaired_only_when_asked(tmp_path):
    path = _write(tmp_path, _frame(AREA, BOW), "a.gpkg")
    assert [sheet.invalid for sheet in inspect_source(path).sheets] == [1]
    plain = _read(path).records
    assert plain[1].geometry == BOW
    assert plain[0].note == ""
    assert "图形无效（Self-intersection" in plain[1].note
    mended = _read(path, repair=True).records
    assert mended[0].geometry == AREA
    assert mended[1].geometry.is_valid
    assert mended[1].geometry.area == pytest.approx(0.005, rel=1e-6)
    assert "图形已修复" in mended[1].note


def test_asking_contents_for_a_repair_they_were_not_opened_with_is_a_slip(tmp_path):
    contents = open_source(_write(tmp_path, _frame(BOW), "a.gpkg"))
    with pytest.raises(ValueError, match="repair=True"):
        read_source(contents, layout=Layout(repair=True))


def test_columns_become_text_without_inventing_anything(tmp_path):
    frame = _frame(POINT, POINT, 编号=np.array([1, 2]), 备注=[None, "好"], 误差=[np.nan, 2.5])
    frame["日期"] = ["2020-03-11", None]
    report = _read(_write(tmp_path, frame, "a.gpkg"))
    assert [(r.site_id, r.note, r.uncertainty_m) for r in report.records] == [
        ("1", "", None),
        ("2", "好", 2.5),
    ]
    assert [str(r.as_of) for r in report.records] == ["2020-03-11", "None"]


@pytest.mark.parametrize("encoding", ["GBK", "UTF-8"])
def test_the_text_of_a_shapefile_without_cpg_is_told_by_its_bytes(tmp_path, encoding):
    frame = _frame(POINT, POINT, 地址=["辽阳市白塔区新华路", "a"])
    frame.to_file(tmp_path / "点.shp", encoding=encoding)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for part in ("点.shp", "点.shx", "点.dbf", "点.prj"):
            archive.write(tmp_path / part, part)
    # In UTF-8 a heading of four characters is longer than the ten bytes of a field's name.
    heading = inspect_source(tmp_path / "a.zip").columns[0].heading
    assert heading == ("企业名称" if encoding == "GBK" else "企业名")
    report = _read(tmp_path / "a.zip", kind="enterprise")
    assert [(r.name, r.place) for r in report.records] == [
        ("0号企业", "辽阳市白塔区新华路"),
        ("1号企业", "a"),
    ]
    assert any("no .cpg" in warning for warning in report.warnings)


def test_names_in_a_zip_made_by_chinese_windows_are_read_as_gbk(tmp_path):
    source = zipfile.ZipFile(_write(tmp_path, _frame(POINT), "a.zip"))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for member in source.infolist():
            archive.writestr(member.filename.encode("gbk").decode("cp437"), source.read(member))
    raw = out.getvalue()
    # zipfile marks such names as UTF-8; Windows writes the GBK bytes without a mark.
    for member in source.infolist():
        wrong = member.filename.encode("gbk").decode("cp437").encode()
        assert wrong in raw
    assert [grid.name for grid in open_source(_plain_zip(tmp_path, source)).grids] == ["园区"]


def _plain_zip(folder, source):
    """The same archive with GBK bytes for names and no mark that says what they are."""
    stand_ins = {}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for member in source.infolist():
            gbk = member.filename.encode("gbk")
            stand_ins[b"#" * (len(gbk) - 4) + gbk[-4:]] = gbk
            archive.writestr("#" * (len(gbk) - 4) + member.filename[-4:], source.read(member))
    raw = out.getvalue()
    for stand_in, gbk in stand_ins.items():
        raw = raw.replace(stand_in, gbk)
    path = folder / "windows.zip"
    path.write_bytes(raw)
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_a_drawing_is_read_by_its_layers_once_a_person_says_what_they_are(tmp_path, encoding):
    path = tmp_path / "a.dxf"
    gpd.GeoDataFrame({"Layer": ["新华路"]}, geometry=[LINE]).to_file(path, driver="DXF")
    path.write_bytes(path.read_bytes().decode().encode(encoding))
    assert inspect_source(path).asks == ("name", "kind", "crs")
    (grid,) = open_source(path).grids
    layout = Layout(grid.name, (-1,), {0: "name"}, kind="parking", datum="epsg:4490")
    (record,) = read_source(path, layout=layout).records
    assert (record.name, record.path, record.datum) == ("新华路", tuple(LINE.coords), "epsg:4490")


_COORDINATES = st.tuples(st.floats(123.1, 123.2), st.floats(41.2, 41.3))


@given(points=st.lists(_COORDINATES, min_size=1, max_size=12))
def test_every_feature_is_a_record_in_order_with_its_own_point(tmp_path_factory, points):
    frame = _frame(*(shapely.Point(p) for p in points))
    records = _read(_write(tmp_path_factory.mktemp("a"), frame, "a.gpkg")).records
    assert [(r.x, r.y) for r in records] == points
    assert [r.name for r in records] == [f"{n}号企业" for n in range(len(points))]


def _road_layer(folder, *pieces, **columns):
    frame = gpd.GeoDataFrame(
        {
            "名称": ["新华路"] * len(pieces),
            "osm_id": [str(n) for n in range(len(pieces))],
            **columns,
        },
        geometry=list(pieces),
        crs=4326,
    )
    return _write(folder, frame, "roads.gpkg")


def test_a_road_in_many_pieces_is_one_record_with_all_of_them(tmp_path):
    south = shapely.LineString([(123.17, 41.25), (123.17, 41.26)])
    north = shapely.LineString([(123.17, 41.26), (123.17, 41.27)])
    apart = shapely.LineString([(123.18, 41.25), (123.18, 41.26)])
    report = _read(_road_layer(tmp_path, south, north, apart), kind="parking")
    [record] = report.records
    assert _located(record).equals(shapely.union_all([south, north, apart]))
    assert len(_located(record).geoms) == 2
    assert (report.rows, report.problems) == (1, [])
    assert [row.where for row in report.skipped] == ["feature 2", "feature 3"]
    assert "joined" in report.skipped[0].message


def test_pieces_of_which_different_things_are_said_are_not_joined(tmp_path):
    pieces = [shapely.LineString([(123.17, 41.25), (123.17, 41.26)])] * 2
    layer = _road_layer(tmp_path, *pieces, 状态=["已清理", "待整治"])
    report = _read(layer, kind="parking")
    assert (len(report.records), len(report.problems)) == (1, 1)


def test_two_points_of_one_name_stay_one_record_and_one_problem(tmp_path):
    report = _read(_road_layer(tmp_path, POINT, POINT), kind="enterprise")
    assert (len(report.records), len(report.problems)) == (1, 1)
