"""The site table as of any day, from what is stated now and every change of what was stated before.

Time here is the day a statement speaks of, not the day somebody typed it in. What is temporal are the columns of
`geo.site.STATEMENT`; where a site is, its name, kind, place and street are the best that is known today, on every day.

Per site the versions of its statement are a history of beliefs. A later version with the same day or an earlier one
takes back what had been stated from that day on: it is a correction, or an import that was undone. So a statement
counts only while every later one is of a later day; one without a day has always held.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import date
from functools import cached_property
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd

from geo.category import Categories, load_categories
from geo.site import AS_OF_DTYPE, STATEMENT
from geo.view import SiteFilter, SiteIndex, category_codes

Rows = npt.NDArray[np.int64]
CHANGES = "site_id name kind old_status new_status appeared".split()
"""The columns of `Timeline.changes`."""
UNCHANGED, APPEARED = 255, 254
"""Stand for a category's code in a `Comparison`: the site's is the same, or the site was not there yet."""
_CURRENT = -1
"""Stands for the table's own value where a statement's value is named by the change it came before."""
_SEARCHED = "kind status name place street note precision as_of geometry".split()


class Timeline:
    """What was stated of the sites of a table, on which day.

    Parameters
    ----------
    sites
        Site table as it is now; it must not change afterwards.
    changes
        What was stated before, oldest first, as a store's `statement_changes` tells it: `site_id`, the `version`
        the change made, `field`, and `old`, the text before it. Changes of sites that the table does not have, and
        those after a site's own version (somebody wrote since it was read), do not count.
    categories
        Kinds and statuses; the district's own file by default. A statement of a status that it does not have (any
        more) is left out, so that every day's table is a site table.
    """

    def __init__(
        self, sites: gpd.GeoDataFrame, changes: pd.DataFrame, categories: Categories | None = None
    ) -> None:
        self.sites = sites
        self._old: list[str] = []
        sources, owner = self._replay(changes)
        days = self._days_of(sources["as_of"], owner)
        counts = _counting(owner, days)
        counts[counts] = self._is_known(sources["status"][counts], owner[counts], categories)
        self._owner, self._day = owner[counts], days[counts]
        self._source = {name: source[counts] for name, source in sources.items()}

    @cached_property
    def days(self) -> tuple[date, ...]:
        """The days of which anything is stated, in order; what has no day is on none of them."""
        known = np.unique(self._day[~np.isnat(self._day)])
        return tuple(known.astype(object).tolist())

    def effective(self, day: date | None) -> date | None:
        """Return the last day up to a day of which anything is stated: until the next one nothing changes.

        None, and a day after all that is stated, is the table as it is now: None. A day before all is itself.
        """
        if day is None or not self.days or day >= self.days[-1]:
            return None
        return max((one for one in self.days if one <= day), default=day)

    def at(self, day: date | None) -> gpd.GeoDataFrame:
        """Return the site table as of a day.

        Parameters
        ----------
        day
            None is now: the table itself.

        Returns
        -------
        sites
            A site table of the sites of which something was stated up to that day, in the same order, with what
            the last such statement says; everything else is as it is known today.
        """
        if day is None:
            return self.sites
        states = self._states_at(day)
        rows = self._owner[states]
        table = self.sites.iloc[rows].reset_index(drop=True)
        return table.assign(**{name: self._column(name, states) for name in STATEMENT})

    def changes(self, before: date, after: date | None) -> pd.DataFrame:
        """Return what a reader of two days' maps sees differ.

        Parameters
        ----------
        before, after
            The two days, the earlier one first; None is now.

        Returns
        -------
        changes
            One row for each site whose status differs, and for each that was not there yet (`appeared`, with the
            old status ""), in the table's order, with the columns of `CHANGES`.

        Raises
        ------
        ValueError
            If the days are in the wrong order.
        """
        if after is not None and before > after:
            raise ValueError(f"{before} is after {after}; give the earlier day first")
        then, now = (self._states_at(day) for day in (before, after))
        old = np.full(len(self.sites), "", dtype=object)
        old[self._owner[then]] = self._values("status", then)
        rows, new = self._owner[now], self._values("status", now)
        differs = old[rows] != new
        rows, new = rows[differs], new[differs]
        about = (self.sites[name].to_numpy()[rows] for name in ("site_id", "name", "kind"))
        columns = (*about, old[rows], new, old[rows] == "")
        found = pd.DataFrame(dict(zip(CHANGES, columns, strict=True)))
        # Of no rows pandas would not know that they are text.
        return found.astype({**dict.fromkeys(CHANGES, "str"), "appeared": "bool"})

    def trend(self, categories: Categories, chosen: SiteFilter) -> pd.DataFrame:
        """Return how many sites each category has on each day under the rest of a filter.

        Returns
        -------
        counts
            One row for each of `days`, one column for each `kind.status`: what `geo.view.count_by_status` has as
            `total` for the table `at` that day.
        """
        codes = category_codes(self._states, categories)
        keep = self._kept(categories, chosen.without_categories())
        size = len(categories.codes)
        first = np.searchsorted(np.array(self.days, dtype="datetime64[D]"), self._day)
        first = np.where(np.isnat(self._day), 0, first)
        last = np.full(len(first), len(self.days))
        same = self._owner[1:] == self._owner[:-1]
        last[:-1][same] = first[1:][same]
        steps = np.zeros((len(self.days) + 1, size), dtype="int64")
        np.add.at(steps, (first[keep], codes[keep]), 1)
        np.subtract.at(steps, (last[keep], codes[keep]), 1)
        counts = steps.cumsum(axis=0)[:-1]
        index = pd.Index(self.days, name="day", dtype="object")
        return pd.DataFrame(counts, index=index, columns=list(categories.codes))

    # ---- statements ----------------------------------------------------------------------------------------------
    # A site with n changes of its statement has n + 1 of them, side by side, oldest first.

    def _replay(self, changes: pd.DataFrame) -> tuple[dict[str, Rows], Rows]:
        """Return for each column where each statement's value is (`_old`, or the table), and whose it is."""
        position = pd.Index(self.sites["site_id"]).get_indexer(pd.Index(changes["site_id"]))
        versions = changes["version"].to_numpy(dtype="int64")
        mine = position >= 0
        mine[mine] = versions[mine] <= self.sites["version"].to_numpy()[position[mine]]
        self._old = changes["old"].to_numpy(dtype=object)[mine].tolist()
        row, version = position[mine].astype("int64"), versions[mine]
        field = changes["field"].to_numpy(dtype=object)[mine]
        owner, state = _number_states(row, version, len(self.sites))
        sources = {}
        for name in STATEMENT:
            cells = np.flatnonzero(field == name)
            source = np.full(len(owner), len(self._old), dtype="int64")
            # Of two changes in one version the first knows what was before; the last written stays.
            source[state[cells[::-1]]] = cells[::-1]
            sources[name] = _value_from_later(source, owner, len(self._old))
        return sources, owner

    def _is_known(
        self, source: Rows, owner: Rows, categories: Categories | None
    ) -> npt.NDArray[np.bool_]:
        """Return which statements have a status that the categories have; the table's own have."""
        known = np.ones(len(source), dtype=bool)
        told = np.flatnonzero(source != _CURRENT)
        if len(told):
            kinds = self.sites["kind"].to_numpy(dtype=object)[owner[told]]
            keys = pd.Series(kinds) + "." + pd.Series([self._old[n] for n in source[told]])
            known[told] = keys.isin(list((categories or load_categories()).codes)).to_numpy()
        return known

    def _days_of(self, source: Rows, owner: Rows) -> npt.NDArray[np.datetime64]:
        """Return the day of each statement, in whole days; NaT for none."""
        days = self.sites["as_of"].to_numpy().astype("datetime64[D]")[owner]
        told = source != _CURRENT
        texts, place = np.unique(
            np.array([self._old[n] for n in source[told]], dtype=str), return_inverse=True
        )
        days[told] = _read_moments(texts).astype("datetime64[D]")[place]
        return days

    def _states_at(self, day: date | None) -> Rows:
        """Return, for each site that is there on a day, its statement of that day."""
        known = np.ones(len(self._owner), dtype=bool)
        if day is not None:
            known = np.isnat(self._day) | (self._day <= np.datetime64(day, "D"))
        states = np.flatnonzero(known)
        owner = self._owner[states]
        return states[np.append(owner[1:] != owner[:-1], True)] if len(states) else states

    def _values(self, name: str, states: Rows) -> npt.NDArray[Any]:
        """Return a column's values for some statements."""
        source = self._source[name][states]
        values = self.sites[name].to_numpy()[self._owner[states]].copy()
        told = np.flatnonzero(source != _CURRENT)
        texts = [self._old[n] for n in source[told]]
        values[told] = _read_moments(np.array(texts, dtype=str)) if name == "as_of" else texts
        return values

    def _column(self, name: str, states: Rows) -> pd.Series:
        return pd.Series(self._values(name, states), dtype=self.sites[name].dtype)

    @cached_property
    def _states(self) -> pd.DataFrame:
        """Every statement that counts as a row, with the columns that a filter looks at."""
        table = gpd.GeoDataFrame(self.sites[_SEARCHED]).iloc[self._owner].reset_index(drop=True)
        every = np.arange(len(self._owner))
        return table.assign(**{n: self._column(n, every) for n in STATEMENT if n in _SEARCHED})

    def _kept(self, categories: Categories, chosen: SiteFilter) -> npt.NDArray[np.bool_]:
        return SiteIndex(self._states, categories).mask(chosen)


class Comparison:
    """What changed of a table's sites since an earlier day, row by row.

    Parameters
    ----------
    index
        The table as of the later day.
    changes
        As `Timeline.changes` returns it.

    Attributes
    ----------
    old
        The code of each row's category before, uint8, shape (n sites,): `UNCHANGED`, or `APPEARED`.
    """

    def __init__(self, index: SiteIndex, changes: pd.DataFrame) -> None:
        self._codes, self._size = index.codes, len(index.categories.codes)
        self.old = np.full(len(self._codes), UNCHANGED, dtype="uint8")
        rows = pd.Index(index.sites["site_id"]).get_indexer(pd.Index(changes["site_id"]))
        keys = changes["kind"] + "." + changes["old_status"]
        codes = keys.map(index.categories.codes).fillna(APPEARED).to_numpy(dtype="uint8")
        self.old[rows[rows >= 0]] = codes[rows >= 0]

    def deltas(self, keep: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
        """Return, for each category of the rows that are kept, how many came to it and how many left it.

        Returns
        -------
        deltas
            Shape (n categories, 2). What came less what left is the difference of the two days' counts, for as
            long as the rows are not kept for what is stated of them.
        """
        changed = keep & (self.old != UNCHANGED)
        came = np.bincount(self._codes[changed], minlength=self._size)
        left = np.bincount(self.old[changed], minlength=256)[: self._size]
        return np.column_stack([came, left])


def _number_states(row: Rows, version: Rows, sites: int) -> tuple[Rows, Rows]:
    """Return the site of each statement, and for each change the statement that it ended."""
    order = np.lexsort((version, row))
    begins = np.ones(len(order), dtype=bool)
    begins[1:] = np.diff(row[order]).astype(bool) | np.diff(version[order]).astype(bool)
    ended = np.empty(len(order), dtype="int64")
    # Each site before this one has one statement more than it had changes.
    ended[order] = np.cumsum(begins) - 1 + row[order]
    counts = np.bincount(row[order][begins], minlength=sites) + 1
    return np.repeat(np.arange(sites), counts), ended


def _value_from_later(source: Rows, owner: Rows, none: int) -> Rows:
    """Fill a column: a statement that no change of it followed at once has the value of the next one."""
    place = np.where(source < none, np.arange(len(source)), len(source))
    last = np.append(owner[1:] != owner[:-1], True)[: len(source)]
    place[last] = np.flatnonzero(last)
    following = np.minimum.accumulate(place[::-1])[::-1]
    return np.where(last[following], _CURRENT, source[following])


def _counting(owner: Rows, days: npt.NDArray[np.datetime64]) -> npt.NDArray[np.bool_]:
    """Return which statements count: those of which every later one of the same site has a later day."""
    known, rank = np.unique(days.astype("int64"), return_inverse=True)  # NaT is the least integer
    # Those of the site behind are all greater, so that one minimum over all stays within each site.
    key = owner * len(known) + rank
    later = np.append(np.minimum.accumulate(key[::-1])[::-1][1:], np.iinfo("int64").max)
    return key < later[: len(key)]


def _read_moments(texts: npt.NDArray[np.str_]) -> npt.NDArray[np.datetime64]:
    """Return dates as a site table has them, of the history's texts; "" and what is no date is NaT."""
    if not np.char.endswith(texts, "Z").any():
        with suppress(ValueError):
            return texts.astype(AS_OF_DTYPE)
    # Another program wrote something like 2020/3/11; what is no date at all is missing.
    given = pd.Series(texts, dtype="str")
    read = pd.to_datetime(given, errors="coerce", format="mixed", utc=True)
    return read.dt.tz_localize(None).to_numpy().astype(AS_OF_DTYPE)
