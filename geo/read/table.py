"""Tables as CSV or TSV: one header row, one site per row.

Nothing is guessed and nothing is dropped. A row becomes a `SiteRecord` or a `RowProblem`; a file that
is not such a table is a `SourceError`. Text is kept as it is but for white space at both ends.
"""

from __future__ import annotations

import csv
import io
import math
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import TypeVar

from geo.category import Categories, fold, load_categories
from geo.errors import CategoryError, SourceError
from geo.site import PRECISIONS, Claim, RowProblem, SiteRecord, Source

MAX_BYTES = 20_000_000
MAX_ROWS = 200_000

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ReadReport:
    """What came of reading one source: `rows` is always `len(records) + len(problems)`.

    `ignored` names the columns that were not understood, so that a page can say so.
    """

    records: list[SiteRecord]
    problems: list[RowProblem]
    rows: int
    claims: list[Claim] = field(default_factory=list)
    ignored: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.rows != len(self.records) + len(self.problems):
            raise ValueError(
                f"{self.rows} rows, but {len(self.records)} records and {len(self.problems)} problems"
            )


class _Fault(ValueError):
    """One thing wrong with one row."""


# --- the header: words for columns ----------------------------------------------------------------

_COLUMN_WORDS = {
    "site_id": "site_id id 编号 唯一编号 点位编号",
    "kind": "kind type 类型 类别 种类",
    "name": "name 名称 名字 点位名称",
    "status": "status stage 状态 阶段 状态/阶段 复工状态 复工情况 项目阶段 整治状态 进展",
    "as_of": "as_of date 日期 截至 截至日期 数据日期 更新日期 统计日期",
    "place": "place address location 地点 地址 地点/地址 位置 详细地址 所在地",
    "street": "street subdistrict 街道 所属街道 街道办 街道办事处",
    "source_file": "source_file 来源 来源文件 资料来源",
    "source_where": "source_where 出处 来源位置",
    "source_quote": "source_quote 原文 引文",
    "x": "x lon lng longitude easting 经度 东坐标",
    "y": "y lat latitude northing 纬度 北坐标",
    "datum": "datum crs 坐标系 坐标系统",
    "precision": "precision 精度 精度等级",
    "uncertainty_m": "uncertainty_m 误差 误差(米) 误差米",
    "path": "path 路径 折线",
    "note": "note remark 备注 说明",
    "fictitious": "fictitious 虚构",
}
# 序号 is not a site_id: it changes when the table is sorted. X坐标 is left out on purpose: it is the
# north in a surveyor's table and the east in everybody else's.
_SITE_COLUMNS = {
    fold(word): name for name, words in _COLUMN_WORDS.items() for word in words.split()
}
_NAME_ENDINGS = ("名称", "name")
_EXAMPLE = "名称, 类型, 状态, 日期, 地点, 街道, 经度, 纬度, 坐标系, 备注"


@dataclass(frozen=True, slots=True)
class _Row:
    """One row that is not blank: its number as a spreadsheet counts, where it starts, its cells."""

    number: int
    line: int
    cells: list[str]
    open_quote: bool = False

    @property
    def where(self) -> str:
        """The row as a spreadsheet counts, and the line of the file where that differs."""
        return f"row {self.number}" + (f" (line {self.line})" if self.line != self.number else "")


@dataclass(frozen=True, slots=True)
class _Table:
    """A header that was understood, and the rows below it."""

    file: str
    columns: dict[str, int]
    width: int
    ignored: tuple[str, ...]
    kind: str
    rows: list[_Row]


def read_table(
    path: str | Path,
    *,
    categories: Categories | None = None,
    max_bytes: int = MAX_BYTES,
    max_rows: int = MAX_ROWS,
) -> ReadReport:
    """Return the records and problems of a CSV or TSV table.

    Parameters
    ----------
    path
        Text in UTF-8, UTF-16 with a mark, or GB18030 (what WPS and Excel write), with commas, tabs
        or semicolons. The first row that is not blank names the columns, in English or Chinese, in
        any order. A heading such as 企业名称 also says the kind of all rows that do not say theirs.
    categories
        Kinds and statuses; the district's own file by default.
    max_bytes, max_rows
        More than that is refused.

    Returns
    -------
    report
        Records in the order of the rows. Blank rows are not counted. Coordinates are the table's
        own numbers in its own datum: easting or longitude first, not converted.

    Raises
    ------
    SourceError
        If the file cannot be opened, is empty, too large, not text, or if no column holds the name
        or says the kind.
    """
    path, categories = Path(path), categories or load_categories()
    table = _read_rows(path, _site_columns(categories), max_bytes=max_bytes, max_rows=max_rows)
    table = _with_kind(table, categories)
    records: list[SiteRecord] = []
    problems: list[RowProblem] = []
    first: dict[str, _Row] = {}
    for row in table.rows:
        try:
            record = _read_record(row, table, categories)
            _refuse_repeated(record, first.setdefault(record.site_id, row), row)
            records.append(record)
        except _Fault as fault:
            problems.append(RowProblem(table.file, row.where, str(fault)))
    return ReadReport(records, problems, len(table.rows), ignored=table.ignored)


def _site_columns(categories: Categories) -> dict[str, str]:
    """Return what each known heading means, 企业名称 and its like included."""
    words = dict(_SITE_COLUMNS)
    for kind in categories:
        for word in (kind.code, *kind.label.values(), *kind.synonyms):
            words |= {fold(word + ending): f"name:{kind.code}" for ending in _NAME_ENDINGS}
    return words


def _with_kind(table: _Table, categories: Categories) -> _Table:
    """Return the table if it says names and kinds, with a heading like 企业名称 taken apart."""
    columns = dict(table.columns)
    named = [column for column in columns if column.startswith("name:")]
    if len(named) + ("name" in columns) > 1:
        raise SourceError(f"{table.file}: several columns hold a name; keep one of them")
    if not named and "name" not in columns:
        raise SourceError(f"{table.file}: no column holds the name; call one 名称 or name")
    kind = ""
    for column in named:
        columns["name"] = columns.pop(column)
        kind = column.removeprefix("name:")
    if not kind and "kind" not in columns:
        known = ", ".join(k.label["zh"] for k in categories)
        raise SourceError(
            f"{table.file}: no column says what kind of site a row is; "
            f"add a column 类型 (kind) with one of {known}"
        )
    return replace(table, columns=columns, kind=kind)


def _refuse_repeated(record: SiteRecord, first: _Row, row: _Row) -> None:
    if first is not row:
        raise _Fault(
            f'site_id "{_short(record.site_id)}" ({_short(record.name)}) was already read in '
            f"{first.where}; if they are two sites, give each its own site_id (编号)"
        )


# --- one row --------------------------------------------------------------------------------------


class _Cells:
    """The cells of one row by column, with every fault met while reading them."""

    def __init__(self, row: _Row, table: _Table) -> None:
        self._row, self._table = row, table
        self.faults: list[str] = []

    def text(self, column: str) -> str:
        """Return a cell without white space at its ends; "" if there is no such column."""
        index = self._table.columns.get(column)
        return "" if index is None else self._row.cells[index].strip()

    def read(self, column: str, reader: Callable[[str], T]) -> T | None:
        """Return what a reader makes of a cell, or None and note the fault."""
        try:
            return reader(self.text(column))
        except (CategoryError, _Fault) as fault:
            text = str(fault)
            self.faults.append(text if text.startswith(column) else f"{column} {text}")
            return None


def _check_shape(row: _Row, table: _Table) -> None:
    if row.open_quote:
        raise _Fault(
            'a quotation mark (") is opened here and never closed, so the rest of the file is one '
            "cell; close it and load the file again"
        )
    if len(row.cells) != table.width:
        raise _Fault(
            f"it has {len(row.cells)} cells, the header has {table.width}; "
            "add or remove separators, or put quotation marks around text that contains one"
        )


def _read_record(row: _Row, table: _Table, categories: Categories) -> SiteRecord:
    """Return the record of a row; raises `_Fault` with everything that is wrong with it."""
    _check_shape(row, table)
    cells = _Cells(row, table)
    kind = cells.read("kind", lambda text: categories.read_kind(_short(text or table.kind)))
    status = kind and cells.read(
        "status", lambda text: categories.read_status(kind, _short(text)).code
    )
    name = cells.text("name")
    if not _is_visible(name):
        cells.faults.append("it has no name")
    record = SiteRecord(
        kind=kind or "",
        name=name,
        status=status or "",
        source=_read_origin(cells, row, table),
        site_id=cells.text("site_id"),
        as_of=cells.read("as_of", _read_date),
        place=cells.text("place"),
        street=cells.text("street"),
        x=cells.read("x", _read_number),
        y=cells.read("y", _read_number),
        datum=cells.text("datum"),
        precision=cells.read("precision", _read_precision) or "",
        uncertainty_m=cells.read("uncertainty_m", _read_metres),
        path=cells.read("path", _read_path) or (),
        note=cells.text("note"),
        fictitious=bool(cells.read("fictitious", _read_yes)),
    )
    faults = cells.faults or list(_coordinate_faults(record))
    if faults:
        raise _Fault("; ".join(faults))
    return record


def _read_origin(cells: _Cells, row: _Row, table: _Table) -> Source:
    return Source(
        file=cells.text("source_file") or table.file,
        where=cells.text("source_where") or row.where,
        quote=cells.text("source_quote"),
    )


def _coordinate_faults(record: SiteRecord) -> Iterator[str]:
    if (record.x is None) != (record.y is None):
        given, missing = ("x", "y") if record.y is None else ("y", "x")
        yield f"it has {given} but no {missing}; give both coordinates or neither"
    placed = record.x is not None or record.y is not None or bool(record.path)
    if placed and not record.datum:
        yield (
            "it has coordinates but does not say which datum; write wgs84, cgcs2000, gcj02 (高德), "
            "bd09 (百度) or an EPSG code into 坐标系 (datum)"
        )
    if placed and record.precision == "none":
        yield "precision none contradicts its coordinates; leave one of them empty"


# --- one cell -------------------------------------------------------------------------------------

_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")
# Excel and pandas add a midnight to a plain date; any other time of day is not a date.
_MIDNIGHT = r"(?:[ T]0?0:00(?::00(?:\.0+)?)?)?"
_DATES = tuple(
    re.compile(pattern + _MIDNIGHT)
    for pattern in (
        r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})",
        r"([0-9]{4})/([0-9]{1,2})/([0-9]{1,2})",
        r"([0-9]{4})\.([0-9]{1,2})\.([0-9]{1,2})",
        r"([0-9]{4})\s*年\s*([0-9]{1,2})\s*月\s*([0-9]{1,2})\s*日",
    )
)
_YES = frozenset("1 是 true yes y".split())
_NO = frozenset(["", *"0 否 false no n".split()])


def _plain(text: str) -> str:
    """Return digits and signs in ASCII, but leave what NFKC would turn into another number."""
    if text.isascii() or any(unicodedata.category(char) == "No" for char in text):
        return text  # 10² would become 102
    return unicodedata.normalize("NFKC", text).strip()


def _is_visible(text: str) -> bool:
    """Whether a text has a character that leaves ink: zero-width ones do not."""
    return any(unicodedata.category(char)[0] not in "CZ" for char in text)


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:60] + "…"


def _read_number(text: str) -> float | None:
    if not text:
        return None
    plain = _plain(text)
    value = float(plain) if _NUMBER.fullmatch(plain) else math.nan
    if not math.isfinite(value):
        raise _Fault(f'"{_short(text)}" is not a plain number like 123.1617')
    return value


def _read_metres(text: str) -> float | None:
    value = _read_number(text)
    if value is not None and value < 0:
        raise _Fault(f'"{_short(text)}" is negative; give 0 or more metres')
    return value


def _read_date(text: str) -> date | None:
    if not text:
        return None
    found = next(filter(None, (pattern.fullmatch(_plain(text)) for pattern in _DATES)), None)
    try:
        if found is not None:
            return date(*(int(part) for part in found.groups()))
    except ValueError:
        pass  # 2020-02-30
    raise _Fault(f'"{_short(text)}" is not a date like 2020-03-11, 2020/3/11 or 2020年3月11日')


def _read_precision(text: str) -> str:
    plain = fold(text)
    if plain and plain not in PRECISIONS:
        raise _Fault(f'"{_short(text)}" is not one of {", ".join(PRECISIONS)}')
    return plain


def _read_yes(text: str) -> bool:
    plain = fold(text)
    if plain not in _YES | _NO:
        raise _Fault(f'"{_short(text)}" is not 1 or 0 (是, 否)')
    return plain in _YES


def _read_path(text: str) -> tuple[tuple[float, float], ...]:
    """Return the vertices of `lon lat;lon lat;...`."""
    if not text:
        return ()
    points = [_read_vertex(part) for part in _plain(text).strip(";").split(";")]
    if len(points) < 2:
        raise _Fault(f'"{_short(text)}" has one point; a line has two or more: lon lat;lon lat')
    return tuple(points)


def _read_vertex(text: str) -> tuple[float, float]:
    numbers = [_read_number(part) for part in text.split()]
    if len(numbers) != 2 or numbers[0] is None or numbers[1] is None:
        raise _Fault(f'"{_short(text)}" is not a point; write lon lat;lon lat')
    return numbers[0], numbers[1]


# --- claims ---------------------------------------------------------------------------------------

_CLAIM_COLUMNS = (
    "claim_id scope sector metric role value unit claim_kind approx as_of "
    "source_file source_where source_quote"
).split()
ROLES = ("total", "resumed", "rate", "count", "value", "growth", "subset")
CLAIM_KINDS = ("fact", "target")


def read_claims(path: str | Path) -> list[Claim]:
    """Return the figures of a claims table (data/claims.csv), in the order of its rows.

    Parameters
    ----------
    path
        Text as in `read_table`; the columns have the names of the fields of `Claim`, with
        `source_file`, `source_where` and, if there is one, `source_quote`.

    Raises
    ------
    SourceError
        If the file cannot be read; or names every row that is not a claim, because a figure is
        never left out.
    """
    path = Path(path)
    known = {name: name for name in _CLAIM_COLUMNS}
    example = ", ".join(known)
    table = _read_rows(path, known, max_bytes=MAX_BYTES, max_rows=MAX_ROWS, example=example)
    # One statement gives several figures: a total, the part of it that has resumed, a rate.
    claims: dict[tuple[str, str], Claim] = {}
    faults: list[str] = []
    for row in table.rows:
        try:
            claim = _read_claim(row, table)
            if (claim.claim_id, claim.role) in claims:
                raise _Fault(f'claim "{_short(claim.claim_id)}" has a {claim.role} already')
            claims[claim.claim_id, claim.role] = claim
        except _Fault as fault:
            faults.append(f"{row.where}: {fault}")
    if faults:
        raise SourceError(f"{path.name}, " + "; ".join(faults))
    return list(claims.values())


def _read_claim(row: _Row, table: _Table) -> Claim:
    _check_shape(row, table)
    cells = _Cells(row, table)
    value = cells.read("value", _read_number)
    claim = Claim(
        value=math.nan if value is None else value,
        role=cells.read("role", _one_of(ROLES)) or "",
        claim_kind=cells.read("claim_kind", _one_of(CLAIM_KINDS)) or "",
        as_of=cells.read("as_of", _read_date),
        source=_read_origin(cells, row, table),
        **{name: cells.text(name) for name in ("claim_id", "scope", "sector", "metric")},
        **{name: cells.text(name) for name in ("unit", "approx")},
    )
    missing = [name for name in ("claim_id", "scope", "metric", "value") if not cells.text(name)]
    if missing:
        cells.faults.append(f"it has no {', '.join(missing)}")
    if cells.faults:
        raise _Fault("; ".join(cells.faults))
    return claim


def _one_of(words: tuple[str, ...]) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in words:
            raise _Fault(f'"{_short(text)}" is not one of {", ".join(words)}')
        return text

    return read


# --- from bytes to rows ---------------------------------------------------------------------------

_SAVE_AS = "open it in WPS or Excel and save it as CSV (UTF-8)"
_DELIMITERS = (",", "\t", ";")
_MARKS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_SIGNATURES = {
    b"PK\x03\x04": "an Excel workbook or a ZIP archive",
    b"\xd0\xcf\x11\xe0": "an old Excel or WPS workbook",
    b"%PDF": "a PDF",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
}
# Stands after the last row. If it is no row of its own when it comes back, a quotation mark is open.
_END = "\x1fend\x1f"


def _read_rows(
    path: Path, known: Mapping[str, str], *, max_bytes: int, max_rows: int, example: str = _EXAMPLE
) -> _Table:
    """Return the rows of a file whose first row has at least one of the known headings."""
    name = path.name
    text = _decode(_read_bytes(path, max_bytes), name)
    delimiter = _find_delimiter(text, known)
    rows = _split(text, delimiter, name)
    header = next(rows, None)
    if header is None:
        raise SourceError(f"{name} is empty; it needs a first row with the columns: {example}")
    if header.open_quote:
        raise SourceError(
            f'{name}: a quotation mark (") in its first row is never closed; close it'
        )
    columns, ignored = _read_header(header, known, name, example)
    kept: list[_Row] = []
    for row in rows:
        if len(kept) == max_rows:
            raise SourceError(f"{name} has over {max_rows:,} rows; split it and load the parts")
        kept.append(row)
    return _Table(name, columns, len(header.cells), ignored, "", kept)


def _read_bytes(path: Path, max_bytes: int) -> bytes:
    try:
        if not path.is_file():
            raise SourceError(f"{path.name} is not there or not an ordinary file; check its name")
        with path.open("rb") as file:
            raw = file.read(max_bytes + 1)
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise SourceError(f"{path.name} cannot be opened ({why}); check who may read it") from error
    if len(raw) > max_bytes:
        raise SourceError(
            f"{path.name} is larger than {max_bytes / 1e6:g} MB; split it and load the parts"
        )
    return raw


def _decode(raw: bytes, name: str) -> str:
    """Return the text of a file: by its mark, else strict UTF-8, else GB18030."""
    for start, what in _SIGNATURES.items():
        if raw.startswith(start):
            raise SourceError(f"{name} is {what}, not a text table; {_SAVE_AS}")
    encoding = next((encoding for mark, encoding in _MARKS if raw.startswith(mark)), "")
    try:
        text = raw.decode(encoding or "utf-8")
    except UnicodeDecodeError as error:
        if encoding or _is_damaged_utf8(raw):
            line = raw.count(b"\n", 0, error.start) + 1
            raise SourceError(
                f"{name} has broken characters, the first in line {line}; {_SAVE_AS} again"
            ) from error
        text = _decode_gb18030(raw, name)
    if "\0" in text:
        raise SourceError(f"{name} is not text; {_SAVE_AS}")
    return text


def _is_damaged_utf8(raw: bytes) -> bool:
    """Whether bytes are UTF-8 but for a few; GB18030 would silently make other Chinese of them."""
    text = raw.decode("utf-8", errors="replace")
    broken = text.count("\ufffd")
    return sum(char > "\x7f" for char in text) - broken >= 3 * broken


def _decode_gb18030(raw: bytes, name: str) -> str:
    try:
        return raw.decode("gb18030")
    except UnicodeDecodeError as error:
        raise SourceError(f"{name} is neither UTF-8 nor GB18030 text; {_SAVE_AS}") from error


def _find_delimiter(text: str, known: Mapping[str, str]) -> str:
    """Return the separator that makes the most known headings of the first row."""

    def count(delimiter: str) -> int:
        try:
            header = next(_split(text, delimiter, ""), None)
        except SourceError:
            return 0
        return sum(fold(cell) in known for cell in header.cells) if header else 0

    return max(_DELIMITERS, key=count)


def _split(text: str, delimiter: str, name: str) -> Iterator[_Row]:
    """Yield the rows that are not blank, numbered from 1 with the blank ones counted."""
    end = _END
    while end in text:
        end += _END
    reader = csv.reader(io.StringIO(f"{text}\n{end}\n", newline=""), delimiter=delimiter)
    number, line = 0, 1
    try:
        for number, cells in enumerate(reader, start=1):
            if cells == [end]:
                return
            if any(cell.strip() for cell in cells):
                yield _Row(number, line, cells, open_quote=end in cells[-1])
            line = reader.line_num + 1
    except csv.Error as error:
        raise SourceError(
            f"{name}, row {number + 1}: a cell has over {csv.field_size_limit():,} characters; "
            "the usual cause is a quotation mark that is never closed"
        ) from error


def _read_header(
    header: _Row, known: Mapping[str, str], name: str, example: str
) -> tuple[dict[str, int], tuple[str, ...]]:
    """Return where each known column is, and the headings that are not known."""
    columns: dict[str, int] = {}
    ignored = []
    for index, cell in enumerate(header.cells):
        column = known.get(fold(cell))
        if column is None:
            ignored.append(cell.strip())
        elif column in columns:
            twice = f'"{header.cells[columns[column]].strip()}" and "{cell.strip()}"'
            raise SourceError(f"{name}: columns {twice} both mean {column}; keep one of them")
        else:
            columns[column] = index
    if not columns:
        seen = ", ".join(f'"{_short(cell)}"' for cell in ignored[:5])
        raise SourceError(
            f"{name}: none of its columns is known ({seen}); its first row must name them: {example}"
        )
    return columns, tuple(cell for cell in ignored if cell)
