"""白塔一张图: `streamlit run app.py`, or `python3 -m geo run` on a machine with nothing installed yet."""

from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware

from geo.ui.door import Door
from geo.ui.routes import base_path, routes
from geo.ui.server import report_error, warm_up

app = st.App(
    Path(__file__).parent / "geo" / "ui" / "main_page.py",
    routes=routes(),
    middleware=[Middleware(Door, page=base_path())],
    lifespan=warm_up,
    on_script_error=report_error,
)
