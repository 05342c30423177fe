"""Serve one of the other ways to draw the map, as `BENCH_METHOD` says, without any network.

Folium's pages ask four other hosts for their scripts. Here Leaflet comes from xstatic-leaflet, as in our app, and
`stand_ins.js` does the little that Folium's markup needs of jQuery and Leaflet.awesome-markers.
"""

import os
from importlib import import_module
from pathlib import Path

import folium
import streamlit as st
from starlette.responses import FileResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

HERE = Path(__file__).parent
LEAFLET = Path(import_module("xstatic.pkg.leaflet").BASE_DIR)


def stand_ins(request: object) -> FileResponse:
    """Return our few lines in place of two libraries."""
    return FileResponse(HERE / "stand_ins.js")


folium.Map.default_js = [
    ("leaflet", "/rival/leaflet/leaflet.js"),
    ("stand_ins", "/rival/stand_ins.js"),
]
folium.Map.default_css = [("leaflet_css", "/rival/leaflet/leaflet.css")]

app = st.App(
    HERE / f"{os.environ['BENCH_METHOD']}_page.py",
    routes=[
        Route("/rival/stand_ins.js", stand_ins),
        Mount("/rival/leaflet", StaticFiles(directory=LEAFLET)),
    ],
)
