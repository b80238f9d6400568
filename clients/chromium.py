"""Finds Chromium for the dashboard, or installs Debian's where that can be done."""

import os
import re
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome")
INSTALL = ["apt-get", "install", "-y", "-q", "--no-install-recommends", "chromium"]
INSTALL_SECONDS = 420
ASK_SECONDS = 60


def prepare() -> str | None:
    """Return the path of a Chromium; None, and a line that says so, where there is none."""
    found = _found()
    if found is None and _may_install():
        print("Installing Debian's chromium with apt-get", file=sys.stderr)
        try:
            subprocess.run(INSTALL, check=True, capture_output=True, timeout=INSTALL_SECONDS)
        except (subprocess.SubprocessError, OSError) as error:
            print(f"clients: chromium is not installed: {error}")
        found = _found()
    if found is None:
        print("clients: the dashboard in a browser skipped, there is no chromium here")
    return found


def version_of(browser: str) -> str:
    """Return what a Chromium says of its version."""
    told = subprocess.run(
        [browser, "--version"], capture_output=True, text=True, timeout=ASK_SECONDS, check=True
    )
    number = re.search(r"\d+(\.\d+)*", told.stdout)
    return number[0] if number else "unknown"


def _may_install() -> bool:
    if sys.platform == "win32":
        return False
    return bool(shutil.which("apt-get")) and os.geteuid() == 0


def _found() -> str | None:
    return next((path for name in NAMES if (path := shutil.which(name))), None)
