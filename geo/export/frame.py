"""What a picture shows of the earth, and on how large a sheet.

Sheets are measured in points (1/72 inch), from the top left corner, x to the right and y down. Positions are web
Mercator (EPSG:3857), so that the picture has the shape of the map on the screen; lengths are corrected for the
latitude in the middle of the frame.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import shapely

from geo.site import is_located

POINTS_PER_INCH = 72.0
MM_PER_INCH = 25.4
MARGIN = 0.06
"""Share of the frame left free around what it shows."""
MIN_SPAN_M = 4000.0
"""A frame around sites is never narrower: one site alone would otherwise stand on blank paper."""
LEAST_ASKED_M = 50.0
"""Nor is one that was asked for."""
EARTH_RADIUS_M = 6378137.0  # of EPSG:3857's sphere

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Preset:
    """A sheet: width and height in pixels at a resolution.

    The 16:9 sheets are all 13.333 x 7.5 inches, a wide slide, so that text has one size on all of them.

    Examples
    --------
    >>> a3 = PRESETS["a3"]
    >>> a3.width_px, a3.height_px, a3.dpi
    (4961, 3508, 300.0)
    >>> {name: round(preset.width / POINTS_PER_INCH, 3) for name, preset in PRESETS.items()}
    {'16:9-720': 13.333, '16:9-1080': 13.333, '16:9-4k': 13.333, 'a4': 11.693, 'a3': 16.537}
    """

    name: str
    width_px: int
    height_px: int
    dpi: float

    @property
    def width(self) -> float:
        """Width in points."""
        return self.width_px / self.dpi * POINTS_PER_INCH

    @property
    def height(self) -> float:
        """Height in points."""
        return self.height_px / self.dpi * POINTS_PER_INCH


def _paper(name: str, width_mm: float, height_mm: float, dpi: float) -> Preset:
    width, height = (round(mm / MM_PER_INCH * dpi) for mm in (width_mm, height_mm))
    return Preset(name, width, height, dpi)


PRESETS = {
    preset.name: preset
    for preset in (
        Preset("16:9-720", 1280, 720, 96.0),
        Preset("16:9-1080", 1920, 1080, 144.0),
        Preset("16:9-4k", 3840, 2160, 288.0),
        _paper("a4", 297, 210, 300.0),
        _paper("a3", 420, 297, 300.0),
    )
}


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle on the sheet, in points from the top left."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """The x of the right edge."""
        return self.x + self.width

    @property
    def bottom(self) -> float:
        """The y of the lower edge."""
        return self.y + self.height

    def overlaps(self, other: Box) -> bool:
        """Return whether the two share more than an edge."""
        return (
            self.x < other.right
            and other.x < self.right
            and self.y < other.bottom
            and other.y < self.bottom
        )

    def contains(self, other: Box) -> bool:
        """Return whether the other one lies wholly inside."""
        return (
            self.x <= other.x
            and self.y <= other.y
            and other.right <= self.right
            and other.bottom <= self.bottom
        )


@dataclass(frozen=True, slots=True)
class Frame:
    """Where the earth lies on the sheet: the middle in EPSG:3857, and points for each of its metres."""

    box: Box
    centre_x: float
    centre_y: float
    scale: float

    def to_sheet(self, lonlat: npt.ArrayLike) -> Array:
        """Return sheet positions.

        Parameters
        ----------
        lonlat
            Degrees, EPSG:4326, shape (n, 2): longitude, latitude.

        Returns
        -------
        positions
            Points, shape (n, 2): x to the right, y down. They may lie outside the frame's box.
        """
        x, y = to_mercator(lonlat).T
        left, top = self.box.x + self.box.width / 2, self.box.y + self.box.height / 2
        return np.column_stack(
            [left + (x - self.centre_x) * self.scale, top - (y - self.centre_y) * self.scale]
        )

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """What the box shows: minx, miny, maxx, maxy in degrees, EPSG:4326."""
        half_x, half_y = self.box.width / 2 / self.scale, self.box.height / 2 / self.scale
        west, east = (
            math.degrees((self.centre_x + side * half_x) / EARTH_RADIUS_M) for side in (-1, 1)
        )
        south, north = (
            math.degrees(math.atan(math.sinh((self.centre_y + side * half_y) / EARTH_RADIUS_M)))
            for side in (-1, 1)
        )
        return west, south, east, north

    @property
    def points_per_metre(self) -> float:
        """Points for one metre on the ground, in the middle of the frame."""
        return self.scale * math.cosh(self.centre_y / EARTH_RADIUS_M)

    @property
    def scale_bar_m(self) -> float:
        """The longest round length (1, 2 or 5 times a power of ten metres) within a sixth of the width."""
        room = self.box.width / 6 / self.points_per_metre
        power = 10 ** math.floor(math.log10(room))
        return max(k * power for k in (1, 2, 5) if k * power <= room)


def to_mercator(lonlat: npt.ArrayLike) -> Array:
    """Return EPSG:3857 metres for EPSG:4326 degrees, shape (n, 2); the spherical formula of that code."""
    lon, lat = np.asarray(lonlat, dtype="float64").reshape(-1, 2).T
    return np.column_stack(
        [
            EARTH_RADIUS_M * np.radians(lon),
            EARTH_RADIUS_M * np.arctanh(np.sin(np.radians(np.clip(lat, -85.05, 85.05)))),
        ]
    )


def choose_frame(
    sites: gpd.GeoDataFrame,
    box: Box,
    *,
    outline: shapely.Geometry,
    bounds: tuple[float, float, float, float] | None = None,
) -> Frame:
    """Return a frame that shows every located site, or the bounds that were asked for.

    Parameters
    ----------
    sites
        Site table; rows that are not located do not count.
    box
        Where the map is on the sheet.
    outline
        The district, EPSG:4326: shown whole when there is little else to show.
    bounds
        minx, miny, maxx, maxy in degrees, EPSG:4326; None takes the sites.

    Raises
    ------
    ValueError
        If the bounds are not four finite numbers in that order.
    """
    if bounds is not None and not (
        all(map(math.isfinite, bounds)) and bounds[0] < bounds[2] and bounds[1] < bounds[3]
    ):
        raise ValueError(f"bounds are {bounds}; give minx, miny, maxx, maxy in degrees")
    west, south, east, north = bounds or _bounds_of(sites, outline)
    (x0, y0), (x1, y1) = to_mercator([(west, south), (east, north)])
    middle = (y0 + y1) / 2
    least = (LEAST_ASKED_M if bounds else MIN_SPAN_M) * math.cosh(middle / EARTH_RADIUS_M)
    room = 1.0 if bounds else 1.0 - 2 * MARGIN
    scale = min(box.width * room / max(x1 - x0, least), box.height * room / max(y1 - y0, least / 2))
    return Frame(box, float(x0 + x1) / 2, float(middle), float(scale))


def _bounds_of(
    sites: gpd.GeoDataFrame, outline: shapely.Geometry
) -> tuple[float, float, float, float]:
    shapes = sites.geometry.to_numpy()[is_located(sites)]
    if not len(shapes):
        return tuple(shapely.bounds(outline))
    bounds = shapely.total_bounds(shapes)
    (x0, y0), (x1, y1) = to_mercator(bounds.reshape(2, 2))
    least = MIN_SPAN_M * math.cosh((y0 + y1) / 2 / EARTH_RADIUS_M)
    small = math.hypot(x1 - x0, y1 - y0) < least
    if small and shapely.box(*bounds).within(outline):
        return tuple(shapely.bounds(outline))
    return tuple(bounds)
