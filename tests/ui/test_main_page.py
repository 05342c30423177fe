"""The page's script: what it sends is small, agrees with the filter, and no link makes it fail.

AppTest runs no browser: what is drawn, kept and clicked is in tests/browser/.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import shapely
from streamlit.testing.v1 import AppTest

from geo.category import load_categories
from geo.site import make_sites
from geo.ui.library import DATASETS, Library, Snapshot
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
    assert set(_sent(page)) == {"figures", "chips", "map"}
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
