"""Where the stages meet: a file is read, its sites are located and stored, in one go.

`geo.district` knows what there is to locate them by, `geo.placing` a person's word, `geo.drafts` what waits for one.

Nothing is dropped on the way. For every load, rows read = located + not located + problems, checked each time.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from geo import __version__
from geo.category import Categories
from geo.compare import Comparison, compare_sites, name_key
from geo.district import (
    beside_store,
    district_categories,
    district_gazetteer,
    home_name,
    known_names,
    online_geocoder,
    outline_of,
)
from geo.errors import SourceError
from geo.locate import (
    Corrections,
    GivenCoordinates,
    Locator,
    locate_sites,
)
from geo.locate.given import METHOD as GIVEN
from geo.locate.names import home_names
from geo.locate.roads import RoadLocator
from geo.read import ReadReport, read_claims, read_source
from geo.read.bulletin import Bulletin, PlaceName, read_bulletin
from geo.read.document import DOCUMENTS
from geo.read.figures import StatedFigure, read_figures
from geo.read.sandbox import read_text
from geo.settings import DEMO_FILE, Settings, load_settings
from geo.site import (
    LOCATION,
    PRECISIONS,
    Correction,
    RowProblem,
    SiteRecord,
    is_located,
)
from geo.store import SiteStore, open_store

DEMO_NOTICE = "演示数据（虚构）"
"""What every page and picture made from invented sites says."""


MAX_PROSE = 100_000
"""Characters of a bulletin; the longest seen has 6,000."""
BULLETIN, DEMO = "bulletin", "demo"

_DEMO_FILES = ("samples/demo_2020-03-11.csv", "samples/demo_2020-03-18.csv")

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


def load_file(
    store: SiteStore,
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
    store: SiteStore,
    paths: Iterable[str | Path],
    *,
    who: str = "",
    settings: Settings | None = None,
    categories: Categories | None = None,
    outline: shapely.Geometry | None = None,
    own: bool = False,
    left: Collection[str] = (),
) -> list[LoadReport]:
    """Load some files in order, see `load_file`; all are read before the first is stored.

    This app's `own` files are parsed in this process, and are not among the imports that can be undone; of them the
    sites in `left`, by `site_id`, stay as they are stored.
    """
    settings = settings or load_settings()
    categories = categories or district_categories(settings)
    files = [Path(path) for path in paths]
    names = [] if own else known_names(store.read_sites(), settings)
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
        settled = read if own else _settled(store, read, categories, settings)
        loaded = _load(
            store, file.name, settled, locators, who=who, categories=categories, own=own, left=left
        )
        reports.append(loaded)
    return reports


def _settled(
    store: SiteStore, read: ReadReport, categories: Categories, settings: Settings
) -> ReadReport:
    """Return what was read with the ids of the sites that are known already; see `settle_known`."""
    home = home_names(settings.adcode)
    sites = store.read_sites()
    known = compare_sites(sites, read.records, categories=categories, home=home)
    return settle_known(read, known, kinds=kinds_of(sites))


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
        read_text(path),
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
    """Return what a text says of sites, and every figure it states; parameters as for `read_file`.

    Raises
    ------
    SourceError
        If the text is far longer than any bulletin: one line of half a million characters would take minutes.
    """
    if len(raw) > MAX_PROSE:
        raise SourceError(
            f"{name} has {len(raw)} characters; a bulletin may have {MAX_PROSE}: split it"
        )
    bulletin = read_bulletin(raw, file=name, categories=categories, places=names, as_of=as_of)
    home = home_name(settings.adcode)
    return bulletin, read_figures(bulletin.prose, file=name, district=home, as_of=bulletin.as_of)


def _status_label(record: SiteRecord, categories: Categories) -> str:
    return categories.status(record.kind, record.status).label["zh"]


def import_records(
    store: SiteStore,
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
    store: SiteStore,
    settings: Settings,
    *,
    categories: Categories | None = None,
    outline: shapely.Geometry | None = None,
    ahead: Iterable[SiteRecord] = (),
) -> list[Locator]:
    """Return the locators in the order they are asked: people, the source itself, the gazetteer.

    `ahead` are records they will be asked for, see `geo.locate.GivenCoordinates`.
    """
    return locators_with(
        store.corrections(), settings, categories=categories, outline=outline, ahead=ahead
    )


def locators_with(
    corrections: Iterable[Correction],
    settings: Settings,
    *,
    categories: Categories | None = None,
    outline: shapely.Geometry | None = None,
    ahead: Iterable[SiteRecord] = (),
) -> list[Locator]:
    """Return the locators of `make_locators` with people's corrections from wherever they are kept."""
    gazetteer = district_gazetteer(settings, categories=categories)
    border = outline or outline_of(settings.adcode)
    home = home_names(settings.adcode)
    locators: list[Locator] = [
        Corrections(corrections, home=home),
        GivenCoordinates(border, ahead=ahead),
        RoadLocator(gazetteer.places, home=home, road_kinds=gazetteer.road_kinds),
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


def _load(
    store: SiteStore,
    file: str,
    read: ReadReport,
    locators: Sequence[Locator],
    *,
    who: str,
    categories: Categories,
    own: bool = False,
    left: Collection[str] = (),
) -> LoadReport:
    sites, known = locate_sites(read.records, locators), store.read_sites()
    stays = _is_older(sites, known) | sites["site_id"].isin(left)
    newest = sites[~stays].reset_index(drop=True)
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
    return f"{kind}.{name_key(name)}"


def settle_known(
    read: ReadReport,
    comparison: Comparison,
    choices: Mapping[str, str] | None = None,
    *,
    kinds: Mapping[str, str],
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
    kinds
        The kind of each known site, by `site_id`; see `kinds_of`.

    Returns
    -------
    settled
        As many rows as before: a record of a site of which the source says different things, a second one of the
        same site, and one with the number of a site of another kind are problems now.
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
        elif kinds.get(record.site_id, record.kind) != record.kind:
            why = f"{record.name}: its number is that of a site of another kind; give it another"
            problems.append(RowProblem(record.source.file, record.source.where, why))
        elif record.site_id in records:
            why = f"{record.name}: the same site as {records[record.site_id].source.where}"
            problems.append(RowProblem(record.source.file, record.source.where, why))
        else:
            records[record.site_id] = record
    return replace(read, records=list(records.values()), problems=problems)


def kinds_of(known: gpd.GeoDataFrame) -> dict[str, str]:
    """Return the kind of each site of a table by its id."""
    return dict(zip(known["site_id"], known["kind"], strict=True))


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
        does not give and, where it brings no place of its own or the one looked up for it is coarser, all of
        `LOCATION` are those that are known; so is the name.
    """
    merged = sites.copy()
    old = known.set_index("site_id").reindex(sites["site_id"]).reset_index()
    met = sites["site_id"].isin(known["site_id"]).to_numpy()
    unknown = np.array([categories.kind(kind).unknown for kind in sites["kind"]], dtype=object)
    silent = {name: (sites[name] == "").to_numpy() for name in ("place", "street", "note")}
    silent["status"] = (sites["status"] == unknown).to_numpy(dtype=bool)
    silent["as_of"] = sites["as_of"].isna().to_numpy()
    # A place that was looked up for the new source is none that it brings.
    rank = {precision: n for n, precision in enumerate(PRECISIONS)}
    coarser = sites["precision"].map(rank) > old["precision"].map(rank)
    looked_up = ~sites["match_method"].isin((GIVEN, "correction"))
    nowhere = (~is_located(sites) | (coarser & looked_up)) & met
    silent |= {name: nowhere & is_located(old) for name in LOCATION}
    silent["name"] = np.ones(len(sites), dtype=bool)
    for name, mask in silent.items():
        merged.loc[mask & met, name] = old.loc[mask & met, name].to_numpy()
    return merged


def _is_older(sites: gpd.GeoDataFrame, stored: gpd.GeoDataFrame) -> pd.Series:
    """Return, for each site, whether the store knows it from a later date. No date is not older."""
    known = stored.set_index("site_id")["as_of"].reindex(sites["site_id"])
    return sites["as_of"] < known.to_numpy()


def prepare_store(
    settings: Settings, name: str = BULLETIN, *, progress: Progress | None = None
) -> SiteStore:
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
    ValueError
        If the name is none of the two.
    """
    if name not in (BULLETIN, DEMO):
        raise ValueError(f"{name} is not one of {BULLETIN}, {DEMO}")
    tell = progress or (lambda what, part: None)
    tell("打开数据库", 0.0)
    store = open_store(settings.store if name == BULLETIN else beside_store(settings, DEMO_FILE))
    try:
        store.refuse_damaged()
        key, digest = f"filled_{name}", _digest(settings, name)
        filled = store.meta(key)
        if filled != digest and (filled is not None or not store.count_sites()):
            store.set_meta(key, "begun")  # so that a start that breaks off is finished by the next
            _fill(store, settings, name, tell)
            store.set_meta(key, digest)
    except BaseException:
        store.close()
        raise
    tell("完成", 1.0)
    return store


def has_demo(settings: Settings) -> bool:
    """Return whether the data folder brings invented sites along; a district of one's own need not."""
    return all((settings.data / file).is_file() for file in _DEMO_FILES)


def _site_files(settings: Settings, name: str) -> list[Path]:
    if name == BULLETIN:
        return [settings.data / "sites.csv"]
    return [settings.data / file for file in _DEMO_FILES] if has_demo(settings) else []


def _digest(settings: Settings, name: str) -> str:
    """Return a value that changes with anything the filling depends on."""
    shared = [settings.data / file for file in ("categories.toml", "gazetteer.csv")]
    own = [settings.data / "claims.csv"] if name == BULLETIN else []
    digest = hashlib.sha256(f"{__version__} {settings.adcode}".encode())
    for path in (*_site_files(settings, name), *own, *shared):
        digest.update(path.read_bytes() if path.is_file() else b"")
        digest.update(b"\0")
    return digest.hexdigest()


def _fill(store: SiteStore, settings: Settings, name: str, tell: Progress) -> None:
    files, left = _site_files(settings, name), _changed_since_filled(store, name)
    if name == DEMO:
        # Before the first site, so that no moment shows invented sites without saying so.
        store.set_meta("notice", DEMO_NOTICE)
    for number, file in enumerate(files):
        tell(f"读取 {file.name}", 0.1 + 0.8 * number / len(files))
        load_files(store, [file], settings=settings, own=True, left=left)
    if name == BULLETIN:
        tell("读取 claims.csv", 0.9)
        store.save_claims(read_claims(settings.data / "claims.csv"))
    # Of a site that a person has changed nothing is remembered that it could ever equal again.
    said = {site: "" if site in left else words for site, words in _stated(store).items()}
    store.set_meta(f"stated_{name}", json.dumps(said))
    store.set_meta(f"left_{name}", "")


def _changed_since_filled(store: SiteStore, name: str) -> set[str]:
    """Return the sites of which people have stated something since the project's files were last read."""
    begun = store.meta(f"left_{name}")
    if begun:  # a filling that broke off: what it had written is not a person's word
        return set(json.loads(begun))
    filled = store.meta(f"stated_{name}")
    if filled:
        before = json.loads(filled)
        left = {site for site, words in _stated(store).items() if before.get(site, words) != words}
    else:  # filled by an older version, which kept no record of it
        left = set(store.statement_changes()["site_id"])
    store.set_meta(f"left_{name}", json.dumps(sorted(left)))
    return left


def _stated(store: SiteStore) -> dict[str, str]:
    """Return what is stated of each site as a short value that changes with it."""
    rows = store.read_sites()[["site_id", *_TYPED]].astype(str).itertuples(index=False)
    return {
        site: hashlib.sha256("\x1f".join(words).encode("utf-8", "replace")).hexdigest()[:12]
        for site, *words in rows
    }


_TYPED = "status as_of note place street".split()
