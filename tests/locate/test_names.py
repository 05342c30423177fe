import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.locate.names import (
    HOME,
    elsewhere,
    home_names,
    is_home,
    normalise_name,
    simplify,
    sound,
    spelling,
)


@pytest.mark.parametrize(
    ("written", "compared"),
    [
        ("辽阳市白塔区新华路", "新华路"),
        ("辽宁省辽阳市白塔区中华大街一段１号", "中华大街一段1号"),
        ("辽宁易发式电气设备有限公司", "辽宁易发式电气设备"),
        ("易发式电气设备股份有限公司", "易发式电气设备"),
        ("辽阳农村商业银行（白塔支行）", "辽阳农商银行白塔支行"),
        ("鸿飞金融中心（一期）", "鸿飞金融中心一期"),
        (" 新 华 路 ", "新华路"),
        ("白塔区", "白塔区"),
        ("辽阳市白塔区", "白塔区"),
        ("有限公司", "有限公司"),
        ("辽阳站", "辽阳站"),
        ("辽阳市白塔区辽阳市铁益农业科技有限责任公司", "铁益农业科技"),
        ("白塔区辽阳市新华路", "新华路"),
        ("辽阳农商行总部", "辽阳农商银行总部"),
        ("辽阳农村商业银行股份有限公司白塔支行", "辽阳农商银行白塔支行"),
        ("中国工商银行武圣支行", "工商银行武圣支行"),
        ("工行武圣支行", "工商银行武圣支行"),
        ("中国建行大厦", "建设银行大厦"),
        ("化工行业协会", "化工行业协会"),
        ("中国银行白塔支行", "中国银行白塔支行"),
        ("青年街社区居民委员会", "青年街社区"),
        ("武圣街道办事处", "武圣街道"),
        ("遼陽農村商業銀行（白塔支行）", "辽阳农商银行白塔支行"),
        ("新華路五百二十六號", "新华路526号"),
        ("新华路五二六号", "新华路526号"),
        ("新华路门牌526号", "新华路526号"),
        ("新华路№526号", "新华路526号"),
        ("新华路526", "新华路526号"),
        ("永寿胡同58—2号", "永寿胡同58-2号"),
        ("永寿胡同５８之２號", "永寿胡同58-2号"),
        ("中华大街1段60号", "中华大街一段60号"),
        ("富虹4期", "富虹四期"),
        ("百号大院", "百号大院"),
        ("二一九路", "二一九路"),
        ("北京市武圣路", "北京市武圣路"),
        ("沈阳市白塔小学", "沈阳市白塔小学"),
        ("", ""),
    ],
)
def test_two_spellings_of_one_place_compare_equal(written, compared):
    assert normalise_name(written) == compared


@pytest.mark.parametrize(
    ("counted", "number"),
    [
        ("一", "1"),
        ("十", "10"),
        ("十二", "12"),
        ("二十", "20"),
        ("一百零五", "105"),
        ("二百十六", "216"),
        ("一千零一", "1001"),
        ("二〇", "20"),
        ("百", "百"),
        ("十百", "十百"),
        ("一二十", "一二十"),
    ],
)
def test_a_number_in_characters_is_that_number_or_stays(counted, number):
    assert normalise_name(f"甲路{counted}号") == f"甲路{number}号"


def test_a_character_of_both_scripts_changes_only_in_a_traditional_text():
    assert simplify("乾丰著名大厦") == "乾丰著名大厦"
    assert simplify("乾豐大廈") == "干丰大厦"
    assert spelling(" 遼陽（白塔）Ａ座 ") == "辽阳白塔a座"


@given(st.text())
def test_simplifying_keeps_every_character_in_its_place_and_does_nothing_twice(text):
    once = simplify(text)
    assert len(once) == len(text)
    assert simplify(once) == once


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("鸿宇", "宏宇"),
        ("武圣路", "吾胜路"),
        ("建行", "建航"),
        ("青", "亲"),
        ("常", "藏"),
        ("中", "宗"),
    ],
)
def test_characters_that_sound_alike_sound_the_same(one, other):
    assert sound(one) == sound(other)


def test_other_characters_sound_as_they_are_written():
    assert sound("A座12号")[0] == "A"
    assert sound("A座12号")[2:4] == "12"
    assert sound("东") != sound("西")
    assert len(sound("辽阳A座")) == 4


@given(st.text(alphabet="辽宁省阳市白塔区新华路 （）()有限责任公司农村商业银行1a", max_size=30))
def test_nothing_becomes_a_name_and_a_name_never_becomes_nothing(name):
    assert bool(normalise_name(name)) == bool(name.strip(" （）()"))


@pytest.mark.parametrize(
    ("address", "region"),
    [
        ("北京市朝阳区武圣路", "北京市"),
        ("北京", "北京"),
        ("北京武圣路", "北京"),
        ("吉林辽源", "吉林"),
        ("辽源市龙山区", "辽源市"),
        ("辽阳县首山镇新华路17号", "辽阳县"),
        ("首山镇新华路17号", "首山镇"),
        ("辽阳首山镇新华路17号", "首山镇"),
        ("沈阳市浑南区", "沈阳市"),
        ("辽宁省沈阳市白塔小学", "沈阳市"),
        ("辽阳市太子河区", "太子河区"),
        ("武圣路（北京市朝阳区）", "北京市"),
        ("遼陽縣首山鎮新華路17號", "辽阳县"),
        ("瀋陽市渾南區", "沈阳市"),
    ],
)
def test_an_address_in_another_region_is_known_for_one(address, region):
    assert elsewhere(address) == region


@pytest.mark.parametrize(
    "address",
    [
        "",
        "辽宁省辽阳市白塔区中华大街一段1号",
        "辽阳站旁",
        "武圣街道",
        "青年街社区",
        "北京路12号",
        "朝阳街3号",
        "沈阳大街",
        "上海银行旁",
        "新民市场",
        "老乡鸡快餐",
        "开发区",
        "富虹4期小区",
    ],
)
def test_an_address_here_is_not_taken_for_another_region(address):
    assert elsewhere(address) == ""


def test_the_district_is_known_by_all_its_names_and_by_nothing_else():
    for text in ("", "辽阳", "辽阳市", "白塔区", "辽宁省辽阳市白塔区", "辽宁 辽阳", "遼陽市"):
        assert is_home(text)
    for text in ("沈阳", "辽阳县", "白塔小学", "辽阳站"):
        assert not is_home(text)


def test_the_names_of_a_district_come_from_its_code():
    assert home_names("211002") == HOME
    assert home_names("999999") == ()
