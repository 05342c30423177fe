"""QGIS, GDAL and plain SQLite open the same file; the store must see what they did."""

import subprocess
import sys
import textwrap
import time

import numpy as np
import pyogrio
import pytest
import shapely
from store_samples import assert_same_sites, raw, site_row, sites_of, unlocated, versions

from geo.errors import StoreConflict
from geo.site import COLUMNS, make_sites
from geo.store import open_store


@pytest.fixture
def filled(location):
    return _fill(location)


@pytest.fixture
def path(tmp_path):
    return _fill(tmp_path / "sites.gpkg")


def _fill(location):
    road = shapely.LineString([(123.1, 41.1), (123.2, 41.2)])
    rows = [site_row(0), site_row(1, geometry=road, precision="road"), unlocated(2)]
    with open_store(location) as store:
        store.save_sites(make_sites(rows), who="w")
    return location


def _append(path, sites):
    """Add rows as QGIS would, through GDAL. No store of this process may be open."""
    pyogrio.write_dataframe(sites, path, layer="sites", driver="GPKG", append=True)


def test_gdal_sees_a_normal_layer_and_our_tables(path):
    tables = "audit claims corrections history imports members meta".split()
    assert sorted(map(tuple, pyogrio.list_layers(path).tolist())) == [
        *[(name, None) for name in tables],
        ("sites", "Unknown"),
    ]
    info = pyogrio.read_info(path, layer="sites")
    assert (info["crs"], info["features"], info["fid_column"]) == ("EPSG:4326", 3, "fid")
    assert info["geometry_name"] == "geom"
    assert info["fields"].tolist() == [name for name in COLUMNS if name != "geometry"]
    assert info["total_bounds"] == pytest.approx((123.1, 41.1, 123.2, 41.26), abs=1e-4)
    layer = pyogrio.read_dataframe(path, layer="sites")
    with open_store(path) as store:
        stored = store.read_sites()
    assert str(layer["as_of"].dtype) == "datetime64[ms]"
    assert layer["fictitious"].dtype == bool
    assert_same_sites(make_sites(layer[COLUMNS]), stored)
    history = pyogrio.read_dataframe(path, layer="history")
    assert history["field"].tolist() == ["created"] * 3
    assert pyogrio.read_dataframe(path, layer="sites", bbox=(123, 41, 123.15, 41.15)).shape[0] == 1


def test_gdal_reads_the_extent_of_today_after_its_own_edit_and_ours(path):
    """GDAL writes the extent down when it edits, and then believes it."""
    _append(path, sites_of(9).tail(1))
    with open_store(path) as store:
        store.save_sites(sites_of(1, geometry=shapely.Point(10.5, 20.5)), who="w")
    bounds = pyogrio.read_info(path, layer="sites", force_total_bounds=True)["total_bounds"]
    assert bounds[:2] == pytest.approx((10.5, 20.5), abs=1e-4)
    assert len(pyogrio.read_dataframe(path, layer="sites", bbox=(10, 20, 11, 21))) == 1


@pytest.mark.parametrize("count", [1, 1500])
def test_rows_added_through_gdal_are_found_versioned_and_in_the_history(path, count):
    with open_store(path) as store:
        token = store.data_version()
    given = sites_of(count + 3).iloc[3:]
    _append(path, given)
    with open_store(path) as store:
        assert store.data_version() != token
        assert_same_sites(store.read_sites().iloc[3:], given)
        assert len(store.query_sites((123.195, 41.25, 180, 41.27))) == count
        (change,) = store.history("s3")
        assert (change.field, change.new, change.who, change.source) == (
            *("created", "企业3号", "", "outside"),
        )
        assert store.check() == []
        assert store.save_sites(given, who="w").unchanged == count


def test_a_site_drawn_in_qgis_without_an_id_gets_one(path):
    drawn = sites_of(2)[["name", "kind", "status", "precision", "geometry"]]
    _append(path, drawn)
    with open_store(path) as store:
        sites = store.read_sites()
        assert sites["site_id"].tolist() == ["s0", "s1", "s2", "out-4", "out-5"]
        assert sites["version"].tolist() == [1] * 5
        assert sites["note"].tolist() == [""] * 5
        assert store.history("out-4")[0].new == "企业0号"
        assert store.check() == []


def test_an_edit_through_sql_is_seen_like_one_of_our_own(filled):
    with open_store(filled) as store, raw(filled) as other:
        token = store.data_version()
        other.execute("UPDATE sites SET status = 'resumed', note = NULL WHERE site_id = 's0'")
        assert store.data_version() != token
        assert versions(store)["s0"] == 2
        assert store.site("s0")["note"] == ""
        (change,) = (c for c in store.history("s0") if c.field == "status")
        assert (change.old, change.new, change.who, change.source, change.version) == (
            *("stopped", "resumed", "", "outside", 2),
        )
        with pytest.raises(StoreConflict):
            store.update_site("s0", {"status": "partial"}, version=1, who="w")
        assert store.update_site("s0", {"status": "partial"}, version=2, who="w") == 3
        assert store.check() == []


def test_a_shape_moved_and_removed_through_sql_moves_in_the_index(filled):
    with open_store(filled) as store, raw(filled) as other:
        other.execute(
            "UPDATE sites SET geom = (SELECT o.geom FROM sites AS o WHERE o.site_id = 's1')"
            " WHERE site_id = 's0'"
        )
        here = (123.14, 41.14, 123.16, 41.16)
        assert store.query_sites(here)["site_id"].tolist() == ["s0", "s1"]
        assert store.history("s0")[0].new.startswith("BOX (123.1000000 41.1000000, 123.2")
        other.execute("UPDATE sites SET geom = NULL, precision = 'none', reason = 'no_coordinate'")
        assert store.query_sites(here).empty
        other.execute("DELETE FROM sites WHERE site_id = 's1'")
        assert store.read_sites()["site_id"].tolist() == ["s0", "s2"]
        assert store.check() == []


def test_writing_a_row_back_as_it_was_is_no_change(filled):
    with open_store(filled) as store, raw(filled) as other:
        token = store.data_version()
        other.execute("UPDATE sites SET note = note, geom = geom, version = version")
        assert store.data_version() == token
        assert versions(store) == {"s0": 1, "s1": 1, "s2": 1}


@pytest.mark.parametrize("version", ["version + 1", "9", "1", "NULL"])
def test_a_version_set_by_hand_only_ever_grows(filled, version):
    with open_store(filled) as store, raw(filled) as other:
        other.execute(f"UPDATE sites SET note = 'x', version = {version} WHERE site_id = 's0'")
        assert versions(store)["s0"] == (9 if version == "9" else 2)
        assert {c.field for c in store.history("s0")} >= {"note", "created"}
        assert store.check() == []


def test_a_site_deleted_elsewhere_comes_back_under_a_higher_version(filled):
    with open_store(filled) as store, raw(filled) as other:
        token = store.data_version()
        other.execute("DELETE FROM sites WHERE site_id = 's0'")
        assert store.data_version() != token
        assert store.history("s0")[0].field == "deleted"
        store.save_sites(sites_of(1), who="w")
        assert versions(store)["s0"] == 3
        with pytest.raises(StoreConflict):
            store.update_site("s0", {"note": "x"}, version=1, who="w")
        other.execute("DELETE FROM sites WHERE site_id = 's0'")
        _insert = "INSERT INTO sites (site_id, kind, name, status, precision, reason) VALUES "
        other.execute(f"{_insert}('s0', 'enterprise', 'n', 'stopped', 'none', 'no_coordinate')")
        assert versions(store)["s0"] == 5
        assert store.check() == []


def test_an_id_emptied_elsewhere_stays(filled):
    with open_store(filled) as store, raw(filled) as other:
        other.execute("UPDATE sites SET site_id = '', note = 'x' WHERE site_id = 's0'")
        assert store.site("s0")["note"] == "x"
        assert store.check() == []


def test_a_shape_that_cannot_be_read_is_off_the_map_and_named(path):
    half = bytes.fromhex("47500001e6100000") + shapely.to_wkb(shapely.Point(1, 2))[:9]
    with open_store(path) as store, raw(path) as other:
        other.execute("DROP TRIGGER rtree_sites_geom_update6")
        other.execute("UPDATE sites SET geom = ? WHERE site_id = 's0'", (half,))
        site = store.site("s0")
        assert (site["geometry"], site["precision"], site["reason"]) == (
            *(None, "none", "no_coordinate"),
        )
        assert "1 with a shape that cannot be read (s0)" in store.check()
        store.save_sites(sites_of(1), who="w")
        assert store.site("s0")["geometry"] == shapely.Point(123.17, 41.26)


@pytest.mark.parametrize(
    ("statements", "fault"),
    [
        (["DELETE FROM rtree_sites_geom WHERE id = 1"], "missing from the spatial index"),
        (["UPDATE rtree_sites_geom SET maxx = 170 WHERE id = 1"], "at another place there (s0)"),
        (["INSERT INTO rtree_sites_geom VALUES (9, 1, 1, 2, 2)"], "in the spatial index only (9)"),
        (["DELETE FROM history WHERE site_id = 's1'"], "whose history does not end"),
        (["DROP TRIGGER sites_outside_update", "UPDATE sites SET version = 4"], "3 whose history"),
        (["UPDATE sites SET status = 'eaten' WHERE fid = 1"], "unknown kind or status (s0)"),
        (["UPDATE sites SET as_of = '2020/3/11', name = '' WHERE fid = 2"], "without a name (s1)"),
    ],
)
def test_check_names_what_is_wrong(path, statements, fault):
    with open_store(path) as store, raw(path) as other:
        assert store.check() == []
        for statement in statements:
            other.execute(statement)
        assert fault in "; ".join(store.check())


@pytest.mark.parametrize(
    ("text", "day"),
    [("2020/3/11", "2020-03-11"), ("2020-03-11T08:00:00Z", "2020-03-11T08:00"), ("?", "NaT")],
)
def test_a_date_another_program_wrote_is_read_or_missing(path, text, day):
    with open_store(path) as store, raw(path) as other:
        other.execute("UPDATE sites SET as_of = ? WHERE site_id = 's0'", (text,))
        dates = store.read_sites()["as_of"].to_numpy()
    assert np.array_equal(dates[:2], np.array([day, "2020-03-11"], "M8[ms]"), equal_nan=True)


def test_gdal_in_another_process_edits_while_the_store_is_open(path):
    code = """
        import sys, pyogrio
        from store_samples import sites_of
        n = 3
        while n < 8:  # GDAL does not wait for a writer that came between its reading and writing
            try:
                pyogrio.write_dataframe(
                    sites_of(n + 1).tail(1), sys.argv[1], layer="sites", driver="GPKG", append=True
                )
                n += 1
            except RuntimeError as error:
                assert "locked" in str(error), error
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(path)]
    with open_store(path) as store:
        other = subprocess.Popen(command, env={"PYTHONPATH": ":".join(sys.path)})
        step = 1
        while other.poll() is None or step < 20:
            step = store.update_site("s0", {"note": f"{step}"}, version=step, who="w")
            time.sleep(0.01)
        assert other.returncode == 0
        assert versions(store) == {"s0": step} | {f"s{n}": 1 for n in range(1, 8)}
        assert len(store.history("s0")) == step
        assert store.check() == []
