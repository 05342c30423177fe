"""The walk through a bulletin: line by line, clause by clause, to whom each verb speaks of."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from geo.read.bulletin_names import (
    MAX_NAME,
    Name,
    drop_inner,
    find_again,
    find_names,
    find_roads,
    find_short_names,
    is_name,
    joined,
    left_edge,
    split_list,
)
from geo.read.bulletin_stages import Stage, find_parking_stages, find_stages, speaks_of_many
from geo.read.bulletin_words import BUILDS, NEAR_PARKING, PARKING, SAYS
from geo.read.prose import Prose, Span

_CLAUSE = re.compile("[^，；：。！？\n]+")
_MARK = re.compile(
    r"(?:[（(]?(?:[一二三四五六七八九十]{1,3}|\d{1,3})[）)、.．] ?|第[一二三四五六七八九十]{1,2}[，、]"
    r"|[\u2460-\u24ff\u3220-\u3229●◆■▲★◎○•·*\-—✅☑👉🔹] ?|\W?[\U0001f300-\U0001faff] ?)+"
)
_SECTION = re.compile(
    "以下|下列|如下|名单|一览|(?:企业|项目|单位|路段|商户|场所|门店|道路|街路)(?:有|为|名单|包括)?：?$"
)
_KEY = re.compile(r"([^，。；：\s]{2,8})：")
NAME_FIELDS = {
    "企业名称": "enterprise",
    "企业": "enterprise",
    "单位名称": "enterprise",
    "商户名称": "enterprise",
    "项目名称": "project",
    "项目": "project",
    "路段名称": "parking",
    "道路名称": "parking",
    "路段": "parking",
    "道路": "parking",
    "名称": "",
}
"""Names of a form's or table's field that holds a name, and the kind it tells."""
STATUS_FIELDS = frozenset(
    "状态 复工状态 复工情况 项目状态 进展 进展情况 阶段 项目阶段 目前状态 是否复工 整治状态 整治情况 经营状态".split()
)
_ITEM = re.compile(r"[^，。；：！？\n\t ]+(?=[，：])")
_PROJECT = re.compile("项目|工程|招商|竣工|封顶|施工|开工|签约|落地|建成")
_BUSINESS = re.compile("企业|公司|营业|商户|停业|复业|经营|市场|商场|餐饮|超市|酒店|门店|复工复产")
_ETC = re.compile(
    r"(?:(?P<etc>等)[^，。；、等]{0,6}?)?(?:\d+|[一两三四五六七八九十]+|多)?(?:个|项|家|户|处|批)?(?:重点|重大|民生|产业|在建|续建|新建)*"
    r"(?P<head>项目|工程|企业|单位|商家|商户|卖场|商超|超市|景区|场馆|饭店|酒店|影院|市场|商场|门店|场所)(?!部|经理)"
)
_OTHER_ACTOR = re.compile(
    "区里|我局|我区|市民|居民|顾客|读者|记者|人员|员工|学校|街道|部门|政府|各|全[区市县]|大家|工人|志愿者|下一步|带动"
)
_ADVERB = re.compile(
    r"等|尚|已|均|都|也|仍|暂|未|将|拟|正|现|目前|全部|全面|因|按|由于|于|计划|预计|继续|陆续|分别|同时|\d|日前|近日|从|自|经"
)
_OTHER_SUBJECT = re.compile("带动|(?:负责|承建|投资|建设|开发|实施|运营|代建)的")
_TRADES = re.compile("营业|经营|停业|歇业|复业|开门|恢复开放|暂停开放|查封|取缔|关停|关闭")
_THE_SAME = re.compile("该(?:项目|工程|公司|企业|行|厂|店|社|集团)")
_PROJECT_TAIL = re.compile("(?:建设)?项目$")
_HAS = re.compile(
    "(?P<head>工地|项目|工程|企业|单位|商户|商场|场所|门店|的)(?:主要|分别|还)?(?:有|包括|为|是)：?(?P<list>[^，。；：\n]{2,300})"
)
_HEAD_KINDS = {"工地": "project", "项目": "project", "工程": "project", "企业": "enterprise"}
_OF = re.compile("[^，。；、]{0,5}的")


@dataclass(frozen=True, slots=True)
class Found:
    """A name at one place and what is said of it there; all offsets are of healed text.

    `kind` is "" where the sentence does not tell. `quote` runs from the clause's start to the last word that
    counts, `evidence` is the sentence that says the stage.
    """

    name: Name
    stage: Stage | None
    rule: str
    quote: Span
    evidence: Span
    kind: str = ""
    hint: str = ""
    weak: bool = False
    words: str = ""


@dataclass
class Context:
    """What carries over from sentence to sentence."""

    subjects: list[Name] = field(default_factory=list)
    led: bool = False
    """Whether the subject leads the line (an item, or a line of its own), so that all the line is about it."""
    columns: dict[str, int] = field(default_factory=dict)
    """Where name and status stand in the cells of a table, once its head was read."""
    roads: list[Name] = field(default_factory=list)
    section: tuple[Span, Stage] | None = None
    hint: str = ""
    parking: bool = False


class Walk:
    """One bulletin being read: `run` returns what was found, in the order it was read."""

    def __init__(self, prose: Prose, names: Sequence[Name] = ()) -> None:
        self.text = prose.text
        self.prose = prose
        self.roads = [one for one in names if one.sort == "road"]
        self.names = _merge(find_names(self.text), [one for one in names if one.sort != "road"])
        self.short_names = find_short_names(self.text, self.names)
        called = [Name(0, 0, short, "shop", "called") for short in self.short_names]
        self.names = drop_inner([*self.names, *find_again(self.text, called, self.names)])
        self.found: dict[Span, Found] = {}
        self._sentences = prose.sentences()
        self._heads = set(prose.headlines())
        self._title = self._hint_of(0, min(len(self.text), 80))

    def run(self) -> list[Found]:
        """Return every name with what is said of it; names known only from a list are read everywhere."""
        self._read_lines()
        listed = [one.name for one in self.found.values() if one.name.rule in ("list", "item")]
        again = find_again(self.text, listed, [*self.names, *listed])
        if again:
            self.names = drop_inner([*self.names, *again])
            self.found.clear()
            self._read_lines()
        return [self.found[span] for span in sorted(self.found)]

    def _read_lines(self) -> None:
        context = Context(hint=self._title)
        for start, end in self.prose.paragraphs():
            if self._is_head(start, end):
                hint = self._hint_of(start, end) or self._title
                parking = PARKING.search(self.text, start, end) is not None
                context = Context(hint=hint, parking=parking)
                continue
            self._read_line(start, end, context)

    def _is_head(self, start: int, end: int) -> bool:
        if (start, end) not in self._heads or _MARK.match(self.text, start, end):
            return False
        return not any(one.end == end for one in self._names_in(start, start + 1))

    # --- lines

    def _read_line(self, start: int, end: int, context: Context) -> None:
        if self._read_form(start, end, context) or self._read_row(start, end, context):
            return
        mark = _MARK.match(self.text, start, end)
        body = mark.end() if mark else start
        after_lead = context.led and not mark
        if self._read_bare(body, end, context):
            return
        lead = self._lead(body, end, context) if mark else None
        context.roads = []
        if lead:
            context.subjects, context.led = [lead], True
        elif not after_lead:
            context.subjects, context.led = [], False
        for sentence in self._in_line(start, end):
            self._read_sentence(sentence, (body, end), context)
        if mark and lead:
            context.subjects, context.led = [], False
        self._set_section(start, end, context, marked=bool(mark))

    def _in_line(self, start: int, end: int) -> list[Span]:
        first = bisect_left(self._sentences, (start, start))
        return self._sentences[first : bisect_left(self._sentences, (end, end))]

    def _names_in(self, start: int, end: int) -> list[Name]:
        """Return the names that begin in a span."""
        first = bisect_left(self.names, start, key=_start)
        return self.names[first : bisect_left(self.names, end, key=_start)]

    def _read_form(self, start: int, end: int, context: Context) -> bool:
        """Read 企业名称：… 状态：… on one line, or the status below the name."""
        keys = list(_KEY.finditer(self.text, start, end))
        if not any(key[1] in NAME_FIELDS or key[1] in STATUS_FIELDS for key in keys):
            return False
        ends = [key.start() for key in keys[1:]] + [end]
        spans = [
            (key[1], self._trim(key.end(), stop)) for key, stop in zip(keys, ends, strict=True)
        ]
        status = next((span for key, span in spans if key in STATUS_FIELDS), None)
        for key, span in spans:
            if key in NAME_FIELDS and span[0] < span[1]:
                name = Name(*span, self.text[slice(*span)], "form", "form")
                context.subjects, context.led = [name], True
                self._put_form(name, NAME_FIELDS[key], status, (start, end))
                return True
        if status and context.led:
            self._put_form(context.subjects[0], "", status, (start, end))
        return True

    def _trim(self, start: int, end: int) -> Span:
        while start < end and self.text[end - 1] in " \t，；。、":
            end -= 1
        return start, end

    def _read_row(self, start: int, end: int, context: Context) -> bool:
        """Read a line of a table, its cells set apart by tabs; its first line names the columns."""
        if "\t" not in self.text[start:end]:
            context.columns = {}
            return False
        cells = [found.span() for found in re.finditer(r"[^\t\n]*", self.text[start:end] + "\n")]
        cells = [(start + first, start + last) for first, last in cells if first < last]
        heads = {self.text[slice(*cell)]: n for n, cell in enumerate(cells)}
        if named := [head for head in heads if head in NAME_FIELDS]:
            said = [n for head, n in heads.items() if head in STATUS_FIELDS]
            context.columns = {
                NAME_FIELDS[named[0]] or "name": heads[named[0]],
                "status": (said or [-1])[0],
            }
            return True
        if not context.columns:
            return False
        (kind, at), (_, to) = context.columns.items()
        if at < len(cells):
            name = Name(*cells[at], self.text[slice(*cells[at])], "form", "form")
            status = cells[to] if 0 <= to < len(cells) else None
            self._put_form(name, kind.removeprefix("name"), status, (start, end))
        return True

    def _put_form(self, name: Name, kind: str, status: Span | None, line: Span) -> None:
        at = name.start, name.end
        if status is None or status[0] >= status[1]:
            self._put(Found(name, None, "form", at, line, kind=kind, hint="enterprise"))
            return
        quote = min(name.start, status[0]), max(name.end, status[1])
        words = self.text[slice(*status)]
        said = find_stages(self.text, *status)[-1:]
        stage = said[0] if said else None
        found = Found(name, stage, "form", quote, line, kind=kind, hint="enterprise", words=words)
        self._put(found)

    def _read_bare(self, start: int, end: int, context: Context) -> bool:
        """Read a line that is nothing but a name: the lines below, or the heading above, speak of it."""
        roads = self._roads(start, end) if context.section and end - start <= 60 else []
        if roads and roads[0].start == start and not find_parking_stages(self.text, start, end):
            for road in roads:
                self._put_section(road, context, kind="parking")
            return True
        name = next((one for one in self._names_in(start, start + 1) if end - one.end <= 1), None)
        if name is None and context.section and is_name(self.text[start:end]):
            name = Name(start, end, self.text[start:end], "listed", "line")
        if name is None:
            return False
        context.subjects, context.led = [name], True
        if context.section:
            self._put_section(name, context, kind="")
        else:
            self._put(Found(name, None, "line", (start, end), (start, end), hint=context.hint))
        return True

    def _put_section(self, name: Name, context: Context, kind: str) -> None:
        if context.section is None:
            return
        evidence, stage = context.section
        span = (name.start, name.end)
        self._put(Found(name, stage, "section", span, evidence, kind=kind, hint=context.hint))

    def _lead(self, start: int, end: int, context: Context) -> Name | None:
        """Return the name that a list line begins with: 1.智谷产业园项目：主体封顶."""
        item = _ITEM.match(self.text, start, end)
        if not item:
            return None
        stop = item.end()
        name = next((one for one in self._names_in(start, start + 1) if one.end <= stop), None)
        rest = self.text[name.end : stop] if name else ""
        if name and re.fullmatch("(?:建设)?(?:项目)?", rest):
            return name
        first = re.sub("(?:建设)?项目$", "", item[0])
        colon = self.text[stop] == "：" and "项目" in context.hint + self.text[:start][-400:]
        if colon and context.hint == "project" and is_name(first) and len(first) >= 3:
            return Name(start, start + len(first), first, "listed", "item")
        return None

    def _set_section(self, start: int, end: int, context: Context, *, marked: bool) -> None:
        last = self._in_line(start, end)[-1:] or [(start, end)]
        opens = self.text[end - 1] == "：" or (
            end - start <= 30 and self.text[end - 1] not in "。！？"
        )
        if opens and _SECTION.search(self.text, last[0][0], end):
            stages = self._heading_stages(*last[0])
            context.section = (last[0], stages[-1]) if stages else None
        elif not marked:
            context.section = None

    def _read_after(self, sentence: Span, context: Context) -> None:
        """Read 已复工企业有A、B、C: the verb stands before its list."""
        for found in _HAS.finditer(self.text, *sentence):
            stages = self._heading_stages(
                self._clause_start(found.start(), sentence[0]), found.start("head")
            )
            if not stages:
                continue
            kind = _HEAD_KINDS.get(found["head"], "")
            for first, last in split_list(self.text, *found.span("list")):
                known = next((one for one in self._names_in(first, last) if one.end == last), None)
                text = self.text[first:last]
                name = known or (
                    Name(first, last, text, "listed", "list") if is_name(text) else None
                )
                if name:
                    quote = self._clause_start(found.start(), sentence[0]), found.end()
                    self._put(Found(name, stages[-1], "list", quote, sentence, kind=kind))

    def _heading_stages(self, start: int, end: int) -> list[Stage]:
        """Return the stages of words that stand over a list, where 已复工企业 says what they are."""
        text = self.text[start:end]
        if PARKING.search(text) or "路段" in text:
            return find_parking_stages(self.text, start, end)
        loose = re.sub("企业|项目|单位|名单|工地", lambda found: "，" * len(found[0]), text)
        blank = " " * start + loose
        return find_stages(blank, start, end)

    # --- sentences

    def _read_sentence(self, sentence: Span, line: Span, context: Context) -> None:
        self._read_roads(sentence, line, context)
        self._read_after(sentence, context)
        group: list[Name] = []
        for found in _CLAUSE.finditer(self.text, max(sentence[0], line[0]), sentence[1]):
            clause = found.span()
            names = self._names_in(*clause)
            for stage in find_stages(self.text, *clause):
                # Nobody writes 300 characters without a stop; what does is not worth the time.
                clause = max(clause[0], stage.start - 300), clause[1]
                said = self._targets(stage, clause, names, group, context)
                for one in said:
                    self._put(self._found(one, stage, clause, sentence, context))
                listed = [one.name for one in said if one.name.rule == "list"]
                names = drop_inner([*names, *listed])
            for name in names:
                self._put(
                    Found(
                        name, None, name.rule, (name.start, name.end), sentence, hint=context.hint
                    )
                )
            group = self._last_group(names) or group
        if group:
            context.subjects = group
            context.led = context.led and group[0].start <= line[0]

    def _found(
        self, said: _Said, stage: Stage, clause: Span, sentence: Span, context: Context
    ) -> Found:
        name = said.name
        near = sentence[0] <= name.start
        first = min(name.start, clause[0]) if near else clause[0]
        start = self._clause_start(first, sentence[0])
        end = max(name.end, stage.end) if near else clause[1]
        hint = self._hint_of(*sentence) or context.hint
        return Found(
            name,
            stage,
            said.rule,
            (start, end),
            sentence,
            kind=said.kind,
            hint=hint,
            weak=said.weak,
        )

    def _clause_start(self, at: int, floor: int) -> int:
        at = max(floor, *(self.text.rfind(stop, floor, at) + 1 for stop in "，；：。！？\n"))
        mark = _MARK.match(self.text, at)
        return mark.end() if mark and at == floor else at

    def _last_group(self, names: list[Name]) -> list[Name]:
        group = names[-1:]
        for name in reversed(names[:-1]):
            if not joined(self.text, name, group[0]):
                break
            group.insert(0, name)
        return group

    # --- whom a verb speaks of

    def _targets(
        self, stage: Stage, clause: Span, names: list[Name], group: list[Name], context: Context
    ) -> list[_Said]:
        if stage.listed:
            return list(self._wrapped(stage, *stage.listed, names))
        if of := self._of(stage, clause, names):
            return of
        begin = stage.end - len(stage.words)
        listed = list(self._listed_before(clause[0], begin, names))
        if listed:
            return listed
        before = [one for one in names if one.end <= stage.start]
        if before:
            gap = self.text[before[-1].end : begin]
            if speaks_of_many(gap, 0, len(gap)) or _OTHER_SUBJECT.search(gap):
                return []
            group = self._last_group(before)
            return [_Said(one, "subject") for one in group] + list(
                self._siblings(group, clause[0], begin)
            )
        return self._carried(stage, clause, group, context)

    def _of(self, stage: Stage, clause: Span, names: list[Name]) -> list[_Said]:
        """Read 尚未开工的A、B等项目: the verb belongs to what it stands before."""
        after = [one for one in names if one.start >= stage.end]
        near = after and _OF.fullmatch(self.text, stage.end, after[0].start)
        start = after[0].start if near else stage.end + 1
        if not near and self.text[stage.end : start] != "的":
            return []
        listed = list(self._listed_before(start, clause[1], names))
        return listed or [_Said(one, "of") for one in self._following(after if near else [])]

    def _siblings(self, group: list[Name], start: int, end: int) -> Iterator[_Said]:
        """Read what stands in one list with names and has no ending of its own: A酒店、B尚未营业."""
        spans: list[Span] = []
        if self.text[group[0].start - 1 : group[0].start] == "、":
            spans = split_list(self.text, start, group[0].start - 1)
        if self.text[group[-1].end : group[-1].end + 1] == "、":
            spans += split_list(self.text, group[-1].end + 1, end)
        for first, last in spans:
            first = max(first, left_edge(self.text, last))
            cut = _ADVERB.search(self.text, first, last)
            last = cut.start() if cut else last
            text = _PROJECT_TAIL.sub("", self.text[first:last])
            if is_name(text):
                sort = "shop" if group[0].sort in ("legal", "shop") else "listed"
                yield _Said(Name(first, first + len(text), text, sort, "list"), "list", weak=True)

    def _following(self, names: list[Name]) -> list[Name]:
        group = names[:1]
        for name in names[1:]:
            if not joined(self.text, group[-1], name):
                break
            group.append(name)
        return group

    def _wrapped(self, stage: Stage, start: int, end: int, names: list[Name]) -> Iterator[_Said]:
        """Read the names inside a split verb: 加大A、B招商力度, 重点推进A建设."""
        end = self._strip_head(start, end)
        items = split_list(self.text, start, end)
        ended = [one for one in names if start <= one.start and one.end <= end]
        if stage.verb == "build" and not ended:
            return
        for first, last in items:
            known = next((one for one in ended if first <= one.start and one.end == last), None)
            text = self.text[first:last]
            if known:
                yield _Said(known, "split", "project")
            elif is_name(text) and len(text) >= 4 and (len(items) > 1 or stage.verb == "talk"):
                weak = len(items) == 1
                yield _Said(Name(first, last, text, "listed", "list"), "split", "project", weak)

    def _strip_head(self, start: int, end: int) -> int:
        found = re.search(r"等?(?:\d+个)?(?:重点)?(?:项目|工程)?$", self.text[start:end])
        cut = start + found.start() if found else end
        return end if self.text[cut:end] == "工程" else cut

    def _listed_before(self, start: int, end: int, names: list[Name]) -> Iterator[_Said]:
        """Read A、B等项目 and A项目 before a verb; such a list makes names of words without an ending."""
        heads = [one for one in _ETC.finditer(self.text, start, end) if one.start() > start]
        if not heads:
            return
        head = heads[-1]
        if not head["etc"] and head["head"] not in ("项目", "工程"):
            return
        kind = "project" if head["head"] in ("项目", "工程") else "enterprise"
        stop = head.end() if not head["etc"] and head["head"] == "工程" else head.start()
        sure = [one for one in names if one.rule != "model"]
        for first, last in split_list(self.text, start, stop):
            known = next((one for one in sure if first <= one.start and one.end == last), None)
            first = max(first, left_edge(self.text, last))
            text = _PROJECT_TAIL.sub("", self.text[first:last])
            sure_list = kind == "project" and bool(head["etc"])
            if known:
                yield _Said(known, "list", kind)
            elif is_name(text) and (sure_list or len(text) >= 3):
                name = Name(first, first + len(text), text, "listed", "list")
                yield _Said(name, "list", kind, weak=not sure_list)

    def _carried(
        self, stage: Stage, clause: Span, group: list[Name], context: Context
    ) -> list[_Said]:
        """Return the subject of an earlier clause, if this one brings no other."""
        if speaks_of_many(self.text, clause[0], stage.start):
            return []
        other = _OTHER_ACTOR.search(self.text, clause[0], stage.start) is not None
        if group:
            return [] if other else [_Said(one, "clause") for one in group]
        if context.led:
            return [_Said(one, "line") for one in context.subjects]
        if len(context.subjects) != 1 or other or stage.manner in ("urge", "plan"):
            return []
        named = _THE_SAME.search(self.text, max(0, clause[0] - 40), stage.start) is not None
        return [_Said(context.subjects[0], "earlier", weak=not named)]

    # --- roads

    def _read_roads(self, sentence: Span, line: Span, context: Context) -> None:
        """Read the roads of a sentence that is about parking, and what was done there."""
        start, end = max(sentence[0], line[0]), sentence[1]
        here = PARKING.search(self.text, *line) is not None
        context.parking = context.parking or here
        stages = find_parking_stages(self.text, start, end)
        roads = self._roads(start, end)
        if not roads:
            cleared = [one for one in stages if one.meaning == ("clear", "done")]
            for road in context.roads if cleared else ():
                quote = self._clause_start(cleared[-1].start, start), cleared[-1].end
                said = Found(road, cleared[-1], "earlier", quote, sentence, "parking", weak=True)
                self._put(said)
            return
        near = here or context.parking or NEAR_PARKING.search(self.text, *line)
        if not here and not (near and stages):
            return
        self._put_roads(roads, stages, sentence)
        context.roads = roads

    def _roads(self, start: int, end: int) -> list[Name]:
        """Return the roads in a span that are no part of another name: not the one in 解放路店."""
        known = [one for one in self.roads if start <= one.start < end] if self.roads else []
        roads = drop_inner([*known, *find_roads(self.text, start, end)])
        inside = [one for one in self._names_in(start - MAX_NAME, end) if one.rule != "model"]
        return [
            road
            for road in roads
            if not any(one.start <= road.start and road.end <= one.end for one in inside)
        ]

    def _put_roads(self, roads: list[Name], stages: list[Stage], sentence: Span) -> None:
        """Give each list of roads the last verb between it and the next list, or the one that they share."""
        groups: list[list[Name]] = [roads[:1]]
        for road in roads[1:]:
            if joined(self.text, groups[-1][-1], road):
                groups[-1].append(road)
            else:
                groups.append([road])
        ends = [group[0].start for group in groups[1:]] + [sentence[1]]
        for group, end in zip(groups, ends, strict=True):
            own = [one for one in stages if group[-1].end <= one.start < end]
            part = self.text.find("；", group[-1].end, sentence[1])
            later = [
                one
                for one in stages
                if one.start >= group[-1].end and (part < 0 or one.start < part)
            ]
            earlier = stages if groups[0] is group else []
            said = own or later or [one for one in earlier if one.end <= group[0].start]
            for road in group:
                self._put_road(road, group[0], said[-1] if said else None, sentence)

    def _put_road(self, road: Name, first: Name, stage: Stage | None, sentence: Span) -> None:
        quote = road.start, road.end
        if stage:
            start = self._clause_start(min(first.start, stage.start), sentence[0])
            quote = start, max(road.end, stage.end)
        self._put(Found(road, stage, "road", quote, sentence, kind="parking"))

    # --- keeping

    def _put(self, found: Found) -> None:
        """Keep what is said of a name at its place: of two verbs of one sentence the later one counts."""
        span = (found.name.start, found.name.end)
        before = self.found.get(span)
        if before and before.stage and (not found.stage or _adds_nothing(before, found.stage)):
            return
        if before and before.kind and not found.kind:
            found = replace(found, kind=before.kind)
        self.found[span] = found

    def _hint_of(self, start: int, end: int) -> str:
        """Tell whether words are about projects or about businesses, "" if they do not tell."""
        built = len(_PROJECT.findall(self.text, start, end))
        traded = len(_BUSINESS.findall(self.text, start, end))
        if built == traded:
            return ""
        return "project" if built > traded else "enterprise"


@dataclass(frozen=True, slots=True)
class _Said:
    """A name that a verb speaks of, and which rule says so."""

    name: Name
    rule: str
    kind: str = ""
    weak: bool = False


def _start(name: Name) -> int:
    return name.start


def _merge(names: list[Name], others: list[Name]) -> list[Name]:
    """Return names and other ones: known names win over rules where longer, a model's never."""
    sure = drop_inner([*names, *(one for one in others if one.rule != "model")])
    spans = [(one.start, one.end) for one in sure]
    free = [
        one
        for one in others
        if one.rule == "model"
        and not any(one.start < end and start < one.end for start, end in spans)
    ]
    return drop_inner([*sure, *free])


def _adds_nothing(before: Found, stage: Stage) -> bool:
    """Tell whether a later verb says the same as before, or only what is hoped of what was said to be so."""
    old = before.stage
    if old is None:
        return False
    wished = stage.manner in ("plan", "urge") and old.manner not in ("plan", "urge")
    if wished or (old.verb, stage.verb) == ("land", "prepare"):
        return True
    return all(table.get(old.meaning) == table.get(stage.meaning) for table in SAYS.values())


def kind_of(found: Found, text: str) -> str:
    """Return enterprise, project or parking for one place where a name is found."""
    if found.kind:
        return found.kind
    name = found.name
    if re.match("(?:建设)?项目", text[name.end : name.end + 4]):
        return "project"
    if name.sort == "legal":
        return "enterprise"
    if found.stage and found.stage.verb in BUILDS:
        return "project" if name.sort != "shop" or found.hint == "project" else "enterprise"
    if name.sort in ("building", "listed"):
        words = found.stage.words if found.stage else ""
        if _TRADES.search(words) or ("开放" in words and found.hint != "project"):
            return "enterprise"
        return found.hint or "project"
    return "enterprise"


def settle_kinds(found: Iterable[Found], text: str) -> dict[str, str]:
    """Return one kind for each name: what most of the places that say something of it say."""
    votes: dict[str, dict[str, int]] = {}
    for one in found:
        weight = 4 if one.kind else 2 if one.stage else 1
        tally = votes.setdefault(one.name.text, {})
        kind = kind_of(one, text)
        tally[kind] = tally.get(kind, 0) + weight
    return {name: max(tally, key=lambda kind: tally[kind]) for name, tally in votes.items()}
