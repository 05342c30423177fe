"""GIS layers and tables (.gpkg, .shp, .geojson, .csv) of roads and places, one feature after the other, in WGS84.

What the coordinates are in is what a person says, else what the file says; it is never guessed. GDAL only gets files
whose content is what their ending says.
"""

from __future__ import annotations

import csv
import io
import json
import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from geo.errors import DatumError, SourceError
from geo.locate.datum import parse_datum, to_wgs84
from geo.locate.features import LONGEST_NAME, Found, Left, class_by_name, clean_name, split_names
from geo.osm import Progress
from geo.site import Precision, RowProblem

_LARGEST_TEXT = 300_000_000  # bytes of a GeoJSON or CSV file, which is read at once
_CHUNK = 20_000  # features of a layer in memory at a time


@dataclass(frozen=True, slots=True)
class LayerFields:
    """Which fields of a GIS layer or CSV hold what; "" looks for the usual names (`USUAL`)."""

    name: str = ""
    aliases: str = ""
    source_id: str = ""
    lon: str = ""
    lat: str = ""


USUAL: Mapping[str, tuple[str, ...]] = {
    "name": tuple("名称 道路名称 路名 街道名称 地名 name road_name roadname mc dlmc".split()),
    "aliases": tuple("别名 曾用名 旧名 aliases alias alt_name old_name".split()),
    "source_id": tuple("编号 代码 id osm_id place_id objectid fid".split()),
    "lon": tuple("经度 lon lng longitude x".split()),
    "lat": tuple("纬度 lat latitude y".split()),
}


class Layers:
    """The features of a .gpkg, .shp, .geojson or .csv file, in WGS84."""

    def __init__(
        self, path: Path, fields: LayerFields, layer: str, datum: str, encoding: str
    ) -> None:
        if not path.is_file():
            raise SourceError(f"there is no file {path.name}")
        self._path, self._fields, self._layer = path, fields, layer
        self._encoding = encoding
        self._stated = parse_datum(datum) if datum else ""
        self.datum = self._stated
        readers = {
            ".gpkg": self._gdal,
            ".shp": self._gdal,
            ".geojson": self._geojson,
            ".json": self._geojson,
            ".csv": self._csv,
        }
        if path.suffix.lower() not in readers:
            raise SourceError(
                f"{path.name}: give an .osm.pbf, .osm, .gpkg, .shp, .geojson or .csv file"
            )
        check_content(path)
        self._chunks = list(readers[path.suffix.lower()]())

    def features(
        self, progress: Progress, cancelled: Callable[[], bool]
    ) -> Iterator[Found | Left | RowProblem]:
        """Give what each feature is, in the order of the file.

        Raises
        ------
        SourceError
            If `cancelled` says so.
        """
        for number, chunk in enumerate(self._chunks):
            if cancelled():
                raise SourceError(f"{self._path.name}: stopped")
            progress("features", 0.9 * number / len(self._chunks))
            yield from self._sorted(*chunk())

    def _sorted(
        self, rows: Sequence[_Raw], faults: Sequence[RowProblem], datum: str
    ) -> Iterator[Found | Left | RowProblem]:
        yield from faults
        for row, shape in zip(rows, _in_wgs84([r.geometry for r in rows], datum), strict=True):
            name = clean_name(row.name)
            if not name:
                yield Left("unnamed")
            elif len(name) > LONGEST_NAME:
                yield self._problem(row, f"its name is longer than {LONGEST_NAME} characters")
            elif isinstance(shape, str):
                yield self._problem(row, shape)
            else:
                yield _layer_class(row, name, shape)

    def _problem(self, row: _Raw, what: str) -> RowProblem:
        return RowProblem(self._path.name, row.where, what)

    # Where the coordinates are -----------------------------------------------------------------------

    def _datum_of(self, crs: str | None, where: str) -> str:
        """Return the datum of a layer: what a person said, else what the file says."""
        if self._stated:
            return self._stated
        if not crs:
            raise DatumError(
                f"{where} does not say what its coordinates are in; say it (datum): WGS84, CGCS2000, GCJ-02 "
                "(高德, 腾讯), BD-09 (百度) or an EPSG code"
            )
        self.datum = datum = _datum_of_crs(crs, where)
        return datum

    # One reader for each kind of file -----------------------------------------------------------------

    def _gdal(self) -> Iterator[_Chunk]:
        import pyogrio

        path = self._path
        try:
            titles = [str(t) for t, kind in pyogrio.list_layers(path) if kind is not None]
            wanted = [self._layer] if self._layer else titles
            if not set(wanted) <= set(titles):
                raise SourceError(f"{path.name} has no such layer; it has {', '.join(titles)}")
            for title in wanted:
                encoding = self._encoding or _shp_encoding(path)
                info = pyogrio.read_info(
                    path, layer=title, encoding=encoding, force_feature_count=True
                )
                names = self._columns([str(f) for f in info["fields"]], f"{path.name}, {title}")
                datum = self._datum_of(info["crs"], f"{path.name}, layer {title}")
                for start in range(0, info["features"], _CHUNK):
                    yield _GdalChunk(path, title, encoding, names, start, datum)
        except (RuntimeError, ValueError) as error:
            if isinstance(error, DatumError):
                raise
            raise SourceError(f"{path.name} is damaged; export it again") from error

    def _geojson(self) -> Iterator[_Chunk]:
        whole = _load_json(self._path)
        stated = whole.get("crs")
        properties = stated.get("properties") if isinstance(stated, dict) else None
        crs = str(properties.get("name", "")) if isinstance(properties, dict) else ""
        datum = self._datum_of(crs, self._path.name)
        features = whole["features"]
        keys = dict.fromkeys(k for f in features[:1000] for k in (_properties(f) or ()))
        names = self._columns(list(keys), self._path.name)
        for start in range(0, len(features), _CHUNK):
            yield _JsonChunk(self._path.name, features[start : start + _CHUNK], names, start, datum)

    def _csv(self) -> Iterator[_Chunk]:
        datum = self._datum_of("", self._path.name)
        try:
            text = self._path.read_bytes().decode(self._encoding or "utf-8-sig")
        except (UnicodeDecodeError, LookupError) as error:
            raise SourceError(
                f"{self._path.name} is not {self._encoding or 'UTF-8'}; say its encoding, such as gb18030"
            ) from error
        table = csv.DictReader(io.StringIO(text, newline=""))
        header = [name for name in table.fieldnames or () if name]
        names = self._columns(header, self._path.name)
        wkt = next((name for name in header if name.casefold() == "wkt"), "")
        if not wkt and not ("lon" in names and "lat" in names):
            raise SourceError(
                f"{self._path.name} has neither wkt nor lon and lat; its columns are {', '.join(header)}"
            )
        yield _CsvChunk(self._path.name, table, names, wkt, datum)

    def _columns(self, present: Sequence[str], where: str) -> dict[str, str]:
        """Return which of the present fields is the name, the aliases ..., by what it holds."""
        known = {name.casefold(): name for name in present}
        found = {}
        for what, said in asdict(self._fields).items():
            if said and said not in present:
                raise SourceError(f"{where} has no field {said}; it has {', '.join(present)}")
            usual = (known[word] for word in USUAL[what] if word in known)
            if column := said or next(usual, ""):
                found[what] = column
        if "name" not in found:
            raise SourceError(
                f"{where} has no field with names that is known; say which it is: {', '.join(present)}"
            )
        return found


@dataclass(frozen=True, slots=True)
class _Raw:
    """A feature as its file has it; `where` is its place in the file."""

    name: object
    aliases: object
    source_id: str
    where: str
    geometry: shapely.Geometry | None


_Chunk = Callable[[], tuple[list[_Raw], list[RowProblem], str]]


_LINES, _SPOTS = frozenset({1, 5}), frozenset({0, 3, 6})
"""Lines and several lines; points, areas and several areas, as GEOS numbers them."""


def _layer_class(row: _Raw, name: str, shape: shapely.Geometry) -> Found | Left:
    aliases = tuple(alias for alias in split_names(row.aliases) if alias != name)
    shape_type = shapely.get_type_id(shape)
    if shape_type in _LINES:
        return Found("road", Precision.ROAD, name, shape, row.source_id, aliases)
    if shape_type not in _SPOTS:
        return Left("other")
    kind, precision = class_by_name(name)
    point = row.geometry if isinstance(row.geometry, shapely.Point) else None
    raw = None if point is None else (point.x, point.y)
    return Found(kind, precision, name, shape, row.source_id, aliases, raw)


def _in_wgs84(shapes: Sequence[shapely.Geometry | None], datum: str) -> list[Any]:
    """Return shapes in EPSG:4326, or in words why one cannot be."""
    usable = [shape is not None and _is_finite(shape) for shape in shapes]
    answers: list[Any] = ["it has no shape, or one with a coordinate that is no number"] * len(
        shapes
    )
    where = [n for n, good in enumerate(usable) if good]
    try:
        moved = _moved(np.array([shapes[n] for n in where], dtype=object), datum)
        for n, shape in zip(where, moved, strict=True):
            answers[n] = shape
    except DatumError:
        for n in where:
            answers[n] = _moved_or_why(shapes[n], datum)
    return answers


def _is_finite(shape: shapely.Geometry) -> bool:
    return not shapely.is_empty(shape) and bool(np.isfinite(shapely.get_coordinates(shape)).all())


def _moved(shape: Any, datum: str) -> Any:
    return shapely.transform(
        shapely.force_2d(shape), lambda xy: np.column_stack(to_wgs84(xy[:, 0], xy[:, 1], datum))
    )


def _moved_or_why(shape: shapely.Geometry | None, datum: str) -> Any:
    try:
        return _moved(shape, datum)
    except DatumError as error:
        return str(error)


def _datum_of_crs(crs: str, where: str) -> str:
    import pyproj

    try:
        known = pyproj.CRS.from_user_input(crs)
    except pyproj.exceptions.CRSError as error:
        raise DatumError(
            f"{where} names a coordinate system nobody knows; say it (datum)"
        ) from error
    if known.name == "WGS 84 (CRS84)":
        return "wgs84"
    code = known.to_epsg()
    if code is None:
        raise DatumError(f"{where} is in {known.name}, which has no EPSG code; say it (datum)")
    return parse_datum(f"epsg:{code}")


@dataclass(frozen=True, slots=True)
class _GdalChunk:
    """Some features of a layer that GDAL reads, when called."""

    path: Path
    title: str
    encoding: str | None
    names: Mapping[str, str]
    start: int
    datum: str

    def __call__(self) -> tuple[list[_Raw], list[RowProblem], str]:
        from pyogrio.raw import read

        try:
            meta, fids, wkb, columns = read(
                self.path,
                layer=self.title,
                encoding=self.encoding,
                columns=sorted(set(self.names.values())),
                skip_features=self.start,
                max_features=_CHUNK,
                return_fids=True,
                force_2d=True,
            )
        except (RuntimeError, ValueError) as error:
            raise SourceError(
                f"{self.path.name}, layer {self.title} cannot be read; export it as UTF-8 GeoPackage, or say its "
                "encoding, such as gb18030"
            ) from error
        cells = dict(zip([str(f) for f in meta["fields"]], columns, strict=True))
        shapes = shapely.from_wkb(wkb, on_invalid="ignore")
        rows = []
        for n, fid in enumerate(fids.tolist()):
            cell = {what: cells[column][n] for what, column in self.names.items()}
            number = str(cell.get("source_id") or fid)
            where = f"{self.title}, feature {fid}"
            rows.append(
                _Raw(cell["name"], cell.get("aliases"), f"{self.title}/{number}", where, shapes[n])
            )
        return rows, [], self.datum


@dataclass(frozen=True, slots=True)
class _JsonChunk:
    """Some features of a GeoJSON file."""

    file: str
    features: Sequence[Any]
    names: Mapping[str, str]
    start: int
    datum: str

    def __call__(self) -> tuple[list[_Raw], list[RowProblem], str]:
        rows, faults = [], []
        for number, feature in enumerate(self.features, self.start + 1):
            where = f"feature {number}"
            try:
                properties = _properties(feature) or {}
                shape = feature.get("geometry")
                geometry = None if shape is None else shapely.from_geojson(json.dumps(shape))
                if geometry is not None and geometry.geom_type == "GeometryCollection":
                    raise ValueError("a collection")
            except (ValueError, AttributeError, shapely.errors.ShapelyError):
                faults.append(RowProblem(self.file, where, "it is no feature with a simple shape"))
                continue
            cell = {what: properties.get(column) for what, column in self.names.items()}
            number_ = cell.get("source_id") or feature.get("id") or number
            rows.append(
                _Raw(cell["name"], cell.get("aliases"), f"feature/{number_}", where, geometry)
            )
        return rows, faults, self.datum


@dataclass(frozen=True, slots=True)
class _CsvChunk:
    """The rows of a CSV table."""

    file: str
    table: csv.DictReader[str]
    names: Mapping[str, str]
    wkt: str
    datum: str

    def __call__(self) -> tuple[list[_Raw], list[RowProblem], str]:
        rows, faults = [], []
        for cell in self._cells():
            line = self.table.line_num
            try:
                geometry = self._geometry(cell)
            except (ValueError, TypeError, shapely.errors.ShapelyError) as error:
                faults.append(RowProblem(self.file, f"line {line}", f"no coordinate: {error}"))
                continue
            number = cell.get(self.names.get("source_id", "")) or str(line)
            aliases = cell.get(self.names.get("aliases", ""))
            name = cell[self.names["name"]]
            rows.append(_Raw(name, aliases, f"row/{number}", f"line {line}", geometry))
        return rows, faults, self.datum

    def _cells(self) -> Iterator[dict[str, str]]:
        try:
            yield from self.table
        except csv.Error as error:
            raise SourceError(
                f"{self.file}, line {self.table.line_num} is no table row: {error}"
            ) from error

    def _geometry(self, cell: Mapping[str, str]) -> shapely.Geometry:
        if self.wkt and (text := (cell[self.wkt] or "").strip()):
            # The library crashes the process on brackets nested without end.
            if text.count("(") > 100_000 or re.match(r"(?i)\s*geometrycollection", text):
                raise ValueError("the wkt is no simple shape")
            return shapely.from_wkt(text)
        if not {"lon", "lat"} <= set(self.names):
            raise ValueError("its wkt is empty")
        return shapely.Point(float(cell[self.names["lon"]]), float(cell[self.names["lat"]]))


def _properties(feature: Any) -> dict[str, Any] | None:
    found = feature.get("properties") if isinstance(feature, dict) else None
    return found if isinstance(found, dict) else None


def _load_json(path: Path) -> dict[str, Any]:
    try:
        whole = json.loads(path.read_bytes().decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{path.name} is no GeoJSON; export it again as UTF-8") from error
    if not isinstance(whole, dict) or not isinstance(whole.get("features"), list):
        raise SourceError(f"{path.name} is JSON, but no GeoJSON FeatureCollection; export it again")
    return whole


_MAGIC = {".gpkg": b"SQLite format 3\0", ".shp": b"\x00\x00\x27\x0a"}


def check_content(path: Path) -> None:
    """Refuse a file that is not what its ending says: GDAL would take it for something that reads other files.

    Raises
    ------
    SourceError
        If the content is of another kind, too large for text, damaged, or holds a view or a virtual table.
    """
    ending = path.suffix.lower()
    if ending not in _MAGIC and path.stat().st_size > _LARGEST_TEXT:
        raise SourceError(f"{path.name} is too large for a text file; export it as GeoPackage")
    magic = _MAGIC.get(ending, b"")
    with path.open("rb") as file:
        if file.read(len(magic)) != magic:
            raise SourceError(f"{path.name} is not what its ending says; export it again")
    if ending == ".gpkg":
        _check_geopackage(path)


def _check_geopackage(path: Path) -> None:
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
            database.execute("PRAGMA trusted_schema = OFF")
            entries = database.execute(
                "SELECT type, coalesce(sql, '') FROM sqlite_master"
            ).fetchall()
    # A damaged name may come back in bytes that are no text.
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise SourceError(f"{path.name} is damaged; export it again") from error
    for kind, sql in entries:
        virtual = re.match(r"(?i)\s*create\s+virtual\s", sql) and "rtree" not in sql.casefold()
        if kind == "view" or virtual:
            raise SourceError(f"{path.name} has a view or a virtual table; export the layer alone")


def _shp_encoding(path: Path) -> str | None:
    """Return the encoding of a shapefile's text where nothing states it: UTF-8 if it fits, else GB18030."""
    if path.suffix.lower() != ".shp" or path.with_suffix(".cpg").is_file():
        return None
    table = path.with_suffix(".dbf")
    if not table.is_file():
        raise SourceError(f"{path.name}: its .dbf with the names is missing; put it beside it")
    raw = table.read_bytes()
    body = raw[int.from_bytes(raw[8:10], "little") :]
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return "gb18030"
    return "utf-8"
