"""From records to the site table: each locator is asked in turn where a record is.

Inside is the whole rule of what counts as found. Nothing is invented: a record that nobody can place comes back
without a geometry and with a reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

import geopandas as gpd

from geo.locate.corrections import Corrections
from geo.locate.gazetteer import Candidate, Gazetteer, accept, read_gazetteer
from geo.locate.given import Boundary, GivenCoordinates
from geo.site import Match, Reason, SiteRecord, make_sites, site_row

__all__ = [
    "Boundary",
    "Candidate",
    "Corrections",
    "Gazetteer",
    "GivenCoordinates",
    "Locator",
    "accept",
    "find_match",
    "locate_sites",
    "read_gazetteer",
]


class Locator(Protocol):
    """Anything that may know where a record is."""

    def locate(self, record: SiteRecord) -> Match | None:
        """Return a match; one without a geometry knows why to wait; None knows nothing."""
        ...


def locate_sites(records: Iterable[SiteRecord], locators: Sequence[Locator]) -> gpd.GeoDataFrame:
    """Return the site table of some records.

    Parameters
    ----------
    records
        What a source says; any number. Their ids should differ: a table with one id twice is not storable.
    locators
        Asked in order, see `find_match`.

    Returns
    -------
    sites
        One row per record, in the same order; see `geo.site`.
    """
    return make_sites(site_row(record, find_match(record, locators)) for record in records)


def find_match(record: SiteRecord, locators: Sequence[Locator]) -> Match:
    """Return the first answer with a geometry; failing that, the first that says why to wait.

    A locator that says `outside` ends the search: what the source itself puts elsewhere must not be found here
    by its name alone.
    """
    waiting = None
    for locator in locators:
        match = locator.locate(record)
        if match is None:
            continue
        if match.geometry is not None or match.reason == Reason.OUTSIDE:
            return match
        waiting = waiting or match
    return waiting or Match("none", reason=Reason.NO_COORDINATE)
