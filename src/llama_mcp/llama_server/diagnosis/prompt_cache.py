"""What llama-server's log says of its prompt cache.

A model with a sliding window or recurrent memory can often not go on from what was read before;
llama-server warns of it as it reads the whole prompt again (llama.cpp: server-context.cpp,
"forcing full prompt re-processing due to lack of cache data").
"""

from pathlib import Path

_READS_ALL_AGAIN = b"forcing full prompt re-processing"
# A turn logs far less, unless many go on beside it.
_MAX_BYTES = 262_144


def log_size(path: Path) -> int:
    """Return how many bytes the log has; a log that is not there has none."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def says_not_reusable(path: Path, since_bytes: int) -> bool:
    """Tell whether the log has said so since it had that many bytes.

    It names no session, so this is about some turn that was served meanwhile.
    """
    try:
        with path.open("rb") as log:
            # A log that became shorter was begun anew.
            log.seek(since_bytes if since_bytes <= log_size(path) else 0)
            return _READS_ALL_AGAIN in log.read(_MAX_BYTES)
    except OSError:
        return False
