import json
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import laws, site_tables

from geo.compare import Comparison, compare_sites, name_key, score_names
from geo.errors import CategoryError
from geo.site import Match, Reason, SiteRecord, Source, make_sites, site_row

NOWHERE = Match(method="none", reason=Reason.NO_COORDINATE)


def _record(name, status="resumed", *, kind="enterprise", where="第 2 行", **fields):
    return SiteRecord(kind, name, status, Source("四月.csv", where), **fields)


def _known(*records):
    return make_sites([site_row(record, NOWHERE) for record in records])


def _names(entries):
    return [entry.name for entry in entries]


# --- worked examples --------------------------------------------------------------------------------


def test_two_bulletins_are_told_apart_site_by_site():
    before = _known(
        _record("东港铸造有限公司", "stopped"),
        _record("青山纸业", "resumed"),
        _record("老酒厂", "stopped"),
    )
    after = [
        _record("东港铸造有限公司", "resumed"),
        _record("青山纸业", "resumed"),
        _record("新港冷链"),
    ]
    found = compare_sites(before, after)
    assert found.counts() == {
        "new": 1, "gone": 1, "changed": 1, "same": 1, "conflicting": 0, "doubtful": 0,
    }  # fmt: skip
    (change,) = found.changed[0].changes
    assert (change.field, change.old, change.new) == ("status", "stopped", "resumed")
    assert (_names(found.new), _names(found.gone)) == (["新港冷链"], ["老酒厂"])
    assert found.changed[0].site_id == before["site_id"][0]


def test_a_site_the_new_source_gives_two_statuses_is_conflicting():
    before = _known(_record("鸿运中心", "starting", kind="project"))
    after = [
        _record("鸿运中心", "starting", kind="project", where="字 1–9"),
        _record("鸿运中心", "building", kind="project", where="字 40–52"),
    ]
    (entry,) = compare_sites(before, after).conflicting
    assert entry.statuses == ("starting", "building")
    assert entry.records == (0, 1)
    assert [source.where for source in entry.sources] == ["字 1–9", "字 40–52"]


def test_two_statuses_for_a_site_nobody_knew_conflict_too():
    found = compare_sites(
        _known(), [_record("鸿运中心", "resumed"), _record("鸿运 中心", "stopped")]
    )
    assert found.counts()["conflicting"] == 1
    assert found.conflicting[0].site_id == ""


def test_a_source_that_does_not_know_the_status_changes_nothing():
    before = _known(_record("东港铸造", "resumed"))
    assert compare_sites(before, [_record("东港铸造", "unverified")]).counts()["same"] == 1
    both = [_record("东港铸造", "unverified"), _record("东港铸造", "resumed")]
    assert compare_sites(before, both).counts()["same"] == 1


def test_an_empty_field_of_the_new_source_says_nothing():
    before = _known(_record("东港铸造", place="港口路8号", street="东岗街道"))
    found = compare_sites(before, [_record("东港铸造", place="港口路 9 号")])
    (change,) = found.changed[0].changes
    assert (change.field, change.old, change.new) == ("place", "港口路8号", "港口路 9 号")


def test_names_that_are_only_alike_wait_for_a_person():
    before = _known(_record("星火机械制造厂"), _record("白云面粉厂"))
    found = compare_sites(before, [_record("星火机械制造总厂", "stopped")])
    (entry,) = found.doubtful
    assert [(c.site_id, c.name) for c in entry.candidates] == [
        (before["site_id"][0], "星火机械制造厂")
    ]
    assert entry.candidates[0].score > 80
    assert _names(found.gone) == ["白云面粉厂"]
    assert found.new == [] == found.changed


def test_a_name_inside_another_is_doubtful_and_another_phase_is_new():
    before = _known(
        _record("辽宁易成电气设备有限公司"), _record("富康小区3期", "building", kind="project")
    )
    after = [_record("易成电气"), _record("富康小区4期", "building", kind="project")]
    found = compare_sites(before, after)
    assert _names(found.doubtful) == ["易成电气"]
    assert _names(found.new) == ["富康小区4期"]
    assert _names(found.gone) == ["富康小区3期"]


def test_a_record_that_may_mean_either_of_two_namesakes_is_doubtful():
    before = _known(_record("便民超市", site_id="a"), _record("便民超市", site_id="b"))
    found = compare_sites(before, [_record("便民超市", site_id="x")])
    assert [c.site_id for c in found.doubtful[0].candidates] == ["a", "b"]
    assert found.gone == []


def test_a_namesake_already_asked_about_is_not_offered_again():
    before = _known(_record("便民超市", site_id="a"), _record("便民超市", site_id="b"))
    found = compare_sites(
        before, [_record("便民超市", site_id="x"), _record("便民超市店", site_id="y")]
    )
    assert _names(found.doubtful) == ["便民超市"]
    assert _names(found.new) == ["便民超市店"]


def test_an_id_that_both_give_goes_before_the_name():
    before = _known(_record("老名字商贸", site_id="e-1"))
    found = compare_sites(before, [_record("新名字物流", site_id="e-1")])
    (change,) = found.changed[0].changes
    assert (change.field, change.old, change.new) == ("name", "老名字商贸", "新名字物流")


def test_a_name_of_another_kind_is_another_site():
    before = _known(_record("站前广场", "building", kind="project"))
    found = compare_sites(before, [_record("站前广场", "resumed")])
    assert (_names(found.new), _names(found.gone)) == (["站前广场"], ["站前广场"])


def test_the_comparison_is_ready_for_json():
    before = _known(_record("东港铸造", "stopped", as_of=date(2020, 3, 4)), _record("老酒厂"))
    found = compare_sites(before, [_record("东港铸造", as_of=date(2020, 3, 11))]).as_dict()
    assert json.loads(json.dumps(found, ensure_ascii=False)) == json.loads(json.dumps(found))
    assert found["counts"]["changed"] == 1
    assert found["changed"][0]["as_of"] == "2020-03-11"
    assert found["changed"][0]["changes"] == (
        {"field": "status", "old": "stopped", "new": "resumed"},
    )
    assert found["gone"][0]["sources"][0]["file"] == "四月.csv"


def test_a_kind_that_does_not_exist_is_refused():
    with pytest.raises(CategoryError, match="factory"):
        compare_sites(_known(), [_record("东港铸造", kind="factory")])


# --- names ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("辽阳市白塔区东港铸造有限公司", "东港铸造股份有限公司"),
        ("辽宁东港铸造有限公司", "东港铸造公司"),
        ("东港铸造（集团）有限责任公司", "东港铸造集团"),
        ("辽阳农村商业银行白塔支行", "辽阳农商行 白塔支行"),
        ("Ａ座商务楼", "a座商务楼"),
    ],
)
def test_spellings_of_one_name_are_one(one, other):
    assert name_key(one) == name_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("北京市武圣路", "武圣路"),
        ("辽阳站", "站"),
        ("白塔区", ""),
        ("有限公司", ""),
        ("东港铸造一期", "东港铸造二期"),
        ("辽阳宾馆", "宾馆"),
    ],
)
def test_names_of_different_places_stay_apart(one, other):
    assert name_key(one) != name_key(other)


def test_the_home_district_can_be_another():
    home = ("河北省", "云州市", "青禾区")
    assert name_key("云州市青禾区第一小学", home=home) == "第一小学"
    assert name_key("白塔区第一小学", home=home) == "白塔区第一小学"


def test_other_numbers_make_other_names():
    assert score_names("富康小区3号楼", "富康小区5号楼") == 0
    assert score_names("三号路南标段", "四号路南标段") == 0


# --- laws -------------------------------------------------------------------------------------------

LISTS = tuple(Comparison.__slots__)
STATUSES = ("resumed", "stopped", "unverified")
LAW_NAMES = (
    "东港铸造有限公司",
    "东港铸造",
    "东港铸造厂",
    "东岗铸造厂",
    "青山纸业",
    "青 山纸业",
    "新华路",
    " ",
    "",
)
records = st.builds(
    lambda name, status, site_id, street: _record(name, status, site_id=site_id, street=street),
    st.sampled_from(LAW_NAMES),
    st.sampled_from(STATUSES),
    st.sampled_from(("", "", "s0", "s1", "x9")),
    st.sampled_from(("", "东岗街道", "河湾街道")),
)


@laws
@given(sites=site_tables())
def test_a_table_compared_with_itself_is_all_the_same(sites):
    found = compare_sites(sites, sites)
    assert sorted(entry.site_id for entry in found.same) == sorted(sites["site_id"])
    assert sum(found.counts().values()) == len(sites)


@laws
@given(said=st.lists(records, max_size=8))
def test_a_source_read_twice_says_nothing_new(said):
    first = list({record.site_id: record for record in said}.values())
    found = compare_sites(_known(*first), first)
    assert found.counts()["same"] == len(first)


@laws
@given(sites=site_tables() | st.lists(records, max_size=6, unique_by=lambda r: r.site_id).map(
    lambda rows: _known(*rows)), said=st.lists(records, max_size=8))  # fmt: skip
def test_every_record_and_every_known_site_is_in_exactly_one_list(sites, said):
    found = compare_sites(sites, said)
    entries = [entry for name in LISTS for entry in getattr(found, name)]
    assert sorted(n for entry in entries for n in entry.records) == list(range(len(said)))
    ids = [e.site_id for e in entries if e.site_id]
    ids += [candidate.site_id for entry in entries for candidate in entry.candidates]
    assert sorted(ids) == sorted(sites["site_id"])


@laws
@given(sites=site_tables(), other=site_tables())
def test_what_is_gone_one_way_is_new_the_other_way(sites, other):
    there, back = compare_sites(sites, other), compare_sites(other, sites)
    gone = {entry.site_id for entry in there.gone}
    fresh = {sites["site_id"].iloc[n] for entry in back.new for n in entry.records}
    assert fresh <= gone | {c.site_id for entry in there.doubtful for c in entry.candidates}
