"""What the app knows of one place: records before they are located, the site table ever after.

The **site table** is a GeoDataFrame in EPSG:4326, axis order (longitude, latitude), one row per site with the
columns of `COLUMNS`. Text is never missing: "" means that the source did not say. A site without a place on
earth has no geometry, precision `none` and a `reason`: nothing stands in for a coordinate that is not known.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Final

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from geo.category import Categories, fold, load_categories
from geo.errors import SchemaError

CRS = "EPSG:4326"


class Precision(StrEnum):
    """How exactly a place is known, best first."""

    ROOFTOP = "rooftop"
    POI = "poi"
    INTERSECTION = "intersection"
    ROAD = "road"
    COMMUNITY = "community"
    STREET = "street"
    DISTRICT = "district"
    CITY = "city"
    NONE = "none"


PRECISIONS = tuple(p.value for p in Precision)
EXACT = frozenset({"rooftop", "poi", "intersection"})
"""Precisions that may be drawn as a pin. A coarser point is drawn hollow, with its uncertainty circle."""
MAPPED = EXACT | {"road", "community", "street"}
"""Precisions that may be on the map at all. The rest waits in the tray."""


class Reason(StrEnum):
    """Why a site is not on the map."""

    FOUND = ""
    NO_COORDINATE = "no_coordinate"
    AMBIGUOUS = "ambiguous"
    TO_CONFIRM = "to_confirm"
    TOO_COARSE = "too_coarse"
    OUTSIDE = "outside"


# GeoPackage hands dates back in milliseconds; use the same unit here so that a reload equals what was saved.
AS_OF_DTYPE: Final = "datetime64[ms]"
TEXT = (
    "site_id kind name status place street source_file source_where source_quote "
    "precision match_method raw_datum reason note"
).split()
NUMBERS = "uncertainty_m match_score raw_x raw_y".split()
DTYPES = {"as_of": AS_OF_DTYPE, "fictitious": "bool", "version": "int64"}
COLUMNS = (
    "site_id kind name status as_of place street source_file source_where source_quote precision "
    "uncertainty_m match_method match_score raw_x raw_y raw_datum reason note fictitious version geometry"
).split()
GEOMETRY_TYPES = frozenset({"Point", "LineString", "MultiLineString", "Polygon", "MultiPolygon"})


@dataclass(frozen=True, slots=True)
class Source:
    """Where a fact was read: the file, the place in it, and the words that say so (or "")."""

    file: str
    where: str = ""
    quote: str = ""


@dataclass(frozen=True, slots=True)
class SiteRecord:
    """What a source says of one site, before anybody looked for its place.

    `x`, `y` are the source's own numbers in `datum` (easting or longitude first), or None. A line is in
    `path`; `geometry` is any other shape (an area, a line of several parts). Both are in `datum` too, with
    easting or longitude first. Of several the geometry counts, then the path.
    """

    kind: str
    name: str
    status: str
    source: Source
    site_id: str = ""
    as_of: date | None = None
    place: str = ""
    street: str = ""
    x: float | None = None
    y: float | None = None
    datum: str = ""
    precision: str = ""
    uncertainty_m: float | None = None
    path: tuple[tuple[float, float], ...] = ()
    note: str = ""
    fictitious: bool = False
    geometry: shapely.Geometry | None = None

    def __post_init__(self) -> None:
        if not self.site_id:
            object.__setattr__(self, "site_id", make_site_id(self.kind, self.name))


@dataclass(frozen=True, slots=True)
class RowProblem:
    """A row that could not become a record: kept, counted and shown."""

    file: str
    where: str
    message: str

    def as_dict(self) -> dict[str, str]:
        """Return the three fields by name."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Claim:
    """One figure a source states for a scope. It is checked and shown; it never becomes a site."""

    claim_id: str
    scope: str
    sector: str
    metric: str
    role: str
    value: float
    unit: str
    claim_kind: str = "fact"
    approx: str = ""
    as_of: date | None = None
    source: Source = field(default_factory=lambda: Source(""))


@dataclass(frozen=True, slots=True)
class Match:
    """A locator's answer for one record.

    A match that was found has a geometry (EPSG:4326, lon-lat); one that was not has a reason and, if the
    locator saw some, the places a person may choose from.
    """

    method: str
    geometry: shapely.Geometry | None = None
    precision: str = Precision.NONE
    uncertainty_m: float | None = None
    score: float = 0.0
    raw_x: float | None = None
    raw_y: float | None = None
    raw_datum: str = ""
    reason: str = Reason.FOUND
    note: str = ""


@dataclass(frozen=True, slots=True)
class Correction:
    """A person's word on where a site is: one more input, served by the first locator asked.

    `x`, `y` are the numbers as given, in `datum`; `geometry` is what they mean in EPSG:4326 (lon-lat).
    `correction_id` is 0 until a store has kept it.
    """

    site_id: str
    kind: str
    name: str
    geometry: shapely.Geometry
    precision: str
    uncertainty_m: float
    who: str
    at: datetime
    x: float | None = None
    y: float | None = None
    datum: str = ""
    correction_id: int = 0

    def as_match(self) -> Match:
        """Return the correction as a locator's answer."""
        return Match(
            method="correction",
            geometry=self.geometry,
            precision=self.precision,
            uncertainty_m=self.uncertainty_m,
            score=100.0,
            raw_x=self.x,
            raw_y=self.y,
            raw_datum=self.datum,
        )


@dataclass(frozen=True, slots=True)
class Change:
    """One field of one site, from what to what, by whom, when (UTC), on which source's word."""

    site_id: str
    field: str
    old: str
    new: str
    who: str
    at: datetime
    version: int
    source: str = ""


@dataclass(frozen=True, slots=True)
class SiteUpdate:
    """New values for some columns of one site, by somebody who has seen it at a version."""

    site_id: str
    version: int
    changes: Mapping[str, object]


def make_site_id(kind: str, name: str) -> str:
    """Return the id of a site that a source gives none: the same for the same kind and name, always."""
    digest = hashlib.blake2b(f"{kind}\0{fold(name)}".encode(), digest_size=6)
    return f"{kind[:3]}-{digest.hexdigest()}"


def site_row(record: SiteRecord, match: Match) -> dict[str, object]:
    """Return one row of the site table: what the source says, where it was found, and how."""
    return {
        "site_id": record.site_id,
        "kind": record.kind,
        "name": record.name,
        "status": record.status,
        "as_of": record.as_of,
        "place": record.place,
        "street": record.street,
        "source_file": record.source.file,
        "source_where": record.source.where,
        "source_quote": record.source.quote,
        "note": "; ".join(part for part in (record.note, match.note) if part),
        "fictitious": record.fictitious,
        "version": 1,
        **location_fields(match),
    }


LOCATION = (
    "precision uncertainty_m match_method match_score raw_x raw_y raw_datum reason geometry"
).split()
"""The columns that say where a site is and how that is known: what a correction sets and its undo restores."""
STATEMENT = "status as_of note source_file source_where source_quote".split()
"""The columns that say what is stated of a site on a day: what changes from one bulletin to the next."""


def location_fields(match: Match) -> dict[str, object]:
    """Return the columns of `LOCATION` for a locator's answer."""
    return {
        "precision": str(match.precision),
        "uncertainty_m": match.uncertainty_m,
        "match_method": match.method,
        "match_score": match.score,
        "raw_x": match.raw_x,
        "raw_y": match.raw_y,
        "raw_datum": match.raw_datum,
        "reason": str(match.reason),
        "geometry": match.geometry,
    }


def make_sites(rows: Iterable[dict[str, object]] | pd.DataFrame) -> gpd.GeoDataFrame:
    """Return a site table from rows, with the right column order, types and CRS.

    Parameters
    ----------
    rows
        Mappings (or a frame) with the columns of `COLUMNS`; any number, none included. `geometry` holds
        Shapely objects in EPSG:4326 or None.

    Raises
    ------
    SchemaError
        If the geometry says it is in another CRS.
    """
    given = pd.DataFrame(rows) if isinstance(rows, pd.DataFrame) else pd.DataFrame(list(rows))
    # A plain column has no CRS; one that has must not be relabelled as longitude and latitude.
    crs = getattr(given["geometry"].array, "crs", None) if "geometry" in given else None
    if crs is not None and crs.to_epsg() != 4326:
        raise SchemaError("not a site table", [f"its CRS is {crs.to_string()}; {CRS} is needed"])
    frame = given.reindex(columns=COLUMNS)
    for column in TEXT:
        frame[column] = frame[column].astype(object).fillna("").astype(str)
    for column in NUMBERS:
        frame[column] = frame[column].astype("float64")
    frame["as_of"] = pd.to_datetime(frame["as_of"]).astype(AS_OF_DTYPE)
    frame["fictitious"] = frame["fictitious"].astype(object).fillna(False).astype("bool")
    frame["version"] = frame["version"].fillna(1).astype("int64")
    geometry = gpd.GeoSeries(frame["geometry"].to_numpy(dtype=object), crs=CRS)
    return gpd.GeoDataFrame(
        frame.drop(columns="geometry").reset_index(drop=True), geometry=geometry, crs=CRS
    )[COLUMNS]


def is_located(sites: gpd.GeoDataFrame) -> np.ndarray:
    """Return, for each row, whether it is on the map: a geometry, at a precision that may be drawn."""
    drawn = sites["precision"].isin(list(MAPPED)).to_numpy()
    return drawn & np.asarray(~shapely.is_missing(sites.geometry.to_numpy()))


def check_sites(sites: gpd.GeoDataFrame, categories: Categories | None = None) -> gpd.GeoDataFrame:
    """Return the table itself if it is a site table.

    Parameters
    ----------
    sites
        Any GeoDataFrame.
    categories
        What kinds and statuses there are; the district's own file by default.

    Raises
    ------
    SchemaError
        Lists every fault, with up to three rows for each.
    """
    faults = list(_column_faults(sites))
    if not faults:
        faults = list(_value_faults(sites, categories or load_categories()))
    if faults:
        raise SchemaError("not a site table", faults)
    return sites


def _column_faults(sites: gpd.GeoDataFrame) -> Iterator[str]:
    here = [column for column in COLUMNS if column in sites.columns]
    yield from (f"column {column} is missing" for column in COLUMNS if column not in here)
    twice = [column for column in here if list(sites.columns).count(column) > 1]
    yield from (f"column {column} appears twice" for column in twice)
    for column in here:
        if column not in twice and column != "geometry":
            yield from _dtype_faults(sites[column])
    if "geometry" in here and "geometry" not in twice:
        yield from _crs_faults(sites["geometry"])


def _dtype_faults(values: pd.Series) -> Iterator[str]:
    if values.name in TEXT:
        if not pd.api.types.is_string_dtype(values):
            yield f"column {values.name} is {values.dtype}, not text"
        return
    wanted = DTYPES.get(str(values.name), "float64")
    if values.dtype != wanted:
        yield f"column {values.name} is {values.dtype}, not {wanted}"


def _crs_faults(shapes: pd.Series) -> Iterator[str]:
    if str(shapes.dtype) != "geometry":
        yield f"column geometry is {shapes.dtype}, not geometry"
        return
    crs = shapes.array.crs
    if crs is None:
        yield f"it has no CRS; {CRS} is needed"
    elif crs.to_epsg() != 4326:
        yield f"its CRS is {crs.to_string()}; {CRS} is needed"


def _value_faults(sites: gpd.GeoDataFrame, categories: Categories) -> Iterator[str]:
    ids = sites["site_id"]
    yield from _fault(ids, ids.eq("").to_numpy(), "without a site_id")
    yield from _fault(ids, ids.duplicated().to_numpy(), "with a site_id that is taken")
    for column in TEXT:
        yield from _fault(ids, sites[column].isna().to_numpy(), f'with no {column}; use ""')
    yield from _fault(ids, sites["name"].str.strip().eq("").to_numpy(), "without a name")
    keys = sites["kind"] + "." + sites["status"]
    yield from _fault(ids, ~keys.isin(categories.codes).to_numpy(), "of an unknown kind or status")
    yield from _fault(
        ids, ~sites["precision"].isin(PRECISIONS).to_numpy(), "of an unknown precision"
    )
    yield from _fault(ids, sites["version"].lt(1).to_numpy(), "with a version below 1")
    yield from _geometry_faults(sites)


def _geometry_faults(sites: gpd.GeoDataFrame) -> Iterator[str]:
    ids, shapes = sites["site_id"], sites.geometry.to_numpy()
    missing = np.asarray(shapely.is_missing(shapes))
    none = sites["precision"].eq("none").to_numpy()
    yield from _fault(ids, missing & ~none, "with a precision but no geometry")
    yield from _fault(ids, ~missing & none, "with a geometry but no precision")
    silent = missing & sites["reason"].eq("").to_numpy()
    yield from _fault(ids, silent, "with no geometry and no reason")
    types = pd.Series([s.geom_type if s is not None else "Point" for s in shapes], dtype="str")
    yield from _fault(
        ids, ~types.isin(list(GEOMETRY_TYPES)).to_numpy(), "of a geometry type not drawn"
    )
    empty = np.asarray(shapely.is_empty(shapes))
    yield from _fault(ids, empty & np.asarray(~missing), "with an empty geometry")
    coordinates, row = shapely.get_coordinates(shapes, return_index=True)
    off = np.zeros(len(shapes), dtype=bool)
    # Asked this way round because NaN is not within anything.
    off[row[~(np.abs(coordinates) <= (180, 90)).all(axis=1)]] = True
    yield from _fault(ids, off, "with coordinates that are not longitude and latitude")


def _fault(ids: pd.Series, bad: np.ndarray, what: str) -> Iterator[str]:
    count = int(bad.sum())
    if count:
        some = ", ".join(str(i) for i in ids[bad].head(3))
        yield f"{count} row{'s' if count > 1 else ''} {what} ({some}{', ...' if count > 3 else ''})"
