"""Every bad file of the corpus has the outcome it must have, and none takes the process with it."""

import re

import pytest
from bad_files import CASES

from geo.errors import SourceError
from geo.read import Layout, Limits, inspect_source, open_source, read_source


def _read(case, path, *, sandboxed):
    contents = open_source(path, limits=Limits(**case.limits), sandboxed=sandboxed)
    if not case.kind:
        return read_source(contents, limits=Limits(**case.limits))
    inspection = inspect_source(contents)
    raw = inspection.layout.to_json() | {"kind": case.kind}
    return read_source(contents, layout=Layout.from_json(raw), limits=Limits(**case.limits))


def _told(report):
    notes = [f"{record.note} {record.as_of}" for record in report.records]
    problems = [problem.message for problem in (*report.problems, *report.skipped)]
    return " | ".join([*problems, *notes, *report.warnings, *report.asks])


def _check(case, folder, *, sandboxed):
    path = folder / case.name
    path.write_bytes(case.make())
    if case.refused:
        with pytest.raises(SourceError, match=re.escape(case.name)) as caught:
            _read(case, path, sandboxed=sandboxed)
        assert re.search(case.refused, str(caught.value)), str(caught.value)
        assert str(folder) not in str(caught.value)
        assert "\n" not in str(caught.value)
        return
    report = _read(case, path, sandboxed=sandboxed)
    assert (len(report.records), len(report.problems)) == (case.good, case.bad), _told(report)
    assert case.said in _told(report)


def test_there_are_enough_of_them_and_no_two_share_a_name():
    assert len({case.name for case in CASES}) == len(CASES) >= 80


@pytest.mark.parametrize("case", [c for c in CASES if not c.risky], ids=lambda case: case.name)
def test_a_bad_file_is_told_row_by_row_or_refused_by_name(tmp_path, case):
    _check(case, tmp_path, sandboxed=False)


@pytest.mark.parametrize("case", [c for c in CASES if c.risky], ids=lambda case: case.name)
def test_a_dangerous_file_ends_in_the_child_and_not_here(tmp_path, case):
    _check(case, tmp_path, sandboxed=True)
