"""The one-line way of Streamlit: st.map with a column of colours."""

import pandas as pd
import streamlit as st
from common import COLOURS, chosen_sites


@st.fragment
def show() -> None:
    """Draw the checkboxes and the map; only this runs again at a click."""
    side, main = st.columns([1, 4])
    with side:
        sites = chosen_sites()
    points = pd.DataFrame(
        {
            "lat": sites.geometry.y,
            "lon": sites.geometry.x,
            "colour": sites["category"].map(COLOURS),
        }
    )
    with main:
        st.map(points, color="colour", size=40, zoom=10, height=700)


st.set_page_config(layout="wide")
show()
