"""What the files of a run folder say: records that llama-mcp and the keeper write and read."""

from pydantic import BaseModel, ConfigDict

from llama_mcp.keeper import identity
from llama_mcp.llama_server.engine.command_line import LaunchConfig
from llama_mcp.llama_server.status import EngineInfo

API_KEY_VARIABLE = "LLAMA_API_KEY"


class Launch(BaseModel):
    """launch.json: one start as it was carried out. The first three are the keeper's."""

    model_config = ConfigDict(frozen=True)

    argv: list[str]
    environment: dict[str, str]
    linger_seconds: float
    config: LaunchConfig
    engine: EngineInfo
    alias: str
    port: int
    at: float
    notes: list[str]
    # When it was started again after a crash, and why the first time.
    restarts: list[float] = []
    first_failure: str | None = None

    @property
    def api_key(self) -> str | None:
        """The key that llama-server asks for; it reads it from its environment."""
        return self.environment.get(API_KEY_VARIABLE)

    @property
    def url(self) -> str:
        """The address of its HTTP API."""
        return f"http://127.0.0.1:{self.port}"


class Outcome(BaseModel, frozen=True):
    """outcome.json: how loading came out, written by the first who knows."""

    ready_after_seconds: float | None = None
    failure: str | None = None
    warnings: list[str] = []
    total_slots: int | None = None
    slot_ctx_size: int | None = None


class ProcessRecord(BaseModel):
    """A process that can be proved to be the same: pid and start time together."""

    pid: int
    start: str | None
    at: float | None = None

    def is_alive(self) -> bool:
        """Tell whether that very process lives."""
        return identity.is_same_process(self.pid, self.start)


class SpawnError(BaseModel):
    """Why the operating system would not execute llama-server."""

    errno: int | None
    text: str


class Exit(BaseModel):
    """How llama-server ended."""

    exit_code: int | None
    signal: int | None
    was_asked_to: bool
    at: float


class KeeperState(BaseModel, frozen=True):
    """state.json: what the keeper says."""

    keeper: ProcessRecord
    llama_server: ProcessRecord | None
    spawn_error: SpawnError | None
    exit: Exit | None


class Pointer(BaseModel, frozen=True):
    """current.json: the name of the run's folder."""

    run: str
