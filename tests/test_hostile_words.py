"""Any words on the command line: an answer, or one line that says what was wrong. Never a traceback."""

import json
import os
import re
import stat
from contextlib import redirect_stderr, redirect_stdout
from io import BytesIO, TextIOWrapper

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naughty import NAUGHTY, UNKEPT

from geo.__main__ import main

ODD = (*NAUGHTY, *UNKEPT, "", "nan", "1e400", "9" * 5000, ".", "x" * 300)
COMMANDS = (
    ["read", None],
    ["read", "a.txt", "--as-of", None],
    ["load", None],
    ["locate", "甲", "--city", None],
    ["sites", "--hide", None],
    ["sites", "--as-of", None],
    ["sites", "--store", None],
    ["datum", None, "41", "--from", "wgs84", "--to", "gcj02"],
    ["datum", "123", "41", "--from", None, "--to", "gcj02"],
    ["datum", "123", "41", "--from", "wgs84", "--to", None],
    ["export", "--format", "xlsx", "--out", None],
    ["export", "--format", "csv", "--out", "x.csv", "--bbox", None],
    ["backup", "--out", None],
    ["restore", None],
    ["member", None, "--role", "viewer"],
    ["audit", "--limit", None],
    ["gazetteer", "build", None],
    [None],
)
WRITES = {"--out", "--store"}
"""What names a file to be written: only words that stay in the test's own folder may stand there.

The tests may run as root, and a naughty path would then take the place of the machine's own files and devices.
"""
bounded = settings(max_examples=60, deadline=None)


@pytest.fixture(scope="module", autouse=True)
def _own_place(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("words")
        patch.setenv("BAITA_STORE", str(folder / "baita.gpkg"))
        patch.chdir(folder)
        yield


def _stays_here(word):
    return not re.search(r"[/\\:]|^\.\.?$", word)


def _said(words):
    out, err = (TextIOWrapper(BytesIO(), encoding="utf-8") for _ in range(2))
    with redirect_stdout(out), redirect_stderr(err):
        try:
            code = main(words)
        except SystemExit as ended:
            code = ended.code
    told = []
    for stream in (out, err):
        stream.flush()
        told.append(stream.buffer.getvalue().decode())
    return code, *told


def _is_answer_or_refusal(words):
    code, out, err = _said(words)
    assert code in (0, 2), words
    if code == 2:
        assert out == ""
        assert err.startswith("python -m geo")
        assert err.count("\n") == 1
        assert len(err) < 5000
        assert "Traceback" not in err
    elif out and "--help" not in words and "-h" not in words:
        json.loads(out)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: " ".join(w or "?" for w in words))
@bounded
@given(data=st.data())
def test_a_naughty_word_is_answered_or_refused_in_one_line(command, data):
    word = data.draw(st.sampled_from(ODD) | st.text(max_size=20))
    if word in ("run", "test", "setup") and command == [None]:
        return
    if set(command) & WRITES and not _stays_here(word):
        return
    _is_answer_or_refusal([word if one is None else one for one in command])


@pytest.mark.parametrize("text", UNKEPT)
def test_what_is_no_text_is_refused_before_anything_is_done(text):
    code, out, err = _said(["sites", "--q", text])
    assert (code, out) == (2, "")
    assert "word 3" in err


def test_a_refusal_does_not_steer_the_terminal():
    code, _, err = _said(["sites", "--as-of", "\x1b[31m\x07\u202e甲"])
    assert code == 2
    assert "\x1b" not in err
    assert "\u202e" not in err


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with a name")
def test_an_export_never_takes_the_place_of_a_device_or_a_pipe(tmp_path):
    """Run as root, `--out` on a device of the machine would otherwise replace the device by a file."""
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    code, out, err = _said(["export", "--format", "csv", "--out", str(pipe)])
    assert (code, out) == (2, "")
    assert "no ordinary file" in err
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert [one.name for one in tmp_path.iterdir()] == ["pipe.csv"]
