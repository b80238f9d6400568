"""How programs are started so that nothing pops up: no console window, no box about an error.

Whatever starts a program takes its flags from here.
"""

import subprocess
import sys
from collections.abc import Sequence

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


def python_command() -> list[str]:
    """Return the command of this Python, without modules from the current folder."""
    return [_python(), "-P"]


def python_environment(inherited: dict[str, str]) -> dict[str, str]:
    """Return the environment in which `python_command` finds the packages of this Python."""
    if _python() == sys.executable:
        return inherited
    return inherited | {"__PYVENV_LAUNCHER__": sys.executable}


def _python() -> str:
    if sys.platform != "win32":
        return sys.executable
    # In a virtual environment sys.executable is a launcher: it starts the real one as its child,
    # within a job of its own. What is started here has to be the process itself, so this does as
    # CPython's multiprocessing does (popen_spawn_win32.py).
    return str(getattr(sys, "_base_executable", "") or sys.executable)
