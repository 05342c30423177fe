"""The file a built gazetteer is kept in, and how its rows stand beside the office's own."""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import shapely

from geo.errors import SchemaError, SourceError
from geo.locate.gazetteer import KINDS, Place, read_gazetteer
from geo.locate.layers import check_content
from geo.locate.names import HOME, normalise_name
from geo.locate.stretch import Plane
from geo.osm import Bbox
from geo.site import PRECISIONS, RowProblem

FILE_NAME = "gazetteer.gpkg"
SAME_SPOT_M = 200.0
"""A built place this near to the office's own of its name is the same one."""


@dataclass(frozen=True, slots=True)
class BuiltRow:
    """A row of the gazetteer and the features of the source it was made of (way/123 ...)."""

    place: Place
    source_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BuiltGazetteer:
    """Roads and places of one source.

    `counts` says what became of every feature read: `read` is the sum of `roads` and `places` (features used),
    `unnamed`, `other` (named, but no road and no place), `outside` and `problems`.
    """

    rows: tuple[BuiltRow, ...]
    source: str
    source_date: str
    attribution: str
    bbox: Bbox
    datum: str
    counts: Mapping[str, int]
    problems: tuple[RowProblem, ...] = ()

    @property
    def places(self) -> tuple[Place, ...]:
        """The rows as `geo.locate.Gazetteer` takes them."""
        return tuple(row.place for row in self.rows)


_COLUMNS = (
    "place_id name kind precision uncertainty_m aliases street raw_x raw_y raw_datum source note "
    "source_ids"
).split()
_NUMBERS = ("uncertainty_m", "raw_x", "raw_y")


def write_gazetteer(built: BuiltGazetteer, folder: Path) -> Path:
    """Write a built gazetteer as `gazetteer.gpkg` (layers roads, places, meta), whole or not at all.

    Returns
    -------
    path
        The file; one that was there is replaced in one step.

    Raises
    ------
    SourceError
        If the folder cannot be written to.
    """
    path = folder / FILE_NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".building-", dir=folder) as work:
            draft = Path(work) / FILE_NAME
            _write_layers(built, draft)
            with draft.open("rb") as file:
                os.fsync(file.fileno())
            os.replace(draft, path)
    except (OSError, RuntimeError) as error:
        raise SourceError(f"{FILE_NAME} cannot be written: {error}") from error
    return path


def _write_layers(built: BuiltGazetteer, path: Path) -> None:
    import geopandas as gpd
    import pandas as pd
    import pyogrio

    for layer, is_road in (("roads", True), ("places", False)):
        rows = [_as_cells(row) for row in built.rows if (row.place.kind == "road") is is_road]
        shapes = [r.place.geometry for r in built.rows if (r.place.kind == "road") is is_road]
        # A column of nothing but missing numbers would be written as text.
        table = pd.DataFrame(rows, columns=_COLUMNS).astype(dict.fromkeys(_NUMBERS, "float64"))
        frame = gpd.GeoDataFrame(table, geometry=shapes, crs="EPSG:4326")
        kind = "MultiLineString" if is_road else "Unknown"
        pyogrio.write_dataframe(
            frame,
            path,
            layer=layer,
            geometry_type=kind,
            promote_to_multi=is_road,
            append=not is_road,
        )
    meta = {
        "source": built.source,
        "source_date": built.source_date,
        "attribution": built.attribution,
        "bbox": list(built.bbox),
        "datum": built.datum,
        "counts": dict(built.counts),
        "problems": [problem.as_dict() for problem in built.problems],
    }
    said = pd.DataFrame({"key": list(meta), "value": [_json(v) for v in meta.values()]})
    pyogrio.write_dataframe(said, path, layer="meta", append=True)


def _as_cells(row: BuiltRow) -> list[object]:
    place = row.place
    plain = {name: getattr(place, name, None) for name in _COLUMNS}
    plain |= {"aliases": _json(list(place.aliases)), "source_ids": _json(list(row.source_ids))}
    plain["precision"] = str(place.precision)
    return [plain[name] for name in _COLUMNS]


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def read_built(path: Path) -> BuiltGazetteer:
    """Return what `write_gazetteer` wrote; kept until the file changes.

    Parameters
    ----------
    path
        The file, or the folder it is in.

    Raises
    ------
    SourceError
        If there is no such file or it is damaged.
    SchemaError
        If it is a GeoPackage of something else.
    """
    path = path / FILE_NAME if path.is_dir() else path
    if not path.is_file():
        raise SourceError(f"there is no {path.name}; build it first")
    return _read_built(path, _stamp(path))


@lru_cache(maxsize=4)
def _read_built(path: Path, _at: tuple[int, int]) -> BuiltGazetteer:
    import pyogrio

    check_content(path)
    try:
        layers = {str(name) for name, _ in pyogrio.list_layers(path)}
        if missing := {"roads", "places", "meta"} - layers:
            raise SchemaError(path.name, [f"layer {name} is missing" for name in sorted(missing)])
        frames = [pyogrio.read_dataframe(path, layer=layer) for layer in ("roads", "places")]
        meta = pyogrio.read_dataframe(path, layer="meta")
        said = {
            key: json.loads(value) for key, value in zip(meta["key"], meta["value"], strict=True)
        }
        rows = [row for frame in frames for row in _rows_of(frame, path.name)]
        return BuiltGazetteer(
            rows=tuple(rows),
            source=said["source"],
            source_date=said["source_date"],
            attribution=said["attribution"],
            bbox=tuple(said["bbox"]),
            datum=said["datum"],
            counts=said["counts"],
            problems=tuple(RowProblem(**problem) for problem in said["problems"]),
        )
    except SchemaError:
        raise
    except (RuntimeError, KeyError, TypeError, ValueError) as error:
        raise SourceError(f"{path.name} is damaged; build it again") from error


def _rows_of(frame: Any, file: str) -> Iterator[BuiltRow]:
    if missing := [name for name in _COLUMNS if name not in frame.columns]:
        raise SchemaError(file, [f"column {name} is missing" for name in missing])
    columns = [frame[name].tolist() for name in _COLUMNS]
    for cells, shape in zip(zip(*columns, strict=True), frame.geometry, strict=True):
        cell: dict[str, Any] = dict(zip(_COLUMNS, cells, strict=True))
        if cell["kind"] not in KINDS or cell["precision"] not in PRECISIONS:
            raise SchemaError(file, [f"{cell['place_id']}: kind or precision is not known"])
        ids = tuple(json.loads(cell.pop("source_ids")))
        cell["aliases"] = tuple(json.loads(cell["aliases"]))
        for name in ("street", "raw_datum", "source", "note"):
            cell[name] = cell[name] or ""
        for name in _NUMBERS:
            cell[name] = None if math.isnan(cell[name]) else cell[name]
        yield BuiltRow(Place(**cell, geometry=_single(shape)), ids)


def _single(shape: shapely.Geometry) -> shapely.Geometry:
    """Return a road of one part as that part."""
    parts = shapely.get_parts(shape)
    return parts[0] if len(parts) == 1 and shapely.get_type_id(shape) == 5 else shape


# --- beside the office's own rows -------------------------------------------------------------------


def with_built(
    own: Iterable[Place], built: Iterable[Place], *, home: Sequence[str] = HOME
) -> tuple[Place, ...]:
    """Return the office's own rows and the built ones as one list for `geo.locate.Gazetteer`.

    Parameters
    ----------
    own
        As from `read_gazetteer`. A row of today that has no coordinate, or only a sketch, gives way to a built one of
        its name and kind, which takes over its aliases, subdistrict, dates and note. One with a coordinate stays, and
        a built one of its name and kind is left out if it is as near as both are exact (at least 200 m).
    built
        As from `BuiltGazetteer.places`.
    home
        Official names that make no difference in front of a name.
    """
    own = tuple(own)
    by_name: dict[tuple[str, str], list[Place]] = defaultdict(list)
    for place in own:
        if place.valid_to is None:
            for name in {normalise_name(n, home=home) for n in (place.name, *place.aliases)}:
                by_name[place.kind, name].append(place)
    replaced: set[str] = set()
    added = []
    for place in built:
        mine = by_name.get((place.kind, normalise_name(place.name, home=home)), [])
        if any(_same_spot(place, other) for other in mine):
            continue
        gaps = [other for other in mine if other.geometry is None or other.sketch]
        replaced |= {other.place_id for other in gaps}
        added.append(_taking_over(place, gaps))
    return (*(place for place in own if place.place_id not in replaced), *added)


def _same_spot(place: Place, own: Place) -> bool:
    if own.geometry is None or own.sketch or place.geometry is None:
        return False
    plane = Plane(own.geometry)
    apart = shapely.distance(plane.flat(own.geometry), plane.flat(place.geometry))
    within = (own.uncertainty_m or 0) + (place.uncertainty_m or 0)
    return bool(apart <= max(SAME_SPOT_M, within))


def _taking_over(place: Place, gaps: Sequence[Place]) -> Place:
    if not gaps:
        return place
    names = [*place.aliases, *(n for gap in gaps for n in (gap.name, *gap.aliases))]
    return replace(
        place,
        aliases=tuple(dict.fromkeys(name for name in names if name != place.name)),
        street=place.street or gaps[0].street,
        valid_from=gaps[0].valid_from,
    )


def read_places(own: Path, built: Path, *, home: Sequence[str] = HOME) -> tuple[Place, ...]:
    """Return the rows of the office's own file and, where there is one, of a built one; see `with_built`.

    The same tuple is given again until one of the files changes.

    Parameters
    ----------
    own
        A CSV file as for `read_gazetteer`.
    built
        The file or folder `write_gazetteer` wrote; nothing there is no fault.
    home
        Official names that make no difference in front of a name.

    Raises
    ------
    SourceError, SchemaError
        As `read_gazetteer` and `read_built`.
    """
    file = built / FILE_NAME if built.is_dir() else built
    rows = read_gazetteer(own)
    if not file.is_file():
        return rows
    read_built(file)
    return _joined(own, file, tuple(home), _stamp(own), _stamp(file))


def _stamp(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return stat.st_mtime_ns, stat.st_size


@lru_cache(maxsize=2)
def _joined(own: Path, built: Path, home: tuple[str, ...], *_stamps: object) -> tuple[Place, ...]:
    return with_built(read_gazetteer(own), read_built(built).places, home=home)
