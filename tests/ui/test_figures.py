"""A card repeats what a source states; what is worked out says so; nothing is made up."""

from dataclasses import replace
from datetime import date

from geo.site import Claim, Source
from geo.ui.figures import key_figures
from geo.ui.text import load_text

ZH = load_text("zh")


def _claim(claim_id, role, value, unit="户", kind="fact", metric="重点企业", scope="白塔区"):
    source = Source("报纸版面", "化危为机")
    return Claim(claim_id, scope, "", metric, role, value, unit, kind, source=source)


def test_a_rate_worked_out_here_says_so():
    (card,) = key_figures([_claim("S1", "total", 48), _claim("S1", "resumed", 45)], ZH)
    assert card["value"] == "45/48"
    assert card["share"] == "93.75%"
    assert card["detail"] == "由 45/48 算得"
    assert card["source"] == "来源：报纸版面 · 化危为机"


def test_a_stated_rate_is_shown_as_stated():
    claims = [_claim("S8", "total", 680), _claim("S8", "resumed", 551), _claim("S8", "rate", 81.03)]
    (card,) = key_figures(claims, ZH)
    assert card["share"] == "81.03%"
    assert card["detail"] == "通报原数 81.03%"


def test_a_part_without_a_whole_makes_no_card():
    assert key_figures([_claim("S7", "resumed", 88)], ZH) == []
    assert key_figures([_claim("S0", "total", 0), _claim("S0", "resumed", 0)], ZH) == []


def test_parts_of_different_claims_are_never_put_together():
    assert key_figures([_claim("S6", "total", 187), _claim("S7", "resumed", 88)], ZH) == []


def test_a_target_is_no_key_figure():
    claims = [_claim("T", "total", 10, kind="target"), _claim("T", "resumed", 5, kind="target")]
    assert key_figures(claims, ZH) == []


def test_figures_of_two_sources_are_never_side_by_side():
    old = [_claim("S1", "total", 48), _claim("S1", "resumed", 45)]
    newer = [
        replace(
            one, claim_id="S2", value=one.value + 2, as_of=date(2026, 3, 20), source=Source("周报")
        )
        for one in old
    ]
    for claims in (old + newer, newer + old):
        assert [card["value"] for card in key_figures(claims, ZH)] == ["47/50"]
    undated = [replace(one, as_of=None) for one in newer]
    assert [card["value"] for card in key_figures(old + undated, ZH)] == ["47/50"]


def test_a_part_comes_after_its_whole():
    part = [_claim("S1.1", "total", 9), _claim("S1.1", "resumed", 9)]
    whole = [_claim("S1", "total", 48), _claim("S1", "resumed", 45)]
    assert [card["value"] for card in key_figures(part + whole, ZH)] == ["45/48", "9/9"]
