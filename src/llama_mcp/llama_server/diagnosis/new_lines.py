"""What a log has got since it was looked at, whatever the keeper has done with it meanwhile."""

import os
from pathlib import Path

from llama_mcp.llama_server.diagnosis.log import clean_lines
from llama_mcp.llama_server.status import Level

# What came in one look beyond this is left out: a terminal shows no more in that time.
_MAX_BYTES = 1_000_000


class NewLines:
    """Reads a log on from a byte, line by line."""

    def __init__(self, path: Path, byte: int) -> None:
        self.path = path
        self._byte = byte
        self._begun = b""
        """The beginning of a line whose end has not come."""

    def read(self, level: Level | None) -> list[str]:
        """Return the whole lines that have come, cleaned, of a level and worse. Blocking."""
        try:
            with self.path.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                if size < self._byte:  # the keeper has moved what there was (log_rotation.py)
                    self._byte, self._begun = 0, b""
                if size - self._byte > _MAX_BYTES:
                    self._byte, self._begun = size - _MAX_BYTES, b""
                file.seek(self._byte)
                content = file.read(_MAX_BYTES)
        except FileNotFoundError:
            return []
        self._byte += len(content)
        *whole, self._begun = (self._begun + content).split(b"\n")
        return clean_lines([line.decode("utf-8", "replace") for line in whole], level)
