"""Shared by all tests: where the browser is, and that browser tests never run side by side."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

from geo import bootstrap

# How long one example takes says how busy the machine is, not whether the law holds.
settings.register_profile("laws", deadline=None)
settings.load_profile("laws")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # With `--dist loadgroup` one worker takes the whole group; two browsers at once disturb each other's timings.
    for item in items:
        if item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.xdist_group("browser"))


@pytest.fixture(scope="session")
def chromium_path() -> Path:
    """The browser to drive; without one a browser test is skipped on a PC and fails in CI."""
    found = bootstrap.find_chromium()
    if found is None:
        tell = pytest.fail if os.environ.get("CI") else pytest.skip
        tell("no Chromium, Chrome or Edge; run `python3 -m geo setup`")
    return found
