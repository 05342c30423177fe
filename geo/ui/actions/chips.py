"""What is shown: chips, filters, the day, the set and the language."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import streamlit as st

from geo.category import Categories
from geo.day import read_day
from geo.errors import FilterError, SiteMapError
from geo.scheme import Scheme
from geo.ui.actions.answer import Action, answer, explain_here, words
from geo.ui.address import shown_filter, write_filter
from geo.ui.library import DATASETS, get_library
from geo.view import SiteFilter

# ---- Streamlit's own widgets ------------------------------------------------------------------------------------


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
    open_set({"dataset": st.session_state["set"]})


def choose_shown_language() -> None:
    """Put the language that the switch says into the address."""
    st.query_params["lang"] = st.session_state["lang"]


# ---- chips ------------------------------------------------------------------------------------------------------


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


def switch(asked: Action) -> None:
    """Switch a category or a kind on or off, or show it alone."""
    categories = get_library().categories
    chosen = shown_filter(categories)
    write_filter(replace(chosen, hidden=next_hidden(chosen.hidden, asked, categories)))


def clear_filters(asked: Action) -> None:
    """Show everything, of the day that is shown."""
    shown = shown_filter(get_library().categories)
    write_filter(SiteFilter(as_of=shown.as_of, since=shown.since))


# ---- day, scheme, set -------------------------------------------------------------------------------------------


def set_time(asked: Action) -> None:
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


def show_scheme(asked: Action) -> None:
    """Show what a kept scheme filters by, of the day that is shown.

    One that names what is gone says so and changes nothing.
    """
    categories = get_library().categories
    shown = shown_filter(categories)
    try:
        kept = Scheme("-", str(asked.get("query"))[:4000]).filter(categories)
        write_filter(replace(kept, as_of=shown.as_of, since=shown.since))
    except FilterError as error:
        answer(False, words("export")["scheme_outdated"].format(reason=explain_here(error)))


def refresh(asked: Action) -> None:
    """Run the whole page again: an import has changed sites and key figures."""
    st.session_state["rerun_app"] = True


def open_set(asked: Action) -> None:
    """Open another set, without a filter."""
    if asked.get("dataset") in DATASETS:
        write_filter(SiteFilter())
        st.query_params["set"] = str(asked["dataset"])
        st.session_state["rerun_app"] = True
