"""A category's symbol as SVG, from its shape, colour and sign: painted as in a picture, for a page of text."""

from __future__ import annotations

from html import escape

from geo.category import Status
from geo.export.paint import paint_symbol

_SHAPES = {
    "circle": '<circle cx="13" cy="13" r="8.5" {look}/>',
    "square": '<rect x="5" y="5" width="16" height="16" {look}/>',
    "diamond": '<path d="M13 3L23 13L13 23L3 13Z" {look}/>',
    "triangle": '<path d="M13 3.5L23 21.5H3Z" {look}/>',
}


def symbol_svg(shape: str, status: Status) -> str:
    """Return a symbol as an SVG element, 26 px high.

    Parameters
    ----------
    shape
        circle, diamond, square, triangle or line.
    status
        Its colour, sign, and whether it is hollow or dashed.
    """
    paint = paint_symbol(status)
    dash = 'stroke-dasharray="3 2"' if paint.dashed else ""
    if shape == "line":
        return _svg(44, f'<path d="M2 13H42" stroke="{status.fill}" stroke-width="6" {dash}/>')
    look = f'fill="{paint.fill}" stroke="{paint.edge}" stroke-width="2" {dash}'
    return _svg(26, _SHAPES[shape].format(look=look) + _sign(status.glyph, paint.ink))


def _sign(glyph: str, ink: str) -> str:
    if not glyph:
        return ""
    return (
        f'<text x="13" y="17.5" text-anchor="middle" font-size="13" font-weight="700" '
        f'fill="{ink}">{escape(glyph)}</text>'
    )


def _svg(width: int, inside: str) -> str:
    return f'<svg width="{width}" height="26" viewBox="0 0 {width} 26" aria-hidden="true">{inside}</svg>'
