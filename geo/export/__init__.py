"""Pictures and tables for the meeting, from the same selection as the map; the page is never photographed.

`export_selection` is the one door: a format, a sheet and a target go in, a file that is whole or not there comes out.
"""

from __future__ import annotations

import io
import os
import re
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import geopandas as gpd
import shapely

from geo.category import Categories
from geo.errors import ExportError
from geo.export.check import Finding, check_sheets
from geo.export.figure import write_pdf, write_png, write_svg
from geo.export.frame import PRESETS, Preset
from geo.export.layout import Sheet, Wording, lay_out
from geo.export.slides import write_pptx
from geo.export.tables import write_csv, write_geojson, write_gpkg, write_xlsx

__all__ = [
    "FORMATS",
    "PICTURES",
    "PRESETS",
    "ExportReport",
    "Picture",
    "Wording",
    "draw_pages",
    "draw_series",
    "export_selection",
]

PICTURES = ("png", "pdf", "svg", "pptx")
TABLES = ("xlsx", "csv", "gpkg", "geojson")
FORMATS = PICTURES + TABLES


@dataclass(frozen=True)
class Picture:
    """What is to be exported: the selected sites and everything around them.

    `sites` is a site table; `outline` and `neighbours` are EPSG:4326; `bounds` is minx, miny, maxx, maxy in degrees or
    None for all sites.
    """

    sites: gpd.GeoDataFrame
    preset: Preset
    wording: Wording
    categories: Categories
    outline: shapely.Geometry
    neighbours: Sequence[shapely.Geometry] = ()
    bounds: tuple[float, float, float, float] | None = None


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What was written: `on_map` and `missing` are ids and together are the whole selection."""

    files: tuple[Path, ...]
    on_map: tuple[str, ...]
    missing: tuple[str, ...]
    findings: tuple[Finding, ...] = field(default_factory=tuple)


def draw_pages(picture: Picture) -> list[Sheet]:
    """Return the pages of one picture.

    Raises
    ------
    ExportError
        If nothing is selected, or the frame that was asked for shows none of it.
    """
    if picture.sites.empty:
        raise ExportError("nothing is selected: clear the filter or choose another set")
    sheets = lay_out(
        picture.sites,
        picture.preset,
        picture.wording,
        picture.categories,
        outline=picture.outline,
        neighbours=picture.neighbours,
        bounds=picture.bounds,
    )
    if picture.bounds is not None and not sheets[0].on_map:
        raise ExportError("the frame shows none of the selected sites: move it or leave it out")
    return sheets


def draw_series(picture: Picture) -> list[tuple[str, list[Sheet]]]:
    """Return an overview, then one page for each status on the map: same frame, scale, legend and numbers.

    Returns
    -------
    pages
        A short name for each page (总览, then the statuses' labels) and its sheets. On a status's page the
        other sites are grey.
    """
    overview = draw_pages(picture)
    words = picture.wording
    pages = [(words.labels["overview"], overview)]
    for kind, rows in overview[0].legend:
        for row in rows:
            title = f"{words.title} · {kind} · {row.label} {row.count}"
            lit = replace(
                overview[0],
                wording=replace(words, title=title),
                lit=frozenset({row.status.key}),
                pages=1,
            )
            pages.append((f"{kind}-{row.label}", [lit]))
    return pages


def export_selection(
    picture: Picture,
    form: str,
    target: Path,
    *,
    series: bool = False,
    progress: Callable[[float], None] | None = None,
) -> ExportReport:
    """Write a selection to a file and say what is in it.

    Parameters
    ----------
    picture
        What to export.
    form
        One of `FORMATS`.
    target
        The file. Further pages of a PNG or SVG go beside it with -2, -3 ...; a series of them becomes one zip.
    series
        An overview and a page for each status, instead of one picture.
    progress
        Called with the share that is done, 0 to 1; what it raises ends the export and leaves no file.

    Raises
    ------
    ExportError
        If the format is not known, nothing is selected, or the file cannot be written; no half file is left.
    """
    if form not in FORMATS:
        raise ExportError(f'format "{form}" is not one of {", ".join(FORMATS)}')
    tell = progress or (lambda share: None)
    pages = draw_series(picture) if series else [("", draw_pages(picture))]
    first = pages[0][1][0]
    table = form in TABLES
    contents = {target: _table(picture, form)} if table else _pictures(pages, form, target, tell)
    files = tuple(_write(path, data) for path, data in contents.items())
    tell(1.0)
    findings = tuple(check_sheets(pages[0][1])) if form in PICTURES else ()
    return ExportReport(files, first.on_map, first.missing, findings)


def _pictures(
    pages: list[tuple[str, list[Sheet]]],
    form: str,
    target: Path,
    tell: Callable[[float], None],
) -> dict[Path, bytes]:
    if form == "pptx":
        return {target: write_pptx([sheets for _, sheets in pages], pictures=write_png)}
    if form == "pdf":
        return {target: write_pdf([sheet for _, sheets in pages for sheet in sheets])}
    write = write_png if form == "png" else write_svg
    sheets = [(name, sheet) for name, group in pages for sheet in group]
    drawn = []
    for n, (name, sheet) in enumerate(sheets):
        tell(n / len(sheets))
        drawn.append((name, write(sheet)))
    if len(pages) > 1:
        return {target.with_suffix(".zip"): _zipped(drawn, form, pages[0][1][0].wording.as_of)}
    names = [target, *(target.with_stem(f"{target.stem}-{n}") for n in range(2, len(drawn) + 1))]
    return {path: data for path, (_, data) in zip(names, drawn, strict=True)}


def _zipped(drawn: list[tuple[str, bytes]], form: str, as_of: str) -> bytes:
    """Return a zip of pictures named 01_总览_截至20200311.png."""
    day = "".join(re.findall(r"\d", as_of))
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for n, (name, data) in enumerate(drawn, start=1):
            plain = re.sub(r'[\\/:*?"<>|\s]+', "-", name)
            archive.writestr(f"{n:02d}_{plain}{f'_截至{day}' if day else ''}.{form}", data)
    return target.getvalue()


def _table(picture: Picture, form: str) -> bytes:
    sites, language = picture.sites, picture.wording.language
    if form == "xlsx":
        return write_xlsx(sites, picture.categories, language=language, wording=picture.wording)
    if form == "csv":
        return write_csv(sites, picture.categories, language=language)
    if form == "geojson":
        return write_geojson(sites, notice=picture.wording.notice)
    with tempfile.TemporaryDirectory() as folder:
        return write_gpkg(sites, Path(folder) / "sites.gpkg").read_bytes()


def _write(target: Path, data: bytes) -> Path:
    """Write a file whole or not at all."""
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(data)
        part.replace(target)
    except OSError as error:
        part.unlink(missing_ok=True)
        reason = error.strerror or type(error).__name__
        raise ExportError(f"{target.name} cannot be written: {reason}") from error
    return target
