"""What kills llama-server when its keeper is killed, on systems that do not do that by themselves.

A shell waits at one end of a pipe whose other end only the keeper holds. When the keeper dies,
however it dies, the system closes that end, and the shell kills its own process group, itself
included. llama-server is in this group, so no pid is named that could be another's by now.

Meant for macOS, and not tried there; the tests run it on Linux.
"""

import os
import subprocess

# The polite stop is for the whole group, and must leave the watcher in its place.
_WATCH = "trap '' HUP INT TERM; read -r _ || kill -KILL 0"


class Watcher:
    """The shell. `group` is the process group that llama-server has to join."""

    def __init__(self) -> None:
        """Start it.

        Raises:
            OSError: the system starts no more processes.
        """
        # Neither end is inherited but by name, so llama-server does not hold it open.
        read_fd, self._write_fd = os.pipe()
        try:
            self._shell = subprocess.Popen(
                ["/bin/sh", "-c", _WATCH],
                stdin=read_fd,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                process_group=0,
            )
        except OSError:
            os.close(self._write_fd)
            raise
        finally:
            os.close(read_fd)
        self.group = self._shell.pid

    def end(self) -> None:
        """End it; llama-server has ended before."""
        self._shell.kill()
        self._shell.wait()
        os.close(self._write_fd)
