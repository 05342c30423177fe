"""Chips: one click switches, two show a status alone, and what the browser makes up changes nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.category import load_categories
from geo.ui.actions import next_hidden

CATEGORIES = load_categories()
KEYS = sorted(CATEGORIES.codes)
HIDDEN = st.frozensets(st.sampled_from(KEYS))


@given(HIDDEN, st.sampled_from(KEYS))
def test_two_toggles_change_nothing(hidden, key):
    asked = {"type": "toggle", "key": key}
    once = next_hidden(hidden, asked, CATEGORIES)
    assert once ^ hidden == {key}
    assert next_hidden(once, asked, CATEGORIES) == hidden


@given(HIDDEN, st.sampled_from(KEYS))
def test_a_double_click_shows_one_status_alone_whatever_its_first_click_did(hidden, key):
    first = next_hidden(hidden, {"type": "toggle", "key": key}, CATEGORIES)
    if first == frozenset(KEYS) - {key}:
        return
    assert next_hidden(first, {"type": "solo", "key": key}, CATEGORIES) == frozenset(KEYS) - {key}


@pytest.mark.parametrize("key", KEYS)
def test_solo_again_brings_everything_back(key):
    asked = {"type": "solo", "key": key}
    alone = next_hidden(frozenset(), asked, CATEGORIES)
    assert next_hidden(alone, asked, CATEGORIES) == frozenset()


def test_a_kind_is_switched_off_whole_and_on_whole():
    asked = {"type": "toggle_kind", "kind": "project"}
    projects = frozenset(key for key in KEYS if key.startswith("project."))
    some = frozenset({"project.landing", "parking.planned"})
    off = next_hidden(some, asked, CATEGORIES)
    assert off == projects | {"parking.planned"}
    assert next_hidden(off, asked, CATEGORIES) == {"parking.planned"}


@given(HIDDEN)
def test_all_shows_all(hidden):
    assert next_hidden(hidden, {"type": "all"}, CATEGORIES) == frozenset()


@pytest.mark.parametrize(
    "asked",
    [
        {"type": "toggle", "key": "enterprise.<script>"},
        {"type": "solo", "key": None},
        {"type": "toggle_kind", "kind": "nothing"},
        {"type": "solo_kind", "kind": ["project"]},
    ],
)
def test_what_names_nothing_known_changes_nothing(asked):
    hidden = frozenset({"enterprise.stopped"})
    assert next_hidden(hidden, asked, CATEGORIES) == hidden
