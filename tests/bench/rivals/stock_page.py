"""The best that Folium and streamlit-folium offer: one GeoJson on a canvas, swapped without a new page."""

import folium
import streamlit as st
from common import COLOURS, chosen_sites, empty_map
from streamlit_folium import st_folium

WORDS = ["name", "category", "place", "geometry"]


@st.fragment
def show() -> None:
    """Draw the checkboxes and the map; only this runs again at a click."""
    side, main = st.columns([1, 4])
    with side:
        sites = chosen_sites()
    group = folium.FeatureGroup(name="sites")
    folium.GeoJson(
        sites[WORDS],
        marker=folium.CircleMarker(radius=5, fill=True),
        style_function=lambda site: {"color": COLOURS[site["properties"]["category"]]},
        tooltip=folium.GeoJsonTooltip(["name", "place"]),
    ).add_to(group)
    with main:
        st_folium(
            empty_map(),
            key="map",
            width=1200,
            height=700,
            feature_group_to_add=group,
            returned_objects=[],
        )


st.set_page_config(layout="wide")
show()
