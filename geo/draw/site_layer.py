"""The sites as the browser gets them: one flat binary of positions and codes, and rows of words in chunks.

The binary (`pack_sites`) is little endian: the magic `BTM1`, a uint32 with the length of a JSON header, the header
(padded with spaces), then the sections that the header names with offset, type and length, each aligned to 8
bytes. Positions are fixed-point web Mercator (EPSG:3857 scaled to the unit square, x east and y south, times
2**32), so one step is 9 mm at the equator. Rows are positions in the site table; nothing here is text of a site.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import struct
from collections.abc import Iterator
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from geo.category import Categories
from geo.site import EXACT, PRECISIONS, is_located
from geo.view import category_codes

MAGIC = b"BTM1"
CHUNK_ROWS = 1024
LOCATED, APPROXIMATE, SKETCH = 1, 2, 4
"""Bits of a row's flag: on the map; a hollow symbol with its circle; a line that only joins known points."""
MAX_LATITUDE = 85.0511287798066  # where web Mercator ends; its inverse gives y = 0
MAX_UNCERTAINTY_M = 65535
POINTS_PER_CELL = 8
SORTABLE = ("name", "status", "as_of", "street", "precision")

Array = npt.NDArray[Any]


def to_world(lon: npt.ArrayLike, lat: npt.ArrayLike) -> tuple[Array, Array]:
    """Return positions in the map's fixed-point web Mercator.

    Parameters
    ----------
    lon, lat
        Degrees, EPSG:4326, any shape. Latitudes beyond web Mercator are put on its edge.

    Returns
    -------
    x, y
        uint32, the same shape; x grows to the east, y to the south.
    """
    clipped = np.clip(np.asarray(lat, dtype="float64"), -MAX_LATITUDE, MAX_LATITUDE)
    sine = np.sin(np.radians(clipped))
    x = np.asarray(lon, dtype="float64") / 360 + 0.5
    y = 0.5 - np.log((1 + sine) / (1 - sine)) / (4 * np.pi)
    return _fixed_point(x), _fixed_point(y)


def _fixed_point(share: Array) -> Array:
    """Return shares of the world's width as uint32; the far edge, 1, is the last step."""
    return np.clip(np.rint(share * 2**32), 0, 2**32 - 1).astype("<u4")


def row_flags(sites: gpd.GeoDataFrame) -> Array:
    """Return each row's flag bits, uint8, shape (len(sites),)."""
    located = is_located(sites)
    is_point = shapely.get_type_id(sites.geometry.to_numpy()) == shapely.GeometryType.POINT
    coarse = ~sites["precision"].isin(list(EXACT)).to_numpy()
    sketch = sites["match_method"].str.contains("sketch", regex=False).to_numpy()
    return (
        located * LOCATED
        + (located & is_point & coarse) * APPROXIMATE
        + (located & sketch) * SKETCH
    ).astype("u1")


def pack_sites(sites: gpd.GeoDataFrame, categories: Categories) -> bytes:
    """Return the binary of a site table, as described at the top of this module.

    Parameters
    ----------
    sites
        Site table as defined in `geo.site`; rows that are not located are counted, not placed.
    categories
        Kinds and statuses, whose codes the binary carries.

    Returns
    -------
    data
        18 bytes for each point and 8 for each vertex of a line or area, about; not compressed.
    """
    codes, flags = category_codes(sites, categories), row_flags(sites)
    shapes = sites.geometry.to_numpy()
    placed = (flags & LOCATED).astype(bool)
    is_point = shapely.get_type_id(shapes) == shapely.GeometryType.POINT
    point_header, sections = _pack_points(sites, np.flatnonzero(placed & is_point), codes, flags)
    sections |= _pack_shapes(shapes, np.flatnonzero(placed & ~is_point))
    sections |= {"code": codes, "flag": flags}
    header = {"rows": len(sites), "ids": _ids_digest(sites), **point_header}
    return _assemble(header, sections)


def _pack_points(
    sites: gpd.GeoDataFrame, rows: Array, codes: Array, flags: Array
) -> tuple[dict[str, object], dict[str, Array]]:
    """Sort the points by the cells of a square grid, so that the browser touches only what is in view."""
    points = sites.geometry.to_numpy()[rows]
    x, y = to_world(shapely.get_x(points), shapely.get_y(points))
    size = int(np.clip(np.sqrt(len(rows) / POINTS_PER_CELL), 1, 512))
    box = [int(v) for v in (x.min(), y.min(), x.max(), y.max())] if len(rows) else [0, 0, 1, 1]
    cell = _cells(y, box[1], box[3], size) * size + _cells(x, box[0], box[2], size)
    order = np.argsort(cell, kind="stable")
    starts = np.zeros(size * size + 1, dtype="<u4")
    starts[1:] = np.cumsum(np.bincount(cell, minlength=size * size))
    metres = np.nan_to_num(sites["uncertainty_m"].to_numpy()[rows], nan=0.0)
    sections = {
        "cell": starts,
        "point_row": rows[order].astype("<u4"),
        "point_x": x[order],
        "point_y": y[order],
        "point_code": codes[rows[order]],
        "point_flag": flags[rows[order]],
        "point_radius": np.clip(np.rint(metres), 0, MAX_UNCERTAINTY_M).astype("<u2")[order],
    }
    return {"grid": size, "box": box}, sections


def _cells(values: Array, low: int, high: int, size: int) -> npt.NDArray[np.int64]:
    """Return the grid line or column of each position; the browser works it out the same way."""
    span = max(high - low, 1)
    return np.minimum((values.astype("i8") - low) * size // span, size - 1)


def _pack_shapes(shapes: Array, rows: Array) -> dict[str, Array]:
    """Lay out lines and areas as parts (lines or rings) of one long list of vertices.

    Holes run the other way round than what they are in: areas that overlap are filled where they do, and holes not.
    """
    area, parts_of, lengths, vertices = [], [0], [0], []
    for shape in shapely.orient_polygons(shapes[rows]):
        lines = list(_parts(shape))
        area.append(shape.geom_type.endswith("Polygon"))
        parts_of.append(parts_of[-1] + len(lines))
        lengths.extend(len(line) for line in lines)
        vertices.extend(lines)
    lonlat = np.concatenate(vertices) if vertices else np.empty((0, 2))
    x, y = to_world(lonlat[:, 0], lonlat[:, 1])
    return {
        "shape_row": rows.astype("<u4"),
        "shape_area": np.array(area, dtype="u1"),
        "shape_part": np.array(parts_of, dtype="<u4"),
        "part_vertex": np.cumsum(lengths).astype("<u4"),
        "vertex_x": x,
        "vertex_y": y,
    }


def _parts(shape: shapely.Geometry) -> Iterator[Array]:
    for single in getattr(shape, "geoms", [shape]):
        if single.geom_type == "Polygon":
            yield from (
                np.asarray(ring.coords)[:, :2] for ring in (single.exterior, *single.interiors)
            )
        else:
            yield np.asarray(single.coords)[:, :2]


def _ids_digest(sites: gpd.GeoDataFrame) -> str:
    """Return a value that is the same as long as every row is the same site as before."""
    ids = "\0".join(sites["site_id"].tolist())
    return hashlib.blake2b(ids.encode("utf-8", "replace"), digest_size=8).hexdigest()


def _assemble(header: dict[str, object], sections: dict[str, Array]) -> bytes:
    """Put the header before the sections; offsets count from the end of the header."""
    offset, table, body = 0, {}, []
    for name, values in sections.items():
        data = values.tobytes()
        table[name] = [offset, f"u{values.dtype.itemsize}", len(values)]
        padding = -len(data) % 8
        body.append(data + b"\0" * padding)
        offset += len(data) + padding
    text = json.dumps({**header, "sections": table}, separators=(",", ":")).encode()
    text += b" " * (-(len(text) + 8) % 8)
    return MAGIC + struct.pack("<I", len(text)) + text + b"".join(body)


def pack_mask(mask: npt.NDArray[np.bool_]) -> bytes:
    """Return one bit for each row, the first row in the lowest bit of the first byte."""
    return np.packbits(mask, bitorder="little").tobytes()


def attribute_rows(sites: gpd.GeoDataFrame, chunk: int) -> list[list[object]]:
    """Return the words of up to `CHUNK_ROWS` rows for the table, the hover label and the tray.

    Returns
    -------
    rows
        For each row: site_id, name, date as ISO text or "", street, place, precision, reason, uncertainty in
        whole metres or None. Values are data; the browser shows them as text and nothing else.

    Raises
    ------
    IndexError
        If there is no such chunk.
    """
    part = sites.iloc[chunk * CHUNK_ROWS : (chunk + 1) * CHUNK_ROWS]
    if chunk < 0 or part.empty:
        raise IndexError(f"chunk {chunk} of {len(sites)} rows")
    dates = part["as_of"].dt.strftime("%Y-%m-%d").fillna("")
    metres = [None if np.isnan(m) else round(m) for m in part["uncertainty_m"]]
    columns = (part[c] for c in ("street", "place", "precision", "reason"))
    return [
        list(row)
        for row in zip(part["site_id"], part["name"], dates, *columns, metres, strict=True)
    ]


def site_details(sites: gpd.GeoDataFrame, row: int, categories: Categories) -> dict[str, Any]:
    """Return everything a table says of one site, as plain values for the detail panel.

    Parameters
    ----------
    sites
        Site table.
    row
        Position in it.
    categories
        Kinds and statuses.

    Returns
    -------
    details
        Texts by name; `code` of the category; `point` as longitude and latitude (EPSG:4326) or None; `raw` as the
        two numbers of the source and their datum, or None.
    """
    site = sites.iloc[row]
    point = site.geometry if isinstance(site.geometry, shapely.Point) else None
    texts = ("site_id", "name", "place", "street", "precision", "match_method", "reason", "note")
    raw = [site["raw_x"], site["raw_y"]]
    return {
        **{name: str(site[name]) for name in texts},
        "code": int(category_codes(sites.iloc[[row]], categories)[0]),
        "as_of": "" if pd.isna(site["as_of"]) else site["as_of"].date().isoformat(),
        "uncertainty_m": None if pd.isna(site["uncertainty_m"]) else float(site["uncertainty_m"]),
        "point": None if point is None else [point.x, point.y],
        "raw": None if pd.isna(raw).any() else [*map(float, raw), str(site["raw_datum"])],
        "source": {key: str(site[f"source_{key}"]) for key in ("file", "where", "quote")},
        "fictitious": bool(site["fictitious"]),
        "version": int(site["version"]),
    }


def sort_order(sites: gpd.GeoDataFrame, column: str, categories: Categories) -> bytes:
    """Return the rows in the order of a column, as uint32.

    Parameters
    ----------
    column
        One of `SORTABLE`. Status sorts by its place in the categories file, precision best first.

    Raises
    ------
    KeyError
        If the column is not one of them.
    """
    if column not in SORTABLE:
        raise KeyError(column)
    if column == "status":
        keys: Array = category_codes(sites, categories)
    elif column == "precision":
        keys = sites["precision"].map(PRECISIONS.index).to_numpy()
    else:
        keys = sites[column].rank(method="dense", na_option="bottom").to_numpy()
    return np.argsort(keys, kind="stable").astype("<u4").tobytes()


def compress(data: bytes) -> bytes:
    """Return gzip data that depends on nothing but the bytes given: no name, no time."""
    return gzip.compress(data, compresslevel=6, mtime=0)
