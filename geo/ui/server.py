"""What the app does around its pages: getting ready before the first visitor, and what a failure looks like."""

from __future__ import annotations

import gc
import logging
import os
import socket
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import streamlit as st

from geo.errors import SiteMapError, StoreError
from geo.store import GeoPackageStore
from geo.store.backups import keep_daily
from geo.ui.explain import explain
from geo.ui.library import Snapshot, get_library
from geo.ui.people import proxy_refusal
from geo.ui.text import choose_language, load_text, log_failure

AGAIN_MS = 3000
LOOK_S = 3600.0
"""How often it is looked whether the day's backup is due, in seconds."""
log = logging.getLogger(__name__)


@asynccontextmanager
async def warm_up(app: object) -> AsyncIterator[dict[str, Any]]:
    """Read the first set while the browser opens, then keep what was imported out of every later collection."""

    def prepare() -> None:
        try:
            snapshot = get_library().snapshot("bulletin")
            if isinstance(snapshot, Snapshot):
                _ = snapshot.payload, snapshot.index
        except SiteMapError as error:
            log.warning("the first set could not be prepared; the page says so: %s", error)
        gc.collect()
        gc.freeze()
        while not ended.is_set():
            _keep_daily_backups()
            ended.wait(LOOK_S)

    _refuse_open_door()
    ended = threading.Event()
    _send_at_once()
    threading.Thread(target=prepare, name="warm-up", daemon=True).start()
    yield {}
    ended.set()


def _keep_daily_backups() -> None:
    """Copy the real set if its newest copy is a day old; one that fails is in the log and tried again in an hour."""
    try:
        store = get_library().store("bulletin")
        if isinstance(store, GeoPackageStore):
            keep_daily(store)
    except SiteMapError as error:
        log.warning("the daily backup could not be made: %s", error)


def _refuse_open_door() -> None:
    """Do not start where anybody could say who they are; no settings at all are the page's to tell of."""
    try:
        refusal = proxy_refusal(get_library().settings)
    except SiteMapError:
        return
    if refusal:
        print(f"✗ {explain(refusal, 'zh')}\n✗ {refusal}", file=sys.stderr, flush=True)
        os._exit(2)


def _send_at_once() -> None:
    """Switch Nagle's algorithm off where connections come in; those it accepts inherit that.

    Streamlit makes its socket without naming TCP, and asyncio then leaves the algorithm on: the answer to a click is
    a few short messages, and all but the first would wait up to 40 ms for the browser to confirm that one.
    """
    for found in gc.get_objects():
        # Not isinstance, which would wake things that are imported when first looked at.
        if type(found) is socket.socket and found.fileno() >= 0:
            with suppress(OSError):
                if found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                    found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def report_error(error: Exception) -> bool:
    """Show a failure in plain words with a number that finds it in the log; details stay on the server."""
    if isinstance(error, SiteMapError):
        log.warning("shown to a person: %s", error)
        language = choose_language(st.context.locale)
        st.error(plain(explain(str(error), language)))
        if isinstance(error, StoreError):
            _try_again(language)
        return True
    st.error(log_failure(error, choose_language(st.context.locale)))
    return True


_AGAIN = """
export default ({ data, setTriggerValue }) => {
  clearTimeout(window.baitaAgain)
  const look = async () => {
    const reply = await fetch(new URL(data.address, document.baseURI), { cache: 'no-store' }).catch(() => null)
    if (reply && reply.status !== 503) setTriggerValue('again', Date.now())
    else window.baitaAgain = setTimeout(look, data.every_ms)
  }
  window.baitaAgain = setTimeout(look, data.every_ms)
}
"""
_again = st.components.v2.component("baita_again", js=_AGAIN)


def _try_again(language: str) -> None:
    """Say that the page looks whether the store is back, and runs again as soon as it is."""
    st.caption(str(load_text(language)["page"]["waiting"]))
    # Any set will do: what a page shows without a store is this message alone.
    asked = {"address": "baita/version/bulletin", "every_ms": AGAIN_MS}
    _again(key="again", data=asked, on_again_change=lambda: None)


def plain(text: str) -> str:
    """Return text that Streamlit's Markdown shows as it is: no picture, link or formula comes out of it."""
    return "".join("\\" + c if c in r"\`*_{}[]()<>#+-.!|~$:&^=" else c for c in text)
