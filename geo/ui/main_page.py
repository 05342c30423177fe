"""The one page: what is stated on top, what to show on the left, the map in all the rest.

Streamlit runs this file for every visitor, and the fragment in it again for every change of a filter. What a run
sends is small and does not grow with the number of sites: the map fetches its data by address.
"""

from __future__ import annotations

from typing import Any

import streamlit as st

from geo.access import Person, Right
from geo.category import LANGUAGES
from geo.pipeline import has_demo
from geo.site import PRECISIONS
from geo.ui.actions import act_on_chips, act_on_map
from geo.ui.actions.chips import choose_set, choose_shown_language, refilter
from geo.ui.actions.undoing import undo_and_redo
from geo.ui.address import current_dataset, current_filter, current_language, follow
from geo.ui.describe import app_title, district_name, source_line, subtitle_of, title_of
from geo.ui.desk_routes import REAL
from geo.ui.figures import key_figures
from geo.ui.library import DATASETS, AnySnapshot, get_library
from geo.ui.routes import asset_url
from geo.ui.server import plain
from geo.ui.sign_in import let_in, show_person, still_in
from geo.ui.text import choose_language, load_text
from geo.view import NO_STREET, SiteFilter

# The script proper is fetched once and kept by the browser; Streamlit sends this text again with every click.
LOADER = """let part
export default c => (part ??= import(new URL("%s", document.baseURI))).then(p => p.default(c))
"""

panel = st.components.v2.component(
    "baita_panel", js=LOADER % asset_url("panel.js"), isolate_styles=False
)


def main() -> None:
    """Write the page."""
    settings = get_library().settings
    language = current_language(choose_language(st.context.locale, settings.language))
    st.set_page_config(
        page_title=app_title(settings, language),
        layout="wide",
        initial_sidebar_state="collapsed",
    )
    dataset, text = current_dataset(), load_text(language)
    person = let_in(text["people"])
    if person is None:
        return
    signs_in = bool(settings.sign_in)
    with st.container(key="baita_head"):
        figures, choices = st.columns(
            [4 if signs_in else 5, 3 if signs_in else 2], gap="small", vertical_alignment="center"
        )
    with choices:
        _choices(dataset, language, text, person if signs_in else None)
    with st.spinner(text["page"]["preparing"]):
        snapshot = get_library().snapshot(dataset)
    with figures:
        back = _figures(snapshot.of(current_filter(snapshot.categories)[0].as_of), text, language)
    _map_section(dataset, language, back)


def _choices(dataset: str, language: str, text: dict[str, Any], person: Person | None) -> None:
    """Which set, which language, help, and who is signed in, where people sign in."""
    words = text["page"]
    left, middle, right, *last = st.columns([3, 2, 2, 3] if person else [3, 2, 2], gap="small")
    follow("set", dataset)
    follow("lang", language)
    if has_demo(get_library().settings):
        with left:
            st.segmented_control(
                words["dataset"],
                DATASETS,
                required=True,
                format_func=words["datasets"].__getitem__,
                key="set",
                label_visibility="collapsed",
                on_change=choose_set,
            )
    with middle:
        st.segmented_control(
            words["language"],
            LANGUAGES,
            required=True,
            format_func=words["languages"].__getitem__,
            key="lang",
            label_visibility="collapsed",
            on_change=choose_shown_language,
        )
    with right, st.popover(words["help"], width="stretch"):
        guide = {"part": "help", "guide": f"baita/guide/{language}", "words": text["guide"]}
        panel(key="help", data=guide)
        st.markdown(words["help_text"]["body"])
    if person:
        with last[0]:
            show_person(person, text["people"], language)


def _figures(snapshot: AnySnapshot, text: dict[str, Any], language: str) -> int | None:
    """Show the key figures; return the number by which a page asks for this run that has lost its server, else None."""
    data = {
        "part": "figures",
        "styles": [asset_url("theme.css"), asset_url("panel.css")],
        "title": app_title(get_library().settings, language),
        "notice": text["notice"]["demo"] if snapshot.fictitious else "",
        "cards": key_figures(snapshot.claims, text),
    }
    turn = panel(key="figures", data=data, on_back_change=_nothing).back
    return turn if isinstance(turn, int) else None


def _nothing() -> None:
    """Streamlit takes a trigger only where something is to be called."""


@st.fragment
def _map_section(dataset: str, language: str, back: int | None) -> None:
    """The filters and the map they act on: all that runs again when a widget changes."""
    still_in()
    snapshot, text = get_library().snapshot(dataset), load_text(language)
    side, main_part = st.columns([1, 4.2], gap=None)
    with side, st.container(key="baita_side"):
        _filters(snapshot, text, language)
    with main_part:
        _map(text, language, back)
    if st.session_state.pop("rerun_app", False):
        st.rerun(scope="app")


def _filters(snapshot: AnySnapshot, text: dict[str, Any], language: str) -> None:
    words = text["page"]
    chosen, bad = current_filter(snapshot.categories)
    st.session_state["shown_filter"] = chosen
    if bad:
        st.warning(words["bad_link"].format(reason=", ".join(bad)))
    if snapshot.aside:
        names = "、".join(plain(name) for name in snapshot.aside[:5])
        st.warning(words["set_aside"].format(n=len(snapshot.aside), names=names))
    follow("q", chosen.text)
    st.text_input(
        words["search"],
        key="q",
        type="search",
        live="250ms",
        max_chars=200,
        placeholder=f"{words['search']} ({words['search_hint']})",
        label_visibility="collapsed",
        on_change=refilter,
    )
    _chips(snapshot.dataset, language)
    with st.expander(
        words["filters"], expanded=bool(chosen.streets or chosen.precisions or chosen.until)
    ):
        _more_filters(snapshot, chosen, text)


def _more_filters(snapshot: AnySnapshot, chosen: SiteFilter, text: dict[str, Any]) -> None:
    words = text["page"]
    streets = [*snapshot.streets, NO_STREET]
    # A link may name a street that this set does not have: it stays, so that the page says what it filters by.
    streets += [street for street in chosen.streets if street not in streets]
    follow("street", list(chosen.streets))
    st.multiselect(
        words["street"],
        streets,
        key="street",
        format_func=lambda street: words["no_street"] if street == NO_STREET else street,
        placeholder=words["everything"],
        on_change=refilter,
    )
    follow("precision", list(chosen.precisions))
    st.multiselect(
        words["precision"],
        PRECISIONS,
        key="precision",
        format_func=text["map"]["precisions"].__getitem__,
        placeholder=words["everything"],
        on_change=refilter,
    )
    follow("until", chosen.until)
    st.date_input(
        words["until"],
        value=None,
        key="until",
        help=words["until_help"],
        format="YYYY-MM-DD",
        on_change=refilter,
    )


@st.fragment
def _chips(dataset: str, language: str) -> None:
    """The chips, and with them what the map is to show: all that runs again at a click on one.

    Streamlit sends every element of a fragment anew, so nothing else is in this one; it passes the map's state to
    the map's frame, which is outside.
    """
    person = still_in()
    library, text = get_library(), load_text(language)
    chosen, _ = current_filter(library.categories)
    snapshot = library.snapshot(dataset).of(chosen.as_of)
    if snapshot.by_tiles:
        chosen = chosen.without_time()
    data = {
        "part": "chips",
        "turn": st.session_state.get("chips_turn", 0),
        "counts": snapshot.counts(chosen),
        "deltas": snapshot.deltas(chosen),
        "state": _map_state(snapshot, chosen, text, language, person),
    }
    panel(key="chips", data=data, on_act_change=act_on_chips)


def _map_state(
    snapshot: AnySnapshot, chosen: SiteFilter, text: dict[str, Any], language: str, person: Person
) -> dict[str, Any]:
    home = district_name(get_library().settings, language)
    words, known = text["title"], snapshot.provenance(chosen)
    latest = chosen.as_of or known.newest
    narrowing = chosen.without_categories().without_time()
    at = f"@{snapshot.day}" if snapshot.day else ""
    present = snapshot.present or snapshot
    edits = person.role.includes(Right.EDIT.role)
    return {
        "dataset": snapshot.dataset,
        "version": present.version,
        "data": f"../data/{snapshot.dataset}/{snapshot.version}/",
        "site": f"../site/{snapshot.dataset}{at}/",
        "present": f"../data/{snapshot.dataset}/{present.version}/",
        "as_of": chosen.as_of.isoformat() if chosen.as_of else "",
        "since": chosen.since.isoformat() if chosen.since else "",
        "hidden": sorted(snapshot.categories.codes[key] for key in chosen.hidden),
        "selection": narrowing.to_query(),
        "title": title_of(chosen, snapshot.categories, text, language=language, district=home),
        "subtitle": subtitle_of(chosen, snapshot.categories, text, language=language),
        "asOf": words["as_of"].format(date=latest) if latest else "",
        "source": source_line(known.files, words),
        "notice": text["notice"]["demo"] if snapshot.fictitious else "",
        "editable": edits and snapshot.day is None,
        "steps": undo_and_redo(),
        "importable": edits and snapshot.dataset == REAL,
        "welcome": snapshot.dataset == "bulletin" and not snapshot.by_tiles,
        "demo": has_demo(get_library().settings),
        "tiles": _tiles_state(snapshot, chosen),
    }


def _tiles_state(snapshot: AnySnapshot, chosen: SiteFilter) -> dict[str, Any] | None:
    """Return what the map needs to draw a set by tiles; None for one that it gets whole."""
    if not snapshot.by_tiles:
        return None
    return {
        "address": f"../tiles-sites/{snapshot.dataset}/{snapshot.version}/",
        "counts": snapshot.counts(chosen),
        "filter": chosen.to_query(),
    }


def _map(text: dict[str, Any], language: str, back: int | None) -> None:
    data = {
        "part": "map",
        "src": f"baita/map/{language}",
        "guide": f"baita/guide/{language}",
        "title": app_title(get_library().settings, language),
        "chips": {"language": language, **text["chips"]},
        "answer": st.session_state.get("answer"),
        "back": back,
    }
    panel(key="map", data=data, on_act_change=act_on_map)


main()
