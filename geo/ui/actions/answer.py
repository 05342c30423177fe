"""What the map's page is told of how an action went."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import streamlit as st

from geo.errors import SiteMapError
from geo.ui.address import current_language
from geo.ui.explain import explain
from geo.ui.library import get_library
from geo.ui.text import choose_language, load_text

Action = Mapping[str, Any]
"""What somebody did, as the browser says it; nothing in it is trusted."""


def answer(ok: bool, message: str, *, undo: int = 0, **more: object) -> None:
    """Tell the map's page once how it went; `undo` is the number of the step that can be taken back, 0 for none."""
    st.session_state["answer"] = {
        "ok": ok,
        "message": message,
        "undo": undo,
        **more,
        "turn": time.time_ns(),
    }


def refuse(error: SiteMapError) -> None:
    """Tell the map's page that an action was not carried out, and why."""
    answer(False, words("place")["refused"].format(reason=explain_here(error)))


def explain_here(error: SiteMapError) -> str:
    """Return what a refusal says, in the page's language."""
    return explain(str(error), _language())


def words(section: str) -> dict[str, Any]:
    """Return a section of the page's words, in the page's language."""
    found: dict[str, Any] = load_text(_language())[section]
    return found


def _language() -> str:
    default = choose_language(st.context.locale, get_library().settings.language)
    return current_language(default)
