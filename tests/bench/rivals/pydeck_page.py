"""The WebGL way that Streamlit brings along: a pydeck ScatterplotLayer."""

import pandas as pd
import pydeck
import streamlit as st
from common import CENTRE, COLOURS, ZOOM, chosen_sites

RGB = {key: [int(fill[i : i + 2], 16) for i in (1, 3, 5)] for key, fill in COLOURS.items()}


@st.fragment
def show() -> None:
    """Draw the checkboxes and the map; only this runs again at a click."""
    side, main = st.columns([1, 4])
    with side:
        sites = chosen_sites()
    points = pd.DataFrame(
        {
            "lon": sites.geometry.x,
            "lat": sites.geometry.y,
            "name": sites["name"],
            "place": sites["place"],
            "colour": sites["category"].map(RGB),
        }
    )
    layer = pydeck.Layer(
        "ScatterplotLayer",
        points,
        get_position="[lon, lat]",
        get_fill_color="colour",
        get_radius=40,
        radius_min_pixels=3,
        pickable=True,
    )
    view = pydeck.ViewState(latitude=CENTRE[0], longitude=CENTRE[1], zoom=ZOOM - 1)
    tooltip = {"text": "{name}\n{place}"}
    deck = pydeck.Deck([layer], initial_view_state=view, map_provider=None, tooltip=tooltip)
    with main:
        st.pydeck_chart(deck, height=700)


st.set_page_config(layout="wide")
show()
