import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.locate.names import HOME, elsewhere, home_names, is_home, normalise_name


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
        ("北京市武圣路", "北京市武圣路"),
        ("沈阳市白塔小学", "沈阳市白塔小学"),
        ("", ""),
    ],
)
def test_two_spellings_of_one_place_compare_equal(written, compared):
    assert normalise_name(written) == compared


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
    for text in ("", "辽阳", "辽阳市", "白塔区", "辽宁省辽阳市白塔区", "辽宁 辽阳"):
        assert is_home(text)
    for text in ("沈阳", "辽阳县", "白塔小学", "辽阳站"):
        assert not is_home(text)


def test_the_names_of_a_district_come_from_its_code():
    assert home_names("211002") == HOME
    assert home_names("999999") == ()
