"""What everything on a sheet is painted with, in a picture as on a slide."""

from __future__ import annotations

from dataclasses import dataclass

from geo.category import Status

INK, QUIET, RULE, PAPER, OUTSIDE, WARNING = (
    "#1f2328",
    "#57606a",
    "#c5ccd6",
    "#ffffff",
    "#e4e8ed",
    "#b3261e",
)
OUTLINE, NEIGHBOUR = "#5b6b80", "#c3cad3"
PALE_EDGE = "#4a3a63"  # a pale fill on white paper needs an edge of its own
CHANGED, CHANGED_WIDTH = "#00875a", 1.8
"""A ring around what has changed: no status has its green, and it stands apart from its symbol."""
RING_GAP = 2.6
"""Points between a symbol and its ring."""
UNLIT, UNLIT_INK = "#d5dae0", "#8b949e"
LINE_WIDTH, CASING_WIDTH, AREA_EDGE = 3.0, 5.0, 1.4


@dataclass(frozen=True, slots=True)
class Paint:
    """The colours of a symbol: its inside, its edge, its glyph, and the dot of one whose place is approximate."""

    fill: str
    edge: str
    ink: str
    dot: str
    hollow: bool
    dashed: bool
    pale: bool


def paint_symbol(status: Status, *, approximate: bool = False) -> Paint:
    """Return how a symbol is painted: hollow if its status is or its place is only about there."""
    hollow = status.hollow or approximate
    pale = is_pale(status.fill)
    edged = pale and status.fill != UNLIT
    return Paint(
        fill=PAPER if hollow else status.fill,
        edge=PALE_EDGE if edged else status.fill,
        ink=INK if hollow or pale else PAPER,
        dot=status.fill if approximate and not status.hollow else "",
        hollow=hollow,
        dashed=approximate or status.dashed,
        pale=edged,
    )


def is_pale(colour: str) -> bool:
    """Return whether a colour like #08306b is nearer to white than to black (ITU-R BT.601 luma)."""
    red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return 0.299 * red + 0.587 * green + 0.114 * blue > 0.5
