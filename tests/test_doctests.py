"""The examples in docstrings are true: each is run here, so that they are part of every test run."""

import doctest
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
WITH_EXAMPLES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in sorted((ROOT / "geo").rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("module", WITH_EXAMPLES)
def test_the_examples_of_a_module_are_true(module):
    failed, tried = doctest.testmod(import_module(module))
    assert tried
    assert not failed


def test_the_ways_into_the_app_are_shown_by_example():
    """What people call with words of their own: coordinates, days, links, sheets, schemes, names."""
    shown = "geo.day geo.scheme geo.view geo.export.frame geo.locate.datum geo.locate.links geo.ui.describe"
    assert set(shown.split()) <= set(WITH_EXAMPLES)
