"""The selection as a table: XLSX and CSV for the office, GeoJSON and GeoPackage for a GIS.

Every selected site is a row, on the map or not. Only a site that is on the map has a place in these files, and what
stands in a cell is data: text of a source never becomes a formula, a link or a number.
"""

from __future__ import annotations

import csv
import io
import json
import math
import os
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Final

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyogrio.raw
import shapely
import xlsxwriter
from pyogrio.errors import DataLayerError, DataSourceError
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from geo.category import Categories
from geo.errors import ExportError
from geo.export.layout import Wording
from geo.site import COLUMNS, CRS, TEXT, is_located

AUTHOR: Final = "Baita One Map"
MAX_XLSX_ROWS: Final = 1_048_575  # and the header
MAX_XLSX_TEXT: Final = 32_767
"""Characters in one cell, counted as Excel does: one beyond the basic plane counts twice."""
FIRST_XLSX_DAY: Final = date(1900, 1, 1)

METRES: Final = 8
"""The column that is a distance; other numbers are degrees."""
COLUMN_WIDTHS: Final = (20, 36, 12, 14, 12, 14, 30, 10, 10, 12, 12, 24, 36, 40)
WORDS: Final[dict[str, dict[str, Any]]] = {
    "zh": {
        "sites": "点位",
        "changes": "变化",
        "change_header": "编号 名称 类别 之前 现在".split(),
        "new": "（新增）",
        "about": "说明",
        "header": (
            "编号 名称 类别 状态 截至 街道 地点 精度 误差(米) 经度 纬度 原因 来源 备注"
        ).split(),
        "datum": "经度、纬度为 WGS84（EPSG:4326）。只有已上图的点才有坐标；道路和区域的走向见 GeoPackage 或 GeoJSON。",
        "precision": {
            "rooftop": "门牌级",
            "poi": "地点级",
            "intersection": "路口级",
            "road": "道路级",
            "community": "社区级",
            "street": "街道级",
            "district": "区级",
            "city": "市级",
            "none": "未定位",
        },
        "reason": {
            "no_coordinate": "没有查到公开坐标",
            "ambiguous": "有几处同样符合，需要人来选",
            "to_confirm": "只知道大致范围，需要人来确认",
            "too_coarse": "只知道在哪个区或市，太粗",
            "outside": "给出的坐标在本区之外，可能是坐标系不对",
        },
    },
    "en": {
        "sites": "Sites",
        "changes": "Changes",
        "change_header": "ID|Name|Kind|Before|Now".split("|"),
        "new": "(new)",
        "about": "About",
        "header": (
            "ID|Name|Kind|Status|As of|Subdistrict|Place|Precision|Error (m)|Longitude|Latitude|"
            "Why not on the map|Source|Note"
        ).split("|"),
        "datum": (
            "Longitude and latitude are WGS84 (EPSG:4326). Only points on the map have them; for the "
            "course of roads and areas see the GeoPackage or GeoJSON."
        ),
        "precision": {
            "rooftop": "door number",
            "poi": "place",
            "intersection": "crossing",
            "road": "road",
            "community": "community",
            "street": "subdistrict",
            "district": "district",
            "city": "city",
            "none": "not located",
        },
        "reason": {
            "no_coordinate": "No public coordinate was found",
            "ambiguous": "Several places fit; a person must choose",
            "to_confirm": "Only a rough area is known; a person must confirm",
            "too_coarse": "Only the district or city is known",
            "outside": "Its coordinate lies outside the district; the datum may be wrong",
        },
    },
}
"""What these files say in each language; what a sheet says is in its `Wording`."""

# XML 1.0 has no place for these, not even escaped: most control characters, halves of a surrogate pair, two others.
_UNWRITABLE = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_HALVES = re.compile("[\ud800-\udfff]")
# What a spreadsheet may take for the start of a formula in a CSV, full-width signs too (OWASP, "CSV Injection"), also
# behind blanks and what nobody sees: some programs trim a cell before they look at it.
_FORMULA = re.compile(
    "'*(?:[\t\r\n]|[\\s\u00ad\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufffd]*[=+\\-@＝＋－＠])"
)

Cell = str | float | date | None


def writable(text: str) -> str:
    """Return a text with U+FFFD for each character that XML cannot hold, so that it is seen to be missing."""
    return _UNWRITABLE.sub("\ufffd", text)


# ---- XLSX --------------------------------------------------------------------------------------------------------


def write_xlsx(
    sites: gpd.GeoDataFrame,
    categories: Categories,
    *,
    language: str,
    wording: Wording,
    changed: gpd.GeoDataFrame | None = None,
) -> bytes:
    """Return a workbook: one sheet with a row for each site, one that says where it is from.

    If something is compared, a third one between them lists what changed.

    A text beyond what a cell can hold ends in "…"; a day before Excel's first is text.

    Parameters
    ----------
    sites
        The selection, a site table; any number of rows, on the map or not.
    categories
        Kinds and statuses.
    language
        Of the header and of what stands for codes: "zh" or "en".
    wording
        What is written on the picture; the last sheet repeats it.
    changed
        What has changed since an earlier day, see `geo.export.picture.Picture`; None compares nothing.

    Raises
    ------
    ExportError
        If there are more rows than a sheet can hold.
    """
    if len(sites) > MAX_XLSX_ROWS:
        raise ExportError(
            f"{len(sites)} sites; an Excel sheet holds {MAX_XLSX_ROWS}: "
            "export CSV or GeoPackage, or filter first"
        )
    target, words = io.BytesIO(), WORDS[language]
    # Text is written as text below; the options hold for whoever adds a plain `write` later.
    safe = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(target, {"in_memory": True, **safe}) as book:
        book.set_properties({"title": writable(wording.title), "author": AUTHOR})
        formats = {
            name: book.add_format(look)
            for name, look in {
                "bold": {"bold": True},
                "warning": {"bold": True, "font_color": "#b3261e"},
                "header": {"bold": True, "bg_color": "#e4e8ed", "bottom": 1},
                "date": {"num_format": "yyyy-mm-dd", "align": "left"},
                "degrees": {"num_format": "0.000000"},
                "metres": {"num_format": "0"},
            }.items()
        }
        rows = site_rows(sites, categories, language=language)
        _write_sites(book.add_worksheet(words["sites"]), words["header"], rows, formats)
        if changed is not None:
            mine = changed[changed["site_id"].isin(sites["site_id"])]
            lines = _change_rows(mine, categories, language)
            _write_changes(book.add_worksheet(words["changes"]), words, lines, formats)
        about = [*_about(sites, wording), (words["datum"], "")]
        _write_about(book.add_worksheet(words["about"]), about, formats)
    return target.getvalue()


def _write_sites(
    page: Worksheet,
    header: Sequence[str],
    rows: Iterator[tuple[Cell, ...]],
    formats: dict[str, Format],
) -> None:
    for column, (title, width) in enumerate(zip(header, COLUMN_WIDTHS, strict=True)):
        page.set_column(column, column, width)
        page.write_string(0, column, title, formats["header"])
    last = 0
    for last, row in enumerate(rows, start=1):
        for column, value in enumerate(row):
            _write_cell(page, last, column, value, formats)
    page.freeze_panes(1, 2)
    page.autofilter(0, 0, last, len(header) - 1)
    page.set_landscape()
    page.fit_to_pages(1, 0)
    page.repeat_rows(0)


def _write_changes(
    page: Worksheet,
    words: Mapping[str, Any],
    rows: Iterator[tuple[str, ...]],
    formats: dict[str, Format],
) -> None:
    for column, title in enumerate(words["change_header"]):
        page.set_column(column, column, 34 if column == 1 else 20)
        page.write_string(0, column, title, formats["header"])
    for row, values in enumerate(rows, start=1):
        for column, text in enumerate(values):
            page.write_string(row, column, _fitting(text))
    page.freeze_panes(1, 2)


def _change_rows(
    changed: gpd.GeoDataFrame, categories: Categories, language: str
) -> Iterator[tuple[str, ...]]:
    """Yield for each change id, name, kind, and the status before and after in words; new ones have none before."""
    columns = "site_id name kind status old_status".split()
    for change in changed[columns].to_dict("records"):
        kind = categories.kind(change["kind"])
        old, new = (
            categories.status(kind.code, code).label[language] if code else WORDS[language]["new"]
            for code in (change["old_status"], change["status"])
        )
        about = change["site_id"], change["name"], kind.label[language], old, new
        yield tuple(map(writable, about))


def _write_cell(
    page: Worksheet, row: int, column: int, value: Cell, formats: dict[str, Format]
) -> None:
    if isinstance(value, float):
        style = formats["metres" if column == METRES else "degrees"]
        page.write_number(row, column, value, style)
    elif isinstance(value, date) and value >= FIRST_XLSX_DAY:
        page.write_datetime(row, column, value, formats["date"])
    elif value:
        page.write_string(row, column, _fitting(str(value)))


def _fitting(text: str) -> str:
    """Return a text cut to what a cell holds, so that the cell is not left empty without a word."""
    if len(text) * 2 <= MAX_XLSX_TEXT:
        return text
    units = text.encode("utf-16-le")
    if len(units) <= MAX_XLSX_TEXT * 2:
        return text
    return units[: (MAX_XLSX_TEXT - 1) * 2].decode("utf-16-le", "ignore") + "…"


def _about(sites: gpd.GeoDataFrame, wording: Wording) -> list[tuple[str, str]]:
    """Return the lines that say what the table is, each with its look."""
    counted = wording.labels["on_map_of"].format(n=int(is_located(sites).sum()), total=len(sites))
    return [
        (wording.title, "bold"),
        (wording.subtitle, ""),
        (wording.as_of, ""),
        (wording.source, ""),
        (wording.unit, ""),
        (counted, ""),
        (wording.notice, "warning"),
        (wording.marking, "warning"),
    ]


def _write_about(
    page: Worksheet, lines: Sequence[tuple[str, str]], formats: dict[str, Format]
) -> None:
    page.set_column(0, 0, 100)
    for row, (text, look) in enumerate(line for line in lines if line[0]):
        page.write_string(row, 0, _fitting(writable(text)), formats.get(look))


# ---- CSV ---------------------------------------------------------------------------------------------------------


def write_csv(sites: gpd.GeoDataFrame, categories: Categories, *, language: str = "zh") -> bytes:
    """Return the same rows as CSV, UTF-8 with a byte order mark, so that Excel reads Chinese.

    A CSV cannot say that a cell is text. One that a spreadsheet would take for a formula (it starts with
    `= + - @` or their full-width forms, also behind blanks, or with a tab or a line break) therefore gets an
    apostrophe in front, and so does one that starts with apostrophes and then one of these: take one away and
    the text is back. Numbers and dates are as they are, a minus in front included.
    """
    target = io.StringIO(newline="")
    writer = csv.writer(target, lineterminator="\r\n")
    writer.writerow(WORDS[language]["header"])
    for row in site_rows(sites, categories, language=language):
        writer.writerow([_csv_cell(value) for value in row])
    return target.getvalue().encode("utf-8-sig")


def _csv_cell(value: Cell) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return f"'{value}" if _FORMULA.match(value) else value
    return value.isoformat() if isinstance(value, date) else repr(value)


# ---- rows of both ------------------------------------------------------------------------------------------------


def site_rows(
    sites: gpd.GeoDataFrame, categories: Categories, *, language: str
) -> Iterator[tuple[Cell, ...]]:
    """Yield one row for each site in order, in the columns of the header.

    Text has U+FFFD for what XML cannot hold. An unknown date, error or coordinate is None; only points that
    are on the map have a coordinate.
    """
    words = WORDS[language]
    lon, lat = _coordinates(sites)
    named = "site_id name kind status place street source_file source_where reason note precision"
    columns = {name: sites[name].map(writable).tolist() for name in named.split()}
    errors = sites["uncertainty_m"].tolist()
    for n, day in enumerate(_days(sites)):
        site = {name: values[n] for name, values in columns.items()}
        kind = categories.kind(site["kind"])
        yield (
            site["site_id"],
            site["name"],
            writable(kind.label[language]),
            writable(categories.status(kind.code, site["status"]).label[language]),
            day,
            site["street"],
            site["place"],
            words["precision"].get(site["precision"], site["precision"]),
            _finite(errors[n]),
            _finite(lon[n]),
            _finite(lat[n]),
            words["reason"].get(site["reason"], site["reason"]),
            " ".join(part for part in (site["source_file"], site["source_where"]) if part),
            site["note"],
        )


def _coordinates(sites: gpd.GeoDataFrame) -> tuple[list[float], list[float]]:
    """Return longitudes and latitudes; NaN where the site is no point on the map."""
    shapes = sites.geometry.to_numpy()
    point = is_located(sites) & (shapely.get_type_id(shapes) == shapely.GeometryType.POINT)
    lonlat = np.full((len(sites), 2), np.nan)
    lonlat[point] = shapely.get_coordinates(shapes[point])
    return lonlat[:, 0].tolist(), lonlat[:, 1].tolist()


def _days(sites: gpd.GeoDataFrame) -> list[date | None]:
    return [None if pd.isna(moment) else moment.date() for moment in sites["as_of"]]


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None


# ---- GeoJSON -----------------------------------------------------------------------------------------------------


def write_geojson(sites: gpd.GeoDataFrame, *, notice: str = "") -> bytes:
    """Return the sites as GeoJSON (RFC 7946), UTF-8; see `feature_collection`."""
    collection = feature_collection(sites, notice=notice)
    text = json.dumps(collection, ensure_ascii=False, allow_nan=False)
    # UTF-8 has no halves of a surrogate pair; every other character it has.
    return _HALVES.sub("\ufffd", text).encode()


def feature_collection(sites: gpd.GeoDataFrame, *, notice: str = "") -> dict[str, object]:
    """Return the sites as a GeoJSON object.

    Parameters
    ----------
    sites
        The selection, a site table; any number of rows.
    notice
        What a reader must know of the data ("演示数据（虚构）"), a member of the same name; "" leaves it out.

    Returns
    -------
    collection
        One feature for each site, in order. One that is not on the map has the geometry null. Dates are ISO 8601
        text and numbers that are not known are null. `counts` says how many there are of each.
    """
    located = is_located(sites)
    count = int(located.sum())
    collection: dict[str, object] = {
        "type": "FeatureCollection",
        "counts": {"selected": len(sites), "located": count, "not_located": len(sites) - count},
    }
    if notice:
        collection["notice"] = notice
    shapes = np.where(located, sites.geometry.to_numpy(), None)
    # RFC 7946 winds outer rings counterclockwise.
    geometries = shapely.to_geojson(shapely.orient_polygons(shapes))
    table = sites.drop(columns="geometry").assign(as_of=_days(sites))
    collection["features"] = [
        {
            "type": "Feature",
            "id": row["site_id"],
            "geometry": None if geometry is None else json.loads(geometry),
            "properties": {name: _plain(value) for name, value in row.items()},
        }
        for row, geometry in zip(table.to_dict("records"), geometries, strict=True)
    ]
    return collection


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return _finite(value)
    return value.isoformat() if isinstance(value, date) else value


# ---- GeoPackage --------------------------------------------------------------------------------------------------


def write_gpkg(sites: gpd.GeoDataFrame, target: Path) -> Path:
    """Write a GeoPackage for a GIS and return its path: one layer `sites`, EPSG:4326, dates as dates.

    The file appears complete or not at all, in place of one of the same name. It is an export, not a store: sites
    that are not on the map have no geometry.

    Raises
    ------
    ExportError
        If the file cannot be written, or is open as a store.
    """
    # Taking the place of a database in use would leave its write-ahead log beside a file it does not belong to.
    if target.with_name(f"{target.name}-wal").exists():
        raise ExportError(f"{target.name} is a store in use: choose another name for the export")
    temporary = target.with_name(f".{target.stem}-{uuid.uuid4().hex}.part.gpkg")
    try:
        _write_layer(sites, temporary)
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(target)
    except (OSError, DataSourceError, DataLayerError) as error:
        # GDAL's own words name the whole path, which is nobody's business at the screen.
        reason = getattr(error, "strerror", None) or "is the disk full, or the folder read-only?"
        raise ExportError(f"{target.name} cannot be written: {reason}") from error
    finally:
        temporary.unlink(missing_ok=True)
    return target


def _write_layer(sites: gpd.GeoDataFrame, path: Path) -> None:
    names = [name for name in COLUMNS if name != "geometry"]
    shapes = np.where(is_located(sites), sites.geometry.to_numpy(), None)
    # Through the raw door, where a column of days stays one: the other would make them moments or text.
    pyogrio.raw.write(
        path,
        shapely.to_wkb(shapes),
        [_field(sites[name]) for name in names],
        names,
        layer="sites",
        driver="GPKG",
        geometry_type="Unknown",
        crs=CRS,
        dataset_metadata=None,
    )


def _field(values: pd.Series) -> npt.NDArray[Any]:
    if values.name in TEXT:
        return values.map(writable).to_numpy(dtype=object)
    array = values.to_numpy()
    return array.astype("datetime64[D]") if array.dtype.kind == "M" else array
