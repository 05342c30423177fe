"""Any change of any file: its rows are told or it is refused in one line, within its limits. Never anything else."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from seeds import read_or_refuse, seeds

from geo import bootstrap

HARNESS = Path(__file__).with_name("fuzz_readers.py")
IN_CHILD = settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
HERE = settings(max_examples=60, deadline=None)
NASTY = (b"\0", b"\xff\xfe", b'"', b"<!DOCTYPE x>", b"9" * 400, b"\xf0\x9f", b"]}", b"\n" * 50)


@st.composite
def changed(draw, data):
    """A file with some of its bytes cut out, doubled or replaced."""
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(len(data) - 1, 0)))
        size = draw(st.sampled_from((1, 2, 8, 64, len(data))))
        put = draw(
            st.binary(max_size=8) | st.sampled_from(NASTY) | st.just(data[at : at + size] * 2)
        )
        data = data[:at] + put + data[at + size :]
    return data


@pytest.mark.parametrize("name", sorted(seeds()))
def test_a_good_file_is_read(name):
    # A KML has no column for it; a person chooses the kind.
    asked = "no column says what kind of site" if name == "layer.kml" else ""
    said = read_or_refuse(name, seeds()[name])
    assert asked in said
    assert bool(said) is bool(asked)


@pytest.mark.parametrize("name", sorted(seeds()))
@IN_CHILD
@given(data=st.data())
def test_a_changed_file_is_read_or_refused(name, data):
    read_or_refuse(name, data.draw(changed(seeds()[name])))


@pytest.mark.parametrize("name", ["table.csv", "table.txt"])
@HERE
@given(data=st.data())
def test_a_changed_table_is_read_or_refused_without_a_child_too(name, data):
    read_or_refuse(name, data.draw(changed(seeds()[name])), sandboxed=False)


def test_a_bounded_time_of_coverage_led_fuzzing_finds_nothing(tmp_path):
    if find_spec("atheris") is None:
        wanted = "fuzz" in bootstrap.test_extras() and os.environ.get("CI")
        tell = pytest.fail if wanted else pytest.skip
        tell("atheris is not installed; the tests above change files at random")
    command = [
        sys.executable,
        str(HARNESS),
        "-max_total_time=15",
        "-max_len=2000",
        "-rss_limit_mb=1500",
    ]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=180, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "DONE" in done.stderr or "Done" in done.stderr
