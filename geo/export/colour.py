"""Colours as people see them: contrast, and how different two look to every colour vision and in grey print."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

# Machado, Oliveira and Fernandes (2009), "A Physiologically-based Model for Simulation of Color Vision Deficiency",
# IEEE Transactions on Visualization and Computer Graphics 15(6): severity 1.0, for linear RGB.
_MACHADO = {
    "protan": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deutan": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritan": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}
# IEC 61966-2-1: luminance of linear sRGB, and its XYZ for the white point D65.
_LUMINANCE = np.array([0.2126, 0.7152, 0.0722])
_XYZ = np.array(
    [
        (0.4124564, 0.3575761, 0.1804375),
        (0.2126729, 0.7151522, 0.0721750),
        (0.0193339, 0.1191920, 0.9503041),
    ]
)
VISIONS = ("normal", *_MACHADO, "grey")


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours like #08306b, 1 to 21 (WCAG 2.2, contrast ratio).

    Examples
    --------
    >>> round(contrast("#ffffff", "#000000"), 1)
    21.0
    """
    darker, lighter = sorted(float(_LUMINANCE @ _linear(colour)) for colour in (one, other))
    return (lighter + 0.05) / (darker + 0.05)


def difference(one: str, other: str, vision: str = "normal") -> float:
    """Return how different two colours look, as CIEDE2000; 0 is the same, 1 about what a trained eye sees.

    Parameters
    ----------
    one, other
        Colours like #08306b.
    vision
        One of `VISIONS`: normal; without the red, green or blue cones; printed in grey.
    """
    return _ciede2000(_lab(_seen(_linear(one), vision)), _lab(_seen(_linear(other), vision)))


def _linear(colour: str) -> Array:
    """Return linear RGB, 0 to 1."""
    coded = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4)


def _seen(linear: Array, vision: str) -> Array:
    if vision == "normal":
        return linear
    if vision == "grey":
        return np.full(3, _LUMINANCE @ linear)
    return np.clip(np.array(_MACHADO[vision]) @ linear, 0.0, 1.0)


def _lab(linear: Array) -> tuple[float, float, float]:
    """Return CIELAB for the white that all three channels make together."""
    share = (_XYZ @ linear) / _XYZ.sum(axis=1)
    x, y, z = np.where(share > 216 / 24389, np.cbrt(share), (share * 24389 / 27 + 16) / 116)
    return float(116 * y - 16), float(500 * (x - y)), float(200 * (y - z))


def _ciede2000(one: tuple[float, float, float], other: tuple[float, float, float]) -> float:
    """Return the difference of two CIELAB colours by ISO/CIE 11664-6; names as there."""
    (l1, a1, b1), (l2, a2, b2) = one, other
    c7 = ((math.hypot(a1, b1) + math.hypot(a2, b2)) / 2) ** 7
    g = 1.5 - 0.5 * math.sqrt(c7 / (c7 + 25**7))
    c1, c2 = math.hypot(a1 * g, b1), math.hypot(a2 * g, b2)
    h1, h2 = (math.degrees(math.atan2(b, a * g)) % 360 for a, b in ((a1, b1), (a2, b2)))
    turn = (h2 - h1 + 180) % 360 - 180 if c1 * c2 else 0.0
    middle_h = h1 + turn / 2 if c1 * c2 else h1 + h2
    middle_l, middle_c = (l1 + l2) / 2, (c1 + c2) / 2
    dh = 2 * math.sqrt(c1 * c2) * math.sin(math.radians(turn / 2))
    t = (
        1
        - 0.17 * _cos(middle_h - 30)
        + 0.24 * _cos(2 * middle_h)
        + 0.32 * _cos(3 * middle_h + 6)
        - 0.20 * _cos(4 * middle_h - 63)
    )
    light = (middle_l - 50) ** 2
    sl = 1 + 0.015 * light / math.sqrt(20 + light)
    sc, sh = 1 + 0.045 * middle_c, 1 + 0.015 * middle_c * t
    c7 = middle_c**7
    spread = 60 * math.exp(-(((middle_h % 360 - 275) / 25) ** 2))
    rt = -2 * math.sqrt(c7 / (c7 + 25**7)) * math.sin(math.radians(spread))
    lightness, chroma, hue = (l2 - l1) / sl, (c2 - c1) / sc, dh / sh
    return math.sqrt(max(0.0, lightness**2 + chroma**2 + hue**2 + rt * chroma * hue))


def _cos(degrees: float) -> float:
    return math.cos(math.radians(degrees))
