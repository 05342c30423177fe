"""Measure how well and how fast a name is found among many, beside rapidfuzz alone and SQLite FTS5.

    python tests/bench/bench_geocoder.py [--sizes 5000,100000] [--queries 300] [--readme]

Invented names in the manner of a district's registers (companies, banks, shops, projects, communities,
addresses), one seed. Each method answers the same queries: a name of the list as people really write it. One
process for each size, one thread; times are CPU.
"""

import argparse
import json
import random
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import psutil
from _harness import SEED, about, markdown_table, show, write_between_marks
from opencc import OpenCC
from pypinyin import lazy_pinyin
from rapidfuzz import fuzz, process

from geo.locate.gazetteer import ACCEPT_MARGIN, ACCEPT_SCORE
from geo.locate.index import NameIndex
from geo.locate.names import normalise_name

SIZES = (5_000, 100_000)
TOP_1 = {5_000: 0.99, 100_000: 0.955}  # DESIGN.md §6
WRONG_PERCENT = {5_000: 0.1, 100_000: 0.3}
PER_SECOND, MEGABYTES = 400, 100
METHODS = {
    "ours": "**ours**",
    "rapidfuzz": "`rapidfuzz.process.extractOne`, names as they are",
    "rapidfuzz_plain": "the same on our normalised names",
    "fts5": "SQLite FTS5 trigram, any trigram, bm25",
}
Row = dict[str, Any]
Find = Callable[[str], int | None]
Random = random.Random


# ---- names ----------------------------------------------------------------------------------------

BRANDS = (
    "鑫宏达盛华金鸿宇泰恒丰瑞祥和顺兴隆昌发源东方大成永信诚义德润嘉利广通海天龙凤福禄寿康健安宁富贵荣光辉"
    "煌明亮星辰日月山川江河湖洋林森木石玉珠宝银铜铁钢汇聚众合联创新科技佳美好运启航远景程前卓越腾飞翔鹏鹤"
    "雁云霞虹雪冰清泉溪润泽沃茂繁锦绣春夏秋冬北南西中正平立志建业伟博雅文圣武仁智礼贤俊杰英豪雄威力强劲"
    "捷迅驰骏骐麒麟喜庆欢乐怡馨悦晟昊旭阳晨曦浩瀚渊博溢满盈益增鼎钰钧铭锐铎尚品优良臻诺迪欧亚美洲太极"
)
TRADES = (
    "商贸 物流 餐饮 建材 科技 电子 机械 化工 食品 服装 家具 装饰 建筑 建筑工程 房地产开发 物业管理 广告 传媒 "
    "文化传播 教育咨询 信息咨询 人力资源 劳务派遣 汽车销售 汽车维修 运输 货运代理 医药 医疗器械 药业 农业科技 "
    "种业 饲料 畜牧 养殖 水产 粮油 果蔬 茶业 酒业 印刷 包装 塑料制品 橡胶 玻璃 陶瓷 金属制品 铸造 锻造 "
    "电气设备 电力工程 新能源 环保科技 节能 水处理 暖通 管道 阀门 泵业 轴承 模具 五金 仪器仪表 自动化 软件 "
    "网络科技 通信 安防 消防设备 园林绿化 市政工程 勘测设计 造价咨询 会计服务 法律咨询 旅行社 酒店管理 健身 "
    "美容美发 摄影 婚庆 家政服务 养老服务 口腔门诊 眼镜 珠宝 皮革 纺织 针织 制衣 鞋业 箱包 玩具 文具 办公设备 "
    "家电 制冷设备 太阳能 石油化工 矿业 煤炭 钢铁 晶体材料 复合材料 防水材料 保温材料 门窗 木业 石材 涂料"
).split()
FORMS = ("有限公司",) * 16 + ("有限责任公司", "有限责任公司", "股份有限公司", "厂")
REGIONS = ("辽阳",) * 8 + ("辽宁",) * 4 + ("辽阳市",) * 3 + ("",) * 4 + ("沈阳", "鞍山", "中国")
ROADS = ("路",) * 6 + ("街",) * 5 + ("大街",) * 3 + ("胡同", "巷")
BANKS = (
    "辽阳农村商业银行股份有限公司 中国工商银行 中国农业银行 中国建设银行 中国邮政储蓄银行 中国银行 交通银行 "
    "盛京银行 锦州银行 辽阳银行"
).split()
SHOPS = "超市 便利店 药店 饭店 烧烤店 火锅店 理发店 五金店 水果店 面馆 烘焙坊 诊所 幼儿园 小学 中学 培训学校".split()
WORKS = (
    "金融中心 商务大厦 国际广场 科技园 产业园 物流园 购物中心 交通枢纽 棚户区改造项目 污水处理厂 小区改造工程 "
    "康养中心 体育馆 博物馆 换热站 停车场 花园 御府 家园 公馆 新城 雅苑 嘉园 名邸"
).split()
COMMUNITIES = ("社区", "社区居民委员会", "村", "社区卫生服务站")
PHASES = ("",) * 5 + ("一期", "二期", "三期", "A座", "B区", "（东区）")


def _brand(r: Random) -> str:
    return "".join(r.choices(BRANDS, k=r.choices((2, 3, 4), (6, 3, 1))[0]))


def _road(r: Random) -> str:
    road = "".join(r.choices(BRANDS, k=2)) + r.choice(ROADS)
    return road + r.choice(("", "", "", "一段", "二段", "三段"))


def _door(r: Random) -> str:
    return f"{r.randint(1, 999)}{r.choice(('', '', '', f'-{r.randint(1, 9)}'))}号"


def _company(r: Random) -> str:
    return r.choice(REGIONS) + _brand(r) + r.choice(TRADES) + r.choice(FORMS)


def _bank(r: Random) -> str:
    return f"{r.choice(BANKS)}{_brand(r)}{r.choice(('支行', '（支行）', '分理处', '储蓄所'))}"


def _shop(r: Random) -> str:
    return f"{_brand(r)}{r.choice(SHOPS)}{r.choice(('', '', f'（{_road(r)}店）'))}"


KINDS = (
    (_company, 55),
    (_bank, 3),
    (_shop, 12),
    (lambda r: _brand(r) + r.choice(WORKS) + r.choice(PHASES), 10),
    (lambda r: _brand(r) + r.choice(COMMUNITIES), 5),
    (lambda r: _road(r) + _door(r), 15),
)


def make_name(r: Random) -> str:
    """Return one name."""
    return r.choices([make for make, _ in KINDS], [share for _, share in KINDS])[0](r)


def make_names(count: int, r: Random, taken: frozenset[str] = frozenset()) -> list[str]:
    """Return names no two of which (nor any of `taken`, normalised) are the same after normalising."""
    names: dict[str, str] = {}
    while len(names) < count:
        name = make_name(r)
        if (plain := normalise_name(name)) not in taken:
            names.setdefault(plain, name)
    return list(names.values())


# ---- how people write them ------------------------------------------------------------------------


def _han(name: str) -> list[int]:
    return [n for n, char in enumerate(name) if "一" <= char <= "鿿"]


def _typo(name: str, r: Random) -> str:
    """Put a wrong character, leave one out, or write one twice."""
    spot = r.choice(_han(name))
    wrong = r.choices((r.choice(BRANDS), "", name[spot] * 2), (6, 2, 2))[0]
    return name[:spot] + wrong + name[spot + 1 :]


def _homophones() -> dict[str, list[str]]:
    """Return the characters of the first level of GB 2312 (the 3,755 in daily use) by how they sound."""
    sounds: dict[str, list[str]] = {}
    for row in range(0xB0, 0xD8):
        for cell in range(0xA1, 0xFF):
            char = bytes((row, cell)).decode("gb2312", "ignore")
            if char:
                sounds.setdefault(lazy_pinyin(char)[0], []).append(char)
    return sounds


HOMOPHONES = _homophones()


def _homophone(name: str, r: Random) -> str:
    spot = r.choice(_han(name))
    # Its sound where it stands: 行 in 银行 is not 行 in 行走.
    said = lazy_pinyin(name, errors=list)[spot]
    others = [char for char in HOMOPHONES.get(said, ()) if char != name[spot]]
    return name[:spot] + r.choice(others or [name[spot]]) + name[spot + 1 :]


def _swap(name: str, r: Random) -> str:
    places = [n for n in _han(name) if n + 1 in _han(name) and name[n] != name[n + 1]]
    if not places:
        return name
    spot = r.choice(places)
    return name[:spot] + name[spot + 1] + name[spot] + name[spot + 2 :]


def _prefix(name: str, r: Random) -> str:
    return (
        r.choice(("辽宁省辽阳市白塔区", "辽阳市白塔区", "白塔区", "辽阳市", "辽宁省 辽阳市 "))
        + name
    )


def _width(name: str, r: Random) -> str:
    wide = {code: code + 0xFEE0 for code in range(0x21, 0x7F)} | {0x2D: "—"}
    brackets = str.maketrans("（）", r.choice(("()", "[]", "【】")))
    spot = r.randrange(1, len(name))
    return (name[:spot] + r.choice(" 　\u200b") + name[spot:]).translate(wide).translate(brackets)


_TRADITIONAL = OpenCC("s2t")


def _traditional(name: str, r: Random) -> str:
    return _TRADITIONAL.convert(name)


def _short(name: str) -> Iterator[str]:
    """Give the ways in which a name is shortened."""
    for form in ("股份有限公司", "有限责任公司", "有限公司", "居民委员会"):
        if form in name:
            yield name.replace(form, "")
            yield re.sub("^(?:辽宁|辽阳市?|沈阳|鞍山|中国)", "", name).replace(form, "")
            yield name.replace(form, "公司")
    for long, short in (
        ("农村商业银行", "农商行"),
        ("农村商业银行", "农商银行"),
        ("中国工商银行", "工行"),
        ("中国农业银行", "农行"),
        ("中国建设银行", "建行"),
        ("邮政储蓄", "邮储"),
        ("项目", ""),
        ("工程", ""),
        ("社区卫生服务站", "卫生服务站"),
    ):
        if long in name:
            yield name.replace(long, short)


def _chinese(number: int) -> str:
    digits, units = "零一二三四五六七八九", ("", "十", "百")
    text = "".join(
        digits[int(d)] + (units[place] if d != "0" else "")
        for place, d in zip(range(len(str(number)) - 1, -1, -1), str(number), strict=True)
    )
    return re.sub("零+$", "", re.sub("零+", "零", text)).removeprefix(
        "一" if 10 <= number < 20 else ""
    )


def _doors(name: str, r: Random) -> str:
    """Write the door number of an address another way, or add one to a name."""
    found = re.search(r"(\d+)((?:-\d+)?)号$", name)
    if found:
        road = name[: found.start()]
        ways = [f"{road}门牌{found[0]}", f"{road}№{found[0]}", f"{road}{found[1]}{found[2]}號"]
        ways += [f"{road}{found[1]}{found[2].replace('-', '之')}号"]
        ways += [road + _chinese(int(found[1])) + "号"] * (not found[2])
        return r.choice(ways)
    address = _road(r) + _door(r)
    return r.choice((f"{address}{name}", f"{name}（{address}）", f"白塔区{address} {name}"))


CHANGES: dict[str, Callable[[str, Random], str]] = {
    "typo": _typo,
    "homophone": _homophone,
    "swap": _swap,
    "prefix": _prefix,
    "width": _width,
    "traditional": _traditional,
    "abbreviation": lambda name, r: r.choice(list(_short(name)) or [name]),
    "door number": _doors,
}
TWICE = "two of them"  # beside the bars, which speak of one change


def _twice(name: str, r: Random) -> str:
    one, other = r.sample(list(CHANGES.values()), 2)
    return other(one(name, r), r)


def make_queries(names: list[str], each: int, r: Random) -> list[Row]:
    """Return queries of every class; one that is, or shortens, another name too asks for nobody and is left out."""
    plain = {normalise_name(name): n for n, name in enumerate(names)}
    shorts: dict[str, set[int]] = {}
    for n, name in enumerate(names):
        for short in _short(name):
            shorts.setdefault(normalise_name(short), set()).add(n)
    queries = []
    for change, write in (CHANGES | {TWICE: _twice}).items():
        made = 0
        while made < each:
            wanted = r.randrange(len(names))
            text = write(names[wanted], r)
            key = normalise_name(text)
            shared = {plain.get(key, wanted), *shorts.get(key, ())} - {wanted}
            if text != names[wanted] and not shared:
                queries.append({"class": change, "text": text, "wanted": wanted})
                made += 1
    return queries


def make_absent(names: list[str], count: int, r: Random) -> list[Row]:
    """Return names that are not in the list: half of them new, half one word or number away from one in it."""
    taken = frozenset(map(normalise_name, names))
    new = make_names(count // 2, r, taken)
    close: list[str] = []
    while len(close) < count - len(new):
        text = _another(r.choice(names), r)
        if normalise_name(text) not in taken:
            close.append(r.choice((text, _prefix(text, r))))
    return [{"class": "absent", "text": text, "wanted": None} for text in (*new, *close)]


def _another(name: str, r: Random) -> str:
    """Return another name of the same make: one brand character, sound, trade, number or road word changed."""
    ways = [_homophone(name, r)]
    spots = [n for n in _han(name)[:6] if name[n] in BRANDS]
    ways += [name[:n] + r.choice(BRANDS) + name[n + 1 :] for n in spots[:2]]
    ways += [name.replace(trade, r.choice(TRADES)) for trade in TRADES if trade in name][:1]
    ways += [re.sub(r"\d+", lambda found: str(int(found[0]) + r.randint(1, 9)), name, count=1)]
    ways += [name.replace(a, b) for a, b in ("一二", "二三", "路街", "街路") if a in name]
    return r.choice([way for way in ways if way != name] or [name])


# ---- methods --------------------------------------------------------------------------------------


def _rapidfuzz(names: list[str]) -> Find:
    def find(text: str) -> int | None:
        found = process.extractOne(text, names, scorer=fuzz.ratio)
        return None if found is None else found[2]

    return find


def _rapidfuzz_plain(names: list[str]) -> Find:
    find = _rapidfuzz([normalise_name(name) for name in names])
    return lambda text: find(normalise_name(text))


def _fts5(names: list[str]) -> Find:
    store = sqlite3.connect(":memory:")
    store.execute("CREATE VIRTUAL TABLE names USING fts5(name, tokenize='trigram')")
    store.executemany("INSERT INTO names (rowid, name) VALUES (?, ?)", enumerate(names))

    def find(text: str) -> int | None:
        grams = {text[n : n + 3].replace('"', '""') for n in range(len(text) - 2)}
        asked = " OR ".join(f'"{gram}"' for gram in sorted(grams))
        sql = "SELECT rowid FROM names WHERE names MATCH ? ORDER BY rank LIMIT 1"
        row = store.execute(sql, (asked,)).fetchone() if asked else None
        return None if row is None else int(row[0])

    return find


RIVALS = {"rapidfuzz": _rapidfuzz, "rapidfuzz_plain": _rapidfuzz_plain, "fts5": _fts5}


# ---- measuring ------------------------------------------------------------------------------------


def measure(size: int, each: int, methods: list[str]) -> Row:
    """Return what was measured at one size."""
    r = Random(SEED + size)
    names = make_names(size, r)
    queries = make_queries(names, each, r)
    absent = make_absent(names, 4 * each, r)
    report: Row = {"size": size, "queries": len(queries), "absent": len(absent), "methods": {}}
    if "ours" in methods:
        report |= _measure_ours(names, queries, absent)
        report["methods"]["ours"] = report.pop("ours")
    for method in (name for name in RIVALS if name in methods):
        start = time.process_time()
        find = RIVALS[method](names)
        built = time.process_time() - start
        report["methods"][method] = {**_ask(find, queries), "built": built}
    return report


def _ask(find: Find, queries: list[Row]) -> Row:
    """Return the share of right answers in each class, and how many queries a CPU second answers."""
    start = time.process_time()
    found = [find(query["text"]) for query in queries]
    seconds = time.process_time() - start
    right: dict[str, list[bool]] = {}
    for query, answer in zip(queries, found, strict=True):
        right.setdefault(query["class"], []).append(answer == query["wanted"])
    shares = {change: sum(hits) / len(hits) for change, hits in right.items()}
    return {"right": shares, "per_s": len(queries) / seconds}


def _measure_ours(names: list[str], queries: list[Row], absent: list[Row]) -> Row:
    # Loads the packages' tables, which every index of the process shares.
    NameIndex(["辽阳站"]).search("遼陽站")
    before, start = psutil.Process().memory_info().rss, time.process_time()
    index = NameIndex(names)
    built = time.process_time() - start

    def find(text: str) -> int | None:
        hits = index.search(text)
        return hits[0].position if hits else None

    asked = _ask(find, queries)
    resident = (psutil.Process().memory_info().rss - before) / 1e6
    taken = [
        (query, position) for query in queries if (position := _taken(index, query)) is not None
    ]
    return {
        "ours": {**asked, "built": built},
        "resident_mb": resident,
        "accepted": len(taken) / len(queries),
        "wrong": sum(position != query["wanted"] for query, position in taken) / len(queries),
        "absent_accepted": sum(_taken(index, query) is not None for query in absent) / len(absent),
        "missed": [
            [query["text"], names[query["wanted"]]]
            for query in queries
            if find(query["text"]) != query["wanted"]
        ],
    }


def _taken(index: NameIndex, query: Row) -> int | None:
    """Return the name that the app's rule would take without a person."""
    hits = index.search(query["text"])
    clear = bool(hits) and hits[0].score >= ACCEPT_SCORE and hits[0].margin >= ACCEPT_MARGIN
    return hits[0].position if clear else None


# ---- all of them ----------------------------------------------------------------------------------


def table(reports: list[Row]) -> str:
    """Return share of right answers by class, and speed, for every method and size."""
    head = ["method", "names", *CHANGES, "all these", TWICE, "queries/s", "build, s"]
    rows = []
    for report in reports:
        for method in (name for name in METHODS if name in report["methods"]):
            found = report["methods"][method]
            shares = [f"{found['right'][change]:.3f}" for change in CHANGES]
            speed = [show(found["per_s"]), show(found["built"], 2)]
            shares += [f"{_top_1(found):.3f}", f"{found['right'][TWICE]:.3f}"]
            rows.append([METHODS[method], show(report["size"]), *shares, *speed])
    return markdown_table(head, rows)


def _top_1(found: Row) -> float:
    return sum(found["right"][change] for change in CHANGES) / len(CHANGES)


def rules(reports: list[Row]) -> str:
    """Return what the app's rule would take without a person."""
    head = [
        "names",
        "queries",
        "taken",
        "taken wrongly",
        "absent names asked",
        "taken",
        "memory, MB",
    ]
    return markdown_table(
        head,
        (
            [
                show(report["size"]),
                show(report["queries"]),
                f"{report['accepted']:.1%}",
                f"{report['wrong']:.2%}",
                show(report["absent"]),
                f"{report['absent_accepted']:.2%}",
                show(report["resident_mb"]),
            ]
            for report in reports
            if "accepted" in report
        ),
    )


def bars(reports: list[Row]) -> str:
    """Return the bars of DESIGN.md §6 and whether they are met."""
    return markdown_table(
        ["bar", "wanted", "measured", "met"],
        (row for report in reports if "accepted" in report for row in _bars(report)),
    )


def _bars(report: Row) -> Iterator[list[str]]:
    ours, size = report["methods"]["ours"], report["size"]
    wanted = (
        ("top-1", _top_1(ours), ">=", TOP_1.get(size), 3),
        ("queries/s on one core", ours["per_s"], ">=", PER_SECOND, 0),
        ("memory, MB", report["resident_mb"], "<=", MEGABYTES, 0),
        ("taken wrongly, %", 100 * report["wrong"], "<=", WRONG_PERCENT.get(size), 2),
        ("absent taken, %", 100 * report["absent_accepted"], "<=", 0.0, 2),
    )
    for what, value, sign, limit, digits in wanted:
        if limit is not None:
            met = value >= limit if sign == ">=" else value <= limit
            bar = f"{'≥' if sign == '>=' else '≤'} {limit:g}"
            yield [f"{what}, {size:,} names", bar, show(value, digits), "yes" if met else "**no**"]


def measure_all(sizes: list[int], each: int, methods: list[str]) -> list[Row]:
    """Return one report for each size, each from a process of its own."""
    reports = []
    for size in sizes:
        print(size, file=sys.stderr, flush=True)
        asked = ["--cell", str(size), "--queries", str(each), "--methods", ",".join(methods)]
        command = [sys.executable, __file__, *asked]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        reports.append(json.loads(done.stdout))
    return reports


def main() -> None:
    """Measure, print, and keep the report where asked."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)))
    parser.add_argument("--queries", type=int, default=400, help="of each class")
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--missed", action="store_true", help="print what ours did not find")
    parser.add_argument("--readme", action="store_true", help="put the report into README.md")
    parser.add_argument("--cell", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    methods = given.methods.split(",")
    if given.cell:
        json.dump(measure(given.cell, given.queries, methods), sys.stdout)
        return
    head = about()
    reports = measure_all([int(n) for n in given.sizes.split(",")], given.queries, methods)
    text = f"{head}\n\n{table(reports)}\n\n{rules(reports)}\n\n{bars(reports)}\n"
    print(text)
    if given.missed:
        print(*(pair for report in reports for pair in report.get("missed", ())), sep="\n")
    if given.readme:
        write_between_marks("bench_geocoder", text)


if __name__ == "__main__":
    main()
