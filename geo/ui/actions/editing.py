"""What is known of a site, or of many at once: status, day, note, place and street."""

from __future__ import annotations

from collections.abc import Mapping

import geopandas as gpd

from geo.category import Categories
from geo.day import read_day
from geo.editing import EditReport, edit_sites
from geo.errors import SiteMapError
from geo.store import SiteStore
from geo.ui.actions.answer import Action, answer, words
from geo.ui.actions.undoing import did, next_step_id
from geo.ui.address import current_dataset
from geo.ui.library import AnySnapshot, get_library
from geo.ui.people import page_access, page_store

EDITABLE = {"status": 40, "as_of": 10, "note": 2000, "place": 200, "street": 60}
"""Fields of a site that a person may change, and how long their texts may be."""
MAX_ROWS = 5000
"""Sites that are changed at once."""


def edit(asked: Action) -> None:
    """Change what is known of a site, unless somebody else has changed it since it was looked at."""
    library, dataset = get_library(), current_dataset()
    seen = _seen(library.snapshot(dataset), str(asked.get("site_id")))
    changes = read_changes(asked.get("values"), str(seen["kind"].iloc[0]), library.categories)
    site_id = str(seen["site_id"].iloc[0])
    if int(seen["version"].iloc[0]) != asked.get("version"):
        _tell_conflict(site_id)
        return
    report = _edit_sites(page_store(dataset), seen, changes)
    if report.left:
        _tell_conflict(site_id)
        return
    said = words("place")["edited" if report.step else "same"].format(name=seen["name"].iloc[0])
    answer(True, said, undo=did(report.step), edit=True, site_id=site_id)


def _tell_conflict(site_id: str) -> None:
    answer(False, words("place")["conflict"], conflict=True, site_id=site_id)


def _seen(snapshot: AnySnapshot, site_id: str) -> gpd.GeoDataFrame:
    try:
        return snapshot.site(site_id)
    except KeyError:
        raise SiteMapError("this site is not there any more") from None


def edit_many(asked: Action) -> None:
    """Change the same of many sites: those that nobody has changed since the person's page got its data.

    Raises
    ------
    SiteMapError
        If the sites are of several kinds and a status is given, or a value is not one the field may have.
    """
    library, dataset = get_library(), current_dataset()
    seen = chosen_rows(library.at(dataset, str(asked.get("version"))), asked.get("rows"))
    values, kinds = asked.get("values"), set(seen["kind"])
    if len(kinds) > 1 and isinstance(values, Mapping) and "status" in values:
        raise SiteMapError("a status is given to sites of one kind only: choose one kind")
    changes = read_changes(values, str(seen["kind"].iloc[0]), library.categories)
    report = _edit_sites(page_store(dataset), seen, changes)
    done = report.step.count if report.step else 0
    message = words("place")["edited_many"].format(n=done)
    if report.left:
        names = seen.set_index("site_id")["name"]
        some = "、".join(str(names[one]) for one in report.left[:3])
        message += words("place")["left"].format(n=len(report.left), names=some)
    answer(True, message, undo=did(report.step), many=True)


def chosen_rows(snapshot: AnySnapshot | None, given: object) -> gpd.GeoDataFrame:
    """Return the sites of some rows of the table as a page has seen it.

    Parameters
    ----------
    snapshot
        Of the data version the page has; None if it is not held any more.
    given
        Row numbers from the browser.

    Raises
    ------
    SiteMapError
        If the version is gone, or these are no rows of it.
    """
    if snapshot is None:
        raise SiteMapError("the data is newer than the page: look at the choice again")
    if not isinstance(given, list) or not 1 <= len(given) <= MAX_ROWS:
        raise SiteMapError(f"choose 1 to {MAX_ROWS} rows")
    seen = snapshot.rows_at({int(row) for row in given if isinstance(row, int)})
    if len(seen) != len(given):
        raise SiteMapError("the data is newer than the page: look at the choice again")
    return seen


def _edit_sites(store: SiteStore, seen: gpd.GeoDataFrame, changes: dict[str, object]) -> EditReport:
    return edit_sites(
        store,
        seen,
        changes,
        who=page_access().name,
        step_id=next_step_id(),
        categories=get_library().categories,
    )


def read_changes(given: object, kind: str, categories: Categories) -> dict[str, object]:
    """Return the changes of a site that a browser asks for, checked.

    Parameters
    ----------
    given
        status (a code of the kind), as_of (ISO text or ""), note, place and street, some or all.
    kind
        Of the site; it stays.
    categories
        Kinds and statuses.

    Raises
    ------
    SiteMapError
        If it is anything else.
    """
    if not isinstance(given, Mapping) or not given or set(given) - set(EDITABLE):
        raise SiteMapError("an edit is some of status, as_of, note, place and street")
    changes: dict[str, object] = {}
    for name, value in given.items():
        if not isinstance(value, str) or len(value) > EDITABLE[name]:
            raise SiteMapError(f"{name} is a text of at most {EDITABLE[name]} characters")
        changes[name] = value.strip()
    if "status" in changes:
        categories.status(kind, str(changes["status"]))
    if "as_of" in changes:
        changes["as_of"] = read_day(str(changes["as_of"]))
    return changes
