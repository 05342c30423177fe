"""Pictures and tables for the meeting, from the same selection as the map; the page is never photographed.

`render_selection` is the one door: a picture and a format go in, files come out as bytes. `export_selection` writes
them, each whole or not at all.
"""

from __future__ import annotations

import io
import os
import re
import tempfile
import unicodedata
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from geo.errors import ExportError
from geo.export.check import Basemap, Finding, check_sheets, refusals
from geo.export.figure import write_pdf, write_png, write_svg
from geo.export.frame import PRESETS, Preset
from geo.export.layout import LABELS, Sheet, Wording
from geo.export.picture import (
    SERIES,
    NotPublicError,
    Picture,
    draw_all,
    draw_pages,
    draw_series,
    thumbnail,
)
from geo.export.slides import write_pptx
from geo.export.tables import write_csv, write_geojson, write_gpkg, write_xlsx

__all__ = [
    "FORMATS",
    "LABELS",
    "PICTURES",
    "PRESETS",
    "SERIES",
    "Basemap",
    "ExportReport",
    "Finding",
    "NotPublicError",
    "Picture",
    "Preset",
    "Rendered",
    "Wording",
    "check_sheets",
    "draw_pages",
    "draw_series",
    "export_selection",
    "file_name",
    "refusals",
    "render_selection",
    "thumbnail",
    "write_file",
]

PICTURES = ("png", "pdf", "svg", "pptx")
TABLES = ("xlsx", "csv", "gpkg", "geojson")
FORMATS = PICTURES + TABLES
MAX_STEM = 60
"""A file's name is cut here: 60 Chinese characters are 180 bytes, and most systems take 255."""
DEVICES = frozenset("con prn aux nul".split()) | {
    f"{d}{n}" for d in ("com", "lpt") for n in "123456789"
}

Pages = list[tuple[str, list[Sheet]]]
Progress = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What was made: `on_map` and `missing` are ids and together are the whole selection.

    `files` is where it was written; () if it was only rendered.
    """

    files: tuple[Path, ...]
    on_map: tuple[str, ...]
    missing: tuple[str, ...]
    findings: tuple[Finding, ...] = field(default_factory=tuple)


@dataclass(frozen=True, slots=True)
class Rendered:
    """Files by name, in order, and what is in them."""

    files: dict[str, bytes]
    report: ExportReport

    def as_one(self) -> tuple[str, bytes]:
        """Return the name and content of one file to hand out: the only one, or a zip of all."""
        name, data = next(iter(self.files.items()))
        if len(self.files) == 1:
            return name, data
        return str(Path(name).with_suffix(".zip")), _zipped(self.files)


def render_selection(
    picture: Picture, form: str, series: str | bool = "", progress: Progress | None = None
) -> Rendered:
    """Return a selection as files named after its title and date; nothing is written to the disk.

    Parameters
    ----------
    picture
        What to export.
    form
        One of `FORMATS`.
    series
        One of `SERIES`: "" for one picture; "status" or "street" for an overview and a page for each of them.
        PNG and SVG then are one zip. Tables are the same with and without.
    progress
        Called before every page and step with the share that is done, 0 to 1; what it raises ends the export.

    Raises
    ------
    ExportError
        If the format or the series is not known, nothing is selected, or the picture must not be public.
    """
    return _render(picture, form, series, progress, Path(file_name(picture.wording, form)))


def export_selection(
    picture: Picture,
    form: str,
    target: Path,
    *,
    series: str | bool = "",
    progress: Progress | None = None,
) -> ExportReport:
    """Write a selection to a file and say what is in it; parameters as in `render_selection`.

    Parameters
    ----------
    target
        The file. Further pages of a PNG or SVG go beside it with -2, -3 ...; a series of them becomes one zip.

    Raises
    ------
    ExportError
        As `render_selection`, or if the file cannot be written; no half file is left.
    """
    rendered = _render(picture, form, series, progress, Path(target.name))
    if not target.name:
        raise ExportError("the export has no file name: give one")
    files = tuple(write_file(target.with_name(name), data) for name, data in rendered.files.items())
    return replace(rendered.report, files=files)


def _render(
    picture: Picture, form: str, series: str | bool, progress: Progress | None, name: Path
) -> Rendered:
    if form not in FORMATS:
        raise ExportError(f'format "{form}" is not one of {", ".join(FORMATS)}')
    by = "status" if series is True else series or ""
    if by not in SERIES:
        raise ExportError(f'series "{by}" is not one of {", ".join(filter(None, SERIES))}')
    tell = progress or (lambda share: None)
    tell(0.0)
    if form in TABLES:  # which have no basemap, and no pages
        picture, by = replace(picture, public=False), ""
    pages = draw_all(picture, by)
    tell(0.05)
    if form in TABLES:
        files = {name.name: _table(picture, form)}
    else:
        files = _pictures(pages, form, name, lambda share: tell(0.05 + 0.95 * share))
    tell(1.0)
    first = pages[0][1][0]
    findings = tuple(check_sheets(pages[0][1])) if form in PICTURES else ()
    return Rendered(files, ExportReport((), first.on_map, first.missing, findings))


def _pictures(pages: Pages, form: str, name: Path, tell: Progress) -> dict[str, bytes]:
    if form == "pptx":
        series = [sheets for _, sheets in pages]
        return {name.name: write_pptx(series, pictures=write_png, progress=tell)}
    if form == "pdf":
        return {name.name: write_pdf([s for _, group in pages for s in group], progress=tell)}
    write = write_png if form == "png" else write_svg
    sheets = [(page, sheet) for page, group in pages for sheet in group]
    drawn = []
    for n, (page, sheet) in enumerate(sheets):
        tell(n / len(sheets))
        drawn.append((page, write(sheet)))
    if len(pages) > 1:
        day = _day(pages[0][1][0].wording)
        named = {
            f"{n:02d}_{plain(page)}{day}.{form}": data
            for n, (page, data) in enumerate(drawn, start=1)
        }
        return {str(name.with_suffix(".zip")): _zipped(named)}
    names = [name, *(name.with_stem(f"{name.stem}-{n}") for n in range(2, len(drawn) + 1))]
    return {str(path): data for path, (_, data) in zip(names, drawn, strict=True)}


def _zipped(files: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return target.getvalue()


def _table(picture: Picture, form: str) -> bytes:
    sites, language = picture.sites, picture.wording.language
    if form == "xlsx":
        return write_xlsx(
            sites,
            picture.categories,
            language=language,
            wording=picture.wording,
            changed=picture.changed,
        )
    if form == "csv":
        return write_csv(sites, picture.categories, language=language)
    if form == "geojson":
        return write_geojson(sites, notice=picture.wording.notice)
    with tempfile.TemporaryDirectory() as folder:
        return write_gpkg(sites, Path(folder) / "sites.gpkg").read_bytes()


# ---- files and their names ---------------------------------------------------------------------------------------


def file_name(words: Wording, form: str) -> str:
    """Return the name of a file from the title and the date that are written on it, safe on any system."""
    return f"{plain(words.title)}{_day(words)}.{form}"


def _day(words: Wording) -> str:
    """Return what stands behind a name for its date: _截至20200311, or nothing."""
    digits = "".join(re.findall(r"\d", words.as_of))
    return f"_{'截至' if words.language == 'zh' else ''}{digits}" if digits else ""


def plain(text: str) -> str:
    """Return a text as it may stand in a file's name on any system: short, visible, with no separators.

    A name that Windows keeps for a device (CON, LPT1 ...) gets a line in front; nothing left becomes 一张图.
    """
    seen = "".join(c for c in text if unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Cn"))
    name = re.sub(r'[\\/:*?"<>|\s]+', "-", seen)[:MAX_STEM].strip("-. ")
    if name.partition(".")[0].lower() in DEVICES:
        return f"_{name}"
    return name or "一张图"


def write_file(target: Path, data: bytes) -> Path:
    """Write a file whole or not at all, and never in the place of a device, a pipe or a folder.

    Raises
    ------
    ExportError
        If the target is no ordinary file or cannot be written; what was there is still there.
    """
    if target.exists() and not target.is_file():
        raise ExportError(f"{target.name} is no ordinary file: choose another name")
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
