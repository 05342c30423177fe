"""What of a source is a road or a place: rules for the tags of OpenStreetMap and for plain names."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import shapely

from geo.osm import Bbox, OsmFeature, Progress, read_osm
from geo.site import Precision, RowProblem

LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class Found:
    """A feature that is a road or a place; `geometry` in EPSG:4326, raw numbers of a point as its source has them."""

    kind: str
    precision: str
    name: str
    geometry: shapely.Geometry
    source_id: str
    aliases: tuple[str, ...] = ()
    raw: tuple[float, float] | None = None


class Left(Exception):
    """Why a feature is no row: one of the words in `counts`."""


# --- names ------------------------------------------------------------------------------------------

_UNSEEN = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\uffff]"
)


def clean_name(text: object) -> str:
    """Return a name as one line of visible text, "" for what is none."""
    return " ".join(_UNSEEN.sub(" ", text).split()) if isinstance(text, str) else ""


def split_names(text: object) -> list[str]:
    """Return the names in a list of names, set apart by ; or |."""
    parts = re.split(r"[;；|]", text) if isinstance(text, str) else []
    return [name for part in parts if 0 < len(name := clean_name(part)) <= LONGEST_NAME]


_TOWNSHIP = re.compile(r".{2,}(?:街道(?:办事处)?|镇|乡)")
_COMMUNITY = re.compile(r".{2,}(?:社区(?:居委会|居民委员会)?|小区|村)")


def class_by_name(name: str) -> tuple[str, str]:
    """Return kind and precision of a point or area by the last word of its name."""
    if _TOWNSHIP.fullmatch(name):
        return "street", Precision.STREET
    return "place", Precision.COMMUNITY if _COMMUNITY.fullmatch(name) else Precision.POI


# --- OpenStreetMap ----------------------------------------------------------------------------------

_OTHER_NAMES = (
    "name:zh name:zh-Hans name:zh-Hant alt_name old_name short_name official_name loc_name name:en"
).split()
_POI_KEYS = (
    "amenity shop office tourism leisure historic building healthcare man_made craft railway "
    "public_transport aeroway landuse place boundary club emergency power industrial"
).split()
_NO_ROADS = frozenset(
    "construction proposed platform bus_stop rest_area services elevator corridor abandoned razed "
    "raceway".split()
)
_COMMUNITIES = frozenset("suburb quarter neighbourhood city_block village hamlet block".split())
_LARGE = frozenset(
    "city town borough municipality county district province state country region".split()
)
_TOWNSHIP_LEVEL, _COMMUNITY_LEVEL = "8", "10"  # of admin_level, in China
_LAND = frozenset("industrial commercial retail education institutional".split())


def osm_features(
    path: Path,
    bbox: Bbox,
    dated: Callable[[str], object],
    progress: Progress,
    cancelled: Callable[[], bool],
) -> Iterator[Found | Left | RowProblem]:
    """Give what each feature of an extract is that touches a box, see `geo.osm.read_osm`."""
    features = read_osm(
        path,
        bbox=bbox,
        nodes=_POI_KEYS,
        ways=["highway"],
        areas=_POI_KEYS,
        dated=dated,
        progress=progress,
        cancelled=cancelled,
    )
    for feature in features:
        name = clean_name(feature.tags.get("name", "")) or clean_name(
            feature.tags.get("name:zh", "")
        )
        try:
            if not name:
                raise Left("unnamed")
            if len(name) > LONGEST_NAME:
                what = f"its name is longer than {LONGEST_NAME} characters"
                yield RowProblem(path.name, feature.source_id, what)
                continue
            kind, precision = _osm_class(feature, name)
        except Left as left:
            yield left
            continue
        others = [alias for key in _OTHER_NAMES for alias in split_names(feature.tags.get(key))]
        aliases = tuple(dict.fromkeys(alias for alias in others if alias != name))
        yield Found(kind, precision, name, feature.geometry, feature.source_id, aliases)


def _osm_class(feature: OsmFeature, name: str) -> tuple[str, str]:
    """Return kind and precision of a named feature."""
    tags = feature.tags
    if shapely.get_dimensions(feature.geometry) == 1:
        if tags["highway"] in _NO_ROADS or tags.get("area") == "yes":
            raise Left("other")
        return "road", Precision.ROAD
    if tags.get("boundary") == "administrative":
        return _osm_border(tags)
    if tags.get("place", "") in _LARGE:
        raise Left("other")
    if tags.get("place") in _COMMUNITIES or tags.get("landuse") == "residential":
        return "place", Precision.COMMUNITY
    railway_is_stop = tags.get("railway") in ("station", "halt")
    plain_keys = set(_POI_KEYS) - {"place", "boundary", "landuse", "railway", "public_transport"}
    named_stop = tags.get("public_transport") == "station"
    if railway_is_stop or named_stop or tags.get("landuse") in _LAND or plain_keys & tags.keys():
        return class_by_name(name) if not tags.get("office") else ("place", Precision.POI)
    raise Left("other")


def _osm_border(tags: Mapping[str, str]) -> tuple[str, str]:
    level = tags.get("admin_level", "")
    if level == _TOWNSHIP_LEVEL:
        return "street", Precision.STREET
    if level == _COMMUNITY_LEVEL:
        return "place", Precision.COMMUNITY
    raise Left("other")
