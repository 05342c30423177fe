"""Invented files to try an import with, as the data folder brings them: samples/try/ with its list.toml."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from geo.category import LANGUAGES
from geo.settings import Settings

_LIST = "list.toml"


@dataclass(frozen=True, slots=True)
class Sample:
    """One file to try, and what it is called in each language."""

    path: Path
    label: dict[str, str]


def read_samples(settings: Settings) -> list[Sample]:
    """Return the samples of the data folder in the order of their list; none if it has no list.

    A file that the list names and that is not there is left out: a folder of samples is nobody's duty.
    """
    folder = settings.data / "samples" / "try"
    if not (folder / _LIST).is_file():
        return []
    listed = tomllib.loads((folder / _LIST).read_text(encoding="utf-8"))["sample"]
    found = [
        Sample(folder / Path(one["file"]).name, {name: str(one[name]) for name in LANGUAGES})
        for one in listed
    ]
    return [sample for sample in found if sample.path.is_file()]
