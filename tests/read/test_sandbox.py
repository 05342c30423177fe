"""The child process that parses strangers' files: what it hands back, and how it ends."""

import http.server
import os
import subprocess
import sys
import threading
import time

import geopandas as gpd
import openpyxl
import pytest
import shapely
from table_files import write_xlsx

from geo.errors import SourceError
from geo.read import Limits, open_source, read_source, sandbox
from geo.read.parse import parse_file
from geo.read.sandbox import ROOT, read_in_child


@pytest.fixture
def book(tmp_path):
    return write_xlsx(
        tmp_path / "a.xlsx", [["企业名称", "状态"], ["甲公司", "停工"]], merge=["A1:A1"]
    )


def _layer(folder):
    bow = shapely.Polygon([(123.1, 41.2), (123.2, 41.3), (123.2, 41.2), (123.1, 41.3)])
    shapes = [shapely.Point(123.1, 41.2), bow, None, shapely.MultiPoint([(1, 1), (2, 2)])]
    path = folder / "a.gpkg"
    gpd.GeoDataFrame({"企业名称": list("甲乙丙丁")}, geometry=shapes, crs=4490).to_file(path)
    return path


@pytest.fixture(scope="module")
def big(tmp_path_factory):
    """A workbook that takes the child about a second."""
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet()
    for n in range(20_000):
        sheet.append([f"{n}号企业"] * 10)
    path = tmp_path_factory.mktemp("big") / "big.xlsx"
    book.save(path)
    return path


def test_the_child_hands_back_what_parsing_here_gives(tmp_path, book):
    text = tmp_path / "a.csv"
    text.write_text('企业名称|状态\n"甲\n公司"|停工\n乙公司|"停\n', encoding="gbk")
    for path in (text, book, _layer(tmp_path)):
        assert read_in_child(path, known=["企业名称"]) == parse_file(path, known=["企业名称"])


def test_small_text_is_parsed_here_and_everything_else_in_the_child(tmp_path, book, monkeypatch):
    asked = []
    monkeypatch.setattr(
        sandbox, "read_in_child", lambda path, **more: asked.append(path.name) or parse_file(path)
    )
    small, large = tmp_path / "small.csv", tmp_path / "large.csv"
    small.write_text("企业名称\n甲\n", encoding="utf-8")
    large.write_text("企业名称\n" + "甲乙丙丁,\n" * 100_000, encoding="utf-8")
    for path in (small, large, book):
        open_source(path)
    open_source(book, sandboxed=False)
    open_source(small, sandboxed=True)
    assert asked == ["large.csv", "a.xlsx", "small.csv"]


def test_progress_is_told_from_this_thread(book):
    told = []
    read_in_child(
        book, progress=lambda stage, done: told.append((stage, done, threading.get_ident()))
    )
    assert {stage for stage, _, _ in told} >= {"check", "表"}
    assert all(0 <= done <= 1 and thread == threading.get_ident() for _, done, thread in told)


def test_a_child_is_ended_when_it_is_cancelled(big):
    started = threading.Event()
    with pytest.raises(SourceError, match=r"big\.xlsx: reading was cancelled"):
        read_in_child(big, progress=lambda *_: started.set(), cancelled=started.is_set)
    assert _children() == []


def test_reading_the_rows_can_be_cancelled_too_and_tells_how_far_it_is(tmp_path):
    path, told = tmp_path / "a.csv", []
    path.write_text("企业名称\n" + "".join(f"{n}\n" for n in range(9_000)), encoding="utf-8")
    with pytest.raises(SourceError, match=r"a\.csv: reading was cancelled"):
        read_source(path, progress=lambda *word: told.append(word), cancelled=lambda: len(told) > 3)
    assert [round(done, 2) for stage, done in told if stage == "rows"] == [0.0, 0.22, 0.44]


def test_an_error_of_the_page_that_watches_ends_the_child(big):
    def leave(stage, done):
        raise KeyError("the page was closed")

    with pytest.raises(KeyError):
        read_in_child(big, progress=leave)
    assert _children() == []
    assert sandbox.AT_ONCE.acquire(timeout=1)
    sandbox.AT_ONCE.release()


def _children():
    """Processes that this one started for reading and that still run."""
    found = subprocess.run(
        ["ps", "--ppid", str(os.getpid()), "-o", "args="], capture_output=True, text=True
    )
    return [line for line in found.stdout.splitlines() if "geo.read.sandbox" in line]


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({"wall_s": 0.01}, "took longer than 0.01 s"),
        ({"cpu_s": 1, "memory_mb": 50}, "more memory or time|gave up"),
        ({"max_rows": 10}, "too many rows"),
    ],
)
def test_a_file_that_takes_more_than_its_limits_is_refused_with_what_to_do(big, limits, said):
    with pytest.raises(SourceError, match=r"^big\.xlsx") as caught:
        read_source(big, limits=Limits(**limits))
    assert any(part in str(caught.value) for part in said.split("|")), str(caught.value)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import os; os._exit(3)", "gave up on it"),
        ("import os; os.kill(os.getpid(), 11)", "gave up on it"),
        (
            "import sys; sys.stderr.write('memory allocation of 9 bytes failed'); sys.exit(1)",
            "more memory or time",
        ),
        ("print('not json')", "gave up on it"),
        ("print('{\"contents\": 7}')", "gave up on it"),
        ('print(\'{"grid": 0, "rows": [[1, 1, [7]]]}\')', "gave up on it"),
        (
            'print(\'{"grid": 0, "rows": [[1, 1, [], false, "010700000000000000", "", ""]]}\')',
            "gave up on it",
        ),
    ],
)
def test_a_child_that_dies_or_talks_nonsense_is_a_refusal_that_says_what_to_do(
    book, monkeypatch, code, said
):
    real = subprocess.Popen
    monkeypatch.setattr(
        sandbox.subprocess, "Popen", lambda words, **more: real([*words[:-1], code], **more)
    )
    with pytest.raises(SourceError, match=r"^a\.xlsx") as caught:
        read_in_child(book)
    assert said in str(caught.value)


def test_only_so_many_children_run_at_a_time_and_the_next_one_waits(book, monkeypatch):
    monkeypatch.setattr(sandbox, "AT_ONCE", threading.BoundedSemaphore(1))
    sandbox.AT_ONCE.acquire()
    told = []
    threading.Timer(0.3, sandbox.AT_ONCE.release).start()
    read_in_child(book, progress=lambda stage, done: told.append(stage))
    assert told[0] == "wait"
    assert "check" in told


# --- what the child may reach ---------------------------------------------------------------------


def _in_child(code, **environment):
    words = [
        sys.executable,
        "-I",
        "-X",
        "utf8",
        "-c",
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{code}",
    ]
    return subprocess.run(words, capture_output=True, text=True, env=environment)


@pytest.mark.parametrize(
    "attempt",
    [
        "import socket; socket.create_connection(('127.0.0.1', 9))",
        "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9')",
        "import subprocess; subprocess.run(['true'])",
        "import os; os.system('true')",
        "import os; os.fork()",
    ],
)
def test_the_child_can_neither_connect_nor_start_anything(attempt):
    done = _in_child(
        f"from geo.read.sandbox import _bind\nfrom geo.read.grid import Limits\n_bind(Limits())\n{attempt}"
    )
    assert "is not allowed while a file is read" in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux bounds address space")
def test_the_child_cannot_take_more_memory_than_its_limit():
    code = "from geo.read.sandbox import _bind\nfrom geo.read.grid import Limits\n_bind(Limits(memory_mb=300))\n"
    assert "MemoryError" in _in_child(f"{code}bytearray(400_000_000)").stderr
    assert _in_child(f"{code}bytearray(100_000_000)").stderr == ""


@pytest.mark.parametrize(("format_", "drivers"), [("gpkg", {"GPKG"}), ("kml", {"LIBKML", "KML"})])
def test_gdal_has_no_driver_in_the_child_but_the_one_it_needs(tmp_path, format_, drivers):
    done = _in_child(
        "from geo.read.gisfile import load_gdal\nprint(*load_gdal(), sep='|')",
        **sandbox._environment(format_, str(tmp_path)),
    )
    found = set(done.stdout.strip().split("|"))
    assert found
    assert found <= drivers


def test_the_child_sees_nothing_of_our_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("BAITA_SECRET", "key")
    environment = sandbox._environment("xlsx", str(tmp_path))
    assert "BAITA_SECRET" not in environment
    assert environment["HOME"] == str(tmp_path)


def test_the_child_does_not_import_what_it_does_not_need():
    done = _in_child("import geo.read.sandbox\nprint(*sys.modules)")
    assert not {"pandas", "geopandas", "numpy", "shapely", "streamlit"} & set(done.stdout.split())


def test_a_file_that_points_to_a_server_makes_no_request(tmp_path):
    hits = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            hits.append(self.path)
            self.send_error(404)

        do_HEAD = do_POST = do_GET  # noqa: N815

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    there = f"http://127.0.0.1:{server.server_port}/a.kml"
    link = f"<NetworkLink><Link><href>{there}</href></Link></NetworkLink>"
    mark = "<Placemark><name>甲</name><Point><coordinates>123,41</coordinates></Point></Placemark>"
    kml = '<kml xmlns="http://www.opengis.net/kml/2.2"><Document>{}</Document></kml>'
    vrt = f"<OGRVRTDataSource><SrcDataSource>/vsicurl/{there}</SrcDataSource></OGRVRTDataSource>"
    files = {
        "a.kml": kml.format(link + mark),
        "b.geojson": vrt,
        "c.geojson": f'{{"type": "FeatureCollection", "features": [], "url": "{there}"}}',
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
        try:
            open_source(tmp_path / name)
        except SourceError:
            continue
    server.shutdown()
    assert hits == []


def test_nothing_is_left_behind_in_the_temporary_folder(tmp_path, monkeypatch):
    path = _layer(tmp_path)
    own = tmp_path / "temporary"
    own.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(own))
    open_source(path)
    with pytest.raises(SourceError):
        open_source(path, limits=Limits(wall_s=0.0))
    assert list(own.iterdir()) == []


def test_the_page_goes_on_while_a_child_works(big):
    gaps, stop = [], threading.Event()

    def tick():
        last = time.monotonic()
        while not stop.wait(0.01):
            now = time.monotonic()
            gaps.append(now - last)
            last = now

    clock = threading.Thread(target=tick)
    clock.start()
    open_source(big)
    stop.set()
    clock.join()
    assert len(gaps) > 10
