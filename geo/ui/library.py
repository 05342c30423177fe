"""The sets of sites that are open, as everybody sees them: read once for each version, shared by all sessions.

A session never holds a table of its own. Pages and routes ask for the current snapshot; a write anywhere gives
the set a new version, and the next one who asks gets the new table.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import geopandas as gpd
import numpy as np

from geo.category import Categories, load_categories
from geo.draw.site_layer import compress, pack_mask, pack_sites, sort_order
from geo.pipeline import prepare_store
from geo.settings import Settings, load_settings
from geo.site import Claim
from geo.view import SiteFilter, SiteIndex

if TYPE_CHECKING:
    from geo.store import SiteStore

DATASETS = ("bulletin", "demo")
KEPT_SUMMARIES = 256  # filters of one version whose counts are remembered
KEPT_VERSIONS = 3  # so that a page that was just overtaken can finish what it is fetching


@dataclass(frozen=True)
class Snapshot:
    """One version of one set: its table and what the browser gets of it, worked out when first asked for.

    `aside` names the sites whose kind or status the categories do not know, as another program may write them: they
    stay in the store and are not in the table.
    """

    dataset: str
    version: str
    sites: gpd.GeoDataFrame
    claims: tuple[Claim, ...]
    categories: Categories
    aside: tuple[str, ...] = ()

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
    def sources(self) -> list[str]:
        """The files the sites come from, most frequent first."""
        return [str(name) for name in self.sites["source_file"].value_counts().index if name]

    @cached_property
    def rows(self) -> dict[str, int]:
        """Position in the table by site_id."""
        return {site_id: row for row, site_id in enumerate(self.sites["site_id"])}

    def bits(self, chosen: SiteFilter) -> bytes:
        """Return the rows that the filter keeps, categories aside, one bit each, gzip."""
        return compress(pack_mask(self.index.mask_besides_categories(chosen)))

    def order(self, column: str) -> bytes:
        """Return the rows in the order of a column, gzip; `KeyError` if it cannot be sorted by."""
        return compress(sort_order(self.sites, column, self.categories))

    def counts(self, chosen: SiteFilter) -> list[list[int]]:
        """Return, for each category's code, how many sites the rest of a filter keeps and how many are on the map."""
        return self._summary(chosen)[0]

    def latest(self, chosen: SiteFilter) -> str:
        """Return the newest date among the sites that a filter keeps, as ISO text, or ""."""
        return self._summary(chosen)[1]

    @cached_property
    def _summaries(self) -> dict[SiteFilter, tuple[list[list[int]], str]]:
        return {}

    def _summary(self, chosen: SiteFilter) -> tuple[list[list[int]], str]:
        """Return counts and newest date, remembered: a click on a chip changes neither, whoever clicks."""
        besides, known = chosen.without_categories(), self._summaries
        found = known.get(besides)
        if found is None:
            counts = self.index.count_by_status(besides)[["total", "located"]].to_numpy().tolist()
            if len(known) >= KEPT_SUMMARIES:
                known.clear()
            found = known[besides] = (counts, self._latest(besides))
        return found

    def _latest(self, chosen: SiteFilter) -> str:
        dates = self.sites["as_of"].to_numpy()
        if chosen.until is not None:
            dates = dates[dates <= np.datetime64(chosen.until)]
        dates = dates[~np.isnat(dates)]
        return str(dates.max().astype("datetime64[D]")) if len(dates) else ""


class Library:
    """The open stores and their snapshots. Safe to use from any thread.

    Parameters
    ----------
    settings
        Where the stores are.
    categories
        Kinds and statuses.
    """

    def __init__(self, settings: Settings, categories: Categories) -> None:
        self.settings, self.categories = settings, categories
        self._stores: dict[str, SiteStore] = {}
        self._snapshots: OrderedDict[tuple[str, str], Snapshot] = OrderedDict()
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

    def snapshot(self, dataset: str) -> Snapshot:
        """Return the current snapshot of a set; a cheap look at the version when nothing has changed."""
        store = self.store(dataset)
        key = (dataset, store.data_version())
        found = self._snapshots.get(key)
        return found or self._read(dataset)

    def at(self, dataset: str, version: str) -> Snapshot | None:
        """Return a snapshot that is current or was a moment ago, else None."""
        if dataset not in DATASETS:
            return None
        current = self.snapshot(dataset)
        return current if current.version == version else self._snapshots.get((dataset, version))

    def _read(self, dataset: str) -> Snapshot:
        with self._locks[dataset]:
            store = self.store(dataset)
            # Whoever waited for the lock finds what the one before has read.
            found = self._snapshots.get((dataset, store.data_version()))
            if found:
                return found
            version, sites = store.read_snapshot()
            claims = tuple(store.claims())
            known = (sites["kind"] + "." + sites["status"]).isin(list(self.categories.codes))
            aside = tuple(sites["name"][~known])
            sites = sites if not aside else sites[known].reset_index(drop=True)
            snapshot = Snapshot(dataset, version, sites, claims, self.categories, aside)
            self._snapshots[dataset, version] = snapshot
            mine = [key for key in self._snapshots if key[0] == dataset]
            for key in mine[:-KEPT_VERSIONS]:
                del self._snapshots[key]
            return snapshot


@lru_cache(maxsize=1)
def get_library() -> Library:
    """Return the one library of this process."""
    settings = load_settings()
    return Library(settings, load_categories(settings.data / "categories.toml"))
