"""The address bar says what is shown: the filter, the set and the language, as plain named values.

The address is the truth and the widgets follow it, so a link, the back button and a click all end in the same state.
(Streamlit can bind a widget to the address by itself, but then writes its labels there: a link made in Chinese
would mean nothing on an English page.) View and chosen site are after the '#', which the server never sees.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from geo.category import LANGUAGES, Categories
from geo.errors import FilterError
from geo.ui.library import DATASETS
from geo.view import SiteFilter

FILTER_NAMES = ("hide", "q", "street", "precision", "until", "located", "as_of", "since")


def read_filter(
    params: Mapping[str, Sequence[str]], categories: Categories
) -> tuple[SiteFilter, list[str]]:
    """Return the filter of an address, and the names of the parameters that make no sense.

    Parameters
    ----------
    params
        Name to values; names that are no part of a filter are left alone.
    categories
        What may be hidden.
    """
    good: dict[str, Sequence[str]] = {}
    bad = []
    for name in FILTER_NAMES:
        try:
            # With those before it, because a day to compare with is before the day that is shown.
            SiteFilter.from_params({**good, name: params.get(name, [])}, categories)
            good[name] = params.get(name, [])
        except FilterError:
            bad.append(name)
    return SiteFilter.from_params(good, categories), bad


def current_filter(categories: Categories) -> tuple[SiteFilter, list[str]]:
    """Return `read_filter` of the address of this session."""
    params = {name: st.query_params.get_all(name) for name in FILTER_NAMES}
    return read_filter(params, categories)


def shown_filter(categories: Categories) -> SiteFilter:
    """Return the filter this session shows now: what a click changes.

    Not the address's: that is the browser's, which at a quick click has not heard yet of the click before.
    """
    shown = st.session_state.get("shown_filter")
    return shown if isinstance(shown, SiteFilter) else current_filter(categories)[0]


def write_filter(chosen: SiteFilter) -> None:
    """Put a filter into the address; what does not change is not sent."""
    st.session_state["shown_filter"] = chosen
    wanted = chosen.to_params()
    for name in FILTER_NAMES:
        if name not in wanted and name in st.query_params:
            del st.query_params[name]
        elif name in wanted and st.query_params.get_all(name) != wanted[name]:
            st.query_params[name] = wanted[name]


def current_dataset() -> str:
    """Return the set the address names, else the first."""
    return _one_of(DATASETS, st.query_params.get("set"), DATASETS[0])


def current_language(default: str) -> str:
    """Return the language the address names, else the default."""
    return _one_of(LANGUAGES, st.query_params.get("lang"), default)


def follow(key: str, value: object) -> None:
    """Set a widget to what the address says, unless it says so already: text being typed is left alone."""
    if key not in st.session_state or st.session_state[key] != value:
        st.session_state[key] = value


def _one_of(known: Sequence[str], given: str | None, default: str) -> str:
    return given if given is not None and given in known else default
