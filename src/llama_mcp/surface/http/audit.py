"""One line for each call: who, what, how it ended, how long it took. Never what was said."""

import json
import logging
import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import anyio
import anyio.to_thread

logger = logging.getLogger(__name__)

_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND
# Names come from callers.
_MOST_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """What is noted of one call."""

    who: str
    """The name of its token."""
    method: str
    what: str
    """The tool, resource or prompt; empty when there is none."""
    session: str
    """The session that it was about; empty when there is none."""
    outcome: str
    """`ok`, `error` (the tool says what), `refused` and a code, or `cancelled`."""
    duration_ms: int


class Audit:
    """Writes entries to a file of their own, else to the log at INFO."""

    def __init__(self, file: Path | None = None) -> None:
        """Take the absolute path of the file, which is made if need be; raises OSError."""
        self._file = file
        self._waiting: list[str] = []
        self._noted = anyio.Event()
        if file is not None:
            _append(file, "")

    def note(self, entry: AuditEntry) -> None:
        """Note a call; a file is written to by `write`."""
        if self._file is None:
            logger.info("%s", _line(entry))
            return
        self._waiting.append(f"{_line(entry)}\n")
        self._noted.set()

    async def write(self) -> None:
        """Write what is noted to the file, until it is cancelled; then the rest.

        What cannot be written is told in the log, and lost.
        """
        try:
            while True:
                await self._noted.wait()
                self._noted = anyio.Event()
                await self._write_waiting()
        finally:
            await self._write_waiting()

    async def _write_waiting(self) -> None:
        lines, self._waiting = self._waiting, []
        if self._file is None or not lines:
            return
        try:
            # Shielded: what was taken is written.
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(_append, self._file, "".join(lines))
        except OSError as error:
            told = error.strerror or error
            logger.error("%d calls are not noted in %s: %s", len(lines), self._file, told)


def _append(file: Path, lines: str) -> None:
    # Opened each time, so that a file that was moved away is begun anew.
    with open(os.open(file, _FLAGS, 0o600), "ab") as opened:
        opened.write(lines.encode())


def _line(entry: AuditEntry) -> str:
    at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    told = {
        name: value[:_MOST_CHARACTERS] if isinstance(value, str) else value
        for name, value in asdict(entry).items()
        if value != ""
    }
    return json.dumps({"at": at, **told})
