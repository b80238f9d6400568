"""Tells how slow the machine is at the moment, by something that is not ours: the SDK's import.

Where other work takes the processors, some programs give up on any server.
"""

import subprocess
import sys
import time

# A second alone on a small machine. The most impatient programs wait for five, and llama-mcp in a
# call for three of them: when the import alone takes these, nothing can be said of what is ours.
BUSY_SECONDS = 3.0
_MOST_SECONDS = 60
_COMMAND = [sys.executable, "-c", "import mcp.server"]


def measured_seconds() -> float:
    """Return how long the import takes now, or a minute where it takes longer.

    Raises:
        subprocess.CalledProcessError: it fails.
    """
    began = time.monotonic()
    try:
        subprocess.run(_COMMAND, check=True, capture_output=True, timeout=_MOST_SECONDS)
    except subprocess.TimeoutExpired:
        return _MOST_SECONDS
    return time.monotonic() - began
