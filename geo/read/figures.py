"""Figures a bulletin states: every number with a unit, grouped into claims by scope and sector.

Rules only, no word list of one bulletin: a clause is what stands between two commas, a figure's role is told
by the words beside it, and figures that speak of the same thing share a `claim_id`. A part of another claim
(其中 ...) has that claim's id with a number behind a dot, so that sums can be checked later.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from hashlib import blake2b
from itertools import islice, pairwise, takewhile

from geo.read.prose import Prose
from geo.site import Claim, Source


@dataclass(frozen=True, slots=True)
class StatedFigure:
    """A claim with the place of its number in the file.

    `start`, `end` are offsets into the raw text, of the number with its unit. The claim's own quote is wider:
    all clauses of its group, at the offsets that `claim.source.where` gives (字 start-end, from 0, half-open).
    """

    claim: Claim
    start: int
    end: int
    group_start: int
    group_end: int


def read_figures(
    prose: Prose, *, file: str, district: str = "", as_of: date | None = None
) -> list[StatedFigure]:
    """Return every figure a text states, in the order of the text.

    Parameters
    ----------
    prose
        The text as `geo.read.prose.heal` gives it.
    file
        Name of the source, for the claims.
    district
        What a figure is about when the text names nothing; a district the text itself names goes first.
    as_of
        Date of the text, for the claims.

    Returns
    -------
    figures
        Value and unit as stated (3.5 万元, not 35000 元), 余 多 近 约 ... in `approx`. Roles: total, resumed,
        part, stopped, planned, subset, count, rate, growth, decline, value, area, length. Years, dates, ages,
        ordinals, slogans, thresholds (5000万元以上项目) and figures of speech (百家, 一名) are not figures.
    """
    groups = _Walk(prose, district).groups()
    _settle(prose, groups)
    return sorted(_claims(prose, groups, file, as_of), key=lambda found: (found.start, found.end))


# --- numbers --------------------------------------------------------------------------------------

_SCALES = {"百万": "百万", "千万": "千万", "万": "万", "亿": "亿", "": ""}
_COUNT_UNITS = (
    "个百分点 平方公里 立方米 平方米 千瓦时 公里 千米 公顷 公斤 千克 兆瓦 千瓦 美元 户次 家次 人次 车次 班次 件次 批次 "
    "点位 泊位 车位 户 家 个 项 人 名 位 处 元 米 吨 亩 斤 条 辆 次 起 件 张 份 台 套 座 栋 幢 间 所 只 支 组 批 盏 株 "
    "棵 床 箱 袋 盒 瓶 桶 册 场 笔 例 宗 艘 头 羽 单 轮 块 顶 副 把 根 面 片 幅 枚 颗 款 种 场次 "
    "台次 辆次 平方 倍 成 % ‰"
).split()
# What a unit's character begins when it is not a unit: 三个月, 3单元, 二家子村, 位于 ...
_NOT_UNIT = {
    "个": "月|小时|工作日|星期|多月|半|季度|多小时|交易日|学期|昼夜|世纪|年头",
    "家": "[子庄堡屯沟台店河湾]|庭|乡|长|具|村",
    "户": "籍|外|型|[一1]策",
    "人": "民|均|[一1]策",
    "位": "于|置|列|居",
    "元": "旦|月|宵",
    "处": "于|级|长|理|置|罚",
    "起": "来|步|点|草",
    "成": "立|为|功|都|员|本|果|效|品|交|绩|年|长|套|了|[一-龥]{0,2}率",
    "单": "元|位|身|独|一",
    "间": "隔|断|接",
    "次": "日|月|年|会",
    "头": "部|条",
    "条": "件|例|龙|子",
    "把": "手|握|关",
    "面": "积|向|临|对|貌",
    "片": "区|面",
    "种": "植|子|粮|养",
    "款": "项|式",
    "平方": "[公里米]",
    "所": "以|有|在",
    "只": "有|要|能",
    "场": "所|地|镇",
    "份": "额",
    "套": "牌|路",
    "组": "织|长|建",
    "批": "准|示|复",
    "块": "钱",
    "台": "子|湾|阶|账",
}
_UNIT = "|".join(
    re.escape(unit) + (f"(?!{_NOT_UNIT[unit]})" if unit in _NOT_UNIT else "")
    for unit in sorted(_COUNT_UNITS, key=len, reverse=True)
)
_HAN = "零〇一二两三四五六七八九十百千"
_DIGITS = r"\d{1,3}(?:,\d{3}){1,4}(?:\.\d{1,8})?|\d{1,15}(?:\.\d{1,8})?"
_NUMBER = re.compile(
    rf"(?P<before>约|大约|近|将近|逾|超过|(?<!商)超|至少|不少于|不低于|最多|上)?"
    rf"(?P<percent>百分之)?(?<![\dA-Za-z.,])(?P<number>{_DIGITS}|[{_HAN}]{{1,9}}(?:点[{_HAN}]{{1,4}})?)"
    rf"(?P<more>余|多|几|来)?(?P<upto>(?:至|到|[-~—–])(?:{_DIGITS})%?)?(?P<scale>百万|千万|万|亿)?(?P<more2>余|多)?"
    rf"(?:(?P<unit>{_UNIT})|(?<=分之)|(?=[^\d{_HAN}]|$))(?P<after>及?以上|及?以下|左右|上下|以内)?"
)


@dataclass(frozen=True, slots=True)
class _Number:
    """A figure in the healed text, without the words before it."""

    start: int
    end: int
    value: float
    unit: str
    approx: str

    @property
    def is_share(self) -> bool:
        return self.unit in ("%", "‰", "成", "个百分点", "倍")


def _find_numbers(text: str) -> Iterator[_Number]:
    for found in _NUMBER.finditer(text):
        number = _read_number(found)
        if number is not None and _is_figure(text, found, number):
            yield number


_AT_LEAST = re.compile("至少[一-龥]{2,3}$")


def _read_number(found: re.Match[str]) -> _Number | None:
    part = found.groupdict("")
    unit = "%" if part["percent"] else part["scale"] + part["unit"]
    value = _value(part["number"])
    if value is None or not (part["percent"] or part["unit"]):
        return None
    approx = part["before"] or part["more"] or part["more2"] or part["upto"] or part["after"]
    approx = approx or ("至少" if _AT_LEAST.search(found.string[: found.start()][-5:]) else "")
    return _Number(found.start("number"), found.end(), value, unit, approx.strip("%"))


def _value(word: str) -> float | None:
    """Return what a number's word is worth, None if it is a figure of speech (百, 三四, 一)."""
    if word[0].isdigit():
        return float(word.replace(",", ""))
    whole, _, decimals = word.partition("点")
    value = _han_value(whole)
    if value is not None and decimals:
        digits = ["零一二三四五六七八九".find(char) for char in decimals.replace("〇", "零")]
        return None if -1 in digits else value + float("0." + "".join(map(str, digits)))
    return value


def _han_value(word: str) -> float | None:
    total = digit = 0
    last = 10_000
    was_digit = False
    for char in word:
        if char in "十百千":
            scale = {"十": 10, "百": 100, "千": 1000}[char]
            if scale >= last:
                return None
            total, digit, last, was_digit = total + (digit or 1) * scale, 0, scale, False
            continue
        if was_digit and char not in "零〇":
            return None
        digit = 2 if char == "两" else "零一二三四五六七八九".find(char.replace("〇", "零"))
        was_digit = char not in "零〇"
    return float(total + digit)


_SPEECH = re.compile(r"[百千]|[零〇一]")
_SLOGAN_NOUN = re.compile(
    "(?:方面|领域|板块|特点|阶段|环节|确保|统筹|一批|层面|维护|坚持|到位|关键|不|一律|转变|必须|结合|优先|聚焦|更加|覆盖|抓手|"
    "手段|防护|工程化|清单化|导向|意识|自信|文明|带头|没有|严禁|必查|全面|全程|维度|强化|加强|亲自|为主|是)"
)
_ORDINAL = re.compile(r"第$|(?<![目日此先之以当年节月会])前$|[0-9一二三四五六七八九十]年级?$")
_CODE = re.compile(r"“[\d+一二三四五六七八九十]+”")


def _is_figure(text: str, found: re.Match[str], number: _Number) -> bool:
    word, before = found["number"], text[max(0, found.start("number") - 12) : found.start("number")]
    after = text[number.end : number.end + 8]
    if _ORDINAL.search(text[max(0, found.start() - 3) : found.start()]):
        return False
    vague = found["more"] or found["more2"] or found["scale"] or found["percent"]
    if _SPEECH.fullmatch(word) and not vague and found["unit"] != "成":
        return False
    if word in ("一", "百", "千") and found["scale"] and not found["more"] and word != "一":
        return False
    if number.value < 10 and found["unit"] in ("个", "项") and _SLOGAN_NOUN.match(after):
        return False
    if found["unit"] == "成" and number.value > 10:
        return False
    if found["unit"] == "条" and not word[0].isdigit() and re.match("街|路(?!段)", after):
        return False
    if found["after"] and found["after"].endswith(("以上", "以下")) and _is_threshold(found, after):
        return False
    if re.search(r"[每按]$", before) and number.value == 1:
        return False
    if before.endswith("分") and found["unit"] == "批":
        return False
    return not _in_slogan(text, number)


def _is_threshold(found: re.Match[str], after: str) -> bool:
    measured = (found["unit"] or "").endswith(("元", "米", "吨", "亩"))
    return measured and bool(re.match(r"的?[一-龥]", after))


def _in_slogan(text: str, number: _Number) -> bool:
    """Tell whether a number stands inside a quoted catchword, or spells out one like “3211”."""
    line = max(text.rfind("\n", 0, number.start) + 1, number.start - 200)
    opener = text.rfind("“", line, number.start)
    if opener >= 0 and text.rfind("”", opener, number.start) < 0:
        closer = text.find("”", number.end)
        inside = text[opener + 1 : closer] if closer >= 0 else ""
        return 0 < len(inside) <= 16 and not re.search("[，。；！]", inside)
    sentence = max(text.rfind("。", line, number.start), line)
    codes = list(_CODE.finditer(text, sentence, number.start))
    return bool(codes and re.search("即|就是|：", text[codes[-1].end() : number.start]))


# --- clauses --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Clause:
    """What stands between two marks, with its figures."""

    start: int
    end: int
    sentence: int
    line: int
    opens: str
    """The mark before it, "" at a sentence's start."""
    numbers: tuple[_Number, ...]


def _clauses(prose: Prose) -> Iterator[_Clause]:
    numbers = list(_find_numbers(prose.text))
    starts = [number.start for number in numbers]
    lines = prose.paragraphs()
    line = 0
    for order, (start, end) in enumerate(prose.sentences()):
        while lines[line][1] <= start:
            line += 1
        inside = numbers[bisect_left(starts, start) : bisect_left(starts, end)]
        for opens, first, last in _cut(prose.text, start, end, inside):
            mine = tuple(numbers[bisect_left(starts, first) : bisect_left(starts, last)])
            yield _Clause(first, last, order, line, opens, mine)


def _cut(text: str, start: int, end: int, numbers: list[_Number]) -> Iterator[tuple[str, int, int]]:
    """Yield the clauses of a sentence as (mark before, start, end)."""
    marks = [spot for spot in range(start, end) if text[spot] in "，；：。！？\t"]
    for bracket in re.finditer("（[^（）]*）", text[start:end]):
        opened, closed = start + bracket.start(), start + bracket.end() - 1
        held = any(opened < number.start < closed for number in numbers)
        # The marks inside brackets that state nothing are no reason to cut the clause around them.
        marks = [spot for spot in marks if held or not opened < spot < closed]
        marks += [opened, closed] if held else []
    for one, next_ in pairwise(numbers):
        marks += _list_mark(text, one.end, next_.start)
    first, opens = start, ""
    for mark in sorted({*marks, end}):
        if mark > first:
            yield opens, first, mark
        first, opens = mark + 1, text[mark : mark + 1]


def _list_mark(text: str, start: int, end: int) -> list[int]:
    """Return where a list of figures goes on: 120家、星火街道80家, 5000只和消毒液200桶."""
    between = text[start:end]
    if re.search("[，；：。！？]", between):
        return []
    spots = [n for n, char in enumerate(between) if char in "、和及与"]
    return [start + spots[0 if between[spots[0]] == "、" else -1]] if spots else []


# --- who a clause speaks of -----------------------------------------------------------------------

_LEAD = re.compile(
    r"(?:截[至止](?:目前|今日|日前|当日|\d{0,4}年?\d+月\d*[日底末]?\d*[时点]?)|目前|现已|现在|今年以来|今年|全年|去年以来|去年|"
    r"上半年|下半年|[一二三四]季度|\d{4}年|连日来|近日|日前|近期|当前|其中|包括|含|分别[是为]|核心提示|本报讯|"
    r"疫情期间|期间|同时|此外|另外|另有|另|还有|还|据统计|据了解|据悉|记者从|记者在|由|在|作为|同样|"
    r"\d{1,2}月(?:\d{1,2}日|份|底|初)?|已经|已|共|均|都|全部|先后|再|又|并|也|即|到(?![岗位账])|从|"
    r"[（(]?[一二三四五六七八九十\d]{1,2}[）)、.]|[一二三四五六七]是|[●◆■▲★○•·\-—【])+\s*"
)
_PLACE = re.compile(
    r"(?:[一-龥]{2,3}省)?(?P<city>[一-龥]{2,3}?市(?![场民政容直值面级内中区]))?"
    r"(?P<district>[一-龥]{2,4}?[区县旗](?!域))?"
    r"(?P<street>[一-龥]{1,5}?(?:街道|镇|乡)(?!企业|村))?(?P<community>[一-龥]{1,6}?(?:社区|村)(?!民))?"
)
_ORG = re.compile(
    r"[一-龥（）A-Za-z]{2,24}?(?:有限公司|公司|集团|银行|支行|分行|商会|合作社|医院|派出所|大队|支队|开发区|产业园|园区)"
)
_MORE_ORG = re.compile(r"[一-龥]{1,8}?(?:支行|分行|大队|支队|有限公司|派出所)")
_NOT_NAME = re.compile(
    r"联合|会同|走进|来到|[各该本辖我对与及的了等把被让请派赴每]|全(?![福安胜])|将(?!军)|向(?!阳)|为(?!民)|"
    r"(?<![安永泰同颐太义中人祥])和(?![平顺睦谐兴美园乐])|市区|调动|组织|发动|帮助|协调|推动|要求|指导|引导|支持|督促|走访|"
    r"检查|服务|督导|联系|开展|深入|负责|这家|一家|居民|住宅|工业区|商业(?!银行)|老旧|农村(?!商业|信用)|位于|城乡|加强|发放|所有|推进|邀请|利用|"
    r"^(?:城镇|村镇|集镇)|乡镇|重点|小微|部分|拥有|新增|完成|实现|企业"
)
_AFTER_PLACE = re.compile(
    r"辖区|企业|各类|已|共|有|应|复工|现|约|的?\d|重点|规|总|商|实现|坚持|[一-龥]{2,10}?(?:局|办|中心|政府)"
)
_AGENCY = re.compile("^[一-龥]{2,12}?(?:局|委员会|办公室|中心|政府|办事处|工作组|指挥部)(?!部)")
_SAME_ONE = re.compile(
    r"(?:该|这家|本)(?:行|公司|企业|厂|街道|社区|镇|乡|集团|院|大队|单位|园区|村)"
)


@dataclass(slots=True)
class _Subject:
    """Whom the text speaks of: the scope now, and what it may come back to."""

    district: str
    scope: str
    org: str = ""
    known: list[str] = field(default_factory=list)

    def hear(self, clause: str, *, starts: bool) -> str:
        """Take in a clause's beginning; return what follows the name there.

        A place in the middle of a sentence must be followed by what is said of it (`starts` is False there).
        """
        rest = _LEAD.sub("", clause, count=1) if _LEAD.match(clause) else clause
        same = _SAME_ONE.match(rest)
        if same:
            self.scope = self.org = self._named_before(same[0][1:]) or self.org or self.scope
            return rest[same.end() :]
        if found := re.match(r"全[区县市]|[我本][区县市]", rest):
            self.scope = self.district
            return rest[found.end() :]
        name, after = _org_name(rest)
        if name and not after[:1].isdigit():
            return self._take_org(name, after)
        name, after = _place_name(rest)
        if name and (starts or _AFTER_PLACE.match(after)):
            self.scope = self.org = name
            self.known.append(name)
            return _AGENCY.sub("", after, count=1)
        if owner := re.search("的(?=[一-龥]{4,20}?有限公司)", rest):
            self._take_org(*_org_name(rest[owner.end() :]))
        return rest

    def _named_before(self, what: str) -> str:
        """Return the last name of the text that 该大队, 该行, 这家公司 may mean."""
        named = (name for name in reversed(self.known) if name.endswith(what[-1]))
        return next(named, "")

    def _take_org(self, name: str, after: str) -> str:
        short = re.sub("(?:有限)?公司$", "", name)
        full = [one for one in self.known if one.endswith("公司") and short in one]
        self.org = full[-1] if full else name
        self.known.append(self.org)
        self.scope = self.district if after.startswith(("联合", "会同")) else self.org
        return after


def _org_name(text: str) -> tuple[str, str]:
    found = _ORG.match(text)
    if not found or _NOT_NAME.search(found[0]):
        return "", text
    end = found.end()
    while more := _MORE_ORG.match(text, end):
        if _NOT_NAME.search(more[0]):
            break
        end = more.end()
    return text[:end], text[end:]


def _place_name(text: str) -> tuple[str, str]:
    """Return the smallest place a text begins with, and what follows; "" if it names none."""
    found = _PLACE.match(text)
    parts: list[tuple[str, str]] = []
    end = 0
    for level in ("city", "district", "street", "community"):
        name = found[level] if found else None
        if not found or not name:
            continue
        if _NOT_NAME.search(name):
            break
        parts.append((level, name))
        end = found.end(level)
    if not parts:
        return "", text
    level, name = parts[-1]
    if level == "community" and len(parts) > 1 and parts[-2][0] == "street":
        name = parts[-2][1] + name
    return name, text[end:]


def _places_before_each(words: str) -> list[str]:
    """Return the places of 甲街道、乙街道分别有18家、11家, in order; [] if the words are not such a list."""
    listed, each, _ = words.partition("分别")
    names = [_place_name(name) for name in re.split("[、和]", listed)] if each else []
    whole = len(names) > 1 and all(name and not after for name, after in names)
    return [name for name, _ in names] if whole else []


def _text_district(prose: Prose, district: str) -> str:
    """Return the district a text is about: the one given if the text names it, else its own."""
    if district and district in prose.text:
        return district
    named: Counter[str] = Counter()
    for piece in re.split(r"[，。；：！？\s、（）]+", prose.text):
        found = _PLACE.match(_LEAD.sub("", piece, count=1) if _LEAD.match(piece) else piece)
        name = found["district"] if found else None
        if name and not _NOT_NAME.search(name):
            named[name] += 1
    return named.most_common(1)[0][0] if named else district


# --- groups of figures ----------------------------------------------------------------------------


@dataclass(slots=True)
class _Item:
    role: str
    number: _Number
    target: bool = False


@dataclass(slots=True)
class _Group:
    """Figures that speak of one thing."""

    start: int
    end: int
    sentence: int
    line: int
    scope: str
    sector: str
    metric: str
    parent: _Group | None = None
    part_of: str = ""
    """The parent's role it is a part of, where it says nothing itself."""
    items: list[_Item] = field(default_factory=list)

    def has(self, *roles: str) -> bool:
        return any(item.role in roles for item in self.items)

    @property
    def unit(self) -> str:
        return next((i.number.unit for i in self.items if not i.number.is_share), "")


_RESUME = (
    "复工复产|复产复工|开复工|复工|复产|恢复生产|恢复营业|恢复经营|开门营业|开工建设|开工|复业|复市|开业|营业|投产|返岗|"
    "到岗|复课|恢复开放|恢复|开门迎客|开放|开市"
)
_DONE = (
    "完成整改|整改到位|整改完成|整改|完成|办结|竣工|完工|建成|拆除|解决|化解|清理|交付|验收合格|验收|通过|签约|落地|投用|启用|"
    "达标|关停|接种|销号|入库|脱贫|取缔|处置|改造|清运|安装|录用|立案|到位"
)


def _longest_first(*lists: str) -> str:
    return "|".join(sorted({word for words in lists for word in words.split("|")}, key=len)[::-1])


_THINGS = "企业|项目|商户|单位|门店|店铺|个体户|工程|市场|酒店|户|家|数|人员|员工|学校|摊位|工地"
_SOFT = (
    "已经|已|现|都|均|全部|也|共|累计|目前|实际|正式|顺利|有|的|达到|达|为|了|约|其中|并|陆续|成功|另有|还有|"
    "仅|计|现场|当场|及时"
)
_STATES: tuple[tuple[str, str], ...] = (
    (
        "stopped",
        rf"(?:尚|仍|还)?(?:未|没有|待)(?:能|实现)?(?:{_RESUME}|{_DONE})|停工|停产|停业|歇业|关门|未动工",
    ),
    ("planned", rf"(?:拟|计划|准备|预计|即将|申请)(?:{_RESUME})"),
    ("resumed", _RESUME),
    ("part", _DONE),
)
_BARE = {
    role: re.compile(rf"(?:{_SOFT})*(?:{words})(?:的)?(?:{_THINGS})*(?:{_SOFT})*")
    for role, words in _STATES
}
_ENDING = {
    role: re.compile(
        rf"(?:{words})(?:的?企业|的?项目|的?商户|员工|人员|职工|工人|人数)?(?:{_SOFT})*$"
    )
    for role, words in _STATES
}
_BEHIND = {role: re.compile(rf"(?:{_SOFT})*(?:{words})(?!率)") for role, words in _STATES}
_LOOKED_AT = re.compile("检查|督导|走访|帮扶|服务|指导|排查|巡查|帮助|协助|推动|督促|支持")
_ALL_OF = re.compile(r"([一-龥]{2,20}?)((?:已|都|均|全部|现)+[一-龥]{2,8})")
_OWED = re.compile(rf"(?:应|新增?|集中)(?:{_RESUME})")
_ALL = re.compile("都|均|全部|已全")
_TOTAL = re.compile(r"共计|共有|总计|合计|总数|共(?=[安排实涉])|应(?:复工|复产|开工)|^共$|一共")
_SUM = re.compile(r"(?:以上)?(?:共计|共|合计|总计|一共|总数)(?:为|有|达)?")
_GROWTH = re.compile("增长|增幅|增速|涨|提高|上升|增加|上涨|提升|翻|高于|快于")
_DECLINE = re.compile("下降|降低|减少|降幅(?!.*收窄)|回落|缩减|下滑|压减|低于|慢于")
_CHANGE_WORDS = re.compile(
    r"(?:同比|环比|上周|上月|上季度|昨日|前一日|年初|去年|较|同期|同口径|再涨|上涨|涨|名义|实际|分别|可比|按|价格|"
    r"增长|增幅|增速|涨|提高|上升|增加|上涨|提升|下降|降低|减少|降幅(?!.*收窄)|回落|缩减|下滑|压减|收窄|了|达到|达|为|约|预计|比|上年|由|的|高于|低于|快于|慢于|全[国省市区县]|平均|水平|个)+"
)
_COMPARED = re.compile("(?:增速|增幅|降幅)?(?:较|比|高于|低于)")
_RATE_WORDS = _longest_first(_SOFT, _RESUME, _DONE, _THINGS, "总体|平均|整体|综合")
# Possessive (*+, ++): 复工复产 is a word and two words, and a text of nothing else must not take for ever.
_RATE_ONLY = re.compile(
    rf"(?:{_RATE_WORDS})*+率?(?:{_SOFT}|超过|超|超出)*|[一-龥]{{2,3}}率(?:{_SOFT})*|"
    rf"(?:约)?占(?:比|到)?.{{0,14}}|.{{0,3}}完成.{{0,4}}(?:年度?|季度|半年)?(?:目标|任务|计划|预算)(?:任务|数)?的?|.{{0,4}}比例.{{0,2}}|进度.{{0,2}}"
)
_TARGET_FROM_HERE = re.compile(
    "目标(?:是|为|：|如下)|计划[到在于]|力争|争取|预期|目标任务(?:是|为)|预计|届时|下一步|接下来|今后|还将|(?:建成|投产|达产)后"
)
_TARGET_CLAUSE = re.compile(
    r"目标(?!任务?的)|确保|预计|将(?:达|实现|新增|完成投|建成|新建|引进|增加|有(?=[\d约近超]))|拟(?!上市|复工|开工|复产)|规划(?!局)|年度投资|不少于|不低于|"
    "计划(?=[^，。]{0,10}$|总?投资|新|开工|实施|建设|完成|年内|今年|安排|引进|改造|整治|拆|发放|用)"
)
_TIME_ONLY = re.compile(
    r".{0,12}(?:年|月|日|天|点|时|分|午|晚|晨|期间|以来|目前|近期|年底|月底|年初|年内|假期)(?:前|后|来|里)?"
)
_GOES_ON = re.compile("(?:可|并)?(?:新增|增加|新建|建成|引进|实现|带动)")
_ACHIEVED = re.compile("已(?!建立)|累计|实际|目前|达到了|截[至止]")
_DONE_NOW = re.compile("(?<!计划)(?<!拟)(?<!将)完成(?!全?年)")
_PART_MARK = re.compile("其中|包括|分别[是为]|含(?=[一-龥]{2})")


_FAR = 60
"""How many characters before a number are read for what it counts."""


class _Walk:
    """One pass over the clauses of a text."""

    def __init__(self, prose: Prose, district: str) -> None:
        self.prose, self.text = prose, prose.text
        self.lines, self.headlines = prose.paragraphs(), frozenset(prose.headlines())
        home = _text_district(prose, district)
        self.subject = _Subject(home, home)
        self.section = home
        self.found: list[_Group] = []
        self.group: _Group | None = None
        self.wholes: list[_Group] = []
        self.parts_until = ""
        self.label = ""
        self.target = False
        self.sentence = self.line = -1
        self.each: list[str] = []
        self.verdict = ""
        self.opening = True
        self.outside: _Group | None = None

    def groups(self) -> list[_Group]:
        """Return the groups in order."""
        for clause in _clauses(self.prose):
            self._turn_page(clause)
            self._read_clause(clause)
        return self.found

    def _turn_page(self, clause: _Clause) -> None:
        if clause.line != self.line:
            self._turn_line(clause)
        if clause.sentence != self.sentence:
            self.sentence = clause.sentence
            self._end_parts()
            self.target, self.label, self.each, self.verdict = False, "", [], ""
        elif clause.opens == "；" and self.parts_until == "；":
            self._end_parts()
        if clause.opens == "；" and not self.wholes:
            self.label = ""

    def _end_parts(self) -> None:
        if self.wholes:
            self.subject.scope = self.wholes[-1].scope
        self.wholes = []

    def _turn_line(self, clause: _Clause) -> None:
        self.line = clause.line
        start, end = self.lines[clause.line]
        title = re.sub(
            r"[【】：\s]|^[（(]?[一二三四五六七八九十\d]{1,2}[）)、.]", "", self.text[start:end]
        )
        name, after = _place_name(title)
        if name and not after:
            self.section = name
        elif (start, end) in self.headlines:
            self.section = self.subject.district
        self.subject.scope, self.subject.org, self.group = self.section, "", None

    def _read_clause(self, clause: _Clause) -> None:
        words = self.text[clause.start : clause.end]
        self._mind_parts(clause, words)
        self.opening = clause.opens in ("", "；", "、", "\t") or (
            self.opening and clause.opens == "，"
        )
        rest = self.subject.hear(words, starts=self.opening or bool(self.wholes))
        # 去年下半年，... is not yet what the sentence speaks of.
        self.opening = self.opening and bool(_TIME_ONLY.fullmatch(words))
        self._mind_brackets(clause)
        self.each = _places_before_each(words) or self.each
        first = clause.numbers[0].start if clause.numbers else clause.start
        promised = "确保" in self.text[clause.start : first]
        if promised or _TARGET_FROM_HERE.search(words + self.text[clause.end : clause.end + 1]):
            self.target = True
        if not clause.numbers:
            if self.text[clause.end : clause.end + 1] == "：" and len(words) <= 16:
                self.label = rest
            self._read_verdict(clause, words, rest)
            return
        left = clause.end - len(rest)
        for order, number in enumerate(clause.numbers):
            follows = clause.numbers[order + 1 :]
            right = follows[0].start if follows else clause.end
            self._read_number(clause, number, min(left, number.start), right)
            left = number.end + len(_noun_behind(self.text[number.end : right]))

    def _mind_brackets(self, clause: _Clause) -> None:
        """Go back to what was spoken of before the brackets once they are closed."""
        if clause.opens == "（":
            self.outside = self.group
        elif clause.opens == "）" and self.outside is not None:
            self.group, self.outside = self.outside, None

    def _mind_parts(self, clause: _Clause, words: str) -> None:
        """See whether the figures from here on are parts of an earlier one."""
        mark = _PART_MARK.match(words) or re.match("(?:其中|包括)", words.lstrip("，"))
        if not mark:
            return
        sentence = clause.sentence - (clause.opens == "")
        wholes = [g for g in self._since(sentence) if g.line == clause.line and g.parent is None]
        self.wholes = wholes or self.wholes
        runs_on = clause.opens in ("", "；") or (
            words.strip() == mark[0] and (self.text[clause.end : clause.end + 1] == "：")
        )
        self.parts_until = "" if runs_on else "；"

    def _since(self, sentence: int) -> list[_Group]:
        """Return the groups from a sentence on, the last fifty at most."""
        last = takewhile(lambda group: group.sentence >= sentence, reversed(self.found))
        return list(islice(last, 50))[::-1]

    def _whole_of(self, number: _Number) -> _Group | None:
        """Return the group that a part with this unit is a part of: the last that counts the same way."""
        alike = [whole for whole in self.wholes if _alike(whole.unit, number.unit)]
        if number.is_share and self.wholes:
            return self.wholes[-1]
        return alike[-1] if alike else None

    def _read_verdict(self, clause: _Clause, words: str, rest: str) -> None:
        """Take 全部复工 for the count of those that resumed: of the counts before it, or of the one to come."""
        if not _ALL.search(words):
            return
        state = _state(_BARE, words, whole=True)
        if state and clause.opens == "，":
            for group in self._list_before(clause):
                group.items[0].role = "total"
                group.items.append(_Item(state, group.items[0].number))
                group.end = clause.end if group is self.group else group.end
        elif found := _ALL_OF.fullmatch(rest):
            self.verdict, self.label = _state(_BEHIND, found[2]), found[1]

    def _list_before(self, clause: _Clause) -> list[_Group]:
        """Return the bare counts right before a clause: 养殖场86个、合作社124家，均已复工."""
        listed: list[_Group] = []
        end = clause.start - 1
        for group in reversed(self._since(clause.sentence)):
            bare = len(group.items) == 1 and group.items[0].role in ("count", "total")
            if group.end != end or not bare:
                break
            listed.append(group)
            if self.text[group.start - 1] not in "、和及与":
                break
            end = group.start - 1
        return listed

    # --- one figure ---

    def _read_number(self, clause: _Clause, number: _Number, left: int, right: int) -> None:
        left = max(left, number.start - _FAR)
        before = re.sub(r"^.*(?:中|里)(?=.?$)", "", self.text[left : number.start])
        before = re.sub(
            r"(?:约|大约|近|将近|逾|超过|(?<!商)超|至少|不少于|不低于|最多|上)$", "", before
        )
        after = self.text[number.end : right]
        if number.is_share:
            self._read_share(clause, number, before)
        else:
            self._read_count(clause, number, before, after)
        self._mark_target(clause, number)

    def _mark_target(self, clause: _Clause, number: _Number) -> None:
        group = self.group
        if group is None or group.items[-1].number is not number:
            return
        said = self.text[clause.start : number.start]
        first, last = group.items[0], group.items[-1]
        planned = self.target or self._behind_goal(clause)
        if last.role != "rate":
            planned = planned or bool(_TARGET_CLAUSE.search(said) and not _DONE_NOW.search(said))
        if last.role in ("growth", "decline", "subset") and last is not first:
            last.target = first.target
            return
        last_one = self._since(clause.sentence)[-2:-1]
        if last_one and last_one[0].items[0].target and _GOES_ON.match(said):
            planned = True
        for item in group.items:
            if item.number is number:
                item.target = planned and not _ACHIEVED.search(said)

    def _behind_goal(self, clause: _Clause) -> bool:
        """Tell whether brackets say how much a goal is: 全年目标（5000个）."""
        return clause.opens == "（" and self.text[clause.start - 3 : clause.start - 1].endswith(
            ("目标", "任务", "计划")
        )

    def _here(self, clause: _Clause) -> _Group | None:
        """Return the group a bare figure of this clause would join."""
        group = self.group
        if group is None or group.line != clause.line:
            return None
        near = group.sentence == clause.sentence or (
            group.sentence == clause.sentence - 1 and clause.opens == ""
        )
        return group if near else None

    def _read_share(self, clause: _Clause, number: _Number, before: str) -> None:
        bare = _strip(before)
        change = "decline" if _DECLINE.search(bare) else "growth" if _GROWTH.search(bare) else ""
        if number.unit in ("倍", "个百分点") and not change:
            change = "growth"
        role = change or "rate"
        whole = bool(_RATE_ONLY.fullmatch(bare))
        if change:
            whole = _CHANGE_WORDS.sub("", bare) == "" or bool(_COMPARED.match(bare))
        group = self._here(clause)
        if group is not None and not whole and not change:
            stem = _noun(re.sub(rf"(?:{_RESUME}|{_DONE})率.*$", "", bare))
            whole = bool(stem) and stem in (group.metric, group.sector + "企业")
        if group is not None and whole and not group.has(role):
            self._join(group, clause, role, number)
        else:
            named = _noun(_CHANGE_WORDS.sub("", bare) if change else bare) or self.label
            self._open(clause, number, role, named, clause.start)

    def _read_count(self, clause: _Clause, number: _Number, before: str, after: str) -> None:
        bare, group = _strip(before), self._here(clause)
        state = _state(_BARE, before, whole=True) if before else ""
        if not bare and not state and not _noun_behind(after):
            state = _state(_BEHIND, after)
        if _SUM.fullmatch(self.text[clause.start : number.start]) and self._sum_up(clause, number):
            return
        if state and (whole := self._open_to(clause, number, state)):
            self._join(whole, clause, state, number)
            return
        if group is not None and self._is_subset(group, before, number):
            self._join(group, clause, "subset", number)
            return
        self._open_count(clause, number, before, after)

    def _open_count(self, clause: _Clause, number: _Number, before: str, after: str) -> None:
        noun, role = _metric(before, after), _measure(number.unit)
        start = self._group_start(clause, number, after)
        behind = _noun_behind(after)
        said = after[after.find(behind) + len(behind) :] if behind else after
        # In 83户企业复工79户 the 复工 is the next number's.
        ends = number.end + len(after) == clause.end
        state = _state(_BEHIND, said) if ends else ""
        if role != "count":
            self._open(clause, number, role, noun or self.label, start)
            return
        looked_at = _LOOKED_AT.search(before)
        counted = behind and not before.endswith("的")
        plain = not (looked_at or counted or _OWED.search(before))
        ending = _state(_ENDING, before) if plain else ""
        whole = (bool(_TOTAL.search(before)) and not ending) or bool(
            not ending and re.match(r".{0,10}中(?:，|$)", after)
        )
        if _is_limited(before) and self._whole_of(number):
            self._open(clause, number, "subset", noun or self.label, start)
            return
        self._open(clause, number, "total" if whole else "count", noun or self.label, start)
        assert self.group is not None
        if self.verdict and not _noun(before) and not behind:
            state, said, self.verdict = self.verdict, "全部", ""
        if state and _ALL.match(said.lstrip("已现")):
            self.group.items[0].role = "total"
            self.group.items.append(_Item(state, number))
        elif not looked_at and (state or ending) in ("resumed", "stopped", "planned"):
            self.group.items[0].role = state or ending

    def _open_to(self, clause: _Clause, number: _Number, role: str) -> _Group | None:
        """Return the group that 复工33户 is a part of: the last of the sentence that counts alike."""
        last = self._here(clause)
        near = self._since(clause.sentence)
        alike = [
            group
            for group in reversed([*near, last] if last else near)
            if _alike(group.unit, number.unit)
            and not group.has(role)
            and not (self.target and group.items[0].target)
        ]
        # 133户, 本周新增4户, 累计复工129户: the 129 are not of the 4. Where none is large enough, it is an error.
        large = [group for group in alike if group.items[0].number.value >= number.value]
        return next(iter(large or alike), None)

    def _is_subset(self, group: _Group, before: str, number: _Number) -> bool:
        return group in self.wholes and _is_limited(before) and _alike(group.unit, number.unit)

    def _sum_up(self, clause: _Clause, number: _Number) -> bool:
        """Take a figure for the whole of those named before it in the sentence: 3户、9户, 共12户."""
        near = self._since(clause.sentence)
        parts = [g for g in near if g.parent is None and _alike(g.unit, number.unit)]
        if len(parts) < 2 or self._same_sum(parts, number) is False:
            return False
        first = parts[0]
        self._open(clause, number, "total", self.label or first.metric, first.start)
        assert self.group is not None
        self.group.scope, self.group.sector, self.group.parent = self.subject.district, "", None
        for part in parts:
            part.parent, part.part_of = self.group, part.items[0].role
        return True

    @staticmethod
    def _same_sum(parts: list[_Group], number: _Number) -> bool:
        """Tell whether a figure can be the sum of others: no smaller than the largest."""
        return number.value >= max(part.items[0].number.value for part in parts)

    def _open(self, clause: _Clause, number: _Number, role: str, metric: str, start: int) -> None:
        if self.each:
            self.subject.scope = self.each.pop(0)
        parent = self._whole_of(number)
        metric = (
            metric or (parent.metric if parent else "") or (self.group.metric if self.group else "")
        )
        sector = _sector(metric, self.subject.scope, self.label)
        if not sector:
            said = self.text[clause.start : clause.end] if len(clause.numbers) == 1 else metric
            sector = _topic(said) or self._staff_sector(clause, metric)
        self.group = _Group(
            start, clause.end, clause.sentence, clause.line, self.subject.scope, sector, metric
        )
        if parent is not None:
            self.group.parent, self.group.part_of = parent, parent.items[-1].role
        self.group.items.append(_Item(role, number))
        self.found.append(self.group)

    def _staff_sector(self, clause: _Clause, metric: str) -> str:
        """Return the sector whose staff is meant: 规上工业企业75家, 员工返岗1.42万人."""
        group = self.group
        same = group and group.sentence == clause.sentence and group.scope == self.subject.scope
        return group.sector if group and same and _STAFF.match(metric) else ""

    def _join(self, group: _Group, clause: _Clause, role: str, number: _Number) -> None:
        group.items.append(_Item(role, number))
        group.end, self.group = clause.end, group

    def _group_start(self, clause: _Clause, number: _Number, after: str) -> int:
        """Return where the words of a group begin: at the verb that rules the number, or the clause's start."""
        said = self.text[clause.start : number.start]
        if not _noun_behind(after):
            return clause.start
        if not said:
            return self._time_word(clause)
        verb = _VERB.search(said)
        if verb is None and re.search("签[订约]|合作|对接", after):
            verb = re.search("(?<=[一-龥])与(?=[^与]*$)", said)
        return clause.start + verb.start() if verb else clause.start

    def _time_word(self, clause: _Clause) -> int:
        """Return where 目前，... begins when the clause itself begins with its number."""
        told = re.search(r"(?:目前|截[至止]目前|现在|当前|如今)，$", self.text[: clause.start])
        return told.start() if told and clause.opens == "，" else clause.start


def _is_limited(before: str) -> bool:
    """Tell whether a part is named by a threshold (亿元以上项目), so that it may overlap with other parts."""
    return bool(re.search("以[上下]", re.sub("规模以上|限额以上", "", before)))


_STAFF = re.compile("(?:企业)?(?:员工|职工|返岗|用工|从业人员)")
_VERB = re.compile(
    "(?:督促|组织|惠及|送来|送去|拥有|派出|出动|投入|调动|发动|组成|帮助|服务|走访|检查|排查|查处|清理|拆除|设置|设立|开展|"
    "举办|发放|捐赠|协调|安排|引进|签约|新增|新建|改造|建成|完成|解决|覆盖|涉及|包括|吸引|招聘|培训|劝导|整治|取缔|"
    "施划|抽调|选派|落实|办理|受理|转移|慰问)(?:了|近|约|逾|超过|至少|共|各类|各级)*$"
)
_END_LIST = _longest_first(
    "共计|共有|总计|合计|累计|共安排|安排|共|总数|达到|达|实现|完成|为|有|是|已经|已|了|等|均|各|的|分别|计|数量|余额|增至|增加到|"
    "尚|仍|约|近|超过|突破|预计|计划|将|：|，"
)
_END_WORDS = re.compile(rf"(?:{_END_LIST}|(?<!商)超)++$")
_STOP_BEHIND = re.compile(
    r"[，。；：、（）“”！？\s]|已|均|都|全部|正|报名|签[订约]|还给|进行|在(?![建册岗校营])|的|了|将|可|被|复工|复产|开工|停工|营业|恢复|参加|参与|"
    r"完成|实现|未|尚|仍|到|用于|为|得到|通过|以上|左右|中(?![学心小])|同比|增长|下降|较|比|开门|迎客|开放|新增|新建|提供|发放|办理|投放"
)
_DROP_NOUN = re.compile(
    "^(?:全[区市县]|我[区市]|辖区内?|辖内|内|共|安排|拥有|对|将|把|向|给|使|让|由|负责|并|的|等|各类|各)+"
)


def _strip(words: str) -> str:
    """Return the words before a number without those that only lead up to it."""
    bare = words.strip("，、：； ")
    while True:
        lead = _LEAD.match(bare)
        less = bare[lead.end() :] if lead else bare
        less = _END_WORDS.sub("", less).strip()
        if less == bare:
            return bare
        bare = less


def _state(patterns: dict[str, re.Pattern[str]], words: str, *, whole: bool = False) -> str:
    words = words.strip("，、 ")
    for role, pattern in patterns.items():
        if pattern is _ENDING.get(role):
            found = pattern.search(words)
        else:
            found = pattern.fullmatch(words) if whole else pattern.match(words)
        if found:
            return role
    return ""


def _noun_behind(after: str) -> str:
    """Return the noun right behind a number's unit, "" if none is there."""
    stop = _STOP_BEHIND.search(after)
    noun = after[: stop.start()] if stop else after
    return noun if len(noun) >= 2 and re.fullmatch("[一-龥A-Za-z]+", noun) else ""


def _noun(words: str) -> str:
    """Return the words before a number as the name of what it counts, at most 24 characters."""
    last = re.split("[、“”]", _strip(words).rstrip("”"))[-1]
    return _DROP_NOUN.sub("", last)[-24:]


def _metric(before: str, after: str) -> str:
    return _noun_behind(after)[:24] or _noun(before)


def _measure(unit: str) -> str:
    if unit.endswith("元"):
        return "value"
    if unit.endswith(("平方米", "平方公里", "公顷", "亩")):
        return "area"
    if unit.endswith(("公里", "千米")) or unit.lstrip("百千万亿") == "米":
        return "length"
    return (
        "value" if unit.endswith(("吨", "公斤", "千克", "斤", "瓦", "瓦时", "立方米")) else "count"
    )


_ONE_BY_ONE = frozenset("户家个项名人位处")


def _alike(one: str, other: str) -> bool:
    """Tell whether two units count the same way: 户 and 家, 项 and 个, 名 and 人."""
    pairs = ({"户", "家", "个"}, {"项", "个", "处"}, {"人", "名", "位"})
    return bool(one) and (one == other or any({one, other} <= pair for pair in pairs))


_SECTORS: tuple[tuple[str, str], ...] = (
    ("(?:规模以上|规上)服务业", "规上服务业"),
    ("(?:规模以上|规上)工业", "规上工业"),
    ("(?:规模以上|规上)建筑业", "规上建筑业"),
    ("(?:限额以上|限上)(商贸|批零|零售|批发|住餐|餐饮)?", "限上商贸"),
    ("宾馆.*洗浴", "宾馆洗浴"),
)
_TOPICS = (
    ("停车[位场库]|泊位|车位|停车库", "停车整治"),
    ("值守|巡防|小分队|小队|核酸|隔离点", "防疫"),
)
_TRADES = re.compile(
    "商超|宾馆|旅行社|餐饮|酒店|商超|超市|药店|学校|幼儿园|医院|工地|农贸市场|商场|网吧|影院|景区|理发店|养老机构|便利店|洗浴|民宿|"
    "建筑业|批发业|零售业|服务业|房地产|制造业|物业"
)
_ANY_FIRM = re.compile(
    "重点|各类|辖区|规模以上|规上|限额以上|限上|所有|在册|符合条件|指导监督|复工复产|复工|复产|开工|已|应|中小|民营|骨干|"
    "全部|其余|其他|上述|困难|个体|停产|停工|监管|新增|注册|市场|包保|帮扶|纳入|监测|实际|全区|目前|重大|省级|市级|区级|国有|入驻|"
    "签约|龙头|沿街|登记|在建|专班|累计|走访|检查|督导|服务|督促|帮助|排查|指导|惠及|对|为|内|等|占道|本地|违规|违法|大型|小型|部分|各|亿元|以上|超|万元|的|家|区|市|被|家|有|存在|需|要|了|和|及"
)


def _sector(metric: str, scope: str, label: str = "") -> str:
    for words in (label, metric):
        for pattern, sector in _SECTORS:
            if re.search(pattern, words):
                return sector
        if trade := re.search(r"^(?:负责)?([一-龥]{2,6}?)行业", words):
            return trade[1]
        if trade := _TRADES.search(words):
            return trade[0]
        if firm := re.search(r"([一-龥]{2,12})(?:类)?(?:企业|商户|门店|经营户)$", words):
            rest = _ANY_FIRM.sub("", firm[1])
            if 2 <= len(rest) <= 6 and firm[1].endswith(rest):
                return rest
    return "金融" if re.search("银行|支行|分行|信用社", scope) else ""


def _topic(said: str) -> str:
    return next((topic for pattern, topic in _TOPICS if re.search(pattern, said)), "")


# --- from groups to claims ------------------------------------------------------------------------


def _settle(prose: Prose, groups: list[_Group]) -> None:
    """Decide what only the whole text can tell: totals, parts of which figure, what a headline repeats."""
    parts: dict[int, list[_Group]] = defaultdict(list)
    for group in groups:
        if group.parent is not None:
            parts[id(group.parent)].append(group)
    for group in groups:
        if id(group) in parts or group.has(*_NEEDS_WHOLE):
            _promote(group)
    for group in groups:
        if id(group) in parts:
            _settle_parts(group, parts[id(group)])
    _settle_headlines(prose, groups)


_NEEDS_WHOLE = ("resumed", "part", "stopped", "planned", "rate", "subset")


def _promote(group: _Group) -> None:
    first = group.items[0]
    if first.role == "count" and not group.has("total"):
        first.role = "total"


def _settle_parts(whole: _Group, parts: list[_Group]) -> None:
    """Say of which figure of a whole its silent parts are parts: the one they add up to, else the last named."""
    silent = [
        part for part in parts if len(part.items) == 1 and part.items[0].role in ("count", "total")
    ]
    if not silent:
        return
    total = sum(part.items[0].number.value for part in silent)
    summed = [item.role for item in whole.items if item.number.value == total]
    for part in silent:
        role = summed[-1] if summed else part.part_of
        part.items[0].role = role if role in ("total", "resumed", "stopped", "part") else "total"


def _settle_headlines(prose: Prose, groups: list[_Group]) -> None:
    """Give a headline's figure the scope and metric of the sentence below that states it again."""
    heads = set(prose.headlines())
    by_line: dict[int, list[_Group]] = defaultdict(list)
    for group in groups:
        by_line[group.line].append(group)
    for line, span in enumerate(prose.paragraphs()):
        below = [group for n in range(line + 1, line + 5) for group in by_line.get(n, ())]
        for group in by_line.get(line, ()) if span in heads else ():
            _settle_headline(prose.text, group, below)


def _settle_headline(text: str, group: _Group, below: list[_Group]) -> None:
    said = text[group.start : group.end]
    for other in below:
        if _repeats(group, other) and _share_word(said, text[other.start : other.end]):
            group.scope, group.sector, group.metric = other.scope, other.sector, other.metric
            group.items[0].role = other.items[0].role
            return


def _repeats(group: _Group, other: _Group) -> bool:
    one, two = group.items[0].number, other.items[0].number
    return (one.value, one.unit) == (two.value, two.unit)


def _share_word(one: str, other: str) -> bool:
    pairs = {one[n : n + 2] for n in range(len(one) - 1)}
    return any(
        re.fullmatch("[一-龥]{2}", pair) and pair in other and "元" not in pair for pair in pairs
    )


def _claims(
    prose: Prose, groups: list[_Group], file: str, as_of: date | None
) -> Iterator[StatedFigure]:
    ids = _ids(groups, file, as_of)
    for group in groups:
        first, last = prose.raw_span(group.start, group.end)
        source = Source(file, f"字 {first}–{last}", prose.raw[first:last])
        taken: Counter[str] = Counter()
        for item in group.items:
            taken[item.role] += 1
            often = taken[item.role]
            start, end = prose.raw_span(item.number.start, item.number.end)
            yield StatedFigure(
                Claim(
                    claim_id=ids[id(group)],
                    scope=group.scope,
                    sector=group.sector,
                    metric=group.metric,
                    role=item.role if often == 1 else f"{item.role}_{often}",
                    value=item.number.value,
                    unit=item.number.unit,
                    claim_kind="target" if item.target else "fact",
                    approx=item.number.approx,
                    as_of=as_of,
                    source=source,
                ),
                start,
                end,
                first,
                last,
            )


def _ids(groups: Iterable[_Group], file: str, as_of: date | None) -> dict[int, str]:
    """Return an id for every group: the same for the same words of the same source, always."""
    ids: dict[int, str] = {}
    seen: Counter[str] = Counter()
    waiting = list(groups)
    for group in [g for g in waiting if g.parent is None] + [g for g in waiting if g.parent]:
        if group.parent is not None:
            parent = ids[id(group.parent)]
            seen[parent + "."] += 1
            ids[id(group)] = f"{parent}.{seen[parent + '.']}"
            continue
        said = "\0".join((file, str(as_of), group.scope, group.sector, group.metric))
        name = "fig-" + blake2b(said.encode(), digest_size=5).hexdigest()
        seen[name] += 1
        ids[id(group)] = name if seen[name] == 1 else f"{name}-{seen[name]}"
    return ids
