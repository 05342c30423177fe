"""Make this folder ready to run on a bare Python: `.venv`, packages, a browser for pictures, then start.

Standard library only, and its syntax stays readable for Python 3.8, so that an old Python can still be told,
in one line, that it is too old. Text for people is given twice, Chinese first.
"""

from __future__ import annotations

import contextlib
import errno
import http.client
import importlib.metadata
import importlib.util
import json
import os
import platform
import re
import runpy
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import webbrowser
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NoReturn

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
OLDEST_PYTHON = (3, 11)
DEFAULT_PORT = 8501

_CONSTRAINTS = ROOT / ".ci" / "constraints.txt"
_STAMP_NAME = "baita-ready.json"
# Lies in .venv while packages are being written. Found there at a start, it tells of a power cut: pip takes a
# package for installed whose files are half there, so such an environment is made again from nothing.
_UNFINISHED_NAME = "baita-unfinished"
_HOPS = "BAITA_BOOTSTRAP_HOPS"
# One hop into .venv, one more when the .venv entered turns out to be stale. A third would be a loop.
_MOST_HOPS = 2
_WRITING = "Installing collected packages: "
# Set by some offices for their own work; each of them would make pip install somewhere else than in .venv.
_FOREIGN_PIP = ("PYTHONHOME", "PYTHONPATH", "PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT")


# ---------------------------------------------------------------- words on the screen


def _say(zh: str, en: str) -> None:
    """Print one line in both languages; a console that lacks a character shows `?` for it."""
    text = f"{zh}\n{en}" if len(zh) + len(en) > 100 else f"{zh} · {en}"
    encoding = sys.stderr.encoding or "utf-8"
    print(text.encode(encoding, "replace").decode(encoding), file=sys.stderr, flush=True)


def _stop(zh: str, en: str) -> NoReturn:
    """Say why nothing more can be done and leave with exit code 2."""
    _say(f"✗ {zh}", f"✗ {en}")
    raise SystemExit(2)


class _Progress:
    """A line that says what is being done, how far it is and for how long, while a command runs."""

    def __init__(self, zh: str, en: str) -> None:
        self._what, self._detail = (zh, en), ""
        self._began, self._done = time.monotonic(), threading.Event()
        # A terminal is told every five seconds; a log file, where every line stays, every twenty.
        self._every_s = 5 if sys.stderr.isatty() else 20

    def detail(self, text: str) -> None:
        """Set what is shown behind the elapsed time."""
        self._detail = text

    def _tick(self) -> None:
        while not self._done.wait(self._every_s):
            elapsed = f"{time.monotonic() - self._began:.0f} s"
            print(f"  … {elapsed}  {self._detail}".rstrip(), file=sys.stderr, flush=True)

    def __enter__(self) -> _Progress:
        _say(*self._what)
        threading.Thread(target=self._tick, daemon=True).start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._done.set()


def _run_shown(
    command: Sequence[str],
    progress: _Progress,
    *,
    env: Mapping[str, str],
    watch: Callable[[str], None] = lambda line: None,
) -> tuple[int, list[str]]:
    """Return the exit code and the lines of a command that is run under a progress line."""
    lines: list[str] = []
    process = subprocess.Popen(
        list(command),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=ROOT,
        env=dict(env),
        encoding="utf-8",
        errors="replace",
    )
    with progress:
        for line in process.stdout or ():
            lines.append(line.rstrip())
            watch(lines[-1])
    return process.wait(), lines


# ---------------------------------------------------------------- what is wanted, what is there


def refuse_old_python(version: tuple[int, ...] = tuple(sys.version_info[:2])) -> None:
    """Leave with exit code 2 and one clear line if this Python is too old for the app."""
    if version < OLDEST_PYTHON:
        found, need = (".".join(map(str, v[:2])) for v in (version, OLDEST_PYTHON))
        _stop(
            f"需要 Python {need} 或更新版本，现在是 {found}",
            f"Python {need} or newer is needed, this is {found}",
        )


def wanted_requirements(extras: Sequence[str] = (), *, root: Path = ROOT) -> list[str]:
    """Return what `pyproject.toml` asks for: its dependencies, then those of each extra.

    Raises
    ------
    KeyError
        If an extra does not exist.
    """
    import tomllib  # absent before 3.11, where this module must still be importable

    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = list(project["dependencies"])
    for extra in extras:
        wanted += project["optional-dependencies"][extra]
    return wanted


def store_extras(env: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """Return the extra that the store of this installation needs: none for a file."""
    scheme = env.get("BAITA_STORE", "").strip().partition("://")[0].lower()
    return ("postgis",) if scheme in ("postgresql", "postgres", "postgis") else ()


def test_extras() -> tuple[str, ...]:
    """Return the extras that the tests need: the fuzzer has wheels for one kind of machine only."""
    has_wheel = sys.platform == "linux" and platform.machine() == "x86_64"
    return ("test", "fuzz") if has_wheel and sys.version_info < (3, 14) else ("test",)


def _release(version: str) -> tuple[int, ...]:
    numbers = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(int(n) for n in numbers.group().split(".")) if numbers else ()


def missing_requirements(wanted: Sequence[str]) -> list[str]:
    """Return the requirements, each written `name>=version`, that this interpreter cannot serve."""
    missing = []
    for requirement in wanted:
        name, _, floor = requirement.partition(">=")
        try:
            found = importlib.metadata.version(name.partition("[")[0].strip())
        except importlib.metadata.PackageNotFoundError:
            missing.append(requirement)
            continue
        if _release(found) < _release(floor):
            missing.append(requirement)
    return missing


def _is_environment() -> bool:
    """Return whether this interpreter is a virtual or conda environment, not the machine's own Python."""
    return sys.prefix != sys.base_prefix or (Path(sys.prefix) / "conda-meta").is_dir()


def _inside(venv: Path) -> bool:
    return venv.exists() and Path(sys.prefix).resolve() == venv.resolve()


def venv_python(venv: Path = VENV) -> Path:
    """Return where an environment keeps its interpreter, whether or not it is there."""
    return venv / "Scripts" / "python.exe" if os.name == "nt" else venv / "bin" / "python"


# ---------------------------------------------------------------- the stamp


def _constraints_text() -> str:
    return _CONSTRAINTS.read_text(encoding="utf-8") if _CONSTRAINTS.exists() else ""


def _running_python() -> str:
    return "{}.{}".format(*sys.version_info[:2])


def make_stamp(wanted: Sequence[str], constraints: str, python: str) -> dict[str, Any]:
    """Return the record of a finished installation; equal inputs give an equal record.

    The requirements are kept as they are, not as a hash, because `run` needs fewer of them than `test`:
    an environment made for the tests is also ready to run.
    """
    import hashlib

    digest = hashlib.sha256(constraints.encode()).hexdigest()
    return {"python": python, "constraints": digest, "requirements": sorted(set(wanted))}


def _read_stamp(venv: Path) -> dict[str, Any]:
    """Return the stamp of an environment; an empty one if there is none or it cannot be read."""
    try:
        stamp = json.loads((venv / _STAMP_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def _write_stamp(venv: Path, stamp: Mapping[str, Any]) -> None:
    """Write the stamp in one step, so that a power cut leaves either none or a whole one."""
    draft = venv / (_STAMP_NAME + ".tmp")
    draft.write_text(json.dumps(stamp, indent=1) + "\n", encoding="utf-8")
    os.replace(draft, venv / _STAMP_NAME)


def is_ready(wanted: Sequence[str], *, venv: Path) -> bool:
    """Return whether an environment was finished for at least these requirements and today's constraints.

    Reads two small files and starts nothing, so that the second start costs no time. From outside, the
    Python version is the one the stamp names; from inside, the one that is really running.
    """
    found = _read_stamp(venv)
    if not found or not venv_python(venv).exists():
        return False
    python = _running_python() if _inside(venv) else str(found.get("python"))
    need = make_stamp(wanted, _constraints_text(), python)
    same = all(found.get(key) == need[key] for key in ("python", "constraints"))
    return same and set(need["requirements"]) <= set(found.get("requirements", ()))


# ---------------------------------------------------------------- making the environment


def ensure_environment(extras: tuple[str, ...] = ()) -> None:
    """Return only once this process runs where the app's packages are installed.

    Makes `.venv` beside `app.py`, fills it, and starts the same command line again inside it. An active
    virtual or conda environment that has everything is used as it is.

    Parameters
    ----------
    extras
        Names of optional dependency groups wanted besides the app's own, such as `"test"`.

    Raises
    ------
    SystemExit
        With code 2 after one clear line: Python too old, no `venv` module, pip failed.
    """
    refuse_old_python()
    wanted = wanted_requirements(extras)
    if _runs_where_wanted(wanted):
        os.environ.pop(_HOPS, None)
        return
    if not is_ready(wanted, venv=VENV):
        _prepare(wanted)
    _go_on_inside(VENV)


def _runs_where_wanted(wanted: Sequence[str]) -> bool:
    if _inside(VENV):
        return is_ready(wanted, venv=VENV)
    return _is_environment() and not missing_requirements(wanted)


def _prepare(wanted: Sequence[str]) -> None:
    """Make or repair `.venv` and install, unless another start does so while we wait for it."""
    try:
        with _one_at_a_time(ROOT / ".venv.lock"):
            if not is_ready(wanted, venv=VENV):
                make_environment(wanted, venv=VENV)
    except OSError as error:
        _stop(f"无法准备 .venv：{error.strerror}", f".venv cannot be made: {error}")
    except KeyboardInterrupt:
        _say("已中断，下次启动会继续准备", "stopped; the next start goes on preparing")
        raise SystemExit(130) from None


def make_environment(wanted: Sequence[str], *, venv: Path) -> None:
    """Create an environment if it is absent or broken, install into it, and stamp it when all went well.

    Parameters
    ----------
    wanted
        Requirements as pip reads them.
    venv
        Folder of the environment.

    Raises
    ------
    SystemExit
        With code 2 if anything fails; then the environment carries no stamp and the next start tries again.
    """
    before = _read_stamp(venv)
    with contextlib.suppress(FileNotFoundError):
        (venv / _STAMP_NAME).unlink()
    python = _probe(venv)
    if python is None:
        _create_venv(venv)
        before, python = {}, _probe(venv)
    if python is None:
        _stop(
            ".venv 建好了却不能运行",
            f".venv was made but does not run; remove {venv.name} and try again",
        )
    stamp = make_stamp(wanted, _constraints_text(), python)
    if all(before.get(key) == stamp[key] for key in ("python", "constraints")):
        # What an earlier start installed under the same pins is still there.
        stamp = make_stamp([*wanted, *before.get("requirements", ())], _constraints_text(), python)
    _install(wanted, venv)
    _write_stamp(venv, stamp)


def _probe(venv: Path) -> str | None:
    """Return the Python version of an environment that can install; None if absent or half-made."""
    if (venv / _UNFINISHED_NAME).exists():
        return None
    ask = "import pip, sys; print('%d.%d' % sys.version_info[:2])"
    try:
        answer = subprocess.run(
            [str(venv_python(venv)), "-I", "-c", ask],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    version = answer.stdout.strip()
    usable = answer.returncode == 0 and _release(version) >= OLDEST_PYTHON
    return version if usable else None


def _create_venv(venv: Path) -> None:
    _refuse_without_venv_module()
    # Inside a broken .venv the interpreter that made it must make it again.
    base = getattr(sys, "_base_executable", None) or sys.executable
    zh, en = "正在建立 Python 环境 .venv", "making the Python environment .venv"
    command = [base, "-m", "venv", "--clear", str(venv)]
    code, lines = _run_shown(command, _Progress(zh, en), env=_clean_env())
    if code:
        last = lines[-1] if lines else f"exit code {code}"
        _stop(f".venv 没有建成：{last}", f".venv could not be made: {last}")


def _refuse_without_venv_module() -> None:
    """Leave if this Python cannot make environments; Debian ships that part as a package of its own."""
    if importlib.util.find_spec("venv") and importlib.util.find_spec("ensurepip"):
        return
    package = f"python{_running_python()}-venv"
    _stop(
        f"此 Python 缺少 venv，请先安装：sudo apt install {package}",
        f"this Python lacks venv; install it first: sudo apt install {package}",
    )


def _clean_env() -> dict[str, str]:
    """Return the environment for pip: the user's own mirror and proxy settings stay, detours go."""
    env = {key: value for key, value in os.environ.items() if key not in _FOREIGN_PIP}
    return {**env, "PYTHONUTF8": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


def pip_command(wanted: Sequence[str], venv: Path) -> list[str]:
    """Return the one pip call that fills an environment, under the constraints if there are any."""
    flags = ["--no-input", "--progress-bar", "off", "--prefer-binary"]
    if _CONSTRAINTS.exists():
        flags += ["-c", str(_CONSTRAINTS)]
    return [str(venv_python(venv)), "-m", "pip", "install", *flags, *wanted]


def _install(wanted: Sequence[str], venv: Path) -> None:
    zh = f"正在安装 {len(wanted)} 个软件包及其依赖，首次需要几分钟"
    en = f"installing {len(wanted)} packages and what they need; the first time takes minutes"
    progress = _Progress(zh, en)
    fetched: list[str] = []

    def watch(line: str) -> None:
        if line.startswith("Collecting "):
            fetched.append(line.split()[1])
            progress.detail(f"已取得 {len(fetched)} 个 · {len(fetched)} fetched · {fetched[-1]}")
        elif line.startswith(_WRITING):
            count = line.count(",") + 1
            progress.detail(f"正在写入 {count} 个 · writing {count} packages")

    began = time.monotonic()
    (venv / _UNFINISHED_NAME).touch()
    code, lines = _run_shown(pip_command(wanted, venv), progress, env=_clean_env(), watch=watch)
    (venv / "install.log").write_text("\n".join(lines) + "\n", encoding="utf-8")
    if code == 0 or not any(line.startswith(_WRITING) for line in lines):
        (venv / _UNFINISHED_NAME).unlink()
    if code:
        _explain_pip_failure(code, lines)
    took_s = time.monotonic() - began
    _say(f"✓ 安装完成，用时 {took_s:.0f} 秒", f"installed in {took_s:.0f} s")


def _explain_pip_failure(code: int, lines: Sequence[str]) -> NoReturn:
    """Leave with the reason in one sentence; pip itself blames the package when the network is away."""
    if any("Retrying (Retry" in line or "NewConnectionError" in line for line in lines):
        _stop(
            "软件包下载不了：请检查网络或代理，或用 pip config set global.index-url 设置单位的镜像，再试一次",
            "packages cannot be fetched: check the network or proxy, or set the office's mirror with "
            "pip config set global.index-url, then try again",
        )
    errors = (line.partition(" ")[2] for line in lines if line.startswith("ERROR: "))
    reason = next(errors, f"pip {code}")
    _stop(
        f"软件包没有装好：{reason}（详见 .venv/install.log）",
        f"packages were not installed: {reason} (see .venv/install.log)",
    )


@contextlib.contextmanager
def _one_at_a_time(path: Path) -> Iterator[None]:
    """Hold a lock that the system drops with the process: a second double-click waits for the first."""
    with open(path, "a+", encoding="utf-8") as handle:
        if not _try_lock(handle):
            _say(
                "另一个窗口正在准备环境，请稍候",
                "another start is preparing the environment, waiting",
            )
            while not _try_lock(handle):
                time.sleep(0.5)
        yield


def _try_lock(handle: IO[str]) -> bool:
    """Return whether the lock was free and is now ours."""
    try:
        if sys.platform == "win32":
            import msvcrt

            handle.seek(0)
            msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EAGAIN, errno.EDEADLK):
            return False
        raise
    return True


# ---------------------------------------------------------------- going on inside it


def reentry_command(venv: Path, original: Sequence[str]) -> list[str]:
    """Return a command line that differs from the original only in its interpreter.

    Parameters
    ----------
    venv
        Folder of the environment to go on in.
    original
        `sys.orig_argv`: with `-m geo` and the interpreter's own options, which `sys.argv` has lost.
    """
    return [str(venv_python(venv)), *original[1:]]


def _go_on_inside(venv: Path) -> NoReturn:
    hops = int(os.environ.get(_HOPS, "0")) + 1
    if hops > _MOST_HOPS:
        _stop(".venv 无法使用，请删除它再试", "the .venv cannot be used; delete it and try again")
    os.environ[_HOPS] = str(hops)
    command = reentry_command(venv, sys.orig_argv)
    sys.stdout.flush()
    sys.stderr.flush()
    if os.name != "nt":
        os.execv(command[0], command)
    # execv on Windows returns to the prompt at once, while the new process still writes to the console.
    raise SystemExit(_wait(subprocess.Popen(command)))


def _wait(process: subprocess.Popen[bytes]) -> int:
    """Return the exit code of a child that handles Ctrl-C itself."""
    while True:
        with contextlib.suppress(KeyboardInterrupt):
            return process.wait()


# ---------------------------------------------------------------- a browser and a font for pictures


_LINUX_BROWSERS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "microsoft-edge",
    "microsoft-edge-stable",
)
_MAC_BROWSERS = ("Google Chrome", "Chromium", "Microsoft Edge")
_WINDOWS_BROWSERS = (
    "Google/Chrome/Application/chrome.exe",
    "Chromium/Application/chrome.exe",
    "Microsoft/Edge/Application/msedge.exe",
)


def browser_candidates(platform: str, env: Mapping[str, str]) -> list[Path]:
    """Return where Chromium, Chrome or Edge would be on a platform, the best first.

    Parameters
    ----------
    platform
        As `sys.platform` has it: `"linux"`, `"darwin"` or `"win32"`.
    env
        Environment variables; PATH, and on Windows the folders for programs, are taken from it.
    """
    if platform == "win32":
        folders = [
            env[k] for k in ("PROGRAMFILES", "PROGRAMFILES(X86)", "LOCALAPPDATA") if k in env
        ]
        return [Path(folder) / browser for browser in _WINDOWS_BROWSERS for folder in folders]
    found = [shutil.which(name, path=env.get("PATH", "")) for name in _LINUX_BROWSERS]
    on_path = [Path(place) for place in found if place]
    if platform != "darwin":
        return on_path
    homes = ["/Applications", *([env["HOME"] + "/Applications"] if "HOME" in env else [])]
    apps = [Path(home) / f"{n}.app/Contents/MacOS/{n}" for n in _MAC_BROWSERS for home in homes]
    return apps + on_path


def find_chromium(env: Mapping[str, str] = os.environ) -> Path | None:
    """Return the browser that draws and tests pages, or None; `BAITA_CHROMIUM` is asked first.

    Raises
    ------
    SystemExit
        With code 2 if `BAITA_CHROMIUM` names a file that does not exist: a wish is not silently replaced.
    """
    wish = env.get("BAITA_CHROMIUM")
    if wish:
        if not Path(wish).is_file():
            _stop(
                f"BAITA_CHROMIUM 指向的文件不存在：{wish}", f"BAITA_CHROMIUM names no file: {wish}"
            )
        return Path(wish)
    return next((p for p in browser_candidates(sys.platform, env) if p.is_file()), None)


def ensure_chromium() -> Path:
    """Return a Chromium, Chrome or Edge; on Debian as root install one, with a Chinese font, if there is none.

    Raises
    ------
    SystemExit
        With code 2 and the way to install it, where we may not or cannot install it ourselves.
    """
    found = find_chromium()
    if found is None and _may_use_apt():
        _apt_install(["chromium", "fonts-noto-cjk", "fontconfig"])
        found = find_chromium()
    if found is None:
        _stop(
            "没有找到 Chromium、Chrome 或 Edge：请安装其中一个，或用 BAITA_CHROMIUM 指明它的位置",
            "no Chromium, Chrome or Edge found: install one of them (Debian: sudo apt install chromium "
            "fonts-noto-cjk), or name it in BAITA_CHROMIUM",
        )
    ensure_cjk_font()
    return found


def ensure_cjk_font() -> bool:
    """Return whether pictures can show Chinese; on Debian as root install a font if there is none.

    Without one a headless browser draws every Chinese character as an empty box. Windows and macOS
    always have one.
    """
    if not sys.platform.startswith("linux") or _has_cjk_font():
        return True
    if _may_use_apt():
        _apt_install(["fonts-noto-cjk", "fontconfig"])
        if _has_cjk_font():
            return True
    _say(
        "! 没有中文字体，图片里的汉字会变成方框",
        "! no Chinese font, so pictures show boxes (Debian: sudo apt install fonts-noto-cjk fontconfig)",
    )
    return False


def _has_cjk_font() -> bool:
    fc_list = shutil.which("fc-list")
    if fc_list is None:
        return False
    listing = subprocess.run([fc_list, ":lang=zh"], capture_output=True, text=True, check=False)
    return bool(listing.stdout.strip())


def _may_use_apt() -> bool:
    """Return whether this is Debian or a child of it, and we are root."""
    is_root = getattr(os, "geteuid", lambda: 1)() == 0
    return is_root and shutil.which("apt-get") is not None


def _apt_install(packages: Sequence[str]) -> None:
    """Try to install Debian packages, with progress; if that fails, give apt's own reason and go on."""
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    names = " ".join(packages)
    # A list that is only partly updated is often enough, so the first exit code is not asked.
    update = _Progress("正在更新 Debian 软件目录", "updating the list of Debian packages")
    _run_shown(["apt-get", "update"], update, env=env)
    install = _Progress(f"正在安装 {names}", f"installing {names}")
    command = ["apt-get", "install", "-y", "--no-install-recommends", *packages]
    code, lines = _run_shown(command, install, env=env)
    if code:
        reason = next((line for line in lines if line.startswith("E: ")), f"apt-get {code}")
        _say(f"! {names} 没有装好：{reason}", f"! {names} could not be installed: {reason}")


# ---------------------------------------------------------------- running the tests


def pytest_command(args: Sequence[str]) -> list[str]:
    """Return the test run: several workers, unless the arguments say how many or ask for a debugger."""
    own = ("-n", "--numprocesses", "--pdb", "--trace")
    if any(arg.startswith(own) or arg.endswith("no:xdist") for arg in args):
        return [sys.executable, "-m", "pytest", *args]
    # The browser tests stay on one of them, see tests/conftest.py.
    workers = ["-n", str(min(4, os.cpu_count() or 1))]
    return [sys.executable, "-m", "pytest", *workers, *args]


def run_tests(args: Sequence[str] = ()) -> int:
    """Run the tests in this environment and return pytest's exit code.

    Parameters
    ----------
    args
        Handed to pytest as they are.
    """
    browser = find_chromium()
    env = {**os.environ, "BAITA_HEADLESS": "1"}
    if browser:
        env["BAITA_CHROMIUM"] = str(browser)
    return _wait(subprocess.Popen(pytest_command(args), cwd=ROOT, env=env))


# ---------------------------------------------------------------- running the app


def run_app(args: Sequence[str] = ()) -> int:
    """Serve the app until it is stopped, open it in the browser, and return its exit code.

    Parameters
    ----------
    args
        `--headless` (or `BAITA_HEADLESS=1`) opens no browser. `--server.port` is a wish: if that port is
        taken, the next free one is used. All other arguments go to `streamlit run`.
    """
    wanted = int(server_option("port", args) or DEFAULT_PORT)
    address = server_option("address", args)
    refuse_open_door(address, os.environ)
    refuse_foreign_address(address)
    port = free_port(wanted, address=address)
    if port != wanted:
        _say(f"端口 {wanted} 已被占用，改用 {port}", f"port {wanted} is taken, using {port}")
    shown = "127.0.0.1" if address in (None, "0.0.0.0", "::", "localhost") else address
    opens = "--headless" not in args and os.environ.get("BAITA_HEADLESS") != "1"
    base = (server_option("baseUrlPath", args) or "").strip("/")
    url = f"http://{shown}:{port}" + (f"/{base}/" if base else "")
    threading.Thread(target=_announce, args=(url, opens), daemon=True).start()
    code = _serve(streamlit_arguments(args, port))
    if code and not _is_free(port, address):
        _say(
            f"端口 {port} 刚刚被别的程序占用，请再运行一次",
            f"another program has just taken port {port}: run it again",
        )
    return code


def refuse_foreign_address(address: str | None) -> None:
    """Leave with exit code 2 if this machine has no such address, or its name cannot be looked up."""
    if not address:
        return
    try:
        family, kind, _, _, where = socket.getaddrinfo(address, 0, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.bind(where)
    except OSError:
        _stop(
            f"本机没有 {address} 这个地址，不能监听：请用 --server.address 127.0.0.1（只供本机）"
            "或 0.0.0.0（供局域网）",
            f"this machine has no address {address} to listen on: use --server.address 127.0.0.1 (this machine "
            "only) or 0.0.0.0 (the office network)",
        )


_LOOPBACK = ("127.0.0.1", "localhost", "::1")
MIN_PROXY_SECRET = 16


def refuse_open_door(address: str | None, env: Mapping[str, str]) -> None:
    """Leave with exit code 2 if people sign in by a proxy's header and anybody could write that header.

    Parameters
    ----------
    address
        Where the app is to listen; None is everywhere.
    env
        Environment variables.
    """
    if env.get("BAITA_SIGN_IN", "").strip() != "header":
        return
    if address not in _LOOPBACK:
        _stop(
            f"BAITA_SIGN_IN=header 时只能监听本机，现在是 {address or '0.0.0.0'}："
            "请用 --server.address 127.0.0.1，放在反向代理后面",
            f"BAITA_SIGN_IN=header, but the app is to listen on {address or '0.0.0.0'}, where anybody could name "
            "themselves: use --server.address 127.0.0.1, behind the proxy",
        )
    if len(env.get("BAITA_PROXY_SECRET", "").strip()) < MIN_PROXY_SECRET:
        _stop(
            f"BAITA_PROXY_SECRET 少于 {MIN_PROXY_SECRET} 个字符：用 openssl rand -hex 32 生成一个，代理也用它",
            f"BAITA_PROXY_SECRET has fewer than {MIN_PROXY_SECRET} characters: make one with "
            "`openssl rand -hex 32` and give it to the proxy too",
        )


def server_option(name: str, args: Sequence[str]) -> str | None:
    """Return a `server.*` setting from where Streamlit would take it: arguments, environment, file."""
    flag = f"--server.{name}"
    for position, arg in enumerate(args):
        if arg.startswith(flag + "="):
            return arg.partition("=")[2]
        if arg == flag and position + 1 < len(args):
            return args[position + 1]
    # baseUrlPath is BASE_URL_PATH there.
    from_env = os.environ.get("STREAMLIT_SERVER_" + re.sub(r"(?=[A-Z])", "_", name).upper())
    if from_env:
        return from_env
    import tomllib

    config = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
    value = config.get("server", {}).get(name)
    return None if value is None else str(value)


def streamlit_arguments(args: Sequence[str], port: int) -> list[str]:
    """Return the words after `streamlit`, with the port in use instead of the one wished for."""
    rest: list[str] = []
    words = iter(args)
    for word in words:
        if word == "--server.port":
            next(words, None)
        elif word != "--headless" and not word.startswith("--server.port="):
            rest.append(word)
    # Always headless for Streamlit: it does not open a browser for an st.App, and would ask for an e-mail.
    return ["run", str(ROOT / "app.py"), "--server.headless=true", f"--server.port={port}", *rest]


_reserved: list[IO[str]] = []
"""Locks that say which ports this process is about to listen on, held until it ends."""


def free_port(first: int, *, address: str | None = None, tries: int = 50) -> int:
    """Return the first port from a number upward that nobody listens on; no other start of the app gets it too.

    Parameters
    ----------
    first, tries
        Where to begin, and how many to look at.
    address
        Where the app is to listen; None is everywhere.

    Raises
    ------
    SystemExit
        With code 2 if all of them are taken.
    """
    for port in range(first, min(first + tries, 65536)):
        if _is_free(port, address) and _reserve(port):
            return port
    _stop(f"端口 {first} 起的 {tries} 个都被占用", f"no free port among {tries} from {first} on")


def _reserve(port: int) -> bool:
    """Take a port before anybody listens on it: two apps that start at the same moment would both find it free."""
    try:
        handle = (Path(tempfile.gettempdir()) / f"baita-{_account()}-{port}.lock").open("a")
        ours = _try_lock(handle)
    except OSError:  # then the later one is told by the system itself
        return True
    if ours:
        _reserved.append(handle)
    else:
        handle.close()
    return ours


def _account() -> int:
    """Return this account's number; 0 where accounts have none."""
    return os.getuid() if hasattr(os, "getuid") else 0


def _is_free(port: int, address: str | None = None) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.3)
        # macOS and Windows let two programs bind one port in some cases; someone who answers is there.
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            return False
    with socket.socket() as probe:
        if os.name != "nt":
            # As the server does, or a port we left a moment ago would seem taken for a minute.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            # An IPv6 address is looked at when the app listens: most systems serve both by one port.
            probe.bind((address if address and ":" not in address else "127.0.0.1", port))
        except OSError:
            return False
    return True


def _announce(url: str, opens: bool) -> None:
    """Say where the map is once it answers, and open it there."""
    if not _answers(url.split("/")[2]):
        return
    print(f"\n  白塔一张图已启动，请在浏览器打开：{url}", flush=True)
    print(f"  Baita One Map is running at:      {url}\n", flush=True)
    if opens and _has_screen():
        webbrowser.open(url)


def _answers(netloc: str, *, timeout_s: float = 120) -> bool:
    """Return whether a server came up in time; any HTTP answer will do, a proxy is never asked."""
    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        connection = http.client.HTTPConnection(netloc, timeout=10)
        try:
            connection.request("GET", "/_stcore/health")
            connection.getresponse()
        except (OSError, http.client.HTTPException):
            time.sleep(0.1)
        else:
            return True
        finally:
            connection.close()
    return False


def _has_screen() -> bool:
    """Return False on a Linux without a desktop, where `webbrowser` would open a browser made of text."""
    has_desktop = bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    return has_desktop or not sys.platform.startswith("linux")


def _serve(arguments: Sequence[str]) -> int:
    """Run Streamlit's command line in this process, so that a signal to us stops the server."""
    # Its config file is looked up from the working directory.
    os.chdir(ROOT)
    sys.argv = ["streamlit", *arguments]
    try:
        # By name, not by import: streamlit belongs to app.py and geo/ui/ alone.
        runpy.run_module("streamlit", run_name="__main__", alter_sys=True)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    return 0
