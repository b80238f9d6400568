"""What llama-servers of a home are started with: by whoever asks for a start, and for a turn."""

from collections.abc import Mapping
from dataclasses import dataclass

from llama_mcp.llama_server.choosing.room import Room
from llama_mcp.llama_server.runs.attachment import Attachment
from llama_mcp.llama_server.runs.start_lock import StartLock
from llama_mcp.llama_server.starting.launcher import Launcher
from llama_mcp.llama_server.starting.watches import Watches
from llama_mcp.settings import LlamaServerSettings


@dataclass(frozen=True, slots=True)
class StartParts:
    """The parts of this process that a start needs."""

    settings: LlamaServerSettings
    """The operator's."""
    environment: Mapping[str, str]
    """What llama-server's environment is built from."""
    lock: StartLock
    launcher: Launcher
    watches: Watches
    """Watch runs that load."""
    room: Room
    """Makes room for one more model."""

    @property
    def attachment(self) -> Attachment:
        """What this process has of the runs."""
        return self.watches.attachment
