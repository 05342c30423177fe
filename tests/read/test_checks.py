import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.read.checks import CODES, check_figures
from geo.read.figures import read_figures
from geo.read.prose import heal
from geo.site import Claim, Source

SEED = Path(__file__).resolve().parents[2] / "../shared/seed"


def _claims(
    claim_id, *, sector="", metric="重点企业", scope="甲水区", unit="户", quote="", **values
):
    """Return the claims of one group: role=value, a rate in %."""
    return [
        Claim(
            claim_id,
            scope,
            sector,
            metric,
            role,
            float(value),
            "%" if role in ("rate", "growth") else unit,
            source=Source("通报.txt", "字 0–9", quote),
        )
        for role, value in values.items()
    ]


def _codes(claims, **options):
    return [(check.code, check.ok) for check in check_figures(claims, **options)]


def _only(claims, **options):
    (check,) = check_figures(claims, **options)
    return check


def test_the_page_the_project_starts_from_comes_out_as_expected():
    if not (SEED / "expected.json").exists():
        pytest.skip("the starting page is not on this machine")
    prose = heal((SEED / "bulletin.txt").read_text(encoding="utf-8"))
    found = read_figures(prose, file="bulletin.txt", district="白塔区")
    checks = check_figures([one.claim for one in found], rows={"project": 10})
    told = {(c.expression, c.ok, c.printed) for c in checks}
    expected = json.loads((SEED / "expected.json").read_text(encoding="utf-8"))["checks"]
    spelled = {
        "C9": "2100==2100",
        "C11": "10<=40",
        "C12": "202.7/(1+6%)",
    }
    for item in expected:
        expression = spelled.get(item["id"], item["expression"])
        assert (expression, item["ok"], item["printed"]) in told, item["id"]
    assert {c.code for c in checks if c.ok is False} == set()


WHOLE = _claims("a", total=48, resumed=45)
PARTS = [
    *_claims("a.1", sector="农事", total=3, resumed=3),
    *_claims("a.2", sector="规上工业", total=9, resumed=9),
    *_claims("a.3", sector="规上服务业", total=36, resumed=33, rate=91.7),
]


def test_parts_are_added_up_to_the_printed_total_role_by_role():
    checks = check_figures(WHOLE + PARTS)
    sums = [c for c in checks if c.code == "sum_fits"]
    assert [(c.expression, c.computed, c.printed) for c in sums] == [
        ("3+9+36", 48, 48),
        ("3+9+33", 45, 45),
    ]
    assert sums[0].refs == ("a", "a.1", "a.2", "a.3")


def test_sectors_behind_a_whole_are_its_parts_without_ids_only_if_they_add_up():
    flat = [
        *WHOLE,
        *_claims("b", sector="农事", total=12, resumed=12),
        *_claims("c", sector="工业", total=36, resumed=33),
    ]
    assert ("sum_fits", True) in _codes(flat)
    odd = [
        *WHOLE,
        *_claims("b", sector="农事", total=12, resumed=12),
        *_claims("c", sector="工业", total=35, resumed=32),
    ]
    assert not [code for code, _ in _codes(odd) if code.startswith("sum")]


@pytest.mark.parametrize(
    ("numbers", "verdict"),
    [
        ((3, 9, 36), ("sum_fits", True)),
        ((3, 9, 35), ("sum_differs", False)),
        ((3, 9, 37), ("sum_differs", False)),
        ((3, 9), ("sum_short", None)),
    ],
)
def test_a_sum_fits_differs_or_leaves_parts_unnamed(numbers, verdict):
    parts = [
        c
        for n, value in enumerate(numbers)
        for c in _claims(f"a.{n}", sector=f"业{n}", total=value)
    ]
    assert _codes([*_claims("a", total=48), *parts]) == [verdict]


def test_a_total_that_does_not_add_up_is_wrong_where_the_resumed_do():
    parts = [
        *_claims("a.1", sector="农事", total=3, resumed=12),
        *_claims("a.2", sector="工业", total=20, resumed=33),
    ]
    checks = [c for c in check_figures(WHOLE + parts) if c.code.startswith("sum")]
    assert [(c.code, c.computed) for c in checks] == [("sum_differs", 23), ("sum_fits", 45)]
    assert checks[0].fields["difference"] == "25"


@pytest.mark.parametrize(
    ("part", "whole", "rate", "quote", "code"),
    [
        (33, 36, 91.7, "", "rate_rounded"),
        (33, 36, 91.6, "", "rate_truncated"),
        (2, 3, 66.6, "", "rate_truncated"),
        (2, 3, 66.7, "", "rate_rounded"),
        (2, 3, 67, "", "rate_rounded"),
        (2, 3, 66, "", "rate_truncated"),
        (551, 680, 81.03, "", "rate_rounded"),
        (45, 48, 93.75, "", "rate_exact"),
        (23, 25, 92, "复工率92.0%", "rate_exact"),
        (919, 1000, 92, "复工率92%", "rate_rounded"),
        (919, 1000, 92, "复工率92.0%", "rate_differs"),
        (33, 36, 91.8, "", "rate_differs"),
        (1, 8, 12.5, "", "rate_exact"),
    ],
)
def test_a_rate_is_exact_rounded_truncated_or_wrong(part, whole, rate, quote, code):
    check = _only(_claims("a", total=whole, resumed=part, rate=rate, quote=quote))
    assert check.code == code
    assert check.ok is (code != "rate_differs")
    assert check.printed == rate
    assert check.computed == round(part / whole * 100, 4)


def test_a_rate_printed_beside_the_wrong_figures_is_named():
    claims = [
        *_claims("a", total=48, resumed=45, rate=91.7),
        *_claims("a.1", sector="规上服务业", metric="企业", total=36, resumed=33),
    ]
    wrong = next(c for c in check_figures(claims) if c.code == "rate_wrong_base")
    assert (wrong.ok, wrong.computed, wrong.printed) == (False, 93.75, 91.7)
    assert wrong.refs == ("a", "a.1")
    assert wrong.fields["other_expression"] == "33/36*100"
    assert "规上服务业" in wrong.fields["other"]


def test_a_rate_over_another_groups_total_is_named_too():
    claims = [
        *_claims("a", total=48, resumed=45),
        *_claims("a.1", sector="规上服务业", total=36, resumed=33, rate=68.75),
    ]
    wrong = next(c for c in check_figures(claims) if c.code == "rate_wrong_base")
    assert wrong.fields["other_expression"] == "33/48*100"


def test_one_other_group_explains_a_rate_better_than_two():
    part = _claims("a.1", sector="服务业", metric="企业", total=6, resumed=3)
    checks = check_figures([*_claims("a", total=10, resumed=3, rate=50), *part])
    wrong = next(c for c in checks if c.code == "rate_wrong_base")
    assert wrong.fields["other"] == "甲水区服务业企业"


def test_a_rate_alone_cannot_be_checked_and_one_not_printed_is_only_derived():
    assert _codes(_claims("a", rate=91.7)) == [("rate_unchecked", None)]
    check = _only(WHOLE)
    assert (check.code, check.ok, check.expression) == ("rate_derived", None, "45/48*100")
    assert (check.computed, check.printed) == (93.75, None)


def test_a_lone_rate_that_fits_other_figures_says_which():
    claims = [
        *_claims("a", rate=91.7),
        *_claims("b", sector="服务业", metric="服务业企业", total=36, resumed=33, rate=91.7),
    ]
    check = check_figures(claims)[0]
    assert (check.code, check.ok) == ("rate_fits_other", None)
    assert check.refs == ("a", "b")


def test_what_is_left_over_is_never_worked_out():
    claims = [*_claims("a", total=345, metric="监管企业"), *_claims("b", resumed=88, metric="宾馆")]
    assert all(c.computed != 257 and "-" not in c.expression for c in check_figures(claims))


def test_resumed_and_stopped_make_the_total():
    assert ("sum_fits", True) in _codes(_claims("a", total=22, resumed=20, stopped=2))
    assert ("sum_differs", False) in _codes(_claims("a", total=22, resumed=20, stopped=3))


def test_a_part_is_no_larger_than_its_whole():
    check = _only(_claims("a", total=40, subset=13, metric="重点项目"))
    assert (check.code, check.ok, check.expression, check.printed) == (
        "part_within",
        True,
        "13<=40",
        None,
    )
    assert _only(_claims("a", total=13, subset=40)).ok is False
    assert ("part_exceeds", False) in _codes(_claims("a", total=30, resumed=33))
    assert _codes([*_claims("a", total=345), *_claims("a.1", sector="宾馆", total=187)]) == [
        ("part_within", True)
    ]


def test_a_part_with_no_total_of_its_own_is_held_against_the_total_that_names_it():
    claims = [
        *_claims("a", total=187, metric="宾馆和洗浴场所", sector="宾馆洗浴"),
        *_claims("b", resumed=88, metric="宾馆", sector="宾馆"),
    ]
    assert _codes(claims) == [("part_within_if", True)]


def test_one_figure_stated_twice_is_the_same_or_a_contradiction():
    assert _codes([*_claims("a", total=48), *_claims("b", total=48)]) == [("repeat_same", True)]
    assert _codes([*_claims("a", total=48), *_claims("b", total=50)]) == [("repeat_differs", False)]
    # Counts of one name may be two matters; another scope is another figure.
    assert _codes([*_claims("a", count=4), *_claims("b", count=5)]) == [("repeat_unclear", None)]
    assert _codes([*_claims("a", total=48), *_claims("b", total=50, scope="东岗街道")]) == []


def test_rows_counted_are_held_against_the_first_total_of_their_kind():
    claims = _claims("a", total=40, metric="重点项目", unit="项")
    check = _only(claims, rows={"project": 10})
    assert (check.code, check.ok, check.computed, check.printed) == ("rows_within", True, 10, 40)
    assert _only(claims, rows={"project": 40}).ok is True
    assert _only(claims, rows={"project": 41}).ok is False
    assert check_figures(claims, rows={"enterprise": 10}) == []
    both = check_figures(WHOLE, rows={"enterprise": 5, "enterprise.resumed": 46})
    assert [(c.code, c.ok) for c in both[1:]] == [("rows_within", True), ("rows_exceed", False)]


def test_the_base_of_a_target_is_derived():
    claims = [
        Claim("g", "甲水区", "", "地区生产总值", "value", 202.7, "亿元", "target"),
        Claim("g", "甲水区", "", "地区生产总值", "growth", 6.0, "%", "target"),
    ]
    check = _only(claims)
    assert (check.code, check.ok, check.computed, check.printed) == (
        "base_derived",
        None,
        191.2,
        None,
    )


def test_a_figure_that_is_not_exact_proves_nothing_wrong():
    whole = [Claim("a", "甲水区", "", "企业", "total", 50.0, "户", approx="余")]
    parts = [*_claims("a.1", sector="农事", total=12), *_claims("a.2", sector="工业", total=40)]
    assert _codes(whole + parts) == [("sum_approximate", None)]
    rate = [*whole, *_claims("a", resumed=33, rate=61.0)]
    assert _codes(rate) == [("rate_approximate", None)]


def test_a_whole_of_nothing_is_not_divided_by():
    assert _codes(_claims("a", total=0, resumed=0, rate=0)) == [("rate_unchecked", None)]


numbers = st.integers(0, 60) | st.sampled_from([0.5, 91.7, 1e9])
groups = st.lists(
    st.dictionaries(
        st.sampled_from(
            ("total", "resumed", "part", "rate", "stopped", "subset", "count", "value", "growth")
        ),
        numbers,
        min_size=1,
    ),
    max_size=6,
)


@given(found=groups, ids=st.permutations(["a", "a.1", "a.2", "b", "b.1", "c"]))
def test_any_figures_can_be_checked_and_every_check_names_its_claims(found, ids):
    claims = [
        c
        for name, roles in zip(ids, found, strict=False)
        for c in _claims(name, sector=name[2:], **roles)
    ]
    for check in check_figures(claims, rows={"enterprise": 3}):
        assert check.code in CODES
        assert check.refs
        assert set(check.refs) <= {claim.claim_id for claim in claims}
        assert check.ok is None or check.printed is not None or "<=" in check.expression
