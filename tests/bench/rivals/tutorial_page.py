"""The way of every tutorial: a Marker for each site, given to st_folium."""

import folium
import streamlit as st
from common import CATEGORIES, chosen_sites, empty_map
from streamlit_folium import st_folium

COLOURS = ("blue", "orange", "red", "gray", "purple", "green", "cadetblue", "darkred")
COLOUR = {key: COLOURS[code % len(COLOURS)] for key, code in CATEGORIES.codes.items()}

st.set_page_config(layout="wide")
with st.sidebar:
    sites = chosen_sites()
page = empty_map()
for site in sites.itertuples():
    if site.geometry.geom_type != "Point":
        folium.GeoJson(
            site.geometry,
            style_function=lambda _, colour=COLOUR[site.category]: {"color": colour},
            tooltip=site.name,
        ).add_to(page)
        continue
    folium.Marker(
        [site.geometry.y, site.geometry.x],
        tooltip=site.name,
        popup=f"{site.name}<br>{site.status}<br>{site.place}",
        icon=folium.Icon(color=COLOUR[site.category]),
    ).add_to(page)
st_folium(page, width=1200, height=700)
