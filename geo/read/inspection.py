"""What a file seems to say, before anybody says how it is to be read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from geo.category import Categories
from geo.read.grid import MAX_COLUMNS, Contents, Grid, GridRow, short
from geo.read.headers import (
    CERTAIN,
    ColumnGuess,
    Found,
    StatusMapping,
    choose_grid,
    guess_layout,
    map_status_words,
    skip_reason,
    take_apart,
)
from geo.read.layout import Layout

ROWS_SHOWN = 20


@dataclass(frozen=True, slots=True)
class SheetSize:
    """One sheet or layer: how large, and for a layer its kind of shapes and what CRS it states.

    `rows` counts those that are not blank, a header included; -1 says there are too many to read.
    """

    name: str
    rows: int
    columns: int
    hidden: bool = False
    geometry_type: str = ""
    crs: str = ""
    crs_name: str = ""
    invalid: int = 0


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a file holds, and a layout guessed for it that a person may change.

    Attributes
    ----------
    fingerprint
        The same for every table with these headings: what to remember the layout by.
    columns
        Every column of the sheet: what it seems to hold, how sure that is and why, some values.
    rows
        The first rows as they stand, titles and header included: number, then cells.
    asks
        What must still be said: "name", "kind", "datum", "crs". A kind or datum that is already in
        `layout` is a guess to be confirmed.
    """

    file: str
    format: str
    encoding: str
    delimiter: str
    sheets: tuple[SheetSize, ...]
    layout: Layout
    fingerprint: str
    columns: tuple[ColumnGuess, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]
    status_words: tuple[StatusMapping, ...]
    warnings: tuple[str, ...]
    asks: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return all of it as JSON knows it."""
        raw = asdict(self)
        raw["layout"] = self.layout.to_json()
        return raw


def inspect_contents(
    contents: Contents, *, categories: Categories, layout: Layout | None = None
) -> Inspection:
    """Return what a file that was parsed seems to say.

    Parameters
    ----------
    contents
        What `geo.read.parse` made of a file.
    categories
        Kinds and statuses.
    layout
        What a person has chosen so far: its sheet and header rows are looked at, and its columns
        and words kept. Everything is guessed if None.

    Raises
    ------
    SourceError
        If no sheet has a cell, or the layout's sheet is not there.
    """
    if layout is None:
        grid = choose_grid(contents, categories)
        found = take_apart(grid, categories, file=contents.file)
        layout = guess_layout(found, contents, categories)
    else:
        grid = contents.grid(layout.sheet)
        found = take_apart(grid, categories, layout.header_rows, file=contents.file)
    words = _status_words(found, layout, categories)
    return Inspection(
        file=contents.file,
        format=contents.format,
        encoding=contents.encoding,
        delimiter=contents.delimiter,
        sheets=tuple(_size(grid) for grid in contents.grids),
        layout=replace(layout, fingerprint=found.fingerprint),
        fingerprint=found.fingerprint,
        columns=found.columns,
        rows=tuple(
            (row.number, tuple(map(short, row.cells))) for row in found.grid.rows[:ROWS_SHOWN]
        ),
        status_words=map_status_words(words, layout, categories),
        warnings=(*contents.warnings, *found.grid.warnings, *_doubts(found, layout)),
        asks=tuple(_asks(found, layout)),
    )


def _shown(row: GridRow) -> tuple[int, tuple[str, ...]]:
    return row.number, tuple(map(short, row.cells[:MAX_COLUMNS]))


def _size(grid: Grid) -> SheetSize:
    return SheetSize(
        grid.name,
        -1 if grid.too_long else len(grid.rows),
        grid.width,
        grid.hidden,
        grid.geometry_type,
        grid.crs,
        grid.crs_name,
        grid.invalid,
    )


def _status_words(found: Found, layout: Layout, categories: Categories) -> Counter[tuple[str, str]]:
    """Return how often each word of the status column stands, by the kind of its row."""
    fields = {name: index for index, name in layout.columns.items()}
    words: Counter[tuple[str, str]] = Counter()
    if "status" not in fields:
        return words
    kinds = {}
    for row in found.body:
        word = short(_text(row.cells, fields.get("status")))
        if not word or skip_reason(row, found, fields.get("name")):
            continue
        said = _text(row.cells, fields.get("kind")) or layout.kind
        if said not in kinds:
            kinds[said] = _kind_of(said, categories)
        words[kinds[said], word] += 1
    return words


def _text(cells: Sequence[str], index: int | None) -> str:
    return "" if index is None or index >= len(cells) else cells[index].strip()


def _kind_of(word: str, categories: Categories) -> str:
    """Return the code of a kind's word, or the word itself if it is not known."""
    for kind in categories:
        if word == kind.code:
            return word
    try:
        return categories.read_kind(word)
    except ValueError:
        return word


def _doubts(found: Found, layout: Layout) -> Iterator[str]:
    """Name what is in the layout without having been stated by a heading."""
    for guess in found.columns:
        if layout.columns.get(guess.index) == guess.field and 0 < guess.confidence < CERTAIN:
            called = f'"{short(guess.heading)}"' if guess.heading else f"column {guess.index + 1}"
            yield f"{called} is taken for {guess.field}: {guess.why} ({guess.confidence:.0%} sure)"
        elif guess.field and guess.confidence >= CERTAIN and guess.index not in layout.columns:
            yield f'"{short(guess.heading)}" could be {guess.field} too and is left out'
    if layout.as_of is not None:
        yield f"all rows without a date get {layout.as_of.isoformat()}, which stands above the table"


def _asks(found: Found, layout: Layout) -> Iterator[str]:
    fields = {name: index for index, name in layout.columns.items()}
    if "name" not in fields:
        yield "name"
    if "kind" not in fields and not any(
        guess.kind and guess.confidence >= CERTAIN for guess in found.columns
    ):
        yield "kind"
    if found.grid.is_layer:
        if not (layout.datum or found.grid.crs) and any(row.shape for row in found.body):
            yield "crs"
    elif not layout.datum and _has_coordinates_without_datum(found, fields):
        yield "datum"


def _has_coordinates_without_datum(found: Found, fields: dict[str, int]) -> bool:
    placed = [fields[name] for name in ("x", "y", "xy", "path") if name in fields]
    return any(
        any(_text(row.cells, index) for index in placed)
        and not _text(row.cells, fields.get("datum"))
        for row in found.body
    )
