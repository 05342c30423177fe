"""Another district is another data folder and another code: its kinds, its name, its places, its picture."""

import json
import re
import warnings
from pathlib import Path

import pytest
from PIL import Image
from starlette.applications import Starlette

from geo.__main__ import main
from geo.category import load_categories
from geo.pipeline import load_file
from geo.settings import load_settings
from geo.site import is_located
from geo.ui import routes as routes_module
from geo.ui.describe import app_title, district_name
from geo.ui.library import get_library
from geo.ui.routes import routes

with warnings.catch_warnings():
    # Starlette would rather have httpx2; either will do.
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient

ROOT = Path(__file__).resolve().parents[1]
XIHU = ROOT / "tests" / "districts" / "xihu"
OURS = re.compile("白塔|辽阳|辽宁|Baita One|停车整治|企业复工")
TABLE = (
    "名称,类别,状态,经度,纬度,坐标系\n"
    "杭州市西湖区样例听松小区,老旧小区,完工,,,\n"
    "样例新站,充电桩,故障,120.1000,30.2600,gcj02\n"
    "样例飞地,充电桩,正常,123.18,41.27,wgs84\n"
)


@pytest.fixture
def xihu(tmp_path, monkeypatch):
    """The app's one library of the other district, in a store of its own."""
    for name, value in {
        "BAITA_DATA": XIHU,
        "BAITA_ADCODE": "330106",
        "BAITA_STORE": tmp_path / "xihu.gpkg",
        "BAITA_WHO": "lin",
    }.items():
        monkeypatch.setenv(name, str(value))
    get_library.cache_clear()
    routes_module._drawn_page.cache_clear()
    library = get_library()
    yield library
    for name in ("bulletin", "demo"):
        library.store(name).close()
    get_library.cache_clear()
    routes_module._drawn_page.cache_clear()


def test_its_sites_are_read_located_and_kept(xihu):
    sites = xihu.snapshot("bulletin").sites
    assert set(sites["kind"]) == {"renewal", "charger", "river"}
    located = dict(zip(sites["name"], is_located(sites), strict=True))
    assert [name for name, is_there in located.items() if not is_there] == ["样例充电站四号"]
    by_name = sites.set_index("name")
    assert by_name.loc["样例广场小区", "match_method"] == "gazetteer"
    assert by_name.loc["样例东河"].geometry.geom_type == "LineString"


def test_a_table_with_its_own_words_is_matched_with_what_is_known(xihu, tmp_path):
    file = tmp_path / "第二期.csv"
    file.write_text(TABLE, encoding="utf-8")
    report = load_file(xihu.store("bulletin"), file, settings=xihu.settings)
    assert not report.problems
    # 杭州市西湖区 in front says nothing here, as 辽阳市白塔区 says nothing at home.
    assert (report.added, report.changed) == (2, 1)
    sites = xihu.snapshot("bulletin").sites.set_index("name")
    assert sites.loc["样例听松小区", "status"] == "done"
    assert sites.loc["样例新站", "status"] == "broken"
    assert sites.loc["样例飞地", "reason"] == "outside"


def test_without_samples_there_is_no_demo_set(xihu):
    assert xihu.snapshot("demo").sites.empty


@pytest.mark.parametrize(
    ("adcode", "zh", "en"),
    [
        ("211002", "白塔一张图", "Baita One Map"),
        ("330106", "西湖一张图", "Xihu One Map"),
        ("211011", "太子河一张图", "Taizihe One Map"),
    ],
)
def test_the_app_is_called_after_its_district(adcode, zh, en):
    settings = load_settings({"BAITA_ADCODE": adcode})
    assert (app_title(settings, "zh"), app_title(settings, "en")) == (zh, en)


def test_an_administrator_may_call_it_otherwise():
    settings = load_settings({"BAITA_TITLE": "规划一张图"})
    assert app_title(settings, "zh") == app_title(settings, "en") == "规划一张图"


@pytest.mark.parametrize(
    ("adcode", "zh", "en"),
    [
        ("211002", "白塔区", "Baita District"),
        ("330106", "西湖区", "Xihu District"),
        ("130726", "蔚县", "Yuxian County"),
        ("150724", "鄂温克族自治旗", "Ewenkezu Autonomous Banner"),
        ("211081", "灯塔市", "Dengta City"),
    ],
)
def test_an_english_title_calls_the_district_in_english(adcode, zh, en):
    settings = load_settings({"BAITA_ADCODE": adcode})
    assert (district_name(settings, "zh"), district_name(settings, "en")) == (zh, en)


def test_a_name_whose_sound_is_another_is_said_by_the_administrator():
    settings = load_settings({"BAITA_ADCODE": "110105", "BAITA_NAME_EN": "Chaoyang District"})
    assert district_name(settings, "zh") == "朝阳区"
    assert district_name(settings, "en") == "Chaoyang District"
    assert app_title(settings, "en") == "Chaoyang One Map"


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_map_page_is_its_own(xihu, language):
    with TestClient(Starlette(routes=routes())) as client:
        html = client.get(f"/baita/map/{language}").text
    config = json.loads(re.search(r"BaitaMap\.start\(\w+, (\{.*\})\);", html)[1])
    assert config["basemap"]["home"]["name"] == "西湖区"
    assert [kind["code"] for kind in config["kinds"]] == ["renewal", "charger", "river"]
    assert [name for name, *_ in config["basemap"]["landmarks"]] == ["样例广场", "样例山"]
    assert f"<title>{app_title(xihu.settings, language)}</title>" in html
    assert not OURS.search(json.dumps(config, ensure_ascii=False))


def test_its_picture_is_made_by_the_command_line(xihu, tmp_path, capsys):
    xihu.snapshot("bulletin")
    svg, png = tmp_path / "a.svg", tmp_path / "a.png"
    assert main(["export", "--format=svg", f"--out={svg}"]) == 0
    assert main(["export", "--format=png", "--preset=16:9-720", f"--out={png}"]) == 0
    capsys.readouterr()
    with Image.open(png) as picture:
        assert picture.size == (1280, 720)
    drawn = svg.read_text(encoding="utf-8")
    assert "西湖区" in drawn
    assert not OURS.search(drawn)


def test_its_english_picture_is_in_english(xihu, tmp_path, capsys):
    xihu.snapshot("bulletin")
    svg = tmp_path / "a.svg"
    assert main(["export", "--language=en", "--format=svg", f"--out={svg}"]) == 0
    capsys.readouterr()
    drawn = svg.read_text(encoding="utf-8")
    assert "Xihu District: one map" in drawn
    assert "西湖区" not in drawn


def test_its_categories_are_other_ones_than_ours():
    """Else this district would prove nothing."""
    theirs, ours = load_categories(XIHU / "categories.toml"), load_categories()
    assert not {kind.code for kind in theirs} & {kind.code for kind in ours}
    assert {kind.shape for kind in theirs} - {kind.shape for kind in ours} == {"square", "triangle"}


def test_nothing_of_our_district_is_in_the_code_that_draws_names_and_titles():
    """What remains are the defaults of two functions, which every caller overrides, and the project's own name."""
    defaults = {"geo/compare.py", "geo/locate/names.py"}
    found = []
    for path in sorted((ROOT / "geo").rglob("*.py")):
        text = re.sub(r'"""(?:.|\n)*?"""|#[^\n]*', "", path.read_text(encoding="utf-8"))
        if re.search('"[^"\n]*(?:白塔|辽阳|辽宁)', text.replace("白塔一张图", "")):
            found.append(path.relative_to(ROOT).as_posix())
    assert set(found) == defaults
