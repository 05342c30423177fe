"""Coordinates in the links that map apps share: the host and its parameters say which datum they are in.

What the parameters mean is from the publishers' own pages: 高德 URI API (position is longitude, latitude in GCJ-02;
coordinate=wgs84 says otherwise), 百度 URI API (location is latitude, longitude; coord_type is bd09ll unless it says
gcj02 or wgs84), 腾讯 URI API (marker=coord:latitude,longitude in GCJ-02), OpenStreetMap (#map=zoom/latitude/longitude,
mlat and mlon), RFC 5870 for geo: (latitude, longitude in WGS84).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote, urlsplit

from geo.errors import DatumError
from geo.locate.datum import Datum

MAX_LENGTH = 2000
_LINK = re.compile(r"(?:https?://|geo:)[^\s，。；、）】》]+", re.IGNORECASE)
_PAIR = re.compile(r"\s*(-?\d{1,3}(?:\.\d+)?)\s*,\s*(-?\d{1,3}(?:\.\d+)?)")
_SHORT_HOSTS = ("surl.amap.com", "j.map.baidu.com", "map.baidu.com/s", "goo.gl", "maps.app.goo.gl")
_BAIDU_TYPES = {
    "bd09ll": Datum.BD09,
    "gcj02": Datum.GCJ02,
    "gcj02ll": Datum.GCJ02,
    "wgs84": Datum.WGS84,
    "wgs84ll": Datum.WGS84,
}


@dataclass(frozen=True, slots=True)
class SharedPoint:
    """A point of a shared link: longitude and latitude in degrees, in `datum`."""

    x: float
    y: float
    datum: str


def parse_link(text: str) -> SharedPoint | None:
    """Return the point a shared link in a text means, None if there is no link in it.

    Parameters
    ----------
    text
        What somebody pasted: a link alone, or the sentence a map app makes around it.

    Raises
    ------
    DatumError
        If there is a link but no point can be read from it without asking its server: a short link, another site, or
        two links. The text says what to paste instead. Nothing is ever fetched.

    Examples
    --------
    >>> parse_link("https://uri.amap.com/marker?position=123.1617,41.2794&name=新华路")
    SharedPoint(x=123.1617, y=41.2794, datum='gcj02')
    >>> parse_link("新华路") is None
    True
    """
    if len(text) > MAX_LENGTH:
        return None
    links = _LINK.findall(text)
    if not links:
        return None
    if len(links) > 1:
        raise DatumError("there are several links; paste one")
    link = links[0]
    if any(short in link.lower() for short in _SHORT_HOSTS):
        raise DatumError(
            "this short link does not hold its coordinate; open it in the browser and paste the long address, "
            "or paste the coordinate"
        )
    point = _point_of(link)
    if point is None:
        raise DatumError("no coordinate can be read from this link; paste the coordinate itself")
    if not (abs(point.y) <= 90 and abs(point.x) <= 180):
        raise DatumError(f"the link says {point.x:g}, {point.y:g}, which is nowhere on the earth")
    return point


def _point_of(link: str) -> SharedPoint | None:
    if link.lower().startswith("geo:"):
        return _latitude_first(link[4:].split(";")[0].split("?")[0], Datum.WGS84)
    parts = urlsplit(link)
    host = (parts.hostname or "").lower()
    given = {name.lower(): values[0] for name, values in parse_qs(parts.query).items()}
    for ending, read in _HOSTS.items():
        if host == ending or host.endswith("." + ending):
            return read(given, unquote(parts.path), unquote(parts.fragment))
    return None


def _amap(given: Mapping[str, str], path: str, fragment: str) -> SharedPoint | None:
    datum = Datum.WGS84 if given.get("coordinate", "").lower() == "wgs84" else Datum.GCJ02
    for name in ("position", "to", "dest", "center", "lnglat"):
        if name in given:
            return _longitude_first(given[name], datum)
    # The address that the app itself shares: p=id,latitude,longitude,name ...
    parts = given.get("p", given.get("q", "")).split(",")
    for n in range(len(parts) - 1):
        point = _latitude_first(",".join(parts[n : n + 2]), datum)
        if point and "." in parts[n] and "." in parts[n + 1]:
            return point
    return None


def _baidu(given: Mapping[str, str], path: str, fragment: str) -> SharedPoint | None:
    datum = _BAIDU_TYPES.get(given.get("coord_type", "bd09ll").lower())
    for name in ("location", "latlng", "destination", "center"):
        if name in given:
            if datum is None:
                raise DatumError(
                    "the link's coord_type is not known; paste the coordinate and choose its datum"
                )
            return _latitude_first(given[name].removeprefix("latlng:"), datum)
    return None


def _tencent(given: Mapping[str, str], path: str, fragment: str) -> SharedPoint | None:
    for name in ("marker", "coord", "tocoord", "center"):
        if name in given:
            return _latitude_first(given[name].removeprefix("coord:"), Datum.GCJ02)
    return None


def _openstreetmap(given: Mapping[str, str], path: str, fragment: str) -> SharedPoint | None:
    if "mlat" in given and "mlon" in given:
        return _latitude_first(f"{given['mlat']},{given['mlon']}", Datum.WGS84)
    found = re.search(r"map=\d+(?:\.\d+)?/(-?\d+(?:\.\d+)?)/(-?\d+(?:\.\d+)?)", fragment)
    return _latitude_first(f"{found[1]},{found[2]}", Datum.WGS84) if found else None


_HOSTS = {
    "amap.com": _amap,
    "gaode.com": _amap,
    "baidu.com": _baidu,
    "map.qq.com": _tencent,
    "openstreetmap.org": _openstreetmap,
}


def _longitude_first(text: str, datum: str) -> SharedPoint | None:
    pair = _PAIR.match(text)
    return _shared(float(pair[1]), float(pair[2]), datum) if pair else None


def _latitude_first(text: str, datum: str) -> SharedPoint | None:
    pair = _PAIR.match(text)
    return _shared(float(pair[2]), float(pair[1]), datum) if pair else None


def _shared(x: float, y: float, datum: str) -> SharedPoint | None:
    return SharedPoint(x, y, str(datum)) if math.isfinite(x) and math.isfinite(y) else None
