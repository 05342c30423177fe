"""OpenStreetMap extracts (.osm.pbf, .osm) as a stream of features inside a box.

Shared by the gazetteer and the basemap. A child process (`geo.osm_child`) parses the file: it reads it twice as
a stream and keeps 16 bytes for each of its nodes meanwhile, on disk for a large file.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import IO, Any

import shapely

from geo.errors import SourceError

ATTRIBUTION = "© OpenStreetMap contributors, ODbL 1.0"
ENDINGS = {".pbf": "pbf", ".osm": "osm"}

Bbox = tuple[float, float, float, float]
"""West, south, east, north in degrees, EPSG:4326."""
Progress = Callable[[str, float], None]
"""Told a stage in words and how much is done, 0 to 1."""

_ROOT = Path(__file__).resolve().parent.parent
_KEPT = ("SYSTEMROOT", "WINDIR", "PATH", "LD_LIBRARY_PATH", "TMPDIR", "TEMP", "TMP")
_LOOK_EVERY_S = 0.2
_LINES_AHEAD = 5000
_SHAPES = frozenset({1, 2, 5, 6})
"""Points, lines, several lines, several areas, as WKB numbers them."""


@dataclass(frozen=True, slots=True)
class OsmFeature:
    """A node, way or area: `source_id` such as way/123, its tags, its shape (EPSG:4326, lon-lat).

    A way is a LineString, or a MultiLineString where the extract lacks nodes between; an area is a MultiPolygon.
    """

    source_id: str
    tags: dict[str, str]
    geometry: shapely.Geometry


def is_osm(path: Path) -> bool:
    """Return whether a file is an OSM extract by its ending."""
    return path.suffix.lower() in ENDINGS


def no_progress(_stage: str, _share: float) -> None:
    """Take note of nothing."""


def check_bbox(bbox: Bbox) -> shapely.Polygon:
    """Return a box as a shape (EPSG:4326).

    Raises
    ------
    SourceError
        If it is not west, south, east, north in degrees.
    """
    west, south, east, north = bbox
    if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
        raise SourceError(
            f"the box {', '.join(f'{v:g}' for v in bbox)} is none; "
            "give west, south, east, north in degrees, such as 123.13,41.22,123.24,41.30"
        )
    return shapely.box(*bbox)


def read_osm(
    path: Path,
    *,
    bbox: Bbox,
    nodes: Collection[str] = (),
    ways: Collection[str] = (),
    areas: Collection[str] = (),
    dated: Callable[[str], object] = str,
    progress: Progress = no_progress,
    cancelled: Callable[[], bool] = lambda: False,
) -> Iterator[OsmFeature]:
    """Give the features of an extract that touch a box, whole, in the order of the file.

    Parameters
    ----------
    path
        An .osm.pbf or .osm file with its nodes before its ways, as every download has them.
    bbox
        West, south, east, north in degrees, EPSG:4326.
    nodes, ways, areas
        Keys a feature needs one of to be given as a node, as a line, as an area. A closed way may come as both.
    dated
        Told the day the extract says it speaks of, as ISO text, or "".
    progress
        Told the stage.
    cancelled
        Asked several times a second; once it says True the child is ended.

    Raises
    ------
    SourceError
        If the file is none, is damaged, is in another order, or was cancelled.
    """
    check_bbox(bbox)
    job = {
        "bbox": list(bbox),
        "nodes": sorted(nodes),
        "ways": sorted(ways),
        "areas": sorted(areas),
    }
    for message in _messages(path, job, cancelled):
        if "date" in message:
            dated(str(message["date"]))
        elif "stage" in message:
            progress(*message["stage"])
        elif "wkb" in message:
            yield _feature(path, message)
        elif message.get("unordered"):
            raise SourceError(
                f"{path.name} has ways without their nodes before them; "
                "sort it (osmium sort) or download it again as .osm.pbf"
            )


def _feature(path: Path, message: Mapping[str, Any]) -> OsmFeature:
    """Return a feature from the child's words; the child may have been taken over."""
    try:
        wkb = bytes.fromhex(message["wkb"])
        if wkb[0] != 1 or int.from_bytes(wkb[1:5], "little") not in _SHAPES:
            raise ValueError("no shape of ours")
        tags = {str(key): str(value) for key, value in message["tags"].items()}
        return OsmFeature(str(message["id"]), tags, shapely.from_wkb(wkb))
    except (ValueError, KeyError, IndexError, AttributeError, shapely.errors.ShapelyError) as error:
        raise _damaged(path) from error


# --- the child ----------------------------------------------------------------------------------------


def _messages(
    path: Path, job: Mapping[str, Any], cancelled: Callable[[], bool]
) -> Iterator[dict[str, Any]]:
    """Give what a child says of a file, up to its last word."""
    if not path.is_file():
        raise SourceError(f"there is no file {path.name}")
    if not is_osm(path):
        raise SourceError(f"{path.name} is no OSM extract; give an .osm.pbf or .osm file")
    # A real path and a stated format: the library would take some names for addresses to download.
    whole = {**job, "path": str(path.resolve()), "format": ENDINGS[path.suffix.lower()]}
    with _child(json.dumps(whole).encode()) as lines:
        while True:
            if cancelled():
                raise SourceError(f"{path.name}: stopped")
            try:
                line = lines.get(timeout=_LOOK_EVERY_S)
            except queue.Empty:
                continue
            message = _read_line(path, line)
            yield message
            if message.get("done"):
                return


def _read_line(path: Path, line: bytes | None) -> dict[str, Any]:
    """Return a message; a child that ended without its last word was killed by the file."""
    try:
        message = json.loads(line) if line else None
    except ValueError:
        message = None
    if not isinstance(message, dict) or message.get("damaged"):
        raise _damaged(path)
    return message


@contextmanager
def _child(job: bytes) -> Iterator[queue.Queue[bytes | None]]:
    """Start a child with a job; gives the lines it writes and None at its end. It never outlives the block."""
    child = subprocess.Popen(
        [sys.executable, "-m", "geo.osm_child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=_ROOT,
        env={name: os.environ[name] for name in _KEPT if name in os.environ},
    )
    if child.stdin is None or child.stdout is None:
        raise RuntimeError("the child has no pipes")
    lines: queue.Queue[bytes | None] = queue.Queue(_LINES_AHEAD)
    over = threading.Event()
    reader = threading.Thread(target=_collect, args=(child.stdout, lines, over), daemon=True)
    reader.start()
    try:
        with child.stdin as stdin:
            stdin.write(job)
        yield lines
    finally:
        over.set()
        child.kill()
        child.wait()
        reader.join()
        child.stdout.close()


def _collect(stdout: IO[bytes], lines: queue.Queue[bytes | None], over: threading.Event) -> None:
    """Put the child's lines where they wait their turn, then None; stop when nobody wants more."""
    for line in chain(stdout, (None,)):
        while not over.is_set():
            try:
                lines.put(line, timeout=_LOOK_EVERY_S)
                break
            except queue.Full:
                continue
        if over.is_set():
            return


def _damaged(path: Path) -> SourceError:
    return SourceError(
        f"{path.name} is damaged or no OSM extract; download it again (.osm.pbf or .osm)"
    )
