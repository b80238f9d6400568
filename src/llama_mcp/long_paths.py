r"""Windows paths of more than 259 characters: how they are opened, and how programs are told them.

Windows takes a longer path only in its extended form (`\\?\C:\...`), and most programs, among them
llama-server, cannot use that form. A short name (`C:\LONGNA~1\...`) serves them, where the disk
keeps short names. Other systems have no such limit, and nothing changes there.
"""

import ntpath
import sys

# MAX_PATH is 260, with the NUL at the end.
MAX_CHARACTERS = 259
_EXTENDED = "\\\\?\\"
_EXTENDED_UNC = "\\\\?\\UNC\\"


def openable(path: str) -> str:
    """Return an absolute path in the form in which this system can open it."""
    return extended(path) if sys.platform == "win32" else path


def extended(path: str) -> str:
    """Return the extended form of an absolute Windows path that is too long for the usual one."""
    if len(path) <= MAX_CHARACTERS or path.startswith(_EXTENDED):
        return path
    # The system takes this form literally: no slash, no dot is interpreted any more.
    literal = ntpath.normpath(path)
    if literal.startswith("\\\\"):
        return _EXTENDED_UNC + literal[2:]
    return _EXTENDED + literal


def usual(path: str) -> str:
    """Return the form of a Windows path that every program can read, however long it is."""
    if path.startswith(_EXTENDED_UNC):
        return "\\\\" + path.removeprefix(_EXTENDED_UNC)
    return path.removeprefix(_EXTENDED)


def for_programs(path: str) -> str | None:
    """Return a name of an existing file that every program can open; None when it has none."""
    if sys.platform != "win32":
        return path
    if len(usual(path)) <= MAX_CHARACTERS:
        return usual(path)
    short = usual(_short_name(extended(path)))
    return short if 0 < len(short) <= MAX_CHARACTERS else None


def _short_name(path: str) -> str:
    if sys.platform != "win32":
        return path
    import ctypes

    buffer = ctypes.create_unicode_buffer(32768)
    ctypes.windll.kernel32.GetShortPathNameW(path, buffer, len(buffer))
    return buffer.value
