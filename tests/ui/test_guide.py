"""The guide cannot go stale: every word, key, command, message and picture it names is there and is current."""

import re
import shlex
import warnings
from html import unescape
from pathlib import Path

import pytest
from PIL import Image
from starlette.applications import Starlette

from geo.__main__ import _parser
from geo.category import load_categories
from geo.ui.guide import GUIDE_POLICY, PICTURES, chapters, guide_page, render, said_word
from geo.ui.guide.symbols import symbol_svg
from geo.ui.routes import routes
from geo.ui.text import load_text

with warnings.catch_warnings():
    # Starlette would rather have httpx2; either will do.
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient

ROOT = Path(__file__).resolve().parents[2]
CATEGORIES = load_categories()
LANGUAGES = ("zh", "en")


def _source(language):
    return "\n".join(chapter.source for chapter in chapters(language))


def _marks(language, name):
    return [found.strip() for found in re.findall(rf"\{{{name} ([^{{}}]+)\}}", _source(language))]


def _labels(table):
    for value in table.values():
        if isinstance(value, dict):
            yield from _labels(value)
        elif isinstance(value, str):
            yield value


def _page(language):
    return guide_page(language, CATEGORIES, title="白塔一张图", assets="../static/x")


def _text(html):
    return unescape(re.sub(r"<[^>]+>", "", html))


def test_both_languages_have_the_same_chapters_marks_and_pictures():
    zh, en = chapters("zh"), chapters("en")
    assert [one.name for one in zh] == [one.name for one in en]
    assert len(zh) == 15
    for name in ("key", "said"):
        assert sorted(_marks("zh", name)) == sorted(_marks("en", name))
    for ours, theirs in zip(zh, en, strict=True):
        commands = [len(re.findall("^```", one.source, re.M)) for one in (ours, theirs)]
        pictures = [re.findall(r"\{picture (\w+)", one.source) for one in (ours, theirs)]
        assert commands[0] == commands[1], ours.name
        assert pictures[0] == pictures[1], ours.name


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_word_quoted_is_what_the_page_says_now(language):
    html = _page(language)
    said = [unescape(word) for word in re.findall(r'<b class="word">(.*?)</b>', html)]
    named = _marks(language, "word")
    assert len(named) > 60
    assert said == [said_word(path, language) for path in named]
    assert not re.search(r"\{\w*", _text(html)), "a mark that was not understood"


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_label_of_a_button_is_typed_by_hand(language):
    """Words in bold or quotation marks that are a label somewhere must be marks; these few are what a text is about."""
    topics = {"通报", "表格", "名称相近", "没有坐标就不上图", "No coordinate, no dot"}
    labels = {
        re.sub(r"\s*[（(]?\{\w+\}[）)]?$", "", label) for label in _labels(load_text(language))
    }
    found = re.findall(r"\*\*([^*{}]+?)[。.]?\*\*|“([^”{}]+)”", _source(language))
    assert {word for pair in found for word in pair} & labels - {""} <= topics


def test_a_word_that_is_gone_is_noticed():
    with pytest.raises(KeyError):
        render("{word map.desk.reed}", "zh", CATEGORIES)
    with pytest.raises(KeyError):
        render("{word map.desk}", "zh", CATEGORIES)
    with pytest.raises(KeyError):
        render("{said nobody ever said this}", "zh", CATEGORIES)
    with pytest.raises(KeyError):
        render("{picture nothing | x}", "zh", CATEGORIES)


def test_a_gap_is_left_out_at_the_end_and_marked_inside():
    assert said_word("map.tab_tray", "zh") == "未定位"
    assert said_word("map.desk.put", "zh") == "加入地图"
    assert said_word("page.failed", "zh").count("…") == 1


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_picture_named_is_there_and_every_one_there_is_named(language):
    named = {mark.partition("|")[0].strip() for mark in _marks(language, "picture")}
    there = {path.stem.removesuffix(f"-{language}") for path in PICTURES.glob(f"*-{language}.webp")}
    assert named == there
    for name in named:
        with Image.open(PICTURES / f"{name}-{language}.webp") as picture:
            assert picture.format == "WEBP"
            assert picture.width >= 1000


def test_all_pictures_together_are_small():
    assert sum(path.stat().st_size for path in PICTURES.iterdir()) < 2_000_000


def _commands(text):
    for block in re.findall(r"^```\n(.*?)^```", text, re.M | re.S):
        yield from (line for line in block.splitlines() if line.strip())


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_command_parses(language):
    lines = list(_commands(_source(language)))
    assert len(lines) >= 9
    for line in lines:
        words = shlex.split(line, comments=True)
        if words[0] == "export":
            assert all(re.fullmatch(r"BAITA_[A-Z_]+=\S+", word) for word in words[1:])
            continue
        assert words[:3] in (["python", "-m", "geo"], ["python3", "-m", "geo"]), line
        _parser().parse_args(words[3:])


@pytest.mark.parametrize("language", LANGUAGES)
def test_settings_and_files_that_are_named_exist(language):
    known = (ROOT / "geo" / "settings.py").read_text(encoding="utf-8")
    code = re.findall(r"`([^`\n]+)`", _source(language))
    for name in re.findall(r"BAITA_\w+", _source(language)):
        assert name in known, name
    for name in code:
        if name.endswith((".toml", ".csv")):
            assert (ROOT / "data" / name).is_file(), name
    assert (ROOT / "geo" / "deploy" / "README.md").is_file()


@pytest.mark.parametrize("language", LANGUAGES)
def test_links_go_to_chapters_that_are_there(language):
    names = {chapter.name for chapter in chapters(language)}
    targets = re.findall(r'href="#([^"]+)"', _page(language))
    assert set(targets) == names
    assert len(targets) > len(names)


def test_html_links_elsewhere_and_braces_in_code_are_only_text():
    html = render(
        "<img src=x onerror=alert(1)> [a](https://example.org) [b](javascript:x) `{word x.y}`",
        "zh",
        CATEGORIES,
    )
    assert "<img" not in html
    assert "<a" not in html
    assert "{word x.y}" in html


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_status_is_drawn_and_named(language):
    html = _page(language)
    assert html.count("<svg") == len(CATEGORIES.codes)
    for status in CATEGORIES.statuses:
        kind = CATEGORIES.kind(status.kind)
        assert symbol_svg(kind.shape, status) in html
        assert status.label[language] in _text(html)


def test_symbols_differ_where_categories_do():
    drawn = [symbol_svg(CATEGORIES.kind(s.kind).shape, s) for s in CATEGORIES.statuses]
    # 待核实 of two kinds differ by shape; nothing is drawn twice.
    assert len(set(drawn)) == len(drawn)


@pytest.fixture
def client(shared_library):
    with TestClient(Starlette(routes=routes())) as opened:
        yield opened


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_and_all_it_asks_for_are_served_without_a_script(client, language):
    reply = client.get(f"/baita/guide/{language}")
    assert reply.status_code == 200
    assert reply.headers["content-security-policy"] == GUIDE_POLICY
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert "<script" not in reply.text
    assert "style=" not in reply.text  # the policy would not let it
    asked = re.findall(r'(?:src|link rel="stylesheet" href)="([^"]+)"', reply.text)
    assert len(asked) == 10
    for address in asked:
        found = client.get(f"/baita/guide/{address}")
        assert found.status_code == 200, address
        assert found.headers["content-type"].split(";")[0] in ("image/webp", "text/css")


@pytest.mark.parametrize(
    "address", ["fr", "picture/none-zh.webp", "picture/first-fr.webp", "picture/..%2Fx-zh.webp"]
)
def test_what_is_not_there_is_not_found(client, address):
    assert client.get(f"/baita/guide/{address}").status_code == 404


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_tour_has_words_for_each_step_of_its_script(language):
    script = (ROOT / "geo" / "ui" / "tour.js").read_text(encoding="utf-8")
    steps = re.findall(r"^    (\w+): (?:own|its)\(", script, re.M)
    words = load_text(language)["map"]["tour"]
    assert len(steps) == 5
    assert set(steps) == {name for name, said in words.items() if isinstance(said, dict)}
    assert all(set(words[name]) == {"title", "text"} for name in steps)
