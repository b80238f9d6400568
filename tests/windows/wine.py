"""Windows under Wine: its Python, its paths, its processes."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

# What llama-mcp consists of there. Wine's own services are left out.
PROGRAMS = ("python.exe", "llama-server.exe")
# Wine's own msvcp140 loses wake-ups of threads: each answer of llama-server takes 1 to 4 s.
RUNTIME = "msvcp140,vcruntime140,vcruntime140_1=native"
# So that Wine does not ask whether to install them.
NOT_INSTALLED = "mscoree,mshtml="


@dataclass(frozen=True)
class Windows:
    """One Wine prefix and a Windows Python, both in a folder that scripts/windows has made."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """What programs under Wine are started with."""
        return {
            "HOME": os.environ["HOME"],
            "LC_ALL": "C.UTF-8",  # Wine reads arguments and file names in it
            "PATH": os.environ["PATH"],
            "WINEDEBUG": "-all",
            "WINEDLLOVERRIDES": f"{NOT_INSTALLED};{RUNTIME}",
            "WINEPREFIX": str(self.folder / "prefix"),
        }

    @property
    def drive_c(self) -> Path:
        """Where C: lies."""
        return self.folder / "prefix" / "drive_c"

    @property
    def python(self) -> tuple[str, ...]:
        """The command of the Windows Python."""
        return ("wine", str(self.folder / "windows" / "python.exe"))

    def path(self, path: Path) -> str:
        """Return a path of this machine as Windows programs name it."""
        drive, root = ("C:", self.drive_c) if path.is_relative_to(self.drive_c) else ("Z:", "/")
        return "\\".join((drive, *path.relative_to(root).parts))

    def programs(self) -> list[str]:
        """Return the command lines of the Windows programs that run in the prefix."""
        found = []
        for process in self._processes():
            with suppress(psutil.Error):
                command = process.cmdline()
                if command and command[0].endswith(PROGRAMS):
                    found.append(" ".join(command).strip())
        return found

    def end(self) -> None:
        """End everything that runs in the prefix.

        A program that is terminated before its first step is gone for Windows, but its process on
        this side waits for ever for a wineserver that has ended.
        """
        subprocess.run(["wineserver", "-k"], env=self.environment, check=False)
        for process in self._processes():
            with suppress(psutil.NoSuchProcess):
                process.kill()

    def _processes(self) -> Iterator[psutil.Process]:
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.environ().get("WINEPREFIX") == str(self.folder / "prefix"):
                    yield process
