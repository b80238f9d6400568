"""What only some systems give, and only to some users: mounts, pids and a user of a test's own."""

import subprocess
from collections.abc import Sequence

import pytest

# Each runs the command behind it.
OWN_MOUNTS = ("unshare", "--map-root-user", "--mount")
OWN_PIDS = ("unshare", "--pid", "--fork", "--mount-proc")
ANOTHER_USER = ("setpriv", "--reuid=1234", "--regid=1234", "--clear-groups")


def need(what: str, command: Sequence[str], probe: Sequence[str] = ("true",)) -> None:
    """Skip the test, with what the system says, where it does not let this user run a program so.

    Args:
        what: what the test needs, in words.
        command: how a program is run with it.
        probe: the program that is tried.
    """
    try:
        done = subprocess.run([*command, *probe], capture_output=True, text=True, check=False)
    except OSError as error:
        pytest.skip(f"needs {what}: {error}")
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        pytest.skip(f"needs {what}, which this user may not have here: {said[-1]}")
