"""Site columns as cells (see `geo.store._database`) and back, and as the text that stands in the history."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import date
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from geo.errors import StoreError
from geo.site import AS_OF_DTYPE, COLUMNS, CRS, NUMBERS, TEXT, Precision, Reason
from geo.store._blob import from_blob, from_blobs, to_blobs
from geo.store._database import Columns, Database, Rows, Shapes, SqlValue, column_sql

WKT_LENGTH = 200
"""Characters of a shape's WKT that the history keeps."""

_TEXT = frozenset(TEXT)
_NUMBERS = frozenset(NUMBERS)
SELECTED = [
    f"coalesce(s.{column_sql(c)}, '')" if c in _TEXT else f"s.{column_sql(c)}" for c in COLUMNS
]
"""What a query asks for, from `sites AS s`. NULL in a text column (QGIS writes it) is read as ""."""


def encode(sites: gpd.GeoDataFrame) -> Columns:
    """Return the cells of a site table, column by column."""
    columns: Columns = {name: sites[name].tolist() for name in TEXT}
    for name in NUMBERS:
        numbers = sites[name].to_numpy()
        columns[name] = [None if math.isnan(v) else v for v in numbers.tolist()]
    columns["as_of"] = _iso(sites["as_of"].to_numpy())
    columns["fictitious"] = sites["fictitious"].astype("int64").tolist()
    columns["version"] = sites["version"].tolist()
    columns["geometry"] = list(to_blobs(sites.geometry.to_numpy()))
    return {name: columns[name] for name in COLUMNS}


def encode_value(column: str, value: object) -> SqlValue:
    """Return one cell; `TypeError` if it is not what the column holds."""
    if column in _TEXT:
        if not isinstance(value, str):
            raise TypeError(f"{column} is {type(value).__name__}, not text")
        return check_text(column, value)
    if column in _NUMBERS:
        number = math.nan if value is None else float(value)  # type: ignore[arg-type]
        return None if math.isnan(number) else number
    if column == "as_of":
        missing = value is None or value is pd.NaT
        return None if missing else _iso(np.array([_day(value)], dtype=AS_OF_DTYPE))[0]
    if column == "fictitious":
        return int(bool(value))
    if value is not None and not isinstance(value, shapely.Geometry):
        raise TypeError(f"{column} is {type(value).__name__}, not a shape")
    shape = np.array([value], dtype=object)
    refuse_infinite(shape, [column])
    return to_blobs(shape)[0]


def _day(value: object) -> object:
    if isinstance(value, date | np.datetime64):
        return value
    raise TypeError(f"as_of is {type(value).__name__}, not a date")


def read_table(db: Database, rows: Rows) -> gpd.GeoDataFrame:
    """Return the site table of the rows of a query of the dialect's `select`."""
    columns = _fetch_columns(rows)
    return _table(columns, *db.dialect.shapes(columns["geometry"]))


def _fetch_columns(rows: Rows) -> Columns:
    lists: list[list[SqlValue]] = [[] for _ in COLUMNS]
    # A few rows at a time: 100,000 tuples at once would have the garbage collector look at each of them.
    while chunk := rows.fetchmany(500):
        for values, more in zip(lists, zip(*chunk, strict=True), strict=True):
            values.extend(more)
    return dict(zip(COLUMNS, lists, strict=True))


def decode(values: Columns) -> gpd.GeoDataFrame:
    """Return the site table of cells."""
    return _table(values, *from_blobs(values["geometry"]))


def _table(values: Columns, shapes: Shapes, broken: npt.NDArray[np.bool_]) -> gpd.GeoDataFrame:
    """Return the site table of columns and shapes.

    A shape that cannot be read (another program wrote half of one) is not on the map: its row comes back
    without it, as a place that nobody found. `SiteStore.check` names such rows.
    """
    frame = pd.DataFrame({name: _decode_column(name, values[name]) for name in COLUMNS[:-1]})
    if broken.any():
        frame.loc[broken, "precision"] = Precision.NONE.value
        frame.loc[broken, "reason"] = Reason.NO_COORDINATE.value
    return gpd.GeoDataFrame(frame, geometry=gpd.GeoSeries(shapes, crs=CRS), crs=CRS)


def _decode_column(name: str, values: Sequence[Any]) -> object:
    if name in _TEXT:
        return pd.Series(values, dtype="str")
    if name in _NUMBERS:
        return np.array(values, dtype="float64")
    if name == "as_of":
        return _dates(values)
    if name == "fictitious":
        return np.array([bool(v) for v in values], dtype="bool")
    return np.array([1 if v is None else v for v in values], dtype="int64")


def _iso(dates: npt.NDArray[np.datetime64]) -> list[SqlValue]:
    days = dates.astype("datetime64[D]")
    texts = np.where(
        days.astype(AS_OF_DTYPE) == dates,
        np.datetime_as_string(days),
        np.datetime_as_string(dates, unit="ms"),
    )
    return [None if text == "NaT" else text for text in texts.tolist()]


def _dates(values: Sequence[Any]) -> npt.NDArray[np.datetime64]:
    texts = ["NaT" if v is None else str(v) for v in values]
    with suppress(ValueError):
        if not any(text.endswith("Z") for text in texts):
            return np.array(texts, dtype=AS_OF_DTYPE)
    # Another program wrote something like 2020/3/11; what is no date at all is missing.
    read = pd.to_datetime(pd.Series(texts), errors="coerce", format="mixed", utc=True)
    return read.dt.tz_localize(None).to_numpy().astype(AS_OF_DTYPE)


def history_text(column: str, value: SqlValue) -> str:
    """Return a cell as text for the history: short WKT for a shape, ISO for a date, "" for missing."""
    if value is None:
        return ""
    if column == "geometry":
        return short_wkt(from_blob(value if isinstance(value, bytes) else b""))
    if column == "fictitious":
        return "true" if value else "false"
    return value if isinstance(value, str) else repr(value)


def short_wkt(shape: shapely.Geometry | None) -> str:
    """Return a shape in WGS84 degrees as WKT to 7 decimals (1 cm), cut at `WKT_LENGTH` characters."""
    if shape is None:
        return ""
    text = shapely.to_wkt(shape, rounding_precision=7, trim=True)
    return text if len(text) <= WKT_LENGTH else text[: WKT_LENGTH - 1] + "…"


def check_text(what: str, text: str) -> str:
    """Return the text, or raise `StoreError` if it holds NUL: other programs would lose what follows it."""
    if "\0" in text:
        raise StoreError(f"{what} holds a NUL character: take it out and save again")
    return text


def refuse_unstorable(sites: gpd.GeoDataFrame) -> None:
    """Raise `StoreError` for text with NUL and for coordinates that are not numbers; names three rows."""
    ids = sites["site_id"]
    for name in TEXT:
        bad = ids[sites[name].str.contains("\0", regex=False).to_numpy(dtype=bool)]
        if len(bad):
            check_text(f"{name} of {some(bad)}", "\0")
    refuse_infinite(sites.geometry.to_numpy(), ids)


def refuse_infinite(shapes: npt.NDArray[np.object_], ids: Iterable[object]) -> None:
    """Raise `StoreError` if a coordinate is infinite or not a number: the R-tree cannot hold it."""
    coordinates, rows = shapely.get_coordinates(shapes, return_index=True)
    bad = np.unique(rows[~np.isfinite(coordinates).all(axis=1)])
    if len(bad):
        names = list(ids)
        raise StoreError(f"{some([names[i] for i in bad])}: a coordinate is not a number")


def some(ids: Iterable[object]) -> str:
    """Return up to three ids for a message."""
    names = [str(name).replace("\0", "") for name in ids]
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


def changed_cells(
    stored: gpd.GeoDataFrame, given: gpd.GeoDataFrame
) -> dict[str, npt.NDArray[np.bool_]]:
    """Return, for each column but `site_id` and `version`, where two tables of the same sites differ.

    Missing equals missing. Rows are compared by position; the order of columns is that of `COLUMNS`.
    """
    differs = {}
    for name in COLUMNS:
        if name in ("site_id", "version"):
            continue
        old, new = stored[name].to_numpy(), given[name].to_numpy()
        if name == "geometry":
            gone = shapely.is_missing(old) & shapely.is_missing(new)
            differs[name] = ~(shapely.equals_identical(old, new) | gone)
        else:
            differs[name] = np.asarray((old != new) & ~(pd.isna(old) & pd.isna(new)), dtype=bool)
    return differs
