"""The user guide inside the app: chapters in Markdown for each language, made one page that works without a script.

Words of buttons are never typed into a chapter: `{word map.desk.read}` is what the button says now, in the chapter's
language. Besides there are `{key i}`, `{said part of a message}`, `{picture name | what it shows}` and `{symbols}`,
which draws the district's own categories. Raw HTML is shown as text, and links go to other chapters only.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from PIL import Image

from geo.category import Categories
from geo.ui.explain import load_messages
from geo.ui.guide.symbols import symbol_svg
from geo.ui.text import load_text

FOLDER = Path(__file__).parent
PICTURES = FOLDER / "pictures"
_MARK = re.compile(r"\{(word|key|said|picture|symbols)(?: ([^{}]*(?:\{\w+\}[^{}]*)*))?\}")
_GAP = re.compile(r"[（(]?\{[\w:?]+\}[）)]?")
_CHAPTER = re.compile(r"\d+-([a-z-]+)\.md")


@dataclass(frozen=True, slots=True)
class Chapter:
    """One chapter: the name that links use, its heading, its Markdown."""

    name: str
    title: str
    source: str


def chapters(language: str) -> list[Chapter]:
    """Return the chapters of a language in order.

    Raises
    ------
    ValueError
        If a file is not called like a chapter.
    """
    found = []
    for path in sorted((FOLDER / language).glob("*.md")):
        name = _CHAPTER.fullmatch(path.name)
        if name is None:
            raise ValueError(f"{path.name} is not called like 02-import.md")
        source = path.read_text(encoding="utf-8")
        found.append(Chapter(name[1], source.partition("\n")[0].removeprefix("# "), source))
    return found


def guide_page(language: str, categories: Categories, *, title: str, assets: str) -> str:
    """Return the whole guide as one HTML page.

    Parameters
    ----------
    language
        zh or en.
    categories
        Whose symbols are drawn and explained.
    title
        What the app is called.
    assets
        Address of the folder with guide.css, relative to the page's own.
    """
    words, parts = load_text(language)["guide"], chapters(language)
    body = "".join(
        f'<section id="{part.name}">{render(part.source, language, categories)}</section>'
        for part in parts
    )
    links = "".join(f'<li><a href="#{part.name}">{escape(part.title)}</a></li>' for part in parts)
    other = "en" if language == "zh" else "zh"
    return (
        f'<!DOCTYPE html><html lang="{"zh-CN" if language == "zh" else "en"}"><head>'
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(words['title'])} · {escape(title)}</title>"
        f'<link rel="stylesheet" href="{escape(assets)}/guide.css"></head><body>'
        f"<header><h1>{escape(title)}<small>{escape(words['title'])}</small></h1>"
        f"<p>{escape(words['print'])}</p>"
        f'<a class="other" href="{other}" lang="{other}">{escape(words["other"])}</a></header>'
        f'<nav aria-label="{escape(words["contents"])}"><ol>{links}</ol></nav>'
        f"<main>{body}</main></body></html>"
    )


GUIDE_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'"
)
"""The Content-Security-Policy of the guide: no script at all, nothing from elsewhere."""


def render(source: str, language: str, categories: Categories) -> str:
    """Return a chapter's Markdown as HTML.

    Raises
    ------
    KeyError
        If it names a word, a message or a picture that is not there.
    """
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    # A link may go to another chapter and nowhere else.
    markdown.validateLink = lambda url: url.startswith("#")  # type: ignore[method-assign]
    markdown.core.ruler.push("marks", _find_marks)
    markdown.add_render_rule("mark", _draw_mark)
    return str(markdown.render(source, {"language": language, "categories": categories}))


def _find_marks(state: Any) -> None:
    """Cut the marks out of the text; code keeps its braces."""
    for block in state.tokens:
        if block.type == "inline":
            block.children = [part for token in block.children for part in _cut(token)]


def _cut(token: Token) -> list[Token]:
    if token.type != "text":
        return [token]
    parts, last = [], 0
    for found in _MARK.finditer(token.content):
        parts += [_text(token.content[last : found.start()])]
        meta = {"name": found[1], "argument": (found[2] or "").strip()}
        parts += [Token("mark", "", 0, meta=meta)]
        last = found.end()
    return [*parts, _text(token.content[last:])]


def _text(content: str) -> Token:
    return Token("text", "", 0, content=content)


def _draw_mark(
    renderer: RendererHTML, tokens: Sequence[Token], index: int, options: Any, env: Any
) -> str:
    meta, language = tokens[index].meta, env["language"]
    argument = meta["argument"]
    if meta["name"] == "word":
        return f'<b class="word">{escape(said_word(argument, language))}</b>'
    if meta["name"] == "said":
        return escape(said_message(argument, language))
    if meta["name"] == "key":
        return "+".join(f"<kbd>{escape(key)}</kbd>" for key in _keys(argument))
    if meta["name"] == "picture":
        return _picture(*(part.strip() for part in argument.split("|", 1)), language=language)
    return _symbols(env["categories"], language)


def _keys(argument: str) -> list[str]:
    """Return the keys of a stroke as keyboards show them: i is I, Ctrl+Z two keys."""
    parts = argument.split("+") if len(argument) > 1 else [argument]
    return [part.upper() if len(part) == 1 else part for part in parts]


def said_word(path: str, language: str) -> str:
    """Return a word of the page by its place in zh.toml and en.toml, without the gaps it fills while running.

    Raises
    ------
    KeyError
        If there is no such word.
    """
    found: Any = load_text(language)
    for name in path.split("."):
        found = found[name]
    if not isinstance(found, str):
        raise KeyError(path)
    # 表格 {n} is 表格 to a reader, and what stands inside a sentence is ….
    plain = re.sub(r"\s*[（(]?\{\w+\}[）)]?$", "", found)
    return _GAP.sub("…", plain)


def said_message(part: str, language: str) -> str:
    """Return the message of the stages that has a part in it, with … for what it names.

    Raises
    ------
    KeyError
        If no message has it, or more than one.
    """
    found = [(key, words) for key, words in load_messages()["message"].items() if part in key]
    if len(found) != 1:
        raise KeyError(f"{part}: in {len(found)} messages")
    return re.sub(r"\{[^{}]*\}", "…", found[0][0 if language == "en" else 1])


# ---- pictures and symbols ----------------------------------------------------------------------------------------


def picture_path(name: str, language: str) -> Path:
    """Return where a picture of the guide is.

    Raises
    ------
    KeyError
        If there is none of that name.
    """
    path = PICTURES / f"{name}-{language}.webp"
    if not re.fullmatch(r"[a-z]+", name) or not path.is_file():
        raise KeyError(name)
    return path


@lru_cache(maxsize=64)
def _size(path: Path) -> tuple[int, int]:
    with Image.open(path) as picture:
        return picture.size


def _picture(name: str, about: str, *, language: str) -> str:
    width, height = _size(picture_path(name, language))
    words = escape(about)
    # Its size is said, so that a page that is still loading does not jump.
    return (
        f'<span class="picture"><img src="picture/{name}-{language}.webp" alt="{words}" '
        f'width="{width}" height="{height}" loading="lazy"><i>{words}</i></span>'
    )


def _symbols(categories: Categories, language: str) -> str:
    """Return every kind with its statuses, drawn."""
    kinds = []
    for kind in categories:
        rows = "".join(
            f"<span>{symbol_svg(kind.shape, status)}{escape(status.label[language])}</span>"
            for status in kind.statuses
        )
        question = escape(kind.question.get(language, ""))
        kinds.append(
            f'<span class="kind"><b>{escape(kind.label[language])}</b> <i>{question}</i>{rows}</span>'
        )
    return f'<span class="symbols">{"".join(kinds)}</span>'
