"""When two names mean one place: spellings are folded together, and other cities' names are kept apart."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache, lru_cache

import GeoToolCN

from geo.category import fold
from geo.script import is_traditional, simple_char

HOME = ("辽宁省", "辽阳市", "白塔区")
"""The district this app serves and what it lies in, largest first."""

_MARKS = re.compile(r"""[()\[\]{}<>"'“”‘’「」『』《》〈〉【】〔〕・·]""")
_COMPANY = re.compile("股份有限公司|有限责任公司|有限公司")
_SAME = (
    (re.compile("农村商业银行|农商行"), "农商银行"),
    (re.compile("中国(?=(?:工商|农业|建设|邮政储蓄|工|农|建)[银行])"), ""),
    (re.compile("(?<![化职轻])工行(?![业为动])"), "工商银行"),
    (re.compile("(?<![惠三])农行(?![业为动])"), "农业银行"),
    (re.compile("建行(?![业为动])"), "建设银行"),
    (re.compile("邮储银行"), "邮政储蓄银行"),
    (re.compile("街道办事处"), "街道"),
    (re.compile("社区(?:居民委员会|居委会)"), "社区"),
)


def normalise_name(name: str, *, home: Sequence[str] = HOME) -> str:
    """Return a name for comparison only: never shown, never stored.

    Width, script (traditional or simplified), case, spaces and brackets (not what is in them) make no difference,
    nor do the district's own province, city and district in front, a company's legal form, the short names of banks
    (农商行, 工行), nor how a number is written (五百二十六号, 门牌526号, 4期). Another city in front stays, so that
    北京市武圣路 never equals 武圣路. What would leave nothing stays too.

    Parameters
    ----------
    name
        A name or an address as a source writes it.
    home
        Official names to drop from the front, largest first.

    Examples
    --------
    >>> normalise_name("辽阳市白塔区新华路五百二十六号")
    '新华路526号'
    >>> normalise_name("北京市武圣路")
    '北京市武圣路'
    """
    plain = _without_home(spelling(name), home)
    for other, usual in _SAME:
        plain = other.sub(usual, plain)
    plain = _same_numbers(plain)
    return _COMPANY.sub("", plain) or plain


def spelling(name: str) -> str:
    """Return the characters of a name alone, whole: simplified script, one width, no spaces, no brackets."""
    return _MARKS.sub("", simplify(fold(name)))


# --- script and sound -----------------------------------------------------------------------------


def simplify(text: str) -> str:
    """Return a text in simplified script, as many characters as before.

    A character that both scripts use (乾, 著) changes only beside one that is traditional for certain.
    """
    if text.isascii() or not any(map(is_traditional, text)):
        return text
    return "".join(map(simple_char, text))


def sound(text: str) -> str:
    """Return how a text sounds: one private character for each syllable, all others as they are.

    A character has one reading wherever it stands, without its tone, and zh, ch, sh, ng count as z, c, s, n, as
    in the mouths and input methods of the north-east. For comparison only.
    """
    return text.translate(_syllables())


_FIRST_SYLLABLE = 0xE000
_ALIKE = ((re.compile("^([zcs])h"), r"\1"), (re.compile("ng$"), "n"))


@cache
def _syllables() -> dict[int, int]:
    # The package takes a quarter of a second to load, and exact names need no sounds.
    from pypinyin import lazy_pinyin

    chars = [chr(code) for code in range(0x4E00, 0x9FA6)]
    read = {char: said for char in chars if (said := lazy_pinyin(char)[0]) != char}
    for pattern, short in _ALIKE:
        read = {char: pattern.sub(short, said) for char, said in read.items()}
    number = {said: n for n, said in enumerate(sorted(set(read.values())), _FIRST_SYLLABLE)}
    return {ord(char): number[said] for char, said in (read | {"行": "han"}).items()}  # 银行, 支行


def spell_out(name: str) -> str:
    """Return a Chinese name in Latin letters as maps write it.

    Examples
    --------
    >>> spell_out("白塔")
    'Baita'
    >>> spell_out("长安")
    "Chang'an"
    """
    from pypinyin import lazy_pinyin

    first, *others = lazy_pinyin(name) or [""]
    # Without the mark nobody could tell where a syllable that begins with a vowel does: Xi'an is not Xian.
    marked = (f"'{said}" if said[:1] in tuple("aoe") else said for said in others)
    return "".join((first, *marked)).capitalize()


# --- numbers --------------------------------------------------------------------------------------

_DIGITS = {char: n for n, char in enumerate("零一二三四五六七八九")} | {"〇": 0}
_UNITS = {"十": 10, "百": 100, "千": 1000}
_SECTIONS = dict(enumerate("一二三四五六七八九十", 1))
_NUMERALS = "〇零一二三四五六七八九十百千"
_COUNTED = re.compile(rf"(?<![{_NUMERALS}])[{_NUMERALS}]{{1,9}}(?=(?:-\d+)?(?:号|栋|幢|单元))")
_DOOR_DASH = re.compile(r"(?<=\d)[—–−‐―之](?=\d+号)")
_DOOR_WORD = re.compile(r"(?:门牌号?码?|no\.?)(?=\d)")
_BARE_DOOR = re.compile(r"(?<=[路街巷段里弄])(?:\d+(?:-\d+)?)$")
_SECTION = re.compile(r"(?<!\d)(10|[1-9])(?=[段期])")


def _same_numbers(plain: str) -> str:
    """Write door numbers, phases and road sections one way: 526号, 四期, 一段."""
    plain = _DOOR_WORD.sub("", _COUNTED.sub(lambda found: _arabic(found[0]), plain))
    plain = _BARE_DOOR.sub(lambda found: f"{found[0]}号", _DOOR_DASH.sub("-", plain))
    return _SECTION.sub(lambda found: _SECTIONS[int(found[1])], plain)


def _arabic(counted: str) -> str:
    """Return 526 for 五百二十六 or 五二六; what is no number stays."""
    if not any(char in _UNITS for char in counted):
        return "".join(str(_DIGITS[char]) for char in counted)
    total, digit = 0, None
    largest = 10_000
    for char in counted:
        if char in _DIGITS:
            if digit:
                return counted
            digit = _DIGITS[char]
        elif _UNITS[char] >= largest or (not digit and char != "十"):
            return counted
        else:
            largest = _UNITS[char]
            total, digit = total + (digit or 1) * largest, None
    return str(total + (digit or 0))


# --- regions --------------------------------------------------------------------------------------


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
    plain = simplify(fold(text))
    return not re.sub("|".join(map(re.escape, words)), "", plain) if words else not plain


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

    Examples
    --------
    >>> elsewhere("北京市朝阳区新华路"), elsewhere("辽阳市白塔区新华路")
    ('北京市', '')
    """
    for part in re.split(r"[\s,，;；、/|()（）【】\[\]]+", text):
        if found := _elsewhere(simplify(fold(part)), tuple(home)):
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
    # Prefixes come twice (辽阳市白塔区辽阳市某厂) and in any order.
    while found := next((n for n in home if plain.startswith(n) and plain != n), ""):
        plain = plain[len(found) :]
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
