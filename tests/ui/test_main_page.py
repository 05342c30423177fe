"""The page's script: what it sends is small, agrees with the filter, and no link makes it fail.

AppTest runs no browser: what is drawn, kept and clicked is in tests/browser/.
"""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import shapely
from streamlit.testing.v1 import AppTest

from geo.access import Role
from geo.category import load_categories
from geo.site import make_sites
from geo.ui import people
from geo.ui.library import DATASETS, Library, Snapshot
from geo.ui.people_panel import audit_table
from geo.ui.text import load_text
from geo.view import SiteFilter, select_sites

PAGE = Path(__file__).resolve().parents[2] / "geo" / "ui" / "main_page.py"
CATEGORIES = load_categories()
MOST_BYTES = 3000
LANGUAGES = ("zh", "en")


def _run(**params):
    """Run the page as a visitor of an address with these parameters."""
    page = AppTest.from_file(PAGE, default_timeout=30)
    for name, value in params.items():
        page.query_params[name] = value
    return page.run()


def _sent(page):
    """Return what the page sends to its own parts: figures, chips and map, as text."""
    found = {}
    for element in page.get("bidi_component"):
        text = element.proto.json
        found[json.loads(text)["part"]] = text
    return found


def _data(page, part):
    return json.loads(_sent(page)[part])


def _shown(library, dataset, **params):
    sites = library.snapshot(dataset).sites
    return select_sites(sites, SiteFilter.from_params(params, CATEGORIES), CATEGORIES)


def _fine(page):
    assert not page.exception, page.exception
    assert not page.error, page.error
    return not page.warning


# ---- every address is a page ------------------------------------------------------------------------------


@pytest.mark.parametrize("dataset", DATASETS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_runs_in_both_languages_for_both_sets(shared_library, language, dataset):
    page, text = _run(lang=language, set=dataset), load_text(language)
    assert _fine(page)
    assert set(_sent(page)) == {"figures", "chips", "map", "help"}
    assert _data(page, "map")["src"].endswith(f"/{language}")
    assert _data(page, "chips")["state"]["dataset"] == dataset
    notice = text["notice"]["demo"] if dataset == "demo" else ""
    assert _data(page, "chips")["state"]["notice"] == notice
    assert _data(page, "figures")["notice"] == notice
    assert (page.session_state["set"], page.session_state["lang"]) == (dataset, language)


def test_the_first_visit_is_the_bulletin_in_chinese(shared_library):
    page = _run()
    assert _fine(page)
    assert _data(page, "chips")["state"]["dataset"] == "bulletin"
    assert _data(page, "map")["src"].endswith("/zh")
    assert page.session_state["q"] == ""


@pytest.mark.parametrize(
    ("params", "named"),
    [
        ({"hide": "enterprise.nothing"}, "hide"),
        ({"hide": "<img src=x onerror=alert(1)>"}, "hide"),
        ({"until": "yesterday"}, "until"),
        ({"until": "2020-02-30"}, "until"),
        ({"precision": "exact"}, "precision"),
        ({"located": "perhaps"}, "located"),
    ],
)
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_link_with_a_part_that_makes_no_sense_warns_and_shows_the_rest(
    shared_library, params, named, language
):
    page = _run(lang=language, street="文圣街道", set="demo", **params)
    assert not _fine(page)
    (warning,) = page.warning
    assert named in warning.value
    # What a link says is not repeated into Markdown.
    assert "<img" not in warning.value
    chips = _data(page, "chips")
    assert chips["state"]["hidden"] == []
    assert sum(total for total, _ in chips["counts"]) == len(
        _shown(shared_library, "demo", street="文圣街道")
    )


@pytest.mark.parametrize(
    "params",
    [
        {"until": "0001-01-01"},
        {"until": "1999-01-01"},
        {"until": "9999-12-31"},
        {"q": "x" * 5000},
        {"q": "\0"},
        {"q": ["a", "b"]},
        {"q": "{{7*7}}<script>alert(1)</script>"},
        {"street": ["<b>", "-", "南门街道", "南门街道"]},
        {"street": ""},
        {"precision": ["road", "road", "none"]},
        {"hide": sorted(CATEGORIES.codes)},
        {"set": "../../etc", "lang": "de"},
        {"set": ["demo", "bulletin"]},
        {"located": "no"},
        {"__class__": "x", "utm_source": "mail"},
    ],
    ids=lambda params: json.dumps(params, ensure_ascii=False)[:40],
)
def test_an_odd_link_is_still_a_page(shared_library, params):
    page = _run(**params)
    assert _fine(page)
    page.run()
    assert _fine(page)


# ---- what is sent agrees with the filter ------------------------------------------------------------------


def test_the_counts_of_the_first_start_add_up_to_sixteen_of_which_one_is_on_the_map(shared_library):
    counts = np.array(_data(_run(), "chips")["counts"])
    assert counts.shape == (len(CATEGORIES.statuses), 2)
    assert counts.sum(axis=0).tolist() == [16, 1]
    assert counts[CATEGORIES.codes["parking.enforced"]].tolist() == [3, 1]


@pytest.mark.parametrize(
    "hidden",
    [[], ["enterprise.stopped"], ["parking.enforced", "project.open"], sorted(CATEGORIES.codes)],
    ids=len,
)
def test_hidden_codes_follow_the_address_and_counts_do_not(shared_library, hidden):
    page = _run(hide=hidden, set="demo")
    codes = sorted(CATEGORIES.codes[key] for key in hidden)
    chips = _data(page, "chips")
    assert chips["state"]["hidden"] == codes
    assert sum(total for total, _ in chips["counts"]) == len(_shown(shared_library, "demo"))
    # Categories alone need no request to the server.
    assert _data(page, "chips")["state"]["selection"] == ""


@pytest.mark.parametrize(
    "params",
    [
        {"q": "001"},
        {"q": "演示企业 云杉"},
        {"street": ["文圣街道", "-"]},
        {"precision": ["road", "none"]},
        {"until": "2020-03-11"},
        {"until": "2020-03-18", "q": "演示路"},
        {"hide": ["enterprise.resumed"], "street": ["南门街道"]},
    ],
    ids=lambda params: "&".join(params),
)
@pytest.mark.parametrize("dataset", DATASETS)
def test_chips_count_what_python_s_filter_keeps_and_the_map_is_told_the_same(
    shared_library, dataset, params
):
    page = _run(set=dataset, **params)
    assert _fine(page)
    besides = {name: value for name, value in params.items() if name != "hide"}
    sites = _shown(shared_library, dataset, **besides)
    expected = sites.groupby(["kind", "status"]).size().to_dict()
    counts = _data(page, "chips")["counts"]
    for key, code in CATEGORIES.codes.items():
        assert counts[code][0] == expected.get(tuple(key.split(".")), 0), key
    chosen = SiteFilter.from_params(besides, CATEGORIES)
    assert _data(page, "chips")["state"]["selection"] == chosen.to_query()


def test_the_widgets_say_what_the_address_says(shared_library):
    page = _run(
        set="demo",
        q="演示路",
        street=["文圣街道", "-"],
        precision=["poi"],
        until="2020-03-18",
    )
    assert page.text_input(key="q").value == "演示路"
    assert page.multiselect(key="street").value == ["文圣街道", "-"]
    assert page.multiselect(key="precision").value == ["poi"]
    assert page.date_input(key="until").value.isoformat() == "2020-03-18"


def test_the_address_says_what_the_widgets_say(shared_library):
    page = _run(set="demo", hide="enterprise.stopped")
    page.text_input(key="q").set_value("云杉").run()
    page.multiselect(key="street").set_value(["文圣街道", "武圣街道"]).run()
    page.multiselect(key="precision").set_value(["poi", "rooftop"]).run()
    page.date_input(key="until").set_value("2020-03-18").run()
    assert _fine(page)
    assert _flat(page.query_params) == {
        "set": "demo",
        "hide": "enterprise.stopped",
        "q": "云杉",
        "street": ["文圣街道", "武圣街道"],
        "precision": ["poi", "rooftop"],
        "until": "2020-03-18",
    }
    page.text_input(key="q").set_value("").run()
    page.multiselect(key="street").set_value([]).run()
    page.multiselect(key="precision").set_value([]).run()
    page.date_input(key="until").set_value(None).run()
    assert set(page.query_params) == {"set", "hide"}


def test_what_was_typed_outlives_an_act_that_was_sent_before_the_address_had_it(shared_library):
    """A page that hears of news asks for a run with the address it has; a search in that moment was wiped out."""

    def script():
        import streamlit as st

        from geo.ui.actions import _act
        from geo.ui.address import follow, shown_filter, write_filter
        from geo.ui.library import get_library
        from geo.view import SiteFilter

        write_filter(SiteFilter(text="云杉"))
        st.session_state["q"] = "云杉"
        st.query_params.clear()  # what the browser still has
        st.session_state["late"] = {"act": [{"turn": 1, "type": "refresh"}]}
        _act("late")
        follow("q", shown_filter(get_library().categories).text)

    page = AppTest.from_function(script, default_timeout=30).run()
    assert _flat(page.query_params) == {"q": "云杉"}
    assert page.session_state["q"] == "云杉"


def _flat(params):
    """Return query parameters with a single value standing without its list."""
    return {k: v[0] if isinstance(v, list) and len(v) == 1 else v for k, v in params.items()}


def test_a_title_names_what_narrows_the_map(shared_library):
    page = _run(set="demo", q="演示路", until="2020-03-18", street="文圣街道")
    subtitle = _data(page, "chips")["state"]["subtitle"]
    for word in ("演示路", "2020-03-18", "文圣街道"):
        assert word in subtitle


def test_another_set_starts_without_the_filter(shared_library):
    page = _run(set="demo", street="文圣街道", hide="enterprise.stopped")
    page.button_group(key="set").set_value("bulletin").run()
    assert _fine(page)
    assert set(page.query_params) == {"set"}
    assert _data(page, "chips")["state"]["dataset"] == "bulletin"
    assert _data(page, "chips")["state"]["hidden"] == []


def test_figures_repeat_what_the_bulletin_states(shared_library):
    cards = {card["value"]: card["share"] for card in _data(_run(), "figures")["cards"]}
    assert cards["45/48"] == "93.75%"
    assert cards["551/680"] == "81.03%"


# ---- it stays small ---------------------------------------------------------------------------------------


def _many(count):
    """Return a made-up table of a whole city, with as many streets as one has."""
    random = np.random.default_rng(1)
    keys = [CATEGORIES.statuses[i].key.split(".") for i in random.integers(0, 16, count)]
    points = shapely.points(random.uniform(123.1, 123.3, count), random.uniform(41.2, 41.3, count))
    frame = pd.DataFrame(keys, columns=["kind", "status"])
    frame["site_id"] = [f"many-{n:06d}" for n in range(count)]
    frame["name"] = "某企业 " + frame["site_id"]
    frame["street"] = [f"{n % 20}号街道" for n in range(count)]
    frame["as_of"] = pd.Timestamp("2020-03-11")
    frame["precision"], frame["match_method"], frame["source_file"] = "poi", "given", "全市.xlsx"
    frame["geometry"] = points
    return make_sites(frame)


@pytest.mark.parametrize("count", [100, 100_000])
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_run_sends_under_three_kilobytes_however_many_sites_there_are(
    shared_library, monkeypatch, count, language
):
    big = Snapshot("bulletin", "1-abcdef012345", _many(count), (), CATEGORIES)
    monkeypatch.setattr(Library, "snapshot", lambda self, dataset: big)
    page = _run(lang=language, hide=["enterprise.stopped", "project.open"], q="某企业")
    assert _fine(page)
    assert sum(total for total, _ in _data(page, "chips")["counts"]) == count
    sent = _sent(page)
    assert sum(len(sent[part].encode()) for part in ("chips", "map")) < MOST_BYTES
    assert not any("many-0" in text for text in sent.values())


# ---- who may what -----------------------------------------------------------------------------------------------


class _Visitor:
    """Somebody whose page runs behind a proxy that names them; the role is given in the store."""

    def __init__(self, library, monkeypatch):
        self.library, self.name = library, "王工"
        settings = replace(library.settings, sign_in="header", proxy_secret="x" * 16)
        monkeypatch.setattr(library, "settings", settings)
        monkeypatch.setattr(people, "_told_by_page", self._told)
        monkeypatch.setattr(people, "_lookers", people.Knocks(people.LOOKS_EVERY_S))

    def _told(self):
        given = {"X-Baita-Proxy": "x" * 16, "X-Forwarded-User": self.name}
        return people.Told(lambda name: [given[name]] if given[name] else [], {}, None, "page")

    def is_now(self, role):
        self.library.store("bulletin").set_member("王工", role, who="林工")

    def refused(self):
        audit = self.library.store("bulletin").audit()
        return [(one.who, one.action, one.target) for one in audit if not one.allowed]


@pytest.fixture
def wang(own_library, monkeypatch):
    return _Visitor(own_library, monkeypatch)


def _forge(action, **given):
    """Send an action as a browser would that somebody has made to say it; return what the page answers."""

    def script(asked):
        import streamlit as st

        from geo.ui.actions import _act

        st.session_state["forged"] = {"act": [{"turn": 1, **asked}]}
        _act("forged")

    page = AppTest.from_function(script, args=({"type": action, **given},), default_timeout=30)
    page.run()
    assert not page.exception, page.exception
    return page.session_state["answer"]


PLACED = {"vertices": [[123.17, 41.26]], "within_m": 50}
SITE = "prj-hongfei"


@pytest.mark.parametrize("role", [Role.VIEWER, Role.NONE])
@pytest.mark.parametrize(
    ("action", "given"),
    [
        ("place", {"site_id": SITE, **PLACED}),
        ("place", {"site_id": SITE, "pasted": "123.17,41.26", "datum": "wgs84"}),
        ("edit", {"site_id": SITE, "version": 1, "values": {"note": "x"}}),
        ("edit_many", {"rows": [0, 1], "values": {"note": "x"}}),
    ],
)
def test_a_viewers_forged_act_is_refused_logged_and_changes_nothing(wang, action, given, role):
    wang.is_now(role)
    store = wang.library.store("bulletin")
    version = store.data_version()
    if action == "edit_many":
        given = {**given, "version": wang.library.snapshot("bulletin").version}
    answer = _forge(action, **given)
    assert (answer["ok"], store.data_version()) == (False, version)
    assert "角色" in answer["message"] or "“" in answer["message"], answer
    assert store.corrections() == []
    [(who, act, _)] = wang.refused()
    assert who == "王工"
    wanted = {"place": "add_correction", "edit": "update_sites", "edit_many": "update_sites"}
    # Whoever may not even look is refused at the first look.
    assert act == wanted[action] if role is Role.VIEWER else act in (*wanted.values(), "site")


def test_the_same_act_of_an_editor_is_carried_out_under_their_own_name(wang):
    wang.is_now(Role.EDITOR)
    assert _forge("place", site_id=SITE, **PLACED, who="局长")["ok"]
    [kept] = wang.library.store("bulletin").corrections()
    assert kept.who == "王工"
    wang.is_now(Role.VIEWER)
    assert not _forge("place", site_id=SITE, **PLACED)["ok"]
    assert len(wang.library.store("bulletin").corrections()) == 1


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_viewers_page_offers_no_edits(wang, language):
    wang.is_now(Role.VIEWER)
    page = _run(lang=language)
    assert _fine(page)
    state = _data(page, "chips")["state"]
    assert (state["editable"], state["importable"]) == (False, False)
    assert (
        page.button(key="person").label
        == f"王工 · {load_text(language)['people']['roles']['viewer']}"
    )
    wang.is_now(Role.EDITOR)
    state = _data(_run(lang=language), "chips")["state"]
    assert (state["editable"], state["importable"]) == (True, True)


@pytest.mark.parametrize("language", LANGUAGES)
def test_who_may_not_look_and_who_is_nobody_get_a_page_that_says_so(wang, language):
    words = load_text(language)["people"]
    wang.is_now(Role.NONE)
    page = _run(lang=language)
    assert page.warning[0].value == words["no_role"].format(name="王工")
    assert _sent(page) == {}
    wang.name = ""
    page = _run(lang=language)
    assert page.error[0].value == words["not_let_in"]
    assert _sent(page) == {}


def test_on_one_pc_nobody_signs_in_and_everything_may_be_edited(shared_library):
    page = _run()
    assert _data(page, "chips")["state"]["editable"]
    assert not [one for one in page.button if one.key == "person"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_administrator_gives_roles_and_cannot_take_their_own(wang, language):
    words = load_text(language)["people"]
    wang.is_now(Role.ADMIN)
    page = _run(lang=language)
    page.button(key="person").click().run()
    assert _fine(page)
    people_list, audit = (frame.value for frame in page.dataframe)
    assert people_list.iloc[:, 0].tolist() == ["王工"]
    assert audit.iloc[0, 2] == words["actions"]["set_member"]
    page.selectbox(key="people_name").set_value("王工")
    page.selectbox(key="people_role").set_value("viewer")
    page.button(key="people_give").click().run()
    assert wang.library.store("bulletin").members() == {"王工": Role.ADMIN}


def test_the_people_panel_is_no_way_round_the_role(wang):
    """A page that was open when the role went still has the button; pressing it gives nobody anything."""
    wang.is_now(Role.ADMIN)
    wang.is_now(Role.EDITOR)

    def script():
        import streamlit as st

        from geo.ui import people_panel
        from geo.ui.text import load_text

        st.session_state.update(people_name="周工", people_role="admin")
        people_panel._give(load_text("zh")["people"], "zh")
        st.write(st.session_state["people_said"][1])

    page = AppTest.from_function(script, default_timeout=30).run()
    assert "管理员" in page.markdown[0].value
    assert wang.library.store("bulletin").members() == {"王工": Role.EDITOR}
    assert wang.refused() == [("王工", "members", "")]


def test_what_the_audit_list_shows_is_text(wang):
    store, hostile = wang.library.store("bulletin"), "<img src=x onerror=alert(1)>"
    store.set_member(hostile, Role.VIEWER, who="林工")
    words = load_text("zh")["people"]
    table = audit_table(store.audit(), words)
    assert table.iloc[0].tolist()[1:] == ["林工", "设定角色", hostile, "允许", "查看"]
