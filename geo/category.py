"""Kinds of site and their statuses, read from data/categories.toml.

A category is a (kind, status) pair, written `kind.status` in filters, links and the command line
(`enterprise.resumed`). Each has a small number, its *code*: its position in the file, 0 to 254, which the
map's binary layer and filters use. Codes live only as long as a page; files and stores keep the words.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from geo.errors import CategoryError

SHAPES = ("circle", "diamond", "square", "triangle", "line")
LANGUAGES = ("zh", "en")
MAX_CATEGORIES = 255  # one byte per site on the map; 255 is left free
KIND_FIELDS = frozenset({"code", "label", "question", "shape", "unknown", "synonyms", "status"})
STATUS_FIELDS = frozenset({"code", "label", "fill", "glyph", "hollow", "dashed", "synonyms"})
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
_CODE = re.compile(r"[a-z][a-z0-9_]*")
# Zero-width spaces, direction marks, soft hyphens and BOMs come along when a cell is pasted from Word or a
# web page. Nobody sees them, so no word may differ by them.
_UNSEEN = re.compile(r"[\s\u00ad\u200b-\u200f\u2060\ufeff]+")

DEFAULT_PATH = Path(__file__).resolve().parent.parent / "data" / "categories.toml"


@dataclass(frozen=True, slots=True)
class Status:
    """One answer to a kind's question, and how it looks."""

    kind: str
    code: str
    label: Mapping[str, str]
    fill: str
    glyph: str = ""
    hollow: bool = False
    dashed: bool = False
    synonyms: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """`kind.status`, unique in the file."""
        return f"{self.kind}.{self.code}"


@dataclass(frozen=True, slots=True)
class Kind:
    """One class of site: its shape on the map and its statuses in order."""

    code: str
    label: Mapping[str, str]
    question: Mapping[str, str]
    shape: str
    unknown: str
    statuses: tuple[Status, ...]
    synonyms: tuple[str, ...] = ()


@dataclass(frozen=True)
class Categories:
    """All kinds and statuses of one district, in the order of the file."""

    kinds: tuple[Kind, ...]
    source: str = field(default="", compare=False)

    @cached_property
    def statuses(self) -> tuple[Status, ...]:
        """Every status of every kind; the position is its code on the map."""
        return tuple(status for kind in self.kinds for status in kind.statuses)

    @cached_property
    def codes(self) -> dict[str, int]:
        """`kind.status` to code."""
        return {status.key: code for code, status in enumerate(self.statuses)}

    @cached_property
    def _kinds(self) -> dict[str, Kind]:
        return {kind.code: kind for kind in self.kinds}

    @cached_property
    def _kind_words(self) -> dict[str, str]:
        return {
            fold(word): kind.code
            for kind in self.kinds
            for word in (kind.code, *kind.label.values(), *kind.synonyms)
        }

    @cached_property
    def _status_words(self) -> dict[tuple[str, str], Status]:
        return {
            (status.kind, fold(word)): status
            for status in self.statuses
            for word in (status.code, *status.label.values(), *status.synonyms)
        }

    def __iter__(self) -> Iterator[Kind]:
        return iter(self.kinds)

    def kind(self, code: str) -> Kind:
        """Return a kind by its code; `CategoryError` if there is none."""
        try:
            return self._kinds[code]
        except KeyError:
            known = ", ".join(self._kinds)
            raise CategoryError(f'kind "{code}" is not one of {known}') from None

    def status(self, kind: str, code: str) -> Status:
        """Return a status by kind and code; `CategoryError` if there is none."""
        number = self.codes.get(f"{kind}.{code}")
        if number is None:
            known = ", ".join(s.code for s in self.kind(kind).statuses)
            raise CategoryError(f'status "{code}" of {kind} is not one of {known}')
        return self.statuses[number]

    def read_kind(self, text: str) -> str:
        """Return the kind a person's word means (企业, project, 停车整治 ...).

        Raises
        ------
        CategoryError
            If the word is not in the file; the text lists what is.
        """
        try:
            return self._kind_words[fold(text)]
        except KeyError:
            known = ", ".join(kind.label["zh"] for kind in self.kinds)
            raise CategoryError(f'kind "{text}" is not one of {known}') from None

    def read_status(self, kind: str, text: str) -> Status:
        """Return the status a person's word means for a kind; empty text means the kind's `unknown`.

        Raises
        ------
        CategoryError
            If the word is not in the file; the text lists what is.
        """
        if not fold(text):
            return self.status(kind, self.kind(kind).unknown)
        try:
            return self._status_words[kind, fold(text)]
        except KeyError:
            known = ", ".join(status.label["zh"] for status in self.kind(kind).statuses)
            raise CategoryError(f'status "{text}" is not one of {known}') from None


def fold(text: str) -> str:
    """Return a word for comparison: NFKC, no white space, nothing invisible, lower case.

    Examples
    --------
    >>> fold(" 已复工（Ａ区） ")
    '已复工(a区)'
    """
    seen = _UNSEEN.sub("", unicodedata.normalize("NFKC", text))
    # Once more, so that folding twice is folding once: an accent may now stand right behind its letter.
    return unicodedata.normalize("NFKC", seen.casefold())


@lru_cache(maxsize=8)
def load_categories(path: Path = DEFAULT_PATH) -> Categories:
    """Return the categories of a district.

    Parameters
    ----------
    path
        A TOML file like data/categories.toml, UTF-8.

    Raises
    ------
    CategoryError
        If the file cannot be read, or lists every fault found in it.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        # An OSError's own text has the whole path in it, which is nobody's business at the screen.
        why = error.strerror if isinstance(error, OSError) else error
        raise CategoryError(f"{path.name} cannot be read: {why}") from error
    faults = list(_faults(raw))
    if faults:
        raise CategoryError(f"{path.name}: " + "; ".join(faults))
    return Categories(tuple(_kind(table) for table in raw["kind"]), source=path.name)


def _kind(table: dict[str, Any]) -> Kind:
    return Kind(
        code=table["code"],
        label=table["label"],
        question=table.get("question", table["label"]),
        shape=table["shape"],
        unknown=table["unknown"],
        synonyms=tuple(table.get("synonyms", ())),
        statuses=tuple(_status(table["code"], status) for status in table["status"]),
    )


def _status(kind: str, table: dict[str, Any]) -> Status:
    known = {name: table[name] for name in ("fill", "glyph", "hollow", "dashed") if name in table}
    synonyms = tuple(table.get("synonyms", ()))
    return Status(kind=kind, code=table["code"], label=table["label"], synonyms=synonyms, **known)


def _faults(raw: dict[str, Any]) -> Iterator[str]:
    kinds = raw.get("kind")
    if not _is_list_of(dict, kinds) or not kinds:
        yield "it has no [[kind]]"
        return
    codes: set[str] = set()
    words: dict[str, str] = {}
    total = 0
    for number, table in enumerate(kinds, start=1):
        where = f"kind {table.get('code') or number}"
        yield from _table_faults(where, table, codes, words)
        yield from _kind_faults(where, table)
        total += len(table["status"]) if _is_list_of(dict, table.get("status")) else 0
    if total > MAX_CATEGORIES:
        yield f"{total} statuses; the map holds {MAX_CATEGORIES}"


def _kind_faults(where: str, table: dict[str, Any]) -> Iterator[str]:
    """Name what is wrong with one kind besides its own name, and with its statuses."""
    yield from _unknown_fields(where, table, KIND_FIELDS)
    if "question" in table:
        yield from _label_faults(where, table, "question")
    if table.get("shape") not in SHAPES:
        yield f"{where}: shape is not one of {', '.join(SHAPES)}"
    statuses = table.get("status")
    if not _is_list_of(dict, statuses) or not statuses:
        yield f"{where}: it has no [[kind.status]]"
        return
    codes: set[str] = set()
    words: dict[str, str] = {}
    for position, status in enumerate(statuses, start=1):
        place = f"{where}, status {status.get('code') or position}"
        yield from _table_faults(place, status, codes, words)
        yield from _look_faults(place, status)
    if str(table.get("unknown")) not in codes:
        yield f"{where}: unknown does not name one of its statuses"


def _look_faults(where: str, status: dict[str, Any]) -> Iterator[str]:
    yield from _unknown_fields(where, status, STATUS_FIELDS)
    if not _COLOUR.fullmatch(str(status.get("fill", ""))):
        yield f"{where}: fill is not a colour like #08306b"
    if not isinstance(status.get("glyph", ""), str):
        yield f"{where}: glyph is not text"
    elif len(status.get("glyph", "")) > 1:
        yield f"{where}: glyph is more than one character"
    for name in ("hollow", "dashed"):
        if not isinstance(status.get(name, False), bool):
            yield f"{where}: {name} is not true or false"


def _table_faults(
    where: str, table: dict[str, Any], codes: set[str], words: dict[str, str]
) -> Iterator[str]:
    """Name what is wrong with a kind's or status's code, label and synonyms, among its siblings'."""
    code = str(table.get("code", ""))
    if not _CODE.fullmatch(code):
        yield f"{where}: code must be small letters, digits and _"
    if code in codes:
        yield f"{where}: code appears twice"
    codes.add(code)
    yield from _label_faults(where, table, "label")
    if not _is_list_of(str, table.get("synonyms", [])):
        yield f"{where}: synonyms is not a list of words"
    yield from _word_faults(where, table, words)


def _label_faults(where: str, table: dict[str, Any], name: str) -> Iterator[str]:
    label = table.get(name) if isinstance(table.get(name), dict) else {}
    missing = [lang for lang in LANGUAGES if not _is_text(label, lang)]
    if missing:
        yield f"{where}: {name} has no {' or '.join(missing)}"


def _word_faults(where: str, table: dict[str, Any], words: dict[str, str]) -> Iterator[str]:
    """Name each word that also means a sibling: reading it would be a guess."""
    label = table["label"].values() if isinstance(table.get("label"), dict) else ()
    synonyms = table.get("synonyms", [])
    own = [table.get("code", ""), *label, *(synonyms if isinstance(synonyms, list) else ())]
    code = str(table.get("code", ""))
    for word in sorted({fold(str(word)) for word in own}):
        if words.setdefault(word, code) != code:
            yield f'{where}: "{word}" also means {words[word]}'


def _unknown_fields(where: str, table: dict[str, Any], known: frozenset[str]) -> Iterator[str]:
    """Name each field nobody reads: a slip like `synonym =` would otherwise go unseen."""
    for name in sorted(table.keys() - known):
        yield f"{where}: {name} is not one of {', '.join(sorted(known))}"


def _is_list_of(kind: type, value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, kind) for item in value)


def _is_text(label: Any, language: str) -> bool:
    return isinstance(label.get(language), str) and bool(label[language].strip())
