"""Messages of the stages in the reader's language. They are written in English where they arise."""

from __future__ import annotations


def explain(message: str, language: str) -> str:
    """Return a message in a language; as it is, if there is no other word for it."""
    return message
