"""Scripts around a llama-server, as people write them: the real one is any process below them."""

import shlex
import stat
from pathlib import Path

# By what is odd about them.
STAYING = {
    "no exec": '"$REAL" "$@"',
    "setsid": 'setsid "$REAL" "$@" & wait',
    "double fork": '(setsid sh -c \'"$0" "$@" & \' "$REAL" "$@" &) ; while :; do sleep 0.05; done',
    "a pipe": '"$REAL" "$@" 2>&1 | cat',
    "no environment": 'env -i PATH="$PATH" "$REAL" "$@"',
    "a trap": 'trap \'kill -TERM $pid; wait $pid\' TERM; "$REAL" "$@" & pid=$!; wait $pid',
    "deaf": 'trap "" TERM INT HUP; setsid "$REAL" "$@" & while :; do wait; done',
    "helpers": 'sleep 600 & setsid sleep 600 & "$REAL" "$@"',
}
BRINGING_BACK = 'while :; do "$REAL" "$@"; done'
LEAVING = {
    "a background job": '"$REAL" "$@" & exit 0',
    "a daemon": 'setsid sh -c \'"$0" "$@" & \' "$REAL" "$@" & exit 0',
}

_SCRIPT = """\
#!/bin/sh
REAL={real}
case "$1" in --help|--version) exec "$REAL" "$@";; esac
{body}
"""


def write_wrapper(folder: Path, real: Path, body: str) -> Path:
    """Write an executable `llama-server` around the real one; return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    wrapper = folder / "llama-server"
    wrapper.write_text(_SCRIPT.format(real=shlex.quote(str(real)), body=body))
    wrapper.chmod(wrapper.stat().st_mode | stat.S_IXUSR)
    return wrapper
