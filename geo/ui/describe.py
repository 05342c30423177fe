"""What a selection is called: the title and the lines under it, made from the filter and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from geo.category import Categories
from geo.district import home_name
from geo.locate.names import spell_out
from geo.settings import Settings
from geo.ui.text import load_text
from geo.view import NO_STREET, SiteFilter

_REGION_KINDS = {
    "自治县": "Autonomous County",
    "自治旗": "Autonomous Banner",
    "区": "District",
    "县": "County",
    "市": "City",
    "旗": "Banner",
}


def app_title(settings: Settings, language: str) -> str:
    """Return what this app is called: the administrator's word for it (`BAITA_TITLE`), else after its district."""
    if settings.title:
        return settings.title
    name = district_name(settings, language)
    for kind in (*_REGION_KINDS, *(f" {kind}" for kind in _REGION_KINDS.values())):
        if name.endswith(kind) and len(name) > len(kind) + 1:
            name = name.removesuffix(kind)
            break
    return str(load_text(language)["page"]["title"].format(name=name))


def district_name(settings: Settings, language: str) -> str:
    """Return what the district is called in a language: its official name, in English `BAITA_NAME_EN` if it is set."""
    name = home_name(settings.adcode)
    if language == "zh":
        return name
    return settings.name_en or english_region(name)


def english_region(name: str) -> str:
    """Return the official name of a district in English; a character's commonest sound is taken.

    Examples
    --------
    >>> english_region("白塔区")
    'Baita District'

    A name of one syllable keeps its ending, as its road signs do:

    >>> english_region("蔚县")
    'Yuxian County'
    """
    for ending, kind in _REGION_KINDS.items():
        if name.endswith(ending):
            stem = name.removesuffix(ending)
            return f"{spell_out(stem if len(stem) > 1 else name)} {kind}"
    return spell_out(name)


def title_of(
    chosen: SiteFilter,
    categories: Categories,
    text: dict[str, Any],
    *,
    language: str,
    district: str,
) -> str:
    """Return a title: the district and the kinds of which anything is shown."""
    words = text["title"]
    kinds = [
        kind.label[language]
        for kind in categories
        if any(status.key not in chosen.hidden for status in kind.statuses)
    ]
    if len(kinds) in (0, len(categories.kinds)):
        return str(words["all"].format(district=district))
    return str(words["some"].format(district=district, kinds=words["and"].join(kinds)))


def subtitle_of(
    chosen: SiteFilter, categories: Categories, text: dict[str, Any], *, language: str
) -> str:
    """Return what narrows the selection, in words; "" when nothing does."""
    words, and_ = text["title"], text["title"]["and"]
    parts = [time] if (time := time_of(chosen, words)) else []
    partly = _partly_shown(chosen, categories, language)
    if partly:
        parts.append(words["only"].format(what=and_.join(partly)))
    if chosen.text:
        parts.append(words["search"].format(text=chosen.text))
    if chosen.streets:
        names = [text["page"]["no_street"] if s == NO_STREET else s for s in chosen.streets]
        parts.append(words["street"].format(what=and_.join(names)))
    if chosen.precisions:
        names = [text["map"]["precisions"][p] for p in chosen.precisions]
        parts.append(words["precision"].format(what=and_.join(names)))
    if chosen.until:
        parts.append(words["until"].format(date=chosen.until.isoformat()))
    return " ｜ ".join(parts)


def time_of(chosen: SiteFilter, words: dict[str, str]) -> str:
    """Return which day is shown and which one it is compared with, in words; "" for the present alone."""
    days = {"date": chosen.as_of or chosen.since, "since": chosen.since}
    if chosen.as_of:
        return words["day_since" if chosen.since else "day"].format(**days)
    return words["since"].format(**days) if chosen.since else ""


def source_line(files: Sequence[str], words: dict[str, str]) -> str:
    """Return where sites come from, in words: the three main files; "" if none is known."""
    return words["source"].format(source=words["and"].join(files[:3])) if files else ""


def _partly_shown(chosen: SiteFilter, categories: Categories, language: str) -> list[str]:
    """Name the statuses still shown of each kind that is neither wholly shown nor wholly hidden."""
    names = []
    for kind in categories:
        shown = [s.label[language] for s in kind.statuses if s.key not in chosen.hidden]
        if 0 < len(shown) < len(kind.statuses):
            names.extend(shown)
    return names
