"""Tables of any length, row by row: text (also packed with gzip) and Parquet.

`geo.read.open_source` holds a whole table in memory, which is right for a file somebody drops on a page. A register
of a province is read here a row at a time, and each row is the same `GridRow` as there.
"""

from __future__ import annotations

import codecs
import gzip
import hashlib
import io
import json
import secrets
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from geo.errors import SourceError
from geo.read.grid import (
    HEAD_CHARS,
    HEADER_WITHIN,
    MARKS,
    SAVE_AS,
    Contents,
    Grid,
    GridRow,
    Limits,
    Shape,
    cell_text,
    find_delimiter,
    is_damaged_utf8,
    refuse_wide,
    split_lines,
)

if TYPE_CHECKING:
    from geo.category import Categories

TEXTS = (".csv", ".tsv", ".txt")
PARQUETS = (".parquet", ".geoparquet", ".pq")
BLOCK = 1 << 20
MAX_LINE = 32_000_000
"""Characters; a longer line is no row of a table."""
BATCH_ROWS = 4_096


@dataclass(frozen=True, slots=True)
class RowStream:
    """A table that is read once, from top to bottom.

    Attributes
    ----------
    head
        The table down to its header, see `geo.read.table.read_part`.
    rows
        The rows below that are not blank. It raises `SourceError` where the file cannot be read on.
    """

    head: Contents
    rows: Iterator[GridRow]


def open_stream(path: Path, *, categories: Categories) -> RowStream:
    """Return the rows of a text table (.csv, .tsv, .txt, each also .gz) or of Parquet (a file or a folder of them).

    Parameters
    ----------
    path
        The file or folder.
    categories
        Kinds and statuses: their words name columns.

    Raises
    ------
    SourceError
        If it is no such table, or its header does not say what is needed.
    """
    if is_parquet(path):
        return begin(path.name, _parquet_rows(path), categories)
    if not _is_text(path):
        raise SourceError(
            f"{path.name}: a bulk run reads {', '.join(TEXTS)} (each also with .gz), Parquet, and PostGIS tables; "
            f"{SAVE_AS}"
        )
    return begin(path.name, _text_rows(path, categories), categories)


def is_parquet(path: Path) -> bool:
    """Return whether a path is to be read as Parquet: a folder, or a file with that ending."""
    return path.is_dir() or path.suffix.lower() in PARQUETS


def digest_source(path: Path) -> str:
    """Return the SHA-256 of a file, or of all Parquet files of a folder with their names.

    Raises
    ------
    SourceError
        If it is not there or cannot be read.
    """
    digest = hashlib.sha256()
    try:
        for file in _parquet_files(path) if path.is_dir() else [path]:
            digest.update(f"{file.name}\0{file.stat().st_size}\0".encode())
            with file.open("rb") as raw:
                while block := raw.read(BLOCK):
                    digest.update(block)
    except OSError as error:
        raise _unreadable(path, error) from error
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class Sheet:
    """The rows of one table with what is known of it before the first: `rows` begins with the header."""

    grid: Grid
    rows: Iterator[GridRow]
    format: str = "text"
    encoding: str = ""
    delimiter: str = ""


def begin(name: str, sheet: Sheet, categories: Categories) -> RowStream:
    """Return the stream of a sheet: its first rows are looked at for the header.

    Raises
    ------
    SourceError
        If the header does not say what is needed.
    """
    from geo.read.table import split_head

    first = list(islice(sheet.rows, 1 if sheet.grid.is_layer else HEADER_WITHIN + 1))

    def contents(rows: Sequence[GridRow]) -> Contents:
        grid = replace(sheet.grid, rows=list(rows))
        return Contents(name, sheet.format, (grid,), sheet.encoding, sheet.delimiter)

    count = split_head(first, contents(first), categories)
    return RowStream(contents(first[:count]), chain(first[count:], sheet.rows))


# --- text -----------------------------------------------------------------------------------------


def _is_text(path: Path) -> bool:
    endings = [ending.lower() for ending in path.suffixes[-2:]]
    return endings[-1:] != [] and (
        endings[-1] in TEXTS or (endings[-1] == ".gz" and endings[0] in TEXTS)
    )


def _text_rows(path: Path, categories: Categories) -> Sheet:
    from geo.read.layout import known_headings

    encoding = find_encoding(path)
    with _open_text(path, encoding) as text:
        delimiter = find_delimiter(text.read(HEAD_CHARS), known_headings(categories))
    grid = Grid("", [], ragged=True)
    rows = _split_file(path, encoding, delimiter)
    return Sheet(grid, rows, encoding=encoding, delimiter=delimiter)


def find_encoding(path: Path) -> str:
    """Return the encoding of a text file, found as `geo.read.grid.decode` does, without holding the file.

    Raises
    ------
    SourceError
        If it is not text.
    """
    with _open_raw(path) as raw:
        start = raw.read(3)
    for mark, encoding in MARKS:
        if start.startswith(mark):
            return encoding
    if _decodes(path, "utf-8"):
        return "utf-8"
    # Judged by the first megabytes: a file that is UTF-8 but for a few bytes is not taken for other Chinese.
    with _open_raw(path) as raw:
        if is_damaged_utf8(raw.read(16 * BLOCK)):
            raise SourceError(f"{path.name} has broken characters; {SAVE_AS} again")
    if _decodes(path, "gb18030"):
        return "gb18030"
    raise SourceError(f"{path.name} is neither UTF-8 nor GB18030 text; {SAVE_AS}")


def _decodes(path: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        with _open_raw(path) as raw:
            while block := raw.read(BLOCK):
                decoder.decode(block)
            decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    except (OSError, EOFError, zlib.error) as error:
        raise _unreadable(path, error) from error
    return True


def _split_file(path: Path, encoding: str, delimiter: str) -> Iterator[GridRow]:
    end = f"\x1fend{secrets.token_hex(16)}\x1f"
    try:
        with _open_text(path, encoding) as text:
            for row in split_lines(_lines(text, end, path.name), delimiter, path.name, end):
                refuse_wide(row, path.name)
                yield row
    except UnicodeDecodeError as error:
        raise SourceError(f"{path.name} has broken characters; {SAVE_AS} again") from error
    except (OSError, EOFError, zlib.error) as error:
        raise _unreadable(path, error) from error


def _lines(text: IO[str], end: str, name: str) -> Iterator[str]:
    """Yield a text's lines, then one of `end` alone, as `geo.read.grid` lays out a whole text."""
    last = ""
    while line := text.readline(MAX_LINE):
        if len(line) == MAX_LINE:
            raise SourceError(f"{name} has a line of over {MAX_LINE:,} characters; {SAVE_AS}")
        if "\0" in line:
            raise SourceError(f"{name} is not text; {SAVE_AS}")
        if last:
            yield last
        last = line
    yield from ([last, "\n"] if last.endswith("\n") else [last + "\n"])  # as text + "\n" splits
    yield end + "\n"


def _open_raw(path: Path) -> IO[bytes]:
    try:
        if path.suffix.lower() != ".gz":
            return path.open("rb")
        raw = gzip.GzipFile(path, "rb")
        raw.peek(1)  # so that what is no gzip is told here
        return cast(IO[bytes], raw)
    except (OSError, EOFError, zlib.error) as error:
        raise _unreadable(path, error) from error


def _open_text(path: Path, encoding: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(_open_raw(path), encoding=encoding, newline="")


def _unreadable(path: Path, error: Exception) -> SourceError:
    why = getattr(error, "strerror", None) or type(error).__name__
    return SourceError(f"{path.name} cannot be read ({why}); check its name and that it is whole")


# --- Parquet --------------------------------------------------------------------------------------


def _parquet_files(folder: Path) -> list[Path]:
    """Return the Parquet files of a folder in the order of their names; `_` and `.` begin what is no part."""
    return sorted(
        file
        for file in folder.iterdir()
        if file.suffix.lower() in PARQUETS and file.name[0] not in "_."
    )


def _parquet_rows(path: Path) -> Sheet:
    """Return a Parquet table as a sheet: a layer if it is GeoParquet, else rows as in a workbook."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        files = _parquet_files(path) if path.is_dir() else [path]
        if not files:
            raise SourceError(f"{path.name} is a folder without Parquet files; give another one")
        schema = pq.read_schema(files[0])
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(path, error) from error
    geo = json.loads((schema.metadata or {}).get(b"geo", b"{}"))
    primary = str(geo.get("primary_column", ""))
    about = geo.get("columns", {}).get(primary, {})
    if primary and about.get("encoding") != "WKB":
        raise SourceError(f"{path.name}: its shapes are not written as WKB; write them again so")
    names = [name for name in schema.names if name != primary and not name.startswith("__index")]
    batches = _batches(files, [*names, *([primary] if primary else [])], path)
    crs = about.get("crs", "EPSG:4326") if primary else None
    return table_sheet(
        names, batches, shape_column=primary, crs=json.dumps(crs) if isinstance(crs, dict) else crs
    )


def _batches(files: list[Path], columns: list[str], path: Path) -> Iterator[dict[str, list[Any]]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        for file in files:
            with pq.ParquetFile(file) as parquet:
                missing = set(columns) - set(parquet.schema_arrow.names)
                if missing:
                    raise SourceError(f"{file.name} lacks the column {min(missing)} of its folder")
                for batch in parquet.iter_batches(BATCH_ROWS, columns=columns):
                    yield batch.to_pydict()
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(path, error) from error


def table_sheet(
    names: Sequence[str],
    batches: Iterable[dict[str, list[Any]]],
    *,
    shape_column: str = "",
    crs: str | None = None,
) -> Sheet:
    """Return rows that come as values by column as a sheet.

    Parameters
    ----------
    names
        The columns but that of the shapes.
    batches
        Values by column, some thousand rows at a time.
    shape_column
        The column that holds WKB, "" for none: with one it is a layer.
    crs
        What the layer says of its CRS.
    """
    from geo.read.gisfile import read_crs

    grid = Grid("", [], is_layer=bool(shape_column))
    if shape_column:
        word, title, _ = read_crs(crs)
        grid = Grid("", [], is_layer=True, crs=word, crs_name=title)
    header = GridRow(*((-1, -1) if shape_column else (1, 1)), list(names))
    rows = _table_rows(names, batches, shape_column, crs)
    return Sheet(grid, chain([header], rows), format="parquet")


def _table_rows(
    names: Sequence[str],
    batches: Iterable[dict[str, list[Any]]],
    shape_column: str,
    crs: str | None,
) -> Iterator[GridRow]:
    import numpy as np

    from geo.read.gisfile import read_shapes

    number = 1 if shape_column else 2  # as GIS counts features, or a spreadsheet its rows
    for batch in batches:
        columns = [[cell_text(value).replace("\0", "") for value in batch[name]] for name in names]
        count = len(next(iter(batch.values()), []))
        shapes: list[Shape | None] = [None] * count
        if shape_column:
            wkb = np.array(batch[shape_column], dtype=object)
            shapes = read_shapes(wkb, crs, count, Limits(), False)[0]
        texts = zip(*columns, strict=True) if columns else [()] * count
        for cells, shape in zip(texts, shapes, strict=True):
            if shape is not None or any(cell.strip() for cell in cells):
                yield GridRow(number, number, list(cells), shape=shape)
            number += 1
