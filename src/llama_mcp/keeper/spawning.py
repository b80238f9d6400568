"""How programs are started so that nothing pops up: no console window, no box about an error.

Whatever starts a program takes its flags from here.
"""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

# Windows would open a console window for each program that is started by one without a console.
if sys.platform == "win32":
    CREATION_FLAGS = subprocess.CREATE_NO_WINDOW
else:
    CREATION_FLAGS = 0
# What Windows hands to cmd.exe, which reads the command line by rules of its own.
BATCH_SUFFIXES = (".bat", ".cmd")


def show_no_error_boxes() -> None:
    """Have Windows report a missing DLL or a crash as an exit code and not in a box on the screen.

    The programs that this process starts inherit it. A box would wait for somebody to click.
    """
    if sys.platform == "win32":
        import msvcrt

        msvcrt.SetErrorMode(
            msvcrt.SEM_FAILCRITICALERRORS
            | msvcrt.SEM_NOGPFAULTERRORBOX
            | msvcrt.SEM_NOOPENFILEERRORBOX
        )


def start_apart(command: Sequence[str], **options: Any) -> "subprocess.Popen[bytes]":
    """Start a program that outlives us and whoever started us; the options are Popen's.

    The process must be kept by the caller and polled now and then, so that it is reaped.
    """
    # asyncio's own would keep a thread waiting for each child (CPython 3.11). This one returns as
    # soon as the child has exec'd.
    if sys.platform != "win32":
        return subprocess.Popen(command, start_new_session=True, **options)
    flags = CREATION_FLAGS | subprocess.CREATE_BREAKAWAY_FROM_JOB
    try:
        # A client may hold its processes in a job, and end them all with it.
        return subprocess.Popen(command, creationflags=flags, **options)
    except PermissionError:
        # A job that lets nobody go. The keeper records that it is in one, and status says so.
        return subprocess.Popen(command, creationflags=CREATION_FLAGS, **options)


def is_batch_file(program: str) -> bool:
    """Tell whether Windows would run the program by cmd.exe."""
    return sys.platform == "win32" and program.lower().endswith(BATCH_SUFFIXES)


def popen_command(argv: Sequence[str]) -> Sequence[str] | str:
    """Return what subprocess takes for the command: a text for a batch file, else argv itself.

    subprocess quotes arguments for programs only (list2cmdline), so that cmd.exe would see an
    unquoted `&` as the end of the command.
    """
    return quote_for_cmd(argv) if is_batch_file(argv[0]) else argv


def quote_for_cmd(argv: Sequence[str]) -> str:
    """Return a command line of which cmd.exe interprets nothing.

    Args:
        argv: free of what `unquotable` finds.
    """
    return " ".join(f'"{argument}{_trailing_backslashes(argument)}"' for argument in argv)


def unquotable(argument: str) -> str:
    """Return the characters of an argument that no quotes hide from cmd.exe.

    Variables (%, !) are replaced within quotes too, a quote ends them, and a line end ends the
    command.
    """
    return "".join(dict.fromkeys(char for char in argument if char in '"%!\r\n\0'))


def _trailing_backslashes(argument: str) -> str:
    # A backslash before the closing quote would escape it for the program at the end (its C
    # runtime), though not for cmd.exe.
    return argument[len(argument.rstrip("\\")) :]


# Variables that say where this Python lies and how it reads text. Others (PYTHONINSPECT,
# PYTHONWARNINGS, PYTHONPROFILEIMPORTTIME ...) are meant for the program that they were set for.
_OF_PYTHON = (
    *("PYTHONHOME", "PYTHONPLATLIBDIR", "PYTHONEXECUTABLE", "PYTHONUTF8", "PYTHONCOERCECLOCALE"),
    *("PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX"),
)


def python_command() -> list[str]:
    """Return the command of this Python, without modules from the current folder."""
    return [_python(), "-P"]


def program_command(module: str) -> list[str]:
    """Return the command that runs a module of ours as a program; its arguments are to follow.

    As `python -m` does, but the program looks for packages where this process found them, however
    they were installed: PYTHONPATH may be relative, and some launchers change sys.path itself.
    """
    program = (
        f"import runpy, sys; sys.path[:] = {ascii(_search_path())}; del sys.argv[0]; "
        "runpy.run_module(sys.argv[0], run_name='__main__', alter_sys=True)"
    )
    return [*python_command(), "-c", program, module]


def python_environment(kept: Mapping[str, str], inherited: Mapping[str, str]) -> dict[str, str]:
    """Return an environment for programs of this Python.

    Args:
        kept: what they are to get besides.
        inherited: what we were started with; what this Python needs is taken from it.
    """
    environment = {name: value for name, value in kept.items() if not _is_of_python(name)}
    environment |= {name: value for name, value in inherited.items() if name in _OF_PYTHON}
    if _python() != sys.executable:
        environment["__PYVENV_LAUNCHER__"] = sys.executable
    return environment


def _is_of_python(name: str) -> bool:
    return name.upper().startswith("PYTHON")


def _search_path() -> list[str]:
    """Return sys.path without the current folder, unless we ourselves are in it."""
    package = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    return [path for path in sys.path if path and (not _is_current(path) or path == package)]


def _is_current(path: str) -> bool:
    try:
        return os.path.samefile(path, os.curdir)
    except OSError:  # one of them is not there
        return False


def _python() -> str:
    if sys.platform != "win32":
        return sys.executable
    # In a virtual environment sys.executable is a launcher: it starts the real one as its child,
    # within a job of its own. What is started here has to be the process itself, so this does as
    # CPython's multiprocessing does (popen_spawn_win32.py).
    return str(getattr(sys, "_base_executable", "") or sys.executable)
