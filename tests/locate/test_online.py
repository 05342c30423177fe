import json
import logging
import math
import multiprocessing
import pickle
import random
import shutil
import socket
import sqlite3
import subprocess
import threading
import time
import traceback
from collections import Counter

import pytest
from geocoder_servers import (
    BD09,
    GCJ02,
    LONLAT,
    Reply,
    addresses,
    amap,
    amap_answer,
    amap_refusal,
    as_json,
    baidu_answer,
    batch_in_child,
    bomb,
    dripping_header_server,
    html,
    osm,
    redirect,
    serve,
    tianditu_answer,
)
from geopy import Location
from geopy.geocoders.base import Geocoder
from hypothesis import given
from hypothesis import strategies as st

from geo.draw.basemaps import district_outline
from geo.errors import SiteMapError
from geo.locate import Corrections, find_match
from geo.locate.cache import AnswerCache
from geo.locate.datum import from_wgs84
from geo.locate.online import (
    MAX_ANSWER_BYTES,
    PROVIDERS,
    Baidu,
    Clock,
    GeocoderError,
    KeyRefused,
    OnlineLocator,
    QueryRefused,
    QuotaError,
    Secret,
    geocode_batch,
    make_provider,
    text_to_ask,
    transport,
)
from geo.site import Match, Reason, SiteRecord, Source

KEY = "S3cretKey.of-the-Office_0042"
OUTLINE = district_outline("211002")
DOOR = "辽宁省辽阳市白塔区新华路526号"
GOOD = {
    "amap": amap_answer(amap(DOOR)),
    "baidu": baidu_answer(),
    "tianditu": tianditu_answer("辽阳市白塔区新华路526号"),
    "nominatim": [osm("新华路526号", "house_number")],
}
RAW = {
    "amap": (*GCJ02, "gcj02"),
    "baidu": (*BD09, "bd09"),
    "tianditu": (*LONLAT, "cgcs2000"),
    "nominatim": (*LONLAT, "wgs84"),
}
KEY_NAMES = {"amap": "key", "baidu": "ak", "tianditu": "tk", "nominatim": "email"}


@pytest.fixture(autouse=True)
def _own_turns(monkeypatch):
    monkeypatch.setattr(transport, "LIMITERS", {})


class _Time:
    """A clock that only moves when somebody sleeps."""

    def __init__(self):
        self.at, self.slept = 0.0, []

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.at += seconds

    @property
    def clock(self):
        return Clock(lambda: self.at, self.sleep)


def _provider(server, name="amap", *, time_=None, **more):
    more = {"per_second": 1000, "clock": (time_ or _Time()).clock, **more}
    return PROVIDERS[name](Secret(KEY), url=getattr(server, "url", server), **more)


def _record(name="某某公司", kind="enterprise", place="新华路526号", **more):
    return SiteRecord(kind, name, "unverified", Source("test.csv"), place=place, **more)


def _locator(provider, tmp_path, **more):
    outline = more.pop("outline", OUTLINE)
    return OnlineLocator(provider, AnswerCache(tmp_path / "answers.sqlite"), outline, **more)


def _ask(provider, text="新华路526号"):
    return provider.ask(provider.question(text))


def _locate(content, tmp_path, name="amap", record=None, **more):
    with serve(as_json(content)) as server:
        return _locator(_provider(server, name), tmp_path, **more).locate(record or _record())


# --- what is asked --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PROVIDERS)
def test_each_service_gets_the_city_the_district_once_and_its_key(name):
    with serve(as_json(GOOD[name])) as server:
        _ask(_provider(server, name), "辽宁省辽阳市白塔区新华路526号")
    [(path, asked)] = server.asked
    assert path == PROVIDERS[name].address.partition("://")[2].partition("/")[2].join(["/", ""])
    assert asked.pop(KEY_NAMES[name]) == KEY
    text = json.dumps(asked, ensure_ascii=False)
    assert "辽阳市" in text
    assert text.count("新华路526号") == text.count("白塔区") == 1
    assert server.agents[0].startswith("baita-one-map/")


def test_the_words_of_the_question_are_each_services_own():
    expected = {
        "amap": {"address": "辽阳市白塔区新华路526号", "city": "辽阳市", "output": "JSON"},
        "baidu": {"address": "辽阳市白塔区新华路526号", "city": "辽阳市", "output": "json"},
        "tianditu": {"ds": '{"keyWord": "辽阳市白塔区新华路526号"}'},
        "nominatim": {"q": "新华路526号, 白塔区, 辽阳市", "format": "jsonv2", "countrycodes": "cn"},
    }
    for name, words in expected.items():
        provider = _provider("", name)
        asked = provider._parameters(provider.question("新华路526号"))
        assert words.items() <= asked.items()


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_city_that_was_set_is_sent(name):
    with serve(as_json(GOOD[name])) as server:
        _ask(_provider(server, name, city="鞍山市"))
    assert "鞍山市" in json.dumps(server.asked[0][1], ensure_ascii=False)


def test_baidu_is_asked_for_gcj02_only_if_that_was_chosen():
    for datum, asked in (("bd09", None), ("gcj02", "gcj02ll")):
        with serve(as_json(baidu_answer())) as server:
            provider = _provider(server, "baidu", datum=datum)
            _ask(provider)
        assert server.asked[0][1].get("ret_coordtype") == asked
        assert provider.question("某路1号").datum == datum
    for never in ("wgs84", "wgs84ll", "cgcs2000"):
        with pytest.raises(GeocoderError, match="bd09 or gcj02"):
            Baidu(Secret(KEY), datum=never)


@pytest.mark.parametrize(
    ("record", "text"),
    [
        (_record("某公司", place="新华路526号"), "新华路526号"),
        (_record("某公司", place=""), "某公司"),
        (_record("某公司", place="辽阳市白塔区"), "某公司"),
        (_record("某公司", place="北京市武圣路1号"), ""),
        (_record("某公司", place="", street="沈阳市和平区"), ""),
        (_record("沈阳市白塔小学", place=""), ""),
        (_record("演示公司", fictitious=True), ""),
    ],
)
def test_a_record_is_asked_by_its_address_and_never_if_it_is_elsewhere_or_invented(record, text):
    assert text_to_ask(record) == text


@given(text=st.text(st.characters(codec="utf-16", categories=["C", "L", "N", "P", "S", "Z"])))
def test_any_text_becomes_a_question_that_fits_on_a_line_and_into_a_file(text):
    for name in PROVIDERS:
        query = _provider("", name).question(text + "\ud800\n\x00" * 3).query
        query.encode()
        assert query.isprintable() or not any(ord(char) < 32 for char in query)
        assert len(query) < 300


def test_an_address_that_is_too_long_for_baidu_is_not_cut_and_not_sent():
    with serve(as_json(baidu_answer())) as server, pytest.raises(QueryRefused, match="84 bytes"):
        _ask(_provider(server, "baidu"), "新华路" * 9)
    assert server.asked == []


# --- what is answered -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", PROVIDERS)
def test_raw_numbers_and_datum_are_kept_and_the_point_is_wgs84(name, tmp_path):
    with serve(as_json(GOOD[name])) as server:
        [found] = _locator(_provider(server, name), tmp_path).candidates("新华路526号")
    assert (found.raw_x, found.raw_y, found.raw_datum) == RAW[name]
    assert found.lon_lat == pytest.approx(LONLAT, abs=2e-5)
    assert (found.method, PROVIDERS[name].title in found.source) == (f"online {name}", True)


def test_the_same_baidu_numbers_are_another_place_in_gcj02(tmp_path):
    answer = baidu_answer(location={"lng": GCJ02[0], "lat": GCJ02[1]})
    with serve(as_json(answer)) as server:
        provider = _provider(server, "baidu", datum="gcj02")
        [found] = _locator(provider, tmp_path).candidates("新华路526号")
    assert found.raw_datum == "gcj02"
    assert found.lon_lat == pytest.approx(LONLAT, abs=2e-5)


@pytest.mark.parametrize(
    ("name", "level", "precision"),
    [
        ("amap", "兴趣点", "poi"),
        ("amap", "门牌号", "poi"),
        ("amap", "单元号", "rooftop"),
        ("amap", "道路交叉路口", "intersection"),
        ("amap", "道路", "road"),
        ("amap", "热点商圈", "community"),
        ("amap", "乡镇", "street"),
        ("amap", "区县", "district"),
        ("amap", "省", "city"),
        ("baidu", "门址", "poi"),
        ("baidu", "道路", "road"),
        ("baidu", "城市", "city"),
        ("tianditu", "门址", "poi"),
        ("nominatim", "building", "rooftop"),
        ("nominatim", "road", "road"),
        ("nominatim", "suburb", "street"),
        ("nominatim", "city_district", "district"),
    ],
)
def test_a_level_becomes_our_class(name, level, precision):
    assert _found(name, level).precision == precision


def _found(name, level, **more):
    answer = {
        "amap": lambda: amap_answer(amap(DOOR, level)),
        "baidu": lambda: baidu_answer(level=level, **more),
        "tianditu": lambda: tianditu_answer("某路", level=level),
        "nominatim": lambda: [osm("某地", level)],
    }[name]()
    [found] = _provider("", name).read(answer)
    return found


@pytest.mark.parametrize("name", PROVIDERS)
@pytest.mark.parametrize("level", ["未知", "UNKNOWN", "", "新级别", "rooftop", "POI "])
def test_an_unknown_level_stays_unknown_and_waits_at_community(name, level, tmp_path):
    assert _found(name, level).precision is None
    with serve(
        as_json(
            {
                "amap": amap_answer(amap(DOOR, level)),
                "baidu": baidu_answer(level=level),
                "tianditu": tianditu_answer("新华路526号", level=level),
                "nominatim": [osm("新华路526号", level)],
            }[name]
        )
    ) as server:
        locator = _locator(_provider(server, name), tmp_path)
        [found] = locator.candidates("新华路526号")
        match = locator.locate(_record())
    assert (found.precision, found.reason) == ("community", Reason.TO_CONFIRM)
    assert (match.geometry, match.reason) == (None, Reason.TO_CONFIRM)


@pytest.mark.parametrize(
    ("changes", "precision", "within_m"),
    [
        ({}, "poi", 100.0),
        ({"confidence": 100}, "poi", 20.0),
        ({"confidence": 79}, "community", 200.0),
        ({"precise": 0}, "community", 100.0),
        ({"precise": "1", "confidence": "90"}, "poi", 50.0),
        ({"confidence": 5}, "community", None),
        ({"confidence": None}, "community", None),
        ({"precise": 0, "level": "区县"}, "district", 100.0),
    ],
)
def test_what_baidu_calls_imprecise_is_at_best_community(changes, precision, within_m):
    [found] = _provider("", "baidu").read(baidu_answer(**changes))
    assert (found.precision, found.uncertainty_m) == (precision, within_m)


def test_nominatims_box_is_the_uncertainty():
    [found] = _provider("", "nominatim").read([osm("辽阳站", osm_type="way")])
    # 222 m north to south, 167 m east to west.
    assert found.uncertainty_m == pytest.approx(139, abs=1)
    for box in ([], ["a", 1, 2, 3], [41.26, 41.26, 123.17, 123.17], "box"):
        place = osm("辽阳站", osm_type="way", boundingbox=box)
        [found] = _provider("", "nominatim").read([place])
        assert found.uncertainty_m is None


def test_the_box_that_nominatim_makes_up_around_a_node_is_no_uncertainty():
    [found] = _provider("", "nominatim").read([osm("辽阳站", osm_type="node")])
    assert found.uncertainty_m is None


_UNUSABLE = [
    [],
    "",
    ",",
    "123.17",
    "nan,nan",
    "inf,41",
    "1e999,41",
    "0,0",
    "41.26,123.17",
    "2.35,48.85",
    None,
    {"x": 1},
    "一二三,四",
]


@pytest.mark.parametrize("location", _UNUSABLE)
def test_numbers_that_are_no_place_in_china_make_no_candidate(location, tmp_path):
    content = amap_answer(amap(DOOR, location="-" if location is None else location))
    assert _locate(content, tmp_path) is None


def test_nan_in_json_is_no_number(tmp_path):
    body = b'{"status": 0, "result": {"location": {"lng": NaN, "lat": Infinity}, "level": 5}}'
    with serve(Reply(body)) as server:
        assert _locator(_provider(server, "baidu"), tmp_path).locate(_record()) is None


_ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)


@given(name=st.sampled_from(sorted(PROVIDERS)), data=st.data())
def test_any_field_may_be_anything(name, data):
    provider = _provider("", name)
    answer = json.loads(json.dumps(GOOD[name]))
    spots = [answer, *_inside(answer)]
    for _ in range(data.draw(st.integers(1, 3))):
        spot = data.draw(st.sampled_from(spots))
        key = data.draw(
            st.sampled_from(sorted(spot) if isinstance(spot, dict) else range(len(spot)))
        )
        spot[key] = data.draw(_ANY)
    for found in provider.read(answer):
        assert math.isfinite(found.x)
        assert math.isfinite(found.y)
        lonlat = provider.lonlat(found)
        assert lonlat is None or 72 < lonlat[0] < 138
        found.name.encode()
    provider.read(data.draw(_ANY))


def _inside(value):
    for one in value.values() if isinstance(value, dict) else value:
        if isinstance(one, (dict, list)) and one:
            yield one
            yield from _inside(one)


def test_what_amap_writes_as_an_empty_list_is_missing(tmp_path):
    empty = {key: [] for key in amap(DOOR) if key not in ("location", "level")}
    with serve(as_json(amap_answer(amap(DOOR) | empty))) as server:
        [found] = _locator(_provider(server), tmp_path).candidates("新华路526号")
    assert (found.name, found.precision) == ("新华路526号", "poi")
    assert found.score < 90


# --- what is taken without a person ---------------------------------------------------------------


def test_the_same_address_at_a_door_inside_the_district_is_taken(tmp_path):
    match = _locate(amap_answer(amap(DOOR)), tmp_path)
    assert (match.geometry.x, match.geometry.y) == pytest.approx(LONLAT, abs=2e-5)
    assert (match.raw_x, match.raw_y, match.raw_datum) == RAW["amap"]
    assert (match.method, match.precision, match.score) == ("online amap", "poi", 100.0)
    assert (match.reason, match.uncertainty_m) == ("", None)
    assert "高德" in match.note


def _at(lon, lat):
    x, y = from_wgs84(lon, lat, "gcj02")
    return f"{x:.6f},{y:.6f}"


_OTHER = amap("辽宁省辽阳市白塔区新华路529号")
_NEAR_BORDER = amap(DOOR, location=_at(123.1201, 41.26))  # about 1 km west of the outline
_FAR = amap(DOOR, location=_at(123.43, 41.80))  # Shenyang


@pytest.mark.parametrize(
    ("geocodes", "reason"),
    [
        ([_OTHER], Reason.TO_CONFIRM),
        ([amap("辽宁省辽阳市白塔区")], Reason.TO_CONFIRM),
        ([amap(DOOR, "道路")], Reason.TO_CONFIRM),
        ([amap(DOOR, "村庄")], Reason.TO_CONFIRM),
        ([amap(DOOR, "区县")], Reason.TOO_COARSE),
        ([_NEAR_BORDER], Reason.TO_CONFIRM),
        ([_FAR], Reason.NO_COORDINATE),
        ([amap(DOOR), amap(DOOR)], Reason.AMBIGUOUS),
        ([_OTHER, amap(DOOR)], ""),
        ([_FAR, amap(DOOR)], ""),
    ],
)
def test_everything_else_waits_with_a_reason(geocodes, reason, tmp_path):
    match = _locate(amap_answer(*geocodes), tmp_path)
    assert (match.reason, match.geometry is None) == (reason, reason != "")
    assert match.precision == ("none" if reason else "poi")


def test_no_answer_is_no_match(tmp_path):
    assert _locate(amap_answer(), tmp_path) is None
    assert _locate({"status": 1, "msg": "无相关结果", "results": []}, tmp_path, "baidu") is None
    assert _locate({"status": "101", "msg": "结果为空"}, tmp_path, "tianditu") is None
    assert _locate([], tmp_path, "nominatim") is None


@pytest.mark.parametrize("name", ["baidu", "tianditu"])
def test_a_service_that_does_not_say_what_it_found_is_never_taken_at_its_word(name, tmp_path):
    match = _locate(GOOD[name], tmp_path, name)
    assert (match.geometry, match.reason) == (None, Reason.TO_CONFIRM)
    assert "123.170" in match.note


def test_nominatim_is_taken_by_name_or_by_street_and_door(tmp_path):
    station = _record("辽阳站", place="")
    assert _locate([osm("辽阳站")], tmp_path, "nominatim", station).geometry is not None
    door = osm("", "building", address={"road": "新华路", "house_number": "526"})
    match = _locate([door], tmp_path, "nominatim")
    assert (match.precision, match.score) == ("rooftop", 100.0)


def test_a_point_is_never_a_roads_place(tmp_path):
    road = _record("新华路", kind="parking", place="")
    answer = amap_answer(amap("辽宁省辽阳市白塔区新华路", "公交地铁站点"))
    match = _locate(answer, tmp_path, record=road)
    assert (match.geometry, match.reason) == (None, Reason.TO_CONFIRM)


def test_without_an_outline_nothing_is_taken(tmp_path):
    match = _locate(amap_answer(amap(DOOR)), tmp_path, outline=None)
    assert (match.geometry, match.reason) == (None, Reason.TO_CONFIRM)


def test_a_find_elsewhere_does_not_undo_what_another_locator_knows(tmp_path):
    class Asks:
        def locate(self, record):
            return Match("gazetteer", reason=Reason.TO_CONFIRM, note="here?")

    with serve(as_json(amap_answer(_FAR))) as server:
        locators = [Corrections([]), Asks(), _locator(_provider(server), tmp_path)]
        assert find_match(_record(), locators).method == "gazetteer"


def test_hostile_text_stays_one_short_line(tmp_path):
    evil = "<img src=x>{{7*7}}\n\x00\u2028\ud800" + "长" * 5000
    body = json.dumps(amap_answer(amap(evil))).encode()
    with serve(Reply(body)) as server:
        match = _locator(_provider(server), tmp_path).locate(_record())
    match.note.encode()
    assert len(match.note) < 600
    assert "\n" not in match.note
    assert "\x00" not in match.note


# --- refusals, failures, retries ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "reply", "error", "calls"),
    [
        ("amap", as_json(amap_refusal("10044", "USER_DAILY_QUERY_OVER_LIMIT")), QuotaError, 1),
        ("amap", as_json(amap_refusal("10003", "DAILY_QUERY_OVER_LIMIT")), QuotaError, 1),
        ("amap", as_json(amap_refusal("10021", "CUQPS_HAS_EXCEEDED_THE_LIMIT")), QuotaError, 3),
        ("amap", as_json(amap_refusal("10001", "INVALID_USER_KEY")), KeyRefused, 1),
        ("amap", as_json(amap_refusal("10009", "USERKEY_PLAT_NOMATCH")), KeyRefused, 1),
        ("amap", as_json(amap_refusal("30001", "ENGINE_RESPONSE_DATA_ERROR")), QueryRefused, 1),
        ("amap", as_json(amap_refusal("10016", "SERVER_IS_BUSY")), GeocoderError, 3),
        ("amap", as_json({"status": "0", "info": [], "infocode": []}), GeocoderError, 3),
        ("baidu", as_json({"status": 302, "message": "天配额超限，限制访问"}), QuotaError, 1),
        ("baidu", as_json({"status": 401, "message": "并发量超限"}), QuotaError, 3),
        ("baidu", as_json({"status": 200, "message": "APP不存在"}), KeyRefused, 1),
        ("baidu", as_json({"status": 240, "message": "APP 服务被禁用"}), KeyRefused, 1),
        ("baidu", as_json({"status": 2, "message": "请求参数非法"}), QueryRefused, 1),
        ("baidu", as_json({"status": 1, "message": "服务器内部错误"}), GeocoderError, 3),
        ("tianditu", as_json({"code": "301", "msg": "配额已用完"}), QuotaError, 1),
        ("tianditu", as_json({"code": "1", "msg": "非法Key"}), KeyRefused, 1),
        ("tianditu", as_json({"msg": "error", "status": "404"}), GeocoderError, 3),
        ("nominatim", as_json({"error": {"code": 400}}), QueryRefused, 1),
        ("nominatim", as_json({"error": "x"}, status=403), KeyRefused, 1),
        ("amap", html(401), KeyRefused, 1),
        ("tianditu", html(418), KeyRefused, 1),
        ("amap", html(400), QueryRefused, 1),
        ("amap", html(429), QuotaError, 3),
        ("amap", html(402), QuotaError, 1),
        ("amap", html(503), GeocoderError, 3),
        ("amap", html(500), GeocoderError, 3),
        ("amap", html(204), GeocoderError, 1),
        ("amap", html(), GeocoderError, 1),
        ("amap", Reply(), GeocoderError, 1),
        ("amap", Reply(b"{" * 100_000), GeocoderError, 1),
        ("amap", Reply(b"[" * 100_000), GeocoderError, 1),
        ("amap", Reply(b"\xff\xfe{"), GeocoderError, 1),
        ("amap", Reply(b"9" * 10_000), GeocoderError, 1),
        ("amap", as_json([1, 2]), GeocoderError, 3),
        ("nominatim", as_json({"status": "ok"}), GeocoderError, 1),
        ("amap", Reply(b"{}", claimed=50), GeocoderError, 3),
        ("amap", Reply(b" " * (MAX_ANSWER_BYTES + 1)), GeocoderError, 1),
        ("amap", Reply(b"x" * 10, headers={"Content-Encoding": "br"}), GeocoderError, 1),
    ],
)
def test_what_is_no_answer_is_told_apart_and_retried_where_that_helps(name, reply, error, calls):
    now = _Time()
    with serve(reply) as server, pytest.raises(GeocoderError) as caught:
        _ask(_provider(server, name, time_=now))
    assert type(caught.value) is error
    assert len(server.asked) == calls
    assert now.at < transport.DEADLINE_S
    assert "\n" not in str(caught.value)
    assert PROVIDERS[name].title in str(caught.value)


def test_an_answer_that_is_cut_off_or_too_large_is_none_however_good_it_looks():
    good = json.dumps(GOOD["amap"]).encode()
    with (
        serve(Reply(good, claimed=len(good) + 10)) as server,
        pytest.raises(GeocoderError, match="no connection"),
    ):
        _ask(_provider(server))
    padded = good + b" " * MAX_ANSWER_BYTES
    for claimed in (None, 10**12):
        with (
            serve(Reply(padded, claimed=claimed)) as server,
            pytest.raises(GeocoderError, match="too large"),
        ):
            _ask(_provider(server))


def test_a_packed_answer_is_never_unpacked():
    with serve(bomb()) as server, pytest.raises(GeocoderError, match="compressed"):
        _ask(_provider(server))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status):
    with serve(as_json(GOOD["amap"])) as other:
        where = f"{other.url}/v3/geocode/geo?key={KEY}"
        with serve(redirect(where, status)) as server:
            with pytest.raises(GeocoderError, match="points elsewhere"):
                _ask(_provider(server))
            assert len(server.asked) == 1
    assert other.asked == []


def test_one_failure_is_made_good_by_the_next_attempt():
    for first in (html(500), html(429), Reply(b"{}", claimed=9)):
        with serve(lambda n, _, first=first: as_json(GOOD["amap"]) if n else first) as server:
            assert _ask(_provider(server)) == GOOD["amap"]
        assert len(server.asked) == 2


def test_a_wait_that_the_service_asks_for_is_kept_or_it_is_not_asked_again():
    def slow_down(seconds):
        return Reply(b"", 429, {"Retry-After": seconds})

    now = _Time()
    with serve(lambda n, _: as_json(GOOD["amap"]) if n else slow_down("4")) as server:
        _ask(_provider(server, time_=now))
    assert max(now.slept) == 4.0
    for seconds in ("3600", "Fri, 31 Dec 2100 23:59:59 GMT"):
        with serve(slow_down(seconds)) as server, pytest.raises(QuotaError):
            _ask(_provider(server))
        assert len(server.asked) == 1
    for seconds in ("soon", "", "-5", "1" * 5000, "Fri, 99 Dec 99999 23:59:59 GMT"):
        with serve(slow_down(seconds)) as server, pytest.raises(QuotaError):
            _ask(_provider(server))


@pytest.mark.parametrize(
    "reply",
    [
        Reply(hang_s=60),
        Reply(b" " * 1000, drip_s=0.05),
        Reply(b"{}", headers={"Transfer-Encoding": "chunked"}, hang_s=60),
    ],
)
def test_a_server_that_hangs_or_drips_is_given_up_in_time(reply, monkeypatch):
    # It would answer in a minute; that this raises at all shows that nobody waited for it.
    monkeypatch.setattr(transport, "ATTEMPT_S", 0.25)
    with serve(reply) as server, pytest.raises(GeocoderError, match="no answer in time"):
        _ask(_provider(server, deadline_s=1.0, clock=Clock()))


def test_a_header_that_drips_is_given_up_in_time(monkeypatch):
    monkeypatch.setattr(transport, "ATTEMPT_S", 0.25)
    url, stop = dripping_header_server()
    with pytest.raises(GeocoderError, match="no answer in time"):
        _ask(_provider(url, deadline_s=1.0, clock=Clock()))
    stop.set()


@pytest.fixture
def own_certificate(tmp_path):
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make a certificate with")
    files = [tmp_path / "key.pem", tmp_path / "cert.pem"]
    made = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost".split()
    made += ["-addext", "subjectAltName=DNS:localhost", "-keyout", files[0], "-out", files[1]]
    subprocess.run(made, check=True, capture_output=True)
    return files


def test_https_is_used_and_only_a_trusted_certificate_is(own_certificate, monkeypatch):
    with serve(as_json(GOOD["amap"]), certificate=own_certificate) as server:
        provider = _provider(server.url.replace("127.0.0.1", "localhost"))
        with pytest.raises(GeocoderError, match="certificate is not trusted"):
            _ask(provider)
        assert server.asked == []
        monkeypatch.setenv("SSL_CERT_FILE", str(own_certificate[1]))
        assert _ask(provider) == GOOD["amap"]
        wrong = _provider(server)
        with pytest.raises(GeocoderError, match="certificate is not trusted"):
            _ask(wrong)
    assert len(server.asked) == 1


def test_a_handshake_that_hangs_is_given_up_in_time(monkeypatch):
    monkeypatch.setattr(transport, "ATTEMPT_S", 0.25)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        provider = _provider(f"https://127.0.0.1:{silent.getsockname()[1]}", deadline_s=1.0)
        with pytest.raises(GeocoderError, match="no answer in time"):
            _ask(provider)


def test_a_name_that_is_looked_up_for_ever_is_given_up_in_time(monkeypatch):
    monkeypatch.setattr(transport, "ATTEMPT_S", 0.25)
    ended = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_a, **_k: ended.wait(60))
    with pytest.raises(GeocoderError, match="no answer in time"):
        _ask(_provider("https://maps.office.example", deadline_s=1.0))
    ended.set()


def test_nobody_there_is_a_clear_failure():
    with serve(Reply()) as server:
        pass
    with pytest.raises(GeocoderError, match="no connection"):
        _ask(_provider(server))


def test_proxies_of_the_environment_are_not_used(monkeypatch):
    for name in ("http_proxy", "https_proxy", "ALL_PROXY", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with serve(as_json(GOOD["amap"])) as server:
        assert _ask(_provider(server)) == GOOD["amap"]


def test_another_host_is_never_asked():
    with serve(as_json(GOOD["amap"])) as other, serve(as_json(GOOD["amap"])) as server:
        provider = _provider(server)
        provider.url = other.url + "/v3/geocode/geo"
        with pytest.raises(GeocoderError, match="another host"):
            _ask(provider)
    assert other.asked == server.asked == []


@given(
    callers=st.lists(
        st.tuples(st.floats(0, 5), st.sampled_from([0.1, 0.5, 1.0]), st.floats(0, 20)), max_size=20
    )
)
def test_turns_are_apart_and_never_too_late(callers):
    limiter, now, last = transport.Limiter(), 0.0, -math.inf
    for later, interval, patience in callers:
        now += later
        start = limiter.turn(now, interval, now + patience)
        if start is not None:
            assert now <= start < now + patience
            assert start >= last + interval
            last = start


def test_all_of_a_process_share_the_turns_of_a_service():
    now = _Time()
    with serve(as_json(GOOD["amap"])) as server:
        for _ in range(4):
            _ask(_provider(server, time_=now, per_second=2))
        _ask(_provider(server, "amap", time_=now, per_second=2))
    assert now.at == pytest.approx(2.0)


def test_the_public_nominatim_is_asked_once_a_second_whatever_was_set():
    fast = {"per_second": 50}
    assert PROVIDERS["nominatim"](Secret("me@example.org"), **fast)._interval_s == 1.0
    assert _provider("http://127.0.0.1", "nominatim", **fast)._interval_s == 0.02


# --- geopy's own way ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PROVIDERS)
def test_it_is_a_geopy_geocoder_latitude_first(name):
    with serve(as_json(GOOD[name])) as server:
        provider = _provider(server, name)
        place = provider.geocode("新华路526号")
        assert isinstance(provider, Geocoder)
        assert isinstance(place, Location)
        assert (place.latitude, place.longitude) == pytest.approx(LONLAT[::-1], abs=2e-5)
        assert len(provider.geocode("新华路526号", exactly_one=False)) == 1
    with serve(as_json(amap_answer())) as server:
        assert _provider(server).geocode("某路") is None


# --- the locator and its cache --------------------------------------------------------------------


def test_a_question_is_asked_once_ever(tmp_path):
    with serve(as_json(GOOD["amap"])) as server:
        first = _locator(_provider(server), tmp_path).locate(_record())
        again = _locator(_provider(server), tmp_path).locate(_record("另一家"))
    assert first == again
    assert len(server.asked) == 1


def test_a_locator_that_is_not_live_asks_nobody(tmp_path):
    with serve(as_json(GOOD["amap"])) as server:
        locator = _locator(_provider(server), tmp_path, live=False)
        assert locator.locate(_record()) is None
        geocode_batch([_record()], _provider(server), AnswerCache(tmp_path / "answers.sqlite"))
        assert locator.locate(_record()).precision == "poi"
    assert len(server.asked) == 1


def test_after_a_refusal_the_locator_asks_no_more_but_still_knows(tmp_path):
    with serve(lambda n, _: as_json(amap_refusal("10044", "X") if n else GOOD["amap"])) as server:
        locator = _locator(_provider(server), tmp_path)
        matches = [locator.locate(record) for record in addresses(6)]
        assert locator.locate(addresses(1)[0]) == matches[0]
    assert len(server.asked) == 2
    assert [m.reason for m in matches[1:]] == [Reason.NO_COORDINATE] * 5
    assert all("高德" in m.note for m in matches[1:])


def test_after_five_failures_in_a_row_the_locator_gives_up(tmp_path):
    with serve(html()) as server:
        locator = _locator(_provider(server), tmp_path)
        assert {locator.locate(record).reason for record in addresses(9)} == {Reason.NO_COORDINATE}
    assert len(server.asked) == 5


def test_failures_are_not_cached(tmp_path):
    with serve(lambda n, _: html() if n == 0 else as_json(GOOD["amap"])) as server:
        locator = _locator(_provider(server), tmp_path)
        assert locator.locate(_record()).geometry is None
        assert locator.locate(_record()).geometry is not None


# --- batches --------------------------------------------------------------------------------------


def _answers(_number, asked):
    return as_json(amap_answer(amap(asked["address"])))


def test_a_batch_counts_every_record_once(tmp_path):
    records = [*addresses(4), addresses(1)[0], _record(place="北京市武圣路1号")]
    cache, seen = AnswerCache(tmp_path / "a.sqlite"), []
    with serve(_answers) as server:
        report = geocode_batch(
            records, _provider(server), cache, lambda done, total: seen.append((done, total))
        )
        again = geocode_batch(records, _provider(server), cache)
    assert (report.asked, report.cached, report.skipped, report.left) == (4, 1, 1, 0)
    assert (again.asked, again.cached, again.skipped, again.left) == (0, 5, 1, 0)
    assert seen == [(n, 6) for n in range(1, 7)]
    assert len(server.asked) == len(cache) == 4


def test_a_batch_that_is_cancelled_says_how_many_are_left(tmp_path):
    cache = AnswerCache(tmp_path / "a.sqlite")
    with serve(_answers) as server:
        report = geocode_batch(
            addresses(9), _provider(server), cache, None, lambda: len(server.asked) == 3
        )
    assert (report.asked, report.left, len(cache)) == (3, 6, 3)


@pytest.mark.parametrize(
    ("refusal", "error"),
    [
        (as_json(amap_refusal("10044", "USER_DAILY_QUERY_OVER_LIMIT")), QuotaError),
        (as_json(amap_refusal("10013", "USERKEY_RECYCLED")), KeyRefused),
        (html(429), QuotaError),
    ],
)
def test_a_refusal_ends_a_batch_with_what_it_has(tmp_path, refusal, error):
    cache = AnswerCache(tmp_path / "a.sqlite")
    with (
        serve(lambda n, asked: refusal if n >= 3 else _answers(n, asked)) as server,
        pytest.raises(error) as caught,
    ):
        geocode_batch(addresses(9), _provider(server), cache)
    report = caught.value.partial
    assert (report.asked, len(report.failed), report.left, len(cache)) == (3, 1, 5, 3)
    with serve(_answers) as server:
        rest = geocode_batch(addresses(9), _provider(server), cache)
    assert (rest.cached, rest.asked, len(server.asked)) == (3, 6, 6)


def test_single_failures_are_told_and_the_batch_goes_on(tmp_path):
    cache = AnswerCache(tmp_path / "a.sqlite")
    odd = as_json(amap_refusal("30001", "ENGINE_RESPONSE_DATA_ERROR"))
    with serve(lambda n, asked: odd if n % 2 else _answers(n, asked)) as server:
        report = geocode_batch(addresses(20), _provider(server), cache)
    assert (report.asked, len(report.failed), report.left) == (10, 10, 0)
    assert report.failed[0][0] == addresses(2)[1].site_id


def test_a_dead_service_ends_a_batch_after_five(tmp_path):
    cache = AnswerCache(tmp_path / "a.sqlite")
    with serve(html()) as server, pytest.raises(GeocoderError) as caught:
        geocode_batch(addresses(100), _provider(server), cache)
    assert (len(caught.value.partial.failed), caught.value.partial.left) == (5, 95)
    assert (len(server.asked), len(cache)) == (5, 0)


@pytest.mark.skipif(
    "forkserver" not in multiprocessing.get_all_start_methods(), reason="Windows cannot fork"
)
def test_a_batch_killed_twenty_times_loses_nothing_and_repeats_one_call_per_kill(tmp_path):
    count, kills, cache = 1000, 20, tmp_path / "answers.sqlite"
    context = multiprocessing.get_context("forkserver")
    # What takes long to import, from the folder the tests are run in; each child is a fork of that.
    context.set_forkserver_preload(["geo.locate.online"])
    kept, pick, allowed = 0, random.Random(5), count

    def answers(number, asked):
        while number >= allowed:  # however late the kill comes, the child is not done before
            time.sleep(0.001)
        return _answers(number, asked)

    with serve(answers) as server:
        for kill in range(1, kills + 1):
            allowed = kill * 40 + 30
            child = context.Process(target=batch_in_child, args=(server.url, str(cache), count))
            child.start()
            while child.is_alive() and len(server.asked) < kill * 40:
                time.sleep(0.001)
            time.sleep(pick.random() * 0.01)
            assert child.is_alive()
            child.kill()
            child.join()
            answered, calls = _count(cache), len(server.asked)
            assert max(kept, calls - kill) <= answered <= calls
            kept = answered
        allowed = 2 * count
        child = context.Process(target=batch_in_child, args=(server.url, str(cache), count))
        child.start()
        child.join()
    assert child.exitcode == 0
    times = Counter(asked["address"] for _, asked in server.asked)
    assert _count(cache) == len(times) == count
    assert len(server.asked) <= count + kills
    assert sum(n - 1 for n in times.values()) <= kills
    locator = OnlineLocator(_provider(server), AnswerCache(cache), OUTLINE, live=False)
    assert all(locator.locate(record).precision == "poi" for record in addresses(count)[::97])


def _count(cache):
    with sqlite3.connect(cache) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return db.execute("SELECT count(*) FROM answers").fetchone()[0]


# --- the key --------------------------------------------------------------------------------------


def _error_of(provider):
    try:
        _ask(provider)
    except SiteMapError as error:
        return error
    return None


def _everything_an_error_tells(error):
    told = [str(error), repr(error), repr(error.args), repr(vars(error))]
    told += traceback.TracebackException.from_exception(error, capture_locals=True).format()
    link = error
    while link is not None:
        told += [repr(link), repr(link.args), repr(vars(link))]
        link = link.__cause__ or link.__context__
    return "\n".join(told)


_ESCAPED = "".join(f"\\u{ord(char):04x}" for char in KEY)
_ECHOES = [
    as_json({"status": KEY, "infocode": KEY, "info": KEY}),
    as_json({"status": 200, "message": KEY.upper()}),
    as_json({"error": KEY, "status": 302, "message": KEY}),
    html(403, f"<html>GET /v3/geocode/geo?key={KEY}</html>"),
    html(200, f"<html>GET /v3/geocode/geo?key={KEY}</html>"),
    html(500, KEY),
    redirect(f"https://elsewhere.example/?key={KEY}"),
    Reply(KEY.encode(), 429, {"Retry-After": KEY, "X-Key": KEY}),
    Reply(KEY.encode(), claimed=500),
    Reply(KEY.encode() * 20_000),
    Reply(KEY.encode(), headers={"Content-Encoding": KEY}),
    Reply(f'"{_ESCAPED}"'.encode()),
    Reply(b"", hang_s=60),
]


@pytest.mark.parametrize("reply", _ECHOES)
@pytest.mark.parametrize("name", ["amap", "baidu", "nominatim"])
def test_no_error_and_no_log_ever_holds_the_key(name, reply, caplog, capfd, monkeypatch):
    monkeypatch.setattr(transport, "ATTEMPT_S", 0.1 if reply.hang_s else 4.0)
    caplog.set_level(logging.DEBUG)
    with serve(reply) as server:
        provider = _provider(server, name)
        error = _error_of(provider)
    assert server.asked[0][1][KEY_NAMES[name]] == KEY
    assert error is not None
    told = _everything_an_error_tells(error) + caplog.text + "".join(capfd.readouterr())
    assert KEY.lower() not in told.lower()


def test_no_connection_does_not_tell_the_key_either(caplog):
    caplog.set_level(logging.DEBUG)
    with serve(Reply()) as server:
        pass
    told = _everything_an_error_tells(_error_of(_provider(server))) + caplog.text
    assert KEY not in told


@pytest.mark.parametrize("form", [KEY, KEY.lower(), _ESCAPED])
def test_a_key_that_the_service_repeats_is_blotted_out_of_answer_and_cache(form, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    content = json.dumps(amap_answer(amap("KEY")), ensure_ascii=False).replace('"KEY"', f'"{form}"')
    with serve(Reply(content.encode())) as server:
        locator = _locator(_provider(server), tmp_path)
        told = repr(locator.candidates("新华路526号")) + repr(locator.locate(_record()))
    assert "***" in told
    files = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"***" in files
    for text in (told, caplog.text, files.decode("latin-1")):
        assert KEY.lower() not in text.lower()


def test_an_e_mail_address_is_blotted_out_as_it_is_sent_too():
    mail = Secret("planner+map@example.org")
    text = mail.blot(
        "a planner+map@example.org b planner%2Bmap%40example.org c PLANNER%2bMAP%40EXAMPLE.org"
    )
    assert text == "a *** b *** c ***"


def test_nothing_that_shows_a_provider_shows_its_key(tmp_path):
    provider = _provider("http://127.0.0.1:9")
    shown = [repr(provider), str(provider), f"{provider}", repr(vars(provider))]
    shown += [repr(vars(provider.adapter)), repr(provider.question("某路1号")), repr(Secret(KEY))]
    shown += [str(Secret(KEY)), f"{Secret(KEY)}", f"{[Secret(KEY)]}"]
    assert not any(KEY in text for text in shown)
    for holder in (Secret(KEY), provider, provider.adapter):
        with pytest.raises((TypeError, AttributeError, pickle.PicklingError)):
            pickle.dumps(holder)


# --- setting up -----------------------------------------------------------------------------------


def _settings(**more):
    given = {"BAITA_GEOCODER": "amap", "BAITA_GEOCODER_KEY": KEY}
    return given | {f"BAITA_GEOCODER_{name.upper()}": value for name, value in more.items()}


def test_without_a_key_there_is_no_geocoder():
    assert make_provider({}) is None
    assert make_provider({"BAITA_GEOCODER": "amap"}) is None
    assert make_provider({"BAITA_GEOCODER": "amap", "BAITA_GEOCODER_KEY": "  "}) is None


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_geocoder_is_made_from_settings_and_sends_to_its_own_host(name):
    provider = make_provider(_settings() | {"BAITA_GEOCODER": name})
    assert (type(provider), provider.url) == (PROVIDERS[name], PROVIDERS[name].address)
    assert provider.url.startswith("https://")
    assert (provider.home, provider.city) == (("辽宁省", "辽阳市", "白塔区"), "辽阳市")


def test_another_district_and_its_city():
    provider = make_provider(_settings(), home=("北京市", "北京市", "朝阳区"))
    assert provider.question("某路1号").query == "北京市朝阳区某路1号"
    provider = make_provider(_settings(city="211000", per_second="0.5"), home=())
    assert (provider.city, provider._interval_s) == ("211000", 2.0)
    assert provider.question("某路1号").query == "某路1号"


@pytest.mark.parametrize(
    ("url", "used"),
    [
        ("https://maps.office.example", "https://maps.office.example/v3/geocode/geo"),
        ("https://maps.office.example/amap/", "https://maps.office.example/amap/"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080/v3/geocode/geo"),
        ("http://localhost:8080/x", "http://localhost:8080/x"),
        ("http://[::1]:8080/x", "http://[::1]:8080/x"),
    ],
)
def test_an_administrator_may_set_a_host(url, used):
    assert make_provider(_settings(url=url)).url == used


@pytest.mark.parametrize(
    "url",
    [
        "http://restapi.amap.com/v3/geocode/geo",
        "http://127.0.0.1.evil.example/",
        "http://localhost@evil.example/",
        "https://user:pass@maps.example/",
        f"https://maps.example/?key={KEY}",
        f"https://maps.example/#{KEY}",
        "https://",
        "https://[::1",
        "https://maps.example:port/",
        "file:///etc/passwd",
        "maps.example",
        "https://maps example/",
        "https://maps.example/a b",
        "ftp://127.0.0.1/",
    ],
)
def test_other_addresses_are_refused_without_being_repeated(url):
    with pytest.raises(GeocoderError, match="BAITA_GEOCODER_URL") as caught:
        make_provider(_settings(url=url))
    assert KEY not in str(caught.value)
    assert len(url) < 10 or url not in str(caught.value)


@pytest.mark.parametrize(
    "key", ["short", "with space in it", "line\nbreak-long", "引号很长很长很长", "x" * 129]
)
def test_a_key_that_is_none_is_refused_without_being_repeated(key):
    with pytest.raises(GeocoderError, match="BAITA_GEOCODER_KEY") as caught:
        make_provider(_settings() | {"BAITA_GEOCODER_KEY": key})
    assert key not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("", "google"),
        ("", ""),
        ("_PER_SECOND", "fast"),
        ("_PER_SECOND", "0"),
        ("_PER_SECOND", "nan"),
    ],
)
def test_other_settings_that_cannot_be_used_are_named(name, value):
    with pytest.raises(GeocoderError, match=f"BAITA_GEOCODER{name} is not"):
        make_provider(_settings() | {f"BAITA_GEOCODER{name}": value})
