"""Both languages say everything, with the same gaps to fill."""

import re
from pathlib import Path

import pytest

from geo.site import PRECISIONS, Reason
from geo.ui.text import choose_language, load_text

ROOT = Path(__file__).resolve().parents[2]


def _leaves(table, path=()):
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _leaves(value, (*path, key))
        else:
            yield (*path, key), value


def test_both_languages_have_the_same_keys_and_gaps():
    zh, en = (dict(_leaves(load_text(language))) for language in ("zh", "en"))
    assert zh.keys() == en.keys()
    for key, words in zh.items():
        assert set(re.findall(r"\{\w+\}", words)) == set(re.findall(r"\{\w+\}", en[key])), key


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_precision_and_reason_has_a_word(language):
    words = load_text(language)["map"]
    assert set(words["precisions"]) == set(PRECISIONS)
    assert set(words["reasons"]) == {reason.value for reason in Reason} - {""}


@pytest.mark.parametrize(
    ("name", "section"),
    [
        ("map_parts.js", ()),
        ("map_page.js", ()),
        ("map_placer.js", ()),
        ("map_desk.js", ("desk",)),
        ("map_figure.js", ("figure",)),
        ("handout.js", ("handout",)),
    ],
)
def test_every_word_the_script_asks_for_exists(name, section):
    script = (ROOT / "geo" / "draw" / name).read_text(encoding="utf-8")
    asked = set(re.findall(r"\btext\.(\w+)", script)) - {
        *("replace", "normalize", "figure", "handout", "desk", "datums", "undo", "internal")
    }
    words = load_text("zh")["map"]
    for part in section:
        words = words[part]
    assert asked <= set(words)
    assert len(asked) > 1


def test_english_text_has_no_leftover_chinese():
    allowed = {("page", "languages", "zh"), ("notice", "demo"), ("guide", "other")}
    for key, words in _leaves(load_text("en")):
        if key not in allowed and "文 button" not in words:
            assert not re.search(r"[一-鿿]", words), key


@pytest.mark.parametrize(
    ("locale", "language"),
    [("zh-CN", "zh"), ("zh", "zh"), ("ZH-tw", "zh"), ("en-US", "en"), ("de", "en"), (None, "zh")],
)
def test_a_browser_that_is_not_chinese_gets_english(locale, language):
    assert choose_language(locale) == language
