"""The sets of sites that are open, as everybody sees them: read once for each version, shared by all sessions.

A session never holds a table of its own. Pages and routes ask for the current snapshot; a write anywhere gives
the set a new version, and the next one who asks gets the new table.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, TypeVar, cast

import geopandas as gpd
import pandas as pd

from geo.category import Categories, load_categories
from geo.draw.site_layer import compress, pack_mask, pack_sites, sort_order
from geo.errors import ExportError, StoreAway
from geo.pipeline import prepare_store
from geo.read.endpoint import Model, load_model
from geo.settings import Settings, load_settings
from geo.site import Claim
from geo.store.tiles import Facts, SiteTiles, VersionGone
from geo.timeline import Comparison, Timeline
from geo.ui.figures import claims_until
from geo.view import Provenance, SiteFilter, SiteIndex

if TYPE_CHECKING:
    from geo.store import SiteStore

DATASETS = ("bulletin", "demo")
KEPT_TILE_BYTES = 64_000_000
MOST_EXPORTED = 50_000
K = TypeVar("K")
V = TypeVar("V")
KEPT_SUMMARIES = 256  # filters of one version whose counts are remembered
KEPT_VERSIONS = 3  # so that a page that was just overtaken can finish what it is fetching
KEPT_DAYS = 6  # earlier days of one version; a table of 100,000 sites takes about 20 MB
_DAY_MARK = "@"
"""Parts a data version from the day its table is of; a store's version has letters, digits and - only."""


def no_changes() -> pd.DataFrame:
    """Return that nothing else was stated before."""
    return pd.DataFrame({name: [] for name in ("site_id", "version", "field", "old")})


@dataclass(frozen=True)
class Snapshot:
    """One version of one set: its table and what the browser gets of it, worked out when first asked for.

    `aside` names the sites whose kind or status the categories do not know, as another program may write them: they
    stay in the store and are not in the table.

    An earlier day's is a snapshot of its own (see `of`) with its `day` and, as `present`, what it was made from; its
    version says both, so that what is fetched of it never changes either.
    """

    dataset: str
    version: str
    sites: gpd.GeoDataFrame
    claims: tuple[Claim, ...]
    categories: Categories
    aside: tuple[str, ...] = ()
    tell_changes: Callable[[], pd.DataFrame] = field(default=no_changes, repr=False)
    day: date | None = None
    present: Snapshot | None = field(default=None, repr=False)
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False, compare=False)

    # ---- other days ----------------------------------------------------------------------------------------------

    @property
    def timeline(self) -> Timeline:
        """What was stated on which day; read when first asked for, one and the same for all days."""
        present = self.present or self
        with present._lock:
            return present._timeline

    @cached_property
    def _timeline(self) -> Timeline:
        # What somebody writes between the table and this makes a later version of a site, which is left out.
        return Timeline(self.sites, self.tell_changes(), self.categories)

    def of(self, day: date | None) -> Snapshot:
        """Return the snapshot as of a day, itself for None and for a day after all that is stated."""
        present = self.present or self
        if day is None:
            return present
        effective = present.timeline.effective(day)
        if effective is None:
            return present
        with present._lock:
            kept = present._days
            found = kept.pop(effective, None) or present._as_of(effective)
            kept[effective] = found  # the last asked for is the last to go
            while len(kept) > KEPT_DAYS:
                kept.popitem(last=False)
            return found

    @cached_property
    def _days(self) -> OrderedDict[date, Snapshot]:
        return OrderedDict()

    def _as_of(self, day: date) -> Snapshot:
        return Snapshot(
            self.dataset,
            f"{self.version}{_DAY_MARK}{day.isoformat()}",
            self.timeline.at(day),
            claims_until(self.claims, day),
            self.categories,
            self.aside,
            day=day,
            present=self,
        )

    def changes(self, since: date) -> pd.DataFrame:
        """Return what changed since an earlier day, as `Timeline.changes` does."""
        timeline = self.timeline
        # Of two days between the same two bulletins neither is earlier.
        return timeline.changes(timeline.effective(since) or since, self.day)

    def compared(self, since: date) -> Comparison:
        """Return what changed since an earlier day, row by row, remembered."""
        base = self.timeline.effective(since) or since
        with self._lock:
            found = self._comparisons.get(base)
            if found is None:
                found = self._comparisons[base] = Comparison(self.index, self.changes(base))
                while len(self._comparisons) > KEPT_DAYS:
                    del self._comparisons[next(iter(self._comparisons))]
            return found

    @cached_property
    def _comparisons(self) -> dict[date, Comparison]:
        return {}

    # ---- what the browser gets -----------------------------------------------------------------------------------

    @cached_property
    def index(self) -> SiteIndex:
        """The table made ready for filtering."""
        return SiteIndex(self.sites, self.categories)

    @cached_property
    def payload(self) -> bytes:
        """Positions and codes for the map, gzip."""
        return compress(pack_sites(self.sites, self.categories))

    @cached_property
    def fictitious(self) -> bool:
        """Whether any site of the set is invented; every picture of it must then say so."""
        return bool(self.sites["fictitious"].any())

    @cached_property
    def streets(self) -> list[str]:
        """The subdistricts that sites state, sorted; "" is not one."""
        return sorted(set(self.sites["street"]) - {""})

    @cached_property
    def rows(self) -> dict[str, int]:
        """Position in the table by site_id."""
        return {site_id: row for row, site_id in enumerate(self.sites["site_id"])}

    @property
    def by_tiles(self) -> bool:
        """Whether the map is drawn by tiles, and the table comes in pages."""
        return False

    def site(self, site_id: str) -> gpd.GeoDataFrame:
        """Return one site as a table of one row; `KeyError` if there is none."""
        return self.sites.iloc[[self.rows[site_id]]]

    def row_of(self, site_id: str) -> int:
        """Return a site's number as the browser knows it, -1 on a day before it came; `KeyError` if there is none."""
        row = self.rows.get(site_id)
        if row is None and (self.present is None or site_id not in self.present.rows):
            raise KeyError(site_id)
        return -1 if row is None else row

    def comparable(self, site_id: str) -> gpd.GeoDataFrame:
        """Return the sites among which others like one may be looked for, that one among them."""
        return self.sites

    def chosen_sites(self, chosen: SiteFilter) -> gpd.GeoDataFrame:
        """Return a table of which a filter keeps what it keeps of the set."""
        return self.sites

    def rows_at(self, rows: set[int]) -> gpd.GeoDataFrame:
        """Return the sites of some rows as the browser numbers them, in order; those that are there."""
        return self.sites.iloc[sorted(row for row in rows if 0 <= row < len(self.sites))]

    def bits(self, chosen: SiteFilter) -> bytes:
        """Return the rows that the filter keeps, categories aside, one bit each, gzip."""
        return compress(pack_mask(self.index.mask_besides_categories(chosen)))

    def order(self, column: str) -> bytes:
        """Return the rows in the order of a column, gzip; `KeyError` if it cannot be sorted by."""
        return compress(sort_order(self.sites, column, self.categories))

    def deltas(self, chosen: SiteFilter) -> list[list[int]]:
        """Return, for each category's code, how many came and left since the filter's earlier day; [] without one."""
        if chosen.since is None:
            return []
        keep = self.index.mask_besides_categories(chosen)
        return self.compared(chosen.since).deltas(keep).tolist()

    def trend(self, chosen: SiteFilter) -> pd.DataFrame:
        """Return `Timeline.trend` for all days, whatever this snapshot's own."""
        return self.timeline.trend(self.categories, chosen)

    def counts(self, chosen: SiteFilter) -> list[list[int]]:
        """Return, for each category's code, how many sites the rest of a filter keeps and how many are on the map.

        Remembered: a click on a chip does not change them, whoever clicks.
        """
        besides = chosen.without_categories().without_time()

        def count() -> list[list[int]]:
            counts = self.index.count_by_status(besides)
            return cast(list[list[int]], counts[["total", "located"]].to_numpy().tolist())

        return _once(self._counts, besides, count)

    def provenance(self, chosen: SiteFilter) -> Provenance:
        """Return how new the sites are that a filter keeps, and the files they come from."""
        chosen = chosen.without_time()
        return _once(self._provenances, chosen, lambda: self.index.provenance(chosen))

    @cached_property
    def _counts(self) -> dict[SiteFilter, list[list[int]]]:
        return {}

    @cached_property
    def _provenances(self) -> dict[SiteFilter, Provenance]:
        return {}


def _once(known: dict[K, V], key: K, ask: Callable[[], V]) -> V:
    """Return what is known for a key, asked for the first time only; what was asked for is kept to a limit."""
    if key in known:
        with suppress(KeyError):  # forgotten this moment by another thread
            return known[key]
    found = ask()
    if len(known) >= KEPT_SUMMARIES:
        known.clear()
    known[key] = found
    return found


class LargeSnapshot:
    """One version of a set of millions: what `Snapshot` says, asked of the database; the table is never read.

    Parameters
    ----------
    dataset, version, claims, categories
        As of `Snapshot`.
    tiles
        Of the set's store.
    store_version
        Says the store's newest data version.
    """

    by_tiles = True
    day: date | None = None
    present: Snapshot | None = None

    def __init__(
        self,
        dataset: str,
        version: str,
        claims: tuple[Claim, ...],
        categories: Categories,
        tiles: SiteTiles,
        store_version: Callable[[], str],
    ) -> None:
        self.dataset, self.version = dataset, version
        self.claims, self.categories, self.tiles = claims, categories, tiles
        self._store_version = store_version
        self._known: dict[tuple[str, SiteFilter], Any] = {}
        self._drawn: OrderedDict[tuple[int, int, int, str], bytes] = OrderedDict()
        self._drawn_bytes, self._lock = 0, threading.Lock()

    def of(self, day: date | None) -> LargeSnapshot:
        """Return itself: a set of millions is shown as it is now."""
        return self

    def deltas(self, chosen: SiteFilter) -> list[list[int]]:
        """Nothing is compared with an earlier day."""
        return []

    def changes(self, since: date) -> pd.DataFrame | None:
        """Nothing is compared with an earlier day."""
        return None

    @cached_property
    def _facts(self) -> Facts:
        return self._newest(self.tiles.facts)

    @property
    def aside(self) -> tuple[str, ...]:
        """As of `Snapshot`; the first thousand."""
        return self._facts.aside

    @property
    def fictitious(self) -> bool:
        """As of `Snapshot`."""
        return self._facts.fictitious

    @property
    def streets(self) -> list[str]:
        """As of `Snapshot`."""
        return list(self._facts.streets)

    def counts(self, chosen: SiteFilter) -> list[list[int]]:
        """As of `Snapshot`."""
        besides = chosen.without_categories().without_time()
        found: list[list[int]] = self._once("counts", besides, self.tiles.counts)
        return found

    def provenance(self, chosen: SiteFilter) -> Provenance:
        """Return how new the set is, up to the filter's last day, and the files it comes from; of all statuses."""
        newest = self._once("latest", SiteFilter(until=chosen.until), self.tiles.latest)
        return Provenance(str(newest), tuple(self._facts.sources))

    def bounds(self, chosen: SiteFilter) -> tuple[float, float, float, float] | None:
        """Return west, south, east, north (EPSG:4326) of what a filter leaves on the map."""
        found: tuple[float, float, float, float] | None = self._once(
            "bounds", chosen, self.tiles.bounds
        )
        return found

    def _once(self, what: str, chosen: SiteFilter, ask: Callable[[str, SiteFilter], Any]) -> Any:
        return _once(self._known, (what, chosen), lambda: self._newest(ask, chosen))

    def _newest(self, ask: Callable[..., Any], *words: Any) -> Any:
        """Ask of this version; if it is over by now, of the newest: the page hears of that within a second."""
        version = self.version
        for _ in range(3):
            try:
                return ask(version, *words)
            except VersionGone:
                version = self._store_version()
        return ask(version, *words)

    def tile(self, zoom: int, column: int, row: int, chosen: SiteFilter) -> bytes:
        """Return a tile, gzip; see `SiteTiles.tile`. The latest are kept."""
        besides = chosen.without_categories().without_time()
        key = (zoom, column, row, besides.to_query())
        with self._lock:
            if key in self._drawn:
                self._drawn.move_to_end(key)
                return self._drawn[key]
        data = compress(self.tiles.tile(self.version, zoom, column, row, besides))
        with self._lock:
            self._drawn_bytes += len(data) - len(self._drawn.pop(key, b""))
            self._drawn[key] = data
            while self._drawn_bytes > KEPT_TILE_BYTES:
                self._drawn_bytes -= len(self._drawn.popitem(last=False)[1])
        return data

    def site(self, site_id: str) -> gpd.GeoDataFrame:
        """As of `Snapshot`, but always the newest."""
        fid = self._newest(self.tiles.fid, site_id)
        found: gpd.GeoDataFrame = self._newest(self.tiles.rows, [fid])[1]
        return found

    def row_of(self, site_id: str) -> int:
        """As of `Snapshot`: the store's number."""
        return self.tiles.fid(self.version, site_id)

    def comparable(self, site_id: str) -> gpd.GeoDataFrame:
        """Only the site itself: nobody looks through millions for a like one while a person waits."""
        return self.site(site_id)

    def chosen_sites(self, chosen: SiteFilter) -> gpd.GeoDataFrame:
        """Return what a filter keeps.

        Raises
        ------
        ExportError
            If that is more than a sheet or a file of the page can hold.
        """
        codes = {self.categories.codes[key] for key in chosen.hidden}
        counts = self.counts(chosen)
        total = sum(n for code, (n, _) in enumerate(counts) if code not in codes)
        if chosen.located is None and total > MOST_EXPORTED:
            raise ExportError(
                f"{total} sites are too many for one file: filter to at most {MOST_EXPORTED}, "
                "or copy the store (python -m geo copy)"
            )
        return self.tiles.page(self.version, chosen, limit=MOST_EXPORTED)[1]

    def rows_at(self, rows: set[int]) -> gpd.GeoDataFrame:
        """As of `Snapshot`: here a row's number is the store's."""
        return self.tiles.rows(self.version, sorted(rows))[1]


AnySnapshot = Snapshot | LargeSnapshot


class Library:
    """The open stores and their snapshots. Safe to use from any thread.

    Parameters
    ----------
    settings
        Where the stores are.
    categories
        Kinds and statuses.
    model
        Who else may be asked what a bulletin says; None for nobody.
    """

    def __init__(
        self, settings: Settings, categories: Categories, *, model: Model | None = None
    ) -> None:
        self.settings, self.categories, self.model = settings, categories, model
        self._stores: dict[str, SiteStore] = {}
        self._snapshots: OrderedDict[tuple[str, str], AnySnapshot] = OrderedDict()
        self._large: set[str] = set()
        self._locks = {name: threading.RLock() for name in DATASETS}

    def store(self, dataset: str) -> SiteStore:
        """Return the store of a set, filled on first use.

        Raises
        ------
        KeyError
            If there is no such set.
        """
        with self._locks[dataset]:
            if dataset not in self._stores:
                self._stores[dataset] = prepare_store(self.settings, dataset)
            return self._stores[dataset]

    def snapshot(self, dataset: str) -> AnySnapshot:
        """Return the current snapshot of a set; a cheap look at the version when nothing has changed.

        While the store cannot be reached it is the last one there was: a page keeps what it shows, and is told by the
        route of the version, which it asks every second. What writes, or reads the store itself, fails meanwhile.

        Raises
        ------
        StoreError
            If the store cannot be read: a damaged one shows nothing, one that is away only if it never was there.
        """
        try:
            version = self.store(dataset).data_version()
        except StoreAway:
            last = self._last(dataset)
            if last is None:
                raise
            return last
        found = self._snapshots.get((dataset, version))
        return found or self._read(dataset)

    def _last(self, dataset: str) -> AnySnapshot | None:
        with self._locks[dataset]:
            return next(
                (self._snapshots[k] for k in reversed(self._snapshots) if k[0] == dataset), None
            )

    def at(self, dataset: str, version: str) -> AnySnapshot | None:
        """Return a snapshot that is current or was a moment ago, else None."""
        if dataset not in DATASETS:
            return None
        version, _, day = version.partition(_DAY_MARK)
        current = self.snapshot(dataset)
        found = current if current.version == version else self._snapshots.get((dataset, version))
        try:
            return found.of(date.fromisoformat(day)) if found and day else found
        except ValueError:
            return None

    def _read(self, dataset: str) -> AnySnapshot:
        with self._locks[dataset]:
            store = self.store(dataset)
            # Whoever waited for the lock finds what the one before has read.
            found = self._snapshots.get((dataset, store.data_version()))
            if found:
                return found
            claims = tuple(store.claims())
            snapshot: AnySnapshot
            if self._is_large(dataset, store):
                tiles = SiteTiles(store, self.categories)
                tiles.prepare()
                snapshot = LargeSnapshot(
                    dataset,
                    store.data_version(),
                    claims,
                    self.categories,
                    tiles,
                    store.data_version,
                )
                return self._keep(snapshot)
            version, sites = store.read_snapshot()
            known = (sites["kind"] + "." + sites["status"]).isin(list(self.categories.codes))
            aside = tuple(sites["name"][~known])
            sites = sites if not aside else sites[known].reset_index(drop=True)
            return self._keep(
                Snapshot(
                    *(dataset, version, sites, claims, self.categories, aside),
                    tell_changes=store.statement_changes,
                )
            )

    def _keep(self, snapshot: AnySnapshot) -> AnySnapshot:
        self._snapshots[snapshot.dataset, snapshot.version] = snapshot
        mine = [key for key in self._snapshots if key[0] == snapshot.dataset]
        for key in mine[:-KEPT_VERSIONS]:
            del self._snapshots[key]
        return snapshot

    def _is_large(self, dataset: str, store: SiteStore) -> bool:
        """Return whether a set is beyond what one table in memory is for; once it is, it stays so."""
        if (
            dataset not in self._large
            and store.makes_tiles
            and store.count_sites() > self.settings.large
        ):
            self._large.add(dataset)
        return dataset in self._large


@lru_cache(maxsize=1)
def get_library() -> Library:
    """Return the one library of this process."""
    settings = load_settings()
    categories = load_categories(settings.data / "categories.toml")
    return Library(settings, categories, model=load_model(os.environ))
