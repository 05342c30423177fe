import math
import re
from datetime import date, datetime

import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from store_samples import (
    STATUSES,
    assert_same_sites,
    emptied,
    few_examples,
    site_row,
    sites_of,
    unlocated,
    versions,
)
from strategies import site_tables

from geo.errors import CategoryError, SchemaError, StoreConflict, StoreError
from geo.site import COLUMNS, NUMBERS, PRECISIONS, TEXT, Claim, Source, make_sites
from geo.store import SaveReport, open_store

HOSTILE = (
    "O'Brien\"; DROP TABLE sites;--",
    "{{ cycler.__init__.__globals__ }}{% raw %}",
    "<img src=x onerror=alert(1)>",
    "🏭 复工 e\u0301 \u202eabc\u200d\ufeff \r\n\t \x01",
    "=HYPERLINK(1)",
    " ",
    "None",
    "NaN",
)


def _changes(store, site_id):
    return [(c.field, c.old, c.new, c.version) for c in store.history(site_id)]


# --- what is saved is what is read -----------------------------------------------------------------

_x, _y = st.floats(-180, 180), st.floats(-90, 90)
_xy = st.tuples(_x, _y)
_lines = st.lists(_xy, min_size=2, max_size=4).map(shapely.LineString)
_rings = st.lists(_xy, min_size=3, max_size=5).map(shapely.Polygon)
shapes = st.one_of(
    _xy.map(shapely.Point),
    st.tuples(_x, _y, st.floats(-500, 9000)).map(shapely.Point),
    _lines,
    _rings,
    st.lists(_lines, min_size=1, max_size=3).map(shapely.MultiLineString),
    st.lists(_rings, min_size=1, max_size=3).map(shapely.MultiPolygon),
)
any_text = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
any_day = (
    st.none()
    | st.dates()
    | st.datetimes().map(
        lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    )
)
any_number = st.none() | st.floats()


@st.composite
def any_rows(draw):
    shape = draw(st.none() | shapes)
    row = {name: draw(any_text) for name in TEXT} | {name: draw(any_number) for name in NUMBERS}
    found = {"precision": draw(st.sampled_from(PRECISIONS[:-1])), "reason": ""}
    nowhere = {"precision": "none", "reason": "no_coordinate"}
    return row | {
        "kind": "enterprise",
        "status": draw(st.sampled_from(STATUSES)),
        "name": draw(any_text.filter(str.strip)),
        "as_of": draw(any_day),
        "fictitious": draw(st.booleans()),
        "version": draw(st.integers(1, 2**40)),
        "geometry": shape,
        **(nowhere if shape is None else found),
    }


@few_examples
@given(rows=st.lists(any_rows(), max_size=4))
def test_a_table_is_read_as_it_was_saved_column_by_column(lasting_store, rows):
    sites = make_sites({**row, "site_id": f"s{n}"} for n, row in enumerate(rows))
    store = emptied(lasting_store)
    assert store.save_sites(sites, who="w") == SaveReport(added=len(rows))
    assert_same_sites(store.read_sites(), sites)
    assert_same_sites(store.query_sites(), sites)
    assert store.save_sites(sites, who="w") == SaveReport(unchanged=len(rows))
    assert store.check() == []


@few_examples
@given(first=site_tables(), second=site_tables())
def test_after_a_save_each_site_is_as_given_and_its_history_tells_how(lasting_store, first, second):
    store = emptied(lasting_store)
    store.save_sites(first, who="w")
    before = store.read_sites().set_index("site_id")
    report = store.save_sites(second, who="w")
    after = store.read_sites().set_index("site_id")
    data = [name for name in COLUMNS if name not in ("site_id", "version")]
    given_sites = second.set_index("site_id")
    assert_same_sites(after.loc[given_sites.index, data], given_sites[data])
    gone = before.index.difference(given_sites.index)
    assert_same_sites(after.loc[gone], before.loc[gone])
    assert report.added + report.changed + report.unchanged == len(second)
    grown = after["version"].reindex(before.index) - before["version"]
    assert grown.isin([0, 1]).all()
    assert int(grown.sum()) == report.changed
    assert store.check() == []


def test_a_new_store_has_an_empty_site_table(store):
    assert_same_sites(store.read_sites(), make_sites([]))
    assert store.check() == []


def test_hostile_text_comes_back_as_data_from_every_column(store):
    free = [name for name in TEXT if name not in ("kind", "status", "precision", "reason")]
    rows = [site_row(n, **{name: text + str(n) for name in free}) for n, text in enumerate(HOSTILE)]
    sites = make_sites(rows)
    store.save_sites(sites, who=HOSTILE[0], source=HOSTILE[1])
    assert_same_sites(store.read_sites(), sites)
    for site_id in sites["site_id"]:
        assert store.site(site_id)["site_id"] == site_id
        assert store.history(site_id)[0].who == HOSTILE[0]
    store.update_site(sites["site_id"][0], {"note": HOSTILE[2]}, version=1, who="w")
    assert store.site(sites["site_id"][0])["note"] == HOSTILE[2]


def test_a_nul_character_is_refused_by_name_and_nothing_is_written(store):
    sites = make_sites([site_row(0), site_row(1, note="a\0b")])
    with pytest.raises(StoreError, match="note of s1 holds a NUL"):
        store.save_sites(sites, who="w")
    with pytest.raises(StoreError, match="NUL"):
        store.save_sites(sites_of(1), who="w\0")
    assert store.read_sites().empty
    store.save_sites(sites_of(1), who="w")
    with pytest.raises(StoreError, match="note holds a NUL"):
        store.update_site("s0", {"note": "a\0b"}, version=1, who="w")
    with pytest.raises(StoreError, match="NUL"):
        store.save_claims([Claim("a\0", "", "", "", "", 1.0, "")])


def test_half_a_character_is_refused_in_plain_words(store):
    store.save_sites(sites_of(1), who="w")
    with pytest.raises(StoreError, match=r"(sites\.gpkg|PostGIS): a text holds half a character"):
        store.update_site("s0", {"note": "\ud83c"}, version=1, who="w")


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_coordinate_that_is_no_number_is_refused(store, bad):
    line = shapely.from_wkb(shapely.to_wkb(shapely.LineString([(1, 2), (3, 4)])))
    line = shapely.set_coordinates(line, [[1, 2], [3, bad]])
    with pytest.raises((StoreError, SchemaError), match="s0"):
        store.save_sites(make_sites([site_row(0, geometry=line)]), who="w")
    assert store.read_sites().empty


def test_only_a_site_table_is_saved(store):
    with pytest.raises(SchemaError, match="unknown kind or status"):
        store.save_sites(sites_of(1, status="eaten"), who="w")
    with pytest.raises(SchemaError, match="no CRS"):
        store.save_sites(sites_of(1).set_crs(None, allow_override=True), who="w")
    assert store.read_sites().empty


# --- saving again ----------------------------------------------------------------------------------


def test_saving_the_same_table_twice_changes_nothing_at_all(store):
    sites = make_sites([site_row(0), unlocated(1), site_row(2, as_of=None, raw_x=1.5)])
    store.save_sites(sites, who="w")
    before = store.data_version()
    again = sites.iloc[::-1].assign(version=7)
    assert store.save_sites(again, who="somebody else") == SaveReport(unchanged=3)
    assert store.data_version() == before
    assert_same_sites(store.read_sites(), sites)
    assert [len(store.history(f"s{n}")) for n in range(3)] == [1, 1, 1]


def test_a_changed_site_gets_the_next_version_and_a_line_of_history_for_each_cell(store):
    store.save_sites(sites_of(3), who="李")
    moved = site_row(1, status="resumed", geometry=shapely.Point(123.5, 41.5), as_of="2020-03-12")
    report = store.save_sites(make_sites([moved, site_row(3)]), who="王", source="第二期通报")
    assert report == SaveReport(added=1, changed=1, unchanged=0)
    assert versions(store) == {"s0": 1, "s1": 2, "s2": 1, "s3": 1}
    assert sorted(_changes(store, "s1")[:-1]) == [
        ("as_of", "2020-03-11", "2020-03-12", 2),
        ("geometry", "POINT (123.18 41.26)", "POINT (123.5 41.5)", 2),
        ("status", "stopped", "resumed", 2),
    ]
    assert _changes(store, "s1")[-1] == ("created", "", "企业1号", 1)
    newest, first = store.history("s1")[0], store.history("s1")[-1]
    assert (newest.who, newest.source) == ("王", "第二期通报")
    assert (first.who, first.source) == ("李", "通报.docx 第 1 行")
    assert abs((datetime.now(newest.at.tzinfo) - newest.at).total_seconds()) < 60
    assert newest.at.utcoffset().total_seconds() == 0


def test_sites_that_a_table_does_not_name_stay(store):
    store.save_sites(sites_of(3), who="w")
    store.save_sites(sites_of(1, status="resumed"), who="w")
    assert store.read_sites()["status"].tolist() == ["resumed", "stopped", "stopped"]
    assert store.save_sites(make_sites([]), who="w") == SaveReport()


def test_missing_cells_that_become_known_and_the_other_way_round_are_changes(store):
    store.save_sites(make_sites([unlocated(0, as_of=None), site_row(1)]), who="w")
    report = store.save_sites(make_sites([site_row(0), unlocated(1)]), who="w")
    assert report == SaveReport(changed=2)
    assert ("as_of", "", "2020-03-11", 2) in _changes(store, "s0")
    assert ("geometry", "POINT (123.18 41.26)", "", 2) in _changes(store, "s1")
    assert ("match_score", "100.0", "", 2) in _changes(store, "s1")
    assert store.check() == []


def test_history_keeps_a_long_shape_short(store):
    road = shapely.LineString([(123 + n / 1000, 41.2) for n in range(500)])
    store.save_sites(sites_of(1), who="w")
    store.save_sites(sites_of(1, geometry=road), who="w")
    (change,) = [c for c in store.history("s0") if c.field == "geometry"]
    assert change.new.startswith("LINESTRING (123 41.2, 123.001 41.2")
    assert len(change.new) == 200
    assert store.read_sites().geometry[0].equals(road)


def test_rows_keep_the_order_they_came_in_through_updates(store):
    order = [3, 1, 2, 0]
    store.save_sites(make_sites([site_row(n) for n in order]), who="w")
    store.save_sites(make_sites([site_row(0, note="x"), site_row(9)]), who="w")
    store.update_site("s3", {"note": "y"}, version=1, who="w")
    assert store.read_sites()["site_id"].tolist() == ["s3", "s1", "s2", "s0", "s9"]


# --- one cell at a time ----------------------------------------------------------------------------


def test_an_update_sets_cells_of_every_type(store):
    store.save_sites(sites_of(2), who="w")
    changes = {
        "status": "resumed",
        "note": "电话核实",
        "as_of": date(2020, 3, 13),
        "fictitious": True,
        "raw_x": 123.4,
        "uncertainty_m": None,
        "geometry": shapely.Point(123.4, 41.4),
    }
    assert store.update_site("s0", changes, version=1, who="王", source="电话") == 2
    expected = sites_of(2)
    for name, value in changes.items():
        expected.loc[0, name] = value if name != "as_of" else pd.Timestamp(value)
    expected.loc[0, "version"] = 2
    assert_same_sites(store.read_sites(), expected)
    assert {c.field for c in store.history("s0")} == {*changes, "created"}
    assert {(c.who, c.source, c.version) for c in store.history("s0")[:-1]} == {("王", "电话", 2)}
    assert store.query_sites((123.39, 41.39, 123.41, 41.41))["site_id"].tolist() == ["s0"]


@pytest.mark.parametrize(
    "value",
    [
        datetime(2020, 3, 13, 8, 15),
        np.datetime64("2020-03-13T08:15"),
        pd.Timestamp("2020-03-13 08:15"),
    ],
)
def test_a_date_of_any_common_type_keeps_its_hour(store, value):
    store.save_sites(sites_of(1), who="w")
    store.update_site("s0", {"as_of": value}, version=1, who="w")
    assert store.site("s0")["as_of"] == pd.Timestamp("2020-03-13 08:15")
    store.update_site("s0", {"as_of": pd.NaT}, version=2, who="w")
    assert store.history("s0")[0].new == ""


def test_an_update_of_a_site_somebody_else_changed_is_a_conflict_and_writes_nothing(store):
    store.save_sites(sites_of(1), who="w")
    store.update_site("s0", {"note": "first"}, version=1, who="a")
    before, token = store.read_sites(), store.data_version()
    with pytest.raises(StoreConflict) as caught:
        store.update_site("s0", {"note": "second"}, version=1, who="b")
    assert (caught.value.site_id, caught.value.expected, caught.value.found) == ("s0", 1, 2)
    assert_same_sites(store.read_sites(), before)
    assert store.data_version() == token
    assert len(store.history("s0")) == 2


def test_an_update_that_changes_nothing_keeps_the_version(store):
    store.save_sites(sites_of(1), who="w")
    assert (
        store.update_site("s0", {"status": "stopped", "uncertainty_m": 10}, version=1, who="w") == 1
    )
    assert len(store.history("s0")) == 1


@pytest.mark.parametrize(
    ("site_id", "changes", "error", "text"),
    [
        ("s9", {"note": "x"}, StoreError, "s9 is not in the store"),
        ("s0", {"colour": "red"}, StoreError, "colour is not a column"),
        ("s0", {"note": "x", "site_id": "s1"}, StoreError, "site_id is not"),
        ("s0", {"version": 9}, StoreError, "version is not"),
        ("s0", {'note" = 1; --': "x"}, StoreError, "is not a column"),
        ("s0", {"fid": 9}, StoreError, "fid is not"),
        ("s0", {"note": "x", "status": "eaten"}, CategoryError, "eaten"),
        ("s0", {"precision": "exact"}, SchemaError, "unknown precision"),
        ("s0", {"geometry": None}, SchemaError, "a precision but no geometry"),
        ("s0", {"geometry": shapely.Point(500, 0)}, SchemaError, "not longitude and latitude"),
        ("s0", {"kind": "project"}, SchemaError, "unknown kind or status"),
        ("s0", {"name": ""}, SchemaError, "without a name"),
        ("s0", {"note": 5}, TypeError, "note is int, not text"),
        ("s0", {"as_of": "2020-03-11"}, TypeError, "not a date"),
        ("s0", {"geometry": "POINT (1 2)"}, TypeError, "not a shape"),
    ],
)
def test_an_update_that_would_not_leave_a_site_is_refused_and_writes_nothing(
    store, site_id, changes, error, text
):
    store.save_sites(sites_of(2), who="w")
    token = store.data_version()
    with pytest.raises(error, match=re.escape(text)):
        store.update_site(site_id, changes, version=1, who="w")
    assert_same_sites(store.read_sites(), sites_of(2))
    assert store.data_version() == token


# --- queries ---------------------------------------------------------------------------------------


def test_a_query_gives_what_touches_the_box(store):
    diagonal = shapely.LineString([(123.0, 41.0), (123.1, 41.1)])
    area = shapely.box(123.3, 41.0, 123.4, 41.1)
    rows = [
        site_row(0, geometry=shapely.Point(123.05, 41.06)),
        site_row(1, geometry=diagonal, precision="road"),
        site_row(2, geometry=area, precision="street", status="resumed"),
        unlocated(3),
    ]
    store.save_sites(make_sites(rows), who="w")

    def found(*bbox, **kinds):
        return store.query_sites(bbox, **kinds)["site_id"].tolist()

    assert found(123.0, 41.0, 123.2, 41.2) == ["s0", "s1"]
    assert found(123.045, 41.058, 123.055, 41.07) == ["s0"]  # beside the diagonal, inside its box
    assert found(123.05, 41.06, 123.05, 41.06) == ["s0"]
    assert found(123.35, 41.05, 123.35, 41.05) == ["s2"]
    assert found(0, 0, 180, 90) == ["s0", "s1", "s2"]
    assert found(0, 0, 180, 90, status="resumed") == ["s2"]
    assert found(0, 0, 180, 90, kind="project") == []
    assert found(0, 0, 1, 1) == []
    assert store.query_sites()["site_id"].tolist() == ["s0", "s1", "s2", "s3"]
    assert store.query_sites(status="stopped")["site_id"].tolist() == ["s0", "s1", "s3"]
    assert_same_sites(store.query_sites((0, 0, 1, 1)), make_sites([]))


@few_examples
@given(
    places=st.lists(shapes, max_size=6),
    bbox=st.tuples(_xy, _xy).map(lambda b: (*np.min(b, axis=0), *np.max(b, axis=0))),
)
def test_a_query_finds_what_a_look_at_every_shape_finds(lasting_store, places, bbox):
    store = emptied(lasting_store)
    store.save_sites(make_sites(site_row(n, geometry=g) for n, g in enumerate(places)), who="w")
    window = shapely.envelope(shapely.MultiPoint([bbox[:2], bbox[2:]]))
    expected = [f"s{n}" for n, g in enumerate(places) if shapely.intersects(window, g)]
    assert store.query_sites(bbox)["site_id"].tolist() == expected


@pytest.mark.parametrize("bbox", [(2, 0, 1, 1), (0, 2, 1, 1), (0, 0, math.nan, 1)])
def test_a_box_the_wrong_way_round_is_a_slip(store, bbox):
    with pytest.raises(ValueError, match="give minx, miny, maxx, maxy"):
        store.query_sites(bbox)


def test_one_site_is_read_as_a_row_of_the_table(store):
    store.save_sites(sites_of(2), who="w")
    site, expected = store.site("s1"), sites_of(2).iloc[1]
    assert site.drop("geometry").equals(expected.drop("geometry").rename(site.name))
    assert site["geometry"].equals(expected["geometry"])
    with pytest.raises(StoreError, match="s7 is not in the store"):
        store.site("s7")
    assert store.history("s7") == []


# --- the data version ------------------------------------------------------------------------------


def test_every_write_gives_a_new_data_version_and_no_read_does(store, tmp_path):
    seen = [store.data_version()]

    def wrote(result=None):
        seen.append(store.data_version())
        assert len(set(seen)) == len(seen)

    wrote(store.save_sites(sites_of(2), who="w"))
    wrote(store.update_site("s0", {"note": "x"}, version=1, who="w"))
    wrote(store.save_claims([Claim("c1", "区", "工业", "复工", "total", 680, "家")]))
    wrote(store.set_meta("notice", "x"))
    store.set_meta("notice", "x")
    store.save_claims(store.claims())
    store.read_sites(), store.query_sites(), store.history("s0"), store.check()
    store.backup(tmp_path / "copy.gpkg")
    assert store.data_version() == seen[-1]
    assert all(re.fullmatch(r"[A-Za-z0-9-]+", token) for token in seen)


def test_two_openings_of_one_store_agree_and_two_stores_do_not(location, tmp_path):
    with open_store(location) as one, open_store(location) as two:
        one.save_sites(sites_of(1), who="w")
        assert one.data_version() == two.data_version()
        assert two.read_snapshot()[0] == two.data_version()
        with open_store(tmp_path / "b.gpkg") as other:
            other.save_sites(sites_of(1), who="w")
            assert other.data_version() != one.data_version()


# --- claims and meta -------------------------------------------------------------------------------


def test_claims_come_back_as_they_were_and_replace_their_own_kind(store):
    source = Source("通报.docx", "第 3 段", "全区 680 家, 复工 551 家")
    total = Claim("c1", "南门街道", "工业", "复工率", "total", 680, "家", as_of=date(2020, 3, 11))
    rate = Claim("c1", "南门街道", "工业", "复工率", "rate", 81.03, "%", "fact", "约", None, source)
    store.save_claims([total, rate])
    assert store.claims() == [total, rate]
    newer = Claim("c1", "南门街道", "工业", "复工率", "total", 690, "家")
    other = Claim("c2", "星火街道", "", "", "total", 0.1 + 0.2, "家", "target")
    store.save_claims([other, newer])
    assert store.claims() == [newer, rate, other]


def test_meta_keeps_text_under_a_key_but_not_under_the_stores_own(store):
    assert store.meta("notice") is None
    store.set_meta("notice", "{{ 7*7 }} '\"")
    store.set_meta("notice", "演示数据")
    assert store.meta("notice") == "演示数据"
    for key in ("schema_version", "data_version"):
        with pytest.raises(ValueError, match="the store itself"):
            store.set_meta(key, "9")


def test_notes_are_found_by_their_beginning_and_change_no_data_version(store):
    before = store.data_version()
    for key in ("scheme:b", "scheme:a", "schemes", "draft"):
        store.set_note(key, f"note of {key}")
    store.set_note("scheme:b", "newer")
    assert store.notes("scheme:") == {"scheme:b": "newer", "scheme:a": "note of scheme:a"}
    assert list(store.notes("scheme:")) == ["scheme:b", "scheme:a"]
    assert store.drop_note("scheme:b")
    assert not store.drop_note("scheme:b")
    assert store.notes("scheme:") == {"scheme:a": "note of scheme:a"}
    assert store.data_version() == before
    assert store.meta("draft") is None


def test_a_note_cannot_reach_what_the_store_keeps_itself(store):
    store.set_note("data_version", "x")
    assert store.data_version() != "x"
    assert not store.drop_note("schema_version")
    assert store.meta("schema_version") is not None
