"""Where a site is: on a click or line of the map, a pasted coordinate, a candidate, or like another one."""

from __future__ import annotations

import hashlib

import shapely

from geo.errors import SiteMapError
from geo.locate import Candidate
from geo.placing import (
    place_candidate,
    place_like,
    place_line,
    place_pasted,
    place_site,
    same_address,
    site_candidates,
)
from geo.site import Correction, Precision
from geo.store import SiteStore
from geo.ui.actions.answer import Action, answer, words
from geo.ui.actions.undoing import did_place
from geo.ui.address import current_dataset
from geo.ui.library import get_library
from geo.ui.people import page_access, page_store

MAX_VERTICES = 500
MAX_SAME = 200
"""Sites of one address that are placed at once."""
WORST_CLICK_M = 5000.0
CLICK_PRECISION = ((100.0, Precision.POI), (300.0, Precision.COMMUNITY))
"""How exact a click is, by how many metres eight pixels are on the ground."""


def place(asked: Action) -> None:
    """Put a site where somebody clicked, drew a line, or pasted a coordinate of."""
    store, site_id = page_store(current_dataset()), str(asked.get("site_id"))
    kept, moved = place_on_map(store, site_id, asked, who=page_access().name)
    _tell_placed(kept, words("place")["moved" if moved else "done"].format(name=kept.name))


def choose_candidate(asked: Action) -> None:
    """Put a site on one of the places the page has shown; not on another, should the list have changed since.

    Raises
    ------
    SiteMapError
        If that place is not among the candidates any more.
    """
    store, site_id = page_store(current_dataset()), str(asked.get("site_id"))
    site = store.site(site_id)
    found = site_candidates(site, get_library().settings)
    chosen = next((one for one in found if candidate_id(one) == asked.get("candidate")), None)
    if chosen is None:
        raise SiteMapError("this candidate is not there any more: look again")
    kept = place_candidate(store, site_id, chosen, who=page_access().name)
    _tell_placed(kept, words("place")["done"].format(name=site["name"]))


def place_same(asked: Action) -> None:
    """Put the sites that state the same address where one of them now is."""
    dataset, site_id = current_dataset(), str(asked.get("site_id"))
    near = get_library().snapshot(dataset).comparable(site_id)
    others = same_address(near, site_id)[:MAX_SAME]
    kept = place_like(page_store(dataset), site_id, others, who=page_access().name)
    answer(True, words("place")["same_done"].format(n=len(kept)), undo=did_place(kept))


def _tell_placed(kept: Correction, message: str) -> None:
    """Tell that a site is placed, and how many others state the same address."""
    near = get_library().snapshot(current_dataset()).comparable(kept.site_id)
    same = same_address(near, kept.site_id)
    answer(True, message, undo=did_place([kept]), site_id=kept.site_id, same=len(same))


def candidate_id(candidate: Candidate) -> str:
    """Return a short name of a candidate: the same for the same place and words."""
    shape = b"" if candidate.geometry is None else shapely.to_wkb(candidate.geometry)
    words = f"{candidate.name}\0{candidate.precision}".encode()
    return hashlib.blake2b(words + shape, digest_size=8).hexdigest()


def place_on_map(
    store: SiteStore, site_id: str, asked: Action, *, who: str
) -> tuple[Correction, bool]:
    """Put a site where a person said; return the correction as kept and whether the site had a place before.

    Parameters
    ----------
    store
        The set's store.
    site_id
        Which site.
    asked
        Either `pasted` (text) with `datum`, or `vertices`, (longitude, latitude) pairs in WGS84: one for a
        point, more for a road; `within_m` is how far a click may be off, in metres.
    who
        Whose name the correction carries.

    Raises
    ------
    SiteMapError
        If the site is not in the set, or the coordinate cannot be read without guessing.
    """
    site = store.site(site_id)
    if "pasted" in asked:
        text, datum = str(asked["pasted"])[:200], str(asked.get("datum", ""))
        kept = place_pasted(store, site_id, text, datum, who=who)
    else:
        kept = _place_vertices(store, site_id, asked, who)
    return kept, site["precision"] != Precision.NONE


def _place_vertices(store: SiteStore, site_id: str, asked: Action, who: str) -> Correction:
    vertices = _vertices(asked.get("vertices"))
    within = _metres(asked.get("within_m"))
    if len(vertices) > 1:
        return place_line(store, site_id, vertices, who=who, uncertainty_m=within)
    (x, y) = vertices[0]
    # A click on a small-scale map is a hint, not a pin: it is drawn hollow, with its circle.
    precision = next((p for limit, p in CLICK_PRECISION if within <= limit), Precision.STREET)
    return place_site(
        store, site_id, x, y, "wgs84", who=who, precision=precision, uncertainty_m=within
    )


def _metres(given: object) -> float:
    """Return how far off a click may be; a browser that does not say so gets the worst case."""
    if not isinstance(given, int | float) or given != given:
        return WORST_CLICK_M
    # Compared before it is made a float: JSON has whole numbers that are too large for one.
    return float(min(max(given, 1), WORST_CLICK_M))


def _vertices(given: object) -> list[tuple[float, float]]:
    if not isinstance(given, list) or not 1 <= len(given) <= MAX_VERTICES:
        raise SiteMapError(f"1 to {MAX_VERTICES} positions are needed")
    try:
        return [(float(x), float(y)) for x, y in given]
    except (TypeError, ValueError, OverflowError) as error:
        raise SiteMapError("a position is two numbers") from error
