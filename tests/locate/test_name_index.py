import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.locate.index import NEAR_MOST, SAME, NameIndex
from geo.locate.names import normalise_name

NAMES = [
    "辽阳鸿宇晶体有限公司",
    "鸿飞金融中心",
    "浩禹金融中心",
    "建行大厦",
    "武圣路",
    "辽阳农村商业银行股份有限公司白塔支行",
    "新华路526号",
    "新华路528号",
    "辽阳市铁益农业科技有限公司",
    "富虹四期",
]
INDEX = NameIndex(NAMES)


def _best(query, index=INDEX):
    hits = index.search(query)
    return NAMES[hits[0].position] if hits else None


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("鸿飞金融中新", "鸿飞金融中心"),  # typo
        ("鸿飞金中心", "鸿飞金融中心"),  # left out
        ("辽阳宏宇晶体有限公司", "辽阳鸿宇晶体有限公司"),  # homophone
        ("吾胜路", "武圣路"),  # nothing but the sound of two characters
        ("飞鸿金融中心", "鸿飞金融中心"),  # swap
        ("辽宁省辽阳市白塔区鸿飞金融中心", "鸿飞金融中心"),  # prefix
        ("辽阳市辽阳市铁益农业科技有限公司", "辽阳市铁益农业科技有限公司"),
        ("新华路５２８号", "新华路528号"),  # width
        ("遼陽鴻宇晶體有限公司", "辽阳鸿宇晶体有限公司"),  # traditional
        ("鸿宇晶体", "辽阳鸿宇晶体有限公司"),  # abbreviation
        ("辽阳农商行白塔支行", "辽阳农村商业银行股份有限公司白塔支行"),
        ("新华路五百二十八号", "新华路528号"),  # door number
        ("民主路8号鸿飞金融中心", "鸿飞金融中心"),
        ("鸿飞金融中心（民主路8号）", "鸿飞金融中心"),
        ("民主路二段８－２號 鴻飛金融中心", "鸿飞金融中心"),
        ("民主路8—2号浩禹金融中心", "浩禹金融中心"),
        ("辽市阳铁益农业科技有公限司", "辽阳市铁益农业科技有限公司"),  # slips in what is dropped
        ("富虹4期", "富虹四期"),
    ],
)
def test_the_name_that_was_meant_comes_first(written, meant):
    assert _best(written) == meant


def test_only_the_same_name_scores_100_and_every_other_stays_below_the_rule():
    for query in (*NAMES, "鸿飞金融中新", "民主路8号鸿飞金融中心", "浩宇金融中心"):
        for hit in INDEX.search(query):
            same = normalise_name(query) == normalise_name(NAMES[hit.position])
            assert (hit.score == SAME) == same
            assert same or hit.score <= NEAR_MOST < 90


def test_the_margin_is_the_way_to_the_best_other_hit():
    first, second, *_ = INDEX.search("鸿飞金融中心")
    assert first.margin == first.score - second.score > 5
    assert second.margin == second.score - first.score
    [alone] = INDEX.search("武圣路")
    assert alone.margin == alone.score


def test_two_rows_of_one_name_have_no_margin():
    hits = NameIndex(["建行大厦", "建设银行大厦"]).search("建行大厦")
    assert [(hit.score, hit.margin) for hit in hits] == [(100.0, 0.0), (100.0, 0.0)]


def test_a_sound_alike_is_nearer_than_another_character():
    index = NameIndex(["宏达商贸", "宽达商贸"])
    sounds, differs = index.search("鸿达商贸")
    assert (sounds.position, differs.position) == (0, 1)
    assert sounds.score > differs.score + 5
    assert (sounds.reason, differs.reason) == ("1 个同音字", "1 个字不同")


@pytest.mark.parametrize(("written", "meant"), [("鸿雁店", "鸿达店"), ("达鸿", "鸿达")])
def test_a_short_name_is_found_by_what_a_slip_leaves_of_it(written, meant):
    names = ["美容院", "鸿达店", "鸿达", "新店"]
    assert names[NameIndex(names).search(written)[0].position] == meant


def test_another_door_number_is_farther_than_another_character():
    index = NameIndex(["新华路526号", "新港路528号"])
    assert index.search("新华路528号")[0].position == 1


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("鸿飞金融中心", "同名"),
        ("飞鸿金融中心", "“鸿飞”两字颠倒"),
        ("鸿飞金融中新", "1 个同音字"),
        ("鸿飞金融大中心", "多“大”"),
        ("鸿飞金融", "少“中心”"),
        ("民主路8号鸿飞金融中心", "去掉地址后同名"),
        ("鴻飛金融中心（民主路８號）", "去掉地址后同名"),
    ],
)
def test_a_hit_says_in_words_what_differs(query, reason):
    assert INDEX.search(query)[0].reason == reason


def test_only_names_that_may_be_found_are():
    keep = np.array([name != "新华路526号" for name in NAMES])
    found = [hit.position for hit in INDEX.search("新华路526号", keep=keep)]
    assert found[0] == NAMES.index("新华路528号")
    assert NAMES.index("新华路526号") not in found
    assert INDEX.search("新华路526号", keep=np.zeros(len(NAMES), dtype=bool)) == []


@pytest.mark.parametrize("query", ["", " ", "（）", "沈", "xyz", "\ud800", "𠮷"])
def test_what_is_like_nothing_finds_nothing(query):
    assert INDEX.search(query) == []


@pytest.mark.parametrize("names", [[], [""], ["甲"], ["甲", "", "乙"]])
def test_an_index_of_next_to_nothing_is_an_index(names):
    index = NameIndex(names)
    assert len(index) == len(names)
    assert index.search("甲乙丙") == []


def test_a_limit_is_kept_and_the_best_stay():
    every = INDEX.search("金融中心", 10)
    assert INDEX.search("金融中心", 1)[0].position == every[0].position
    assert len(INDEX.search("金融中心", 1)) == 1


def test_an_index_comes_back_from_a_pickle():
    again = pickle.loads(pickle.dumps(INDEX))
    for query in ("鸿飞金融中新", "吾胜路", "新华路528号"):
        assert again.search(query) == INDEX.search(query)


_CHARS = "辽阳鸿宇晶体新华路金融中心武圣街公司宏鸿虹1２号-"
_words = st.text(alphabet=_CHARS, min_size=1, max_size=12)


@given(names=st.lists(_words, min_size=1, max_size=30), picked=st.data())
def test_a_name_finds_all_that_are_the_same(names, picked):
    name = picked.draw(st.sampled_from(names))
    plain = normalise_name(name)
    hits = NameIndex(names).search(name, len(names))
    same = {n for n, other in enumerate(names) if normalise_name(other) == plain}
    assert {hit.position for hit in hits if hit.score == SAME} == same


@given(names=st.lists(_words, max_size=30), query=st.text(max_size=20) | _words)
def test_hits_are_ranked_and_in_range_whatever_is_asked(names, query):
    hits = NameIndex(names).search(query, 7)
    scores = [hit.score for hit in hits]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= hit.score <= 100 and 0 <= hit.position < len(names) for hit in hits)
    assert len({hit.position for hit in hits}) == len(hits) <= 7
