"""The one filter as SQL: what `geo.view.SiteFilter` means, asked of the database instead of a table in memory.

Nothing of a filter is ever part of a statement: it is bound. A law in tests/store/test_site_tiles.py holds the two
ways to the same ids.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from geo.category import Categories, fold
from geo.site import MAPPED
from geo.view import NO_STREET, SiteFilter

BETWEEN = "\x1f"
"""Between the fields of a search text. A table in memory has NUL there, which PostgreSQL cannot hold; like NUL this
sign is in no folded text, for folding takes it for white space."""
SEARCHED = ("name", "place", "street", "note")

LOCATED = (
    "(s.geom IS NOT NULL AND coalesce(s.precision, '') IN "
    f"({', '.join(repr(p) for p in sorted(MAPPED))}))"
)


@dataclass(frozen=True, slots=True)
class Where:
    """A condition on `sites AS s`, with `tile_search AS f` beside it if `searches`, and what is bound to its `?`."""

    sql: str
    values: tuple[Any, ...]
    searches: bool = False

    @property
    def tables(self) -> str:
        """What stands after FROM."""
        return "sites AS s" + (" JOIN tile_search AS f ON f.fid = s.fid" if self.searches else "")

    def and_(self, sql: str, *values: Any) -> Where:
        """Return the condition with one more."""
        return Where(f"{self.sql} AND {sql}", (*self.values, *values), self.searches)


def search_text(fields: Iterable[str | None]) -> str:
    """Return what the text filter searches: the fields of `SEARCHED`, folded, with `BETWEEN` between."""
    return BETWEEN.join(fold(text or "") for text in fields)


def text_where(text: str) -> Where:
    """Return the condition on `tile_search AS f` alone that a filter's text makes."""
    words = [_word(word) for word in text.split()]
    tests = ["false" if word is None else "strpos(f.search, ?) > 0" for word in words]
    known = tuple(word for word in words if word is not None)
    return Where(" AND ".join(tests) or "true", known, searches=True)


def filter_where(chosen: SiteFilter, categories: Categories) -> Where:
    """Return the condition that keeps what a filter keeps.

    Parameters
    ----------
    chosen
        The filter.
    categories
        Kinds and statuses; a site of any other one is in no table and on no map.
    """
    return shown_where(besides_where(chosen), chosen, categories)


def shown_where(besides: Where, chosen: SiteFilter, categories: Categories) -> Where:
    """Return a condition with that of the categories a filter shows."""
    shown = [key for key in categories.codes if key not in chosen.hidden]
    return besides.and_("(s.kind || '.' || s.status) = ANY (?)", shown)


def besides_where(chosen: SiteFilter) -> Where:
    """Return the condition that keeps what the rest of a filter keeps, categories aside."""
    tests, values = ["true"], list[Any]()
    if chosen.text.split():
        found = text_where(chosen.text)
        tests.append(found.sql)
        values += found.values
    if chosen.streets:
        wanted = ["" if street == NO_STREET else street for street in chosen.streets]
        tests.append("coalesce(s.street, '') = ANY (?)")
        values.append([street for street in wanted if _is_storable(street)])
    if chosen.precisions:
        tests.append("coalesce(s.precision, '') = ANY (?)")
        values.append(list(chosen.precisions))
    if chosen.until is not None:
        # In whole days, as in memory.
        tests.append("(s.as_of IS NULL OR s.as_of::date <= ?)")
        values.append(chosen.until)
    if chosen.located is not None:
        tests.append(LOCATED if chosen.located else f"NOT {LOCATED}")
    return Where(" AND ".join(tests), tuple(values), searches=bool(chosen.text.split()))


def _word(word: str) -> str | None:
    """Return a word as it stands in a search text; None for one that cannot stand in any."""
    folded = fold(word).replace("\0", BETWEEN)
    return folded if _is_storable(folded) else None


def _is_storable(text: str) -> bool:
    """Return whether PostgreSQL could hold a text: no NUL, no half of a character."""
    return "\0" not in text and not any("\ud800" <= char <= "\udfff" for char in text)
