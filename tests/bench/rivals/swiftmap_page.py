"""Swiftmap (PyPI) as its README says for Streamlit: a map for each session, a layer for each status."""

from typing import Any

import streamlit as st
from common import CENTRE, COLOURS, LABELS, ZOOM, load_sites
from swiftmap import Map
from swiftmap.streamlit import st_swiftmap


def build() -> Any:
    """Return a map with a layer of WebGL circles for each status."""
    sites = load_sites()
    page = Map(height="700px", center=list(CENTRE), zoom=ZOOM)
    with page.batch():
        for key, colour in COLOURS.items():
            some = sites[sites["category"] == key]
            if len(some):
                page.add_circle_markers(
                    some[["name", "place", "geometry"]],
                    name=key,
                    radius=5,
                    color=colour,
                    fill_color=colour,
                    fill_opacity=1.0,
                )
    return page


@st.fragment
def show() -> None:
    """Draw the checkboxes and the map; only this runs again at a click."""
    if "map" not in st.session_state:
        st.session_state["map"] = build()
    page = st.session_state["map"]
    side, main = st.columns([1, 4])
    with side:
        shown = {key: st.checkbox(label, value=True, key=key) for key, label in LABELS.items()}
    page.set_layers_visibility(shown)
    with main:
        st_swiftmap(page, key="swiftmap")


st.set_page_config(layout="wide")
show()
