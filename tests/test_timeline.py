"""What was so on a day: by hand on four sites and on the demo set, then against a replay site by site."""

import itertools
from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import CATEGORIES, filters, laws, site_tables

from geo.pipeline import DEMO, prepare_store
from geo.settings import load_settings
from geo.site import STATEMENT, check_sites, make_sites
from geo.store import open_store
from geo.timeline import APPEARED, CHANGES, UNCHANGED, Comparison, Timeline
from geo.view import SiteFilter, SiteIndex, count_by_status

D9, D11, D18, D25 = (date(2020, 3, day) for day in (9, 11, 18, 25))
DAYS = (D9, D11, D18, D25)
NO_CHANGES = pd.DataFrame({name: [] for name in ("site_id", "version", "field", "old")})


def _site(site_id: str, status: str, as_of: date | None, version: int = 1, **more: object):
    nowhere = {"precision": "none", "reason": "no_coordinate"}
    about = {"site_id": site_id, "kind": "enterprise", "name": site_id, "status": status}
    return {**about, "as_of": as_of, "version": version, **nowhere, **more}


def _changes(*rows: tuple[str, int, str, str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(NO_CHANGES.columns))


def _statuses(timeline: Timeline, day: date | None) -> dict[str, str]:
    sites = timeline.at(day)
    return dict(zip(sites["site_id"], sites["status"], strict=True))


# ---- by hand -----------------------------------------------------------------------------------------------------


def test_a_newer_bulletin_adds_to_what_was_so_before():
    sites = make_sites([_site("a", "resumed", D18, 2), _site("b", "stopped", D18)])
    changes = _changes(("a", 2, "status", "stopped"), ("a", 2, "as_of", "2020-03-11"))
    timeline = Timeline(sites, changes)
    assert timeline.days == (D11, D18)
    assert _statuses(timeline, D9) == {}
    assert _statuses(timeline, D11) == {"a": "stopped"}
    assert _statuses(timeline, date(2020, 3, 17)) == {"a": "stopped"}
    assert _statuses(timeline, D18) == {"a": "resumed", "b": "stopped"}
    assert timeline.changes(D11, D18).to_dict("list") == {
        "site_id": ["a", "b"],
        "name": ["a", "b"],
        "kind": ["enterprise", "enterprise"],
        "old_status": ["stopped", ""],
        "new_status": ["resumed", "stopped"],
        "appeared": [False, True],
    }


def test_a_correction_of_the_same_day_takes_the_mistake_back():
    changes = _changes(("a", 2, "status", "stopped"))
    timeline = Timeline(make_sites([_site("a", "resumed", D11, 2)]), changes)
    assert _statuses(timeline, D11) == {"a": "resumed"}
    assert timeline.days == (D11,)


def test_an_undone_import_leaves_no_trace_on_any_day():
    changes = _changes(
        ("a", 2, "status", "stopped"),
        ("a", 2, "as_of", "2020-03-11"),
        ("a", 3, "status", "resumed"),
        ("a", 3, "as_of", "2020-03-18"),
    )
    timeline = Timeline(make_sites([_site("a", "stopped", D11, 3)]), changes)
    assert timeline.days == (D11,)
    assert _statuses(timeline, D18) == {"a": "stopped"}


def test_what_has_no_day_has_always_held_until_a_dated_word_comes():
    changes = _changes(("a", 2, "status", "unverified"), ("a", 2, "as_of", ""))
    sites = make_sites([_site("a", "resumed", D11, 2), _site("b", "stopped", None)])
    timeline = Timeline(sites, changes)
    assert _statuses(timeline, date.min) == {"a": "unverified", "b": "stopped"}
    assert _statuses(timeline, D11) == {"a": "resumed", "b": "stopped"}


def test_a_change_written_after_the_table_was_read_and_one_of_a_deleted_site_do_not_count():
    changes = _changes(("a", 2, "status", "stopped"), ("gone", 2, "status", "stopped"))
    timeline = Timeline(make_sites([_site("a", "stopped", D11, 1)]), changes)
    assert _statuses(timeline, D11) == {"a": "stopped"}


def test_a_date_that_another_program_has_spoilt_is_no_date():
    changes = _changes(("a", 2, "status", "stopped"), ("a", 2, "as_of", "11 March"))
    timeline = Timeline(make_sites([_site("a", "resumed", D11, 2)]), changes)
    assert _statuses(timeline, D9) == {"a": "stopped"}


def test_a_day_between_two_bulletins_is_the_earlier_ones():
    changes = _changes(("a", 2, "as_of", "2020-03-11"))
    timeline = Timeline(make_sites([_site("a", "resumed", D18, 2)]), changes)
    asked = (D9, D11, date(2020, 3, 17), D18, D25, None)
    assert [timeline.effective(day) for day in asked] == [D9, D11, D11, None, None, None]


def test_days_in_the_wrong_order_are_refused():
    with pytest.raises(ValueError, match="earlier day first"):
        Timeline(make_sites([]), NO_CHANGES).changes(D18, D11)


def test_the_demo_weeks_are_what_the_two_files_say(tmp_path):
    settings = load_settings({"BAITA_STORE": str(tmp_path / "baita.gpkg")})
    with prepare_store(settings, DEMO) as store:
        timeline = Timeline(store.read_sites(), store.statement_changes())
    weeks = {day: _table(settings, day) for day in (D11, D18)}
    assert timeline.days == (D11, D18)
    for day, told in weeks.items():
        assert _statuses(timeline, day) == told["status"].to_dict()
        assert (timeline.at(day)["as_of"].dt.date == day).all()
    first, second = weeks[D11]["status"], weeks[D18]["status"]
    expected = second[second != first.reindex(second.index)]
    changes = timeline.changes(D11, D18)
    assert dict(zip(changes["site_id"], changes["new_status"], strict=True)) == expected.to_dict()
    assert len(expected) > 50
    assert not changes["appeared"].any()


def _table(settings, day: date) -> pd.DataFrame:
    path = settings.data / "samples" / f"demo_{day}.csv"
    return pd.read_csv(path, encoding="utf-8-sig", dtype=str).set_index("site_id")


# ---- laws --------------------------------------------------------------------------------------------------------

_statements = st.fixed_dictionaries(
    {
        "status": st.integers(0, 9),
        "as_of": st.none() | st.sampled_from(DAYS),
        "note": st.sampled_from(("", "新华路", "note")),
    }
)
_histories = st.lists(st.lists(_statements, max_size=4), max_size=6)


def _with_history(sites, histories):
    """Return a table, its changes in the order they were made, and each site's statements, oldest first."""
    sites = sites.reset_index(drop=True)
    told, changes = [], []
    for n in range(len(sites)):
        kind = CATEGORIES.kind(sites.loc[n, "kind"])
        own = histories[n] if n < len(histories) else []
        states = [
            {**one, "status": kind.statuses[one["status"] % len(kind.statuses)].code} for one in own
        ]
        now = {name: sites.loc[n, name] for name in STATEMENT}
        moment = now["as_of"]
        now["as_of"] = None if pd.isna(moment) else moment.date()
        states = [{**now, **one} for one in states] + [now]
        for version, (old, new) in enumerate(itertools.pairwise(states), start=2):
            for name in STATEMENT:
                if old[name] != new[name]:
                    text = old[name].isoformat() if isinstance(old[name], date) else old[name]
                    changes.append((sites.loc[n, "site_id"], version, name, text or ""))
        sites.loc[n, "version"] = len(states)
        told.append(states)
    # By version, as if every import had changed all sites: those of one site are not side by side.
    return sites, _changes(*sorted(changes, key=lambda change: change[1])), told


def _replayed(states: list[dict], day: date) -> dict | None:
    """Return the statement of a day by going through the versions as the words say it."""
    believed: list[dict] = []
    for one in states:
        when = one["as_of"] or date.min
        believed = [earlier for earlier in believed if (earlier["as_of"] or date.min) < when]
        believed.append(one)
    so = [one for one in believed if one["as_of"] is None or one["as_of"] <= day]
    return so[-1] if so else None


@laws
@given(sites=site_tables(), histories=_histories, day=st.sampled_from(DAYS))
def test_a_day_is_what_a_replay_site_by_site_finds(sites, histories, day):
    sites, changes, told = _with_history(sites, histories)
    timeline = Timeline(sites, changes)
    found = check_sites(timeline.at(day))
    expected = {sites.loc[n, "site_id"]: _replayed(states, day) for n, states in enumerate(told)}
    assert found["site_id"].tolist() == [key for key, so in expected.items() if so is not None]
    for row in found.to_dict("records"):
        so = expected[row["site_id"]]
        assert {name: row[name] for name in STATEMENT if name != "as_of"} == {
            name: so[name] for name in STATEMENT if name != "as_of"
        }
        seen = None if pd.isna(row["as_of"]) else row["as_of"].date()
        assert seen == so["as_of"]


@laws
@given(sites=site_tables(), histories=_histories)
def test_now_and_the_day_after_all_are_the_table_itself(sites, histories):
    sites, changes, _ = _with_history(sites, histories)
    timeline = Timeline(sites, changes)
    pd.testing.assert_frame_equal(timeline.at(date.max), sites)
    assert timeline.at(None) is sites
    assert timeline.changes(date.max, None).empty


@laws
@given(sites=site_tables(), histories=_histories, before=st.sampled_from(DAYS), after=st.just(D25))
def test_changes_are_the_difference_of_two_days(sites, histories, before, after):
    sites, changes, _ = _with_history(sites, histories)
    timeline = Timeline(sites, changes)
    old, new = _statuses(timeline, before), _statuses(timeline, after)
    found = timeline.changes(before, after)
    assert found.columns.tolist() == CHANGES
    told = zip(found["site_id"], found["old_status"], found["new_status"], strict=True)
    assert list(told) == [(k, old.get(k, ""), v) for k, v in new.items() if old.get(k, "") != v]
    assert found["appeared"].tolist() == [site_id not in old for site_id in found["site_id"]]


@laws
@given(sites=site_tables(), histories=_histories, chosen=filters)
def test_the_trend_counts_what_the_map_of_each_day_counts(sites, histories, chosen):
    sites, changes, _ = _with_history(sites, histories)
    timeline = Timeline(sites, changes)
    trend = timeline.trend(CATEGORIES, chosen)
    assert trend.index.tolist() == list(timeline.days)
    for day in timeline.days:
        counts = count_by_status(timeline.at(day), chosen, CATEGORIES)["total"]
        assert trend.loc[day].to_dict() == counts.to_dict()


def test_a_store_that_took_edits_imports_and_an_undo_tells_the_days_it_was_told(tmp_path):
    with open_store(tmp_path / "s.gpkg") as store:
        store.save_sites(make_sites([_site("a", "stopped", D11)]), who="w")
        store.update_site("a", {"status": "partial", "as_of": D18}, version=1, who="w")
        store.update_site(
            "a", {"status": "resumed"}, version=2, who="w"
        )  # a correction of the 18th
        store.update_site("a", {"place": "elsewhere"}, version=3, who="w")
        timeline = Timeline(store.read_sites(), store.statement_changes())
    assert (_statuses(timeline, D11), _statuses(timeline, D18)) == (
        {"a": "stopped"},
        {"a": "resumed"},
    )
    assert timeline.at(D11)["place"].tolist() == ["elsewhere"]
    assert count_by_status(timeline.at(D11), SiteFilter())["total"]["enterprise.stopped"] == 1


# ---- a comparison, row by row ------------------------------------------------------------------------------------


def test_what_came_and_what_left_a_status_is_counted_for_the_rows_that_are_kept():
    sites = make_sites([_site(i, "resumed", D18, 2) for i in "abc"] + [_site("d", "stopped", D18)])
    changes = _changes(
        *((i, 2, "status", "stopped") for i in "ab"),
        *((i, 2, "as_of", "2020-03-11") for i in "abc"),
    )
    timeline = Timeline(sites, changes)
    index = SiteIndex(timeline.at(D18), CATEGORIES)
    found = Comparison(index, timeline.changes(D11, D18))
    resumed, stopped = (CATEGORIES.codes[f"enterprise.{s}"] for s in ("resumed", "stopped"))
    assert found.old.tolist() == [stopped, stopped, UNCHANGED, APPEARED]
    every = found.deltas(np.ones(4, dtype=bool))
    assert (every[resumed].tolist(), every[stopped].tolist()) == ([2, 0], [1, 2])
    some = found.deltas(np.array([True, False, True, False]))
    assert (some[resumed].tolist(), some[stopped].tolist()) == ([1, 0], [0, 1])


def test_a_statement_of_a_status_that_is_no_more_leaves_the_one_before():
    changes = _changes(
        ("a", 2, "status", "stopped"),
        ("a", 2, "as_of", "2020-03-09"),
        ("a", 3, "status", "flying"),
        ("a", 3, "as_of", "2020-03-11"),
    )
    timeline = Timeline(make_sites([_site("a", "resumed", D18, 3)]), changes, CATEGORIES)
    assert _statuses(timeline, D11) == {"a": "stopped"}


@laws
@given(sites=site_tables(), histories=_histories, before=st.sampled_from(DAYS))
def test_what_came_less_what_left_is_the_difference_of_the_counts(sites, histories, before):
    sites, changes, _ = _with_history(sites, histories)
    timeline = Timeline(sites, changes)
    index = SiteIndex(timeline.at(D25), CATEGORIES)
    deltas = Comparison(index, timeline.changes(before, D25)).deltas(
        np.ones(len(index.sites), bool)
    )
    then = count_by_status(timeline.at(before), SiteFilter(), CATEGORIES)["total"]
    now = index.count_by_status(SiteFilter())["total"]
    assert (deltas[:, 0] - deltas[:, 1]).tolist() == (now - then).tolist()
