"""What a person does on the page, besides Streamlit's own widgets: chips, placing, editing, undo and redo.

Each action is a small value from the browser, and nothing in it is trusted: categories are checked against the
file, a site must be in the set, a coordinate goes through the datum checks of the pipeline.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import streamlit as st

from geo.errors import SiteMapError, StoreConflict
from geo.ui.actions import chips, editing, placing, undoing
from geo.ui.actions.answer import Action, answer, refuse, words
from geo.ui.address import shown_filter, write_filter
from geo.ui.library import get_library


def act_on_chips() -> None:
    """Carry out a click on a chip; Streamlit calls it before the page runs again."""
    _act("chips")


def act_on_map() -> None:
    """Carry out what somebody did on the map's own page."""
    _act("map")


def _act(key: str) -> None:
    """Carry out what was asked since last time: a message repeats those before it, see `ask` in panel.js."""
    state, last = st.session_state, f"{key}_turn"
    for asked in new_actions(state[key].get("act"), state.get(last, 0)):
        state[last] = asked["turn"]
        handler = _HANDLERS.get(str(asked.get("type")))
        if handler is not None:
            _carry_out(handler, asked)
            # The browser may have asked before it heard of the filter just set: its address would take that back.
            write_filter(shown_filter(get_library().categories))


def _carry_out(handler: Callable[[Action], None], asked: Action) -> None:
    """Run a handler; what it refuses, or its person may not do, is told in words and is no failure of the page."""
    try:
        handler(asked)
    except StoreConflict:
        answer(False, words("place")["conflict"])
    except SiteMapError as error:
        refuse(error)


def new_actions(given: object, last: float) -> list[Action]:
    """Return the actions of a message that come after the turn carried out last, in order."""
    asked = given if isinstance(given, list) else []
    numbered = [a for a in asked if isinstance(a, Mapping) and isinstance(a.get("turn"), int)]
    return sorted((a for a in numbered if a["turn"] > last), key=lambda a: a["turn"])


_HANDLERS: dict[str, Callable[[Action], None]] = {
    "toggle": chips.switch,
    "solo": chips.switch,
    "toggle_kind": chips.switch,
    "solo_kind": chips.switch,
    "all": chips.switch,
    "clear": chips.clear_filters,
    "time": chips.set_time,
    "show": chips.show_scheme,
    "refresh": chips.refresh,
    "open": chips.open_set,
    "place": placing.place,
    "candidate": placing.choose_candidate,
    "same": placing.place_same,
    "edit": editing.edit,
    "edit_many": editing.edit_many,
    "undo": undoing.undo,
    "redo": undoing.redo,
}
