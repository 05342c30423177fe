"""What the rival pages share: the stored sites, one checkbox for each status, a map without tiles."""

import os
from typing import Any

import folium
import streamlit as st

from geo.category import load_categories
from geo.store import open_store

CATEGORIES = load_categories()
CENTRE = (41.265, 123.18)
ZOOM = 11
COLOURS = {status.key: status.fill for status in CATEGORIES.statuses}
LABELS = {
    status.key: f"{kind.label['zh']} · {status.label['zh']}"
    for kind in CATEGORIES
    for status in kind.statuses
}


@st.cache_resource
def load_sites() -> Any:
    """Return the site table with its category in one column, read once for all sessions."""
    with open_store(os.environ["BAITA_STORE"]) as store:
        sites = store.read_sites()
    sites["category"] = sites["kind"] + "." + sites["status"]
    return sites


def chosen_sites() -> Any:
    """Draw the checkboxes and return the rows that they keep."""
    sites = load_sites()
    shown = [key for key, label in LABELS.items() if st.checkbox(label, value=True, key=key)]
    return sites[sites["category"].isin(shown)]


def empty_map() -> folium.Map:
    """Return a map of the district that draws vectors on a canvas, the faster way."""
    return folium.Map(CENTRE, zoom_start=ZOOM, tiles=None, prefer_canvas=True, max_zoom=19)
