"""What a person does on the page, besides Streamlit's own widgets: chips, placing a site, undo.

Each action is a small value from the browser, and nothing in it is trusted: categories are checked against the
file, a site must be in the set, a coordinate goes through the datum checks of the pipeline.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from typing import Any

import pandas as pd
import shapely
import streamlit as st

from geo.category import Categories
from geo.errors import FilterError, SiteMapError, StoreConflict
from geo.locate import Candidate
from geo.placing import (
    place_candidate,
    place_like,
    place_line,
    place_pasted,
    place_site,
    same_address,
    site_candidates,
    undo_place,
)
from geo.scheme import Scheme
from geo.site import Precision
from geo.store import GeoPackageStore
from geo.ui.address import current_dataset, current_language, shown_filter, write_filter
from geo.ui.explain import explain
from geo.ui.library import DATASETS, get_library
from geo.ui.people import page_person
from geo.ui.text import choose_language, load_text
from geo.view import SiteFilter

MAX_VERTICES = 500
EDITABLE = {"status": 40, "as_of": 10, "note": 2000, "place": 200, "street": 60}
"""Fields of a site that a person may change, and how long their texts may be."""
MAX_SAME = 200
"""Sites of one address that are placed at once."""
WORST_CLICK_M = 5000.0
CLICK_PRECISION = ((100.0, Precision.POI), (300.0, Precision.COMMUNITY))
"""How exact a click is, by how many metres eight pixels are on the ground."""

Action = Mapping[str, Any]


def act_on_chips() -> None:
    """Carry out a click on a chip; Streamlit calls it before the page runs again."""
    _act("chips")


def act_on_map() -> None:
    """Carry out what somebody did on the map's own page."""
    _act("map")


def _act(key: str) -> None:
    """Carry out what was asked since last time: a message repeats those before it, see `ask` in panel.js."""
    state, last = st.session_state, f"{key}_turn"
    for asked in new_actions(state[key].get("act"), state.get(last, 0)):
        state[last] = asked["turn"]
        handler = _HANDLERS.get(str(asked.get("type")))
        if handler is not None:
            handler(asked)


def new_actions(given: object, last: float) -> list[Action]:
    """Return the actions of a message that come after the turn carried out last, in order."""
    asked = given if isinstance(given, list) else []
    numbered = [a for a in asked if isinstance(a, Mapping) and isinstance(a.get("turn"), int)]
    return sorted((a for a in numbered if a["turn"] > last), key=lambda a: a["turn"])


# ---- widgets ----------------------------------------------------------------------------------------------------


def refilter() -> None:
    """Put what the filter's widgets say into the address."""
    chosen = shown_filter(get_library().categories)
    state, until = st.session_state, st.session_state["until"]
    write_filter(
        replace(
            chosen,
            text=state["q"] or "",
            streets=tuple(state["street"]),
            precisions=tuple(state["precision"]),
            until=until if isinstance(until, date) else None,
        )
    )


def choose_set() -> None:
    """Open the set that the switch says; another set starts without a filter."""
    _open({"dataset": st.session_state["set"]})


def choose_shown_language() -> None:
    """Put the language that the switch says into the address."""
    st.query_params["lang"] = st.session_state["lang"]


# ---- categories -------------------------------------------------------------------------------------------------


def next_hidden(hidden: frozenset[str], asked: Action, categories: Categories) -> frozenset[str]:
    """Return the categories that are off after a click on a chip or a kind.

    Parameters
    ----------
    hidden
        Off before, as `kind.status`.
    asked
        `type` toggle, solo, toggle_kind, solo_kind or all, with `key` or `kind`. One that names nothing known
        changes nothing.
    categories
        Kinds and statuses.
    """
    every = frozenset(categories.codes)
    named = _named(asked, categories)
    if asked.get("type") == "all":
        return frozenset()
    if not named:
        return hidden
    if str(asked.get("type")).startswith("solo"):
        alone = every - named
        # A solo on what is alone already brings everything back.
        return frozenset() if hidden == alone else alone
    return hidden | named if named - hidden else hidden - named


def _named(asked: Action, categories: Categories) -> frozenset[str]:
    if "kind" in asked:
        return frozenset(key for key in categories.codes if key.split(".")[0] == asked["kind"])
    return frozenset({str(asked.get("key"))} & set(categories.codes))


def _switch(asked: Action) -> None:
    categories = get_library().categories
    chosen = shown_filter(categories)
    write_filter(replace(chosen, hidden=next_hidden(chosen.hidden, asked, categories)))


def _clear_filters(asked: Action) -> None:
    write_filter(SiteFilter())


def _show(asked: Action) -> None:
    """Show what a kept scheme filters by; one that names what is gone says so and changes nothing."""
    categories = get_library().categories
    try:
        write_filter(Scheme("-", str(asked.get("query"))[:4000]).filter(categories))
    except FilterError as error:
        _answer(False, _words()["export"]["scheme_outdated"].format(reason=error))


def _refresh(asked: Action) -> None:
    """Run the whole page again: an import has changed sites and key figures."""
    st.session_state["rerun_app"] = True


def _open(asked: Action) -> None:
    if asked.get("dataset") in DATASETS:
        write_filter(SiteFilter())
        st.query_params["set"] = str(asked["dataset"])
        st.session_state["rerun_app"] = True


# ---- placing ----------------------------------------------------------------------------------------------------


def _place(asked: Action) -> None:
    words, library = _words()["place"], get_library()
    dataset = current_dataset()
    site_id = str(asked.get("site_id"))
    try:
        name, moved = place_on_map(library.store(dataset), site_id, asked, who=page_person().name)
    except StoreConflict:
        _answer(False, words["conflict"])
    except SiteMapError as error:
        _answer(False, words["refused"].format(reason=_in_words(error)))
    else:
        _placed(site_id, words["moved" if moved else "done"].format(name=name))


def _choose_candidate(asked: Action) -> None:
    """Put a site on one of the places the page has shown; not on another, should the list have changed since."""
    words, library, dataset = _words()["place"], get_library(), current_dataset()
    site_id = str(asked.get("site_id"))
    try:
        store = library.store(dataset)
        site = store.site(site_id)
        chosen = [
            one
            for one in site_candidates(site, library.settings)
            if candidate_id(one) == asked.get("candidate")
        ]
        if not chosen:
            raise SiteMapError("this candidate is not there any more: look again")
        place_candidate(store, site_id, chosen[0], who=page_person().name)
    except SiteMapError as error:
        _answer(False, words["refused"].format(reason=_in_words(error)))
    else:
        _placed(site_id, words["done"].format(name=site["name"]))


def _place_same(asked: Action) -> None:
    """Put the sites that state the same address where one of them now is."""
    words, library, dataset = _words()["place"], get_library(), current_dataset()
    store, site_id = library.store(dataset), str(asked.get("site_id"))
    try:
        others = same_address(library.snapshot(dataset).sites, site_id)[:MAX_SAME]
        done = place_like(store, site_id, others, who=page_person().name)
    except SiteMapError as error:
        _answer(False, words["refused"].format(reason=_in_words(error)))
    else:
        _answer(True, words["same_done"].format(n=done), undo=done)


def _edit(asked: Action) -> None:
    """Change what is known of a site, unless somebody else has changed it since it was looked at."""
    words, library, dataset = _words()["place"], get_library(), current_dataset()
    store, site_id = library.store(dataset), str(asked.get("site_id"))
    try:
        before = store.site(site_id)
        changes = read_changes(asked.get("values"), str(before["kind"]), library.categories)
        version = asked.get("version")
        kept = store.update_site(
            site_id,
            changes,
            version=version if isinstance(version, int) else 0,
            who=page_person().name,
            categories=library.categories,
        )
    except StoreConflict:
        _answer(False, words["conflict"], conflict=True)
    except SiteMapError as error:
        _answer(False, words["refused"].format(reason=_in_words(error)))
    else:
        old = {name: _as_stored(before[name]) for name in changes}
        st.session_state["last_edit"] = (dataset, site_id, kept, old)
        _answer(True, words["edited"].format(name=before["name"]), undo=1, edit=True)


def _undo_edit(asked: Action) -> None:
    """Take this visitor's last edit back, unless somebody has changed the site since."""
    words, library = _words()["place"], get_library()
    last = st.session_state.pop("last_edit", None)
    if last is None:
        _answer(False, words["nothing"])
        return
    dataset, site_id, version, old = last
    try:
        store = library.store(dataset)
        store.update_site(
            site_id,
            old,
            version=version,
            who=page_person().name,
            source="undo edit",
            categories=library.categories,
        )
        name = store.site(site_id)["name"]
    except StoreConflict:
        _answer(False, words["conflict"])
    except SiteMapError as error:
        _answer(False, words["refused"].format(reason=_in_words(error)))
    else:
        _answer(True, words["edit_undone"].format(name=name))


def _as_stored(value: Any) -> object:
    """Return a cell of the site table as a store takes it."""
    if isinstance(value, pd.Timestamp):
        return value.date()
    return None if pd.isna(value) else value


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
        changes["as_of"] = _read_day(str(changes["as_of"]))
    return changes


def _read_day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise SiteMapError(f'"{text[:20]}" is not a day like 2020-03-11') from None


def _placed(site_id: str, message: str) -> None:
    """Tell that a site is placed, and how many others state the same address."""
    same = same_address(get_library().snapshot(current_dataset()).sites, site_id)
    _answer(True, message, undo=1, site_id=site_id, same=len(same))


def candidate_id(candidate: Candidate) -> str:
    """Return a short name of a candidate: the same for the same place and words."""
    shape = b"" if candidate.geometry is None else shapely.to_wkb(candidate.geometry)
    words = f"{candidate.name}\0{candidate.precision}".encode()
    return hashlib.blake2b(words + shape, digest_size=8).hexdigest()


def place_on_map(
    store: GeoPackageStore, site_id: str, asked: Action, *, who: str
) -> tuple[str, bool]:
    """Put a site where a person said, and return its name and whether it had a place before.

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
        place_pasted(store, site_id, text, datum, who=who)
    else:
        _place_vertices(store, site_id, asked, who)
    return str(site["name"]), site["precision"] != Precision.NONE


def _place_vertices(store: GeoPackageStore, site_id: str, asked: Action, who: str) -> None:
    vertices = _vertices(asked.get("vertices"))
    within = _metres(asked.get("within_m"))
    if len(vertices) > 1:
        place_line(store, site_id, vertices, who=who, uncertainty_m=within)
        return
    (x, y) = vertices[0]
    # A click on a small-scale map is a hint, not a pin: it is drawn hollow, with its circle.
    precision = next((p for limit, p in CLICK_PRECISION if within <= limit), Precision.STREET)
    place_site(store, site_id, x, y, "wgs84", who=who, precision=precision, uncertainty_m=within)


def _metres(given: object) -> float:
    """Return how far off a click may be; a browser that does not say so gets the worst case."""
    metres = float(given) if isinstance(given, int | float) else WORST_CLICK_M
    return min(max(metres, 1.0), WORST_CLICK_M)


def _vertices(given: object) -> list[tuple[float, float]]:
    if not isinstance(given, list) or not 1 <= len(given) <= MAX_VERTICES:
        raise SiteMapError(f"1 to {MAX_VERTICES} positions are needed")
    try:
        return [(float(x), float(y)) for x, y in given]
    except (TypeError, ValueError) as error:
        raise SiteMapError("a position is two numbers") from error


def _undo(asked: Action) -> None:
    words, library = _words()["place"], get_library()
    dataset, count = current_dataset(), asked.get("count", 1)
    try:
        for _ in range(min(count, MAX_SAME) if isinstance(count, int) and count > 0 else 1):
            undone = undo_place(library.store(dataset), who=page_person().name)
    except SiteMapError as error:
        _answer(False, words["refused"].format(reason=_in_words(error)))
        return
    if undone is None:
        _answer(False, words["nothing"])
    else:
        _answer(True, words["undone"].format(name=undone.name))


def _answer(ok: bool, message: str, *, undo: int = 0, **more: object) -> None:
    """Tell the map's page once how it went; `undo` is how many corrections take it back."""
    st.session_state["answer"] = {
        "ok": ok,
        "message": message,
        "undo": undo,
        **more,
        "turn": time.time_ns(),
    }


def _in_words(error: SiteMapError) -> str:
    default = choose_language(st.context.locale, get_library().settings.language)
    return explain(str(error), current_language(default))


def _words() -> dict[str, Any]:
    default = choose_language(st.context.locale, get_library().settings.language)
    return load_text(current_language(default))


_HANDLERS: dict[str, Callable[[Action], None]] = {
    "toggle": _switch,
    "solo": _switch,
    "toggle_kind": _switch,
    "solo_kind": _switch,
    "all": _switch,
    "clear": _clear_filters,
    "show": _show,
    "refresh": _refresh,
    "open": _open,
    "place": _place,
    "undo": _undo,
    "candidate": _choose_candidate,
    "edit": _edit,
    "unedit": _undo_edit,
    "same": _place_same,
}
