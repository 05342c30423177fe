"""Healed text reads as people meant it, and every character of it can be shown in the file."""

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from geo.read.prose import heal

# Text like a bulletin's: what cuts words, widens, hides or changes script, more often than chance would have it.
_PIECES = st.sampled_from(
    list('\n\r\t ,.:;!?()"，。：；、“”（）《》「」\u200b\ufeff\u3000%０９①½²㎡ＡZa1')
    + list("企業复復乾著后於辽阳市公司路街已未将一二")
    + [
        "\r\n",
        "\n\n",
        "有限公司",
        "1,200",
        "91.7%",
        "3月10日",
        "一、",
        "1.",
        "📍",
        "本报讯",
        "…",
        "...",
    ]
)
_TEXT = st.one_of(st.text(), st.lists(_PIECES, max_size=40).map("".join))


@given(raw=_TEXT)
@example(raw="\ud800")
@example(raw="甲,\n.乙")
def test_healing_twice_is_healing_once(raw):
    once = heal(raw)
    assert heal(once.text).text == once.text


@given(raw=_TEXT)
def test_every_healed_character_comes_from_one_character_of_the_file_in_order(raw):
    prose = heal(raw)
    assert len(prose.origins) == len(prose.text)
    assert list(prose.origins) == sorted(prose.origins)
    first, last = prose.raw_span(0, len(prose.text))
    assert 0 <= first <= last <= len(raw)
    for n in range(len(prose.text)):
        start, end = prose.raw_span(n, n + 1)
        assert end == start + 1
        assert prose.raw_quote(n, n + 1) == raw[start:end]


@given(raw=_TEXT)
def test_sentences_and_paragraphs_cover_all_but_line_ends(raw):
    prose = heal(raw)
    for spans in (prose.sentences(), prose.paragraphs()):
        text = "".join(prose.text[start:end] for start, end in spans)
        assert text == prose.text.replace("\n", "")
        assert all(a[1] <= b[0] for a, b in pairwise(spans))
    assert set(prose.headlines()) <= set(prose.paragraphs())


@pytest.mark.parametrize(
    ("raw", "healed"),
    [
        ("在辽阳鸿宇晶体有限公\n\n司,一派景象。", "在辽阳鸿宇晶体有限公司，一派景象。"),
        ("送来了2箱方便\n\n面,希望保重。", "送来了2箱方便面，希望保重。"),
        ("已复工.", "已复工。"),
        ("复工率91.7%,共1,200家", "复工率91.7%，共1,200家"),
        ("上午10:30开工:一切就绪", "上午10:30开工：一切就绪"),
        ("共（３）家，１２００人", "共（3）家，1200人"),
        ("①48家", "①48家"),
        ("面积30m²,约½", "面积30m²，约½"),
        ("復業的商戶「已復工」", "复业的商户“已复工”"),
        ('他说"已复工"。', "他说“已复工”。"),
        ("复\u200b工\ufeff", "复工"),
        ("第一段。\n\n第二段。", "第一段。\n第二段。"),
        ("标题一行字\n本报讯 记者张三报道", "标题一行字\n本报讯 记者张三报道"),
        ("名单如下:\n甲公司\n乙公司", "名单如下：\n甲公司\n乙公司"),
        ("企业名称:甲\n状态:已复工", "企业名称：甲\n状态：已复工"),
        ("\u3000\u3000段首缩进。", "段首缩进。"),
        ("甲\t乙", "甲\t乙"),
        ("Smart,\nCity", "Smart，City"),
    ],
)
def test_worked_examples(raw, healed):
    assert heal(raw).text == healed


def test_a_character_used_in_both_scripts_is_changed_only_in_a_traditional_text():
    simplified = "乾元大厦已复工。" + "名著广场一切正常。" * 20
    assert heal(simplified + "復").text == simplified + "复"
    assert heal("臺灣街的餘糧於乾燥處存放。").text.startswith("台湾街的余粮于干")


def test_a_text_wrapped_by_a_pdf_is_closed_up():
    lines = [
        "按照市里统一部署我局对全区限额以上商贸企业逐户",
        "走访截至目前全区限上商贸企业六十一户已复工五十",
        "四户复工率百分之八十八有关情况现在报告如下各位",
        "请阅。",
    ]
    assert heal("\n".join(lines)).text == "".join(lines)


def test_a_cut_name_is_quoted_as_it_stands_in_the_file():
    raw = "同样,在辽阳鸿宇晶体有限公\n\n司,一派景象。"
    prose = heal(raw)
    start = prose.text.index("辽阳鸿宇")
    span = prose.raw_span(start, start + len("辽阳鸿宇晶体有限公司"))
    assert raw[slice(*span)] == "辽阳鸿宇晶体有限公\n\n司"


def test_a_span_outside_the_text_is_refused():
    with pytest.raises(ValueError, match="0-9"):
        heal("短").raw_span(0, 9)


def test_headlines_stand_over_text_and_bylines_and_forms_do_not():
    prose = heal(
        "复工按下快进键\n本报记者 张三\n3月1日,全区企业陆续复工复产。\n名称:甲公司\n完毕了,就是这样,谢谢大家。"
    )
    assert [prose.text[slice(*span)] for span in prose.headlines()] == ["复工按下快进键"]


@pytest.mark.parametrize(
    "raw", ["（" * 5000, "复" * 5000 + "\n", "甲\n" * 3000, '"' * 5001, "\n" * 9000]
)
def test_odd_texts_come_back(raw):
    assert heal(raw).raw == raw


def test_a_remark_in_brackets_behind_a_sentence_ends_the_line():
    text = heal("云岭食品尚未复工。（名称为样例）\n\n星河商务中心要尽早开工。").text
    assert text == "云岭食品尚未复工。（名称为样例）\n星河商务中心要尽早开工。"
    # A bracket inside a sentence does not.
    assert "\n" not in heal("云岭食品，（原名云岭厂）\n\n已全面恢复生产并扩大规模。").text
