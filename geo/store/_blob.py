"""Geometries as GeoPackage binary: a header with the envelope, then ISO WKB (OGC 12-128, 2.1.3).

The envelope is always written, so that the R-tree's triggers read four numbers at a fixed place and do
not parse the shape.
"""

from __future__ import annotations

import math
import sqlite3
import struct
from collections.abc import Callable, Sequence
from typing import TypeGuard

import numpy as np
import numpy.typing as npt
import shapely

SRS_ID = 4326
_FLAGS = 0b0000_0011  # envelope minx, maxx, miny, maxy; numbers are little endian; not empty
_HEADER = np.dtype(
    [("magic", "S2"), ("version", "u1"), ("flags", "u1"), ("srs", "<i4"), ("envelope", "<f8", 4)]
)
_HEADER_SIZE = {0: 8, 1: 40, 2: 56, 3: 56, 4: 72}
_POINT, _POINT_SIZE = b"\x01\x01\0\0\0", 21
_POINT_XY = struct.Struct("<2d").unpack_from
_HEAD = struct.Struct("<2sBBi4d").pack
_DOUBLE = struct.Struct("<d").unpack_from

Shapes = npt.NDArray[np.object_]


def to_blobs(shapes: Shapes) -> list[bytes | None]:
    """Return one blob per shape (EPSG:4326, lon-lat), None for None."""
    missing = shapely.is_missing(shapes)
    bounds = shapely.bounds(shapes)
    headers = np.zeros(len(shapes), dtype=_HEADER)
    headers["magic"], headers["flags"], headers["srs"] = b"GP", _FLAGS, SRS_ID
    headers["envelope"] = bounds[:, [0, 2, 1, 3]]
    heads = headers.view(np.dtype((np.void, _HEADER.itemsize))).tolist()
    bodies = shapely.to_wkb(shapes, flavor="iso", byte_order=1)
    return [
        None if none else bytes(head) + body
        for none, head, body in zip(missing.tolist(), heads, bodies, strict=True)
    ]


def from_point(wkb: bytes) -> bytes | None:
    """Return the blob of a plain point's WKB, None for any other shape: a tenth of what `to_blobs` takes for one."""
    if len(wkb) != _POINT_SIZE or not wkb.startswith(_POINT):
        return None
    x, y = _POINT_XY(wkb, len(_POINT))
    return _HEAD(b"GP", 0, _FLAGS, SRS_ID, x, x, y, y) + wkb


def from_blobs(blobs: Sequence[object]) -> tuple[Shapes, npt.NDArray[np.bool_]]:
    """Return the shapes, and for each whether there was a blob that is not one."""
    bodies = np.empty(len(blobs), dtype=object)
    bodies[:] = [_body(blob) for blob in blobs]
    shapes = shapely.from_wkb(bodies, on_invalid="ignore")
    given = np.fromiter((blob is not None for blob in blobs), dtype=bool, count=len(blobs))
    return shapes, given & shapely.is_missing(shapes)


def from_blob(blob: bytes | None) -> shapely.Geometry | None:
    """Return the shape of one blob; None for None and for one that cannot be read."""
    shape: shapely.Geometry | None = from_blobs([blob])[0][0]
    return shape


def _body(blob: object) -> bytes | None:
    """Return the WKB of a blob; b"" (which no shape has) if it is not a GeoPackage blob."""
    if blob is None:
        return None
    if not isinstance(blob, bytes) or len(blob) < 8 or blob[:2] != b"GP":
        return b""
    return blob[_HEADER_SIZE.get(blob[3] >> 1 & 7, len(blob)) :]


def envelope(blob: object) -> tuple[float, float, float, float] | None:
    """Return minx, maxx, miny, maxy of a blob, or None if it has no extent."""
    if not isinstance(blob, bytes) or len(blob) < 8:
        return None
    if 1 <= (blob[3] >> 1 & 7) <= 4 and len(blob) >= 40:
        box = struct.unpack_from("<4d" if blob[3] & 1 else ">4d", blob, 8)
    else:
        minx, miny, maxx, maxy = shapely.bounds(from_blob(blob)).tolist()
        box = (minx, maxx, miny, maxy)
    return None if any(map(math.isnan, box)) else box


def register_functions(db: sqlite3.Connection) -> None:
    """Give a connection the five functions that a GeoPackage's R-tree triggers call."""
    db.create_function("ST_IsEmpty", 1, _is_empty, deterministic=True)
    for position, name in enumerate(("ST_MinX", "ST_MaxX", "ST_MinY", "ST_MaxY")):
        db.create_function(name, 1, _side(position), deterministic=True)


def _is_empty(blob: object) -> int | None:
    if blob is None:
        return None
    return 0 if _is_ours(blob) else int(envelope(blob) is None)


def _side(position: int) -> Callable[[object], float | None]:
    offset = 8 + 8 * position

    def read(blob: object) -> float | None:
        if _is_ours(blob):
            value: float = _DOUBLE(blob, offset)[0]
            return value
        box = envelope(blob)
        return None if box is None else box[position]

    return read


def _is_ours(blob: object) -> TypeGuard[bytes]:
    """Return whether the header is as `to_blobs` writes it: five calls for each row that is saved."""
    return type(blob) is bytes and len(blob) > 40 and blob[3] == _FLAGS
