"""What an installation knows of its district: its kinds, its names and roads, what was built from other data."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import geopandas as gpd
import numpy as np
import shapely

from geo.category import Categories, load_categories
from geo.locate import (
    Candidate,
    Gazetteer,
    read_gazetteer,
)
from geo.locate.built import FILE_NAME as BUILT_FILE
from geo.locate.built import read_places, write_gazetteer
from geo.locate.cache import AnswerCache
from geo.locate.guard import Verdict, guard_batch
from geo.locate.names import home_names
from geo.osm import Bbox, is_osm
from geo.read.bulletin import PlaceName
from geo.settings import ROOT, Settings, load_settings
from geo.site import (
    EXACT,
    SiteRecord,
)

if TYPE_CHECKING:
    from geo.locate.online import Provider


AROUND = 0.05
"""How far around the district, in degrees, roads and places are kept."""


SAME_NAME = 98.0
"""From this score on a candidate has the same name, written otherwise at most."""


def known_names(sites: gpd.GeoDataFrame, settings: Settings) -> list[PlaceName]:
    """Return the names a bulletin of this district may use: those of sites, and the roads of its gazetteer."""
    names = {(row.name, row.kind) for row in sites[["name", "kind"]].itertuples()}
    # A road of the gazetteer is known as a road, not as one where anything was enforced.
    names |= {
        (place.name, "road")
        for place in read_gazetteer(settings.data / "gazetteer.csv")
        if place.kind == "road"
    }
    return [PlaceName(str(name), kind) for name, kind in sorted(names) if len(str(name)) > 1]


def online_geocoder(settings: Settings) -> tuple[Provider, AnswerCache] | None:
    """Return the online geocoder that an administrator has set, with its cache beside the store; None for none.

    Raises
    ------
    SiteMapError
        If its settings cannot be used, or the cache cannot be opened.
    """
    if not os.environ.get("BAITA_GEOCODER"):
        return None
    from geo.locate.online import make_provider

    provider = make_provider(os.environ, home=home_names(settings.adcode))
    return (
        None
        if provider is None
        else (provider, AnswerCache(beside_store(settings, "geocoder.sqlite")))
    )


def beside_store(settings: Settings, name: str) -> Path:
    """Return a file or folder beside the store, or in the project if the store is no file."""
    # gpkg:... and postgresql:... are no paths, C:\data\baita.gpkg is one.
    is_path = ":" not in settings.store[2:]
    return (Path(settings.store).parent if is_path else ROOT / ".baita") / name


def district_categories(settings: Settings) -> Categories:
    """Return the kinds and statuses of the settings' data folder."""
    return load_categories(settings.data / "categories.toml")


def district_gazetteer(settings: Settings, *, categories: Categories | None = None) -> Gazetteer:
    """Return the gazetteer of the settings' data folder, for the settings' district; made once for each state of it."""
    kinds = categories or district_categories(settings)
    road_kinds = tuple(kind.code for kind in kinds if kind.shape == "line")
    own, built = settings.data / "gazetteer.csv", built_folder(settings) / BUILT_FILE
    return _gazetteer(own, built, (_stamp(own), _stamp(built)), settings.adcode, road_kinds)


def built_folder(settings: Settings) -> Path:
    """Return where the gazetteer and the basemap that were built from the office's data or OSM are kept."""
    return beside_store(settings, "built")


def build_places(
    path: Path,
    settings: Settings,
    *,
    bbox: Bbox | None = None,
    datum: str = "",
    progress: Callable[[str, float], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> dict[str, object]:
    """Make roads, places and, from an OSM extract, a basemap of a file, and keep them; return the counts.

    Parameters
    ----------
    path
        An .osm.pbf or .osm extract, or a layer of roads or places (.gpkg, .shp, .geojson, .csv).
    settings
        Whose district; the results are kept beside its store.
    bbox
        West, south, east, north in degrees, EPSG:4326; by default the district and 5 km around.
    datum
        What a layer is in, if it does not say so.
    progress, cancelled
        Told the stage and the share done; asked again and again whether to stop.

    Raises
    ------
    SourceError, DatumError
        If the file cannot be read without guessing; what was built before stays.
    """
    from geo.draw.vector_basemap import write_basemap
    from geo.locate.build import build_gazetteer

    if bbox is None:
        west, south, east, north = shapely.bounds(outline_of(settings.adcode))
        bbox = (west - AROUND, south - AROUND, east + AROUND, north + AROUND)
    tell, ended = progress or (lambda stage, share: None), cancelled or (lambda: False)
    folder, home = built_folder(settings), home_names(settings.adcode)
    built = build_gazetteer(path, bbox=bbox, datum=datum, home=home, progress=tell, cancelled=ended)
    write_gazetteer(built, folder)
    said: dict[str, object] = {
        "file": built.source,
        "attribution": built.attribution,
        "datum": str(built.datum),
        "counts": dict(built.counts),
        "problems": [problem.as_dict() for problem in built.problems],
        "basemap": False,
    }
    if is_osm(path):
        write_basemap(path, folder, bbox, progress=tell, cancelled=ended)
        said["basemap"] = True
    return said


def _stamp(path: Path) -> tuple[int, int]:
    found = path.stat() if path.is_file() else None
    return (found.st_mtime_ns, found.st_size) if found else (0, 0)


@lru_cache(maxsize=4)
def _gazetteer(
    own: Path, built: Path, stamps: object, adcode: str, road_kinds: tuple[str, ...]
) -> Gazetteer:
    home = home_names(adcode)
    return Gazetteer(read_places(own, built, home=home), home=home, road_kinds=road_kinds)


def find_candidates(
    name: str, *, city: str = "", kind: str = "", settings: Settings | None = None
) -> list[Candidate]:
    """Return the places a name may mean, best first; none if the city is another one.

    Parameters
    ----------
    name
        A name or an address.
    city
        Where to look; empty means the district.
    kind
        Word for the kind of site (parking, 停车 ...): roads are then suggested for a road only. Empty means any.
    settings
        From the environment by default.

    Raises
    ------
    CategoryError
        If the kind is not known.
    """
    settings = settings or load_settings()
    categories = district_categories(settings)
    gazetteer = district_gazetteer(settings, categories=categories)
    code = categories.read_kind(kind) if kind else ""
    return gazetteer.candidates(name, city=city, kind=code)


def home_name(adcode: str) -> str:
    """Return the official name of a district."""
    from geo.draw.basemaps import district

    return district(adcode).name


def outline_of(adcode: str) -> shapely.Geometry:
    """Return the outline of a district, EPSG:4326."""
    # The outline's package takes a moment to load, and not every caller needs it.
    from geo.draw.basemaps import district_outline

    return district_outline(adcode)


def guard_records(
    records: Sequence[SiteRecord], settings: Settings, *, outline: shapely.Geometry | None = None
) -> Verdict | None:
    """Return in which datum the records' own numbers are most likely written, whatever they say; see `guard_batch`.

    Parameters
    ----------
    records
        Of one source; those with two numbers count.
    settings
        Whose district, roads and places they are weighed against.
    outline
        The district, EPSG:4326; that of the settings' adcode by default.

    Returns
    -------
    verdict
        None if no record has coordinates.
    """
    placed = [one for one in records if one.x is not None and one.y is not None]
    if not placed:
        return None
    gazetteer = district_gazetteer(settings)
    # A sketch is drawn straight between known points: no site lies along it.
    roads = [
        p.geometry for p in gazetteer.places if p.kind == "road" and p.geometry and not p.sketch
    ]
    return guard_batch(
        np.array([(one.x, one.y) for one in placed], dtype="float64"),
        outline or outline_of(settings.adcode),
        roads=roads,
        known=[_known_point(one, gazetteer) for one in placed],
    )


def _known_point(record: SiteRecord, gazetteer: Gazetteer) -> shapely.Point | None:
    """Return where a place of the same name is known to be, as exactly as a building; None if nobody knows."""
    for candidate in gazetteer.candidates(record.name, kind=record.kind)[:1]:
        exact = candidate.precision in EXACT and candidate.score >= SAME_NAME
        if exact and isinstance(candidate.geometry, shapely.Point):
            return candidate.geometry
    return None


def landmarks(settings: Settings) -> list[tuple[str, float, float]]:
    """Return name, longitude, latitude (EPSG:4326) of the places a map of the district is read by."""
    places = read_gazetteer(settings.data / "gazetteer.csv")
    return [
        (place.name, place.geometry.x, place.geometry.y)
        for place in places
        if place.landmark and isinstance(place.geometry, shapely.Point)
    ]
