"""When two names mean one place: spellings are folded together, and other cities' names are kept apart."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

import GeoToolCN

from geo.category import fold

HOME = ("辽宁省", "辽阳市", "白塔区")
"""The district this app serves and what it lies in, largest first."""

_MARKS = re.compile(r"""[()\[\]{}<>"'“”‘’「」『』《》〈〉【】〔〕・·]""")
_COMPANY = re.compile(r"(?:股份有限公司|有限责任公司|有限公司)$")
_SAME = (("农村商业银行", "农商银行"),)


def normalise_name(name: str, *, home: Sequence[str] = HOME) -> str:
    """Return a name for comparison only: never shown, never stored.

    Width, case, spaces and brackets (not what is in them) make no difference, nor do the district's own
    province, city and district in front, a company's legal form at the end, and 农村商业银行 for 农商银行.
    Another city in front stays, so that 北京市武圣路 never equals 武圣路. What would leave nothing stays too.

    Parameters
    ----------
    name
        A name or an address as a source writes it.
    home
        Official names to drop from the front, largest first.
    """
    plain = _without_home(_MARKS.sub("", fold(name)), home)
    for long, short in _SAME:
        plain = plain.replace(long, short)
    return _COMPANY.sub("", plain) or plain


def home_names(adcode: str) -> tuple[str, ...]:
    """Return the official names of a district and what it lies in, largest first.

    Parameters
    ----------
    adcode
        Six digits; a code that is not known gives an empty tuple.
    """
    chain = (adcode[:2] + "0000", adcode[:4] + "00", adcode)
    regions = (_regions().get_region(code) for code in dict.fromkeys(chain))
    return tuple(region.name for region in regions if region is not None)


def is_home(text: str, *, home: Sequence[str] = HOME) -> bool:
    """Return whether a text names the district, or what it lies in, and nothing else (辽阳, 白塔区 ...)."""
    words = sorted({*home, *map(_bare, home)}, key=len, reverse=True)
    return not re.sub("|".join(map(re.escape, words)), "", fold(text)) if words else not fold(text)


def elsewhere(text: str, *, home: Sequence[str] = HOME) -> str:
    """Return the other region an address begins with, or "" if it names none.

    Knows every province, city and county of China by its official name, provinces and cities by their short
    name too (北京, but not the street 北京路), and takes a town or township in front (首山镇新华路) for another
    place, because an urban district has none.

    Parameters
    ----------
    text
        An address as a source writes it; its parts may be set apart by spaces, commas or brackets.
    home
        Official names that mean here.
    """
    for part in re.split(r"[\s,，;；、/|()（）【】\[\]]+", text):
        if found := _elsewhere(fold(part), tuple(home)):
            return found
    return ""


_TOWN = re.compile(r"[一-鿿]{2,4}[镇乡](?=$|.*[村屯路街道巷号组])")
_ADDRESS_REST = re.compile(
    r"$|(?!(?:[东西南北中大])?(?:路|街|道|巷|胡同|里)).*(?:[路街道巷村屯区县市旗镇乡]|\d+号?)$"
)


def _elsewhere(part: str, home: tuple[str, ...]) -> str:
    official, short = _region_names()
    rest = _without_home(part, home)
    for size in range(min(len(rest), 12), 2, -1):
        # 新民市 is a city, 新民市场 a market.
        if rest[:size] in official and rest[:size] not in home and rest[size : size + 1] != "场":
            return rest[:size]
    here = {_bare(name) for name in home}
    for size in range(min(len(rest), 8), 1, -1):
        # 北京 and 北京武圣路 are elsewhere; 北京路12号 and 北京银行旁 are not.
        name, after = rest[:size], rest[size:]
        if name in short and (after in short or _ADDRESS_REST.match(after)):
            if name not in here:
                return name
            rest = after  # 辽阳首山镇 ...: the short home name says nothing, what follows may
            break
    town = _TOWN.match(rest)
    return town[0] if town else ""


def _without_home(plain: str, home: Sequence[str]) -> str:
    for name in home:
        if plain.startswith(name) and plain != name:
            plain = plain[len(name) :]
    return plain


_KIND_OF_REGION = re.compile(
    r"(?:特别行政区|(?:[一-鿿]{1,3}族)*自治[区州县]|维吾尔自治区|地区|[省市区县盟])$"
)


def _bare(name: str) -> str:
    """Return a region's short name: 北京 for 北京市; the name itself where that leaves one character."""
    bare = _KIND_OF_REGION.sub("", name)
    return bare if len(bare) > 1 else name


@lru_cache(maxsize=1)
def _regions() -> GeoToolCN.GeoTool:
    return GeoToolCN.GeoTool()


@lru_cache(maxsize=1)
def _region_names() -> tuple[frozenset[str], frozenset[str]]:
    """Return all official names of three characters and more, and the short ones of provinces and cities."""
    large = [
        region.name for level in ("province", "city") for region in _regions().list_regions(level)
    ]
    every = [*large, *(region.name for region in _regions().list_regions("district"))]
    # 城区, 东区, 新县 ... are names of regions and everyday words at once.
    official = frozenset(name for name in every if len(name) > 2)
    return official, frozenset(bare for bare in map(_bare, large) if bare not in official)
