"""Any table as a grid of text cells, and how text files become one.

A grid keeps what the file says: row numbers as a spreadsheet counts them, cells as text, nothing
dropped but rows without a single visible cell. What the cells mean is the business of
`geo.read.headers` and `geo.read.table`. Only the standard library is used here, so that the child
process which reads strangers' files starts fast.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Any

from geo.category import fold
from geo.errors import SourceError

Progress = Callable[[str, float], None]
"""Told what is being done, in words, and how much of it is done, 0 to 1."""


MAX_COLUMNS = 1_000
"""More columns than this are no table of sites."""


WIDEST = 16_384
"""No program writes more cells in a row."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one file may ask for before it is refused.

    `max_bytes` counts the file, `max_unpacked` what its archive holds, `max_rows` one sheet or
    layer, `max_cells` one sheet with its gaps, `max_vertices` one shape. `wall_s`, `cpu_s` and
    `memory_mb` bind the child process only; memory is address space, so leave it well above what
    is used.
    """

    max_bytes: int = 20_000_000
    max_unpacked: int = 400_000_000
    max_rows: int = 200_000
    max_cells: int = 20_000_000
    max_columns: int = MAX_COLUMNS
    max_vertices: int = 100_000
    wall_s: float = 90.0
    cpu_s: int = 60
    memory_mb: int = 2_048


@dataclass(frozen=True, slots=True)
class Shape:
    """What a GIS file draws for one feature.

    `wkb` is in the axis order easting or longitude first, two-dimensional, in the layer's own CRS.
    `note` says what a person should know of it; `fault` why it cannot be used at all.
    """

    wkb: bytes = b""
    note: str = ""
    fault: str = ""


@dataclass(frozen=True, slots=True)
class GridRow:
    """One row that is not blank: its number as a spreadsheet counts, where it starts, its cells.

    In a layer of a GIS file the number is the feature's id in the file.
    """

    number: int
    line: int
    cells: list[str]
    open_quote: bool = False
    shape: Shape | None = None


def row_to_json(row: GridRow) -> list[Any]:
    """Return a row as JSON knows it."""
    raw: list[Any] = [row.number, row.line, row.cells]
    if row.open_quote or row.shape:
        raw.append(row.open_quote)
    if row.shape:
        raw += [row.shape.wkb.hex(), row.shape.note, row.shape.fault]
    return raw


_SHAPES = frozenset({1, 2, 3, 5, 6})
"""Points, lines, areas, several lines, several areas, as WKB numbers them."""


def row_from_json(raw: list[Any]) -> GridRow:
    """Return a row; `ValueError` if it is not what `row_to_json` writes: a child may be taken over."""
    number, line, cells, *more = raw
    if not all(type(cell) is str for cell in cells):
        raise ValueError("a cell is not text")
    shape = Shape(bytes.fromhex(more[1]), str(more[2]), str(more[3])) if len(more) > 1 else None
    if shape and shape.wkb and (shape.wkb[0] != 1 or shape.wkb[1] not in _SHAPES):
        raise ValueError("a shape is of an unknown kind")
    return GridRow(int(number), int(line), cells, bool(more and more[0]), shape)


Merge = tuple[int, int, int, int]
"""First row, first column, last row, last column; rows as numbered in the grid, columns from 0."""


@dataclass(frozen=True, slots=True)
class Grid:
    """One sheet of a workbook, one layer of a GIS file, or a whole text table.

    `crs` is what a layer says of its coordinates ("epsg:4490", "wgs84"), "" if it says nothing;
    `crs_name` is that in words. A layer's first row holds its field names. `too_long` means that
    there are more rows than allowed, and that none was kept.
    """

    name: str
    rows: list[GridRow]
    merged: tuple[Merge, ...] = ()
    hidden: bool = False
    is_layer: bool = False
    ragged: bool = False
    epoch_1904: bool = False
    too_long: bool = False
    geometry_type: str = ""
    crs: str = ""
    crs_name: str = ""
    invalid: int = 0
    warnings: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        """The most cells a row has."""
        return max((len(row.cells) for row in self.rows), default=0)

    def where(self, row: GridRow) -> str:
        """Return a row's place in words: as a spreadsheet counts, and its line where that differs."""
        if self.is_layer:
            return f"feature {row.number}"
        return f"row {row.number}" + (f" (line {row.line})" if row.line != row.number else "")


@dataclass(frozen=True, slots=True)
class Contents:
    """A file's tables as text: what `geo.read.headers` lays out and `geo.read.table` reads."""

    file: str
    format: str
    grids: tuple[Grid, ...]
    encoding: str = ""
    delimiter: str = ""
    repaired: bool = False
    warnings: tuple[str, ...] = ()

    def grid(self, name: str) -> Grid:
        """Return the sheet or layer of a name.

        Raises
        ------
        SourceError
            If there is none of that name.
        """
        for grid in self.grids:
            if grid.name == name:
                return grid
        known = ", ".join(short(grid.name) for grid in self.grids[:20])
        raise SourceError(f'{self.file} has no sheet or layer "{short(name)}"; it has: {known}')


def short(text: str) -> str:
    """Return a text cut to what fits into a message."""
    return text if len(text) <= 60 else text[:60] + "…"


def no_progress(stage: str, done: float) -> None:
    """Tell nobody."""


def refuse_cancelled(name: str, cancelled: Callable[[], bool]) -> None:
    """Raise `SourceError` if a file is no longer wanted."""
    if cancelled():
        raise SourceError(f"{name}: reading was cancelled; nothing was changed")


def far_cell(file: str, sheet: str, where: str) -> SourceError:
    """Return the refusal of a sheet with a cell far outside its table."""
    return SourceError(
        f'{file}, sheet "{short(sheet)}": a cell stands far outside the table ({where}); delete the '
        "rows and columns after the table in WPS or Excel, or copy the table into a new file"
    )


# --- one cell -------------------------------------------------------------------------------------


def _number_text(value: float) -> str:
    return str(int(value)) if value.is_integer() and abs(value) < 1e21 else repr(value)


def _moment_text(value: datetime) -> str:
    if value.time() == time():
        return value.date().isoformat()
    return value.isoformat(sep=" ", timespec="seconds")


class _Text(dict[type, Callable[..., str]]):
    def __missing__(self, kind: type) -> Callable[..., str]:
        return str


CELL_TEXT = _Text(
    {
        float: _number_text,
        int: str,
        bool: lambda value: "TRUE" if value else "FALSE",
        date: date.isoformat,
        datetime: _moment_text,
        time: time.isoformat,
        timedelta: str,
        type(None): lambda value: "",
    }
)
"""How a cell of each type is written as text; text itself is kept as it is."""


def cell_text(value: Any) -> str:
    """Return a value of a layer or a database as text, "" for what is missing."""
    if type(value) is str:
        return value
    return "" if value is None or value != value else CELL_TEXT[type(value)](value)


# --- text tables ----------------------------------------------------------------------------------

SAVE_AS = "open it in WPS or Excel and save it as CSV (UTF-8)"
DELIMITERS = (",", "\t", ";", "|")
MARKS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
# Stands after the last row. If it is no row of its own when it comes back, a quotation mark is open.
_END = "\x1fend\x1f"
HEAD_CHARS = 8 * csv.field_size_limit()
"""How much of a text is looked at for its separator."""
HEADER_WITHIN = 30
"""Among how many first rows a header is looked for."""


def read_text_grid(
    raw: bytes, name: str, *, known: Collection[str] = (), limits: Limits | None = None
) -> Contents:
    """Return the one table of a text file.

    Parameters
    ----------
    raw
        UTF-8, UTF-16 with a mark, or GB18030, with commas, tabs, semicolons or bars.
    name
        The file's name, for messages.
    known
        Headings that are known, folded: the separator that finds most of them is taken.
    limits
        More rows than `max_rows` are refused.

    Raises
    ------
    SourceError
        If it is not text, or too long.
    """
    limits = limits or Limits()
    text, encoding = decode(raw, name)
    delimiter = find_delimiter(text, known)
    rows: list[GridRow] = []
    cells = 0
    for row in _split(text, delimiter, name):
        cells += len(row.cells)
        refuse_wide(row, name)
        if cells > limits.max_cells:
            raise SourceError(
                f"{name} has over {limits.max_cells:,} cells; split it and load the parts"
            )
        # One row is the header, and some may be titles; the records are counted by `read_table`.
        if len(rows) > limits.max_rows + HEADER_WITHIN:
            raise too_many_rows(name, limits)
        rows.append(row)
    grid = Grid("", rows, ragged=True)
    return Contents(name, "text", (grid,), encoding=encoding, delimiter=delimiter)


def refuse_wide(row: GridRow, name: str) -> None:
    """Raise `SourceError` for a row with more cells than any program writes."""
    if len(row.cells) > WIDEST:
        raise SourceError(
            f"{name}, row {row.number}: it has {len(row.cells):,} cells, and no spreadsheet has over "
            f"{WIDEST:,} columns; {SAVE_AS} again"
        )


def too_many_rows(name: str, limits: Limits) -> SourceError:
    """Return the refusal of a table that is too long."""
    return SourceError(f"{name} has over {limits.max_rows:,} rows; split it and load the parts")


def decode(raw: bytes, name: str) -> tuple[str, str]:
    """Return the text of a file and its encoding: by its mark, else strict UTF-8, else GB18030.

    Raises
    ------
    SourceError
        If it is none of these.
    """
    encoding = next((encoding for mark, encoding in MARKS if raw.startswith(mark)), "")
    try:
        text = raw.decode(encoding or "utf-8")
    except UnicodeDecodeError as error:
        if encoding or is_damaged_utf8(raw):
            line = raw.count(b"\n", 0, error.start) + 1
            raise SourceError(
                f"{name} has broken characters, the first in line {line}; {SAVE_AS} again"
            ) from error
        text, encoding = _decode_gb18030(raw, name), "gb18030"
    if "\0" in text:
        raise SourceError(f"{name} is not text; {SAVE_AS}")
    return text, encoding or "utf-8"


def is_damaged_utf8(raw: bytes) -> bool:
    """Whether bytes are UTF-8 but for a few; GB18030 would silently make other Chinese of them."""
    text = raw.decode("utf-8", errors="replace")
    broken = text.count("\ufffd")
    return sum(char > "\x7f" for char in text) - broken >= 3 * broken


def _decode_gb18030(raw: bytes, name: str) -> str:
    try:
        return raw.decode("gb18030")
    except UnicodeDecodeError as error:
        raise SourceError(f"{name} is neither UTF-8 nor GB18030 text; {SAVE_AS}") from error


def find_delimiter(text: str, known: Collection[str]) -> str:
    """Return the separator that finds the most known headings, then the one whose rows agree most."""
    head = "".join(text[:HEAD_CHARS].splitlines(keepends=True)[:HEADER_WITHIN])

    def merit(delimiter: str) -> tuple[int, float]:
        try:
            rows = [row.cells for row in _split(head, delimiter, "")]
        except SourceError:
            return 0, 0.0
        found = max((sum(fold(cell) in known for cell in cells) for cells in rows), default=0)
        widths = [len(cells) for cells in rows]
        usual = max(set(widths), key=widths.count, default=1)
        return found, widths.count(usual) / len(widths) if usual > 1 else 0.0

    return max(DELIMITERS, key=merit)


def _split(text: str, delimiter: str, name: str) -> Iterator[GridRow]:
    """Yield the rows that are not blank, numbered from 1 with the blank ones counted."""
    end = _END
    while end in text:
        end += _END
    lines = io.StringIO(f"{text}\n{end}\n", newline="")
    yield from split_lines(lines, delimiter, name, end)


def split_lines(lines: Iterable[str], delimiter: str, name: str, end: str) -> Iterator[GridRow]:
    """Yield the rows of a text table that are not blank, numbered from 1 with the blank ones counted.

    Parameters
    ----------
    lines
        With their line ends as they are, and after the last row a line of `end` alone.
    delimiter
        What stands between cells.
    name
        The file's name, for messages.
    end
        A text that is nowhere in the file: met inside a row, a quotation mark was never closed.

    Raises
    ------
    SourceError
        If a cell is longer than any text.
    """
    reader = csv.reader(lines, delimiter=delimiter)
    number, line = 0, 1
    try:
        for number, cells in enumerate(reader, start=1):
            if cells == [end]:
                return
            if any(cell.strip() for cell in cells):
                yield GridRow(number, line, cells, open_quote=end in cells[-1])
            line = reader.line_num + 1
    except csv.Error as error:
        raise SourceError(
            f"{name}, row {number + 1}: a cell has over {csv.field_size_limit():,} characters; "
            "the usual cause is a quotation mark that is never closed"
        ) from error


# --- merged cells ---------------------------------------------------------------------------------


def fill_merged(grid: Grid, first_row: int, last_row: int | None = None) -> Grid:
    """Return the grid with what a merged cell says written into each of its cells.

    Only merges that begin in the rows from `first_row` to `last_row` (all by default) are filled. A
    row that was blank but for merges is not brought back: nobody sees anything else in it.
    """
    wanted = [m for m in grid.merged if m[0] >= first_row and (last_row or m[0]) >= m[0]]
    if not wanted:
        return grid
    at = {row.number: index for index, row in enumerate(grid.rows)}
    rows = list(grid.rows)
    for top, left, bottom, right in wanted:
        index = at.get(top)
        if index is None or left >= len(rows[index].cells):
            continue
        text = rows[index].cells[left]
        # Rows are sparse, so walk those that exist: a merge may claim a million.
        while text.strip() and index < len(rows) and rows[index].number <= bottom:
            rows[index] = _filled(rows[index], text, left, right)
            index += 1
    return replace(grid, rows=rows)


def _filled(row: GridRow, text: str, left: int, right: int) -> GridRow:
    inside = range(left, min(right + 1, len(row.cells)))
    if all(row.cells[column].strip() for column in inside):
        return row
    cells = list(row.cells)
    for column in inside:
        cells[column] = cells[column] if cells[column].strip() else text
    return replace(row, cells=cells)
