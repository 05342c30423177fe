"""What lies under the sites without any network: the district's outline and its neighbours'.

Outlines come from the package geotool-cn (WGS84, about 60 vertices for Baita). They are good for orientation inside
the office; they are not licensed for publication and say nothing binding about where a border runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import GeoToolCN
import numpy as np
import pyogrio
import shapely
from GeoToolCN import _gtc

from geo.errors import SiteMapError, SourceError

_DEGREES = 1e-5  # the package keeps whole 1e-5 degrees


@dataclass(frozen=True, slots=True)
class Region:
    """A district and where it is: `outline` in EPSG:4326, `label` at (longitude, latitude) inside it."""

    adcode: str
    name: str
    outline: shapely.MultiPolygon
    label: tuple[float, float]


@lru_cache(maxsize=1)
def _package() -> tuple[GeoToolCN.GeoTool, _gtc.GTCData]:
    # The package has no public way to a region's rings; this class is its reader. The version is pinned.
    data = _gtc.GTCData(str(Path(GeoToolCN.__file__).parent / "data" / "china.full.gtc"))
    return GeoToolCN.GeoTool(), data


@lru_cache(maxsize=64)
def district(adcode: str) -> Region:
    """Return a district with its outline.

    Parameters
    ----------
    adcode
        Six digits, such as 211002 for 白塔区.

    Returns
    -------
    region
        Its outline is as exact as its source: about 5 m plus whatever that source simplified.

    Raises
    ------
    SiteMapError
        If there is no region with that code, or the package holds no outline for it.
    """
    tool, data = _package()
    region, index = tool.get_region(adcode), data.index_of(adcode)
    if region is None or index is None:
        raise SiteMapError(f"adcode {adcode} is not a region; give six digits such as 211002")
    stored = data.geometry(index)
    if stored is None:
        raise SiteMapError(f"no outline is known for {region.name} ({adcode})")
    outline = shapely.MultiPolygon([p for rings in stored[1] for p in _polygons(rings)])
    centre = shapely.point_on_surface(outline)
    return Region(adcode, region.name, outline, (centre.x, centre.y))


def neighbours(adcode: str) -> list[Region]:
    """Return the other districts and counties of the same city, nearest first."""
    tool, _ = _package()
    home = district(adcode)
    same_city = [r.code for r in tool.list_regions("district") if r.code[:4] == adcode[:4]]
    others = [district(code) for code in same_city if code != adcode]
    return sorted(others, key=lambda region: region.outline.distance(home.outline))


def district_outline(adcode: str) -> shapely.MultiPolygon:
    """Return the outline of a district alone; see `district`."""
    return district(adcode).outline


@lru_cache(maxsize=4)
def read_areas(path: Path) -> shapely.MultiPolygon:
    """Return all areas of a layer as one, EPSG:4326: a basemap that an administrator has permission to publish.

    Raises
    ------
    SourceError
        If the file cannot be read, says no CRS, or has no area in it.
    """
    try:
        layer = pyogrio.read_dataframe(path, columns=[])
    except (
        Exception
    ) as error:  # pyogrio raises several kinds, some of them no subclass of the others
        raise SourceError(f"the basemap {path.name} cannot be read") from error
    if layer.crs is None:
        raise SourceError(f"the basemap {path.name} does not say its CRS; save it with one")
    shapes = layer.to_crs("EPSG:4326").geometry
    areas = [shape for shape in shapes if shape is not None and shape.geom_type.endswith("Polygon")]
    if not areas:
        raise SourceError(f"the basemap {path.name} has no areas in it")
    joined = shapely.union_all(shapely.make_valid(areas, method="structure", keep_collapsed=False))
    return shapely.MultiPolygon(list(getattr(joined, "geoms", [joined])))


def _polygons(rings: list[tuple[Sequence[float], Sequence[float]]]) -> list[shapely.Polygon]:
    exterior, *holes = (np.column_stack(ring) * _DEGREES for ring in rings)
    shape = shapely.Polygon(exterior, holes)
    mended = shapely.make_valid(shape, method="structure", keep_collapsed=False)
    return [part for part in getattr(mended, "geoms", [mended]) if part.geom_type == "Polygon"]


def basemap(adcode: str, landmarks: Iterable[tuple[str, float, float]] = ()) -> dict[str, object]:
    """Return what the page draws under the sites, as plain values for its script.

    Parameters
    ----------
    adcode
        The district that is lit; its city's other districts are dimmed.
    landmarks
        Name, longitude, latitude (EPSG:4326) of places known well enough to orient by.

    Returns
    -------
    values
        `home` and `neighbours`: name, label (lat, lon) and rings of (lat, lon), Leaflet's order.
    """
    home = district(adcode)
    return {
        "home": _drawn(home),
        "neighbours": [_drawn(region) for region in neighbours(adcode)],
        "landmarks": [[name, lat, lon] for name, lon, lat in landmarks],
    }


def public_basemap(region: Region, outline: shapely.Geometry) -> dict[str, object]:
    """Return what a page draws of a basemap that may be published: its areas, and nothing of ours."""
    at = shapely.point_on_surface(outline)
    parts = shapely.MultiPolygon([*getattr(outline, "geoms", [outline])])
    drawn = _drawn(Region(region.adcode, region.name, parts, (at.x, at.y)))
    return {"home": drawn, "neighbours": [], "landmarks": []}


def _drawn(region: Region) -> dict[str, object]:
    rings = [
        [[round(lat, 5), round(lon, 5)] for lon, lat in ring.coords]
        for polygon in region.outline.geoms
        for ring in (polygon.exterior, *polygon.interiors)
    ]
    lon, lat = region.label
    return {"name": region.name, "label": [lat, lon], "rings": rings}
