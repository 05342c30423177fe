"""Workbooks (XLSX, XLS, ODS) as grids of text cells, through calamine."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from geo.errors import SourceError
from geo.read.content import open_archive, read_member, refuse_dtd, xml_text
from geo.read.grid import (
    CELL_TEXT,
    HEADER_WITHIN,
    Contents,
    Grid,
    GridRow,
    Limits,
    Merge,
    Progress,
    far_cell,
)

if TYPE_CHECKING:
    from python_calamine import CalamineSheet, CalamineWorkbook


def read_workbook(
    raw: bytes, name: str, format_: str, *, limits: Limits, progress: Progress
) -> Contents:
    """Return every sheet of a workbook.

    Numbers without a fraction come without ".0", so that ids stay ids; dates come as 2020-03-11.
    Cells that hold an error (#N/A) come empty and are named in the sheet's warnings.

    Parameters
    ----------
    raw
        The whole file.
    name
        Its name, for messages.
    format_
        "xlsx", "xls" or "ods".
    limits
        A sheet longer than `max_rows` comes back without rows, marked `too_long`.
    progress
        Told the stage in words and how much is done, 0 to 1.

    Raises
    ------
    SourceError
        If the workbook cannot be read, or has cells so far out that its sheet would fill the memory.
    """
    found: dict[str, _Scan] = {}
    if format_ in ("xlsx", "ods"):
        found = _scan_archive(raw, name, limits, progress)
    book = _open_book(raw, name)
    epoch_1904 = bool(found) and found.pop("", _Scan()).epoch_1904
    grids = []
    for position, meta in enumerate(book.sheets_metadata):
        progress(meta.name, position / len(book.sheets_metadata))
        if str(meta.typ).endswith(".WorkSheet"):
            scan = found.get(meta.name, _Scan())
            hidden = not str(meta.visible).endswith(".Visible")
            grids.append(_read_sheet(book, meta.name, name, hidden, epoch_1904, scan, limits))
    if not grids:
        raise SourceError(f"{name} has no sheet with cells; put the table into a sheet and save it")
    return Contents(name, format_, tuple(grids))


def _open_book(raw: bytes, name: str) -> CalamineWorkbook:
    import python_calamine

    try:
        return python_calamine.load_workbook(io.BytesIO(raw))
    except python_calamine.PasswordError as error:
        raise SourceError(
            f"{name} is protected with a password; take it off in WPS or Excel and save it again"
        ) from error
    except BaseException as error:
        raise _damaged(name, error) from error


def _damaged(name: str, error: BaseException) -> BaseException:
    # calamine's own errors are OSError, ValueError and a panic that is no Exception at all.
    if isinstance(error, (KeyboardInterrupt, SystemExit, MemoryError)):
        return error
    return SourceError(
        f"{name} is a damaged workbook; open it in WPS or Excel and save it again as XLSX"
    )


def _read_sheet(
    book: CalamineWorkbook,
    sheet_name: str,
    file: str,
    hidden: bool,
    epoch_1904: bool,
    scan: _Scan,
    limits: Limits,
) -> Grid:
    try:
        sheet = book.get_sheet_by_name(sheet_name)
        area = (sheet.total_height or 0) * (sheet.total_width or 0)
        if area > limits.max_cells or (sheet.total_width or 0) > limits.max_columns:
            raise far_cell(
                file, sheet_name, f"row {sheet.total_height}, column {sheet.total_width}"
            )
        rows, warnings, too_long = _read_rows(sheet, limits)
    except SourceError:
        raise
    except BaseException as error:
        raise _damaged(file, error) from error
    return Grid(
        sheet_name,
        rows,
        merged=_merges(sheet),
        hidden=hidden,
        epoch_1904=epoch_1904,
        too_long=too_long,
        warnings=(*scan.warnings(), *warnings),
    )


def _read_rows(sheet: CalamineSheet, limits: Limits) -> tuple[list[GridRow], list[str], bool]:
    rows: list[GridRow] = []
    long_numbers: list[str] = []
    for number, values in enumerate(sheet.iter_rows(), start=1):
        cells = [v if type(v) is str else CELL_TEXT[type(v)](v) for v in values]
        if any(cell and not cell.isspace() for cell in cells):
            if len(rows) > limits.max_rows + HEADER_WITHIN:
                return [], [], True
            rows.append(GridRow(number, number, cells))
            if len(long_numbers) < 4 and any(type(v) is float and abs(v) >= 1e15 for v in values):
                long_numbers.append(f"row {number}")
    warnings = []
    if long_numbers:
        warnings.append(
            f"numbers of 16 or more digits ({_some(long_numbers)}): the workbook keeps only the first "
            "15 digits of a number; if they are ids, format the column as text and type them again"
        )
    return rows, warnings, False


def _merges(sheet: CalamineSheet) -> tuple[Merge, ...]:
    merges = sheet.merged_cell_ranges or []
    return tuple((top + 1, left, bottom + 1, right) for (top, left), (bottom, right) in merges)


def _some(places: Sequence[str]) -> str:
    return ", ".join(places[:3]) + (", ..." if len(places) > 3 else "")


# --- what calamine does not tell ------------------------------------------------------------------


@dataclass(slots=True)
class _Scan:
    """What a look through a sheet's XML found."""

    errors: list[str] = field(default_factory=list)
    error_count: int = 0
    uncounted: int = 0
    epoch_1904: bool = False

    def warnings(self) -> Iterator[str]:
        """Say what a person should know of the sheet."""
        if self.error_count:
            yield (
                f"{self.error_count} cells hold an error such as #N/A and are read as empty: "
                f"{_some(self.errors)}"
            )
        if self.uncounted:
            yield (
                f"{self.uncounted} formulas have no stored result and are read as empty; open the file "
                "in WPS or Excel and save it"
            )


# A cell with something in it (formatting alone is harmless) beyond column ZZ or row 999,999.
_CELL_FAR = re.compile(
    rb"<(?:\w+:)?c\b[^>]*?\br=[\"']([A-Z]{3,7}[0-9]+|[A-Z]+[0-9]{7,})[\"'][^>]*(?<!/)>"
)
_MAY_BE_FAR = re.compile(rb"=[\"'](?:[A-Z]{3}|[A-Z]{1,2}[0-9]{7})")
_CELL_ERROR = re.compile(rb"<(?:\w+:)?c\b[^>]*?\bt=[\"']e[\"'][^>]*>")
_CELL_NAME = re.compile(rb"\br=[\"']([A-Z]+[0-9]+)")
_NO_RESULT = re.compile(rb"</(?:\w+:)?f>\s*(?:<(?:\w+:)?v\s*/>|<v></v>)?\s*</(?:\w+:)?c>")
_OVERLAP = 512


def _scan_archive(raw: bytes, name: str, limits: Limits, progress: Progress) -> dict[str, _Scan]:
    """Return what is found in each sheet; unpacks every member once, so that nothing can lie."""
    scans: dict[str, _Scan] = {}
    with open_archive(raw, name, limits) as archive:
        sheets = _sheet_names(archive, name)
        for number, member in enumerate(archive.infolist()):
            progress(member.filename, 0.5 * number / len(archive.infolist()))
            if not member.filename.endswith((".xml", ".rels")):
                continue
            title = sheets.get(member.filename, "")
            scan = scans.setdefault(title, _Scan())
            for part, chunk in enumerate(_overlapping(read_member(archive, member, name))):
                if part == 0:
                    refuse_dtd(xml_text(chunk), name)
                if member.filename in sheets:
                    _scan_sheet(chunk, scan, name, title, limits)
                elif member.filename == "xl/workbook.xml":
                    scan.epoch_1904 |= bool(re.search(rb'date1904="(1|true)"', chunk))
                elif member.filename == "content.xml":
                    _scan_ods(chunk, name, limits)
    return scans


def _overlapping(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield chunks that begin with the end of the one before, cut where a tag begins."""
    rest = b""
    for chunk in chunks:
        whole = rest + chunk
        cut = max(whole.rfind(b"<c "), whole.rfind(b"<row ")) if len(whole) > _OVERLAP else -1
        if cut <= 0:
            cut = len(whole)
        yield whole[:cut]
        rest = whole[cut:]
    if rest:
        yield rest


def _scan_sheet(chunk: bytes, scan: _Scan, file: str, title: str, limits: Limits) -> None:
    if _MAY_BE_FAR.search(chunk):
        for found in _CELL_FAR.finditer(chunk):
            letters = found[1].rstrip(b"0123456789")
            if len(found[1]) - len(letters) > 6 or _column_number(letters) > limits.max_columns:
                raise far_cell(file, title, f"cell {found[1].decode()}")
    if b'"e"' in chunk or b"'e'" in chunk:
        for cell in _CELL_ERROR.findall(chunk):
            called = _CELL_NAME.search(cell)
            scan.error_count += 1
            if len(scan.errors) < 4:
                scan.errors.append(called[1].decode() if called else "?")
    if b"f>" in chunk:
        scan.uncounted += len(_NO_RESULT.findall(chunk))


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = 26 * number + letter - 64
    return number


_ODS_REPEATED = re.compile(
    rb"<table:(?:table-cell|covered-table-cell)\b[^>]*?number-columns-repeated=\"([0-9]{4,})\"([^>]*)>"
)


def _scan_ods(chunk: bytes, name: str, limits: Limits) -> None:
    """Refuse a cell with a value that is repeated without end."""
    for found in _ODS_REPEATED.finditer(chunk):
        if int(found[1]) > limits.max_columns and b"office:value" in found[0]:
            raise far_cell(name, "", f"a cell is repeated {int(found[1])} times")


_SHEET = re.compile(r"<(?:\w+:)?sheet\b[^>]*>")
_ATTRIBUTE = re.compile(r"([\w:]+)\s*=\s*\"([^\"]*)\"")


def _sheet_names(archive: zipfile.ZipFile, name: str) -> dict[str, str]:
    """Return the title of each sheet's member; as far as it can be told, for messages only."""
    import html

    def read(member: str) -> str:
        if member not in archive.namelist():
            return ""
        chunk = next(read_member(archive, archive.getinfo(member), name), b"")
        return chunk.decode("utf-8", "replace")

    targets = {}
    for tag in re.findall(r"<Relationship\b[^>]*>", read("xl/_rels/workbook.xml.rels")):
        found = dict(_ATTRIBUTE.findall(tag))
        target = found.get("Target", "").lstrip("/")
        targets[found.get("Id", "")] = target if target.startswith("xl/") else f"xl/{target}"
    titles = {}
    for tag in _SHEET.findall(read("xl/workbook.xml")):
        found = dict(_ATTRIBUTE.findall(tag))
        titles[targets.get(found.get("r:id", ""), "")] = html.unescape(found.get("name", ""))
    # A sheet that nothing points to is still looked through.
    for member in archive.namelist():
        if member.startswith("xl/worksheets/") and member.endswith(".xml"):
            titles.setdefault(member, member)
    return titles
