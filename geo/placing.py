"""A person's word on where a site is, and what is offered to them: candidates, links, lines, sites of one address."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import geopandas as gpd
import pandas as pd
import shapely

from geo.category import fold
from geo.district import district_categories, district_gazetteer, online_geocoder, outline_of
from geo.errors import DatumError, SiteMapError, StoreError
from geo.locate import (
    Boundary,
    Candidate,
)
from geo.locate.datum import Datum, parse_coordinate, parse_datum, to_wgs84
from geo.locate.given import TOLERANCE_M
from geo.locate.links import parse_link
from geo.settings import Settings, load_settings
from geo.site import (
    MAPPED,
    Correction,
    Reason,
    SiteRecord,
    Source,
    is_located,
    make_sites,
    site_row,
)
from geo.store import SiteStore

if TYPE_CHECKING:
    from geo.locate.online import BatchReport

_UNCERTAINTY_M = {
    "rooftop": 15.0,
    "poi": 50.0,
    "intersection": 50.0,
    "road": 100.0,
    "community": 500.0,
    "street": 1500.0,
}

ONLINE = "在线地理编码"
"""What the import of an online geocoder's answers is called."""


@dataclass(frozen=True, slots=True)
class GeocodeReport:
    """What came of asking an online geocoder: sites that waited, questions asked now, not reached, and placed.

    `stopped` says why it ended early, "" if it did not; `import_id` is what undoes it, 0 if nothing was placed.
    """

    waiting: int
    asked: int
    left: int
    placed: int
    import_id: int
    stopped: str = ""


def geocode_waiting(
    store: SiteStore,
    settings: Settings,
    *,
    who: str,
    progress: Callable[[float], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> GeocodeReport:
    """Ask the online geocoder for every site that waits for a place, then place those it is sure of, as one import.

    Names and addresses of the waiting sites leave this machine. Answers are kept, so that it goes on where it was
    ended. What is not accepted by itself is a candidate for a person.

    Raises
    ------
    SiteMapError
        If no geocoder is set, its key is refused, or the store cannot be written.
    """
    from geo.locate.online import OnlineLocator, QuotaError, geocode_batch

    online = online_geocoder(settings)
    if online is None:
        raise SiteMapError("no online geocoder is set: set BAITA_GEOCODER and its key")
    provider, cache = online
    sites, tell = store.read_sites(), progress or (lambda share: None)
    # What its own source puts outside the district is not to be found inside by its name.
    waiting = ~is_located(sites) & (sites["reason"] != Reason.OUTSIDE)
    records = [_as_record(row) for _, row in sites[waiting].iterrows()]
    stopped = ""
    batch: BatchReport | None
    try:
        batch = geocode_batch(
            records,
            provider,
            cache,
            progress=lambda done, total: tell(done / max(total, 1)),
            cancelled=cancelled or (lambda: False),
        )
    except QuotaError as error:
        batch, stopped = error.partial, str(error)
    kinds = district_categories(settings)
    roads = tuple(kind.code for kind in kinds if kind.shape == "line")
    locator = OnlineLocator(
        provider, cache, outline_of(settings.adcode), road_kinds=roads, live=False
    )
    # Asking takes minutes: what people have changed, placed or removed meanwhile stays theirs.
    then, now = (table.set_index("site_id")["version"] for table in (sites, store.read_sites()))
    untouched = [one for one in records if now.get(one.site_id) == then[one.site_id]]
    matched = [(one, match) for one in untouched if (match := locator.locate(one)) is not None]
    placed = make_sites(
        site_row(one, match) for one, match in matched if match.geometry is not None
    )
    saved, import_id = store.import_sites(placed, name=ONLINE, who=who, categories=kinds)
    asked, left = (batch.asked, batch.left) if batch is not None else (0, len(records))
    return GeocodeReport(len(records), asked, left, saved.changed, import_id, stopped)


def _as_record(row: pd.Series) -> SiteRecord:
    """Return what is known of a waiting site as a record, to be located again."""
    return SiteRecord(
        kind=str(row["kind"]),
        name=str(row["name"]),
        status=str(row["status"]),
        source=Source(str(row["source_file"]), str(row["source_where"]), str(row["source_quote"])),
        site_id=str(row["site_id"]),
        as_of=None if pd.isna(row["as_of"]) else row["as_of"].date(),
        place=str(row["place"]),
        street=str(row["street"]),
        note=str(row["note"]),
        fictitious=bool(row["fictitious"]),
    )


def place_site(
    store: SiteStore,
    site_id: str,
    x: float,
    y: float,
    datum: str,
    *,
    who: str,
    precision: str = "poi",
    uncertainty_m: float | None = None,
    version: int | None = None,
    outline: shapely.Geometry | None = None,
) -> Correction:
    """Put a site where a person says it is, and return the correction as kept.

    Parameters
    ----------
    store
        Where the site is kept.
    site_id
        The site.
    x, y
        Longitude and latitude in degrees, or easting and northing in metres.
    datum
        What the numbers are in; any word `geo.locate.datum` knows.
    who
        The person.
    precision
        How exactly: one of `geo.site.MAPPED`.
    uncertainty_m
        In metres; by default what is usual for the precision.
    version
        The version of the site the person has seen; None takes any.
    outline
        The district, EPSG:4326; that of the settings' adcode by default.

    Raises
    ------
    DatumError
        If the datum is not known, the numbers do not fit it, or the point is more than 3 km outside the district;
        the text says which other reading would be inside. None of them is ever applied.
    StoreError
        If there is no such site; `StoreConflict` if somebody else changed it first.
    ValueError
        If the precision is not one that may be drawn.
    """
    if precision not in MAPPED:
        raise ValueError(f"precision {precision} is not one of {', '.join(sorted(MAPPED))}")
    district = Boundary(outline or outline_of(load_settings().adcode))
    point = _point_inside(x, y, parse_datum(datum), district)
    usual = _UNCERTAINTY_M[precision]
    return _keep(
        store,
        site_id,
        point,
        precision,
        usual if uncertainty_m is None else uncertainty_m,
        who=who,
        raw=(x, y, parse_datum(datum)),
        version=version,
    )


def undo_place(store: SiteStore, who: str) -> Correction | None:
    """Take the newest correction back and return it, or None if there is none."""
    last = store.last_correction()
    if last is not None:
        store.undo_correction(last.correction_id, who=who)
    return last


def _point_inside(x: float, y: float, datum: str, district: Boundary) -> shapely.Point:
    """Return the point in EPSG:4326, or raise `DatumError` with the readings that would be nearer."""
    if not (math.isfinite(x) and math.isfinite(y)):
        raise DatumError(f"{x}, {y} is not a coordinate: two plain numbers are needed")
    try:
        point = shapely.Point(to_wgs84(x, y, datum))
    except DatumError as error:
        raise DatumError(f"{error}{_better_readings(x, y, datum, district)}") from error
    outside_m = district.metres_outside(point)
    if outside_m <= TOLERANCE_M:
        return point
    raise DatumError(
        f"{x}, {y} in {datum} is {outside_m / 1000:.1f} km outside the district"
        f"{_better_readings(x, y, datum, district) or '; check the numbers and their datum'}"
    )


_DATUMS = (Datum.WGS84, Datum.GCJ02, Datum.BD09, "epsg:4550", "epsg:4529")


def _better_readings(x: float, y: float, datum: str, district: Boundary) -> str:
    """Say which other datums, or else which with the axes swapped, would put the numbers in the district."""
    others = [other for other in _DATUMS if other != datum]
    fitting = [f"{other}" for other in others if _fits(x, y, other, district)]
    if not fitting:
        swapped = [other for other in (datum, *others) if _fits(y, x, other, district)]
        fitting = [f"{other} with the axes swapped ({y}, {x})" for other in swapped[:1]]
    return f"; inside it would be read as {' or '.join(fitting)}" if fitting else ""


def _fits(x: float, y: float, datum: str, district: Boundary) -> bool:
    try:
        return district.metres_outside(shapely.Point(to_wgs84(x, y, datum))) <= TOLERANCE_M
    except DatumError:
        return False


def place_pasted(
    store: SiteStore,
    site_id: str,
    text: str,
    datum: str,
    *,
    who: str,
    outline: shapely.Geometry | None = None,
) -> Correction:
    """Put a site at a coordinate or a map app's link that a person pasted; see `place_site`.

    Parameters
    ----------
    text
        As for `geo.locate.datum.parse_coordinate` or `geo.locate.links.parse_link`.
    datum
        What the numbers are in; "" for a link, which says so itself.

    Raises
    ------
    DatumError
        If the text is neither, or a link says another datum than the person, in addition to what `place_site`
        raises.
    """
    shared = parse_link(text)
    if shared is not None:
        if datum and parse_datum(datum) != parse_datum(shared.datum):
            raise DatumError(
                f"the link is in {shared.datum}, not in {datum}: leave the datum to it"
            )
        return place_site(
            store, site_id, shared.x, shared.y, shared.datum, who=who, outline=outline
        )
    x, y = parse_coordinate(text)
    return place_site(store, site_id, x, y, datum, who=who, outline=outline)


def place_line(
    store: SiteStore,
    site_id: str,
    vertices: Sequence[tuple[float, float]],
    *,
    who: str,
    uncertainty_m: float,
    outline: shapely.Geometry | None = None,
) -> Correction:
    """Put a road where a person drew it, and return the correction as kept.

    Parameters
    ----------
    store, site_id, who, outline
        As for `place_site`.
    vertices
        Two or more (longitude, latitude) pairs in degrees, EPSG:4326, in order along the road.
    uncertainty_m
        How far off the drawn line may be, in metres.

    Raises
    ------
    DatumError
        If there are fewer than two different positions, or one is more than 3 km outside the district.
    StoreError
        If there is no such site.
    """
    if len(set(vertices)) < 2:
        raise DatumError("a road needs two different positions or more")
    district = Boundary(outline or outline_of(load_settings().adcode))
    for lon, lat in vertices:
        _point_inside(lon, lat, Datum.WGS84, district)
    line = shapely.LineString(vertices)
    return _keep(store, site_id, line, "road", uncertainty_m, who=who)


def site_candidates(
    site: pd.Series, settings: Settings, *, tell: Callable[[str], None] = lambda why: None
) -> list[Candidate]:
    """Return the places a site may be, by its name and then by what its source says of its place, best first.

    Parameters
    ----------
    site
        A row of the site table.
    settings
        Whose gazetteer is asked.
    tell
        Told why the online geocoder gave no answer; what is known here comes all the same.

    Returns
    -------
    candidates
        Those with a geometry (EPSG:4326) that may be drawn, each place once.
    """
    gazetteer = district_gazetteer(settings)
    found = gazetteer.candidates(str(site["name"]), kind=str(site["kind"]))
    if site["place"]:
        found = [*found, *gazetteer.candidates(str(site["place"]), kind=str(site["kind"]))]
    try:
        found = [*found, *_online_candidates(site, settings)]
    except SiteMapError as error:
        tell(str(error))
    unique: dict[bytes, Candidate] = {}
    for candidate in found:
        if candidate.geometry is not None and candidate.precision in MAPPED:
            unique.setdefault(shapely.to_wkb(candidate.geometry), candidate)
    return sorted(unique.values(), key=lambda one: -one.score)


def _online_candidates(site: pd.Series, settings: Settings) -> Sequence[Candidate]:
    """Return what the online geocoder says of one site; nothing if there is none."""
    online = online_geocoder(settings)
    if online is None:
        return []
    from geo.locate.online import OnlineLocator, text_to_ask

    provider, cache = online
    text = text_to_ask(_as_record(site), provider.home)
    if not text:
        return []
    return OnlineLocator(provider, cache, outline_of(settings.adcode)).candidates(text)


def place_candidate(
    store: SiteStore, site_id: str, candidate: Candidate, *, who: str
) -> Correction:
    """Put a site where a candidate is, on a person's word, and return the correction as kept.

    The precision is the candidate's: choosing it does not make it better known.

    Raises
    ------
    StoreError
        If there is no such site.
    ValueError
        If the candidate has no geometry that may be drawn.
    """
    if candidate.geometry is None or candidate.precision not in MAPPED:
        raise ValueError(f"{candidate.name} has no place that may be drawn")
    usual = _UNCERTAINTY_M[str(candidate.precision)]
    metres = usual if candidate.uncertainty_m is None else candidate.uncertainty_m
    return _keep(store, site_id, candidate.geometry, str(candidate.precision), metres, who=who)


def same_address(sites: gpd.GeoDataFrame, site_id: str) -> list[str]:
    """Return the ids of the sites that wait for a place and state the same one as a site, word for word."""
    place = sites.loc[sites["site_id"] == site_id, "place"]
    words = fold(str(place.iloc[0])) if len(place) else ""
    if not words:
        return []
    waiting = sites[~is_located(sites) & (sites["site_id"] != site_id)]
    return [str(row.site_id) for row in waiting.itertuples() if fold(str(row.place)) == words]


def place_like(
    store: SiteStore, site_id: str, others: Iterable[str], *, who: str
) -> list[Correction]:
    """Put sites where another one is, as far as known of that one; return the corrections as kept.

    Raises
    ------
    StoreError
        If one of them is not in the store, or the first has no place.
    """
    site = store.site(site_id)
    if site.geometry is None:
        raise StoreError(f"{site['name']} has no place yet")
    raw = None
    if not pd.isna(site["raw_x"]):
        raw = (float(site["raw_x"]), float(site["raw_y"]), str(site["raw_datum"]))
    return [
        _keep(
            store,
            other,
            site.geometry,
            str(site["precision"]),
            float(site["uncertainty_m"]),
            who=who,
            raw=raw,
        )
        for other in others
    ]


def _keep(
    store: SiteStore,
    site_id: str,
    geometry: shapely.Geometry,
    precision: str,
    uncertainty_m: float,
    *,
    who: str,
    raw: tuple[float, float, str] | None = None,
    version: int | None = None,
) -> Correction:
    """Store a person's word on where a site is."""
    site = store.site(site_id)
    x, y, datum = raw or (None, None, "")
    correction = Correction(
        site_id=site_id,
        kind=str(site["kind"]),
        name=str(site["name"]),
        geometry=geometry,
        precision=str(precision),
        uncertainty_m=uncertainty_m,
        who=who,
        at=datetime.now(UTC),
        x=x,
        y=y,
        datum=datum,
    )
    number = store.add_correction(correction, version=version)
    return replace(correction, correction_id=number)
