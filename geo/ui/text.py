"""All words of the pages, one file for each language: zh.toml and en.toml."""

from __future__ import annotations

import logging
import secrets
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Any

from geo.category import LANGUAGES

log = logging.getLogger(__name__)

_FOLDER = Path(__file__).parent


@lru_cache(maxsize=len(LANGUAGES))
def load_text(language: str) -> dict[str, Any]:
    """Return the words of a language by section and name.

    Raises
    ------
    KeyError
        If there is no such language.
    """
    if language not in LANGUAGES:
        raise KeyError(language)
    return tomllib.loads((_FOLDER / f"{language}.toml").read_text(encoding="utf-8"))


def choose_language(locale: str | None, default: str = "zh") -> str:
    """Return the language for a browser's locale: English for a browser that is not Chinese, else the default."""
    if not locale:
        return default
    return "zh" if locale.lower().startswith("zh") else "en"


def log_failure(error: Exception, language: str) -> str:
    """Log an error under a new number and return what a person is told: plain words with that number, no details."""
    number = secrets.token_hex(4)
    log.error("error %s", number, exc_info=error)
    return str(load_text(language)["page"]["failed"]).format(id=number)
