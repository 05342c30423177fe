"""A bulk run gives the table of the single process, whatever the partitions, the workers, and who was killed when."""

import gzip
import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import geopandas as gpd
import pandas as pd
import psutil
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from geo.__main__ import main
from geo.bulk import run_bulk
from geo.bulk.desk import Desk
from geo.errors import BulkError, SourceError
from geo.locate import locate_sites
from geo.pipeline import locators_with
from geo.read import read_source
from geo.settings import ROOT, load_settings
from geo.site import Correction, make_sites

HEADER = "编号,类型,名称,状态,日期,地点,街道,经度,纬度,坐标系,路径,备注"
BAITA = load_settings({})
NAMES = ("新华路", "辽阳站", "白塔公园", "甲公司", "中华大街60号", "民主路（新华路至中华大街）")


def _row(site_id="", kind="企业", name="甲公司", status="已复工", **more):
    cells = {"编号": site_id, "类型": kind, "名称": name, "状态": status} | more
    return ",".join(cells.get(heading, "") for heading in HEADER.split(","))


def _write(path, rows):
    path.write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")
    return path


def _register(path, count):
    """Write rows of every sort: placed in two datums, by name, by road, faulty, with an id that was there before."""
    rows = []
    for n in range(count):
        place = {
            "经度": f"{123.15 + n % 60 / 1000:.6f}",
            "纬度": "41.26",
            "坐标系": ("wgs84", "bd09")[n % 2],
        }
        match n % 7:
            case 0:
                rows.append(_row(f"s{n}", name=f"企业{n}号", **place))
            case 1:
                rows.append(_row(f"s{n}", name=NAMES[n % len(NAMES)], 地点="新华路526号附近"))
            case 2:
                rows.append(_row(f"s{n}", status="已复公", name=f"企业{n}号"))
            case 3:
                rows.append(_row(f"s{n // 3}", name=f"又一{n}号", **place))
            case 4:
                line = f"123.1{n % 4 + 5} 41.26;123.1{n % 4 + 6} 41.27"
                rows.append(
                    _row(f"r{n % 5}", "停车", f"演示路{n % 5}", "已清理", 路径=line, 坐标系="wgs84")
                )
            case 5:
                rows.append(_row("", name=f'"企业{n}号\n（分店）"', 坐标系="wgs84"))
            case _:
                rows.append("合计,,,12,,,,,,,,")
    return _write(path, rows)


def _single(path, corrections=(), installation=BAITA):
    """Return what one process makes of the whole table."""
    read = read_source(path, sandboxed=False)
    locators = locators_with(corrections, installation, ahead=read.records)
    return read, locate_sites(read.records, locators)


def _parts(folder):
    return sorted(Path(folder).glob("part-*.parquet"))


def _table(folder):
    parts = [gpd.read_parquet(path) for path in _parts(folder)]
    return make_sites(pd.concat(parts, ignore_index=True)) if parts else make_sites([])


def _assert_as_single(folder, report, path, corrections=()):
    read, sites = _single(path, corrections)
    got = _table(folder)
    assert_frame_equal(
        pd.DataFrame(got.drop(columns="geometry")), pd.DataFrame(sites.drop(columns="geometry"))
    )
    assert (
        shapely.to_wkb(got.geometry.to_numpy()).tolist()
        == shapely.to_wkb(sites.geometry.to_numpy()).tolist()
    )
    problems = [
        json.loads(line) for line in (folder / "_problems.jsonl").read_text("utf-8").splitlines()
    ]
    assert problems == [one.as_dict() for one in read.problems]
    above = sum("above the header" in row.message for row in read.skipped)
    assert (report.rows, report.problems) == (read.rows, len(read.problems))
    assert report.skipped == len(read.skipped) - above
    for name in ("rows", "located", "not_located", "problems", "skipped"):
        assert sum(part[name] for part in report.partitions) == getattr(report, name)
    for part in report.partitions:
        assert part["rows"] == part["located"] + part["not_located"] + part["problems"]


LINES = st.builds(
    lambda site_id, line, note: _row(
        site_id, "停车", "乙路", "已清理", 路径=line, 坐标系="wgs84", 备注=note
    ),
    st.sampled_from(["", "a"]),
    st.sampled_from(
        ["123.15 41.26;123.16 41.26", "123.16 41.26;123.17 41.27", "123.17 41.27;123.18 41.27"]
    ),
    st.sampled_from(["", "北段"]),
)
ROWS = st.one_of(
    LINES,
    LINES,
    LINES,
    st.builds(
        _row,
        st.sampled_from(["", "a", "b", "c"]),
        st.sampled_from(["企业", "停车", "不知"]),
        st.sampled_from(["甲公司", "乙路", "新华路", ""]),
        st.sampled_from(["", "已复工", "已清理"]),
    ),
    st.sampled_from(["合计,,,2", "", HEADER, '"甲', "x,y"]),
)


@settings(max_examples=25)
@given(rows=st.lists(ROWS, max_size=14), size=st.integers(1, 5))
def test_the_parts_together_are_the_table_of_one_process(tmp_path_factory, rows, size):
    folder = tmp_path_factory.mktemp("law")
    path = _write(folder / "register.csv", rows)
    report = run_bulk(
        str(path), str(folder / "out"), settings=BAITA, workers=0, partition_rows=size
    )
    _assert_as_single(folder / "out", report, path)


@pytest.fixture(scope="module")
def register(tmp_path_factory):
    return _register(tmp_path_factory.mktemp("register") / "register.csv", 700)


@pytest.fixture(scope="module")
def alone(register, tmp_path_factory):
    """The parts as one process makes them."""
    folder = tmp_path_factory.mktemp("alone") / "out"
    report = run_bulk(str(register), str(folder), settings=BAITA, workers=0, partition_rows=100)
    _assert_as_single(folder, report, register)
    assert report.shared_ids > 20
    assert min(report.located, report.not_located, report.problems, report.skipped) > 50
    return folder


def _bytes(folder):
    return {path.name: path.read_bytes() for path in [*_parts(folder), folder / "_problems.jsonl"]}


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_write_the_bytes_that_one_process_writes(register, alone, tmp_path, workers):
    report = run_bulk(
        str(register), str(tmp_path / "out"), settings=BAITA, workers=workers, partition_rows=100
    )
    assert _bytes(tmp_path / "out") == _bytes(alone)
    assert report.peak_mb > 50


def test_rows_of_a_gzip_are_those_of_the_table(register, alone, tmp_path):
    packed = tmp_path / "register.csv.gz"
    packed.write_bytes(gzip.compress(register.read_bytes()))
    run_bulk(str(packed), str(tmp_path / "out"), settings=BAITA, workers=0, partition_rows=100)
    ours, theirs = _table(tmp_path / "out"), _table(alone)
    ours["source_file"] = theirs["source_file"]
    assert ours.equals(theirs)


# --- ended and begun again ------------------------------------------------------------------------


def _command(source, target, *more):
    words = ["bulk", str(source), "--to", str(target), "--partition-rows", "100", *more]
    return [sys.executable, "-m", "geo", *words]


def _start(source, target, *more, store):
    env = {**os.environ, "BAITA_STORE": str(store), "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        _command(source, target, *more),
        cwd=ROOT,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _until(happened, process, seconds=90):
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "it did not happen in time"
        assert process.poll() is None, process.communicate()
        time.sleep(0.002)


def _kill_all(process):
    family = [*psutil.Process(process.pid).children(recursive=True)]
    process.send_signal(signal.SIGKILL)
    for one in family:
        one.kill()
    process.communicate()


def _done(target):
    return {p.name: p.stat().st_mtime_ns for p in (target / "_bulk" / "done").glob("0*.json")}


@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_run_killed_in_the_middle_is_finished_by_the_same_command(
    tmp_path, filled_stores, workers
):
    register = _register(tmp_path / "register.csv", 2100)
    whole = run_bulk(
        str(register), str(tmp_path / "whole"), settings=BAITA, workers=0, partition_rows=100
    )
    target, store = tmp_path / "out", filled_stores / "baita.gpkg"
    first = _start(register, target, "--workers", workers, store=store)
    _until(lambda: len(_done(target)) >= 3, first)
    _kill_all(first)
    done = _done(target)
    assert 3 <= len(done) < 21
    second = _start(register, target, "--workers", workers, store=store)
    said, told = second.communicate(timeout=200)
    assert second.returncode == 0, told
    report = json.loads(said)
    assert {name: stamp for name, stamp in _done(target).items() if name in done} == done
    assert report["resumed"] == len(done)
    assert (report["rows"], report["located"]) == (whole.rows, whole.located)
    assert "located: 21 of 21 partitions" in told
    assert _bytes(target) == _bytes(tmp_path / "whole")


def test_a_worker_killed_in_the_middle_is_replaced(tmp_path, filled_stores):
    register = _register(tmp_path / "register.csv", 2100)
    run_bulk(str(register), str(tmp_path / "whole"), settings=BAITA, workers=0, partition_rows=100)
    target = tmp_path / "out"
    process = _start(register, target, "--workers", "2", store=filled_stores / "baita.gpkg")
    _until(lambda: len(_done(target)) >= 2, process)
    [path] = sorted((target / "_bulk" / "done").glob("0*.json"))[:1]
    psutil.Process(json.loads(path.read_text())["worker"]).kill()
    said, told = process.communicate(timeout=200)
    assert process.returncode == 0, told
    assert len({part["number"] for part in json.loads(said)["partitions"]}) == 21
    assert _bytes(target) == _bytes(tmp_path / "whole")


def test_a_run_that_is_done_is_not_done_again(register, alone, tmp_path):
    told = []
    words = {"settings": BAITA, "workers": 0, "partition_rows": 100, "tell": told.append}
    first = run_bulk(str(register), str(tmp_path / "out"), **words)
    stamps = [path.stat().st_mtime_ns for path in _parts(tmp_path / "out")]
    again = run_bulk(str(register), str(tmp_path / "out"), **words)
    assert again == first
    assert told[-1] == "all of it was done before"
    assert [path.stat().st_mtime_ns for path in _parts(tmp_path / "out")] == stamps


def test_what_was_begun_with_something_else_is_refused_by_its_name(tmp_path):
    path, out = _register(tmp_path / "register.csv", 30), str(tmp_path / "out")
    words = {"settings": BAITA, "workers": 0, "partition_rows": 10}
    first = run_bulk(str(path), out, **words)
    with pytest.raises(BulkError, match="another partition size"):
        run_bulk(str(path), out, **{**words, "partition_rows": 11})
    with pytest.raises(BulkError, match="another district"):
        run_bulk(str(path), out, **{**words, "settings": replace(BAITA, adcode="211003")})
    with pytest.raises(BulkError, match="another corrections"):
        run_bulk(str(path), out, corrections=[_correction()], **words)
    _register(path, 31)
    before = _bytes(tmp_path / "out")
    with pytest.raises(BulkError, match=r"another source.*--restart"):
        run_bulk(str(path), out, **words)
    assert _bytes(tmp_path / "out") == before
    again = run_bulk(str(path), out, restart=True, **words)
    assert again.rows >= first.rows
    assert len(_parts(tmp_path / "out")) == 4
    _assert_as_single(tmp_path / "out", again, path)


def test_a_part_that_was_spoilt_is_not_passed_off_as_done(tmp_path):
    path, out = _register(tmp_path / "register.csv", 30), tmp_path / "out"
    words = {"settings": BAITA, "workers": 0, "partition_rows": 10}
    run_bulk(str(path), str(out), **words)
    _parts(out)[1].write_bytes(b"PAR1")
    with pytest.raises(BulkError, match="--restart"):
        run_bulk(str(path), str(out), **words)


def test_two_drivers_do_not_work_on_one_target(tmp_path):
    path = _register(tmp_path / "register.csv", 10)
    with Desk(tmp_path / "out" / "_bulk").alone(), pytest.raises(BulkError, match="at work"):
        run_bulk(str(path), str(tmp_path / "out"), settings=BAITA, workers=0)


def test_a_folder_with_other_parts_is_not_mixed_with_ours(tmp_path):
    path = _register(tmp_path / "register.csv", 10)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "other.parquet").write_bytes(b"")
    with pytest.raises(BulkError, match="something else"):
        run_bulk(str(path), str(tmp_path / "out"), settings=BAITA, workers=0)


# --- the rest -------------------------------------------------------------------------------------


def _correction():
    return Correction(
        "c1", "enterprise", "甲公司", shapely.Point(123.17, 41.27), "poi", 5.0, "lin",
        datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC), 123.17, 41.27, "wgs84", 7,
    )  # fmt: skip


def test_a_person_s_correction_holds_in_every_partition(tmp_path):
    path = _write(tmp_path / "register.csv", [_row(f"s{n}") for n in range(3)] + [_row("c1")])
    report = run_bulk(
        str(path),
        str(tmp_path / "out"),
        settings=BAITA,
        corrections=[_correction()],
        workers=0,
        partition_rows=2,
    )
    _assert_as_single(tmp_path / "out", report, path, [_correction()])
    assert _table(tmp_path / "out")["match_method"].tolist()[-1] == "correction"


def test_parquet_in_gives_the_sites_that_the_csv_gives(register, alone, tmp_path):
    table = pd.read_csv(register, dtype=str, keep_default_na=False)
    table.to_parquet(tmp_path / "register.parquet")
    run_bulk(
        str(tmp_path / "register.parquet"),
        str(tmp_path / "out"),
        settings=BAITA,
        workers=0,
        partition_rows=100,
    )
    columns = [c for c in _table(alone).columns if c not in ("source_file", "source_where")]
    assert _table(tmp_path / "out")[columns].equals(_table(alone)[columns])


def test_a_table_without_rows_is_a_run_without_parts(tmp_path):
    report = run_bulk(
        str(_write(tmp_path / "none.csv", [])), str(tmp_path / "out"), settings=BAITA, workers=0
    )
    assert (report.rows, report.partitions, _parts(tmp_path / "out")) == (0, (), [])


def test_what_cannot_be_read_is_told_in_a_line_and_leaves_no_part(tmp_path):
    path = tmp_path / "register.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(SourceError, match="none of its columns is known"):
        run_bulk(str(path), str(tmp_path / "out"), settings=BAITA, workers=0)
    assert not _parts(tmp_path / "out")


def test_without_dask_the_command_says_what_to_install(
    tmp_path, filled_stores, capsys, monkeypatch
):
    monkeypatch.setenv("BAITA_STORE", str(filled_stores / "baita.gpkg"))
    monkeypatch.setitem(sys.modules, "distributed", None)
    path = _register(tmp_path / "register.csv", 10)
    words = ["bulk", str(path), "--to", str(tmp_path / "out")]
    assert main(words) == 2
    [line] = capsys.readouterr().err.strip().splitlines()[-1:]
    assert re.search(r"extra bulk: pip install 'dask\[distributed\]'.*--workers 0", line)
    assert main([*words, "--workers", "0"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] > 0


def test_a_scheduler_without_an_answer_is_told_in_a_line(tmp_path, monkeypatch):
    monkeypatch.setattr("geo.bulk.crew.WAIT_S", 1)
    with pytest.raises(BulkError, match="dask scheduler"):
        run_bulk(
            str(_register(tmp_path / "register.csv", 10)),
            str(tmp_path / "out"),
            settings=BAITA,
            scheduler="tcp://127.0.0.1:9",
        )


def test_a_scheduler_s_workers_do_the_same(register, alone, tmp_path):
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=1, threads_per_worker=1, dashboard_address=None, host="127.0.0.1"
    ) as cluster:
        run_bulk(
            str(register),
            str(tmp_path / "out"),
            settings=BAITA,
            scheduler=cluster.scheduler_address,
            partition_rows=100,
        )
    assert _bytes(tmp_path / "out") == _bytes(alone)
