"""Where a table's header is, and what each of its columns holds.

Headings that are known say what their columns hold. What only the contents suggest is a guess: it
comes with a confidence below `CERTAIN` and is put before a person, never used without one.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

from geo.category import Categories, Kind, Status, fold
from geo.errors import CategoryError, SourceError
from geo.read.cells import axis_of, pair_order, read_date, read_number
from geo.read.grid import HEADER_WITHIN, MAX_COLUMNS, Contents, Grid, GridRow, fill_merged, short
from geo.read.layout import Layout, fingerprint_of, known_headings

CERTAIN = 0.9
"""From this confidence on a column's meaning is stated, not guessed."""
SAMPLE_ROWS = 300


@dataclass(frozen=True, slots=True)
class ColumnGuess:
    """What a column seems to hold: a field or "", how sure that is (0 to 1), and why.

    `kind` and `datum` are what the heading says of all rows (企业名称; 高德经度), `samples` some of
    its values.
    """

    index: int
    heading: str
    field: str
    confidence: float
    why: str
    kind: str = ""
    datum: str = ""
    samples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """A grid taken apart: its header, what the columns seem to hold, and the rows under it."""

    grid: Grid
    header_rows: tuple[int, ...]
    headings: tuple[str, ...]
    columns: tuple[ColumnGuess, ...]
    above: tuple[GridRow, ...]
    body: tuple[GridRow, ...]
    header_cells: tuple[list[str], ...] = ()

    @property
    def fingerprint(self) -> str:
        """See `Layout.fingerprint`."""
        return fingerprint_of(self.headings)


# --- the header -----------------------------------------------------------------------------------


def find_header(grid: Grid, known: Mapping[str, str]) -> tuple[int, ...]:
    """Return the numbers of the one or two rows that name the columns; none if no heading is known.

    Among the first rows the one with the most known headings is it, the first of several. Two rows
    together are taken if the second fills gaps of the first and more headings are known that way.
    """
    if grid.is_layer:
        return (grid.rows[0].number,) if grid.rows else ()
    head = grid.rows[:HEADER_WITHIN]
    best: tuple[int, tuple[int, ...]] = (0, ())
    for row in head:
        best = max(best, (_known_count(row.cells, known), (row.number,)), key=_first_of_most)
    for upper, lower in pairwise(head):
        if upper.number + 1 == lower.number and _completes(upper, lower):
            both = (upper.number, lower.number)
            count = _known_count(read_headings(grid, both), known)
            best = max(best, (count, both), key=_first_of_most)
    return best[1]


def _first_of_most(found: tuple[int, tuple[int, ...]]) -> int:
    return found[0]


def _known_count(cells: Sequence[str], known: Mapping[str, str]) -> int:
    """Return how many different fields some headings name."""
    stated = (_stated(cell, known) for cell in set(cells) if cell)
    return len({found[0] for found in stated if found is not None})


def _completes(upper: GridRow, lower: GridRow) -> bool:
    """Whether a row says more of the headings above it: every word of it is under a gap or a group."""
    wide = max(len(upper.cells), len(lower.cells))
    above = [cell.strip() for cell in upper.cells] + [""] * (wide - len(upper.cells))
    below = [cell.strip() for cell in lower.cells] + [""] * (wide - len(lower.cells))
    filled = [n for n in range(wide) if below[n]]
    if not filled or any(_looks_like_value(below[n]) for n in filled):
        return False
    for n in filled:
        # A group's name stands above its first column and is blank above the others.
        starts_group = above[n] and n + 1 < wide and not above[n + 1] and below[n + 1]
        in_group = not above[n] and any(above[:n])
        if not (starts_group or in_group):
            return False
    return True


def _looks_like_value(text: str) -> bool:
    return bool(re.search(r"\d{3,}|\d[.:/]\d", unicodedata.normalize("NFKC", text)))


def read_headings(grid: Grid, header_rows: Sequence[int]) -> list[str]:
    """Return the heading of each column: the words of two header rows joined by a slash."""
    if not header_rows:
        return [""] * min(grid.width, MAX_COLUMNS)
    filled = fill_merged(grid, header_rows[0], header_rows[-1])
    rows = [row.cells for row in filled.rows if row.number in header_rows]
    wide = max((len(cells) for cells in rows), default=0)
    rows = [[*(cell.strip() for cell in cells), *([""] * (wide - len(cells)))] for cells in rows]
    if len(rows) == 2:
        _spread_groups(rows[0], rows[1])
    return ["/".join(dict.fromkeys(filter(None, words))) for words in zip(*rows, strict=True)]


def _spread_groups(above: list[str], below: list[str]) -> None:
    for n in range(1, len(above)):
        if not above[n] and below[n] and below[n - 1]:
            above[n] = above[n - 1]


def take_apart(
    grid: Grid, categories: Categories, header_rows: Sequence[int] | None = None, *, file: str
) -> Found:
    """Return a grid's header, columns and rows.

    Parameters
    ----------
    grid
        One sheet or layer.
    categories
        Kinds and statuses: their words name columns (企业名称) and tell a status column.
    header_rows
        Where a person says the header is; found if None.
    file
        Its name, for messages.

    Raises
    ------
    SourceError
        If there is no such row, or it has more columns than a table of sites can have.
    """
    known = known_headings(categories)
    rows = find_header(grid, known) if header_rows is None else tuple(header_rows)
    headings = tuple(read_headings(grid, rows))
    if len(headings) > MAX_COLUMNS:
        raise SourceError(
            f"{file}: its header has {len(headings):,} columns, {MAX_COLUMNS:,} are allowed; "
            "keep those you need"
        )
    # By position, not by number: the ids of features are in no order.
    numbers = [row.number for row in grid.rows]
    if not set(rows) <= set(numbers):
        raise SourceError(
            f"{file}: there is no row {rows[0]} to name the columns; choose the header again"
        )
    start = numbers.index(rows[-1]) + 1 if rows else 0
    body = tuple(fill_merged(grid, numbers[start] if start < len(numbers) else 0).rows[start:])
    above = tuple(grid.rows[: numbers.index(rows[0])]) if rows else ()
    columns = _guess_columns(grid, headings, body, known, categories)
    named = (row.cells for row in grid.rows if row.number in rows)
    header_cells = tuple([cell.strip() for cell in cells] for cells in named)
    return Found(grid, rows, headings, columns, above, body, header_cells)


def choose_grid(contents: Contents, categories: Categories) -> Grid:
    """Return the sheet or layer that looks most like a table of sites, the first of several.

    Raises
    ------
    SourceError
        If no sheet has a cell, or the only ones that have are too long.
    """
    known = known_headings(categories)
    full = [grid for grid in contents.grids if grid.rows]
    if not full and any(grid.too_long for grid in contents.grids):
        raise SourceError(f"{contents.file} has too many rows; split it and load the parts")
    if not full:
        raise SourceError(
            f"{contents.file} is empty; it needs a first row with the columns: {EXAMPLE}"
        )

    def merit(grid: Grid) -> tuple[bool, int]:
        return not grid.hidden, _known_count(read_headings(grid, find_header(grid, known)), known)

    return max(full, key=merit)


EXAMPLE = "名称, 类型, 状态, 日期, 地点, 街道, 经度, 纬度, 坐标系, 备注"


# --- headings -------------------------------------------------------------------------------------

_BRACKETS = re.compile(r"[(\[【<{][^)\]】>}]*[)\]】>}]")
_DATUM_WORDS = (
    ("gcj02", r"gcj-?0?2|高德|腾讯|火星"),
    ("bd09", r"bd-?0?9|百度"),
    ("cgcs2000", r"cgcs-?2000|国家2000|2000国家|国家大地2000|天地图"),
    ("wgs84", r"wgs-?(19)?84|gps"),
)
_LIKELY = (
    ("name", r"(单位|企业|公司|商户|店铺|项目|工程|道路|路段|街路)(\(.*\))?(名|全称)$|名称$|^(企业|项目|单位)$"),
    ("status", r"状态|是否(已)?(复|开|停|营)|(复|开)工|复产|进展|进度|阶段"),
    ("as_of", r"(截[至止]|统计|更新|填报|上报)(日期|时间)"),
    ("street", r"街道|镇街|乡镇|辖区"),
    ("place", r"地址|地点|位置|坐落|所在地"),
    ("datum", r"坐标系"),
    ("xy", r"经纬度|(?<![xy横纵东北])坐标$"),
    ("x", r"经度|longitude|^lng|^lon"),
    ("y", r"纬度|latitude|^lat"),
    ("note", r"备注|说明|description|^desc"),
)  # fmt: skip


# What may stand in brackets behind a heading without making it another one.
_HARMLESS = re.compile(
    r"[°度米m]|十进制度?|小数|必填|选填|全称|.*[年y].*[月m].*[日d]|.*是.*否.*", re.IGNORECASE
)
_SHAPED = frozenset("x y xy path datum".split())
"""What a layer's own shapes say, whatever its columns are called."""


def _stated(heading: str, known: Mapping[str, str]) -> tuple[str, float, str] | None:
    """Return the field a heading names, how sure that is, and the datum it states; None if none."""
    whole = fold(heading)
    if whole in known:
        return known[whole], 1.0, ""
    # Of two joined rows the lower one says what the column holds, the upper one what it belongs to.
    leaf = whole.rpartition("/")[2]
    datum = next((name for name, words in _DATUM_WORDS if re.search(words, whole)), "")
    plain = _BRACKETS.sub("", leaf)
    for _, words in _DATUM_WORDS if datum else ():
        plain = re.sub(words, "", plain)
    field = known.get(plain.strip("_- :：*"))
    if field is not None:
        added = [text[1:-1] for text in _BRACKETS.findall(leaf)]
        is_harmless = datum or all(_HARMLESS.fullmatch(text) for text in added)
        return field, 0.95 if is_harmless else 0.8, datum
    return None


def _guess_columns(
    grid: Grid,
    headings: Sequence[str],
    body: Sequence[GridRow],
    known: Mapping[str, str],
    categories: Categories,
) -> tuple[ColumnGuess, ...]:
    """Return a guess for each column; a field is given to the column that is surest of it."""
    sample = body[:: max(1, len(body) // SAMPLE_ROWS)][:SAMPLE_ROWS]
    width = len(headings)
    words = _Words.of(categories)
    guesses = []
    for index in range(width):
        heading = headings[index] if index < len(headings) else ""
        values = [row.cells[index].strip() for row in sample if index < len(row.cells)]
        values = [value for value in values if value]
        guesses.append(_guess_column(index, heading, values, known, words, grid.is_layer))
    return tuple(_settle(_settle_coordinates(guesses, sample)))


def _guess_column(
    index: int,
    heading: str,
    values: Sequence[str],
    known: Mapping[str, str],
    words: _Words,
    is_layer: bool,
) -> ColumnGuess:
    samples = tuple(short(value) for value in list(dict.fromkeys(values))[:5])
    stated = _stated(heading, known)
    if stated is not None:
        name, confidence, datum = stated
        field, kind = name.partition(":")[::2]
        why = "heading"
    else:
        kind = datum = ""
        field, confidence, why = _by_heading(heading) or _by_contents(values, words)
    if is_layer and field in _SHAPED:
        return ColumnGuess(
            index, heading, "", 0.0, "the layer has shapes of its own", samples=samples
        )
    return ColumnGuess(index, heading, field, confidence, why, kind, datum, samples)


def _by_heading(heading: str) -> tuple[str, float, str] | None:
    """Return what a heading that is not known sounds like."""
    folded = fold(heading).rpartition("/")[2]
    fields = (field for field, words in _LIKELY if folded and re.search(words, folded))
    field = next(fields, None)
    return None if field is None else (field, 0.7, "heading")


def _settle(guesses: list[ColumnGuess]) -> Iterator[ColumnGuess]:
    """Yield the guesses with each field given once below certainty: to the surest, then the first."""
    surest: dict[str, ColumnGuess] = {}
    for guess in sorted(guesses, key=lambda g: -g.confidence):
        surest.setdefault(guess.field, guess)
    for guess in guesses:
        winner = surest[guess.field]
        if not guess.field or winner is guess or guess.confidence >= CERTAIN:
            yield guess
        else:
            why = f'"{short(winner.heading)}" holds that already'
            yield ColumnGuess(guess.index, guess.heading, "", 0.0, why, samples=guess.samples)


# --- contents -------------------------------------------------------------------------------------

_COMPANY = re.compile(
    r"(公司|集团|厂|店|超市|酒店|宾馆|银行|支行|合作社|商行|医院|学校|中心|大厦|广场|商场|项目|工程|小区)"
    r"(\(.*\)|（.*）)?$"
)
_STREET = re.compile(r"^[^\d]{1,12}(街道|街道办|街道办事处|镇|乡)$")
_PLACE = re.compile(r"(路|街|巷|胡同|大道)[^，,]{0,12}\d+号?|\d+号|(路|街)与.+交")


@dataclass(frozen=True, slots=True)
class _Words:
    """Every word that means a kind, and every word that means a status of any kind; folded."""

    kinds: frozenset[str]
    statuses: frozenset[str]

    @classmethod
    def of(cls, categories: Categories) -> _Words:
        statuses = [status for kind in categories for status in kind.statuses]
        return cls(_folded_words(categories), _folded_words(statuses))


def _folded_words(named: Iterable[Kind | Status]) -> frozenset[str]:
    return frozenset(
        fold(word)
        for thing in named
        for word in (thing.code, *thing.label.values(), *thing.synonyms)
    )


def _by_contents(values: Sequence[str], words: _Words) -> tuple[str, float, str]:
    """Return what a column's cells look like: a field, a confidence below certainty, and why."""

    def share(test: Callable[[str], object]) -> float:
        return sum(bool(test(value)) for value in values) / len(values) if values else 0.0

    rules: tuple[tuple[str, float, float, str, Callable[[str], object]], ...] = (
        ("xy", 0.8, 0.8, "its cells are pairs of coordinates", _is_pair),
        ("as_of", 0.8, 0.7, "its cells are dates", _is_date),
        ("status", 0.6, 0.7, "its cells are statuses", lambda v: fold(v) in words.statuses),
        ("kind", 0.8, 0.7, "its cells are kinds", lambda v: fold(v) in words.kinds),
        ("street", 0.6, 0.6, "its cells end in 街道", _STREET.search),
        ("name", 0.5, 0.6, "its cells end like names of firms", _COMPANY.search),
        ("place", 0.5, 0.5, "its cells look like addresses", _PLACE.search),
    )
    for field, least, confidence, why, test in rules:
        found = share(test)
        if found >= least:
            return field, round(confidence * found, 2), why
    return "", 0.0, ""


def _is_pair(text: str) -> bool:
    return pair_order(text) is not None


def _is_date(text: str) -> bool:
    try:
        return read_date(text) is not None
    except ValueError:
        return False


def _settle_coordinates(guesses: list[ColumnGuess], sample: Sequence[GridRow]) -> list[ColumnGuess]:
    """Return the guesses with two number columns told apart by range as longitude and latitude.

    The ranges of China do not overlap, in degrees or in metres, so X坐标 and Y坐标 are told for sure;
    it stays a guess that they are coordinates at all.
    """
    held = {guess.field for guess in guesses}
    if held & {"x", "y", "xy"}:
        return guesses
    ranges = [_coordinate_role(guess, sample) for guess in guesses]
    if ranges.count("x") != 1 or ranges.count("y") != 1:
        return guesses
    settled = []
    for guess, role in zip(guesses, ranges, strict=True):
        if role:
            likely = bool(re.search(r"坐标|^[xy]|[东北]", fold(guess.heading)))
            guess = ColumnGuess(
                guess.index,
                guess.heading,
                role,
                0.8 if likely else 0.5,
                "its numbers are in the range of " + ("longitudes" if role == "x" else "latitudes"),
                samples=guess.samples,
            )
        settled.append(guess)
    return settled


def _coordinate_role(guess: ColumnGuess, sample: Sequence[GridRow]) -> str:
    if guess.field:
        return ""
    is_named = bool(re.search(r"坐标|^[xy]", fold(guess.heading)))
    roles = set()
    for row in sample:
        text = row.cells[guess.index].strip() if guess.index < len(row.cells) else ""
        if text:
            try:
                value = read_number(text)
            except ValueError:
                return ""
            roles.add(axis_of(value) if value is not None and (is_named or "." in text) else "")
    return roles.pop() if len(roles) == 1 else ""


# --- what the words around the table say ----------------------------------------------------------

_DATE_IN_TITLE = re.compile(r"(\d{4})\s*[年./-]\s*(\d{1,2})\s*[月./-]\s*(\d{1,2})")
_DATUM_IN_TITLE = re.compile(r"坐标系统?\s*[:：]\s*([A-Za-z0-9\-: ]+|[\u4e00-\u9fff0-9]+)")


def guess_layout(found: Found, contents: Contents, categories: Categories) -> Layout:
    """Return the layout that a table seems to have; every part is for a person to confirm."""
    columns = _each_field_once(found.columns)
    if any(guess.kind for guess in found.columns):
        columns = _without_other_kinds(columns, found.columns, _Words.of(categories))
    titles = " ".join(cell for row in found.above for cell in row.cells if cell)
    stated = [guess.kind for guess in found.columns if guess.kind]
    datums = {guess.datum for guess in found.columns if guess.datum}
    said = _DATUM_IN_TITLE.search(titles)
    return Layout(
        sheet=found.grid.name,
        header_rows=found.header_rows,
        columns=columns,
        kind=stated[0]
        if stated
        else _kind_in(f"{titles} {found.grid.name} {contents.file}", categories),
        datum=datums.pop() if len(datums) == 1 else said[1].strip() if said else "",
        as_of=_date_in(titles) if "as_of" not in columns.values() else None,
        fingerprint=found.fingerprint,
    )


def _each_field_once(guesses: Sequence[ColumnGuess]) -> dict[int, str]:
    """Return which column gets which field: of several that are called so, the first with values."""
    taken: dict[str, ColumnGuess] = {}
    for guess in sorted(guesses, key=lambda g: (not g.samples, -g.confidence)):
        taken.setdefault(guess.field, guess)
    return {g.index: g.field for g in guesses if g.field and taken[g.field] is g}


def _without_other_kinds(
    columns: dict[int, str], guesses: Sequence[ColumnGuess], words: _Words
) -> dict[int, str]:
    """Return the columns without a 类型 that says something else (私营), where a heading says the kind."""
    return {
        index: field
        for index, field in columns.items()
        if field != "kind" or any(fold(text) in words.kinds for text in guesses[index].samples)
    }


def _kind_in(text: str, categories: Categories) -> str:
    """Return the only kind that a title speaks of, or ""."""
    plain = fold(text)
    kinds = [
        kind.code
        for kind in categories
        if any(fold(w) in plain for w in (*kind.label.values(), *kind.synonyms) if len(w) > 1)
    ]
    return kinds[0] if len(kinds) == 1 else ""


def _date_in(titles: str) -> date | None:
    """Return the only date in the title rows, or None."""
    dates = set(_DATE_IN_TITLE.findall(unicodedata.normalize("NFKC", titles)))
    if len(dates) != 1:
        return None
    try:
        return date(*(int(part) for part in dates.pop()))
    except ValueError:
        return None


# --- rows that are not sites ----------------------------------------------------------------------

_TOTAL = re.compile(
    r"(合计|总计|小计|共计|累计|总数|平均|汇总|total|subtotal|sum|average)([:：(（\d].*)?", re.I
)
_FOOT = re.compile(
    r"(备注|注|说明|填表人|填报人|制表人|审核人|审核|负责人|联系人|联系电话|制表单位|填报单位|填表单位|单位|"
    r"制表日期|填表日期|填报日期|填表时间|统计时间|日期|资料来源|数据来源)\s*[:：]|第\s*\d+\s*页|共\s*\d+\s*页"
)


def skip_reason(row: GridRow, found: Found, name_column: int | None) -> str:
    """Return why a row under the header is no site ("" if it is one): a total, a footer, a header again."""
    cells = [cell.strip() for cell in row.cells]
    filled = [cell for cell in cells if cell]
    if not filled:
        return ""
    if len(filled) > 1 and cells in found.header_cells:
        return "the header once more"
    first = unicodedata.normalize("NFKC", filled[0])
    name = cells[name_column] if name_column is not None and name_column < len(cells) else ""
    if _TOTAL.fullmatch(re.sub(r"\s", "", first)) and _is_no_name(name, filled[0]):
        return "a total, not a site"
    if _FOOT.match(first) and (len(filled) == 1 or _is_no_name(name, filled[0])):
        return "a note under the table, not a site"
    return ""


def _is_no_name(name: str, first: str) -> bool:
    """Whether the name's cell is empty, a number (2个), or the word the row begins with."""
    return name in ("", first) or re.fullmatch(r"[\d.,%\s]+[个家户项条处]?", name) is not None


_WORDS_SHOWN = 200


@dataclass(frozen=True, slots=True)
class StatusMapping:
    """A word of the status column, in how many rows of a kind it stands, and the status it means.

    `status` is a code, or "" for a word nobody knows yet; `by` says who knows it: "categories",
    "layout", or "".
    """

    kind: str
    word: str
    rows: int
    status: str
    by: str


def map_status_words(
    words: Counter[tuple[str, str]], layout: Layout, categories: Categories
) -> tuple[StatusMapping, ...]:
    """Return what each word of the status column means; unknown ones first, then the most frequent."""
    by_layout = {fold(word): code for word, code in layout.status_words.items()}
    mapped = []
    for (kind, word), rows in words.items():
        code = by_layout.get(fold(word), "")
        by = "layout" if code else ""
        if not code:
            code = known_status(kind, word, categories)
            by = "categories" if code else ""
        mapped.append(StatusMapping(kind, word, rows, code, by))
    mapped.sort(key=lambda m: (bool(m.status), -m.rows, m.word))
    return tuple(mapped[:_WORDS_SHOWN])


def known_status(kind: str, word: str, categories: Categories) -> str:
    """Return the code a word means for a kind, "" if the categories do not know it."""
    try:
        return categories.read_status(kind, word).code
    except CategoryError:
        return ""
