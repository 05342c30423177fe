"""The one filter: what the map, the table, the legend, the counts and every export agree on.

A filter travels as plain named values (`hide=enterprise.stopped&q=新华路&until=2020-03-11`), the same in the
address bar, in the map's own requests and on the command line.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from urllib.parse import urlencode

import geopandas as gpd
import numpy as np
import pandas as pd

from geo.category import Categories, fold, load_categories
from geo.day import read_day
from geo.errors import CategoryError, FilterError
from geo.site import PRECISIONS, is_located

MAX_VALUES, MAX_VALUE = 200, 2000
"""How many values one name of an address may have, and how many characters each."""
_NAMES = ("hide", "q", "street", "precision", "until", "located", "as_of", "since")
NO_STREET = "-"
"""Stands for "no street stated" where streets are chosen by name."""


@dataclass(frozen=True, slots=True)
class SiteFilter:
    """Which sites to show. The empty filter shows all.

    Parameters
    ----------
    hidden
        Categories switched off, as `kind.status`.
    text
        Words that must all be in the name, place, street or note; case, width and spaces do not matter.
    streets
        Subdistricts (街道) to keep; empty keeps all; `NO_STREET` keeps sites that state none.
    precisions
        Precision classes to keep; empty keeps all.
    until
        Keep sites whose date is not after this day. A site without a date stays.
    located
        True keeps what is on the map, False what waits in the tray, None both.
    as_of
        The day whose table is meant, None the present one. Not `until`: that leaves out what a newer statement is
        known of, this shows what was stated before it. A mask knows nothing of it; `geo.timeline` has the tables.
    since
        The earlier day to compare that table with, or None.
    """

    hidden: frozenset[str] = frozenset()
    text: str = ""
    streets: tuple[str, ...] = ()
    precisions: tuple[str, ...] = ()
    until: date | None = None
    located: bool | None = None
    as_of: date | None = None
    since: date | None = None

    def without_categories(self) -> SiteFilter:
        """Return the filter with every category shown: what the counts beside the chips are made of."""
        return replace(self, hidden=frozenset())

    def without_time(self) -> SiteFilter:
        """Return the filter with no day and no comparison: what it does to any one table."""
        return replace(self, as_of=None, since=None)

    @property
    def only_categories(self) -> bool:
        """Whether categories are all it filters by, so that a 256-entry table says everything."""
        return self.without_categories().without_time() == SiteFilter()

    def to_params(self) -> dict[str, list[str]]:
        """Return the filter as query parameters; what is not set is not there. Order is fixed."""
        params = {
            "hide": sorted(self.hidden),
            "q": [self.text] if self.text else [],
            "street": [street or NO_STREET for street in self.streets],
            "precision": list(self.precisions),
            "until": [self.until.isoformat()] if self.until else [],
            "located": [] if self.located is None else ["yes" if self.located else "no"],
            "as_of": [self.as_of.isoformat()] if self.as_of else [],
            "since": [self.since.isoformat()] if self.since else [],
        }
        return {name: values for name, values in params.items() if values}

    def to_query(self) -> str:
        """Return the filter as the query part of an address, without the question mark.

        Examples
        --------
        >>> SiteFilter(text="3#楼", hidden=frozenset({"enterprise.stopped"})).to_query()
        'hide=enterprise.stopped&q=3%23%E6%A5%BC'
        """
        return urlencode(self.to_params(), doseq=True)

    @classmethod
    def from_params(
        cls, params: Mapping[str, str | Iterable[str]], categories: Categories | None = None
    ) -> SiteFilter:
        """Return the filter that query parameters stand for; parameters of other names are left alone.

        Parameters
        ----------
        params
            Name to values, as from `to_params`; one value may stand without its list.
        categories
            What may be hidden; the district's own file by default.

        Raises
        ------
        FilterError
            If a value is not a category, precision, date or yes/no, `since` is not before `as_of`, or there are more
            or longer values than a page ever makes.
        """
        given = {name: _bounded(name, params[name]) for name in _NAMES if name in params}
        hidden = frozenset(given.get("hide", []))
        _refuse_unknown("hide", hidden, (categories or load_categories()).codes)
        precisions = tuple(given.get("precision", []))
        _refuse_unknown("precision", precisions, PRECISIONS)
        return cls(
            hidden=hidden,
            text=" ".join(given.get("q", []))[:200],
            streets=tuple(given.get("street", [])),
            precisions=precisions,
            until=_read_date("until", given),
            located=_read_yes(given.get("located", [])),
            as_of=_read_date("as_of", given),
            since=_read_date("since", given),
        )._in_order()

    def _in_order(self) -> SiteFilter:
        if self.as_of and self.since and self.since >= self.as_of:
            raise FilterError(f"since={self.since} is not before as_of={self.as_of}")
        return self


def select_sites(
    sites: gpd.GeoDataFrame, chosen: SiteFilter, categories: Categories | None = None
) -> gpd.GeoDataFrame:
    """Return the rows a filter keeps, in order.

    Parameters
    ----------
    sites
        Site table as defined in `geo.site`.
    chosen
        The filter.
    categories
        Kinds and statuses; the district's own file by default.
    """
    return sites[select_mask(sites, chosen, categories)]


def select_mask(
    sites: gpd.GeoDataFrame, chosen: SiteFilter, categories: Categories | None = None
) -> np.ndarray:
    """Return a boolean array, shape (len(sites),): which rows a filter keeps."""
    return SiteIndex(sites, categories or load_categories()).mask(chosen)


def category_codes(sites: gpd.GeoDataFrame, categories: Categories) -> np.ndarray:
    """Return the code of each row's category, uint8, shape (len(sites),); see `geo.category`.

    Raises
    ------
    CategoryError
        If a row's category is not in the file.
    """
    keys = sites["kind"] + "." + sites["status"]
    codes = keys.map(categories.codes)
    # NaN cast to a byte is 0: without this, a site of an unknown status counts as the file's first.
    unknown = keys[codes.isna()]
    if len(unknown):
        some = ", ".join(str(key) for key in unknown.unique()[:3])
        raise CategoryError(f"unknown kind or status in {len(unknown)} of {len(keys)} rows: {some}")
    return codes.to_numpy(dtype="uint8")


class SiteIndex:
    """A site table made ready to be filtered many times: what each filter needs is worked out once.

    Parameters
    ----------
    sites
        Site table as defined in `geo.site`; it must not change afterwards.
    categories
        Kinds and statuses.
    """

    def __init__(self, sites: gpd.GeoDataFrame, categories: Categories) -> None:
        self.sites, self.categories = sites, categories
        self.codes = category_codes(sites, categories)
        self.located = is_located(sites)

    @cached_property
    def search_text(self) -> pd.Series:
        """What the text filter searches: name, place, street and note, folded, with NUL between."""
        columns = (self.sites[name].tolist() for name in ("name", "place", "street", "note"))
        joined = zip(*columns, strict=True)
        # Not "\n", which folding takes out: a word must not begin in one field and end in the next.
        return pd.Series([fold("\0".join(parts)) for parts in joined], dtype="str")

    def mask(self, chosen: SiteFilter) -> np.ndarray:
        """Return a boolean array, shape (n sites,): which rows a filter keeps."""
        keep = self.mask_besides_categories(chosen)
        if chosen.hidden:
            keep &= lookup_table(chosen, self.categories)[self.codes].astype(bool)
        return keep

    def mask_besides_categories(self, chosen: SiteFilter) -> np.ndarray:
        """Return a boolean array, shape (n sites,): which rows the rest of a filter keeps."""
        sites, keep = self.sites, np.ones(len(self.sites), dtype=bool)
        for word in chosen.text.split():
            keep &= self.search_text.str.contains(fold(word), regex=False).to_numpy()
        if chosen.streets:
            wanted = ["" if street == NO_STREET else street for street in chosen.streets]
            keep &= sites["street"].isin(wanted).to_numpy()
        if chosen.precisions:
            keep &= sites["precision"].isin(chosen.precisions).to_numpy()
        if chosen.until is not None:
            # In whole days, so that a site seen at ten in the morning counts for that day.
            days = sites["as_of"].to_numpy().astype("datetime64[D]")
            keep &= np.isnat(days) | (days <= np.datetime64(chosen.until, "D"))
        if chosen.located is not None:
            keep &= self.located == chosen.located
        return keep

    def provenance(self, chosen: SiteFilter) -> Provenance:
        """Return `provenance` of what a filter keeps."""
        keep, (names, numbers) = self.mask(chosen), self._files
        counts = np.bincount(numbers[keep], minlength=len(names))
        ranked = [names[n] for n in np.argsort(-counts, kind="stable") if counts[n]]
        newest = _newest(self.sites["as_of"].to_numpy()[keep])
        return Provenance(newest, tuple(name for name in ranked if name))

    @cached_property
    def _files(self) -> tuple[list[str], np.ndarray]:
        """The source files by name, and which one each site has."""
        numbers, names = pd.factorize(self.sites["source_file"], sort=True)
        return [str(name) for name in names], numbers

    def count_by_status(self, chosen: SiteFilter) -> pd.DataFrame:
        """Return the counts described at `count_by_status`."""
        keep = self.mask_besides_categories(chosen)
        size = len(self.categories.statuses)
        return pd.DataFrame(
            {
                "total": np.bincount(self.codes[keep], minlength=size)[:size],
                "located": np.bincount(self.codes[keep & self.located], minlength=size)[:size],
                "shown": [key not in chosen.hidden for key in self.categories.codes],
            },
            index=pd.Index(list(self.categories.codes), name="category"),
        )


@dataclass(frozen=True, slots=True)
class Provenance:
    """How new some sites are and where they come from: what stands below every map of them.

    `newest` is a day as ISO text, "" if none has one; `files` are their source files, those of most sites first,
    those of as many by name.
    """

    newest: str
    files: tuple[str, ...]


def provenance(sites: pd.DataFrame) -> Provenance:
    """Return how new sites are and where they come from."""
    counts = sites["source_file"].value_counts(sort=False).sort_index()
    ranked = counts.sort_values(ascending=False, kind="stable").index
    return Provenance(_newest(sites["as_of"].to_numpy()), tuple(str(f) for f in ranked if f))


def _newest(dates: np.ndarray) -> str:
    known = dates[~np.isnat(dates)]
    return str(known.max().astype("datetime64[D]")) if len(known) else ""


def lookup_table(chosen: SiteFilter, categories: Categories) -> np.ndarray:
    """Return the map's filter: 256 bytes, 1 where the category with that code is shown."""
    table = np.zeros(256, dtype="uint8")
    for key, code in categories.codes.items():
        table[code] = key not in chosen.hidden
    return table


def count_by_status(
    sites: gpd.GeoDataFrame, chosen: SiteFilter, categories: Categories | None = None
) -> pd.DataFrame:
    """Return how many sites each category has under the rest of a filter.

    Hidden categories are counted too (that is the number beside a chip that is switched off).

    Returns
    -------
    counts
        One row per category, in the file's order, indexed by `kind.status`, with the columns `total` (sites
        the rest of the filter keeps), `located` (those of them on the map) and `shown` (the category is not
        hidden).
    """
    return SiteIndex(sites, categories or load_categories()).count_by_status(chosen)


def _bounded(name: str, values: str | Iterable[str]) -> list[str]:
    """Return the values of one name that say something; a link with thousands is nobody's choice."""
    given = [value for value in _as_list(values) if value]
    # A pasted paragraph is a search for how it begins, see `from_params`.
    given = [value[:MAX_VALUE] for value in given] if name == "q" else given
    if len(given) > MAX_VALUES or any(len(value) > MAX_VALUE for value in given):
        raise FilterError(
            f"{name}: at most {MAX_VALUES} values of {MAX_VALUE} characters each; choose fewer"
        )
    return given


def _as_list(values: str | Iterable[str]) -> list[str]:
    return [values] if isinstance(values, str) else list(values)


def _refuse_unknown(name: str, given: Iterable[str], known: Iterable[str]) -> None:
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise FilterError(f"{name}={unknown[0]} is not one of {', '.join(known)}")


def _read_date(name: str, given: Mapping[str, list[str]]) -> date | None:
    return read_day(next(iter(given.get(name, [])), ""), name=name, refuse=FilterError)


def _read_yes(values: list[str]) -> bool | None:
    if not values:
        return None
    if values[0] not in ("yes", "no"):
        raise FilterError(f"located={values[0]} is not yes or no")
    return values[0] == "yes"
