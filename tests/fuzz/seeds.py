"""Files to begin from: one small good file of each kind, and what may come of reading any change of them."""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from functools import lru_cache
from pathlib import Path

import geopandas as gpd
import openpyxl
import shapely

from geo.errors import SiteMapError
from geo.read import Limits, inspect_source, open_source, read_source
from geo.read.document import DOCUMENTS
from geo.read.sandbox import read_document_in_child

SMALL = Limits(
    max_bytes=200_000,
    max_unpacked=2_000_000,
    max_rows=2_000,
    max_cells=50_000,
    max_vertices=2_000,
    wall_s=20.0,
    cpu_s=10,
    memory_mb=1_024,
)
TABLE = "企业名称,状态,经度,纬度,坐标系\n甲公司,已复工,123.17,41.26,wgs84\n乙公司,停工,,,\n"
PROSE = "截至3月10日，全区企业680家，复工551家，复工率81.03%。甲公司已复工，乙项目开工建设。"
_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"


@lru_cache(maxsize=1)
def seeds() -> dict[str, bytes]:
    """Return the good files by name."""
    layer = gpd.GeoDataFrame(
        {"企业名称": ["甲公司", "乙公司"], "状态": ["已复工", "停工"]},
        geometry=[shapely.Point(123.17, 41.26), shapely.box(123.1, 41.2, 123.2, 41.3)],
        crs="EPSG:4326",
    )
    book, workbook = io.BytesIO(), openpyxl.Workbook()
    for line in TABLE.splitlines():
        workbook.active.append(line.split(","))
    workbook.save(book)
    found = {
        "table.csv": TABLE.encode(),
        "table.txt": TABLE.encode("gb18030"),
        "book.xlsx": book.getvalue(),
        "page.html": f"<html><body><p>{PROSE}</p></body></html>".encode(),
        "bulletin.docx": _docx(),
        "bulletin.txt": PROSE.encode(),
        "layer.geojson": layer.to_json().encode(),
        "layer.kml": _kml(),
    }
    with tempfile.TemporaryDirectory() as folder:
        layer.to_file(Path(folder) / "layer.gpkg", driver="GPKG")
        found["layer.gpkg"] = (Path(folder) / "layer.gpkg").read_bytes()
        # A shapefile's names have ten bytes.
        points = layer[:1].rename(columns={"企业名称": "名称"}).assign(类型="企业")
        points.to_file(Path(folder) / "points.shp", encoding="utf-8")
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for part in sorted(Path(folder).glob("points.*")):
                archive.writestr(part.name, part.read_bytes())
        found["points.zip"] = packed.getvalue()
    return found


def _docx() -> bytes:
    target = io.BytesIO()
    text = f'<w:document xmlns:w="{_WORD}"><w:body><w:p><w:r><w:t>{PROSE}</w:t></w:r></w:p></w:body></w:document>'
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("word/document.xml", text)
    return target.getvalue()


def _kml() -> bytes:
    return (
        '<kml xmlns="http://www.opengis.net/kml/2.2"><Document><Placemark><name>甲公司</name>'
        "<Point><coordinates>123.17,41.26</coordinates></Point></Placemark></Document></kml>"
    ).encode()


def read_or_refuse(name: str, data: bytes, *, sandboxed: bool = True) -> str:
    """Read a file as the app does; return what was refused, "" if nothing was.

    Anything but a refusal in one line, or a count that does not add up, is an error here.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(data)
        try:
            if name.startswith(("page", "bulletin")) and path.suffix in DOCUMENTS:
                read_document_in_child(path, limits=SMALL)
                return ""
            contents = open_source(path, limits=SMALL, sandboxed=sandboxed)
            inspect_source(contents)
            report = read_source(contents, limits=SMALL)
        except SiteMapError as error:
            said = str(error)
            assert said, name
            assert "\n" not in said, said
            assert folder not in said, said
            return said
        assert report.rows == len(report.records) + len(report.problems), name
        json.dumps([problem.as_dict() for problem in report.problems])
        return ""
