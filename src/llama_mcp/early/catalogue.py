"""What the real server answers to the questions that have one answer, kept as package data.

catalogue.txt holds a line `mcp VERSION`, the SDK that it was made with, and a line for each answer:
era, method and result, separated by one space. `sh scripts/catalogue` makes it.
"""

import os
import sys

LEGACY = "legacy"
MODERN = "modern"
# Under these stands what a list has besides for a client that shows apps.
APPS = {LEGACY: "legacy-apps", MODERN: "modern-apps"}
_FILE = os.path.join(os.path.dirname(__file__), "catalogue.txt")

# Results as JSON, by era and method.
Catalogue = dict[tuple[str, str], str]


def read_catalogue(path: str = _FILE) -> Catalogue | None:
    """Return the catalogue; None when it cannot be read, or is of another SDK than is installed."""
    try:
        with open(path, encoding="utf-8", newline="\n") as file:
            lines = file.read().rstrip("\n").split("\n")
    except (OSError, ValueError):
        return None
    if not lines or not is_installed(lines[0]):
        return None
    entries = (line.split(" ", 2) for line in lines[1:])
    return {(era, method): result for era, method, result in entries}


def is_installed(package_and_version: str) -> bool:
    """Tell whether the first of the package that Python would import is of this version.

    A look for one folder: importlib.metadata takes twice as long to import as all of this room.
    """
    package, _, version = package_and_version.partition(" ")
    for folder in sys.path:
        if os.path.isdir(os.path.join(folder, package)):
            return os.path.isdir(os.path.join(folder, f"{package}-{version}.dist-info"))
    return False
