"""Write the files of try/, one of each kind the import desk reads: `python data/samples/make_tries.py`.

Everything in them is invented. They are small, and each has what such files have in an office: a bulletin with a total
that does not add up, a table in GBK with a title row and a total row, a workbook with headings in two rows, layers.
"""

from __future__ import annotations

import csv
import io
import sys
import zipfile
from datetime import datetime
from pathlib import Path
from xml.sax.saxutils import escape

import geopandas as gpd
import xlsxwriter
from shapely.geometry import LineString, Point, Polygon

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))  # run as a script, this file finds the repo's geo/

from geo.locate.datum import from_wgs84  # noqa: E402

TARGET = HERE / "try"
MOMENT = (2026, 3, 20, 9, 0, 0)
BULLETIN = """白塔区复工复产情况通报（样例，全部虚构）
截至2026年3月20日，全区重点企业50户，已复工41户，复工率80%。其中南门街道20户，复工18户，复工率90%。
辽阳青松机械有限公司已全面复工复产，300名职工全部到岗。辽阳云岭食品有限公司尚未复工。辽阳长风电器有限公司部分复工。
星河商务中心、望塔大厦等项目要尽早开工；重点推进澄湖物流园建设；加大银杉科技园招商力度。
3月19日，交警在演示路甲段、演示路乙段对乱停车辆进行现场警告教育。演示路丙段已清理完毕，42个停车位还给市民。
"""
SPOTS = ((123.1812, 41.2675), (123.1745, 41.2590), (123.1688, 41.2702), (123.1901, 41.2611))
FIRMS = ("青松机械", "云岭食品", "长风电器", "白桦印务")


def write_bulletins() -> None:
    """Write the bulletin as text and as a Word document."""
    (TARGET / "bulletin.txt").write_text(BULLETIN, encoding="utf-8", newline="\n")
    space = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    lines = "".join(f"<w:p><w:r><w:t>{escape(line)}</w:t></w:r></w:p>" for line in BULLETIN.splitlines())
    packing = "http://schemas.openxmlformats.org/package/2006"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"
    word = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
    write_zip(
        "bulletin.docx",
        {
            "[Content_Types].xml": f'<Types xmlns="{packing}/content-types">'
            '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            f'<Override PartName="/word/document.xml" ContentType="{word}"/></Types>',
            "_rels/.rels": f'<Relationships xmlns="{packing}/relationships">'
            f'<Relationship Id="r1" Type="{office}" Target="word/document.xml"/></Relationships>',
            "word/document.xml": f'<w:document xmlns:w="{space}"><w:body>{lines}</w:body></w:document>',
        },
    )


def write_zip(name: str, members: dict[str, str | bytes]) -> None:
    """Write an archive that is the same every time."""
    with zipfile.ZipFile(TARGET / name, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, data in members.items():
            archive.writestr(zipfile.ZipInfo(member, MOMENT), data, zipfile.ZIP_DEFLATED)


def write_table() -> None:
    """Write a CSV as Excel in China saves it: GBK, a title above, a total below, coordinates of Amap."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\r\n")
    rows.writerow(["企业复工情况统计表（样例，虚构）", "", "", "", "", ""])
    rows.writerow(["序号", "企业名称", "复工情况", "地址", "高德经度", "高德纬度"])
    words = ("已复工", "停工整顿", "部分复工", "复工")
    for number, (firm, (lon, lat), word) in enumerate(zip(FIRMS, SPOTS, words, strict=True), 1):
        x, y = from_wgs84(lon, lat, "gcj02")
        rows.writerow([number, f"辽阳{firm}有限公司", word, f"演示路{number * 12}号", f"{x:.6f}", f"{y:.6f}"])
    rows.writerow(["合计", 4, "", "", "", ""])
    (TARGET / "table-gbk.csv").write_bytes(text.getvalue().encode("gb18030"))


def write_workbook() -> None:
    """Write a workbook with a title, headings in two rows, merged cells and a remark below the table."""
    with xlsxwriter.Workbook(TARGET / "messy.xlsx") as book:
        # The moment of writing would make the file another one each time.
        book.set_properties({"created": datetime(*MOMENT)})
        sheet = book.add_worksheet("重点项目")
        sheet.merge_range("A1:F1", "2026年重点项目推进台账（样例，虚构）")
        for column, words in (("A", "序号"), ("B", "项目名称"), ("C", "建设阶段"), ("F", "备注")):
            sheet.merge_range(f"{column}2:{column}3", words)
        sheet.merge_range("D2:E2", "位置（WGS84）")
        sheet.write_row("D3", ["经度", "纬度"])
        stages = ("施工中", "尽早开工", "招商中", "竣工")
        names = ("星河商务中心", "望塔大厦", "银杉科技园", "澄湖物流园")
        for row, (name, stage, (lon, lat)) in enumerate(zip(names, stages, SPOTS, strict=True)):
            note = "资金 1.2 亿元" if row == 0 else ""
            sheet.write_row(row + 3, 0, [row + 1, name, stage, lon - 0.004, lat + 0.003, note])
        sheet.write("A9", "注：本表为样例，全部虚构。")


def write_layers() -> None:
    """Write roads as GeoJSON and as a zipped shapefile, parcels as GeoPackage, points as KML."""
    lines = [LineString([(lon, lat), (lon + 0.006, lat + 0.0015), (lon + 0.012, lat + 0.001)]) for lon, lat in SPOTS[:3]]
    roads = gpd.GeoDataFrame(
        {"路段名称": ["演示路甲段", "演示路乙段", "演示路丙段"], "整治情况": ["整治中", "计划整治", "清理完毕"], "类别": ["停车整治"] * 3},
        geometry=lines,
        crs="EPSG:4326",
    )
    # RFC 7946: the few digits that mean something.
    roads.to_file(TARGET / "roads.geojson", driver="GeoJSON", COORDINATE_PRECISION=6)
    folder = TARGET / "shape"
    folder.mkdir()
    # Names of columns are cut at ten bytes there.
    short = roads.rename(columns={"路段名称": "名称", "整治情况": "状态"})
    short.to_crs("EPSG:4550").to_file(folder / "roads.shp", encoding="utf-8")
    write_zip("roads-shp.zip", {path.name: path.read_bytes() for path in sorted(folder.iterdir())})
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    parcels = gpd.GeoDataFrame(
        {"项目名称": ["星河商务中心地块", "银杉科技园地块"], "阶段": ["在建", "招商"]},
        geometry=[Polygon([(x, y), (x + 0.003, y), (x + 0.003, y + 0.002), (x, y + 0.002)]) for x, y in SPOTS[:2]],
        crs="EPSG:4490",
    )
    parcels.to_file(TARGET / "parcels.gpkg", layer="重点项目", driver="GPKG")
    marks = "".join(
        f"<Placemark><name>辽阳{firm}有限公司</name><description>{word}</description><Point><coordinates>{p.x},{p.y}</coordinates></Point></Placemark>"
        for firm, word, p in zip(FIRMS, ("已复工", "未复工", "部分复工", "待核实"), map(Point, SPOTS), strict=True)
    )
    kml = f'<?xml version="1.0" encoding="UTF-8"?>\n<kml xmlns="http://www.opengis.net/kml/2.2"><Document><name>企业</name>{marks}</Document></kml>\n'
    (TARGET / "points.kml").write_text(kml, encoding="utf-8", newline="\n")


def main() -> None:
    """Write every file but list.toml, which is kept by hand."""
    TARGET.mkdir(exist_ok=True)
    for path in TARGET.iterdir():
        if path.name != "list.toml":
            path.unlink()
    write_bulletins()
    write_table()
    write_workbook()
    write_layers()


if __name__ == "__main__":
    main()
