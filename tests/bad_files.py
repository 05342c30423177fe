"""Makes the corpus of bad files: each with what must come of it, good rows and bad rows or a refusal.

`python tests/read/bad_files.py FOLDER` writes them all into a folder, to be tried by hand.
"""

from __future__ import annotations

import io
import json
import sqlite3
import stat
import sys
import tempfile
import zipfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import geopandas as gpd
import openpyxl
import shapely
from openpyxl.utils.datetime import CALENDAR_MAC_1904

HEADER = "企业名称,状态"
GOOD = f"{HEADER}\n甲公司,已复工\n"


@dataclass(frozen=True)
class BadFile:
    """One file and what must come of it.

    `refused` is a pattern the refusal must match; else `good` and `bad` count records and problems,
    and `said` must be found in what the report tells. `risky` ones are only ever read in the child.
    """

    name: str
    make: Callable[[], bytes]
    refused: str = ""
    good: int = 0
    bad: int = 0
    said: str = ""
    risky: bool = False
    limits: dict[str, float] = field(default_factory=dict)
    kind: str = ""


CASES: list[BadFile] = []


def _case(name: str, raw: bytes | str | Callable[[], bytes], **outcome) -> None:
    if isinstance(raw, str):
        raw = raw.encode()
    make = raw if callable(raw) else lambda: raw
    CASES.append(BadFile(name, make, **outcome))


# --- text tables ----------------------------------------------------------------------------------

_PNG = b"\x89PNG\r\n\x1a\n"
_case("empty.csv", b"", refused="is empty")
_case("only_a_mark.csv", b"\xef\xbb\xbf", refused="is empty")
_case("blank_rows.csv", "\n\n , ,\n", refused="is empty")
_case("nul.csv", b"name,kind\n\0\1\2", refused="is not text")
_case("utf32.csv", GOOD.encode("utf-32"), refused="is not text")
_case(
    "damaged_utf8.csv",
    GOOD.encode() + "乙公司".encode()[:-1] + b",x\n",
    refused="broken characters",
)
_case("neither.csv", b"name,kind\n\x80\xff\xff,enterprise\n", refused="neither UTF-8 nor GB18030")
_case("odd_utf16.csv", b"\xff\xfea", refused="broken characters")
_case("pdf.csv", b"%PDF-1.7", refused="is a PDF")
_case("picture.csv", _PNG, refused="is a picture")
_case("rar.csv", b"Rar!\x1a\x07", refused="is a RAR or 7z archive")
_case("unknown_header.csv", "甲,乙\n丙,丁\n", refused="none of its columns is known")
_case("no_name.csv", "类型,状态\n企业,已复工\n", refused="no column holds the name")
_case("no_kind.csv", "名称,状态\n甲,已复工\n", refused="what kind of site")
_case("two_names.csv", "企业名称,项目名称\n甲,乙\n", refused="several columns hold a name")
_case("twice.csv", "名称,类型,状态,阶段\n", refused="both mean status")
_case("open_header.csv", '企业名称,"状态\n甲,已复工\n', refused="never closed")
_case(
    "open_quote.csv", f'{GOOD}乙公司,"已复工\n丙公司,已复工\n', good=1, bad=1, said="never closed"
)
_case("ragged.csv", f"{GOOD}乙公司\n丙公司,停工,多\n", good=1, bad=2, said="the header has 2")
_case("endless_cell.csv", GOOD + "乙" * 140_000, refused="a cell has over")
_case("header_only.csv", HEADER)
_case("too_long.csv", GOOD + "乙,\n丙,\n", refused="over 2 rows", limits={"max_rows": 2})
_case("too_large.csv", GOOD * 10, refused="is larger than", limits={"max_bytes": 100})
_case("sqlite.csv", b"SQLite format 3\0" + bytes(100), refused="is an SQLite database")
_case("commas.csv", GOOD + "," * 9_000, good=1)
_case("wide_row.csv", f"{GOOD}乙公司{',x' * 9_000}\n", good=1, bad=1, said="9001 cells")
_case("endless_row.csv", GOOD + ",x" * 20_000, refused="20,001 cells")
_case("wide_header.csv", f"企业名称{',x' * 2_000}\n", refused="its header has 2,001 columns")
_case("unseen_name.csv", f"{GOOD}\u200b\u3000,已复工\n", good=1, bad=1, said="no name")
_case("same_site.csv", f"{GOOD}甲 公司,停工\n", good=1, bad=1, said="already read in row 2")
_case("bad_status.csv", f"{GOOD}乙公司,已复公\n", good=1, bad=1, said='"已复公" is not one of')
_case(
    "bad_dates.csv",
    "企业名称,日期\n甲,2020-02-30\n乙,昨天\n丙,43901\n",
    good=1,
    bad=2,
    said="is not a date",
)
_case("half_place.csv", "企业名称,经度,纬度,坐标系\n甲,123.17,,wgs84\n", bad=1, said="x but no y")
_case("no_datum.csv", "企业名称,经度,纬度\n甲,123.17,41.27\n", bad=1, said="which datum")
_case(
    "pair_unclear.csv",
    '企业名称,坐标,坐标系\n甲,"41.2,41.3",84\n',
    bad=1,
    said="which number is the longitude",
)
_case("pair_three.csv", "企业名称,坐标,坐标系\n甲,1 2 3,84\n", bad=1, said="not two coordinates")
_case(
    "infinite.csv", f"企业名称,经度,纬度,坐标系\n甲,{'9' * 400},41,84\n", bad=1, said="plain number"
)
_case(
    "formula.csv",
    f"{HEADER}\n\"=cmd|'/c calc'!A1\",已复工\n{{{{ 7*7 }}}},停工\n<img src=x>,\n",
    good=3,
)
_case("direction.csv", f"{HEADER}\na\u202eb,已复工\n", good=1)
_case(
    "titles_gbk.txt",
    "白塔区企业复工情况统计表||\n单位：家||\n企业名称|状态|街道\n甲公司|已复工|南门街道\n合计|1|\n填表人：张三||\n".encode(
        "gbk"
    ),
    good=1,
    said="a total, not a site",
)
_case("repeated_header.csv", f"{GOOD}{HEADER}\n乙公司,停工\n", good=2, said="the header once more")
_case("total_named_like_a_firm.csv", f"{GOOD}合计科技有限公司,停工\n", good=2)
_case("csv_called.xlsx", GOOD, refused="is a text table, not an Excel workbook")
_case("table.et", GOOD, refused="are not read")
_case("data.vrt", "<OGRVRTDataSource/>", refused="are not read")
_case("part.shp", b"\0\0\x27\x0a", refused="one part of a shapefile")
_case("no_ending", GOOD, refused="have no ending")


# --- workbooks ------------------------------------------------------------------------------------

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_DOCUMENT = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_ROW = (
    '<row r="{0}"><c r="A{0}" t="inlineStr"><is><t>{1}</t></is></c>'
    '<c r="B{0}" t="inlineStr"><is><t>{2}</t></is></c></row>'
)
_TWO_ROWS = _ROW.format(1, "企业名称", "状态") + _ROW.format(2, "甲公司", "已复工")


def _xlsx(
    rows: str = _TWO_ROWS, *, sheet: str = "", extra: dict[str, bytes | str] | None = None
) -> bytes:
    """A small workbook written by hand; `sheet` replaces the whole XML of its sheet."""
    members: dict[str, bytes | str] = {
        "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="xml" ContentType="application/xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="r1" '
        f'Type="{_DOCUMENT}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_DOCUMENT}"><sheets>'
        '<sheet name="表" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">'
        f'<Relationship Id="r1" Type="{_DOCUMENT}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": sheet
        or f'<worksheet xmlns="{_MAIN}"><sheetData>{rows}</sheetData></worksheet>',
    }
    return _zip(members | (extra or {}))


def _zip(members: dict[str, bytes | str]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def _book(rows, change=None) -> bytes:
    """A workbook as openpyxl writes it."""
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    if change:
        change(book)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _with_link(name: str, raw: bytes) -> bytes:
    out = io.BytesIO(raw)
    with zipfile.ZipFile(out, "a") as archive:
        link = zipfile.ZipInfo(name)
        link.create_system = 3
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    return out.getvalue()


def _patched(raw: bytes, old: bytes, new: bytes) -> bytes:
    assert old in raw
    return raw.replace(old, new)


def _lying_size() -> bytes:
    """A workbook whose archive says that a member of ten megabytes has a thousand bytes."""
    raw = bytearray(_xlsx(extra={"xl/sharedStrings.xml": b"<a>" + b"x" * 10_000_000}))
    at = raw.rfind(b"PK\x01\x02", 0, raw.rfind(b"xl/sharedStrings.xml"))
    raw[at + 24 : at + 28] = (1000).to_bytes(4, "little")
    return bytes(raw)


def _encrypted_member() -> bytes:
    raw = bytearray(_xlsx())
    at = raw.find(b"PK\x01\x02")
    raw[at + 8] |= 1
    return bytes(raw)


_HEAD_ROW, _GOOD_ROW = ["企业名称", "状态"], ["甲公司", "已复工"]
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)
_DTD = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "&c;&c;"><!ENTITY c "ha">]>'

_case("empty.xlsx", b"", refused="not an Excel workbook")
_case("truncated.xlsx", lambda: _xlsx()[:300], refused="not an Excel workbook")
_case("half.xlsx", lambda: _book([_HEAD_ROW, _GOOD_ROW])[:-3000], refused="not an Excel workbook")
_case("some_zip.xlsx", lambda: _zip({"a.txt": "a"}), refused="ZIP archive, not an Excel")
_case("word.xlsx", lambda: _zip({"word/document.xml": "<w/>"}), refused="is a Word document")
_case("binary.xlsx", lambda: _zip({"xl/workbook.bin": b"x"}), refused=r"\.xlsb")
_case("old.xlsx", _OLE + "Workbook".encode("utf-16-le"), refused="old Excel or WPS workbook")
_case("new.xls", _xlsx, refused="is an Excel workbook")
_case("page.xls", "<html><table><tr><td>企业名称</td></tr></table></html>", refused="is a web page")
_case(
    "garbage.xls", _OLE + "Workbook".encode("utf-16-le") + bytes(2000), refused="damaged workbook"
)
_case("word.xls", _OLE, refused="not a workbook")
_case(
    "locked.xlsx",
    _OLE + "EncryptedPackage".encode("utf-16-le"),
    refused="protected with a password",
)
_case(
    "far_cell.xlsx",
    lambda: _xlsx(_TWO_ROWS + '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'),
    refused=r"cell XFD1048576.*delete",
)
_case(
    "far_cell_hidden_from_the_scan.xlsx",
    lambda: _xlsx(_TWO_ROWS + '<row r="999999"><c\tr = "ZZ999999"><v>1</v></c></row>'),
    refused="far outside the table|more memory or time",
    risky=True,
)
_case(
    "far_row.xlsx",
    lambda: _xlsx(_TWO_ROWS + '<row r="900000"><c r="Z900000"><v>1</v></c></row>'),
    refused="far outside the table",
    risky=True,
)
_case(
    "far_format.xlsx",
    lambda: _xlsx(_TWO_ROWS + '<row r="1048576" ht="15"><c r="XFD1048576" s="0"/></row>'),
    good=1,
)
_case(
    "bomb.xlsx",
    lambda: _xlsx(extra={"xl/sharedStrings.xml": b" " * 100_000_000}),
    refused="of its size|times its size",
    limits={"max_unpacked": 10**9},
    risky=True,
)
_case(
    "too_much.xlsx",
    lambda: _xlsx(extra={"xl/a.xml": b"ab" * 3_000_000}),
    refused="unpacked it would be",
    limits={"max_unpacked": 5_000_000},
)
_case("lying.xlsx", _lying_size, refused="is damaged")
_case(
    "traversal.xlsx",
    lambda: _xlsx(extra={"../../evil.xml": "x"}),
    refused="points out of the archive",
)
_case("drive.xlsx", lambda: _xlsx(extra={"C:/evil.xml": "x"}), refused="points out of the archive")
_case("link.xlsx", lambda: _with_link("xl/link", _xlsx()), refused="is a link")
_case("locked_member.xlsx", _encrypted_member, refused="protected with a password")
_case(
    "members.xlsx",
    lambda: _xlsx(extra={f"a{n}": "" for n in range(10_001)}),
    refused="10,000 are allowed",
)
_case("dtd.xlsx", lambda: _xlsx(sheet=f'{_DTD}<worksheet xmlns="{_MAIN}"/>'), refused="DOCTYPE")
_case(
    "broken_xml.xlsx",
    lambda: _xlsx(sheet="<worksheet><sheetData><row"),
    refused="damaged|no sheet|is empty",
)
_case(
    "no_sheet.xlsx",
    lambda: _xlsx(extra={"xl/worksheets/sheet1.xml": ""}),
    refused="damaged|is empty",
)
_case(
    "strings_missing.xlsx",
    lambda: _xlsx('<row r="1"><c r="A1" t="s"><v>7</v></c></row>'),
    refused="damaged|is empty",
)
_case("no_cells.xlsx", lambda: _book([]), refused="is empty")
_case(
    "many_columns.xlsx",
    lambda: _book([_HEAD_ROW, [*_GOOD_ROW, *[None] * 1200, 1]]),
    refused="far outside the table",
)
_case(
    "merged_all.xlsx",
    lambda: _xlsx(
        sheet=f'<worksheet xmlns="{_MAIN}"><sheetData>{_TWO_ROWS}</sheetData>'
        '<mergeCells><mergeCell ref="A2:A1048576"/></mergeCells></worksheet>'
    ),
    good=1,
)


def _errors(book) -> None:
    book.active["B2"] = "#N/A"
    book.active["B2"].data_type = "e"


def _hide(book) -> None:
    book.create_sheet("封面")["A1"] = "封面"
    book.active.sheet_state = "hidden"


def _mac(book) -> None:
    book.epoch = CALENDAR_MAC_1904


_case("error_cells.xlsx", lambda: _book([_HEAD_ROW, _GOOD_ROW], _errors), good=1, said="B2")
_case(
    "no_results.xlsx",
    lambda: _book([_HEAD_ROW, ["甲公司", '="已"&"复工"']]),
    good=1,
    said="no stored result",
)
_case(
    "long_ids.xlsx",
    lambda: _book([["编号", "企业名称"], [91211000123456789, "甲公司"]]),
    good=1,
    said="first 15 digits",
)
_case(
    "hidden_table.xlsx",
    lambda: _book([_HEAD_ROW, _GOOD_ROW], _hide),
    refused="none of its columns is known",
)
_case(
    "serials.xlsx",
    lambda: _book([["企业名称", "日期"], ["甲", 43901], ["乙", 999999]]),
    good=1,
    bad=1,
)
_case(
    "mac.xlsx",
    lambda: _book([["企业名称", "日期"], ["甲", 42439]], _mac),
    good=1,
    said="2020-03-11",
)
_case(
    "two_tables.xlsx",
    lambda: _book([_HEAD_ROW, _GOOD_ROW], lambda b: b.create_sheet("二").append(_HEAD_ROW)),
    good=1,
    said='"二"',
)


def _ods(cells: str) -> bytes:
    spaces = " ".join(
        f'xmlns:{short}="urn:oasis:names:tc:opendocument:xmlns:{long}:1.0"'
        for short, long in {"office": "office", "table": "table", "text": "text"}.items()
    )
    content = (
        f'<office:document-content {spaces}><office:body><office:spreadsheet><table:table table:name="表">'
        f"{cells}</table:table></office:spreadsheet></office:body></office:document-content>"
    )
    out = io.BytesIO()
    kind = "application/vnd.oasis.opendocument.spreadsheet"
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("mimetype", kind)
        archive.writestr("content.xml", content)
        archive.writestr(
            "META-INF/manifest.xml",
            '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0">'
            f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{kind}"/></manifest:manifest>',
        )
    return out.getvalue()


def _ods_row(*texts: str, rows: str = "", cell: str = "") -> str:
    cells = "".join(
        f'<table:table-cell office:value-type="string"{cell}><text:p>{text}</text:p></table:table-cell>'
        for text in texts
    )
    return f"<table:table-row{rows}>{cells}</table:table-row>"


_ODS_TABLE = _ods_row("企业名称", "状态") + _ods_row("甲公司", "停工")
_case("table.ods", lambda: _ods(_ODS_TABLE), good=1)
_case(
    "tail.ods",
    lambda: _ods(
        _ODS_TABLE + '<table:table-row table:number-rows-repeated="1048570">'
        '<table:table-cell table:number-columns-repeated="16384"/></table:table-row>'
    ),
    good=1,
)
_case(
    "wide.ods",
    lambda: _ods(_ODS_TABLE + _ods_row("x", cell=' table:number-columns-repeated="16384"')),
    refused="far outside the table",
)
_case(
    "deep.ods",
    lambda: _ods(
        _ODS_TABLE + _ods_row("乙公司", "停工", rows=' table:number-rows-repeated="1048570"')
    ),
    refused="too many rows|more memory or time|far outside",
    risky=True,
)
_case("not.ods", lambda: _zip({"content.xml": "<a/>"}), refused="ZIP archive, not an OpenDocument")


# --- GIS files ------------------------------------------------------------------------------------

_POINT = shapely.Point(123.17, 41.26)
_AREA = shapely.box(123.16, 41.25, 123.17, 41.26)


def _frame(*shapes, crs=4326) -> gpd.GeoDataFrame:
    names = [f"{n}号企业" for n in range(len(shapes))]
    return gpd.GeoDataFrame(
        {"企业名称": names, "状态": ["已复工"] * len(shapes)}, geometry=list(shapes), crs=crs
    )


def _written(frame: gpd.GeoDataFrame, name: str, **options) -> dict[str, bytes]:
    """The files that writing a frame makes, by name."""
    with tempfile.TemporaryDirectory() as folder:
        frame.to_file(Path(folder, name), **options)
        return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def _geojson(*geometries, **members) -> bytes:
    features = [
        {"type": "Feature", "properties": {"企业名称": f"{n}号企业", "状态": "停工"}, "geometry": g}
        for n, g in enumerate(geometries)
    ]
    whole = {"type": "FeatureCollection", **members, "features": features}
    return json.dumps(whole, ensure_ascii=False).encode()


def _shape(kind: str, coordinates) -> dict:
    return {"type": kind, "coordinates": coordinates}


_HERE = _shape("Point", [123.17, 41.26])
_BOW = _shape(
    "Polygon", [[[123.1, 41.2], [123.2, 41.3], [123.2, 41.2], [123.1, 41.3], [123.1, 41.2]]]
)
_VRT = (
    '<OGRVRTDataSource><OGRVRTLayer name="a"><SrcDataSource>/etc/passwd</SrcDataSource></OGRVRTLayer>'
    "</OGRVRTDataSource>"
)
_case("vrt.geojson", _VRT, refused=r"virtual file \(VRT\)", risky=True)
_case("commented_vrt.geojson", f"<!-- a -->\n{_VRT}", refused=r"virtual file \(VRT\)")
_case("vrt.gpkg", _VRT, refused=r"virtual file \(VRT\)")
_case("vrt.kml", _VRT, refused=r"virtual file \(VRT\)")
_case(
    "pipeline.geojson",
    '{"type": "gdal_streamed_alg", "command_line": "gdal vector pipeline ! read /etc/passwd"}',
    refused="GDALG",
)
_case("topo.json", '{"type": "Topology", "objects": {}}', refused="TopoJSON")
_case("esri.json", '{"geometryType": "esriGeometryPoint", "features": []}', refused="Esri JSON")
_case("plain.json", '{"a": 1}', refused="not GeoJSON")
_case("list.geojson", '[{"type": "Feature"}]', refused="not GeoJSON")
_case("cut.geojson", lambda: _geojson(_HERE)[:-20], refused="is damaged")
_case("gbk.geojson", lambda: _geojson(_HERE).decode().encode("gbk"), refused="is not UTF-8")
_case(
    "deep.geojson",
    '{"type": "Polygon", "coordinates": ' + "[" * 100_000 + "]" * 100_000 + "}",
    refused="nested too deep",
    risky=True,
)
_case(
    "deep_collection.geojson",
    lambda: (
        '{"type":"GeometryCollection","geometries":[' * 400 + json.dumps(_HERE) + "]}" * 400
    ).encode(),
    refused="no column holds|is damaged|known",
    risky=True,
)
_case(
    "unknown_crs.geojson",
    lambda: _geojson(_HERE, crs={"type": "name", "properties": {"name": "EPSG:999999"}}),
    refused="coordinate system that is not known",
)
_case(
    "linked_crs.geojson",
    lambda: _geojson(_HERE, crs={"type": "link", "properties": {"href": "http://x"}}),
    refused="by a link",
)
_case("nothing.geojson", lambda: _geojson(), refused="none of its columns|is empty|no column")
_case("bow_tie.geojson", lambda: _geojson(_BOW), good=1, said="图形无效")
_case("no_shape.geojson", lambda: _geojson(None, _HERE), good=2)
_case(
    "many_points.geojson",
    lambda: _geojson(_HERE, _shape("MultiPoint", [[123.1, 41.2], [123.2, 41.2]])),
    good=1,
    bad=1,
    said="several points",
)
_case(
    "mixed.geojson",
    lambda: _geojson(_HERE, {"type": "GeometryCollection", "geometries": [_HERE, _BOW]}),
    good=1,
    bad=1,
    said="points, lines and areas",
)
_case(
    "two_corners.geojson",
    lambda: _geojson(_HERE, _shape("Polygon", [[[123.1, 41.2], [123.2, 41.2]]])),
    good=1,
    bad=1,
)
_case("endless.geojson", lambda: _geojson(_HERE).replace(b"41.26", b"1e999"), refused="is damaged")
_case(
    "no_names.geojson",
    '{"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {}, "geometry": null}]}',
    refused="none of its columns|is empty|no column",
)
_case(
    "many_corners.geojson",
    lambda: _geojson(_HERE, _shape("LineString", [[123 + n / 1e4, 41] for n in range(600)])),
    good=1,
    bad=1,
    said="over 500 vertices",
    limits={"max_vertices": 500},
)
_case(
    "too_long.geojson",
    lambda: _geojson(_HERE, _HERE, _HERE),
    refused="too many rows",
    limits={"max_rows": 2},
)


def _gpkg(*statements: str, frame: gpd.GeoDataFrame | None = None) -> bytes:
    raw = _written(_frame(_POINT) if frame is None else frame, "a.gpkg")["a.gpkg"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.gpkg")
        path.write_bytes(raw)
        with closing(sqlite3.connect(path)) as database:
            for statement in statements:
                database.execute(statement)
            database.commit()
        return path.read_bytes()


_case(
    "view.gpkg",
    lambda: _gpkg("CREATE VIEW other AS SELECT * FROM a"),
    refused='a view "other"',
    risky=True,
)
_case(
    "trigger.gpkg",
    lambda: _gpkg("CREATE TRIGGER evil AFTER INSERT ON a BEGIN SELECT 1; END"),
    refused='trigger of its own "evil"',
)
_case(
    "virtual.gpkg",
    lambda: _gpkg("CREATE VIRTUAL TABLE words USING fts4(a)"),
    refused="a virtual table",
)
_case("cut.gpkg", lambda: _gpkg()[:20_000], refused="is damaged")
_case("sqlite.gpkg", b"SQLite format 3\0" + bytes(2000), refused="not a GeoPackage")
_case("hollow.gpkg", b"SQLite format 3\0" + bytes(52) + b"GPKG" + bytes(2000), refused="is damaged")
_case(
    "endless.gpkg",
    lambda: _gpkg(frame=_frame(_POINT, shapely.LineString([(123, 41), (123, float("inf"))]))),
    good=1,
    bad=1,
    said="not a number",
)
_case("wal.gpkg", lambda: _gpkg("PRAGMA journal_mode=WAL"), good=1)
_case("no_crs.gpkg", lambda: _gpkg(frame=_frame(_POINT, crs=None)), good=1, said="crs")
_case(
    "local_crs.gpkg",
    lambda: _gpkg(
        "UPDATE gpkg_geometry_columns SET srs_id = -1", "UPDATE gpkg_contents SET srs_id = -1"
    ),
    good=1,
    said="crs",
)


def _shapefile(leave_out: str = "", *, encoding="GBK", change=None, link="") -> bytes:
    parts = _written(_frame(_AREA), "园区.shp", encoding=encoding)
    parts = {name: raw for name, raw in parts.items() if Path(name).suffix not in leave_out.split()}
    raw = _zip(change(parts) if change else parts)
    return _with_link(link, raw) if link else raw


def _cut_shp(parts):
    return parts | {"园区.shp": parts["园区.shp"][:120]}


_case("gbk.zip", lambda: _shapefile(".cpg"), good=1, said="GB18030")
_case("no_shp.zip", lambda: _shapefile(".shp"), refused="has no shapefile|no .shp")
_case("no_dbf.zip", lambda: _shapefile(".dbf"), refused=r"has no \.dbf")
_case("no_shx.zip", lambda: _shapefile(".shx"), good=1, said=r".shx is missing")
_case("no_prj.zip", lambda: _shapefile(".prj"), good=1, said="crs")
_case(
    "bad_cpg.zip",
    lambda: _shapefile(change=lambda p: p | {"园区.cpg": b"klingon"}),
    refused="known encoding|known",
)
_case("cut_shp.zip", lambda: _shapefile(change=_cut_shp), good=1)
_case(
    "out.zip",
    lambda: _shapefile(change=lambda p: p | {"../../out.shp": b"x"}),
    refused="points out of the archive",
)
_case(
    "absolute.zip",
    lambda: _shapefile(change=lambda p: p | {"/etc/out.shp": b"x"}),
    refused="points out of the archive",
)
_case("link.zip", lambda: _shapefile(link="l.shp"), refused="is a link", risky=True)
_case("nested.zip", lambda: _zip({"inner.zip": _zip({"a.shp": b""})}), refused="has no shapefile")
_case("csv_inside.zip", lambda: _zip({"a.csv": GOOD}), refused="has no shapefile")
_case("rar.zip", b"Rar!\x1a\x07", refused="is a RAR or 7z archive")
_case(
    "bomb.zip",
    lambda: _zip({"a.shp": bytes(100_000_000), "a.dbf": b""}),
    refused="times its size",
    risky=True,
)

_KML = '<kml xmlns="http://www.opengis.net/kml/2.2"><Document>{}</Document></kml>'
_MARK = "<Placemark><name>甲公司</name><Point><coordinates>123.17,41.26</coordinates></Point></Placemark>"
_case("good.kml", _KML.format(_MARK), good=1, kind="enterprise", said="KML standard")
_case(
    "laughs.kml",
    '<!DOCTYPE kml [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>' + _KML.format(_MARK),
    refused="DOCTYPE",
    risky=True,
)
_case(
    "outside.kml",
    '<!DOCTYPE kml [<!ENTITY a SYSTEM "file:///etc/passwd">]>' + _KML.format(_MARK),
    refused="DOCTYPE",
)
_case("late_entity.kml", _KML.format(_MARK + "<!ENTITY a 'b'>"), refused="ENTITY")
_case(
    "wide_dtd.kml",
    ('<!DOCTYPE kml [<!ENTITY a "ha">]>' + _KML.format(_MARK)).encode("utf-16"),
    refused="DOCTYPE",
)
_case(
    "link.kml",
    _KML.format(
        "<NetworkLink><Link><href>http://127.0.0.1:9/a.kml</href></Link></NetworkLink>" + _MARK
    ),
    good=1,
    kind="enterprise",
    risky=True,
)
_case("cut.kml", _KML.format(_MARK)[:-30], refused="is damaged")
_case("gpx.kml", "<gpx/>", refused="some other XML")
_case("page.kml", "<html></html>", refused="is a web page")
_case("hollow.kmz", lambda: _zip({"a.txt": "x"}), refused="has no KML")
_case(
    "out.kmz",
    lambda: _zip({"doc.kml": _KML.format(_MARK), "../x": "x"}),
    refused="points out of the archive",
)
_case(
    "bomb.kmz", lambda: _zip({"doc.kml": _KML.format(" " * 100_000_000)}), refused="times its size"
)
_case("good.kmz", lambda: _zip({"doc.kml": _KML.format(_MARK)}), good=1, kind="enterprise")
_case("garbage.dxf", "garbage", refused="not a DXF drawing")
_case(
    "cut.dxf",
    "0\nSECTION\n2\nENTITIES\n0\nLINE\n",
    refused="damaged|is empty|no column|known|no layer",
)
_case(
    "no_crs.dxf",
    "0\nSECTION\n2\nENTITIES\n0\nPOINT\n8\n甲公司\n10\n123.17\n20\n41.26\n0\nENDSEC\n0\nEOF\n",
    refused="no column holds|none of its columns",
)


def write_all(folder: Path) -> list[Path]:
    """Write every file into a folder and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for case in CASES:
        path = folder / case.name
        path.write_bytes(case.make())
        paths.append(path)
    return paths


if __name__ == "__main__":
    print(len(write_all(Path(sys.argv[1]))), "files")
