"""README says what is so: every command runs, every link and picture is there, every change is told."""

import json
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from lxml import etree

from geo.__main__ import _parser
from geo.pipeline import prepare_store
from geo.settings import load_settings

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("README.md", ".github/CONTRIBUTING.md", ".github/CHANGELOG.md")
NOT_HERE = {
    "run": "starts a server",
    "test": "runs these very tests",
    "setup": "installs packages",
    "geocode": "asks a service on the network",
    "gazetteer": "needs an extract that nobody has here; its own tests build one",
    "bulk": "takes eight processes and a register of millions; its own tests run it small",
    "copy": "needs a PostGIS address; tests/store copies both ways",
}
"""Commands that are checked to parse and to explain themselves, and why they are not run."""


def _commands(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    for block in re.findall(r"^```\w*\n(.*?)^```", text, re.M | re.S):
        yield from (line for line in block.splitlines() if line.strip())


COMMANDS = [(page, line) for page in PAGES for line in _commands(page)]
GEO = [shlex.split(line, comments=True)[3:] for _, line in COMMANDS if " -m geo " in line]
RUN = [words for words in GEO if words[0] not in NOT_HERE]


@pytest.fixture(scope="module")
def office(tmp_path_factory):
    """A folder with what README's commands name: a store my.gpkg, a bulletin, and the project's data."""
    folder = tmp_path_factory.mktemp("office")
    (folder / "data").symlink_to(ROOT / "data")
    settings = load_settings({"BAITA_STORE": str(folder / "my.gpkg"), "BAITA_WHO": "lin"})
    prepare_store(settings).close()
    shutil.copy(ROOT / "data" / "samples" / "try" / "bulletin.docx", folder / "通报.docx")
    return folder


def test_every_fenced_line_is_a_command_that_is_known():
    for page, line in COMMANDS:
        words = shlex.split(line, comments=True)
        if words[0] == "export":
            assert re.fullmatch(r"BAITA_[A-Z_]+=\S+", words[1]), line
        elif words[:3] in (["python", "-m", "geo"], ["python3", "-m", "geo"]):
            _parser().parse_args(words[3:])
        elif words[0].startswith("python"):
            assert (ROOT / words[1]).is_file(), line
        else:
            assert (ROOT / words[0]).is_file(), (page, line)
    assert len(GEO) > 18
    assert {words[0] for words in GEO} == {words[0] for words in RUN} | set(NOT_HERE)


@pytest.mark.parametrize("words", RUN, ids=" ".join)
def test_each_command_runs(office, words):
    # Without --store a command means the installation's own: here too it is the office's.
    env = {name: value for name, value in os.environ.items() if not name.startswith("BAITA_")}
    env |= {"BAITA_STORE": str(office / "my.gpkg"), "PYTHONPATH": str(ROOT)}
    if words[0] == "restore":
        backup = [sys.executable, "-m", "geo", "backup", "--store", "my.gpkg"]
        subprocess.run(backup, cwd=office, env=env, check=True, capture_output=True, timeout=120)
    done = subprocess.run(
        [sys.executable, "-m", "geo", *words],
        cwd=office,
        env=env,
        capture_output=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    json.loads(done.stdout)
    if "--out" in words:
        out = office / words[words.index("--out") + 1]
        assert out.is_file() or out.with_suffix(".zip").is_file()


@pytest.mark.parametrize("name", sorted(NOT_HERE))
def test_the_others_explain_themselves(name, capsys):
    if name in ("run", "test"):
        return  # what follows these words goes to streamlit and pytest; tests/test_main.py asks them
    with pytest.raises(SystemExit) as ended:
        _parser().parse_args([name, "--help"])
    assert ended.value.code == 0
    assert name in capsys.readouterr().out


@pytest.mark.parametrize("page", PAGES)
def test_links_and_pictures_are_there(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert not target.startswith("http"), target
        assert ((ROOT / page).parent / target).exists(), target


def test_no_picture_lies_about_unused():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    pictures = {
        path.name for path in (ROOT / ".readme").iterdir() if path.suffix in (".png", ".svg")
    }
    assert pictures == set(re.findall(r"\.readme/([\w.-]+)", text))


def test_the_first_screen_is_a_picture_and_two_commands():
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    first = "\n".join(lines[:24])
    assert first.count("![") == 1
    assert list(re.findall(r"^python3 -m geo (\w+)$", first, re.M)) == ["run", "test"]


def test_the_architecture_is_a_drawing_without_a_script():
    root = etree.parse(ROOT / ".readme" / "architecture.svg").getroot()
    tags = {node.tag.rpartition("}")[2] for node in root.iter()}
    assert tags <= {"svg", "title", "defs", "marker", "path", "rect", "text"}
    drawn = " ".join(root.itertext())
    for stage in ("read", "locate", "store", "draw", "export"):
        assert stage in drawn
        assert list((ROOT / "geo").glob(f"{stage}*"))


def test_the_architecture_is_what_its_script_draws_and_names_where_stages_meet():
    script = runpy.run_path(str(ROOT / ".readme" / "make_architecture.py"))
    assert (ROOT / ".readme" / "architecture.svg").read_text(encoding="utf-8") == script["draw"]()
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    layers = settings["tool"]["importlinter"]["contracts"][0]["layers"]
    stages = next(n for n, layer in enumerate(layers) if "geo.read" in layer)
    meeting = {name for layer in layers[2:stages] for name in re.findall(r"geo\.(\w+)", layer)}
    assert set(script["MEETING"]) == meeting


def test_the_changes_begin_with_the_version_that_is_out():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
        "version"
    ]
    changes = (ROOT / ".github" / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(r"^## (\S+)$", changes, re.M)[1] == version
