"""An earlier day is a snapshot of its own: everything the browser gets of it agrees with Python, and never changes."""

import json
import warnings
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from starlette.applications import Starlette
from streamlit.testing.v1 import AppTest
from test_main_page import MOST_BYTES, PAGE

from geo.category import load_categories
from geo.draw.site_layer import pack_sites
from geo.errors import FilterError
from geo.site import Claim, Source, make_sites
from geo.timeline import APPEARED, UNCHANGED, Timeline
from geo.ui.address import read_filter
from geo.ui.exports import make_file, picture_of, read_order
from geo.ui.figures import claims_until, key_figures
from geo.ui.library import KEPT_DAYS, Snapshot
from geo.ui.routes import routes
from geo.ui.text import load_text
from geo.view import SiteFilter, count_by_status

with warnings.catch_warnings():
    # Starlette would rather have httpx2; either will do.
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient

CATEGORIES = load_categories()
D11, D18 = date(2020, 3, 11), date(2020, 3, 18)


@pytest.fixture(scope="module")
def client(shared_library):
    with TestClient(Starlette(routes=routes())) as opened:
        yield opened


@pytest.fixture(scope="module")
def timeline(shared_library):
    store = shared_library.store("demo")
    return Timeline(store.read_sites(), store.statement_changes())


@pytest.fixture
def snapshot(shared_library):
    return shared_library.snapshot("demo")


def _url(snapshot, rest):
    return f"/baita/data/demo/{snapshot.version}/{rest}"


# ---- snapshots ---------------------------------------------------------------------------------------------------


def test_a_day_has_one_snapshot_whichever_of_its_days_is_asked_for(snapshot, timeline):
    then = snapshot.of(D11)
    assert snapshot.of(D11 + timedelta(days=3)) is then
    assert then.of(D11) is then
    pd.testing.assert_frame_equal(then.sites, timeline.at(D11))
    assert then.version == f"{snapshot.version}@2020-03-11"
    assert (then.day, then.present) == (D11, snapshot)


def test_the_last_day_and_all_after_it_are_the_present(snapshot):
    assert snapshot.of(D18) is snapshot.of(date.max) is snapshot.of(None) is snapshot
    assert snapshot.of(D11).of(None) is snapshot


def test_a_version_of_a_day_is_found_by_its_name(shared_library, snapshot):
    assert shared_library.at("demo", f"{snapshot.version}@2020-03-11") is snapshot.of(D11)
    assert shared_library.at("demo", f"{snapshot.version}@soon") is None
    assert shared_library.at("demo", "old@2020-03-11") is None


def test_only_some_days_are_kept(own_library):
    snapshot = own_library.snapshot("demo")
    for n in range(KEPT_DAYS + 3):
        assert len(snapshot.of(D11 - timedelta(days=n + 1)).sites) == 0
    assert len(snapshot._days) == KEPT_DAYS


def test_what_somebody_writes_meanwhile_is_of_the_next_version(own_library):
    snapshot, store = own_library.snapshot("demo"), own_library.store("demo")
    site = snapshot.sites.iloc[0]
    status = "stopped" if site["status"] != "stopped" else "resumed"
    changes = {"status": status, "as_of": date(2020, 3, 25)}
    store.update_site(site["site_id"], changes, version=int(site["version"]), who="w")
    assert snapshot.timeline.days == (D11, D18)  # read only now
    assert own_library.snapshot("demo").timeline.days == (D11, D18, date(2020, 3, 25))


# ---- routes ------------------------------------------------------------------------------------------------------


def test_the_days_are_told_and_never_change(client, snapshot):
    reply = client.get(_url(snapshot, "days.json"))
    assert reply.json() == {"days": ["2020-03-11", "2020-03-18"]}
    assert "immutable" in reply.headers["cache-control"]


def test_positions_and_words_of_a_day_are_those_of_its_table(client, snapshot, timeline):
    then, table = snapshot.of(D11), timeline.at(D11)
    assert client.get(_url(then, "sites.bin")).content == pack_sites(table, CATEGORIES)
    rows = client.get(_url(then, "words/0.json")).json()
    assert [row[2] for row in rows] == ["2020-03-11"] * len(table)


def test_what_changed_is_told_row_by_row(client, snapshot, timeline):
    reply = client.get(_url(snapshot, "changed.bin?since=2020-03-11"))
    old = np.frombuffer(reply.content, dtype="u1")
    before, now = timeline.at(D11), snapshot.sites
    keys = (before["kind"] + "." + before["status"]).set_axis(before["site_id"])
    for code, site in zip(old.tolist(), now.itertuples(), strict=True):
        key = f"{site.kind}.{site.status}"
        was = keys.get(site.site_id)
        expected = APPEARED if was is None else UNCHANGED if was == key else CATEGORIES.codes[was]
        assert code == expected
    assert (old != UNCHANGED).sum() == len(timeline.changes(D11, None)) > 50


def test_nothing_to_compare_with_is_a_bad_request(client, snapshot):
    assert client.get(_url(snapshot, "changed.bin")).status_code == 400
    assert client.get(_url(snapshot, "changed.bin?since=soon")).status_code == 400


@pytest.mark.parametrize("query", ["", "street=文圣街道", "q=演示路&until=2020-03-11"])
def test_the_trend_is_what_each_day_counts(client, snapshot, timeline, query):
    reply = client.get(_url(snapshot, f"trend.json?{query}")).json()
    params = dict(part.split("=") for part in query.split("&") if part)
    chosen = SiteFilter.from_params(params)
    for n, day in enumerate((D11, D18)):
        counts = count_by_status(timeline.at(day), chosen, CATEGORIES)["total"]
        assert [codes[n] for codes in reply["counts"]] == counts.tolist()


def test_a_site_is_told_as_it_was_stated_then(client, snapshot, timeline):
    changed = timeline.changes(D11, D18).iloc[0]
    then = client.get(f"/baita/site/demo@2020-03-11/{changed['site_id']}.json").json()
    now = client.get(f"/baita/site/demo/{changed['site_id']}.json").json()
    codes = [
        CATEGORIES.codes[f"{changed['kind']}.{changed[s]}"] for s in ("old_status", "new_status")
    ]
    assert [then["code"], now["code"]] == codes
    assert (then["as_of"], now["as_of"]) == ("2020-03-11", "2020-03-18")
    assert client.get("/baita/site/demo@soon/x.json").status_code == 400


def test_a_site_that_was_not_there_yet_has_no_row_and_one_that_never_was_is_not_found(
    client, own_library
):
    store = own_library.store("demo")
    new = {"site_id": "new", "kind": "enterprise", "name": "new", "status": "resumed"}
    rest = {"as_of": D18, "precision": "none", "reason": "no_coordinate"}
    store.save_sites(make_sites([new | rest]), who="w")
    then = own_library.snapshot("demo").of(D11)
    assert client.get(_url(then, "row?site=new")).json() == {"row": -1}
    assert client.get(_url(then, "row?site=never")).status_code == 404
    assert client.get("/baita/data/demo/x@2020-03-11/sites.bin").status_code == 410


# ---- the page ----------------------------------------------------------------------------------------------------


def _sent(**params):
    page = AppTest.from_file(PAGE, default_timeout=30)
    for name, value in params.items():
        page.query_params[name] = value
    page.run()
    assert not page.exception
    found = {json.loads(e.proto.json)["part"]: e.proto.json for e in page.get("bidi_component")}
    return page, found


def test_the_chips_count_the_day_and_say_what_came_and_left(shared_library, snapshot, timeline):
    _, sent = _sent(set="demo", as_of="2020-03-11")
    chips = json.loads(sent["chips"])
    counts = count_by_status(timeline.at(D11), SiteFilter(), CATEGORIES)["total"]
    assert [total for total, _ in chips["counts"]] == counts.tolist()
    assert chips["deltas"] == []
    _, sent = _sent(set="demo", since="2020-03-11", street="文圣街道")
    chips = json.loads(sent["chips"])
    chosen = SiteFilter(streets=("文圣街道",))
    then, now = (count_by_status(timeline.at(d), chosen, CATEGORIES)["total"] for d in (D11, D18))
    assert [came - left for came, left in chips["deltas"]] == (now - then).tolist()
    assert len(sent["chips"]) < MOST_BYTES


def test_an_earlier_day_has_its_own_addresses_and_cannot_be_edited(shared_library, snapshot):
    state = json.loads(_sent(set="demo", as_of="2020-03-12", since="2020-03-01")[1]["chips"])[
        "state"
    ]
    assert state["data"] == f"../data/demo/{snapshot.version}@2020-03-11/"
    assert state["present"] == f"../data/demo/{snapshot.version}/"
    assert state["site"] == "../site/demo@2020-03-11/"
    assert (state["as_of"], state["since"]) == ("2020-03-12", "2020-03-01")
    assert state["editable"] is False
    assert state["subtitle"] == "截至 2020-03-12，较 2020-03-01"
    assert state["selection"] == ""
    now = json.loads(_sent(set="demo")[1]["chips"])["state"]
    assert now["editable"] is True
    assert now["data"] == now["present"]


def test_a_link_that_compares_a_day_with_a_later_one_says_so_and_shows_the_day(shared_library):
    page, sent = _sent(set="demo", as_of="2020-03-11", since="2020-03-18")
    assert "since" in page.warning[0].value
    state = json.loads(sent["chips"])["state"]
    assert (state["as_of"], state["since"]) == ("2020-03-11", "")
    params = {"as_of": ["2020-03-11"], "since": ["2020-03-18"]}
    assert read_filter(params, CATEGORIES) == (SiteFilter(as_of=D11), ["since"])


# ---- key figures -------------------------------------------------------------------------------------------------


def _claims(file, day, value):
    source = Source(file)
    total = Claim("S1", "白塔区", "", "重点企业", "total", 48, "户", as_of=day, source=source)
    part = Claim("S1", "白塔区", "", "重点企业", "resumed", value, "户", as_of=day, source=source)
    return [total, part]


@pytest.mark.parametrize(
    ("day", "value"), [(D11, "40/48"), (D18 - timedelta(1), "40/48"), (D18, "45/48")]
)
def test_key_figures_are_those_of_the_newest_source_that_was_out(day, value):
    claims = [*_claims("a", D11, 40), *_claims("b", D18, 45)]
    (card,) = key_figures(claims_until(claims, day), load_text("zh"))
    assert card["value"] == value


def test_before_the_first_source_there_are_no_key_figures():
    assert claims_until(_claims("a", D11, 40), date(2020, 3, 1)) == ()
    assert len(claims_until(_claims("a", None, 40), date(2020, 3, 1))) == 2


def test_the_snapshot_of_a_day_has_the_claims_of_that_day():
    sites = make_sites(
        [
            {"site_id": str(n), "kind": "enterprise", "name": "x", "status": "resumed", "as_of": day,
             "precision": "none", "reason": "no_coordinate"}
            for n, day in enumerate((D11, D18))
        ]
    )  # fmt: skip
    claims = (*_claims("a", D11, 40), *_claims("b", D18, 45))
    snapshot = Snapshot("demo", "1", sites, claims, CATEGORIES)
    assert {claim.source.file for claim in snapshot.of(D11).claims} == {"a"}


# ---- exports -----------------------------------------------------------------------------------------------------


def _order(**params):
    return read_order("demo", {name: [value] for name, value in params.items()}, CATEGORIES)


def test_a_table_of_a_day_has_what_was_stated_then(shared_library, timeline):
    order = _order(as_of="2020-03-11", form="geojson")
    _, content = make_file(order, shared_library, lambda share: None)
    told = {f["id"]: f["properties"]["status"] for f in json.loads(content)["features"]}
    table = timeline.at(D11)
    assert told == dict(zip(table["site_id"], table["status"], strict=True))


def test_a_picture_of_a_day_is_named_after_it(shared_library):
    picture = picture_of(_order(as_of="2020-03-12", since="2020-03-01"), shared_library)
    assert picture.wording.as_of == "数据截至 2020-03-12"
    assert picture.wording.subtitle == "截至 2020-03-12，较 2020-03-01"
    assert len(picture.changed) == len(picture.sites)  # nothing was there on the first of March
    assert set(picture.changed["old_status"]) == {""}


def test_a_picture_compares_the_selection_hidden_categories_included(shared_library, timeline):
    order = _order(since="2020-03-11", hide="enterprise.stopped")
    picture = picture_of(order, shared_library)
    assert set(picture.changed["site_id"]) == set(timeline.changes(D11, None)["site_id"])
    assert not (
        picture.sites["status"].eq("stopped") & picture.sites["kind"].eq("enterprise")
    ).any()
    assert picture_of(_order(), shared_library).changed is None


def test_an_order_that_compares_backwards_is_refused():
    with pytest.raises(FilterError, match="since"):
        _order(as_of="2020-03-11", since="2020-03-18")
