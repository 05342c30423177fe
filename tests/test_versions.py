"""The floors of pyproject.toml are what .ci/versions tries, and what CONTRIBUTING says was tried."""

import re
import runpy
from pathlib import Path

import pytest

from geo.bootstrap import wanted_requirements

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = runpy.run_path(str(ROOT / ".ci" / "versions"))
CONTRIBUTING = (ROOT / ".github" / "CONTRIBUTING.md").read_text(encoding="utf-8")


def _release(version):
    """1.60 and 1.60.0 are one release."""
    return re.sub(r"(\.0)+$", "", version)


def test_the_oldest_run_takes_each_dependency_at_its_floor():
    asked = SCRIPT["requirements"]("oldest")
    app = wanted_requirements()
    assert asked[: len(app)] == [line.replace(">=", "==") for line in app]
    assert all(re.fullmatch(r"[A-Za-z0-9-]+==[0-9.]+", line) for line in asked[: len(app)])


def test_the_newest_run_pins_nothing():
    assert SCRIPT["requirements"]("newest") == wanted_requirements(("test",))


@pytest.mark.parametrize(("name", "floor"), sorted(SCRIPT["floors"]().items()))
def test_the_floor_is_the_version_that_was_tried(name, floor):
    """Whoever changes a floor runs `.ci/versions oldest` and writes down what it prints."""
    [tried] = re.findall(r"(?m)^oldest: (.*)$", CONTRIBUTING)
    versions = dict(pair.split(" ") for pair in tried.split(", "))
    assert _release(versions[name]) == _release(floor)
