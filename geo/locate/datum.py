"""Datums met in China and the ways between them.

Inside `geo/` every point is WGS84, (longitude, latitude).

- **wgs84**: EPSG:4326, what GPS and OpenStreetMap give.
- **cgcs2000**: EPSG:4490, what 天地图 and offices give. Treated as equal to WGS84: the ellipsoids
  differ by 0.1 mm, and plate motion since the epoch 2000.0 (about 3 cm a year) stays below 1 m.
- **gcj02**: 高德 and 腾讯, several hundred metres off.
- **bd09**: 百度, a second shift on top of GCJ-02, over a kilometre off.
- **epsg:NNNN**: a projection of WGS84 or CGCS2000, in metres. Other base datums (Xian 1980,
  Beijing 1954) are refused: PROJ would take them for WGS84 without a word, some 100 m wrong.

x is always the longitude or easting and y the latitude or northing, also for EPSG:4550 and its
family, whose official axis order is north first.

**Converting twice is an error.** What a source says is kept as it is beside its datum (`raw_x`, `raw_y`, `raw_datum`
of the site table), and every conversion starts there, so doing it again gives the same answer.

Formulas: neither GCJ-02 nor BD-09 was ever published by its owner. The forward formulas are the
ones in public use since 2010 (GCJ-02, Krasovsky 1940 ellipsoid) and 2013 (BD-09), written out at
https://deepwiki.com/wandergis/coordtransform and https://rdrr.io/github/caijun/geoChina. The
inverses are solved from them by fixed-point iteration, because the closed formulas in common use
only come near: within metres for GCJ-02, within 1 m for BD-09.
"""

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache, partial
from typing import Any, overload

import numpy as np
import numpy.typing as npt
from pyproj import CRS, Geod, Transformer
from pyproj.exceptions import CRSError

from geo.errors import DatumError

FloatArray = npt.NDArray[np.float64]
Numbers = npt.NDArray[Any] | Sequence[float]
_Floats = npt.NDArray[np.floating[Any]]  # float32 or float64
_Pair = tuple[FloatArray, FloatArray]
_Step = Callable[[FloatArray, FloatArray], _Pair]

CHINA_BOX = (72.004, 0.8293, 137.8347, 55.8271)
"""West, south, east, north in WGS84 degrees: GCJ-02 and BD-09 shift the points inside and on it.

The rectangle in public use. It also holds neighbours of China, where real services may not shift.
"""


class Datum(StrEnum):
    """The datums with a name; a projection is the plain text `epsg:NNNN` instead."""

    WGS84 = "wgs84"
    CGCS2000 = "cgcs2000"
    GCJ02 = "gcj02"
    BD09 = "bd09"


# --- words for a datum ----------------------------------------------------------------------------

_KNOWN = (
    "WGS84 (GPS), CGCS2000 (天地图), GCJ-02 (高德, 腾讯), BD-09 (百度), "
    "or an EPSG code on one of the first two such as EPSG:4550"
)
_WORDS: dict[str, Datum] = {
    word: datum
    for datum, words in {
        Datum.WGS84: "wgs84 wgs1984 wgs84ll crs84 gps gnss osm openstreetmap 地球 世界大地",
        Datum.CGCS2000: (
            "cgcs2000 cgcs tianditu 天地图 北斗 大地2000 国家2000 国家大地2000 "
            "2000国家 2000大地 2000国家大地 中国大地2000"
        ),
        Datum.GCJ02: "gcj02 gcj02ll gcj amap gaode autonavi tencent qq mars 高德 腾讯 火星 国测局",
        Datum.BD09: "bd09 bd09ll bd baidu 百度",
    }.items()
    for word in words.split()
}
_WITHOUT_PUBLIC_SHIFT = frozenset(
    ["xian80", "xian1980", "西安80", "西安1980", "beijing54", "beijing1954", "北京54", "北京1954"]
)
_MARKS = re.compile(r"[\s_\-‐–—:.'\"·]+")
_ENDINGS = re.compile(r"(?:坐标系统|坐标系|坐标|(?<!^天)地图|经纬度)+$")  # 天地图 is a name
_EPSG = re.compile(r"(?:urn:ogc:def:crs:)?(?:epsg)?[\s:_-]*([0-9]{4,6})")


@lru_cache(maxsize=256)
def parse_datum(text: str) -> str:
    """Return the canonical name of a datum that a person or a file named.

    Parameters
    ----------
    text
        A name (`WGS84`, `GCJ-02`, `BD-09`, `CGCS2000`), a service (`高德`, `腾讯`, `百度`,
        `天地图`, `gps`), a common word (`火星坐标`), or an EPSG code with or without `EPSG:`.
        Case, full-width letters, spaces, hyphens and endings such as `坐标系` make no difference.
        Several names must agree: `GCJ-02 (高德)`.

    Returns
    -------
    datum
        `wgs84`, `cgcs2000`, `gcj02`, `bd09` or `epsg:NNNN`. EPSG:4326 and EPSG:4490 give the
        first two. A canonical name gives itself.

    Raises
    ------
    DatumError
        If the word is not known, or the EPSG code does not exist or is no projection of WGS84 or
        CGCS2000. Nothing unknown is ever taken for WGS84.

    Examples
    --------
    >>> parse_datum("高德地图"), parse_datum("天地图"), parse_datum("EPSG:4550")
    ('gcj02', 'cgcs2000', 'epsg:4550')
    """
    plain = unicodedata.normalize("NFKC", text).casefold().strip()
    parts = re.split(r"[(),/、]", plain)
    words = {_ENDINGS.sub("", _MARKS.sub("", part)) for part in parts} - {""}
    meant = {_WORDS.get(word) for word in words}
    if len(meant) == 1 and (datum := meant.pop()):
        return datum.value
    if code := _EPSG.fullmatch(plain):
        return _canonical_epsg(int(code[1]))
    if words & _WITHOUT_PUBLIC_SHIFT:
        raise DatumError(_no_public_shift(f'"{text}"'))
    raise DatumError(f'datum "{text}" is not known; write one of: {_KNOWN}')


def _canonical_epsg(code: int) -> str:
    if code == 4326:
        return Datum.WGS84.value
    if code == 4490:
        return Datum.CGCS2000.value
    return f"epsg:{_grid(code).epsg}"


def _no_public_shift(name: str) -> str:
    return (
        f"{name} stands on a datum whose shift to WGS84 is not public or not known here; "
        "convert the data to CGCS2000 first (the surveying office can), then give that EPSG code"
    )


# --- public conversions ---------------------------------------------------------------------------


@overload
def to_wgs84(x: float, y: float, datum: str) -> tuple[float, float]: ...
@overload
def to_wgs84(x: Numbers, y: Numbers, datum: str) -> tuple[FloatArray, FloatArray]: ...
def to_wgs84(x: Any, y: Any, datum: str) -> tuple[Any, Any]:
    """Return raw coordinates as WGS84 longitude and latitude.

    Parameters
    ----------
    x, y
        Longitude and latitude in degrees, or easting and northing in metres, in this order for
        every datum; two numbers, or two arrays of one shape. They are left as they are.
    datum
        What the numbers are in; any word `parse_datum` knows.

    Returns
    -------
    lon, lat
        WGS84 (EPSG:4326) degrees as floats or new float64 arrays, same shape and order. Where x
        or y is NaN both are NaN. GCJ-02 and BD-09 come within 1e-6 m of the exact inverse of their
        forward formula; points outside `CHINA_BOX` come back unchanged. Within 2 km of the edges
        of that box (abroad or at sea) the forward formula is not one to one: an origin inside the
        box is preferred.

    Raises
    ------
    DatumError
        If the datum is not known, or a value is out of range for it: the message names the first
        one, and says if the axes may be swapped or the easting belongs to another EPSG code.
        Nothing is swapped or corrected silently, and one bad point fails the whole call.
    ValueError
        If the arrays differ in shape.

    Notes
    -----
    Formulas and their sources: top of this module. Projections are PROJ's, always in x, y order.

    Examples
    --------
    >>> lon, lat = to_wgs84(123.180867, 41.284277, "bd09")
    >>> print(f"{lon:.6f} {lat:.6f}")
    123.168434 41.276460
    """
    return _run(_reader(parse_datum(datum)), x, y)


@overload
def from_wgs84(lon: float, lat: float, datum: str) -> tuple[float, float]: ...
@overload
def from_wgs84(lon: Numbers, lat: Numbers, datum: str) -> tuple[FloatArray, FloatArray]: ...
def from_wgs84(lon: Any, lat: Any, datum: str) -> tuple[Any, Any]:
    """Return WGS84 longitude and latitude as coordinates in another datum.

    Parameters
    ----------
    lon, lat
        WGS84 degrees; two numbers, or two arrays of one shape. They are left as they are.
    datum
        What to give; any word `parse_datum` knows.

    Returns
    -------
    x, y
        Longitude and latitude in degrees, or easting and northing in metres, as floats or new
        float64 arrays. NaN stays NaN. GCJ-02 and BD-09 shift only points inside `CHINA_BOX`;
        elsewhere both are WGS84, as 百度 states for its own coordinates abroad
        (https://lbs.baidu.com/faq/api?title=androidsdk/guide/tool/coordinate).

    Raises
    ------
    DatumError
        If the datum is not known, longitude or latitude is out of range, or the point lies more
        than 3° outside the area the projection is made for.
    ValueError
        If the arrays differ in shape.

    Notes
    -----
    Formulas and their sources: top of this module. Projections are PROJ's, always in x, y order.
    """
    return _run(_writer(parse_datum(datum)), lon, lat)


@overload
def convert(x: float, y: float, source: str, target: str) -> tuple[float, float]: ...
@overload
def convert(x: Numbers, y: Numbers, source: str, target: str) -> tuple[FloatArray, FloatArray]: ...
def convert(x: Any, y: Any, source: str, target: str) -> tuple[Any, Any]:
    """Return coordinates of one datum in another, by way of WGS84.

    Parameters
    ----------
    x, y
        As in `to_wgs84`, in the datum `source`.
    source, target
        Any words `parse_datum` knows.

    Returns
    -------
    x, y
        As in `from_wgs84`, in the datum `target`.

    Raises
    ------
    DatumError, ValueError
        As `to_wgs84` and `from_wgs84` do.
    """
    read, write = _reader(parse_datum(source)), _writer(parse_datum(target))
    return _run(lambda xs, ys: write(*read(xs, ys)), x, y)


@overload
def offset_m(lon: float, lat: float, datum: str) -> float: ...
@overload
def offset_m(lon: Numbers, lat: Numbers, datum: str) -> FloatArray: ...
def offset_m(lon: Any, lat: Any, datum: str) -> Any:
    """Return how far off a place lands if its raw coordinates are read as WGS84.

    Parameters
    ----------
    lon, lat
        The true place in WGS84 degrees; two numbers, or two arrays of one shape.
    datum
        What the raw coordinates are in: a datum in degrees, any word `parse_datum` knows.

    Returns
    -------
    metres
        Geodesic distance on the WGS84 ellipsoid (PROJ, after Karney 2013,
        doi:10.1007/s00190-012-0578-z); 0 for WGS84 and CGCS2000, NaN where a coordinate is NaN.

    Raises
    ------
    DatumError
        As `from_wgs84` does, and for a projection: nobody can read metres as degrees.
    ValueError
        If the arrays differ in shape.

    Examples
    --------
    >>> print(f"{offset_m(123.174, 41.27, '高德'):.0f} m, {offset_m(123.174, 41.27, '百度'):.0f} m")
    542 m, 1353 m
    """
    name = parse_datum(datum)
    if name.startswith("epsg:"):
        raise DatumError(f"{name} is in metres and cannot be read as degrees; no offset to measure")
    write = _writer(name)

    def measure(lons: FloatArray, lats: FloatArray) -> _Pair:
        metres = Geod(ellps="WGS84").inv(lons, lats, *write(lons.copy(), lats.copy()))[2]
        metres[np.isnan(lons)] = np.nan
        return metres, metres

    return _run(measure, lon, lat)[0]


# --- how one call runs ----------------------------------------------------------------------------


def _run(step: _Step, x: Any, y: Any) -> tuple[Any, Any]:
    """Run a step on flat float64 copies, half a point counting as none, and restore the shape."""
    xs, ys = np.array(x, dtype=np.float64), np.array(y, dtype=np.float64)
    if xs.shape != ys.shape:
        raise ValueError(f"x has shape {xs.shape} and y {ys.shape}; give two of one shape")
    shape, xs, ys = xs.shape, xs.ravel(), ys.ravel()
    missing = np.isnan(xs) | np.isnan(ys)
    xs[missing] = ys[missing] = np.nan
    out_x, out_y = step(xs, ys)
    if not shape:
        return float(out_x[0]), float(out_y[0])
    return out_x.reshape(shape), out_y.reshape(shape)


def _reader(datum: str) -> _Step:
    """Return the step from checked raw coordinates to WGS84."""
    if datum.startswith("epsg:"):
        return _grid(int(datum[5:])).to_degrees
    inverse = {Datum.GCJ02: _wgs_from_gcj, Datum.BD09: _wgs_from_bd}.get(Datum(datum))
    return partial(_unshifted, inverse) if inverse else _same


def _writer(datum: str) -> _Step:
    """Return the step from checked WGS84 to coordinates in a datum."""
    if datum.startswith("epsg:"):
        return _grid(int(datum[5:])).from_degrees
    forward = {Datum.GCJ02: _gcj_from_wgs, Datum.BD09: _bd_from_wgs}.get(Datum(datum))
    return partial(_shifted, forward) if forward else _same


def _same(lon: FloatArray, lat: FloatArray) -> _Pair:
    _check_degrees(lon, lat)
    return lon, lat


def _check_degrees(lon: FloatArray, lat: FloatArray) -> None:
    """Raise `DatumError` for the first point that cannot be a longitude and a latitude."""
    n = _first((np.abs(lon) > 180) | (np.abs(lat) > 90))
    if n is None:
        return
    x, y = float(lon[n]), float(lat[n])
    name, value, limit = ("longitude", x, 180) if abs(x) > 180 else ("latitude", y, 90)
    text = f"{name} {value} is outside -{limit} to {limit} degrees{_which(n, lon)}"
    if abs(x) <= 90 and abs(y) <= 180:
        text += "; the axes may be swapped: x is the longitude, y the latitude"
    elif 1000 < max(abs(x), abs(y)) < np.inf:
        text += "; numbers this large are metres: name their projection, for example EPSG:4550"
    raise DatumError(text)


def _first(bad: npt.NDArray[np.bool_]) -> int | None:
    return int(bad.argmax()) if bad.any() else None


def _which(n: int, values: FloatArray) -> str:
    return f" (point {n + 1} of {values.size})" if values.size > 1 else ""


# --- GCJ-02 and BD-09 -----------------------------------------------------------------------------

_CHUNK = 16384  # points at a time, so that the temporaries stay in the cache
_BOX_MARGIN = 0.05  # degrees, more than any shift: a raw point farther out cannot stem from inside
_KRASOVSKY_A = 6378245.0  # metres, semi-major axis
_KRASOVSKY_E2 = 0.00669342162296594323  # first eccentricity squared
_BD_RATE = np.pi * 3000 / 180  # radians per degree: the short waves of BD-09
_BD_EAST, _BD_NORTH = 0.0065, 0.006  # degrees, the constant part of BD-09


def _in_box(lon: FloatArray, lat: FloatArray, margin: float = 0.0) -> npt.NDArray[np.bool_]:
    west, south, east, north = CHINA_BOX
    inside = (west - margin <= lon) & (lon <= east + margin)
    inside &= (south - margin <= lat) & (lat <= north + margin)
    return inside


def _in_chunks(step: _Step, lon: FloatArray, lat: FloatArray) -> _Pair:
    out_lon, out_lat = np.empty_like(lon), np.empty_like(lat)
    for start in range(0, lon.size, _CHUNK):
        part = slice(start, start + _CHUNK)
        out_lon[part], out_lat[part] = step(lon[part], lat[part])
    return out_lon, out_lat


def _shifted(forward: _Step, lon: FloatArray, lat: FloatArray) -> _Pair:
    """Shift the WGS84 points inside the box; the others, and NaN, stay."""
    _check_degrees(lon, lat)
    inside = _in_box(lon, lat)
    lon[inside], lat[inside] = _in_chunks(forward, lon[inside], lat[inside])
    return lon, lat


def _unshifted(inverse: _Step, lon: FloatArray, lat: FloatArray) -> _Pair:
    """Undo the shift of raw points whose origin lies inside the box; the others, and NaN, stay."""
    _check_degrees(lon, lat)
    near = _in_box(lon, lat, _BOX_MARGIN)
    true_lon, true_lat = _in_chunks(inverse, lon[near], lat[near])
    inside = _in_box(true_lon, true_lat)
    out_lon, out_lat = lon.copy(), lat.copy()
    out_lon[near] = np.where(inside, true_lon, lon[near])
    out_lat[near] = np.where(inside, true_lat, lat[near])
    return out_lon, out_lat


def _gcj_from_wgs(lon: FloatArray, lat: FloatArray) -> _Pair:
    east, north = _gcj_shift(lon, lat)
    return lon + east, lat + north


def _gcj_shift(lon: FloatArray, lat: FloatArray, *, rough: bool = False) -> tuple[Any, Any]:
    """Return what GCJ-02 adds to WGS84 longitude and latitude, in degrees.

    A polynomial and waves in metres around 105° E 35° N, turned into degrees with the radii of
    curvature of the Krasovsky ellipsoid. `rough` counts in float32: good to 1 cm, 6 times faster.
    """
    kind = np.float32 if rough else np.float64
    x: _Floats = (lon - 105.0).astype(kind)
    y: _Floats = (lat - 35.0).astype(kind)
    root = np.sqrt(np.abs(x))
    long_x, long_y = np.sin(np.pi / 3 * x), np.sin(np.pi / 3 * y)
    short = np.sin(2 * np.pi * x)
    fine = 20 * _triple(short) + 20 * short
    waves_x = fine + 20 * _triple(long_x) + 40 * long_x
    waves_x += 150 * np.sin(np.pi / 12 * x) + 300 * np.sin(np.pi / 30 * x)
    waves_y = fine + 20 * _triple(long_y) + 40 * long_y
    waves_y += 160 * np.sin(np.pi / 12 * y) + 320 * np.sin(np.pi / 30 * y)
    east_m = 300 + (1 + 0.1 * x + 0.1 * y) * x + 2 * y + 0.1 * root + waves_x * (2 / 3)
    north_m = -100 + (2 + 0.1 * y) * x + (3 + 0.2 * y) * y + 0.2 * root + waves_y * (2 / 3)

    cos_lat: _Floats = np.cos(np.radians(lat).astype(kind))
    bend = 1 - _KRASOVSKY_E2 * (1 - cos_lat * cos_lat)
    across_m = _KRASOVSKY_A / np.sqrt(bend)  # radius of curvature in the prime vertical
    along_m = across_m * (1 - _KRASOVSKY_E2) / bend  # radius of curvature in the meridian
    return np.degrees(east_m / (across_m * cos_lat)), np.degrees(north_m / along_m)


def _triple(sine: _Floats) -> _Floats:
    """Return sin 3u from sin u, which is ten times faster than another sine."""
    return sine * (3 - 4 * sine * sine)


def _wgs_from_gcj(lon: FloatArray, lat: FloatArray) -> _Pair:
    """Solve `_gcj_from_wgs(answer) = (lon, lat)` by fixed-point iteration.

    The shift changes by less than 1 % of the way moved, so each round leaves less than 1/100 of the
    error: from 1.5 km, three rough rounds reach 2 mm and two exact ones 7e-8 m. Only at 105° E that
    is not enough: √|x| is infinitely steep there and the forward formula one to one only down to
    3e-7 m, which a few more rounds reach. The rounds depend on the point alone, not on neighbours.
    """
    true_lon, true_lat = _gcj_rounds(lon, lat, (lon, lat), (True, True, True, False, False))
    steep = np.abs(true_lon - 105.0) < 1e-3
    if steep.any():
        start = true_lon[steep], true_lat[steep]
        true_lon[steep], true_lat[steep] = _gcj_rounds(lon[steep], lat[steep], start, (False,) * 4)
    return true_lon, true_lat


def _gcj_rounds(lon: FloatArray, lat: FloatArray, start: _Pair, rough: tuple[bool, ...]) -> _Pair:
    true_lon, true_lat = start
    for is_rough in rough:
        east, north = _gcj_shift(true_lon, true_lat, rough=is_rough)
        true_lon, true_lat = lon - east, lat - north
    return true_lon, true_lat


def _bd_from_wgs(lon: FloatArray, lat: FloatArray) -> _Pair:
    x, y = _gcj_from_wgs(lon, lat)
    east, north = _bd_shift(x, y)
    return x + east + _BD_EAST, y + north + _BD_NORTH


def _bd_shift(x: FloatArray, y: FloatArray) -> _Pair:
    """Return the changing part of what BD-09 adds to GCJ-02 degrees, without the constant part.

    BD-09 takes (x, y) as polar and adds 0.00002 sin(y·rate) to the radius, 0.000003 cos(x·rate) to
    the angle. That is a stretch and a turn, written here without the polar detour; for a turn of
    3e-6 the first terms of sine and cosine are exact in float64.
    """
    turn = 0.000003 * np.cos(_BD_RATE * x)
    stretch = 0.00002 * np.sin(_BD_RATE * y) / np.sqrt(x * x + y * y)
    inward = 0.5 * turn * turn
    along = stretch - inward - stretch * inward
    across = turn + stretch * turn
    return along * x - across * y, along * y + across * x


def _wgs_from_bd(lon: FloatArray, lat: FloatArray) -> _Pair:
    """Solve `_bd_from_wgs(answer) = (lon, lat)`; a round leaves about 1/100 of the error."""
    start_x, start_y = lon - _BD_EAST, lat - _BD_NORTH
    x, y = start_x, start_y
    for _ in range(5):
        east, north = _bd_shift(x, y)
        x, y = start_x - east, start_y - north
    return _wgs_from_gcj(x, y)


# --- projections ----------------------------------------------------------------------------------

_AREA_MARGIN = 3.0  # degrees: one office keeps one central meridian a little beyond its own zone
# Zones of CGCS2000 / Gauss-Kruger: the EPSG code with the zone number in its eastings, and the one
# without. 13 to 23 are 6 degrees wide (EPSG:4491 and 4502 on), 25 to 45 are 3 (4513 and 4534 on).
_ZONE_CODES = {zone: (4478 + zone, 4489 + zone) for zone in range(13, 24)}
_ZONE_CODES |= {zone: (4488 + zone, 4509 + zone) for zone in range(25, 46)}


@dataclass(frozen=True, slots=True)
class _Grid:
    """A projection on WGS84 or CGCS2000: where it may be used and how to get there and back."""

    epsg: int
    area: tuple[float, float, float, float]
    zone: int | None  # the number its eastings start with, 0 if none; None if not Gauss-Kruger
    transformer: Transformer  # degrees to metres

    def to_degrees(self, x: FloatArray, y: FloatArray) -> _Pair:
        self._check_metres(x, y)
        self._check_zone(x)
        lon, lat = self._project(x, y, "INVERSE")
        n = _first(~(np.isnan(x) | self._in_area(lon, lat)))
        if n is not None:
            raise DatumError(self._outside(x, y, n))
        return lon, lat

    def from_degrees(self, lon: FloatArray, lat: FloatArray) -> _Pair:
        _check_degrees(lon, lat)
        n = _first(~(np.isnan(lon) | self._in_area(lon, lat)))
        if n is not None:
            raise DatumError(
                f"longitude {lon[n]}, latitude {lat[n]} is outside the area of EPSG:{self.epsg}"
                f"{_which(n, lon)}; choose the projection of that place"
            )
        return self._project(lon, lat, "FORWARD")

    def _project(self, x: FloatArray, y: FloatArray, direction: str) -> _Pair:
        out_x, out_y = self.transformer.transform(x, y, direction=direction)
        return out_x, out_y  # PROJ answers NaN to NaN and inf to what it cannot place

    def _in_area(self, lon: FloatArray, lat: FloatArray) -> npt.NDArray[np.bool_]:
        west, south, east, north = self.area
        width = east - west if east >= west else east - west + 360  # an area may cross 180°
        with np.errstate(invalid="ignore"):  # inf % 360
            along = (lon - west + _AREA_MARGIN) % 360 <= width + 2 * _AREA_MARGIN
        return along & (south - _AREA_MARGIN <= lat) & (lat <= north + _AREA_MARGIN)

    def _check_metres(self, x: FloatArray, y: FloatArray) -> None:
        """Raise if a point is within 200 m of the origin: those are degrees, whatever PROJ says."""
        n = _first((np.abs(x) <= 180) & (np.abs(y) <= 180))
        if n is not None:
            raise DatumError(
                f"easting {x[n]}, northing {y[n]} are degrees, not metres in EPSG:{self.epsg}"
                f"{_which(n, x)}; name their datum, for example CGCS2000"
            )

    def _check_zone(self, x: FloatArray) -> None:
        """Raise if an easting starts with a zone number that is not ours, or lacks ours."""
        if self.zone is None:
            return
        given = np.floor(x / 1e6)
        alien = np.isin(given, list(_ZONE_CODES)) | ((given == 0) & (self.zone > 0))
        n = _first(alien & (given != self.zone))
        if n is None:
            return
        zone = int(given[n])
        if zone:
            why, right = f"starts with zone number {zone}", _ZONE_CODES[zone][0]
        else:
            why, right = "starts with no zone number", _ZONE_CODES[self.zone][1]
        raise DatumError(
            f"easting {x[n]} {why}: that is EPSG:{right}, not EPSG:{self.epsg}{_which(n, x)}"
        )

    def _outside(self, x: FloatArray, y: FloatArray, n: int) -> str:
        text = f"easting {x[n]}, northing {y[n]} is outside the area of EPSG:{self.epsg}"
        text += _which(n, x)
        lon, lat = self._project(y[n : n + 1], x[n : n + 1], "INVERSE")
        if self._in_area(lon, lat)[0]:
            return text + "; the axes may be swapped: x is the easting, y the northing"
        return text


@lru_cache(maxsize=64)
def _grid(code: int) -> _Grid:
    """Return the projection of an EPSG code, or raise `DatumError` if it has none we can trust."""
    try:
        crs = CRS.from_epsg(code)
    except CRSError as error:
        raise DatumError(f"EPSG:{code} does not exist; write one of: {_KNOWN}") from error
    base = crs.geodetic_crs
    if base is None or base.to_epsg() not in (4326, 4490):
        raise DatumError(_no_public_shift(f"EPSG:{code} ({crs.name})"))
    if crs.type_name != "Projected CRS" or crs.area_of_use is None:
        raise DatumError(
            f"EPSG:{code} ({crs.name}) is not a flat map projection; write one of: {_KNOWN}"
        )
    # From its own base, not EPSG:4326: that CGCS2000 counts as WGS84 is our word, not PROJ's guess.
    transformer = Transformer.from_crs(base, crs, always_xy=True)
    return _Grid(code, crs.area_of_use.bounds, _zone_number(crs), transformer)


def _zone_number(crs: CRS) -> int | None:
    operation = crs.coordinate_operation
    if operation is None or operation.method_name != "Transverse Mercator":
        return None  # eastings of EPSG:3857 reach 20,000,000 and mean no zone
    eastings = [float(p.value) for p in operation.params if p.name == "False easting"]
    return int(eastings[0] // 1e6)


# --- a pasted coordinate --------------------------------------------------------------------------

_PASTE = (
    "paste 123.1617, 41.2794 (longitude first), 41.2794N 123.1617E, or 41°16′45.86″N 123°9′42.13″E"
)
_LONGEST = 200
_LON_WORDS = frozenset(["东经", "西经", "经度", "longitude", "long", "lng", "lon", "e", "w"])
_LAT_WORDS = frozenset(["北纬", "南纬", "纬度", "latitude", "lat", "n", "s"])
_NEGATIVE_WORDS = frozenset(["西经", "南纬", "w", "s"])
_HEMISPHERES = _NEGATIVE_WORDS | {"东经", "北纬", "e", "n"}
_SAME_SIGN = str.maketrans("º˚´ʹ‘’″ʺ“”−", "°°''''\"\"\"\"-")
_NUMBER = r"[0-9]+(?:\.[0-9]+)?"


def _item_pattern(n: int, *, before: bool, after: str) -> str:
    word = "东经|西经|北纬|南纬|经度|纬度|longitude|latitude|long|lng|lon|lat|[xyewns]"
    label = rf'"?(?P<before{n}>{word})"?\s*[:=]?\s*' if before else ""
    return (
        rf"{label}(?P<sign{n}>[+-]?)(?P<deg{n}>{_NUMBER})"
        rf"(?:\s*(?P<mark{n}>[°度])(?:\s*(?P<min{n}>{_NUMBER})\s*['分]"
        rf"(?:\s*(?P<sec{n}>{_NUMBER})\s*(?:''|[\"秒])?)?)?)?"
        rf"(?:\s*(?P<after{n}>[nsew])){after}"
    )


def _pair_pattern(gap: str, *, before: bool, after: str) -> re.Pattern[str]:
    first, second = (_item_pattern(n, before=before, after=after) for n in (1, 2))
    return re.compile(rf"{first}{gap}{second}")


_GAP = r"(?:\s*[,;、&]\s*|\s+)"
_PAIRS = (
    _pair_pattern(rf"{_GAP}?", before=True, after="?"),  # lng=123.1&lat=41.2, 东经123.1°北纬41.2°
    _pair_pattern(rf"{_GAP}?", before=False, after=""),  # 41.2N 123.1E
    _pair_pattern(_GAP, before=False, after="{0}"),  # 123.1, 41.2
)


def parse_coordinate(text: str) -> tuple[float, float]:
    """Return the one pair of numbers a pasted text can mean, as (x, y).

    Parameters
    ----------
    text
        Two decimal numbers (`123.1617, 41.2794`, also with a tab, new line, or full-width digits
        and signs), degrees, minutes and seconds (`41°16′45.86″N 123°9′42.13″E`), labelled numbers
        (`lng=123.1&lat=41.2`, `经度123.1 纬度41.2`), or an easting and a northing in metres
        (`513547.05 4571616.23`; with its zone number, `41513547.05 4571616.23`).

    Returns
    -------
    x, y
        Longitude and latitude in degrees, or easting and northing in metres. The text does not say
        the datum: ask for it, and keep all three. Labels decide the order. Without
        labels one of two degrees must lie beyond 90, as only a longitude can; of two metres the
        northing is the number with 7 digits, the easting the one with 6 or 8.

    Raises
    ------
    DatumError
        If the text is anything else, leaves room for two readings (`87.6, 43.8` in Ürümqi does),
        or its numbers are out of range. Never a guess.

    Notes
    -----
    Text is first brought into Unicode form NFKC (Unicode Standard Annex 15). A coordinate with a
    word too many, as a datum's name, is refused: dropping that word could move the point.

    Examples
    --------
    >>> parse_coordinate("41.2794, 123.1617")
    (123.1617, 41.2794)
    >>> parse_coordinate("43.8, 87.6")
    Traceback (most recent call last):
    geo.errors.DatumError: "43.8, 87.6": either number could be the longitude; write 经度43.8 纬度87.6 or the other way
    """
    plain = _plain(text)
    match = next(filter(None, (pair.fullmatch(plain) for pair in _PAIRS)), None)
    if match is None:
        raise DatumError(
            f"{_shown(text)} is not a coordinate that can be read without guessing: {_PASTE}"
        )
    try:
        return _ordered(_read_item(match, 1), _read_item(match, 2))
    except DatumError as error:
        raise DatumError(f"{_shown(text)}: {error}") from error


def _shown(text: str) -> str:
    short = " ".join(text.split())
    return f'"{short[:60]}…"' if len(short) > 60 else f'"{short}"'


def _plain(text: str) -> str:
    """Return the text in one spelling of digits, signs, spaces; empty if it cannot be a point."""
    if len(text) > _LONGEST or any(unicodedata.category(c) == "No" for c in text):
        return ""  # ², ½ and ① would turn into ordinary digits below
    shown = "".join(c for c in text.translate(_SAME_SIGN) if unicodedata.category(c) != "Cf")
    plain = unicodedata.normalize("NFKC", shown).replace("′", "'").casefold().strip()
    if plain[:1] + plain[-1:] in ("()", "[]", "{}"):
        plain = plain[1:-1].strip()
    return plain


def _read_item(match: re.Match[str], n: int) -> tuple[str, float]:
    """Return the axis (lon, lat, x, y or nothing) and the value of one of the two numbers."""
    found = {
        name[:-1]: value
        for name, value in match.groupdict().items()
        if name.endswith(str(n)) and value
    }
    words = [found[name] for name in ("before", "after") if name in found]
    axes = {_axis(word) for word in words}
    if len(axes) > 1 or ("sign" in found and not _HEMISPHERES.isdisjoint(words)):
        clash = " and ".join([*([found["sign"]] if "sign" in found else []), *words])
        raise DatumError(f"{clash} contradict each other; {_PASTE}")
    value = _degrees(found["deg"], found.get("min"), found.get("sec"))
    if "mark" in found and value > 180:
        raise DatumError(f"{value} degrees is outside -180 to 180; {_PASTE}")
    negative = found.get("sign") == "-" or not _NEGATIVE_WORDS.isdisjoint(words)
    return axes.pop() if axes else "", -value if negative else value


def _axis(word: str) -> str:
    return "lon" if word in _LON_WORDS else "lat" if word in _LAT_WORDS else word


def _degrees(degrees: str, minutes: str | None, seconds: str | None) -> float:
    if minutes is None:
        return float(degrees)
    whole = "." not in degrees and (seconds is None or "." not in minutes)
    if not whole or float(minutes) >= 60 or float(seconds or 0) >= 60:
        raise DatumError(
            f"only the last part may have decimals, minutes and seconds stay below 60; {_PASTE}"
        )
    return float(degrees) + float(minutes) / 60 + float(seconds or 0) / 3600


def _ordered(one: tuple[str, float], other: tuple[str, float]) -> tuple[float, float]:
    """Return two values as (x, y): by their labels, else in the only order their size allows."""
    (axis, first), (other_axis, second) = one, other
    axes = {axis, other_axis}
    if axes == {"lon", "lat"}:
        lon, lat = (first, second) if axis == "lon" else (second, first)
        _check_degrees(np.array([lon]), np.array([lat]))
        return lon, lat
    if axes not in ({""}, {"x", "y"}):
        raise DatumError(f"one longitude and one latitude are needed; {_PASTE}")
    if max(abs(first), abs(second)) > 1000:
        return _ordered_metres(first, second)
    if abs(first) <= 90 < abs(second) <= 180:
        return second, first
    if abs(second) <= 90 < abs(first) <= 180:
        return first, second
    if max(abs(first), abs(second)) <= 90:
        raise DatumError(
            f"either number could be the longitude; write 经度{first} 纬度{second} or the other way"
        )
    raise DatumError(f"no longitude (-180 to 180) with a latitude (-90 to 90); {_PASTE}")


def _ordered_metres(first: float, second: float) -> tuple[float, float]:
    if _is_easting(first) and _is_northing(second):
        return first, second
    if _is_easting(second) and _is_northing(first):
        return second, first
    raise DatumError(
        f"no easting (6 digits, or 8 with the zone) with a northing (7 digits) in China; {_PASTE}"
    )


def _is_easting(value: float) -> bool:
    zone, rest = divmod(value, 1e6)
    return (zone == 0 or zone in _ZONE_CODES) and rest >= 1e5


def _is_northing(value: float) -> bool:
    return 1e6 <= value < 6.2e6


# --- a grid of offsets ----------------------------------------------------------------------------


_STEPS: dict[str, int] = {Datum.GCJ02: 25, Datum.BD09: 65}


def offset_grid(
    datum: str, bounds: tuple[float, float, float, float], *, steps: int | None = None
) -> dict[str, Any] | None:
    """Return how far a datum is from WGS84 over a district, to be interpolated between knots.

    Parameters
    ----------
    datum
        In degrees: GCJ-02, BD-09 or one equal to WGS84 here.
    bounds
        minx, miny, maxx, maxy in degrees, EPSG:4326.
    steps
        Knots along each side; None takes as many as keep the error under 0.5 m over 30 km.

    Returns
    -------
    grid
        west, south, east, north; columns, rows; lon and lat: offsets in degrees (datum minus WGS84), row by row from
        the south-west. None where the datum is WGS84 itself.
    """
    name = parse_datum(datum)
    if name in (Datum.WGS84, Datum.CGCS2000):
        return None
    steps = steps or _STEPS.get(name, 25)
    west, south, east, north = bounds
    lon, lat = np.meshgrid(np.linspace(west, east, steps), np.linspace(south, north, steps))
    there_lon, there_lat = from_wgs84(lon.ravel(), lat.ravel(), name)
    return {
        "west": west,
        "south": south,
        "east": east,
        "north": north,
        "columns": steps,
        "rows": steps,
        "lon": np.round(there_lon - lon.ravel(), 9).tolist(),
        "lat": np.round(there_lat - lat.ravel(), 9).tolist(),
    }
