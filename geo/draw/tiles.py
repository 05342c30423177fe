"""Picture tiles under the sites, when an administrator sets them: from a file on disk, or from a map service.

The browser asks only this server. Tiles of a service are fetched here, with the key that never leaves this machine,
kept on disk, and handed on; those of an MBTiles or PMTiles file are read from it. A basemap states its datum and whom
to name; the page moves tiles of another datum under the sites, for display only.
"""

from __future__ import annotations

import sqlite3
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from pmtiles.reader import MmapSource, Reader

from geo.errors import SiteMapError

MAX_TILE = 2_000_000
DEADLINE_S = 10.0
KEPT_DAYS = 30.0
MAX_KEPT = 2_000_000_000
"""Bytes of tiles on disk; beyond, the oldest go."""
_OLDEST = 500
MAX_ZOOM = 18
SERVICES = ("tianditu", "amap", "osm")
_MAGIC = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"RIFF": "image/webp"}
_AGENT = "baita-one-map (district planning; tiles are cached)"


class TileError(SiteMapError, ValueError):
    """A tile basemap that cannot be used; the text says what to set instead."""


class Tiles(Protocol):
    """A layer of tiles in web Mercator, numbered from the north-west as map services do."""

    def get(self, zoom: int, column: int, row: int) -> bytes | None:
        """Return a tile's picture, None if there is none."""
        ...


@dataclass(frozen=True)
class Basemap:
    """What lies under the sites: its layers from below, its datum, and what must be written on the map."""

    name: str
    layers: Mapping[str, Tiles]
    datum: str
    attribution: str
    max_zoom: int = MAX_ZOOM


def open_tiles(
    given: str,
    *,
    key: str = "",
    datum: str = "",
    url: str = "",
    cache: Path,
) -> Basemap:
    """Return the basemap that an administrator has set.

    Parameters
    ----------
    given
        A path that ends in .mbtiles or .pmtiles, or one of `SERVICES`.
    key
        For 天地图.
    datum
        wgs84, gcj02 or bd09: what the tiles of a file are in. A service's is known.
    url
        Where a service is asked instead of its own host: a proxy of the office, with {z}, {x}, {y} and {layer}.
    cache
        File where tiles of a service are kept.

    Raises
    ------
    TileError
        If it is none of these, the file cannot be read, or a service needs a key.
    """
    if given in SERVICES:
        return _service(given, key, url, cache)
    path = Path(given).expanduser()
    if path.suffix.lower() not in _FILES:
        # An address may hold a key.
        shown = "an address" if "://" in given else given
        raise TileError(
            f"BAITA_TILES is {shown}: give a .mbtiles or .pmtiles file, or one of {', '.join(SERVICES)}"
        )
    if not path.is_file():
        raise TileError(f"BAITA_TILES: there is no file {path.name}")
    layer, said = _FILES[path.suffix.lower()](path)
    said_zoom = said.get("maxzoom", MAX_ZOOM)
    zoom = int(said_zoom) if str(said_zoom).isdigit() else MAX_ZOOM
    attribution = str(said.get("attribution") or path.stem)
    return Basemap(path.stem, {"base": layer}, datum or "wgs84", attribution, min(zoom, 22))


# ---- files ------------------------------------------------------------------------------------------------------


class MBTiles:
    """Tiles of an MBTiles file (specification 1.3), whose rows count from the south."""

    def __init__(self, path: Path) -> None:
        self._uri = f"{path.resolve().as_uri()}?mode=ro&immutable=1"
        self._own = threading.local()

    def _open(self) -> sqlite3.Connection:
        if not hasattr(self._own, "db"):
            self._own.db = sqlite3.connect(self._uri, uri=True, check_same_thread=False)
        db: sqlite3.Connection = self._own.db
        return db

    def metadata(self) -> dict[str, Any]:
        """Return what the file says of itself, by name."""
        return dict(self._open().execute("SELECT name, value FROM metadata").fetchall())

    def get(self, zoom: int, column: int, row: int) -> bytes | None:
        """Return a tile's picture, None if there is none."""
        found = (
            self._open()
            .execute(
                "SELECT tile_data FROM tiles WHERE zoom_level = ? AND tile_column = ? AND tile_row = ?",
                (zoom, column, 2**zoom - 1 - row),
            )
            .fetchone()
        )
        return None if found is None else bytes(found[0])


class PMTiles:
    """Tiles of a PMTiles file (specification 3)."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._reader = Reader(MmapSource(path.open("rb")))

    def metadata(self) -> dict[str, Any]:
        """Return what the file says of itself, by name."""
        return {**self._reader.metadata(), "maxzoom": self._reader.header()["max_zoom"]}

    def get(self, zoom: int, column: int, row: int) -> bytes | None:
        """Return a tile's picture, None if there is none."""
        with self._lock:
            found: bytes | None = self._reader.get(zoom, column, row)
        return found


def _open_mbtiles(path: Path) -> tuple[Tiles, dict[str, Any]]:
    layer = MBTiles(path)
    try:
        said = layer.metadata()
        layer.get(0, 0, 0)
    except sqlite3.Error as error:
        raise TileError(f"{path.name} is not an MBTiles file") from error
    _refuse_vectors(path, str(said.get("format", "")))
    return layer, said


def _open_pmtiles(path: Path) -> tuple[Tiles, dict[str, Any]]:
    try:
        layer = PMTiles(path)
        said, kind = layer.metadata(), layer._reader.header()["tile_type"].name
    except Exception as error:  # the package raises nearly anything on a file that is no archive
        raise TileError(f"{path.name} is not a PMTiles file") from error
    _refuse_vectors(path, kind.lower())
    return layer, said


def _refuse_vectors(path: Path, kind: str) -> None:
    if kind in ("pbf", "mvt"):
        raise TileError(
            f"{path.name} holds vector tiles; give one with pictures (PNG, JPEG or WebP)"
        )


_FILES: dict[str, Callable[[Path], tuple[Tiles, dict[str, Any]]]] = {
    ".mbtiles": _open_mbtiles,
    ".pmtiles": _open_pmtiles,
}


# ---- services ---------------------------------------------------------------------------------------------------

_TIANDITU = (
    "https://t0.tianditu.gov.cn/{layer}_w/wmts?SERVICE=WMTS&REQUEST=GetTile&VERSION=1.0.0&LAYER={layer}"
    "&STYLE=default&TILEMATRIXSET=w&FORMAT=tiles&TILEMATRIX={z}&TILEROW={y}&TILECOL={x}&tk={key}"
)
_AMAP = (
    "https://webrd01.is.autonavi.com/appmaptile?lang=zh_cn&size=1&scale=1&style=8&x={x}&y={y}&z={z}"
)
_OSM = "https://tile.openstreetmap.org/{z}/{x}/{y}.png"
_SERVED: dict[str, tuple[tuple[str, ...], str, str, str]] = {
    "tianditu": (("vec", "cva"), _TIANDITU, "wgs84", "天地图"),
    "amap": (("base",), _AMAP, "gcj02", "高德地图"),
    "osm": (("base",), _OSM, "wgs84", "© OpenStreetMap contributors"),
}
"""Layers from below, address, datum and whom to name, for each service."""


def _service(name: str, key: str, url: str, cache: Path) -> Basemap:
    if name == "tianditu" and not key:
        raise TileError("天地图 needs a key: set BAITA_TILES_KEY")
    layers, address, datum, credit = _SERVED[name]
    kept = TileCache(cache)
    made = {layer: ServiceTiles(name, layer, url or address, key, kept) for layer in layers}
    return Basemap(name, made, datum, credit)


class TileCache:
    """Tiles of services, kept on disk for `KEPT_DAYS`, up to `MAX_KEPT`; safe to use from any thread."""

    def __init__(self, path: Path) -> None:
        self._path, self._lock = path, threading.Lock()

    def _open(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        db = sqlite3.connect(self._path, timeout=5.0)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute(
            "CREATE TABLE IF NOT EXISTS tiles (name TEXT, zoom INT, x INT, y INT, at REAL, data BLOB,"
            " PRIMARY KEY (name, zoom, x, y)) WITHOUT ROWID"
        )
        db.execute("CREATE INDEX IF NOT EXISTS tiles_at ON tiles (at)")
        return db

    def get(self, name: str, spot: tuple[int, int, int]) -> bytes | None:
        """Return a tile that was kept not too long ago."""
        with suppress(sqlite3.Error, OSError), self._lock, closing(self._open()) as db:
            found = db.execute(
                "SELECT data FROM tiles WHERE name = ? AND zoom = ? AND x = ? AND y = ? AND at > ?",
                (name, *spot, time.time() - KEPT_DAYS * 86400),
            ).fetchone()
            return None if found is None else bytes(found[0])
        return None

    def put(self, name: str, spot: tuple[int, int, int], data: bytes) -> None:
        """Keep a tile; a disk that is full or read-only only means that it is fetched again."""
        with suppress(sqlite3.Error, OSError), self._lock, closing(self._open()) as db, db:
            old = (time.time() - KEPT_DAYS * 86400,)
            db.execute("DELETE FROM tiles WHERE at < ?", old)
            values = (name, *spot, time.time(), data)
            db.execute("INSERT OR REPLACE INTO tiles VALUES (?, ?, ?, ?, ?, ?)", values)
            if _bytes_used(db) > MAX_KEPT:
                db.execute(
                    "DELETE FROM tiles WHERE at <= (SELECT max(at) FROM"
                    " (SELECT at FROM tiles ORDER BY at LIMIT ?))",
                    (_OLDEST,),
                )


def _bytes_used(db: sqlite3.Connection) -> int:
    """Return how much of a file holds something; what was deleted is used again before the file grows."""
    pages, free, size = (
        int(db.execute(f"PRAGMA {name}").fetchone()[0])
        for name in ("page_count", "freelist_count", "page_size")
    )
    return (pages - free) * size


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *given: Any, **named: Any) -> None:
        """Follow nothing: a tile lies where it was asked for, or nowhere."""
        return


@dataclass
class ServiceTiles:
    """Tiles of a map service, through the cache. Its key is in no answer, message or representation."""

    name: str
    layer: str
    address: str = field(repr=False)
    key: str = field(repr=False)
    cache: TileCache = field(repr=False)

    def get(self, zoom: int, column: int, row: int) -> bytes | None:
        """Return a tile's picture; None if the service does not give one in time."""
        spot, kept_as = (zoom, column, row), f"{self.name}/{self.layer}"
        found = self.cache.get(kept_as, spot)
        if found is None:
            found = self._fetch(spot)
            if found is not None:
                self.cache.put(kept_as, spot, found)
        return found

    def _fetch(self, spot: tuple[int, int, int]) -> bytes | None:
        zoom, column, row = spot
        url = self.address.format(z=zoom, x=column, y=row, layer=self.layer, key=self.key)
        if urlsplit(url).scheme not in ("https", "http"):
            return None
        opener = urllib.request.build_opener(_NoRedirect)
        request = urllib.request.Request(url, headers={"User-Agent": _AGENT})
        end, data = time.monotonic() + DEADLINE_S, b""
        with (
            suppress(OSError, HTTPException, ValueError),
            opener.open(request, timeout=DEADLINE_S / 2) as reply,
        ):
            while len(data) <= MAX_TILE and time.monotonic() < end:
                part = reply.read1(65536)
                if not part:
                    return data if media_type(data) else None
                data += part
        return None


def media_type(data: bytes) -> str:
    """Return what kind of picture a tile is, "" if it is none."""
    return next((kind for start, kind in _MAGIC.items() if data.startswith(start)), "")
