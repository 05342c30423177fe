"""The only place where the stages meet: a file is read, its sites are located and stored, in one go.

Nothing is dropped on the way. For every load, rows read = located + not located + problems, checked each time.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from geo import __version__
from geo.category import Categories, fold, load_categories
from geo.compare import Comparison, compare_sites, normalise_name
from geo.errors import DatumError, SiteMapError, StoreError
from geo.locate import (
    Boundary,
    Candidate,
    Corrections,
    Gazetteer,
    GivenCoordinates,
    Locator,
    locate_sites,
    read_gazetteer,
)
from geo.locate.built import FILE_NAME as BUILT_FILE
from geo.locate.built import read_places, write_gazetteer
from geo.locate.cache import AnswerCache
from geo.locate.datum import Datum, parse_coordinate, parse_datum, to_wgs84
from geo.locate.given import TOLERANCE_M
from geo.locate.guard import Verdict, guard_batch
from geo.locate.links import parse_link
from geo.locate.names import home_names
from geo.locate.roads import RoadLocator
from geo.osm import Bbox, is_osm
from geo.read import ReadReport, read_claims, read_source
from geo.read.bulletin import Bulletin, PlaceName, read_bulletin
from geo.read.document import DOCUMENTS, PLAIN, read_document
from geo.read.figures import StatedFigure, read_figures
from geo.read.sandbox import read_document_in_child
from geo.settings import DEMO_FILE, ROOT, Settings, load_settings
from geo.site import (
    EXACT,
    LOCATION,
    MAPPED,
    Correction,
    RowProblem,
    SiteRecord,
    Source,
    is_located,
    make_sites,
    site_row,
)
from geo.store import GeoPackageStore, open_store

if TYPE_CHECKING:
    from geo.locate.online import BatchReport, Provider

DEMO_NOTICE = "演示数据（虚构）"
"""What every page and picture made from invented sites says."""

BULLETIN, DEMO = "bulletin", "demo"
_DEMO_FILES = ("samples/demo_2020-03-11.csv", "samples/demo_2020-03-18.csv")
_UNCERTAINTY_M = {
    "rooftop": 15.0,
    "poi": 50.0,
    "intersection": 50.0,
    "road": 100.0,
    "community": 500.0,
    "street": 1500.0,
}
AROUND = 0.05
"""How far around the district, in degrees, roads and places are kept."""
SAME_NAME = 98.0
"""From this score on a candidate has the same name, written otherwise at most."""
Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What came of loading one file.

    `rows` is always `located + not_located + len(problems)`, and the rows that became sites are always
    `added + changed + unchanged + older`. Older are those that the store knows from a later date: they are
    left as they are there. `ignored` names the columns that were not understood. `import_id` is what undoes the
    load, 0 if nothing changed.
    """

    file: str
    rows: int
    located: int
    not_located: int
    problems: tuple[RowProblem, ...]
    added: int
    changed: int
    unchanged: int
    older: int = 0
    claims: int = 0
    ignored: tuple[str, ...] = ()
    import_id: int = 0

    def __post_init__(self) -> None:
        sites = self.added + self.changed + self.unchanged + self.older
        if self.rows != self.located + self.not_located + len(self.problems):
            raise RuntimeError(f"rows do not add up: {self}")
        if sites != self.located + self.not_located:
            raise RuntimeError(f"stored sites do not add up: {self}")


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


# --- loading --------------------------------------------------------------------------------------


def load_file(
    store: GeoPackageStore,
    path: str | Path,
    *,
    who: str = "",
    settings: Settings | None = None,
    categories: Categories | None = None,
    outline: shapely.Geometry | None = None,
) -> LoadReport:
    """Read a file, locate its sites, and keep them in the store; return the counts.

    Reading a file again changes nothing, and never moves a site that a person has placed. A site that the store
    knows from a later date stays as it is.

    Parameters
    ----------
    store
        Where to.
    path
        A file that `geo.read` knows.
    who
        The person, for the history; the settings' own name by default.
    settings
        From the environment by default.
    categories
        Kinds and statuses; those of the settings' data folder by default.
    outline
        The district, EPSG:4326; that of the settings' adcode by default.

    Raises
    ------
    SiteMapError
        If the file cannot be read or the store cannot be written. Then nothing has changed.
    """
    [report] = load_files(
        store, [path], who=who, settings=settings, categories=categories, outline=outline
    )
    return report


def load_files(
    store: GeoPackageStore,
    paths: Iterable[str | Path],
    *,
    who: str = "",
    settings: Settings | None = None,
    categories: Categories | None = None,
    outline: shapely.Geometry | None = None,
    own: bool = False,
) -> list[LoadReport]:
    """Load some files in order, see `load_file`; all are read before the first is stored.

    This app's `own` files are parsed in this process, and are not among the imports that can be undone.
    """
    settings = settings or load_settings()
    categories = categories or district_categories(settings)
    files = [Path(path) for path in paths]
    names = known_names(store.read_sites(), settings)
    reads = [
        read_source(file, categories=categories, sandboxed=False)
        if own
        else read_file(file, settings=settings, categories=categories, names=names)
        for file in files
    ]
    locators = make_locators(
        store,
        settings,
        categories=categories,
        outline=outline,
        ahead=(record for read in reads for record in read.records),
    )
    who = who or settings.who
    reports = []
    for file, read in zip(files, reads, strict=True):
        if not own:
            known = compare_sites(store.read_sites(), read.records, categories=categories)
            read = settle_known(read, known)
        loaded = _load(store, file.name, read, locators, who=who, categories=categories, own=own)
        reports.append(loaded)
    return reports


def read_file(
    path: str | Path,
    *,
    settings: Settings,
    categories: Categories,
    names: Sequence[PlaceName] = (),
    as_of: date | None = None,
) -> ReadReport:
    """Return what a table, a GIS file or a bulletin says, as far as it is certain.

    Parameters
    ----------
    path
        A file that `geo.read` knows.
    settings, categories
        Of this installation.
    names
        Names known in the district, for bulletins; see `known_names`.
    as_of
        The day a bulletin speaks of, if it does not say so itself.

    Returns
    -------
    report
        Of a bulletin: a record for each site and status that is said plainly; what a person should look at first
        is among the problems; its figures are the claims.

    Raises
    ------
    SourceError
        If the file cannot be read at all; the text says what to do next.
    """
    path = Path(path)
    if path.suffix.lower() not in DOCUMENTS:
        return read_source(path, categories=categories)
    bulletin, figures = read_prose(
        read_document(path) if path.suffix.lower() in PLAIN else read_document_in_child(path),
        path.name,
        settings=settings,
        categories=categories,
        names=names,
        as_of=as_of,
    )
    plain = {
        (m.kind, m.name, m.status) for m in bulletin.mentions if not (m.needs_look or m.conflict)
    }
    records, problems = [], list(bulletin.problems)
    for record in bulletin.records:
        if (record.kind, record.name, record.status) in plain:
            records.append(record)
        else:
            doubt = record.note or _status_label(record, categories)
            why = f"{record.name}: a person should look at this first ({doubt})"
            problems.append(RowProblem(path.name, record.source.where, why))
    claims = [figure.claim for figure in figures]
    return ReadReport(records, problems, len(records) + len(problems), claims=claims)


def read_prose(
    raw: str,
    name: str,
    *,
    settings: Settings,
    categories: Categories,
    names: Sequence[PlaceName] = (),
    as_of: date | None = None,
) -> tuple[Bulletin, list[StatedFigure]]:
    """Return what a text says of sites, and every figure it states; parameters as for `read_file`."""
    bulletin = read_bulletin(raw, file=name, categories=categories, places=names, as_of=as_of)
    home = _home_name(settings.adcode)
    return bulletin, read_figures(bulletin.prose, file=name, district=home, as_of=bulletin.as_of)


def _status_label(record: SiteRecord, categories: Categories) -> str:
    return categories.status(record.kind, record.status).label["zh"]


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


def import_records(
    store: GeoPackageStore,
    name: str,
    read: ReadReport,
    *,
    who: str,
    settings: Settings,
    categories: Categories,
    outline: shapely.Geometry | None = None,
) -> LoadReport:
    """Locate records that were read and reviewed, and keep them as one import; see `load_file`.

    A record of a site that the store knows adds to what is known: what it leaves empty stays, a status it does not
    state stays, and so does the place if it brings none.

    Parameters
    ----------
    store, who, settings, categories, outline
        As for `load_file`.
    name
        What the import is called.
    read
        Records with the `site_id` of the known site they mean, if they mean one; problems; claims.
    """
    locators = make_locators(
        store, settings, categories=categories, outline=outline, ahead=read.records
    )
    return _load(store, name, read, locators, who=who, categories=categories)


def make_locators(
    store: GeoPackageStore,
    settings: Settings,
    *,
    categories: Categories | None = None,
    outline: shapely.Geometry | None = None,
    ahead: Iterable[SiteRecord] = (),
) -> list[Locator]:
    """Return the locators in the order they are asked: people, the source itself, the gazetteer.

    `ahead` are records they will be asked for, see `geo.locate.GivenCoordinates`.
    """
    gazetteer = district_gazetteer(settings, categories=categories)
    border = outline or _outline(settings.adcode)
    locators: list[Locator] = [
        Corrections(store.corrections()),
        GivenCoordinates(border, ahead=ahead),
        RoadLocator(
            gazetteer.places, home=home_names(settings.adcode), road_kinds=gazetteer.road_kinds
        ),
        gazetteer,
    ]
    online = online_geocoder(settings)
    if online is not None:
        from geo.locate.online import OnlineLocator

        provider, cache = online
        # Only what was asked before: asking is `geocode_waiting`, which takes its time and can be ended.
        locators.append(
            OnlineLocator(
                provider, cache, border, road_kinds=tuple(gazetteer.road_kinds), live=False
            )
        )
    return locators


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
        else (provider, AnswerCache(_beside_store(settings, "geocoder.sqlite")))
    )


def _beside_store(settings: Settings, name: str) -> Path:
    is_path = ":" not in settings.store[2:]
    return (Path(settings.store).parent if is_path else ROOT / ".baita") / name


def geocode_waiting(
    store: GeoPackageStore,
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
    records = [_as_record(row) for _, row in sites[~is_located(sites)].iterrows()]
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
        provider, cache, _outline(settings.adcode), road_kinds=roads, live=False
    )
    matched = [(one, match) for one in records if (match := locator.locate(one)) is not None]
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
    return _beside_store(settings, "built")


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
        west, south, east, north = shapely.bounds(_outline(settings.adcode))
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


def _home_name(adcode: str) -> str:
    from geo.draw.basemaps import district

    return district(adcode).name


def _outline(adcode: str) -> shapely.Geometry:
    # The outline's package takes a moment to load, and not every caller needs it.
    from geo.draw.basemaps import district_outline

    return district_outline(adcode)


def _load(
    store: GeoPackageStore,
    file: str,
    read: ReadReport,
    locators: Sequence[Locator],
    *,
    who: str,
    categories: Categories,
    own: bool = False,
) -> LoadReport:
    sites, known = locate_sites(read.records, locators), store.read_sites()
    newest = sites[~_is_older(sites, known)].reset_index(drop=True)
    if not own:
        newest = merge_known(newest, known, categories)
        saved, import_id = store.import_sites(
            newest, read.claims, name=file, who=who, categories=categories
        )
    else:
        saved, import_id = store.save_sites(newest, who=who, categories=categories), 0
        store.save_claims(read.claims)
    located = int(is_located(sites).sum())
    return LoadReport(
        file=file,
        rows=read.rows,
        located=located,
        not_located=len(sites) - located,
        problems=tuple(read.problems),
        added=saved.added,
        changed=saved.changed,
        unchanged=saved.unchanged,
        older=len(sites) - len(newest),
        claims=len(read.claims),
        ignored=tuple(read.ignored),
        import_id=import_id,
    )


def choice_key(kind: str, name: str) -> str:
    """Return what a person's choice for a name is kept under."""
    return f"{kind}.{normalise_name(name)}"


def settle_known(
    read: ReadReport, comparison: Comparison, choices: Mapping[str, str] | None = None
) -> ReadReport:
    """Return a report whose records carry the id of the known site they mean.

    Parameters
    ----------
    read
        What a source says.
    comparison
        Of its records with the known sites.
    choices
        A person's word on which site a name is, by `choice_key`.

    Returns
    -------
    settled
        As many rows as before: a record of a site of which the source says different things, and a second one of
        the same site, are problems now.
    """
    choices = choices or {}
    known = {
        position: one.site_id
        for one in (*comparison.changed, *comparison.same, *comparison.conflicting)
        for position in one.records
        if one.site_id
    }
    torn = {position for one in comparison.conflicting for position in one.records}
    records: dict[str, SiteRecord] = {}
    problems = list(read.problems)
    for position, record in enumerate(read.records):
        site_id = choices.get(choice_key(record.kind, record.name)) or known.get(position)
        record = replace(record, site_id=site_id) if site_id else record
        if position in torn:
            why = f"{record.name}: this source says different things of it; decide for one"
            problems.append(RowProblem(record.source.file, record.source.where, why))
        elif record.site_id in records:
            why = f"{record.name}: the same site as {records[record.site_id].source.where}"
            problems.append(RowProblem(record.source.file, record.source.where, why))
        else:
            records[record.site_id] = record
    return replace(read, records=list(records.values()), problems=problems)


def merge_known(
    sites: gpd.GeoDataFrame, known: gpd.GeoDataFrame, categories: Categories
) -> gpd.GeoDataFrame:
    """Return new statements filled up with what is known of the same sites.

    Parameters
    ----------
    sites
        Site table of a new source.
    known
        Site table of the store; sites are the same by `site_id`.
    categories
        Kinds and statuses.

    Returns
    -------
    merged
        As many rows as `sites`. Text that the new source leaves empty, a status that it does not state, a date it
        does not give and, where it has no place, all of `LOCATION` are those that are known.
    """
    merged = sites.copy()
    old = known.set_index("site_id").reindex(sites["site_id"]).reset_index()
    met = sites["site_id"].isin(known["site_id"]).to_numpy()
    unknown = np.array([categories.kind(kind).unknown for kind in sites["kind"]], dtype=object)
    silent = {name: (sites[name] == "").to_numpy() for name in ("place", "street", "note")}
    silent["status"] = (sites["status"] == unknown).to_numpy(dtype=bool)
    silent["as_of"] = sites["as_of"].isna().to_numpy()
    nowhere = (~is_located(sites)) & met
    silent |= {name: nowhere & is_located(old) for name in LOCATION}
    silent["name"] = np.ones(len(sites), dtype=bool)
    for name, mask in silent.items():
        merged.loc[mask & met, name] = old.loc[mask & met, name].to_numpy()
    return merged


def _is_older(sites: gpd.GeoDataFrame, stored: gpd.GeoDataFrame) -> pd.Series:
    """Return, for each site, whether the store knows it from a later date. No date is not older."""
    known = stored.set_index("site_id")["as_of"].reindex(sites["site_id"])
    return sites["as_of"] < known.to_numpy()


# --- the first start ------------------------------------------------------------------------------


def prepare_store(
    settings: Settings, name: str = BULLETIN, *, progress: Progress | None = None
) -> GeoPackageStore:
    """Return an open store that holds what the project brings along.

    Fills an empty store, and reads the project's files again after they changed. A store that somebody else has
    filled is left alone.

    Parameters
    ----------
    settings
        Say where the store and the data are.
    name
        `bulletin`, the facts of March 2020, in the settings' store; or `demo`, invented sites of two weeks, in
        `demo.gpkg` beside it with the meta value `notice`. The two never share a file.
    progress
        Called with what is being done and how far it is (0 to 1).

    Raises
    ------
    SiteMapError
        If the store cannot be opened or the project's own files cannot be read.
    """
    if name not in (BULLETIN, DEMO):
        raise ValueError(f"{name} is not one of {BULLETIN}, {DEMO}")
    tell = progress or (lambda what, part: None)
    tell("打开数据库", 0.0)
    store = open_store(settings.store if name == BULLETIN else _demo_path(settings))
    try:
        key, digest = f"filled_{name}", _digest(settings, name)
        filled = store.meta(key)
        if filled != digest and (filled is not None or store.read_sites().empty):
            store.set_meta(key, "begun")  # so that a start that breaks off is finished by the next
            _fill(store, settings, name, tell)
            store.set_meta(key, digest)
    except BaseException:
        store.close()
        raise
    tell("完成", 1.0)
    return store


def _demo_path(settings: Settings) -> Path:
    # gpkg:... and postgresql:... are no paths, C:\data\baita.gpkg is one.
    is_path = ":" not in settings.store[2:]
    folder = Path(settings.store).parent if is_path else ROOT / ".baita"
    return folder / DEMO_FILE


def _site_files(settings: Settings, name: str) -> list[Path]:
    return [settings.data / file for file in (("sites.csv",) if name == BULLETIN else _DEMO_FILES)]


def _digest(settings: Settings, name: str) -> str:
    """Return a value that changes with anything the filling depends on."""
    shared = [settings.data / file for file in ("categories.toml", "gazetteer.csv")]
    own = [settings.data / "claims.csv"] if name == BULLETIN else []
    digest = hashlib.sha256(f"{__version__} {settings.adcode}".encode())
    for path in (*_site_files(settings, name), *own, *shared):
        digest.update(path.read_bytes() if path.is_file() else b"")
        digest.update(b"\0")
    return digest.hexdigest()


def _fill(store: GeoPackageStore, settings: Settings, name: str, tell: Progress) -> None:
    files = _site_files(settings, name)
    if name == DEMO:
        # Before the first site, so that no moment shows invented sites without saying so.
        store.set_meta("notice", DEMO_NOTICE)
    for number, file in enumerate(files):
        tell(f"读取 {file.name}", 0.1 + 0.8 * number / len(files))
        load_files(store, [file], settings=settings, own=True)
    if name == BULLETIN:
        tell("读取 claims.csv", 0.9)
        store.save_claims(read_claims(settings.data / "claims.csv"))


# --- a person's word ------------------------------------------------------------------------------


def place_site(
    store: GeoPackageStore,
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
    district = Boundary(outline or _outline(load_settings().adcode))
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


def undo_place(store: GeoPackageStore, who: str) -> Correction | None:
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
    store: GeoPackageStore,
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
    store: GeoPackageStore,
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
    district = Boundary(outline or _outline(load_settings().adcode))
    for lon, lat in vertices:
        _point_inside(lon, lat, Datum.WGS84, district)
    line = shapely.LineString(vertices)
    return _keep(store, site_id, line, "road", uncertainty_m, who=who)


def site_candidates(site: pd.Series, settings: Settings) -> list[Candidate]:
    """Return the places a site may be, by its name and then by what its source says of its place, best first.

    Parameters
    ----------
    site
        A row of the site table.
    settings
        Whose gazetteer is asked.

    Returns
    -------
    candidates
        Those with a geometry (EPSG:4326) that may be drawn, each place once.
    """
    gazetteer = district_gazetteer(settings)
    found = gazetteer.candidates(str(site["name"]), kind=str(site["kind"]))
    if site["place"]:
        found = [*found, *gazetteer.candidates(str(site["place"]), kind=str(site["kind"]))]
    found = [*found, *_online_candidates(site, settings)]
    unique: dict[bytes, Candidate] = {}
    for candidate in found:
        if candidate.geometry is not None and candidate.precision in MAPPED:
            unique.setdefault(shapely.to_wkb(candidate.geometry), candidate)
    return sorted(unique.values(), key=lambda one: -one.score)


def _online_candidates(site: pd.Series, settings: Settings) -> Sequence[Candidate]:
    """Return what the online geocoder says of one site; nothing if there is none, or it does not answer."""
    online = online_geocoder(settings)
    if online is None:
        return []
    from geo.locate.online import OnlineLocator, text_to_ask

    provider, cache = online
    text = text_to_ask(_as_record(site), provider.home)
    if not text:
        return []
    with suppress(SiteMapError):
        return OnlineLocator(provider, cache, _outline(settings.adcode)).candidates(text)
    return []


def place_candidate(
    store: GeoPackageStore, site_id: str, candidate: Candidate, *, who: str
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


def place_like(store: GeoPackageStore, site_id: str, others: Iterable[str], *, who: str) -> int:
    """Put sites where another one is, as far as known of that one; return how many.

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
    done = 0
    for other in others:
        _keep(
            store,
            other,
            site.geometry,
            str(site["precision"]),
            float(site["uncertainty_m"]),
            who=who,
            raw=raw,
        )
        done += 1
    return done


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
        outline or _outline(settings.adcode),
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


def _keep(
    store: GeoPackageStore,
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
