"""Imports every module of llama-mcp as it would be on another platform, and names what fails.

    python tests/support/foreign_platform_program.py PLATFORM

Other people's modules are imported first, as they are here. Then the names that the platform does
not have are taken away, sys.platform says the platform, and only our own modules are imported.
Where the program really runs on the platform, nothing is taken away.
"""

import ctypes
import importlib
import os
import pkgutil
import signal
import subprocess
import sys
from types import ModuleType
from unittest.mock import MagicMock

import llama_mcp

WINDOWS_SIGNALS = {"SIGABRT", "SIGBREAK", "SIGFPE", "SIGILL", "SIGINT", "SIGSEGV", "SIGTERM"}
WINDOWS_NUMBERS = (
    (signal, "SIGBREAK"),
    (subprocess, "CREATE_BREAKAWAY_FROM_JOB"),
    (subprocess, "CREATE_NEW_PROCESS_GROUP"),
    (subprocess, "CREATE_NO_WINDOW"),
)
POSIX_SIGNAL_FUNCTIONS = (
    *("alarm", "setitimer", "getitimer", "siginterrupt", "pause", "pthread_kill", "sigpending"),
    *("pthread_sigmask", "sigwait", "sigwaitinfo", "sigtimedwait"),
)
POSIX_OS_FUNCTIONS = (
    *("fork", "forkpty", "killpg", "getpgid", "setpgid", "getpgrp", "getsid", "setsid", "waitid"),
    *("wait", "wait3", "wait4", "WIFEXITED", "WIFSIGNALED", "WEXITSTATUS", "WTERMSIG", "WNOHANG"),
    *("WNOWAIT", "WEXITED", "P_PID", "P_ALL", "P_PGID", "getuid", "geteuid", "getgid", "setuid"),
    *("getloadavg", "sysconf", "uname", "fchown", "chown", "lchown", "nice", "mkfifo", "statvfs"),
    *("sendfile", "posix_spawn", "O_CLOEXEC", "O_NONBLOCK", "O_NOFOLLOW", "O_DIRECTORY"),
)
LINUX_ONLY = {
    "os": ("pidfd_open", "P_PIDFD", "sched_getaffinity", "memfd_create", "eventfd"),
    "signal": ("pidfd_send_signal", "SIGPOLL", "SIGPWR", "SIGSTKFLT", "SIGRTMIN", "SIGRTMAX"),
}
POSIX_MODULES = ("fcntl", "grp", "pwd", "resource", "syslog", "termios", "tty", "pty")


def take_away(module: ModuleType, *names: str) -> None:
    for name in names:
        if hasattr(module, name):
            delattr(module, name)


def become(platform: str) -> None:
    for module, names in LINUX_ONLY.items():
        take_away(sys.modules[module], *names)
    if platform == "win32":
        signals = [name for name in dir(signal) if name.startswith("SIG") and name[3] != "_"]
        take_away(signal, *(set(signals) - WINDOWS_SIGNALS), *POSIX_SIGNAL_FUNCTIONS)
        take_away(os, *POSIX_OS_FUNCTIONS)
        # None in this table makes an import fail as that of a module which is not there.
        sys.modules.update(dict.fromkeys(POSIX_MODULES))  # type: ignore[arg-type]  # documented
        take_what_windows_has()
    sys.platform = platform


def take_what_windows_has() -> None:
    """Stand in for modules and names of Windows that are used at import; none does anything."""
    for name in ("msvcrt", "winreg", "_winapi"):
        sys.modules[name] = MagicMock()
    for name in ("WinDLL", "windll", "WINFUNCTYPE", "WinError", "get_last_error", "FormatError"):
        setattr(ctypes, name, MagicMock())
    for module, name in WINDOWS_NUMBERS:
        setattr(module, name, 0)


def import_all() -> int:
    failed = 0
    for module in pkgutil.walk_packages(llama_mcp.__path__, "llama_mcp."):
        try:
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
        except Exception as error:
            failed += 1
            print(f"{module.name}: {error!r}")
    return failed


def main(platform: str) -> int:
    importlib.import_module("llama_mcp.keeper.__main__")
    if failed := import_all():
        return failed
    if platform == sys.platform:
        return 0
    for name in [name for name in sys.modules if name.startswith("llama_mcp.")]:
        del sys.modules[name]
    become(platform)
    importlib.import_module("llama_mcp.keeper.__main__")
    return import_all()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
