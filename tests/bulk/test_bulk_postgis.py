"""From PostGIS and into it: the same sites in the same order, also after a run that was ended."""

from contextlib import closing

import geopandas as gpd
import pandas as pd
import psycopg
import pytest
import shapely
from pandas.testing import assert_frame_equal

from geo.bulk import run_bulk
from geo.bulk.run import _InOrder
from geo.errors import SourceError
from geo.settings import load_settings
from geo.site import make_sites
from geo.store import open_store

BAITA = load_settings({})
HEADER = "编号,类型,名称,状态,日期,经度,纬度,坐标系\n"


class PulledPlug(Exception):
    pass


def _register(path, count=230):
    rows = [
        f"s{n},企业,企业{n}号,{'已复公' if n % 23 == 5 else '已复工'},2020-03-11,123.{15 + n % 4}{n:03d},41.26,bd09"
        for n in range(count)
    ]
    path.write_text(HEADER + "\n".join(rows) + "\n", encoding="utf-8")
    return path


def _parts(folder):
    tables = [gpd.read_parquet(path) for path in sorted(folder.glob("part-*.parquet"))]
    return make_sites(pd.concat(tables, ignore_index=True))


def _assert_same(got, wanted):
    assert_frame_equal(got.drop(columns="geometry"), wanted.drop(columns="geometry"))
    shapes = [shapely.to_wkb(table.geometry.to_numpy()).tolist() for table in (got, wanted)]
    assert shapes[0] == shapes[1]


def _run(source, target, folder, **more):
    options = {"workers": 0, "partition_rows": 50, "settings": BAITA, "who": "lin"}
    return run_bulk(str(source), str(target), work=folder, **{**options, **more})


def test_a_store_gets_the_sites_of_the_parts_in_their_order(tmp_path, new_schema):
    path = _register(tmp_path / "register.csv")
    _run(path, tmp_path / "out", None)
    report = _run(path, new_schema, tmp_path / "work", workers=2)
    with open_store(new_schema) as store:
        _assert_same(store.read_sites(), _parts(tmp_path / "out"))
        assert [c.who for c in store.history("s7")] == ["lin"]
    assert report.rows == 230
    assert report.problems == 10
    assert (tmp_path / "work" / "_problems.jsonl").read_text("utf-8").count("已复公") == 10
    assert not (tmp_path / "work" / "parts").exists()


def test_a_run_ended_between_saving_and_noting_it_saves_nothing_twice(
    tmp_path, new_schema, monkeypatch
):
    path = _register(tmp_path / "register.csv")
    notes = []

    def pull_the_plug(path, value):
        notes.append(path)
        if len(notes) == 3:
            raise PulledPlug
        write_json(path, value)

    import geo.bulk.run as module

    write_json = module.write_json
    monkeypatch.setattr(module, "write_json", pull_the_plug)
    with pytest.raises(PulledPlug):
        _run(path, new_schema, tmp_path / "work")
    monkeypatch.undo()
    with open_store(new_schema) as store:
        assert len(store.read_sites()) == 143  # all of three partitions
    report = _run(path, new_schema, tmp_path / "work")
    with open_store(new_schema) as store:
        sites = store.read_sites()
        assert len(sites) == report.located + report.not_located == 220
        assert sites["version"].eq(1).all()
        assert len(store.history("s140")) == 1
    assert report.resumed == 3


def test_parts_done_out_of_order_are_saved_in_order(tmp_path, new_schema):
    path = _register(tmp_path / "register.csv")
    _run(path, tmp_path / "out", tmp_path / "work")
    from geo.bulk.desk import Desk
    from geo.bulk.parts import Job

    job = Job(tmp_path / "work", tmp_path / "out", BAITA, "")
    store, told = _InOrder(new_schema, job, Desk(tmp_path / "work"), "lin"), []
    for ready in ({2}, {2, 0}, {2, 0, 1, 4}, {0, 1, 2, 3, 4}):
        store.save(ready, told.append)
    store.close()
    assert [line.split()[1] for line in told] == ["1", "2", "3", "4", "5"]
    with open_store(new_schema) as store:
        _assert_same(store.read_sites(), _parts(tmp_path / "out"))


def test_a_table_of_postgis_is_read_as_the_csv_it_was_loaded_from(
    tmp_path, postgis_url, new_schema
):
    schema = new_schema.rpartition("=")[2]
    path = _register(tmp_path / "register.csv")
    with closing(psycopg.connect(postgis_url, autocommit=True)) as db:
        db.execute(f"CREATE SCHEMA {schema}")
        db.execute(
            f'CREATE TABLE {schema}.register ("编号" text PRIMARY KEY, "类型" text, "名称" text, "状态" text,'
            ' "日期" date, "经度" double precision, "纬度" double precision, "坐标系" text)'
        )
        with (
            db.cursor() as cursor,
            cursor.copy(f"COPY {schema}.register FROM STDIN CSV HEADER") as copy,
        ):
            copy.write(path.read_bytes())
    table = f"{new_schema}&table=register"
    _run(table, tmp_path / "table", None)
    _run(path, tmp_path / "csv", None)
    ours, theirs = _parts(tmp_path / "table"), _parts(tmp_path / "csv")
    places = ["source_file", "source_where"]
    # In the order of the key, which is text.
    ours = ours.set_index("site_id").loc[theirs["site_id"]].reset_index()
    _assert_same(make_sites(ours.drop(columns=places)), make_sites(theirs.drop(columns=places)))
    assert set(_parts(tmp_path / "table")["source_file"]) == {f"{schema}.register"}


def test_a_store_s_own_sites_come_out_with_their_shapes(tmp_path, new_schema):
    path = _register(tmp_path / "register.csv", 60)
    _run(path, new_schema, tmp_path / "work")
    report = _run(f"{new_schema}&table=sites", tmp_path / "out", None)
    with open_store(new_schema) as store:
        kept = store.read_sites()
    got = _parts(tmp_path / "out")
    assert got["site_id"].tolist() == kept["site_id"].tolist()
    placed = kept["precision"].ne("none").to_numpy()
    assert report.rows == len(kept)
    assert shapely.equals_identical(
        got.geometry.to_numpy()[placed], kept.geometry.to_numpy()[placed]
    ).all()


@pytest.mark.parametrize(
    ("table", "said"),
    [("none", "there is no table none"), ("a;drop", "not a name"), ('x"y', "not a name")],
)
def test_a_table_that_is_not_there_is_told_without_the_address(tmp_path, postgis_url, table, said):
    joint = "&" if "?" in postgis_url else "?"
    with pytest.raises(SourceError, match=said) as raised:
        _run(f"{postgis_url}{joint}table={table}", tmp_path / "out", None)
    assert "postgresql" not in str(raised.value)


def test_a_password_is_in_no_message(tmp_path):
    with pytest.raises(SourceError, match="cannot be read") as raised:
        _run("postgresql://lin:geheim@127.0.0.1:1/x?table=sites", tmp_path / "out", None)
    assert "geheim" not in str(raised.value) + repr(raised.value.__context__ and "")
