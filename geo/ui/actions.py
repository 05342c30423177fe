"""What a person does on the page, besides Streamlit's own widgets: chips, placing, editing, undo and redo.

Each action is a small value from the browser, and nothing in it is trusted: categories are checked against the
file, a site must be in the set, a coordinate goes through the datum checks of the pipeline.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import geopandas as gpd
import shapely
import streamlit as st

from geo.access import AccessError
from geo.category import Categories
from geo.day import read_day
from geo.editing import EditReport, Step, Steps, edit_sites, redo_step, undo_step
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
)
from geo.scheme import Scheme
from geo.site import Correction, Precision
from geo.store import SiteStore
from geo.ui.address import current_dataset, current_language, shown_filter, write_filter
from geo.ui.explain import explain
from geo.ui.library import DATASETS, AnySnapshot, get_library
from geo.ui.people import page_access, page_store
from geo.ui.text import choose_language, load_text
from geo.view import SiteFilter

MAX_VERTICES = 500
EDITABLE = {"status": 40, "as_of": 10, "note": 2000, "place": 200, "street": 60}
"""Fields of a site that a person may change, and how long their texts may be."""
MAX_ROWS = 5000
"""Sites that are changed at once."""
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
            _carry_out(handler, asked)


def _carry_out(handler: Callable[[Action], None], asked: Action) -> None:
    """Run a handler; what its person may not do is refused in words and not a failure of the page."""
    try:
        handler(asked)
    except AccessError as error:
        _answer(False, _words()["place"]["refused"].format(reason=_in_words(error)))


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
    """Show everything, of the day that is shown."""
    shown = shown_filter(get_library().categories)
    write_filter(SiteFilter(as_of=shown.as_of, since=shown.since))


def _set_time(asked: Action) -> None:
    """Show another day, or compare with another one; what makes no sense is the present, compared with nothing."""
    chosen = shown_filter(get_library().categories)
    as_of, since = _day(asked.get("as_of")), _day(asked.get("since"))
    if as_of and since and since >= as_of:
        since = None
    if as_of != chosen.as_of:
        # The key figures are outside of what a click runs again.
        st.session_state["rerun_app"] = True
    write_filter(replace(chosen, as_of=as_of, since=since))


def _day(given: object) -> date | None:
    try:
        return read_day(given if isinstance(given, str) else "")
    except SiteMapError:
        return None


def _show(asked: Action) -> None:
    """Show what a kept scheme filters by, of the day that is shown.

    One that names what is gone says so and changes nothing.
    """
    categories = get_library().categories
    shown = shown_filter(categories)
    try:
        kept = Scheme("-", str(asked.get("query"))[:4000]).filter(categories)
        write_filter(replace(kept, as_of=shown.as_of, since=shown.since))
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
    words, store = _words()["place"], page_store(current_dataset())
    site_id = str(asked.get("site_id"))
    try:
        kept, moved = place_on_map(store, site_id, asked, who=page_access().name)
    except StoreConflict:
        _answer(False, words["conflict"])
    except SiteMapError as error:
        _answer(False, words["refused"].format(reason=_in_words(error)))
    else:
        _placed(kept, words["moved" if moved else "done"].format(name=kept.name))


def _choose_candidate(asked: Action) -> None:
    """Put a site on one of the places the page has shown; not on another, should the list have changed since."""
    words, library, dataset = _words()["place"], get_library(), current_dataset()
    site_id = str(asked.get("site_id"))
    try:
        store = page_store(dataset)
        site = store.site(site_id)
        chosen = [
            one
            for one in site_candidates(site, library.settings)
            if candidate_id(one) == asked.get("candidate")
        ]
        if not chosen:
            raise SiteMapError("this candidate is not there any more: look again")
        kept = place_candidate(store, site_id, chosen[0], who=page_access().name)
    except SiteMapError as error:
        _answer(False, words["refused"].format(reason=_in_words(error)))
    else:
        _placed(kept, words["done"].format(name=site["name"]))


def _place_same(asked: Action) -> None:
    """Put the sites that state the same address where one of them now is."""
    words, library, dataset = _words()["place"], get_library(), current_dataset()
    store, site_id = page_store(dataset), str(asked.get("site_id"))
    try:
        others = same_address(library.snapshot(dataset).comparable(site_id), site_id)[:MAX_SAME]
        kept = place_like(store, site_id, others, who=page_access().name)
    except SiteMapError as error:
        _answer(False, words["refused"].format(reason=_in_words(error)))
    else:
        _answer(True, words["same_done"].format(n=len(kept)), undo=_did_place(kept))


def _placed(kept: Correction, message: str) -> None:
    """Tell that a site is placed, and how many others state the same address."""
    near = get_library().snapshot(current_dataset()).comparable(kept.site_id)
    same = same_address(near, kept.site_id)
    _answer(True, message, undo=_did_place([kept]), site_id=kept.site_id, same=len(same))


# ---- editing ----------------------------------------------------------------------------------------------------


def _edit(asked: Action) -> None:
    """Change what is known of a site, unless somebody else has changed it since it was looked at."""
    words, library, dataset = _words()["place"], get_library(), current_dataset()
    store, version = page_store(dataset), asked.get("version")
    try:
        seen = _seen(library.snapshot(dataset), str(asked.get("site_id")))
        changes = read_changes(asked.get("values"), str(seen["kind"].iloc[0]), library.categories)
        if int(seen["version"].iloc[0]) != version:
            _answer(False, words["conflict"], conflict=True)
            return
        report = _edit_sites(store, seen, changes)
    except SiteMapError as error:
        _answer(False, words["refused"].format(reason=_in_words(error)))
        return
    if report.left:
        _answer(False, words["conflict"], conflict=True)
    else:
        said = words["edited" if report.step else "same"].format(name=seen["name"].iloc[0])
        _answer(True, said, undo=_did(report.step), edit=True)


def _seen(snapshot: AnySnapshot, site_id: str) -> gpd.GeoDataFrame:
    try:
        return snapshot.site(site_id)
    except KeyError:
        raise SiteMapError("this site is not there any more") from None


def _edit_many(asked: Action) -> None:
    """Change the same of many sites: those that nobody has changed since the person's page got its data."""
    words, library, dataset = _words()["place"], get_library(), current_dataset()
    try:
        seen = chosen_rows(library.at(dataset, str(asked.get("version"))), asked.get("rows"))
        kinds = set(seen["kind"])
        values = asked.get("values")
        if len(kinds) > 1 and isinstance(values, Mapping) and "status" in values:
            raise SiteMapError("a status is given to sites of one kind only: choose one kind")
        changes = read_changes(values, str(seen["kind"].iloc[0]), library.categories)
        report = _edit_sites(page_store(dataset), seen, changes)
    except SiteMapError as error:
        _answer(False, words["refused"].format(reason=_in_words(error)))
        return
    done = report.step.count if report.step else 0
    message = words["edited_many"].format(n=done)
    if report.left:
        names = seen.set_index("site_id")["name"]
        some = "、".join(str(names[one]) for one in report.left[:3])
        message += words["left"].format(n=len(report.left), names=some)
    _answer(True, message, undo=_did(report.step), many=True)


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
        step_id=_steps().next_id(),
        categories=get_library().categories,
    )


# ---- undo and redo ----------------------------------------------------------------------------------------------


def _steps() -> Steps:
    """Return this visitor's steps in the set that is open."""
    state, name = st.session_state, f"steps_{current_dataset()}"
    if name not in state:
        state[name] = Steps()
    steps: Steps = state[name]
    return steps


def undo_and_redo() -> dict[str, str]:
    """Return the names of what would be undone and redone next, "" for nothing."""
    undo, redo = _steps().to_undo(), _steps().to_redo()
    return {"undo": undo.name if undo else "", "redo": redo.name if redo else ""}


def _did(step: Step | None) -> int:
    """Remember a step; return the number its undo is asked by, 0 for none."""
    if step is None:
        return 0
    _steps().did(step)
    return step.step_id


def _did_place(kept: Sequence[Correction]) -> int:
    if not kept:
        return 0
    return _did(Step(_steps().next_id(), kept[0].name, corrections=tuple(kept)))


def _undo(asked: Action) -> None:
    step = _steps().to_undo(_step_id(asked)) or _last_placing(asked)
    if step is None:
        _answer(False, _words()["place"]["nothing"])
        return
    report = _go_back(step, undo_step)
    if report is not None:
        _steps().took_back(step, report.step)
        _tell_stepped("undone", step, report, redo=step.step_id)


def _redo(asked: Action) -> None:
    step = _steps().to_redo(_step_id(asked))
    if step is None:
        _answer(False, _words()["place"]["nothing_again"])
        return
    report = _go_back(step, redo_step)
    if report is not None:
        _steps().did_again(step, report.step)
        _tell_stepped("redone", step, report, undo=step.step_id)


def _step_id(asked: Action) -> int | None:
    given = asked.get("step")
    return given if isinstance(given, int) and given > 0 else None


def _last_placing(asked: Action) -> Step | None:
    """Return this person's newest placing that holds, from before the page was opened."""
    if asked.get("placing") is not True:
        return None
    me = page_access().name
    held = page_store(current_dataset()).corrections()
    mine = next((one for one in held if one.who == me), None)
    return None if mine is None else Step(_steps().next_id(), mine.name, corrections=(mine,))


def _go_back(step: Step, go: Callable[..., EditReport]) -> EditReport | None:
    """Undo or redo a step; None if it could not be, which is told."""
    library = get_library()
    store = page_store(current_dataset())
    try:
        return go(store, step, who=page_access().name, categories=library.categories)
    except SiteMapError as error:
        _answer(False, _words()["place"]["refused"].format(reason=_in_words(error)))
        return None


def _tell_stepped(key: str, step: Step, report: EditReport, **more: int) -> None:
    words = _words()["place"]
    done = report.step
    if done is None:
        _answer(False, words["all_theirs"].format(name=step.name))
        return
    message = words[key].format(name=step.name)
    if step.count > 1:
        message = words[f"{key}_many"].format(n=done.count)
    if report.left:
        message += words["left_theirs"].format(n=len(report.left))
    _answer(True, message, stepped=True, **more)


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


def _answer(ok: bool, message: str, *, undo: int = 0, **more: object) -> None:
    """Tell the map's page once how it went; `undo` is the number of the step that can be taken back, 0 for none."""
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
    "time": _set_time,
    "show": _show,
    "refresh": _refresh,
    "open": _open,
    "place": _place,
    "undo": _undo,
    "redo": _redo,
    "candidate": _choose_candidate,
    "edit": _edit,
    "edit_many": _edit_many,
    "same": _place_same,
}
