"""Text on its way into a page that Folium writes.

Folium and branca render a page's text as Jinja templates, some of it twice, so `{{ ... }}` in a value would run on
the server. Site text therefore never enters the page at all (the map's script fetches it and sets
`textContent`). The little that must, labels and colours from our own files, goes through here.
"""

from __future__ import annotations

import json
import re

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
# Everything that means something to Jinja, HTML or a script; as \\u escapes it is the same string to JSON.
_ACTIVE = {ord(c): f"\\u{ord(c):04x}" for c in "{}<>&%#'`$"}


def script_json(value: object) -> str:
    """Return a value as JSON that stays inert inside a script element, however often it is rendered.

    Parameters
    ----------
    value
        Anything `json.dumps` takes; NaN is refused.

    Returns
    -------
    text
        ASCII only. Inside strings no character is left that opens a Jinja tag, a comment, an HTML tag, an
        entity or a template literal; `json.loads(text)` gives the value back.

    Raises
    ------
    ValueError
        If the value holds NaN or infinity, which JSON has no word for.

    Examples
    --------
    >>> "<" in script_json("</script>")
    False
    """
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    text = _STRING.sub(lambda match: match.group().translate(_ACTIVE), text)
    # Outside strings only an empty object inside an object could put two opening braces side by side: it cannot.
    # Closing braces do meet, and Jinja minds them only after an opening pair.
    return text
