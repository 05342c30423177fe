"""A font for every character of a picture: the office's own if there is one, else an open one from a package.

The packaged font is one variable file for all weights and regions (33 MB). Matplotlib cannot set its weight, so the
characters that a picture needs are cut out of its Simplified Chinese face at regular and bold, once, into a cache.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from functools import lru_cache
from pathlib import Path

from matplotlib import font_manager
from matplotlib.ft2font import FT2Font

OFFICE_FONTS = (
    "Microsoft YaHei",
    "PingFang SC",
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Source Han Sans SC",
    "SimHei",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
)
GLYPH_FONT = "DejaVu Sans"  # comes with Matplotlib and has the signs that Chinese fonts lack
_PACKAGED = "Noto Sans CJK SC"
_WEIGHTS = {400: "Regular", 700: "Bold"}


@lru_cache(maxsize=32)
def font_families(text: str) -> list[str]:
    """Return font families in the order to be tried, which together have a glyph for every character.

    Parameters
    ----------
    text
        All characters that will be drawn; order and repeats do not matter.

    Returns
    -------
    families
        Names that Matplotlib's font manager knows; the first is the one the picture is set in.
    """
    office = office_font()
    families = [office] if office else []
    missing = without_glyph(text, [*families, GLYPH_FONT])
    if missing:
        families.append(_packaged_family("".join(sorted(missing))))
    return [*families, GLYPH_FONT]


@lru_cache(maxsize=1)
def office_font() -> str | None:
    """Return the first of `OFFICE_FONTS` that is installed here, or None."""
    installed = {font.name for font in font_manager.fontManager.ttflist}
    return next((name for name in OFFICE_FONTS if name in installed), None)


def without_glyph(text: str, families: list[str]) -> set[str]:
    """Return the characters of a text for which none of some fonts has a glyph."""
    wanted = {c for c in text if not c.isspace() and c.isprintable()}
    for family in families:
        wanted -= _characters(family)
    return wanted


@lru_cache(maxsize=32)
def _characters(family: str) -> frozenset[str]:
    found = font_manager.fontManager.findfont(family, fallback_to_default=False)
    face = FT2Font(str(found), face_index=getattr(found, "face_index", 0))
    return frozenset(map(chr, face.get_charmap()))


def _packaged_family(characters: str) -> str:
    """Return the name of a family with just these characters, made if it is not in the cache yet."""
    name = f"Baita {hashlib.sha256(characters.encode()).hexdigest()[:12]}"
    for weight in _WEIGHTS:
        path = _cache() / f"{name.replace(' ', '-')}-{weight}.otf"
        if not path.is_file():
            _cut_out(characters, name, weight, path)
        font_manager.fontManager.addfont(path)
    return name


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    folder = Path(base) if base else Path.home() / ".cache"
    folder = folder / "baita-one-map" / "fonts"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:  # no home, as in some services
        folder = Path(tempfile.gettempdir()) / "baita-one-map-fonts"
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def _cut_out(characters: str, name: str, weight: int, path: Path) -> None:
    """Write one weight of the packaged font with these characters; whole or not at all."""
    # Half a second to import, and most machines have an office font.
    import manimgx_fonts_cjk
    from fontTools import subset
    from fontTools.ttLib import TTCollection, TTFont
    from fontTools.varLib import instancer

    source = Path(manimgx_fonts_cjk.__file__).parent / "NotoSansCJK-VF.otf.ttc"
    with TTCollection(source, lazy=True) as faces:
        names = [face["name"].getDebugName(1) for face in faces.fonts]
    options = subset.Options(layout_features=[], notdef_outline=True, name_IDs=["*"])
    options.drop_tables += ["GSUB", "GPOS", "BASE", "VORG", "vhea", "vmtx", "STAT"]
    with TTFont(source, fontNumber=names.index(_PACKAGED), lazy=True) as font:
        cutter = subset.Subsetter(options)
        cutter.populate(text=characters)
        cutter.subset(font)
        part = path.with_suffix(f".{os.getpid()}.part")
        font.save(part)
    with TTFont(part) as font:
        instancer.instantiateVariableFont(font, {"wght": weight}, inplace=True)
        for record in font["name"].names:
            if record.nameID in (1, 16):
                record.string = name
            elif record.nameID in (2, 17):
                record.string = _WEIGHTS[weight]
        font["OS/2"].usWeightClass = weight
        font.save(part)
    part.replace(path)
