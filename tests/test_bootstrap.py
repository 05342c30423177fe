"""The way from a bare Python to a running app, without installing anything for real."""

import ast
import http.server
import importlib.metadata
import re
import socket
import subprocess
import sys
import threading
import tomllib
from pathlib import Path

import pytest

import geo
from geo import bootstrap

ROOT = bootstrap.ROOT
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PINS = (ROOT / ".ci" / "constraints.txt").read_text(encoding="utf-8").splitlines()
WANTED = ["folium>=0.20", "pandas>=2.2"]


def _plain(name):
    """The one spelling a package index treats all others as."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _requirements(*extras):
    optional = PROJECT["optional-dependencies"]
    return [*PROJECT["dependencies"], *(line for extra in extras for line in optional[extra])]


def _names(requirements):
    return {_plain(re.split(r"[\[>=]", line)[0]) for line in requirements}


@pytest.fixture
def venv(tmp_path, monkeypatch):
    """An environment that has an interpreter and a pip which only notes what it was asked."""
    place = tmp_path / ".venv"
    python = bootstrap.venv_python(place)
    python.parent.mkdir(parents=True)
    python.touch()
    monkeypatch.setattr(bootstrap, "_CONSTRAINTS", tmp_path / "constraints.txt")
    bootstrap._CONSTRAINTS.write_text("folium==0.20.0\n")
    monkeypatch.setattr(
        bootstrap.subprocess,
        "run",
        lambda *args, **options: subprocess.CompletedProcess(args, 0, stdout="3.11\n"),
    )
    return place


@pytest.fixture
def pip_says(monkeypatch):
    """Replace pip by an exit code and lines; the commands it was given are collected."""
    asked = []

    def answer(code, *lines):
        def run(command, progress, *, env, watch=lambda line: None):
            asked.append(command)
            for line in lines:
                watch(line)
            return code, list(lines)

        monkeypatch.setattr(bootstrap, "_run_shown", run)
        return asked

    return answer


# what the project declares


def test_constraints_hold_nothing_but_name_and_version():
    odd = [line for line in PINS if not re.fullmatch(r"[A-Za-z0-9._-]+==\d[A-Za-z0-9.]*", line)]
    assert PINS
    assert not odd


def test_every_declared_package_is_pinned_at_or_above_its_floor():
    pinned = {_plain(name): version for name, version in (line.split("==") for line in PINS)}
    for requirement in _requirements(*PROJECT["optional-dependencies"]):
        match = re.fullmatch(r"([A-Za-z0-9-]+)(?:\[\w+\])?>=([\d.]+)", requirement)
        assert match, f"{requirement} is not name>=version"
        name, floor = _plain(match[1]), match[2]
        assert name in pinned, f"{name} has no pin"
        assert bootstrap._release(pinned[name]) >= bootstrap._release(floor)


def _imported(file):
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield (node.module or "").partition(".")[0]


def _is_ours(name, file):
    folders = (
        file.parent,
        ROOT,
        ROOT / "tests",
    )  # pytest puts tests/ on the path, for tests/strategies.py
    return any((folder / name).exists() or (folder / f"{name}.py").exists() for folder in folders)


@pytest.mark.parametrize("folder", ["geo", "tests"])
def test_whatever_is_imported_is_declared(folder):
    extras = [e for e in PROJECT["optional-dependencies"] if folder == "tests" or e != "test"]
    declared, made_by = _names(_requirements(*extras)), importlib.metadata.packages_distributions()
    undeclared = set()
    for file in (ROOT / folder).rglob("*.py"):
        for name in _imported(file):
            if name in sys.stdlib_module_names or _is_ours(name, file):
                continue
            # An extra that is not installed here is known by its own name only.
            packages = {_plain(p) for p in made_by.get(name, [name])}
            if not packages & declared:
                undeclared.add(f"{file.relative_to(ROOT)}: {name}")
    assert not undeclared


def test_every_folder_of_code_is_a_package():
    # lint-imports passes over a folder without __init__.py, and then holds no contract there.
    folders = {file.parent for file in (ROOT / "geo").rglob("*.py")}
    assert [str(f.relative_to(ROOT)) for f in folders if not (f / "__init__.py").exists()] == []


@pytest.mark.parametrize(
    ("store", "extras"),
    [
        ("", ()),
        ("/data/postgres.gpkg", ()),
        ("gpkg:///data/a.gpkg", ()),
        ("postgresql://me@host/db", ("postgis",)),
        ("PostGIS://me@host/db", ("postgis",)),
    ],
)
def test_a_store_on_a_server_needs_the_extra_that_speaks_to_it(store, extras):
    assert bootstrap.store_extras({"BAITA_STORE": store}) == extras
    bootstrap.wanted_requirements(extras)


@pytest.mark.parametrize(
    ("system", "machine", "python", "extras"),
    [
        ("linux", "x86_64", (3, 13), ("test", "fuzz")),
        ("linux", "x86_64", (3, 14), ("test",)),
        ("linux", "aarch64", (3, 13), ("test",)),
        ("win32", "AMD64", (3, 13), ("test",)),
    ],
)
def test_the_fuzzer_is_wanted_where_there_is_a_wheel_of_it(
    monkeypatch, system, machine, python, extras
):
    monkeypatch.setattr(bootstrap.sys, "platform", system)
    monkeypatch.setattr(bootstrap.platform, "machine", lambda: machine)
    monkeypatch.setattr(bootstrap.sys, "version_info", python)
    assert bootstrap.test_extras() == extras


def test_an_extra_adds_to_the_dependencies_and_an_unknown_one_is_an_error():
    base = bootstrap.wanted_requirements(())
    assert bootstrap.wanted_requirements(("test",))[: len(base)] == base
    assert any(line.startswith("pytest>=") for line in bootstrap.wanted_requirements(("test",)))
    with pytest.raises(KeyError):
        bootstrap.wanted_requirements(("no-such-extra",))


def test_the_version_is_the_same_in_both_places():
    assert geo.__version__ == PROJECT["version"]


def test_every_streamlit_setting_exists():
    from streamlit import config

    settings = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
    written = set(_setting_names(settings))
    assert "runner.postScriptGC" in written
    assert written <= set(config._config_options_template)


def _setting_names(settings, before=""):
    """Yield the names of settings as Streamlit writes them: `theme.dark.textColor`."""
    for key, value in settings.items():
        if isinstance(value, dict):
            yield from _setting_names(value, f"{before}{key}.")
        else:
            yield f"{before}{key}"


# an old or a bare Python


@pytest.mark.parametrize("version", [(3, 8), (3, 10)])
def test_an_old_python_is_told_so_in_one_line(version, capsys):
    with pytest.raises(SystemExit) as stop:
        bootstrap.refuse_old_python(version)
    said = capsys.readouterr().err
    assert stop.value.code == 2
    assert said.count("\n") == 1
    assert "3.11" in said
    assert f"3.{version[1]}" in said


@pytest.mark.parametrize("name", ["__init__.py", "__main__.py", "bootstrap.py"])
def test_an_old_python_can_read_the_files_that_tell_it_so(name):
    file = ROOT / "geo" / name
    if not file.exists():
        pytest.skip(f"{name} is not written yet")
    ast.parse(file.read_text(encoding="utf-8"), feature_version=(3, 8))


def test_bootstrap_imports_only_the_standard_library():
    assert set(_imported(ROOT / "geo" / "bootstrap.py")) <= set(sys.stdlib_module_names)


def test_a_python_without_venv_is_told_the_package_to_install(monkeypatch, capsys):
    monkeypatch.setattr(bootstrap.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit) as stop:
        bootstrap._refuse_without_venv_module()
    assert stop.value.code == 2
    assert "apt install python3." in capsys.readouterr().err


# the stamp


def _make(venv, wanted=WANTED):
    bootstrap.make_environment(wanted, venv=venv)


def test_a_finished_environment_is_ready_for_the_same_and_for_fewer_packages(venv, pip_says):
    pip_says(0)
    _make(venv)
    assert bootstrap.is_ready(WANTED, venv=venv)
    assert bootstrap.is_ready(WANTED[:1], venv=venv)
    assert not bootstrap.is_ready([*WANTED, "numpy>=2.0"], venv=venv)
    assert not bootstrap.is_ready(["folium>=0.21"], venv=venv)


def test_other_constraints_make_the_stamp_stale(venv, pip_says):
    pip_says(0)
    _make(venv)
    bootstrap._CONSTRAINTS.write_text("folium==0.20.1\n")
    assert not bootstrap.is_ready(WANTED, venv=venv)


def test_another_python_inside_makes_the_stamp_stale(venv, pip_says, monkeypatch):
    pip_says(0)
    _make(venv)
    monkeypatch.setattr(sys, "prefix", str(venv))
    monkeypatch.setattr(bootstrap, "_running_python", lambda: "3.11")
    assert bootstrap.is_ready(WANTED, venv=venv)
    monkeypatch.setattr(bootstrap, "_running_python", lambda: "3.13")
    assert not bootstrap.is_ready(WANTED, venv=venv)


def test_run_and_test_in_turn_install_once_each(venv, pip_says):
    pip_says(0)
    _make(venv, WANTED)
    _make(venv, ["pytest>=8.3"])
    assert bootstrap.is_ready([*WANTED, "pytest>=8.3"], venv=venv)


def test_what_was_installed_under_other_pins_is_not_taken_over(venv, pip_says):
    pip_says(0)
    _make(venv, WANTED)
    bootstrap._CONSTRAINTS.write_text("folium==0.20.1\n")
    _make(venv, ["pytest>=8.3"])
    assert not bootstrap.is_ready(WANTED, venv=venv)


@pytest.mark.parametrize("damage", ["", "[1]", "{", '{"python": "3.11"}'])
def test_a_damaged_stamp_counts_as_none(venv, pip_says, damage):
    pip_says(0)
    _make(venv)
    (venv / bootstrap._STAMP_NAME).write_text(damage)
    assert not bootstrap.is_ready(WANTED, venv=venv)


def test_a_stamp_without_an_interpreter_counts_as_none(venv, pip_says):
    pip_says(0)
    _make(venv)
    bootstrap.venv_python(venv).unlink()
    assert not bootstrap.is_ready(WANTED, venv=venv)


# installing


def test_pip_is_asked_for_everything_under_the_constraints(venv, pip_says):
    asked = pip_says(0)
    _make(venv)
    [command] = asked
    assert command[:4] == [str(bootstrap.venv_python(venv)), "-m", "pip", "install"]
    assert command[command.index("-c") + 1] == str(bootstrap._CONSTRAINTS)
    assert command[-2:] == WANTED


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["ERROR: No matching distribution found for folium>=99"], "folium>=99"),
        (
            [
                "WARNING: Retrying (Retry(total=0, connect=None)) after connection broken",
                "ERROR: No matching distribution found for folium",
            ],
            "network",
        ),
        ([], "not installed"),
    ],
)
def test_a_failed_pip_leaves_no_stamp_and_says_why(venv, pip_says, capsys, lines, said):
    pip_says(0)
    _make(venv)
    pip_says(1, *lines)
    with pytest.raises(SystemExit) as stop:
        _make(venv, [*WANTED, "numpy>=2.0"])
    assert stop.value.code == 2
    assert said in capsys.readouterr().err
    assert not (venv / bootstrap._STAMP_NAME).exists()
    assert not bootstrap.is_ready(WANTED, venv=venv)


@pytest.mark.parametrize(
    ("last_line", "made_again"),
    [("Installing collected packages: a, b", True), ("Collecting folium>=0.20", False)],
)
def test_only_an_installation_cut_short_while_writing_is_made_again(
    venv, pip_says, monkeypatch, last_line, made_again
):
    def create(place):
        made.append(place)
        (place / bootstrap._UNFINISHED_NAME).unlink()

    made = []
    monkeypatch.setattr(bootstrap, "_create_venv", create)
    pip_says(1, last_line)
    with pytest.raises(SystemExit):
        _make(venv)
    pip_says(0)
    _make(venv)
    assert made == [venv] * made_again
    assert bootstrap.is_ready(WANTED, venv=venv)


def test_a_broken_environment_is_made_again(venv, pip_says, monkeypatch):
    asked = pip_says(0)
    versions = iter([None, "3.11"])
    monkeypatch.setattr(bootstrap, "_probe", lambda place: next(versions))
    _make(venv)
    assert asked[0][1:] == ["-m", "venv", "--clear", str(venv)]
    assert asked[1][1:4] == ["-m", "pip", "install"]


def test_an_interpreter_that_does_not_start_is_a_broken_environment(tmp_path):
    assert bootstrap._probe(tmp_path / "nothing") is None


def test_settings_that_lead_pip_elsewhere_are_dropped_and_a_mirror_is_kept(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    monkeypatch.setenv("PIP_USER", "1")
    monkeypatch.setenv("PIP_INDEX_URL", "mirror")
    env = bootstrap._clean_env()
    assert "PYTHONPATH" not in env
    assert "PIP_USER" not in env
    assert env["PIP_INDEX_URL"] == "mirror"


def test_a_second_start_waits_for_the_first(tmp_path):
    lock = tmp_path / "lock"
    with bootstrap._one_at_a_time(lock), lock.open("a+") as second:
        assert not bootstrap._try_lock(second)
    with lock.open("a+") as third:
        assert bootstrap._try_lock(third)


def test_the_output_of_a_command_is_watched_and_returned():
    seen = []
    command = [sys.executable, "-c", "print('一'); print('two'); raise SystemExit(3)"]
    env = {**bootstrap.os.environ, "PYTHONUTF8": "1"}
    progress = bootstrap._Progress("试", "try")
    assert bootstrap._run_shown(command, progress, env=env, watch=seen.append) == (3, ["一", "two"])
    assert seen == ["一", "two"]


# going on


def test_the_command_line_changes_only_its_interpreter(tmp_path):
    original = ["python3", "-X", "dev", "-m", "geo", "test", "-k", "a b", "--", "白塔"]
    again = bootstrap.reentry_command(tmp_path, original)
    assert again[0] == str(bootstrap.venv_python(tmp_path))
    assert again[1:] == original[1:]


@pytest.fixture
def outside(tmp_path, monkeypatch):
    """This process seen as a bare Python beside a project without `.venv`; returns where it goes on."""
    went = []

    def go(venv):
        went.append(venv)
        raise SystemExit(0)

    monkeypatch.setattr(bootstrap, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(bootstrap, "ROOT", tmp_path)
    monkeypatch.setattr(bootstrap, "_go_on_inside", go)
    monkeypatch.setattr(bootstrap, "_is_environment", lambda: False)
    monkeypatch.setattr(bootstrap, "wanted_requirements", lambda extras: WANTED)
    return went


def test_a_bare_python_prepares_and_goes_on_inside(outside, monkeypatch):
    prepared = []
    monkeypatch.setattr(bootstrap, "make_environment", lambda wanted, venv: prepared.append(venv))
    with pytest.raises(SystemExit):
        bootstrap.ensure_environment()
    assert prepared == outside == [bootstrap.VENV]


def test_a_ready_environment_is_entered_without_starting_anything(outside, monkeypatch):
    monkeypatch.setattr(bootstrap, "is_ready", lambda wanted, venv: True)
    monkeypatch.setattr(bootstrap.subprocess, "Popen", None)
    monkeypatch.setattr(bootstrap.subprocess, "run", None)
    with pytest.raises(SystemExit):
        bootstrap.ensure_environment()
    assert outside == [bootstrap.VENV]


def test_an_active_environment_with_everything_is_used_as_it_is(outside, monkeypatch):
    monkeypatch.setattr(bootstrap, "_is_environment", lambda: True)
    bootstrap.ensure_environment()
    assert outside == []


def test_an_active_environment_that_lacks_something_is_not_used(outside, monkeypatch):
    monkeypatch.setattr(bootstrap, "_is_environment", lambda: True)
    monkeypatch.setattr(bootstrap, "wanted_requirements", lambda extras: ["no-such-package>=1"])
    monkeypatch.setattr(bootstrap, "_prepare", lambda wanted: None)
    with pytest.raises(SystemExit):
        bootstrap.ensure_environment()
    assert outside == [bootstrap.VENV]


def test_missing_requirements_are_the_absent_and_the_too_old():
    wanted = ["pytest>=1.0", "pytest>=9999", "no-such-package>=1.0", "psutil[extra]>=1"]
    assert bootstrap.missing_requirements(wanted) == ["pytest>=9999", "no-such-package>=1.0"]


def test_a_loop_of_restarts_ends(monkeypatch, tmp_path):
    monkeypatch.setenv(bootstrap._HOPS, str(bootstrap._MOST_HOPS))
    with pytest.raises(SystemExit) as stop:
        bootstrap._go_on_inside(tmp_path)
    assert stop.value.code == 2


def test_a_folder_that_cannot_be_written_is_one_clear_line(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(bootstrap, "ROOT", tmp_path / "gone")
    with pytest.raises(SystemExit) as stop:
        bootstrap._prepare(WANTED)
    assert stop.value.code == 2
    assert ".venv" in capsys.readouterr().err


# browser and font


def _browser(place):
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("#!/bin/sh\n")
    place.chmod(0o755)
    return place


@pytest.mark.skipif(sys.platform == "win32", reason="a program is found by its suffix there")
def test_linux_prefers_chromium_to_chrome_on_the_path(tmp_path):
    chrome = _browser(tmp_path / "a" / "google-chrome")
    chromium = _browser(tmp_path / "b" / "chromium")
    env = {"PATH": f"{tmp_path / 'a'}:{tmp_path / 'b'}"}
    assert bootstrap.browser_candidates("linux", env) == [chromium, chrome]
    assert bootstrap.browser_candidates("linux", {"PATH": ""}) == []


def test_mac_looks_into_both_application_folders():
    found = bootstrap.browser_candidates("darwin", {"HOME": "/Users/li", "PATH": ""})
    tail = Path("Google Chrome.app/Contents/MacOS/Google Chrome")
    assert found[:2] == [Path("/Applications") / tail, Path("/Users/li/Applications") / tail]


def test_windows_finds_edge_in_the_program_folders(tmp_path):
    edge = _browser(tmp_path / "Microsoft" / "Edge" / "Application" / "msedge.exe")
    found = bootstrap.browser_candidates("win32", {"PROGRAMFILES(X86)": str(tmp_path)})
    assert [place for place in found if place.is_file()] == [edge]
    assert bootstrap.browser_candidates("win32", {}) == []


def test_the_browser_wished_for_comes_first(tmp_path):
    mine = _browser(tmp_path / "mine")
    assert bootstrap.find_chromium({"BAITA_CHROMIUM": str(mine), "PATH": ""}) == mine


def test_a_wish_that_does_not_exist_is_not_replaced(tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        bootstrap.find_chromium({"BAITA_CHROMIUM": str(tmp_path / "gone")})
    assert stop.value.code == 2
    assert "BAITA_CHROMIUM" in capsys.readouterr().err


def test_no_browser_and_no_right_to_install_says_what_to_do(monkeypatch, capsys):
    monkeypatch.setattr(bootstrap, "find_chromium", lambda: None)
    monkeypatch.setattr(bootstrap, "_may_use_apt", lambda: False)
    with pytest.raises(SystemExit) as stop:
        bootstrap.ensure_chromium()
    assert stop.value.code == 2
    assert "apt install chromium" in capsys.readouterr().err


def test_root_on_debian_installs_a_browser_with_a_chinese_font(monkeypatch, pip_says, tmp_path):
    found = iter([None, tmp_path / "chromium"])
    monkeypatch.setattr(bootstrap, "find_chromium", lambda: next(found))
    monkeypatch.setattr(bootstrap, "_may_use_apt", lambda: True)
    monkeypatch.setattr(bootstrap, "_has_cjk_font", lambda: True)
    asked = pip_says(0)
    assert bootstrap.ensure_chromium() == tmp_path / "chromium"
    assert asked[0] == ["apt-get", "update"]
    assert asked[1][:3] == ["apt-get", "install", "-y"]
    assert {"chromium", "fonts-noto-cjk"} <= set(asked[1])


def test_a_failing_apt_gives_its_own_reason_and_then_the_other_ways(monkeypatch, pip_says, capsys):
    monkeypatch.setattr(bootstrap, "find_chromium", lambda: None)
    monkeypatch.setattr(bootstrap, "_may_use_apt", lambda: True)
    pip_says(100, "Reading package lists...", "E: Unable to locate package chromium")
    with pytest.raises(SystemExit) as stop:
        bootstrap.ensure_chromium()
    said = capsys.readouterr().err
    assert stop.value.code == 2
    assert "E: Unable to locate package chromium" in said
    assert "BAITA_CHROMIUM" in said


def test_a_missing_chinese_font_is_a_warning_not_an_end(monkeypatch, capsys):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(bootstrap, "_has_cjk_font", lambda: False)
    monkeypatch.setattr(bootstrap, "_may_use_apt", lambda: False)
    assert not bootstrap.ensure_cjk_font()
    assert "fonts-noto-cjk" in capsys.readouterr().err


# the tests and the app


def test_tests_run_on_several_workers_unless_told_otherwise():
    plain = bootstrap.pytest_command(["-k", "datum"])
    assert plain[:3] == [sys.executable, "-m", "pytest"]
    assert "-n" in plain
    assert plain[-2:] == ["-k", "datum"]
    for args in (["-n", "0"], ["-n0"], ["--pdb"], ["-p", "no:xdist"]):
        assert bootstrap.pytest_command(args) == [sys.executable, "-m", "pytest", *args]


def test_the_exit_code_of_the_tests_is_passed_on(monkeypatch):
    monkeypatch.setattr(
        bootstrap, "pytest_command", lambda args: [sys.executable, "-c", "raise SystemExit(5)"]
    )
    assert bootstrap.run_tests() == 5


@pytest.mark.parametrize(
    "args", [["--server.port", "9000"], ["--server.port=9000"], ["--headless"], []]
)
def test_streamlit_gets_the_free_port_and_all_other_arguments(args):
    words = bootstrap.streamlit_arguments([*args, "--theme.base=dark", "--", "x"], 9007)
    assert words[:2] == ["run", str(ROOT / "app.py")]
    assert [w for w in words if "port" in w] == ["--server.port=9007"]
    assert "--headless" not in words
    assert "9000" not in words
    assert words[-3:] == ["--theme.base=dark", "--", "x"]


def test_a_server_setting_is_taken_from_arguments_then_environment_then_file(monkeypatch):
    monkeypatch.delenv("STREAMLIT_SERVER_ADDRESS", raising=False)
    assert bootstrap.server_option("address", []) == "127.0.0.1"
    monkeypatch.setenv("STREAMLIT_SERVER_ADDRESS", "0.0.0.0")
    assert bootstrap.server_option("address", []) == "0.0.0.0"
    assert bootstrap.server_option("address", ["--server.address", "10.0.0.1"]) == "10.0.0.1"
    assert bootstrap.server_option("address", ["--server.address=10.0.0.2"]) == "10.0.0.2"
    assert bootstrap.server_option("no-such-setting", []) is None


@pytest.mark.parametrize("address", [None, "0.0.0.0", "10.1.2.3", "::", "map.example.org"])
def test_a_header_is_not_taken_for_a_name_where_anybody_can_write_it(address, capsys):
    env = {"BAITA_SIGN_IN": "header", "BAITA_PROXY_SECRET": "x" * 32}
    with pytest.raises(SystemExit) as stop:
        bootstrap.refuse_open_door(address, env)
    assert stop.value.code == 2
    said = capsys.readouterr().err
    assert "只能监听本机" in said
    assert "--server.address 127.0.0.1" in said


def test_a_header_needs_a_secret_and_this_machine_and_other_ways_need_neither(capsys):
    with pytest.raises(SystemExit):
        bootstrap.refuse_open_door("127.0.0.1", {"BAITA_SIGN_IN": "header"})
    assert "openssl rand" in capsys.readouterr().err
    env = {"BAITA_SIGN_IN": "header", "BAITA_PROXY_SECRET": "x" * 16}
    for address in ("127.0.0.1", "localhost", "::1"):
        bootstrap.refuse_open_door(address, env)
    bootstrap.refuse_open_door("0.0.0.0", {})
    bootstrap.refuse_open_door("0.0.0.0", {"BAITA_SIGN_IN": "oidc"})
    assert capsys.readouterr().err == ""


def test_the_path_before_every_address_is_read_as_streamlit_reads_it(monkeypatch):
    monkeypatch.delenv("STREAMLIT_SERVER_BASE_URL_PATH", raising=False)
    assert not bootstrap.server_option("baseUrlPath", [])
    monkeypatch.setenv("STREAMLIT_SERVER_BASE_URL_PATH", "map")
    assert bootstrap.server_option("baseUrlPath", []) == "map"
    assert bootstrap.server_option("baseUrlPath", ["--server.baseUrlPath=x"]) == "x"


def test_a_taken_port_is_passed_over():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        first = taken.getsockname()[1]
        assert first < bootstrap.free_port(first) < first + 50


def test_the_address_is_said_in_both_languages_once_the_server_answers(capsys):
    class _Quiet(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_error(404)

        def log_message(self, *args):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), _Quiet) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        bootstrap._announce(url, opens=False)
        server.shutdown()
    said = capsys.readouterr().out
    assert said.count(url) == 2
    assert "请在浏览器打开" in said
    assert "is running at" in said


def test_a_server_that_never_answers_is_not_announced():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        netloc = f"127.0.0.1:{unused.getsockname()[1]}"
        assert not bootstrap._answers(netloc, timeout_s=0.3)


def test_no_browser_is_opened_where_there_is_no_desktop(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert not bootstrap._has_screen()
    monkeypatch.setenv("DISPLAY", ":0")
    assert bootstrap._has_screen()


def test_two_starts_at_the_same_moment_get_two_ports():
    """Neither listens yet, so that both find the first port free."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        first = taken.getsockname()[1] + 1
    code = (
        "import sys; from geo import bootstrap\n"
        f"print(bootstrap.free_port({first}), flush=True)\n"
        "sys.stdin.read()"
    )
    starts = [
        subprocess.Popen(
            [sys.executable, "-c", code],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    ports = [start.stdout.readline().strip() for start in starts]
    for start in starts:
        start.communicate()
    assert len(set(ports)) == 3, ports


def test_a_port_is_free_again_when_its_start_has_ended():
    first = bootstrap.free_port(20_000)
    assert bootstrap.free_port(first) != first
    while bootstrap._reserved:
        bootstrap._reserved.pop().close()
    assert bootstrap.free_port(first) == first


@pytest.mark.parametrize("address", ["203.0.113.7", "no-such-host.invalid"])
def test_an_address_this_machine_does_not_have_is_refused_in_plain_words(address, capsys):
    with pytest.raises(SystemExit) as stop:
        bootstrap.run_app(["--headless", "--server.address", address])
    assert stop.value.code == 2
    said = capsys.readouterr().err
    assert address in said
    assert "0.0.0.0" in said
    assert "本机没有" in said


@pytest.mark.parametrize("address", [None, "", "0.0.0.0", "127.0.0.1", "localhost"])
def test_an_address_of_this_machine_is_taken(address):
    bootstrap.refuse_foreign_address(address)


def test_a_port_taken_at_the_last_moment_is_told(monkeypatch, capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setattr(bootstrap, "free_port", lambda first, **more: port)
        monkeypatch.setattr(bootstrap, "_serve", lambda words: 1)
        monkeypatch.setattr(bootstrap, "_announce", lambda url, opens: None)
        assert bootstrap.run_app(["--headless"]) == 1
    assert "再运行一次" in capsys.readouterr().err
