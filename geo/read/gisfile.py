"""GIS files (GeoPackage, GeoJSON, zipped shapefile, KML, KMZ, DXF) as grids with shapes, through GDAL.

A layer becomes a grid whose first row holds the field names. Its shapes stay in the layer's own CRS,
easting or longitude first, and the grid says which that is: "wgs84", "cgcs2000" or "epsg:NNNN". What a
file does not say is never guessed. Run this in the child process of `geo.read.sandbox`, which leaves
GDAL one driver only.
"""

from __future__ import annotations

import json
import re
import sqlite3
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import shapely

from geo.errors import SourceError
from geo.read.content import member_name, open_archive, read_member, refuse_dtd, xml_text
from geo.read.grid import Contents, Grid, GridRow, Limits, Progress, Shape, cell_text, decode, short

DRIVERS = {
    "gpkg": ("GPKG",),
    "geojson": ("GeoJSON",),
    "shapefile": ("ESRI Shapefile",),
    "kml": ("LIBKML", "KML"),
    "kmz": ("LIBKML", "KML"),
    "dxf": ("DXF",),
}
"""The GDAL drivers each format may use; all others are switched off."""
REPAIR_VERTICES = 20_000
"""Shapes with more vertices are not repaired: it could take minutes."""

# What every KML has: how it is drawn, and an id that the next program writes anew.
_KML_LOOKS = frozenset("id altitudeMode tessellate extrude visibility drawOrder icon".split())
_KML_OFTEN_BLANK = frozenset("Name description timestamp begin end".split())
_BY_STANDARD = (
    "its coordinates are WGS84 because the {format} standard says so; if they come from 高德, 腾讯 or "
    "DataV they are GCJ-02, from 百度 BD-09: then say so (坐标系)"
)


@dataclass(frozen=True, slots=True)
class _Layer:
    """One layer as GDAL can open it, and what to call it."""

    path: Path
    layer: str
    title: str
    encoding: str | None = None
    warnings: tuple[str, ...] = ()


def read_layers(
    raw: bytes,
    name: str,
    format_: str,
    *,
    limits: Limits,
    progress: Progress,
    repair: bool = False,
) -> Contents:
    """Return every layer of a GIS file.

    Parameters
    ----------
    raw
        The whole file, whose content was found to be of `format_`.
    name
        Its name, for messages.
    format_
        A key of `DRIVERS`.
    limits
        A layer longer than `max_rows` comes back without rows, marked `too_long`; a shape with more
        than `max_vertices` comes back as a fault of its row.
    progress
        Told the stage in words and how much is done, 0 to 1.
    repair
        Whether to make invalid areas valid (their structure, without inventing area). Each one says so.

    Raises
    ------
    SourceError
        If the file is damaged, or has something in it that is refused.
    """
    with tempfile.TemporaryDirectory(prefix="baita-layers-") as folder:
        layers = _unpack(raw, name, format_, Path(folder), limits)
        grids = []
        for number, layer in enumerate(layers):
            progress(layer.title, number / len(layers))
            grids.append(_read_layer(layer, name, format_, limits, repair))
    if not grids:
        raise SourceError(f"{name} has no layer; export it again with the layer you mean")
    return Contents(name, format_, tuple(grids), repaired=repair)


def _unpack(raw: bytes, name: str, format_: str, folder: Path, limits: Limits) -> list[_Layer]:
    """Return the layers of a file, written where GDAL finds that file and nothing else."""
    if format_ == "shapefile":
        return _unpack_shapefiles(raw, name, folder, limits)
    if format_ == "gpkg":
        raw = _checked_geopackage(raw, name)
    elif format_ == "geojson":
        _check_geojson(raw, name)
    elif format_ in ("kml", "kmz"):
        raw = _main_kml(raw, name, limits) if format_ == "kmz" else raw
        refuse_dtd(xml_text(raw), name)
        format_ = "kml"
    elif format_ == "dxf":
        raw = _dxf_as_utf8(raw, name)
    path = folder / f"source.{format_}"
    path.write_bytes(raw)
    return [_Layer(path, title, title) for title in _layer_titles(path, name)]


def _layer_titles(path: Path, name: str) -> list[str]:
    import pyogrio

    try:
        return [str(title) for title, _ in pyogrio.list_layers(path)]
    except RuntimeError as error:
        raise _damaged(name) from error


def _damaged(name: str) -> SourceError:
    return SourceError(f"{name} is damaged and cannot be read; export it again from its program")


# --- one layer ------------------------------------------------------------------------------------


def _read_layer(layer: _Layer, name: str, format_: str, limits: Limits, repair: bool) -> Grid:
    import pyogrio
    from pyogrio.raw import read

    options: dict[str, Any] = {"layer": layer.layer, "encoding": layer.encoding}
    try:
        info = pyogrio.read_info(layer.path, force_feature_count=True, **options)
        if info["features"] > limits.max_rows:
            return Grid(layer.title, [], is_layer=True, too_long=True)
        meta, fids, wkb, columns = read(
            layer.path, return_fids=True, datetime_as_string=True, force_2d=True, **options
        )
    except UnicodeDecodeError as error:
        raise SourceError(
            f"{name}: the text of layer {short(layer.title)} is in no known encoding; add the .cpg file "
            "or export it as GeoPackage"
        ) from error
    except (RuntimeError, ValueError) as error:
        raise _damaged(name) from error
    names = [str(field) for field in meta["fields"]]
    cells = {n: [cell_text(v) for v in columns[n].tolist()] for n in range(len(names))}
    if format_ in ("kml", "kmz"):
        cells = {n: texts for n, texts in cells.items() if not _is_kml_look(names[n], texts)}
    # The field names have no id; an id may be 0, so theirs is below.
    rows = [GridRow(-1, -1, [names[n] for n in cells])]
    shapes, crs, crs_name, invalid = read_shapes(wkb, meta["crs"], len(fids), limits, repair)
    texts = zip(*cells.values(), strict=True) if cells else ((),) * len(fids)
    for fid, row, shape in zip(fids.tolist(), texts, shapes, strict=True):
        rows.append(GridRow(fid, fid, list(row), shape=shape))
    grid = Grid(layer.title, rows, is_layer=True, geometry_type=str(meta["geometry_type"] or ""))
    warnings = (*layer.warnings, *_crs_warnings(format_, crs, crs_name, layer.path))
    return replace(grid, crs=crs, crs_name=crs_name, invalid=invalid, warnings=warnings)


def _is_kml_look(name: str, texts: list[str]) -> bool:
    return name in _KML_LOOKS or (name in _KML_OFTEN_BLANK and not any(texts))


def _crs_warnings(format_: str, crs: str, crs_name: str, path: Path) -> Iterator[str]:
    if format_ in ("kml", "kmz"):
        yield _BY_STANDARD.format(format="KML")
    elif format_ == "geojson" and crs == "wgs84" and b'"crs"' not in path.read_bytes():
        yield _BY_STANDARD.format(format="GeoJSON")
    if not crs:
        said = f'"{short(crs_name)}" is not a known one' if crs_name else "the file does not say"
        yield f"which coordinate system it is in must be given: {said}"


# --- shapes ---------------------------------------------------------------------------------------

_POLYGONS = (3, 6)
_FAMILIES = {0: "point", 4: "point", 1: "line", 5: "line", 2: "line", 3: "area", 6: "area"}


def read_shapes(
    wkb: np.ndarray | None, crs_text: str | None, count: int, limits: Limits, repair: bool
) -> tuple[list[Shape | None], str, str, int]:
    """Return each feature's shape, the CRS they are in, its name, and how many are invalid.

    Parameters
    ----------
    wkb
        Object array of bytes, a missing shape as None; None where there are no shapes at all.
    crs_text
        What the layer says of its CRS, any text pyproj reads; None if nothing.
    count
        How many features there are.
    limits
        A shape with more vertices than `max_vertices` is a fault.
    repair
        Whether to make invalid areas valid.
    """
    crs, crs_name, transform = read_crs(crs_text)
    if wkb is None:
        return [None] * count, crs, crs_name, 0
    shapes = shapely.from_wkb(wkb, on_invalid="ignore")
    faults = {n: "its shape cannot be read" for n in range(count) if wkb[n] and shapes[n] is None}
    for n in np.flatnonzero(shapely.get_num_coordinates(shapes) > limits.max_vertices).tolist():
        faults[n] = f"its shape has over {limits.max_vertices:,} vertices; simplify it"
        shapes[n] = None
    _simplify_types(shapes, faults)
    _drop_endless(shapes, faults)
    notes: dict[int, str] = {}
    invalid = _note_invalid(shapes, notes, faults, repair)
    if transform is not None:
        shapes = shapely.transform(shapes, transform)
        _drop_endless(shapes, faults)
    raw = shapely.to_wkb(shapes, output_dimension=2, byte_order=1)
    made = [_shape(raw[n], notes.get(n, ""), faults.get(n, "")) for n in range(count)]
    return made, crs, crs_name, invalid


def _shape(wkb: bytes | None, note: str, fault: str) -> Shape | None:
    return Shape(wkb or b"", note, fault) if wkb or note or fault else None


def _simplify_types(shapes: np.ndarray, faults: dict[int, str]) -> None:
    """Leave points, lines, areas and several lines or areas; a collection of one thing is that thing."""
    types = shapely.get_type_id(shapes)
    for n in np.flatnonzero(types >= 2).tolist():
        parts = _parts(shapes[n])
        families = {_FAMILIES.get(int(shapely.get_type_id(part)), "") for part in parts}
        if not parts:
            shapes[n] = None
        elif len(parts) == 1 and families != {""}:
            shapes[n] = parts[0]
        elif families == {"line"}:
            shapes[n] = shapely.MultiLineString([shapely.LineString(p.coords) for p in parts])
        elif families == {"area"}:
            shapes[n] = shapely.MultiPolygon(parts)
        else:
            shapes[n] = None
            what = "several points" if families == {"point"} else "points, lines and areas in one"
            faults[n] = f"its shape is {what}; split it into one feature for each site"


def _parts(shape: Any) -> list[Any]:
    """Return the simple shapes of a shape, nested collections taken apart."""
    waiting, found = [shape], []
    while waiting:
        part = waiting.pop(0)
        if hasattr(part, "geoms"):
            waiting = [*part.geoms, *waiting]
        elif not part.is_empty:
            found.append(part)
    return found


def _drop_endless(shapes: np.ndarray, faults: dict[int, str]) -> None:
    """Drop empty shapes, and those with a coordinate that is no finite number."""
    coordinates, index = shapely.get_coordinates(shapes, return_index=True)
    for n in np.unique(index[~np.isfinite(coordinates).all(axis=1)]).tolist():
        shapes[n] = None
        faults[n] = "its shape has a coordinate that is not a number"
    shapes[shapely.is_empty(shapes)] = None


def _note_invalid(
    shapes: np.ndarray, notes: dict[int, str], faults: dict[int, str], repair: bool
) -> int:
    """Say which areas cross themselves; repair them if that was asked for. Returns how many."""
    areas = np.isin(shapely.get_type_id(shapes), _POLYGONS)
    invalid = np.flatnonzero(areas & ~shapely.is_valid(shapes)).tolist()
    for n in invalid:
        why = shapely.is_valid_reason(shapes[n])
        notes[n] = f"图形无效（{why}），未修复"
        if not repair:
            continue
        if shapely.get_num_coordinates(shapes[n]) > REPAIR_VERTICES:
            notes[n] = f"图形无效（{why}），顶点过多，未修复"
            continue
        mended = shapely.make_valid(shapes[n], method="structure", keep_collapsed=False)
        areas_left = [p for p in _parts(mended) if shapely.get_type_id(p) == 3]
        if not areas_left:
            shapes[n], faults[n] = None, f"its shape is invalid ({why}) and nothing is left of it"
            continue
        shapes[n] = areas_left[0] if len(areas_left) == 1 else shapely.MultiPolygon(areas_left)
        notes[n] = f"图形已修复（原为无效：{why}）"
    return len(invalid)


# --- coordinate systems ---------------------------------------------------------------------------

_SAME_GROUND = (
    "wgs 84",
    "world geodetic system 1984",
    "wgs_1984",
    "cgcs2000",
    "china 2000",
    "china_2000",
)


def read_crs(text: str | None) -> tuple[str, str, Callable[[np.ndarray], np.ndarray] | None]:
    """Return what a layer says of its CRS: our word for it, its name, and a function to apply.

    The word is "wgs84", "cgcs2000", "epsg:NNNN", or "" if nothing usable is said. The function turns
    an array of (easting, northing) into WGS84 longitude and latitude; it is None where the word says
    it all, and only made for a CRS without a code whose datum is WGS84 or CGCS2000.
    """
    if not text:
        return "", "", None
    import pyproj

    try:
        crs = pyproj.CRS.from_user_input(text)
    except pyproj.exceptions.CRSError:
        return "", text, None
    if not (crs.is_geographic or crs.is_projected):
        return "", crs.name, None
    code = crs.to_epsg()
    if code is not None:
        return {4326: "wgs84", 4490: "cgcs2000"}.get(code, f"epsg:{code}"), crs.name, None
    datum = crs.geodetic_crs.datum if crs.geodetic_crs else None
    ground = datum.name.casefold() if datum else ""
    if not any(word in ground for word in _SAME_GROUND):
        return "", crs.name, None
    transformer = pyproj.Transformer.from_crs(crs, 4326, always_xy=True)

    def to_lonlat(xy: np.ndarray) -> np.ndarray:
        return np.column_stack(transformer.transform(xy[:, 0], xy[:, 1]))

    return "wgs84", crs.name, to_lonlat


# --- GeoJSON --------------------------------------------------------------------------------------


def _check_geojson(raw: bytes, name: str) -> None:
    """Refuse what is no GeoJSON, is nested without end, or names a CRS that GDAL would misread."""
    try:
        whole = json.loads(raw.decode("utf-8-sig"))
    except RecursionError as error:
        raise SourceError(f"{name} is nested too deep to be GeoJSON; export it again") from error
    except UnicodeDecodeError as error:
        raise SourceError(f"{name} is not UTF-8, as GeoJSON must be; export it again") from error
    except ValueError as error:
        line = f" in line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise SourceError(f"{name} is damaged{line}; export it again from its program") from error
    if not isinstance(whole, dict):
        raise SourceError(f"{name} is JSON, but not GeoJSON; export it as GeoJSON")
    stated = whole.get("crs")
    if isinstance(stated, dict) and stated.get("type") == "link":
        raise SourceError(f"{name} names its coordinate system by a link, which is not followed")
    if isinstance(stated, dict):
        _check_stated_crs(stated, name)


def _check_stated_crs(stated: Mapping[str, Any], name: str) -> None:
    import pyproj

    properties = stated.get("properties")
    said = str(properties.get("name", "")) if isinstance(properties, dict) else ""
    # GDAL takes a name it does not know for WGS84 without a word.
    with suppress(pyproj.exceptions.CRSError):
        pyproj.CRS.from_user_input(said)
        return
    raise SourceError(
        f'{name} names a coordinate system that is not known ("{short(said)}"); export it again in '
        "WGS84 or CGCS2000"
    )


# --- DXF ---


def _dxf_as_utf8(raw: bytes, name: str) -> bytes:
    """Return a drawing's bytes as UTF-8: its header often states another encoding than it has."""
    import pyogrio

    pyogrio.set_gdal_config_options({"DXF_ENCODING": "UTF-8"})
    return decode(raw, name)[0].encode()


# --- KMZ ------------------------------------------------------------------------------------------


def _main_kml(raw: bytes, name: str, limits: Limits) -> bytes:
    """Return the document of a KMZ: doc.kml, or else its first KML."""
    with open_archive(raw, name, limits) as archive:
        documents = [m for m in archive.infolist() if m.filename.lower().endswith(".kml")]
        if not documents:
            raise SourceError(f"{name} has no KML in it; export it again")
        documents.sort(key=lambda m: (m.filename.count("/"), m.filename.lower() != "doc.kml"))
        return b"".join(read_member(archive, documents[0], name))


# --- GeoPackage -----------------------------------------------------------------------------------

_USUAL_TRIGGER = re.compile(
    r"(?i)rtree_.+_(insert|update[1-7]|delete)|trigger_(insert|delete)_feature_count_.+|gpkg_.+"
)


def _checked_geopackage(raw: bytes, name: str) -> bytes:
    """Return a GeoPackage that has nothing in it but tables; refuses views and foreign triggers."""
    # A file in WAL mode wants two more files beside it. Without them, the rollback mode reads the same.
    raw = raw[:18] + b"\x01\x01" + raw[20:]
    try:
        with closing(sqlite3.connect(":memory:")) as database:
            database.deserialize(raw)
            database.execute("PRAGMA trusted_schema = OFF")
            entries = database.execute(
                "SELECT type, name, coalesce(sql, '') FROM sqlite_master"
            ).fetchall()
    except sqlite3.Error as error:
        raise _damaged(name) from error
    for kind, called, sql in entries:
        if fault := _entry_fault(str(kind), str(called), str(sql)):
            raise SourceError(
                f'{name} is refused: it has {fault} "{short(str(called))}"; export the layer into a new '
                "GeoPackage and load that"
            )
    return raw


def _entry_fault(kind: str, called: str, sql: str) -> str:
    if kind == "view":
        return "a view"
    if kind == "trigger" and not _USUAL_TRIGGER.fullmatch(called):
        return "a trigger of its own"
    if re.match(r"(?i)\s*create\s+virtual\s", sql) and not re.search(r"(?i)\busing\s+rtree\b", sql):
        return "a virtual table"
    return "" if kind in ("table", "index", "trigger") else "an unknown entry"


# --- shapefiles -----------------------------------------------------------------------------------

_Span = tuple[int, int]
"""Where something begins in a file's bytes, and where it ends."""
_PARTS = (".shp", ".shx", ".dbf", ".prj", ".cpg")


def _unpack_shapefiles(raw: bytes, name: str, folder: Path, limits: Limits) -> list[_Layer]:
    with open_archive(raw, name, limits) as archive:
        found = _shapefile_parts(archive)
        if not any(".shp" in parts for parts in found.values()):
            others = ", ".join(short(member_name(m)) for m in archive.infolist()[:5])
            raise SourceError(
                f"{name} has no shapefile in it ({others}); put its .shp, .shx, .dbf and .prj into it, or "
                "load another kind of file without the archive"
            )
        layers = []
        for number, (stem, parts) in enumerate(sorted(found.items())):
            _refuse_missing(stem, parts, name)
            place = folder / str(number)
            place.mkdir()
            for ending, member in parts.items():
                with (place / f"layer{ending}").open("wb") as file:
                    file.writelines(read_member(archive, member, name))
            if ".shx" not in parts:
                _write_shx(place / "layer.shp")
            layers.append(_shapefile_layer(place, stem, parts))
    return layers


def _shapefile_parts(archive: zipfile.ZipFile) -> dict[str, dict[str, zipfile.ZipInfo]]:
    """Return the members that are parts of shapefiles, by path without ending."""
    found: dict[str, dict[str, zipfile.ZipInfo]] = {}
    for member in archive.infolist():
        path = PurePosixPath(member_name(member).replace("\\", "/"))
        ending = path.suffix.lower()
        if ending in _PARTS and not path.name.startswith("._"):
            found.setdefault(str(path.with_suffix("")), {})[ending] = member
    return found


def _refuse_missing(stem: str, parts: Mapping[str, object], name: str) -> None:
    missing = [ending for ending in (".shp", ".dbf") if ending not in parts]
    if missing:
        holds = {".shp": "the shapes", ".dbf": "the names and statuses"}
        raise SourceError(
            f"{name}: {short(stem)} has no {' and no '.join(missing)} "
            f"({', '.join(holds[m] for m in missing)}); put all of .shp, .shx, .dbf and .prj into the archive"
        )


def _shapefile_layer(place: Path, stem: str, parts: Mapping[str, object]) -> _Layer:
    warnings = []
    if ".shx" not in parts:
        warnings.append(f"{short(stem)}.shx is missing; it was rebuilt from the .shp")
    if ".prj" not in parts:
        warnings.append(f"{short(stem)}.prj is missing")
    encoding, said = _dbf_encoding(place, ".cpg" in parts)
    title = PurePosixPath(stem).name
    return _Layer(place / "layer.shp", "layer", title, encoding, (*warnings, *said))


def _write_shx(shp: Path) -> None:
    """Write the index that belongs to a .shp: where each of its records begins and how long it is."""
    raw = shp.read_bytes()
    entries, at = [], 100
    while at + 8 <= len(raw):
        words = int.from_bytes(raw[at + 4 : at + 8], "big")
        entries.append((at // 2).to_bytes(4, "big") + raw[at + 4 : at + 8])
        at += 8 + 2 * words
    length = (100 + 8 * len(entries)) // 2
    header = raw[:24] + length.to_bytes(4, "big") + raw[28:100]
    shp.with_suffix(".shx").write_bytes(header + b"".join(entries))


def _dbf_encoding(place: Path, has_cpg: bool) -> tuple[str | None, list[str]]:
    """Return the encoding of a .dbf's text: what its .cpg says, else UTF-8 if it fits, else GB18030.

    Characters that the width of a field cut in two are taken out of the file.
    """
    dbf = place / "layer.dbf"
    raw = dbf.read_bytes()
    spans = _dbf_spans(raw)
    encoding, said = _stated_encoding(place) if has_cpg else _fitting_encoding(raw, spans)
    if encoding is not None:
        dbf.write_bytes(_without_cut_characters(raw, spans, encoding))
    return encoding, said


def _stated_encoding(place: Path) -> tuple[str | None, list[str]]:
    said = (place / "layer.cpg").read_bytes()[:40].decode("ascii", "replace").strip()
    known = {"936": "gb18030", "cp936": "gb18030", "gbk": "gb18030", "gb2312": "gb18030"}
    encoding = known.get(said.casefold(), said)
    with suppress(LookupError):
        "".encode(encoding)
        return encoding, []
    return None, [f'its .cpg says "{short(said)}", which is no encoding']


def _fitting_encoding(raw: bytes, spans: Sequence[_Span]) -> tuple[str | None, list[str]]:
    cells = [cell for start, end in spans if not (cell := raw[start:end]).isascii()]
    if not cells:
        return "utf-8", []
    for encoding in ("utf-8", "gb18030"):
        if all(_cut_at(cell, encoding) is not None for cell in cells):
            return encoding, [f"there is no .cpg; its text is read as {encoding.upper()}"]
    return None, ["there is no .cpg, and its text is neither UTF-8 nor GB18030 throughout"]


def _cut_at(cell: bytes, encoding: str) -> int | None:
    """Return how many bytes of a cell are whole characters; None if it is not in this encoding.

    A last character may be cut in two by the width of the field.
    """
    text = cell.rstrip(b" \0")
    try:
        text.decode(encoding)
    except UnicodeDecodeError as error:
        return error.start if error.start >= len(text) - 3 else None
    return len(text)


def _without_cut_characters(raw: bytes, spans: Sequence[_Span], encoding: str) -> bytes:
    mended, records = bytearray(raw), int.from_bytes(raw[8:10], "little")
    for start, end in spans:
        cell = raw[start:end]
        whole = None if cell.isascii() else _cut_at(cell, encoding)
        if whole is not None and whole < len(cell.rstrip(b" \0")):
            padding = b"\0" if start < records else b" "
            mended[start + whole : end] = padding * (len(cell) - whole)
    return bytes(mended)


def _dbf_spans(raw: bytes) -> list[_Span]:
    """Return where in a .dbf the field names and the text cells stand."""
    header, width = int.from_bytes(raw[8:10], "little"), int.from_bytes(raw[10:12], "little")
    spans, fields, offset = [], [], 1
    for at in range(32, min(header, len(raw)) - 31, 32):
        if raw[at] == 0x0D:
            break
        spans.append((at, at + 11))
        if raw[at + 11 : at + 12] == b"C":
            fields.append((offset, offset + raw[at + 16]))
        offset += raw[at + 16]
    for start in range(header, len(raw) - width + 1, width) if width else ():
        spans += [(start + first, start + last) for first, last in fields]
    return spans


def load_gdal() -> list[str]:
    """Import GDAL alone and return its drivers: without pandas, whose import takes most of a second.

    Only for a process that does nothing else, because pandas stays out of reach in it.
    """
    for package in ("geopandas", "pandas", "pyarrow"):
        sys.modules.setdefault(package, None)  # type: ignore[arg-type]
    import pyogrio

    return sorted(pyogrio.list_drivers())
