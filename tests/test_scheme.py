"""A scheme comes back as it was kept, and nothing else comes in."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.category import load_categories
from geo.errors import FilterError
from geo.scheme import LABELS, SERIES, Scheme, read_bounds
from geo.view import SiteFilter

CATEGORIES = load_categories()
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)
FILTERS = st.builds(
    SiteFilter,
    hidden=st.frozensets(st.sampled_from(sorted(CATEGORIES.codes))),
    text=st.sampled_from(["", "新华路", "a&b=c", "100%"]),
    streets=st.sampled_from([(), ("南门街道",), ("-", "新华街道")]),
    until=st.none() | st.dates(),
)


@given(
    name=TEXT.filter(str.strip).map(str.strip),
    title=TEXT,
    labels=st.sampled_from(LABELS),
    series=st.sampled_from(SERIES),
    chosen=FILTERS,
)
def test_a_scheme_comes_back_as_it_was(name, title, labels, series, chosen):
    kept = Scheme(name, chosen.to_query(), (123.1, 41.2, 123.2, 41.3), title, labels=labels)
    again = Scheme.from_json(kept.to_json())
    assert (again.name, again.title, again.bounds) == (name, title, kept.bounds)
    assert again.filter(CATEGORIES) == chosen
    assert Scheme.from_json(again.to_json()) == again


def test_each_new_scheme_has_its_own_id():
    assert len({Scheme.from_json('{"name": "周报"}').scheme_id for _ in range(20)}) == 20


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({}, "name"),
        ({"name": "  "}, "name"),
        ({"name": 3}, "name"),
        ({"name": "a" * 500}, "120"),
        ({"name": "a", "labels": "big"}, "labels"),
        ({"name": "a", "series": "day"}, "series"),
        ({"name": "a", "sites": []}, "sites"),
        ({"name": "a", "scheme_id": "../x"}, "scheme_id"),
        ({"name": "a", "bounds": [1, 2, 3]}, "four"),
        ({"name": "a", "bounds": [2, 2, 1, 3]}, "order"),
    ],
)
def test_what_is_not_a_scheme_is_refused(fields, why):
    with pytest.raises(FilterError, match=why):
        Scheme.from_json(json.dumps(fields))


@pytest.mark.parametrize("text", ["", "[]", "3", "{", '"x"'])
def test_other_json_is_refused(text):
    with pytest.raises(FilterError):
        Scheme.from_json(text)


def test_a_filter_of_another_district_is_refused_when_it_is_used():
    kept = Scheme.from_json('{"name": "a", "query": "hide=ship.sunk"}')
    with pytest.raises(FilterError):
        kept.filter(CATEGORIES)


def test_bounds_are_numbers_or_text():
    assert read_bounds("123,41,124,42") == read_bounds([123, 41, 124, 42]) == (123, 41, 124, 42)
    assert read_bounds("") is read_bounds(None) is None
    for wrong in ("1,2,3", "a,b,c,d", "nan,0,1,1", "0,0,inf,1", 7, [0, 0, 0, 0]):
        with pytest.raises(FilterError):
            read_bounds(wrong)


def test_an_empty_query_shows_everything():
    assert Scheme("a").filter(CATEGORIES) == SiteFilter()
