r"""Names that Windows takes for something else than a file: devices, streams, other machines.

Pure: whether Windows' rules count is for the caller to know. Source: Microsoft, "Naming Files,
Paths, and Namespaces"; CONIN$ and CONOUT$ are the console.
"""

import re

_DEVICE = re.compile(
    r"(CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|(COM|LPT)[0-9¹²³])\s*(\.|:|$)", re.IGNORECASE
)
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")
# \\?\, \\.\ and \??\ lead past all rules for names.
_NAMESPACE = re.compile(r"[\\/]{2}[?.]([\\/]|$)|[\\/]\?\?[\\/]")
# A pattern's * and ? are not for this to judge.
_FORBIDDEN = re.compile('[<>"|\x00-\x1f]')


def is_on_another_machine(path: str) -> bool:
    r"""Tell whether a path begins with two slashes: looking for it would call that machine."""
    return path[:1] in ("\\", "/") and path[1:2] in ("\\", "/")


def problem_of(path: str) -> str | None:
    """Return what keeps a path from being that of a file on Windows; None when nothing does."""
    if _NAMESPACE.match(path):
        return r"it begins with a prefix of devices (\\?\ or \\.\)"
    drive = _DRIVE.match(path)
    rest = path[drive.end() :] if drive else path
    if ":" in rest:
        return "it has a colon, which names a stream inside a file or a folder of another drive"
    for part in re.split(r"[\\/]", rest):
        if _DEVICE.match(part):
            return f"{part} is the name of a device on Windows"
        if part not in (".", "..") and part != part.rstrip(". "):
            return "a part of it ends with a dot or a blank, which Windows drops"
        if _FORBIDDEN.search(part):
            return "it has a character that no file of Windows has"
    return None
