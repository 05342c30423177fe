import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from model_server import ModelServer

from geo import bootstrap
from geo.__main__ import main
from geo.pipeline import DEMO as DEMO_SET
from geo.pipeline import prepare_store
from geo.settings import load_settings
from geo.store import open_store

ROOT = Path(__file__).resolve().parents[1]
SITES = str(ROOT / "data" / "sites.csv")
DEMO = str(ROOT / "data" / "samples" / "demo_2020-03-11.csv")


@pytest.fixture(autouse=True)
def _own_store(tmp_path, monkeypatch):
    for name in list(os.environ):
        if name.startswith("BAITA_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("BAITA_STORE", str(tmp_path / "home" / "baita.gpkg"))


@pytest.fixture
def answer(capsys):
    """Run a command that must succeed and return its JSON; a NaN in it would be refused here."""

    def run(*words):
        assert main(words) == 0
        out, err = capsys.readouterr()
        assert err == ""
        return json.loads(out, parse_constant=pytest.fail)

    return run


@pytest.fixture
def complaint(capsys):
    """Run a command that must be refused and return its one line on standard error."""

    def run(*words):
        try:
            code = main(words)
        except SystemExit as left:
            code = left.code
        out, err = capsys.readouterr()
        assert (code, out, err.count("\n"), err[-1:]) == (2, "", 1, "\n")
        return err

    return run


# --- reading, locating, converting ----------------------------------------------------------------


def test_read_shows_records_and_problems(answer, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("名称,类型,状态\n甲公司,企业,复工\n乙公司,企业,复公\n", encoding="utf-8")
    said = answer("read", str(path))
    assert (said["rows"], len(said["records"]), len(said["problems"])) == (2, 1, 1)
    record = said["records"][0]
    assert (record["name"], record["status"], record["x"]) == ("甲公司", "resumed", None)
    assert "复公" in said["problems"][0]["message"]


def test_read_shows_dates_as_text(answer):
    said = answer("read", SITES)
    assert said["rows"] == 16
    assert said["records"][0]["as_of"] == "2020-03-11"


def test_locate_shows_candidates_for_each_name(answer):
    station, nothing = answer("locate", "辽阳站", "没有的地方")
    assert station["accepted"] == 0
    best = station["candidates"][0]
    assert (best["lon"], best["lat"], best["score"]) == (123.1617, 41.27941, 100.0)
    assert best["geometry"] == {"type": "Point", "coordinates": [123.1617, 41.27941]}
    assert (nothing["name"], nothing["accepted"]) == ("没有的地方", None)


def test_locate_accepts_nothing_that_a_person_must_confirm(answer):
    [said] = answer("locate", "站前交通枢纽", "--kind", "项目")
    assert (said["accepted"], said["candidates"][0]["reason"]) == (None, "to_confirm")


def test_locate_never_finds_another_citys_place_here(answer):
    for words in (
        ["大什街", "--city", "辽源"],
        ["武圣路", "--city", "北京"],
        ["首山镇新华路17号"],
        ["沈阳市白塔小学"],
    ):
        [said] = answer("locate", *words)
        assert (said["candidates"], said["accepted"]) == ([], None)


def test_a_road_is_shown_as_a_line_without_a_point(answer):
    [said] = answer("locate", "新华路", "--kind", "parking")
    road = said["candidates"][0]
    assert (road["method"], road["geometry"]["type"], road["lon"]) == (
        "gazetteer sketch",
        "LineString",
        None,
    )


def test_read_asks_a_model_only_when_told_to_and_says_what_leaves(
    answer, capsys, tmp_path, monkeypatch
):
    path = tmp_path / "通报.txt"
    path.write_text("辽阳青松机械有限公司已复工。云上糕点铺开了门。", encoding="utf-8")
    hidden = {
        "kind": "enterprise",
        "name": "云上糕点铺",
        "status": "已复工",
        "quote": "云上糕点铺开了门",
    }
    known = {**hidden, "name": "辽阳青松机械有限公司", "quote": "辽阳青松机械有限公司已复工"}
    with ModelServer([hidden, known]) as server:
        for name, value in server.env.items():
            monkeypatch.setenv(name, value)
        before = answer("read", str(path))
        assert server.asked == []
        assert main(("read", str(path), "--model")) == 0
    out, err = capsys.readouterr()
    assert err == "23 characters leave this machine for 127.0.0.1\n"
    said = json.loads(out)
    assert [one["name"] for one in said["records"]] == ["辽阳青松机械有限公司", "云上糕点铺"]
    assert said["records"][:1] == before["records"]
    assert said["rows"] == before["rows"] + 1
    assert said["records"][1]["needs_look"]


def test_read_with_a_model_nobody_has_set_up_is_one_clear_line(complaint, tmp_path):
    path = tmp_path / "通报.txt"
    path.write_text("辽阳青松机械有限公司已复工。", encoding="utf-8")
    assert "BAITA_MODEL_URL" in complaint("read", str(path), "--model")


def test_datum_converts_one_coordinate(answer):
    said = answer("datum", "123.180867", "41.284277", "--from", "百度", "--to", "wgs84")
    assert (round(said["x"], 5), round(said["y"], 5)) == (123.16843, 41.27646)
    assert (said["from"], said["datum"]) == ("bd09", "wgs84")
    assert said["off_if_read_as_wgs84_m"] == pytest.approx(1353, abs=3)
    metres = answer("datum", "513547.05", "4571616.23", "--from", "epsg:4550", "--to", "wgs84")
    assert "off_if_read_as_wgs84_m" not in metres
    assert answer("datum", "-3.5", "-41.2", "--from", "gps", "--to", "gcj02")["x"] == -3.5


# --- the store ------------------------------------------------------------------------------------


def test_sites_without_a_store_shows_the_bulletin(answer):
    said = answer("sites")
    assert said["type"] == "FeatureCollection"
    assert said["counts"] == {"selected": 16, "located": 1, "not_located": 15}
    assert "notice" not in said
    drawn = [f for f in said["features"] if f["geometry"] is not None]
    assert [f["properties"]["name"] for f in drawn] == ["新华路"]
    assert len(said["features"]) == 16
    assert all(f["id"] == f["properties"]["site_id"] for f in said["features"])
    assert all(f["properties"]["reason"] for f in said["features"] if f["geometry"] is None)


@pytest.mark.parametrize(
    ("words", "count"),
    [
        (["--kind", "停车"], 3),
        (["--kind", "parking", "--kind", "project"], 13),
        (["--located", "yes"], 1),
        (["--located", "no"], 15),
        (["--hide", "parking.enforced"], 13),
        (["--q", "农商"], 2),
        (["--q", "农商", "--q", "总部"], 1),
        (["--until", "2020-03-10"], 4),
        (["--precision", "road"], 1),
        (["--street", "-"], 16),
        (["--street", "南门街道"], 0),
        (["--kind", "企业", "--hide", "enterprise.resumed"], 1),
    ],
)
def test_sites_takes_the_filters_of_the_map(answer, words, count):
    said = answer("sites", *words)
    assert said["counts"]["selected"] == len(said["features"]) == count


def test_load_reports_each_file_and_sites_show_it_with_the_notice(answer, tmp_path):
    store = str(tmp_path / "new.gpkg")
    [report] = answer("load", DEMO, "--store", store, "--who", "lin")
    assert report["rows"] == report["located"] + report["not_located"] + len(report["problems"])
    assert report["added"] == 665
    [again] = answer("load", DEMO, "--store", store)
    assert (again["added"], again["changed"], again["unchanged"]) == (0, 0, 665)
    said = answer("sites", "--store", store, "--located", "no")
    assert said["notice"] == "演示数据（虚构）"
    assert said["counts"]["selected"] == said["counts"]["not_located"] == report["not_located"]
    with open_store(store) as opened:
        assert opened.history("demo-ent-001")[-1].who == "lin"


def test_a_shape_too_coarse_to_draw_is_not_given_out_as_a_geometry(answer, tmp_path):
    answer("sites")
    with open_store(tmp_path / "home" / "baita.gpkg") as store:
        store.update_site("road-xinhua", {"precision": "district"}, version=1, who="lin")
    said = answer("sites", "--q", "新华路", "--kind", "parking")
    assert said["counts"] == {"selected": 1, "located": 0, "not_located": 1}
    assert said["features"][0]["geometry"] is None


def test_load_without_a_store_adds_to_the_bulletin(answer, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("名称,类型,状态\n甲公司,企业,复工\n", encoding="utf-8")
    answer("load", str(path))
    assert answer("sites")["counts"]["selected"] == 17


def test_export_of_the_bulletin_draws_one_road_and_lists_the_rest(answer, tmp_path):
    for form in ("svg", "pptx", "geojson"):
        target = tmp_path / "out" / f"图.{form}"
        said = answer("export", "--format", form, "--preset", "16:9-720", "--out", str(target))
        assert said["files"] == [str(target)]
        assert said["on_map"] == ["road-xinhua"]
        assert len(said["missing"]) == 15
        assert target.stat().st_size > 1000
    assert "新华路" in (tmp_path / "out" / "图.svg").read_text(encoding="utf-8")


def test_sites_and_export_show_the_day_that_is_asked_for(answer, tmp_path):
    settings = load_settings({"BAITA_STORE": str(tmp_path / "baita.gpkg")})
    prepare_store(settings, DEMO_SET).close()
    store = ["--store", str(tmp_path / "demo.gpkg")]
    then, now = (answer("sites", *store, *day)["features"] for day in (["--as-of=2020-03-11"], []))
    assert len(then) == len(now) == 665
    assert {f["properties"]["as_of"] for f in then} == {"2020-03-11"}
    changed = [f["id"] for f, g in zip(now, then, strict=True)
               if f["properties"]["status"] != g["properties"]["status"]]  # fmt: skip
    out = tmp_path / "changes.svg"
    days = ["--as-of=2020-03-18", "--since=2020-03-11"]
    report = answer("export", *store, *days, "--kind=parking", "--format=svg", f"--out={out}")
    roads = [i for i in report["on_map"] if i in changed]
    assert len(roads) > 5
    svg = out.read_text(encoding="utf-8")
    assert set(re.findall(r'"changed:([^"]*)"', svg)) == set(roads)
    assert "截至 2020-03-18，较 2020-03-11" in svg


def test_export_takes_the_filters_of_the_map_and_a_title(answer, tmp_path):
    target = tmp_path / "图.svg"
    words = ("--format", "svg", "--kind", "project", "--title", "项目推进图", "--out", str(target))
    said = answer("export", *words)
    assert (said["on_map"], len(said["missing"])) == ([], 10)
    assert said["findings"][0]["code"] == "nothing_on_map"
    assert "项目推进图" in target.read_text(encoding="utf-8")


def test_a_handout_a_series_by_street_and_the_refusal_to_publish(answer, complaint, tmp_path):
    page = tmp_path / "页.html"
    said = answer("export", "--format", "html", "--out", str(page))
    assert len(said["on_map"]) + len(said["missing"]) == 16
    assert "BaitaHandout" in page.read_text(encoding="utf-8")
    slides = tmp_path / "s.pptx"
    answer("export", "--format", "pptx", "--series", "street", "--out", str(slides))
    assert slides.stat().st_size > 10_000
    secret = tmp_path / "p.png"
    for form in ("png", "html"):
        words = ("export", "--format", form, "--public", "--out", str(secret))
        assert "own_boundaries" in complaint(*words)
    assert not secret.exists()


def test_an_export_that_cannot_be_made_is_one_clear_line(complaint, tmp_path):
    out = ("--out", str(tmp_path / "a.png"))
    assert "nothing is selected" in complaint("export", "--format", "png", "--q", "查无此处", *out)
    assert "--bbox" in complaint("export", "--format", "png", "--bbox", "3,2,1,4", *out)
    assert "--format" in complaint("export", "--format", "docx", *out)
    assert list(tmp_path.iterdir()) == [tmp_path / "home"]


def test_backup_writes_a_store_that_opens(answer, tmp_path):
    out = tmp_path / "copy.gpkg"
    assert Path(answer("backup", "--out", str(out))["backup"]) == out
    assert answer("sites", "--store", str(out))["counts"]["selected"] == 16


# --- bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "part"),
    [
        ([], "COMMAND"),
        (["fly"], "fly"),
        (["read"], "FILE"),
        (["read", "absent.csv"], "absent.csv"),
        (["read", "picture.png"], "picture.png"),
        (["load", "absent.csv"], "absent.csv"),
        (["sites", "--hide", "enterprise.gone"], "enterprise.gone"),
        (["sites", "--kind", "行星"], "行星"),
        (["sites", "--until", "soon"], "soon"),
        (["sites", "--located", "maybe"], "maybe"),
        (["sites", "--store", "ftp://x/y"], "ftp"),
        (["sites", "--sto", "x.gpkg"], "--sto"),
        (["locate", "某路", "--kind", "行星"], "行星"),
        (["datum", "123", "41", "--from", "mars2", "--to", "wgs84"], "mars2"),
        (["datum", "x", "41", "--from", "gps", "--to", "bd09"], "X"),
        (["datum", "41", "123", "--from", "gps", "--to", "bd09"], "latitude"),
        (["setup", "now"], "now"),
    ],
)
def test_bad_input_is_one_clear_line_and_exit_code_2(complaint, words, part):
    assert part in complaint(*words)


def test_a_bad_setting_is_one_clear_line_too(complaint, monkeypatch):
    monkeypatch.setenv("BAITA_ADCODE", "白塔")
    assert "BAITA_ADCODE" in complaint("sites")


def test_a_backup_never_overwrites(complaint, tmp_path):
    (tmp_path / "there.gpkg").write_text("mine", encoding="utf-8")
    assert "there.gpkg" in complaint("backup", "--out", str(tmp_path / "there.gpkg"))
    assert (tmp_path / "there.gpkg").read_text(encoding="utf-8") == "mine"


def test_a_bug_looks_like_a_bug(monkeypatch):
    def _broken(*args, **more):
        raise KeyError("oops")

    monkeypatch.setattr("geo.read.read_source", _broken)
    with pytest.raises(KeyError, match="oops"):
        main(["read", SITES])


# --- run, test, setup -----------------------------------------------------------------------------


@pytest.fixture
def steps(monkeypatch):
    """What `geo.bootstrap` was asked to do, in order, instead of doing it."""
    taken = []

    def note(name, result):
        monkeypatch.setattr(
            bootstrap, name, lambda *args: taken.append((name, *map(tuple, args))) or result
        )

    for name, result in (
        ("ensure_environment", None),
        ("ensure_chromium", Path("/chromium")),
        ("run_app", 7),
        ("run_tests", 5),
    ):
        note(name, result)
    return taken


def test_run_prepares_and_hands_every_other_word_to_the_app(steps):
    assert main(["run", "--server.port", "8600", "--headless"]) == 7
    assert steps == [
        ("ensure_environment", ()),
        ("run_app", ("--server.port", "8600", "--headless")),
    ]


def test_test_prepares_more_and_hands_every_other_word_to_pytest(steps):
    assert main(["test", "-k", "datum", "--", "tests"]) == 5
    assert steps == [
        ("ensure_environment", bootstrap.test_extras()),
        ("ensure_chromium",),
        ("run_tests", ("-k", "datum", "--", "tests")),
    ]


def test_setup_prepares_and_starts_nothing(steps):
    assert main(["setup"]) == 0
    assert steps == [("ensure_environment", bootstrap.test_extras()), ("ensure_chromium",)]


def test_asking_for_help_prepares_nothing(steps, capsys):
    for words in (["--help"], ["run", "--help"], ["test", "-h"]):
        with pytest.raises(SystemExit) as left:
            main(words)
        assert left.value.code == 0
        assert "python -m geo" in capsys.readouterr().out
    assert steps == []


# --- as a process ---------------------------------------------------------------------------------


def _run(*words, python=(sys.executable,), **env):
    return subprocess.run(
        [*python, "-m", "geo", *words],
        cwd=ROOT,
        capture_output=True,
        env={**os.environ, **env},
        timeout=120,
        check=False,
    )


def test_a_process_answers_pure_utf8_json_whatever_the_console_is():
    done = _run(
        "locate", "永寿胡同58-2号", "中华大街×新华路", PYTHONIOENCODING="gbk", PYTHONUTF8="0"
    )
    assert (done.returncode, done.stderr) == (0, b"")
    said = json.loads(done.stdout.decode("utf-8"))
    assert [answer["accepted"] for answer in said] == [0, 0]


def test_a_process_says_bad_input_in_one_line_with_exit_code_2():
    done = _run("sites", "--hide", "企业", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.decode("utf-8").startswith("python -m geo: hide=企业 is not one of")
    assert done.stderr.count(b"\n") == 1


_NOTHING_INSTALLED = """
import sys
class Bare:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in sys.stdlib_module_names | {"geo"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Bare())
import geo.__main__
sys.exit(geo.__main__.main(sys.argv[1:]))
"""


@pytest.mark.parametrize(
    ("words", "code"),
    [(["--help"], 0), (["run", "--help"], 0), (["sites"], 2), (["read", SITES], 2), (["fly"], 2)],
)
def test_on_a_bare_python_help_works_and_the_rest_says_what_to_run_first(words, code):
    done = subprocess.run(
        [sys.executable, "-S", "-c", _NOTHING_INSTALLED, *words],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    assert done.returncode == code, done.stderr
    if words[0] in ("sites", "read"):
        assert "python3 -m geo setup" in done.stderr
    assert done.stderr.count("\n") == (code == 2)


# --- backups --------------------------------------------------------------------------------------


def test_a_backup_is_listed_and_brought_back_by_its_name(answer, complaint, tmp_path):
    store = str(tmp_path / "own.gpkg")
    answer("load", SITES, "--store", store)
    count = len(answer("sites", "--store", store)["features"])
    made = answer("backup", "--store", store)["backup"]
    assert [one["backup"] for one in answer("backup", "--list", "--store", store)] == [made]
    answer("load", DEMO, "--store", store)
    assert len(answer("sites", "--store", store)["features"]) > count
    for name in (Path(made).name, made, "latest"):
        said = answer("restore", name, "--store", store)
        assert Path(said["store"]) == Path(store)
        if name != "latest":
            assert len(answer("sites", "--store", store)["features"]) == count
    assert "not there" in complaint("restore", "nothing.gpkg", "--store", store)


def test_a_damaged_store_says_which_backup_brings_it_back(answer, complaint, tmp_path):
    home = Path(os.environ["BAITA_STORE"])
    answer("sites")
    made = Path(answer("backup")["backup"])
    data = home.read_bytes()
    home.write_bytes(data[:20000] + b"\xff" * (len(data) - 20000))
    for beside in ("-wal", "-shm"):
        home.with_name(home.name + beside).unlink(missing_ok=True)
    said = complaint("sites")
    assert "damaged" in said
    answer("restore", made.name)
    assert answer("sites")["features"]


def test_a_copy_of_the_demo_set_goes_back_to_the_demo_set(answer, complaint):
    """What a damaged demo set says to run would else put invented sites over the office's own."""
    home = Path(os.environ["BAITA_STORE"])
    demo = home.with_name("demo.gpkg")
    answer("load", DEMO, "--store", str(demo))
    own = answer("sites")
    made = Path(answer("backup", "--store", str(demo))["backup"])
    said = answer("restore", made.name)
    assert Path(said["store"]) == demo
    assert answer("sites") == own
    assert "is a backup of demo.gpkg" in complaint("restore", made.name, "--store", str(home))


# --- people ---------------------------------------------------------------------------------------


def test_a_role_is_given_shown_and_written_down(answer, monkeypatch):
    monkeypatch.setenv("BAITA_WHO", "lin")
    monkeypatch.setenv("BAITA_ADMINS", "周工")
    assert answer("member", "Wang@Example.org ", "--role", "editor") == {
        "wang@example.org": "editor",
        "周工": "admin",
    }
    answer("member", "wang@example.org", "--role", "none")
    newest, first = answer("audit")
    assert (newest["who"], newest["action"], newest["target"]) == (
        *("lin", "set_member"),
        "wang@example.org",
    )
    assert (newest["detail"], first["detail"], first["allowed"]) == ("none", "editor", True)
    assert answer("audit", "--refused") == []
    assert answer("audit", "--limit", "1") == [newest]


def test_the_last_administrator_stays_one(answer, complaint):
    answer("member", "lin", "--role", "admin")
    assert "last administrator" in complaint("member", "lin", "--role", "viewer")
    answer("member", "wang", "--role", "admin")
    assert answer("member", "lin", "--role", "viewer") == {"lin": "viewer", "wang": "admin"}


@pytest.mark.parametrize("name", ["", " ", "a\u200bb"])
def test_a_person_needs_a_name_that_can_be_seen(complaint, name):
    assert "needs a name" in complaint("member", name, "--role", "viewer")


def test_a_role_is_one_of_four(complaint):
    assert "choose from" in complaint("member", "lin", "--role", "king")
