"""A title says what is shown, and a subtitle everything that narrows it."""

from datetime import date

import pytest

from geo.category import load_categories
from geo.ui.describe import subtitle_of, title_of
from geo.ui.text import load_text
from geo.view import NO_STREET, SiteFilter

CATEGORIES = load_categories()
ZH, EN = load_text("zh"), load_text("en")


def _title(chosen, language="zh"):
    text = load_text(language)
    return title_of(chosen, CATEGORIES, text, language=language, district="白塔区")


def _subtitle(chosen, language="zh"):
    return subtitle_of(chosen, CATEGORIES, load_text(language), language=language)


def _all_but(*kinds):
    return frozenset(key for key in CATEGORIES.codes if key.split(".")[0] not in kinds)


def test_everything_is_called_one_map():
    assert _title(SiteFilter()) == "白塔区一张图"
    assert _title(SiteFilter(), "en") == "白塔区: one map"
    assert _subtitle(SiteFilter()) == ""


def test_one_kind_names_the_kind():
    chosen = SiteFilter(hidden=_all_but("enterprise"))
    assert _title(chosen) == "白塔区企业复工一张图"
    assert _subtitle(chosen) == ""


def test_one_status_is_named_below():
    hidden = frozenset(CATEGORIES.codes) - {"enterprise.stopped"}
    assert _subtitle(SiteFilter(hidden=hidden)) == "仅看：未复工"


def test_every_other_part_of_a_filter_is_named_below():
    chosen = SiteFilter(
        text="新华路",
        streets=("南门街道", NO_STREET),
        precisions=("road",),
        until=date(2020, 3, 11),
    )
    assert _subtitle(chosen) == (
        "搜索“新华路” ｜ 街道：南门街道、未注明 ｜ 精度：道路级 ｜ 日期不晚于 2020-03-11"
    )


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        (SiteFilter(as_of=date(2020, 3, 11)), "截至 2020-03-11"),
        (SiteFilter(since=date(2020, 3, 11)), "较 2020-03-11"),
        (
            SiteFilter(as_of=date(2020, 3, 18), since=date(2020, 3, 11), text="路"),
            "截至 2020-03-18，较 2020-03-11 ｜ 搜索“路”",
        ),
    ],
)
def test_the_day_and_what_it_is_compared_with_come_first(chosen, said):
    assert _subtitle(chosen) == said


def test_nothing_shown_still_has_a_title():
    assert _title(SiteFilter(hidden=frozenset(CATEGORIES.codes))) == "白塔区一张图"
