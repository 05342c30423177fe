"""A light map of roads, water, railways, parks and names under the sites, made once from an OSM extract.

Three levels of detail, each one small gzip file with its content's hash as name, and `basemap.json`, which says for
which zoom each is. A level is, little endian: the magic `BTV1`, a uint32 with the length of a JSON header, the header
(padded with spaces to 4 bytes), then for each of the header's layers uint32 lengths of its parts and uint16 steps from
vertex to vertex, all x and then all y, modulo 65536 and beginning at 0. Positions are web Mercator in steps (0.3 m for
a district of 20 km) from the north-west corner, y to the south; the header's `box` is that corner and the length of a
step, as shares of the world's width. An area's parts are rings to be filled by the
even-odd rule. Names are data: the browser draws them as text.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import struct
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from geo.draw.site_layer import compress, to_world
from geo.errors import SourceError
from geo.osm import (
    ATTRIBUTION,
    Bbox,
    OsmFeature,
    Progress,
    check_bbox,
    is_osm,
    no_progress,
    read_osm,
)

MAGIC = b"BTV1"
MANIFEST = "basemap.json"
STEPS = 65535
LONGEST_NAME = 60

ROADS = ("motorway", "trunk", "primary", "secondary", "tertiary", "minor")
AREAS = ("water", "green")
_ROAD_OF = {
    **{rank: rank for rank in ROADS[:5]},
    **{f"{rank}_link": rank for rank in ROADS[:5]},
    **dict.fromkeys("unclassified residential living_street pedestrian road".split(), "minor"),
}
_NAME_ORDER = (*ROADS, "river", "stream")
_PLACES = {
    "city": 0,
    "town": 0,
    "suburb": 1,
    "village": 2,
    "quarter": 2,
    "neighbourhood": 3,
    "hamlet": 3,
}


@dataclass(frozen=True, slots=True)
class Level:
    """How much a level shows: from `min_zoom` on, shapes simplified by `tolerance_m`.

    Areas below `smallest_m2` are left out; a road's name comes every `name_every_m`, written along `name_over_m` of it.
    """

    min_zoom: int
    tolerance_m: float
    layers: frozenset[str]
    smallest_m2: float
    name_every_m: float
    name_over_m: float
    places: int


_FAR = frozenset("motorway trunk primary secondary rail river water green".split())
_NEAR = _FAR | {"tertiary", "minor", "stream"}
LEVELS = (
    Level(0, 15.0, _FAR, 30_000, 3000, 700, 1),
    Level(13, 4.0, _NEAR, 2_000, 1200, 250, 2),
    Level(15, 0.8, _NEAR, 0, 450, 90, 3),
)


@dataclass(frozen=True, slots=True)
class VectorBasemap:
    """A basemap as written: its manifest, and each level's gzip bytes by file name."""

    manifest: Mapping[str, Any]
    levels: Mapping[str, bytes]

    @property
    def attribution(self) -> str:
        """What the map must say beside it."""
        return str(self.manifest["attribution"])


def write_basemap(
    path: Path,
    folder: Path,
    bbox: Bbox,
    *,
    progress: Progress = no_progress,
    cancelled: Callable[[], bool] = lambda: False,
) -> VectorBasemap:
    """Make the basemap of a box and write it, whole or not at all.

    Parameters
    ----------
    path
        An .osm.pbf or .osm file.
    folder
        Where the levels and `basemap.json` go; a basemap that was there is replaced.
    bbox
        West, south, east, north in degrees, EPSG:4326; everything is clipped to it.
    progress, cancelled
        As in `geo.osm.read_osm`.

    Raises
    ------
    SourceError
        If the file is no OSM extract, is damaged, has nothing in the box, or was cancelled; or the folder cannot be
        written to.
    """
    if not is_osm(path):
        raise SourceError(
            f"{path.name}: a basemap is made of an OSM extract; give .osm.pbf or .osm"
        )
    content = _Content(bbox)
    days: list[str] = []
    for feature in _features(path, bbox, days.append, progress, cancelled):
        content.take(feature)
    if not content.shapes:
        raise SourceError(f"{path.name} has no road, water or railway in the box; check the box")
    files: dict[str, bytes] = {}
    levels = []
    for level in LEVELS:
        data = compress(content.pack(level))
        name = f"{hashlib.blake2b(data, digest_size=8).hexdigest()}.bin"
        files[name] = data
        levels.append({"min_zoom": level.min_zoom, "file": name, "bytes": len(data)})
    progress("levels", 0.9)
    manifest = {
        "bbox": list(bbox),
        "source": path.name,
        "source_date": "".join(days),
        "attribution": ATTRIBUTION,
        "levels": levels,
    }
    _write(folder, manifest, files)
    progress("done", 1.0)
    return VectorBasemap(manifest, files)


def _features(
    path: Path,
    bbox: Bbox,
    dated: Callable[[str], object],
    progress: Progress,
    cancelled: Callable[[], bool],
) -> Iterator[OsmFeature]:
    return read_osm(
        path,
        bbox=bbox,
        nodes=("place", "railway"),
        ways=("highway", "railway", "waterway"),
        areas=("natural", "waterway", "landuse", "leisure"),
        dated=dated,
        progress=progress,
        cancelled=cancelled,
    )


# --- what is drawn ----------------------------------------------------------------------------------


def layer_of(feature: OsmFeature) -> str:
    """Return the layer a feature is drawn in, or "" if it is not."""
    tags, dimensions = feature.tags, shapely.get_dimensions(feature.geometry)
    if dimensions == 2:
        return _area_layer(tags)
    if dimensions == 0:
        return ""
    if tags.get("railway") in ("rail", "light_rail", "subway", "narrow_gauge"):
        return "" if tags.get("tunnel") == "yes" or tags.get("service") else "rail"
    if tags.get("waterway") in ("river", "canal"):
        return "river"
    if tags.get("waterway") in ("stream", "drain", "ditch"):
        return "stream"
    return "" if tags.get("area") == "yes" else _ROAD_OF.get(tags.get("highway", ""), "")


def _area_layer(tags: Mapping[str, str]) -> str:
    if tags.get("natural") in ("water", "bay") or tags.get("waterway") == "riverbank":
        return "water"
    if tags.get("landuse") in ("reservoir", "basin"):
        return "water"
    parks = ("park", "garden", "nature_reserve", "golf_course", "recreation_ground")
    green = ("grass", "forest", "meadow", "recreation_ground", "village_green", "cemetery")
    if tags.get("leisure") in parks or tags.get("landuse") in green:
        return "green"
    return "green" if tags.get("natural") in ("wood", "grassland", "scrub") else ""


@dataclass(frozen=True, slots=True)
class _Label:
    """A name of a place at a point; `rank` 0 is the most important."""

    text: str
    kind: str
    rank: int
    x: float
    y: float


class _Content:
    """Everything that is drawn, in steps of the box."""

    def __init__(self, bbox: Bbox) -> None:
        self._bbox, self._box = bbox, check_bbox(bbox)
        self._frame = _Frame(bbox)
        self.shapes: dict[str, list[shapely.Geometry]] = defaultdict(list)
        self._named: dict[tuple[str, str], list[shapely.Geometry]] = defaultdict(list)
        self._labels: list[_Label] = []

    def take(self, feature: OsmFeature) -> None:
        """Keep what is to be seen of a feature."""
        name = _name(feature.tags)
        if isinstance(feature.geometry, shapely.Point):
            self._take_point(feature.geometry, feature.tags, name)
            return
        layer = layer_of(feature)
        shape = self._clipped(feature.geometry) if layer else None
        if shape is None:
            return
        self.shapes[layer].append(shape)
        if not name or layer == "rail":
            return
        if layer in AREAS:
            size = shapely.area(shape) * self._frame.metres**2
            spot = shapely.point_on_surface(shape)
            rank = 2 if size > 100_000 else 3
            self._labels.append(_Label(name, layer, rank, spot.x, spot.y))
        else:
            self._named[layer, name].append(shape)

    def _take_point(self, point: shapely.Point, tags: Mapping[str, str], name: str) -> None:
        rank = _PLACES.get(tags.get("place", ""))
        kind = "place"
        if tags.get("railway") == "station":
            rank, kind = 1, "station"
        if rank is not None and name and shapely.intersects(self._box, point):
            x, y = shapely.get_coordinates(self._frame.to_steps(point))[0]
            self._labels.append(_Label(name, kind, rank, x, y))

    def _clipped(self, shape: shapely.Geometry) -> shapely.Geometry | None:
        """Return what of a shape lies in the box, in steps; None if nothing does."""
        dimensions = shapely.get_dimensions(shape)
        if dimensions == 2 and not shapely.is_valid(shape):
            shape = shapely.make_valid(shape, method="structure", keep_collapsed=False)
        seen = shapely.get_parts(shapely.intersection(shape, self._box))
        seen = seen[(shapely.get_dimensions(seen) == dimensions) & ~shapely.is_empty(seen)]
        if not len(seen):
            return None
        whole = shapely.MultiPolygon if dimensions == 2 else shapely.MultiLineString
        return self._frame.to_steps(whole(list(seen)))

    # One level ---------------------------------------------------------------------------------------

    def pack(self, level: Level) -> bytes:
        """Return a level's bytes, not compressed."""
        layers, body = [], []
        for name in (*AREAS, "river", "stream", "rail", *ROADS[::-1]):
            if name in level.layers and self.shapes.get(name):
                lengths, steps = _as_steps(self._parts(name, level))
                if not len(lengths):
                    continue
                layers.append([name, len(lengths), steps.shape[1]])
                body += [lengths.astype("<u4").tobytes(), steps.astype("<u2").tobytes()]
        header = {
            "bbox": list(self._bbox),
            "box": self._frame.box,
            "extent": [0, 0, *self._frame.extent],
            "layers": layers,
            "labels": self._place_names(level),
            "roads": self._road_names(level),
        }
        text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
        text += b" " * (-len(text) % 4)
        return MAGIC + struct.pack("<I", len(text)) + text + b"".join(body)

    def _parts(self, name: str, level: Level) -> Iterator[npt.NDArray[np.float64]]:
        """Give the lines or rings of a layer, n × 2 steps."""
        tolerance = level.tolerance_m / self._frame.metres
        # One area over another would be a hole by the even-odd rule: they are joined first.
        whole = (
            shapely.union_all(self.shapes[name]) if name in AREAS else _merged(self.shapes[name])
        )
        smallest = level.smallest_m2 / self._frame.metres**2
        for part in shapely.get_parts(shapely.simplify(whole, tolerance)):
            if isinstance(part, shapely.LineString):
                yield shapely.get_coordinates(part)
            elif isinstance(part, shapely.Polygon) and part.area > smallest:
                for ring in (part.exterior, *part.interiors):
                    if shapely.Polygon(ring).area > smallest:
                        yield shapely.get_coordinates(ring)

    def _place_names(self, level: Level) -> list[list[object]]:
        ranked = sorted(self._labels, key=lambda label: (label.rank, label.text, label.x))
        return [
            [label.text, label.kind, label.rank, round(label.x), round(label.y)]
            for label in ranked
            if label.rank <= level.places
        ]

    def _road_names(self, level: Level) -> list[list[object]]:
        """Return text, layer, x, y, angle and room for each place where a line's name may stand.

        The angle is in degrees clockwise from east, -90 to 90; the room in steps along the line.
        """
        metres = self._frame.metres
        every, over = level.name_every_m / metres, level.name_over_m / metres
        crossings = _Crossings(self._named)
        found: list[tuple[int, float, list[object]]] = []
        for (layer, name), shapes in self._named.items():
            for part in shapely.get_parts(_merged(shapes)) if layer in level.layers else ():
                for spot in _name_spots(part, every, over, crossings.of(part, name)):
                    x, y, angle, room = spot
                    label = [name, layer, round(x), round(y), round(angle, 1), round(room)]
                    found.append((_NAME_ORDER.index(layer), -room, label))
        return [label for _, _, label in sorted(found, key=lambda one: one[:2])]


_UNSEEN = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\uffff]"
)


def _name(tags: Mapping[str, str]) -> str:
    text = " ".join(_UNSEEN.sub(" ", tags.get("name", "")).split())
    return text if len(text) <= LONGEST_NAME else ""


def _merged(shapes: Iterable[shapely.Geometry]) -> shapely.Geometry:
    lines = [part for shape in shapes for part in shapely.get_parts(shape)]
    return shapely.line_merge(shapely.MultiLineString(lines))


class _Crossings:
    """Where along a named line the others cross it, so that its name can stand between them."""

    def __init__(self, named: Mapping[tuple[str, str], Sequence[shapely.Geometry]]) -> None:
        pairs = [(name, shape) for (_, name), shapes in named.items() for shape in shapes]
        self._names = [name for name, _ in pairs]
        self._shapes = [shape for _, shape in pairs]
        self._tree = shapely.STRtree(self._shapes)

    def of(self, line: shapely.LineString, name: str) -> npt.NDArray[np.float64]:
        """Return the distances along a line at which lines of another name meet it, in order."""
        near = [n for n in self._tree.query(line, "intersects") if self._names[n] != name]
        meetings = shapely.intersection(line, [self._shapes[n] for n in near])
        spots = shapely.points(shapely.get_coordinates(meetings))
        return np.sort(shapely.line_locate_point(line, spots))


def _name_spots(
    line: shapely.LineString, every: float, over: float, crossings: npt.NDArray[np.float64]
) -> Iterator[tuple[float, float, float, float]]:
    """Give x, y, angle and room of straight places of a line, about so far from each other, between crossings."""
    length = shapely.length(line)
    count = max(1, int(length // every))
    half = min(over, length) / 2
    for n in range(count):
        middle = _between_crossings(length * (n + 0.5) / count, half, length, crossings)
        ends = shapely.line_interpolate_point(line, [middle - half, middle + half])
        (x0, y0), (x1, y1) = shapely.get_coordinates(ends)
        if math.hypot(x1 - x0, y1 - y0) < 0.97 * 2 * half:
            continue
        angle = math.degrees(math.atan2(y1 - y0, x1 - x0))
        upright = (angle + 90) % 180 - 90
        spot = shapely.line_interpolate_point(line, middle)
        yield spot.x, spot.y, upright, 2 * min(middle, length - middle)


def _between_crossings(
    wanted: float, half: float, length: float, crossings: npt.NDArray[np.float64]
) -> float:
    """Return the place near the wanted one that is farthest from crossings: at most 1.5 name lengths off."""
    places = np.clip(wanted + half * np.linspace(-3, 3, 13), half, length - half)
    if not len(crossings):
        return float(np.clip(wanted, half, length - half))
    free = np.abs(places[:, None] - crossings).min(axis=1)
    # Beyond half a name, more room is no better than being where it was wanted.
    return float(places[np.argmax(np.minimum(free, half) - 0.01 * np.abs(places - wanted))])


class _Frame:
    """The box in steps of web Mercator."""

    def __init__(self, bbox: Bbox) -> None:
        west, south, east, north = bbox
        x, y = to_world([west, east], [north, south])
        self._low = np.array([x[0], y[0]], dtype="float64")
        self._span = np.array([x[1], y[1]], dtype="float64") - self._low
        # The same step to the east as to the south, so that shapes and angles stay what they are.
        self._step = float(self._span.max()) / STEPS
        self.box = [self._low[0] / 2**32, self._low[1] / 2**32, self._step / 2**32]
        """West and north edge and the length of a step, as shares of the world's width."""
        self.extent = [round(side / self._step) for side in self._span]
        """Width and height of the box, in steps."""
        world_m = 40_075_016.7 * math.cos(math.radians((south + north) / 2))
        self.metres = self._step / 2**32 * world_m
        """Metres of a step on the ground."""

    def to_steps(self, shape: shapely.Geometry) -> Any:
        return shapely.transform(shape, self._steps)

    def _steps(self, lonlat: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        x, y = to_world(lonlat[:, 0], lonlat[:, 1])
        return (np.column_stack([x, y]).astype("float64") - self._low) / self._step


def _as_steps(
    parts: Iterable[npt.NDArray[np.float64]],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the parts' lengths, and 2 × n steps from vertex to vertex over all of them, modulo 65536."""
    whole = [_without_repeats(np.clip(np.rint(part), 0, STEPS).astype("i8")) for part in parts]
    whole = [part for part in whole if len(part) > 1]
    lengths = np.array([len(part) for part in whole], dtype="i8")
    vertices = np.concatenate([np.zeros((1, 2), "i8"), *whole])
    return lengths, np.diff(vertices, axis=0).T % 65536


def _without_repeats(vertices: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    fresh = np.ones(len(vertices), dtype=bool)
    fresh[1:] = (np.diff(vertices, axis=0) != 0).any(axis=1)
    return vertices[fresh]


# --- the folder -------------------------------------------------------------------------------------


def _write(folder: Path, manifest: Mapping[str, Any], files: Mapping[str, bytes]) -> None:
    """Write the levels, then the manifest that names them, then remove levels nobody names."""
    text = json.dumps(manifest, ensure_ascii=False, indent=1).encode()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in (*files.items(), (MANIFEST, text)):
            _write_whole(folder / name, data)
        for old in folder.glob("*.bin"):
            if old.name not in files and _LEVEL_NAME.fullmatch(old.name):
                old.unlink()
    except OSError as error:
        raise SourceError(f"the basemap cannot be written: {error.strerror}") from error


def _write_whole(path: Path, data: bytes) -> None:
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as file:
        try:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            os.replace(file.name, path)
        except OSError:
            Path(file.name).unlink(missing_ok=True)
            raise


_LEVEL_NAME = re.compile(r"[0-9a-f]{16}\.bin")


def read_basemap(folder: Path) -> VectorBasemap | None:
    """Return the basemap of a folder, or None if there is none; kept until it changes.

    Raises
    ------
    SourceError
        If it is damaged.
    """
    try:
        stat = (folder / MANIFEST).stat()
    except OSError:
        return None
    return _read_basemap(folder, (stat.st_mtime_ns, stat.st_size))


@lru_cache(maxsize=2)
def _read_basemap(folder: Path, _stamp: tuple[int, int]) -> VectorBasemap:
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
        names: Sequence[str] = [level["file"] for level in manifest["levels"]]
        if not all(_LEVEL_NAME.fullmatch(name) for name in names) or "attribution" not in manifest:
            raise ValueError("no basemap of ours")
        levels = {name: (folder / name).read_bytes() for name in names}
        for name, data in levels.items():
            if hashlib.blake2b(data, digest_size=8).hexdigest() + ".bin" != name:
                raise ValueError(f"{name} is not what it was")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SourceError(f"the basemap in {folder.name} is damaged; build it again") from error
    return VectorBasemap(manifest, levels)
