from dataclasses import replace
from datetime import datetime

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from store_samples import (
    assert_same_sites,
    correction_of,
    emptied,
    few_examples,
    raw,
    site_row,
    unlocated,
    versions,
)
from strategies import site_tables

from geo.errors import SchemaError, StoreConflict, StoreError
from geo.site import LOCATION, location_fields, make_sites
from geo.store import open_store


@pytest.fixture
def store(store):
    store.save_sites(make_sites([unlocated(0), site_row(1), site_row(2)]), who="w")
    return store


def _location(store, site_id):
    return store.site(site_id)[LOCATION]


def test_a_correction_puts_the_site_there_and_is_kept_as_given(store):
    given_one = correction_of()
    number = store.add_correction(given_one, version=1)
    site, expected = store.site("s0"), location_fields(given_one.as_match())
    assert {name: site[name] for name in LOCATION} == expected
    assert versions(store) == {"s0": 2, "s1": 1, "s2": 1}
    assert store.corrections() == [replace(given_one, correction_id=number)]
    assert store.last_correction() == replace(given_one, correction_id=number)
    news = [c for c in store.history("s0") if c.version == 2]
    assert {c.field for c in news} == set(LOCATION)
    assert {(c.who, c.source) for c in news} == {("王工", "correction")}
    assert store.query_sites((123.1, 41.2, 123.3, 41.4))["site_id"].tolist() == ["s0", "s1", "s2"]
    assert store.check() == []


def test_an_undone_correction_leaves_the_place_as_it_was_and_both_steps_in_the_history(store):
    before = store.read_sites()
    number = store.add_correction(correction_of())
    store.undo_correction(number, who="李")
    expected = before.assign(version=[3, 1, 1])
    assert_same_sites(store.read_sites(), expected)
    assert store.corrections() == []
    assert store.last_correction() is None
    undone = [c for c in store.history("s0") if c.version == 3]
    assert {(c.who, c.source) for c in undone} == {("李", "undo correction")}
    assert ("geometry", "POINT (123.2 41.3)", "") in {(c.field, c.old, c.new) for c in undone}
    assert store.query_sites((123.195, 41.2, 123.3, 41.4)).empty
    assert store.check() == []


@few_examples
@given(sites=site_tables(min_size=1, max_size=1), x=st.floats(-180, 180), z=st.none() | st.floats())
def test_undo_restores_every_bit(lasting_store, sites, x, z):
    store = emptied(lasting_store)
    place = shapely.Point(x, 41.3) if z is None else shapely.Point(x, 41.3, z)
    store.save_sites(sites, who="w")
    first = store.add_correction(correction_of())
    middle = store.read_sites()
    second = store.add_correction(correction_of(geometry=place, precision="road", x=None))
    assert shapely.equals_identical(store.last_correction().geometry, place)
    store.undo_correction(second, who="w")
    assert_same_sites(store.read_sites().assign(version=1), middle.assign(version=1))
    store.undo_correction(first, who="w")
    assert_same_sites(store.read_sites().assign(version=1), sites.assign(version=1))
    assert store.check() == []


def test_corrections_are_undone_newest_first_for_each_site(store):
    first = store.add_correction(correction_of("s0"))
    other = store.add_correction(correction_of("s1"))
    second = store.add_correction(correction_of("s0", x=123.3))
    with pytest.raises(StoreError, match=f"undo correction {second} first"):
        store.undo_correction(first, who="w")
    assert [c.correction_id for c in store.corrections()] == [second, other, first]
    store.undo_correction(other, who="w")  # another site: nothing in its way
    store.undo_correction(second, who="w")
    assert _location(store, "s0")["geometry"].x == 123.2
    store.undo_correction(first, who="w")
    with pytest.raises(StoreError, match="undone already"):
        store.undo_correction(first, who="w")
    with pytest.raises(StoreError, match="no correction 99"):
        store.undo_correction(99, who="w")
    assert store.check() == []


@pytest.mark.parametrize(
    ("fields", "error", "text"),
    [
        ({"site_id": "s9"}, StoreError, "s9 is not in the store"),
        ({"precision": "none"}, SchemaError, "a geometry but no precision"),
        ({"geometry": shapely.Point(500, 0)}, SchemaError, "not longitude and latitude"),
        ({"geometry": shapely.Point()}, SchemaError, "an empty geometry"),
        ({"geometry": shapely.GeometryCollection()}, SchemaError, "a geometry type not drawn"),
        ({"name": "a\0b"}, StoreError, "NUL"),
        ({"who": "a\0b"}, StoreError, "NUL"),
    ],
)
def test_a_correction_that_makes_no_sense_writes_nothing(store, fields, error, text):
    token = store.data_version()
    with pytest.raises(error, match=text):
        store.add_correction(correction_of(**fields))
    assert store.data_version() == token
    assert store.corrections() == []


def test_a_correction_of_a_site_somebody_else_changed_is_a_conflict(store):
    store.update_site("s0", {"note": "x"}, version=1, who="a")
    with pytest.raises(StoreConflict):
        store.add_correction(correction_of(), version=1)
    assert store.corrections() == []
    assert store.add_correction(correction_of(), version=2)


def test_corrections_outlive_a_save_of_the_source_and_a_new_opening(store, location):
    store.add_correction(correction_of())
    kept = store.corrections()
    store.save_sites(make_sites([unlocated(0), site_row(1)]), who="w")
    assert store.corrections() == kept
    store.close()
    with open_store(location) as again:
        assert again.corrections() == kept


def test_a_correction_keeps_its_time_whether_or_not_it_has_a_zone(store):
    moment = datetime(2020, 3, 12, 8, 30, 15, 7)
    store.add_correction(correction_of(at=moment, datum=""))
    last = store.last_correction()
    assert last.at == moment
    assert last.at.tzinfo is None


def test_the_correction_of_a_site_deleted_elsewhere_can_still_be_undone(store, location):
    number = store.add_correction(correction_of())
    with raw(location) as db:
        db.execute("DELETE FROM sites WHERE site_id = 's0'")
    store.undo_correction(number, who="w")
    assert store.corrections() == []
    assert store.check() == []


def test_undo_restores_what_wkt_would_not(store):
    x = 0.30141062643863537
    place = shapely.Point(x, 41.3)
    assert shapely.from_wkt(shapely.to_wkt(place, rounding_precision=-1)).x != x
    store.save_sites(make_sites([site_row(2, geometry=place)]), who="w")
    store.undo_correction(store.add_correction(correction_of("s2")), who="w")
    assert store.site("s2")["geometry"].x == x
