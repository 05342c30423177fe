"""Files and folders that belong to somebody else: one line says what to do, nothing is touched, no traceback."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from geo.store import open_store

ROOT = Path(__file__).resolve().parents[1]
SOMEBODY = 65534
# Root passes every permission: without these it is bound by them as everybody else.
BOUND = "--bounding-set=-dac_override,-dac_read_search,-fowner"


@pytest.fixture
def run():
    """Run a command line as an account that is bound by the permissions of files, `bare` without a home folder."""
    prefix = []
    if os.name != "posix":
        pytest.skip("owners are another matter here")
    if os.geteuid() == 0:
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            pytest.skip("root passes every permission, and there is no setpriv to change that")
        prefix = [setpriv, BOUND, "--inh-caps=-all"]

    def run_bound(*words: object, bare: bool = False, **settings: object):
        own = {k: v for k, v in os.environ.items() if not k.startswith("BAITA_")}
        if bare:
            own = {k: v for k, v in own.items() if k not in ("HOME", "XDG_CACHE_HOME")}
        done = subprocess.run(
            [*prefix, sys.executable, "-m", "geo", *map(str, words)],
            cwd=ROOT,
            env=own | {name: str(value) for name, value in settings.items()},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done

    return run_bound


def _refused(done, *words: str) -> None:
    assert done.returncode == 2, (done.returncode, done.stdout[-300:], done.stderr)
    assert done.stdout == ""
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, lines
    assert all(word in lines[0] for word in words), lines[0]


def test_a_store_in_a_folder_that_cannot_be_made_or_written(run, tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o555)
    _refused(run("sites", BAITA_STORE=closed / "new" / "b.gpkg"), "b.gpkg", "BAITA_STORE")
    _refused(run("sites", BAITA_STORE=closed / "b.gpkg"), "b.gpkg", "may its folder be written")
    assert list(closed.iterdir()) == []


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root gives files away")
@pytest.mark.parametrize(("mode", "words"), [(0o600, "it cannot be opened"), (0o644, "read-only")])
def test_a_store_of_somebody_else_is_left_as_it_is(run, tmp_path, filled_stores, mode, words):
    theirs = shutil.copytree(filled_stores, tmp_path / "theirs")
    for path in (theirs, *theirs.iterdir()):
        os.chown(path, SOMEBODY, SOMEBODY)
        path.chmod(0o755 if path.is_dir() else mode)
    store = theirs / "baita.gpkg"
    before = store.read_bytes()
    _refused(run("load", "data/sites.csv", "--store", store), "baita.gpkg", words)
    assert store.read_bytes() == before
    with open_store(store) as opened:
        assert opened.check() == []


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root gives files away")
def test_a_data_folder_of_somebody_else_is_named(run, tmp_path):
    data = shutil.copytree(ROOT / "data", tmp_path / "words")
    os.chown(data, SOMEBODY, SOMEBODY)
    data.chmod(0o700)
    done = run("sites", BAITA_DATA=data, BAITA_STORE=tmp_path / "b.gpkg")
    assert done.returncode == 2
    assert "Permission denied: check the name, and who may read and write it" in done.stderr
    assert not (tmp_path / "b.gpkg").exists()


def test_an_account_without_a_home_folder_gets_its_store_and_its_picture(run, tmp_path):
    store = tmp_path / "b.gpkg"
    done = run("sites", "--kind", "parking", bare=True, BAITA_STORE=store)
    assert done.returncode == 0, done.stderr
    picture = tmp_path / "picture.png"
    done = run(
        "export",
        "--store",
        store,
        "--format",
        "png",
        "--out",
        picture,
        bare=True,
        BAITA_STORE=store,
    )
    assert done.returncode == 0, done.stderr
    assert picture.read_bytes()[:4] == b"\x89PNG"
