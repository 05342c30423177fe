"""Draw the architecture picture again: `python .readme/make_architecture.py` writes architecture.svg beside it.

Plain SVG with words as text, so that it is sharp at any size, small, and can be searched.
"""

from __future__ import annotations

from pathlib import Path
from xml.sax.saxutils import escape

TARGET = Path(__file__).with_name("architecture.svg")
INK, SOFT, BLUE, AMBER = "#1f2328", "#57606a", "#08306b", "#b07a12"
WHITE, PALE, WARM = "#ffffff", "#e6edf7", "#fff4d6"
WIDTH, HEIGHT = 1120, 470
FONT = "Microsoft YaHei, PingFang SC, Noto Sans CJK SC, Noto Sans SC, sans-serif"
ABOUT = "文件读成记录，记录定位成地点表，存进数据库，筛选后画成网页地图或成图"

# left, top, width, height, its words in zh and en, what it holds; fill, edge.
BOXES = [
    (24, 96, 156, 92, "文件 · 文字", "Files, text", "通报 表格 GIS", WHITE, BLUE),
    (258, 96, 140, 92, "记录", "Records", "每条带原话", WHITE, BLUE),
    (476, 96, 150, 92, "地点表", "Site table", "WGS84 精度 误差", WHITE, BLUE),
    (704, 96, 150, 92, "数据库", "Store", "GeoPackage PostGIS", BLUE, BLUE),
    (936, 24, 160, 92, "网页地图", "Web map", "一块画布", WHITE, BLUE),
    (936, 176, 160, 92, "成图", "Pictures, files", "PNG PPT PDF Excel", WHITE, BLUE),
    (247, 250, 162, 84, "问题行", "Problems", "哪一行，怎么改", WARM, AMBER),
    (470, 250, 162, 84, "未定位", "Not located", "原因，等人来定", WARM, AMBER),
]
# path, and the stage that it is with the place of its word.
ARROWS = [
    ("M180 142L256 142", "read", 218, 132),
    ("M398 142L474 142", "locate", 436, 132),
    ("M626 142L702 142", "store", 664, 132),
    ("M854 126L934 78", "draw", 880, 92),
    ("M854 158L934 214", "export", 880, 206),
    ("M328 188L328 248", "", 0, 0),
    ("M568 188L568 248", "", 0, 0),
]
# Each shares what stands beside it; `test_readme` holds this against the import contracts.
MEETING = ("pipeline", "district", "samples", "placing", "drafts", "editing", "bulk")


def words(x: float, y: float, text: str, size: float, fill: str, more: str = "") -> str:
    """Return a line of text; `more` are attributes."""
    return (
        f'<text x="{x:g}" y="{y:g}" font-size="{size:g}" fill="{fill}"{more}>{escape(text)}</text>'
    )


def box(
    left: int, top: int, width: int, height: int, zh: str, en: str, about: str, fill: str, edge: str
) -> list[str]:
    """Return a box with three lines in its middle."""
    dark, middle, centred = fill == BLUE, left + width / 2, ' text-anchor="middle"'
    return [
        f'<rect x="{left}" y="{top}" width="{width}" height="{height}" rx="10" fill="{fill}" '
        f'stroke="{edge}" stroke-width="1.6"/>',
        words(middle, top + 34, zh, 18, WHITE if dark else INK, centred + ' font-weight="700"'),
        words(middle, top + 53, en, 13, "#dbe4f3" if dark else SOFT, centred),
        words(middle, top + 73, about, 13, "#dbe4f3" if dark else SOFT, centred),
    ]


def arrow(path: str, stage: str, x: int, y: int) -> list[str]:
    """Return an arrow and the name of the stage it is."""
    drawn = f'<path d="{path}" stroke="{SOFT}" stroke-width="2" fill="none" marker-end="url(#a)"/>'
    style = ' text-anchor="middle" font-style="italic"'
    return [drawn, words(x, y, stage, 14, BLUE, style)] if stage else [drawn]


def draw() -> str:
    """Return the picture."""
    bold, centred = ' font-weight="700"', ' text-anchor="middle"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
        f'height="{HEIGHT}" font-family="{FONT}" role="img" aria-label="{ABOUT}">',
        "<title>数据只往一个方向走 · Data flows one way</title>",
        '<defs><marker id="a" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" '
        f'orient="auto"><path d="M0 0L10 5L0 10Z" fill="{SOFT}"/></marker></defs>',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#f6f8fa"/>',
        words(24, 44, "数据只往一个方向走", 20, BLUE, bold),
        words(24, 66, "Data flows one way; stages never import each other", 13, SOFT),
        *[line for one in ARROWS for line in arrow(*one)],
        *[line for one in BOXES for line in box(*one)],
        # Back again: what a person has placed is asked for first.
        '<path d="M470 292C434 292 434 236 456 222C478 210 510 214 510 190" '
        f'stroke="{AMBER}" stroke-width="2" fill="none" stroke-dasharray="6 4" marker-end="url(#a)"/>',
        words(648, 288, "人定的位置，永远优先", 13, "#7a5409"),
        words(648, 308, "A person's word comes first, for ever", 13, SOFT),
        words(1016, 142, "view：处处同一个筛选", 13, SOFT, centred),
        words(1016, 160, "one filter for all of them", 13, SOFT, centred),
        words(24, 376, "读入行数 = 已定位 + 未定位 + 问题行，始终成立", 14, INK, bold),
        words(24, 396, "Rows read = located + not located + problems, always", 13, SOFT),
        f'<rect x="24" y="412" width="1072" height="40" rx="8" fill="{PALE}"/>',
        words(
            560,
            437,
            f"{' · '.join(MEETING)}：各阶段只在这里相遇 stages meet here only　｜　"
            "ui：Streamlit　｜　命令行 command line",
            13.5,
            BLUE,
            centred,
        ),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    TARGET.write_text(draw(), encoding="utf-8")
