"""What each service is asked and what it answers: 高德, 百度, 天地图, Nominatim, in the same words."""

from __future__ import annotations

import json
import math
import re
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final
from urllib.parse import urlencode, urlsplit

import shapely
from geopy import Location
from geopy.adapters import AdapterHTTPError, get_retry_after
from geopy.exc import (
    GeocoderAuthenticationFailure,
    GeocoderInsufficientPrivileges,
    GeocoderParseError,
    GeocoderQueryError,
    GeocoderQuotaExceeded,
    GeocoderRateLimited,
    GeocoderServiceError,
    GeocoderTimedOut,
    GeocoderUnavailable,
    GeopyError,
)
from geopy.geocoders.base import DEFAULT_SENTINEL, Geocoder

from geo import __version__
from geo.errors import DatumError
from geo.locate.cache import Question
from geo.locate.datum import CHINA_BOX, Datum, to_wgs84
from geo.locate.given import Boundary
from geo.locate.names import HOME
from geo.locate.online import transport
from geo.locate.online.transport import (
    BACKOFF_S,
    DEADLINE_S,
    Clock,
    GeocoderError,
    Json,
    KeyRefused,
    Limiter,
    QueryRefused,
    QuotaError,
    Secret,
    Transport,
)
from geo.site import PRECISIONS, Precision

LONGEST = 200  # characters of any text that goes out or comes in


# --- what services answer -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Found:
    """One place as a service gives it.

    `x`, `y` are its numbers (longitude first) in the datum that was asked for. `name` is its own text for what it
    found, "" if it has none; `level` its word for how exact that is and `precision` ours, None for a word that is
    not known. `score` is its own figure (0 to 100) or None.
    """

    name: str
    x: float
    y: float
    level: str
    precision: Precision | None
    uncertainty_m: float | None = None
    score: float | None = None


class Provider(Geocoder):  # type: ignore[misc]  # geopy has no types
    """An online geocoder: a geopy geocoder that keeps its key to itself and ends in time.

    Parameters
    ----------
    secret
        The key.
    home
        Official names of the district and what it lies in, largest first; put before what is asked.
    city
        What is sent as the city; by default the last but one of `home`.
    url
        Where to send questions instead of the service's own address: https, or http on this machine.
    per_second
        Questions a second; the service's usual limit by default.
    deadline_s, clock
        See `DEADLINE_S`; where time comes from.

    Raises
    ------
    GeocoderError
        If the address may not be used, or the key is missing.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    address: ClassVar[str]
    key_parameter: ClassVar[str]
    usual_per_second: ClassVar[float] = 3.0
    longest_bytes: ClassVar[int] = 3 * LONGEST
    datum: str

    def __init__(
        self,
        secret: Secret,
        *,
        home: Sequence[str] = HOME,
        city: str = "",
        url: str = "",
        per_second: float | None = None,
        deadline_s: float = DEADLINE_S,
        clock: Clock | None = None,
    ) -> None:
        if not secret:
            raise GeocoderError(f"{self.title} needs a key: set BAITA_GEOCODER_KEY")
        self.url = _checked_url(url, self.address)
        origin = urlsplit(self.url)[:2]
        super().__init__(
            scheme=origin[0],
            timeout=transport.ATTEMPT_S,
            user_agent=f"baita-one-map/{__version__}",
            adapter_factory=lambda **_: Transport(origin, self.key_parameter, secret),
        )
        # A reply that is not packed cannot unpack to more than was read.
        self.headers |= {"Accept-Encoding": "identity", "Connection": "close"}
        self.home = tuple(home)
        self.city = _clean(city) or "".join(home[-2:-1] or home)
        self.deadline_s, self._clock = deadline_s, clock or Clock()
        self._interval_s = 1.0 / (per_second or self.usual_per_second)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({urlsplit(self.url).hostname})"

    def geocode(
        self, query: str, *, exactly_one: bool = True, timeout: object = DEFAULT_SENTINEL
    ) -> Location | list[Location] | None:
        """Return geopy locations: latitude first, WGS84, the service's numbers in `raw`; see `ask` for errors.

        `timeout` is there because geopy has it; the deadline of this geocoder holds.
        """
        spots = [(found, self.lonlat(found)) for found in self.read(self.ask(self.question(query)))]
        places = [
            Location(found.name, (lonlat[1], lonlat[0]), {"x": found.x, "y": found.y})
            for found, lonlat in spots
            if lonlat
        ]
        return (places[0] if exactly_one else places) if places else None

    def question(self, text: str) -> Question:
        """Return what is asked for a name or an address: with the district in front, once."""
        plain = _clean(text)
        while front := next((n for n in self.home if plain.startswith(n) and plain != n), ""):
            plain = plain[len(front) :].lstrip()
        return Question(self.name, self.datum, self.city, self._compose(plain))

    def ask(self, question: Question) -> Json:
        """Return the service's answer as parsed JSON, without the key.

        Raises
        ------
        QuotaError, KeyRefused, QueryRefused
            As the service says.
        GeocoderError
            If it gave no usable answer before the deadline, over all attempts.
        """
        if len(question.query.encode()) > self.longest_bytes:
            raise QueryRefused(
                f"{self.title} takes at most {self.longest_bytes} bytes: shorten the address"
            )
        url = f"{self.url}?{urlencode(self._parameters(question))}"
        until = self._clock.now() + self.deadline_s
        for pause_s in (*BACKOFF_S, math.inf):
            try:
                return self._attempt(url, until)
            except (GeocoderTimedOut, GeocoderUnavailable, GeocoderRateLimited) as error:
                pause_s = max(pause_s, getattr(error, "retry_after", None) or 0.0)
                if self._clock.now() + pause_s >= until:
                    raise self._failure(error) from error
            except GeopyError as error:
                raise self._failure(error) from error
            self._clock.sleep(pause_s)
        raise AssertionError("the last attempt returns or raises")

    def lonlat(self, found: Found) -> tuple[float, float] | None:
        """Return where a place is in WGS84 degrees, or None if its numbers are none, or not in China."""
        try:
            lon, lat = to_wgs84(found.x, found.y, self.datum)
        except DatumError:
            return None
        west, south, east, north = CHINA_BOX
        return (lon, lat) if west <= lon <= east and south <= lat <= north else None

    @abstractmethod
    def read(self, answer: Json) -> list[Found]:
        """Return the places of an answer, in its order; what has no usable numbers is left out."""

    @abstractmethod
    def _parameters(self, question: Question) -> dict[str, str]:
        """Return what is sent, without the key."""

    @abstractmethod
    def _complain(self, answer: Json) -> None:
        """Raise geopy's exception for an answer that is a refusal."""

    def _compose(self, text: str) -> str:
        return "".join(self.home[-2:]) + text

    def _attempt(self, url: str, until: float) -> Json:
        now = self._clock.now()
        limiter = transport.LIMITERS.setdefault(self.name, Limiter())
        start = limiter.turn(now, self._interval_s, until)
        if start is None:
            raise GeocoderTimedOut("no turn in time")
        if start > now:
            self._clock.sleep(start - now)
        left_s = max(until - start, 0.01)
        return self._call_geocoder(url, self._checked, timeout=min(transport.ATTEMPT_S, left_s))

    def _checked(self, answer: Json) -> Json:
        self._complain(answer)
        return answer

    def _geocoder_exception_handler(self, error: Exception) -> None:
        """Sort what geopy would not tell apart; it calls this for every failure."""
        if not isinstance(error, AdapterHTTPError):
            return
        status = error.status_code
        if status == 429:
            raise GeocoderRateLimited("HTTP 429", retry_after=_seconds(error)) from error
        if status in (401, 403, 407, 418):
            raise GeocoderAuthenticationFailure(f"HTTP {status}") from error
        if status >= 500:
            raise GeocoderUnavailable(f"HTTP {status}") from error
        if status < 400:
            raise GeocoderServiceError(f"HTTP {status}: it points elsewhere") from error

    def _failure(self, error: GeopyError) -> GeocoderError:
        """Return our error for geopy's; what stands in it was written here, never by the service."""
        who, why = self.title, str(error)
        if isinstance(error, GeocoderQuotaExceeded):
            return QuotaError(
                f"{who} answers no more for now ({why}): what it said is kept; go on later"
            )
        if isinstance(error, (GeocoderAuthenticationFailure, GeocoderInsufficientPrivileges)):
            return KeyRefused(
                f"{who} refuses the key ({why}): check BAITA_GEOCODER_KEY and what it may do"
            )
        if isinstance(error, GeocoderQueryError):
            return QueryRefused(f"{who} cannot work with this address ({why}): write it in full")
        return GeocoderError(f"{who} gave no usable answer ({why}): check the network, try later")


def _seconds(error: AdapterHTTPError) -> float | None:
    try:
        return float(get_retry_after(error.headers) or 0.0)
    except (ValueError, OverflowError, TypeError):  # geopy reads any date a service writes
        return None


def _checked_url(url: str, usual: str) -> str:
    """Return where to send questions, without a trailing part of its own; the text of an error never repeats it."""
    try:
        parts = urlsplit(url or usual)
        host, _port = parts.hostname or "", parts.port
    except ValueError:
        host, parts = "", urlsplit("")
    local = host in ("127.0.0.1", "localhost", "::1")
    plain = re.fullmatch(r"[A-Za-z0-9.:\[\]/_~%-]+", parts.netloc + parts.path)
    extra = parts.query or parts.fragment
    secure = parts.scheme == "https" or (parts.scheme == "http" and local)
    if not (host and plain and secure) or extra:
        raise GeocoderError(
            "BAITA_GEOCODER_URL is not an address to use: https://HOST/PATH is needed, "
            "or http:// on this machine, without a key in it"
        )
    path = urlsplit(usual).path if parts.path in ("", "/") else parts.path
    return f"{parts.scheme}://{parts.netloc}{path}"


class AMap(Provider):
    """高德; https://lbs.amap.com/api/webservice/guide/api/georegeo."""

    name = "amap"
    title = "高德"
    address = "https://restapi.amap.com/v3/geocode/geo"
    key_parameter = "key"
    datum = Datum.GCJ02.value

    def _parameters(self, question: Question) -> dict[str, str]:
        # `|` would be a second address.
        address = question.query.replace("|", " ")
        return {"address": address, "city": question.city, "output": "JSON"}

    def _complain(self, answer: Json) -> None:
        content = _object(answer)
        if _text(content.get("status")) == "1":
            return
        code = _code(content.get("infocode"))
        if code in _AMAP_QUOTA:
            raise GeocoderQuotaExceeded(f"code {code}")
        if code in _AMAP_BUSY:
            raise GeocoderRateLimited(f"code {code}")
        if code in _AMAP_QUERY:
            raise GeocoderQueryError(f"code {code}")
        if code.startswith("100") and code not in _AMAP_DOWN:
            raise GeocoderAuthenticationFailure(f"code {code}")
        raise GeocoderUnavailable(f"code {code or 'missing'}")

    def read(self, answer: Json) -> list[Found]:
        """Return its places; a door number may be interpolated, so it is `poi` and not `rooftop`."""
        places = []
        for one in _list(_object(answer).get("geocodes")):
            content = _object(one)
            x, _, y = _text(content.get("location")).partition(",")
            level = _text(content.get("level"))
            found = _found(x, y, _text(content.get("formatted_address")), level, _AMAP_LEVELS)
            places += [found] if found else []
        return places


# https://lbs.amap.com/api/webservice/guide/tools/info
_AMAP_QUOTA = frozenset("10003 10010 10044 10045 40000 40002".split())
_AMAP_BUSY = frozenset("10004 10014 10019 10020 10021 10029".split())
_AMAP_DOWN = frozenset("10015 10016 10017".split())
_AMAP_QUERY = frozenset("20000 20001 20002 30000 30001 30002 30003".split())


class Baidu(Provider):
    """百度; https://lbsyun.baidu.com/index.php?title=webapi/guide/webservice-geocoding.

    Parameters
    ----------
    secret, **more
        As for `Provider`.
    datum
        `bd09` (its default) or `gcj02`.
    """

    name = "baidu"
    title = "百度"
    address = "https://api.map.baidu.com/geocoding/v3/"
    key_parameter = "ak"
    longest_bytes = 84
    datum = Datum.BD09.value

    def __init__(self, secret: Secret, *, datum: str = Datum.BD09, **more: Any) -> None:
        if datum not in (Datum.BD09, Datum.GCJ02):
            raise GeocoderError(f"百度 gives bd09 or gcj02, not {datum}: its geocoder has no other")
        super().__init__(secret, **more)
        self.datum = str(datum)

    def _parameters(self, question: Question) -> dict[str, str]:
        asked = {"address": question.query, "city": question.city, "output": "json"}
        return asked | ({"ret_coordtype": "gcj02ll"} if self.datum == Datum.GCJ02 else {})

    def _complain(self, answer: Json) -> None:
        content = _object(answer)
        code = _code(content.get("status"))
        words = str(content.get("msg", content.get("message")))
        if code == "0" or (code == "1" and "无相关结果" in words):
            return
        if code in ("4", "301", "302"):
            raise GeocoderQuotaExceeded(f"code {code}")
        if code in ("401", "402"):
            raise GeocoderRateLimited(f"code {code}")
        if code == "2":
            raise GeocoderQueryError(f"code {code}")
        if code in ("3", "5") or (len(code) == 3 and code[0] in "12"):
            raise GeocoderAuthenticationFailure(f"code {code}")
        raise GeocoderUnavailable(f"code {code or 'missing'}")

    def read(self, answer: Json) -> list[Found]:
        """Return its one place; what it calls imprecise, or off by more than 100 m, is at best `community`."""
        result = _object(_object(answer).get("result"))
        spot, level = _object(result.get("location")), _text(result.get("level"))
        found = _found(spot.get("lng"), spot.get("lat"), "", level, _BAIDU_LEVELS)
        if found is None:
            return []
        confidence = _number(result.get("confidence"))
        within_m = next((m for least, m in _BAIDU_WITHIN_M if confidence >= least), None)
        exact = _number(result.get("precise")) == 1 and within_m is not None and within_m <= 100
        precision = found.precision if exact else _at_best(found.precision, Precision.COMMUNITY)
        score = _number(result.get("comprehension"))
        return [replace(found, precision=precision, uncertainty_m=within_m, score=score)]


# Its documented error for a `confidence` of at least so much, in metres.
_BAIDU_WITHIN_M = (
    (100, 20.0),
    (90, 50.0),
    (80, 100.0),
    (75, 200.0),
    (70, 300.0),
    (60, 500.0),
    (50, 1000.0),
    (40, 2000.0),
    (30, 5000.0),
    (25, 8000.0),
    (20, 10000.0),
)


class Tianditu(Provider):
    """天地图; http://lbs.tianditu.gov.cn/server/geocodinginterface.html. It does not list its levels or errors."""

    name = "tianditu"
    title = "天地图"
    address = "https://api.tianditu.gov.cn/geocoder"
    key_parameter = "tk"
    datum = Datum.CGCS2000.value

    def _compose(self, text: str) -> str:
        query = super()._compose(text)
        return query if self.city in query or self.city.isdigit() else self.city + query

    def _parameters(self, question: Question) -> dict[str, str]:
        return {"ds": json.dumps({"keyWord": question.query}, ensure_ascii=False)}

    def _complain(self, answer: Json) -> None:
        content = _object(answer)
        code = _code(content.get("status", content.get("code")))
        if code in ("0", "101"):
            return
        words = str(content.get("msg")).lower()
        if any(word in words for word in ("无结果", "结果为空", "no result")):
            return
        if any(word in words for word in ("配额", "超限", "超出", "次数", "limit", "quota")):
            raise GeocoderQuotaExceeded(f"code {code or 'missing'}")
        if any(word in words for word in ("key", "密钥", "权限", "tk")):
            raise GeocoderAuthenticationFailure(f"code {code or 'missing'}")
        raise GeocoderUnavailable(f"code {code or 'missing'}")

    def read(self, answer: Json) -> list[Found]:
        """Return its one place."""
        spot = _object(_object(answer).get("location"))
        level = _text(spot.get("level"))
        found = _found(spot.get("lon"), spot.get("lat"), "", level, _TIANDITU_LEVELS)
        return [replace(found, score=_number(spot.get("score")))] if found else []


class Nominatim(Provider):
    """Nominatim of OpenStreetMap; https://nominatim.org/release-docs/latest/api/Search/.

    The public server wants an e-mail address to write to, in the place of a key, and one question a second at most:
    https://operations.osmfoundation.org/policies/nominatim/.
    """

    name = "nominatim"
    title = "Nominatim"
    address = "https://nominatim.openstreetmap.org/search"
    key_parameter = "email"
    usual_per_second = 1.0
    datum = Datum.WGS84.value

    def __init__(self, secret: Secret, *, per_second: float | None = None, **more: Any) -> None:
        super().__init__(secret, per_second=per_second, **more)
        if urlsplit(self.url).hostname == urlsplit(self.address).hostname:
            self._interval_s = max(self._interval_s, 1.0)

    def _compose(self, text: str) -> str:
        around = [*reversed(self.home[-2:])]
        if self.city not in around and not self.city.isdigit():
            around.append(self.city)
        return ", ".join([text, *around])

    def _parameters(self, question: Question) -> dict[str, str]:
        return {
            "q": question.query,
            "format": "jsonv2",
            "countrycodes": "cn",
            "accept-language": "zh",
            "addressdetails": "1",
            "limit": "5",
        }

    def _complain(self, answer: Json) -> None:
        if isinstance(answer, dict) and "error" in answer:
            raise GeocoderQueryError("it reports an error")
        if not isinstance(answer, list):
            raise GeocoderParseError("the answer is not in its format")

    def read(self, answer: Json) -> list[Found]:
        """Return its places; half the diagonal of what is no single point is its uncertainty."""
        places = []
        for one in _list(answer):
            content = _object(one)
            level, kind = _text(content.get("addresstype")), _text(content.get("type"))
            level = "house" if kind == "house" else level
            name = _osm_name(content)
            found = _found(content.get("lon"), content.get("lat"), name, level, _OSM_LEVELS)
            if found:
                places.append(replace(found, uncertainty_m=_half_diagonal_m(content)))
        return places


def _osm_name(content: Mapping[str, Json]) -> str:
    address = _object(content.get("address"))
    door = _text(address.get("house_number"))
    street = _text(address.get("road")) + door + ("号" if door.isdigit() else "")
    return _text(content.get("name")) or (street if door else _text(content.get("display_name")))


def _half_diagonal_m(content: Mapping[str, Json]) -> float | None:
    box = [_number(side) for side in _list(content.get("boundingbox"))]
    # The box of a node is made up by Nominatim, from what kind of thing it is.
    if content.get("osm_type") == "node" or len(box) != 4 or not all(map(math.isfinite, box)):
        return None
    south, north, west, east = box
    corner, other = shapely.Point(west, south), shapely.Point(east, north)
    half_m = Boundary(corner).metres_outside(other) / 2
    return half_m if 0 < half_m < math.inf else None


# --- words for how exact --------------------------------------------------------------------------


def _levels(**words: str) -> dict[str, Precision]:
    return {
        word: Precision(name.lower()) for name, listed in words.items() for word in listed.split()
    }


_AMAP_LEVELS = _levels(
    ROOFTOP="单元号 楼层 房间",
    POI="门牌号 门址 兴趣点 公交地铁站点 公交站台、地铁站",
    INTERSECTION="道路交叉路口",
    ROAD="道路 小巷",
    COMMUNITY="村庄 热点商圈 住宅区",
    STREET="乡镇 开发区",
    DISTRICT="区县",
    CITY="市 省 国家",
)
_BAIDU_LEVELS = _levels(
    POI="门址 商务大厦 政府机构 生活服务 休闲娱乐 餐饮 宾馆 购物 金融 教育 医疗 汽车服务 火车站 长途汽车站 "
    "停车场/停车区 停车场 停车区 收费区/收费站 收费处/收费站 加油站 酒店 美食",
    INTERSECTION="交叉路口",
    ROAD="道路 桥",
    COMMUNITY="地产小区 村庄 商圈 工业园区 旅游景点 绿地 飞机场 机场 港口/码头",
    STREET="乡镇",
    DISTRICT="区县",
    CITY="城市 省 国家",
)
_TIANDITU_LEVELS = _levels(
    POI="门址 兴趣点",
    INTERSECTION="交叉路口 道路交叉口",
    ROAD="道路",
    COMMUNITY="村 村庄 社区 小区",
    STREET="街道 乡镇",
    DISTRICT="区县",
    CITY="市 省",
)
# A word for what a place is; an area is at least as coarse as its word may mean in China.
_OSM_LEVELS = _levels(
    ROOFTOP="building",
    POI="house house_number amenity shop office tourism historic man_made craft emergency healthcare railway",
    ROAD="road",
    COMMUNITY="village hamlet neighbourhood quarter residential allotments isolated_dwelling landuse "
    "industrial commercial retail leisure farm",
    STREET="suburb town borough subdivision",
    DISTRICT="city_district district county municipality",
    CITY="city state province region country state_district",
)


def _at_best(precision: Precision | None, limit: Precision) -> Precision | None:
    """Return a precision, or the limit if it is finer; what is not known stays so."""
    if precision is None:
        return None
    return max(precision, limit, key=lambda one: PRECISIONS.index(one))


# --- reading what anybody may have written --------------------------------------------------------


def _found(
    x: Json, y: Json, name: str, level: str, levels: Mapping[str, Precision]
) -> Found | None:
    lon, lat = _number(x), _number(y)
    if not (math.isfinite(lon) and math.isfinite(lat)):
        return None
    return Found(name, lon, lat, level, levels.get(level))


def _object(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, dict) else {}


def _list(value: Json) -> Sequence[Json]:
    return value[:20] if isinstance(value, list) else ()


def _text(value: Json) -> str:
    return _clean(value) if isinstance(value, str) else ""


def _code(value: Json) -> str:
    """Return a service's code if it is a plain number, else "": no other text of a service is repeated."""
    text = str(value) if isinstance(value, (int, str)) else ""
    return text if re.fullmatch(r"[0-9]{1,6}", text) else ""


def _number(value: Json) -> float:
    """Return a number, NaN for anything that is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return math.nan
    try:
        return float(value)
    except (ValueError, OverflowError):
        return math.nan


def _clean(text: str) -> str:
    """Return a text on one line that any file can hold: no control characters, no halves of characters."""
    whole = text[: 4 * LONGEST].encode("utf-8", errors="replace").decode()
    return " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", " ", whole).split())[:LONGEST]


# --- setting up -----------------------------------------------------------------------------------

PROVIDERS: Final[Mapping[str, type[Provider]]] = {
    provider.name: provider for provider in (AMap, Baidu, Tianditu, Nominatim)
}


def make_provider(settings: Mapping[str, str], *, home: Sequence[str] = HOME) -> Provider | None:
    """Return the online geocoder that an administrator set up, or None: no key, no request.

    Parameters
    ----------
    settings
        Names to values, as `os.environ`: BAITA_GEOCODER (amap, baidu, tianditu or nominatim), BAITA_GEOCODER_KEY (for
        nominatim an e-mail address to be reached at), BAITA_GEOCODER_CITY, BAITA_GEOCODER_URL,
        BAITA_GEOCODER_PER_SECOND.
    home
        Official names of the district and what it lies in, largest first, as from `home_names`.

    Raises
    ------
    GeocoderError
        If a value cannot be used; the text says what to write instead, and repeats neither key nor address.
    """
    given = {name: settings.get(f"BAITA_GEOCODER{name}", "").strip() for name in _SETTINGS}
    secret = Secret(given.pop("_KEY"))
    if not secret:
        return None
    kind = PROVIDERS.get(given[""])
    if kind is None:
        raise GeocoderError(f"BAITA_GEOCODER is not one of {', '.join(PROVIDERS)}")
    return kind(
        secret,
        home=home,
        city=given["_CITY"],
        url=given["_URL"],
        per_second=_per_second(given["_PER_SECOND"]),
    )


_SETTINGS = ("", "_KEY", "_CITY", "_URL", "_PER_SECOND")


def _per_second(text: str) -> float | None:
    rate = _number(text) if text else None
    if rate is not None and not 0.01 <= rate <= 1000:
        raise GeocoderError("BAITA_GEOCODER_PER_SECOND is not a number from 0.01 to 1000")
    return rate
