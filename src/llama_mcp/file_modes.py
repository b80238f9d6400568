"""Permissions: what llama-mcp keeps is for its user alone, and what it writes for the user is not.

A process has one umask. The server's takes all away from other users; a file that a caller asks
for, in a folder of the user's, gets what any program of the user's would give it.
"""

import os

_FILE = 0o666
_FOLDER = 0o777
_PRIVATE = 0o077
# The umask that the user has set; None as long as the process still has it.
_users_umask: int | None = None


def keep_private() -> None:
    """Have everything private from now on that this process makes."""
    global _users_umask
    before = os.umask(_PRIVATE)
    _users_umask = before if _users_umask is None else _users_umask


def users_mode(*, is_folder: bool = False) -> int | None:
    """Return the permissions of what is made for the user; None when the system gives them."""
    if _users_umask is None:
        return None
    return (_FOLDER if is_folder else _FILE) & ~_users_umask
