"""A shared link gives its own datum, or nothing: never a guess, and never a request."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.errors import DatumError
from geo.locate.links import parse_link


@pytest.mark.parametrize(
    ("link", "x", "y", "datum"),
    [
        ("https://uri.amap.com/marker?position=123.1871,41.2801&name=某处", 123.1871, 41.2801, "gcj02"),
        ("https://uri.amap.com/marker?position=123.18,41.28&coordinate=wgs84", 123.18, 41.28, "wgs84"),
        ("https://ditu.amap.com/place?p=B0FFG,41.2801,123.1871,某处,某路", 123.1871, 41.2801, "gcj02"),
        ("我在这里：https://uri.amap.com/marker?position=123.18,41.28 快来", 123.18, 41.28, "gcj02"),
        ("http://api.map.baidu.com/marker?location=41.28,123.19&title=x&output=html", 123.19, 41.28, "bd09"),
        ("http://api.map.baidu.com/marker?location=41.28,123.19&coord_type=gcj02", 123.19, 41.28, "gcj02"),
        ("https://apis.map.qq.com/uri/v1/marker?marker=coord:41.28,123.19;title:x", 123.19, 41.28, "gcj02"),
        ("https://www.openstreetmap.org/#map=17/41.26150/123.17650", 123.1765, 41.2615, "wgs84"),
        ("https://www.openstreetmap.org/?mlat=41.26&mlon=123.17#map=17/1/2", 123.17, 41.26, "wgs84"),
        ("geo:41.26,123.17;u=35", 123.17, 41.26, "wgs84"),
    ],
)  # fmt: skip
def test_a_link_says_where_and_in_which_datum(link, x, y, datum):
    point = parse_link(link)
    assert (point.x, point.y, point.datum) == (x, y, datum)


@pytest.mark.parametrize("text", ["123.18, 41.28", "新华路", "", "www.amap.com", "x" * 5000])
def test_what_is_no_link_is_left_to_others(text):
    assert parse_link(text) is None


@pytest.mark.parametrize(
    ("link", "why"),
    [
        ("https://surl.amap.com/abc", "short link"),
        ("https://j.map.baidu.com/4f/x", "short link"),
        ("https://example.com/?location=41,123", "no coordinate"),
        ("https://evil-amap.com/?position=123,41", "no coordinate"),
        ("https://uri.amap.com/marker?name=x", "no coordinate"),
        ("http://api.map.baidu.com/marker?location=41,123&coord_type=mars", "coord_type"),
        ("https://uri.amap.com/marker?position=999,41", "nowhere"),
        (
            "https://uri.amap.com/marker?position=1,2 https://uri.amap.com/marker?position=3,4",
            "several",
        ),
    ],
)
def test_a_link_that_does_not_say_it_is_refused_with_what_to_do(link, why):
    with pytest.raises(DatumError, match=why):
        parse_link(link)


@given(st.text(max_size=60))
def test_any_text_gives_a_point_nothing_or_a_clear_refusal(text):
    for link in (text, "https://uri.amap.com/marker?position=" + text, "geo:" + text):
        try:
            point = parse_link(link)
        except DatumError:
            continue
        assert point is None or (abs(point.x) <= 180 and abs(point.y) <= 90)
