"""Parsing an OSM extract in a process of its own: started by `geo.osm`, never imported by the app.

The library that reads extracts is fast because it trusts its input: about one damaged file in twenty ends the
process. Here that costs nothing but this process.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import osmium
import osmium.filter
import shapely

_Entity = osmium.osm.Node | osmium.osm.Way | osmium.osm.Area

_ON_DISK_ABOVE = 100_000_000  # bytes of a file whose node positions no longer belong in memory
_STAGES = {"Node": ("nodes", 0.1), "Way": ("ways", 0.4), "Area": ("areas", 0.6)}
_MEMORY_FLOOR = 3_000_000_000


def main() -> None:
    """Do the job that stands in the standard input; write what comes of it line by line, as JSON."""
    with os.fdopen(os.dup(1), "wb") as out:
        os.dup2(2, 1)
        job = json.loads(sys.stdin.buffer.read())
        _bind(Path(job["path"]))

        def send(message: Mapping[str, Any]) -> None:
            out.write(json.dumps(message).encode() + b"\n")

        try:
            _work(job, send)
        # UnicodeDecodeError and InvalidLocationError are among the things a damaged file raises.
        except (RuntimeError, ValueError, OSError, MemoryError):
            send({"damaged": True})
        out.flush()
    os._exit(0)


def _work(job: Mapping[str, Any], send: Any) -> None:
    file = osmium.io.File(job["path"], job["format"])
    with osmium.io.Reader(file, osmium.osm.NOTHING) as source:
        header = source.header()
    stamp = header.get("osmosis_replication_timestamp") or header.get("timestamp")
    send({"date": stamp[:10]})
    keys = {name: set(job[name]) for name in ("nodes", "ways", "areas")}
    reader = _Reader(file, Path(job["path"]), job["bbox"], **keys)
    stages = dict(_STAGES)
    with tempfile.TemporaryDirectory(prefix="baita-osm-") as folder:
        for entity in reader.entities(Path(folder)):
            if (stage := stages.pop(type(entity).__name__, None)) is not None:
                send({"stage": stage})
            if (feature := reader.feature(entity)) is not None:
                send(feature)
    send({"done": True, "unordered": reader.is_unordered()})


def _bind(path: Path) -> None:
    """Take away from this process what it does not need."""
    with suppress(AttributeError, OSError):
        os.nice(10)
    with suppress(ImportError, OSError, ValueError):
        import resource

        # Positions of nodes in a file on disk are addresses too: some three times the extract's size.
        most = _MEMORY_FLOOR + 6 * path.stat().st_size
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


class _Reader:
    """Turns what the library gives into features."""

    def __init__(
        self,
        file: osmium.io.File,
        path: Path,
        bbox: list[float],
        *,
        nodes: set[str],
        ways: set[str],
        areas: set[str],
    ) -> None:
        self._file, self._path, self._bbox = file, path, bbox
        self._nodes, self._ways, self._areas = nodes, ways, areas
        self._factory = osmium.geom.WKBFactory()
        self._lines = self._lines_without_nodes = 0

    def entities(self, folder: Path) -> Iterator[object]:
        large = self._path.stat().st_size > _ON_DISK_ABOVE
        index = f"sparse_file_array,{folder / 'nodes'}" if large else "flex_mem"
        processor = osmium.FileProcessor(self._file).with_locations(index)
        if self._areas:
            processor.with_areas(osmium.filter.KeyFilter(*sorted(self._areas)))
        keys = sorted(self._nodes | self._ways | self._areas)
        yield from processor.with_filter(osmium.filter.KeyFilter(*keys))

    def feature(self, entity: object) -> dict[str, Any] | None:
        if isinstance(entity, osmium.osm.Node):
            return self._node(entity)
        if isinstance(entity, osmium.osm.Way):
            return self._way(entity)
        return self._area(entity) if isinstance(entity, osmium.osm.Area) else None

    def _node(self, node: osmium.osm.Node) -> dict[str, Any] | None:
        if not _tagged(node, self._nodes) or not node.location.valid():
            return None
        point = shapely.Point(node.location.lon, node.location.lat)
        return self._inside(f"node/{node.id}", node, point)

    def _way(self, way: osmium.osm.Way) -> dict[str, Any] | None:
        if not _tagged(way, self._ways):
            return None
        self._lines += 1
        line: shapely.Geometry | None
        try:
            line = shapely.from_wkb(self._factory.create_linestring(way))
        except (RuntimeError, osmium.InvalidLocationError):
            line = _known_parts(way)
            self._lines_without_nodes += line is None
        return None if line is None else self._inside(f"way/{way.id}", way, line)

    def _area(self, area: osmium.osm.Area) -> dict[str, Any] | None:
        if not _tagged(area, self._areas):
            return None
        source = f"{'way' if area.from_way() else 'relation'}/{area.orig_id()}"
        try:
            shape = shapely.from_wkb(self._factory.create_multipolygon(area))
        except (RuntimeError, osmium.InvalidLocationError):
            return None  # rings that do not close: the extract's edge cut them
        return self._inside(source, area, shape)

    def _inside(
        self, source_id: str, entity: _Entity, shape: shapely.Geometry
    ) -> dict[str, Any] | None:
        west, south, east, north = shapely.bounds(shape)
        box = self._bbox
        if west > box[2] or east < box[0] or south > box[3] or north < box[1]:
            return None
        tags = {tag.k: tag.v for tag in entity.tags}
        return {"id": source_id, "tags": tags, "wkb": shapely.to_wkb(shape, hex=True, byte_order=1)}

    def is_unordered(self) -> bool:
        """Return whether all ways lack their nodes: in the file they come first."""
        return self._lines > 0 and self._lines == self._lines_without_nodes


def _tagged(entity: _Entity, keys: set[str]) -> bool:
    return any(tag.k in keys for tag in entity.tags)


def _known_parts(way: osmium.osm.Way) -> shapely.Geometry | None:
    """Return what is known of a way that lacks nodes, None if no two neighbours are known."""
    steps = [
        shapely.LineString([(one.lon, one.lat), (other.lon, other.lat)])
        for one, other in pairwise(way.nodes)
        if one.location.valid() and other.location.valid() and one.location != other.location
    ]
    return shapely.line_merge(shapely.MultiLineString(steps)) if steps else None


if __name__ == "__main__":
    main()
