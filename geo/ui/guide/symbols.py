"""A category's symbol as SVG, from its shape, colour and sign: what the map draws on its canvas, for a page of text."""

from __future__ import annotations

from html import escape

from geo.category import Status

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
    if shape == "line":
        return _line(status)
    fill = "#ffffff" if status.hollow else status.fill
    dash = 'stroke-dasharray="3 2"' if status.dashed else ""
    edge = status.fill if status.hollow or status.dashed else "#ffffff"
    look = f'fill="{fill}" stroke="{edge}" stroke-width="2" {dash}'
    return _svg(26, _SHAPES[shape].format(look=look) + _sign(status.glyph, fill, 13, status.fill))


def _line(status: Status) -> str:
    dash = 'stroke-dasharray="7 5"' if status.dashed else ""
    line = f'<path d="M2 13H42" stroke="{status.fill}" stroke-width="6" {dash}/>'
    if not status.glyph:
        return _svg(44, line)
    plate = (
        f'<circle cx="22" cy="13" r="9" fill="#ffffff" stroke="{status.fill}" stroke-width="1.5"/>'
    )
    return _svg(44, line + plate + _sign(status.glyph, "#ffffff", 22, status.fill))


def _sign(glyph: str, under: str, x: int, colour: str) -> str:
    if not glyph:
        return ""
    ink = colour if under == "#ffffff" else "#1f2328" if _is_light(under) else "#ffffff"
    return (
        f'<text x="{x}" y="17.5" text-anchor="middle" font-size="13" font-weight="700" '
        f'fill="{ink}">{escape(glyph)}</text>'
    )


def _is_light(colour: str) -> bool:
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return 0.299 * red + 0.587 * green + 0.114 * blue > 150


def _svg(width: int, inside: str) -> str:
    return f'<svg width="{width}" height="26" viewBox="0 0 {width} 26" aria-hidden="true">{inside}</svg>'
