"""The categories file: every word read one way, every fault named, every colour told from its neighbours."""

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import CATEGORIES, KEYS

from geo.category import LANGUAGES, MAX_CATEGORIES, Kind, Status, fold, load_categories
from geo.errors import CategoryError

# Reading words


@pytest.mark.parametrize(
    ("kind", "word", "status"),
    [
        ("enterprise", "已复工", "resumed"),
        ("enterprise", " 已 复工 ", "resumed"),
        ("enterprise", "已复工\u200b", "resumed"),
        ("enterprise", "RESUMED", "resumed"),
        ("enterprise", "Ｒｅｓｕｍｅｄ", "resumed"),
        ("enterprise", "部分/拟复工", "partial"),
        ("enterprise", "部分／拟复工", "partial"),
        ("enterprise", "拟复工", "partial"),
        ("enterprise", "停工", "stopped"),
        ("enterprise", "", "unverified"),
        ("enterprise", " \u3000\ufeff", "unverified"),
        ("project", "拟复工", "resuming"),
        ("project", "停工", "resuming"),
        ("project", "已复工", "building"),
        ("project", "in use", "open"),
        ("parking", "清理完毕", "cleared"),
        ("parking", "", "unverified"),
    ],
)
def test_a_word_means_what_a_person_of_the_office_means_by_it(kind, word, status):
    assert CATEGORIES.read_status(kind, word).key == f"{kind}.{status}"


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("企业", "enterprise"),
        ("Company", "enterprise"),
        ("重点 项目", "project"),
        ("ＲＯＡＤ", "parking"),
    ],
)
def test_a_word_for_a_kind_is_read_whatever_its_width_and_case(word, kind):
    assert CATEGORIES.read_kind(word) == kind


@pytest.mark.parametrize("word", ["已复公", "复", "已复工了", "resume", "?", "open"])
def test_a_word_that_is_not_listed_is_a_problem_that_says_what_there_is(word):
    with pytest.raises(CategoryError) as caught:
        CATEGORIES.read_status("enterprise", word)
    assert str(caught.value) == f'status "{word}" is not one of 已复工, 部分/拟复工, 未复工, 待核实'


def test_an_unknown_kind_is_a_problem_that_says_what_there_is():
    with pytest.raises(
        CategoryError, match='kind "桥梁" is not one of 企业复工, 重点项目, 停车整治'
    ):
        CATEGORIES.read_kind("桥梁")
    for ask in (CATEGORIES.read_status, CATEGORIES.status):
        with pytest.raises(
            CategoryError, match='kind "bridge" is not one of enterprise, project, parking'
        ):
            ask("bridge", "已复工")


def test_a_status_of_another_kind_is_not_a_status_of_this_one():
    with pytest.raises(
        CategoryError, match='status "building" of enterprise is not one of resumed'
    ):
        CATEGORIES.status("enterprise", "building")


def _kind_words(kind: Kind) -> list[str]:
    return [kind.code, *kind.label.values(), *kind.synonyms]


def _status_words(status: Status) -> list[str]:
    return [status.code, *status.label.values(), *status.synonyms]


@pytest.mark.parametrize("status", CATEGORIES.statuses, ids=KEYS)
def test_each_code_label_and_synonym_reads_back_as_its_own_status(status):
    for word in _status_words(status):
        assert CATEGORIES.read_status(status.kind, word) is status
    assert CATEGORIES.status(status.kind, status.code) is status


@pytest.mark.parametrize("kind", CATEGORIES.kinds, ids=lambda kind: kind.code)
def test_each_code_label_and_synonym_reads_back_as_its_own_kind(kind):
    for word in _kind_words(kind):
        assert CATEGORIES.read_kind(word) == kind.code
    assert CATEGORIES.kind(kind.code) is kind


@pytest.mark.parametrize("kind", CATEGORIES.kinds, ids=lambda kind: kind.code)
def test_no_word_means_two_statuses_of_a_kind(kind):
    words = [{fold(word) for word in _status_words(status)} for status in kind.statuses]
    for one, other in itertools.combinations(words, 2):
        assert not one & other


def test_no_word_means_two_kinds():
    words = [{fold(word) for word in _kind_words(kind)} for kind in CATEGORIES]
    for one, other in itertools.combinations(words, 2):
        assert not one & other


def test_silence_is_never_read_as_good_news():
    for kind in CATEGORIES:
        assert CATEGORIES.read_status(kind.code, "").code == kind.unknown == "unverified"


# Codes


def test_codes_count_the_statuses_in_the_order_of_the_file():
    assert KEYS[:3] == ("enterprise.resumed", "enterprise.partial", "enterprise.stopped")
    assert list(CATEGORIES.codes.values()) == list(range(len(CATEGORIES.statuses)))
    assert [status.key for status in CATEGORIES.statuses] == list(CATEGORIES.codes)


def test_the_file_is_read_once():
    assert load_categories() is load_categories()


# Folding


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Ａｂ Ｃ１", "abc1"),
        ("新华　路\t12号\n", "新华路12号"),
        ("ﾊﾟｰｸ", "パーク"),
        ("①㈱", "1(株)"),
        ("Straße", "strasse"),
        ("cafe\u0301", "café"),
        ("\ufeff已\u200b复\u00ad工\u2060", "已复工"),
        ("\u200eNo.\u00a01\u200f", "no.1"),
        ("（拟）复工", "(拟)复工"),
        ("", ""),
    ],
)
def test_folding_keeps_what_a_reader_sees_and_drops_how_it_was_typed(text, folded):
    assert fold(text) == folded


@given(text=st.text())
def test_folding_twice_is_folding_once(text):
    assert fold(fold(text)) == fold(text)


def test_folding_twice_is_folding_once_where_a_spacing_accent_follows_its_letter():
    assert fold(fold("a¨")) == fold("a¨") == "ä"


@given(
    text=st.text(st.sampled_from("新华路白塔ＡａｂＢ１2（）")),
    space=st.sampled_from(" \u3000\u00a0\t\n\u200b\ufeff"),
    data=st.data(),
)
def test_a_space_more_makes_no_other_word(text, space, data):
    place = data.draw(st.integers(0, len(text)))
    assert fold(text[:place] + space + text[place:]) == fold(text)


# Faults of the file

GOOD = """
[[kind]]
code = "bridge"
shape = "square"
label = { zh = "桥梁", en = "Bridges" }
unknown = "unsure"
synonyms = ["桥"]

  [[kind.status]]
  code = "sound"
  label = { zh = "完好", en = "Sound" }
  fill = "#112233"
  synonyms = ["好"]

  [[kind.status]]
  code = "unsure"
  label = { zh = "不详", en = "Unsure" }
  fill = "#445566"
  glyph = "?"
  hollow = true
"""
SECOND_KIND = """
[[kind]]
code = "tunnel"
shape = "line"
label = { zh = "隧道", en = "Tunnels" }
unknown = "x"
status = [{ code = "x", label = { zh = "甲", en = "X" }, fill = "#000000" }]
"""


def _load(folder: Path, text: str) -> str:
    """Return what is wrong with a file, or ""."""
    path = folder / "categories.toml"
    path.write_text(text, encoding="utf-8")
    load_categories.cache_clear()
    try:
        load_categories(path)
    except CategoryError as error:
        return str(error).removeprefix("categories.toml: ")
    finally:
        load_categories.cache_clear()
    return ""


def test_a_file_without_a_fault_becomes_kinds_and_statuses(tmp_path):
    path = tmp_path / "categories.toml"
    path.write_text(GOOD + SECOND_KIND, encoding="utf-8")
    categories = load_categories(path)
    assert list(categories.codes) == ["bridge.sound", "bridge.unsure", "tunnel.x"]
    sound, unsure, _ = categories.statuses
    assert (sound.fill, sound.glyph, sound.hollow, sound.dashed) == ("#112233", "", False, False)
    assert (unsure.glyph, unsure.hollow, unsure.dashed) == ("?", True, False)
    assert categories.kind("bridge").question == categories.kind("bridge").label
    assert categories.read_kind("桥") == "bridge"
    assert categories.read_status("bridge", "") == unsure


FAULTS = [
    ('code = "sound"', 'code = "Sound"', "kind bridge, status Sound: code must be small letters"),
    ('code = "bridge"', "", "kind 1: code must be small letters, digits and _"),
    ('code = "unsure"', 'code = "sound"', "kind bridge, status sound: code appears twice"),
    (', en = "Sound"', "", "kind bridge, status sound: label has no en"),
    (', en = "Sound"', ', en = " "', "kind bridge, status sound: label has no en"),
    (', en = "Bridges"', ", en = 5", "kind bridge: label has no en"),
    (
        'label = { zh = "完好", en = "Sound" }',
        "",
        "kind bridge, status sound: label has no zh or en",
    ),
    (
        'label = { zh = "完好", en = "Sound" }',
        'label = "完好"',
        "status sound: label has no zh or en",
    ),
    (
        'shape = "square"',
        'shape = "star"',
        "kind bridge: shape is not one of circle, diamond, square",
    ),
    (
        'shape = "square"',
        'shape = "square"\nquestion = { zh = "?" }',
        "kind bridge: question has no en",
    ),
    (
        'unknown = "unsure"',
        'unknown = "nix"',
        "kind bridge: unknown does not name one of its statuses",
    ),
    (
        'unknown = "unsure"',
        "unknown = []",
        "kind bridge: unknown does not name one of its statuses",
    ),
    ('"#112233"', '"navy"', "kind bridge, status sound: fill is not a colour like #08306b"),
    ('"#112233"', '"#1122334"', "kind bridge, status sound: fill is not a colour"),
    ('fill = "#112233"', "", "kind bridge, status sound: fill is not a colour"),
    ('glyph = "?"', 'glyph = "??"', "kind bridge, status unsure: glyph is more than one character"),
    ('glyph = "?"', "glyph = 7", "kind bridge, status unsure: glyph is not text"),
    ("hollow = true", 'hollow = "no"', "kind bridge, status unsure: hollow is not true or false"),
    ("hollow = true", "dashed = 0", "kind bridge, status unsure: dashed is not true or false"),
    (
        "hollow = true",
        "holow = true",
        "kind bridge, status unsure: holow is not one of code, dashed",
    ),
    (
        '["桥"]',
        '["桥"]\nstatuses = []',
        "kind bridge: statuses is not one of code, label, question",
    ),
    ('["好"]', '"好"', "kind bridge, status sound: synonyms is not a list of words"),
    ('["好"]', "[1]", "kind bridge, status sound: synonyms is not a list of words"),
    ('["好"]', '["不 详"]', 'kind bridge, status unsure: "不详" also means sound'),
    ('["好"]', '["ＵＮＳＵＲＥ"]', 'kind bridge, status unsure: "unsure" also means sound'),
]


@pytest.mark.parametrize(("good", "bad", "fault"), FAULTS, ids=[fault for *_, fault in FAULTS])
def test_a_fault_is_named_with_its_place(tmp_path, good, bad, fault):
    assert GOOD.count(good) == 1
    told = _load(tmp_path, GOOD.replace(good, bad))
    assert fault in told
    assert told.count("; ") <= 1  # a code that is wrong may also be missed by `unknown`


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "it has no [[kind]]"),
        ("kind = []", "it has no [[kind]]"),
        ("kind = [1, 2]", "it has no [[kind]]"),
        ('[kind]\ncode = "a"', "it has no [[kind]]"),
        (GOOD[: GOOD.index("  [[kind.status]]")], "kind bridge: it has no [[kind.status]]"),
        (GOOD + GOOD, "kind bridge: code appears twice"),
        (GOOD + SECOND_KIND.replace("隧道", "桥"), 'kind tunnel: "桥" also means bridge'),
        (
            GOOD + SECOND_KIND.replace("status = [{", "status = [1, {"),
            "tunnel: it has no [[kind.status]]",
        ),
    ],
)
def test_a_file_of_the_wrong_build_is_told_so(tmp_path, text, fault):
    assert fault in _load(tmp_path, text)


def test_all_faults_are_named_at_once(tmp_path):
    bad = GOOD.replace("square", "star").replace("#112233", "navy").replace('"?"', '"??"')
    assert _load(tmp_path, bad).split("; ") == [
        "kind bridge: shape is not one of circle, diamond, square, triangle, line",
        "kind bridge, status sound: fill is not a colour like #08306b",
        "kind bridge, status unsure: glyph is more than one character",
    ]


def test_the_same_word_may_mean_a_status_of_each_kind(tmp_path):
    assert _load(tmp_path, GOOD + SECOND_KIND.replace("甲", "完好")) == ""


@pytest.mark.parametrize(("extra", "fault"), [(0, ""), (1, "256 statuses; the map holds 255")])
def test_the_map_holds_255_statuses_and_not_one_more(tmp_path, extra, fault):
    status = '[[kind.status]]\ncode = "s{0}"\nlabel = {{ zh = "第{0}", en = "S{0}" }}\nfill = "#000000"\n'
    more = "".join(status.format(number) for number in range(MAX_CATEGORIES - 2 + extra))
    assert _load(tmp_path, GOOD + more) == fault


@pytest.mark.parametrize("content", [b"kind = [", b'kind = "\xff"'])
def test_a_file_that_is_not_toml_in_utf_8_cannot_be_read(tmp_path, content):
    path = tmp_path / "categories.toml"
    path.write_bytes(content)
    with pytest.raises(CategoryError, match=r"^categories\.toml cannot be read: "):
        load_categories(path)


def test_a_file_that_is_not_there_cannot_be_read_and_its_folder_is_not_told(tmp_path):
    with pytest.raises(CategoryError, match=r"^nowhere\.toml cannot be read: ") as caught:
        load_categories(tmp_path / "nowhere.toml")
    assert str(tmp_path) not in str(caught.value)


# How it looks


def test_every_kind_has_its_own_shape():
    assert len({kind.shape for kind in CATEGORIES}) == len(CATEGORIES.kinds)


def test_every_label_is_there_in_every_language_and_names_one_status():
    for kind, language in itertools.product(CATEGORIES, LANGUAGES):
        labels = [status.label[language] for status in kind.statuses]
        assert len(set(labels)) == len(labels)


@pytest.mark.parametrize("kind", CATEGORIES.kinds, ids=lambda kind: kind.code)
def test_no_two_statuses_of_a_kind_look_the_same(kind):
    looks = [(s.fill, s.glyph, s.hollow, s.dashed) for s in kind.statuses]
    assert len(set(looks)) == len(looks)


Triple = tuple[float, float, float]

# Columns are R, G, B of linear sRGB. For each kind of colour blindness, severity 1.0: G. M. Machado,
# M. M. Oliveira, L. A. F. Fernandes, "A physiologically-based model for simulation of color vision deficiency",
# IEEE Trans. Visualization and Computer Graphics 15(6), 2009. Grey is luminance, as a black-and-white print.
VISIONS = {
    "normal": np.eye(3),
    "protan": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deutan": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritan": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
    "grey": np.tile([0.2126729, 0.7151522, 0.0721750], (3, 1)),
}
COLOUR_VISIONS = ("normal", "protan", "deutan", "tritan")
# Linear sRGB to XYZ, and its white (D65, 2 degrees): IEC 61966-2-1.
TO_XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)
WHITE = TO_XYZ.sum(axis=1)


def _lab(colour: str, vision: str = "normal") -> Triple:
    """Return the CIELAB of `#rrggbb` as somebody with that vision sees it."""
    srgb = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    seen = TO_XYZ @ np.clip(VISIONS[vision] @ linear, 0, 1) / WHITE
    x, y, z = np.where(seen > 216 / 24389, np.cbrt(seen), (24389 / 27 * seen + 16) / 116)
    return float(116 * y - 16), float(500 * (x - y)), float(200 * (y - z))


def _ciede2000(one: Triple, other: Triple) -> float:
    """Return how far apart two colours are: about 1 is just seen side by side, 100 is black to white.

    G. Sharma, W. Wu, E. N. Dalal, "The CIEDE2000 color-difference formula: implementation notes, supplementary
    test data, and mathematical observations", Color Research and Application 30(1), 2005, equations 2 to 22.
    """
    (l1, a1, b1), (l2, a2, b2) = one, other
    mean_c = (math.hypot(a1, b1) + math.hypot(a2, b2)) / 2
    g = (1 - math.sqrt(mean_c**7 / (mean_c**7 + 25**7))) / 2
    c1, c2 = math.hypot((1 + g) * a1, b1), math.hypot((1 + g) * a2, b2)
    h1 = math.degrees(math.atan2(b1, (1 + g) * a1)) % 360
    h2 = math.degrees(math.atan2(b2, (1 + g) * a2)) % 360
    turn = 0.0 if c1 * c2 == 0 else h2 - h1
    turn -= 360 * (turn > 180) - 360 * (turn < -180)
    mean_h = h1 + h2 if c1 * c2 == 0 else (h1 + h2) / 2
    if c1 * c2 != 0 and abs(h1 - h2) > 180:
        mean_h += 180 if h1 + h2 < 360 else -180
    mean_l, mean_c = (l1 + l2) / 2, (c1 + c2) / 2
    t = (
        1
        - 0.17 * math.cos(math.radians(mean_h - 30))
        + 0.24 * math.cos(math.radians(2 * mean_h))
        + 0.32 * math.cos(math.radians(3 * mean_h + 6))
        - 0.20 * math.cos(math.radians(4 * mean_h - 63))
    )
    lightness = (l2 - l1) / (1 + 0.015 * (mean_l - 50) ** 2 / math.sqrt(20 + (mean_l - 50) ** 2))
    chroma = (c2 - c1) / (1 + 0.045 * mean_c)
    hue = 2 * math.sqrt(c1 * c2) * math.sin(math.radians(turn / 2)) / (1 + 0.015 * mean_c * t)
    twist = math.radians(60 * math.exp(-(((mean_h - 275) / 25) ** 2)))
    rotation = -2 * math.sqrt(mean_c**7 / (mean_c**7 + 25**7)) * math.sin(twist)
    return math.sqrt(lightness**2 + chroma**2 + hue**2 + rotation * chroma * hue)


@pytest.mark.parametrize(
    ("one", "other", "difference"),
    [  # Table 1 of Sharma et al. 2005: pairs 1, 9, 11, 17, 20, 25 and 34
        ((50.0, 2.6772, -79.7751), (50.0, 0.0, -82.7485), 2.0425),
        ((50.0, 2.49, -0.001), (50.0, -2.49, 0.0009), 7.1792),
        ((50.0, 2.49, -0.001), (50.0, -2.49, 0.0011), 7.2195),
        ((50.0, 2.5, 0.0), (73.0, 25.0, -18.0), 27.1492),
        ((50.0, 2.5, 0.0), (58.0, 24.0, 15.0), 19.4535),
        ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
        ((2.0776, 0.0795, -1.135), (0.9033, -0.0636, -0.5514), 0.9082),
    ],
)
def test_the_colour_difference_is_the_published_one_both_ways_round(one, other, difference):
    assert round(_ciede2000(one, other), 4) == difference
    assert round(_ciede2000(other, one), 4) == difference


@pytest.mark.parametrize("vision", VISIONS)
@pytest.mark.parametrize(("colour", "lightness"), [("#000000", 0), ("#ffffff", 100)])
def test_everybody_sees_black_as_black_and_white_as_white(vision, colour, lightness):
    assert _lab(colour, vision) == pytest.approx((lightness, 0, 0), abs=0.01)


def _difference(one: Status, other: Status, vision: str) -> float:
    """Return how far apart the faces of two symbols are; inside, a hollow symbol is white."""
    faces = ["#ffffff" if status.hollow else status.fill for status in (one, other)]
    return _ciede2000(_lab(faces[0], vision), _lab(faces[1], vision))


def _pairs(kind: str) -> list[tuple[Status, Status]]:
    return list(itertools.combinations(CATEGORIES.kind(kind).statuses, 2))


# 9 would do for symbols that do not touch; the ramp reaches 12.7, and an edit must not lose that.
TOLD_APART = 12
CLEARLY_APART = 20


@pytest.mark.parametrize("vision", VISIONS)
@pytest.mark.parametrize("kind", [kind.code for kind in CATEGORIES])
def test_statuses_that_differ_only_by_fill_are_told_apart_by_everybody_and_in_grey(kind, vision):
    alike = [
        (one.code, other.code, round(_difference(one, other, vision), 1))
        for one, other in _pairs(kind)
        if (one.glyph, one.hollow, one.dashed) == (other.glyph, other.hollow, other.dashed)
    ]
    assert [pair for pair in alike if pair[2] < TOLD_APART] == []


@pytest.mark.parametrize("vision", COLOUR_VISIONS)
def test_whether_work_has_resumed_is_clear_to_everybody_by_colour_alone(vision):
    apart = {(a.code, b.code): _difference(a, b, vision) for a, b in _pairs("enterprise")}
    assert min(apart.values()) >= CLEARLY_APART, apart


def test_whether_work_has_resumed_is_told_in_grey_by_a_glyph_of_its_own():
    glyphs = [status.glyph for status in CATEGORIES.kind("enterprise").statuses]
    assert len(set(glyphs) - {""}) == 4
    assert min(_difference(a, b, "grey") for a, b in _pairs("enterprise")) >= TOLD_APART


RAMP = [
    CATEGORIES.status("project", code).fill
    for code in ("landing", "starting", "resuming", "building", "opening", "open")
]


@pytest.mark.parametrize("vision", VISIONS)
def test_each_stage_of_a_project_is_a_step_that_everybody_sees_and_print_keeps(vision):
    seen = [_lab(fill, vision) for fill in RAMP]
    steps = [round(_ciede2000(one, other), 1) for one, other in itertools.pairwise(seen)]
    assert min(steps) >= TOLD_APART, steps


@pytest.mark.parametrize("vision", VISIONS)
def test_a_later_stage_is_darker_from_light_to_dark(vision):
    lightness = [_lab(fill, vision)[0] for fill in RAMP]
    assert lightness == sorted(lightness, reverse=True)
    assert lightness[0] > 85
    assert lightness[-1] < 12


def test_every_stage_is_purple():
    for fill in RAMP:
        _, a, b = _lab(fill)
        assert 300 <= math.degrees(math.atan2(b, a)) % 360 <= 320
