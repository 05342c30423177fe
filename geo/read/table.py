"""From a table's rows to site records and row problems.

Nothing is guessed and nothing is dropped. A row becomes a `SiteRecord` or a `RowProblem`, or is told
in `ReadReport.skipped` (a title, a total, a note under the table); a file that is not such a table is
a `SourceError`. Text is kept as it is but for white space at both ends.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, TypeVar

import shapely

from geo.category import Categories, fold
from geo.errors import CategoryError, SourceError
from geo.read.cells import (
    Fault,
    is_visible,
    read_coordinate,
    read_date,
    read_metres,
    read_pair,
    read_path,
    read_serial_date,
    read_yes,
)
from geo.read.grid import (
    Contents,
    GridRow,
    Limits,
    Progress,
    no_progress,
    refuse_cancelled,
    short,
    too_many_rows,
)
from geo.read.headers import (
    CERTAIN,
    EXAMPLE,
    ColumnGuess,
    Found,
    choose_grid,
    find_header,
    map_status_words,
    skip_reason,
    take_apart,
)
from geo.read.layout import Layout, known_headings
from geo.read.report import ReadReport
from geo.site import PRECISIONS, RowProblem, SiteRecord, Source

T = TypeVar("T")
LOOK_EVERY = 2_000


def read_contents(
    contents: Contents,
    *,
    categories: Categories,
    layout: Layout | None = None,
    max_rows: int = Limits().max_rows,
    progress: Progress = no_progress,
    cancelled: Callable[[], bool] = lambda: False,
) -> ReadReport:
    """Return the records and problems of a table that was parsed.

    Parameters
    ----------
    contents
        What `geo.read.parse` made of a file.
    categories
        Kinds and statuses.
    layout
        How to read it, confirmed by a person. Without one only headings that are known count: the
        row that has most of them names the columns, in English or Chinese, in any order. A heading
        such as 企业名称 also says the kind of all rows that do not say theirs.
    max_rows
        More than that is refused.
    progress, cancelled
        Told and asked every `LOOK_EVERY` rows.

    Returns
    -------
    report
        Records in the order of the rows. Blank rows are not counted. Coordinates are the table's
        own numbers in its own datum: easting or longitude first, not converted. Where a layout was
        confirmed without a datum, or a layer does not say its CRS, the records carry datum "" and
        wait, and `asks` says so; without a layout such rows of a table are problems.

    Raises
    ------
    SourceError
        If no column holds the name or says the kind, the layout does not fit the table, or reading was
        cancelled.
    """
    table = _lay_out(contents, categories, layout)
    body = table.found.body
    reader = _RowReader(table, categories)
    skipped = [table.problem(row, "above the header, not a site") for row in table.found.above]
    for done, (row, shape) in enumerate(zip(body, _shapes(body), strict=True)):
        if done % LOOK_EVERY == 0:
            progress("rows", done / len(body))
            refuse_cancelled(table.file, cancelled)
        reason = skip_reason(row, table.found, table.columns.get("name"))
        if reason:
            skipped.append(table.problem(row, reason))
            continue
        if reader.rows == max_rows:
            raise too_many_rows(table.file, Limits(max_rows=max_rows))
        reader.add(row, shape)
    more = (*_overruled(table), *_others(contents, table, categories))
    return ReadReport(
        reader.records,
        reader.problems,
        reader.rows,
        ignored=_ignored(table),
        skipped=(*skipped, *reader.joined),
        warnings=(*contents.warnings, *table.found.grid.warnings, *more),
        asks=reader.asks(),
        status_words=map_status_words(reader.words, table.layout, categories),
        layout=table.layout,
    )


def read_part(
    head: Contents,
    rows: Sequence[GridRow],
    *,
    categories: Categories,
    before: Sequence[GridRow] = (),
    after: Sequence[GridRow] = (),
) -> ReadReport:
    """Return what some of a table's rows say, exactly as `read_contents` says it of them in the whole table.

    Parameters
    ----------
    head
        The table down to its header, nothing below.
    rows
        A stretch of the rows below.
    categories
        Kinds and statuses.
    before
        Rows further up that must be known here: the first of each `site_id` that comes again in `rows`.
    after
        Rows further down that add to a record of these: more pieces of a road. See `list_keys`.

    Returns
    -------
    report
        Of `rows` alone. The rows above the header are nobody's: they are `skipped` in no part.

    Raises
    ------
    SourceError
        If the header does not say what is needed.
    """
    table = _lay_out(head, categories, None)
    reader = _RowReader(table, categories)
    _add_rows(reader, table, before)
    known, faulty, joined = len(reader.records), len(reader.problems), len(reader.joined)
    skipped = _add_rows(reader, table, rows)
    read, problems, pieces = len(reader.records), len(reader.problems), len(reader.joined)
    _add_rows(reader, table, after)
    return ReadReport(
        reader.records[known:read],
        reader.problems[faulty:problems],
        read - known + problems - faulty,
        ignored=_ignored(table),
        skipped=(*skipped, *reader.joined[joined:pieces]),
        layout=table.layout,
    )


def list_keys(
    head: Contents, rows: Sequence[GridRow], *, categories: Categories
) -> list[tuple[int, str, bool]]:
    """Return, for each row that can be a record, its position, its `site_id` and whether it is a line.

    Parameters
    ----------
    head, rows, categories
        As for `read_part`. Rows with one `site_id` are all told: which of them counts is seen in the whole table.
    """
    table = _lay_out(head, categories, None)
    reader = _RowReader(table, categories)
    keys = []
    for position, (row, shape) in enumerate(zip(rows, _shapes(rows), strict=True)):
        if skip_reason(row, table.found, table.columns.get("name")):
            continue
        record = reader.read(row, shape)
        if record is not None:
            keys.append((position, record.site_id, bool(_lines(record))))
    return keys


def split_head(rows: Sequence[GridRow], contents: Contents, categories: Categories) -> int:
    """Return how many of a table's first rows are its header and what stands above.

    Parameters
    ----------
    rows
        The first rows, at least `HEADER_WITHIN` of them and one more if there are so many.
    contents
        The table with these rows.
    categories
        Kinds and statuses.

    Raises
    ------
    SourceError
        As `read_contents`, if the header does not say what is needed.
    """
    return len(rows) - len(_lay_out(contents, categories, None).found.body)


def _add_rows(reader: _RowReader, table: _Table, rows: Sequence[GridRow]) -> list[RowProblem]:
    """Read rows one after the other; return those that are no sites, with the reason."""
    skipped = []
    for row, shape in zip(rows, _shapes(rows), strict=True):
        reason = skip_reason(row, table.found, table.columns.get("name"))
        if reason:
            skipped.append(table.problem(row, reason))
        else:
            reader.add(row, shape)
    return skipped


def _shapes(body: Sequence[GridRow]) -> Sequence[shapely.Geometry | None]:
    """Return the shape of each row, in the layer's own CRS; None where there is none."""
    raw = [row.shape.wkb or None if row.shape else None for row in body]
    return list(shapely.from_wkb(raw)) if any(raw) else [None] * len(raw)


def _ignored(table: _Table) -> tuple[str, ...]:
    """Name the columns that were not read: by heading, or by number if there is something in them."""
    names = []
    for guess in table.found.columns:
        if guess.index not in table.layout.columns and (guess.heading or guess.samples):
            names.append(guess.heading or f"column {guess.index + 1}")
    return tuple(names)


def _overruled(table: _Table) -> Iterator[str]:
    said, chosen = table.found.grid.crs, table.layout.datum
    if said and chosen and said != chosen:
        yield f"the layer says {table.found.grid.crs_name or said}; it is read as {chosen}, as chosen"


def _others(contents: Contents, table: _Table, categories: Categories) -> Iterator[str]:
    """Name the sheets that hold something and were not read."""
    known = known_headings(categories)
    for grid in contents.grids:
        if grid is table.found.grid or not (grid.rows or grid.too_long):
            continue
        what = "layer" if grid.is_layer else "sheet"
        about = f"{len(grid.rows)} rows" if grid.rows else "too many rows"
        hint = ", its header is known" if find_header(grid, known) else ""
        yield f'{what} "{short(grid.name)}" ({about}{hint}) was not read'


# --- the layout -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Table:
    """A layout that fits its sheet: where each field is, and what holds for all rows."""

    file: str
    found: Found
    layout: Layout
    columns: dict[str, int]
    width: int
    is_confirmed: bool
    prefix: str = ""

    @property
    def datum(self) -> str:
        return self.layout.datum or self.found.grid.crs

    def where(self, row: GridRow) -> str:
        return self.prefix + self.found.grid.where(row)

    def problem(self, row: GridRow, message: str) -> RowProblem:
        return RowProblem(self.file, self.where(row), message)


def _lay_out(contents: Contents, categories: Categories, layout: Layout | None) -> _Table:
    grid = choose_grid(contents, categories) if layout is None else contents.grid(layout.sheet)
    if grid.too_long:
        name = f'{contents.file}, "{grid.name}"' if grid.name else contents.file
        raise SourceError(f"{name} has too many rows; split it and load the parts")
    rows = None if layout is None else layout.header_rows
    found = take_apart(grid, categories, rows, file=contents.file)
    if layout is not None:
        _check_layout(layout, found, contents.file, categories)
    table = _Table(
        contents.file,
        found,
        made := layout or _stated_layout(found, contents.file),
        {name: index for index, name in made.columns.items()},
        _table_width(found),
        is_confirmed=layout is not None or grid.is_layer,
        prefix=f"{grid.name}, " if len(contents.grids) > 1 else "",
    )
    _refuse_nameless(table, categories)
    return table


def _refuse_nameless(table: _Table, categories: Categories) -> None:
    if "name" not in table.columns:
        raise SourceError(f"{table.file}: no column holds the name; call one 名称 or name")
    if not table.layout.kind and "kind" not in table.columns:
        known = ", ".join(kind.label["zh"] for kind in categories)
        raise SourceError(
            f"{table.file}: no column says what kind of site a row is; "
            f"add a column 类型 (kind) with one of {known}"
        )


def _table_width(found: Found) -> int:
    """Return how many cells a row must have: as many as the header, or as most rows."""
    if found.header_rows:
        return len(found.headings)
    widths = Counter(len(row.cells) for row in found.body)
    return widths.most_common(1)[0][0] if widths else 0


def _stated_layout(found: Found, file: str) -> Layout:
    """Return the layout that known headings state; raises `SourceError` if they state two things."""
    first = found.grid.rows[0]
    if first.open_quote:
        raise SourceError(
            f'{file}: a quotation mark (") in its first row is never closed; close it'
        )
    stated = [guess for guess in found.columns if guess.confidence >= CERTAIN]
    if not stated:
        seen = ", ".join(f'"{short(cell.strip())}"' for cell in first.cells[:5])
        raise SourceError(
            f"{file}: none of its columns is known ({seen}); its first row must name them: {EXAMPLE}"
        )
    _refuse_twice(stated, file)
    kinds = [guess.kind for guess in stated if guess.kind]
    datums = {guess.datum for guess in stated if guess.datum}
    return Layout(
        sheet=found.grid.name,
        header_rows=found.header_rows,
        columns={guess.index: guess.field for guess in stated},
        kind=kinds[0] if kinds else "",
        datum=datums.pop() if len(datums) == 1 else "",
        fingerprint=found.fingerprint,
    )


def _refuse_twice(stated: Sequence[ColumnGuess], file: str) -> None:
    first: dict[str, ColumnGuess] = {}
    for guess in stated:
        other = first.setdefault(guess.field, guess)
        if other is guess:
            continue
        if guess.field == "name":
            raise SourceError(f"{file}: several columns hold a name; keep one of them")
        twice = f'"{short(other.heading)}" and "{short(guess.heading)}"'
        raise SourceError(f"{file}: columns {twice} both mean {guess.field}; keep one of them")


def _check_layout(layout: Layout, found: Found, file: str, categories: Categories) -> None:
    """Refuse a layout that does not fit: made for another table, or edited into nonsense."""
    fields = list(layout.columns.values())
    twice = [name for name in fields if fields.count(name) > 1]
    if twice:
        raise SourceError(f"{file}: two columns are set to {twice[0]}; choose one of them")
    if max(layout.columns, default=-1) >= found.grid.width:
        raise SourceError(
            f"{file}: the layout names a column the table does not have; map it again"
        )
    if "xy" in fields and {"x", "y"} & set(fields):
        raise SourceError(f"{file}: coordinates are set both in one column and in two; choose one")
    if layout.kind:
        try:
            categories.kind(layout.kind)
        except CategoryError as error:
            raise SourceError(f"{file}: {error}") from error


# --- one row --------------------------------------------------------------------------------------


class _RowReader:
    """Reads rows one by one and keeps what came of them."""

    def __init__(self, table: _Table, categories: Categories) -> None:
        self._table, self._categories = table, categories
        self._own_words = {fold(w): code for w, code in table.layout.status_words.items()}
        self._kinds: dict[str, str] = {}
        self._statuses: dict[tuple[str, str], str] = {}
        self._first: dict[str, tuple[GridRow, int]] = {}
        self.joined: list[RowProblem] = []
        self._is_waiting = False
        self.records: list[SiteRecord] = []
        self.problems: list[RowProblem] = []
        self.words: Counter[tuple[str, str]] = Counter()

    @property
    def rows(self) -> int:
        return len(self.records) + len(self.problems)

    def asks(self) -> tuple[str, ...]:
        """Return what must be said before the records can be placed."""
        if not self._is_waiting:
            return ()
        return ("crs",) if self._table.found.grid.is_layer else ("datum",)

    def add(self, row: GridRow, shape: shapely.Geometry | None) -> None:
        """Read one row: one more record, one more problem, or one more stretch of a road that is there already."""
        try:
            record = self._read(row, shape)
            if self._is_joined(record, row):
                return
        except Fault as fault:
            self.problems.append(self._table.problem(row, str(fault)))
            return
        self._is_waiting |= _is_placed(record) and not record.datum
        self.records.append(record)

    def read(self, row: GridRow, shape: shapely.Geometry | None) -> SiteRecord | None:
        """Return the record that a row alone would be, None if it cannot be one; keeps nothing."""
        try:
            return self._read(row, shape)
        except Fault:
            return None

    def _is_joined(self, record: SiteRecord, row: GridRow) -> bool:
        """Join a line to the record of its name that says the same: a layer has a road in many pieces.

        Raises
        ------
        Fault
            If the site is there already and this is no further piece of it.
        """
        if record.site_id not in self._first:
            self._first[record.site_id] = row, len(self.records)
            return False
        first, spot = self._first[record.site_id]
        before = self.records[spot]
        lines = _lines(before), _lines(record)
        if not all(lines) or _without_place(before) != _without_place(record):
            raise Fault(
                f'site_id "{short(record.site_id)}" ({short(record.name)}) was already read in '
                f"{self._table.where(first)}; if they are two sites, give each its own site_id (编号)"
            )
        joined = shapely.line_merge(shapely.MultiLineString([*lines[0], *lines[1]]))
        self.records[spot] = replace(before, path=(), geometry=joined)
        reason = f"a further piece of the same road as {self._table.where(first)}, joined to it"
        self.joined.append(self._table.problem(row, reason))
        return True

    def _read(self, row: GridRow, shape: shapely.Geometry | None) -> SiteRecord:
        """Return the record of a row; raises `Fault` with everything that is wrong with it."""
        if self._table.found.grid.ragged:
            check_width(row, self._table.width)
        cells = Cells(row, self._table.columns)
        kind = cells.read("kind", self._kind)
        status = kind and cells.read("status", lambda text: self._status(kind, text))
        name = cells.text("name")
        if not is_visible(name):
            cells.faults.append("it has no name")
        record = SiteRecord(
            kind=kind or "",
            name=name,
            status=status or "",
            source=self._origin(cells, row),
            site_id=cells.text("site_id"),
            as_of=cells.read("as_of", self._date) or self._table.layout.as_of,
            place=cells.text("place"),
            street=cells.text("street"),
            precision=cells.read("precision", _read_precision) or "",
            uncertainty_m=cells.read("uncertainty_m", read_metres),
            note="; ".join(filter(None, (cells.text("note"), row.shape.note if row.shape else ""))),
            fictitious=bool(cells.read("fictitious", read_yes)),
            **self._place(cells, row, shape),
        )
        faults = cells.faults or list(_coordinate_faults(record, self._table.is_confirmed))
        if faults:
            raise Fault("; ".join(faults))
        return record

    def _kind(self, text: str) -> str:
        text = short(text or self._table.layout.kind)
        if text not in self._kinds:
            self._kinds[text] = self._categories.read_kind(text)
        return self._kinds[text]

    def _status(self, kind: str, text: str) -> str:
        text = short(text)
        if text:
            self.words[kind, text] += 1
        if (kind, text) not in self._statuses:
            own = self._own_words.get(fold(text), "")
            read = self._categories.status if own else self._categories.read_status
            self._statuses[kind, text] = read(kind, own or text).code
        return self._statuses[kind, text]

    def _date(self, text: str) -> date | None:
        epoch_1904 = self._table.found.grid.epoch_1904
        return read_serial_date(text, epoch_1904=epoch_1904) or read_date(text)

    def _origin(self, cells: Cells, row: GridRow) -> Source:
        return Source(
            file=cells.text("source_file") or self._table.file,
            where=cells.text("source_where") or self._table.where(row),
            quote=cells.text("source_quote"),
        )

    def _place(self, cells: Cells, row: GridRow, shape: shapely.Geometry | None) -> dict[str, Any]:
        """Return where the row says it is: the fields x, y, path or geometry, and their datum."""
        if row.shape is not None and row.shape.fault:
            cells.faults.append(row.shape.fault)
        if self._table.found.grid.is_layer:
            return _from_shape(shape, self._table.datum)
        pair = cells.read("xy", read_pair)
        x = pair[0] if pair else cells.read("x", read_coordinate)
        y = pair[1] if pair else cells.read("y", read_coordinate)
        path = cells.read("path", read_path) or ()
        placed = x is not None or y is not None or path
        datum = cells.text("datum") or (self._table.datum if placed else "")
        return {"x": x, "y": y, "path": path, "datum": datum}


def _lines(record: SiteRecord) -> list[shapely.LineString]:
    """Return a record's lines, [] if it is no line."""
    if record.path:
        return [shapely.LineString(record.path)]
    shape = record.geometry
    if isinstance(shape, shapely.MultiLineString):
        return list(shape.geoms)
    return [shape] if isinstance(shape, shapely.LineString) else []


def _without_place(record: SiteRecord) -> SiteRecord:
    """Return what a record says besides where it is and where that is written."""
    return replace(record, path=(), geometry=None, note="", source=Source(""))


def _from_shape(shape: shapely.Geometry | None, datum: str) -> dict[str, Any]:
    """Return the fields of a record that hold a shape: a point, a plain line, or anything else."""
    if shape is None:
        return {}
    if isinstance(shape, shapely.Point):
        return {"x": shape.x, "y": shape.y, "datum": datum}
    if isinstance(shape, shapely.LineString):
        return {"path": tuple((x, y) for x, y in shape.coords), "datum": datum}
    return {"geometry": shape, "datum": datum}


class Cells:
    """The cells of one row by field, with every fault met while reading them."""

    def __init__(self, row: GridRow, columns: Mapping[str, int]) -> None:
        here = len(row.cells)
        self._texts = {name: row.cells[n].strip() for name, n in columns.items() if n < here}
        self.faults: list[str] = []

    def text(self, column: str) -> str:
        """Return a cell without white space at its ends; "" if there is no such column."""
        return self._texts.get(column, "")

    def read(self, column: str, reader: Callable[[str], T]) -> T | None:
        """Return what a reader makes of a cell, or None and note the fault."""
        try:
            return reader(self.text(column))
        except (CategoryError, Fault) as fault:
            text = str(fault)
            self.faults.append(text if text.startswith(column) else f"{column} {text}")
            return None


def check_width(row: GridRow, width: int) -> None:
    """Refuse a row of a text table that has other cells than its header; raises `Fault`."""
    if row.open_quote:
        raise Fault(
            'a quotation mark (") is opened here and never closed, so the rest of the file is one '
            "cell; close it and load the file again"
        )
    if len(row.cells) != width:
        raise Fault(
            f"it has {len(row.cells)} cells, the header has {width}; "
            "add or remove separators, or put quotation marks around text that contains one"
        )


def _is_placed(record: SiteRecord) -> bool:
    has_number = record.x is not None or record.y is not None
    return has_number or bool(record.path) or record.geometry is not None


def _coordinate_faults(record: SiteRecord, is_confirmed: bool) -> Iterator[str]:
    if (record.x is None) != (record.y is None):
        given, missing = ("x", "y") if record.y is None else ("y", "x")
        yield f"it has {given} but no {missing}; give both coordinates or neither"
    placed = _is_placed(record)
    if placed and not record.datum and not is_confirmed:
        yield (
            "it has coordinates but does not say which datum; write wgs84, cgcs2000, gcj02 (高德), "
            "bd09 (百度) or an EPSG code into 坐标系 (datum)"
        )
    if placed and record.precision == "none":
        yield "precision none contradicts its coordinates; leave one of them empty"


def _read_precision(text: str) -> str:
    plain = fold(text) if text else ""
    if plain and plain not in PRECISIONS:
        raise Fault(f'"{short(text)}" is not one of {", ".join(PRECISIONS)}')
    return plain
