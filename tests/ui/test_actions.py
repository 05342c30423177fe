"""Chips: one click switches, two show a status alone, and what the browser makes up changes nothing."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.category import load_categories
from geo.errors import SiteMapError
from geo.ui.actions.chips import next_hidden
from geo.ui.actions.editing import chosen_rows, read_changes

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


@pytest.mark.parametrize(
    "given",
    [
        None, {}, [], {"status": "sunk"}, {"name": "x"}, {"site_id": "x"}, {"geometry": "POINT (0 0)"},
        {"note": 7}, {"note": "x" * 3000}, {"as_of": "soon"}, {"version": "9"}, {"status": "open"},
    ],
)  # fmt: skip
def test_an_edit_that_is_none_is_refused(given):
    with pytest.raises(SiteMapError):
        read_changes(given, "enterprise", CATEGORIES)


def test_an_edit_is_read_with_its_types():
    given = {
        "status": "stopped",
        "as_of": "2020-03-20",
        "note": " 停产 ",
        "place": "",
        "street": "南门街道",
    }
    assert read_changes(given, "enterprise", CATEGORIES) == {
        "status": "stopped",
        "as_of": date(2020, 3, 20),
        "note": "停产",
        "place": "",
        "street": "南门街道",
    }
    assert read_changes({"as_of": ""}, "enterprise", CATEGORIES) == {"as_of": None}


# ---- many at once


@pytest.mark.parametrize("rows", [None, [], ["0"], [True, 10_000], [-1], [0, 0], list(range(6000))])
def test_rows_that_are_none_are_refused(shared_library, rows):
    with pytest.raises(SiteMapError):
        chosen_rows(shared_library.snapshot("demo"), rows)


def test_rows_are_those_of_the_version_the_page_has(shared_library):
    snapshot = shared_library.snapshot("demo")
    chosen = chosen_rows(snapshot, [3, 1])
    assert chosen["site_id"].tolist() == snapshot.sites["site_id"].iloc[[1, 3]].tolist()
    with pytest.raises(SiteMapError):
        chosen_rows(None, [3, 1])
