"""Every message of the stages has a Chinese wording with all its values, and no value is ever more than text."""

import ast
import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.errors import SiteMapError
from geo.locate.datum import parse_coordinate, parse_datum, to_wgs84
from geo.read import Layout, Limits, inspect_source, open_source, read_source
from geo.ui import explain as module
from geo.ui.explain import explain, explain_where

ROOT = Path(__file__).resolve().parents[2]

WORDS = tomllib.loads((ROOT / "geo/ui/messages.toml").read_text(encoding="utf-8"))
SECTIONS = {name: words for name, words in WORDS.items() if name != "joined"}
CHINESE = re.compile("[\u4e00-\u9fff]")

# ---- every message of the stages, from their source --------------------------------------------------------------

STAGES = (
    "geo/errors.py geo/access.py geo/district.py geo/pipeline.py geo/placing.py geo/drafts.py geo/scheme.py "
    "geo/category.py geo/view.py geo/site.py "
    "geo/compare.py geo/settings.py geo/draw/basemaps.py geo/draw/handout.py geo/day.py geo/ui/jobs.py "
    "geo/ui/exports.py"
).split()
FOLDERS = "geo/read geo/locate geo/store geo/export geo/ui/actions".split()
ONLY_RAISED = ("geo/export", "geo/draw", "geo/ui", "geo/access.py")
"""Here other texts are words of pictures, tables and pages, in both languages already."""
PROGRAMMERS = frozenset(
    "ValueError TypeError RuntimeError KeyError IndexError AttributeError AssertionError PermissionError "
    "_Nonsense".split()
)
"""A programmer's slip is not for the page: it is shown as a number that finds it in the log."""
CAUGHT = ("geo/locate/gazetteer.py",)
"""Here a ValueError is caught, and its text becomes a fault of a file."""
NO_MESSAGES = frozenset("split execute executescript compile get register_option Request".split())
"""What is given to these is columns, SQL or patterns."""
OTHER_WORDS = frozenset("COLUMN_WORDS _WORDS _OSM_LEVELS METHOD _REFUSALS".split())
"""Names of words that are looked for in a file, or worded where sites are described."""
GAP = re.compile(r"\{((?:[^{}'\"]|'[^']*'|\"[^\"]*\"|\{[^{}]*\})*)\}")
PROSE = re.compile(r"[A-Za-z]{2,}[,:;\")}]* [A-Za-z\"'{(]")
SQL = re.compile(
    r"\b(SELECT|INSERT|UPDATE|CREATE|DELETE|EXISTS|TEXT|BOOLEAN|INTEGER|CASE|VACUUM|FROM|ORDER BY|IS NOT|nullif)\b"
    r"|\b(DEFAULT|NOT NULL|double precision|PERFORM|search_path|BOX)\b"
    r"|\b(AND|AS|OR) [a-z]"
)
NOT_SHOWN = {
    # Names that are looked for in a file, or written into one.
    "world geodetic system 1984": "looked for in a CRS",
    "Projected CRS": "a word of PROJ",
    "Transverse Mercator": "a word of PROJ",
    "False easting": "a word of PROJ",
    "ESRI Shapefile": "a word of GDAL",
    "Bearer {key}": "sent to a model",
    "<no key>": "how a key is shown to a programmer",
    "id, name, who, at, added, changed, undone_by, undone_at": "columns",
    "(s.kind || '.' || s.status) = ANY (?)": "SQL",
    "coalesce(s.precision, '') = ANY (?)": "SQL",
    "coalesce(s.street, '') = ANY (?)": "SQL",
    "s.fid = ANY (?)": "SQL",
    "s.kind, s.status": "SQL",
    "counting sites by squares": "told on the command line while it is done",
    "search texts: {done:,}": "told on the command line while it is done",
    "import sys; sys.path.insert(0, {str(ROOT)}); from geo.read.sandbox import main; main()": "code",
    "undo correction": "a word of the history",
    "undo import {import_id}": "a word of the history",
    "gazetteer sketch": "a match method, worded where sites are described",
    "gazetteer address": "a match method, worded where sites are described",
    "{ADDRESS} sketch": "a match method, worded where sites are described",
    # Pieces with no word of their own; the wholes they stand in are among the messages, or in WHOLE.
    "{name} of {some(bad)}": "in WHOLE",
    "no backup could be made, so nothing was changed: {error}": "in WHOLE",
    "{self._name} is damaged; {newest_backup_hint(self._path)}": "in WHOLE",
    "%s is damaged: %s": "in the log",
    '"{short(other.heading)}" and "{short(guess.heading)}"': "in columns that mean the same",
    "not a site table": "the beginning of a SchemaError",
    "not a layout": "the beginning of a SchemaError",
    ", its header is known": "in sheets that were not read",
    " in line {error.lineno}": "in a damaged GeoJSON",
    'end in "{short(ending)}"': "in an ending that is not read",
    "have no ending": "in an ending that is not read",
    "tables of the store": "what a migration is called in the database",
    "the shapes": "in missing parts of a shapefile",
    "the names and statuses": "in missing parts of a shapefile",
    "the file does not say": "in a CRS that must be given",
    '"{short(crs_name)}" is not a known one': "in a CRS that must be given",
    "several points": "in a shape of several",
    "points, lines and areas in one": "in a shape of several",
    "takes more memory or time to read than one file may": "in two refusals",
    "starts with zone number {zone}": "in a wrong zone",
    "starts with no zone number": "in a wrong zone",
    "missing from the spatial index, or at another place there": "in what a store's check found",
    "in the spatial index only": "in what a store's check found",
    "whose history does not end at their version": "in what a store's check found",
}
"""Texts of the stages that are no messages of their own, and why."""


def _template(node):
    """Return the text of a string expression with its values as `{expression}`, or None."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        return "".join(_template(part) or _gap(part) for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = _template(node.left), _template(node.right)
        if left is None and right is None:
            return None
        return (left or f"{{{ast.unparse(node.left)}}}") + (
            right or f"{{{ast.unparse(node.right)}}}"
        )
    return None


def _gap(part):
    if isinstance(part, ast.Constant):
        return ""
    form = ":" + ast.unparse(part.format_spec).strip("f'\"") if part.format_spec else ""
    return f"{{{ast.unparse(part.value)}{form}}}"


def _texts(node, *, programmers):
    """Yield the templates under a node; not docstrings, nor what a programmer alone sees."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return
    template = _template(node)
    if template is not None:
        yield template
        return
    if isinstance(node, ast.Call):
        called = ast.unparse(node.func).rpartition(".")[2]
        if called in NO_MESSAGES or (called in PROGRAMMERS and not programmers):
            return
    if isinstance(node, ast.AnnAssign | ast.Assign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        if OTHER_WORDS & {ast.unparse(target) for target in targets}:
            return
    for child in ast.iter_child_nodes(node):
        yield from _texts(child, programmers=programmers)


def _messages():
    files = [ROOT / name for name in STAGES]
    files += [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
    found = {}
    for path in files:
        name = path.relative_to(ROOT).as_posix()
        tree = ast.parse(path.read_text(encoding="utf-8"))
        parts = [tree]
        if name.startswith(ONLY_RAISED):
            parts = [node for node in ast.walk(tree) if isinstance(node, ast.Raise)]
        for part in parts:
            for text in _texts(part, programmers=name in CAUGHT):
                if (
                    PROSE.search(text)
                    and re.search("[a-z]{2}", GAP.sub("", text))
                    and not SQL.search(text)
                ):
                    found.setdefault(text, name)
    return found


MESSAGES = _messages()

# What stands in a gap, by its expression, or by the file and it: the English, and what the Chinese must then have in
# it. Any other gap is filled with a number of its own, which must come back as it was.
PASTE = next(iter(WORDS["paste"]))
GPKG = next(text for text in WORDS["advice"] if "gpkg:///" in text)
INSIDE = "; inside it would be read as gcj02 or wgs84 with the axes swapped (1.5, 2.5)"
INSIDE_ZH = "gcj02 或 wgs84 并对调两个坐标（1.5, 2.5）"
SAMPLES = {
    "column": ("status", "status"),
    "right.role.value": ("editor", "编辑"),
    "role.value": ("viewer", "查看"),
    "guess.field": ("as_of", "日期"),
    "twice[0]": ("as_of", "日期"),
    "guess.why": ("its cells are dates", "内容是日期"),
    "guess.confidence:.0%": ("81%", "81%"),
    "'longitudes' if role == 'x' else 'latitudes'": ("longitudes", "经度"),
    "twice": ('"甲" and "乙"', "“甲”和“乙”"),
    "given": ("x", "经度"),
    "about": ("12 rows", "12 行"),
    "hint": (", its header is known", "表头可以识别"),
    "SUPPORTED": (GPKG, "请填 GeoPackage 文件的路径"),
    "SAVE_AS": ("open it in WPS or Excel and save it as CSV (UTF-8)", "另存为 CSV"),
    "_TOO_MUCH": ("takes more memory or time to read than one file may", "内存或时间"),
    "_advice(found)": ("load the file it was made from", "原始文件"),
    "_WHAT[wanted]": ("a text table", "文本表格"),
    "_some(long_numbers)": ("row 3, row 4, row 9, ...", "第 3 行、第 4 行、第 9 行、……"),
    "_some(self.errors)": ("B3, C4, ...", "B3、C4、……"),
    "self._table.where(first)": ("row 5 (line 7)", "第 5 行（文件第 7 行）"),
    "records[record.site_id].source.where": ("row 5", "第 5 行"),
    "', '.join((holds[m] for m in missing))": ("the shapes, the names and statuses", "图形"),
    "' and no '.join(missing)": (".shp and no .dbf", ".shp"),
    "_better_readings(x, y, datum, district)": (INSIDE, INSIDE_ZH),
    "_better_readings(x, y, datum, district) or '; check the numbers and their datum'": (
        INSIDE,
        INSIDE_ZH,
    ),
    "' or '.join(fitting)": ("gcj02 or bd09", "gcj02 或 bd09"),
    "_which(n, lon)": (" (point 2 of 3)", "第 2 个点，共 3 个"),
    "_which(n, x)": (" (point 2 of 3)", "第 2 个点，共 3 个"),
    "_KNOWN": (next(iter(WORDS["datums"])), "CGCS2000（天地图）"),
    "_PASTE": (PASTE, "请粘贴"),
    "_shown(text)": ('"1 2 3"', "“1 2 3”"),
    "plain_words(error)": (
        "the disk is full; nothing was saved: make room, then try again",
        "磁盘",
    ),
    "error.strerror or 'the disk failed'": ("No space left on device", "磁盘已满"),
    "error.strerror": ("Permission denied", "没有权限"),
    "reason": ("No space left on device", "磁盘已满"),
    "'s' if count > 1 else ''": ("s", "行"),
    "', ...' if count > 3 else ''": (", ...", ", ..."),
    "f' (line {row.line})' if row.line != row.number else ''": (" (line 9)", "（文件第 9 行）"),
    "geo/errors.py what": ("not a layout", "对应关系有误"),
    "geo/errors.py '; '.join(self.faults)": ("a column is negative; status is not a field", "列号"),
    "geo/placing.py error": ("longitude 200.0 is outside -180 to 180 degrees", "经度 200.0 超出"),
    "geo/category.py where": ("kind enterprise", "类型 enterprise"),
    "geo/category.py '; '.join(faults)": ("it has no [[kind]]; kind 2: glyph is not text", "glyph"),
    "geo/site.py what": ("without a name", "没有名称"),
    "geo/read/claims.py where": ("row 4", "第 4 行"),
    "geo/read/claims.py fault": ("it has no scope; it has no metric", "缺少：metric"),
    "geo/read/claims.py '; '.join(faults)": (
        "row 4: it has no scope; row 5: it has no value",
        "第 5 行：缺少",
    ),
    "geo/read/content.py what": ("a PDF", "PDF"),
    "geo/read/content.py said": ("have no ending", "没有后缀"),
    "geo/read/content.py fault": ('its member "甲" is a link to another file', "“甲”是指向"),
    "geo/read/document.py kind": ("an old Word file", "旧版 Word"),
    "geo/read/gisfile.py what": ("several points", "好几个点"),
    "geo/read/gisfile.py said": ("the file does not say", "没有说明"),
    "geo/read/gisfile.py line": (" in line 7", "第 7 行"),
    "geo/read/gisfile.py fault": ("a view", "视图"),
    "geo/read/grid.py where": ("cell XFD9", "单元格 XFD9"),
    "geo/read/inspection.py called": ('"日子"', "“日子”"),
    "geo/read/table.py what": ("layer", "图层"),
    "geo/read/stream.py min(missing)": ("状态", "状态"),
    "geo/read/stream.py why": ("Permission denied", "没有权限"),
    "geo/read/table.py missing": ("y", "纬度"),
    "geo/read/table.py error": ('kind "x" is not one of 企业复工, 重点项目', "企业复工、重点项目"),
    "geo/locate/build.py error": ("ParseException", "ParseException"),
    "geo/locate/datum.py why": ("starts with zone number 41", "带号 41"),
    "geo/locate/datum.py limit": ("180", "180"),
    "geo/locate/datum.py error": (
        f"one longitude and one latitude are needed; {PASTE}",
        "一个纬度",
    ),
    "geo/locate/gazetteer.py error": ("lon and lat belong together", "lon 和 lat"),
    "geo/store/_file.py what": ("in the spatial index only", "只在空间索引里"),
    "NAME": ("PostGIS", "PostGIS"),
    "geo/store/_rows.py what": ("name of 甲, 乙", "甲, 乙 的名称"),
}
SAMPLES_OF_ONE = {
    # In these the same word has another sense, or none.
    "{name} {value} is outside -{limit} to {limit} degrees{_which(n, lon)}": {
        "name": ("longitude", "经度")
    },
    "{path.name} cannot be read: {error}": {"error": ("Permission denied", "没有权限")},
    "wkt cannot be read: {error}": {"error": ("ParseException", "ParseException")},
    "{text}; the axes may be swapped: x is the easting, y the northing": {
        "text": ("easting 1.0, northing 2.0 is outside the area of EPSG:4550", "EPSG:4550 的范围")
    },
}


def _filled(template, file):
    """Return a message made from a template, and what must be in its Chinese."""
    wanted = []

    def fill(gap):
        bare = re.sub(r":[,.0-9]*[gf]?$", "", gap[1])
        own = f"{len(wanted) + 3},021" if bare != gap[1] else f"{len(wanted) + 3}021"
        if re.search(r"(file|name)$", bare):
            own += ".csv"
        filled = SAMPLES.get(f"{file} {bare}") or SAMPLES.get(bare) or (own, own)
        english, chinese = SAMPLES_OF_ONE.get(template, {}).get(bare, filled)
        wanted.append(chinese)
        return english

    return GAP.sub(fill, template), wanted


def _wordings(message):
    """Return what is told of a message, and of a piece of one by each section that knows it."""
    piece = message.removeprefix("; ")
    told = [explain(piece, "zh"), *(module._piece(section, piece) for section in SECTIONS)]
    return [wording for wording in told if wording not in (None, piece)]


@pytest.mark.parametrize("template", sorted(MESSAGES.keys() - NOT_SHOWN.keys()))
def test_every_message_of_the_stages_has_its_chinese(template):
    message, wanted = _filled(template, MESSAGES[template])
    told = _wordings(message)
    assert told, f"{MESSAGES[template]} says {message!r}; word it in geo/ui/messages.toml"
    assert any(CHINESE.search(text) and all(part in text for part in wanted) for text in told), (
        wanted,
        told,
    )


def test_nothing_is_excused_that_is_no_longer_said():
    assert NOT_SHOWN.keys() <= MESSAGES.keys()


# ---- whole messages, as they really arise ------------------------------------------------------------------------

WHOLE = {
    "baita.gpkg is damaged; stop the app, then run `python3 -m geo restore a-1.gpkg`": (
        "baita.gpkg 已损坏；请关闭程序，运行 python3 -m geo restore a-1.gpkg"
    ),
    "no backup could be made, so nothing was changed: a.gpkg: the disk is full; nothing was saved: "
    "make room, then try again": (
        "没能先做备份，所以没有改动任何数据：a.gpkg：磁盘已满，没有保存；请腾出空间再试"
    ),
    "甲.csv: no column holds the name; call one 名称 or name": "甲.csv：没有一列是名称，请把其中一列叫“名称”",
    'status "已复公" is not one of 已复工, 未复工': "状态“已复公”无法识别，请改成其中之一：已复工、未复工",
    'kind "" is not one of 企业复工, 重点项目': "没有写类型，请填其中之一：企业复工、重点项目",
    'as_of "昨; 天" is not a date like 2020-03-11, 2020/3/11 or 2020年3月11日; it has no name; '
    'uncertainty_m "-5" is negative; give 0 or more metres': (
        "日期：“昨; 天”不是日期，请写成 2020-03-11、2020/3/11 或 2020年3月11日；没有名称，请填写；"
        "误差（米）：“-5”是负数，请填 0 或更大的米数"
    ),
    'site_id "x" (甲 "乙") was already read in Sheet1, row 5 (line 7); if they are two sites, give each its own '
    "site_id (编号)": (
        '编号“x”（甲 "乙"）在 Sheet1，第 5 行（文件第 7 行）已经出现过；如果是两个地点，请分别填写不同的编号（site_id）'
    ),
    "1.5, 2.5 in wgs84 is 3.5 km outside the district; inside it would be read as gcj02 or epsg:4550": (
        "1.5, 2.5 按 wgs84 读取，在区界外 3.5 公里；如果按 gcj02 或 epsg:4550 读取就在区内"
    ),
    "baita.gpkg: the disk is full; nothing was saved: make room, then try again": (
        "baita.gpkg：磁盘已满，没有保存；请腾出空间再试"
    ),
    "甲.xlsx is protected with a password, not an Excel workbook (.xlsx); open it in WPS or Excel, take the password "
    "off and save it again": (
        "甲.xlsx 有密码保护，无法当作 Excel 工作簿（.xlsx）读取；请用 WPS 或 Excel 打开，去掉密码再保存"
    ),
    "甲.zip: 路网 has no .dbf (the names and statuses); put all of .shp, .shx, .dbf and .prj into the archive": (
        "甲.zip：路网 缺少 .dbf（名称和状态），请把 .shp、.shx、.dbf、.prj 都放进压缩包"
    ),
    '甲.ods, sheet "": a cell stands far outside the table (a cell is repeated 9 times); delete the rows and columns '
    "after the table in WPS or Excel, or copy the table into a new file": (
        "甲.ods 里，离表格很远的地方还有单元格（有一个单元格重复了 9 次）；请在 WPS 或 Excel 里删除表格后面的行和列，"
        "或把表格复制到新文件"
    ),
    "claims.csv, row 3: it has no scope; it has no metric; row 4: it has no value": (
        "claims.csv，第 3 行：缺少：scope；缺少：metric；第 4 行：缺少：value"
    ),
    "not a site table: column name is missing; 2 rows without a name (a, b)": (
        "这不是地点表：缺少 name 列；2 行没有名称（a, b）"
    ),
    "street of 甲, 乙 holds a NUL character: take it out and save again": (
        "甲, 乙 的街道里有一个看不见的空字符（NUL），请去掉再保存"
    ),
    "EPSG:2414 (Beijing 1954) stands on a datum whose shift to WGS84 is not public or not known here; convert "
    "the data to CGCS2000 first (the surveying office can), then give that EPSG code": (
        "EPSG:2414 (Beijing 1954) 的坐标系与 WGS84 之间的偏移没有公开，或这里不知道；请先请测绘部门转成 "
        "CGCS2000，再填对应的 EPSG 代码"
    ),
    '甲.xlsx, "表; 一" has too many rows; split it and load the parts': (
        "甲.xlsx 的“表; 一”行数太多，请拆成几个文件分别导入"
    ),
    'layer "路网" (too many rows, its header is known) was not read': "没有读取图层“路网”（行数太多，表头可以识别）",
}


@pytest.mark.parametrize("message", WHOLE)
def test_a_whole_message_reads_as_one(message):
    assert explain(message, "zh") == WHOLE[message]


@pytest.mark.parametrize("message", [*WHOLE, "nobody knows this", "", "{file}: {why}", "；"])
def test_english_and_what_nobody_knows_stay_as_they_are(message):
    assert explain(message, "en") == message
    if message not in WHOLE:
        assert explain(message, "zh") == message


@pytest.mark.parametrize(
    ("where", "chinese"),
    [
        ("row 5", "第 5 行"),
        ("row 5 (line 7)", "第 5 行（文件第 7 行）"),
        ("feature 3", "第 3 个要素"),
        ("column 2", "第 2 列"),
        ("表一, row 12", "表一，第 12 行"),
        ("a, row 1, row 12", "a, row 1，第 12 行"),
        ("字 12–30", "字 12–30"),
        ("", ""),
        ("row five", "row five"),
    ],
)
def test_a_place_in_a_file_is_said_in_chinese(where, chinese):
    assert explain_where(where, "zh") == chinese
    assert explain_where(where, "en") == where


def test_of_two_readings_none_is_taken():
    message = '甲.csv: columns "a" and "b" and "c" both mean status; keep one of them'
    assert explain(message, "zh") == message


@pytest.mark.parametrize(
    "ask",
    [
        lambda: parse_datum("西安80"),
        lambda: parse_datum("火箭"),
        lambda: parse_datum("EPSG:1"),
        lambda: parse_datum("EPSG:2414"),
        lambda: to_wgs84(41.2, 123.1, "wgs84"),
        lambda: to_wgs84(423456.0, 4567890.0, "wgs84"),
        lambda: to_wgs84([123.1, 300.0], [41.2, 41.2], "wgs84"),
        lambda: to_wgs84(123.1, 41.2, "epsg:4550"),
        lambda: to_wgs84(4567890.0, 41423456.0, "epsg:4529"),
        lambda: to_wgs84(423456.0, 4567890.0, "epsg:4529"),
        lambda: to_wgs84(40423456.0, 4567890.0, "epsg:4529"),
        lambda: parse_coordinate("白塔; 公园"),
        lambda: parse_coordinate("87.6, 43.8"),
        lambda: parse_coordinate("123.1, 123.2"),
        lambda: parse_coordinate("200°, 41°"),
        lambda: parse_coordinate("5, 5000000"),
        lambda: parse_coordinate("41°61′N 123°9′E"),
    ],
)
def test_a_coordinate_refused_is_refused_in_chinese(ask):
    with pytest.raises(SiteMapError) as caught:
        ask()
    _check_is_chinese(str(caught.value))


# ---- values are text and nothing else ----------------------------------------------------------------------------

FORMS = re.compile(r"\{(\w+)(?::(\w+)(\?)?)?\}")
OF_FORM = {
    "int": "1,024",
    "number": "-12.5",
    "word": "甲乙",
    "names": "scope, metric",
    "title": "甲 {0} %s.csv",
    "list": "甲, 乙",
}
HOSTILE = st.lists(
    st.sampled_from(
        [
            "{file}",
            "{{7*7}}",
            "%s",
            "\\1",
            "\n",
            "; ",
            ": ",
            "甲",
            "乙 丙",
            "$",
            "<b>",
            "(.*)",
            "\x00",
            "’",
        ]
    ),
    min_size=1,
    max_size=4,
).map("".join)
TEMPLATES = [(section, english) for section, words in SECTIONS.items() for english in words]


def _first_of(section):
    """Return the first piece of a section, its own gaps filled."""
    return _made(next(iter(SECTIONS[section])), lambda: "甲")[0]


def _made(english, value):
    """Return a message with its gaps filled, and the values that must come back."""
    free = []

    def fill(gap):
        form = gap[2] or ""
        if form in SECTIONS:
            return _first_of(form)
        free.append(value() if form == "" else OF_FORM[form])
        return free[-1]

    return FORMS.sub(fill, english), free


@given(data=st.data(), template=st.sampled_from(TEMPLATES))
def test_hostile_values_come_back_as_they_were(data, template):
    section, english = template
    message, values = _made(english, lambda: data.draw(HOSTILE))
    told = module._piece(section, message)
    assert told is None or all(
        value in told or value.replace(", ", "、") in told for value in values
    )
    shown = explain(message, "zh")
    assert all(value in shown or value.replace(", ", "、") in shown for value in values)


@pytest.mark.parametrize(("section", "english"), TEMPLATES)
def test_every_wording_is_found_by_its_own_message(section, english):
    message, values = _made(english, lambda: "{0} %s \\1")
    told = module._piece(section, message)
    assert told is not None, message
    assert all(value in told or value.replace(", ", "、") in told for value in values), told


@given(st.text(max_size=300), st.sampled_from(["zh", "en", "fr"]))
def test_explaining_never_fails_and_never_empties(text, language):
    assert isinstance(explain(text, language), str)
    assert explain_where(text, "en") == text
    assert bool(explain(text, language)) == bool(text)


@pytest.mark.parametrize(
    "text",
    ["x" * 100_000, "a: " * 1_300, "it has no name; " * 240, '" and "' * 600, "row 1, " * 500],
)
def test_a_text_without_end_is_answered(text):
    assert explain(text, "zh")


def test_every_gap_of_a_message_is_in_its_wording_once():
    for section, english in TEMPLATES:
        here = sorted(name for name, _, _ in FORMS.findall(english))
        assert sorted(name for name, _, _ in FORMS.findall(SECTIONS[section][english])) == here
        assert {f for _, f, _ in FORMS.findall(english)} - OF_FORM.keys() - {""} <= SECTIONS.keys()


# ---- the corpus of bad files -------------------------------------------------------------------------------------

# What a Chinese sentence may hold of English: names of formats, programs and fields, and what files say.
ENGLISH = re.compile(
    r"\.?[A-Za-z0-9_]+\.(?:csv|xlsx?|ods|geojson|json|gpkg|zip|kml|kmz|dxf|shp|xml|vrt|et|shx|prj|cpg|dbf)\b"
    r"|(?:WPS|Excel|CSV|UTF-8|GB18030|ZIP|GDAL|Word|RAR|7z|PDF|SQLite|GeoPackage|GeoJSON|TopoJSON|JSON|KML|DXF|XML"
    r"|Shapefile|OpenDocument|Esri|VRT|GDALG|WGS84|CGCS2000|GCJ-02|BD-09|DataV|EPSG|site_id|wgs84|cgcs2000|gcj02|bd09|DOCTYPE"
    r"|ENTITY|N/A|MB|XLSX)"
)


def _check_is_chinese(message):
    told = explain(message, "zh")
    assert CHINESE.search(told), message
    assert told != message, message
    # Not three words of English in a row outside what stands in quotation marks or brackets.
    outside = ENGLISH.sub("", re.sub(r"“[^”]*”|（[^）]*）", "", told))
    assert not re.search(r"[a-z]{2,} [a-z]{2,} [a-z]{2,}", outside), told


def _messages_of(case, path):
    """Return what is said of a bad file on the way to its records."""
    said = []
    try:
        contents = open_source(path, limits=Limits(**case.limits), sandboxed=False)
        inspection = inspect_source(contents)
        said += [*inspection.warnings, *(column.why for column in inspection.columns if column.why)]
        layout = inspection.layout.to_json() | {"kind": case.kind} if case.kind else None
        report = read_source(contents, layout=layout and Layout.from_json(layout))
    except SiteMapError as error:
        return [*said, str(error)]
    said += [problem.message for problem in (*report.problems, *report.skipped)]
    assert all(
        explain_where(problem.where, "zh") != problem.where
        for problem in (*report.problems, *report.skipped)
    )
    return [*said, *report.warnings]


def test_all_that_is_said_of_bad_files_is_said_in_chinese(tmp_path):
    from bad_files import CASES

    safe = [case for case in CASES if not case.risky]
    assert len(safe) > 80
    for case in safe:
        path = tmp_path / case.name
        path.write_bytes(case.make())
        for message in _messages_of(case, path):
            _check_is_chinese(message)
