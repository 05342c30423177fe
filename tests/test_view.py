"""The one filter: worked by hand on six sites, then as laws over any table."""

from dataclasses import replace
from datetime import date, datetime

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from strategies import CATEGORIES, KEYS, filters, hidden_sets, laws, points, site_tables, texts

from geo.category import fold
from geo.errors import CategoryError, FilterError
from geo.site import MAPPED, make_sites
from geo.view import (
    NO_STREET,
    SiteFilter,
    SiteIndex,
    category_codes,
    count_by_status,
    lookup_table,
    provenance,
    select_mask,
    select_sites,
)

POINT = shapely.Point(123.4, 41.3)
ROAD = shapely.LineString([(123.40, 41.30), (123.41, 41.30)])
EVERYTHING = SiteFilter()


def _row(site_id: str, key: str, **given: object) -> dict[str, object]:
    kind, status = key.split(".")
    row = {"site_id": site_id, "kind": kind, "status": status, "name": f"site {site_id}"}
    return row | {"precision": "poi", "geometry": POINT} | given


def _six_sites() -> gpd.GeoDataFrame:
    nowhere = {"precision": "none", "geometry": None, "reason": "no_coordinate"}
    return make_sites(
        [
            _row(
                "a",
                "enterprise.resumed",
                name="新华农机公司",
                street="南门街道",
                place="新华 路12号",
            ),
            _row(
                "b",
                "enterprise.resumed",
                name="Ｃａｆé 白塔",
                street="星火街道",
                as_of=date(2020, 3, 9),
            ),
            _row("c", "enterprise.stopped", street="南门街道", as_of=date(2020, 3, 11), **nowhere),
            _row("d", "project.building", precision="road", geometry=ROAD, note="沿新华路"),
            _row("e", "project.building", precision="district", street="南门街道"),
            _row("f", "parking.planned", as_of=datetime(2020, 3, 10, 10, 30), **nowhere),
        ]
    )


def _kept(sites: gpd.GeoDataFrame, chosen: SiteFilter) -> str:
    return "".join(select_sites(sites, chosen)["site_id"])


@pytest.mark.parametrize(
    ("chosen", "kept"),
    [
        (EVERYTHING, "abcdef"),
        (SiteFilter(hidden=frozenset({"enterprise.resumed"})), "cdef"),
        (SiteFilter(hidden=frozenset({"enterprise.resumed", "project.building"})), "cf"),
        (SiteFilter(text="新华路"), "ad"),
        (SiteFilter(text="农机 新华路"), "a"),
        (SiteFilter(text="CAFE"), ""),
        (SiteFilter(text="cafÉ"), "b"),
        (SiteFilter(text="café白塔"), "b"),
        (SiteFilter(text="不存在"), ""),
        (SiteFilter(text="   "), "abcdef"),
        (SiteFilter(streets=("南门街道",)), "ace"),
        (SiteFilter(streets=("南门街道", "星火街道")), "abce"),
        (SiteFilter(streets=(NO_STREET,)), "df"),
        (SiteFilter(streets=(NO_STREET, "星火街道")), "bdf"),
        (SiteFilter(precisions=("road", "district")), "de"),
        (SiteFilter(until=date(2020, 3, 8)), "ade"),
        (SiteFilter(until=date(2020, 3, 9)), "abde"),
        (SiteFilter(until=date(2020, 3, 11)), "abcdef"),
        (SiteFilter(located=True), "abd"),
        (SiteFilter(located=False), "cef"),
        (SiteFilter(text="新华路", located=True, streets=("南门街道",)), "a"),
    ],
)
def test_each_filter_keeps_the_sites_a_person_would_pick(chosen, kept):
    assert _kept(_six_sites(), chosen) == kept


def test_the_counts_are_those_a_person_would_make():
    counts = count_by_status(_six_sites(), SiteFilter(hidden=frozenset({"project.building"})))
    assert counts.loc["enterprise.resumed"].tolist() == [2, 2, True]
    assert counts.loc["enterprise.stopped"].tolist() == [1, 0, True]
    assert counts.loc["project.building"].tolist() == [2, 1, False]
    assert counts.loc["parking.planned"].tolist() == [1, 0, True]
    assert counts["total"].sum() == 6


def test_the_counts_have_one_row_per_category_in_the_files_order():
    assert count_by_status(make_sites([]), EVERYTHING).index.tolist() == list(KEYS)


def test_a_site_seen_at_ten_in_the_morning_counts_for_that_day():
    assert "f" in _kept(_six_sites(), SiteFilter(until=date(2020, 3, 10)))
    assert "f" not in _kept(_six_sites(), SiteFilter(until=date(2020, 3, 9)))


@pytest.mark.parametrize("day", [date.min, date(1, 1, 2), date.max])
def test_the_first_and_last_day_of_the_calendar_are_only_days(day):
    assert _kept(_six_sites(), SiteFilter(until=day)) == ("abcdef" if day == date.max else "ade")


def test_a_word_does_not_begin_in_the_name_and_end_in_the_place():
    sites = make_sites([_row("a", "enterprise.resumed", name="新华", place="路口")])
    assert _kept(sites, SiteFilter(text="华路")) == ""
    assert _kept(sites, SiteFilter(text="新华 路口")) == "a"


def test_an_invisible_character_hides_no_site():
    sites = make_sites([_row("a", "enterprise.resumed", name="白\u200b塔\ufeff农机")])
    assert _kept(sites, SiteFilter(text="白塔农\u200b机")) == "a"


def test_a_text_filter_is_not_a_pattern():
    sites = make_sites([_row("a", "enterprise.resumed", name="a.b*c(1)")])
    assert _kept(sites, SiteFilter(text="B*C(")) == "a"
    assert _kept(sites, SiteFilter(text="a.*c")) == ""


def test_a_site_of_an_unknown_status_is_an_error_and_not_the_files_first_status():
    sites = make_sites([_row("a", "enterprise.resumed"), _row("b", "enterprise.bankrupt")])
    with pytest.raises(CategoryError, match=r"1 of 2 rows: enterprise\.bankrupt"):
        count_by_status(sites, EVERYTHING)


def test_a_selected_site_keeps_its_place_in_the_index():
    shown = select_sites(_six_sites(), SiteFilter(text="新华路"))
    assert shown.index.tolist() == [0, 3]


def test_an_empty_table_can_be_filtered_by_everything():
    chosen = SiteFilter(
        frozenset(KEYS), "新华", ("南门街道",), ("poi",), date(2020, 3, 9), located=True
    )
    mask = select_mask(make_sites([]), chosen)
    assert (mask.dtype, mask.shape) == (np.dtype(bool), (0,))
    assert count_by_status(make_sites([]), chosen)["total"].sum() == 0


def test_the_lookup_table_has_a_byte_for_every_code_and_shows_no_code_that_is_not_used():
    table = lookup_table(SiteFilter(hidden=frozenset({KEYS[2]})), CATEGORIES)
    assert (table.dtype, len(table)) == (np.dtype("uint8"), 256)
    assert table[: len(KEYS)].tolist() == [1, 1, 0] + [1] * (len(KEYS) - 3)
    assert not table[len(KEYS) :].any()


@pytest.mark.parametrize(
    ("chosen", "alone"),
    [
        (EVERYTHING, True),
        (SiteFilter(hidden=frozenset({"enterprise.resumed"})), True),
        (SiteFilter(text="a"), False),
        (SiteFilter(streets=(NO_STREET,)), False),
        (SiteFilter(precisions=("poi",)), False),
        (SiteFilter(until=date(2020, 3, 9)), False),
        (SiteFilter(located=False), False),
        # These choose the table, not rows of it.
        (SiteFilter(as_of=date(2020, 3, 18), since=date(2020, 3, 11)), True),
    ],
)
def test_a_filter_knows_whether_the_lookup_table_says_all_of_it(chosen, alone):
    assert chosen.only_categories is alone


# Laws


@laws
@given(sites=site_tables(), chosen=filters)
def test_selected_rows_are_rows_of_the_table_in_its_order_and_nothing_about_them_changes(
    sites, chosen
):
    before = sites.copy()
    shown = select_sites(sites, chosen)
    mask = select_mask(sites, chosen)
    assert (mask.dtype, mask.shape) == (np.dtype(bool), (len(sites),))
    assert shown.index.tolist() == [i for i, keep in zip(sites.index, mask, strict=True) if keep]
    assert shown.equals(sites.loc[shown.index])
    assert shown.crs == sites.crs
    assert sites.equals(before)


@laws
@given(sites=site_tables(), chosen=filters)
def test_selecting_twice_is_selecting_once(sites, chosen):
    once = select_sites(sites, chosen)
    assert select_sites(once, chosen).equals(once)


@laws
@given(sites=site_tables(), chosen=filters)
def test_the_totals_of_the_shown_categories_add_up_to_the_sites_shown(sites, chosen):
    counts = count_by_status(sites, chosen)
    shown = counts[counts["shown"]]
    assert shown["total"].sum() == len(select_sites(sites, chosen))
    if chosen.located is None:
        on_map = select_sites(sites, replace(chosen, located=True))
        assert shown["located"].sum() == len(on_map)


@laws
@given(sites=site_tables(), chosen=filters)
def test_each_count_is_the_number_of_sites_of_that_category_alone(sites, chosen):
    counts = count_by_status(sites, chosen)
    for key in set(sites["kind"] + "." + sites["status"]):
        alone = replace(chosen, hidden=frozenset(KEYS) - {key})
        assert counts.loc[key, "total"] == len(select_sites(sites, alone))


@laws
@given(sites=site_tables(), chosen=filters, others=hidden_sets)
def test_the_counts_do_not_depend_on_what_is_hidden(sites, chosen, others):
    counts = count_by_status(sites, chosen)
    again = count_by_status(sites, replace(chosen, hidden=others))
    assert again[["total", "located"]].equals(counts[["total", "located"]])
    assert again.index[~again["shown"]].tolist() == [key for key in KEYS if key in others]


@laws
@given(sites=site_tables(), chosen=filters)
def test_hiding_everything_leaves_nothing(sites, chosen):
    assert not select_mask(sites, replace(chosen, hidden=frozenset(KEYS))).any()


@laws
@given(sites=site_tables())
def test_the_empty_filter_keeps_everything(sites):
    assert select_mask(sites, EVERYTHING).all()


@laws
@given(sites=site_tables(), chosen=filters)
def test_a_filter_keeps_what_each_of_its_parts_keeps(sites, chosen):
    parts = [
        SiteFilter(hidden=chosen.hidden),
        SiteFilter(text=chosen.text),
        SiteFilter(streets=chosen.streets),
        SiteFilter(precisions=chosen.precisions),
        SiteFilter(until=chosen.until),
        SiteFilter(located=chosen.located),
    ]
    every = np.logical_and.reduce([select_mask(sites, part) for part in parts])
    assert select_mask(sites, chosen).tolist() == every.tolist()


@laws
@given(sites=site_tables(), chosen=filters)
def test_what_is_hidden_and_what_is_shown_are_the_whole(sites, chosen):
    shown = select_mask(sites, chosen)
    rest = select_mask(sites, replace(chosen, hidden=frozenset(KEYS) - chosen.hidden))
    whole = select_mask(sites, chosen.without_categories())
    assert not (shown & rest).any()
    assert (shown | rest).tolist() == whole.tolist()


@laws
@given(sites=site_tables(), chosen=filters)
def test_the_map_and_the_tray_are_the_whole(sites, chosen):
    on_map = select_mask(sites, replace(chosen, located=True))
    in_tray = select_mask(sites, replace(chosen, located=False))
    either = select_mask(sites, replace(chosen, located=None))
    assert not (on_map & in_tray).any()
    assert (on_map | in_tray).tolist() == either.tolist()


@laws
@given(sites=site_tables(), hidden=hidden_sets)
def test_the_browsers_lookup_table_shows_what_the_server_selects(sites, hidden):
    chosen = SiteFilter(hidden=hidden)
    codes = category_codes(sites, CATEGORIES)
    assert codes.dtype == np.dtype("uint8")
    assert [KEYS[code] for code in codes] == (sites["kind"] + "." + sites["status"]).tolist()
    by_table = lookup_table(chosen, CATEGORIES)[codes] == 1
    assert by_table.tolist() == select_mask(sites, chosen).tolist()


@laws
@given(sites=site_tables(), text=st.lists(texts, max_size=3).map(" ".join))
def test_the_text_filter_finds_what_a_plain_loop_finds(sites, text):
    fields = zip(sites["name"], sites["place"], sites["street"], sites["note"], strict=True)
    expected = [
        all(any(fold(word) in fold(field) for field in row) for word in text.split())
        for row in fields
    ]
    assert select_mask(sites, SiteFilter(text=text)).tolist() == expected


@laws
@given(sites=site_tables(min_size=1), data=st.data())
def test_any_piece_of_a_name_finds_its_site_whatever_its_width_and_case(sites, data):
    row = sites.iloc[data.draw(st.integers(0, len(sites) - 1))]
    start = data.draw(st.integers(0, len(row["name"]) - 1))
    piece = row["name"][start:].upper()
    if fold(piece) in fold(row["name"]):  # cutting an accent off its letter makes another word
        assert row["site_id"] in set(select_sites(sites, SiteFilter(text=piece))["site_id"])


@laws
@given(sites=site_tables(), day=st.dates(date(1969, 12, 30), date(2020, 3, 12)))
def test_the_date_filter_finds_what_a_plain_loop_finds(sites, day):
    expected = [bool(moment != moment or moment.date() <= day) for moment in sites["as_of"]]
    assert select_mask(sites, SiteFilter(until=day)).tolist() == expected


@laws
@given(sites=site_tables(), chosen=filters, others=filters)
def test_an_index_answers_many_filters_as_if_each_were_the_first(sites, chosen, others):
    index = SiteIndex(sites, CATEGORIES)
    index.mask(others)
    index.count_by_status(others)
    assert index.mask(chosen).tolist() == select_mask(sites, chosen).tolist()
    assert index.count_by_status(chosen).equals(count_by_status(sites, chosen))


@laws
@given(shape=points, precision=st.sampled_from(sorted(MAPPED)))
def test_a_site_on_the_map_is_counted_as_located(shape, precision):
    sites = make_sites([_row("a", "project.open", precision=precision, geometry=shape)])
    assert count_by_status(sites, EVERYTHING).loc["project.open", "located"] == 1


# Links


def test_a_filter_reads_well_in_the_address_bar():
    chosen = SiteFilter(
        hidden=frozenset({"project.open", "enterprise.stopped"}),
        text="新华路",
        streets=("星火街道", "南门街道"),
        precisions=("poi",),
        until=date(2020, 3, 11),
        located=True,
        as_of=date(2020, 3, 18),
        since=date(2020, 3, 9),
    )
    assert list(chosen.to_params().items()) == [
        ("hide", ["enterprise.stopped", "project.open"]),
        ("q", ["新华路"]),
        ("street", ["星火街道", "南门街道"]),
        ("precision", ["poi"]),
        ("until", ["2020-03-11"]),
        ("located", ["yes"]),
        ("as_of", ["2020-03-18"]),
        ("since", ["2020-03-09"]),
    ]
    assert EVERYTHING.to_params() == {}


def test_the_same_filter_always_makes_the_same_link():
    assert SiteFilter(hidden=frozenset(KEYS)).to_params() == {"hide": sorted(KEYS)}


@laws
@given(chosen=filters)
def test_a_filter_comes_back_from_its_link_as_it_was(chosen):
    assert SiteFilter.from_params(chosen.to_params()) == chosen


@laws
@given(chosen=filters)
def test_the_parameters_of_other_pages_are_left_alone(chosen):
    params = {"lang": ["en"], **chosen.to_params(), "page": ["2"], "hidden": ["nonsense"]}
    assert SiteFilter.from_params(params) == chosen


def test_a_link_to_the_sites_without_a_street_shows_the_sites_without_a_street():
    chosen = SiteFilter(streets=("",))
    again = SiteFilter.from_params(chosen.to_params())
    assert _kept(_six_sites(), chosen) == _kept(_six_sites(), again) == "df"


def test_one_value_may_stand_without_its_list():
    params = {"hide": "enterprise.stopped", "q": "新华路", "until": "2020-03-11"}
    lists = {name: [value] for name, value in params.items()}
    assert SiteFilter.from_params(params) == SiteFilter.from_params(lists)


def test_an_empty_value_is_as_good_as_none():
    assert (
        SiteFilter.from_params({"q": [""], "hide": [], "until": [""], "street": [""]}) == EVERYTHING
    )


def test_a_text_of_any_length_is_cut_at_200_characters():
    assert SiteFilter.from_params({"q": ["长" * 5000]}).text == "长" * 200


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (
            {"hide": ["enterprise.bankrupt"]},
            "hide=enterprise.bankrupt is not one of enterprise.resumed",
        ),
        ({"hide": ["resumed"]}, "hide=resumed is not one of"),
        ({"precision": ["exact"]}, "precision=exact is not one of rooftop"),
        ({"until": ["11.3.2020"]}, "until=11.3.2020 is not a day like 2020-03-11"),
        ({"until": ["2020-02-30"]}, "until=2020-02-30 is not a day"),
        ({"located": ["true"]}, "located=true is not yes or no"),
        ({"as_of": ["soon"]}, "as_of=soon is not a day like 2020-03-11"),
        (
            {"as_of": ["2020-03-11"], "since": ["2020-03-11"]},
            "since=2020-03-11 is not before as_of=2020-03-11",
        ),
    ],
)
def test_a_link_with_a_slip_says_which_value_and_what_there_is(params, message):
    with pytest.raises(FilterError) as caught:
        SiteFilter.from_params(params)
    assert message in str(caught.value)


# --- where what is shown comes from -----------------------------------------------------------------


@laws
@given(sites=site_tables(), chosen=filters)
def test_day_and_files_are_those_of_the_very_sites_that_are_shown(sites, chosen):
    shown = select_sites(sites, chosen, CATEGORIES)
    known = SiteIndex(sites, CATEGORIES).provenance(chosen)
    assert known == provenance(shown)
    newest = shown["as_of"].max()
    assert known.newest == ("" if newest != newest else newest.date().isoformat())
    assert set(known.files) == set(shown["source_file"]) - {""}
    counts = [int((shown["source_file"] == name).sum()) for name in known.files]
    assert counts == sorted(counts, reverse=True)
