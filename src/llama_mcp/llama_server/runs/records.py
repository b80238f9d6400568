"""What the files of a run folder say: records that llama-mcp and the keeper write and read.

A run outlives the llama-mcp that started it, so its records are read by other versions too. A field
that was added after the first version has a default; fields that a version does not know are left
out.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict, field_validator, model_validator

from llama_mcp.keeper import identity
from llama_mcp.llama_server.engine.command_line import LaunchConfig
from llama_mcp.llama_server.status import EngineInfo

API_KEY_VARIABLE = "LLAMA_API_KEY"


# Raised when a field changes its meaning. A new field with a default does not raise it.
LAUNCH_FORMAT = 2


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
    notes: list[str] = []
    # The first version wrote no number.
    format: int = 1
    # When it was started again after a crash, and why the first time.
    restarts: list[float] = []
    first_failure: str | None = None

    @field_validator("format")
    @classmethod
    def _check_format(cls, value: int) -> int:
        if value > LAUNCH_FORMAT:
            raise ValueError(f"a newer llama-mcp wrote it (format {value})")
        return value

    @model_validator(mode="before")
    @classmethod
    def _complete_config(cls, content: Any) -> Any:
        """Take what the config lacks from the fields that repeat it.

        A default is not what was launched: paths and port are recorded as resolved, and the window
        may have been set.
        """
        try:
            engine, config, argv = content["engine"], content["config"], content["argv"]
            repeated = {
                "llama_cpp_path": engine["path"],
                "model_path": _value_of("-m", argv),
                "port": content["port"],
            }
            if "-np" in argv:
                parallel = int(_value_of("-np", argv))
                window = int(_value_of("-c", argv))
                repeated |= {"parallel": parallel, "ctx_size": window // parallel}
            return content | {"config": repeated | config}
        except (KeyError, TypeError, ValueError, ZeroDivisionError):
            return content  # the fields' own validation says what is wrong

    @property
    def api_key(self) -> str | None:
        """The key that llama-server asks for; it reads it from its environment."""
        return self.environment.get(API_KEY_VARIABLE)

    @property
    def url(self) -> str:
        """The address of its HTTP API."""
        return f"http://127.0.0.1:{self.port}"


def _value_of(flag: str, argv: list[str]) -> str:
    # The last one: an engine that is a Python module has a -m and a -c of Python's before it.
    backwards = argv[::-1]
    return backwards[backwards.index(flag) - 1]


class LoadingOutcome(BaseModel, frozen=True):
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
    llama_server: ProcessRecord | None = None
    spawn_error: SpawnError | None = None
    exit: Exit | None = None


class Pointer(BaseModel, frozen=True):
    """current.json: the name of the run's folder."""

    run: str
