"""The one-line way of GeoPandas: gdf.explore(), its page put into the app."""

import streamlit as st
import streamlit.components.v1 as components
from common import CENTRE, COLOURS, ZOOM, chosen_sites

WORDS = ["name", "category", "place", "geometry"]


@st.fragment
def show() -> None:
    """Draw the checkboxes and the map; only this runs again at a click."""
    side, main = st.columns([1, 4])
    with side:
        sites = chosen_sites()
    page = sites[WORDS].explore(
        column="category",
        categories=list(COLOURS),
        cmap=list(COLOURS.values()),
        tiles=None,
        location=CENTRE,
        zoom_start=ZOOM,
        legend=False,
        height=700,
    )
    with main:
        components.html(page.get_root().render(), height=700)


st.set_page_config(layout="wide")
show()
