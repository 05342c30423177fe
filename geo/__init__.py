"""白塔一张图 (Baita One Map): from a bulletin's facts to a filtered map and a picture for the meeting."""

__version__ = "0.1.0"
