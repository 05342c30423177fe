"""What a clause says of a site: which verb, said how (done, not, planned, urged), and of whom."""

from __future__ import annotations

import re
from dataclasses import dataclass

from geo.read.bulletin_words import (
    MODAL,
    NOUN_AFTER,
    NOUN_BEFORE,
    PARKING_VERBS,
    PARTLY,
    VERBS,
)

_VERB = re.compile("|".join(f"(?P<{name}>{words})" for name, words in VERBS.items()))
_PARKING = re.compile("|".join(f"(?P<{name}>{words})" for name, words in PARKING_VERBS.items()))
_AFFIRMED = re.compile(
    "已经|已|正在|正|均|全面|全部|于近日|重新|照常|获准|日起|恢复|至今|继续|仍处于|处于|一直"
)
_AFFIRMING = re.compile("(?:已经|均已|已|均|全部|全面|陆续|相继|正在|仍处于|处于|正式|如期)*$")
_DONE = re.compile("已经|已|正在|至今")
_DAY = re.compile("[月日年]")
_REACH = {"neg": 4, "urge": 10, "plan": 14}
"""How many characters may stand between 未, 尽早 or 将 and its verb."""
_LOOK_BACK = 80
_FAR = frozenset("确保 力争 力促 争取 推动 促进".split())
"""Words of a wish that stand before whole lists: 确保A、B等项目按期开工."""
_NEEDS_HELP = frozenset({"营业", "开放", "恢复", "招商"})
"""Verbs that say something only with 已, 未, 将 or the like before them."""
_COUNTED = re.compile(r"[^，。；]{0,2}?\d+(?:多|余)?[户家个项]")
_PLURAL = re.compile(
    r"\d+(?:多|余)?[户家个处项]|(?:其余|其他|部分|全部|所有|各类|配套|重点|全区|辖区|规模以上|限额以上|更多|中小)[^，。；]{0,6}"
    r"(?:企业|项目|商户|单位|店铺|市场主体)"
)
SPLIT = re.compile(
    r"(?P<attract>(?P<head>加大|强化|加强)对?(?P<list>[^，。；]{2,60}?)的?(?P<verb>招商(?:引资|推介)?)(?:引资|推介)?力度)"
    r"|(?P<push>(?P<head2>(?:重点|着力|全力|加快|统筹|持续|扎实|有序|大力|积极|强力|稳步|高标准)*推进|加快)"
    r"(?P<list2>[^，。；]{2,80}?)(?P<verb2>(?:项目)?建设(?!局|集团|有限|工程|者|和管理)))"
)


@dataclass(frozen=True, slots=True)
class Stage:
    """One verb in healed text: what it is (`verb`), how it is said (`manner`), the words, half-open span.

    `listed` is the span of the names it wraps where it is split (加大…招商力度), else None.
    """

    start: int
    end: int
    verb: str
    manner: str
    words: str
    listed: tuple[int, int] | None = None

    @property
    def meaning(self) -> tuple[str, str]:
        """The key of this stage in `SAYS`."""
        return self.verb, self.manner


def find_stages(text: str, start: int, end: int) -> list[Stage]:
    """Return what the verbs of one clause (a span of `text`) say, in order."""
    stages = [_split_stage(found) for found in SPLIT.finditer(text, start, end)]
    taken = [(stage.start, stage.end) for stage in stages]
    for found in _VERB.finditer(text, start, end):
        if any(first <= found.start() < last for first, last in taken):
            continue
        stage = _stage(text, start, end, found)
        if stage:
            stages.append(stage)
    return sorted(stages, key=lambda stage: stage.start)


def _split_stage(found: re.Match[str]) -> Stage:
    if found["attract"]:
        words = f"{found['head']}…{found['verb']}力度"
        return Stage(*found.span(), "talk", "push", words, found.span("list"))
    words = f"{found['head2']}…{found['verb2']}"
    return Stage(*found.span(), "build", "push", words, found.span("list2"))


def _stage(text: str, start: int, end: int, found: re.Match[str]) -> Stage | None:
    verb, word = str(found.lastgroup), found[0]
    start = max(start, found.start() - _LOOK_BACK)
    before = text[start : found.start()]
    manner, begin = _manner(before, verb)
    plain = manner == "done" and not _AFFIRMED.search(before[-6:])
    if plain and (word in _NEEDS_HELP or NOUN_BEFORE.search(before[-12:])):
        return None
    able = manner == "neg" and text.startswith("条件", found.end())
    if (NOUN_AFTER.match(text, found.end(), end) and not able) or _COUNTED.match(
        text, found.end(), end
    ):
        return None
    return Stage(found.start(), found.end(), verb, manner, text[start + begin : found.end()])


def _manner(before: str, verb: str) -> tuple[str, int]:
    """Return how a verb is said, and where in `before` its words begin: at the verb or at 已, 未, 将 beside it."""
    modal = None
    for found in MODAL.finditer(before):
        far = found.start() == 0 or found[0] in _FAR
        if len(before) - found.end() <= (60 if far else _REACH[str(found.lastgroup)]):
            modal = found
    gap = before[modal.end() :] if modal else ""
    if modal is None or _DONE.search(gap):
        partly = PARTLY.search(before, max(0, len(before) - 8))
        if partly and verb in ("resume", "start", "open"):
            return "part", partly.start()
        return "done", len(before) - _affirming(before)
    manner = str(modal.lastgroup)
    if manner == "neg" and "堂食" in before:
        manner = "part"
    if manner == "urge" and _DAY.search(gap[-8:]):
        manner = "plan"
    return manner, modal.start() if len(gap) <= 4 else len(before)


def _affirming(before: str) -> int:
    """Return the length of the 已, 均已, 全面 ... right before a verb."""
    found = _AFFIRMING.search(before[-16:])
    return len(found[0]) if found else 0


_PARKING_PLAN = re.compile(
    "下一步|今后|定于|计划|预计|拟|即将|准备|将(?:从|于|自|对|在|启动|开展|陆续|继续|逐步|组织|联合)"
)
_PARKING_NOT = re.compile("(?:尚未|未|没有|暂未)[^，]{0,3}$")


def find_parking_stages(text: str, start: int, end: int) -> list[Stage]:
    """Return what one clause says of roads: cleared, enforced, planned."""
    stages: list[Stage] = []
    for found in _PARKING.finditer(text, start, end):
        before = text[max(start, found.start() - _LOOK_BACK) : found.start()]
        verb = str(found.lastgroup)
        manner = "done"
        if _PARKING_PLAN.search(before) and "已" not in before[-4:]:
            manner = "plan"
        if _PARKING_NOT.search(before[-10:]):
            manner = "neg"
        stages.append(Stage(found.start(), found.end(), verb, manner, found[0]))
    return stages


def speaks_of_many(text: str, start: int, end: int) -> bool:
    """Tell whether a clause is about a number or a class of sites, so that it says nothing of a name before it."""
    return _PLURAL.search(text, start, end) is not None
